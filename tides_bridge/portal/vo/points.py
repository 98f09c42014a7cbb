"""The points of light curves as an answer of the observatory: the newest that are kept of each object of a target."""

from tides_bridge.database import run
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.known import curves_of
from tides_bridge.portal.points import named_points
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
    with database.opened() as opened:
        with opened.transaction() as connection:
            rows = run(connection, "portal/list_objects_called.sql", {"name": name})
        found = curves_of(opened, [(row["survey"], row["object_id"]) for row in rows])
    points = [tuple(point._replace(band=point.band or "")) for point in named_points(*found)] if found else []
    return QueryAnswer(COLUMNS, iter([points] if points else []))
