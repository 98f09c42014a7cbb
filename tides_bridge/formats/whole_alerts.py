"""
A message of any framing as a whole record, with every field that it has.

`tides watch` shows such records, and `tides replay` sorts its files by them. The bridge itself reads a few fields, and
those faster: see `tides_bridge.brokers`.
"""

import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.avro.records import decode_exactly
from tides_bridge.formats.avro.schemas import finite, schema_number, schema_of_text, schemas_in
from tides_bridge.formats.babamul import survey_packet
from tides_bridge.formats.framing import Framing, framing_of, of_confluent, of_container
from tides_bridge.formats.recording import RecordedMessage
from tides_bridge.formats.records import Record, to_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import MJD_ZERO, TAI_AHEAD

Registry = Callable[[int], Any]
"""Gives the schema of a number; raises MalformedAlert if there is none."""


@dataclass(frozen=True, eq=False)
class Whole:
    """
    What a message holds; its framings are told in `tides_bridge.formats.framing`.

    Attributes
    ----------
    record
        Every field.
    framing
        How it was packed.
    schema
        Of Avro: the schema it was written with, ready for fastavro.
    body
        Of Avro: the bytes of the record alone.
    """

    record: dict[str, Any]
    framing: Framing
    schema: Any = None
    body: bytes = b""


class Opener:
    """
    Opens messages of all framings.

    Parameters
    ----------
    schemas
        Avro schema, or a folder of them, for messages that bring none.
    registry
        Where the schema of a number is asked for that is not among them.
    """

    def __init__(self, schemas: Path | None = None, registry: Registry | None = None) -> None:
        self._schemas: dict[str, Any] = dict(schemas_in(schemas)) if schemas else {}
        self._registry = registry

    def add_schema(self, name: str, schema: Any) -> None:
        """Know one more schema; raises what fastavro does if it is none, and MalformedAlert if it holds itself."""
        self._schemas[name] = finite(schema)

    def open(self, value: bytes, key: bytes | None = None) -> Whole:
        """
        Read a message.

        Raises
        ------
        MalformedAlert
            If it is of none of the framings, or broken, or its schema is not known.
        """
        if not value:
            raise MalformedAlert("message", "is empty")
        framing = framing_of(value, key)
        if framing is Framing.CONTAINER:
            text, body = of_container(value)
            schema = schema_of_text(text)
            record = decode_exactly(body, schema)
            if record is None:
                raise MalformedAlert("message", "is a broken Avro container: its record does not fit its schema")
            return Whole(record, Framing.CONTAINER, schema, body)
        if framing is Framing.KEYED:
            schema = schema_of_text(key or b"")
            record = decode_exactly(value, schema)
            if record is None:
                raise MalformedAlert("message", "does not fit the schema in its key")
            return Whole(record, Framing.KEYED, schema, value)
        # A bare message may begin with any byte.
        try:
            if framing is Framing.JSON:
                return open_json(value)
            if framing is Framing.BSON:
                from tides_bridge.formats.bson_loci import locus_in  # pymongo's BSON, which few messages need

                return Whole(locus_in(value), Framing.BSON)
            found = self._numbered(value) if framing is Framing.CONFLUENT else None
        except MalformedAlert:
            found = self._bare(value)
            if found is None:
                raise
        found = found or self._bare(value)
        if found is None:
            raise MalformedAlert("message", self._why_not(value))
        return found

    def _numbered(self, value: bytes) -> Whole | None:
        """Read a message with Confluent's header; None if no schema fits it."""
        number, body = of_confluent(value)
        for schema in self._of_number(number):
            record = decode_exactly(body, schema)
            if record is not None:
                return Whole(record, Framing.CONFLUENT, schema, body)
        return None

    def _of_number(self, number: int) -> Iterator[Any]:
        """Give the schemas that may be meant: those of that number, else the registry's, or any."""
        named = [schema for name, schema in self._schemas.items() if schema_number(name, schema) == number]
        yield from named
        if not named and self._registry is not None:
            yield self._registry(number)
        elif not named:
            yield from self._schemas.values()

    def _bare(self, value: bytes) -> Whole | None:
        """Read a message without any sign of its schema: the first that fits it to the last byte."""
        for schema in self._schemas.values():
            record = decode_exactly(value, schema)
            if record is not None:
                return Whole(record, Framing.BARE, schema, value)
        return None

    def _why_not(self, value: bytes) -> str:
        number = int.from_bytes(value[1:5], "big") if value[:1] == b"\0" and len(value) > 5 else None
        framed = "" if number is None else f" It may be framed, with the schema number {number}."
        if self._schemas:
            names = ", ".join(Path(name).name for name in self._schemas)
            return f"is no message of these schemas: {names}.{framed}"
        start = f"begins with {value[:8]!r}: neither JSON, an Avro container, nor BSON."
        return f"{start}{framed} An Avro message without schema? Name its schema with --schemas."


