"""
Targets as a catalogue of 4FS, as surveys hand it in: one row a target, in the format FMTVERS 2.6.

It has the 35 columns of the survey's own catalogues, in their order; what the bridge sends to the API is in it as it
is sent, and what it does not know is 0 or empty. Whether a target is active, and the exposure times, have no column.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Connection

from tides_bridge.database import run
from tides_bridge.errors import FourmostRejected
from tides_bridge.formats.output.meanings import Meaning, schema_of
from tides_bridge.fourmost.payloads import to_4most
from tides_bridge.settings import Settings

TEXT, REAL, WHOLE = pa.string(), pa.float64(), pa.int64()

ARMS: Final = ("BLUE", "GREEN", "RED")
"""Of the spectrograph."""

CATALOGUE_COLUMNS: Final = (
    ("NAME", TEXT, Meaning("name of the target", ucd="meta.id;meta.main")),
    ("RA", REAL, Meaning("right ascension", "deg", "pos.eq.ra;meta.main")),
    ("DEC", REAL, Meaning("declination", "deg", "pos.eq.dec;meta.main")),
    ("PMRA", REAL, Meaning("proper motion in right ascension", "mas/yr", "pos.pm;pos.eq.ra")),
    ("PMDEC", REAL, Meaning("proper motion in declination", "mas/yr", "pos.pm;pos.eq.dec")),
    ("EPOCH", REAL, Meaning("epoch of the position", "yr", "time.epoch")),
    ("RESOLUTION", WHOLE, Meaning("1 low, 2 high resolution", ucd="meta.code")),
    ("SUBSURVEY", TEXT, Meaning("subsurvey", ucd="meta.id")),
    ("TEMPLATE", TEXT, Meaning("file of the template spectrum", ucd="meta.file")),
    ("RULESET", TEXT, Meaning("name of the ruleset", ucd="meta.id")),
    ("EXTENT_FLAG", WHOLE, Meaning("0 point, 1 flat, 2 Sersic", ucd="meta.code")),
    ("EXTENT_PARAMETER", REAL, Meaning("half-light radius", "arcsec", "phys.angSize")),
    ("EXTENT_INDEX", REAL, Meaning("Sersic index", ucd="src.morph.param")),
    ("MAG_TYPE", TEXT, Meaning("survey, band and system of the magnitude", ucd="instr.bandpass")),
    ("MAG", REAL, Meaning("magnitude, reddening included", "mag", "phot.mag")),
    ("MAG_ERR", REAL, Meaning("error of the magnitude", "mag", "stat.error;phot.mag")),
    ("DATE_EARLIEST", REAL, Meaning("first date of observation, JD", "d", "time.start")),
    ("DATE_LATEST", REAL, Meaning("last date of observation, JD", "d", "time.end")),
    ("CADENCE", WHOLE, Meaning("cadence, a set of 22 bits", ucd="meta.code")),
    ("REDDENING", REAL, Meaning("E(B-V)", "mag", "phot.color.excess")),
    ("REDSHIFT_ESTIMATE", REAL, Meaning("redshift", ucd="src.redshift")),
    ("REDSHIFT_ERROR", REAL, Meaning("error of the redshift", ucd="stat.error;src.redshift")),
    ("TEMPLATE_REDSHIFT", REAL, Meaning("redshift of the template", ucd="src.redshift")),
    *(
        (f"CAL_MAG_{arm}", REAL, Meaning("calibration magnitude", "mag", "phot.mag"))
        for arm in ("BLUE", "GREEN", "RED")
    ),
    *((f"CAL_MAG_ERR_{arm}", REAL, Meaning("its error", "mag", "stat.error")) for arm in ("BLUE", "GREEN", "RED")),
    *((f"CAL_MAG_ID_{arm}", TEXT, Meaning("its band", ucd="instr.bandpass")) for arm in ("BLUE", "GREEN", "RED")),
    ("CLASSIFICATION", TEXT, Meaning("up to three of TRA, GAL, AGN, LEN", ucd="src.class")),
    ("COMPLETENESS", REAL, Meaning("completeness wanted", ucd="stat.value")),
    ("PARALLAX", REAL, Meaning("parallax", "mas", "pos.parallax.trig")),
)
"""Columns of the catalogue: name, type, meaning."""


@dataclass(frozen=True)
class Catalogue:
    """
    What can be handed in, and what cannot.

    Attributes
    ----------
    table
        With the columns of `CATALOGUE_COLUMNS`.
    left_out
        Names of targets that the format forbids, and why.
    """

    table: pa.Table
    left_out: dict[str, str]


def find_catalogue(connection: Connection, settings: Settings, tides_ids: Collection[int] | None = None) -> Catalogue:
    """
    Make the catalogue of the targets that are active.

    Parameters
    ----------
    connection
        To the database.
    settings
        How targets are described.
    tides_ids
        Which; None: all.
    """
    params = {"tides_ids": None if tides_ids is None else list(tides_ids)}
    return catalogue_of(
        [row for row in run(connection, "fourmost/list_targets.sql", params) if row["active"]], settings
    )


def catalogue_of(rows: Iterable[Mapping[str, Any]], settings: Settings) -> Catalogue:
    """Make the catalogue of rows of ``fourmost/list_targets.sql``."""
    payloads: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for row in rows:
        try:
            payloads.append(to_4most(row, settings))
        except FourmostRejected as error:
            left_out[row["name"]] = error.problem
    nothing = {TEXT: "", REAL: 0.0, WHOLE: 0}
    columns = [
        pa.array([payload.get(name.lower(), nothing[kind]) for payload in payloads], kind)
        for name, kind, _ in CATALOGUE_COLUMNS
    ]
    about = {"description": "4FS catalogue of the TiDES bridge", "FMTVERS": "2.6"}
    return Catalogue(pa.table(columns, schema=schema_of(CATALOGUE_COLUMNS, about)), left_out)
