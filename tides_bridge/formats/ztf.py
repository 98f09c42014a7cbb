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

from tides_bridge.compiled import Floats, Integers
from tides_bridge.formats.meaning.bands import bands_of_fids
from tides_bridge.formats.meaning.brightness import LARGEST_ERROR, possible_magnitudes, tell_errors
from tides_bridge.formats.meaning.epochs import known_epochs, plausible_epochs
from tides_bridge.formats.meaning.identifiers import EXACT
from tides_bridge.formats.meaning.nights import filled_nights, nights_of_ztf
from tides_bridge.formats.meaning.sky import SOLAR_SYSTEM_RADIUS, STAR_RADIUS, STAR_SCORE, checked_positions
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.columns import SENTINEL
from tides_bridge.lightcurves.photometry import MJD_ZERO

Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What fits an Avro long, and a column of 64 bits."""

NO_MATCH = (None, "", "nan", "null", "Unknown", "Fail")
"""What a broker writes where a catalogue of variables has nothing; "Fail" where it could not look."""

POSITIVE = ("t", "1", 1, "T", "true", "True", "TRUE", "1.0")
"""How ``isdiffpos`` says that a source is brighter than the template."""

_NAN = float("nan")


class Point(msgspec.Struct, gc=False):
    """One entry of ``candidate``, ``prv_candidates`` or Lasair's ``candidates``."""

    jd: float | None
    fid: int | float | None = None
    candid: int | float | str | None = None
    magpsf: float | None = None
    sigmapsf: float | None = None
    diffmaglim: float | None = None
    isdiffpos: str | int | float | bool | None = None
    nid: Long | float | None = None
    ra: float | None = None
    dec: float | None = None
    rb: float | None = None
    drb: float | None = None


class NewestPoint(Point, gc=False):
    """The entry that an alert is about, which knows more; with a ``band`` it is one of Babamul's."""

    band: Any = None
    ssdistnr: float | None = None
    sgscore1: float | None = None
    distpsnr1: float | None = None
    jdstarthist: float | None = None


@dataclass
class ZtfObject:
    """One object of a file: its points, and what is known beside."""

    object_id: str
    points: list[Point]
    known: dict[str, Any] = field(default_factory=dict)


def ztf_curves(objects: Sequence[ZtfObject]) -> LightCurves:
    """
    Build light curves.

    A night is ``nid``, or where a point has none the UTC day, as ZTF counts them. The reliability is ``drb``, or ``rb``
    where that is missing.
    """
    points = list(chain.from_iterable(ztf_object.points for ztf_object in objects))
    index = np.repeat(np.arange(len(objects)), [len(ztf_object.points) for ztf_object in objects])
    magnitude, error = (
        without_sentinels([getattr(point, name) for point in points]) for name in ("magpsf", "sigmapsf")
    )
    magnitude = possible_magnitudes(magnitude)
    tell_errors(error, magnitude, LARGEST_ERROR)
    is_detection = np.array([has_id(point.candid) for point in points], dtype=bool) & ~np.isnan(magnitude)
    mjd = plausible_epochs(_floats([point.jd for point in points]) - MJD_ZERO)
    deep = without_sentinels([point.drb for point in points])
    return LightCurves.from_magnitudes(
        [ztf_object.object_id for ztf_object in objects],
        index,
        mjd,
        bands_of_fids(_floats([point.fid for point in points])),
        magnitude,
        error,
        is_detection=is_detection,
        is_positive=np.array([point.isdiffpos in POSITIVE for point in points], dtype=bool),
        limiting_magnitude=without_sentinels([point.diffmaglim for point in points]),
        night=nights_of_points(_whole([point.nid for point in points]), mjd, index),
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
    {'ra': None, 'decl': None, 'solar_system': 0.0, 'point_source': 1.0, 'first_seen': nan}
    """
    return {
        "ra": newest.ra,
        "decl": newest.dec,
        "solar_system": _NAN if newest.ssdistnr is None else float(0 <= newest.ssdistnr <= SOLAR_SYSTEM_RADIUS),
        "point_source": _point_source(newest),
        "first_seen": float(known_epochs((newest.jdstarthist or _NAN) - MJD_ZERO)),
    }


def without_sentinels(values: Sequence[float | None] | Floats) -> Floats:
    """
    Read numbers none of which is below -900: such ones, and None, are missing.

    >>> without_sentinels([20.5, -999.0, None])
    array([20.5,  nan,  nan])
    """
    array = np.asarray(values, dtype=float)
    return np.where(array > SENTINEL, array, np.nan)


def has_id(candid: float | str | None) -> bool:
    """Tell whether a ``candid`` is one: a table keeps a missing one as NaN."""
    return candid is not None and candid == candid and candid != ""  # noqa: PLR0124 - NaN is none


def nights_of_points(nid: Integers, mjd: Floats, index: Integers) -> Integers:
    """Give the night of every point: its ``nid``, or if that is -1 ZTF's number of the night of its epoch."""
    return filled_nights(nid, nights_of_ztf(np.nan_to_num(mjd)), index) if (nid < 0).any() else nid


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
        columns[name] = values if name in ("sherlock_class", "annotations") else _floats(values)
    if {"ra", "decl"} <= names:
        columns["ra"], columns["decl"] = checked_positions(columns["ra"], columns["decl"])
    return Objects.of(len(known), **columns)


def _point_source(newest: NewestPoint) -> float:
    if newest.sgscore1 is None or newest.distpsnr1 is None:
        return _NAN
    return float(newest.sgscore1 > STAR_SCORE and 0 <= newest.distpsnr1 < STAR_RADIUS)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array(values, dtype=float)


def _whole(values: Sequence[float | str | None]) -> Integers:
    """
    Read ids and nights; -1 for none.

    Tables keep them as floats where some are missing: from 2**53 on those have lost digits, and are none any more. Nor
    are those beyond 64 bits: a point without id is told from others by its epoch.
    """
    return np.array([_whole_number(value) for value in values], dtype=np.int64)


def _whole_number(value: float | str | None) -> int:
    if isinstance(value, str):
        value = int(value) if value.strip().isdecimal() else None
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < EXACT else None
    return int(value) if value is not None and -(2**63) <= value < 2**63 else -1
