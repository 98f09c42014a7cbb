-- purpose: see whether the server can search by trigrams, which Prefect's migrations use
-- returns: has_trigrams boolean

SELECT EXISTS (
    SELECT FROM pg_available_extensions
    WHERE pg_available_extensions.name = 'pg_trgm'
) AS has_trigrams;
