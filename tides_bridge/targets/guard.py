"""
The guard: what a run would do to too many targets at once is left undone, told, and waits for a person's word.

Whoever takes away by absence needs a limit: a wrong setting, a wrong clock or a broken stream looks like the end of all
targets. `held_change` has a row for each kind that is held; it goes once so much would change no more.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.settings import Settings

Kind = Literal["deactivation", "activation", "position", "magnitude", "record", "rows"]

WORDS: dict[str, str] = {
    "deactivation": "targets would be switched off",
    "activation": "targets that a limit had switched off would be switched on",
    "position": "targets would be moved at 4MOST by more than targets.guard.move",
    "magnitude": "targets would get other magnitudes at 4MOST, by more than targets.guard.magnitude",
    "record": "months of decisions would be dropped",
    "rows": "rows at 4MOST would be switched off or deleted by tides fourmost-rows",
}
"""What each kind would do."""

MOST_MONTHS = 1
"""Months of decisions that a run drops by itself: they end one by one."""


@dataclass(frozen=True)
class Held:
    """
    What is held back.

    Attributes
    ----------
    kind
        What would change.
    held, of_targets
        How many, and of how many: targets, or months of decisions.
    example
        The first of them, in words.
    since
        When it was held first.
    released
        So many may change, a person said; None if nobody did.
    """

    kind: Kind
    held: int
    of_targets: int
    example: str
    since: datetime
    released: int | None

    def __str__(self) -> str:
        """Say what would change, such as "34 of 60 targets would be switched off (TiDES26aab: unseen)"."""
        return f"{self.held} of {self.of_targets} {WORDS[self.kind]} ({self.example})"


class Change(NamedTuple):
    """What a run would do: to how many, of how many, and to the first of them, in words."""

    held: int
    of_targets: int
    example: str


def holds_back(connection: Connection, settings: Settings, kind: Kind, change: Change) -> bool:
    """
    Note what a run would do, and tell whether it must not.

    Parameters
    ----------
    connection
        Of the transaction that would do it.
    settings
        With the limits, ``targets.guard``.
    kind, change
        What would change.

    Returns
    -------
    bool
        False also if a person has released so many, or hardly fewer.
    """
    most = MOST_MONTHS if kind == "record" else settings.targets.guard.most(change.of_targets)
    rows = run(connection, "targets/hold_change.sql", {"kind": kind, "most": most} | change._asdict())
    return bool(rows and rows[0]["is_held"])


def list_held(connection: Connection) -> list[Held]:
    """
    List what waits for a person's word.

    Parameters
    ----------
    connection
        To the database.
    """
    return [Held(**row) for row in run(connection, "targets/list_held.sql")]


def release_held(database: Database, *, is_dry: bool) -> list[Held]:
    """
    Let the next run do what is held.

    Parameters
    ----------
    database
        With what is held.
    is_dry
        Only list it.

    Returns
    -------
    list of Held
        As it was before; of what was released already nothing.
    """
    with database.transaction() as connection:
        found = [held for held in list_held(connection) if held.released is None or held.released < held.held]
        if not is_dry:
            rows: list[dict[str, Any]] = [{"kind": held.kind, "released": held.held} for held in found]
            run(connection, "targets/release_held.sql", rows)
    return found
