-- purpose: list the applied schema files
-- returns: name text, checksum text

SELECT
    schema_version.name,
    schema_version.checksum
FROM schema_version
ORDER BY schema_version.name;
