"""
The filters of the list: ``?field=value`` and ``?field__lookup=value``, joined by AND.

A number, date-time or boolean is compared as such by exact, iexact, gt, gte, lt and lte. The lookups of text (contains,
startswith, endswith and their i-forms) see any other column as SQLite writes it; a date-time is then UTC.
"""

import math
import re
from typing import Any

from django.db.models import Q
from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from simulators.fourmost.clock import read_date_time
from simulators.fourmost.columns import BY_NAME, Kind

# SQLite's own LIKE does not know case: contains would mean icontains.
_TEXT_LOOKUPS = {
    "contains": ("regex", "{}"),
    "icontains": ("iregex", "{}"),
    "startswith": ("regex", r"\A{}"),
    "istartswith": ("iregex", r"\A{}"),
    "endswith": ("regex", r"{}\Z"),
    "iendswith": ("iregex", r"{}\Z"),
}
LOOKUPS = ("exact", "iexact", "gt", "gte", "lt", "lte", "isnull", *_TEXT_LOOKUPS)

NOT_FILTERS = {"limit", "offset", "format"}
"""Parameters of a list that choose no rows."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def to_condition(parameters: QueryDict) -> Q:
    """
    Make the condition that all filters of an address ask for.

    Raises
    ------
    ValidationError
        A field or lookup does not exist, or a value cannot be read; names the parameter.
    """
    condition = Q()
    for parameter, texts in parameters.lists():
        if parameter in NOT_FILTERS:
            continue
        for text in texts:
            try:
                condition &= _one(parameter, text)
            except ValueError as error:
                raise ValidationError({parameter: str(error)}) from error
    return condition


def _one(parameter: str, text: str) -> Q:
    name, _, lookup = parameter.partition("__")
    lookup = lookup or "exact"
    if name not in BY_NAME:
        raise ValueError(f"no such field to filter by: {name}")
    if lookup not in LOOKUPS:
        raise ValueError(f"no such lookup: {lookup}; there are {', '.join(LOOKUPS)}")
    if lookup in _TEXT_LOOKUPS:
        lookup, pattern = _TEXT_LOOKUPS[lookup]
        return Q(**{f"{name}__{lookup}": pattern.format(re.escape(text))})
    kind = BY_NAME[name].kind
    if lookup == "isnull":
        kind = "bool"
    elif lookup == "iexact":
        lookup, text = ("iregex", rf"\A{re.escape(text)}\Z") if kind == "text" else ("exact", text)
    return Q(**{f"{name}__{lookup}": _READERS[kind](text)})


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,30}", text):
        raise ValueError(f"{text[:60]!r} is not a whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text[:60]!r} is not a number")
    return value


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{text[:60]!r} is neither true nor false")
    return _BOOLEANS[text.lower()]


_READERS: dict[Kind, Any] = {"int": _whole, "float": _number, "text": str, "bool": _boolean, "time": read_date_time}
