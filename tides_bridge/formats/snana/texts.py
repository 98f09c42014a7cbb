"""
SNANA's text: keys with a colon, then a line ``VARLIST:`` with names and a line ``OBS:`` for each point, then ``END:``.

A file may have several objects one after the other, each from its ``SURVEY:`` or ``SNID:`` on.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options, Refused
from tides_bridge.formats.contents import whole_content
from tides_bridge.formats.meaning.left_out import check_share, collecting, pass_on
from tides_bridge.formats.snana.points import (
    DETECTED,
    ZERO_POINT,
    Conventions,
    codes_of_bands,
    known_or_nan,
    snana_curves,
)
from tides_bridge.lightcurves import LightCurves, Objects

KEYS: Final = ("SURVEY:", "SNID:", "NVAR:", "VARLIST:", "OBS:")
"""Words that begin lines of such a file."""

NEEDED: Final = ("MJD", "FLUXCAL", "FLUXCALERR")


@dataclass
class TextObject:
    """One object of a text: its keys, the names of its columns, and its rows of points."""

    keys: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    uneven: int = 0


def is_snana_text(start: bytes) -> bool:
    """Tell by its first bytes whether a text is SNANA's: two of its keys begin lines."""
    words = {line.split(maxsplit=1)[0] for line in start.decode("latin-1").splitlines() if line.strip()}
    return len(words & set(KEYS)) >= 2


def snana_text_curves(path: Path, options: Options, refused: Refused) -> LightCurves:
    """
    Read all objects of a text.

    Parameters
    ----------
    path
        The file.
    options
        What it may not say of itself.
    refused
        Is told of objects without name or points, and of lines that have too few or too many fields.
    """
    with collecting() as digest:
        parts = _curves(path, options, refused)
    bands = [part.band for part in parts]
    check_share(path, sum(int((band < 0).sum()) for band in bands), sum(map(len, bands)), digest)
    pass_on(digest)
    return LightCurves.joined(parts)


def _curves(path: Path, options: Options, refused: Refused) -> list[LightCurves]:
    parts = []
    for found in _objects_in(whole_content(path).decode("latin-1")):
        try:
            parts.append(_curve(found, path, options))
        except MalformedAlert as problem:
            refused(path, problem.problem)
        if found.uneven:
            refused(path, f"{found.uneven} lines OBS: of {found.keys.get('SNID')} have another number of fields")
    return parts


def _objects_in(text: str) -> list[TextObject]:
    objects = [TextObject()]
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words or not words[0].endswith(":"):
            continue
        key, current = words[0][:-1], objects[-1]
        if key in {"SURVEY", "SNID"} and (key in current.keys or current.rows):
            current = TextObject({"SURVEY": current.keys.get("SURVEY", "")} if key == "SNID" else {})
            objects.append(current)
        if key == "OBS":
            if len(words) - 1 == len(current.names):
                current.rows.append(words[1:])
            else:
                current.uneven += 1
        elif key in {"VARLIST", "VARNAMES"}:
            current.names = [name.upper() for name in words[1:]]
        elif len(words) > 1:
            current.keys.setdefault(key.upper(), words[1])
    return [found for found in objects if found.keys or found.rows]


def _curve(found: TextObject, path: Path, options: Options) -> LightCurves:
    name = found.keys.get("SNID", "")
    band = next((name for name in ("BAND", "FLT") if name in found.names), "BAND")
    missing = [column for column in (*NEEDED, band) if column not in found.names]
    if not name:
        raise MalformedAlert(str(path), "an object has no SNID")
    if missing or not found.rows:
        raise MalformedAlert(str(path), f"{name} has no {'column ' + ', '.join(missing) if missing else 'line OBS:'}")
    columns = dict(zip(found.names, zip(*found.rows, strict=True), strict=True))
    points: dict[str, Any] = {column: _numbers(columns[column], name, column, path) for column in NEEDED}
    spelt, places = np.unique(np.array(columns[band]), return_inverse=True)
    points["band"] = codes_of_bands(spelt.tolist(), places)
    detected = 0
    if "PHOTFLAG" in columns:
        points["PHOTFLAG"] = _numbers(columns["PHOTFLAG"], name, "PHOTFLAG", path).astype(np.int64)
        bit = int(found.keys["PHOTFLAG_DETECT"]) if found.keys.get("PHOTFLAG_DETECT", "").isdigit() else DETECTED
        detected = bit if (points["PHOTFLAG"] & bit).any() else 0
    zero_point = _key(found, ("ZP_FLUXCAL", "FLUXCAL_ZPT"), 0.0)
    conventions = Conventions(
        found.keys.get("SURVEY", "").upper(), zero_point if zero_point > 0 else ZERO_POINT, detected
    )
    ra = known_or_nan([_key(found, ("RA",), -9.0)], 1, -1e-9)
    decl = known_or_nan([_key(found, ("DECL", "DEC"), -99.0)], 1, -90.01)
    ebv = known_or_nan([_key(found, ("MWEBV",), -9.0)], 1, -1e-9)
    objects = Objects.of(1, ra=ra, decl=np.where(np.isnan(ra), np.nan, decl), ebv=ebv)
    index = np.zeros(len(found.rows), dtype=np.int64)
    return snana_curves([name], index, points, conventions, objects, options)


def _numbers(values: Any, name: str, column: str, path: Path) -> Any:
    try:
        return np.array(values, dtype=float)
    except ValueError:
        raise MalformedAlert(str(path), f"{name} has no number in a line OBS: as {column}") from None


def _key(found: TextObject, names: tuple[str, ...], missing: float) -> float:
    """Give the number of the first of some keys that has one."""
    for name in names:
        try:
            return float(found.keys[name])
        except (KeyError, ValueError):
            continue
    return missing
