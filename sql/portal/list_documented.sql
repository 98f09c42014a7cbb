-- purpose: list the columns of the documented views, and where PostgreSQL says that a column of an answer is from
-- returns: a row a column of vo and tap_schema: oid and column_index, table_name, column_name, datatype, arraysize,
--          xtype, unit, ucd, description, indexed, principal, std

SELECT
    to_regclass(columns.table_name)::oid::bigint AS oid,
    columns.column_index,
    columns.table_name,
    trim(BOTH '"' FROM columns.column_name) AS column_name,
    columns.datatype,
    columns.arraysize,
    columns.xtype,
    columns.unit,
    columns.ucd,
    columns.description,
    columns.indexed,
    columns.principal,
    columns.std
FROM tap_schema.columns
INNER JOIN tap_schema.tables ON columns.table_name = tables.table_name
ORDER BY tables.table_index, columns.column_index;
