"""What is kept of runs: their numbers, how long they took, and what is new since they began."""

import subprocess
import sys
import textwrap
from typing import Any

import pytest

from tests.support.databases import rows_of
from tests.support.processes import ROOT
from tests.support.staging import at, staged, store
from tides_bridge.database import Database
from tides_bridge.database.run_log import (
    compared_with_earlier,
    list_new_targets,
    list_newly_refused,
    logged_run,
    run_duration,
)
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.settings import Settings


def runs(database: Database) -> list[tuple[Any, ...]]:
    rows = rows_of(database, "SELECT kind, ended_at >= started_at AS ended, problem FROM run_log ORDER BY run_id")
    return [tuple(row.values()) for row in rows]


def test_a_good_run_has_an_end_and_no_problem(database: Database) -> None:
    with logged_run(database, "pull"):
        assert runs(database) == [("pull", None, None)]
    assert runs(database) == [("pull", True, None)]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (BrokerUnavailable("Kafka broker x", "does not answer"), "Kafka broker x: does not answer"),
        (ValueError("no number"), "ValueError: no number"),
        (KeyboardInterrupt(), "stopped"),
    ],
)
def test_a_run_that_fails_says_why(database: Database, error: BaseException, problem: str) -> None:
    with pytest.raises(type(error)), logged_run(database, "exchange"):
        raise error
    assert runs(database) == [("exchange", True, problem)]


def test_a_run_that_is_killed_has_no_end(database: Database, settings: Settings) -> None:
    code = f"""
        import os, signal
        from pathlib import Path
        from tests.support.databases import make_settings
        from tides_bridge.database import open_database
        from tides_bridge.database.run_log import logged_run

        settings = make_settings(Path({str(settings.database.folder)!r}), {settings.tides_db_database!r})
        with open_database(settings) as database, logged_run(database, "pull"):
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert runs(database) == [("pull", None, None)]


def test_the_numbers_of_a_run_are_kept_also_if_it_fails(database: Database) -> None:
    numbers = {"messages": 0}
    with logged_run(database, "bridge", counts=lambda: numbers):
        numbers["messages"] = 5
    with pytest.raises(BrokerUnavailable), logged_run(database, "bridge", counts=lambda: numbers):
        raise BrokerUnavailable("Kafka broker x", "does not answer")
    with logged_run(database, "backup"):
        pass
    rows = rows_of(database, "SELECT kind, counts, problem IS NULL AS good FROM run_log ORDER BY run_id")
    assert [tuple(row.values()) for row in rows] == [
        ("bridge", {"messages": 5}, True),
        ("bridge", {"messages": 5}, False),
        ("backup", None, True),
    ]


def past(database: Database, kind: str, seconds: float, broker: str = "NULL", problem: str = "NULL") -> None:
    rows_of(
        database,
        f"""INSERT INTO run_log (kind, broker, started_at, ended_at, problem)
        VALUES ('{kind}', {broker}, now() - interval '1 hour',
        now() - interval '1 hour' + interval '{seconds} seconds', {problem}) RETURNING run_id""",
    )


def test_a_run_is_compared_with_the_last_good_ones_of_its_kind_and_broker(database: Database) -> None:
    for seconds in (500.0, *range(60, 70)):
        past(database, "pull", seconds, "'fink'")
    past(database, "pull", 1.0, "'lasair'")
    past(database, "pull", 2.0, "'fink'", "'away'")
    past(database, "exchange", 3.0)
    with logged_run(database, "pull", "fink") as run_id:
        seconds, words = run_duration(database, run_id)
    assert 0 <= seconds < 60
    assert words == "seconds that this pull took; the last 10 took 60 to 69 s, median 64 s"
    with logged_run(database, "bridge") as run_id:
        assert (
            run_duration(database, run_id)[1] == "seconds that this run of the bridge took; it is the first of its kind"
        )


def test_few_runs_are_compared_in_other_words() -> None:
    assert compared_with_earlier([]) == "it is the first of its kind"
    assert compared_with_earlier([9.94]) == "the last one took 9.9 s"
    assert compared_with_earlier([1.0, 100.4]) == "the last 2 took 1.0 to 100 s, median 51 s"


def test_only_what_is_new_since_a_run_began_is_listed(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("old", g=19.0))
    refuse(database, 1)
    with logged_run(database, "bridge") as run_id:
        assert list_new_targets(database, run_id, 5) == list_newly_refused(database, run_id, 5) == []
        store(database, at(settings), staged("new", g=19.0), staged("newer", g=19.0), staged("old", g=18.0))
        refuse(database, 2, 3)
        targets, messages = list_new_targets(database, run_id, 1), list_newly_refused(database, run_id, 1)
    assert [(row["object_id"], row["total"], row["mag"], row["measured"]) for row in targets] == [
        ("new", 2, None, None)
    ]
    assert [(row["stream_offset"], row["total"], row["reason"]) for row in messages] == [(2, 2, "no JSON")]


def refuse(database: Database, *offsets: int) -> None:
    for offset in offsets:
        rows_of(
            database,
            f"""INSERT INTO refused_message (topic, partition_number, stream_offset, body, reason, broker)
            VALUES ('alerts', 0, {offset}, 'x', 'no JSON', 'fink') RETURNING 1""",
        )
