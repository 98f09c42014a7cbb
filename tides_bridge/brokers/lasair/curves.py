"""
The light curves of Lasair for ZTF: what its API answers becomes columns.

An answer is decoded into just the fields that are needed, by a parser that skips the others; one that is not as it
should be (an old shape, a literal NaN, a value of a wrong type) is read again, entry by entry, with a reason for each
that cannot be used. Sources: lasair4 ``serializers.py`` and ``lightcurves.py``.
"""

import json
import logging
import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from tides_bridge.brokers.base import Fetched, brief
from tides_bridge.formats.meaning.bands import BAND_OF_FID
from tides_bridge.formats.meaning.brightness import possible_magnitudes
from tides_bridge.formats.meaning.epochs import EPOCHS
from tides_bridge.formats.meaning.nights import NID_ZERO, nights_of_ztf
from tides_bridge.formats.packed_structs import MISSING_INTEGER, Packing, without_nulls
from tides_bridge.formats.ztf import POSITIVE, without_sentinels
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.columns import SENTINEL
from tides_bridge.lightcurves.photometry import BANDS, MJD_ZERO, ZTF_BANDS, mjd_from_jd

logger = logging.getLogger(__name__)

LAST_NIGHT = 10**6
"""Nights are numbered by ZTF since 2017, or by MJD: a number beyond is none."""

NO_DETECTION = "the light-curve API has no detection of it"

_NONE = float("nan")


class _Point(msgspec.Struct, gc=False):
    """A detection, which has a ``candid``, or a limit, in the order of Lasair's keys; other fields are skipped."""

    jd: float
    candid: int = MISSING_INTEGER
    ra: float = _NONE
    dec: float = _NONE
    fid: float = _NONE
    nid: float = _NONE
    magpsf: float = _NONE
    sigmapsf: float = _NONE
    isdiffpos: str = "?"
    drb: float = _NONE
    diffmaglim: float = _NONE


class _Answer(msgspec.Struct, gc=False):
    objectId: str  # noqa: N815 (Lasair's name)
    candidates: list[_Point] = []


_decoder = msgspec.json.Decoder(list[_Answer])
_packing = Packing(_Point)


def fetched_light_curves(body: bytes, object_ids: Sequence[str] | None = None) -> Fetched:
    """
    Make light curves of an answer of ``lightcurves/``.

    Parameters
    ----------
    body
        JSON. Today a list of ``{objectId, candidates, forcedphot}``, from older servers a list of lists of candidates
        in the order asked for; forced photometry is left out.
    object_ids
        The objects asked for, in the order wanted; None for all that have a name.

    Raises
    ------
    ValueError, RecursionError
        If it is no such answer.
    """
    for prepared in (bytes, without_nulls):
        try:
            answers = {answer.objectId: answer.candidates for answer in _decoder.decode(prepared(body))}
            names = list(answers) if object_ids is None else list(object_ids)
            return _curves_of_points(names, [answers.get(name, []) for name in names])
        except (msgspec.MsgspecError, ValueError) as problem:
            logger.debug("not the usual answer problem=%s", problem)
    return _read_leniently(body, object_ids)


def _curves_of_points(names: list[str], candidates: list[list[_Point]]) -> Fetched:
    """
    Make light curves of points, all at once.

    Raises
    ------
    ValueError
        If any value is not as it should be.
    """
    columns = _packing.columns(list(chain.from_iterable(candidates)))
    index = np.repeat(np.arange(len(names)), [len(points) for points in candidates])
    is_detection = columns["candid"] != MISSING_INTEGER
    has_any = np.bincount(index[is_detection], minlength=len(names)) > 0
    mjd, fid, night = columns["jd"] - MJD_ZERO, columns["fid"], columns["nid"]
    is_given = ~np.isnan(night)
    is_night = ~is_given | ((night >= 0) & (night < LAST_NIGHT) & (night == np.floor(night)))
    lacks_night = np.bincount(index[is_detection & ~is_given], minlength=len(names)) > 0
    # Where a detection has no ``nid`` all nights are counted: as ZTF does, so that they stay the same.
    night = np.where(is_given & ~lacks_night[index], night, np.floor(mjd) - NID_ZERO)
    is_right = (mjd > EPOCHS[0]) & (mjd < EPOCHS[1]) & is_night
    if not (is_right & (fid >= 0) & (fid == np.floor(fid)) & (columns["candid"] <= MISSING_INTEGER)).all():
        raise ValueError("an epoch, a night, a filter or a candid is none")
    for name in ("ra", "dec", "drb"):
        values = columns[name]
        columns[name] = np.where(is_detection & (values > SENTINEL), values, np.nan)
    if not has_any.all():  # what has limits only has no light curve
        kept = has_any[index]
        columns = {name: values[kept] for name, values in columns.items()}
        mjd, night, is_detection, index = (
            mjd[kept],
            night[kept],
            is_detection[kept],
            (np.cumsum(has_any) - 1)[index[kept]],
        )
    given = without_sentinels(columns["magpsf"])
    magnitude = possible_magnitudes(given)
    curves = LightCurves.from_magnitudes(
        [name for name, has in zip(names, has_any.tolist(), strict=True) if has],
        index,
        mjd,
        BAND_OF_FID[np.clip(columns["fid"], 0, len(BAND_OF_FID) - 1).astype(np.int64)],
        magnitude,
        columns["sigmapsf"],
        is_detection=is_detection & (np.isnan(magnitude) == np.isnan(given)),
        is_positive=(columns["isdiffpos"] == b"t") | (columns["isdiffpos"] == b"1"),
        limiting_magnitude=columns["diffmaglim"],
        night=night.astype(np.int64),
        source_id=np.where(is_detection, columns["candid"], 0).astype(np.int64) - ~is_detection,
        reliability=columns["drb"],
        ra=columns["ra"],
        decl=columns["dec"],
    )
    return Fetched(curves, {name: NO_DETECTION for name, has in zip(names, has_any.tolist(), strict=True) if not has})


