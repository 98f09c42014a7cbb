"""``tides replay`` over the real Kafka protocol: order, pace, framings, and what is sent once it was stopped."""

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import fastavro
import pytest
from confluent_kafka import Consumer, TopicPartition

from simulators.alerts.avro_schemas import elasticc_schema, lsst_schema
from simulators.alerts.encoders import encode
from simulators.replay import sending
from simulators.replay.ordered import Ordered
from simulators.replay.replay import Clock, ReplayPace, ReplayProgress, Target, send_alerts
from simulators.replay.told import carry_out
from simulators.services.stream import MESSAGE_BYTES, KafkaStandin
from tests.support.forked import forked_tides
from tests.support.streams import (
    as_archive,
    as_one_container,
    as_parquet,
    as_recording,
    epoch_of_ztf,
    lsst_packets,
    read_all,
    write_containers,
    write_lines,
    ztf_packets,
)
from tides_bridge.brokers import viewer as watching
from tides_bridge.brokers.models import Message
from tides_bridge.errors import BrokerUnavailable, SettingsError
from tides_bridge.formats.framing import Framing
from tides_bridge.formats.whole_alerts import Opener, epoch_of

AT_ONCE = ReplayPace(speed=math.inf)


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaStandin]:
    with KafkaStandin() as kafka:
        yield kafka


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W", "-", request.node.name)


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.02)


