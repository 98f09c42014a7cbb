-- purpose: tell which schema the tables have, and since when there are some
-- returns: one row: name text (of the newest file), installed_at timestamptz

SELECT
    max(schema_version.name) AS name,
    min(schema_version.applied_at) AS installed_at
FROM schema_version;
