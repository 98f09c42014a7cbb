"""Stand-ins that serve the streams of brokers, filled with a simulated sky, and what a run reads there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from simulators.alerts.encoders import is_of_object
from simulators.alerts.packet_files import Found
from simulators.standins.broker_streams import simulated
from simulators.standins.bundle import Filled, Standins, write_schemas, write_settings
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import Decoded
from tides_bridge.brokers.models import Message
from tides_bridge.settings import Settings
from tides_bridge.settings import tree as settings

AGE = {"deactivateAfter": "7305 days"}


@cache
def sky() -> tuple[Found, ...]:
    """Give the newest packets of two small skies; some are of the solar system."""
    return tuple(simulated({"lsst", "ztf"}, objects=40, nights=40, seed=9))


def of(survey: str) -> list[Found]:
    """Give those of a survey."""
    return [found for found in sky() if found.survey == survey]


def name_of(found: Found) -> str:
    """Give the name of the object."""
    return str(found.packet["diaObject"]["diaObjectId"] if found.survey == "lsst" else found.packet["objectId"])


def names_of(survey: str) -> set[str]:
    """Name the objects of a survey that are not of the solar system."""
    return {name_of(found) for found in of(survey) if is_of_object(found.packet)}


def read_topic(address: str, topic: str) -> list[Message]:
    """Give all that lies in a topic, without waiting for more."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "log_level": 2})
    try:
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        places = [TopicPartition(topic, number, 0) for number in partitions]
        number = sum(consumer.get_watermark_offsets(place, timeout=60)[1] for place in places)
        consumer.assign(places)
        found: list[Any] = []
        while len(found) < number:
            found += consumer.consume(number - len(found), timeout=1)
    finally:
        consumer.close()
    return [Message(topic, message.partition(), message.offset(), message.value(), message.key()) for message in found]


def decoded_by(known: Settings) -> Decoded:
    """Read the stream of a broker as a run would."""
    return broker_of(known).decode(read_topic(known.broker.bootstrap_servers, str(known.topic)))


@dataclass
class Served:
    """Stand-ins that run, and what a run would know of them."""

    standins: Standins
    filled: dict[str, Filled]
    settings: Settings

    def broker(self, name: str) -> Settings:
        """Give the settings of one of them."""
        (found,) = [broker for broker in self.settings.each_broker() if broker.broker_name == name.replace("-", "_")]
        return found

    def messages(self, name: str) -> list[Message]:
        """Read a stream to its end."""
        return read_topic(self.standins.kafka.address, str(self.broker(name).topic))

    def decoded(self, name: str) -> Decoded:
        """Read a stream as a run would."""
        return decoded_by(self.broker(name))


def fill(
    standins: Standins, folder: Path, found: Sequence[Found], warn: Callable[[str], object] = pytest.fail
) -> Served:
    """Fill stand-ins that run, and load the settings that were written for them."""
    filled = standins.fill(found, warn)
    write_schemas(standins.streams, folder / "schemas")
    write_settings(folder / "s.yaml", standins.settings(AGE, folder / "schemas"))
    return Served(standins, filled, settings.load_settings(file=folder / "s.yaml"))