# Entry by entry


def _read_leniently(body: bytes, object_ids: Sequence[str] | None) -> Fetched:
    answers = _by_object(json.loads(body), object_ids)
    rows: list[tuple[object, ...]] = []
    found: list[str] = []
    missing: dict[str, str] = {}
    for object_id in answers if object_ids is None else object_ids:
        try:
            points = points_of(answers.get(object_id), len(found))
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            missing[object_id] = f"its light curve cannot be read: {brief(error)}"
            continue
        if points:
            found.append(object_id)
            rows += points
        else:
            missing[object_id] = NO_DETECTION
    return Fetched(curves_of_rows(found, rows), missing)


def _by_object(answer: object, object_ids: Sequence[str] | None) -> dict[str, Any]:
    """
    Sort both shapes of an answer by object id.

    Where one entry has a name, one without is nobody's: by its place it might be another object's.
    """
    if not isinstance(answer, list):
        raise ValueError(f"{str(answer)[:200]!r} is not a list")
    named = [entry for entry in answer if isinstance(entry, dict) and "objectId" in entry]
    if named or object_ids is None:
        return {str(entry["objectId"]): entry.get("candidates") for entry in named}
    if len(answer) != len(object_ids):
        raise ValueError(f"{len(answer)} answers to {len(object_ids)} objects")
    return {
        object_id: entry.get("candidates") if isinstance(entry, dict) else entry
        for object_id, entry in zip(object_ids, answer, strict=True)
    }


def points_of(candidates: list[dict[str, Any]] | None, index: int) -> list[tuple[object, ...]]:
    """
    Make the rows of one object for `curves_of_rows`; none if it has no detection.

    A detection is what has a ``candid``: with ``lasair_added`` a limit has a ``magpsf`` too. One that comes twice is
    counted once. A point that cannot be read is left out, and logged.

    Raises
    ------
    TypeError, ValueError, KeyError, AttributeError, OverflowError
        If the answer is no list of points, or no detection can be read.
    """
    candidates = candidates or []
    detections = {point["candid"]: point for point in candidates if point.get("candid") is not None}
    limits = [point for point in candidates if point.get("candid") is None]
    rows, problems = [], []
    for point in (*detections.values(), *(limits if detections else ())):
        try:
            rows.append(_row(point, index))
        except (TypeError, ValueError, KeyError, OverflowError) as problem:
            problems.append(problem)
    if problems and not any(row[6] for row in rows):
        raise problems[0]
    if problems:
        logger.warning("points left out number=%d of=%d first=%r", len(problems), len(candidates), problems[0])
    return rows


def curves_of_rows(object_ids: Sequence[str], rows: Iterable[tuple[object, ...]]) -> LightCurves:
    """Build light curves from the rows that `points_of` makes."""
    types = (np.int64, float, np.int8, float, float, np.int64, bool, bool, float, float, np.int64, float, float)
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    arrays: list[Any] = [np.array(column, dtype=dtype) for column, dtype in zip(columns, types, strict=True)]
    index, mjd, band, mag, error, night, detection, positive, ra, decl, source_id, reliability, limit = arrays
    possible = possible_magnitudes(mag)
    detection &= np.isnan(possible) == np.isnan(mag)
    lacks = np.bincount(index[detection & (night < 0)], minlength=len(object_ids)) > 0
    return LightCurves.from_magnitudes(
        object_ids,
        index,
        mjd,
        band,
        possible,
        error,
        is_detection=detection,
        is_positive=positive,
        limiting_magnitude=limit,
        night=np.where(lacks[index] | (night < 0), nights_of_ztf(mjd), night),
        source_id=source_id,
        reliability=reliability,
        ra=ra,
        decl=decl,
    )


def _row(point: dict[str, Any], index: int) -> tuple[object, ...]:
    """Make one row; without ``nid`` its night is -1."""
    mjd = mjd_from_jd(float(point["jd"]))
    night = -1 if point.get("nid") is None else int(point["nid"])
    if not EPOCHS[0] < mjd < EPOCHS[1] or not (point.get("nid") is None or 0 <= night < LAST_NIGHT):
        raise ValueError(f"jd {point['jd']}, nid {point.get('nid')}")
    candid = point.get("candid")
    is_detection = candid is not None
    band = ZTF_BANDS.get(int(point["fid"]))
    measured = [_value(point, key) if is_detection else _NONE for key in ("ra", "dec", "drb")]
    # An id that 64 bits do not hold is none.
    number = int(candid) if isinstance(candid, int) or (isinstance(candid, str) and candid.isdecimal()) else -1
    return (
        index,
        mjd,
        BANDS.index(band) if band else -1,
        _value(point, "magpsf") if is_detection else _NONE,
        _value(point, "sigmapsf") if is_detection else _NONE,
        night,
        is_detection,
        point.get("isdiffpos") in POSITIVE,
        *measured[:2],
        number if 0 <= number < 2**63 else -1,
        measured[2],
        _value(point, "diffmaglim"),
    )


def _value(point: dict[str, Any], key: str) -> float:
    """Give a number of a point; NaN where it is missing, infinite, or a sentinel: -999, -99999."""
    value = _NONE if point.get(key) is None else float(point[key])
    return value if math.isfinite(value) and value not in (-999.0, -99999.0) else _NONE
