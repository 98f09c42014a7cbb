"""
Columns that say one thing twice, as ``mag`` beside ``magnitude``, ``jd`` beside ``mjd``, or two positions.

Where they agree nothing is said. Where they do not, nobody knows which is meant: a point whose epoch, band or
brightness is in doubt is left out, and a table most of which is so is refused. Of anything else the first is used.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tides_bridge.compiled import Floats, Mask
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options
from tides_bridge.formats.meaning.brightness import is_ab
from tides_bridge.formats.meaning.left_out import collecting, leave_out, remark
from tides_bridge.formats.meaning.nights import survey_of_name
from tides_bridge.formats.meaning.roles import AGAIN, BAND_ROLES, EPOCH_ROLES, POSITIVE, TEXT, Layout, like
from tides_bridge.formats.meaning.single_columns import (
    bands_of_table,
    epochs_of,
    fluxes_of_table,
    letter_of_number,
    one_array,
)

APART: Final[Mapping[str, tuple[float, float]]] = {
    "mjd": (0.01, 0),
    "fid": (0.5, 0),
    "magnitude": (0.05, 0),
    "magnitude_error": (0.005, 0.1),
    "flux": (20, 0.05),
    "flux_error": (20, 0.1),
    "zero_point": (0.02, 0),
    "limiting_magnitude": (0.05, 0),
    "ebv": (0.02, 0),
    "ra": (5 / 3600, 0),
    "decl": (5 / 3600, 0),
}
"""How far two values of one thing may be apart: [d, mag, nJy, deg], and as a part of the value. Others must be equal.

