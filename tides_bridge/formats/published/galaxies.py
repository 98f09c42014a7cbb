"""
Catalogues of galaxies in files: FITS or Parquet, a row a galaxy.

Columns are told apart by their names, whatever the case: see `COLUMNS`. Positions are needed; of shapes the half-light
or isophotal semi-major axis, with the axis ratio (or ellipticity, or semi-minor axis) and the angle from north to east.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.contents import BROKEN, first_bytes
from tides_bridge.lightcurves.sky import is_on_sky, right_ascension

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("id", "name", "objid", "object_id", "objectid", "galid", "ls_id", "source_id"),
    "ra": ("ra", "ra_deg", "raj2000", "_raj2000", "ramean", "alpha_j2000"),
    "decl": ("dec", "decl", "dec_deg", "dej2000", "decj2000", "_dej2000", "decmean", "delta_j2000"),
    "major": (
        "a",
        "a_arcsec",
        "semi_major",
        "semimajor",
        "major_axis",
        "shape_r",
        "r_e",
        "re",
        "hlr",
        "radius",
        "a_image",
    ),
    "minor": ("b", "b_arcsec", "semi_minor", "semiminor", "minor_axis"),
    "ratio": ("ba", "b_a", "axis_ratio", "q"),
    "ellipticity": ("ellipticity", "e"),
    "angle": ("pa", "position_angle", "theta", "phi"),
    "mag": ("mag_r", "r_mag", "rmag", "r", "mag"),
    "photometric": ("z_phot", "zphot", "photoz", "photo_z", "z_phot_mean", "z_phot_median"),
    "photometric_error": ("z_phot_err", "zphot_err", "photozerr", "photoz_err", "z_phot_std", "e_zphot"),
    "spectroscopic": ("z_spec", "zspec", "specz", "spec_z"),
}
"""What is used, and what it may be called: the first that is there counts. Lengths in arcsec, angles in degrees."""

NO_TABLE: Final = (*BROKEN, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError)


def read_galaxies(path: Path) -> pd.DataFrame:
    """
    Read a catalogue.

    Returns
    -------
    DataFrame
        A row a galaxy that has a place: the names of `COLUMNS`, NaN where unknown; ``name`` as text, None without.

    Raises
    ------
    MalformedAlert
        If it is no such file, or has no positions.
    """
    try:
        table = _table(path)
    except NO_TABLE as problem:
        raise MalformedAlert(str(path), f"is no FITS or Parquet table of galaxies: {problem}") from None
    found = {meaning: _column(table, names) for meaning, names in COLUMNS.items() if meaning != "name"}
    if found["ra"] is None or found["decl"] is None:
        raise MalformedAlert(str(path), f"has no columns {COLUMNS['ra'][0]} and {COLUMNS['decl'][0]}")
    empty = np.full(len(table), np.nan)
    galaxies = pd.DataFrame({meaning: empty if column is None else column for meaning, column in found.items()})
    galaxies["ratio"] = _ratio(galaxies)
    galaxies["name"] = _names(table)
    galaxies = galaxies[is_on_sky(galaxies.ra, galaxies.decl)].reset_index(drop=True)
    return galaxies.assign(ra=right_ascension(galaxies.ra))


def _table(path: Path) -> pd.DataFrame:
    if first_bytes(path, 4) == b"PAR1":
        return pd.read_parquet(path)
    from astropy.table import Table

    table = Table.read(path, format="fits")
    flat = [name for name in table.colnames if table[name].ndim == 1]
    frame: pd.DataFrame = table[flat].to_pandas()
    return frame


def _found(table: pd.DataFrame, names: tuple[str, ...]) -> "pd.Series[Any] | None":
    lower = {str(name).lower(): name for name in table.columns}
    return next((table[lower[name]] for name in names if name in lower), None)


def _column(table: pd.DataFrame, names: tuple[str, ...]) -> Any:
    """Give a column of numbers, NaN for what stands for none; None if there is none of these names."""
    column = _found(table, names)
    if column is None:
        return None
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    is_missing = np.isin(np.abs(numbers), (99, 999, 9999)) | ~np.isfinite(numbers)
    return np.where(is_missing, np.nan, numbers)


def _ratio(galaxies: pd.DataFrame) -> Any:
    """Give the axis ratio: as it stands, by both axes, or by the ellipticity; 1 where nothing is known."""
    ratio = galaxies.ratio.fillna(galaxies.minor / galaxies.major).fillna(1 - galaxies.ellipticity)
    return ratio.where((ratio > 0) & (ratio <= 1), 1.0)


def _names(table: pd.DataFrame) -> Any:
    """Give names as text: identifiers of 64 bits must not become floats."""
    column = _found(table, COLUMNS["name"])
    if column is None or column.dtype.kind == "f":
        return None
    texts = [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in column]
    return [text.strip() or None for text in texts]
