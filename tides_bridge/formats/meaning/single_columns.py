"""What single columns of a table mean, each as numbers: epochs, bands and fluxes."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tides_bridge.compiled import Floats, Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options
from tides_bridge.formats.meaning.bands import PASSBANDS, codes_of_coded, survey_named, without_other_systems
from tides_bridge.formats.meaning.brightness import SAME, magnitude_of_unit, scale_of, zero_point_of_unit, zero_points
from tides_bridge.formats.meaning.epochs import mjd_of_values
from tides_bridge.formats.meaning.left_out import leave_out
from tides_bridge.formats.meaning.roles import BAND_ROLES, Layout
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, ZTF_BANDS

FIDS: Final = {f"{fid}{zero}": band for fid, band in ZTF_BANDS.items() for zero in ("", ".0")}
"""ZTF's filter ids as text."""

PASSBAND_TEXTS: Final = {f"{number}{zero}": band for number, band in PASSBANDS.items() for zero in ("", ".0")}

PLASTICC_ZERO_POINT: Final = 27.5
"""[mag] Of PLAsTiCC's fluxes, in tables with passband and detected (arXiv:1810.00001)."""

SURVEYS: Final = {None: 0, "ztf": 1, "lsst": 2}
"""Numbers of surveys in columns."""


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Give a column in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def epochs_of(table: pa.Table, layout: Layout) -> Floats:
    """Give the epochs [MJD, UTC]; what is none as it is."""
    role = layout.epoch_role
    values = np.asarray(table[role].to_numpy(), dtype=float)
    return mjd_of_values(values, role, layout.roles[role], layout.facts.get("timesys", ""))


def values_of(table: pa.Table, role: str) -> Floats | None:
    """Give the numbers of a role, NaN where there is none; None without such a column."""
    if role not in table.column_names:
        return None
    return np.asarray(table[role].to_numpy(), dtype=float)


def whole_numbers_of(table: pa.Table, role: str) -> Integers | None:
    """Give the whole numbers of a role, -1 where there is none; None without such a column."""
    if role not in table.column_names:
        return None
    return np.asarray(pc.fill_null(table[role], -1).to_numpy(), dtype=np.int64)


def fluxes_of_table(table: pa.Table, layout: Layout, options: Options) -> tuple[Floats, Floats]:
    """Give fluxes and their errors [nJy]; NaN for a flux whose zero point only other rows have, which is told."""
    role = "flux_njy" if "flux_njy" in table.column_names else "flux"
    column, error = layout.roles[role], values_of(table, f"{role}_error")
    of_unit, own = _of_unit(layout, column), None
    if error is not None:
        own = _of_unit(layout, layout.roles[f"{role}_error"])
        of_unit = own if of_unit is None else of_unit
    of_file = _number(layout.fact("zero_point"))
    if of_file is None and of_unit is None and {"passband", "is_detection"} <= set(layout.roles):
        of_file = PLASTICC_ZERO_POINT
    rest = AB_ZERO_POINT if role == "flux_njy" else options.zero_point
    scale = scale_of(zero_points(_zero_points_of_rows(table), (of_unit, of_file, rest), column))
    flux = np.asarray(values_of(table, role)) * scale
    if error is None:
        return flux, np.full(len(flux), np.nan)
    return flux, error * (scale if own is None or own == of_unit else scale_of(own))


def _of_unit(layout: Layout, column: str) -> float | None:
    return zero_point_of_unit(layout.units.get(column, ""), column)


def _zero_points_of_rows(table: pa.Table) -> Floats | None:
    """Give the zero points that rows have, or units of their own, NaN where there is none; None without columns."""
    rows = values_of(table, "zero_point")
    if "unit" not in table.column_names:
        return rows
    coded = pc.fill_null(pc.utf8_trim_whitespace(one_array(table["unit"])), "").dictionary_encode()
    known = [zero_point_of_unit(unit, "unit") for unit in coded.dictionary.to_pylist()]
    places = coded.indices.to_numpy(zero_copy_only=False)
    of_units: Floats = np.array([np.nan if value is None else value for value in known], dtype=float)[places]
    if rows is None:
        return of_units
    contradicts = np.abs(rows - of_units) > SAME
    leave_out("whose zero point and unit contradict each other", int(np.count_nonzero(contradicts)))
    return np.where(contradicts, np.inf, np.where(np.isnan(rows), of_units, rows))


def magnitude_errors_of(table: pa.Table, layout: Layout) -> Floats:
    """Give the errors of magnitudes [mag], NaN where there is none."""
    error = values_of(table, "magnitude_error")
    if error is None:
        return np.full(len(table), np.nan)
    column = layout.roles["magnitude_error"]
    return error * magnitude_of_unit(layout.units.get(column, ""), column)


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise MalformedAlert("table", f"its zero point is {text!r}, which is no number") from None


def bands_of_table(
    table: pa.Table, index: Integers | None = None
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8] | None]:
    """
    Read names of bands, or numbers for them; gives the survey of each row, too, where spellings say it.

    Parameters
    ----------
    table
        Columns by their roles.
    index
        (n,) The object of each row, where lone capitals are to be read by what is beside them.
    """
    role = next(role for role in BAND_ROLES if role in table.column_names)
    coded = pc.utf8_trim_whitespace(one_array(table[role])).dictionary_encode()
    texts = coded.dictionary.to_pylist()
    places = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    whose = np.array([*(SURVEYS[survey_named(text)] for text in texts), 0], dtype=np.int8)
    codes = codes_of_coded([letter_of_number(text, role) for text in texts], places)
    if index is not None:
        codes = without_other_systems(texts, places, codes, index)
    return codes, whose[places] if whose.any() else None


def letter_of_number(text: str, role: str) -> str:
    """Give the band that a number in a column of a role stands for; any other text as it is."""
    return (PASSBAND_TEXTS if role == "passband" else FIDS).get(text, text)
