"""What single columns of a table mean, each as numbers: epochs, bands and fluxes."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tides_bridge.compiled import Floats, Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options
from tides_bridge.formats.meaning.bands import PASSBANDS, codes_of_coded, survey_named
from tides_bridge.formats.meaning.brightness import scale_of, zero_point_of_unit, zero_points
from tides_bridge.formats.meaning.epochs import mjd_of_values
from tides_bridge.formats.meaning.roles import BAND_ROLES, Layout
from tides_bridge.lightcurves.photometry import ZTF_BANDS

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
    """Give fluxes and their errors [nJy]."""
    role = "flux_njy" if "flux_njy" in table.column_names else "flux"
    column = layout.roles[role]
    flux = np.asarray(values_of(table, role))
    of_unit = zero_point_of_unit(layout.units.get(column, ""), column)
    of_file = _number(layout.fact("zero_point"))
    if of_file is None and of_unit is None and {"passband", "is_detection"} <= set(layout.roles):
        of_file = PLASTICC_ZERO_POINT
    given = None if role == "flux_njy" else options.zero_point
    scale = scale_of(zero_points(values_of(table, "zero_point"), of_unit, of_file, given, column))
    error = values_of(table, f"{role}_error")
    if error is None:
        return flux * scale, np.full(len(flux), np.nan)
    column = layout.roles[f"{role}_error"]
    own = zero_point_of_unit(layout.units.get(column, ""), column)
    return flux * scale, error * (scale if own is None or own == of_unit else scale_of(own))


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise MalformedAlert("table", f"its zero point is {text!r}, which is no number") from None


def bands_of_table(table: pa.Table) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8] | None]:
    """Read names of bands, or numbers for them; gives the survey of each row, too, where spellings say it."""
    role = next(role for role in BAND_ROLES if role in table.column_names)
    numbers = PASSBAND_TEXTS if role == "passband" else FIDS
    coded = pc.utf8_trim_whitespace(one_array(table[role])).dictionary_encode()
    texts = coded.dictionary.to_pylist()
    places = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    whose = np.array([*(SURVEYS[survey_named(text)] for text in texts), 0], dtype=np.int8)
    codes = codes_of_coded([numbers.get(text, text) for text in texts], places)
    return codes, whose[places] if whose.any() else None
