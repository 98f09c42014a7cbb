"""
Kafka through confluent-kafka, for all who read alerts: options, what the broker is asked, time limits, and errors.

Partitions are assigned by us, not by joining a group: joining takes seconds, in which D3.3.4 mistook the silence for an
empty stream.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from tides_bridge.errors import BrokerUnavailable, SettingsError

ANSWER_SECONDS = 10.0
"""[s] Time in which the broker must answer a question."""

PATIENCE_SECONDS = 60.0
"""[s] Time to wait for messages that the broker says it has."""

Partition = tuple[str, int]
"""Topic and partition."""

FIRST, NEXT = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
"""The offset of the first message that is kept, and of the next that will come."""


def options_of(given: Sequence[str]) -> dict[str, str]:
    """
    Read options that are given as KEY=VALUE.

    Raises
    ------
    SettingsError
        If one has no key or no equals sign; it does not show the value, which may be a secret.

    >>> options_of(["sasl.username=tides", "ssl.ca.location=/a=b"])
    {'sasl.username': 'tides', 'ssl.ca.location': '/a=b'}
    """
    pairs = [option.partition("=") for option in given]
    for key, sign, _ in pairs:
        if not key.strip() or not sign:
            raise SettingsError("--option", "", "write each as KEY=VALUE, such as security.protocol=SASL_SSL")
    return {key.strip(): value for key, _, value in pairs}


def refused_options(
    error: KafkaException, options: Mapping[str, str], where: tuple[str, str] = ("options of Kafka", "")
) -> SettingsError:
    """
    Make our error of librdkafka's, whose text may show a secret: only the names of options are told.

    Parameters
    ----------
    error
        What librdkafka said.
    options
        Those that a person gave.
    where
        File and key in which they were given.
    """
    named = [name for name in options if name in error.args[0].str()]
    return SettingsError(*where, f"librdkafka refuses {', '.join(named or options)}")


def place_of(message: KafkaMessage) -> Partition:
    """Tell the topic and partition of a message."""
    return message.topic() or "", message.partition() or 0


class KafkaReader:
    """
    A consumer that commits nothing by itself, and what one who reads asks its broker.

    Parameters
    ----------
    bootstrap_servers
        The broker.
    known
        Options of librdkafka that suit this reader, beyond those that suit all.
    given
        Those that a person gave; they come before ours.
    where
        File and key in which they were given.
    remedy
        What to do if the broker does not answer.

    Attributes
    ----------
    consumer
        Librdkafka's; its errors become ours by `unavailable`.

    Raises
    ------
    SettingsError
        If librdkafka refuses the options.
    BrokerUnavailable
        From every method, if the broker does not answer.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        known: Mapping[str, Any],
        given: Mapping[str, str],
        *,
        where: tuple[str, str] = ("options of Kafka", ""),
        remedy: str = "is the address right, and the broker up?",
    ) -> None:
        self._service, self._remedy = f"Kafka broker {bootstrap_servers}", remedy
        self._seen_to = dict[Partition, int]()
        self._no_login = ""
        everywhere: dict[str, Any] = {
            "bootstrap.servers": bootstrap_servers, "log_level": 2, "error_cb": self._note
        }  # fmt: skip
        usual = {
            "session.timeout.ms": int(ANSWER_SECONDS * 1000),  # so long closing waits for a broker that died
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,  # our questions stand in line behind an idle fetch
            "enable.partition.eof": True,
        }
        try:
            # The last comes last as no option shall make it commit.
            self.consumer = Consumer({**everywhere, **usual, **known, **given, "enable.auto.commit": False})
            # On a connection of its own: a question to the consumer stands in line behind its fetches.
            self._admin = AdminClient({**everywhere, **given})
        except KafkaException as error:
            raise refused_options(error, given, where) from None

    def partitions(self, topics: str) -> list[Partition]:
        """
        List the partitions of topics; one that does not exist has none: at Lasair that means that it is empty.

        Parameters
        ----------
        topics
            Names with commas between them, or a pattern that begins with ``^``.
        """
        try:
            found = self._topics(topics)
        except KafkaException as error:
            raise self.unavailable(error) from None
        for topic in found:
            if topic.error is not None and topic.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise self.unavailable(KafkaException(topic.error))
        return sorted((str(topic.topic), number) for topic in found for number in topic.partitions)

    def _topics(self, topics: str) -> list[Any]:
        if topics.startswith("^"):
            every_topic = self.consumer.list_topics(timeout=ANSWER_SECONDS).topics
            return [topic for name, topic in every_topic.items() if re.match(topics, name)]
        names = [name.strip() for name in topics.split(",")]
        return [self.consumer.list_topics(name, timeout=ANSWER_SECONDS).topics[name] for name in names]

    def offsets(self, places: Sequence[Partition], which: Any) -> dict[Partition, int]:
        """Ask for the `FIRST` or the `NEXT` offset of partitions, all at once."""
        if not places:
            return {}
        asked = {TopicPartition(*place): which for place in places}
        try:
            answers = self._admin.list_offsets(asked, request_timeout=ANSWER_SECONDS)
            return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}
        except KafkaException as error:
            raise self.unavailable(error) from None

    def consume(self, most: int, seconds: float) -> list[KafkaMessage]:
        """Read what comes within some time [s], no more than `most` messages; note where partitions end."""
        messages = []
        for message in self.consumer.consume(most, timeout=seconds):
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._seen_to[place_of(message)] = message.offset() or 0
            # A topic that is deleted while we read is empty, not broken: Lasair makes it again with its next alert.
            elif error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise self.unavailable(KafkaException(error))
        return messages

    def is_at_end(self, start: Mapping[Partition, int], silent: float, wanted: float) -> bool:
        """
        Tell whether a silence is the end of the stream: a silent broker may also be a dead one.

        Parameters
        ----------
        start
            Where reading began in each partition.
        silent
            [s] How long nothing came.
        wanted
            [s] The silence that is taken for the end if nothing is unread.

        Raises
        ------
        BrokerUnavailable
            If it lasts, and the broker says that it has messages.
        """
        try:
            places = self.consumer.position([TopicPartition(*place) for place in start])
        except KafkaException as error:
            raise self.unavailable(error) from None
        ends = self.offsets(list(start), NEXT)
        # A negative position means that nothing was consumed there yet: reading began at the start.
        read = {(place.topic, place.partition): place.offset for place in places if place.offset >= 0}
        unread = sum(
            max(end - max(read.get(place, start[place]), self.seen_to(place)), 0) for place, end in ends.items()
        )
        if unread and silent >= max(PATIENCE_SECONDS, wanted):
            raise BrokerUnavailable(self._service, f"sends nothing, though {unread} messages are unread")
        return not unread

    def seen_to(self, place: Partition) -> int:
        """
        Tell up to which offset a partition was seen to have no more messages; 0 where nobody looked.

        It may lie behind the last message: markers of transactions, and what compaction has taken, have offsets, too.
        """
        return self._seen_to.get(place, 0)

    def seek(self, place: Partition, offset: int) -> None:
        """Read a partition from another offset on; where it was seen to end is forgotten."""
        self._seen_to.pop(place, None)
        try:
            self.consumer.seek(TopicPartition(*place, offset))
        except KafkaException as error:
            raise self.unavailable(error) from None

    def unavailable(self, error: KafkaException) -> BrokerUnavailable:
        """Make our error of librdkafka's; of a broker that refuses our login it says only that it is not reached."""
        with suppress(RuntimeError, KafkaException):  # it may be closed
            self.consumer.poll(0)  # hands over what it noted
        if self._no_login:
            return BrokerUnavailable(self._service, self._no_login, "are user and password in the options right?")
        return BrokerUnavailable(self._service, error.args[0].str(), self._remedy)

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION:
            self._no_login = " ".join(error.str().split())
