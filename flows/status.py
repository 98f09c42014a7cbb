"""What `tides status` shows on one screen."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table


def show_status(console: Console, status: dict[str, Any]) -> None:
    """Print the tables of `tides_bridge.monitor.get_status`."""
    for title, rows in (
        ("Runs", _runs(status)),
        ("Stream", _stream(status)),
        ("Objects and targets", _targets(status["states"])),
        ("Still to tell 4MOST", list(status["backlog"].items())),
        ("Deferred objects", _deferred(status)),
    ):
        console.print(title, style="bold")
        table = Table(show_header=False, box=None, pad_edge=False)
        for name, value in rows:
            table.add_row(str(name), str(value))
        console.print(table, markup=False)
        console.print()


def _runs(status: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (f"{row['kind']} {row['broker'] or ''}".strip(), f"last good {_ago(row['last_good'])}; {_latest(row)}")
        for row in status["runs"]
    ]
    return rows or [("none", "no run yet: tides run")]


def _latest(row: dict[str, Any]) -> str:
    """Say how the newest run ended."""
    if row["ended_at"] is None:
        return f"the newest began {_ago(row['started_at'])} and has no end: it is at work, or was killed"
    return f"the newest failed: {row['problem']}" if row["problem"] else "the newest went well"


def _stream(status: dict[str, Any]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        (f"{row['topic']}, group {row['group_id']}, partition {row['partition_number']}", _place(row))
        for row in status["positions"]
    ]
    return [*rows, ("messages still to be read", status["problem"] if status["lag"] is None else status["lag"])]


def _place(row: dict[str, Any]) -> str:
    """Say how far a partition was read, and how much is left."""
    lag = "lag unknown" if row["lag"] is None else f"lag {row['lag']}"
    published = f", the last one published {_ago(row['last_message_at'])}" if row["last_message_at"] else ""
    return f"next {row['next_offset']}, {lag}{published}"


def _targets(states: dict[str, int]) -> list[tuple[str, object]]:
    return [(name.replace("_", " ").replace("4most", "4MOST"), number) for name, number in states.items()]


def _deferred(status: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (
            row["objects"],
            row["reason"] + ("; given up" if row["given_up"] else f"; next {_ago(row['next_attempt_at'])}"),
        )
        for row in status["deferred"]
    ]
    return rows or [("none", "")]


def _ago(time: datetime | None) -> str:
    """Word a time as people do."""
    if time is None:
        return "never"
    minutes = round((datetime.now(UTC) - time).total_seconds() / 60)
    if abs(minutes) < 1:
        return "now"
    span = f"{abs(minutes)} min" if abs(minutes) < 120 else f"{abs(minutes) // 60} h {abs(minutes) % 60} min"
    return f"{span} ago" if minutes > 0 else f"in {span}"
