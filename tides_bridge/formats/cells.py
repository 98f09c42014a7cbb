r"""
Text in cells of CSV files: no program that opens one takes it for a formula, and no terminal obeys it.

A text that a spreadsheet would calculate, or that holds what nobody sees, is written with an apostrophe before it, and
in it backslashes are doubled and such letters written as in Python (``\x1b``). So is a text that begins with an
apostrophe itself: whoever meets one at the beginning undoes both, as `text_of_cell` does. All other texts, and all
numbers, are as they are.
"""

import codecs
import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tides_bridge.console import visible

MARK: Final = "'"
"""Before a text that is written in another way; spreadsheets take what follows for text."""

FORMULA: Final = re.compile(r"(?:^|[;|])\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""Begins a formula, in a cell or in what is one where lists have another separator; the last four are full-width."""

NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

ESCAPED: Final = re.compile(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[tnr])")
"""What `visible` writes, and a backslash."""

HARMLESS: Final = r"^[A-Za-z0-9][A-Za-z0-9 _.:/()+-]*$"
"""Nearly all names; each other text is looked at by itself."""


def safe_cell(text: str) -> str:
    r"""
    Write a text so that it is harmless in a cell.

    Parameters
    ----------
    text
        Anything.

    Returns
    -------
    str
        Of which `text_of_cell` makes the same text again.

    Examples
    --------
    >>> [safe_cell(text) for text in ("ZTF18abcdefg", "-13.5", "=1+1", "'a", "a\\b")]
    ['ZTF18abcdefg', '-13.5', "'=1+1", "''a", 'a\\b']
    >>> print(safe_cell("SN\x1b[31m"))
    'SN\x1b[31m
    """
    if not text.startswith(MARK) and _is_shown(text) and (NUMBER.fullmatch(text) or not FORMULA.search(text)):
        return text
    escaped = visible(text.replace("\\", "\\\\"))
    return MARK + FORMULA.sub(lambda found: found[0][:-1] + _typed_formula(found), escaped)


def text_of_cell(cell: str) -> str:
    r"""
    Give the text that `safe_cell` wrote.

    Parameters
    ----------
    cell
        From a CSV file of ours.

    Examples
    --------
    >>> text_of_cell("'SN\\x1b[31m"), text_of_cell("ZTF18abcdefg"), text_of_cell("''a")
    ('SN\x1b[31m', 'ZTF18abcdefg', "'a")
    """
    if not cell.startswith(MARK):
        return cell
    return ESCAPED.sub(lambda found: codecs.decode(found[0], "unicode_escape"), cell[1:])


def safe_column(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """
    Write a column of a table so that it is harmless in cells.

    Parameters
    ----------
    column
        (n,) of any type: what is no text stays as it is.
    """
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column
    if pc.all(pc.match_substring_regex(column, HARMLESS), min_count=0).as_py():
        return column
    return pa.array([None if text is None else safe_cell(text) for text in column.to_pylist()], column.type)


def _is_shown(text: str) -> bool:
    return visible(text) == text


def _typed_formula(found: re.Match[str]) -> str:
    """Write a formula's first letter as in Python where it does not follow the mark: there nothing else protects it."""
    return found[0][-1] if found.start() == 0 and len(found[0]) == 1 else f"\\u{ord(found[0][-1]):04x}"
