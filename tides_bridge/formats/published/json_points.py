"""Points as JSON: one a line, an array of them, or a column a key, as pandas writes tables."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Noted, Options, Refused, in_one_line
from tides_bridge.formats.contents import whole_content
from tides_bridge.formats.json_text import LITERALS
from tides_bridge.formats.meaning.roles import roles_of
from tides_bridge.formats.tables import curves_of_arrow
from tides_bridge.lightcurves import LightCurves

NO_TABLE = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What is raised of JSON that is no table."""


def is_json_points(start: bytes) -> bool:
    """
    Tell by its first bytes whether a text has points as JSON: the first value names all that a point needs.

    >>> is_json_points(b'[{"objectId": "A", "mjd": 61000.0, "band": "g", "mag": 18.0},')
    True
    """
    text = start.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").lstrip().removeprefix("[").lstrip()
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and bool(roles_of(value))


def json_point_curves(path: Path, options: Options, refused: Refused, noted: Noted) -> LightCurves:
    """
    Read the light curves of points as JSON; parameters and errors are those of `astropy_tables.astropy_curves`.

    Raises
    ------
    MalformedAlert
        If it is no table of points, or something in it cannot be meant.
    """
    text = LITERALS.sub(b"null", whole_content(path).removeprefix(b"\xef\xbb\xbf"))
    try:
        table = _table(text)
    except NO_TABLE as problem:
        raise MalformedAlert(str(path), f"has points as JSON, but is no table: {in_one_line(problem)}") from None
    return curves_of_arrow(table, path, options, (refused, noted))


def _table(text: bytes) -> pa.Table:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = msgspec.json.Decoder().decode_lines(text)
    if isinstance(value, dict) and all(isinstance(column, list | dict) for column in value.values()):
        return pa.table({name: _column(c.values() if isinstance(c, dict) else c) for name, c in value.items()})
    rows: list[dict[str, Any]] = value if isinstance(value, list) else [value]
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _column(row.get(name) for row in rows) for name in names})


def _column(values: Iterable[Any]) -> pa.Array:
    """Make a column; of text if numbers in it are beyond 64 bits, or stand beside texts."""
    listed = list(values)
    try:
        return pa.array(listed)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else str(value) for value in listed], pa.string())
