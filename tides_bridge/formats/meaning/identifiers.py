"""
Names of objects: 64-bit numbers keep all their digits, or are refused by name and column.

A spreadsheet writes 170587115523932323 as 1.70587E+17 or as 170587115523932000, a table with a gap keeps it as a float
and writes 170587115523932320: two objects could become one.
"""

import math
import re
from collections.abc import Iterable
from typing import Final

from tides_bridge.errors import MalformedAlert

Identifier = int | float | str | None
"""A number of 64 bits, or its digits. As a float it would have lost its last ones."""

EXACT: Final = 2**53
"""Up to here a float is an exact integer."""

EXPONENT: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+", re.ASCII)
WITH_ZEROS: Final = re.compile(r"(\d+)[.,]0+", re.ASCII)

WRAPPED: Final = re.compile(r"=?(['\"])(.*)\1")
"""A name between quotes, also as ="..." that keeps a spreadsheet from reading a number."""

GROUPED: Final = re.compile(r"\d{1,3}(?:,\d{3}){2,}|\d{1,3}(?:[ '\u00a0\u202f]\d{3}){2,}", re.ASCII)
"""Digits in groups of three."""

NO_OBJECT: Final = frozenset({"-1", "-99", "-999", "-9999"})
"""Numbers that stand for no object."""

SHEET_DIGITS: Final = 15
"""Digits that a spreadsheet keeps: those behind become zeros."""

CHANCE_BITS: Final = 20.0
"""Ids that are all round by chance once in 2**20 times are taken for rounded."""


def identifier_text(value: Identifier, key: str) -> str | None:
    """
    Read a 64-bit id as text; None if there is none, which Rubin also writes as 0.

    Parameters
    ----------
    value
        As it came: a number, or nothing.
    key
        What it is called, for the error.

    Raises
    ------
    MalformedAlert
        If it was written as a float too large to be exact.

    >>> identifier_text(170587115523932323, "diaObjectId"), identifier_text(0, "ssObjectId")
    ('170587115523932323', None)
    """
    if value is None or value in (0, "0", "") or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float):
        if abs(value) >= EXACT or value != int(value):
            raise MalformedAlert("record", f"{key} is {value!r}, a float, which has lost digits of the id")
        value = int(value)
    if isinstance(value, str):
        text = exact_name(value)
        if text is None:
            raise MalformedAlert("record", f"{key} is {value!r}, which has lost digits of the id")
        return text
    return str(value)


def exact_name(text: str) -> str | None:
    """
    Give the name that a text stands for; None if it is a number that has lost digits.

    >>> exact_name("ZTF18abc"), exact_name("7.0"), exact_name("1.70587E+17"), exact_name("170587115523932323.0")
    ('ZTF18abc', '7', None, None)
    >>> exact_name('="170587115523932323"'), exact_name("'7"), exact_name("170,587,115,523,932,323")
    ('170587115523932323', '7', '170587115523932323')
    """
    wrapped = WRAPPED.fullmatch(text)
    text = wrapped[2] if wrapped else text.removeprefix("'")
    if GROUPED.fullmatch(text):
        text = re.sub(r"\D", "", text)
    if EXPONENT.fullmatch(text):
        return None
    found = WITH_ZEROS.fullmatch(text)
    if found is None:
        return text
    return found[1] if int(found[1]) < EXACT else None


def exact_names(texts: Iterable[str], column: str) -> list[str]:
    """
    Give the names that texts of a column stand for; "" for none, as Rubin's 0 of an asteroid is in ``diaObjectId``.

    Parameters
    ----------
    texts
        Each name once.
    column
        What it is called.

    Raises
    ------
    MalformedAlert
        If one of them has lost digits, or all of them are round as rounded ones are.
    """
    names = []
    for text in texts:
        name = exact_name(text)
        if name is None:
            raise MalformedAlert("table", f"{column} has {text!r}, {_LOST}")
        is_none = name in NO_OBJECT or (name == "0" and "diaobject" in column.lower().replace("_", ""))
        names.append("" if is_none else name)
    rounded = _rounded(names)
    if rounded:
        raise MalformedAlert("table", f"{column} has {rounded!r} and others as round, {_LOST}")
    return names


_LOST: Final = "a number that has lost digits of the object id: keep ids as text or integers"


def _rounded(names: Iterable[str]) -> str:
    """Give one of the large numbers if all of them are as round as a float or a spreadsheet leaves them; "" if not."""
    large = [name for name in dict.fromkeys(names) if len(name) > SHEET_DIGITS and name.isdecimal() and name.isascii()]
    bits = zeros = 0.0
    is_float = is_sheet = True
    for name in large:
        number = int(name)
        spare = max(number.bit_length() - 53, 0)
        is_float = is_float and number % 2**spare == 0
        is_sheet = is_sheet and number % 10 ** (len(name) - SHEET_DIGITS) == 0
        if not is_float and not is_sheet:
            return ""
        bits += spare
        zeros += (len(name) - SHEET_DIGITS) * math.log2(10)
    if (is_float and bits >= CHANCE_BITS) or (is_sheet and zeros >= CHANCE_BITS):
        return large[0]
    return ""
