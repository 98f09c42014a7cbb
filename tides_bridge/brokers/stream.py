"""
The stream of alerts from Kafka.

One bridge reads one stream. Where to read on is kept in the database, with what came of the messages; offsets are
committed under the group's name for outside tools only.
"""

import hashlib
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from tides_bridge import failpoints
from tides_bridge.brokers import kafka
from tides_bridge.brokers.kafka import FIRST, NEXT, KafkaReader, Partition, place_of
from tides_bridge.brokers.models import Message, Pull
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.settings import Settings

logger = logging.getLogger(__name__)


def _tell_failed(error: KafkaError | None, _places: list[TopicPartition]) -> None:
    """Tell of a commit that failed; the next one makes up for it."""
    if error is not None:
        logger.warning("offsets not committed, though stored in the database: %s", error.str())


def digest_of(message: KafkaMessage) -> str:
    """Tell a message from another one at the same place: by its content and its time."""
    return hashlib.sha256(repr(message.timestamp()).encode() + (message.value() or b"")).hexdigest()


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
    batch_size
        Messages of a pull, at most.
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
        positions: Mapping[Partition, int] | None = None,
        digests: Mapping[Partition, str] | None = None,
    ) -> None:
        self._topics, self._options = str(settings.topic), settings.broker
        self.batch_size = settings.broker.batch_size
        self._stored = dict(positions or {})
        self._start, self._next = dict[Partition, int](), dict[Partition, int]()
        self._digests, self._unproven = dict(digests or {}), dict[Partition, str]()
        self.refilled: list[Partition] = []
        self._reader = KafkaReader(
            self._options.bootstrap_servers,
            {
                "group.id": settings.group_id,
                "on_commit": _tell_failed,
                # The next batch is fetched while this one is judged and stored.
                "queued.max.messages.kbytes": max(self._options.batch_bytes // 1024, 1024),
            },
            {key: value.get_secret_value() for key, value in self._options.options.items()},
            where=("settings", "broker.options"),
            remedy="is broker.bootstrapServers right, and the broker up?",
        )

    def __enter__(self) -> Self:
        partitions = self.partitions()
        if partitions:
            # Assigned, not subscribed: the database says where to read on, not the offsets of the group at Kafka.
            self._reader.consumer.assign(self._resume(partitions))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._reader.consumer.close()

    def partitions(self) -> list[Partition]:
        """List the topics' partitions; a topic that does not exist has none."""
        return self._reader.partitions(self._topics)

    def next_pull(self) -> Pull:
        """Read messages until there are enough for a batch, or the stream is silent."""
        with failpoints.around("consume"):
            found, is_last = self._read() if self._start else ([], True)
        messages, last = [], dict[Partition, KafkaMessage]()
        for message in found:
            place, offset = place_of(message), message.offset() or 0
            messages.append(Message(*place, offset, message.value() or b"", message.key()))
            self._next[place], last[place] = offset + 1, message
        # By the last message of each partition the next run proves that the topic is still the same.
        digests = {place: digest_of(message) for place, message in last.items()}
        published = {place: published_at(message) for place, message in last.items()}
        return Pull(messages, dict(self._next), digests, published, is_last=is_last)

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell Kafka, for the tools that look there, what the database knows already."""
        # After the database has them: were Kafka told first, a run killed in between would lose the batch.
        offsets = [TopicPartition(*place, offset) for place, offset in positions.items()]
        if not offsets:
            return
        try:
            with failpoints.around("commit_offsets"):
                self._reader.consumer.commit(offsets=offsets, asynchronous=True)  # nobody waits for a copy
        except KafkaException as error:
            _tell_failed(error.args[0], offsets)

    def _resume(self, partitions: list[Partition]) -> list[TopicPartition]:
        """
        Find where to read each partition on.

        A place beyond the end means that the topic was deleted and refilled, as Lasair does when a filter is edited.
        Messages before the first that is kept are gone: retention has taken them.
        """
        places = []
        first, last = self._reader.offsets(partitions, FIRST), self._reader.offsets(partitions, NEXT)
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

    def _note_refilled(self, key: Partition) -> None:
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
                # What librdkafka had fetched before the seek comes again after it.
                news += [] if key in rewound else [message]
            elif digest != digest_of(message):
                self._note_refilled(key)
                self._start[key] = self._next[key] = self._reader.offsets([key], FIRST)[key]
                self._reader.seek(key, self._start[key])
                rewound.add(key)
        return news

    def lag(self) -> dict[Partition, int]:
        """Count the messages that are still to be read, by topic and partition."""
        ends = self._reader.offsets(list(self._next), NEXT)
        return {place: max(end - max(self._next[place], self._reader.seen_to(place)), 0) for place, end in ends.items()}

    def left(self) -> int | None:
        """Count the messages that are still to be read, None where that cannot be told at once."""
        return sum(self.lag().values())

    def _read(self) -> tuple[list[KafkaMessage], bool]:
        """Read until there are enough, or nothing came for the time of silence and nothing is left: then it is True."""
        messages: list[KafkaMessage] = []
        shortest = self._options.silence.total_seconds()
        heard, size = time.monotonic(), 0
        while (room := self.batch_size - len(messages)) > 0 and size < self._options.batch_bytes:
            new = self._reader.consume(min(room, 500), 0.1)
            news = self._are_news(new)
            messages += news
            size += sum(map(len, news))
            silence = time.monotonic() - heard
            if new:
                heard = time.monotonic()
                continue
            # Until the message before was seen again, a short silence proves nothing: it may hide a topic that was
            # filled anew.
            wanted = kafka.ANSWER_SECONDS if self._unproven else shortest
            try:
                if silence >= wanted and self._reader.is_at_end(self._start, silence, shortest):
                    return messages, True
            except BrokerUnavailable:
                if messages:  # they are decided; the next batch has none, and tells of the broker
                    break
                raise
        return messages, False
