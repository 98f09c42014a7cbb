"""
The stream of alerts: Kafka through confluent-kafka.

Partitions are assigned by us, not by joining a group: joining takes seconds, in which D3.3.4 mistook the silence for an
empty stream, and one bridge reads one stream anyway. Offsets are still committed under the group's name.
"""

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tides_bridge.errors import BrokerUnavailable, MalformedAlert, SettingsError
from tides_bridge.models import Alert, Batch, RefusedMessage
from tides_bridge.settings import Settings

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10
"""[s] Time in which the broker must answer a question."""

PATIENCE_SECONDS = 60
"""[s] Time to wait for messages that the broker says it has."""


class AlertStream:
    """
    One topic, read from where the group left it.

    Parameters
    ----------
    settings
        Broker, topic and group.
    decode
        Turns a message into an alert, or raises MalformedAlert.

    Raises
    ------
    SettingsError
        If librdkafka refuses the options.
    BrokerUnavailable
        From every method, if the broker does not answer.
    """

    def __init__(self, settings: Settings, decode: Callable[[bytes], Alert]) -> None:
        self._topic, self._options, self._decode = settings.topic, settings.broker, decode
        self._service = f"Kafka broker {self._options.bootstrap_servers}"
        self._start: dict[int, int] = {}
        options = {key: value.get_secret_value() for key, value in self._options.options.items()}
        known = {
            "bootstrap.servers": self._options.bootstrap_servers,
            "group.id": settings.group_id,
            "enable.auto.commit": False,
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
        messages = self._read() if self._start else []
        is_last = len(messages) < self._options.batch_size
        newest: dict[str, Alert] = {}
        refused = []
        positions: dict[tuple[str, int], int] = {}
        for message in messages:
            topic, partition, offset = self._topic, message.partition() or 0, message.offset() or 0
            positions[topic, partition] = offset + 1
            try:
                alert = self._decode(message.value() or b"")
            except MalformedAlert as error:
                refused.append(RefusedMessage(topic, partition, offset, message.value() or b"", error.problem))
                continue
            known = newest.get(alert.object_id)
            if known is None or alert.newest_mjd >= known.newest_mjd:
                newest[alert.object_id] = alert
        newest_first = sorted(newest.values(), key=lambda alert: (-alert.newest_mjd, alert.object_id))
        return Batch(newest_first, refused, len(messages), positions, is_last=is_last)

    def commit(self, batch: Batch) -> None:
        """Tell Kafka that a batch is safe in the database."""
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in batch.positions.items()]
        try:
            if offsets:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise self._unavailable(error) from None

    def _resume(self, partitions: list[int]) -> list[TopicPartition]:
        """
        Find where the group left each partition; the beginning where it never was.

        A place beyond the end means that the topic was deleted and refilled, as Lasair does when a filter is edited.
        """
        try:
            wanted = [TopicPartition(self._topic, partition) for partition in partitions]
            places = self._consumer.committed(wanted, timeout=ANSWER_SECONDS)
            for place in places:
                low, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
                if place.offset > high:
                    logger.warning("the topic was filled anew: read from its beginning, partition=%d", place.partition)
                self._start[place.partition] = place.offset if low <= place.offset <= high else low
                place.offset = self._start[place.partition]
        except KafkaException as error:
            raise self._unavailable(error) from None
        return list(places)

    def _read(self) -> list[Message]:
        """Read until the batch is full, or nothing came for the time of silence and nothing is left."""
        messages: list[Message] = []
        heard = time.monotonic()
        while (room := self._options.batch_size - len(messages)) > 0:
            new = self._consumer.consume(min(room, 500), timeout=0.1)
            for message in new:
                error = message.error()
                if error is None:
                    messages.append(message)
                elif error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise self._unavailable(KafkaException(error))
            silence = time.monotonic() - heard
            if new:
                heard = time.monotonic()
            elif silence >= self._options.silence.total_seconds() and not self._unread():
                break
            elif silence >= max(PATIENCE_SECONDS, self._options.silence.total_seconds()):
                raise BrokerUnavailable(self._service, f"sends nothing, though {self._unread()} messages are unread")
        return messages

    def _unread(self) -> int:
        """Count the messages that the broker has and we have not: a silent broker may also be a dead one."""
        unread = 0
        try:
            for place in self._consumer.position([TopicPartition(self._topic, number) for number in self._start]):
                _, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
                here = place.offset if place.offset >= 0 else self._start[place.partition]
                unread += max(high - here, 0)
        except KafkaException as error:
            raise self._unavailable(error) from None
        return unread

    def _unavailable(self, error: KafkaException) -> BrokerUnavailable:
        """Translate an error of librdkafka."""
        return BrokerUnavailable(
            self._service, error.args[0].str(), "is broker.bootstrapServers right, and the broker up?"
        )
