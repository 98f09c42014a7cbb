"""``tides watch`` over the real Kafka protocol: every framing shown, saved and drawn, and nothing moved."""

import io
import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fastavro
import pytest
import yaml
from click.testing import Result
from confluent_kafka import Consumer, Producer, TopicPartition
from typer.testing import CliRunner

from flows import cli
from simulators.alerts.avro_schemas import elasticc_schema, lsst_schema
from simulators.alerts.encoders import encode, json_text
from simulators.services.stream import KafkaStandin
from tests.support.forked import forked_tides
from tests.support.packets import newest_packets
from tests.support.processes import ROOT
from tests.support.streams import Packet, lsst_packets, ztf_packets
from tides_bridge.brokers import kafka as kafka_reader
from tides_bridge.brokers import viewer as watching
from tides_bridge.brokers.models import Message
from tides_bridge.brokers.viewer import Watch, WatchedStream, save
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.formats.framing import Framing
from tides_bridge.formats.whole_alerts import Opener, epoch_of, light_curve_of, object_of, to_json

FORMS = {
    "ztf-json": Framing.JSON,
    "ztf-avro": Framing.CONTAINER,
    "fink-ztf": Framing.KEYED,
    "babamul-ztf": Framing.CONTAINER,
    "lsst-avro": Framing.CONTAINER,
    "rubin": Framing.CONFLUENT,
    "elasticc": Framing.BARE,
    "fink-lsst": Framing.KEYED,
    "lasair-lsst": Framing.JSON,
    "babamul-lsst": Framing.CONTAINER,
    "antares": Framing.BSON,
}
"""Of simulated messages, and how they are packed."""


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaStandin]:
    with KafkaStandin() as kafka:
        yield kafka


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return "".join(each if each.isalnum() else "-" for each in request.node.name)


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.02)


