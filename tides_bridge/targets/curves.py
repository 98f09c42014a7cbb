"""The light curves with which objects became targets: kept for people, who want to see why; no decision needs them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from tides_bridge.database import run

COLUMNS: Final = ["survey", "object_id", "last_detection_mjd", "curve"]


def store_target_curves(connection: Connection, targets: Iterable[pd.DataFrame], now_mjd: float) -> int:
    """
    Keep the newest light curve of each object of a batch that passed, in the transaction of the batch.

    Parameters
    ----------
    connection
        Of the batch.
    targets
        The rows of the stage, with the light curves, packed, in the column ``curve``.
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
