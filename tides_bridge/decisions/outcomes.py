"""What functions that were in force decided of targets, and what these turned out to be."""

import json
from collections.abc import Sequence
from typing import Any

from tides_bridge.database import Database, run
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.selection import SelectionFunction


def outcomes_of(
    database: Database, names: Sequence[str], bands: Sequence[str] = ()
) -> tuple[list[SelectionFunction], list[dict[str, Any]]]:
    """
    Join the record of some functions with the classes that came back.

    Parameters
    ----------
    database
        With the record.
    names
        Of functions; all their versions count.
    bands
        Whose brightest magnitude counts; none: all.

    Returns
    -------
    (list of SelectionFunction, list of dict)
        The functions in their newest version; and rows of ``decisions/list_outcomes.sql``.

    Raises
    ------
    RejectedError
        If a function never was in force.
    SettingsError
        If there is no such band.
    """
    if unknown := [band for band in bands if band not in BANDS]:
        raise SettingsError("--peak-band", "", f"{unknown[0]} is not one of {', '.join(BANDS)}")
    about = {"functions": list(names), "bands": list(bands or BANDS)}
    with database.transaction() as connection:
        kept = {row["name"]: row for row in run(connection, "decisions/list_former_functions.sql")}
        for name in names:
            if name not in kept:
                raise RejectedError(name, f"was never in force; there were: {', '.join(kept) or 'none'}")
        rows = run(connection, "decisions/list_outcomes.sql", about)
    return [SelectionFunction.parse(name, json.loads(kept[name]["normalised_text"])) for name in names], rows
