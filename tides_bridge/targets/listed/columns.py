"""What the columns of the list mean: for files, Arrow and the description of the API alike."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa

from tides_bridge.formats.output.meanings import Meaning, schema_of

LISTED_COLUMNS: Final = (
    ("tides_id", pa.int64(), Meaning("number of the target in the bridge", ucd="meta.record")),
    ("name", pa.string(), Meaning("name of the target, as at 4MOST", ucd="meta.id;meta.main")),
    ("objects", pa.string(), Meaning("survey and name of each object that it is", ucd="meta.id.cross")),
    ("ra", pa.float64(), Meaning("right ascension, ICRS", "deg", "pos.eq.ra;meta.main")),
    ("dec", pa.float64(), Meaning("declination, ICRS", "deg", "pos.eq.dec;meta.main")),
    ("state", pa.string(), Meaning("active, or why it is switched off", ucd="meta.code.status")),
    ("merged_into", pa.string(), Meaning("target that has its objects now", ucd="meta.id")),
    ("selection_function", pa.string(), Meaning("selection function that chose it", ucd="meta.id")),
    ("sherlock_class", pa.string(), Meaning("Sherlock's class", ucd="src.class")),
    ("type", pa.string(), Meaning("type by its spectra", ucd="src.class")),
    ("redshift", pa.float64(), Meaning("redshift by its spectra", ucd="src.redshift")),
    ("first_detection_mjd", pa.float64(), Meaning("first detection, MJD (UTC)", "d", "time.epoch")),
    ("last_detection_mjd", pa.float64(), Meaning("last detection, MJD (UTC)", "d", "time.epoch")),
    ("n_detections", pa.int64(), Meaning("detections so far", ucd="meta.number")),
    ("mag", pa.float64(), Meaning("magnitude of the newest detection, AB", "mag", "phot.mag")),
    ("mag_band", pa.string(), Meaning("survey and band of it", ucd="instr.bandpass")),
    ("mag_mjd", pa.float64(), Meaning("its epoch, MJD (UTC)", "d", "time.epoch")),
    ("tonight_mag", pa.float64(), Meaning("brightest magnitude expected tonight, AB", "mag", "phot.mag")),
    ("tonight_band", pa.string(), Meaning("band of it", ucd="instr.bandpass")),
    ("tonight_mjd", pa.float64(), Meaning("middle of the night it is for, MJD (UTC)", "d", "time.epoch")),
    ("rulings", pa.string(), Meaning("what people have decided and is in force", ucd="meta.note")),
    ("tags", pa.string(), Meaning("tags that people gave", ucd="meta.note")),
    ("host_name", pa.string(), Meaning("likeliest host galaxy", ucd="meta.id.assoc")),
    ("host_redshift", pa.float64(), Meaning("redshift of that", ucd="src.redshift")),
    ("host_separation", pa.float64(), Meaning("how far that is", "arcsec", "pos.angDistance")),
    ("has_spectrum", pa.bool_(), Meaning("whether it has enough spectra", ucd="meta.code")),
    ("pk_4most", pa.int64(), Meaning("key of its row at 4MOST", ucd="meta.id")),
    ("ostd_targ_id", pa.int64(), Meaning("target of 4MOST's OpSys", ucd="meta.id")),
    ("ostd_u_obj_id", pa.int64(), Meaning("OBJ_UID of 4MOST's spectra", ucd="meta.id")),
    ("date_ingested", pa.timestamp("us", "UTC"), Meaning("when 4MOST ingested it", ucd="time")),
    ("refused_4most", pa.string(), Meaning("why 4MOST cannot be told of it", ucd="meta.note")),
    ("created_at", pa.timestamp("us", "UTC"), Meaning("when it became a target", ucd="time.creation")),
)
"""Name, type, meaning; lists are in one text here."""

BETWEEN: Final = {"objects": "; ", "rulings": ", ", "tags": ", "}
"""What stands between the words of lists."""


def listed_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make a table of rows of ``listed_target``, with what its columns mean."""
    plain = [{**row, "dec": row["decl"]} | {key: by.join(row[key]) for key, by in BETWEEN.items()} for row in rows]
    schema = schema_of(LISTED_COLUMNS, {"description": "Targets of the TiDES bridge"})
    return pa.table([pa.array([row[name] for row in plain], kind) for name, kind, _ in LISTED_COLUMNS], schema=schema)
