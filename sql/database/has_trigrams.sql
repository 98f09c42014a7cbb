-- purpose: see whether the server can search by trigrams, which Prefect's migrations use
-- returns: has_trigrams boolean

SELECT count(*) > 0 AS has_trigrams
FROM pg_available_extensions
WHERE pg_available_extensions.name = 'pg_trgm';