Of epochs: beginning and middle of an exposure, and the light travel time of 8 minutes to the Sun. Of fluxes: 20 nJy
are 28 mag.
"""

DECIDING: Final = frozenset(
    {"mjd", "fid", "magnitude", "magnitude_error", "flux", "flux_error", "zero_point", "is_positive", "is_detection"}
)
"""What a decision hangs on."""

FILLED: Final = frozenset({"magnitude", "magnitude_error", "zero_point", "limiting_magnitude", "ra", "decl", "ebv"})
"""Numbers in whose gaps those of a column of the same role and unit are used."""

MEANT: Final[Mapping[str, Callable[[str], Any]]] = {
    "system": is_ab,
    "survey": survey_of_name,
    "is_positive": POSITIVE.__contains__,
    "is_detection": POSITIVE.__contains__,
}
"""What texts in small letters mean; others mean themselves."""


def filled(table: pa.Table, layout: Layout) -> pa.Table:
    """
    Fill the gaps of a column with what another that says the same has, as a full ``filter`` beside an empty ``band``.

    Parameters
    ----------
    table
        Columns by their roles, and `Layout.rivals` by their keys.
    layout
        What the file says of them.
    """
    for key in [name for name in table.column_names if AGAIN in name]:
        role = key.partition(AGAIN)[0]
        used = layout.used(role)
        is_alike = role in BAND_ROLES or (role == used and role in FILLED and _have_one_unit(layout, role, key))
        if used not in table.column_names or not is_alike:
            continue
        own, other = (_without_blanks(table[name], name) for name in (used, key))
        if pc.any(pc.and_(pc.is_null(own), pc.is_valid(other))).as_py():
            remark(f"{layout.rivals[key]} is used in rows where {layout.roles[used]} is empty")
            table = table.set_column(table.column_names.index(used), used, pc.coalesce(own, other))
    return table


def _have_one_unit(layout: Layout, role: str, key: str) -> bool:
    return layout.units.get(layout.roles[role], "") == layout.units.get(layout.rivals[key], "")


def _without_blanks(column: pa.ChunkedArray, key: str) -> pa.ChunkedArray:
    """Give a column, null where a text has nothing, and letters for the numbers of bands."""
    if not pa.types.is_string(column.type):
        return column
    coded = pc.utf8_trim_whitespace(one_array(column)).dictionary_encode()
    letters = [letter_of_number(text, key.partition(AGAIN)[0]) or None for text in coded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(letters, pa.string()).take(coded.indices)])


def rows_in_doubt(table: pa.Table, layout: Layout, options: Options) -> Mask:
    """
    Tell the rows that two columns say different things of; they are told, by the names of the columns.

    Parameters
    ----------
    table
        Columns by their roles, and `Layout.rivals` by their keys.
    layout
        What the file says of them.
    options
        What it does not say.
    """
    found = np.zeros(len(table), dtype=bool)
    for key, column in layout.rivals.items():
        role = layout.used(key.partition(AGAIN)[0])
        names = f"{layout.roles[role]} and {column}"
        try:
            with collecting():  # what is odd about the one that is used is told elsewhere
                differs, lacks = _compared(table, key, layout, options)
        except MalformedAlert as problem:
            remark(f"{column} is not compared with {layout.roles[role]}: {problem.problem}")
            continue
        if lacks.any():
            remark(f"{layout.roles[role]} is empty in rows where {column} is not: only {layout.roles[role]} is read")
        if _is_deciding(key, table):
            leave_out(f"whose {names} contradict each other", int(np.count_nonzero(differs)))
            found |= differs
        elif differs.any():
            remark(f"the columns {names} differ: {layout.roles[role]} is used")
    return found


def _is_deciding(key: str, table: pa.Table) -> bool:
    """Tell whether a decision hangs on a column; not on days, and not on fluxes beside magnitudes."""
    role = key.partition(AGAIN)[0]
    if role == "date" or ("magnitude" in table.column_names and role.startswith(("flux", "zero_point"))):
        return False
    return bool(DECIDING & set(like(role)))


def _compared(table: pa.Table, key: str, layout: Layout, options: Options) -> tuple[Mask, Mask]:
    """Tell the rows in which a column says something else than the one that is used, and those where only it does."""
    role = key.partition(AGAIN)[0]
    used = layout.used(role)
    ways = (used, used, layout.roles[used]), (key, role, layout.rivals[key])
    if role in TEXT and "fid" not in like(role):
        one, other = (_meant(one_array(table[way[0]]), role) for way in ways)
        known, other_known = pd.notna(one), pd.notna(other)
        return np.asarray(known & other_known & (one != other), dtype=bool), np.asarray(~known & other_known)
    one, other = (_measured(table, way, layout, options) for way in ways)
    apart = np.abs(one - other)
    if role == "ra":
        apart = np.minimum(apart % 360, 360 - apart % 360) * _narrowing(table)
    absolute, relative = next((limits for name, limits in APART.items() if name in like(role)), (0.0, 0.0))
    return np.asarray(apart > absolute + relative * np.abs(one)), np.asarray(np.isnan(one) & ~np.isnan(other))


def _meant(column: pa.Array, role: str) -> Any:
    """Give what texts mean, (n,) of any kind; None for no text."""
    coded = pc.fill_null(pc.utf8_lower(pc.utf8_trim_whitespace(column)), "").dictionary_encode()
    meaning = MEANT.get(role, str)
    meant = np.array([meaning(text) if text else None for text in coded.dictionary.to_pylist()], dtype=object)
    return meant[coded.indices.to_numpy(zero_copy_only=False)]


def _measured(table: pa.Table, way: tuple[str, str, str], layout: Layout, options: Options) -> Floats:
    """Give what a column says as numbers, (n,), NaN where it says nothing: by its key, role and name."""
    key, role, name = way
    own = Layout(layout.names, {role: name}, units=layout.units, facts=layout.facts)
    alone = pa.table({role: table[key]})
    if role in EPOCH_ROLES:
        return epochs_of(alone, own)
    if "fid" in like(role):
        codes = bands_of_table(alone)[0]
        return np.where(codes < 0, np.nan, codes)
    if role in ("flux", "flux_njy"):
        for name_of_scale in ("zero_point", "unit") if key == role else ():
            if name_of_scale in table.column_names:
                alone = alone.append_column(name_of_scale, table[name_of_scale])
        return fluxes_of_table(alone, own, options)[0]
    return np.asarray(table[key].to_numpy(), dtype=float)


def _narrowing(table: pa.Table) -> Floats | float:
    """Give how much nearer meridians are to each other than at the equator; 1 where no declination is known."""
    if "decl" not in table.column_names:
        return 1.0
    decl_deg: Floats = np.nan_to_num(np.asarray(table["decl"].to_numpy(), dtype=float))
    return np.asarray(np.cos(np.radians(decl_deg)))
