"""Tables as FITS, VOTable or ECSV, by astropy: these formats say what columns mean."""

import io
import warnings
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.table import MaskedColumn, Table

from tides_bridge.formats.output.meanings import Meaning, meaning_of

FORMS: Final = {".fits": "fits", ".vot": "votable", ".ecsv": "ascii.ecsv"}
"""What astropy calls the format of each ending."""


def described_bytes(table: pa.Table, ending: str) -> bytes:
    """
    Write a table as the bytes of a file.

    Parameters
    ----------
    table
        Of numbers, yes or no, text and times; what columns mean is in its schema.
    ending
        One of `FORMS`.
    """
    made = astropy_table(table, is_fits=ending == ".fits")
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about long keywords, which FITS has had since 2006
        if ending == ".fits":
            _fits(table, made).writeto(stream)
        elif ending == ".vot":
            document = from_table(made)
            first = document.get_first_table()
            for field, column in zip(first.fields, table.schema, strict=True):
                field.ucd = meaning_of(column).ucd or None
            writeto(document, stream)
        else:
            text = io.StringIO()
            made.write(text, format="ascii.ecsv")
            stream.write(text.getvalue().encode())
    return stream.getvalue()


def astropy_table(table: pa.Table, *, is_fits: bool = False) -> Table:
    """
    Make a table of astropy's.

    Parameters
    ----------
    table
        As of `described_bytes`.
    is_fits
        Whether for FITS, where yes or no cannot be missing: such columns become 1, 0 or nothing.
    """
    made = Table(meta={key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items()})
    for field in table.schema:
        meaning = meaning_of(field)
        values, is_missing = _values(table[field.name], field.type, is_fits)
        column = MaskedColumn(values, name=field.name, mask=is_missing) if is_missing.any() else values
        made[field.name] = column
        made[field.name].description = meaning.description or None
        made[field.name].unit = meaning.unit or None
        if meaning.ucd:
            made[field.name].meta["ucd"] = meaning.ucd
    return made


def _values(column: pa.ChunkedArray, kind: pa.DataType, is_fits: bool) -> tuple[Any, Any]:
    values = column.to_pylist()
    is_missing = np.array([value is None for value in values], dtype=bool)
    if pa.types.is_floating(kind):  # NaN is what stands for nothing
        return np.array([np.nan if value is None else value for value in values], dtype=float), is_missing & False
    if pa.types.is_integer(kind):
        return np.array([value or 0 for value in values], dtype=np.int64), is_missing
    if pa.types.is_boolean(kind):
        as_numbers = is_fits and is_missing.any()
        return np.array([bool(value) for value in values], dtype=np.int16 if as_numbers else bool), is_missing
    texts = [_text(value) for value in values]
    if is_fits:  # which has letters of ASCII alone
        texts = [text.encode("ascii", "backslashreplace").decode() for text in texts]
    return np.array(texts, dtype=str), is_missing & False


def _text(value: Any) -> str:
    """Write a value as text; of what is missing the empty one."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    return "" if value is None else str(value)


def _fits(table: pa.Table, made: Table) -> fits.HDUList:
    """Put the columns into a binary table whose header tells what they mean, and the UCDs as TUCDn."""
    unit = fits.table_to_hdu(made, character_as_bytes=False)
    for number, field in enumerate(table.schema, 1):
        meaning: Meaning = meaning_of(field)
        if meaning.ucd:
            unit.header[f"TUCD{number}"] = meaning.ucd
        if meaning.description:
            unit.header[f"TCOMM{number}"] = meaning.description
    return fits.HDUList([fits.PrimaryHDU(), unit])
