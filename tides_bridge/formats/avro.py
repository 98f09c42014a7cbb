"""
Avro: containers, which bring their schema, and single messages, which do not.

A message is framed as Rubin's are (Confluent's wire format: a zero byte and the schema's number, where 900 is version
9.0), or bare, as ELAsTiCC's are. Its schema is looked for in the file or folder that the option names.
"""

import io
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

import fastavro
import msgspec
from fastavro.repository import SchemaRepositoryError
from fastavro.schema import SchemaParseException, UnknownType, load_schema

from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats import Index, Piece, Refused, shown
from tides_bridge.formats.contents import BROKEN, opened, whole
from tides_bridge.formats.json_text import chosen, identified
from tides_bridge.formats.records import Head, Record

CONTAINER = b"Obj\x01"

BAD_SCHEMA = (SchemaParseException, SchemaRepositoryError, UnknownType, ValueError, LookupError, TypeError)

BAD = (*BROKEN, *BAD_SCHEMA, StopIteration, AttributeError, OverflowError, MemoryError)
"""What fastavro raises for broken bytes: it reads on until something does not fit."""

VERSION = re.compile(r"v(\d+)_(\d+)")
"""Of a schema, in the names of its files and folders."""

T = TypeVar("T")


def index_container(path: Path, refused: Refused) -> Index:
    """Note the records of a container; a place is a record's number, from 0. What comes after broken bytes is lost."""
    index = Index()
    with opened(path) as stream:
        found = _noted(_contained(stream, Head, path, refused), path, refused)
    if found:
        index.add(*zip(*found, strict=True))
    index.end = len(found)
    return index


def read_container(piece: Piece, refused: Refused) -> list[Record]:
    """Read the chosen records of a container."""
    with opened(piece.path) as stream:
        numbered = enumerate(_contained(stream, Record, piece.path, lambda *_: None))
        values = (value for number, value in numbered if piece.start <= number < piece.stop)
        return list(chosen(values, piece, refused))


def index_message(path: Path, schema: Path | None, refused: Refused) -> Index:
    """Note the one record of a message."""
    index = Index(end=1)
    index.add(*zip(*_noted(iter([_converted(message_of(path, schema), Head)]), path, refused), strict=True))
    return index


def read_message(piece: Piece, schema: Path | None, refused: Refused) -> list[Record]:
    """Read the one record of a message."""
    return list(chosen([_converted(message_of(piece.path, schema), Record)], piece, refused))


def message_of(path: Path, schema: Path | None) -> dict[str, Any]:
    """
    Decode a message without schema.

    Raises
    ------
    MalformedAlert
        If no schema is given, or none of those given fits the bytes to the last.
    """
    content = whole(path)
    number = int.from_bytes(content[1:5], "big") if content[:1] == b"\0" and len(content) > 5 else None
    framed = f" It may be framed, with the schema number {number}." if number is not None else ""
    if schema is None:
        problem = f"is no text, and begins with {content[:4]!r}: an Avro message without schema? Name it with --schema."
        raise MalformedAlert(str(path), problem + framed)
    schemas = _schemas(schema)
    bodies = [(content, each) for each in schemas.values()]
    if number is not None:
        named = [each for name, each in schemas.items() if _number_of(name) == number]
        bodies = [(content[5:], each) for each in named or schemas.values()] + bodies
    for body, each in bodies:
        record = _exactly(body, each)
        if record is not None:
            return record
    names = ", ".join(Path(name).name for name in schemas)
    raise MalformedAlert(str(path), f"is no message of these schemas: {names}.{framed}")


def _noted(values: Iterator[Head | str], path: Path, refused: Refused) -> list[tuple[str, float, int]]:
    noted: list[tuple[str, float, int]] = []
    for number, value in enumerate(values):
        found = identified(value)
        if isinstance(found, str):
            refused(path, f"record {number + 1}: {found}")
            found = "", float("-inf")
        noted.append((*found, number))
    return noted


def _contained(stream: IO[bytes], kind: type[T], path: Path, refused: Refused) -> Iterator[T | str]:
    number = 0
    try:
        for record in fastavro.reader(stream):
            number += 1
            yield _converted(record, kind)
    except BAD as problem:
        if not number:
            raise MalformedAlert(str(path), f"is a broken Avro container: {shown(problem)}") from None
        refused(path, f"after record {number}: broken Avro, the rest is lost: {shown(problem)}")


def _converted(record: Any, kind: type[T]) -> T | str:
    try:
        return msgspec.convert(record, kind, strict=False)
    except msgspec.ValidationError as problem:
        return f"cannot be read: {shown(problem)}"


@cache
def _schemas(path: Path) -> dict[str, Any]:
    """Load a schema, or all of alerts in a folder, by file name."""
    if not path.exists():
        raise SettingsError(str(path), "", "there is no such schema file or folder (--schema)")
    files = sorted(path.rglob("*alert.avsc")) or sorted(path.rglob("*.avsc")) if path.is_dir() else [path]
    if not files:
        raise SettingsError(str(path), "", "holds no Avro schema, no *.avsc (--schema)")
    schemas = {}
    for file in files:
        try:
            schemas[str(file)] = load_schema(str(file))
        except (OSError, *BAD_SCHEMA) as problem:
            raise SettingsError(str(file), "", f"is no Avro schema: {shown(problem)}") from None
    return schemas


def _number_of(name: str) -> int | None:
    """
    Give the number of a schema in Rubin's registry.

    >>> _number_of("v10_0/lsst.v10_0.alert.avsc")
    1000
    """
    version = VERSION.search(Path(name).name) or VERSION.search(name)
    return int(version[1]) * 100 + int(version[2]) if version else None


def _exactly(body: bytes, schema: Any) -> dict[str, Any] | None:
    """Decode a message if the schema fits it, to the last byte."""
    stream = io.BytesIO(body)
    try:
        record = fastavro.schemaless_reader(stream, schema, None)
    except BAD:
        return None
    return record if isinstance(record, dict) and stream.tell() == len(body) else None
