"""
What brokers said of alerts in ELAsTiCC: files of ``brokerClassification``, with names from the taxonomy.

A message has a probability for each class, by its id; ELAsTiCC2's ids have four digits, ELAsTiCC's three. Files may be
Avro containers, messages without schema, JSON, or tar archives of any of these. Source: elasticc.v0_9_1 of
LSSTDESC/elasticc; FASTDB's messages, alerts with the same fields beside, are read, too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options, Refused
from tides_bridge.formats.contents import files_in
from tides_bridge.formats.meaning.classifications import classes_in
from tides_bridge.formats.meaning.taxonomy import TAXONOMY, TrueClass, gentypes_of
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


def read_broker_classes(
    paths: Sequence[Path],
    refused: Refused,
    schema: Path | None = None,
    tell: Callable[[Mapping[str, Any]], None] | None = None,
) -> Iterator[pa.Table]:
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
    tell
        Is given each message that was read; one of which it raises a MalformedAlert is told as refused.

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
                if value.startswith(UNREADABLE):
                    raise MalformedAlert("message", unreadable_reason(value)[1])
                record = opener.open(value, key).record
                rows += classes_in(record)
                if tell is not None:
                    tell(record)
            except MalformedAlert as problem:
                refused(path, problem.problem)
        if rows:
            yield pa.Table.from_pylist(rows, CLASSIFICATION_SCHEMA)
