"""
Light curves as tables, a point a row, in units that the file says: what `tides convert` writes.

Read again they give the same light curves: the flux tells sign and brightness, and ``is_detection`` what is a
detection. Magnitudes are for people: of the absolute value of the difference flux, as alerts have them.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa

from tides_bridge.formats.output.meanings import Meaning, schema_of
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS

CURVE_COLUMNS: Final = (
    ("objectId", pa.string(), Meaning("name that the survey gave the object", ucd="meta.id;meta.main")),
    ("mjd", pa.float64(), Meaning("epoch, MJD (UTC)", "d", "time.epoch")),
    ("band", pa.string(), Meaning("band: u, g, r, i, z or y", ucd="instr.bandpass")),
    ("psfFlux", pa.float64(), Meaning("flux of the difference image, AB", "nJy", "phot.flux.density")),
    (
        "psfFluxErr",
        pa.float64(),
        Meaning("error of the flux", "nJy", "stat.error;phot.flux.density"),
    ),
    ("AB_mag", pa.float64(), Meaning("AB magnitude of the size of the flux", "mag", "phot.mag")),
    ("AB_mag_err", pa.float64(), Meaning("error of the magnitude", "mag", "stat.error;phot.mag")),
    ("is_detection", pa.bool_(), Meaning("a detection, not a limit or forced photometry", ucd="meta.code")),
    ("night", pa.int64(), Meaning("number of the night", ucd="obs.id;time")),
    ("source_id", pa.int64(), Meaning("candid or diaSourceId", ucd="meta.record")),
    ("reliability", pa.float64(), Meaning("drb or reliability, from 0 to 1", ucd="stat.probability")),
    ("ra", pa.float64(), Meaning("right ascension of the point, else of the object", "deg", "pos.eq.ra")),
    ("dec", pa.float64(), Meaning("declination of the point, else of the object", "deg", "pos.eq.dec")),
    ("ebv", pa.float64(), Meaning("E(B-V) of the Milky Way", "mag", "phot.color.excess")),
    ("solar_system", pa.int64(), Meaning("1 if the object is one of the solar system, 0 if none", ucd="meta.code")),
    ("point_source", pa.int64(), Meaning("1 if the object lies on a star, 0 if on none", ucd="meta.code")),
    ("known_variable", pa.int64(), Meaning("1 if the object is a catalogued variable, 0 if none", ucd="meta.code")),
    ("first_seen_mjd", pa.float64(), Meaning("when the survey saw the object first, MJD (UTC)", "d", "time.start")),
    ("sherlock_class", pa.string(), Meaning("class of the object by Sherlock", ucd="src.class")),
)
"""Columns of the table: name, type, meaning."""

CURVE_SCHEMA: Final = schema_of(CURVE_COLUMNS, {"description": "Light curves written by the TiDES bridge"})


def table_of_curves(curves: LightCurves) -> pa.Table:
    """
    Make a table of light curves, a point a row.

    Parameters
    ----------
    curves
        Any; of an object without points nothing is written.
    """
    owner, known = curves.object_index, curves.objects

    def of_object(values: Any, points: Any) -> Any:
        return np.where(np.isnan(points), values[owner], points)

    names = pa.array([*BANDS, None], pa.string())
    columns: dict[str, Any] = {
        "objectId": pa.array(curves.object_ids, pa.string()).take(pa.array(owner)),
        "mjd": curves.mjd,
        "band": names.take(pa.array(np.where(curves.band < 0, len(BANDS), curves.band))),
        "psfFlux": curves.flux,
        "psfFluxErr": curves.flux_error,
        "AB_mag": curves.magnitude,
        "AB_mag_err": curves.magnitude_error,
        "is_detection": curves.is_detection,
        "night": curves.night,
        "source_id": pa.array(curves.source_id, mask=curves.source_id < 0),
        "reliability": curves.reliability,
        "ra": of_object(known.ra, curves.ra),
        "dec": of_object(known.decl, curves.decl),
        "ebv": known.ebv[owner],
        "solar_system": known.solar_system[owner],
        "point_source": known.point_source[owner],
        "known_variable": known.known_variable[owner],
        "first_seen_mjd": known.first_seen[owner],
        "sherlock_class": pa.array(known.sherlock_class, pa.string()).take(pa.array(owner)),
    }
    return pa.table(
        [_array(columns[name], kind) for name, kind, _ in CURVE_COLUMNS],
        schema=CURVE_SCHEMA,
    )


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    """Make a column, null where a number is none."""
    if isinstance(values, pa.Array):
        return values.cast(kind)
    return pa.array(values, kind, from_pandas=True)
