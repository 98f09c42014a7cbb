"""
Lasair's answers for ZTF in the shape that its API has today, the fast way: no loop of Python over points.

``{objectId, candidates, forcedphot}`` and nothing else; numbers where numbers should be. Whatever differs is left to
`records`, which reads any shape, and gives the same for this one.
"""

from collections.abc import Sequence
from itertools import chain, compress

import msgspec
import numpy as np

from tides_bridge.compiled import Floats, Integers, Mask
from tides_bridge.formats.meaning.bands import bands_of_fids
from tides_bridge.formats.meaning.brightness import LARGEST_ERROR, possible_magnitudes, tell_errors
from tides_bridge.formats.meaning.epochs import plausible_epochs
from tides_bridge.formats.meaning.sky import SOLAR_SYSTEM_RADIUS, checked_positions
from tides_bridge.formats.packed_structs import MISSING_INTEGER, NULL, Packing, without_nulls
from tides_bridge.formats.ztf import POSITIVE, nights_of_points, without_sentinels
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import MJD_ZERO

_NAN = float("nan")


class AnswerPoint(msgspec.Struct, gc=False):
    """A detection or a limit, in the order of Lasair's keys, which is how a decoder is fastest. Of one size packed."""

    jd: float
    candid: int = MISSING_INTEGER
    ra: float = _NAN
    dec: float = _NAN
    fid: float = _NAN
    nid: float = _NAN
    magpsf: float = _NAN
    sigmapsf: float = _NAN
    isdiffpos: str = "?"
    ssdistnr: float = _NAN
    drb: float = _NAN
    rb: float = _NAN
    diffmaglim: float = _NAN


class LasairAnswer(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The light curve of an object."""

    objectId: str  # noqa: N815
    candidates: list[AnswerPoint]
    forcedphot: msgspec.Raw = msgspec.Raw(b"[]")


ONE = msgspec.json.Decoder(LasairAnswer)
LIST = msgspec.json.Decoder(list[LasairAnswer])
PACKING = Packing(AnswerPoint)


def curves_of_answers(text: bytes, is_lines: bool, kept: Mask | None) -> LightCurves | None:
    """
    Make light curves of answers, one a line or all in a list; None if they are not of this shape.

    Parameters
    ----------
    text
        JSON.
    is_lines
        One value a line, not one list.
    kept
        (answers,) which are wanted; None: all.
    """
    for prepared in (bytes, without_nulls):
        try:
            answers = ONE.decode_lines(prepared(text)) if is_lines else LIST.decode(prepared(text))
            if kept is not None and len(kept) != len(answers):
                return None
            chosen = answers if kept is None else list(compress(answers, kept.tolist()))
            return _curves([answer.objectId.strip() for answer in chosen], [answer.candidates for answer in chosen])
        except (msgspec.MsgspecError, ValueError):
            # Not of this shape: `records` will say what is wrong, if anything is.
            continue
    return None


def _curves(names: list[str], candidates: Sequence[list[AnswerPoint]]) -> LightCurves:
    columns = PACKING.columns(list(chain.from_iterable(candidates)))
    index = np.repeat(np.arange(len(names)), [len(points) for points in candidates])
    columns |= {name: without_sentinels(columns[name]) for name in ("ra", "dec", "nid", "magpsf", "drb", "rb")}
    candid, sign, nid = columns["candid"], columns["isdiffpos"], columns["nid"]
    if (candid > MISSING_INTEGER).any() or (nid != np.floor(nid))[~np.isnan(nid)].any():
        raise ValueError("a candid or a night is none")
    columns["magpsf"] = possible_magnitudes(columns["magpsf"])
    is_detection = (candid != MISSING_INTEGER) & ~np.isnan(columns["magpsf"])
    tell_errors(columns["sigmapsf"], np.where(is_detection, columns["magpsf"], np.nan), LARGEST_ERROR)
    mjd = plausible_epochs(columns["jd"] - MJD_ZERO)
    whole_nid = np.where(np.isnan(nid), -1, nid).astype(np.int64)
    return LightCurves.from_magnitudes(
        names,
        index,
        mjd,
        bands_of_fids(columns["fid"]),
        columns["magpsf"],
        columns["sigmapsf"],
        is_detection=is_detection,
        is_positive=np.isin(sign, [spelling.encode() for spelling in POSITIVE if isinstance(spelling, str)]),
        limiting_magnitude=columns["diffmaglim"],
        night=nights_of_points(whole_nid, mjd, index),
        source_id=np.where(candid == MISSING_INTEGER, 0, candid).astype(np.int64) - (candid == MISSING_INTEGER),
        reliability=np.where(np.isnan(columns["drb"]), columns["rb"], columns["drb"]),
        ra=columns["ra"],
        decl=columns["dec"],
        objects=_objects(len(names), index, candid != MISSING_INTEGER, columns),
    )


def _objects(number: int, index: Integers, has_candid: Mask, columns: dict[str, Floats]) -> Objects:
    """Tell of each object what its newest detection says, as `ztf.facts` does."""
    detections = np.flatnonzero(has_candid)
    order = detections[np.lexsort((columns["jd"][detections], index[detections]))]
    objects, first = np.unique(index[order][::-1], return_index=True)
    newest = order[::-1][first]
    distance = columns["ssdistnr"][newest]
    near = np.where(
        np.isnan(distance) | (distance == NULL), np.nan, (distance >= 0) & (distance <= SOLAR_SYSTEM_RADIUS)
    )
    known: dict[str, Floats] = {}
    ra, decl = checked_positions(columns["ra"][newest], columns["dec"][newest])
    for name, values in (("ra", ra), ("decl", decl), ("solar_system", near)):
        known[name] = np.full(number, np.nan)
        known[name][objects] = values
    return Objects.of(number, **known)
