from pathlib import Path

import pytest

from tests.support.databases import rows_of
from tides_bridge import database as under_test
from tides_bridge.database import Database, apply_schema, check_schema, ensure_schema, open_database, schema_files
from tides_bridge.errors import DatabaseUnavailable, ScriptError
from tides_bridge.settings import Settings


def test_the_schema_is_applied_once(database: Database) -> None:
    assert check_schema(database) == []
    assert apply_schema(database) == []
    assert [row["name"] for row in rows_of(database, "SELECT name FROM schema_version")] == [
        file.name for file in schema_files()
    ]


def test_a_changed_schema_file_is_refused(database: Database) -> None:
    rows_of(database, "UPDATE schema_version SET checksum = 'other' RETURNING name")
    with pytest.raises(ScriptError, match="changed after it was applied"):
        check_schema(database)


def test_a_database_of_a_newer_bridge_is_refused(database: Database) -> None:
    rows_of(database, "INSERT INTO schema_version (name, checksum) VALUES ('999_later.sql', '') RETURNING name")
    with pytest.raises(ScriptError, match=r"999_later\.sql"):
        check_schema(database)


def test_a_server_of_others_is_left_to_a_person(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Path("999_later.sql")
    monkeypatch.setattr(under_test, "schema_files", lambda: [*schema_files(), later])
    monkeypatch.setattr(under_test, "_checksum", lambda file: file.name)
    rows_of(database, "UPDATE schema_version SET checksum = name RETURNING name")
    with pytest.raises(ScriptError, match="tides schema"):
        ensure_schema(database, is_ours=False)


def test_only_one_run_at_a_time(database: Database, settings: Settings) -> None:
    with database.only_run() as first, open_database(settings) as other, other.only_run() as second:
        assert (first, second) == (True, False)
    with database.only_run() as third:
        assert third


def test_a_server_that_is_away(settings: Settings) -> None:
    away = settings.model_copy(
        update={"database": settings.database.model_copy(update={"host": "127.0.0.1", "port": 1})}
    )
    with open_database(away) as database, pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1"):
        check_schema(database)


def test_a_refused_statement_names_the_database(database: Database) -> None:
    with pytest.raises(ScriptError, match="no_such_table"):
        rows_of(database, "SELECT 1 FROM no_such_table")
