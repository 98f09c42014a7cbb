"""Nights and runs: what each did, and how all does that the watchdog looks at."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tides_bridge.database import Database, run
from tides_bridge.operations.health import gather
from tides_bridge.operations.problems import REMEDIES, Facts, Problem, find_problems, is_unknown
from tides_bridge.operations.remembered import Remembered
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.settings import Settings

NIGHTS: Final = 30
"""On a page."""

MOST: Final = 100
"""Targets that are listed of a kind; the others are counted."""

PARTS: Final = frozenset({"pull", "exchange"})
"""Of whole runs, or so many a night that only those that failed are shown."""

PATIENCE: Final = 4.0
"""[s] For the watchdog's look, which other services may keep waiting."""

KINDS_OF_CHANGE: Final = {
    "new": "New targets",
    "sent": "Sent to 4MOST for the first time",
    "changed": "Changed at 4MOST, or on again",
    "off": "Switched off at 4MOST",
    "refused": "Refused by 4MOST",
}
"""What happens to targets, in the order in which it is shown."""

NOON: Final = time(12, tzinfo=UTC)
"""A night is from noon to noon: that of Rubin and of Chile has one date (SITCOMTN-032)."""


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/nights``, ``/nights/DATE`` and ``/runs/ID``."""
    router = APIRouter()
    watched = Remembered(lambda: look(portal.settings))

    @router.api_route("/nights", methods=ASKING)
    def nights(request: Request, before: str = "") -> Response:
        """Show how all does, and each night's numbers."""
        end = _date_of(before) if before else (datetime.now(UTC) - timedelta(hours=12)).date() + timedelta(days=1)
        if end is None:
            return portal.nothing(request, f"{before} is no date: write it as 2026-11-30.")
        begin = end - timedelta(days=NIGHTS)
        watched.ask_anew()
        with portal.database.opened() as database, database.transaction() as connection:
            rows = run(connection, "portal/list_nights.sql", {"begin": noon(begin), "finish": noon(end)})
        return portal.show(
            request, "nights.html", nights=rows, begin=begin, end=end, before=before, states=watched.get(PATIENCE)
        )

    @router.api_route("/nights/{night}", methods=ASKING)
    def one_night(request: Request, night: str) -> Response:
        """Show the runs of a night, and what became of targets."""
        day = _date_of(night)
        if day is None:
            return portal.nothing(request, f"{night} is no date: write it as 2026-11-30.")
        begin, finish = noon(day), noon(day + timedelta(days=1))
        with portal.database.opened() as database:
            runs = [row for row in _runs(database, begin, finish) if row["kind"] not in PARTS or row["problem"]]
            changes = _changes(database, begin, finish)
        around: dict[str, Any] = {"earlier": day - timedelta(days=1), "later": day + timedelta(days=1)}
        title = f"Night of {day:%Y-%m-%d}"
        return portal.show(request, "night.html", title=title, runs=runs, changes=changes, only=None, **around, **WORDS)

    @router.api_route("/runs/{run_id}", methods=ASKING)
    def one_run(request: Request, run_id: int) -> Response:
        """Show a run with its parts, and what it did to targets."""
        with portal.database.opened() as database:
            found = _runs(database, None, None, run_id) if 0 < run_id < 2**63 else []
            if not found:
                return portal.nothing(request, f"There is no run {run_id}: the page of nights lists them.")
            (chosen,) = found
            finish = chosen["ended_at"] or datetime.now(UTC)
            parts = [row for row in _runs(database, chosen["started_at"], finish) if row["run_id"] != run_id]
            changes = _changes(database, chosen["started_at"], finish)
        around: dict[str, Any] = {"earlier": None, "later": None}
        title = f"Run {run_id}: {chosen['kind']} {chosen['broker'] or ''}".strip()
        return portal.show(
            request, "night.html", title=title, runs=parts, changes=changes, only=chosen, **around, **WORDS
        )

    return router


WORDS: Final[dict[str, Any]] = {"kinds": KINDS_OF_CHANGE, "most": MOST}
"""What the template needs of this module."""


def noon(day: date) -> datetime:
    """
    Give the noon that begins the night of a date.

    >>> noon(date(2026, 11, 30)).isoformat()
    '2026-11-30T12:00:00+00:00'
    """
    return datetime.combine(day, NOON)


def _date_of(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1900 < day.year < 9000 else None


def _runs(
    database: Database, begin: datetime | None, finish: datetime | None, run_id: int | None = None
) -> list[dict[str, Any]]:
    about = {"begin": begin, "finish": finish, "run_id": run_id}
    with database.transaction() as connection:
        return run(connection, "portal/list_runs_between.sql", about)


def _changes(database: Database, begin: datetime, finish: datetime) -> dict[str, list[dict[str, Any]]]:
    """List what happened to targets, by kind."""
    about = {"begin": begin, "finish": finish, "number": MOST}
    with database.transaction() as connection:
        rows = run(connection, "portal/list_happened.sql", about)
    return {kind: found for kind in KINDS_OF_CHANGE if (found := [row for row in rows if row["what"] == kind])}


# What the watchdog looks at


def look(settings: Settings) -> list[tuple[str, str, Sequence[Problem]]]:
    """
    Look at all that the watchdog looks at: each kind with its state, ``well``, ``wrong`` or ``unknown``, and problems.

    Parameters
    ----------
    settings
        Of the bridge.

    Returns
    -------
    list of tuple
        What is wrong first, then what could not be seen.
    """
    facts = gather(settings)
    problems = find_problems(facts, settings, datetime.now(UTC))
    rows = [(kind, *_state(kind, facts, problems)) for kind in REMEDIES]
    order = {"wrong": 0, "unknown": 1, "well": 2}
    return sorted(rows, key=lambda row: order[row[1]])


def _state(kind: str, facts: Facts, problems: Sequence[Problem]) -> tuple[str, Sequence[Problem]]:
    mine = [problem for problem in problems if problem.kind == kind]
    if mine:
        return "wrong", mine
    return ("unknown" if is_unknown(kind, facts) else "well"), ()
