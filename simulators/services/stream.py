"""
A Kafka broker for tests and demos: the mock cluster inside librdkafka.

It speaks the real protocol on 127.0.0.1, to other processes too, with consumer groups and committed offsets, and lives
as long as the object that started it. Two limits are its own: a message of at most 1 MB, and of every partition only
the newest 5 MB; it drops the rest without a word, and the first offset rises, as with the retention of any Kafka.
`KafkaStandin.publish` refuses what would not fit, `KafkaStandin.append` lets it happen.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, NamedTuple, Self

from confluent_kafka import Producer

from simulators.services.running import RunningStandin
from tides_bridge.errors import BrokerUnavailable, RejectedError

PARTITIONS = 4
"""What the mock cluster gives every topic (librdkafka's default)."""
MESSAGE_BYTES = 1_000_000 - 512
"""Largest message [bytes]: librdkafka's message.max.bytes, less room for its framing."""
PARTITION_BYTES = 5 * 2**20
"""What the mock cluster keeps of a partition [bytes] (measured; rdkafka_mock.c says the same)."""
FRAMING_BYTES = 100
"""What one message costs beside its value and key, at most [bytes]: a record batch of its own."""
TIMEOUT_SECONDS = 10.0
"""The cluster is in this process: it answers within milliseconds, or never."""

Content = bytes | tuple[bytes | None, bytes]
"""A message: its value, or key and value."""


class _Planned(NamedTuple):
    """A message with its partition and its time [ms since 1970; 0: when it is sent]."""

    partition: int
    key: bytes | None
    value: bytes
    milliseconds: int


class KafkaStandin(RunningStandin):
    """
    A broker that starts with `start` (or ``with``) and ends with `stop`.

    Attributes
    ----------
    address
        ``127.0.0.1:PORT``, for ``bootstrap.servers``.

    Examples
    --------
    ::

        with KafkaStandin() as kafka:
            kafka.publish("lasair_19tidesSelect", [b'{"objectId": "ZTF26aaaaaaa"}'])
    """

    def __init__(self) -> None:
        self.address = ""
        self._producer: Producer | None = None
        self._stored: Counter[tuple[str, int]] = Counter()
        self._turn: defaultdict[str, count[int]] = defaultdict(count)

    def start(self) -> Self:
        """
        Start the cluster and learn its address.

        Raises
        ------
        BrokerUnavailable
            When it does not answer.
        """
        options: dict[str, Any] = {"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0}
        self._producer = Producer(options)
        brokers = list(self._producer.list_topics(timeout=TIMEOUT_SECONDS).brokers.values())
        if not brokers:
            raise BrokerUnavailable("Kafka stand-in", "librdkafka started no mock broker")
        self.address = f"{brokers[0].host}:{brokers[0].port}"
        self._stored.clear()
        self._turn.clear()
        return self

    def publish(self, topic: str, messages: Iterable[Content]) -> int:
        """
        Append messages to a topic, which appears with the first one; all of them, or none.

        Parameters
        ----------
        topic
            The topic's name.
        messages
            They take turns over the partitions.

        Returns
        -------
        int
            How many were stored.

        Raises
        ------
        RejectedError
            When a message is over 1 MB, or a partition would pass 5 MB and lose its oldest messages.
        BrokerUnavailable
            When the broker was not started, or did not store all.
        """
        planned = [self._plan(topic, content) for content in messages]
        self._check(topic, [(message.partition, _size(message.key, message.value)) for message in planned])
        return self._send(topic, planned)

    def append(self, topic: str, messages: Iterable[tuple[float, Content]]) -> int:
        """
        Append messages of given times [s since 1970], however many there are: the oldest of a full partition go.

        The same messages, appended to an empty topic in the same order, get the same offsets, in however many calls.

        Raises
        ------
        BrokerUnavailable
            As `publish` does.
        """
        return self._send(topic, [self._plan(topic, content, round(time * 1000)) for time, content in messages])

    def _plan(self, topic: str, content: Content, milliseconds: int = 0) -> _Planned:
        """Give a message its place; without a time of its own it gets the one when it is sent."""
        key, value = (None, content) if isinstance(content, bytes) else content
        return _Planned(next(self._turn[topic]) % PARTITIONS, key, value, milliseconds)

    def _send(self, topic: str, planned: Sequence[_Planned]) -> int:
        """Store messages and answer how many, or raise BrokerUnavailable."""
        if self._producer is None:
            raise BrokerUnavailable("Kafka stand-in", "it is not running", "start() it, or use it in a with statement")
        failures: list[str] = []

        def note(error: object, _message: object) -> None:
            if error:
                failures.append(str(error))

        for message in planned:
            self._producer.produce(
                topic,
                message.value,
                message.key,
                partition=message.partition,
                on_delivery=note,
                timestamp=message.milliseconds,
            )
        waiting = self._producer.flush(TIMEOUT_SECONDS)
        if failures or waiting:
            reason = failures[0] if failures else "no answer"
            raise BrokerUnavailable("Kafka stand-in", f"{len(failures) + waiting} messages were not stored: {reason}")
        return len(planned)

    def publish_newest(self, topic: str, messages: Sequence[Content]) -> int:
        """
        Append as many of the last messages as find room, and answer how many: the older ones are left out.

        Raises
        ------
        RejectedError, BrokerUnavailable
            As `publish` does; the first when one of them is over 1 MB.
        """
        filled = [max(self._stored[topic, partition] for partition in range(PARTITIONS))] * PARTITIONS
        for number, content in enumerate(reversed(messages)):
            filled[number % PARTITIONS] += (
                _size(*((None, content) if isinstance(content, bytes) else content)) + FRAMING_BYTES
            )
            if filled[number % PARTITIONS] > PARTITION_BYTES:
                return self.publish(topic, messages[len(messages) - number :])
        return self.publish(topic, messages)

    def _check(self, topic: str, planned: list[tuple[int, int]]) -> None:
        """Refuse what the mock cluster would refuse, or would forget silently; else book it."""
        sizes: Counter[tuple[str, int]] = Counter()
        for number, (partition, size) in enumerate(planned, start=1):
            if size > MESSAGE_BYTES:
                raise RejectedError(
                    f"message {number} for topic {topic}",
                    f"{size} bytes, and the Kafka stand-in takes at most {MESSAGE_BYTES}",
                )
            sizes[topic, partition] += size + FRAMING_BYTES
        fullest = max((self._stored[key] + size for key, size in sizes.items()), default=0)
        if fullest > PARTITION_BYTES:
            raise RejectedError(
                f"{len(planned)} messages for topic {topic}",
                f"a partition of the Kafka stand-in would hold {fullest} bytes, and it silently forgets the oldest"
                f" messages beyond {PARTITION_BYTES}: publish less, or use another topic",
            )
        self._stored.update(sizes)

    def stop(self) -> None:
        """End the cluster and close its port; a second call does nothing."""
        if self._producer is not None:
            self._producer.flush(TIMEOUT_SECONDS)
        self._producer = None  # librdkafka ends the cluster with its last owner


def _size(key: bytes | None, value: bytes) -> int:
    return len(key or b"") + len(value)