def publish(kafka: KafkaStandin, topic: str, *messages: tuple[bytes | None, bytes], partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": kafka.address})
    for key, value in messages:
        producer.produce(topic, value, key, partition=partition)
    assert producer.flush(10) == 0


def watch(kafka: KafkaStandin, topic: str, *options: str | Path) -> Result:
    place = ["--topic", topic, "--bootstrap", kafka.address, "--silence", "0"]
    return CliRunner().invoke(cli.app, ["watch", *place, *map(str, options)], catch_exceptions=False)


def shown(done: Result) -> list[Packet]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    for name, schema in (("lsst.v10_0", lsst_schema()), ("elasticc.v0_9_1", elasticc_schema())):
        (folder / f"{name}.alert.avsc").write_text(json.dumps(schema))
    return folder


def packet_for(form: str) -> Packet:
    return ztf_packets()[0] if "ztf" in form else lsst_packets()[0]


# What is shown


@pytest.mark.parametrize("form", FORMS)
def test_every_framing_is_told_and_read(form: str, schemas: Path) -> None:
    packet = packet_for(form)
    made = encode(packet, form)
    whole = Opener(schemas).open(made.value, made.key)
    assert whole.framing is FORMS[form]
    if "ztf" in form:
        assert object_of(whole.record) == packet["objectId"]
        assert epoch_of(whole.record) == pytest.approx(packet["candidate"]["jd"] - 2400000.5, abs=1e-9)
    else:
        assert str(packet["diaObject"]["diaObjectId"]) in object_of(whole.record) or form == "antares"
        assert epoch_of(whole.record) == pytest.approx(packet["diaSource"]["midpointMjdTai"] - 37 / 86400, abs=1e-6)
    json.loads(to_json(whole.record), parse_constant=pytest.fail)


def test_all_framings_of_one_topic_are_printed_one_alert_a_line(kafka: KafkaStandin, topic: str, schemas: Path) -> None:
    made = [encode(packet_for(form), form) for form in FORMS]
    publish(kafka, topic, *((each.key, each.value) for each in made))
    done = watch(kafka, topic, "--schemas", schemas)
    assert done.exit_code == 0, done.output
    assert [object_of(each) for each in shown(done)] == [
        object_of(Opener(schemas).open(each.value, each.key).record) for each in made
    ]
    assert f"{len(FORMS)} messages of topic {topic}" in done.stderr


def test_images_are_their_size_nan_is_null_and_ids_are_exact(kafka: KafkaStandin, topic: str) -> None:
    packet = lsst_packets()[0]
    number = packet["diaObject"]["diaObjectId"]
    lasair = {"diaObjectId": 2**63 - 1, "ra": math.nan, "x": [math.inf]}
    publish(kafka, topic, (None, encode(packet, "lsst-avro").value), (None, json_text(lasair)))
    first, second = shown(watch(kafka, topic))
    assert number > 2**53 and first["diaObject"]["diaObjectId"] == number
    assert first["cutoutScience"] == f"<{len(packet['cutoutScience'])} bytes>"
    assert first["prvDiaSources"] == json.loads(json.dumps(first["prvDiaSources"]))
    assert second == {"diaObjectId": 2**63 - 1, "ra": None, "x": [None]}


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(kafka: KafkaStandin, topic: str) -> None:
    good = encode(lsst_packets()[0], "lsst-avro").value
    bad = [b"", b"{", b"[1]", b"\x00\x00\x00\x03\x84rubbish", b"x\x9crubbish", good[:-30], b"\xff\xfe"]
    publish(kafka, topic, *((None, each) for each in bad), (b'{"type": "nonsense"}', b"x"), (None, good))
    done = watch(kafka, topic)
    assert done.exit_code == 1
    assert len(shown(done)) == 1
    for at, words in enumerate(
        [
            "is empty",
            "is not JSON",
            "neither JSON",
            "with the schema number 900",
            "zlib",
            "broken Avro container",
            "--schemas",
            "its schema is none",
        ]
    ):
        (line,) = [each for each in done.stderr.splitlines() if f"partition 0, offset {at}:" in each]
        assert words in line
    assert f"{len(bad) + 2} messages of topic {topic}, {len(bad) + 1} of them refused" in done.stderr


def test_it_ends_at_the_limit(kafka: KafkaStandin, topic: str) -> None:
    publish(kafka, topic, *((None, json_text({"objectId": f"ZTF{at}"})) for at in range(10)))
    assert [each["objectId"] for each in shown(watch(kafka, topic, "--limit", "3"))] == ["ZTF0", "ZTF1", "ZTF2"]


# What is kept


@pytest.mark.parametrize("form", FORMS)
def test_a_saved_alert_is_the_alert(tmp_path: Path, schemas: Path, form: str) -> None:
    made = encode(packet_for(form), form)
    message = Message("t", 1, 7, made.value, made.key)
    whole = Opener(schemas).open(made.value, made.key)
    file = save(tmp_path, message, whole)
    assert file.name.startswith(object_of(whole.record)) and file.stem.endswith("_1-7")
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    if whole.framing in (Framing.JSON, Framing.CONTAINER):
        assert file.read_bytes() == made.value
    if whole.framing is Framing.BSON:
        assert json.loads(file.read_text()) == json.loads(to_json(whole.record))
    elif whole.framing is not Framing.JSON:
        with file.open("rb") as stream:
            (record,) = fastavro.reader(stream)
        assert repr(record) == repr(whole.record)  # as text NaN is NaN


def test_the_command_saves_and_draws(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    made = encode(lsst_packets()[0], "fink-lsst")
    publish(kafka, topic, (made.key, made.value), (None, json_text({"objectId": "ZTF26a/b", "jdmax": 2461000.5})))
    done = watch(kafka, topic, "--save", tmp_path / "new" / "alerts", "--plot", tmp_path / "plots")
    assert done.exit_code == 0
    assert "offset 1: not drawn: " in done.stderr
    number = lsst_packets()[0]["diaObject"]["diaObjectId"]
    names = sorted(each.name for each in (tmp_path / "new" / "alerts").iterdir())
    assert names == [f"{number}_0-0.avro", "ZTF26a%2Fb_0-1.json"]
    (plot,) = (tmp_path / "plots").iterdir()
    assert plot.name == f"{number}.png" and plot.read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "new" / "alerts" / names[0]).open("rb") as stream:
        (record,) = fastavro.reader(stream)
    assert record["cutoutScience"] == lsst_packets()[0]["cutoutScience"]


def test_a_saved_alert_is_what_tides_select_reads(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    made = [encode(packet, "fink-lsst") for packet in lsst_packets()[:5]]
    publish(kafka, topic, *((each.key, each.value) for each in made))
    watch(kafka, topic, "--save", tmp_path / "alerts")
    done = CliRunner().invoke(cli.app, ["select", str(tmp_path / "alerts"), "--function", "tidesSNLSSTSelect"])
    assert done.exit_code == 0, done.output


def test_light_curves_are_in_njy_of_the_zero_point() -> None:
    made = encode(lsst_packets()[0], "elasticc")
    opener = Opener()
    opener.add_schema("elasticc", elasticc_schema())
    whole = opener.open(made.value)
    usual, other = light_curve_of(whole), light_curve_of(whole, 10 ** ((31.4 - 27.5) / 2.5))
    assert other.flux == pytest.approx(usual.flux * 36.3078, rel=1e-4)
    with pytest.raises(MalformedAlert):
        light_curve_of(Opener().open(b'{"objectId": "ZTF1"}'))


# Where it begins


def committed(kafka: KafkaStandin, group: str, topic: str) -> list[int]:
    outside = Consumer({"bootstrap.servers": kafka.address, "group.id": group})
    found = outside.committed([TopicPartition(topic, number) for number in range(4)], timeout=60)
    outside.close()
    return [place.offset for place in found]


def test_nothing_is_committed_without_a_group_and_what_was_shown_with_one(kafka: KafkaStandin, topic: str) -> None:
    publish(kafka, topic, *((None, json_text({"objectId": f"ZTF{at}"})) for at in range(5)))
    options = ["--option", f"group.id=mine-{topic}", "--option", "enable.auto.commit=true"]
    assert len(shown(watch(kafka, topic, *options))) == 5
    assert committed(kafka, f"mine-{topic}", topic) == [-1001] * 4
    group = f"g-{topic}"
    assert [each["objectId"] for each in shown(watch(kafka, topic, "--group", group, "--limit", "2"))] == [
        "ZTF0",
        "ZTF1",
    ]
    assert committed(kafka, group, topic)[0] == 2
    assert [each["objectId"] for each in shown(watch(kafka, topic, "--group", group))] == ["ZTF2", "ZTF3", "ZTF4"]
    assert shown(watch(kafka, topic, "--group", group)) == []


def test_from_the_end_only_what_comes_is_shown(kafka: KafkaStandin, topic: str) -> None:
    publish(kafka, topic, (None, b'{"objectId": "old"}'))
    with Watch(WatchedStream(kafka.address, topic, from_end=True)) as stream:
        assert list(stream.messages(0)) == []
        publish(kafka, topic, (None, b'{"objectId": "new"}'))
        assert [message.value for message in stream.messages(0.5)] == [b'{"objectId": "new"}']
    done = watch(kafka, topic, "--from", "end")
    assert done.exit_code == 0 and shown(done) == []


def test_a_topic_may_come_later(kafka: KafkaStandin, topic: str) -> None:
    done = watch(kafka, topic)
    assert done.exit_code == 0 and f"the broker has no topic {topic}, or not yet" in done.stderr
    with Watch(WatchedStream(kafka.address, topic)) as stream:
        publish(kafka, topic, (None, b"{}"))
        assert [message.value for message in stream.messages(1)] == [b"{}"]


def test_several_topics_are_watched_as_a_run_reads_them(kafka: KafkaStandin, topic: str) -> None:
    for name in ("a", "b", "c"):
        publish(kafka, f"{topic}-{name}", (None, f'{{"objectId": "{name}"}}'.encode()))
    for names in (f"{topic}-a, {topic}-b", f"^{topic}-[ab]$"):
        found = sorted(packet["objectId"] for packet in shown(watch(kafka, names)))
        assert found == ["a", "b"]


def test_a_broker_that_is_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_reader, "ANSWER_SECONDS", 0.5)
    with pytest.raises(BrokerUnavailable, match="is the address right"), Watch(WatchedStream("127.0.0.1:9", "t")):
        pass


def test_it_runs_until_somebody_ends_it(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    publish(kafka, topic, (None, b'{"objectId": "ZTF1"}'))
    command = [sys.executable, "-m", "flows.cli", "watch", "--topic", topic, "--bootstrap", kafka.address]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.PIPE, text=True)
        limit = time.monotonic() + 30
        while not (tmp_path / "said").read_text():
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert (tmp_path / "said").read_text() == '{"objectId": "ZTF1"}\n'
    assert f"1 messages of topic {topic}" in told


# Settings


def settings_file(folder: Path, **values: Any) -> Path:
    file = folder / "flowSetting.yaml"
    common = {"groupID": "1", "selectFunction": "tidesSNLSSTSelect"}
    file.write_text(yaml.safe_dump({"one": {**common, **values}}))
    return file


def test_the_settings_say_what_the_options_do_not(
    kafka: KafkaStandin, topic: str, tmp_path: Path, schemas: Path
) -> None:
    made = encode(lsst_packets()[0], "elasticc")
    publish(kafka, topic, (made.key, made.value))
    broker = {"bootstrapServers": kafka.address, "kind": "elasticc", "schemas": str(schemas)}
    file = settings_file(tmp_path, topic=topic, broker=broker)
    done = CliRunner().invoke(cli.app, ["watch", "--settings", str(file), "--silence", "0"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert [each["alertId"] for each in shown(done)] == [Opener(schemas).open(made.value).record["alertId"]]


def test_of_several_brokers_the_topic_says_which(kafka: KafkaStandin, topic: str, tmp_path: Path) -> None:
    publish(kafka, topic, (None, b'{"objectId": "ZTF1"}'))
    brokers = {name: {"topic": name, "bootstrapServers": kafka.address} for name in ("other", topic)}
    brokers = {f"b{at}": each for at, each in enumerate(brokers.values())}
    file = settings_file(tmp_path, brokers=brokers)
    command = ["watch", "--settings", str(file), "--silence", "0"]
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 2 and "which of them?" in done.output
    done = CliRunner().invoke(cli.app, [*command, "--topic", topic], catch_exceptions=False)
    assert [each["objectId"] for each in shown(done)] == ["ZTF1"]


def test_a_registry_is_asked_for_the_schema_of_a_number(kafka: KafkaStandin, topic: str) -> None:
    asked = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = json.dumps({"schema": json.dumps(lsst_schema())}).encode()
            self.send_response(200 if self.path.endswith("/1000") else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    made = encode(lsst_packets()[0], "rubin").value
    publish(kafka, topic, (None, made), (None, made), (None, b"\0\0\0\0\1rest"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = watch(kafka, topic, "--schema-registry", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert [each["diaSourceId"] for each in shown(done)] == [lsst_packets()[0]["diaSourceId"]] * 2
    assert done.exit_code == 1 and "has the schema number 1, which the" in done.stderr
    assert asked == ["/schemas/ids/1000", "/schemas/ids/1"]


@pytest.mark.parametrize(("options", "problem"), [
    (["--option", "sasl.password"], "KEY=VALUE"),
    (["--option", "no.such.option=secret"], "librdkafka refuses no.such.option"),
    (["--function", "nothing", "--plot", "{tmp}/p"], "no such selection function"),
    (["--schemas", "{tmp}/nothing.avsc"], "no such schema"),
    (["--save", "{tmp}/file/below"], "cannot be made"),
])  # fmt: skip
def test_a_wrong_option_ends_with_2(kafka: KafkaStandin, tmp_path: Path, options: list[str], problem: str) -> None:
    (tmp_path / "file").touch()
    done = watch(kafka, "t", *(each.format(tmp=tmp_path) for each in options))
    assert done.exit_code == 2, done.output
    assert problem in done.output and "secret" not in done.output


# Real alerts


def test_real_alerts_are_replayed_and_watched(kafka: KafkaStandin, topic: str, shared_data: Path) -> None:
    """All of ZTF's, as they are, through the two commands."""
    names = newest_packets(shared_data)
    file = shared_data / "ztf" / "alerts.jsonl.gz"
    done = forked_tides("replay", file, "--topic", topic, "--bootstrap", kafka.address, "--speed", "inf")
    assert done.returncode == 0, done.stderr
    found = shown(watch(kafka, topic))
    assert len(found) == 669 and {each["objectId"] for each in found} == set(names)


def test_a_container_of_no_alert_is_refused() -> None:
    stream = io.BytesIO()
    fastavro.writer(stream, {"type": "record", "name": "a", "fields": []}, [])
    with pytest.raises(MalformedAlert, match="0 records"):
        Opener().open(stream.getvalue())
