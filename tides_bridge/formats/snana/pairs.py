"""
Pairs of FITS files: ``*_HEAD.FITS`` has an object a row, ``*_PHOT.FITS`` a point a row, packed with gzip or not.

An object's ``PTROBS_MIN`` and ``PTROBS_MAX`` are the rows of its first and last point, counted from 1. A row with an
epoch of -777 ends each light curve: it shows where these pointers are wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tides_bridge.compiled import Floats, Integers, Mask
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import FilePiece, Index, Options, Refused
from tides_bridge.formats.meaning.epochs import NO_EPOCH
from tides_bridge.formats.meaning.left_out import check_share, collecting
from tides_bridge.formats.snana.binary import FitsRows, open_rows
from tides_bridge.formats.snana.points import (
    DETECTED,
    SEPARATOR,
    ZERO_POINT,
    Conventions,
    codes_of_bands,
    known_or_nan,
    snana_curves,
)
from tides_bridge.lightcurves import LightCurves, Objects

POINTERS: Final = ("SNID", "PTROBS_MIN", "PTROBS_MAX")
"""Columns by which a HEAD file is known."""

POINTS: Final = ("MJD", "FLUXCAL", "FLUXCALERR")
"""Columns that a PHOT file must have, beside BAND, which was FLT before 2021."""

MARKED_ROWS: Final = 1 << 20
"""Of a PHOT file that are looked through at a time for a marked detection."""


@dataclass(frozen=True, eq=False)
class Pointers:
    """
    Where the points of some objects are.

    Attributes
    ----------
    first
        (n,) row of the first point, from 0.
    length
        (n,) how many points; 0 where the pointers are wrong.
    is_wrong
        (n,) whether they point at rows that the PHOT file does not have, or that are of another object.
    """

    first: Integers
    length: Integers
    is_wrong: Mask

    @property
    def rows(self) -> Integers:
        """(m,) the rows of all points, object by object."""
        starts = np.repeat(self.first - np.cumsum(self.length) + self.length, self.length)
        return np.asarray(starts + np.arange(int(self.length.sum())), dtype=np.int64)

    @property
    def objects(self) -> Integers:
        """(m,) the object that each of them is of."""
        return np.repeat(np.arange(len(self.first)), self.length)


def is_photometry_name(path: Path) -> bool:
    """Tell by its name whether a file is the PHOT file of a pair."""
    return path.name.upper().removesuffix(".GZ").endswith("_PHOT.FITS")


def heads_in_place(paths: Iterable[Path]) -> Iterator[Path]:
    """
    Leave out the PHOT files whose HEAD file is among these, too; in place of one alone give its HEAD file.

    Parameters
    ----------
    paths
        Any files.

    Yields
    ------
    Path
        In their order. Of a file that is there both packed and not the one that is not.
    """
    files = list(dict.fromkeys(paths))
    names = {file.resolve() for file in files}
    for file in files:
        if file.suffix.upper() == ".GZ" and file.with_suffix("").resolve() in names and "_HEAD." in file.name.upper():
            continue
        if not is_photometry_name(file):
            yield file
            continue
        heads = _beside(file, file.name.replace("_PHOT", "_HEAD").replace("_phot", "_head"))
        if not any(head.resolve() in names for head in heads):
            yield heads[0] if heads else file


def _beside(path: Path, name: str) -> list[Path]:
    """Give the files of a name beside another, packed or not."""
    bare = name[:-3] if name.lower().endswith(".gz") else name
    return [path.with_name(found) for found in (bare, f"{bare}.gz", f"{bare}.GZ") if path.with_name(found).exists()]


def photometry_of(head: FitsRows) -> Path:
    """
    Find the PHOT file that a HEAD file names, or that is called as it is.

    Raises
    ------
    MalformedAlert
        If there is none beside it.
    """
    named = str(head.header.get("PHOTFILE", "")).strip()
    alike = head.path.name.replace("_HEAD", "_PHOT").replace("_head", "_phot")
    names = [Path(name).name for name in (named, alike) if name and Path(name).name != head.path.name]
    for name in names:
        for found in _beside(head.path, name):
            return found
    raise MalformedAlert(str(head.path), f"is a HEAD file of SNANA without its PHOT file: {' or '.join(names)}")


def index_pairs(path: Path, refused: Refused) -> Index:
    """Note the objects of a HEAD file; a place is the number of its row, from 0."""
    with open_rows(path) as head, open_rows(photometry_of(head)) as phot:
        _check(phot)
        names, found = head.text("SNID"), _pointers(head, phot, slice(None))
        nameless = np.array([not name for name in names], dtype=bool)
        if found.is_wrong.any():
            count = int(np.count_nonzero(found.is_wrong))
            problem = f"{count} of {len(names)} objects point at rows that {phot.path.name} does not have for them"
            refused(path, f"{problem} (PTROBS_MIN, PTROBS_MAX), the first is {names[int(np.argmax(found.is_wrong))]}")
        if nameless.any():
            refused(path, f"{int(np.count_nonzero(nameless))} rows have no SNID")
        repeated = len(names) - len(set(names)) - max(0, int(np.count_nonzero(nameless)) - 1)
        if repeated:
            refused(path, f"{repeated} rows have the SNID of another row: of these the newest counts")
        epochs = _newest(head, phot, found)
        with collecting() as digest:
            codes = _bands(phot, found.rows)
        check_share(path, int(np.count_nonzero(codes < 0)), len(codes), digest)
    epochs[found.is_wrong | nameless] = -np.inf
    index = Index(end=len(names))
    if names:
        index.add(names, epochs, np.arange(len(names)))
    return index


def _check(phot: FitsRows) -> None:
    missing = [name for name in POINTS if name not in phot.names]
    missing += [] if {"BAND", "FLT"} & set(phot.names) else ["BAND"]
    if missing:
        raise MalformedAlert(str(phot.path), f"is no PHOT file of SNANA: it lacks {', '.join(missing)}")


def _pointers(head: FitsRows, phot: FitsRows, rows: slice) -> Pointers:
    first, last = (head.column(name, rows).astype(np.int64) for name in POINTERS[1:])
    length = last - first + 1
    counts = head.column("NOBS", rows).astype(np.int64) if "NOBS" in head.names else length
    is_empty = (counts == 0) | ((first <= 0) & (last <= 0))
    is_wrong = ~is_empty & ((first < 1) | (last > len(phot.data)) | (length < 1) | (length != counts))
    # A light curve is bounded by rows of -777, or by the ends of the file, and none lies within.
    inside = ~is_empty & ~is_wrong
    mjd = phot.data["MJD"]
    if len(mjd) and mjd[-1] == SEPARATOR:  # some old files have none at all
        is_wrong[inside] |= mjd[np.maximum(first[inside] - 2, 0)] != np.where(first[inside] > 1, SEPARATOR, mjd[0])
        is_wrong[inside] |= mjd[np.minimum(last[inside], len(mjd) - 1)] != SEPARATOR
    used = ~(is_empty | is_wrong)
    return Pointers(np.where(used, first - 1, 0), np.where(used, length, 0), is_wrong)


def _newest(head: FitsRows, phot: FitsRows, found: Pointers) -> Floats:
    """Give the newest epoch of each object [MJD]."""
    epochs = np.full(len(found.first), NO_EPOCH)
    has = found.length > 0
    if has.any():
        mjd = _conventions(head, phot).utc(phot.column("MJD", found.rows))
        starts = (np.cumsum(found.length) - found.length)[has]
        epochs[has] = np.nan_to_num(np.fmax.reduceat(mjd, starts), nan=NO_EPOCH)
    return epochs


def _conventions(head: FitsRows, phot: FitsRows) -> Conventions:
    """Read what the files say of all points."""
    survey = str(head.header.get("SURVEY", "")).strip().upper()
    zero_points = np.unique(head.column("ZP_FLUXCAL")) if "ZP_FLUXCAL" in head.names else np.array([ZERO_POINT])
    zero_points = zero_points[zero_points > 0]
    if len(zero_points) > 1:
        listed = ", ".join(f"{value:g}" for value in zero_points)
        raise MalformedAlert(str(head.path), f"has several zero points ZP_FLUXCAL: {listed}")
    named = head.header.get("PHOTFLAG_DETECT") or phot.header.get("PHOTFLAG_DETECT")
    bit = int(str(named)) if str(named or "").strip().isdigit() else DETECTED
    zero_point = float(zero_points[0]) if len(zero_points) else ZERO_POINT
    return Conventions(survey, zero_point, bit if _has_marked(phot, bit) else 0)


def _has_marked(phot: FitsRows, bit: int) -> bool:
    """Tell whether any point of a file is marked as a detection."""
    if "PHOTFLAG" not in phot.names:
        return False
    starts = range(0, len(phot.data), MARKED_ROWS)
    return any(bool((phot.column("PHOTFLAG", slice(row, row + MARKED_ROWS)) & bit).any()) for row in starts)


def read_pairs(piece: FilePiece, options: Options) -> LightCurves:
    """Read the chosen objects of a HEAD file."""
    with open_rows(piece.path) as head, open_rows(photometry_of(head)) as phot:
        chosen = np.arange(piece.start, piece.stop)
        chosen = chosen if piece.kept is None else chosen[piece.kept]
        part = FitsRows(head.path, head.header, head.data[chosen], head.scales)
        found = _pointers(part, phot, slice(None))
        rows = found.rows
        points = {name: phot.column(name, rows).astype(float) for name in POINTS}
        points["band"] = _bands(phot, rows)
        if "PHOTFLAG" in phot.names:
            points["PHOTFLAG"] = phot.column("PHOTFLAG", rows).astype(np.int64)
        objects, conventions = _objects(part), _conventions(head, phot)
        names = part.text("SNID")
    return snana_curves(names, found.objects, points, conventions, objects, options)


def _bands(phot: FitsRows, rows: Integers) -> Any:
    values = phot.column("BAND" if "BAND" in phot.names else "FLT", rows)
    width = values.dtype.itemsize
    text = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(values), [None, pa.py_buffer(values)])
    coded = text.dictionary_encode()
    places = coded.indices.to_numpy(zero_copy_only=False)
    names = [value.decode("latin-1").strip("\0 ") for value in coded.dictionary.to_pylist()]
    return codes_of_bands(names, places)


def _objects(head: FitsRows) -> Objects:
    def values(*names: str, lowest: float) -> Floats:
        name = next((name for name in names if name in head.names), None)
        return known_or_nan(None if name is None else head.column(name), len(head.data), lowest)

    ra, decl = values("RA", lowest=-1e-9), values("DEC", "DECL", lowest=-90.01)
    decl = np.where(np.isnan(ra), np.nan, decl)  # -9 stands for none in both, and is a declination
    return Objects.of(len(head.data), ra=ra, decl=decl, ebv=values("MWEBV", lowest=-1e-9))
