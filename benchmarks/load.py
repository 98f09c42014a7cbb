"""
A load of alerts: Rubin's packets of a real size in a real Kafka protocol, from a process of its own.

The stand-in for Kafka keeps only 5 MB of a partition and forgets the rest without a word. So the load is spread over
several topics, and the generator waits for its consumer: no partition gets more than fits beyond what the consumer's
group has committed, which the bridge does when the database has it. Every alert is another object: some hundred packets
are made, and of each copy the object's id, wherever it stands in the bytes, becomes a new one of the same length; its
place becomes another, too, as objects at one place would be one target.
"""

import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from benchmarks.measure import GOLDEN_ANGLE
from simulators.alerts.avro_messages import integer
from simulators.alerts.avro_schemas import lsst_schema, to_text
from simulators.alerts.encoders import encode
from simulators.alerts.lsst_packets import LsstPackets
from simulators.services.stream import FRAMING_BYTES, PARTITION_BYTES, PARTITIONS, KafkaStandin
from simulators.sky import Sky
from tides_bridge.lightcurves.photometry import time_from_mjd

GROUP = "load"
TOPICS = 16
FIRST_NIGHT, NIGHTS = 61230, 240
END = time_from_mjd(FIRST_NIGHT + NIGHTS)
"""When the alerts are judged: what is later than now is not believed."""
SIZES = (12_000, 30_000)
"""[bytes] Of the packets that are used, without images; they have 20 kB on average, as Rubin's."""
FIRST_ID = 170_000_000_000_000_000
"""Of the objects; all have as many bytes in Avro."""
START = 300
"""[s] The generator makes its packets first."""
ROOM = PARTITION_BYTES - 200_000
"""[bytes] Of a partition that are used."""


class Packet(NamedTuple):
    """A message, and the id and right ascension of its object as they stand in it."""

    value: bytes
    name: bytes
    ra: bytes


def make_packets(images: int = 0, objects: int = 400) -> list[Packet]:
    """
    Make packets of Rubin as they come from Kafka.

    Parameters
    ----------
    images
        [bytes] Of the cut-outs.
    objects
        Of the sky that they are taken from.

    """
    sky = Sky(seed=1, survey="lsst", objects=objects, first_night=FIRST_NIGHT, nights=NIGHTS)
    packets = filter(None, map(LsstPackets(sky, cutout_bytes=images).newest, range(objects)))
    made = []
    for packet in packets:
        about = packet["diaObject"]
        for source in (packet["diaSource"], *(packet["prvDiaSources"] or []), *(packet["prvDiaForcedSources"] or [])):
            if about and source:
                source["ra"] = about["ra"]  # the bridge's place is the mean of the detections': all move together
        value = encode(packet, "rubin").value
        if about and SIZES[0] <= len(value) - images <= SIZES[1]:
            made.append(Packet(value, integer(about["diaObjectId"]), struct.pack("<d", about["ra"])))
    return made


def messages(packets: list[Packet], number: int) -> Iterator[bytes]:
    """Give messages about as many different objects, at different places."""
    for index in range(number):
        packet = packets[index % len(packets)]
        place = struct.pack("<d", index * GOLDEN_ANGLE % 360)
        yield packet.value.replace(packet.name, integer(FIRST_ID + index)).replace(packet.ra, place)


def write_schemas(folder: Path) -> Path:
    """Write the schema of the packets as a broker's settings need it."""
    path = folder / "v10_0" / "lsst.v10_0.alert.avsc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(lsst_schema("10_0")))
    return folder


@contextmanager
def load(number: int, images: int = 0) -> Iterator[tuple[str, str, Connection]]:
    """
    Publish alerts from another process, as fast as they are consumed.

    Yields
    ------
    (address, topic, connection)
        Of the broker, what a consumer subscribes to, and where the generator tells how long it took [s] and how many
        bytes it sent, when it is at its end.
    """
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_generate, args=(theirs, number, images), daemon=True)
    process.start()
    try:
        if not ours.poll(START):
            raise SystemExit(f"the generator of alerts did not begin within {START} s")
        address = ours.recv()
        yield address, ",".join(_topics()), ours
    finally:
        ours.close()
        process.join(10)
        process.terminate()


def _topics() -> list[str]:
    return [f"alerts_{topic}" for topic in range(TOPICS)]


def _generate(connection: Connection, number: int, images: int) -> None:
    """Be the generator: publish, tell how long it took, and stay until nobody listens any more."""
    packets = make_packets(images)
    with KafkaStandin() as kafka:
        publisher = _Publisher(kafka)
        for topic in _topics():  # so that they exist when the consumer asks
            publisher.create(topic)
        connection.send(kafka.address)
        begun, size = time.perf_counter(), 0
        for count, value in enumerate(messages(packets, number)):
            publisher.publish(count, value)
            size += len(value)
        publisher.flush()
        connection.send((time.perf_counter() - begun, size))
        try:
            connection.recv()
        except (EOFError, ConnectionResetError):
            return


class _Publisher:
    """Publishes where there is room, and waits for the consumer where there is none."""

    def __init__(self, kafka: KafkaStandin) -> None:
        options: dict[str, Any] = {"bootstrap.servers": kafka.address, "group.id": GROUP, "log_level": 0}
        self._producer = kafka._producer
        self._outside = Consumer(options)
        self._places = [TopicPartition(topic, part) for topic in _topics() for part in range(PARTITIONS)]
        self._unread: list[deque[int]] = [deque() for _ in self._places]
        self._sizes, self._first = [0] * len(self._places), [0] * len(self._places)

    def create(self, topic: str) -> None:
        """Let a topic appear, by asking for it."""
        assert self._producer is not None
        self._producer.list_topics(topic, timeout=10)

    def publish(self, count: int, value: bytes) -> None:
        """Publish one message; the partitions take turns, as far as there is room in them."""
        size = len(value) + FRAMING_BYTES
        turns = [(count + turn) % len(self._places) for turn in range(len(self._places))]
        while (place := next((turn for turn in turns if self._sizes[turn] + size <= ROOM), None)) is None:
            self._hear()
        assert self._producer is not None
        self._producer.produce(self._places[place].topic, value, partition=self._places[place].partition)
        self._unread[place].append(size)
        self._sizes[place] += size
        if count % 500 == 0:
            self._producer.poll(0)

    def _hear(self) -> None:
        """Learn what the consumer has done with."""
        assert self._producer is not None
        self._producer.poll(0.02)
        for place, known in enumerate(self._outside.committed(self._places, timeout=30)):
            while self._first[place] < known.offset:
                self._sizes[place] -= self._unread[place].popleft()
                self._first[place] += 1

    def flush(self) -> None:
        """Wait until all is published."""
        assert self._producer is not None
        self._producer.flush(60)