class Clockwork:
    """A clock that goes on only when somebody waits for it."""

    def __init__(self, start: float) -> None:
        self.time = start

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Ear:
    """Notes what a voice is told, and when."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock
        self.groups: list[tuple[str, str, int]] = []
        self.times: list[float] = []
        self.left_out: list[str] = []
        self.unread: list[int] = []

    def sent(self, group: int, first: str, last: str, number: int, done: int) -> None:
        assert group == len(self.groups) + 1 and done > 0
        self.groups.append((first, last, number))
        self.times.append(self.clock.now() if self.clock else 0.0)

    def refused(self, path: Path, problem: str) -> None:
        self.left_out.append(f"{path.name}: {problem}")

    def waiting(self, unread: int) -> None:
        self.unread.append(unread)


def send(  # noqa: PLR0917
    paths: Sequence[Path],
    target: Target,
    pace: ReplayPace = AT_ONCE,
    clock: Clock | None = None,
    schemas: Path | None = None,
    fields: Sequence[str] = (),
) -> Ear:
    ear = Ear(clock)
    with Ordered(paths, schemas, ear.refused) as alerts:
        send_alerts(alerts, target, pace, ear, progress=ReplayProgress(), clock=clock, fields=fields)
    return ear


def epochs_in(messages: Sequence[Message]) -> list[float]:
    return sorted(epoch_of(json.loads(message.value)) for message in messages)


# Order


def test_alerts_are_in_the_order_of_time_across_files_whatever_their_names(tmp_path: Path) -> None:
    packets = ztf_packets()
    write_lines(tmp_path / "a.jsonl", packets[::2])
    write_lines(tmp_path / "b.jsonl.gz", packets[1::2])
    write_containers(tmp_path / "c", lsst_packets(), "lsst-avro")
    ear = Ear()
    with Ordered([tmp_path], None, ear.refused) as alerts:
        found = [epoch_of(alerts.read(number).whole.record) for number in range(len(alerts))]
        assert found == alerts.epochs.tolist()
    told = [epoch_of_ztf(each) for each in packets]
    told += [each["diaSource"]["midpointMjdTai"] - 37 / 86400 for each in lsst_packets()]
    assert found == pytest.approx(sorted(told), abs=1e-9)
    assert not ear.left_out


def test_all_of_an_object_are_in_one_partition_in_their_order(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", ztf_packets())
    send([file], Target(kafka.address, topic))
    places: dict[str, set[int]] = {}
    last: dict[int, float] = {}
    for message in read_all(kafka, topic):
        packet = json.loads(message.value)
        places.setdefault(packet["objectId"], set()).add(message.partition)
        assert packet["candidate"]["jd"] >= last.get(message.partition, 0.0)
        last[message.partition] = packet["candidate"]["jd"]
    assert len(places) > 10 and all(len(each) == 1 for each in places.values())
    assert len(last) == 4


def test_alerts_without_an_epoch_come_last(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    lines = [{"objectId": "ZTF1"}, {"objectId": "ZTF2", "jdmax": 2461000.5}, {"objectId": "ZTF3", "jdmax": 2460000.5}]
    ear = send([write_lines(tmp_path / "a.jsonl", lines)], Target(kafka.address, topic))
    assert ear.groups == [("ZTF3 MJD 60000.0000", "ZTF1 no epoch", 3)]


# Pace


def test_observations_begin_at_whole_multiples_of_the_interval(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", ztf_packets())
    clock = Clockwork(1001.25)
    ear = send([file], Target(kafka.address, topic), ReplayPace(), clock)
    assert ear.times == [1005.0, 1010.0, 1015.0, 1020.0]
    assert [number for _, _, number in ear.groups] == [3] * 4
    assert len(read_all(kafka, topic)) == 12
    first = sorted(map(epoch_of_ztf, ztf_packets()))[:12]
    assert epochs_in(read_all(kafka, topic)) == pytest.approx(first)


def test_minus_one_sends_all_and_the_last_observation_is_what_is_left(
    kafka: KafkaStandin, topic: str, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "a.jsonl", ztf_packets()[:11])
    ear = send([file], Target(kafka.address, topic), ReplayPace(alerts=4, observations=-1, interval=0), Clockwork(7.5))
    assert [number for _, _, number in ear.groups] == [4, 4, 3]
    assert ear.times == [7.5] * 3


def test_the_pace_of_the_sky_is_kept_times_the_speed(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    packets = sorted(ztf_packets(), key=epoch_of_ztf)
    file = write_lines(tmp_path / "a.jsonl", packets)
    clock = Clockwork(100.0)
    ear = send([file], Target(kafka.address, topic), ReplayPace(speed=3600.0), clock)
    begin = epoch_of_ztf(packets[0])
    due = {f"{each['objectId']} MJD {epoch_of_ztf(each):.4f}": epoch_of_ztf(each) - begin for each in packets}
    assert sum(number for _, _, number in ear.groups) == len(packets)
    for (first, last, _), moment in zip(ear.groups, ear.times, strict=True):
        assert moment == pytest.approx(100 + due[first] * 24, abs=0.01)
        assert (due[last] - due[first]) * 24 <= 0.1
    assert ear.times[-1] > 100 + 24 * 3


def test_the_chosen_fields_are_shown(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    folder = write_containers(tmp_path / "a", lsst_packets()[:1], "lsst-avro")
    source = lsst_packets()[0]["diaSource"]
    fields = ["diaSource.diaSourceId", "diaSource.band", "prvDiaSources.0.nothing"]
    ear = send([folder], Target(kafka.address, topic), fields=fields)
    shown = f"{source['diaSourceId']} {source['band']} None"
    assert ear.groups == [(shown, shown, 1)]


# Formats and framings


SOURCES: dict[str, Callable[[Path], Path]] = {
    "containers": lambda path: write_containers(path, lsst_packets(), "lsst-avro"),
    "one-container": lambda path: as_one_container(path, lsst_packets()),
    "archive": lambda path: as_archive(path, lsst_packets()),
    "fink": lambda path: as_recording(path, lsst_packets(), "fink-lsst"),
    "elasticc": lambda path: as_recording(path, lsst_packets(), "elasticc", elasticc_schema()),
    "rubin": lambda path: as_recording(path, lsst_packets(), "rubin", lsst_schema()),
    "lasair": lambda path: as_recording(path, lsst_packets(), "lasair-lsst"),
    "antares": lambda path: as_recording(path, lsst_packets(), "antares"),
    "parquet": lambda path: as_parquet(path, lsst_packets()),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_format_is_replayed(kafka: KafkaStandin, topic: str, tmp_path: Path, source: str) -> None:
    ear = send([SOURCES[source](tmp_path / "a")], Target(kafka.address, topic))
    assert ear.left_out == []
    messages = read_all(kafka, topic)
    assert len(messages) == len(lsst_packets())
    forms = {"fink": "fink-lsst", "elasticc": "elasticc", "rubin": "rubin", "lasair": "lasair-lsst"}
    forms |= {"containers": "lsst-avro", "archive": "lsst-avro", "antares": "antares"}
    if source in forms:  # byte for byte
        made = {(each.key, each.value) for each in (encode(packet, forms[source]) for packet in lsst_packets())}
        assert {(message.key, message.value) for message in messages} == made
    if source == "one-container":
        wholes = [Opener().open(message.value, message.key) for message in messages]
        assert {each.framing for each in wholes} == {Framing.KEYED}
        assert {each.record["diaSourceId"] for each in wholes} == {each["diaSourceId"] for each in lsst_packets()}


@pytest.mark.parametrize("framing", ["container", "confluent", "keyed", "bare", "json"])
@pytest.mark.parametrize("source", ["containers", "fink"])
def test_an_alert_is_the_same_in_another_framing(
    kafka: KafkaStandin, topic: str, tmp_path: Path, source: str, framing: str
) -> None:
    send([SOURCES[source](tmp_path / "a")], Target(kafka.address, topic, framing=Framing(framing)))
    schema = tmp_path / "alert.avsc"
    schema.write_text(json.dumps(lsst_schema()))
    opener = Opener(schema) if source == "containers" else Opener()
    if source == "fink" and framing in ("confluent", "bare"):
        opener.add_schema("fink", json.loads(encode(lsst_packets()[0], "fink-lsst").key or b""))
    sent = {packet["diaSourceId"]: packet for packet in lsst_packets()}
    messages = read_all(kafka, topic)
    assert len(messages) == len(sent)
    for message in messages:
        whole = opener.open(message.value, message.key)
        assert whole.framing is Framing(framing)
        original = sent[whole.record["diaSourceId"]]
        assert whole.record["diaObject"]["diaObjectId"] == original["diaObject"]["diaObjectId"] > 2**53
        assert len(whole.record["prvDiaSources"] or []) == len(original["prvDiaSources"] or [])
        assert ("cutoutScience" in whole.record) is (framing != "json")
        if framing == "confluent":
            assert message.value[:5] == b"\0\0\0\x03\xe8"


def test_packets_in_json_become_avro_by_our_schemas_or_by_those_given(
    kafka: KafkaStandin, topic: str, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "a.jsonl", ztf_packets())
    send([file], Target(kafka.address, topic, framing=Framing.CONTAINER))
    found = [Opener().open(message.value).record for message in read_all(kafka, topic)]
    assert {each["candid"] for each in found} == {each["candid"] for each in ztf_packets()}
    assert all(each["candidate"]["jd"] > 2.4e6 for each in found)
    small = fastavro.parse_schema({"type": "record", "name": "s", "fields": [{"name": "objectId", "type": "string"}]})
    target = Target(kafka.address, f"{topic}-2", framing=Framing.KEYED, schemas={"small": small})
    send([file], target)
    (one, *_) = read_all(kafka, f"{topic}-2")
    assert json.loads(one.key or b"") == {
        "type": "record",
        "name": "s",
        "fields": [{"name": "objectId", "type": "string"}],
    }
    assert set(Opener().open(one.value, one.key).record) == {"objectId"}


def test_what_cannot_be_sent_is_named_and_the_rest_is_sent(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    good = write_containers(tmp_path / "good", lsst_packets()[:3], "lsst-avro")
    (good / "cut.avro").write_bytes(encode(lsst_packets()[3], "lsst-avro").value[:-40])
    (good / "bare.avro").write_bytes(encode(lsst_packets()[3], "elasticc").value)
    (good / "points.csv").write_text("objectId,mjd,mag,magerr,band\nZTF1,60000.5,18.1,0.1,g\n")
    (good / "alert.avsc").write_text(json.dumps(lsst_schema()))
    (good / "broken.jsonl").write_text('{"objectId": "ZTF9", "jdmax": 2461000.5}\n{"objectId"\n')
    (good / "long.json").write_text(json.dumps({"objectId": "ZTF8", "jdmax": 2461000.5, "x": "y" * MESSAGE_BYTES * 2}))
    ear = send([good], Target(kafka.address, topic))
    told = "\n".join(ear.left_out)
    for words in (
        "cut.avro: is broken: ",
        "bare.avro: begins with b'",
        "points.csv: is a table of points",
        "alert.avsc: is an Avro schema",
        "broken.jsonl: record 2: is not JSON",
        "sending: alert",
        "more than --option message.max.bytes allows",
    ):
        assert words in told
    assert len(ear.left_out) == 6
    assert len(read_all(kafka, topic)) == 4


def test_a_message_of_another_framing_cannot_become_bson(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", ztf_packets()[:2])
    ear = send([file], Target(kafka.address, topic, framing=Framing.BSON))
    assert len(ear.left_out) == 2 and "only what came as BSON" in ear.left_out[0]
    assert ear.groups == []


# Delivery


def test_a_slow_reader_is_waited_for_and_loses_nothing(
    kafka: KafkaStandin, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition keeps 5 MB: of 12 messages of 0.9 MB for one object it would have lost half."""
    lines = [{"objectId": "ZTF1", "jdmax": 2461000.5 + at, "x": "y" * 900_000} for at in range(12)]
    file = write_lines(tmp_path / "a.jsonl", lines)
    reader = Consumer({"bootstrap.servers": kafka.address, "group.id": "slow", "enable.auto.commit": False})
    read: list[float] = []

    def read_some(_seconds: float) -> None:
        """In place of the pause: the reader goes on by what there is."""
        if not reader.assignment():
            partitions = reader.list_topics(topic, timeout=60).topics[topic].partitions
            reader.assign([TopicPartition(topic, number, 0) for number in partitions])
        for message in reader.consume(2, timeout=0.2):
            read.append(json.loads(message.value())["jdmax"])
            reader.commit(message, asynchronous=False)

    monkeypatch.setattr(sending, "time", SimpleNamespace(sleep=read_some, monotonic=time.monotonic))
    ear = send([file], Target(kafka.address, topic, group="slow"))
    assert ear.unread and max(ear.unread) <= 5
    for _ in range(30):
        if len(read) < len(lines):
            read_some(0)
    reader.close()
    assert read == [each["jdmax"] for each in lines]


