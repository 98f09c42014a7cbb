"""``tides standins --stream``: the streams of every broker, the APIs beside them, and the settings that lead there."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import typer
from typer.testing import CliRunner

from simulators.alerts.encoders import is_of_object
from simulators.alerts.packet_files import Found
from simulators.commands.standins import StreamName, standins
from simulators.services import stream as kafka_module
from simulators.services.stream import PARTITION_BYTES, KafkaStandin
from simulators.standins.broker_streams import LASAIR_ZTF, SCHEMA_HEAD, STREAMS, Stream
from simulators.standins.bundle import Standins, write_schemas
from simulators.standins.serving import description
from tests.support.served import AGE, Served, decoded_by, fill, name_of, names_of, of, read_topic, sky
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.lasair import api as lasair_api
from tides_bridge.errors import BrokerUnavailable, RejectedError, SettingsError
from tides_bridge.lightcurves import LightCurves
from tides_bridge.settings import tree as settings

ROOT = Path(__file__).parents[2]
READY_SECONDS = 180.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """All streams at once."""
    folder = tmp_path_factory.mktemp("served")
    with Standins(folder / "f", streams=list(STREAMS)) as standins:
        yield fill(standins, folder, sky())


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TIDES_")]:
        monkeypatch.delenv(name)


# What is in the streams


def curves_of(served: Served, name: str) -> LightCurves:
    """Give the light curves of a stream, those that are to be fetched, too."""
    found, broker = served.decoded(name), broker_of(served.broker(name))
    there = set(found.curves.object_ids)
    lacking = [alert.object_id for alert in found.alerts if alert.object_id not in there]
    parts = [found.curves]
    for start in range(0, len(lacking), broker.objects_per_call):
        fetched = broker.fetch(lacking[start : start + broker.objects_per_call])
        assert fetched.missing == {}
        parts.append(fetched.curves)
    return LightCurves.joined(parts)


@pytest.mark.parametrize(("name", "stream"), STREAMS.items())
def test_each_object_is_an_alert_with_a_light_curve(served: Served, name: str, stream: Stream) -> None:
    found, names = served.decoded(name), names_of(stream.survey)
    assert (found.refused, found.notes, len(names) > 20) == ([], (), True)
    assert {alert.object_id for alert in found.alerts} == names
    assert {alert.survey for alert in found.alerts} == {"elasticc" if name == "elasticc" else stream.survey}
    assert set(curves_of(served, name).object_ids) == names


@pytest.mark.parametrize(("name", "stream"), STREAMS.items())
def test_light_curves_are_those_of_the_sky_whoever_sends_them(served: Served, name: str, stream: Stream) -> None:
    curves = curves_of(served, name)
    detections = dict.fromkeys(curves.object_ids, 0)
    for number in curves.object_index[curves.is_detection].tolist():
        detections[curves.object_ids[number]] += 1
    assert detections == {name_of(each): detections_in(each) for each in of(stream.survey) if is_of_object(each.packet)}


def detections_in(found: Found) -> int:
    if found.survey == "lsst":
        return 1 + len(found.packet["prvDiaSources"])
    return 1 + sum(point.get("candid") is not None for point in found.packet["prv_candidates"])


def test_alerts_of_the_solar_system_come_where_the_broker_sends_them(served: Served) -> None:
    moving = len(of("lsst")) - len(names_of("lsst"))
    assert moving > 0
    for name, stream in STREAMS.items():
        skipped = sum(served.decoded(name).skipped.values())
        assert skipped == (moving if name in {"rubin", "fink-lsst", "alerce"} else 0)
        assert served.filled[name].load.moving == (moving if stream.survey == "lsst" and not skipped else 0)


def test_a_third_of_the_messages_of_lasair_lacks_the_light_curve(served: Served) -> None:
    modes = [json.loads(message.value) for message in served.messages("lasair-lsst")]
    plain = [each for each in modes if "alert" not in each]
    lite = [each for each in modes if "alert" in each and "diaObject" not in each["alert"]]
    assert len(plain) == served.filled["lasair-lsst"].load.without_alert
    assert abs(len(plain) - len(modes) / 3) < 1 and abs(len(lite) - len(modes) / 3) < 1


def test_fink_sends_the_schema_as_key(served: Served) -> None:
    keys = {message.key for message in served.messages("fink-lsst")}
    assert len(keys) == 1 and json.loads(keys.pop() or b"")["type"] == "record"


def test_every_api_and_stream_can_be_tried_out(served: Served) -> None:
    told = {each.broker_name: broker_of(each).try_out() for each in served.settings.each_broker()}
    assert told["lasair_lsst"] == served.standins.services["lasair_lsst"].address
    assert told["antares"] == told["antares_ztf"] == served.standins.services["antares"].address
    assert told["fink_lsst"] == "no service beside the stream"
    assert told["rubin"].startswith("1 schemas in ")


# Tokens and limits


def test_lasair_for_lsst_asks_for_its_own_token(served: Served) -> None:
    broker = served.broker("lasair-lsst")
    token = served.broker("lasair-ztf").lasair_token
    assert token and broker.lasair_token and token != broker.lasair_token
    with pytest.raises(BrokerUnavailable, match="token"):
        broker_of(broker.model_copy(update={"lasair_token": token})).fetch([min(names_of("lsst"))])


def test_one_stream_has_its_settings_at_the_top_and_its_api_an_hourly_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasair_api, "RETRY", lasair_api.RETRY.new(backoff_factor=0.0))
    with Standins(tmp_path / "f", streams=["lasair-lsst"], modes=["PLAIN"], calls_per_hour=2) as standins:
        known = fill(standins, tmp_path, sky()).settings
        names = sorted(names_of("lsst"))[:3]
        fetched = broker_of(known).fetch(names)
    assert (known.brokers, known.topic, known.broker.kind) == ({}, "lasair_19tidesLsst", "lasair_lsst")
    assert (known.light_curves.calls_per_hour, known.select_function) == (2, "tidesSNLSSTClean")
    assert (known.fourmost.mag_type, known.fourmost.colour_terms) == ("LSST_r_AB", ())
    assert (fetched.curves.object_ids, fetched.missing) == (tuple(names[:2]), {names[2]: HOURLY_LIMIT})


def test_antares_finds_only_what_it_has(served: Served) -> None:
    address = served.standins.services["antares"].address
    term = {"properties.survey.lsst.dia_object_id": "1"}
    for query, status in (({"query": {"bool": {"filter": {"term": term}}}}, 200), ({"query": {"all": {}}}, 400)):
        answer = requests.get(f"{address}/loci", {"elasticsearch_query": json.dumps(query)}, timeout=60)
        assert (answer.status_code, answer.json().get("data", [])) == (status, [])
    assert requests.get(f"{address}/loci/ANT1/alerts", timeout=60).status_code == 404
    names = broker_of(served.broker("antares")).fetch(["1", "ANT1"]).missing
    assert set(names.values()) == {"the light-curve API does not know it"}


# Settings


def test_several_streams_are_brokers_by_name(served: Served) -> None:
    known = served.settings
    assert [each.broker_name for each in known.each_broker()] == [name.replace("-", "_") for name in STREAMS]
    assert known.select_function == "tidesSNLSSTClean"
    assert known.fourmost.mag_type == "LSST_r_AB"
    assert [term.from_band for term in known.fourmost.colour_terms] == ["ZTF_r"]
    assert served.broker("elasticc").broker.zero_point == 31.4


def test_the_default_is_lasair_for_ztf_with_the_settings_it_always_had(tmp_path: Path) -> None:
    with Standins(tmp_path / "f") as standins:
        made = standins.settings(AGE)
        assert list(standins.services) == ["lasair_ztf"]
    assert made["lightCurves"] == {"address": standins.lasair.address, "callsPerHour": 10_000}
    assert made["broker"] == {
        "kind": "lasair_ztf",
        "bootstrapServers": standins.kafka.address,
        "silence": "1 second",
    }
    assert (made["topic"], made["lasairToken"]) == ("lasair_19tidesSelect", standins.lasair.token)
    assert made["selectFunction"] == "tidesSNZTFClean"
    assert made["fourmost"]["magType"] == "SDSS_r_AB"
    assert made["fourmost"]["colourTerms"] == [{"from": "ZTF_r", "source": "stand-ins: for demonstration"}]
    assert "brokers" not in made


def test_schemas_lie_beside_the_settings_and_those_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    streams = {name: STREAMS[name] for name in ("rubin", "elasticc", "fink-lsst")}
    write_schemas(streams, tmp_path)
    write_schemas(streams, tmp_path)
    files = sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*.avsc"))
    assert files == [Path("elasticc/elasticc.v0_9_1.alert.avsc"), Path("rubin/lsst.v10_0.alert.avsc")]
    own = tmp_path / files[1]
    assert own.read_text().startswith(SCHEMA_HEAD) and json.loads(own.read_text())["type"] == "record"
    own.write_text('{"type": "record"}')
    with pytest.raises(SettingsError, match="no stand-in wrote it"):
        write_schemas(streams, tmp_path)


# Room


def test_keys_reach_the_reader() -> None:
    with KafkaStandin() as kafka:
        kafka.publish("t", [(b"key", b"value"), b"alone"])
        assert {(each.key, each.value) for each in read_topic(kafka.address, "t")} == {
            (b"key", b"value"),
            (None, b"alone"),
        }


def test_only_the_newest_that_find_room_are_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_module, "PARTITION_BYTES", 1000)
    messages = [b"%03d" % number + bytes(97) for number in range(30)]
    with KafkaStandin() as kafka:
        assert kafka.publish_newest("t", messages) == 20
        assert {each.value for each in read_topic(kafka.address, "t")} == set(messages[10:])
        assert kafka.publish_newest("t", messages) == 0
        assert kafka.publish_newest("other", [(b"k" * 700, b"old"), *messages[:3], (b"k" * 700, b"new")]) == 4
        with pytest.raises(RejectedError, match="silently forgets"):
            kafka.publish("t", messages)


def test_the_real_mock_cluster_keeps_what_is_said_to_fit() -> None:
    messages = [b"%03d" % number + os.urandom(400_000) for number in range(60)]
    with KafkaStandin() as kafka:
        published = kafka.publish_newest("t", messages)
        assert published == 4 * (PARTITION_BYTES // 400_103)
        assert [each.value[:3] for each in sorted(read_topic(kafka.address, "t"), key=lambda each: each.value[:3])] == [
            each[:3] for each in messages[-published:]
        ]


def test_it_is_said_how_many_found_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_module, "PARTITION_BYTES", 30_000)
    with Standins(tmp_path / "f", streams=["rubin"]) as standins:
        filled = standins.fill(sky(), pytest.fail)
        said = description(standins, filled, tmp_path / "s.yaml")
        count = len(read_topic(standins.kafka.address, "alerts-simulated"))
    assert 0 < count < len(of("lsst"))
    left = len(of("lsst")) - count
    assert f"topic alerts-simulated: {count} messages, one an object; {left} older ones left out" in said


# The command


def test_the_command_knows_every_stream_and_the_page_names_it() -> None:
    page = (ROOT / "docs" / "streams.md").read_text()
    assert [each.value for each in StreamName] == list(STREAMS)
    assert [name for name in STREAMS if f"`{name}`" not in page and f"--stream {name}" not in page] == []
    assert STREAMS[LASAIR_ZTF].kind == "lasair_ztf"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--lasair-mode", "FULL"], "tides: --lasair-mode: FULL: is for --stream lasair-lsst"),
        (["--alerts", "a.jsonl", "--nights", "3"], "is for a simulated sky, and goes without --alerts"),
        (["--alerts", "none.jsonl", "--stream", "rubin"], "none.jsonl: there is no such file or folder"),
        (["--schemas", "none.avsc", "--alerts", str(ROOT), "--stream", "rubin"], "no such schema"),
    ],
)
def test_what_does_not_fit_together_is_told_in_a_line(options: list[str], problem: str, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(standins)
    place = ["--settings-out", str(tmp_path / "s.yaml"), "--folder", str(tmp_path / "f")]
    result = CliRunner().invoke(app, [*place, *options])
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert problem in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_command_serves_several_streams_of_a_simulated_sky(tmp_path: Path) -> None:
    script = "import typer; from simulators.commands.standins import standins; typer.run(standins)"
    options = ["--settings-out", tmp_path / "s.yaml", "--folder", tmp_path / "f", "--objects", "20", "--nights", "20",
               "--stream", "lasair-lsst", "--stream", "rubin", "--lasair-mode", "LITE"]  # fmt: skip
    said = tmp_path / "said.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, options)], cwd=ROOT, stdout=output, stderr=output
        )
    try:
        limit = time.monotonic() + READY_SECONDS
        while "\nready (Ctrl-C stops all three)" not in said.read_text():
            assert process.poll() is None and time.monotonic() < limit, said.read_text()
            time.sleep(0.02)
        known = settings.load_settings(file=tmp_path / "s.yaml")
        alerts = {each.broker_name: decoded_by(each) for each in known.each_broker()}
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert len(alerts["lasair_lsst"].alerts) == len(alerts["rubin"].alerts) == len(alerts["lasair_lsst"].curves) > 10
    assert (tmp_path / "s-schemas" / "rubin" / "lsst.v10_0.alert.avsc").exists()
