"""
Tables of points that astropy reads: FITS, VOTable, ECSV, and the text that sncosmo writes.

They become tables of Arrow, with what they say of units and of themselves, and mean then what other tables of points
mean. Units of fluxes may be any of a flux density. Masked values are missing ones.
"""

import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Noted, Options, Refused, in_one_line
from tides_bridge.formats.contents import whole_content
from tides_bridge.formats.meaning.brightness import UNITS
from tides_bridge.formats.meaning.left_out import remark
from tides_bridge.formats.meaning.roles import BRIGHTNESS, NAMES, NEEDED, roles_of
from tides_bridge.formats.published.forced import name_of_file
from tides_bridge.formats.tables import curves_of_arrow
from tides_bridge.lightcurves import LightCurves

if TYPE_CHECKING:
    from astropy.table import Table

OF_SNCOSMO: Final = {"f": "flux", "fe": "fluxerr", "flt": "band", "zpmagsys": "zpsys"}
"""What sncosmo may call columns, and no other table does."""

NAMED: Final = ("objectid", "object_id", "diaobjectid", "id", "name", "snid", "sn")
"""Keys of a table's metadata that name its one object, best first."""

NO_TABLE: Final = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, MemoryError)
"""What astropy raises for a broken table; its own errors are of these."""

KEY_LINES: Final = re.compile(rb"(?:@\S+ [^\n]*\n)+")


def is_astropy_text(start: bytes) -> bool:
    """Tell by its first bytes whether a text is a VOTable, ECSV, or sncosmo's."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"<?xml", b"<VOTABLE", b"<!DOCTYPE")):
        return b"VOTABLE" in text[:4096].upper()
    return text.startswith(b"# %ECSV") or _is_of_sncosmo(text)


def _is_of_sncosmo(text: bytes) -> bool:
    """Tell a text of sncosmo: after lines of keys that begin with @ names with blanks between, of zero points, too."""
    rest = KEY_LINES.sub(b"", text, count=1).lstrip()
    header = rest.split(b"\n", 1)[0].decode("latin-1")
    names = [] if "\t" in header else header.lstrip("# ").lower().split()
    names = [OF_SNCOSMO.get(name, name) for name in names]
    has_all = all(set(NAMES[role]) & set(names) for role in ("zero_point", "system"))
    return has_all and "," not in "".join(names)


def astropy_curves(path: Path, options: Options, refused: Refused, noted: Noted) -> LightCurves:
    """
    Read the light curves of a table.

    Parameters
    ----------
    path
        The file.
    options
        What it does not say of itself.
    refused
        Is told of rows without object id, and of what is no number.
    noted
        Is told when the zero point may be wrong.

    Raises
    ------
    MalformedAlert
        If it is no table of points, or something in it cannot be meant.
    """
    table = _table(path)
    small = {name.lower() for name in table.colnames}
    for name in table.colnames:
        new = OF_SNCOSMO.get(name.strip().lower())
        if new is not None and new not in small:
            table.rename_column(name, new)
    if "object_id" not in _roles(table.colnames):
        table["objectId"] = [_name(table, path)] * len(table)
    if not roles_of(table.colnames):
        columns = ", ".join(name for name in table.colnames if name != "objectId")[:200]
        raise MalformedAlert(str(path), f"is a table with the columns {columns}; needed are {NEEDED}")
    return curves_of_arrow(_as_arrow(table, path), path, options, (refused, noted))


def _roles(names: list[str]) -> set[str]:
    small = {name.strip().lower() for name in names}
    return {role for role, known in NAMES.items() if small & set(known)}


def _name(table: "Table", path: Path) -> str:
    """Give the name of the one object of a table that has no column for it."""
    meta = {str(key).lower(): str(value).strip() for key, value in table.meta.items()}
    return next((meta[key] for key in NAMED if meta.get(key)), name_of_file(path))


def _table(path: Path) -> "Table":
    from astropy.io.votable import parse  # a second, for each process that reads any file
    from astropy.table import Table

    content = whole_content(path)
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units that astropy does not know are told below
            if content.startswith(b"SIMPLE"):
                _tell_others(_tables_of_fits(content))
                return Table.read(io.BytesIO(content), format="fits", character_as_bytes=False)
            if text.startswith(b"<"):
                document = parse(io.BytesIO(text), verify="ignore")
                tables = list(document.iter_tables())
                _tell_others(len(tables))
                table = tables[0].to_table(use_names_over_ids=True)
                table.meta.update(_facts(document, tables[0]))
                return table
            if text.startswith(b"# %ECSV"):
                return Table.read(text.decode(), format="ascii.ecsv")
            return _sncosmo_table(text.decode())
    except (*NO_TABLE, UnicodeDecodeError) as problem:
        raise MalformedAlert(str(path), f"is a broken table: {in_one_line(problem)}") from None


def _facts(document: Any, table: Any) -> dict[str, str]:
    """Give what a VOTable says of its table by PARAM and INFO, in groups, too: the nearest to the table counts."""
    facts: dict[str, str] = {}
    for place in (document, *document.resources, *table.groups, table):
        for fact in (*getattr(place, "infos", ()), *getattr(place, "params", ()), *getattr(place, "entries", ())):
            if isinstance(getattr(fact, "value", None), str | int | float | np.generic):
                facts[str(fact.name)] = str(fact.value)
    return facts


def _tables_of_fits(content: bytes) -> int:
    from astropy.io import fits

    with fits.open(io.BytesIO(content)) as units:
        return sum(isinstance(unit, fits.BinTableHDU | fits.TableHDU) for unit in units)


def _tell_others(number: int) -> None:
    if number > 1:
        remark(
            f"tables after the first that are not used: {number - 1} (put them together, or into files of their own)"
        )


def _sncosmo_table(text: str) -> "Table":
    """Read sncosmo's text: keys as @key value, a line of names, and rows with blanks between."""
    from astropy.io import ascii as astropy_text

    lines = text.splitlines()
    keys = dict(line[1:].split(None, 1) for line in lines if line.startswith("@") and " " in line)
    rest = [line for line in lines if line.strip() and not line.startswith("@")]
    rest[0] = rest[0].lstrip("# ")
    table = astropy_text.read("\n".join(rest), format="basic", guess=False, comment="#")
    table.meta.update({key: value.strip() for key, value in keys.items()})
    return table


