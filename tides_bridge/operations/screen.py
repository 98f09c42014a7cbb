"""What `tides status` shows on one screen."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tides_bridge.operations.problems import Deployment, Facts, PrefectFacts, Problem
from tides_bridge.operations.spans import span

MOST_PROBLEMS, MOST_ROWS = 8, 6
"""Of a section, so that all fits on one screen."""

COLOURS = {"critical": "bold red", "warning": "yellow"}
STATES = {"Completed": "green", "Skipped": "green", "Failed": "red", "Crashed": "red", "Cancelled": "yellow"}

Row = tuple[str | Text, ...]


def screen(name: str, facts: Facts, problems: list[Problem], now: datetime) -> RenderableType:
    """
    Draw it: what is wrong first, then what the database and the Prefect server tell.

    Parameters
    ----------
    name
        Of the configuration.
    facts
        With the whole status, as `tides_bridge.operations.health.gather` gives it with ``whole``.
    problems
        The worst first.
    now
        The time [with zone].
    """
    head = Text(f"TiDES bridge, {name}, {now:%Y-%m-%d %H:%M:%S} UTC: ")
    if problems:
        number = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        head.append(number, style=COLOURS[problems[0].severity])
    else:
        head.append("all well", style="bold green")
    parts: list[RenderableType] = [head]
    parts += [
        Text(f"  {problem.what}", style=COLOURS[problem.severity]).append(f"; {problem.remedy}", style="dim")
        for problem in problems[:MOST_PROBLEMS]
    ]
    if facts.status and facts.status["problem"]:
        parts.append(Text(f"  {facts.status['problem']}", "yellow", no_wrap=True, overflow="ellipsis"))
    sections = [*_of_database(facts, now), ("Prefect", _prefect(facts.prefect, now))]
    parts += [
        part for title, rows in sections for part in (Text(title, style="bold"), Padding(_table(rows), (0, 0, 0, 2)))
    ]
    return Group(*parts)


def _table(rows: Iterable[Row]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=24)
    for row in rows:
        table.add_row(
            *[Text(cell, overflow="ellipsis", no_wrap=True) if isinstance(cell, str) else cell for cell in row]
        )
    return table


# The database


def _of_database(facts: Facts, now: datetime) -> list[tuple[str, list[Row]]]:
    if facts.status is None:
        why_not = facts.database or "it has no tables yet: tides run makes them; on a server, tides schema"
        if facts.pending:
            why_not = f"{', '.join(facts.pending)} must be applied first: tides upgrade"
        return [("Database", [(why_not,)])]
    status = facts.status
    backlog = ", ".join(f"{number} {name}" for name, number in status["backlog"].items())
    if status["backlog_since"]:
        backlog += f"; for {span(now - status['backlog_since'])}"
    words = [
        f"{number} {name.replace('_', ' ').replace('4most', '4MOST')}" for name, number in status["states"].items()
    ]
    return [
        ("Runs", list(_runs(status, now))),
        ("Stream", list(_stream(status, now))),
        ("Objects and targets", [(", ".join(words[start : start + 5]),) for start in range(0, len(words), 5)]),
        ("Spectra", [(_spectra(status),)]),
        ("Still to tell 4MOST", [(backlog,)]),
        ("Deferred objects", _deferred(status, now)),
        ("Waiting for a person", [(_questions(status),)]),
        ("Subscriptions", [(_subscriptions(status),)]),
    ]


def _runs(status: dict[str, Any], now: datetime) -> Iterator[Row]:
    for row in status["runs"]:
        yield (
            f"{row['kind']} {row['broker'] or ''}".strip(),
            f"good {ago(row['last_good'], now)}",
            _latest(row, now),
        )
    if not status["runs"]:
        yield "none", "no run yet: tides run"


def _latest(row: dict[str, Any], now: datetime) -> Text:
    """Say how the newest run ended."""
    if row["ended_at"] is None:
        return Text(f"began {ago(row['started_at'], now)} and has no end: it is at work, or was killed")
    if row["problem"]:
        return Text(f"failed: {' '.join(row['problem'].split())}", "red", no_wrap=True, overflow="ellipsis")
    return Text(f"the newest went well, in {span(row['ended_at'] - row['started_at'])}", "green")


def _stream(status: dict[str, Any], now: datetime) -> Iterator[Row]:
    """Show each topic that a broker of the settings has, its partitions together."""
    ours = [row for row in status["positions"] if row["broker"]]
    topics = groupby(ours, key=lambda row: (row["broker"], row["topic"]))
    for (broker, topic), rows in [(key, list(rows)) for key, rows in topics][:MOST_ROWS]:
        lags = [row["lag"] for row in rows]
        lag = "lag unknown" if None in lags else f"lag {sum(lags)}"
        newest = max((row["last_message_at"] for row in rows if row["last_message_at"]), default=None)
        yield f"{broker}, {topic}", lag, f"newest {ago(newest, now)}"
    yield "still to be read", "unknown" if status["lag"] is None else f"{status['lag']} messages"
    for row in status["calls"]:
        if row["made"]:
            yield f"light curves, {row['broker']}", f"{row['made']} of {row['limit']} calls this hour"


def _deferred(status: dict[str, Any], now: datetime) -> list[Row]:
    rows: list[Row] = [
        (
            str(row["objects"]),
            "given up" if row["given_up"] else f"next {ago(row['next_attempt_at'], now)}",
            row["reason"],
        )
        for row in status["deferred"][:MOST_ROWS]
    ]
    return rows or [("none",)]


def _spectra(status: dict[str, Any]) -> str:
    """Count spectra and whose they are."""
    counts = dict(status["spectra"])
    newest = counts.pop("newest_night")
    if newest is None:
        return "none yet: tides spectra"
    words = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items())
    return f"{words}; newest night {newest}"


def _questions(status: dict[str, Any]) -> str:
    """Count what waits for a person."""
    open_ones = [f"{number} {kind}" for kind, number in status["questions"].items() if number]
    return f"{', '.join(open_ones)}: tides questions" if open_ones else "nothing"


def _subscriptions(status: dict[str, Any]) -> str:
    """Count who is told of targets, and what waits."""
    rows = status["subscriptions"]
    failing = [f"{row['name']} cannot be told" for row in rows if row["failing_since"]]
    failing += [f"{row['name']}: {row['unknown']} may not have arrived" for row in rows if row["unknown"]]
    waiting = sum(row["waiting"] for row in rows)
    words = [f"{len(rows)} subscriptions, {waiting} notices wait for their time", *failing]
    return "; ".join(words) if rows else "none: tides subscribe"


# Prefect


def _prefect(prefect: PrefectFacts, now: datetime) -> list[Row]:
    if prefect.problem:
        return [(prefect.address, Text(prefect.problem, "red"))]
    rows: list[Row] = [("work pool", prefect.pool or Text("does not exist: tides deploy", "red"), prefect.address)]
    heard = sorted((worker for worker in prefect.workers if worker.heard_at), key=lambda worker: str(worker.heard_at))
    rows += [
        ("worker", f"heard {ago(worker.heard_at, now)}", f"{worker.status.lower()}, {worker.name}")
        for worker in heard[-1:]
    ]
    scheduled = [deployment for deployment in prefect.deployments if deployment.has_schedule or deployment.last_runs]
    rows += [_deployment(deployment, now) for deployment in scheduled]
    for what, runs in (("at work", prefect.running), ("late", prefect.late)):
        if runs:
            names = ", ".join(f"{run.deployment.removeprefix('TiDES ') or 'a part'} {run.name}" for run in runs)
            rows.append((what, str(len(runs)), names))
    return rows


def _deployment(deployment: Deployment, now: datetime) -> Row:
    """Show when it runs next, and how its last runs ended."""
    due = f"next {ago(deployment.next_run_at, now)}" if deployment.next_run_at else "when asked"
    due = "no schedule" if deployment.has_schedule and not deployment.next_run_at else due
    ended = Text("paused " if deployment.paused else "", no_wrap=True, overflow="ellipsis")
    for number, run in enumerate(deployment.last_runs):
        ended.append(", before " if number == 1 else ", " if number else "").append(
            run.state, STATES.get(run.state, "")
        )
        ended.append("" if number else f" {ago(run.ended_at or run.expected_at, now)}")
    return deployment.name.removeprefix("TiDES "), due, ended


def ago(time: datetime | None, now: datetime) -> str:
    """
    Word a time as people do.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> ago(noon.replace(hour=9), noon), ago(noon.replace(minute=5), noon), ago(None, noon)
    ('3 h 0 min ago', 'in 5 min', 'never')
    """
    if time is None:
        return "never"
    return f"{span(now - time)} ago" if time <= now else f"in {span(time - now)}"
