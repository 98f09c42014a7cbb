-- purpose: list the documented views, and what is in them
-- returns: schema_name, schema_description, table_name, table_type, description; in their order

SELECT
    tables.schema_name,
    schemas.description AS schema_description,
    tables.table_name,
    tables.table_type,
    tables.description
FROM tap_schema.tables
INNER JOIN tap_schema.schemas ON tables.schema_name = schemas.schema_name
ORDER BY tables.table_index;
