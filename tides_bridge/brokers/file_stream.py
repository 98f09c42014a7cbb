"""
Files as a stream: what `AlertStream` is for a Kafka topic this is for recorded alerts, file after file.

A topic is a file, named by its path, with one partition; the offset counts its records. So a run goes on where the last
one ended, in the same file too, and reads what was appended since. A file that was written anew, or has become shorter,
is noticed by the last message read, and read from its beginning.
"""

import hashlib
import logging
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from tides_bridge import failpoints
from tides_bridge.brokers.kafka import Partition
from tides_bridge.brokers.models import Message, Pull
from tides_bridge.errors import SettingsError
from tides_bridge.formats import Options
from tides_bridge.formats.contents import files_in
from tides_bridge.formats.messages_of_files import count_in, messages_in
from tides_bridge.settings import Settings

logger = logging.getLogger(__name__)


def content_digest(value: bytes) -> str:
    """Tell a record from another one at the same place."""
    return hashlib.sha256(value).hexdigest()


class FileStream:
    """
    The files of ``broker.files``, read from where the database says.

    Parameters
    ----------
    settings
        With files and folders.
    positions, digests
        By file and partition, 0: the next record, and the digest of the one before.

    Attributes
    ----------
    batch_size
        Records of a pull, at most.
    refilled
        The places of files that have another content than before, and are read from their beginning.

    Raises
    ------
    SettingsError
        If no files are named, or there are none.
    """

    def __init__(
        self,
        settings: Settings,
        positions: Mapping[Partition, int] | None = None,
        digests: Mapping[Partition, str] | None = None,
    ) -> None:
        self._broker, self.batch_size = settings.broker, settings.broker.batch_size
        self._options = Options(self._broker.zero_point, self._broker.schemas)
        self._next, self._digests = dict(positions or {}), dict(digests or {})
        self._whole: set[Partition] = set()
        self.refilled: list[Partition] = []
        problems: list[str] = []
        paths = files_in(self._broker.files, lambda path, problem: problems.append(f"{path} {problem}"))
        found = {(str(path.resolve()), 0): path for path in paths}
        if not found:
            problem = "; ".join(problems) or "names no files: the kind recorded needs some"
            raise SettingsError("settings", f"{settings.broker_name}.files", problem)
        for problem in problems:
            logger.warning("not read: %s", problem)
        self._files = found
        self._records = self._all_records()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._records.close()

    def partitions(self) -> list[Partition]:
        """List the files."""
        return sorted(self._files)

    def next_pull(self) -> Pull:
        """Read messages until there are enough for a batch, or all files are read."""
        with failpoints.around("consume"):
            messages, is_last = self._read()
        last = {(message.topic, message.partition): message for message in messages}
        return Pull(
            messages,
            {place: message.offset + 1 for place, message in last.items()},
            {place: content_digest(message.value) for place, message in last.items()},
            {place: datetime.fromtimestamp(self._files[place].stat().st_mtime, UTC) for place in last},
            is_last=is_last,
        )

    def commit(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Do nothing: nobody else keeps our place in a file."""

    def lag(self) -> dict[Partition, int]:
        """Count the records that are still to be read, by file: of those that were not read to their end all of it."""
        return {
            number: 0 if number in self._whole else max(count_in(path, self._options) - self._next.get(number, 0), 0)
            for number, path in self._files.items()
        }

    def left(self) -> int | None:
        """Tell nothing: to count its records a file has to be read."""
        return None

    def _read(self) -> tuple[list[Message], bool]:
        """Read until there are enough; True when nothing is left."""
        messages: list[Message] = []
        size = 0
        while len(messages) < self.batch_size and size < self._broker.batch_bytes:
            message = next(self._records, None)
            if message is None:
                return messages, True
            messages.append(message)
            self._next[message.topic, message.partition] = message.offset + 1
            size += len(message.value)
        return messages, False

    def _all_records(self) -> Generator[Message, None, None]:
        """Give what is new in all files, one after the other."""
        for place, path in self._files.items():
            if not (yield from self._records_of(place, self._next.get(place, 0))):
                logger.warning("a file was written anew: read from its beginning, file=%s", path)
                self.refilled.append(place)
                yield from self._records_of(place, 0)
            self._whole.add(place)

    def _records_of(self, place: Partition, start: int) -> Generator[Message, None, bool]:
        """Give the records of a file from one on; returns whether it is the file whose records were read before."""
        offset, before = -1, self._digests.get(place)
        for offset, (value, key) in enumerate(messages_in(self._files[place], self._options)):
            if offset == start - 1 and before is not None and content_digest(value) != before:
                return False
            if offset >= start:
                yield Message(*place, offset, value, key)
        return offset + 1 >= start