def test_a_broker_that_is_away_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.5)
    file = write_lines(tmp_path / "a.jsonl", ztf_packets()[:1])
    with pytest.raises(BrokerUnavailable, match="--bootstrap"):
        send([file], Target("127.0.0.1:9", "t"))


def test_messages_that_are_not_stored_are_an_error_that_says_how_to_go_on(
    topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "a.jsonl", ztf_packets()[:10])
    with KafkaStandin() as short_lived:
        target = Target(short_lived.address, topic, {"message.timeout.ms": "1500", "log_level": "0"})

        class Stopping(Clockwork):
            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if self.time >= 20:
                    short_lived.stop()

        clock = Stopping(5.0)
        with pytest.raises(BrokerUnavailable, match="were not stored"):
            with_clock(file, target, ReplayPace(alerts=3, observations=-1, interval=10.0), clock)
    out = capsys.readouterr().out
    assert "failed: 3 alerts sent" in out and "--skip 3" in out


def with_clock(file: Path, target: Target, pace: ReplayPace, clock: Clock) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulators.replay.replay.WallClock", lambda: clock)
        return carry_out([file], target, pace, schemas=None, skip=0, fields=())


def test_stopped_and_gone_on_with_everything_is_sent_once(
    kafka: KafkaStandin, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "a.jsonl", ztf_packets())

    class Interrupted(Clockwork):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.time > 40:
                raise KeyboardInterrupt

    target, pace = Target(kafka.address, topic), ReplayPace(alerts=2, observations=-1, interval=10.0)
    assert with_clock(file, target, pace, Interrupted(5.0)) == 130
    told = re.search(r"stopped: (\d+) alerts sent to topic .* go on with --skip (\d+)", capsys.readouterr().out)
    assert told is not None and told[1] == told[2] == "8"
    assert carry_out([file], target, AT_ONCE, schemas=None, skip=8, fields=()) == 0
    sent = [json.loads(message.value)["candid"] for message in read_all(kafka, topic)]
    assert sorted(sent) == sorted(each["candid"] for each in ztf_packets())


