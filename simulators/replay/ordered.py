"""
Recorded alerts of any format in the order of their epochs, however many files they lie in.

All files are gone through once. Of each alert its epoch and place are noted, 32 bytes; a file that holds one alert is
its own place, and what lies in archives, tables and files of many alerts is unpacked into a temporary file, which needs
as much room on the disk. Then they are read in order, one by one.
"""

import math
import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import fastavro
import msgspec
import numpy as np

from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats import Options, Refused, in_one_line
from tides_bridge.formats.avro import records as avro
from tides_bridge.formats.contents import files_in, open_unpacked
from tides_bridge.formats.messages_of_files import UNREADABLE, messages_in, unreadable_reason
from tides_bridge.formats.whole_alerts import Opener, Whole, epoch_of, object_of

RECORDED_SCHEMA = "tides.schema"
"""Where a recording has the schema of its messages: see `simulators.alerts.encoders`."""

ARROW = b"\xff\xff\xff\xff"
"""How an Arrow stream begins: so a table of points comes, object by object."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """
    An alert as it was recorded. It is opened when somebody asks what is in it, since that takes the most time.

    Attributes
    ----------
    value, key
        The Kafka message.
    object_hash
        A hash of the name of its object.
    opener
        Opens it.
    """

    value: bytes
    key: bytes | None
    object_hash: int
    opener: Opener

    @cached_property
    def whole(self) -> Whole:
        """What is in it; raises MalformedAlert if it has changed since it was noted."""
        return self.opener.open(self.value, self.key)

    def __str__(self) -> str:
        epoch = epoch_of(self.whole.record)
        shown_epoch = "no epoch" if math.isnan(epoch) else f"MJD {epoch:.4f}"
        return f"{object_of(self.whole.record) or 'no object'} {shown_epoch}"


@dataclass(frozen=True)
class Places:
    """
    Where alerts lie, one entry an alert.

    Attributes
    ----------
    epoch
        [d, MJD, UTC] NaN if unknown.
    start
        In the temporary file; or -1 less the number of its own file.
    size, key
        [bytes] of its value there; the number of its key, -1 without one.
    object_hash
        Of the name of its object.
    """

    epoch: "array[float]"
    start: "array[int]"
    size: "array[int]"
    key: "array[int]"
    object_hash: "array[int]"

    @classmethod
    def none(cls) -> Self:
        """Make an empty list."""
        return cls(array("d"), array("q"), array("q"), array("i"), array("I"))

    def add(self, record: Mapping[str, Any], start: int, size: int = 0, key: int = -1) -> None:
        """Note one more."""
        self.epoch.append(epoch_of(record))
        self.start.append(start)
        self.size.append(size)
        self.key.append(key)
        self.object_hash.append(zlib.crc32(object_of(record).encode()))


class Ordered:
    """
    Alerts in files, from ``with`` to its end.

    Parameters
    ----------
    paths
        Files, and folders with files in any depth.
    schemas
        Avro schema, or a folder of them, for messages that bring none.
    refused
        Is told every file or alert that cannot be read, and why; the others count.

    Attributes
    ----------
    epochs
        [d, MJD, UTC] Of all alerts, sorted; NaN, at the end, of those that have none. Equal ones stay in the order of
        the files.

    Raises
    ------
    SettingsError
        If there are no alerts in them, or the schema is none.
    """

    def __init__(self, paths: Iterable[Path], schemas: Path | None, refused: Refused) -> None:
        self._options, self._refused = Options(schema=schemas), refused
        self._opener = Opener(schemas)
        self._files, self._places = list(files_in(paths, refused)), Places.none()
        self._keys: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        self._spool = tempfile.TemporaryFile(prefix="tides-replay-")
        try:
            for number in range(len(self._files)):
                self._note(number)
        except BaseException:
            self._spool.close()
            raise
        if not len(self):
            self._spool.close()
            paths = ", ".join(map(str, self._files[:3])) or "the paths given"
            raise SettingsError(paths, "", "no alerts in there that can be read: see what was refused")
        self._known = list(self._keys)
        self._order = np.argsort(np.asarray(self._places.epoch), kind="stable")
        self.epochs = np.asarray(self._places.epoch)[self._order]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._spool.close()

    def __len__(self) -> int:
        return len(self._places.epoch)

    @property
    def number_of_files(self) -> int:
        """How many files they are from."""
        return len(self._files)

    def read(self, number: int) -> Recorded:
        """
        Read the alert with this number in the order of time.

        Raises
        ------
        MalformedAlert
            If its file has changed since it was noted.
        """
        place = int(self._order[number])
        start, key = self._places.start[place], self._places.key[place]
        if start < 0:
            path = self._files[-1 - start]
            content = next(messages_in(path, self._options), None)
            if content is None or content[0].startswith(UNREADABLE):
                raise MalformedAlert(str(path), "has changed while it was replayed")
        else:
            self._spool.seek(start)
            content = self._spool.read(self._places.size[place]), self._known[key] if key >= 0 else None
        return Recorded(*content, self._places.object_hash[place], self._opener)

    def _note(self, number: int) -> None:
        """Go through a file, and note what is in it."""
        path = self._files[number]
        self._learn_schema(path)
        found = messages_in(path, self._options)
        first, second = next(found, None), next(found, None)
        if first is None:
            self._refused(path, "holds no alert")
        elif second is None:
            self._add(path, 1, first, -1 - number)
        else:
            for count, content in enumerate(chain((first, second), found), start=1):
                self._add(path, count, content)

    def _add(self, path: Path, count: int, content: tuple[bytes, bytes | None], start: int | None = None) -> None:
        """Note an alert, which lies in its own file if that has a number, else in the temporary one."""
        value, key = content
        try:
            record = self._opened(value, key).record
        except MalformedAlert as error:
            self._refused(path, error.problem if start is not None else f"record {count}: {error.problem}")
            return
        if start is not None:
            self._places.add(record, start)
            return
        number = -1 if key is None else self._keys.setdefault(key, len(self._keys))
        self._places.add(record, self._spool.seek(0, 2), len(value), number)
        self._spool.write(value)

    def _opened(self, value: bytes, key: bytes | None) -> Whole:
        if value.startswith(UNREADABLE):
            raise MalformedAlert("file", unreadable_reason(value)[1])
        if value.startswith(ARROW):
            raise MalformedAlert("file", "is a table of points: there is no alert in it to send")
        whole = self._opener.open(value, key)
        if isinstance(whole.record.get("fields"), list) and "type" in whole.record:
            raise MalformedAlert("file", "is an Avro schema, no alert: name it with --schemas")
        return whole

    def _learn_schema(self, path: Path) -> None:
        """Take the schema from a recording whose messages need one."""
        try:
            with open_unpacked(path) as stream:
                if stream.read(4) != avro.CONTAINER:
                    return
                stream.seek(0)
                text = fastavro.reader(stream).metadata.get(RECORDED_SCHEMA)
                if text:
                    self._opener.add_schema(str(path), msgspec.json.decode(text))
        except (*avro.BAD, MalformedAlert, msgspec.DecodeError) as problem:
            self._refused(path, f"its header is broken: {in_one_line(problem)}")


def each_of(alerts: Ordered, chosen: range) -> Iterator[tuple[int, Recorded | MalformedAlert]]:
    """Give alerts, each with its number in the order of time; or why one cannot be read any more."""
    for number in chosen:
        try:
            yield number, alerts.read(number)
        except MalformedAlert as error:
            yield number, error
