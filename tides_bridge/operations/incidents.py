"""What was told of problems, kept in a file: somebody is called when one begins and when it is over, once each."""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tides_bridge.operations.problems import Problem, Severity
from tides_bridge.operations.spans import span
from tides_bridge.resources import make_own_folder, write_own

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


Incidents = Mapping[str, Incident]
"""Incidents by their key."""


def news_of(known: Incidents, problems: Iterable[Problem], is_unknown: Callable[[str], bool]) -> News:
    """
    Compare what was told with what is.

    Parameters
    ----------
    known
        What somebody was told before.
    problems
        What was found now.
    is_unknown
        Tells of a key whether this look could not see it: then its incident is not over.

    Returns
    -------
    News
        Each problem once when it begins and once when it becomes critical; each incident once when it is over.
    """
    found = {problem.key: problem for problem in problems}
    over = tuple(incident for key, incident in known.items() if key not in found and not is_unknown(key))
    # A server that comes back knows no heartbeat of the time it was away: for one look it calls every worker silent.
    is_back = any(incident.key == "prefect" for incident in over)
    begun = tuple(
        problem
        for key, problem in found.items()
        if (key not in known or (known[key].severity, problem.severity) == ("warning", "critical"))
        and not (is_back and problem.kind in AFTER_PREFECT)
    )
    return News(begun, over)


def after(known: Incidents, news: News, now: datetime) -> dict[str, Incident]:
    """Give what was told once the news are."""
    over = {incident.key for incident in news.over}
    kept = {key: incident for key, incident in known.items() if key not in over}
    seen = now.isoformat(timespec="seconds")
    return kept | {problem.key: Incident(problem.key, problem.what, problem.severity, seen) for problem in news.begun}


def message(news: News, where: str, now: datetime) -> tuple[str, str]:
    """
    Word all news in one message.

    Returns
    -------
    (str, str)
        Its subject, such as "TiDES bridge: worker silent for 5 min, and 1 more", and its text.
    """
    firsts = [problem.what for problem in news.begun] or [f"over: {incident.what}" for incident in news.over]
    more = len(news.begun) + len(news.over) - 1
    subject = f"TiDES bridge: {firsts[0]}" + (f", and {more} more" if more else "")
    parts = []
    for problem in news.begun:
        since = f"\nsince: {problem.since:%Y-%m-%d %H:%M} UTC" if problem.since else ""
        section = f'deployments/README.md, "{problem.kind}"'
        parts.append(f"{problem.severity.upper()}: {problem.what}{since}\nwhat to do: {problem.remedy} ({section})")
    for incident in news.over:
        lasted = now - datetime.fromisoformat(incident.seen_at)
        parts.append(f"OVER: {incident.what}\ntold: {span(lasted)} ago, at {incident.seen_at}")
    return subject, "\n\n".join([*parts, where])


# The file


def read_incidents(file: Path) -> dict[str, Incident]:
    """Give what was told; nothing if the file is not there or damaged: then it is told again."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = [Incident(**row) for row in json.loads(file.read_text())]
        if all(datetime.fromisoformat(incident.seen_at).tzinfo for incident in found):
            return {incident.key: incident for incident in found}
    return {}


def write_incidents(file: Path, known: Incidents) -> None:
    """
    Keep what was told: whoever is killed on the way leaves the former file.

    Raises
    ------
    OSError
        If it cannot be written; the caller has told it already, and says so.
    """
    make_own_folder(file.parent)
    # It may name hosts, accounts and objects, and a power cut that emptied it would have all told again.
    write_own(file, json.dumps([asdict(incident) for incident in known.values()], indent=1))
