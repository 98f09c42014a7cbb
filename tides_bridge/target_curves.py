"""The light curves with which objects became targets: kept for people, who want to see why; no decision needs them."""

import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.decisions.models import Judged
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import unpacked
from tides_bridge.neighbours import Place
from tides_bridge.selection import SelectionFunction, Verdicts, judge
from tides_bridge.together import Joint

logger = logging.getLogger(__name__)

DOTS_PER_INCH: Final = 110
"""A figure is some 840 pixels wide: that of a page."""

COLUMNS: Final = ["survey", "object_id", "last_detection_mjd", "curve"]


def store(connection: Connection, judged: Iterable[Judged], now_mjd: float) -> int:
    """
    Keep the newest light curve of each object of a batch that passed, in the transaction of the batch.

    Parameters
    ----------
    connection
        Of the batch.
    judged
        What was decided: the targets have their light curves, packed, in the column ``curve``.
    now_mjd
        [d, UTC] When they were judged.

    Returns
    -------
    int
        Their number.
    """
    frames = [chunk.targets[COLUMNS] for chunk in judged if "curve" in chunk.targets and len(chunk.targets)]
    if not frames:
        return 0
    rows = pd.concat(frames, ignore_index=True)
    names = dict(zip(COLUMNS, ("surveys", "object_ids", "last_mjds", "curves"), strict=True))
    given = {names[column]: rows[column].tolist() for column in COLUMNS}
    run(connection, "ingest/store_target_curves.sql", given | {"now_mjd": now_mjd, "now": datetime.now(UTC)})
    return len(rows)


def draw(database: Database, survey: str, object_id: str) -> bytes | None:
    """
    Draw the light curve with which an object passed, and what its selection function measured.

    Where that function judges several surveys together, the points of all objects of the target are drawn.

    Returns
    -------
    bytes or None
        A PNG; None if the object never passed, or the function of then demands what this bridge does not know.
    """
    with database.transaction() as connection:
        rows = run(connection, "record/get_target_curves.sql", {"survey": survey, "object_id": object_id})
    function = _function(rows[0]) if rows else None
    if function is None:
        return None
    shown = [row for row in rows if row["survey"] in function.surveys] or rows[:1]
    curve = replace(_whole(shown), object_ids=(_title(shown),))
    return _png(curve, judge(curve, [function], rows[0]["now_mjd"])[0])


def _function(row: Mapping[str, Any]) -> SelectionFunction | None:
    """Read the function of a decision; None if its text is of a bridge that knew other criteria."""
    try:
        return SelectionFunction.parse(row["function"], json.loads(row["normalised_text"]))
    except ValueError as error:
        logger.warning("a version cannot be read by this bridge function=%s problem=%s", row["function"], error)
        return None


def _whole(rows: Sequence[Mapping[str, Any]]) -> LightCurves:
    """Put the points of some objects together, as they were judged."""
    curves = LightCurves.from_arrow(pa.concat_tables(unpacked(bytes(row["curve"])) for row in rows))
    if len(curves) == 1:
        return curves
    own = {(row["survey"], row["object_id"]): curves.part(at, at + 1) for at, row in enumerate(rows)}
    nowhere = float("nan")
    return Joint.of([[Place(key, nowhere, nowhere) for key in own]], own).whole


def _title(rows: Sequence[Mapping[str, Any]]) -> str:
    """Name the target, and the objects that are drawn."""
    objects = " + ".join(row["object_id"] for row in rows)
    return f"{rows[0]['name']}: {objects}" if rows[0]["name"] else objects


def _png(curve: LightCurves, verdicts: Verdicts) -> bytes:
    import matplotlib as mpl  # slow to import, and no run of the bridge draws

    from tides_bridge.selection import plots

    content = io.BytesIO()
    with plots.ONE_AT_A_TIME, mpl.rc_context(plots.STYLE):
        plots.light_curve_figure(curve, verdicts).savefig(content, format="png", dpi=DOTS_PER_INCH)
    return content.getvalue()
