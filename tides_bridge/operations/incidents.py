"""What was told of problems, kept in a file: somebody is called when one begins and when it is over, once each."""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tides_bridge.operations.problems import Problem, Severity, span

AFTER_PREFECT = frozenset({"worker", "late"})
"""Kinds that are believed at the second look after the Prefect server came back: workers need a moment, too."""


@dataclass(frozen=True)
class Incident:
    """A problem that somebody was told of: its key, what was said, and since when it is known."""

    key: str
    what: str
    severity: Severity
    seen_at: str


@dataclass(frozen=True)
class News:
    """What nobody was told yet: problems that began or got worse, and incidents that are over."""

    begun: tuple[Problem, ...] = ()
    over: tuple[Incident, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.begun or self.over)


Told = Mapping[str, Incident]
"""Incidents by their key."""


def news_of(told: Told, problems: Iterable[Problem], is_unknown: Callable[[str], bool]) -> News:
    """
    Compare what was told with what is.

    Parameters
    ----------
    told
        What was told before.
    problems
        What was found now.
    is_unknown
        Tells of a key whether this look could not see it: then its incident is not over.
    """
    found = {problem.key: problem for problem in problems}
    over = tuple(each for key, each in told.items() if key not in found and not is_unknown(key))
    is_back = any(each.key == "prefect" for each in over)
    begun = tuple(
        problem
        for key, problem in found.items()
        if (key not in told or (told[key].severity, problem.severity) == ("warning", "critical"))
        and not (is_back and problem.kind in AFTER_PREFECT)
    )
    return News(begun, over)


def after(told: Told, news: News, now: datetime) -> dict[str, Incident]:
    """Give what was told once the news are."""
    over = {each.key for each in news.over}
    kept = {key: each for key, each in told.items() if key not in over}
    seen = now.isoformat(timespec="seconds")
    return kept | {each.key: Incident(each.key, each.what, each.severity, seen) for each in news.begun}


def message(news: News, where: str, now: datetime) -> tuple[str, str]:
    """
    Word all news in one message.

    Returns
    -------
    (str, str)
        Its subject, such as "TiDES bridge: worker silent for 5 min, and 1 more", and its text.
    """
    firsts = [problem.what for problem in news.begun] or [f"over: {each.what}" for each in news.over]
    more = len(news.begun) + len(news.over) - 1
    subject = f"TiDES bridge: {firsts[0]}" + (f", and {more} more" if more else "")
    parts = [_told_begun(problem) for problem in news.begun] + [_told_over(each, now) for each in news.over]
    return subject, "\n\n".join([*parts, where])


def _told_begun(problem: Problem) -> str:
    since = f"\nsince: {problem.since:%Y-%m-%d %H:%M} UTC" if problem.since else ""
    section = f'deployments/README.md, "{problem.kind}"'
    return f"{problem.severity.upper()}: {problem.what}{since}\nwhat to do: {problem.remedy} ({section})"


def _told_over(incident: Incident, now: datetime) -> str:
    lasted = now - datetime.fromisoformat(incident.seen_at)
    return f"OVER: {incident.what}\ntold: {span(lasted)} ago, at {incident.seen_at}"


# The file


def read(file: Path) -> dict[str, Incident]:
    """Give what was told; nothing if the file is not there or damaged: then it is told again."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = [Incident(**each) for each in json.loads(file.read_text())]
        if all(datetime.fromisoformat(each.seen_at).tzinfo for each in found):
            return {each.key: each for each in found}
    return {}


def write(file: Path, told: Told) -> None:
    """Keep what was told: whoever is killed on the way leaves the former file. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.new")
    with new.open("w") as opened:
        json.dump([asdict(each) for each in told.values()], opened, indent=1)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
