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

BAD_SCHEMA = (SchemaParseException, SchemaRepositoryError, UnknownType, ValueError, LookupError, TypeError)

VERSION = re.compile(r"v(\d+)_(\d+)")
"""Of a schema, in the names of its files and folders."""

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
            schemas[str(file)] = finite(load_schema(str(file)))
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
        If its schema holds itself; what fastavro raises if it is no container.
    """
    reader = fastavro.reader(stream)
    finite(fastavro.parse_schema(reader.writer_schema))
    return reader


def finite(schema: Any) -> Any:
    """
    Give a schema if no record of it holds itself: fastavro's C code follows such a one until it ends the process.

    Parameters
    ----------
    schema
        As fastavro parses it: names in full, each type written out where it comes first.

    Raises
    ------
    MalformedAlert
        If one does, by however many others.
    RecursionError
        If it is deeper than any schema of alerts.
    """
    _follow(schema, ())
    return schema


def _follow(kind: Any, inside: tuple[str, ...]) -> None:
    """Look into a type, inside of some records; one that was named before was looked into there."""
    if isinstance(kind, str):
        if kind in inside:
            raise MalformedAlert("schema", f"its record {kind} holds itself")
    elif isinstance(kind, list):
        for branch in kind:
            _follow(branch, inside)
    elif kind["type"] in ("record", "error"):
        for field in kind["fields"]:
            _follow(field["type"], (*inside, kind["name"]))
    elif kind["type"] not in ("enum", "fixed"):
        _follow(kind.get("items", kind.get("values", kind["type"])), inside)


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
        return finite(fastavro.parse_schema(json.loads(text)))
    except (*BAD_SCHEMA, RecursionError) as problem:
        raise MalformedAlert("message", f"its schema is none: {in_one_line(problem)}") from None


def is_schema(key: bytes | None) -> bool:
    r"""
    Tell whether the key of a message is a schema, by its beginning.

    >>> is_schema(b' {"type": "record"}'), is_schema(b"distribution_schema"), is_schema(None)
    (True, False, False)
    """
    return key is not None and key.lstrip()[:1] in (b"{", b"[")
