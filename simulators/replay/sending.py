"""
Alerts sent to Kafka: in the framing they came in, or another one, and surely delivered.

The stand-in for Kafka keeps only 5 MB a partition and forgets the oldest messages without a word. Who names the group
that reads loses none: `Room` waits for it.
"""

import io
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as KafkaMessage

from simulators.replay.ordered import Recorded
from simulators.services.stream import FRAMING_BYTES, PARTITION_BYTES
from tides_bridge.brokers.kafka import refused_options
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.avro import records as avro
from tides_bridge.formats.avro.schemas import schema_number
from tides_bridge.formats.framing import Framing
from tides_bridge.formats.whole_alerts import Whole, to_plain

ANSWER_SECONDS = 10.0
"""[s] Time in which the broker must answer a question."""

DELIVERY_SECONDS = 60.0
"""[s] Time in which a message must be stored."""

LOOK_SECONDS = 0.1
"""[s] So often it is seen whether a group has read on."""

Content = tuple[bytes, bytes | None]
"""Value and key."""


def frame(recorded: Recorded, framing: Framing | None, schemas: Mapping[str, Any], number: int | None) -> Content:
    """
    Pack an alert into a framing.

    Parameters
    ----------
    recorded
        The alert as it was recorded.
    framing
        None, or the one it has already: it stays byte for byte.
    schemas
        By name, for JSON that becomes Avro.
    number
        Of the schema in Confluent's header; None: as the schema's version says, 1000 for 10.0.

    Raises
    ------
    MalformedAlert
        If it cannot be packed so.
    """
    if framing is None or framing is recorded.whole.framing:
        return recorded.value, recorded.key
    whole = recorded.whole
    if framing is Framing.JSON:
        return json.dumps(_without_images(whole.record), allow_nan=False).encode(), None
    if framing is Framing.BSON:
        raise MalformedAlert("alert", "only what came as BSON is sent as BSON: ANTARES has a form of its own")
    schema, body = _avro(whole, schemas)
    if framing is Framing.KEYED:
        return body, json.dumps(_plain_schema(schema)).encode()
    if framing is Framing.CONFLUENT:
        chosen = schema_number("", schema) if number is None else number
        if chosen is None:
            raise MalformedAlert("alert", "its schema tells no version: say which number it has, --schema-number")
        return b"\0" + chosen.to_bytes(4, "big") + body, None
    return (body if framing is Framing.BARE else _container(schema, body)), None


def _avro(whole: Whole, schemas: Mapping[str, Any]) -> tuple[Any, bytes]:
    """Give the schema of an alert and its bare bytes; JSON needs a schema that fits, one of ours or of the user's."""
    if whole.schema is not None:
        return whole.schema, whole.body or _bare(whole.record, whole.schema)
    for schema in schemas.values():
        try:
            return schema, _bare(whole.record, schema)
        except (*avro.BAD, RecursionError):
            continue
    if schemas:
        raise MalformedAlert("alert", f"is JSON, and does not fit: {', '.join(schemas)}")
    return _as_packet(whole.record)


def _as_packet(record: dict[str, Any]) -> tuple[Any, bytes]:
    """Make Avro of a packet in JSON with the schemas of the simulator, which are those of ZTF 4.02 and Rubin 10.0."""
    from simulators.alerts.encoders import encode

    if not isinstance(record.get("candidate"), dict) and not isinstance(record.get("diaSource"), dict):
        problem = "is JSON, but no packet of ZTF or Rubin: name its Avro schema with --schemas"
        raise MalformedAlert("alert", problem)
    made = encode(record, "lsst-avro" if "diaSource" in record else "ztf-avro")
    reader = fastavro.reader(io.BytesIO(made.value))
    schema, (content,) = reader.writer_schema, tuple(reader)
    return schema, _bare(content, schema)


def _bare(record: Any, schema: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, record)
    return stream.getvalue()


def _container(schema: Any, body: bytes) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, schema, [fastavro.schemaless_reader(io.BytesIO(body), schema, None)])
    return stream.getvalue()


def _plain_schema(schema: Any) -> Any:
    """Give a schema without the marks that fastavro puts into it."""
    if isinstance(schema, Mapping):
        return {key: _plain_schema(value) for key, value in schema.items() if not str(key).startswith("__")}
    return [_plain_schema(branch) for branch in schema] if isinstance(schema, list) else schema


def _without_images(value: Any) -> Any:
    """Leave out bytes, which JSON has no place for; NaN becomes null."""
    if isinstance(value, Mapping):
        return {key: _without_images(item) for key, item in value.items() if not isinstance(item, bytes)}
    return [_without_images(item) for item in value] if isinstance(value, list) else to_plain(value)


