"""The list of targets as a table, with what its columns mean: for files that people take away."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Connection

from tides_bridge.database import run
from tides_bridge.formats.output.meanings import Meaning, schema_of

TARGET_COLUMNS: Final = (
    ("tides_id", pa.int64(), Meaning("number of the target in the bridge", ucd="meta.record")),
    ("name", pa.string(), Meaning("name of the target, as at 4MOST", ucd="meta.id;meta.main")),
    ("survey", pa.string(), Meaning("survey that reported it first", ucd="meta.id;instr")),
    ("object_id", pa.string(), Meaning("what that survey calls it", ucd="meta.id")),
    ("objects", pa.string(), Meaning("survey and name of each object that it is", ucd="meta.id.cross")),
    ("ra", pa.float64(), Meaning("right ascension, ICRS", "deg", "pos.eq.ra;meta.main")),
    ("dec", pa.float64(), Meaning("declination, ICRS", "deg", "pos.eq.dec;meta.main")),
    ("state", pa.string(), Meaning("active, or why it is switched off", ucd="meta.code.status")),
    ("selection_function", pa.string(), Meaning("selection function that chose it", ucd="meta.id")),
    ("sherlock_class", pa.string(), Meaning("Sherlock's class", ucd="src.class")),
    ("first_detection_mjd", pa.float64(), Meaning("first detection, MJD (UTC)", "d", "time.epoch")),
    ("last_detection_mjd", pa.float64(), Meaning("last detection, MJD (UTC)", "d", "time.epoch")),
    ("n_detections", pa.int64(), Meaning("detections so far", ucd="meta.number")),
    ("mag", pa.float64(), Meaning("magnitude of the newest measurement, AB", "mag", "phot.mag")),
    ("mag_band", pa.string(), Meaning("survey and band of it", ucd="instr.bandpass")),
    ("mag_mjd", pa.float64(), Meaning("its epoch, MJD (UTC)", "d", "time.epoch")),
    ("has_spectrum", pa.bool_(), Meaning("whether a spectrum was taken", ucd="meta.code")),
    ("pk_4most", pa.int64(), Meaning("key of its row at 4MOST", ucd="meta.id")),
    ("ostd_targ_id", pa.int64(), Meaning("target of 4MOST's OpSys", ucd="meta.id")),
    ("ostd_u_obj_id", pa.int64(), Meaning("OBJ_UID of 4MOST's spectra", ucd="meta.id")),
    ("date_ingested", pa.timestamp("us", "UTC"), Meaning("when 4MOST ingested it", ucd="time")),
    ("refused_4most", pa.string(), Meaning("why 4MOST refused it", ucd="meta.note")),
    ("created_at", pa.timestamp("us", "UTC"), Meaning("when it became a target", ucd="time.creation")),
)
"""Columns of the list: name, type, meaning."""


def describe_targets(connection: Connection, tides_ids: Collection[int] | None) -> pa.Table:
    """
    List targets.

    Parameters
    ----------
    connection
        To the database.
    tides_ids
        Which; None: all but those that were merged into others.

    Returns
    -------
    pyarrow.Table
        By ``tides_id``, with the columns of `TARGET_COLUMNS`.
    """
    chosen = None if tides_ids is None else list(tides_ids)
    return table_of_targets(run(connection, "targets/describe_targets.sql", {"tides_ids": chosen}))


def table_of_targets(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make a table of rows of ``targets/describe_targets.sql``."""
    renamed = [{**row, "dec": row["decl"]} for row in rows]
    schema = schema_of(TARGET_COLUMNS, {"description": "Targets of the TiDES bridge"})
    return pa.table([pa.array([row[name] for row in renamed], kind) for name, kind, _ in TARGET_COLUMNS], schema=schema)
