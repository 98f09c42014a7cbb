"""
The stream of alerts: Kafka through confluent-kafka.

Partitions are assigned by us, not by joining a group: joining takes seconds, in which D3.3.4 mistook the silence for an
empty stream, and one bridge reads one stream anyway. Where to read on is kept in the database, with what came of the
messages; offsets are committed under the group's name for outside tools only.
"""

import hashlib
import logging
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from tides_bridge import failpoints
from tides_bridge.brokers.kafka import refused_options
from tides_bridge.brokers.models import Message, Pull
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.settings import Settings

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10
"""[s] Time in which the broker must answer a question."""

PATIENCE_SECONDS = 60
"""[s] Time to wait for messages that the broker says it has."""


Place = tuple[str, int]
"""Topic and partition."""

FIRST, NEXT = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
"""The offset of the first message that is kept, and of the next that will come."""


def _tell_failed(error: KafkaError | None, _places: list[TopicPartition]) -> None:
    """Tell of a commit that failed; the next one makes up for it."""
    if error is not None:
        logger.warning("offsets not committed, though stored in the database: %s", error.str())


def digest_of(message: KafkaMessage) -> str:
    """Tell a message from another one at the same place: by its content and its time."""
    return hashlib.sha256(repr(message.timestamp()).encode() + (message.value() or b"")).hexdigest()


def place_of(message: KafkaMessage) -> Place:
    """Tell the topic and partition of a message."""
    return message.topic() or "", message.partition() or 0


def published_at(message: KafkaMessage) -> datetime:
    """Tell when a message was published."""
    return datetime.fromtimestamp(max(message.timestamp()[1], 0) / 1000, UTC)


