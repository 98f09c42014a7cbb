"""
Avro messages, written fast: neighbouring numbers of a record are packed together.

fastavro needs 60 µs for one of Rubin's sources, because it tries every branch of 90 unions, and a packet has dozens of
them. Here each field has a function that is made once from the schema; runs of floats and flags are one call of
`struct`. The bytes are those that fastavro writes: a test compares them.
"""

import hashlib
import io
import json
import struct
from collections.abc import Callable, Mapping
from functools import cached_property
from operator import itemgetter
from typing import Any

import fastavro

Write = Callable[[Any], bytes]
Named = dict[str, Write]

FIXED = {"float": "f", "double": "d", "boolean": "?"}
"""Types of a fixed size, and their code for `struct`."""


class SchemaWriter:
    r"""
    How alerts are written with one schema.

    Parameters
    ----------
    schema
        Of a record; names in full wherever they are used.

    Examples
    --------
    >>> simple = SchemaWriter({"type": "record", "name": "a.b", "fields": [{"name": "x", "type": ["null", "long"]}]})
    >>> simple.bare({"x": -3}), simple.framed({"x": None}, 900)
    (b'\x02\x05', b'\x00\x00\x00\x03\x84\x00')
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.text = json.dumps(schema, separators=(",", ":"))
        self.bare = _writer(schema, {})

    def framed(self, content: Mapping[str, Any], number: int) -> bytes:
        """Write a message in Confluent's wire format: a zero byte, the schema's number in four, the message."""
        return b"\0" + number.to_bytes(4, "big") + self.bare(content)

    def container(self, content: Mapping[str, Any]) -> bytes:
        """Write a container of one record; the same whenever it is written."""
        body = self.bare(content)
        return self._head + integer(1) + integer(len(body)) + body + self._marker

    @cached_property
    def _marker(self) -> bytes:
        """Give what stands between the blocks of a container, which fastavro would draw at random."""
        return marker(self.text)

    @cached_property
    def _head(self) -> bytes:
        stream = io.BytesIO()
        fastavro.writer(stream, fastavro.parse_schema(self.schema), [], sync_marker=self._marker)
        return stream.getvalue()


def marker(text: str) -> bytes:
    """Make a sync marker of 16 bytes that follows from a text."""
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def integer(value: int) -> bytes:
    r"""
    Write an int or long: zigzag, then seven bits a byte, the lowest first (Avro 1.11, Binary Encoding).

    >>> integer(0), integer(-1), integer(64), len(integer(170587115523932323))
    (b'\x00', b'\x01', b'\x80\x01', 9)
    """
    left = (value << 1) ^ (value >> 63)
    made = bytearray()
    while left > 0x7F:
        made.append(left & 0x7F | 0x80)
        left >>= 7
    made.append(left)
    return bytes(made)


def _sized(value: bytes) -> bytes:
    return integer(len(value)) + value


def _text(value: str) -> bytes:
    return _sized(value.encode())


_SIMPLE: Named = {
    "null": lambda _: b"",
    "boolean": lambda value: b"\1" if value else b"\0",
    "int": integer,
    "long": integer,
    "float": struct.Struct("<f").pack,
    "double": struct.Struct("<d").pack,
    "string": _text,
    "bytes": _sized,
}


def _writer(kind: Any, named: Named) -> Write:
    """Make the function that writes a type; records are known by name from then on."""
    if isinstance(kind, list):
        if len(kind) != 2 or "null" not in kind:
            raise ValueError(f"a union is of null and another type here, not {kind}")
        at = kind.index("null")
        null, other, write = integer(at), integer(1 - at), _writer(kind[1 - at], named)
        return lambda value: null if value is None else other + write(value)
    if isinstance(kind, str):
        return _SIMPLE.get(kind) or named[kind]
    if kind["type"] == "record":
        write = _record(kind, named)
        named[kind["name"]] = write
        return write
    if kind["type"] == "array":
        return _array(_writer(kind["items"], named))
    return _writer(kind["type"], named)


def _array(write: Write) -> Write:
    def written(values: Any) -> bytes:
        return b"".join((integer(len(values)), *map(write, values), b"\0")) if values else b"\0"

    return written


def _record(schema: dict[str, Any], named: Named) -> Write:
    """Write the fields one after another, those of a fixed size together."""
    parts: list[Write] = []
    run: list[dict[str, Any]] = []
    for field in schema["fields"]:
        if _code(field["type"]):
            run.append(field)
            continue
        if run:
            parts.append(_together(run, named))
            run = []
        parts.append(_alone(field, named))
    if run:
        parts.append(_together(run, named))
    return lambda value: b"".join([part(value) for part in parts])


def _code(kind: Any) -> str | None:
    """Give the code of a type of fixed size, with a byte before it where it may be null."""
    if isinstance(kind, list) and len(kind) == 2 and kind[0] == "null" and isinstance(kind[1], str):
        return "B" + FIXED[kind[1]] if kind[1] in FIXED else None
    return FIXED.get(kind) if isinstance(kind, str) else None


def _alone(field: dict[str, Any], named: Named) -> Write:
    name, write = field["name"], _writer(field["type"], named)
    if "default" in field:
        default = field["default"]
        return lambda value: write(value.get(name, default))
    return lambda value: write(value[name])


def _together(fields: list[dict[str, Any]], named: Named) -> Write:
    """Write a run of fields of fixed size in one go; one by one if any is missing."""
    if len(fields) == 1:
        return _alone(fields[0], named)
    codes = [_code(field["type"]) or "" for field in fields]
    pack = struct.Struct("<" + "".join(codes)).pack
    places: list[int] = []
    pattern: list[Any] = []
    for code in codes:
        pattern += [1 << 1] * (len(code) - 1)  # the second type of the union
        places.append(len(pattern))
        pattern.append(None)
    values_of = itemgetter(*(field["name"] for field in fields))
    is_alternating = places == list(range(1, 2 * len(fields), 2))
    slowly = [_alone(field, named) for field in fields]

    def written(record: Any) -> bytes:
        try:
            values = values_of(record)
        except KeyError:
            return b"".join([write(record) for write in slowly])
        if None in values:
            return b"".join([write(record) for write in slowly])
        filled = pattern.copy()
        if is_alternating:
            filled[1::2] = values
        else:
            for place, value in zip(places, values, strict=True):
                filled[place] = value
        return pack(*filled)

    return written
