"""
Answers of the forced photometry services of ZTF (IPAC) and ATLAS: text, one place of the sky a file.

A service measures where it is asked to, whether something is there or not. So a point counts as a detection only from
5 sigma on, which is what ZTF's alerts start at; all others are forced photometry. ZTF's fluxes are in counts with a
zero point a row, ATLAS's in microjansky; ATLAS's magnitudes are negative where its fluxes are, and are not used. The
object has the name of the file. Sources: Masci et al. 2023 (the guide of ZTF's service); fallingstar-data.com.
"""

import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from tides_bridge.compiled import Floats, Mask
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Refused
from tides_bridge.formats.contents import whole_content
from tides_bridge.formats.meaning.bands import band_codes
from tides_bridge.formats.meaning.brightness import tell_errors
from tides_bridge.formats.meaning.epochs import plausible_epochs
from tides_bridge.formats.meaning.left_out import leave_out, remark
from tides_bridge.formats.meaning.nights import nights_of_survey
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, LIMIT_SIGNIFICANCE, MJD_ZERO

ATLAS: Final = re.compile(rb"\s*#*\s*MJD\s+m\s+dm\s+uJy\s+duJy\s+F\s")
"""How an answer of ATLAS begins."""

ZTF_COLUMNS: Final = ("filter", "zpdiff", "jd", "forcediffimflux", "forcediffimfluxunc")
"""Columns that an answer of ZTF must have."""

REQUESTED: Final = re.compile(r"Requested input (R\.A\.|Dec\.)\s*=\s*([-+.0-9eE]+)")

BAD_IMAGE: Final = 33554432
"""From this ``infobitssci`` on the science image is unusable (ZTF's guide, section 6.1)."""

BAD_PIXELS: Final = "56"
"""In ``procstatus``: bad pixels may have spoilt the measurement."""

MICROJANSKY: Final = 1000.0
"""[nJy]"""

NONE: Final = -99998.0
"""ZTF's service writes -99999 for what could not be measured."""


def is_ztf_forced(start: bytes) -> bool:
    """Tell an answer of ZTF's service by its first bytes."""
    return all(name.encode() in start for name in ZTF_COLUMNS) and bool(_header(start.decode("latin-1")))


def is_atlas_forced(start: bytes) -> bool:
    """Tell an answer of ATLAS's service by its first bytes."""
    return ATLAS.match(start) is not None


def _header(text: str) -> list[str]:
    """Find the line with the names of the columns."""
    for line in text.splitlines():
        names = [name.strip() for name in line.lstrip("# ").split(",")]
        if set(ZTF_COLUMNS) <= set(names):
            return names
    return []


def ztf_forced_curves(path: Path, refused: Refused) -> LightCurves:
    """Read an answer of ZTF's service."""
    text = whole_content(path).decode("latin-1")
    columns = _columns(text, _header(text), path, refused)
    flux, error, zero_point = (_numbers(columns, name) for name in ("forcediffimflux", "forcediffimfluxunc", "zpdiff"))
    is_spoilt = np.array([BAD_PIXELS in status.split(",") for status in columns.get("procstatus", [])] or [False])
    is_spoilt = np.broadcast_to(is_spoilt, len(flux)) | (_numbers(columns, "infobitssci", 0.0) >= BAD_IMAGE)
    has_flux = (flux > NONE) & (error > 0) & (zero_point > 0)
    scale = 10 ** ((AB_ZERO_POINT - np.where(has_flux, zero_point, AB_ZERO_POINT)) / 2.5)
    mjd = _numbers(columns, "jd") - MJD_ZERO
    place = {name: float(value) for name, value in REQUESTED.findall(text)}
    objects = Objects.of(1, ra=place.get("R.A.", np.nan), decl=place.get("Dec.", np.nan))
    bands = [name.removeprefix("ZTF_") for name in columns["filter"]]
    reasons = {"without flux": ~has_flux, "of spoilt images": has_flux & is_spoilt}
    return _curve(path, mjd, bands, (flux * scale, error * scale), reasons, objects)


