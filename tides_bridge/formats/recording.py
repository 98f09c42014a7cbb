"""
Recordings: messages of a stream as they came, in an Avro container of key, value and time.

Any framing can be kept so: the value of a Kafka message often says nothing without its key. The stand-ins write them
(`simulators/alerts/encoders.py`), and `tides_bridge.formats.messages_of_files` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FIELDS = ("key", "value", "timestamp_ms")
"""The fields of a record: bytes or null, bytes, and milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """A message as it came: value, key, and when it was published [ms since 1970, UTC]."""

    value: bytes
    key: bytes | None
    timestamp_ms: int


def is_recording(schema: object) -> bool:
    """
    Tell by the schema of a container whether it holds messages.

    >>> fields = [{"name": "key", "type": "bytes"}, {"name": "value", "type": "bytes"}]
    >>> is_recording({"type": "record", "fields": [*fields, {"name": "timestamp_ms", "type": "long"}]})
    True
    """
    fields = schema.get("fields") if isinstance(schema, Mapping) else None
    names = [field.get("name") for field in fields or [] if isinstance(field, Mapping)]
    return sorted(map(str, names)) == sorted(FIELDS)


def message_of_record(record: Any) -> RecordedMessage:
    """
    Make a message of a record; an empty key is none.

    Raises
    ------
    ValueError
        If a value in it is none.
    """
    key, value, time = (record[name] for name in FIELDS)
    if not isinstance(value, bytes) or not isinstance(key, bytes | None) or not isinstance(time, int):
        raise ValueError("a record of it is no message")
    return RecordedMessage(value, key or None, time)
