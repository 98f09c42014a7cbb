"""
ZTF: a record's points as columns.

Sources: ZTF alert schema 4.02 (ztf-avro-alert), lasair4 ``lightcurves.py``. A detection has ``candid`` and ``magpsf``;
an upper limit has ``diffmaglim`` only. With ``lasair_added`` Lasair gives a limit a ``magpsf``, too, but no ``candid``.
The forced photometry of a packet (``fp_hists``) is in detector units of its own zero point, and not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np

from tides_bridge.compiled import Floats, Integers, Mask
from tides_bridge.formats import plausible_epochs
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.columns import SENTINEL
from tides_bridge.lightcurves.photometry import BANDS, MJD_ZERO, ZTF_BANDS, night_of

Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What fits an Avro long, and a column of 64 bits."""

SOLAR_SYSTEM_RADIUS = 5.0
"""[arcsec] A known asteroid this near makes it one (Fink, asteroid catcher). ZTF writes -999 where it knows none."""

STAR_SCORE, STAR_RADIUS = 0.76, 2.0
"""A PanSTARRS source scored above this and nearer than this [arcsec] makes it a star (Bright Transient Survey)."""

NO_MATCH = (None, "", "nan", "null", "Unknown", "Fail")
"""What a broker writes where a catalogue of variables has nothing; "Fail" where it could not look."""

POSITIVE = ("t", "1", 1)
"""How ``isdiffpos`` says that a source is brighter than the template."""

BAND_OF_FID = np.full(256, -1, dtype=np.int8)
"""Position in `photometry.BANDS` of each filter id."""
BAND_OF_FID[list(ZTF_BANDS)] = [BANDS.index(band) for band in ZTF_BANDS.values()]

_NAN = float("nan")


class Point(msgspec.Struct, gc=False):
    """One entry of ``candidate``, ``prv_candidates`` or Lasair's ``candidates``."""

    jd: float | None
    fid: int | None = None
    candid: Long | float | None = None
    magpsf: float | None = None
    sigmapsf: float | None = None
    diffmaglim: float | None = None
    isdiffpos: str | int | bool | None = None
    nid: Long | None = None
    ra: float | None = None
    dec: float | None = None
    rb: float | None = None
    drb: float | None = None


class NewestPoint(Point, gc=False):
    """The entry that an alert is about, which knows more."""

    ssdistnr: float | None = None
    sgscore1: float | None = None
    distpsnr1: float | None = None


@dataclass
class ZtfObject:
    """One object of a file: its points, and what is known beside."""

    object_id: str
    points: list[Point]
    known: dict[str, Any] = field(default_factory=dict)


def ztf_curves(objects: Sequence[ZtfObject]) -> LightCurves:
    """
    Build light curves.

    A night is ``nid``, or the Rubin day of observation for an object of which a detection has none. The reliability is
    ``drb``, or ``rb`` where that is missing.
    """
    points = list(chain.from_iterable(ztf_object.points for ztf_object in objects))
    index = np.repeat(np.arange(len(objects)), [len(ztf_object.points) for ztf_object in objects])
    magnitude = without_sentinels([point.magpsf for point in points])
    is_detection = np.array([point.candid is not None for point in points], dtype=bool) & ~np.isnan(magnitude)
    mjd = plausible_epochs(_floats([point.jd for point in points]) - MJD_ZERO)
    deep = without_sentinels([point.drb for point in points])
    known = [point.fid if point.fid is not None and 0 <= point.fid < 256 else 0 for point in points]
    return LightCurves.from_magnitudes(
        [ztf_object.object_id for ztf_object in objects],
        index,
        mjd,
        BAND_OF_FID[np.array(known, dtype=np.int64)],
        magnitude,
        without_sentinels([point.sigmapsf for point in points]),
        is_detection=is_detection,
        is_positive=np.array([point.isdiffpos in POSITIVE for point in points], dtype=bool),
        limiting_magnitude=without_sentinels([point.diffmaglim for point in points]),
        night=nights_of_points(_whole([point.nid for point in points]), mjd, index, is_detection),
        source_id=_whole([point.candid for point in points]),
        reliability=np.where(np.isnan(deep), without_sentinels([point.rb for point in points]), deep),
        ra=without_sentinels([point.ra for point in points]),
        decl=without_sentinels([point.dec for point in points]),
        objects=columns_of_facts([ztf_object.known for ztf_object in objects]),
    )


def facts_of_alert(newest: NewestPoint) -> dict[str, Any]:
    """
    Tell what an alert says of its object.

    >>> facts_of_alert(NewestPoint(jd=2461000.5, ssdistnr=-999.0, sgscore1=0.9, distpsnr1=0.3))
    {'ra': None, 'decl': None, 'solar_system': 0.0, 'point_source': 1.0}
    """
    return {
        "ra": newest.ra,
        "decl": newest.dec,
        "solar_system": _NAN if newest.ssdistnr is None else float(0 <= newest.ssdistnr <= SOLAR_SYSTEM_RADIUS),
        "point_source": _point_source(newest),
    }


def without_sentinels(values: Sequence[float | None] | Floats) -> Floats:
    """
    Read numbers none of which is below -900: such ones, and None, are missing.

    >>> without_sentinels([20.5, -999.0, None])
    array([20.5,  nan,  nan])
    """
    array = np.asarray(values, dtype=float)
    return np.where(array > SENTINEL, array, np.nan)


def nights_of_points(nid: Integers, mjd: Floats, index: Integers, is_detection: Mask) -> Integers:
    """Give the night of every point: its ``nid``, unless that is -1, or a detection of the object has none."""
    lacks = np.bincount(index[is_detection & (nid < 0)], minlength=index[-1] + 1 if len(index) else 0) > 0
    return np.where((nid < 0) | lacks[index], night_of(np.nan_to_num(mjd)), nid)


def is_known_variable(*catalogues: Any) -> float:
    """
    Tell whether a catalogue of variables has it, from the types that a broker adds; NaN if it adds none.

    >>> is_known_variable("Unknown", "RRAB"), is_known_variable("nan"), is_known_variable()
    (1.0, 0.0, nan)
    """
    if not catalogues or all(catalogue == "Fail" for catalogue in catalogues):
        return _NAN
    return float(any(catalogue not in NO_MATCH for catalogue in catalogues))


def columns_of_facts(known: Sequence[dict[str, Any]]) -> Objects:
    """Turn what is known of each object into columns."""
    names = {name for facts in known for name in facts}
    columns: dict[str, Any] = {}
    for name in names:
        values = [facts.get(name) for facts in known]
        columns[name] = values if name == "sherlock_class" else _floats(values)
    return Objects.of(len(known), **columns)


def _point_source(newest: NewestPoint) -> float:
    if newest.sgscore1 is None or newest.distpsnr1 is None:
        return _NAN
    return float(newest.sgscore1 > STAR_SCORE and 0 <= newest.distpsnr1 < STAR_RADIUS)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array(values, dtype=float)


def _whole(values: Sequence[int | float | None]) -> Integers:
    """Read ids and nights; -1 for none. Tables keep ids as floats where some are missing: those are no ids any more."""
    return np.array([value if isinstance(value, int) else -1 for value in values], dtype=np.int64)
