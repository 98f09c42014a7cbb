"""A database that comes back, and questions that are asked beside."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import make_settings, rows_of
from tests.support.folders import reachable_folder
from tides_bridge.database import Database, apply_schema, open_database
from tides_bridge.database.embedded import EmbeddedServer
from tides_bridge.errors import DatabaseUnavailable, ScriptError
from tides_bridge.operations import remembered
from tides_bridge.operations.remembered import KeptDatabase, Remembered
from tides_bridge.settings import Settings


@pytest.fixture
def own_settings() -> Iterator[Settings]:
    """Settings of an embedded server that may be killed."""
    with reachable_folder() as folder:
        settings = make_settings(folder / "postgresql", "tides")
        yield settings


def ask(kept: KeptDatabase) -> Database:
    with kept.opened() as database:
        assert rows_of(database, "SELECT 1 AS one") == [{"one": 1}]
        return database


def test_a_database_is_opened_anew_until_it_is_right_and_after_it_was_killed(own_settings: Settings) -> None:
    kept, server = KeptDatabase(own_settings), EmbeddedServer(own_settings.database.folder or Path())
    with open_database(own_settings) as database:
        for _ in range(2):
            with pytest.raises(ScriptError, match="tides"), kept.opened():
                pass
        apply_schema(database)
        assert ask(kept) is ask(kept)
    pid = server.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(DatabaseUnavailable):
        while True:  # it may take a moment to die
            ask(kept)
    ask(kept)
    assert server.pid() not in (pid, None)
    kept.close()
    assert server.pid() is None


def test_threads_share_it(settings: Settings) -> None:
    kept, found = KeptDatabase(settings), set[int]()
    threads = [threading.Thread(target=lambda: found.add(id(ask(kept)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    kept.close()


# Questions


def test_a_fresh_answer_is_not_asked_for_again() -> None:
    answers = iter(range(5))
    question = Remembered(lambda: next(answers), fresh_for=1000)
    assert question.get(0) is None
    for _ in range(3):
        question.ask_anew()
        assert question.get(10) == 0


def test_an_old_answer_is() -> None:
    answers = iter(range(5))
    question = Remembered(lambda: next(answers), fresh_for=0)
    for expected in range(3):
        question.ask_anew()
        assert question.get(10) == expected


def test_nobody_waits_for_a_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, asked = threading.Event(), []

    def slow() -> int:
        asked.append(1)
        assert len(asked) == 1 or go_on.wait(120)
        return len(asked)

    question = Remembered(slow, fresh_for=0)
    question.ask_anew()
    assert question.get(10) == 1
    question.ask_anew()
    question.ask_anew()  # it is being asked already
    assert question.get(0) == 1
    monkeypatch.setattr(remembered, "OLD_SECONDS", 0)  # what has not answered for long says nothing
    assert question.get(0) is None
    monkeypatch.undo()
    go_on.set()
    assert question.get(10) == 2


def test_one_that_fails_has_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    question = Remembered(lambda: 1 // 0, fresh_for=0)
    question.ask_anew()
    assert question.get(10) is None
    assert "ZeroDivisionError" in caplog.text
