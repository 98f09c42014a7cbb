"""How messages of an Avro schema are read: as columns, one by one, or not at all. Made once a schema, and kept."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import fastavro

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.avro.program import Compiler, Program
from tides_bridge.formats.avro.schemas import BAD_SCHEMA, KEPT, schema_number, schema_of_text, schemas_in
from tides_bridge.formats.columnar import is_elasticc_schema, is_of_sources, missing_in, program_of
from tides_bridge.formats.meaning.annotations import FIELDS, ROOTS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Reader:
    """
    How messages of one schema are read.

    Attributes
    ----------
    name
        What the schema is called in reasons.
    schema
        As fastavro has it.
    survey
        ``lsst`` or ``elasticc`` by its spelling; empty if it has no ``diaSource``.
    problem
        Why no message of this schema can be used; "" if they can.
    program
        That takes the columns; None if records are read one by one.
    notes
        The part of the schema that has annotations, where columns are taken; None if it has none.
    """

    name: str
    schema: Any
    survey: str
    problem: str
    program: Program | None
    notes: Any = None


def make_reader(schema: Any, name: str) -> Reader:
    """Prepare for messages of a schema."""
    survey = ("elasticc" if is_elasticc_schema(schema) else "lsst") if is_of_sources(schema) else ""
    lacking = missing_in(schema) if survey else ""
    if lacking:
        return Reader(name, schema, survey, f"{lacking} is missing from schema {name}", None)
    try:
        program = program_of(schema) if survey else Compiler(schema, {}).program
    except MalformedAlert as problem:
        if "list of nothing" in problem.problem:  # fastavro would fill the memory with it
            return Reader(name, schema, survey, f"in schema {name}, {problem.problem}", None)
        logger.warning("messages of a schema are read one by one: schema=%s why=%s", name, problem.problem)
        program = None
    return Reader(name, schema, survey, "", program if survey else None, notes_of(schema) if program else None)


def notes_of(schema: Any) -> Any:
    """Give the part of a record's schema in which a broker says more than the survey; None if there is none."""
    fields = [field for field in schema.get("fields", ()) if field["name"] in ROOTS]
    fields += [hosts for field in schema.get("fields", ()) if (hosts := _hosts_of(field)) is not None]
    if not fields:
        return None
    kept = {key: value for key, value in schema.items() if not key.startswith("__")}
    try:
        return fastavro.parse_schema({**kept, "fields": fields})
    except BAD_SCHEMA:  # a type of it is defined in the rest
        return schema


def _hosts_of(field: Any) -> Any:
    """Give the part of ``diaObject`` that tells of hosts, as ELAsTiCC's does; None if there is none."""
    kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
    record = next((kind for kind in kinds if isinstance(kind, dict)), {})
    kept = [inner for inner in record.get("fields", ()) if f"diaObject.{inner['name']}" in FIELDS["elasticc"]]
    if field["name"] != "diaObject" or not kept:
        return None
    only = {**record, "fields": kept}
    return {**field, "type": [only if kind is record else kind for kind in kinds]}


@lru_cache(KEPT)
def reader_of_text(text: bytes) -> Reader:
    """Prepare for messages of a schema that came with one; raises MalformedAlert if it is none."""
    schema = schema_of_text(text)
    return make_reader(
        schema, str(schema.get("name", "of the message")) if isinstance(schema, dict) else "of the message"
    )


@lru_cache(16)
def readers_in(path: Path) -> tuple[Reader, ...]:
    """Prepare for messages of the schemas in a file or folder; raises SettingsError if there is none."""
    return tuple(make_reader(schema, Path(name).name) for name, schema in schemas_in(path).items())


@lru_cache(16)
def numbered_in(path: Path) -> dict[int, Reader]:
    """Prepare for messages of the schemas in a folder, by number: that in the name of their file, else in their own."""
    readers = {}
    for name, schema in schemas_in(path).items():
        number = schema_number(name, schema)
        if number is not None:
            readers[number] = make_reader(schema, str(number))
    return readers


@lru_cache(256)
def numbered_reader(text: str, number: int) -> Reader:
    """Prepare for messages of a schema that the registry gave; raises MalformedAlert if it is none."""
    return make_reader(schema_of_text(text), str(number))
