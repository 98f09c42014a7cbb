"""The stream over the real Kafka protocol: silence, groups, offsets, and a broker that goes away."""

import json
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from simulators.stream import KafkaStandin
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.errors import BrokerUnavailable, SettingsError
from tides_bridge.models import Batch
from tides_bridge.settings import Settings


@pytest.fixture
def kafka() -> Iterator[KafkaStandin]:
    with KafkaStandin() as kafka:
        yield kafka


def make(kafka: KafkaStandin, **broker: object) -> Settings:
    options = {"bootstrapServers": kafka.address, "silence": "0.3 s", **broker}
    return Settings(topic="alerts", groupID="1", selectFunction="any", broker=options)


def message(name: str, jdmax: float = 2461000.5, **more: object) -> bytes:
    return json.dumps({"objectId": name, "jdmax": jdmax, **more}).encode()


def read(settings: Settings, *, commit: bool = True) -> Batch:
    with AlertStream(settings, broker_of(settings).decode) as stream:
        batch = stream.next_batch()
        if commit:
            stream.commit(batch)
    return batch


def test_a_group_goes_on_where_it_committed(kafka: KafkaStandin) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(10)])
    assert read(settings, commit=False).messages == 10
    assert read(settings).messages == 10
    assert read(settings).messages == 0
    kafka.publish("alerts", [message("ZTF99")])
    assert [alert.object_id for alert in read(settings).alerts] == ["ZTF99"]


def test_offsets_are_committed_under_the_group_for_outside_tools(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(10)])
    read(make(kafka))
    outside = Consumer({"bootstrap.servers": kafka.address, "group.id": "1"})
    places = outside.committed([TopicPartition("alerts", number) for number in range(4)], timeout=5)
    outside.close()
    assert sum(place.offset for place in places) == 10


def test_the_newest_message_of_an_object_is_kept_in_whatever_order(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message("ZTFa", jd) for jd in (2461002.5, 2461003.5, 2461001.5, 2461000.5)])
    batch = read(make(kafka))
    assert batch.messages == 4
    assert [alert.newest_mjd for alert in batch.alerts] == [61003.0]


def test_a_full_batch_is_not_the_last(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(5)])
    settings = make(kafka, batchSize=3)
    with AlertStream(settings, broker_of(settings).decode) as stream:
        batches = [stream.next_batch(), stream.next_batch()]
    assert [(batch.messages, batch.is_last) for batch in batches] == [(3, False), (2, True)]


def test_a_topic_that_does_not_exist_is_an_empty_stream(kafka: KafkaStandin) -> None:
    batch = read(make(kafka))
    assert (batch.messages, batch.alerts, batch.is_last) == (0, [], True)


def test_silence_is_waited_for(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message("ZTFa")])
    settings = make(kafka, silence="1.5 s")
    begun = time.monotonic()
    assert read(settings).messages == 1
    assert time.monotonic() - begun >= 1.5


def test_what_cannot_be_read_is_kept_as_it_came(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [b"\xff\x00 no JSON", message("ZTFa")])
    batch = read(make(kafka))
    assert [alert.object_id for alert in batch.alerts] == ["ZTFa"]
    (refused,) = batch.refused
    assert (refused.topic, refused.partition, refused.offset, refused.body) == ("alerts", 0, 0, b"\xff\x00 no JSON")
    assert "JSON" in refused.reason


def test_a_refilled_topic_is_read_from_its_beginning(kafka: KafkaStandin) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(4)])
    consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": "1"})
    consumer.commit(offsets=[TopicPartition("alerts", number, 1000) for number in range(4)], asynchronous=False)
    consumer.close()
    assert read(settings).messages == 4


def test_a_broker_that_is_away_is_told_with_what_to_do(kafka: KafkaStandin) -> None:
    settings = make(kafka)
    kafka.stop()
    with pytest.raises(BrokerUnavailable, match=r"Kafka broker 127\.0\.0\.1.*bootstrapServers"):
        read(settings)


def test_a_broker_that_goes_away_is_not_taken_for_silence(kafka: KafkaStandin) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message("ZTFa")])
    with AlertStream(settings, broker_of(settings).decode) as stream:
        kafka.stop()
        with pytest.raises(BrokerUnavailable):
            stream.next_batch()


def test_a_wrong_option_is_told_without_its_value(kafka: KafkaStandin) -> None:
    with pytest.raises(SettingsError, match=r"broker\.options: librdkafka refuses security\.protocol$"):
        read(make(kafka, options={"security.protocol": "hidden", "client.id": "x"}))


def test_the_newest_detections_come_first(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(name, jd) for name, jd in (("a", 2461001.5), ("b", 2461003.5), ("c", 2461002.5))])
    assert [alert.object_id for alert in read(make(kafka)).alerts] == ["b", "c", "a"]
