"""Numbers, names and identifiers in FITS tables and headers: every spelling of a name, and the unit that is given."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from tides_bridge.formats.meaning.identifiers import EXACT

LARGEST: Final = 2**63
"""Identifiers are integers of 64 bits with a sign."""

NONE_OF_IT: Final = frozenset({"", "-1", "0", "nan", "none", "null"})
"""What stands for "there is none" where an identifier is meant, in lower case."""

Cells = Mapping[str, Any]
"""What a row of a table or a header has, by names as `spelled` writes them."""


def spelled(name: str) -> str:
    """
    Write a name as all its spellings are written here.

    >>> spelled("mjd-obs"), spelled(" SKY_BRIGHT ")
    ('MJD_OBS', 'SKY_BRIGHT')
    """
    return name.strip().upper().replace("-", "_")


def first_of(cells: Cells, names: Iterable[str]) -> Any:
    """
    Give the first value that says something; None if none does.

    Parameters
    ----------
    cells
        By spelled names.
    names
        Spellings of what is looked for, that which counts first before others.
    """
    for name in names:
        value = cells.get(name)
        if value is not None and not (isinstance(value, float) and not math.isfinite(value)) and value != "":
            return value
    return None


def finite_in(cells: Cells, *names: str) -> float | None:
    """
    Read a number; None if there is none, or none that is finite.

    Parameters
    ----------
    cells
        By spelled names.
    *names
        Spellings of what is looked for.
    """
    value = first_of(cells, names)
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def text_in(cells: Cells, *names: str) -> str | None:
    """
    Read a text, or the digits of a number; None if there is none, or if it is -1.

    Parameters
    ----------
    cells
        By spelled names.
    *names
        Spellings of what is looked for.
    """
    value = first_of(cells, names)
    if value is None:
        return None
    if isinstance(value, float) and value == int(value) and abs(value) < EXACT:
        value = int(value)
    text = "".join(letter for letter in str(value).strip() if letter.isprintable())
    return None if text.casefold() in NONE_OF_IT - {"0"} else text


def identifier_in(cells: Cells, *names: str) -> int | None:
    """
    Read an identifier of 64 bits with all its digits; None if there is none, or if it has lost some as a float.

    Parameters
    ----------
    cells
        By spelled names.
    *names
        Spellings of what is looked for.

    >>> identifier_in({"OBJ_UID": 2**53 + 1}, "OBJ_UID"), identifier_in({"OBJ_UID": " 9007199254740993"}, "OBJ_UID")
    (9007199254740993, 9007199254740993)
    >>> identifier_in({"OBJ_UID": -1}, "OBJ_UID"), identifier_in({"OBJ_UID": 2.0**53}, "OBJ_UID")
    (None, None)
    """
    value = first_of(cells, names)
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if text.isascii() and text.isdecimal() else None
    if isinstance(value, float):
        value = int(value) if value == int(value) and abs(value) < EXACT else None
    if value is None or isinstance(value, bool) or not 0 < int(value) < LARGEST:
        return None
    return int(value)


def plain(value: Any) -> Any:
    """
    Give a value of a FITS table as Python has it: a text without its filling, a number of any width.

    >>> plain(np.float32(0.5)), plain(np.str_("a  ")), plain(np.int64(2**53 + 1))
    (0.5, 'a', 9007199254740993)
    """
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size != 1 else plain(value.reshape(-1)[0])
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return value.rstrip(" \0") if isinstance(value, str) else value
