"""
The stream of alerts: Kafka through confluent-kafka.

Partitions are assigned by us, not by joining a group: joining takes seconds, in which D3.3.4 mistook the silence for an
empty stream, and one bridge reads one stream anyway. Where to read on is kept in the database, with what came of the
messages; offsets are committed under the group's name for outside tools only.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tides_bridge import failpoints
from tides_bridge.errors import BrokerUnavailable, MalformedAlert, SettingsError
from tides_bridge.models import Alert, Batch, RefusedMessage, newest_of
from tides_bridge.settings import Settings

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10
"""[s] Time in which the broker must answer a question."""

PATIENCE_SECONDS = 60
"""[s] Time to wait for messages that the broker says it has."""

LONGEST_MESSAGE = 5_000_000
"""[bytes] Real alerts have up to 0.2 MB: what is longer is none, and would cost every later step its memory."""


def read_message(decode: Callable[[bytes], Alert], body: bytes) -> Alert:
    """
    Decode a message; whatever it does to the decoder, it is one bad message and no more.

    Raises
    ------
    MalformedAlert
        If it is too long, or the decoder cannot read it.
    """
    if len(body) > LONGEST_MESSAGE:
        raise MalformedAlert("message", f"has {len(body)} bytes, more than {LONGEST_MESSAGE}")
    try:
        return decode(body)
    except MalformedAlert:
        raise
    except Exception as error:
        logger.warning("a decoder failed on a message", exc_info=True)
        raise MalformedAlert("message", f"cannot be decoded: {type(error).__name__}: {error}") from error


def _tell_failed(error: KafkaError | None, _places: list[TopicPartition]) -> None:
    """Tell of a commit that failed; the next one makes up for it."""
    if error is not None:
        logger.warning("offsets not committed, though stored in the database: %s", error.str())


def digest_of(message: Message) -> str:
    """Tell a message from another one at the same place: by its content and its time."""
    return hashlib.sha256(repr(message.timestamp()).encode() + (message.value() or b"")).hexdigest()


class AlertStream:
    """
    One topic, read from where the database says.

    Parameters
    ----------
    settings
        Broker, topic and group.
    decode
        Turns a message into an alert, or raises MalformedAlert.
    positions
        Where to read on, by partition; one that is not named is read from its beginning.
    digests
        Digest of the message before, by partition: where another message stands there now, the topic was filled anew.

    Attributes
    ----------
    refilled
        The partitions that were filled anew since, and are read from their beginning.

    Raises
    ------
    SettingsError
        If librdkafka refuses the options.
    BrokerUnavailable
        From every method, if the broker does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        decode: Callable[[bytes], Alert],
        positions: Mapping[int, int] | None = None,
        digests: Mapping[int, str] | None = None,
    ) -> None:
        self._topic, self._options, self._decode = settings.topic, settings.broker, decode
        self._service = f"Kafka broker {self._options.bootstrap_servers}"
        self._stored = dict(positions or {})
        self._start, self._next = dict[int, int](), dict[int, int]()
        self._digests, self._unproven = dict(digests or {}), dict[int, str]()
        self.refilled: list[int] = []
        options = {key: value.get_secret_value() for key, value in self._options.options.items()}
        known = {
            "bootstrap.servers": self._options.bootstrap_servers,
            "group.id": settings.group_id,
            "enable.auto.commit": False,
            "on_commit": _tell_failed,
            "session.timeout.ms": ANSWER_SECONDS * 1000,  # so long closing waits for a broker that died
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,  # our questions stand in line behind an idle fetch
            "log_level": 2,
        }
        try:
            self._consumer = Consumer(known | options)
        except KafkaException as error:  # its text may show a secret
            named = [name for name in options if name in error.args[0].str()]
            raise SettingsError(
                "settings", "broker.options", f"librdkafka refuses {', '.join(named or options)}"
            ) from None

    def __enter__(self) -> Self:
        partitions = self.partitions()
        if partitions:
            self._consumer.assign(self._resume(partitions))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._consumer.close()

    def partitions(self) -> list[int]:
        """List the topic's partitions; none if it does not exist, which at Lasair means that it is empty."""
        try:
            topic = self._consumer.list_topics(self._topic, timeout=ANSWER_SECONDS).topics[self._topic]
        except KafkaException as error:
            raise self._unavailable(error) from None
        if topic.error is not None and topic.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise self._unavailable(KafkaException(topic.error))
        return sorted(topic.partitions)

    def next_batch(self) -> Batch:
        """
        Read messages until the batch is full or the stream is silent.

        Returns
        -------
        Batch
            The newest alert of each object, newest detection first, and whether the stream is at its end.
        """
        with failpoints.around("consume"):
            messages = self._read() if self._start else []
        is_last = len(messages) < self._options.batch_size
        alerts, refused = [], []
        last: dict[tuple[str, int], Message] = {}
        for message in messages:
            partition, offset, body = message.partition() or 0, message.offset() or 0, message.value() or b""
            self._next[partition], last[self._topic, partition] = offset + 1, message
            try:
                alerts.append(read_message(self._decode, body))
            except MalformedAlert as error:
                refused.append(RefusedMessage(self._topic, partition, offset, body, error.problem))
        positions = {(self._topic, partition): offset for partition, offset in self._next.items()}
        digests = {place: digest_of(message) for place, message in last.items()}
        return Batch(newest_of(alerts), refused, len(messages), positions, is_last=is_last, digests=digests)

    def commit(self, batch: Batch) -> None:
        """Tell Kafka, for the tools that look there, what the database knows already."""
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in batch.positions.items()]
        if not offsets:
            return
        try:
            with failpoints.around("commit_offsets"):
                self._consumer.commit(offsets=offsets, asynchronous=True)  # nobody waits for a copy
        except KafkaException as error:
            _tell_failed(error.args[0], offsets)

    def _resume(self, partitions: list[int]) -> list[TopicPartition]:
        """
        Find where to read each partition on.

        A place beyond the end means that the topic was deleted and refilled, as Lasair does when a filter is edited.
        Messages before the first that is kept are gone: retention has taken them.
        """
        places = []
        for number in partitions:
            place = TopicPartition(self._topic, number)
            try:
                low, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
            except KafkaException as error:
                raise self._unavailable(error) from None
            stored = self._stored.get(number, low)
            if stored > high:
                self._note_refilled(number)
            if stored < low:
                logger.warning("messages are gone: kept too briefly, partition=%d number=%d", number, low - stored)
            place.offset = self._start[number] = stored if low <= stored <= high else low
            if number in self._digests and low < stored <= high:
                self._unproven[number] = self._digests[number]
                place.offset -= 1  # the message before is read once more, to see whether it is still the same
            places.append(place)
        self._next = dict(self._start)
        return places

    def _note_refilled(self, partition: int) -> None:
        logger.warning("the topic was filled anew: read from its beginning, partition=%d", partition)
        self.refilled.append(partition)

    def _are_news(self, messages: list[Message]) -> list[Message]:
        """
        Leave out the message before the first, which was read already; if it is another one now, begin anew.

        So a topic is noticed that was deleted and has already grown beyond our place in it.
        """
        news = []
        rewound = set()
        for message in messages:
            partition = message.partition() or 0
            digest = self._unproven.pop(partition, None)
            if digest is None or message.offset() != self._start[partition] - 1:
                news += [] if partition in rewound else [message]
            elif digest != digest_of(message):
                self._rewind(partition)
                rewound.add(partition)
        return news

    def _rewind(self, partition: int) -> None:
        """Read a partition from its beginning."""
        self._note_refilled(partition)
        place = TopicPartition(self._topic, partition)
        try:
            place.offset, _ = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
            self._consumer.seek(place)
        except KafkaException as error:
            raise self._unavailable(error) from None
        self._start[partition] = self._next[partition] = place.offset

    def lag(self) -> dict[int, int]:
        """Count the messages that are still to be read, by partition."""
        return {
            place.partition: max(high - place.offset, 0)
            for place, high in self._ends([TopicPartition(self._topic, *item) for item in self._start.items()])
        }

    def _ends(self, places: list[TopicPartition]) -> Iterator[tuple[TopicPartition, int]]:
        """Ask for the end of each partition."""
        try:
            for place in places:
                yield place, self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)[1]
        except KafkaException as error:
            raise self._unavailable(error) from None

    def _read(self) -> list[Message]:
        """Read until the batch is full, or nothing came for the time of silence and nothing is left."""
        messages: list[Message] = []
        shortest = self._options.silence.total_seconds()
        heard = time.monotonic()
        while (room := self._options.batch_size - len(messages)) > 0:
            new = self._consumer.consume(min(room, 500), timeout=0.1)
            for error in filter(None, (message.error() for message in new)):
                if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise self._unavailable(KafkaException(error))
            messages += self._are_news([message for message in new if message.error() is None])
            silence = time.monotonic() - heard
            if new:
                heard = time.monotonic()
            elif silence >= (ANSWER_SECONDS if self._unproven else shortest) and not self._unread():
                break
            elif silence >= max(PATIENCE_SECONDS, shortest):
                raise BrokerUnavailable(self._service, f"sends nothing, though {self._unread()} messages are unread")
        return messages

    def _unread(self) -> int:
        """Count the messages that the broker has and we have not: a silent broker may also be a dead one."""
        try:
            places = self._consumer.position([TopicPartition(self._topic, number) for number in self._start])
        except KafkaException as error:
            raise self._unavailable(error) from None
        for place in places:
            place.offset = place.offset if place.offset >= 0 else self._start[place.partition]
        return sum(max(high - place.offset, 0) for place, high in self._ends(places))

    def _unavailable(self, error: KafkaException) -> BrokerUnavailable:
        """Translate an error of librdkafka."""
        return BrokerUnavailable(
            self._service, error.args[0].str(), "is broker.bootstrapServers right, and the broker up?"
        )