def record_unpacking(schemas: Path | None, metadata: Mapping[str, str]) -> Callable[[RecordedMessage], dict[str, Any]]:
    """
    Give what takes the record with a light curve out of a message that was recorded.

    Parameters
    ----------
    schemas
        As of `Opener`.
    metadata
        Of the recording: ``tides.schema`` is that of its messages.

    Returns
    -------
    function
        Raises MalformedAlert if a message is broken, or brings no light curve by its kind.
    """
    opener, own = Opener(schemas), metadata.get("tides.schema")
    if own:
        opener.add_schema("tides.schema", json.loads(own))

    def unpack(message: RecordedMessage) -> dict[str, Any]:
        found = opener.open(message.value, message.key)
        if found.framing is Framing.BSON:
            problem = "is a locus of ANTARES, which brings no light curve: the broker antares asks its service for them"
            raise MalformedAlert("message", problem)
        return found.record

    return unpack


def open_json(value: bytes) -> Whole:
    """
    Read JSON text, with NaN and with integers of any length.

    Raises
    ------
    MalformedAlert
        If it is none, or no object.
    """
    try:
        record = json.loads(value)
    except (ValueError, RecursionError) as problem:
        raise MalformedAlert("message", f"is not JSON: {in_one_line(problem)}") from None
    if not isinstance(record, dict):
        raise MalformedAlert("message", "is JSON, but no object with fields")
    return Whole(record, Framing.JSON)


def field_of(record: Any, path: str) -> Any:
    """
    Give a field by its path; None if the record has none there.

    Parameters
    ----------
    record
        As it was decoded: mappings, lists and values.
    path
        Names and, in lists, numbers from 0, with points between.

    Examples
    --------
    >>> field_of({"diaSource": {"ra": 1.5}, "prv": [{"ra": 2.5}]}, "diaSource.ra")
    1.5
    >>> field_of({"prv": [{"ra": 2.5}]}, "prv.0.ra"), field_of({"prv": None}, "prv.0.ra")
    (2.5, None)
    """
    for part in path.split("."):
        if isinstance(record, Mapping):
            record = record.get(part)
        elif isinstance(record, list) and part.isdecimal() and int(part) < len(record):
            record = record[int(part)]
        else:
            return None
    return record


OBJECTS = (
    "diaSource.diaObjectId",
    "diaObject.diaObjectId",
    "diaObjectId",
    "alert.diaObject.diaObjectId",
    "alert.diaObjectId",
    "objectId",
    "id",
    "diaSource.ssObjectId",
)
"""Where the name of the object stands, the surest place first: some tables keep the object's own id as a float."""

EPOCHS: tuple[tuple[str, float], ...] = (
    ("diaSource.midpointMjdTai", TAI_AHEAD),
    ("diaSource.midPointTai", TAI_AHEAD),
    ("candidate.midpointMjdTai", TAI_AHEAD),
    ("candidate.jd", MJD_ZERO),
    ("alert.diaSourcesList.*.midpointMjdTai", TAI_AHEAD),
    ("diaSourcesList.*.midpointMjdTai", TAI_AHEAD),
    ("lastDiaSourceMjdTai", TAI_AHEAD),
    ("candidates.*.jd", MJD_ZERO),
    ("jdmax", MJD_ZERO),
    ("properties.newest_alert_observation_time", 0.0),
)
"""Where the epoch of an alert stands, and what it counts from [d]: a star is the newest of a list."""


