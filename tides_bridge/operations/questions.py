"""What waits for a person's word, in one list: each question with the command that answers it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.fourmost.names import MEMORY_DAYS
from tides_bridge.fourmost.payloads import MOST_ASKED
from tides_bridge.settings import Settings
from tides_bridge.targets.life import steady_rules

ANSWERS: Mapping[str, str] = {
    "edit": "tides release {about} --reason ... (send it as we know it), or tides veto {about} --reason ...",
    "association": "tides merge {one} {other} --reason ..., or tides associations --keep-apart {key} --reason ...",
    "position": "tides veto {about} --reason ..., or tides comment {about} --reason ... (it is well)",
    "tns": "tides veto {about} --reason ..., or tides comment {about} --reason ... (it is well)",
    "steady": "tides veto {about} --reason ..., or tides force (it is one), or tides comment {about} --reason ...",
    "refusal": "tides refused retry, or tides veto {about} --reason ...",
    "otherwise": "tides reconcile, or tides hold {about} --reason ...",
    "guard": "tides release-guard",
    "spectrum": "tides match-spectrum {key} --not-ours --reason ..., or of one: its number --target NAME --reason ...",
    "delivery": "look at {key}: it is tried again by the next tides spectra",
    "tom": "tides veto {about} --reason ..., or tides comment (leave it deleted), or tides tom sync --ours {about}",
    "namesake": "tides adopt --dry-run (what lies at our targets), tides adopt; or a targets.namePrefix of our own",
}
"""What answers each kind."""

SCATTER: Final = 2.0
"""[arcsec] Detections of one source lie nearer to each other: ZTF's own radius is 1.5."""


@dataclass(frozen=True)
class OpenQuestion:
    """
    Something that waits for a person.

    Attributes
    ----------
    kind
        One of `ANSWERS`.
    about
        A target, two, the first of several, or a file.
    question
        In words.
    number
        Targets, or spectra, that it is about.
    since
        When it was asked; None if that is not kept.
    answer
        The command that answers it.
    """

    kind: str
    about: str
    question: str
    number: int
    since: datetime | None
    answer: str


def list_questions(database: Database, settings: Settings, kind: str | None = None) -> list[OpenQuestion]:
    """
    List what waits for a person, the oldest first.

    Parameters
    ----------
    database, settings
        To ask, and the clock.
    kind
        Only these; None: all.
    """
    # Pyarrow comes with it, which who only counts need not have.
    from tides_bridge.formats.meaning.tns_types import TNS_TYPES

    about = _about(settings) | {"known_types": list(TNS_TYPES)}
    with database.transaction() as connection:
        rows = run(connection, "operations/list_questions.sql", about)
    return [
        OpenQuestion(**{key: row[key] for key in row if key != "key"}, answer=_answer(row))
        for row in rows
        if kind in (None, row["kind"])
    ]


def count_questions(connection: Connection, settings: Settings) -> dict[str, int]:
    """
    Count what waits for a person, by kind; of refusals and guards the targets, and the kinds of change.

    Parameters
    ----------
    connection, settings
        To ask, and the clock.
    """
    return run(connection, "operations/count_questions.sql", _about(settings))[0]


def _about(settings: Settings) -> dict[str, Any]:
    known = {"times": MOST_ASKED, "at": settings.time(), "scatter": SCATTER, "days": MEMORY_DAYS}
    return known | steady_rules(settings.targets)


def _answer(row: Mapping[str, Any]) -> str:
    one, _, other = row["about"].partition(" and ")
    return ANSWERS[row["kind"]].format(about=row["about"], one=one, other=other, key=row["key"])
