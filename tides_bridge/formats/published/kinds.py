"""
Kinds of file beside those of the alerts: how each is known by its content, indexed and read.

`tides_bridge.formats.files` asks here for what it does not know itself.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import FilePiece, Index, Noted, Options, Refused
from tides_bridge.formats.meaning.epochs import NO_EPOCH
from tides_bridge.formats.meaning.roles import roles_of
from tides_bridge.formats.published.astropy_tables import astropy_curves, is_astropy_text
from tides_bridge.formats.published.forced import (
    atlas_forced_curves,
    is_atlas_forced,
    is_ztf_forced,
    ztf_forced_curves,
)
from tides_bridge.formats.published.json_points import is_json_points, json_point_curves
from tides_bridge.formats.snana.binary import open_rows
from tides_bridge.formats.snana.object_rows import index_object_rows, read_object_rows
from tides_bridge.formats.snana.pairs import POINTERS, index_pairs, read_pairs
from tides_bridge.formats.snana.texts import is_snana_text, snana_text_curves
from tides_bridge.lightcurves import LightCurves

FITS: Final = b"SIMPLE  ="

DUMP: Final = re.compile(rb"\A(?:#[^\n]*\n|\s)*VARNAMES:\s")
"""How a DUMP file begins, after comments."""

Reading = Callable[[Path, Options, Refused, Noted], LightCurves]


@dataclass(frozen=True)
class OtherKind:
    """How files of a kind are indexed, and how a piece of one is read."""

    index: Callable[[Path, Options, Refused], Index]
    read: Callable[[FilePiece, Options, Refused, Noted], LightCurves]


def other_kind_of(path: Path, start: bytes) -> str | None:
    """
    Tell which of `OTHER_KINDS` a file is; None: none of them.

    Parameters
    ----------
    path
        The file.
    start
        Its first bytes, unpacked.

    Raises
    ------
    MalformedAlert
        If it is FITS without a table of light curves, or SNANA's truth.
    """
    if start.startswith(FITS):
        with open_rows(path) as rows:
            names, part = set(rows.names), str(rows.header.get("EXTNAME", "")).strip()
        if set(POINTERS) <= names:
            return "snana pair"
        if {"MJD", "FLUXCAL"} <= names and "SNID" not in names and not roles_of(names):  # its points have no object
            raise MalformedAlert(str(path), "is a PHOT file of SNANA, whose HEAD file is not beside it")
        if part.upper().startswith(("SPEC", "FLUX")) and "MJD" not in names:
            raise MalformedAlert(str(path), "is FITS with spectra, not with light curves")
        return "astropy table"
    if is_astropy_text(start):
        return "astropy table"
    if is_json_points(start):
        return "JSON points"
    if DUMP.search(start):
        raise MalformedAlert(str(path), "is a DUMP file of SNANA: it has no light curves, but the truth, for --truth")
    tests = {"snana text": is_snana_text, "ztf forced": is_ztf_forced, "atlas forced": is_atlas_forced}
    return next((kind for kind, is_kind in tests.items() if b"\0" not in start[:512] and is_kind(start)), None)


def service_of(kind: str, names: Iterable[str]) -> str | None:
    """
    Tell whose answer a file is, if what its points are, or which object they are of, must be guessed; None: it is none.

    Parameters
    ----------
    kind
        Of the file.
    names
        Of the columns of a table; else none.

    >>> service_of("text", ["oid", "mjd", "mag", "filtercode"]), service_of("text", ["objectId", "mjd"])
    ("a table of IRSA's light curves", None)
    """
    small = {name.strip().lower() for name in names}
    if kind in ASKED_FOR:
        return ASKED_FOR[kind]
    if {"oid", "filtercode"} <= small:
        return "a table of IRSA's light curves"
    return "a table of Fink's portal" if any(FINK.match(name) for name in small) else None


ASKED_FOR: Final = {
    "ztf forced": "an answer of ZTF's forced photometry service",
    "atlas forced": "an answer of ATLAS's forced photometry service",
}
"""Kinds of files of services that measure where they are asked to."""

FINK: Final = re.compile(r"[a-z]:\w")
"""How names of columns begin in Fink's portal."""


def _whole(read: Reading) -> OtherKind:
    """Make a kind of a reader of whole files: they are small, and read twice."""

    def index(path: Path, options: Options, refused: Refused) -> Index:
        curves = read(path, options, refused, _silent)
        found = Index(end=len(curves))
        epochs = np.full(len(curves), NO_EPOCH)
        has = np.diff(curves.offsets) > 0
        if has.any():
            epochs[has] = np.fmax.reduceat(curves.mjd, curves.offsets[:-1][has])
        if len(curves):
            found.add(curves.object_ids, epochs, np.arange(len(curves)))
        return found

    def read_piece(piece: FilePiece, options: Options, _refused: Refused, noted: Noted) -> LightCurves:
        curves = read(piece.path, options, _silent, noted).part(piece.start, piece.stop)
        if piece.kept is None:
            return curves
        return LightCurves.joined([curves.part(number, number + 1) for number in np.flatnonzero(piece.kept).tolist()])

    return OtherKind(index, read_piece)


def _silent(_path: Path, _problem: str) -> None:
    """Tell nobody: the other reading of the file tells."""


OTHER_KINDS: Final[dict[str, OtherKind]] = {
    "snana pair": OtherKind(
        lambda path, _, refused: index_pairs(path, refused), lambda piece, options, _, __: read_pairs(piece, options)
    ),
    "object rows": OtherKind(
        lambda path, _, refused: index_object_rows(path, refused),
        lambda piece, options, refused, _: read_object_rows(piece, options, refused),
    ),
    "snana text": _whole(lambda path, options, refused, __: snana_text_curves(path, options, refused)),
    "ztf forced": _whole(lambda path, _, refused, __: ztf_forced_curves(path, refused)),
    "atlas forced": _whole(lambda path, _, refused, __: atlas_forced_curves(path, refused)),
    "astropy table": _whole(astropy_curves),
    "JSON points": _whole(json_point_curves),
}
"""By their names, which `files.kind_of` gives."""