def object_of(record: Mapping[str, Any]) -> str:
    """
    Give the name of the object that an alert is about, "" if it has none.

    Parameters
    ----------
    record
        Of any broker, as decoded.

    Returns
    -------
    str
        Identifiers of Rubin are larger than 2**53: they are given as text, never through a float.

    Examples
    --------
    >>> object_of({"diaSource": {"diaObjectId": 0}, "diaObjectId": 313637935709683761})
    '313637935709683761'
    """
    found = (field_of(record, path) for path in OBJECTS)
    return next((str(name) for name in found if isinstance(name, int | str) and name not in (0, "")), "")


def epoch_of(record: Mapping[str, Any]) -> float:
    """
    Give the epoch of an alert [d, MJD, UTC], NaN if it has none.

    Parameters
    ----------
    record
        Of any broker, as decoded.

    Returns
    -------
    float
        [d, MJD, UTC] of the newest detection: JD is shifted, and TAI turned into UTC where the field is in TAI.

    Examples
    --------
    >>> epoch_of({"candidate": {"jd": 2461000.5}}), epoch_of({"candidate": None})
    (61000.0, nan)
    """
    for path, zero in EPOCHS:
        head, _, tail = path.partition(".*.")
        listed = field_of(record, head)
        values: Iterable[Any] = [listed]
        if tail:
            values = (field_of(item, tail) for item in listed) if isinstance(listed, list) else ()
        epochs = [float(value) for value in values if isinstance(value, float | int) and math.isfinite(value)]
        if epochs:
            # The epoch of a locus of ANTARES is that of its newest alert, which is in TAI if it is one of LSST.
            is_in_tai = str(field_of(record, "properties.newest_alert_id")).startswith("lsst")
            return max(epochs) - (TAI_AHEAD if is_in_tai else zero)
    return math.nan


def to_plain(value: Any) -> Any:  # noqa: PLR0911 - one a type
    """
    Give what JSON can hold: an image as the number of its bytes, NaN as null, times as text; integers stay exact.

    >>> to_plain({"cutout": b"abc", "ra": float("nan"), "id": 2**63})
    {'cutout': '<3 bytes>', 'ra': None, 'id': 9223372036854775808}
    """
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)  # not a subclass, as BSON has one
    return value.isoformat() if isinstance(value, date | time) else str(value)


def to_json(record: Mapping[str, Any], indent: int | None = None) -> str:
    """
    Write a record as JSON, on one line if it is not indented.

    Parameters
    ----------
    record
        As decoded; for images, NaN and times see `to_plain`.
    indent
        Blanks a level.

    Returns
    -------
    str
        Strict JSON: no NaN, which PostgreSQL and most parsers refuse.
    """
    return json.dumps(to_plain(record), indent=indent, ensure_ascii=False, allow_nan=False)


def to_container(whole: Whole) -> bytes:
    """
    Pack an alert as an Avro container, which has its schema in it.

    Parameters
    ----------
    whole
        With the schema that it was written with.

    Returns
    -------
    bytes
        A container file of Avro with one record.
    """
    stream = io.BytesIO()
    fastavro.writer(stream, whole.schema, [whole.record])
    return stream.getvalue()


def light_curve_of(whole: Whole, scale: float = 1.0) -> LightCurves:
    """
    Give the light curve that an alert brings; ``scale`` turns its ``psFlux`` into nJy.

    Parameters
    ----------
    whole
        The alert, its points still as they came.
    scale
        [nJy] One unit of its ``psFlux``.

    Raises
    ------
    MalformedAlert
        If it brings none, or one that cannot be read.
    """
    try:
        record = msgspec.convert(survey_packet(whole.record), Record, strict=False)
        curves = LightCurves.joined(to_light_curves([record], scale))
    except msgspec.ValidationError as problem:
        raise MalformedAlert("message", f"its light curve cannot be read: {in_one_line(problem)}") from None
    if not len(curves.mjd):
        raise MalformedAlert("message", "its light curve has no points")
    return curves
