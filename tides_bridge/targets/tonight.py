"""
How bright each target is to be expected on the coming night: worked out once a night, and again after new points.

What is sent to 4MOST and whether a target stays one follow from it.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import BANDS, PHOTOMETRIC_SYSTEMS
from tides_bridge.lightcurves.stored import unpack_tables
from tides_bridge.settings import Settings
from tides_bridge.targets.brightness import NONE, SUPERNOVA, predict
from tides_bridge.targets.life import coming_night

logger = logging.getLogger(__name__)

AT_ONCE: Final = 500
"""Targets that are read and worked out together: some MB of light curves."""


def work_out_tonight(database: Database, settings: Settings) -> int:
    """
    Predict the brightness of the coming night for the targets that may be observed, where it is not known yet.

    Parameters
    ----------
    database
        With the light curves of all targets. Each `AT_ONCE` are a transaction: what a run leaves open is done by the
        next.
    settings
        The clock, and how long nobody may have looked at a target.

    Returns
    -------
    int
        For how many targets it was worked out.
    """
    now_mjd = settings.now_mjd()
    about = {
        "at_mjd": coming_night(now_mjd),
        "since_mjd": now_mjd - settings.targets.unlooked_after / timedelta(days=1),
    }
    with database.transaction() as connection:
        due = [row["tides_id"] for row in run(connection, "targets/list_due_tonight.sql", about)]
    for start in range(0, len(due), AT_ONCE):
        with database.transaction() as connection:
            rows = _predictions(connection, due[start : start + AT_ONCE], about["at_mjd"], now_mjd)
            run(connection, "targets/store_tonight.sql", rows)
    if due:
        logger.info("brightness of the coming night worked out targets=%d", len(due))
    return len(due)


def _predictions(
    connection: Connection, tides_ids: Sequence[int], at_mjd: float, now_mjd: float
) -> list[dict[str, Any]]:
    """Work out the rows of `target_tonight`; of a target without a light curve nothing is known."""
    known = run(connection, "targets/get_light_curves.sql", {"tides_ids": list(tides_ids)})
    rows = dict(_of_systems(known, at_mjd, now_mjd))
    empty: dict[str, Any] = {"system": "LSST", "mags": [None] * len(BANDS), "errors": [None] * len(BANDS)}
    empty |= {"methods": [f"{NONE}: no light curve is kept"] * len(BANDS), "is_known": False}
    when = {"at_mjd": at_mjd, "now": datetime.now(UTC)}
    return [when | {"tides_id": tides_id} | rows.get(tides_id, empty) for tides_id in tides_ids]


def _of_systems(known: Sequence[dict[str, Any]], at_mjd: float, now_mjd: float) -> Iterator[tuple[int, dict[str, Any]]]:
    """Predict in the system of LSST for what any such survey has seen, in that of ZTF for the others."""
    systems: dict[int, set[str]] = {}
    for row in known:
        systems.setdefault(row["tides_id"], set()).add(PHOTOMETRIC_SYSTEMS.get(row["survey"], row["survey"]))
    for system in ("LSST", "ZTF"):
        mine = [row for row in known if ("LSST" in systems[row["tides_id"]]) == (system == "LSST")]
        if mine:
            yield from _predicted(mine, system, at_mjd, now_mjd)


def _predicted(
    rows: Sequence[dict[str, Any]], system: str, at_mjd: float, now_mjd: float
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Predict from the light curves of the objects of targets, the points of one target put together."""
    tides_ids, index = np.unique([row["tides_id"] for row in rows], return_inverse=True)
    own = LightCurves.from_arrow(unpack_tables(row["curve"] for row in rows))
    names = [str(tides_id) for tides_id in tides_ids]
    curves = own.merged(names, index, Objects.unknown(len(names)))
    found = predict(curves, at_mjd, "".join(BANDS), now_mjd, system)
    width = len(BANDS)
    for place, tides_id in enumerate(tides_ids.tolist()):
        part = slice(place * width, (place + 1) * width)
        methods = list(found.method[part])
        yield (
            tides_id,
            {
                "system": system,
                "mags": _or_none(found.magnitude[part]),
                "errors": _or_none(found.error[part]),
                "methods": methods,
                "is_known": any(method.startswith(SUPERNOVA) for method in methods),
            },
        )


def _or_none(values: Any) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
