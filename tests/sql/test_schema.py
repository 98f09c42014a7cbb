import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.databases import make_settings, rows_of
from tides_bridge.database import Database, apply_schema, check_schema, ensure_schema, open_database
from tides_bridge.database import schema as under_test
from tides_bridge.database.schema import schema_files
from tides_bridge.decisions.batch import get_deferred_objects, take_calls
from tides_bridge.decisions.refused import list_refused
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


# From the tables of the first version


@pytest.fixture
def first_version(database_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database as the first version of the bridge left it, with rows."""
    first = schema_files()[:1]
    with open_database(make_settings(database_folder, f"tides_{uuid4().hex}")) as database:
        with monkeypatch.context() as before:
            before.setattr(under_test, "schema_files", lambda: first)
            assert apply_schema(database) == ["001_tables.sql"]
        for name, columns in TARGETS.items():
            row = {**TARGET, "object_id": name, "name": name, **columns}
            insert = f"INSERT INTO tides_master ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"
            with database.transaction() as connection:
                connection.exec_driver_sql(insert, tuple(row.values()))
        for insert in OTHER_ROWS:
            rows_of(database, f"{insert} RETURNING 1")
        yield database


ASKED = datetime(2026, 6, 9, 12, tzinfo=UTC)
TARGET = {
    "survey": "ztf",
    "ra": 10.5,
    "decl": -20.25,
    "first_detection_mjd": 60990,
    "last_detection_mjd": 60999,
    "n_detections": 5,
    "selection_function": "f",
    "active": True,
}
TARGETS: dict[str, dict[str, object]] = {
    "asked": {"create_asked_4most_at": ASKED},
    "created": {"create_asked_4most_at": ASKED, "pk_4most": 7, "told_4most": '{"is_active": true}'},
    "new": {"r_latest_mag": 19.5, "r_latest_mjd": 60999, "r_brightest_mag": 19.25, "r_brightest_mjd": 60995},
}
ALERT = json.dumps({
    "survey": "ztf", "object_id": "z", "newest_mjd": 60999.5, "ra": None, "decl": None, "sherlock_class": None,
    "message": {"objectId": "z"},
})  # fmt: skip
OTHER_ROWS = [
    "INSERT INTO deferred_object (survey, object_id, alert, reason, attempts) "
    f"VALUES ('ztf', 'z', '{ALERT}', 'the API is away', 3)",
    "INSERT INTO api_call (called_at, calls) VALUES (now(), 5)",
    "INSERT INTO refused_message (topic, partition_number, stream_offset, body, reason) VALUES ('t', 0, 7, 'x', 'x')",
]


def test_rows_of_the_first_version_are_taken_over(first_version: Database, settings: Settings) -> None:
    with pytest.raises(
        ScriptError, match=r"002_durable\.sql, 003_decisions\.sql, .* must be applied first: tides schema"
    ):
        ensure_schema(first_version, is_ours=False)
    ensure_schema(first_version, is_ours=True)
    assert check_schema(first_version) == []
    assert [each.object_id for each in get_deferred_objects(first_version, settings)] == ["z"]
    assert [row["refused_id"] for row in list_refused(first_version, 10)] == [1]
    assert take_calls(first_version, settings, 100).calls == 95
    assert len(rows_of(first_version, "SELECT name FROM tides_master")) == 3


def test_a_database_without_tables_is_told_in_few_words(database_folder: Path) -> None:
    with (
        open_database(make_settings(database_folder, f"tides_{uuid4().hex}")) as empty,
        pytest.raises(ScriptError, match=r"it has no tables yet: tides schema$"),
    ):
        ensure_schema(empty, is_ours=False)


def test_targets_of_the_first_version_keep_their_names_and_get_an_object_each(first_version: Database) -> None:
    """All three are at the same place: no file says which are one, so a person is asked."""
    apply_schema(first_version)
    columns = "tides_master.name, association.survey, association.object_id, how, match_ra, n_detections"
    joined = "association INNER JOIN tides_master USING (tides_id, n_detections) ORDER BY tides_id"
    assert [tuple(row.values()) for row in rows_of(first_version, f"SELECT {columns} FROM {joined}")] == [
        (name, "ztf", name, "first", 10.5, 5) for name in ("asked", "created", "new")
    ]
    assert [tuple(row.values())[1:] for row in rows_of(first_version, "SELECT * FROM target_magnitude")] == [
        ("new", "ztf", "r", 19.5, 60999.0, 19.25, 60995.0)
    ]
    asked = "SELECT object_id, tides_id, separation_arcsec FROM association_question ORDER BY 1, 2"
    assert [tuple(row.values()) for row in rows_of(first_version, asked)] == [
        ("created", 1, 0.0), ("new", 1, 0.0), ("new", 2, 0.0),
    ]  # fmt: skip


def test_a_creation_without_an_answer_becomes_an_open_intent(first_version: Database) -> None:
    apply_schema(first_version)
    columns = "name, operation, status, attempt, payload, logged_at"
    joined = "exchange_log INNER JOIN tides_master ON asked_4most = exchange_id"
    assert [tuple(row.values()) for row in rows_of(first_version, f"SELECT {columns} FROM {joined}")] == [
        ("asked", "create", "asked", 1, None, ASKED)
    ]
    assert len(rows_of(first_version, "SELECT 1 FROM exchange_log")) == 1


def test_the_oldest_server_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "OLDEST_SERVER", 990000)
    with pytest.raises(ScriptError, match="is too old: 15 is needed"):
        check_schema(database)


def test_a_run_waits_for_another_to_end(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as other:
        assert other.enter_context(database.only_run())
        monkeypatch.setattr("time.sleep", lambda _: other.close())
        with open_database(settings) as mine, mine.only_run(patience=60) as is_alone:
            assert is_alone
