"""
The records of a file as messages of a stream, in any format that `files` reads, also in archives.

::

    JSON                    its text, an array in parts
    recording               the message that was recorded, with its key
    Avro container          the record without its schema, and the schema as key, as Fink does; a lone one as it is
    Avro message            as it is
    Parquet, an alert a row the row as JSON, without pictures
    table of points         the light curve of each object as an Arrow stream
    what cannot be read     ``{"unreadable": ...}`` with the reason, so that it is refused with that, and not lost
"""

import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options, in_one_line
from tides_bridge.formats.avro.records import BAD
from tides_bridge.formats.avro.schemas import open_container
from tides_bridge.formats.contents import open_unpacked, seekable, stretches_of_lines, whole_content
from tides_bridge.formats.files import FAULTS, kind_of, read_light_curves
from tides_bridge.formats.json_text import LITERALS, json_document
from tides_bridge.formats.members import is_archive, members_in, write_member
from tides_bridge.formats.nested import open_table
from tides_bridge.formats.recording import is_recording, message_of_record
from tides_bridge.lightcurves import LightCurves

Content = tuple[bytes, bytes | None]
"""Value and key."""

ROWS = 256
"""Rows of a table that are turned into messages together."""

UNREADABLE = b'{"unreadable":'
"""How a message begins that stands for what could not be read."""

BROKEN = (*FAULTS, *BAD)


def messages_in(path: Path, options: Options, name: str = "") -> Iterator[Content]:
    """
    Give the records of a file, in their order.

    Parameters
    ----------
    path
        The file.
    options
        What it does not say of itself.
    name
        What it is called in reasons; default the path.
    """
    yield from _messages_in(path, options, name or str(path), 0)


def _messages_in(path: Path, options: Options, name: str, depth: int) -> Iterator[Content]:
    try:
        if is_archive(path):
            yield from _of_archive(path, options, name, depth)
        else:
            yield from READERS.get(kind_of(path, options.schema), _table)(path, options)
    except BROKEN as problem:
        yield unreadable_message(name, problem), None


def _of_archive(path: Path, options: Options, name: str, depth: int) -> Iterator[Content]:
    """Give the messages of each file in an archive."""
    with tempfile.TemporaryDirectory(prefix="tides-") as folder:
        for number, member in enumerate(members_in(path, depth)):
            # Only one lies on the disk at a time, and no two have one name: what is known of one is kept.
            place, own = Path(folder) / f"member{number}", f"{name}/{member.name}"
            try:
                if member.problem:
                    raise MalformedAlert(own, member.problem)
                write_member(member, place)
                yield from _messages_in(place, options, own, depth + 1)
                place.unlink()
            except BROKEN as problem:
                yield unreadable_message(own, problem), None


def count_in(path: Path, options: Options) -> int:
    """
    Count the records of a file; those of a table of alerts without reading them.

    Parameters
    ----------
    path
        A file of any kind that `messages_in` reads.
    options
        What it does not say of itself.

    Returns
    -------
    int
        As many as `messages_in` gives; a broken file counts as the one message that says so.
    """
    try:
        if not is_archive(path) and kind_of(path, options.schema) == "alerts":
            return int(pq.read_metadata(seekable(path)).num_rows)
    except BROKEN:
        pass  # the one message that says so
    return sum(1 for _ in messages_in(path, options))


def unreadable_message(name: str, problem: object) -> bytes:
    """Make the message that says why a file, or the rest of one, is not read."""
    problem_text = getattr(problem, "problem", problem if isinstance(problem, str) else None)
    reason = f"is broken: {in_one_line(problem)}" if problem_text is None else problem_text
    return UNREADABLE + json.dumps(f"{name}: {reason}").encode() + b"}"


def unreadable_reason(value: bytes) -> tuple[str, str]:
    """
    Give the name of a file, "" if there is none, and the reason, from a message that `unreadable_message` made.

    A record of a file may begin in the same way and be broken: that is its reason then.

    Parameters
    ----------
    value
        A message that begins with `UNREADABLE`.

    Returns
    -------
    (str, str)
        The file and the reason.

    Examples
    --------
    >>> unreadable_reason(unreadable_message("night.json", "is empty")), unreadable_reason(b'{"unreadable": 7}')
    (('night.json', 'is empty'), ('', '7'))
    """
    try:
        text = str(msgspec.json.decode(value)["unreadable"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return "", f"cannot be decoded: {in_one_line(problem)}"
    name, _, reason = text.partition(": ")
    return (name, reason) if reason else ("", text)


def curve_message(curve: LightCurves) -> bytes:
    """Write the light curve of one object as a message."""
    table, stream = curve.to_arrow(), io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


def _lines(path: Path, _: Options) -> Iterator[Content]:
    for _start, text in stretches_of_lines(path):
        for line in text.split(b"\n"):
            if line.strip():
                yield from _parts(line)


def _document(path: Path, _: Options) -> Iterator[Content]:
    yield from _parts(json_document(path))


def _parts(text: bytes) -> Iterator[Content]:
    """Give a JSON value, or if it is an array each in it; what is no JSON is one, to be refused."""
    text = text.strip()
    if not text.startswith(b"["):
        yield text, None
        return
    try:
        parts = msgspec.json.decode(LITERALS.sub(b"null", text), type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        yield text, None
        return
    yield from ((bytes(part), None) for part in parts)


def _container(path: Path, _: Options) -> Iterator[Content]:
    with open_unpacked(path) as stream:
        reader = open_container(stream)
        schema = reader.writer_schema
        if is_recording(schema):
            recorded = (message_of_record(record) for record in reader)
            yield from ((message.value, message.key) for message in recorded)
            return
        first, second = next(reader, None), next(reader, None)
        if second is None:
            yield from [(whole_content(path), None)] if first is not None else []
            return
        key, parsed = json.dumps(schema).encode(), fastavro.parse_schema(schema)
        for record in (first, second):
            yield _bare(parsed, record), key
        yield from ((_bare(parsed, record), key) for record in reader)


def _bare(schema: Any, record: Any) -> bytes:
    """Write a record without its schema."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, record)
    return stream.getvalue()


def _message(path: Path, _: Options) -> Iterator[Content]:
    yield whole_content(path), None


def _alerts(path: Path, _: Options) -> Iterator[Content]:
    with open_table(path) as file:
        names = [name for name in file.schema_arrow.names if not name.startswith("cutout")]
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(ROWS, row_groups=[group], columns=names):
                yield from ((msgspec.json.encode(row, enc_hook=str), None) for row in batch.to_pylist())


def _table(path: Path, options: Options) -> Iterator[Content]:
    problems: list[str] = []
    found = read_light_curves(
        [path],
        zero_point=options.zero_point,
        schema=options.schema,
        refused=lambda _, problem: problems.append(problem),
    )
    for curves in found:
        yield from ((curve_message(curves.part(index, index + 1)), None) for index in range(len(curves)))
    yield from ((unreadable_message(path.name, problem), None) for problem in problems)


READERS: dict[str, Callable[[Path, Options], Iterator[Content]]] = {
    "lines": _lines,
    "document": _document,
    "container": _container,
    "message": _message,
    "alerts": _alerts,
    "table": _table,
    "text": _table,
}
"""How a file of each kind is read, see `files.kind_of`; of all other kinds the light curve of each object is one."""
