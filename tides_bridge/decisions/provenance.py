"""Under which settings, by which code and at which time each run worked, and what of that decides and has changed."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tides_bridge.database import Database, run
from tides_bridge.decisions.record import code_version
from tides_bridge.errors import RejectedError
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings, shown_settings

logger = logging.getLogger(__name__)

VERSIONS: Final = "selection functions"
"""Key of the names and versions of the functions in force, among the settings of a run."""

OTHER_SETTINGS: Final = ("database.", "dask.", "prefect.", "page.", "backup.", "watchdog.", "tidesDB", "groupID")
"""Beginnings of keys that decide nothing: where and how a run works, and who is called."""


def keep_provenance(
    database: Database, run_id: int, settings: Settings, functions: Sequence[SelectionFunction] = ()
) -> list[str]:
    """
    Keep under what a run works, and tell what of it decides and was different in the last whole run.

    Parameters
    ----------
    database, run_id
        Of the run in `run_log`.
    settings
        Kept without secrets, with a digest of all.
    functions
        In force, the active one first: their versions are kept with the settings.

    Returns
    -------
    list of str
        A sentence a change; none for the first run, or for one that decides nothing.
    """
    kept = shown_settings(settings) | {
        VERSIONS: ", ".join(f"{function.name} {function.version}" for function in functions)
    }
    text = json.dumps(kept, sort_keys=True)
    row = {"run_id": run_id, "digest": hashlib.sha256(text.encode()).hexdigest(), "settings": text}
    row |= {"code_version": code_version(), "now_mjd": settings.now_mjd()}
    with database.transaction("run") as connection:
        run(connection, "decisions/store_provenance.sql", row)
        asked = {"run_id": None, "as_of": None, "before": run_id}
        before = run(connection, "decisions/get_provenance.sql", asked) if functions else []
    changes = changes_since(before[0], kept, code_version()) if before else []
    for change in changes:
        logger.warning(change)
    return changes


def changes_since(before: Mapping[str, Any], kept: Mapping[str, str], code: str) -> list[str]:
    """
    Word what decides and has changed since an earlier run.

    Parameters
    ----------
    before
        Of ``decisions/get_provenance.sql``.
    kept, code
        Settings and code version of now.

    Examples
    --------
    >>> before = {"run_id": 3, "code_version": "1", "settings": {"targets.faintLimit": "r: 22", "page.port": "1"}}
    >>> changes_since(before, {"targets.faintLimit": "r: 23", "page.port": "2"}, "1")
    ['changed since run 3: targets.faintLimit was r: 22, and is r: 23']
    """
    was, now = {"code": before["code_version"]} | before["settings"], {"code": code, **kept}
    keys = [key for key in sorted({**was, **now}) if not key.startswith(OTHER_SETTINGS)]
    return [
        f"changed since run {before['run_id']}: {key} was {was.get(key) or 'empty'}, and is {now.get(key) or 'empty'}"
        for key in keys
        if was.get(key) != now.get(key)
    ]


def find_provenance(database: Database, run_id: int | None = None, as_of: datetime | None = None) -> dict[str, Any]:
    """
    Find under what a run worked: that of a key, or the last whole run that had begun at a time.

    Parameters
    ----------
    database
        With the log of runs.
    run_id
        Its key in `run_log`; a pull stands for the run that it is part of.
    as_of
        The time, where no key is given.

    Raises
    ------
    RejectedError
        If nothing is known of it.
    """
    with database.transaction() as connection:
        asked = {"run_id": run_id, "as_of": as_of, "before": None}
        rows = run(connection, "decisions/get_provenance.sql", asked)
    if not rows:
        which = f"run {run_id}" if run_id is not None else f"the last run until {as_of}"
        raise RejectedError(which, "its settings are not known: none began, or it was before they were kept")
    return rows[0]
