"""
Avro schemas: from files and folders, from text, and by the number that Rubin gives them.

Rubin's registry numbers them MAJOR * 100 + MINOR: 900 is version 9.0 (lsst/alert_packet, README).
"""

import json
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any

import fastavro
from fastavro.repository import SchemaRepositoryError
from fastavro.schema import SchemaParseException, UnknownType, load_schema

from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats import in_one_line
from tides_bridge.formats.avro.codecs import FOREIGN, without_codec
from tides_bridge.formats.meaning.epochs import NAMES

BAD_SCHEMA = (SchemaParseException, SchemaRepositoryError, UnknownType, ValueError, LookupError, TypeError)

VERSION = re.compile(r"v(\d+)_(\d+)")
"""Of a schema, in the names of its files and folders."""

DEEPEST, LARGEST = 100, 100_000
"""Types that lie in each other, and all, each counted wherever it is named. Rubin's alert has 6 and some 1,000."""

HEADER = fastavro.parse_schema(
    {
        "type": "record",
        "name": "org.apache.avro.file.Header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "Magic", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
        ],
    }
)
"""How a container begins (Avro 1.12, "Object Container Files")."""

KEPT = 64
"""Schemas that came with messages and are kept ready: a stream has a few."""


@cache
def schemas_in(path: Path) -> dict[str, Any]:
    """
    Load a schema, or all of alerts in a folder, by file name.

    Raises
    ------
    SettingsError
        If there is none, or one cannot be read.
    """
    if not path.exists():
        raise SettingsError(str(path), "", "there is no such schema file or folder (--schema, broker.schemas)")
    files = sorted(path.rglob("*alert.avsc")) or sorted(path.rglob("*.avsc")) if path.is_dir() else [path]
    if not files:
        raise SettingsError(str(path), "", "holds no Avro schema, no *.avsc (--schema, broker.schemas)")
    schemas = {}
    for file in files:
        try:
            _refuse_unfit(json.loads(file.read_bytes()))
            schemas[str(file)] = load_schema(str(file))
            _measure(schemas[str(file)], (), {})
        except (OSError, RecursionError, *BAD_SCHEMA) as problem:
            raise SettingsError(str(file), "", f"is no Avro schema: {in_one_line(problem)}") from None
        except MalformedAlert as error:
            raise SettingsError(str(file), "", error.problem) from None
    return schemas


def open_container(stream: IO[bytes]) -> Any:
    """
    Begin to read a container whose schema has an end.

    Parameters
    ----------
    stream
        Its bytes.

    Raises
    ------
    MalformedAlert
        If its schema holds itself, or is too large; what fastavro raises if it is no container.
    """
    header: Any = fastavro.schemaless_reader(stream, HEADER, None)
    finite(json.loads(header["meta"]["avro.schema"]))
    if header["meta"].get("avro.codec") in FOREIGN:
        return fastavro.reader(without_codec(stream, header, HEADER))
    stream.seek(0)
    return fastavro.reader(stream)


def finite(schema: Any) -> Any:
    """
    Parse a schema if its records have an end: fastavro's C code follows others until they end the process.

    Parameters
    ----------
    schema
        As it was written. What only fastavro writes into schemas that it has parsed would be believed unread.

    Raises
    ------
    MalformedAlert
        If a record holds itself, by however many others, or they hold more others than those of any alert.
    RecursionError
        If its text is deeper than any schema of alerts.
    """
    _refuse_unfit(schema)
    parsed = fastavro.parse_schema(schema)
    _measure(parsed, (), {})
    return parsed


def _refuse_unfit(part: Any) -> None:
    """Refuse hints that only fastavro writes, and Julian dates of 32 bits."""
    if isinstance(part, dict):
        if hints := [key for key in part if key.startswith("__")]:
            raise MalformedAlert("schema", f"it has {hints[0]}, which no schema has")
        if str(part.get("name")).lower() in NAMES["jd"] and "float" in str(part.get("type")):
            problem = f"its epochs ({part['name']}) are float, whose steps of 0.25 d make nights of others"
            raise MalformedAlert("schema", f"{problem}: keep them as double")
        for value in part.values():
            _refuse_unfit(value)
    elif isinstance(part, list):
        for value in part:
            _refuse_unfit(value)


def _measure(kind: Any, inside: tuple[str, ...], known: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Give how deep a type is, and how many it holds, inside of some records; those known were measured before."""
    if isinstance(kind, str):
        if kind in inside:
            raise MalformedAlert("schema", f"its record {kind} holds itself")
        return known.get(kind, (0, 1))
    if isinstance(kind, list):
        parts = [_measure(branch, inside, known) for branch in kind]
    elif kind["type"] in ("record", "error"):
        within = (*inside, kind["name"])
        parts = [_measure(field["type"], within, known) for field in kind["fields"]]
    elif kind["type"] in ("enum", "fixed"):
        parts = []
    else:
        parts = [_measure(kind.get("items", kind.get("values", kind["type"])), inside, known)]
    depth = 1 + max((part_depth for part_depth, _ in parts), default=0)
    size = 1 + sum(part_size for _, part_size in parts)
    if depth > DEEPEST or size > LARGEST:
        raise MalformedAlert("schema", f"its records hold others more than {DEEPEST} deep, or more than {LARGEST:,}")
    if not isinstance(kind, list) and "name" in kind:
        known[kind["name"]] = depth, size
    return depth, size


def number_in_name(name: str) -> int | None:
    """
    Give the number of a schema in Rubin's registry.

    >>> number_in_name("v10_0/lsst.v10_0.alert.avsc")
    1000
    """
    version = VERSION.search(Path(name).name) or VERSION.search(name)
    return int(version[1]) * 100 + int(version[2]) if version else None


def schema_number(name: str, schema: Any) -> int | None:
    """
    Give the number of a schema in Rubin's registry, by its file or its own name; None if these tell no version.

    Parameters
    ----------
    name
        Of the file.
    schema
        What is in it; its own name counts where the file has no number.

    Returns
    -------
    int or None
        Major * 100 + minor, as Rubin numbers schemas in its registry and in the header of a message.

    Examples
    --------
    >>> schema_number("alert.avsc", {"name": "lsst.v10_0.alert"}), schema_number("a.avsc", {"name": "alert"})
    (1000, None)
    """
    own = str(schema.get("name", "")) if isinstance(schema, dict) else ""
    found = number_in_name(name)
    return number_in_name(own) if found is None else found


@lru_cache(KEPT)
def schema_of_text(text: bytes | str) -> Any:
    """
    Read a schema that came with a message.

    Raises
    ------
    MalformedAlert
        If it is none.
    """
    try:
        return finite(json.loads(text))
    except (*BAD_SCHEMA, RecursionError) as problem:
        raise MalformedAlert("message", f"its schema is none: {in_one_line(problem)}") from None


def is_schema(key: bytes | None) -> bool:
    r"""
    Tell whether the key of a message is a schema, by its beginning.

    >>> is_schema(b' {"type": "record"}'), is_schema(b"distribution_schema"), is_schema(None)
    (True, False, False)
    """
    return key is not None and key.lstrip()[:1] in (b"{", b"[")
