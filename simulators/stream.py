"""
A Kafka broker for tests and demos: the mock cluster inside librdkafka.

It speaks the real protocol on 127.0.0.1, to other processes too, with consumer groups and committed offsets, and lives
as long as the object that started it. Two limits are its own: a message of at most 1 MB, and of every partition only
the newest 5 MB; it drops the rest without a word. `KafkaStandin.publish` refuses what would not fit.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import count
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Producer

from tides_bridge.errors import BrokerUnavailable, RejectedError

PARTITIONS = 4
"""What the mock cluster gives every topic (librdkafka's default)."""
MESSAGE_BYTES = 1_000_000 - 512
"""Largest message [bytes]: librdkafka's message.max.bytes, less room for its framing."""
PARTITION_BYTES = 5 * 2**20
"""What the mock cluster keeps of a partition [bytes] (measured; rdkafka_mock.c says the same)."""
FRAMING_BYTES = 100
"""What one message costs beside its value, at most [bytes]: a record batch of its own."""
TIMEOUT_SECONDS = 10.0
"""The cluster is in this process: it answers within milliseconds, or never."""


class KafkaStandin:
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
        self._turn = count()

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
        return self

    def publish(self, topic: str, values: Iterable[bytes]) -> int:
        """
        Append messages to a topic, which appears with the first one; all of them, or none.

        Parameters
        ----------
        topic
            The topic's name.
        values
            The messages; they take turns over the partitions.

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
        if self._producer is None:
            raise BrokerUnavailable("Kafka stand-in", "it is not running", "start() it, or use it in a with statement")
        planned = [(next(self._turn) % PARTITIONS, value) for value in values]
        self._check(topic, planned)
        failures: list[str] = []

        def note(error: object, _message: object) -> None:
            if error:
                failures.append(str(error))

        for partition, value in planned:
            self._producer.produce(topic, value, partition=partition, on_delivery=note)
        waiting = self._producer.flush(TIMEOUT_SECONDS)
        if failures or waiting:
            reason = failures[0] if failures else "no answer"
            raise BrokerUnavailable("Kafka stand-in", f"{len(failures) + waiting} messages were not stored: {reason}")
        return len(planned)

    def _check(self, topic: str, planned: list[tuple[int, bytes]]) -> None:
        """Refuse what the mock cluster would refuse, or would forget silently; else book it."""
        sizes: Counter[tuple[str, int]] = Counter()
        for number, (partition, value) in enumerate(planned, start=1):
            if len(value) > MESSAGE_BYTES:
                raise RejectedError(
                    f"message {number} for topic {topic}",
                    f"{len(value)} bytes, and the Kafka stand-in takes at most {MESSAGE_BYTES}",
                )
            sizes[topic, partition] += len(value) + FRAMING_BYTES
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

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
