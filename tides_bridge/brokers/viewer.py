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
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tides_bridge.brokers.kafka import refused_options
from tides_bridge.brokers.models import Message
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.formats.framing import Framing
from tides_bridge.formats.whole_alerts import Whole, object_of, to_container, to_json
from tides_bridge.selection.plots import file_name

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10
"""[s] Time in which the broker must answer a question."""

LOOK_SECONDS = 0.2
"""[s] So often it is seen whether somebody wants an end, or the topic has appeared."""

PATIENCE_SECONDS = 60
"""[s] Time to wait for messages that the broker says it has."""


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
        self._place, self._handled = place, dict[int, int]()
        self._service = f"Kafka broker {place.bootstrap_servers}"
        self._next = dict[int, int]()
        known: dict[str, Any] = {
            "bootstrap.servers": place.bootstrap_servers,
            "group.id": place.group or f"tides-watch-{uuid.uuid4().hex[:12]}",
            "auto.offset.reset": "latest" if place.from_end else "earliest",
            "fetch.wait.max.ms": 100,
            "log_level": 2,
        }
        # Last, as an option must not make it commit.
        try:
            self._consumer = Consumer({**known, **place.options, "enable.auto.commit": False})
        except KafkaException as error:
            raise refused_options(error, place.options) from None

    def __enter__(self) -> Self:
        self._assign()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._place.group and self._handled:
            offsets = [TopicPartition(self._place.topic, *each) for each in self._handled.items()]
            try:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as problem:
                logger.warning("offsets not committed: %s", problem.args[0].str())
        self._consumer.close()

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
            elif silence is not None and time.monotonic() - heard >= silence:
                unread = self._unread()
                if not unread:
                    return
                if time.monotonic() - heard >= max(silence, PATIENCE_SECONDS):
                    raise BrokerUnavailable(self._service, f"sends nothing, though {unread} messages are unread")

    def note_handled(self, message: Message) -> None:
        """Note that a message was shown: who reads as this group goes on after it."""
        self._handled[message.partition] = message.offset + 1

    @property
    def has_topic(self) -> bool:
        """Whether the broker has the topic by now; Lasair has none while it is empty."""
        return bool(self._next)

    def _assign(self) -> None:
        """Take all partitions of the topic, if it exists by now."""
        try:
            topic = self._consumer.list_topics(self._place.topic, timeout=ANSWER_SECONDS).topics[self._place.topic]
            if topic.error is not None and topic.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise KafkaException(topic.error)
            places = [TopicPartition(self._place.topic, number) for number in sorted(topic.partitions)]
            if not places:
                return
            if self._place.group:
                places = self._consumer.committed(places, timeout=ANSWER_SECONDS)
            for each in places:
                low, high = self._consumer.get_watermark_offsets(each, timeout=ANSWER_SECONDS)
                if not low <= each.offset <= high:  # none is committed, or the topic was filled anew
                    each.offset = high if self._place.from_end else low
                self._next[each.partition] = each.offset
            self._consumer.assign(places)
        except KafkaException as error:
            raise self._unavailable(error) from None

    def _read(self) -> list[Message]:
        if not self.has_topic:
            time.sleep(LOOK_SECONDS)
            self._assign()
            return []
        messages = []
        for each in self._consumer.consume(100, timeout=LOOK_SECONDS):
            error = each.error()
            if error is None:
                number, offset = each.partition() or 0, each.offset() or 0
                self._next[number] = offset + 1
                messages.append(Message(self._place.topic, number, offset, each.value() or b"", each.key()))
            elif error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise self._unavailable(KafkaException(error))
        return messages

    def _unread(self) -> int:
        """Count the messages that the broker has and we have not: a silent broker may also be a dead one."""
        unread = 0
        try:
            for number, following in self._next.items():
                place = TopicPartition(self._place.topic, number)
                _, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
                unread += max(high - following, 0)
        except KafkaException as error:
            raise self._unavailable(error) from None
        return unread

    def _unavailable(self, error: KafkaException) -> BrokerUnavailable:
        return BrokerUnavailable(self._service, error.args[0].str(), "is the address right, and the broker up?")


def save(folder: Path, message: Message, whole: Whole) -> Path:
    """
    Save an alert: Avro as a container with its schema, JSON as it came, BSON as JSON.

    The file is named after the object and the place of the message in the stream, so that the same alert is the same
    file whenever it is saved.
    """
    name = f"{object_of(whole.record) or 'alert'}_{message.partition}-{message.offset}"
    content, ending = message.value, "avro"
    if whole.framing is Framing.JSON:
        ending = "json"
    elif whole.framing is Framing.BSON:
        content, ending = to_json(whole.record, indent=2).encode(), "json"
    elif whole.framing is not Framing.CONTAINER:
        content = to_container(whole)
    path = folder / file_name(name, ending)
    hidden = path.with_name(f".{path.name}.part")
    hidden.write_bytes(content)
    hidden.replace(path)
    return path
