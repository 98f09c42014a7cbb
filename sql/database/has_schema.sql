-- purpose: tell whether a schema was ever applied
-- returns: has_schema boolean

SELECT to_regclass('schema_version') IS NOT NULL AS has_schema;
