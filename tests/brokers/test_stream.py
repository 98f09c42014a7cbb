"""The stream over the real Kafka protocol: silence, groups, offsets, and a broker that goes away."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from simulators.services.kafka_gate import KafkaGate
from simulators.services.stream import KafkaStandin
from tests.support.batches import read_batch
from tides_bridge.brokers import decoding
from tides_bridge.brokers import kafka as kafka_reader
from tides_bridge.brokers.lasair.ztf import LasairZtf
from tides_bridge.brokers.models import Alert
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.decisions.models import Batch
from tides_bridge.errors import BrokerUnavailable, SettingsError
from tides_bridge.settings import Settings


@pytest.fixture
def kafka() -> Iterator[KafkaStandin]:
    with KafkaStandin() as kafka:
        yield kafka


def make(kafka: KafkaStandin | KafkaGate, **broker: object) -> Settings:
    options = {"bootstrapServers": kafka.address, "silence": "0.3 s", **broker}
    return Settings(topic="alerts", groupID="1", selectFunction="any", broker=options)


class Altered:
    """A consumer, some of whose methods are others."""

    def __init__(self, consumer: Any, **methods: Any) -> None:
        self._consumer = consumer
        vars(self).update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def message(name: str, jdmax: float = 2461000.5, **more: object) -> bytes:
    return json.dumps({"objectId": name, "jdmax": jdmax, **more}).encode()


def read(settings: Settings, positions: Mapping[int, int] | None = None) -> Batch:
    with AlertStream(settings, at(positions)) as stream:
        batch = read_batch(stream, settings)
        stream.commit(batch.pull.positions)
    return batch


def at(positions: Mapping[int, int] | None) -> dict[tuple[str, int], int]:
    """Name places of the one topic."""
    return {("alerts", partition): offset for partition, offset in (positions or {}).items()}


def places(batch: Batch) -> dict[int, int]:
    """Where to read on, as the database keeps it."""
    return {partition: offset for (_, partition), offset in batch.pull.positions.items()}


def committed(kafka: KafkaStandin) -> list[int]:
    """The offsets that Kafka has under our group."""
    outside = Consumer({"bootstrap.servers": kafka.address, "group.id": "1"})
    offsets = outside.committed([TopicPartition("alerts", number) for number in range(4)], timeout=60)
    outside.close()
    return [place.offset for place in offsets]


def commit_at_kafka(kafka: KafkaStandin, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": "1"})
    consumer.commit(offsets=[TopicPartition("alerts", number, offset) for number in range(4)], asynchronous=False)
    consumer.close()


# Where it is read on


def test_it_is_read_on_where_the_database_says(kafka: KafkaStandin) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(10)])
    first = read(settings)
    assert len(first.pull.messages) == 10
    assert len(read(settings).pull.messages) == 10
    assert len(read(settings, places(first)).pull.messages) == 0
    kafka.publish("alerts", [message("ZTF99")])
    assert [alert.object_id for alert in read(settings, places(first)).alerts] == ["ZTF99"]
    assert len(read(settings, {0: 3, 1: 1, 2: 2, 3: 2}).pull.messages) == 3


def test_what_kafka_has_under_the_group_is_not_asked_for(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(4)])
    commit_at_kafka(kafka, 1)
    assert len(read(make(kafka)).pull.messages) == 4


def test_kafka_gets_a_copy_for_outside_tools(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(10)])
    read(make(kafka))
    assert committed(kafka) == [3, 3, 2, 2]


def test_a_batch_says_where_to_read_on_in_every_partition(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message("ZTFa")])
    assert read(make(kafka)).pull.positions == {("alerts", 0): 1, ("alerts", 1): 0, ("alerts", 2): 0, ("alerts", 3): 0}
    assert places(read(make(kafka), {0: 1})) == {0: 1, 1: 0, 2: 0, 3: 0}


def test_a_partition_that_the_database_does_not_know_is_read_from_its_beginning(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(8)])
    assert len(read(make(kafka), {0: 2, 1: 2}).pull.messages) == 4


def test_a_refilled_topic_is_read_from_its_beginning(kafka: KafkaStandin, caplog: pytest.LogCaptureFixture) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(4)])
    with AlertStream(settings, at({0: 1000, 1: 2, 2: 1})) as stream:
        batch = read_batch(stream, settings)
        assert stream.refilled == [("alerts", 0), ("alerts", 1)]
    assert [alert.object_id for alert in batch.alerts] == ["ZTF0", "ZTF1", "ZTF3"]
    assert places(batch) == {0: 1, 1: 1, 2: 1, 3: 1}
    assert "filled anew: read from its beginning, topic=alerts partition=0" in caplog.text


def test_after_messages_that_are_gone_the_first_that_is_kept_is_read(
    kafka: KafkaStandin, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(8)])
    stream = AlertStream(settings, at({0: 0, 1: 1, 2: 2}))
    usual = stream._reader.offsets
    stream._reader.offsets = lambda places, which: {  # type: ignore[method-assign]
        place: max(1, offset) for place, offset in usual(places, which).items()
    }
    with stream:
        batch = read_batch(stream, settings)
    assert stream.refilled == []
    assert sorted(alert.object_id for alert in batch.alerts) == ["ZTF4", "ZTF5", "ZTF7"]
    assert places(batch) == {0: 2, 1: 2, 2: 2, 3: 2}
    assert [record.getMessage() for record in caplog.records] == [
        "messages are gone: kept too briefly, topic=alerts partition=0 number=1"
    ]


def test_the_lag_is_what_is_still_to_be_read(kafka: KafkaStandin) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(6)])
    with AlertStream(settings, at({0: 1, 1: 2})) as stream:
        assert stream.lag() == at({0: 1, 1: 0, 2: 1, 3: 1})
        kafka.publish("alerts", [message(f"ZTF{i}") for i in range(4)])
        assert sum(stream.lag().values()) == stream.left() == 7


def test_a_topic_that_does_not_exist_has_no_lag(kafka: KafkaStandin) -> None:
    settings = make(kafka)
    with AlertStream(settings) as stream:
        assert (stream.lag(), stream.refilled) == ({}, [])


@pytest.mark.parametrize("topic", ["alerts, other", "^(alerts|other)$"])
def test_several_topics_are_one_stream(kafka: KafkaStandin, topic: str) -> None:
    settings = make(kafka).model_copy(update={"topic": topic})
    for name in ("alerts", "other", "others"):
        kafka.publish(name, [message(f"ZTF{name}")])
    batch = read(settings)
    assert sorted(alert.object_id for alert in batch.alerts) == ["ZTFalerts", "ZTFother"]
    assert {place for place, offset in batch.pull.positions.items() if offset} == {("alerts", 0), ("other", 0)}
    with AlertStream(settings, batch.pull.positions, batch.pull.digests) as stream:
        kafka.publish("other", [message("ZTFnew")])
        assert sum(stream.lag().values()) == 1
        assert [alert.object_id for alert in read_batch(stream, settings).alerts] == ["ZTFnew"]
        assert sum(stream.lag().values()) == 0


def test_offsets_that_kafka_does_not_take_are_a_warning(kafka: KafkaStandin, caplog: pytest.LogCaptureFixture) -> None:
    def fail(**_: object) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    settings = make(kafka)
    kafka.publish("alerts", [message("ZTFa")])
    with AlertStream(settings) as stream:
        stream._reader.consumer = Altered(stream._reader.consumer, commit=fail)
        batch = read_batch(stream, settings)
        stream.commit(batch.pull.positions)
    assert len(batch.pull.messages) == 1
    assert "offsets not committed, though stored in the database: Local: Timed out" in caplog.text


# Ends that no message reaches


class End:
    """What librdkafka gives where a partition ends."""

    def __init__(self, partition: int, offset: int) -> None:
        self._partition, self._offset = partition, offset

    def error(self) -> KafkaError:
        return KafkaError(KafkaError._PARTITION_EOF)

    def topic(self) -> str:
        return "alerts"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset


def beyond(stream: AlertStream, by: Mapping[int, int], *, are_seen: bool) -> None:
    """
    Let partitions end behind their last message, as after a transaction or a compaction.

    The stand-in knows neither: here it is what the broker answers, and what librdkafka makes of the end it comes to.
    """
    reader = stream._reader
    consume, offsets = reader.consumer.consume, reader.offsets

    def with_ends(most: int, timeout: float) -> list[Any]:
        found = consume(most, timeout=timeout)
        if not are_seen:
            return [message for message in found if message.error() is None]
        ends = [message for message in found if message.error() is not None]
        moved = [End(end.partition(), end.offset() + by.get(end.partition(), 0)) for end in ends]
        return [message for message in found if message.error() is None] + moved

    def further(places: Any, which: Any) -> dict[tuple[str, int], int]:
        answered = offsets(places, which)
        return {place: at + by.get(place[1], 0) if which is kafka_reader.NEXT else at for place, at in answered.items()}

    reader.consumer = Altered(reader.consumer, consume=with_ends)
    vars(reader)["offsets"] = further


def test_an_end_without_a_message_is_an_end_and_no_lag(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(6)])
    with AlertStream(make(kafka)) as stream:
        beyond(stream, {0: 1, 3: 7}, are_seen=True)
        batch = stream.next_pull()
        assert (len(batch.messages), batch.is_last) == (6, True)
        assert set(stream.lag().values()) == {0}
        kafka.publish("alerts", [message("ZTF9")])
        assert sum(stream.lag().values()) == 1
        assert len(stream.next_pull().messages) == 1
    again = read(make(kafka), {place[1]: offset for place, offset in batch.positions.items()})
    assert len(again.pull.messages) == 1


def test_an_end_that_was_seen_is_forgotten_when_the_topic_is_read_again(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(8)])
    settings = make(kafka)
    with AlertStream(settings) as stream:
        first = stream.next_pull()
        assert first.is_last and len(first.messages) == 8
    other = dict.fromkeys(first.digests, "of another message")
    with AlertStream(settings, first.positions, other) as stream:
        again = [*stream.next_pull().messages]
        assert len(again) == 8 and len(stream.refilled) == len(first.digests)
        assert set(stream.lag().values()) == {0}
    with AlertStream(settings, first.positions, other) as stream:
        reader = stream._reader
        reader._seen_to.update(first.positions)
        for place in first.positions:
            reader.seek(place, 0)
        stream._next = dict.fromkeys(first.positions, 0)
        assert sum(stream.lag().values()) == 8


def test_what_is_in_hand_is_decided_before_a_silent_broker_is_told(
    kafka: KafkaStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "PATIENCE_SECONDS", 0.5)
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(6)])
    with AlertStream(make(kafka)) as stream:
        beyond(stream, {1: 2, 2: 1}, are_seen=False)
        batch = stream.next_pull()
        assert (len(batch.messages), batch.is_last) == (6, False)
        assert sum(stream.lag().values()) == 3
        with pytest.raises(BrokerUnavailable, match="sends nothing, though 3 messages are unread"):
            stream.next_pull()


# Messages


def test_the_newest_message_of_an_object_is_kept_in_whatever_order(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message("ZTFa", jd) for jd in (2461002.5, 2461003.5, 2461001.5, 2461000.5)])
    batch = read(make(kafka))
    assert len(batch.pull.messages) == 4
    assert [alert.newest_mjd for alert in batch.alerts] == [61003.0]


def test_a_full_batch_is_not_the_last(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(5)])
    settings = make(kafka, batchSize=3)
    with AlertStream(settings) as stream:
        batches = [read_batch(stream, settings), read_batch(stream, settings)]
    assert [(len(batch.pull.messages), batch.pull.is_last) for batch in batches] == [(3, False), (2, True)]


def test_a_topic_that_does_not_exist_is_an_empty_stream(kafka: KafkaStandin) -> None:
    batch = read(make(kafka))
    assert (len(batch.pull.messages), batch.alerts, batch.pull.is_last) == (0, [], True)


def test_silence_is_waited_for(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [message("ZTFa")])
    settings = make(kafka, silence="1.5 s")
    begun = time.monotonic()
    assert len(read(settings).pull.messages) == 1
    assert time.monotonic() - begun >= 1.5


def test_what_cannot_be_read_is_kept_as_it_came(kafka: KafkaStandin) -> None:
    kafka.publish("alerts", [b"\xff\x00 no JSON", message("ZTFa")])
    batch = read(make(kafka))
    assert [alert.object_id for alert in batch.alerts] == ["ZTFa"]
    (refused,) = batch.refused
    assert (refused.topic, refused.partition, refused.offset, refused.body) == ("alerts", 0, 0, b"\xff\x00 no JSON")
    assert "JSON" in refused.reason


def test_a_decoder_that_fails_costs_one_message(
    kafka: KafkaStandin, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = LasairZtf.alert_in

    def alert_in(broker: LasairZtf, body: bytes) -> Alert:
        if b"ZTFbad" in body:
            raise ZeroDivisionError("oh")
        return usual(broker, body)

    monkeypatch.setattr(LasairZtf, "alert_in", alert_in)
    kafka.publish("alerts", [message("ZTFa"), message("ZTFbad"), message("ZTFb")])
    batch = read(make(kafka))
    assert [alert.object_id for alert in batch.alerts] == ["ZTFa", "ZTFb"]
    (refused,) = batch.refused
    assert (refused.body, refused.reason) == (message("ZTFbad"), "cannot be decoded: ZeroDivisionError: oh")
    assert "a decoder failed on a message" in caplog.text


def test_a_message_that_is_too_long_is_refused(kafka: KafkaStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LONGEST_MESSAGE", 200)
    kafka.publish("alerts", [message("ZTFa", more="x" * 200), message("ZTFb")])
    batch = read(make(kafka))
    assert [alert.object_id for alert in batch.alerts] == ["ZTFb"]
    (refused,) = batch.refused
    assert refused.reason.endswith("bytes, more than 200")


def test_the_most_urgent_come_first(kafka: KafkaStandin) -> None:
    dates = {"a": (2461001.5, 2461001.0), "b": (2461003.5, 2460900.5), "c": (2461002.5, 2461002.0), "d": (2461001.6,)}
    names = ("jdmax", "jdmin")
    kafka.publish("alerts", [message(name, **dict(zip(names, jds, strict=False))) for name, jds in dates.items()])
    assert [alert.object_id for alert in read(make(kafka)).alerts] == ["c", "d", "a", "b"]


# A broker that fails


def test_a_broker_that_is_away_is_told_with_what_to_do(kafka: KafkaStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_reader, "ANSWER_SECONDS", 1)
    settings = make(kafka)
    kafka.stop()
    with pytest.raises(BrokerUnavailable, match=r"Kafka broker 127\.0\.0\.1.*bootstrapServers"):
        read(settings)


def test_a_broker_that_goes_away_is_not_taken_for_silence(kafka: KafkaStandin) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message("ZTFa")])
    with AlertStream(settings) as stream:
        kafka.stop()
        with pytest.raises(BrokerUnavailable):
            for _ in range(2):  # the message may have come before
                assert not read_batch(stream, settings).pull.is_last


@pytest.mark.parametrize(
    ("mechanism", "password"), [("PLAIN", "right"), ("SCRAM-SHA-512", "right"), ("PLAIN", "wrong")]
)
def test_a_login(kafka: KafkaStandin, mechanism: str, password: str) -> None:
    kafka.publish("alerts", [message("ZTF26a"), message("ZTF26b")])
    with KafkaGate(kafka.address, {"tides": "right"}) as gate:
        login = {"security.protocol": "SASL_PLAINTEXT", "sasl.username": "tides", "sasl.password": password}
        settings = make(gate, options={**login, "sasl.mechanism": mechanism})
        if password == "right":  # pragma: allowlist secret
            assert sorted(alert.object_id for alert in read(settings).alerts) == ["ZTF26a", "ZTF26b"]
            assert set(gate.logins) == {("tides", mechanism)}
        else:
            with pytest.raises(BrokerUnavailable, match="wrong user or password"):
                read(settings)
            assert gate.logins == []


def test_a_wrong_option_is_told_without_its_value(kafka: KafkaStandin) -> None:
    with pytest.raises(SettingsError, match=r"broker\.options: librdkafka refuses security\.protocol$"):
        read(make(kafka, options={"security.protocol": "hidden", "client.id": "x"}))


def test_a_topic_that_was_filled_anew_and_has_outgrown_our_place_is_read_from_its_beginning(
    kafka: KafkaStandin, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make(kafka)
    kafka.publish("alerts", [message(f"ZTF{i}") for i in range(8)])
    with AlertStream(settings) as stream:
        batch = read_batch(stream, settings)
    positions, digests = batch.pull.positions, batch.pull.digests
    with AlertStream(settings, positions, digests) as stream:
        assert (len(read_batch(stream, settings).pull.messages), stream.refilled) == (0, [])
        kafka.publish("alerts", [message("ZTF8")])
        assert [alert.object_id for alert in read_batch(stream, settings).alerts] == ["ZTF8"]
    with KafkaStandin() as refilled:
        refilled.publish("alerts", [message(f"ZTFnew{i}") for i in range(20)])
        settings = make(refilled)
        with AlertStream(settings, positions, digests) as stream:
            batch = read_batch(stream, settings)
            assert (len(batch.pull.messages), len(batch.alerts), len(stream.refilled)) == (20, 20, 4)
            assert len(read_batch(stream, settings).pull.messages) == 0
