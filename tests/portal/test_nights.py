"""Nights and runs: numbers of each night, what became of targets, and how all does."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.databases import rows_of
from tests.support.exchanges import add
from tests.support.visitor import Visitor
from tides_bridge.database import Database
from tides_bridge.operations.problems import Facts, PrefectFacts, Problem
from tides_bridge.portal.pages import nights
from tides_bridge.settings import Settings


def add_run(
    database: Database, kind: str, began: str, *, minutes: int | None = 1, problem: str | None = None, **counts: int
) -> int:
    """Put a run into the log."""
    ended = f"'{began}'::timestamptz + interval '{minutes} minutes'" if minutes is not None else "NULL"
    insert = f"INSERT INTO run_log (kind, started_at, ended_at, problem, counts) VALUES (%s, %s, {ended}, %s, %s)"
    with database.transaction() as connection:
        done = connection.exec_driver_sql(f"{insert} RETURNING run_id", (kind, began, problem, json.dumps(counts)))
        return int(done.scalar_one())


def tell(
    database: Database, name: str, at: str, operation: str, *, status: str = "confirmed", answer: str | None = None
) -> None:
    """Put an answer of 4MOST into its log."""
    insert = "INSERT INTO exchange_log (tides_id, logged_at, operation, status, answer) SELECT tides_id, %s, %s, %s, %s"
    with database.transaction() as connection:
        connection.exec_driver_sql(f"{insert} FROM tides_master WHERE name = %s", (at, operation, status, answer, name))


@pytest.fixture
def visitor(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """The portal of a bridge with runs in two nights; the watchdog has found one problem, and could not ask Prefect."""
    add(database, "one", "two", ra=10.0)
    rows_of(database, "UPDATE tides_master SET created_at = '2026-11-10T03:00Z' WHERE name = 'one' RETURNING 1")
    rows_of(database, "UPDATE tides_master SET created_at = '2026-11-11T13:00Z' WHERE name = 'two' RETURNING 1")
    add_run(database, "bridge", "2026-11-10T03:00Z", minutes=30, messages=1000, evaluated=20, inserted=1)
    add_run(database, "exchange", "2026-11-10T03:01Z")
    add_run(database, "bridge", "2026-11-10T11:59Z", problem="Kafka is away", messages=5)
    add_run(database, "bridge", "2026-11-11T13:00Z", messages=7, inserted=1)
    tell(database, "one", "2026-11-10T03:10Z", "create")
    tell(database, "one", "2026-11-11T13:10Z", "deactivate")
    tell(database, "two", "2026-11-11T13:10Z", "create", status="refused", answer="its mag is too faint")
    problem = Problem("disk", "/", "1 % of / is free", datetime(2026, 11, 11, tzinfo=UTC))
    facts = Facts(PrefectFacts("http://127.0.0.1:4200/api", "is away"), status={})
    monkeypatch.setattr(nights, "gather", lambda _: facts)
    monkeypatch.setattr(nights, "find_problems", lambda *_: [problem])
    monkeypatch.setattr(nights, "is_unknown", lambda kind, _: kind == "worker")
    return Visitor(settings)


def cells(text: str, start: str) -> list[str]:
    """Give the numbers of the row of a table that begins with a link to somewhere."""
    row = text.partition(f'href="./{start}"')[2].partition("</tr>")[0]
    return [cell.partition("</td>")[0].strip() for cell in row.split('<td class="number">')[1:]]


def test_each_night_has_its_numbers_from_noon_to_noon(visitor: Visitor) -> None:
    text = visitor.get("nights", before="2026-11-12").text
    assert cells(text, "nights/2026-11-09")[:3] == ['2 <span class="bad">1 failed</span>', "1,005", "20"]
    assert cells(text, "nights/2026-11-11")[:2] == ["1", "7"]
    assert "nights/2026-11-10" not in text
    assert "nights/2026-11-11" not in visitor.get("nights", before="2026-11-11").text
    empty = visitor.get("nights", before="2020-01-01").text
    assert "No run began" in empty and "before 2019-12-02" in empty


def test_how_all_does_is_told_with_remedies(visitor: Visitor) -> None:
    text = visitor.get("nights").text
    assert "✗ disk" in text and "1 % of / is free" in text and "make room" in text
    assert "?</span> worker" in text and "✓</span> backlog" in text


def test_a_night_tells_what_became_of_targets(visitor: Visitor) -> None:
    first, second = (visitor.get(f"nights/2026-11-{day}").text for day in ("09", "11"))
    assert "New targets: 1" in first and "Sent to 4MOST for the first time: 1" in first and "Refused" not in first
    assert "Kafka is away" in first and "</a> exchange" not in first
    assert "Switched off at 4MOST: 1" in second and "its mag is too faint" in second
    assert second.count('href="../targets/two"') == 2 and second.count('href="../targets/one"') == 1
    assert "Nothing happened to a target" in visitor.get("nights/2026-11-10").text


def test_a_run_has_its_parts_and_what_it_did(visitor: Visitor, database: Database) -> None:
    (run, part, *_) = rows_of(database, "SELECT run_id FROM run_log ORDER BY run_id")
    text = visitor.get(f"runs/{run['run_id']}").text
    assert f'href="../runs/{part["run_id"]}"' in text and "1,000" in text
    assert 'href="../targets/one"' in text and 'href="../targets/two"' not in text
    late = add_run(database, "bridge", "2026-11-12T13:00Z", minutes=None)
    assert "at work, or killed" in visitor.get(f"runs/{late}").text


@pytest.mark.parametrize("path", ["nights/yesterday", "nights?before=0001-01-01", "runs/0", "runs/99", f"runs/{2**70}"])
def test_what_is_not_there_is_told(settings: Settings, database: Database, path: str) -> None:
    answer: Any = Visitor(settings).get(path)
    assert answer.status_code == 404 and "Not found" in answer.text


def test_what_is_no_number_is_told_on_a_page(settings: Settings, database: Database) -> None:
    answer = Visitor(settings).get("runs/last")
    assert answer.status_code == 422 and "run_id: Input should be a valid integer" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
