"""
Babamul's alerts (BOOM) written as the survey does, wherever they come from: a stream, a container, JSON, Parquet.

Sources: the babamul client (``raw_models.py``) and boom (``alert/lsst.rs``). Its alerts have a ``candidate`` as the
survey has it, with magnitudes, and the history as difference fluxes: ``prv_candidates``, in which this detection is,
too, ``prv_nondetections`` and ``fp_hists``. Fluxes of Rubin are in nJy. Those of ZTF give magnitudes with a zero point
of 23.9 mag for 1e9 of them, as the client has it; what the candidate says of itself in both counts more. ``jd`` of
Rubin is UTC since the end of 2025, before it was TAI (boom-astro/boom#301): which it is, the candidate's two epochs
tell.
"""

import math
from typing import Any

from tides_bridge.errors import MalformedAlert
from tides_bridge.lightcurves.photometry import LIMIT_SIGNIFICANCE, MJD_ZERO, POGSON, TAI_AHEAD, ZTF_BANDS

ZTF_ZERO_POINT = 23.9 + 2.5 * 9
"""[mag] Of Babamul's fluxes of ZTF (babamul client: 23.9 for psfFlux * 1e-9)."""

FID_OF_BAND = {band: fid for fid, band in ZTF_BANDS.items()}

UNKNOWN_ID = -1
"""Stands for the ``candid`` of a detection of which the id is not told."""

Point = dict[str, Any]


def is_babamul(content: Any) -> bool:
    """Tell whether a record has a ``candidate`` whose band is a name: ZTF's own has a number."""
    candidate = content.get("candidate") if isinstance(content, dict) else None
    return isinstance(candidate, dict) and candidate.get("band") is not None


def survey_packet(content: Any) -> Any:
    """
    Write an alert of Babamul as its survey does; anything else stays as it is.

    Parameters
    ----------
    content
        A decoded record.

    Raises
    ------
    MalformedAlert
        If something of it is missing, or of another type.
    """
    if not is_babamul(content):
        return content
    try:
        return lsst_packet(content) if "diaSourceId" in content["candidate"] else ztf_packet(content)
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise MalformedAlert("message", f"is no alert of Babamul: {type(problem).__name__}: {problem}") from None


def lsst_packet(content: dict[str, Any]) -> dict[str, Any]:
    """
    Write an alert of Rubin as Rubin does.

    Raises
    ------
    KeyError, TypeError, ValueError
        If something of it is missing, or of another type.
    """
    candidate = content["candidate"]
    zero = _zero_of(candidate)
    name = candidate.get("diaObjectId") or content.get("objectId")
    if candidate.get("ssObjectId") and not candidate.get("diaObjectId"):
        name = None  # then objectId names what moves
    return {
        "diaSource": candidate | {"diaObjectId": name},
        "prvDiaSources": [_source(point, zero) for point in _earlier(content)],
        "prvDiaForcedSources": [_source(point, zero) for point in content.get("fp_hists") or []],
    }


def ztf_packet(content: dict[str, Any]) -> dict[str, Any]:
    """
    Write an alert of ZTF as ZTF does; its forced photometry is not read, as that of ZTF's own packets.

    Raises
    ------
    KeyError, TypeError, ValueError
        If something of it is missing, or of another type.
    """
    candidate = content["candidate"]
    zero_point = _zero_point(candidate)
    detections = [_detection(point, zero_point) for point in _earlier(content) if point.get("psfFlux")]
    limits = [_limit(point, zero_point) for point in content.get("prv_nondetections") or []]
    own = {"candid": content["candid"]} | {key: value for key, value in candidate.items() if value is not None}
    return {"objectId": content["objectId"], "candidate": own, "prv_candidates": detections + limits}


def _earlier(content: dict[str, Any]) -> list[Point]:
    """Give the detections without the newest, which is the candidate."""
    newest = content["candidate"]
    same = (newest["jd"], newest["band"])
    return [point for point in content.get("prv_candidates") or [] if (point["jd"], point["band"]) != same]


def _zero_of(candidate: Point) -> float:
    """Tell what ``jd`` of Rubin's points counts from, as MJD in TAI [d]: it is UTC, unless the candidate's is TAI."""
    tai = candidate.get("midpointMjdTai")
    is_tai = tai is not None and abs(candidate["jd"] - MJD_ZERO - tai) < TAI_AHEAD / 2
    return MJD_ZERO if is_tai else MJD_ZERO - TAI_AHEAD


def _source(point: Point, zero: float) -> Point:
    """Write a point as a source of Rubin."""
    return {
        "midpointMjdTai": point["jd"] - zero,
        "band": point["band"],
        "psfFlux": point.get("psfFlux"),
        "psfFluxErr": point["psfFluxErr"],
        "ra": point.get("ra"),
        "dec": point.get("dec"),
    }


def _zero_point(candidate: Point) -> float:
    """Tell the zero point of the fluxes [mag] from the magnitude and flux of the candidate."""
    magnitude, flux = candidate.get("magpsf"), candidate.get("psfFlux")
    if not magnitude or not flux or not math.isfinite(magnitude + flux):
        return ZTF_ZERO_POINT
    return float(magnitude + 2.5 * math.log10(abs(flux)))


def _detection(point: Point, zero_point: float) -> Point:
    """Write a point as a detection of ZTF."""
    size = abs(point["psfFlux"])
    return {
        "jd": point["jd"],
        "fid": FID_OF_BAND.get(point["band"]),
        "candid": UNKNOWN_ID,
        "magpsf": zero_point - 2.5 * math.log10(size),
        "sigmapsf": POGSON * point["psfFluxErr"] / size,
        "isdiffpos": point["psfFlux"] > 0,
        "ra": point.get("ra"),
        "dec": point.get("dec"),
    }


def _limit(point: Point, zero_point: float) -> Point:
    """Write a point as an upper limit of ZTF."""
    error = point["psfFluxErr"]
    depth = zero_point - 2.5 * math.log10(LIMIT_SIGNIFICANCE * error) if error > 0 else None
    return {"jd": point["jd"], "fid": FID_OF_BAND.get(point["band"]), "diffmaglim": depth}
