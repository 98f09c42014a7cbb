-- purpose: say of the documented views what the Virtual Observatory's TAP asks, and let a role read these alone
-- needs: the schema vo
-- makes: documented_key, the schema tap_schema with its views; the function make_reader, and by it the role
--        tides_reader, where roles may be made

CREATE SCHEMA tap_schema;

COMMENT ON SCHEMA tap_schema IS 'What there is to be asked, for programs';

CREATE VIEW tap_schema.schemas AS
SELECT
    space.nspname::text AS schema_name,
    NULL::text AS utype,
    obj_description(space.oid, 'pg_namespace') AS description,
    CASE space.nspname WHEN 'vo' THEN 1 ELSE 2 END AS schema_index
FROM pg_namespace AS space
WHERE space.nspname IN ('vo', 'tap_schema');

CREATE VIEW tap_schema.tables AS
SELECT
    space.nspname::text AS schema_name,
    space.nspname || '.' || shown.relname AS table_name,
    CASE space.nspname WHEN 'vo' THEN 'view' ELSE 'table' END AS table_type,
    NULL::text AS utype,
    obj_description(shown.oid, 'pg_class') AS description,
    row_number() OVER (ORDER BY space.nspname DESC, shown.oid)::integer AS table_index
FROM pg_class AS shown
INNER JOIN pg_namespace AS space ON shown.relnamespace = space.oid
WHERE space.nspname IN ('vo', 'tap_schema') AND shown.relkind = 'v';

CREATE VIEW tap_schema.columns AS
WITH shown AS (
    SELECT
        space.nspname,
        view.relname,
        field.attname,
        field.attnum,
        field.atttypid::regtype::text AS kind,
        coalesce(col_description(view.oid, field.attnum), '') AS words
    FROM pg_attribute AS field
    INNER JOIN pg_class AS view ON field.attrelid = view.oid
    INNER JOIN pg_namespace AS space ON view.relnamespace = space.oid
    WHERE space.nspname IN ('vo', 'tap_schema') AND view.relkind = 'v' AND field.attnum > 0
),

typed AS (
    SELECT
        shown.*,
        CASE shown.kind
            WHEN 'double precision' THEN 'double'
            WHEN 'integer' THEN 'int'
            WHEN 'bigint' THEN 'long'
            WHEN 'boolean' THEN 'boolean'
            ELSE CASE WHEN strpos(shown.words, '(free text)') > 0 THEN 'unicodeChar' ELSE 'char' END
        END AS datatype
    FROM shown
)

SELECT
    typed.nspname || '.' || typed.relname AS table_name,
    CASE typed.attname WHEN 'size' THEN '"size"' ELSE typed.attname::text END AS column_name,
    NULL::text AS utype,
    substring(typed.words FROM '\{(.*)\}') AS ucd,
    substring(typed.words FROM '\[(.*)\]') AS unit,
    trim(regexp_replace(typed.words, '( \(free text\))?( \[.*\])? \{.*$', '')) AS description,
    typed.datatype,
    CASE WHEN typed.datatype IN ('char', 'unicodeChar') THEN '*' END AS arraysize,
    CASE WHEN typed.kind LIKE 'timestamp%%' THEN 'timestamp' END AS xtype,
    NULL::integer AS size,
    (strpos(typed.words, 'meta.main') > 0 OR typed.nspname = 'tap_schema')::integer AS principal,
    (typed.words ~ ' indexed$')::integer AS indexed,
    (typed.nspname = 'tap_schema')::integer AS std,
    typed.attnum::integer AS column_index
FROM typed;

CREATE VIEW documented_key AS
SELECT
    link.key_id,
    link.from_table,
    link.from_column,
    link.target_table,
    link.target_column
FROM (
    VALUES
    ('objects', 'vo.objects', 'tides_id', 'vo.targets', 'tides_id'),
    ('magnitudes', 'vo.magnitudes', 'tides_id', 'vo.targets', 'tides_id'),
    ('tonight', 'vo.tonight', 'tides_id', 'vo.targets', 'tides_id'),
    ('rulings', 'vo.rulings', 'tides_id', 'vo.targets', 'tides_id'),
    ('exchange', 'vo.exchange', 'tides_id', 'vo.targets', 'tides_id'),
    ('hosts', 'vo.hosts', 'tides_id', 'vo.targets', 'tides_id'),
    ('spectra', 'vo.spectra', 'tides_id', 'vo.targets', 'tides_id'),
    ('classes', 'vo.classes', 'tides_id', 'vo.targets', 'tides_id'),
    ('tables_schema', 'tap_schema.tables', 'schema_name', 'tap_schema.schemas', 'schema_name'),
    ('columns_table', 'tap_schema.columns', 'table_name', 'tap_schema.tables', 'table_name'),
    ('keys_from', 'tap_schema.keys', 'from_table', 'tap_schema.tables', 'table_name'),
    ('keys_target', 'tap_schema.keys', 'target_table', 'tap_schema.tables', 'table_name'),
    ('key_columns_key', 'tap_schema.key_columns', 'key_id', 'tap_schema.keys', 'key_id')
) AS link (key_id, from_table, from_column, target_table, target_column);