# The command


def test_the_command_says_what_it_sends(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.jsonl", [*ztf_packets(), {"objectId": "later", "jdmax": 2488070.0}])
    done = forked_tides("replay", file, "--topic", topic, "--bootstrap", kafka.address, "--interval", "0.01")
    assert done.returncode == 0, done.stderr
    total = len(ztf_packets()) + 1
    assert f"{total} alerts in 1 files" in done.stdout
    assert f"12 alerts sent to topic {topic}; {total - 12} are left: go on with --skip 12" in done.stdout
    assert done.stderr.count("observation ") == 4 and "3 alerts sent (ZTF" in done.stderr
    assert len(read_all(kafka, topic)) == 12


@pytest.mark.parametrize(("options", "problem"), [
    (["--speed", "0"], "greater than 0"),
    (["--speed", "2", "--interval", "1"], "goes without"),
    (["--option", "sasl.password"], "KEY=VALUE"),
    (["--option", "no.such.option=secret"], "librdkafka refuses no.such.option"),
    (["--skip", "1000"], "1000 skipped, and there are 2 alerts"),
    (["--schemas", "/nowhere.avsc"], "no such schema"),
])  # fmt: skip
def test_a_wrong_option_ends_with_2(kafka: KafkaStandin, tmp_path: Path, options: list[str], problem: str) -> None:
    from typer.testing import CliRunner

    from flows import cli

    if not any(command.name == "replay" for command in cli.app.registered_commands):
        cli._add_commands()
    file = write_lines(tmp_path / "a.jsonl", ztf_packets()[:2])
    done = CliRunner().invoke(cli.app, ["replay", str(file), "--topic", "t", "--bootstrap", kafka.address, *options])
    assert done.exit_code == 2, done.output
    assert problem in done.output and "secret" not in done.output


def test_no_alerts_at_all_is_an_error(tmp_path: Path) -> None:
    ear = Ear()
    (tmp_path / "a.txt").write_text("nothing of interest")
    with pytest.raises(SettingsError, match="no alerts"), Ordered([tmp_path], None, ear.refused):
        pass
    assert len(ear.left_out) == 1


def test_a_broken_line_that_looks_like_a_reason_is_left_out(tmp_path: Path) -> None:
    ear = Ear()
    file = write_lines(tmp_path / "a.jsonl", ztf_packets()[:2])
    file.write_text(file.read_text() + '{"unreadable": it broke off\n')
    with Ordered([file], None, ear.refused) as alerts:
        assert len(alerts) == 2
    (problem,) = ear.left_out
    assert problem.startswith("a.jsonl: record 3: cannot be decoded")
