"""The light curve of a target as a picture: that with which it passed, and what was measured."""

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tides_bridge.database import Database, run
from tides_bridge.decisions.history import stored_function
from tides_bridge.decisions.several_surveys import Joint
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import unpack_tables
from tides_bridge.selection import judge
from tides_bridge.targets.neighbours import Place

logger = logging.getLogger(__name__)

DOTS_PER_INCH: Final = 110
"""A figure is some 840 pixels wide: that of a page."""


def draw_target(database: Database, survey: str, object_id: str) -> bytes | None:
    """
    Draw the light curve with which an object passed, and what its selection function measured.

    Where that function judges several surveys together, the points of all objects of the target are drawn.

    Returns
    -------
    bytes or None
        A PNG; None if the object never passed, or the function of then demands what this bridge does not know.
    """
    with database.transaction() as connection:
        rows = run(connection, "portal/get_target_curves.sql", {"survey": survey, "object_id": object_id})
    function = stored_function(rows[0]["function"], rows[0]["normalised_text"]) if rows else None
    if function is None:
        return None
    shown = [row for row in rows if row["survey"] in function.surveys] or rows[:1]
    objects = " + ".join(row["object_id"] for row in shown)
    title = f"{shown[0]['name']}: {objects}" if shown[0]["name"] else objects
    curve = replace(_one_curve(shown), object_ids=(title,))
    verdicts = judge(curve, [function], rows[0]["now_mjd"])[0]  # as of then: ages counted from that run
    import matplotlib as mpl  # slow to import, and no run of the bridge draws

    from tides_bridge.selection import plots

    content = io.BytesIO()
    with plots.ONE_AT_A_TIME, mpl.rc_context(plots.STYLE):  # matplotlib's state is global, and requests come in threads
        plots.light_curve_figure(curve, verdicts).savefig(content, format="png", dpi=DOTS_PER_INCH)
    return content.getvalue()


def _one_curve(rows: Sequence[Mapping[str, Any]]) -> LightCurves:
    """Put the points of some objects together, as they were judged."""
    curves = LightCurves.from_arrow(unpack_tables(row["curve"] for row in rows))
    if len(curves) == 1:
        return curves
    own = {(row["survey"], row["object_id"]): curves.part(at, at + 1) for at, row in enumerate(rows)}
    nowhere = float("nan")
    return Joint.of([[Place(key, nowhere, nowhere) for key in own]], own).whole
