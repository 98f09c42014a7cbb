"""Files as a stream: what is read of them, where it goes on, and what their messages say."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.alerts.broker_forms import to_elasticc, to_lasair_lsst
from simulators.alerts.encoders import encode, write_recording
from simulators.alerts.lsst_packets import LsstPackets
from simulators.services.lasair_lsst import LasairLsstStandin, to_object
from simulators.sky import Sky
from tests.support.answers import ztf_settings
from tests.support.curves import quick
from tides_bridge.brokers import broker_of, stream_of
from tides_bridge.brokers.base import Decoded
from tides_bridge.brokers.file_stream import FileStream
from tides_bridge.brokers.lasair.lsst import LasairLsst
from tides_bridge.brokers.models import Message
from tides_bridge.brokers.recorded import RecordedBroker, broker_of_message
from tides_bridge.errors import SettingsError
from tides_bridge.formats.files import read_light_curves
from tides_bridge.formats.messages_of_files import curve_message
from tides_bridge.formats.recording import RecordedMessage
from tides_bridge.lightcurves import LightCurves
from tides_bridge.resources import shipped
from tides_bridge.selection import judge
from tides_bridge.selection.file import load_function
from tides_bridge.settings import Settings

NAME = 313637935709683761
NOTHING = b'{"midpointMjdTai": null, "psfFlux": null, "psfFluxErr": null, "band": null}'
"""A source with all fields, and no values."""


def settings(*files: Path, **broker: Any) -> Settings:
    options = {"kind": "recorded", "files": [str(each) for each in files], **broker}
    return ztf_settings(topic="night", broker=options)


def ztf_packet(name: str = "ZTF26aaaaaaa", jd: float = 2461000.75, **changes: Any) -> dict[str, Any]:
    usual = {"fid": 1, "magpsf": 19.0, "sigmapsf": 0.1, "isdiffpos": "t", "ra": 10.5, "dec": -20.25, "nid": 3000}
    candidate = {"jd": jd, "candid": 2000000000000 + int(jd * 100) % 10**6, **usual, **changes}
    return {"objectId": name, "candid": candidate["candid"], "candidate": candidate, "prv_candidates": []}


def rubin_packets(number: int = 12) -> list[dict[str, Any]]:
    sky = LsstPackets(Sky(seed=5, survey="lsst", objects=number))
    return [each for each in map(sky.newest, range(number)) if each and each["diaObject"]]


def lines(path: Path, *contents: object) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in contents))
    return path


def read(*files: Path, **broker: Any) -> tuple[list[Message], Decoded]:
    chosen = settings(*files, **{"batchSize": 10_000, **broker})
    with FileStream(chosen) as stream:
        pull = stream.next_pull()
    assert pull.is_last
    return pull.messages, RecordedBroker(chosen).decode(pull.messages)


def names(found: Decoded) -> list[str]:
    return sorted(alert.object_id for alert in found.alerts)


# What files hold


def test_lines_are_messages_as_they_are(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", ztf_packet("ZTF26a"), ztf_packet("ZTF26b"))
    messages, found = read(path)
    assert [each.value for each in messages] == path.read_bytes().splitlines()
    assert [(each.topic, each.partition, each.offset) for each in messages] == [(str(path), 0, n) for n in range(2)]
    assert (names(found), len(found.curves), found.alerts[0].survey) == (["ZTF26a", "ZTF26b"], 2, "ztf")


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_an_array_is_a_message_each(tmp_path: Path, name: str) -> None:
    body = json.dumps([ztf_packet("ZTF26a"), ztf_packet("ZTF26b", drb=float("nan"))]).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(body) if name.endswith("gz") else body)
    messages, found = read(path)
    assert (len(messages), names(found), found.refused) == (2, ["ZTF26a", "ZTF26b"], [])


def test_a_recording_gives_the_messages_with_their_keys(tmp_path: Path) -> None:
    encoded = [encode(each, "fink-lsst") for each in rubin_packets()]
    path = tmp_path / "night.recording"
    write_recording(path, (RecordedMessage(each.value, each.key, 1000) for each in encoded), "fink-lsst")
    with FileStream(settings(path)) as stream:
        messages = stream.next_pull().messages
    assert [(each.value, each.key) for each in messages] == [(each.value, each.key) for each in encoded]
    assert {broker_of_message(each) for each in messages} == {"fink_lsst"}


def test_a_container_of_one_record_is_the_message_itself(tmp_path: Path) -> None:
    (first, *_) = rubin_packets()
    path = tmp_path / "a.avro"
    path.write_bytes(encode(first, "lsst-avro").value)
    with FileStream(settings(path)) as stream:
        (message,) = stream.next_pull().messages
    assert (message.value, message.key, broker_of_message(message)) == (path.read_bytes(), None, "babamul_lsst")


def test_a_container_of_many_gives_bare_records_with_the_schema_as_key(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "a", "fields": [{"name": "diaSource", "type": "long"}]}
    path = tmp_path / "a.avro"
    with path.open("wb") as stream:
        fastavro.writer(stream, schema, [{"diaSource": each} for each in (NAME, NAME + 1, NAME + 2)])
    with FileStream(settings(path)) as files:
        messages = files.next_pull().messages
    keys = {message.key for message in messages}
    assert len(keys) == 1
    (key,) = keys
    parsed = fastavro.parse_schema(json.loads(key or b""))
    assert [fastavro.schemaless_reader(io.BytesIO(each.value), parsed, None) for each in messages] == [
        {"diaSource": each} for each in (NAME, NAME + 1, NAME + 2)
    ]


def test_rows_of_a_table_of_alerts_are_messages(tmp_path: Path) -> None:
    packets = rubin_packets()
    kept = ("diaSourceId", "diaSource", "prvDiaSources", "prvDiaForcedSources", "diaObject", "cutoutScience")
    rows = [{key: each.get(key) for key in kept} | {"cutoutScience": b"\0" * 1000} for each in packets]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    messages, found = read(tmp_path / "a.parquet")
    assert b"cutout" not in messages[0].value
    assert (names(found), found.refused) == (sorted(str(each["diaObject"]["diaObjectId"]) for each in packets), [])
    assert {alert.survey for alert in found.alerts} == {"lsst"}
    with FileStream(settings(tmp_path / "a.parquet")) as stream:
        assert list(stream.lag().values()) == [len(packets)]
        assert stream.left() is None  # to count them they would have to be read


def test_a_table_of_points_gives_the_light_curve_of_each_object(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    rows = ["objectId,mjd,mag,magerr,band"]
    rows += [f"ZTF26{name},{61000.25 + night},{19 + night / 10},0.1,g" for name in "ab" for night in range(3)]
    path.write_text("\n".join(rows) + "\n")
    _, found = read(path)
    assert (names(found), found.curves.magnitude.tolist()) == (["ZTF26a", "ZTF26b"], [19.0, 19.1, 19.2] * 2)
    assert [alert.newest_mjd for alert in found.alerts] == [61002.25] * 2


def test_an_archive_is_read_member_by_member(tmp_path: Path) -> None:
    path = tmp_path / "night.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (
            ("n/a.json", json.dumps(ztf_packet("ZTF26a")).encode()),
            (
                "n/b.jsonl.gz",
                gzip.compress(b"".join(json.dumps(ztf_packet(f"ZTF26{c}")).encode() + b"\n" for c in "bc"), mtime=0),
            ),
            ("n/.hidden", b"nothing"),
            ("n/empty", b""),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    messages, found = read(path)
    assert [each.offset for each in messages] == [0, 1, 2, 3]
    assert names(found) == ["ZTF26a", "ZTF26b", "ZTF26c"]
    assert [each.reason for each in found.refused] == [f"{path}/n/empty: is empty"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 zip", "is broken: File is not a zip file"),
        (b"a,b\n1,2\n", "is a table with the columns a, b"),
        (b"Obj\x01 broken", "is broken: "),
        (b"\x1f\x8b\x08 broken", "is broken: "),
        (b"PAR1 broken", "is broken: "),
        (b"hello", "begins with b'hello'"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_message_that_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    messages, found = read(path, lines(tmp_path / "good.jsonl", ztf_packet()))
    assert (len(messages), names(found)) == (2, ["ZTF26aaaaaaa"])
    (refused,) = found.refused
    assert refused.reason.startswith(f"{path}: ")
    assert reason in refused.reason


def test_what_comes_before_broken_bytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    whole = gzip.compress("".join(json.dumps(ztf_packet(f"ZTF26x{n}")) + "\n" for n in range(3)).encode())
    path.write_bytes(whole)
    recording = tmp_path / "cut.recording"
    messages = [RecordedMessage(json.dumps(ztf_packet(f"ZTF26y{n}")).encode() * 1, None, n) for n in range(3)]
    write_recording(recording, messages)
    recording.write_bytes(recording.read_bytes()[:-20])
    _, found = read(path, recording)
    assert len([name for name in names(found) if name.startswith("ZTF26x")]) == 3
    assert any(str(recording) in each.reason for each in found.refused)


# Where it goes on


def test_it_is_read_on_where_the_database_says(tmp_path: Path) -> None:
    files = [lines(tmp_path / f"{name}.jsonl", *(ztf_packet(f"ZTF26{name}{n}") for n in range(3))) for name in "ab"]
    chosen = settings(tmp_path, batchSize=4)
    with FileStream(chosen) as stream:
        first = stream.next_pull()
        assert (len(first.messages), first.is_last, sum(stream.lag().values())) == (4, False, 2)
        stream.commit(first.positions)
    assert first.positions == {(str(files[0]), 0): 3, (str(files[1]), 0): 1}
    lines(tmp_path / "c.jsonl", ztf_packet("ZTF26c0"))
    with files[0].open("a") as file:
        file.write(json.dumps(ztf_packet("ZTF26a3")) + "\n")
    with FileStream(chosen, first.positions, first.digests) as stream:
        second = stream.next_pull()
        assert (stream.refilled, len(stream.partitions()), sum(stream.lag().values())) == ([], 3, 0)
    found = RecordedBroker(chosen).decode(second.messages)
    assert names(found) == ["ZTF26a3", "ZTF26b1", "ZTF26b2", "ZTF26c0"]
    assert second.positions == {
        (str(tmp_path / f"{name}.jsonl"), 0): end for name, end in (("a", 4), ("b", 3), ("c", 1))
    }


def places_after(chosen: Settings) -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], str]]:
    with FileStream(chosen) as stream:
        pull = stream.next_pull()
    return pull.positions, pull.digests


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_file_that_was_written_anew_is_read_from_its_beginning(tmp_path: Path, number: int) -> None:
    path = lines(tmp_path / "a.jsonl", *(ztf_packet(f"ZTF26a{n}") for n in range(3)))
    places, digests = places_after(settings(path))
    lines(path, *(ztf_packet(f"ZTF26b{n}") for n in range(number)))
    with FileStream(settings(path), places, digests) as stream:
        pull = stream.next_pull()
        assert stream.refilled == stream.partitions()
    assert [each.offset for each in pull.messages] == list(range(number))


def test_a_file_that_is_the_same_brings_nothing(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", ztf_packet())
    with FileStream(settings(path), *places_after(settings(path))) as stream:
        pull = stream.next_pull()
        assert (pull.messages, pull.positions, pull.is_last, stream.refilled) == ([], {}, True, [])
        assert sum(stream.lag().values()) == 0


def test_a_batch_ends_at_its_size(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *(ztf_packet(f"ZTF26{n}") for n in range(5)))
    with FileStream(settings(path, batchBytes=300)) as stream:
        pulls = [stream.next_pull() for _ in range(3)]
    assert [(len(pull.messages), pull.is_last) for pull in pulls] == [(2, False), (2, False), (1, True)]


@pytest.mark.parametrize(("files", "problem"), [([], "names no files"), (["nowhere"], "there is no such file")])
def test_without_files_a_setting_is_wrong(tmp_path: Path, files: list[str], problem: str) -> None:
    chosen = settings(*(tmp_path / each for each in files))
    for ask in (lambda: FileStream(chosen), RecordedBroker(chosen).try_out):
        with pytest.raises(SettingsError, match=problem):
            ask()


def test_files_and_broker_are_found_by_their_kind(tmp_path: Path) -> None:
    chosen = settings(lines(tmp_path / "a.jsonl", ztf_packet()))
    with stream_of(chosen) as stream:
        assert len(stream.next_pull().messages) == 1
    broker = broker_of(chosen)
    assert isinstance(broker, RecordedBroker)
    assert broker.try_out() == "1 file"


# What messages say


def test_recorded_messages_say_what_those_of_the_stream_do(tmp_path: Path) -> None:
    packets = rubin_packets()
    contents = [to_lasair_lsst(each, "FULL", has_alert=bool(n % 3)) for n, each in enumerate(packets)]
    messages = [Message("lasair", 0, n, json.dumps(each).encode()) for n, each in enumerate(contents)]
    streamed = LasairLsst(settings()).decode(messages)
    _, found = read(lines(tmp_path / "a.jsonl", *contents))
    assert found.alerts == streamed.alerts
    assert (found.curves.object_ids, found.curves.digests()) == (streamed.curves.object_ids, streamed.curves.digests())
    assert 0 < len(found.curves) < len(found.alerts)


def test_of_several_files_the_newest_of_an_object_counts(tmp_path: Path) -> None:
    old = lines(tmp_path / "b.jsonl", ztf_packet(jd=2461000.75))
    new = lines(tmp_path / "a.jsonl", ztf_packet(jd=2461003.75))
    table = tmp_path / "c.csv"
    table.write_text("objectId,mjd,mag,magerr,band\nZTF26aaaaaaa,61001.25,19,0.1,g\n")
    _, found = read(old, new, table)
    assert ([alert.newest_mjd for alert in found.alerts], len(found.curves)) == ([61003.25], 1)
    assert found.curves.mjd.tolist() == [61003.25]


def test_what_brought_no_light_curve_is_asked_for_only_where_an_address_is_set(tmp_path: Path) -> None:
    packet, *_ = rubin_packets()
    name = str(packet["diaObject"]["diaObjectId"])
    path = lines(tmp_path / "a.jsonl", to_lasair_lsst(packet, "PLAIN"))
    messages, found = read(path)
    assert (names(found), len(found.curves)) == ([name], 0)
    silent = RecordedBroker(settings(path)).fetch([name])
    assert "lightCurves.address is not set" in silent.missing[name]
    with LasairLsstStandin(token="secret") as lasair:
        lasair.load([to_object(packet)])
        address = {"address": lasair.address}
        broker = RecordedBroker(ztf_settings(broker={"kind": "recorded"}, lightCurves=address))
        assert (broker.fetch([name]).curves.object_ids, broker.calls, broker.objects_per_call) == ((name,), 1, 1)
    assert len(messages) == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{}", "is none of these"),
        (b"[]", "Expected `object`, got `array`"),
        (b"[{}]", "Expected `object`, got `array`"),
        (b'{"objectId": "a,b", "candidate": {"jd": 2461000.5}}', "objectId is 'a,b', not a name"),
        (b'{"objectId": "a", "candidate": {"jd": 1e300}}', "which is none of our time"),
        (b'{"diaObjectId": 5, "ra": 400, "decl": 1, "diaSourcesList": [%s]}' % NOTHING, "is not on the sky"),
        (b'{"diaObjectId": 5, "ra": 40, "decl": 1, "diaSourcesList": [{}]}', "midpointMjdTai is missing"),
        (b"hello", "begins with b'hell': if it is bare Avro, schemas is missing"),
        (b'{"objectId": "a", "candidate": 5}', "Expected `object | null`, got `int` - at `$.candidate`"),
        (b'{"diaObjectId": "x", "diaSourcesList": []}', "diaObjectId is 'x', not the name"),
        (b'{"diaObjectId": 5, "alert": 5}', "at `$.alert`"),
        (b"\xff\xff\xff\xff", "is a broken Arrow stream"),
        (b"\xff\xff\xff\xff" + b"\1" * 40, "is a broken Arrow stream"),
        (b'{"unreadable":"a: b"}', "a: b"),
        (b'{"unreadable":', "cannot be decoded"),
        (b"", "is not JSON"),
        (b"x\x9c", "it ends too early"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_with_its_reason(value: bytes, reason: str) -> None:
    found = RecordedBroker(settings()).decode([Message("night", 1, 0, value)])
    assert found.alerts == []
    (refused,) = found.refused
    assert reason in refused.reason


def test_an_arrow_stream_must_hold_one_light_curve() -> None:
    curve = LightCurves.from_points(["a"], [(0, 61000.0, 1, 19.5, 0.1, 3300, True, True, 10.0, -20.0)])
    whole = curve_message(curve)
    broker = RecordedBroker(settings())
    two = curve_message(LightCurves.joined([curve, curve]))
    for number, value in enumerate((whole, two, whole[:200], whole[:-40], curve_message(LightCurves.joined([])))):
        found = broker.decode([Message("night", 1, 0, value)])
        assert (len(found.alerts), len(found.refused)) == ((1, 0) if number == 0 else (0, 1)), number


@quick
@given(st.binary(max_size=300), st.sampled_from([b"{", b"[", b"x\x9c", b"\xff\xff\xff\xff", b'{"objectId":"a","x":']))
def test_any_bytes_are_an_alert_or_refused(value: bytes, start: bytes) -> None:
    found = RecordedBroker(settings()).decode([Message("night", 1, 0, start + value)])
    assert len(found.alerts) + len(found.refused) == 1


@pytest.mark.parametrize(("zero_point", "is_noted"), [(27.5, False), (None, True)])
def test_a_zero_point_that_is_wrong_is_noted(tmp_path: Path, zero_point: float | None, is_noted: bool) -> None:
    packets = rubin_packets()
    path = lines(tmp_path / "a.jsonl", *(to_elasticc(each, 27.5) for each in packets))
    _, found = read(path, zeroPoint=zero_point)
    assert {alert.survey for alert in found.alerts} == {"elasticc"}
    assert ["zeroPoint 31.4 is wrong; with 27.5 it is" in note for note in found.notes] == [True] * is_noted
    flux = {each["diaSource"]["diaSourceId"]: each["diaSource"]["psfFlux"] for each in packets}
    read_back = dict(zip(found.curves.source_id.tolist(), found.curves.flux.tolist(), strict=True))
    scale = 10 ** (-3.9 / 2.5) if is_noted else 1.0
    assert all(read_back[name] == pytest.approx(flux[name] * scale, rel=1e-6) for name in flux)


# Real files

REAL: dict[str, tuple[int, int, int, int, int]] = {
    "ztf/alerts.jsonl.gz": (669, 573, 573, 0, 7),
    "bts/snia_lightcurves.csv.gz": (1148, 1148, 1148, 0, 1),
    "lasair_ztf/lasair_needle_ZTF24aatsiox_objects.json": (1, 1, 1, 0, 0),
    "lasair_ztf/lasair_api_lc_ZTF22aaaozss.txt": (1, 1, 1, 0, 0),
    "lasair_ztf/alerts": (10, 8, 8, 0, 0),
    "lasair_lsst/kafka_messages.json": (64, 32, 32, 0, 2),
    "lasair_lsst/313637921267122191.json": (1, 1, 1, 0, 0),
    "lasair_lsst/313637921267122191_lite.json": (1, 0, 0, 1, 0),
    "lasair_lsst/313637921267122191_object.json": (1, 1, 0, 0, 0),
    "lsst/json": (2, 2, 2, 0, 1),
    "lsst/parquet": (52, 41, 41, 0, 0),
    "lsst/schema": (20, 0, 0, 20, 0),
    "elasticc/agn_elasticc_alerts.parquet": (100, 98, 98, 0, 72),
    "elasticc/snia_5398alerts.parquet": (5398, 3503, 3503, 0, 1716),
    "elasticc/elasticc_sample_seed0.parquet": (89, 89, 89, 0, 47),
    "fourmost": (4, 0, 0, 4, 0),
}
"""Messages, alerts, light curves, refused, and how many tidesSNLSSTSelect lets pass."""


def passing(curves: LightCurves) -> set[str]:
    function = load_function(shipped("selectionFunctions.yaml"), "tidesSNLSSTSelect")
    verdicts = judge(curves, [function], 61046.0)[0] if len(curves) else None
    passed = verdicts.passed.tolist() if verdicts else []
    return {name for name, it_passed in zip(curves.object_ids, passed, strict=True) if it_passed}


@pytest.mark.parametrize("name", REAL)
def test_counts_of_real_files(shared_data: Path, name: str) -> None:
    path = shared_data / name
    if not path.exists():
        pytest.skip("the real data is not on this machine")
    messages, found = read(path)
    counts = len(messages), len(found.alerts), len(found.curves), len(found.refused)
    assert (*counts, len(passing(found.curves))) == REAL[name]
    assert all(each.reason for each in found.refused)
    assert set(found.curves.object_ids) <= {alert.object_id for alert in found.alerts}
    as_files = LightCurves.joined(list(read_light_curves([path], refused=lambda *_: None)))
    assert passing(found.curves) == passing(as_files)


@pytest.mark.parametrize(
    ("name", "schema", "options", "counts"),
    [
        ("lsst/avro", "lsst/schema", {}, (16, 14, 14, 16, 16)),
        ("elasticc/avro", "elasticc/schema", {"zeroPoint": 27.5}, (85, 45, 45, 558, 544)),
    ],
)
def test_counts_of_real_messages_with_their_schema(
    shared_data: Path, name: str, schema: str, options: dict[str, Any], counts: tuple[int, ...]
) -> None:
    if not (shared_data / name).exists():
        pytest.skip("the real data is not on this machine")
    messages, found = read(shared_data / name, schemas=str(shared_data / schema), **options)
    sizes = len(found.alerts), len(found.curves), len(found.curves.mjd), int(found.curves.is_detection.sum())
    assert (len(messages), *sizes) == counts
    assert found.refused == []
