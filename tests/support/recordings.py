"""Recordings of the stand-ins, message by message, with the times that a broker of recorded alerts does not need."""

from pathlib import Path

import fastavro

from tides_bridge.formats.recording import RecordedMessage, message_of_record


def recorded_in(path: Path) -> list[RecordedMessage]:
    """Read the messages of a recording, in their order."""
    with path.open("rb") as stream:
        return [message_of_record(record) for record in fastavro.reader(stream)]
