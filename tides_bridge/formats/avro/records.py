"""
Avro: containers, which bring their schema, and single messages, which do not.

A message is framed as Rubin's are (Confluent's wire format: a zero byte and the schema's number, where 900 is version
9.0), or bare, as ELAsTiCC's are. Its schema is looked for in the file or folder that the option names.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import fastavro
import msgspec

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import FilePiece, Index, Refused, in_one_line
from tides_bridge.formats.avro.schemas import BAD_SCHEMA, number_in_name, open_container, schemas_in
from tides_bridge.formats.babamul import survey_packet
from tides_bridge.formats.contents import BROKEN, open_unpacked, whole_content
from tides_bridge.formats.json_text import chosen_records, identify_head
from tides_bridge.formats.needed import is_bare, lacking_field_in
from tides_bridge.formats.recording import RecordedMessage, is_recording, message_of_record
from tides_bridge.formats.records import Head, Record, sources_of

CONTAINER = b"Obj\x01"

BAD = (*BROKEN, *BAD_SCHEMA, StopIteration, AttributeError, OverflowError, MemoryError, RecursionError)
"""What fastavro raises for broken bytes: it reads on until something does not fit."""

Unpack = Callable[[RecordedMessage], Any]
"""Gives the record in a message; raises MalformedAlert if it is none."""

Unpacking = Callable[[Mapping[str, str]], Unpack]
"""Makes that of what a recording says of itself."""

T = TypeVar("T")


def index_container(path: Path, unpacking: Unpacking, refused: Refused) -> Index:
    """
    Note the records of a container, of a recording the alerts in its messages.

    A place is a record's number, from 0. What comes after broken bytes is lost.
    """
    index = Index()
    with open_unpacked(path) as stream:
        found = _noted(_contained(stream, Head, path, unpacking, refused), path, refused)
    if found:
        index.add(*zip(*found, strict=True))
    index.end = len(found)
    return index


def read_container(piece: FilePiece, unpacking: Unpacking, refused: Refused) -> list[Record]:
    """Read the chosen records of a container."""
    with open_unpacked(piece.path) as stream:
        numbered = enumerate(_contained(stream, Record, piece.path, unpacking, lambda *_: None))
        values = (value for number, value in numbered if piece.start <= number < piece.stop)
        return list(chosen_records(values, piece, refused))


def index_message(path: Path, schema: Path | None, refused: Refused) -> Index:
    """Note the one record of a message."""
    index = Index(end=1)
    index.add(*zip(*_noted(iter([_converted(message_of(path, schema), Head)]), path, refused), strict=True))
    return index


def read_message_file(piece: FilePiece, schema: Path | None, refused: Refused) -> list[Record]:
    """Read the one record of a message."""
    return list(chosen_records([_converted(message_of(piece.path, schema), Record)], piece, refused))


def message_of(path: Path, schema: Path | None) -> dict[str, Any]:
    """
    Decode a message without schema.

    Raises
    ------
    MalformedAlert
        If no schema is given, or none of those given fits the bytes to the last.
    """
    content = whole_content(path)
    number = int.from_bytes(content[1:5], "big") if content[:1] == b"\0" and len(content) > 5 else None
    framed = f" It may be framed, with the schema number {number}." if number is not None else ""
    if schema is None:
        problem = f"is no text, and begins with {content[:4]!r}: an Avro message without schema? Name it with --schema."
        raise MalformedAlert(str(path), problem + framed)
    schemas = schemas_in(schema)
    bodies = [(content, candidate) for candidate in schemas.values()]
    if number is not None:
        named = [candidate for name, candidate in schemas.items() if number_in_name(name) == number]
        bodies = [(content[5:], candidate) for candidate in named or schemas.values()] + bodies
    for body, candidate in bodies:
        record = decode_exactly(body, candidate)
        if record is not None:
            return record
    names = ", ".join(Path(name).name for name in schemas)
    raise MalformedAlert(str(path), f"is no message of these schemas: {names}.{framed}")


def _noted(values: Iterator[Head | str], path: Path, refused: Refused) -> list[tuple[str, float, int]]:
    noted: list[tuple[str, float, int]] = []
    for number, value in enumerate(values):
        found = identify_head(value)
        if isinstance(found, str):
            refused(path, f"record {number + 1}: {found}")
            found = "", float("-inf")
        noted.append((*found, number))
    return noted


def _contained(
    stream: IO[bytes], kind: type[T], path: Path, unpacking: Unpacking, refused: Refused
) -> Iterator[T | str]:
    number = 0
    try:
        reader = open_container(stream)
        unpack = unpacking(reader.metadata) if is_recording(reader.writer_schema) else None
        for record in reader:
            number += 1
            yield _converted(record, kind) if unpack is None else _recorded(record, unpack, kind)
    except BAD as problem:
        if not number:
            raise MalformedAlert(str(path), f"is a broken Avro container: {in_one_line(problem)}") from None
        refused(path, f"after record {number}: broken Avro, the rest is lost: {in_one_line(problem)}")


def _recorded(record: Any, unpack: Unpack, kind: type[T]) -> T | str:
    """Read the alert in a message that was recorded."""
    try:
        return _converted(unpack(message_of_record(record)), kind)
    except MalformedAlert as problem:
        return problem.problem
    except ValueError as problem:
        return str(problem)


def _converted(record: Any, kind: type[T]) -> T | str:
    try:
        value = msgspec.convert(survey_packet(record), kind, strict=False)
    except MalformedAlert as problem:
        return problem.problem
    except msgspec.ValidationError as problem:
        return f"cannot be read: {in_one_line(problem)}"
    name = lacking_field_in(record) if isinstance(value, Record) and is_bare(sources_of(value)) else ""
    return f"{name} is missing" if name else value


def decode_exactly(body: bytes | memoryview, schema: Any, part: Any = None) -> dict[str, Any] | None:
    """
    Decode a message if the schema fits it, to the last byte.

    Parameters
    ----------
    body
        Without framing.
    schema
        Parsed. Several may fit the first bytes of a message, so that only the last byte tells.
    part
        The schema with some of its fields: those are given. None: all.

    Returns
    -------
    dict or None
        None if it does not fit, has bytes left, or is no record. It never raises for what stands in a message.
    """
    stream = io.BytesIO(body)
    try:
        record = fastavro.schemaless_reader(stream, schema, part)
    except (*BAD, RecursionError):
        return None
    return record if isinstance(record, dict) and stream.tell() == len(body) else None