class Sender:
    """
    Sends messages to one topic; made, it has found the topic.

    Parameters
    ----------
    address, topic
        Kafka host:port, and the topic's name.
    options
        Of librdkafka, by name; they may be secret.
    group
        The group that reads, if it must not be overtaken by more than the stand-in for Kafka keeps.
    waiting
        Is told when that group is waited for, with the number of its unread messages.

    Raises
    ------
    SettingsError
        If librdkafka refuses the options.
    BrokerUnavailable
        If the broker does not answer, or has no such topic and makes none.
    """

    def __init__(
        self,
        address: str,
        topic: str,
        options: Mapping[str, str],
        group: str | None = None,
        waiting: Callable[[int], None] | None = None,
    ) -> None:
        self._service, self._topic = f"Kafka broker {address}", topic
        known = {
            "bootstrap.servers": address,
            "log_level": 2,
            "max.in.flight": 1,  # what is sent again does not change places with what came after it
            "message.timeout.ms": int(DELIVERY_SECONDS * 1000),
            "linger.ms": 5,
        }
        try:
            self._producer = Producer({**known, **options})
        except KafkaException as error:
            raise refused_options(error, options) from None
        self.partitions = self._find_partitions()
        self._failures: list[str] = []
        self._room = Room(address, topic, options, group, waiting) if group else None

    def send(self, content: Content, object_hash: int) -> None:
        """
        Hand a message over; all of an object go to the same partition, and so stay in their order.

        Raises
        ------
        MalformedAlert
            If it is longer than the broker takes.
        """
        value, key = content
        partition = self.partitions[object_hash % len(self.partitions)]
        if self._room is not None:
            self._room.wait(partition, len(value) + len(key or b"") + FRAMING_BYTES, self.flush)
        while True:
            try:
                self._producer.produce(self._topic, value, key, partition=partition, on_delivery=self._note)
                return
            except BufferError:
                self._producer.poll(LOOK_SECONDS)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    problem = f"has {len(value) + len(key or b'')} bytes, more than --option message.max.bytes allows"
                    raise MalformedAlert("alert", problem) from None
                raise BrokerUnavailable(self._service, error.args[0].str()) from None

    def flush(self) -> None:
        """
        Wait until all is stored.

        Raises
        ------
        BrokerUnavailable
            If something was not.
        """
        waiting = self._producer.flush(DELIVERY_SECONDS + ANSWER_SECONDS)
        if self._failures or waiting:
            number, reason = len(self._failures) + waiting, next(iter(self._failures), "no answer")
            self._failures.clear()
            raise BrokerUnavailable(self._service, f"{number} messages were not stored: {reason}")

    def give_up(self) -> None:
        """Throw away what was not sent yet."""
        self._producer.purge()
        self._producer.flush(1)

    def _note(self, error: KafkaError | None, message: KafkaMessage) -> None:
        if error is not None:
            self._failures.append(error.str())
        elif self._room is not None:
            size = len(message.value() or b"") + len(message.key() or b"") + FRAMING_BYTES
            self._room.note_stored(message.partition() or 0, message.offset() or 0, size)

    def _find_partitions(self) -> list[int]:
        """Ask for the topic's partitions; most brokers make a topic that is asked for, and need a moment for it."""
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                topic = self._producer.list_topics(self._topic, timeout=ANSWER_SECONDS).topics[self._topic]
            except KafkaException as error:
                remedy = "is --bootstrap right, and the broker up?"
                raise BrokerUnavailable(self._service, error.args[0].str(), remedy) from None
            if topic.partitions:
                return sorted(topic.partitions)
            if time.monotonic() >= end:
                problem = in_one_line(topic.error.str()) if topic.error else "the topic has no partitions"
                raise BrokerUnavailable(self._service, f"topic {self._topic}: {problem}", "create the topic first")
            time.sleep(LOOK_SECONDS)


class Room:
    """
    Keeps a sender from overtaking a group of readers by more than a partition of the stand-in for Kafka keeps.

    Parameters
    ----------
    address, topic, options
        As of a `Sender`.
    group
        The readers: they have read what they committed.
    waiting
        Is told when they are waited for.
    """

    def __init__(
        self,
        address: str,
        topic: str,
        options: Mapping[str, str],
        group: str,
        waiting: Callable[[int], None] | None,
    ) -> None:
        self._topic, self._tell = topic, waiting or (lambda _: None)
        self._stored: dict[int, deque[tuple[int, int]]] = {}
        self._unread: dict[int, int] = {}
        self._consumer = Consumer({"bootstrap.servers": address, "log_level": 2, **options, "group.id": group})

    def note_stored(self, partition: int, offset: int, size: int) -> None:
        """Note that a message is stored."""
        self._stored.setdefault(partition, deque()).append((offset, size))

    def wait(self, partition: int, size: int, flush: Callable[[], None]) -> None:
        """
        Wait until a message of some size finds room in a partition.

        Raises
        ------
        MalformedAlert
            If it is too long for an empty one.
        """
        if size > PARTITION_BYTES:
            raise MalformedAlert("alert", f"has {size} bytes, and the stand-in for Kafka keeps {PARTITION_BYTES}")
        self._unread[partition] = self._unread.get(partition, 0) + size
        if self._unread[partition] <= PARTITION_BYTES:
            return
        flush()
        has_told = False
        while self._forget_read(partition) + size > PARTITION_BYTES:
            if not has_told:
                self._tell(len(self._stored[partition]))
                has_told = True
            time.sleep(LOOK_SECONDS)
        self._unread[partition] += size

    def _forget_read(self, partition: int) -> int:
        """Ask how far the group is; gives the bytes that it has not read."""
        try:
            (place,) = self._consumer.committed([TopicPartition(self._topic, partition)], timeout=ANSWER_SECONDS)
        except KafkaException as error:
            raise BrokerUnavailable("Kafka broker", f"tells no offsets: {error.args[0].str()}") from None
        stored = self._stored.setdefault(partition, deque())
        while stored and stored[0][0] < place.offset:
            stored.popleft()
        self._unread[partition] = sum(size for _, size in stored)
        return self._unread[partition]
