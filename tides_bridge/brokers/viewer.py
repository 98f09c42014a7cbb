"""
Look at a stream of alerts: `tides watch`. It takes messages of any framing, and leaves the stream as it was.

Nothing is committed unless a group is named: then the next one who reads as that group goes on after what was shown.
"""

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException, TopicPartition

from tides_bridge.brokers import kafka
from tides_bridge.brokers.kafka import FIRST, NEXT, KafkaReader, Partition, place_of
from tides_bridge.brokers.models import Message
from tides_bridge.formats.framing import Framing
from tides_bridge.formats.whole_alerts import Whole, object_of, to_container, to_json
from tides_bridge.resources import file_name_of_object

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""[s] So often it is seen whether somebody wants an end, or the topic has appeared."""


@dataclass(frozen=True)
class WatchedStream:
    """
    Which stream, and from where on.

    Attributes
    ----------
    bootstrap_servers, topic
        The broker and its topic.
    options
        Of librdkafka, by name; they may be secret.
    group
        Whose committed offsets say where to go on, and are moved; None: nobody's.
    from_end
        Whether to begin, where no offset says otherwise, at what comes from now on.
    """

    bootstrap_servers: str
    topic: str
    options: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    from_end: bool = False


class Watch:
    """
    Reads a stream, from ``with`` to its end.

    Parameters
    ----------
    place
        Which stream.

    Raises
    ------
    SettingsError
        If librdkafka refuses the options.
    BrokerUnavailable
        From every method, if the broker does not answer.
    """

    def __init__(self, place: WatchedStream) -> None:
        self._place = place
        self._start, self._handled = dict[Partition, int](), dict[Partition, int]()
        known = {
            "group.id": place.group or f"tides-watch-{uuid.uuid4().hex[:12]}",
            "auto.offset.reset": "latest" if place.from_end else "earliest",
        }
        self._reader = KafkaReader(place.bootstrap_servers, known, place.options)

    def __enter__(self) -> Self:
        self._assign()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._place.group and self._handled:
            offsets = [TopicPartition(*place, offset) for place, offset in self._handled.items()]
            try:
                self._reader.consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as problem:
                logger.warning("offsets not committed: %s", problem.args[0].str())
        self._reader.consumer.close()

    def messages(self, silence: float | None = None) -> Iterator[Message]:
        """
        Read on.

        Parameters
        ----------
        silence
            [s] The end of the stream is where nothing came for that long; None: there is no end.

        Yields
        ------
        Message
            In the order of each partition.
        """
        heard = time.monotonic()
        while True:
            found = self._read()
            yield from found
            if found:
                heard = time.monotonic()
                continue
            silent = time.monotonic() - heard
            if silence is not None and silent >= silence and self._reader.is_at_end(self._start, silent, silence):
                return

    def note_handled(self, message: Message) -> None:
        """Note that a message was shown: who reads as this group goes on after it."""
        self._handled[message.topic, message.partition] = message.offset + 1

    @property
    def has_topic(self) -> bool:
        """Whether the broker has the topic by now; Lasair has none while it is empty."""
        return bool(self._start)

    def _assign(self) -> None:
        """Take all partitions of the topic, if it exists by now."""
        places = self._reader.partitions(self._place.topic)
        if not places:
            return
        first, following = self._reader.offsets(places, FIRST), self._reader.offsets(places, NEXT)
        try:
            # A group without an offset answers with a negative one, which is none.
            asked = [TopicPartition(*place) for place in places]
            if self._place.group:
                asked = self._reader.consumer.committed(asked, timeout=kafka.ANSWER_SECONDS)
            for place, committed in {(place.topic, place.partition): place.offset for place in asked}.items():
                usual = following[place] if self._place.from_end else first[place]
                # Else none is committed, or the topic was filled anew.
                self._start[place] = committed if first[place] <= committed <= following[place] else usual
            self._reader.consumer.assign([TopicPartition(*place, offset) for place, offset in self._start.items()])
        except KafkaException as error:
            raise self._reader.unavailable(error) from None

    def _read(self) -> list[Message]:
        if not self.has_topic:
            time.sleep(LOOK_SECONDS)
            self._assign()
            return []
        return [
            Message(*place_of(message), message.offset() or 0, message.value() or b"", message.key())
            for message in self._reader.consume(100, LOOK_SECONDS)
        ]


def save(folder: Path, message: Message, whole: Whole) -> Path:
    """
    Save an alert: Avro as a container with its schema, JSON as it came, BSON as JSON.

    The file is named after the object and the place of the message in the stream, so that the same alert is the same
    file whenever it is saved.

    Parameters
    ----------
    folder
        Which is there.
    message
        As it came from Kafka.
    whole
        The same, opened.

    Returns
    -------
    Path
        The file. It is written under a hidden name and renamed, so that nobody reads half of one.
    """
    name = f"{object_of(whole.record) or 'alert'}_{message.partition}-{message.offset}"
    content, ending = message.value, "avro"
    if whole.framing is Framing.JSON:
        ending = "json"
    elif whole.framing is Framing.BSON:
        content, ending = to_json(whole.record, indent=2).encode(), "json"
    elif whole.framing is not Framing.CONTAINER:
        content = to_container(whole)
    path = folder / file_name_of_object(name, ending)
    hidden = path.with_name(f".{path.name}.part")
    hidden.write_bytes(content)
    hidden.replace(path)
    return path