class AlertStream:
    """
    One topic or several, read from where the database says.

    Parameters
    ----------
    settings
        Broker, topic and group.
    positions
        Where to read on, by topic and partition; one that is not named is read from its beginning.
    digests
        Digest of the message before, by topic and partition: where another one stands there now, the topic was filled
        anew.

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
        positions: Mapping[Place, int] | None = None,
        digests: Mapping[Place, str] | None = None,
    ) -> None:
        self._names, self._options = str(settings.topic), settings.broker
        self._service = f"Kafka broker {self._options.bootstrap_servers}"
        self._stored = dict(positions or {})
        self._start, self._next = dict[Place, int](), dict[Place, int]()
        self._digests, self._unproven = dict(digests or {}), dict[Place, str]()
        self.refilled: list[Place] = []
        options = {key: value.get_secret_value() for key, value in self._options.options.items()}
        known = {
            "bootstrap.servers": self._options.bootstrap_servers,
            "group.id": settings.group_id,
            "enable.auto.commit": False,
            "on_commit": _tell_failed,
            "session.timeout.ms": ANSWER_SECONDS * 1000,  # so long closing waits for a broker that died
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,  # our questions stand in line behind an idle fetch
            # The next batch is fetched while this one is judged and stored.
            "queued.max.messages.kbytes": max(self._options.batch_bytes // 1024, 1024),
            "log_level": 2,
        }
        everywhere: dict[str, Any] = {name: known[name] for name in ("bootstrap.servers", "log_level")}
        try:
            self._consumer = Consumer(known | options)
            # On a connection of its own: a question to the consumer stands in line behind its fetches.
            self._admin = AdminClient(everywhere | options)
        except KafkaException as error:
            raise refused_options(error, options, ("settings", "broker.options")) from None

    def __enter__(self) -> Self:
        partitions = self.partitions()
        if partitions:
            self._consumer.assign(self._resume(partitions))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._consumer.close()

    def partitions(self) -> list[Place]:
        """List the topics' partitions; a topic that does not exist has none: at Lasair that means that it is empty."""
        try:
            found = self._topics()
        except KafkaException as error:
            raise self._unavailable(error) from None
        for topic in found:
            if topic.error is not None and topic.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise self._unavailable(KafkaException(topic.error))
        return sorted((str(topic.topic), number) for topic in found for number in topic.partitions)

    def _topics(self) -> list[Any]:
        """Ask the broker about the topics that the settings name, or about those that their pattern fits."""
        if self._names.startswith("^"):
            topics = self._consumer.list_topics(timeout=ANSWER_SECONDS).topics
            return [topic for name, topic in topics.items() if re.match(self._names, name)]
        names = [name.strip() for name in self._names.split(",")]
        return [self._consumer.list_topics(name, timeout=ANSWER_SECONDS).topics[name] for name in names]

    def next_pull(self) -> Pull:
        """Read messages until there are enough for a batch, or the stream is silent."""
        with failpoints.around("consume"):
            found, is_last = self._read() if self._start else ([], True)
        messages, last = [], dict[Place, KafkaMessage]()
        for each in found:
            place, offset = place_of(each), each.offset() or 0
            messages.append(Message(*place, offset, each.value() or b"", each.key()))
            self._next[place], last[place] = offset + 1, each
        digests = {place: digest_of(message) for place, message in last.items()}
        published = {place: published_at(message) for place, message in last.items()}
        return Pull(messages, dict(self._next), digests, published, is_last=is_last)

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Tell Kafka, for the tools that look there, what the database knows already."""
        offsets = [TopicPartition(*place, offset) for place, offset in positions.items()]
        if not offsets:
            return
        try:
            with failpoints.around("commit_offsets"):
                self._consumer.commit(offsets=offsets, asynchronous=True)  # nobody waits for a copy
        except KafkaException as error:
            _tell_failed(error.args[0], offsets)

    def _resume(self, partitions: list[Place]) -> list[TopicPartition]:
        """
        Find where to read each partition on.

        A place beyond the end means that the topic was deleted and refilled, as Lasair does when a filter is edited.
        Messages before the first that is kept are gone: retention has taken them.
        """
        places = []
        first, last = self._marks(partitions, FIRST), self._marks(partitions, NEXT)
        for key in partitions:
            place, low, high = TopicPartition(*key), first[key], last[key]
            stored = self._stored.get(key, low)
            if stored > high:
                self._note_refilled(key)
            if stored < low:
                gone = low - stored
                logger.warning("messages are gone: kept too briefly, topic=%s partition=%d number=%d", *key, gone)
            place.offset = self._start[key] = stored if low <= stored <= high else low
            if key in self._digests and low < stored <= high:
                self._unproven[key] = self._digests[key]
                place.offset -= 1  # the message before is read once more, to see whether it is still the same
            places.append(place)
        self._next = dict(self._start)
        return places

    def _note_refilled(self, key: Place) -> None:
        logger.warning("the topic was filled anew: read from its beginning, topic=%s partition=%d", *key)
        self.refilled.append(key)

    def _are_news(self, messages: list[KafkaMessage]) -> list[KafkaMessage]:
        """
        Leave out the message before the first, which was read already; if it is another one now, begin anew.

        So a topic is noticed that was deleted and has already grown beyond our place in it.
        """
        news = []
        rewound = set()
        for message in messages:
            key = place_of(message)
            digest = self._unproven.pop(key, None)
            if digest is None or message.offset() != self._start[key] - 1:
                news += [] if key in rewound else [message]
            elif digest != digest_of(message):
                self._rewind(key)
                rewound.add(key)
        return news

    def _rewind(self, key: Place) -> None:
        """Read a partition from its beginning."""
        self._note_refilled(key)
        place = TopicPartition(*key, self._marks([key], FIRST)[key])
        try:
            self._consumer.seek(place)
        except KafkaException as error:
            raise self._unavailable(error) from None
        self._start[key] = self._next[key] = place.offset

    def lag(self) -> dict[Place, int]:
        """Count the messages that are still to be read, by topic and partition."""
        ends = self._marks(list(self._next), NEXT)
        return {place: max(end - self._next[place], 0) for place, end in ends.items()}

    def left(self) -> int | None:
        """Count the messages that are still to be read, None where that cannot be told at once."""
        return sum(self.lag().values())

    def _marks(self, places: Sequence[Place], which: Any) -> dict[Place, int]:
        """Ask for the first or the next offset of partitions, all at once."""
        if not places:
            return {}
        asked = {TopicPartition(*place): which for place in places}
        try:
            answers = self._admin.list_offsets(asked, request_timeout=ANSWER_SECONDS)
            return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}
        except KafkaException as error:
            raise self._unavailable(error) from None

    def _read(self) -> tuple[list[KafkaMessage], bool]:
        """Read until there are enough, or nothing came for the time of silence and nothing is left: then it is True."""
        messages: list[KafkaMessage] = []
        shortest = self._options.silence.total_seconds()
        heard, size = time.monotonic(), 0
        while (room := self._options.batch_size - len(messages)) > 0 and size < self._options.batch_bytes:
            new = self._consumer.consume(min(room, 500), timeout=0.1)
            for error in filter(None, (message.error() for message in new)):
                if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise self._unavailable(KafkaException(error))
            news = self._are_news([message for message in new if message.error() is None])
            messages += news
            size += sum(map(len, news))
            silence = time.monotonic() - heard
            if new:
                heard = time.monotonic()
            elif silence >= (ANSWER_SECONDS if self._unproven else shortest) and not self._unread():
                return messages, True
            elif silence >= max(PATIENCE_SECONDS, shortest):
                raise BrokerUnavailable(self._service, f"sends nothing, though {self._unread()} messages are unread")
        return messages, False

    def _unread(self) -> int:
        """Count the messages that the broker has and we have not: a silent broker may also be a dead one."""
        try:
            places = self._consumer.position([TopicPartition(*place) for place in self._start])
        except KafkaException as error:
            raise self._unavailable(error) from None
        ends = self._marks(list(self._start), NEXT)
        read = {(place.topic, place.partition): place.offset for place in places if place.offset >= 0}
        return sum(max(end - read.get(place, self._start[place]), 0) for place, end in ends.items())

    def _unavailable(self, error: KafkaException) -> BrokerUnavailable:
        """Translate an error of librdkafka."""
        return BrokerUnavailable(
            self._service, error.args[0].str(), "is broker.bootstrapServers right, and the broker up?"
        )
