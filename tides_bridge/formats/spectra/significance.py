"""The S/N of spectra in a range of wavelengths: the median of flux over its error, of pixels that are good."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.spectra.values import Cells, finite_in, plain, spelled, text_in

Wavelengths = tuple[float, float]
"""[Angstrom] From and to."""

IN_ANGSTROM: Final = {"NM": 10.0, "NANOMETER": 10.0, "UM": 1e4, "MICRON": 1e4, "M": 1e10}
"""Units of wavelengths; any other one, and none, is Angstrom."""

ERRORS: Final = ("FLUX_IVAR", "ERR_FLUX", "ERR")
"""Columns that say how sure a flux is: the first by its inverse variance."""


def significance_of(path: str, table: Any, fibres: Sequence[Cells], wavelengths: Wavelengths) -> list[float | None]:
    """
    Work out the S/N of each spectrum of a file.

    Parameters
    ----------
    path
        Of the file, for errors.
    table
        The table with the spectra, a row each, or with a single one, a row a pixel.
    fibres
        What is known of each spectrum; where SPECUID is in the table, too, it says which row is whose.
    wavelengths
        [Angstrom] The range.

    Returns
    -------
    list of float or None
        One for each fibre; None where there is no spectrum, or no good pixel.

    Raises
    ------
    MalformedAlert
        If there is no flux with its error, or nothing tells the wavelengths.
    """
    names = {spelled(name): name for name in table.columns.names} if table is not None else {}
    kind = next((name for name in ERRORS if name in names), None)
    if "FLUX" not in names or kind is None:
        raise MalformedAlert(path, f"has no column FLUX with {' or '.join(ERRORS)}: its S/N cannot be worked out")
    flux, spread = (table.data.field(names[name]) for name in ("FLUX", kind))
    flags = table.data.field(names["QUAL"]) if "QUAL" in names else None
    if flux.ndim == 1:
        inside = _inside(table, names["WAVE"], wavelengths)
        return [_median(flux[inside], spread[inside], kind, None if flags is None else flags[inside])]
    header = {spelled(key): plain(value) for key, value in table.header.items() if key}
    found: list[float | None] = []
    for fibre, place in zip(fibres, _places(path, table, names, fibres), strict=True):
        if place is None:
            found.append(None)
            continue
        pixels = _pixels(path, header, fibre, flux.shape[1], wavelengths)
        quality = None if flags is None else flags[place, pixels]
        found.append(_median(flux[place, pixels], spread[place, pixels], kind, quality))
    return found


def _places(path: str, table: Any, names: Mapping[str, str], fibres: Sequence[Cells]) -> list[int | None]:
    """Give the row of each fibre's spectrum; None where there is none."""
    wanted = [text_in(fibre, "SPECUID") for fibre in fibres]
    if "SPECUID" in names:
        rows = {str(plain(uid)): row for row, uid in enumerate(table.data.field(names["SPECUID"]))}
        if any(uid in rows for uid in wanted):
            return [rows.get(uid) if uid else None for uid in wanted]
    if len(table.data) != len(fibres):
        raise MalformedAlert(path, f"has {len(table.data)} spectra for {len(fibres)} fibres, and no SPECUID with them")
    return [row if uid else None for row, uid in enumerate(wanted)]


def _pixels(path: str, header: Cells, fibre: Cells, number: int, wavelengths: Wavelengths) -> slice:
    """Give the pixels within the range; high resolution tells its wavelengths a fibre, in nm."""
    start, step = finite_in(header, "1CRVL1", "CRVAL1"), finite_in(header, "1CDLT1", "CDELT1", "CD1_1")
    first = finite_in(header, "1CRPX1", "CRPIX1")
    unit = str(header.get("1CUNI1") or header.get("CUNIT1") or "")
    if start is None or not step:
        start, step, first, unit = finite_in(fibre, "WAVELMIN"), finite_in(fibre, "SPEC_BIN"), 1.0, "nm"
    if start is None or not step or step < 0:
        raise MalformedAlert(path, "tells its wavelengths neither by 1CRVL1 and 1CDLT1 nor by WAVELMIN and SPEC_BIN")
    scale = IN_ANGSTROM.get(unit.strip().upper(), 1.0)
    lower, upper = ((edge / scale - start) / step + (1.0 if first is None else first) - 1 for edge in wavelengths)
    return slice(min(max(math.ceil(lower), 0), number), min(max(math.floor(upper) + 1, 0), number))


def _inside(table: Any, name: str, wavelengths: Wavelengths) -> npt.NDArray[np.bool_]:
    scale = IN_ANGSTROM.get(str(table.columns[name].unit or "").strip().upper(), 1.0)
    angstrom = np.asarray(table.data.field(name), np.float64) * scale
    return (angstrom >= wavelengths[0]) & (angstrom <= wavelengths[1])


def _median(flux: Any, spread: Any, kind: str, flags: Any) -> float | None:
    flux, spread = np.asarray(flux, np.float64), np.asarray(spread, np.float64)
    with np.errstate(all="ignore"):
        ratio = flux * np.sqrt(spread) if kind == "FLUX_IVAR" else flux / spread
    good = np.isfinite(ratio) & (spread > 0)
    if flags is not None:
        good &= np.asarray(flags) == 0
    return round(float(np.median(ratio[good])), 4) if good.any() else None