def _as_arrow(table: "Table", path: Path) -> pa.Table:
    """Make a table of Arrow of it, with units, and with what it says of itself."""
    roles = roles_of(table.colnames)
    fluxes = {roles.get(f"{role}{ending}") for role in BRIGHTNESS[1:] for ending in ("", "_error")}
    of_errors = {roles.get(f"{role}_error"): roles[role] for role in BRIGHTNESS[1:] if role in roles}
    columns, fields = [], []
    for name in table.colnames:
        column, unit = table[name], str(table[name].info.unit or table[of_errors.get(name, name)].info.unit or "")
        if column.ndim == 1 and hasattr(column, "utc"):
            column = column.utc.mjd
        if np.ndim(column) != 1:
            continue  # a picture a row
        values = _array(column)
        if name in fluxes and unit and unit.lower() not in UNITS:
            values, unit = _in_njy(values, unit, path), "nJy"
        columns.append(values)
        fields.append(pa.field(name, values.type, metadata={"unit": unit} if unit else None))
    facts = {str(key): str(value) for key, value in table.meta.items() if isinstance(value, str | int | float)}
    return pa.table(columns, pa.schema(fields, facts))


def _array(column: Any) -> pa.Array:
    """Make an array of a column, null where it is masked."""
    mask = np.ma.getmaskarray(np.ma.asarray(column))
    values = np.ma.getdata(np.ma.asarray(column))
    if values.dtype.kind in "fiub":
        return pa.array(values.astype(values.dtype.newbyteorder("=")), mask=mask)
    texts = [None if gone else _text(value) for value, gone in zip(values.tolist(), mask.tolist(), strict=True)]
    return pa.array(texts, pa.string())


def _text(value: Any) -> str:
    return (value.decode("latin-1") if isinstance(value, bytes) else str(value)).strip()


def _in_njy(values: pa.Array, unit: str, path: Path) -> pa.Array:
    """Turn fluxes in any unit of flux density into nJy."""
    from astropy import units

    try:
        scale = float(units.Unit(unit).to(units.nJy))
    except (units.UnitConversionError, ValueError, TypeError):
        raise MalformedAlert(str(path), f"has fluxes in {unit}, which is no unit of flux density") from None
    return pa.array(values.to_numpy(zero_copy_only=False) * scale, pa.float64(), from_pandas=True)