def atlas_forced_curves(path: Path, refused: Refused) -> LightCurves:
    """Read an answer of ATLAS's service."""
    text = whole_content(path).decode("latin-1").lstrip()
    columns = _columns(text, text.split("\n", 1)[0].lstrip("# ").split(), path, refused)
    flux, error = (_numbers(columns, name) * MICROJANSKY for name in ("uJy", "duJy"))
    has_flux = np.isfinite(flux) & (error > 0)
    ra, decl = (_numbers(columns, name, np.nan) for name in ("RA", "Dec"))
    objects = Objects.of(1, ra=np.median(ra) if len(ra) else np.nan, decl=np.median(decl) if len(decl) else np.nan)
    reasons = {"without flux": ~has_flux, "of spoilt images": has_flux & (_numbers(columns, "err", 0.0) != 0)}
    return _curve(path, _numbers(columns, "MJD"), columns["F"], (flux, error), reasons, objects)


def _columns(text: str, names: list[str], path: Path, refused: Refused) -> dict[str, list[str]]:
    """Read the rows: what is no comment and has a field for each name, however many blanks are between."""
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    rows = [row for row in rows if not set(ZTF_COLUMNS) <= {field.rstrip(",") for field in row}]
    whole = [row for row in rows if len(row) == len(names)]
    if len(whole) < len(rows):
        refused(path, f"{len(rows) - len(whole)} rows are left out, which have not {len(names)} fields")
    if not whole:
        raise MalformedAlert(str(path), "is an answer of a forced photometry service without a point")
    return {name: list(values) for name, values in zip(names, zip(*whole, strict=True), strict=True)}


def _numbers(columns: dict[str, list[str]], name: str, missing: float = np.nan) -> Floats:
    """Read a column; what is no number is NaN, and a column that is not there has the missing value."""
    if name not in columns:
        return np.full(len(next(iter(columns.values()))), missing)
    return np.array([_number(field) for field in columns[name]])


def _number(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        return np.nan


def _curve(  # noqa: PLR0913, PLR0917
    path: Path,
    mjd: Floats,
    bands: list[str],
    fluxes: tuple[Floats, Floats],
    reasons: dict[str, Mask],
    objects: Objects,
) -> LightCurves:
    flux, error = fluxes
    epochs = plausible_epochs(mjd)
    used = ~np.any([*reasons.values(), np.isnan(epochs)], axis=0)
    for reason, is_left_out in reasons.items():
        leave_out(reason, int(np.count_nonzero(is_left_out)), is_fault=False)
    remark(f"it is forced photometry: of it {LIMIT_SIGNIFICANCE:g} sigma count as a detection")
    columns: dict[str, Any] = {
        "object_index": np.zeros(len(mjd), dtype=np.int64),
        "mjd": epochs,
        "band": np.full(len(mjd), -1, dtype=np.int8),
        "flux": flux,
        "flux_error": error,
        "is_detection": np.abs(flux) >= LIMIT_SIGNIFICANCE * error,
        # ZTF observes from California, ATLAS's first telescopes from Hawaii: their nights are days of UTC.
        "night": nights_of_survey(np.nan_to_num(epochs), "ztf"),
    }
    tell_errors(error, np.where(used, flux, np.nan))
    columns["band"][used] = band_codes(np.array(bands, dtype=object)[used])
    return LightCurves.from_fluxes([name_of_file(path)], objects=objects, **{k: v[used] for k, v in columns.items()})


def name_of_file(path: Path) -> str:
    """
    Give the name of a file without what tells its format: that of its one object, where the file has none.

    >>> name_of_file(Path("a/SN2026abc.txt.gz")), name_of_file(Path("b/ZTF26.1_lc.dat"))
    ('SN2026abc', 'ZTF26.1_lc')
    """
    name = path.name.removesuffix(".gz")
    stem, dot, ending = name.rpartition(".")
    return stem if dot and ending.lower() in ENDINGS else name


ENDINGS: Final = ("txt", "dat", "csv", "ecsv", "fits", "vot", "xml", "lc", "tbl", "json", "parquet")
"""Endings of files that tell a format."""
