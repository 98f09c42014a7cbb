"""
The light curves of the objects of targets: kept for people, who want to see why, and for the brightness tonight.

No decision needs them.
"""

from collections.abc import Iterable, Set
from datetime import UTC, datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from tides_bridge.database import run
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import pack_rows
from tides_bridge.targets.neighbours import Key

COLUMNS: Final = ["survey", "object_id", "last_detection_mjd", "curve"]


def store_target_curves(connection: Connection, targets: Iterable[pd.DataFrame], now_mjd: float) -> int:
    """
    Keep the newest light curve of each object of a batch that is of a target, in the transaction of the batch.

    Parameters
    ----------
    connection
        Of the batch.
    targets
        Rows with the light curves, packed, in the column ``curve``: see `with_curves`.
    now_mjd
        [d, UTC] When they were judged.

    Returns
    -------
    int
        Their number.
    """
    frames = [rows[COLUMNS] for rows in targets if "curve" in rows and len(rows)]
    if not frames:
        return 0
    rows = pd.concat(frames, ignore_index=True)
    names = dict(zip(COLUMNS, ("surveys", "object_ids", "last_mjds", "curves"), strict=True))
    given = {names[column]: rows[column].tolist() for column in COLUMNS}
    run(connection, "targets/store_target_curves.sql", given | {"now_mjd": now_mjd, "now": datetime.now(UTC)})
    return len(rows)


def with_curves(facts: pd.DataFrame, curves: LightCurves | None, keys: Set[Key]) -> pd.DataFrame:
    """
    Give the facts on some objects, with the light curve of each, packed.

    Parameters
    ----------
    facts
        Rows of the stage; those that have their ``curve`` keep it.
    curves
        The light curves that were judged, of these objects and others.
    keys
        Survey and object id of those that are wanted.
    """
    if not len(facts) or not keys:
        return facts[:0]
    chosen = facts[[key in keys for key in zip(facts["survey"], facts["object_id"], strict=True)]]
    packed = chosen["curve"].copy() if "curve" in chosen else pd.Series(None, index=chosen.index, dtype=object)
    is_open = packed.isna()
    if curves is not None and is_open.any():
        number_of = {object_id: number for number, object_id in enumerate(curves.object_ids)}
        numbers = [number_of[object_id] for object_id in chosen["object_id"][is_open]]
        packed[is_open] = pack_rows(curves.to_arrow(), numbers)
    return chosen.assign(curve=packed)[packed.notna()]
