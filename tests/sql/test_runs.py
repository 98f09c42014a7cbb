"""No run writes, or calls, once another one has begun; whatever became of its lock."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from tests.support.databases import LOSE_LOCK, rows_of
from tides_bridge.database import Database, apply_schema, open_database
from tides_bridge.database.run_log import logged_run
from tides_bridge.errors import BridgeError, DatabaseUnavailable, RunOvertaken
from tides_bridge.settings import Settings

PATIENCE = 30
"""[s] A session that is ended has ended a moment later."""


@pytest.fixture
def other(settings: Settings) -> Iterator[Database]:
    """The same database, for another run."""
    with open_database(settings) as database:
        yield database


@contextmanager
def overtaken(database: Database, other: Database) -> Iterator[None]:
    """Be in a run whose lock went, and another run holds it now."""
    with database.only_run() as first:
        assert len(rows_of(other, LOSE_LOCK)) == 1
        with other.only_run(PATIENCE) as second:
            assert first and second
            yield


def note(connection: Connection, kind: str) -> None:
    connection.exec_driver_sql("INSERT INTO run_log (kind) VALUES (%(kind)s)", {"kind": kind})


def kinds(database: Database) -> list[str]:
    return [row["kind"] for row in rows_of(database, "SELECT kind FROM run_log ORDER BY run_id")]


def test_an_overtaken_run_writes_nothing_and_the_other_does(database: Database, other: Database) -> None:
    with overtaken(database, other):
        with pytest.raises(RunOvertaken, match="another run has begun there"), database.transaction() as connection:
            note(connection, "pull")
        with pytest.raises(RunOvertaken):
            database.prove_run()
        with other.transaction() as connection:
            note(connection, "exchange")
        other.prove_run()
    assert kinds(other) == ["exchange"]


def test_a_run_whose_lock_alone_is_lost_goes_on(database: Database, other: Database) -> None:
    with database.only_run():
        rows_of(other, LOSE_LOCK)
        database.prove_run()
        with database.transaction() as connection:
            note(connection, "pull")
    assert kinds(other) == ["pull"]


def test_what_an_overtaken_run_has_not_committed_is_undone(database: Database, other: Database) -> None:
    with database.only_run():
        with pytest.raises(RunOvertaken), database.transaction() as connection:
            note(connection, "pull")
            rows_of(other, LOSE_LOCK)
            with other.only_run(PATIENCE) as is_alone:
                assert is_alone
        with pytest.raises(RunOvertaken):
            database.prove_run()
    assert kinds(other) == []


def test_each_run_has_a_number_of_its_own_and_whoever_is_in_none_may_write(database: Database, other: Database) -> None:
    numbers = []
    for each in (database, other, database):
        with each.only_run() as is_alone:
            assert is_alone
            numbers.append(rows_of(each, "SELECT epoch FROM run_epoch")[0]["epoch"])
    assert numbers == sorted(set(numbers)) and len(numbers) == 3
    with other.only_run(), database.transaction() as connection:  # a person's command beside a run
        note(connection, "backup")
    assert kinds(other) == ["backup"]


def test_who_waits_in_vain_for_a_run_does_not_overtake_it(database: Database, other: Database) -> None:
    with database.only_run(), other.only_run() as is_alone:
        assert not is_alone
        database.prove_run()


def test_a_run_that_makes_the_tables_is_numbered_from_then_on(database: Database, other: Database) -> None:
    rows_of(database, "DROP SCHEMA public, vo, tap_schema CASCADE; CREATE SCHEMA public; SELECT 1")
    with database.only_run():
        apply_schema(database)
        with database.transaction() as connection:
            note(connection, "pull")
        rows_of(other, LOSE_LOCK)
        with other.only_run(PATIENCE), pytest.raises(RunOvertaken):
            database.prove_run()


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, DatabaseUnavailable])
def test_an_overtaken_run_has_no_end_in_the_log_and_keeps_its_own_error(
    database: Database, other: Database, error: type[BaseException] | None
) -> None:
    def work() -> None:
        with logged_run(database, "pull"):
            rows_of(other, LOSE_LOCK)
            with other.only_run(PATIENCE) as is_alone:
                assert is_alone
            if error:
                raise error("x", "y")

    with database.only_run():
        if error:
            with pytest.raises(error):
                work()
        else:
            work()
            with pytest.raises(BridgeError):
                database.prove_run()
    assert rows_of(other, "SELECT ended_at, problem FROM run_log") == [{"ended_at": None, "problem": None}]


def test_what_another_run_asked_is_waited_for_once(
    database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    other.wait_for_others(10)  # in no run there is nothing to wait for
    with database.only_run():
        database.wait_for_others(10)
        database.wait_for_others(0)
    assert len(waits) == 1 and 9 < waits[0] <= 10


def test_numbers_do_not_come_again_in_a_database_that_was_restored(database: Database, other: Database) -> None:
    with database.only_run():
        rows_of(other, LOSE_LOCK)
        rows_of(other, "UPDATE run_epoch SET epoch = 0 RETURNING 1")
        for _ in range(3):
            with other.only_run(PATIENCE) as is_alone:
                assert is_alone
        with pytest.raises(RunOvertaken):
            database.prove_run()


def test_a_clock_that_was_set_back_gives_no_number_again(database: Database, other: Database) -> None:
    ahead = 2 * 10**15
    rows_of(database, f"UPDATE run_epoch SET epoch = {ahead} RETURNING 1")
    with database.only_run():
        rows_of(other, LOSE_LOCK)
        with other.only_run(PATIENCE) as is_alone:
            assert is_alone
            assert rows_of(other, "SELECT epoch FROM run_epoch") == [{"epoch": ahead + 2}]
            with pytest.raises(RunOvertaken):
                database.prove_run()
