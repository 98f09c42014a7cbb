"""Recorded alert packets for ``tides standins``: what is read from files of any format, and the streams made of it."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from simulators.alerts.encoders import encode, is_of_object, observed_ms, write_recording
from simulators.alerts.packet_files import NO_PACKET, Found, read_newest_packets
from simulators.standins.bundle import Standins
from simulators.standins.serving import StandinSource, read
from tests.support.served import fill, name_of, of
from tests.support.streams import write_containers, write_lines
from tides_bridge.errors import SettingsError
from tides_bridge.formats.recording import RecordedMessage


def record(file: Path, found: Sequence[Found], form: str) -> Path:
    made = [encode(each.packet, form) for each in found]
    times = [observed_ms(each.packet) for each in found]
    write_recording(
        file, [RecordedMessage(each.value, each.key, at) for each, at in zip(made, times, strict=True)], form
    )
    return file


def test_packets_are_read_from_lines_containers_and_recordings(tmp_path: Path) -> None:
    found = [each for each in of("lsst") if is_of_object(each.packet)]
    write_lines(tmp_path / "lines.jsonl.gz", [each.packet for each in found[:10]])
    write_containers(tmp_path / "containers", [each.packet for each in found[10:15]], "lsst-avro")
    record(tmp_path / "fink.recording", found[15:20], "fink-lsst")
    record(tmp_path / "ztf.recording", of("ztf")[:5], "fink-ztf")
    again = read_newest_packets([tmp_path], None, pytest.fail)
    assert [name_of(each) for each in again if each.survey == "lsst"] == [name_of(each) for each in found[:20]]
    assert [name_of(each) for each in again if each.survey == "ztf"] == [name_of(each) for each in of("ztf")[:5]]
    with Standins(tmp_path / "f", streams=["rubin", "fink-ztf"]) as standins:
        served = fill(standins, tmp_path, again)
        assert {alert.object_id for alert in served.decoded("rubin").alerts} == {name_of(each) for each in found[:20]}
        assert len(served.decoded("fink-ztf").curves) == 5


def test_the_newest_packet_of_an_object_counts_and_ids_stay_exact(tmp_path: Path) -> None:
    newest = next(each.packet for each in of("lsst") if is_of_object(each.packet) and each.packet["prvDiaSources"])
    older = {**newest, "diaSource": newest["prvDiaSources"][0], "prvDiaSources": None}
    floats = {**newest["diaObject"], "diaObjectId": 1.7e17, "nDiaSources": 5.0}
    write_lines(tmp_path / "a.jsonl", [{**newest, "diaObject": floats}, older])
    (found,) = read_newest_packets([tmp_path / "a.jsonl"], None, pytest.fail)
    assert found.packet["diaSource"]["diaSourceId"] == newest["diaSource"]["diaSourceId"]
    assert found.packet["diaObject"]["diaObjectId"] == newest["diaObject"]["diaObjectId"] > 2**53
    assert found.packet["diaObject"]["nDiaSources"] == 5


def test_integers_that_a_table_keeps_as_floats_are_integers_again(tmp_path: Path) -> None:
    good = next(each.packet for each in of("lsst") if not is_of_object(each.packet))
    floats = {"ssSource": {"diaSourceId": 1.7e17, "ssObjectId": 2.1e16, "diaDistanceRank": 1.0, "topoRange": 2.0}}
    floats["mpc_orbits"] = {"id": 7.0, "arc_length_total": None, "q": 2.0}
    write_lines(tmp_path / "a.jsonl", [{key: value for key, value in good.items() if key != "prvDiaSources"} | floats])
    (found,) = read_newest_packets([tmp_path / "a.jsonl"], None, pytest.fail)
    ids = {name: good["diaSource"][name] for name in ("diaSourceId", "ssObjectId")}
    assert found.packet["ssSource"] == ids | {"diaDistanceRank": 1, "topoRange": 2.0}
    assert [type(value) for value in found.packet["ssSource"].values()] == [int, int, int, float]
    assert found.packet["mpc_orbits"] == {"id": 7, "arc_length_total": None, "q": 2.0}
    assert found.packet["prvDiaSources"] is None


def test_what_is_no_packet_is_named_and_left_out(tmp_path: Path) -> None:
    good = next(each.packet for each in of("lsst") if is_of_object(each.packet))
    lasair = json.loads(encode(good, "lasair-lsst").value)
    write_lines(
        tmp_path / "a.jsonl", [good, lasair, {"diaSource": {}}, {**good, "diaSource": {"midpointMjdTai": None}}]
    )
    (tmp_path / "b.avro").write_bytes(b"Obj\x01broken")
    warnings: list[str] = []
    assert len(read_newest_packets([tmp_path], None, warnings.append)) == 1
    assert [line.partition(": left out: ")[0] for line in warnings] == [
        *(f"{tmp_path / 'a.jsonl'}: record {number}" for number in (2, 3, 4)),
        f"{tmp_path / 'b.avro'}: record 1",
    ]
    assert warnings[0].endswith(NO_PACKET) and "broken" in warnings[3]


def test_a_packet_that_lacks_what_a_broker_tells_is_named(tmp_path: Path) -> None:
    lsst = [each for each in of("lsst") if is_of_object(each.packet)]
    poor = Found({key: value for key, value in lsst[0].packet.items() if key != "prvDiaForcedSources"}, "here: line 7")
    warnings: list[str] = []
    with Standins(tmp_path / "f", streams=["lasair-lsst"]) as standins:
        filled = standins.fill([poor, lsst[1]], warnings.append)
    assert filled["lasair-lsst"].published == 1
    assert warnings[0].startswith("here: line 7: left out of lasair_19tidesLsst: does not fit lasair-lsst")


def test_a_stream_without_alerts_of_its_survey_is_an_error(tmp_path: Path) -> None:
    with Standins(tmp_path / "f", streams=["fink-lsst"]) as standins:
        with pytest.raises(SettingsError, match="fink-lsst: there is no alert of lsst"):
            standins.fill(of("ztf"), pytest.fail)
        with pytest.raises(SettingsError, match="no alert packet of ZTF or Rubin"):
            read(standins, StandinSource((write_lines(tmp_path / "a.jsonl", [{"a": 1}]),)), lambda _: None)


def test_containers_will_do_for_lasair_for_ztf(tmp_path: Path) -> None:
    standins = Standins(tmp_path / "f")
    folder = write_containers(tmp_path / "c", [each.packet for each in of("ztf")[:3]], "ztf-avro")
    for path in (folder, write_lines(tmp_path / "a.jsonl", [each.packet for each in reversed(of("ztf")[:3])])):
        found = read(standins, StandinSource((path,)), pytest.fail)
        assert [name_of(each) for each in found] == [name_of(each) for each in of("ztf")[:3]]
    assert len(read(standins, StandinSource((folder / "000.avro",)), pytest.fail)) == 1


def test_real_alerts_become_any_stream(tmp_path: Path, shared_data: Path) -> None:
    warnings: list[str] = []
    names = ["lasair-lsst", "fink-lsst", "rubin", "elasticc", "babamul-lsst", "antares"]
    found = read_newest_packets(
        [shared_data / "lsst" / "avro", shared_data / "lsst" / "parquet"], None, warnings.append
    )
    assert len(warnings) == 1 and "schema number 900" in warnings[0]
    with Standins(tmp_path / "f", streams=names) as standins:
        served = fill(standins, tmp_path, found, warnings.append)
        decoded = {name: served.decoded(name) for name in names}
    counts = {name: (len(each.alerts), len(each.refused)) for name, each in decoded.items()}
    assert counts == dict.fromkeys(names, (54, 0))
    objects = {name_of(each) for each in found if is_of_object(each.packet)}
    assert all({alert.object_id for alert in each.alerts} == objects for each in decoded.values())
