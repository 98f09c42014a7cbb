"""The points of light curves as rows: those with which the objects of a target were judged last."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tides_bridge.database import run
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.lightcurves.stored import unpack_tables
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.vo.queries import AnswerColumn, QueryAnswer

COLUMNS = (
    AnswerColumn("survey", "char", "*", ucd="meta.id.parent", description="ztf or lsst"),
    AnswerColumn("object_id", "char", "*", ucd="meta.id;meta.main", description="as its survey names it"),
    AnswerColumn("mjd", "double", unit="d", ucd="time.epoch", description="MJD, UTC"),
    AnswerColumn("band", "char", "*", ucd="instr.bandpass", description="u, g, r, i, z or y of the survey"),
    AnswerColumn("flux", "double", unit="nJy", ucd="phot.flux.density", description="of the difference image"),
    AnswerColumn("flux_error", "double", unit="nJy", ucd="stat.error;phot.flux.density", description="its error"),
    AnswerColumn("magnitude", "double", unit="mag", ucd="phot.mag", description="AB, of a detection"),
    AnswerColumn("magnitude_error", "double", unit="mag", ucd="stat.error;phot.mag", description="its error"),
    AnswerColumn("is_detection", "boolean", ucd="meta.code", description="not so for limits and forced photometry"),
    AnswerColumn("is_positive", "boolean", ucd="meta.code", description="brighter than the template"),
)


def points_answer(database: KeptDatabase, name: str) -> QueryAnswer:
    """
    Give the points of a target, by any of its names, or of an object.

    Parameters
    ----------
    database
        To ask.
    name
        Of either; of a name that nothing has there are no points.

    Returns
    -------
    QueryAnswer
        To be written once, in the order of objects and epochs.
    """
    with database.opened() as opened, opened.transaction() as connection:
        rows = run(connection, "portal/list_curves.sql", {"name": name})
    return QueryAnswer(COLUMNS, iter([list(_points(rows))] if rows else []))


def _points(rows: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    curves = LightCurves.from_arrow(unpack_tables(row["curve"] for row in rows))
    of_object = np.repeat(np.arange(len(rows)), np.diff(curves.offsets)).tolist()
    bands = ["" if code < 0 else BANDS[code] for code in curves.band.tolist()]
    known = [_or_none(values) for values in (curves.flux, curves.flux_error, curves.magnitude, curves.magnitude_error)]
    marks = (curves.is_detection.tolist(), curves.is_positive.tolist())
    for number, mjd, band, *values in zip(of_object, curves.mjd.tolist(), bands, *known, *marks, strict=True):
        yield rows[number]["survey"], rows[number]["object_id"], mjd, band, *values


def _or_none(values: Any) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
