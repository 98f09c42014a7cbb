"""
Of which targets 4MOST may have to be told something: those that changed, or that time has changed, since last time.

The database notes what changes (schema 017). With other settings, other code, or an earlier clock all are compared.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.fourmost.magnitudes import NIGHT_LASTS, newest_by_band
from tides_bridge.resources import version_of_rooms
from tides_bridge.settings import Settings

Row = Mapping[str, Any]

COMPARING: Final = ("fourmost", "lightcurves")
"""The rooms whose code, beside SQL, works out what 4MOST should know."""


@dataclass(frozen=True)
class DueTargets:
    """
    The targets to compare.

    Attributes
    ----------
    rows
        Of ``fourmost/list_targets.sql``.
    is_whole
        Whether these are all targets, as what is wanted of all may have changed.
    now_mjd
        [d, UTC] When.
    """

    rows: list[dict[str, Any]]
    is_whole: bool
    now_mjd: float


def keep_changes(database: Database) -> None:
    """
    Keep what changed once a target: it waits so for an exchange that looks at it, however many come to nothing.

    Parameters
    ----------
    database
        Of a run, whether it tells 4MOST anything or not.
    """
    with database.transaction() as connection:
        run(connection, "fourmost/take_changes.sql")


def find_due(connection: Connection, settings: Settings) -> DueTargets:
    """
    Find what must be compared with what 4MOST was told; nothing is changed.

    Parameters
    ----------
    connection
        Of a transaction; that of an exchange has taken the changes before (``fourmost/take_changes.sql``).
    settings
        How targets are described, and the clock.
    """
    now_mjd, before = settings.now_mjd(), run(connection, "fourmost/last_comparison.sql")
    is_whole = not before or before[0]["conditions"] != conditions(settings) or before[0]["now_mjd"] > now_mjd
    tides_ids = None
    if not is_whole:  # as a list, so that PostgreSQL knows how few they are
        tides_ids = [row["tides_id"] for row in run(connection, "fourmost/list_due.sql", {"now_mjd": now_mjd})]
    return DueTargets(run(connection, "fourmost/list_targets.sql", {"tides_ids": tides_ids}), is_whole, now_mjd)


def settle(
    connection: Connection, settings: Settings, due: DueTargets, unsaid: Collection[int], as_wanted: Collection[int]
) -> None:
    """
    Note which targets were compared, in the transaction that stores what follows from it.

    Parameters
    ----------
    connection
        Of the transaction in which they were found.
    settings
        Under which they were compared.
    due
        What was compared.
    unsaid
        The ``tides_id`` of those of which something is still to be said: they are compared again.
    as_wanted
        The ``tides_id`` of those of which 4MOST knows all that is wanted, however it answered before.
    """
    unsaid = set(unsaid) | {row["tides_id"] for row in due.rows if row["is_refused_still"]}
    looks = {row["tides_id"]: next_look(row, settings, due.now_mjd) for row in due.rows if row["active"]}
    expiring = [
        {"tides_id": tides_id, "due_mjd": mjd}
        for tides_id, mjd in looks.items()
        if mjd is not None and tides_id not in unsaid
    ]
    params = {"conditions": conditions(settings), "now_mjd": due.now_mjd, "is_whole": due.is_whole}
    params |= {"open": sorted(unsaid), "expiring": json.dumps(expiring)}
    params |= {"as_wanted": sorted(as_wanted)}
    run(connection, "fourmost/settle_due.sql", params)


def next_look(row: Row, settings: Settings, now_mjd: float) -> float | None:
    """
    Tell when another magnitude may have to be sent though nothing new is known; None: never.

    That is when one that was measured lately is so no more, and when the night is over of which one was predicted.

    Parameters
    ----------
    row
        Of ``fourmost/list_targets.sql``.
    settings
        With ``fourmost.maxMagnitudeAge``.
    now_mjd
        [d, UTC] When it was looked at: before the magnitude was chosen, so that what got old since is looked at again.

    Returns
    -------
    float
        [d] MJD (UTC), not before now.
    """
    fresh = settings.fourmost.max_magnitude_age / timedelta(days=1)
    epochs = [point.mjd + fresh for point in newest_by_band(row["magnitudes"]).values()]
    if row["tonight"]:
        epochs.append(row["tonight"]["at_mjd"] + NIGHT_LASTS)
    return min((mjd for mjd in epochs if mjd >= now_mjd), default=None)


def conditions(settings: Settings) -> str:
    """Give a digest of all that decides what 4MOST should know of given facts: settings and code."""
    sections: Sequence[Any] = (settings.fourmost, settings.targets, settings.hosts)
    written = "\0".join((_code(), *(section.model_dump_json() for section in sections)))
    return hashlib.sha256(written.encode()).hexdigest()[:16]


@cache
def _code() -> str:
    return version_of_rooms(COMPARING, ("fourmost", "schema"))