COMMENT ON VIEW documented_key IS 'which column of a documented view leads to which of another';

CREATE VIEW tap_schema.keys AS
SELECT
    documented_key.key_id,
    documented_key.from_table,
    documented_key.target_table,
    NULL::text AS utype,
    'the row of ' || documented_key.target_table AS description
FROM documented_key;

CREATE VIEW tap_schema.key_columns AS
SELECT
    documented_key.key_id,
    documented_key.from_column,
    documented_key.target_column
FROM documented_key;

COMMENT ON VIEW tap_schema.schemas IS 'schemas that can be asked';
COMMENT ON COLUMN tap_schema.schemas.schema_name IS 'name of the schema {meta.id}';
COMMENT ON COLUMN tap_schema.schemas.utype IS 'utype, if there is one {meta.code}';
COMMENT ON COLUMN tap_schema.schemas.description IS 'what is in it (free text) {meta.note}';
COMMENT ON COLUMN tap_schema.schemas.schema_index IS 'place in a list {meta.number}';
COMMENT ON VIEW tap_schema.tables IS 'tables that can be asked';
COMMENT ON COLUMN tap_schema.tables.schema_name IS 'of which schema {meta.id.parent}';
COMMENT ON COLUMN tap_schema.tables.table_name IS 'as to be written in a query {meta.id}';
COMMENT ON COLUMN tap_schema.tables.table_type IS 'table or view {meta.code}';
COMMENT ON COLUMN tap_schema.tables.utype IS 'utype, if there is one {meta.code}';
COMMENT ON COLUMN tap_schema.tables.description IS 'what is in it (free text) {meta.note}';
COMMENT ON COLUMN tap_schema.tables.table_index IS 'place in a list {meta.number}';
COMMENT ON VIEW tap_schema.columns IS 'columns of these tables';
COMMENT ON COLUMN tap_schema.columns.table_name IS 'of which table {meta.id.parent}';
COMMENT ON COLUMN tap_schema.columns.column_name IS 'as to be written in a query {meta.id}';
COMMENT ON COLUMN tap_schema.columns.utype IS 'utype, if there is one {meta.code}';
COMMENT ON COLUMN tap_schema.columns.ucd IS 'UCD {meta.ucd}';
COMMENT ON COLUMN tap_schema.columns.unit IS 'unit in VOUnit {meta.unit}';
COMMENT ON COLUMN tap_schema.columns.description IS 'what it is (free text) {meta.note}';
COMMENT ON COLUMN tap_schema.columns.datatype IS 'type as in VOTable {meta.code}';
COMMENT ON COLUMN tap_schema.columns.arraysize IS 'length as in VOTable {meta.code}';
COMMENT ON COLUMN tap_schema.columns.xtype IS 'type of the text as in DALI {meta.code}';
COMMENT ON COLUMN tap_schema.columns.size IS 'length; no longer used {meta.number}';
COMMENT ON COLUMN tap_schema.columns.principal IS '1 for what one looks at first {meta.code}';
COMMENT ON COLUMN tap_schema.columns.indexed IS '1 where a condition is quick {meta.code}';
COMMENT ON COLUMN tap_schema.columns.std IS '1 where a standard says what it is {meta.code}';
COMMENT ON COLUMN tap_schema.columns.column_index IS 'place in its table {meta.number}';
COMMENT ON VIEW tap_schema.keys IS 'which table leads to which';
COMMENT ON COLUMN tap_schema.keys.key_id IS 'of the link {meta.id}';
COMMENT ON COLUMN tap_schema.keys.from_table IS 'the table with the key {meta.id}';
COMMENT ON COLUMN tap_schema.keys.target_table IS 'the table of the key {meta.id}';
COMMENT ON COLUMN tap_schema.keys.utype IS 'utype, if there is one {meta.code}';
COMMENT ON COLUMN tap_schema.keys.description IS 'what leads there (free text) {meta.note}';
COMMENT ON VIEW tap_schema.key_columns IS 'columns by which tables lead to others';
COMMENT ON COLUMN tap_schema.key_columns.key_id IS 'of the link {meta.id}';
COMMENT ON COLUMN tap_schema.key_columns.from_column IS 'in from_table {meta.id}';
COMMENT ON COLUMN tap_schema.key_columns.target_column IS 'in target_table {meta.id}';

-- A role is of the whole server, and a backup holds none: so it is made, and given what it may read, here and after a
-- backup was restored. Where our user may make no role there is none, and queries run as our user, read-only.
CREATE FUNCTION make_reader() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE pg_roles.rolname = 'tides_reader') THEN
        CREATE ROLE tides_reader NOLOGIN;
    END IF;
    IF NOT pg_has_role('tides_reader', 'MEMBER') THEN
        EXECUTE format('GRANT tides_reader TO %%I', current_user);
    END IF;
    GRANT USAGE ON SCHEMA vo, tap_schema TO tides_reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA vo, tap_schema TO tides_reader;
    -- What kept_target reads, which a view calls for who asks.
    GRANT SELECT (tides_id, merged_into) ON tides_master TO tides_reader;
    RETURN TRUE;
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
    RETURN FALSE;
END
$$;

SELECT make_reader();
