"""What ADQL becomes, and what is refused: without a database."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tides_bridge.errors import RejectedError
from tides_bridge.portal.vo.adql import DEEPEST, LONGEST, sql_of

COLUMNS = {
    "vo.targets": ("tides_id", "name", "ra", "decl", "n_detections", "active"),
    "vo.objects": ("tides_id", "object_id", "ra", "decl"),
    "tap_schema.columns": ("table_name", "column_name", "size"),
}

HOSTILE = (
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_sleep(100) FROM targets",
    "SELECT PG_SLEEP(100)",
    'SELECT "pg_sleep"(100)',
    "SELECT pg_catalog.pg_sleep(1)",
    "SELECT lo_import('/etc/passwd')",
    "SELECT * FROM dblink('host=elsewhere', 'SELECT 1') AS t(x int)",
    "SELECT set_config('role', 'postgres', false)",
    "SELECT current_setting('data_directory')",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SELECT name FROM targets; DROP TABLE tides_master",
    "SELECT name FROM targets;;SELECT 1",
    "DROP TABLE tides_master",
    "DELETE FROM vo.targets",
    "UPDATE vo.targets SET name = 'x'",
    "INSERT INTO vo.targets VALUES (1)",
    "COPY vo.targets TO PROGRAM 'id'",
    "TRUNCATE tides_master",
    "SET ROLE postgres",
    "RESET ROLE",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CALL make_reader()",
    "EXPLAIN ANALYZE SELECT 1",
    "BEGIN",
    "VACUUM",
    "CREATE TABLE x AS SELECT 1",
    "SELECT * INTO x FROM targets",
    "SELECT name FROM targets FOR UPDATE",
    "WITH x AS (DELETE FROM vo.targets RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO vo.targets VALUES (1) RETURNING *) SELECT * FROM x",
    "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT * FROM x",
    "SELECT * FROM (WITH pg_user AS (SELECT 1 AS n) SELECT * FROM pg_user) AS x, pg_user",
    "SELECT * FROM tides_master",
    "SELECT * FROM public.tides_master",
    "SELECT * FROM pg_user",
    "SELECT * FROM pg_catalog.pg_user",
    "SELECT * FROM information_schema.tables",
    'SELECT * FROM "information_schema"."tables"',
    'SELECT * FROM "VO"."TARGETS"',
    "SELECT * FROM postgres.vo.targets",
    "SELECT * FROM/**/pg_user",
    "SELECT * FROM vo.targets, pg_shadow",
    "SELECT name FROM targets UNION SELECT usename FROM pg_user",
    "SELECT name FROM targets WHERE name IN (SELECT usename FROM pg_user)",
    "SELECT (SELECT passwd FROM pg_shadow)",
    "SELECT * FROM \uff50\uff47_user",
    "SELECT U&'\\0041'",
    "SELECT e'\\x41'",
    "SELECT $$text$$",
    "SELECT x'41'",
    "SELECT 'tides_master'::regclass",
    "SELECT CAST('tides_master' AS regclass)",
    "SELECT CAST(name AS xml) FROM targets",
    "SELECT CAST(name AS vo.targets) FROM targets",
    "SELECT generate_series(1, 1000000000)",
    "SELECT * FROM generate_series(1, 1000000000)",
    "SELECT * FROM unnest(ARRAY[1, 2])",
    "SELECT unnest(ARRAY[1])",
    "SELECT repeat('x', 1000000000)",
    "SELECT lpad('x', 1000000000)",
    "SELECT string_agg(name, '') OVER () FROM targets",
    "SELECT t.row_to_json FROM targets AS t",
    "SELECT (t).name FROM targets AS t",
    "SELECT xmin FROM targets",
    "SELECT ctid, tableoid FROM targets",
    "SELECT current_user",
    "SELECT session_user, current_database()",
    "SELECT user FROM targets",
    "SELECT version()",
    "SELECT now()",
    "SELECT name FROM targets TABLESAMPLE SYSTEM (1)",
    "SELECT name FROM ONLY targets",
    "SELECT name FROM targets, LATERAL (SELECT 1) AS x",
    "SELECT DISTINCT ON (name) name FROM targets",
    "SELECT name ~ '(a+)+$' FROM targets",
    "SELECT name SIMILAR TO 'x' FROM targets",
    'SELECT name COLLATE "C" FROM targets',
    "SELECT name[1] FROM targets",
    "SELECT ROW(1, 2)",
    "SELECT 1 OPERATOR(pg_catalog.+) 2",
    "SELECT name FROM targets GROUP BY CUBE (name, ra)",
    "VALUES (1)",
    "TABLE pg_user",
    "SELECT %(role)s",
    "SELECT ?",
    "SELECT $1",
    "SELECT :x",
    "SELECT @@version",
    "\x00",
    "SELECT '\ud800'",
    "",
    ";",
    "-- only a comment",
    "SELECT " + "(" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1),
    "SELECT " + "NOT " * 4_000 + "1 = 1",
    "SELECT " + "-" * 10 + " 1" * 5_000,
    "SELECT " + "a." * 4_000 + "name FROM targets",
    "SELECT 1" + " " * LONGEST,
)


@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: query[:40].encode("ascii", "backslashreplace").decode())
def test_what_is_not_on_the_list_is_refused(query: str) -> None:
    with pytest.raises(RejectedError, match=r"^query: "):
        sql_of(query, COLUMNS)


GOOD = {
    "SELECT TOP 5 Name FROM VO.Targets": 'SELECT "name" FROM "vo"."targets" LIMIT 5',
    "SELECT t.* FROM targets AS t": 'SELECT "t".* FROM "vo"."targets" AS "t"',
    "SELECT name FROM targets -- ; DROP": 'SELECT "name" FROM "vo"."targets"',
    "SELECT 'it''s \\' AS x": "SELECT 'it''s \\' AS \"x\"",
    "SELECT active FROM targets WHERE active = 'true' AND name LIKE 'a%'": (
        'SELECT "active" FROM "vo"."targets" WHERE "active" = \'true\' AND "name" LIKE \'a%\''
    ),
    'SELECT "size" FROM tap_schema.columns': 'SELECT "size" FROM "tap_schema"."columns"',
    "WITH pg_user AS (SELECT name FROM targets) SELECT * FROM pg_user": (
        'WITH "adql pg_user" AS (SELECT "name" FROM "vo"."targets") SELECT * FROM "adql pg_user" AS "pg_user"'
    ),
    "SELECT LOG(ra) FROM targets": 'SELECT LN("ra") FROM "vo"."targets"',
    "SELECT COORD2(POINT(ra, decl)) FROM objects": 'SELECT ("decl") FROM "vo"."objects"',
    "SELECT ra FROM targets UNION ALL SELECT ra FROM objects": (
        'SELECT "ra" FROM "vo"."targets" UNION ALL SELECT "ra" FROM "vo"."objects"'
    ),
    "SELECT COUNT(DISTINCT name) AS n FROM targets NATURAL LEFT OUTER JOIN objects GROUP BY ra HAVING COUNT(*) > 1": (
        'SELECT COUNT(DISTINCT "name") AS "n" FROM "vo"."targets" NATURAL LEFT OUTER JOIN "vo"."objects" '
        'GROUP BY "ra" HAVING COUNT(*) > 1'
    ),
}


@pytest.mark.parametrize("query", GOOD)
def test_what_is_on_the_list_is_written_for_postgresql(query: str) -> None:
    assert sql_of(query, COLUMNS) == GOOD[query]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT nam FROM targets", "no column nam: is name meant?"),
        ("SELECT name FROM target", "no table vo.target: is vo.targets meant?"),
        ("SELECT name, pg_sleep(1) FROM targets", "no function pg_sleep"),
        ("SELECT name FROM targets WHERE", r"\(line 1\)"),
        ("SELECT POINT(ra, decl) FROM targets", "POINT stands where only a number"),
        ("SELECT DISTANCE(POINT('GALACTIC', ra, decl), POINT(1, 2)) FROM targets", "positions are ICRS"),
        ("SELECT name FROM targets WHERE 1 = CONTAINS(CIRCLE(1, 2, 3), CIRCLE(1, 2, 3))", "a POINT is wanted"),
        ("SELECT name FROM targets WHERE 1 = CONTAINS(POINT(ra, decl), POINT(1, 2))", "can lie in CIRCLE, BOX"),
        ("SELECT name FROM targets WHERE 1 = CONTAINS(POINT(ra, decl), CIRCLE(1, 2, 3, 4))", "wants 3 or 2 values"),
        ("SELECT name FROM targets WHERE 1 = CONTAINS(POINT(ra, decl), POLYGON(0, 0, 9, 0, 1, 1, 0, 9))", "convex"),
        ("SELECT name FROM targets WHERE 1 = CONTAINS(POINT(ra, decl), POLYGON(0, 0, 9, 0))", "three corners"),
    ],
)
def test_a_refusal_says_what_is_wrong(query: str, words: str) -> None:
    with pytest.raises(RejectedError, match=words):
        sql_of(query, COLUMNS)


WORDS = re.split(
    " +",
    "SELECT TOP 3 DISTINCT * , ( ) ' ; -- /* */ . = < + - % | : $ 1 1e5 name ra targets vo. pg_user FROM JOIN WHERE ON "
    "UNION WITH AS IN EXISTS CASE WHEN END CAST ORDER BY GROUP INTO LIMIT NULL TRUE INTERVAL ARRAY [ ] pg_sleep( $$ :: "
    "CONTAINS( POINT( CIRCLE( BOX( DISTANCE( LOG( MOD( ROUND( U&' e' ? %s \\ \"",
)
"""Pieces of which queries are drawn, that come nearer to ADQL than letters do."""


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=30).map(" ".join) | st.text(max_size=60))
def test_drawn_text_is_refused_or_names_only_our_tables(query: str) -> None:
    try:
        written = sql_of(f"SELECT {query}", COLUMNS)
    except RejectedError:
        return
    plain = re.sub(r"'(?:[^']|'')*'", "", written)
    assert {
        schema for schema, _ in re.findall(r'"([^"]+)"\."([^"]+)"(?! *\()', plain) if schema.startswith("pg")
    } == set()
    assert not re.search(r"pg_|;|--|/\*", re.sub(r'"[^"]*"', "", plain))
