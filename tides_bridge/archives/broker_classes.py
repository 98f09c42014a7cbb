"""
What brokers said of alerts in ELAsTiCC: files of ``brokerClassification``, with names from the taxonomy.

A message has a probability for each class, by its id; ELAsTiCC2's ids have four digits, ELAsTiCC's three. Files may be
Avro containers, messages without schema, JSON, or tar archives of any of these. Source: elasticc.v0_9_1 of
LSSTDESC/elasticc; FASTDB's messages, alerts with the same fields beside, are read, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tides_bridge.archives.taxonomy import TAXONOMY, TrueClass, class_of, gentypes_of
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options, Refused
from tides_bridge.formats.contents import files_in
from tides_bridge.formats.messages_of_files import UNREADABLE, messages_in, unreadable_reason
from tides_bridge.formats.output.meanings import Meaning, schema_of
from tides_bridge.formats.whole_alerts import Opener

CLASSIFICATION_COLUMNS: Final = (
    ("alertId", pa.int64(), Meaning("alert that was classified", ucd="meta.id")),
    ("diaSourceId", pa.int64(), Meaning("source that it is about", ucd="meta.id")),
    ("brokerName", pa.string(), Meaning("who says so", ucd="meta.curation")),
    ("brokerVersion", pa.string(), Meaning("version of the broker", ucd="meta.version")),
    ("classifierName", pa.string(), Meaning("by which classifier", ucd="meta.code")),
    ("classifierParams", pa.string(), Meaning("with which parameters", ucd="meta.note")),
    ("classId", pa.int64(), Meaning("class, as the message has it", ucd="src.class")),
    ("class", pa.string(), Meaning("name of the class in the taxonomy; empty for an unknown id", ucd="src.class")),
    ("probability", pa.float64(), Meaning("probability of the class", ucd="stat.probability")),
)
"""Columns of the table, one row a class of a message."""

CLASSIFICATION_SCHEMA: Final = schema_of(CLASSIFICATION_COLUMNS, {"description": "What brokers of ELAsTiCC said"})

NUMBERS: Final = ("alertId", "diaSourceId", "classId")

TAXONOMY_COLUMNS: Final = (
    ("classId", pa.int64(), Meaning("id in ELAsTiCC2 and FASTDB", ucd="meta.id")),
    ("oldClassId", pa.int64(), Meaning("id in ELAsTiCC of 2022", ucd="meta.id")),
    ("class", pa.string(), Meaning("name of the class", ucd="src.class;meta.main")),
    ("within", pa.string(), Meaning("classes that it is within, the nearest first", ucd="src.class")),
    ("gentypes", pa.string(), Meaning("types of the simulation that are of it", ucd="meta.id")),
)
"""Columns of the taxonomy."""


def taxonomy_table() -> pa.Table:
    """Give the taxonomy, both ways: ids and names, and the types of the simulation of each class."""
    rows: list[dict[str, Any]] = [
        {
            "classId": known.class_id,
            "oldClassId": known.old_id,
            "class": known.name,
            "within": "; ".join(parent.name for parent in known.ancestors),
            "gentypes": " ".join(map(str, _own_gentypes(known))),
        }
        for known in TAXONOMY
    ]
    return pa.Table.from_pylist(rows, schema_of(TAXONOMY_COLUMNS, {"description": "The taxonomy of ELAsTiCC2"}))


def _own_gentypes(known: TrueClass) -> tuple[int, ...]:
    return gentypes_of(known) if known.class_id % 10 else ()


def read_broker_classes(paths: Sequence[Path], refused: Refused, schema: Path | None = None) -> Iterator[pa.Table]:
    """
    Read classifications, a file at a time.

    Parameters
    ----------
    paths
        Files, and folders of them.
    refused
        Is told of files and messages that cannot be used, and why.
    schema
        Avro schema, or folder of them, for messages that bring none.

    Yields
    ------
    pyarrow.Table
        With the columns of `CLASSIFICATION_COLUMNS`.
    """
    opener, options = Opener(schema), Options(schema=schema)
    for path in files_in(paths, refused):
        rows: list[dict[str, Any]] = []
        for value, key in messages_in(path, options):
            try:
                rows += _rows(value, key, opener)
            except MalformedAlert as problem:
                refused(path, problem.problem)
        if rows:
            yield pa.Table.from_pylist(rows, CLASSIFICATION_SCHEMA)


def _rows(value: bytes, key: bytes | None, opener: Opener) -> list[dict[str, Any]]:
    """Read the classes of a message."""
    if value.startswith(UNREADABLE):
        raise MalformedAlert("message", unreadable_reason(value)[1])
    record = opener.open(value, key).record
    classes = record.get("classifications")
    if not isinstance(classes, list) or not record.get("brokerName"):
        raise MalformedAlert("message", "is no brokerClassification: it has no brokerName, or no classifications")
    head = {name: record.get(name) for name, _, _ in CLASSIFICATION_COLUMNS[:6]}
    head |= {name: _whole(record.get(name), name) for name in NUMBERS[:2]}
    head |= {name: None if head[name] is None else str(head[name]) for name in head if name not in NUMBERS}
    return [{**head, **_class(found)} for found in classes]


def _class(found: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping) or found.get("classId") is None:
        raise MalformedAlert("message", "a classification has no classId")
    number = _whole(found["classId"], "classId")
    try:
        name: str | None = class_of(str(number), "class id").name
    except ValueError:
        name = None
    probability = found.get("probability")
    try:
        return {"classId": number, "class": name, "probability": None if probability is None else float(probability)}
    except (TypeError, ValueError):
        raise MalformedAlert("message", f"a probability is {probability!r}, which is no number") from None


def _whole(value: Any, name: str) -> int | None:
    """Read a whole number of 64 bits; a float that may have lost digits is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).strip().lstrip("-").isdigit() or abs(int(str(value))) >= 2**63:
        raise MalformedAlert("message", f"{name} is {str(value)[:40]!r}, which is no whole number of 64 bits")
    return int(str(value))
