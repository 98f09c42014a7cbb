"""The report on top of the run page: numbers beside those of the last runs, and which targets, in Markdown."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact

from tasks.behaviour import STEP
from tasks.summary import MEANING, Summary, headline_of
from tides_bridge.database import Database
from tides_bridge.database import run_log as runs
from tides_bridge.portal.links import light_curve_page
from tides_bridge.settings import Settings, page_address, target_page

COMPARED = 3
"""Runs before, whose numbers stand beside."""

PICTURES = 6
"""New targets whose light curves are shown."""

NAMED = 40
"""Targets of a group that are named; the portal has all."""

Row = Mapping[str, Any]


@task(**STEP, task_run_name="publish_report")
def publish_report(database: Database, settings: Settings, run_id: int, summary: Summary) -> None:
    """Show what a run did on top of its page: in numbers, and which targets it was."""
    sent = [*summary.sent["new"], *summary.sent["switched off"]]
    states = {row["name"]: row for row in runs.list_states_of(database, sent)}
    parts = [
        _numbers(summary.counts(), runs.list_counts(database, run_id, COMPARED)),
        _new([states[name] for name in summary.sent["new"] if name in states], settings),
        *_groups("Changed at 4MOST", {"": list(summary.sent["changed"])}, settings),
        *_groups("Switched off at 4MOST", _by_reason(summary.sent["switched off"], states), settings),
        *_groups("Could not be sent", _grouped(summary.failures.items()), settings),
        f"[All targets, nights and runs in the portal]({page_address(settings)}/)",
    ]
    text = "\n\n".join(part for part in parts if part)
    create_markdown_artifact(text, key="tides-bridge-report", description=headline_of(summary))


def _numbers(counts: Mapping[str, int], before: Sequence[Row]) -> str:
    """Put the numbers that any of the runs has beside each other."""
    heads = ["this run", *(_time(row["started_at"]) for row in before)]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for name, number in counts.items():
        others = [row["counts"].get(name) for row in before]
        if number or any(others):
            cells = [f"**{number:,}**", *("" if other is None else f"{other:,}" for other in others)]
            lines.append(f"| {WORDS.get(name) or MEANING[name]} | {' | '.join(cells)} |")
    return "\n".join(lines) if len(lines) > 2 else "Nothing was to be done."


WORDS = {"refused": "messages that cannot be read, and targets that the 4MOST format forbids"}
"""What is counted as one for programs."""


def _new(rows: Sequence[Row], settings: Settings) -> str:
    """Show the first of the new targets, and name the others."""
    if not rows:
        return ""
    seen = [row for row in rows if row["survey"] != "host"]  # a galaxy has no light curve
    pictures = [
        f"[![{row['name']}]({light_curve_page(settings, row['survey'], row['object_id'])}.png)]"
        f"({target_page(settings, row['name'])})"
        for row in seen[:PICTURES]
    ]
    (names,) = _groups("New at 4MOST", {"": [row["name"] for row in rows]}, settings)
    return f"{names}\n\n{' '.join(pictures)}"


def _groups(title: str, names: Mapping[str, Sequence[str]], settings: Settings) -> list[str]:
    """Name the targets of each reason, under a title with their number."""
    number = sum(map(len, names.values()))
    if not number:
        return []
    lines = [f"### {title}: {number:,}"]
    for reason, group in sorted(names.items(), key=lambda item: (-len(item[1]), item[0])):
        links = ", ".join(f"[{name}]({target_page(settings, name)})" for name in group[:NAMED])
        more = f" and {len(group) - NAMED:,} more" if len(group) > NAMED else ""
        lines.append(f"- {_plain(reason)} ({len(group):,}): {links}{more}" if reason else f"{links}{more}")
    return ["\n".join([lines[0], "", *lines[1:]])]


def _by_reason(names: Iterable[str], states: Mapping[str, Row]) -> dict[str, list[str]]:
    return _grouped((name, states[name]["state"] if name in states else "unknown") for name in names)


def _grouped(reasons: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, reason in reasons:
        groups[reason].append(name)
    return groups


def _plain(text: str) -> str:
    """Write words of others so that Markdown shows them, whatever they hold."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|~!" else letter for letter in " ".join(text.split()))


def _time(time: datetime) -> str:
    return f"{time:%d %b %H:%M}"
