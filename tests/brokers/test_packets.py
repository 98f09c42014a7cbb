"""Brokers that send alert packets in Avro: what each framing needs, what is refused and why, and a schema registry."""

import copy
import io
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.alerts.avro_messages import SchemaWriter as AvroMessage
from simulators.alerts.avro_schemas import babamul_lsst_schema, elasticc_schema, lsst_schema
from simulators.alerts.broker_forms import to_babamul_lsst, to_babamul_ztf, to_elasticc
from simulators.alerts.encoders import encode
from tests.support import recorded
from tests.support.alert_packets import (
    Packet,
    broker,
    by_object,
    messages_of,
    named,
    of_objects,
    reasons,
    schema_folder,
    sent,
    written,
    ztf,
)
from tests.support.curves import quick
from tides_bridge.brokers import packets
from tides_bridge.brokers.babamul import ZTF_ZERO_POINT
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.brokers.packets import SOLAR_SYSTEM, decode_packets
from tides_bridge.brokers.readers import numbered_reader, readers_in
from tides_bridge.brokers.record_alerts import alert_of_record
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats.babamul import survey_packet
from tides_bridge.formats.records import to_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import TAI_AHEAD


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return schema_folder(tmp_path_factory.mktemp("schemas"))


@pytest.fixture(scope="module")
def old_schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old_schemas")
    for version in ("0_9", "0_9_1"):
        written(folder, f"elasticc.v{version}.alert.avsc", elasticc_schema(version))
    return folder


class TestElasticc:
    @pytest.mark.parametrize("version", ["0_9", "0_9_1"])
    def test_the_schema_is_the_one_that_fits(self, old_schemas: Path, version: str) -> None:
        messages = messages_of(of_objects(), "elasticc", elasticc_version=version)
        found = broker("elasticc", schemas=str(old_schemas)).decode(messages)
        assert (found.refused, found.notes) == ([], ())
        assert {(alert.survey, alert.object_id) for alert in found.alerts} == {
            ("elasticc", named(packet)) for packet in of_objects()
        }

    def test_both_in_one_stream_and_something_else(self, old_schemas: Path) -> None:
        mixed = [
            *messages_of(of_objects()[:8], "elasticc", elasticc_version="0_9"),
            *messages_of(of_objects()[8:], "elasticc", elasticc_version="0_9_1"),
            Message("alerts", 3, 1, b"\x02\x04garbage"),
        ]
        found = broker("elasticc", schemas=str(old_schemas)).decode(mixed)
        assert len(found.alerts) == len(of_objects())
        assert reasons(found) == [
            "does not fit any of these schemas: elasticc.v0_9.alert.avsc, elasticc.v0_9_1.alert.avsc"
        ]

    def test_containers_are_read_too(self, old_schemas: Path) -> None:
        schema = AvroMessage(elasticc_schema("0_9_1"))
        found = broker("elasticc", schemas=str(old_schemas)).decode(
            sent([schema.container(to_elasticc(each)) for each in of_objects()])
        )
        assert len(found.alerts) == len(of_objects())

    def test_hosts_come_with_them(self, old_schemas: Path) -> None:
        schema = AvroMessage(elasticc_schema("0_9_1"))
        packets = [to_elasticc(each) for each in of_objects()[:2]]
        packets[1]["diaObject"] |= {
            "hostgal_ra": 10.5,
            "hostgal_dec": -20.0,
            "hostgal_zphot": 0.25,
            "hostgal2_ra": -999.0,
        }
        found = broker("elasticc", schemas=str(old_schemas)).decode(sent([schema.container(one) for one in packets]))
        host = {"elasticc.host_ra": 10.5, "elasticc.host_dec": -20.0, "elasticc.host_photometric_redshift": 0.25}
        assert sorted((alert.annotations for alert in found.alerts), key=len) == [{}, host]

    def test_the_zero_point_counts(self, old_schemas: Path) -> None:
        right = broker("elasticc", schemas=str(old_schemas)).decode(messages_of(of_objects(), "elasticc"))
        other = broker("elasticc", schemas=str(old_schemas), zeroPoint=27.5).decode(
            messages_of(of_objects(), "elasticc", zero_point=27.5)
        )
        assert other.curves.object_ids == right.curves.object_ids
        np.testing.assert_allclose(other.curves.flux, right.curves.flux, rtol=1e-6)

    @pytest.mark.parametrize(("true", "said", "way"), [(27.5, 31.4, "faint"), (31.4, 27.5, "bright")])
    def test_a_wrong_zero_point_is_told_by_the_depth(
        self, old_schemas: Path, caplog: pytest.LogCaptureFixture, true: float, said: float, way: str
    ) -> None:
        made = copy.deepcopy(of_objects())
        for each in made:  # images of 24.5 mag, which 3.9 mag more or less makes 28.4, and 20.6: that is possible
            for source in [each["diaSource"], *(each["prvDiaSources"] or []), *(each["prvDiaForcedSources"] or [])]:
                source["psfFluxErr"] = float(np.float32(114.0 if way == "faint" else 11400.0))
        messages = messages_of(made, "elasticc", zero_point=true)
        found = broker("elasticc", schemas=str(old_schemas), zeroPoint=said).decode(messages)
        (note,) = found.notes
        assert f"zeroPoint {said:g} is wrong; with {true:g} it is" in note
        assert f"All magnitudes are 3.9 mag too {way}" in note
        assert note in caplog.text

    def test_without_a_schema_the_settings_are_wrong(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="bring no schema"):
            broker("elasticc")
        with pytest.raises(SettingsError, match="there is no such schema file"):
            broker("elasticc", schemas=str(tmp_path / "away"))


class TestFink:
    @pytest.mark.parametrize("version", ["9_0", "10_0", "11_0", "12_0"])
    def test_the_schema_is_the_key(self, version: str) -> None:
        these = of_objects(version)
        found = broker("fink_lsst").decode(messages_of(these, "fink-lsst", lsst_version=version))
        assert (found.refused, len(found.alerts)) == ([], len(these))

    def test_the_same_light_curves_as_from_rubin(self, schemas: Path) -> None:
        fink = broker("fink_lsst").decode(messages_of(of_objects(), "fink-lsst"))
        rubin = broker("rubin", schemas=str(schemas)).decode(messages_of(of_objects(), "rubin"))
        assert [replace(alert, annotations={}) for alert in fink.alerts] == rubin.alerts
        assert {alert.annotations["fink.cats_code"] for alert in fink.alerts} == {11.0, 13.0, 21.0, 22.0}
        assert fink.curves.object_ids == rubin.curves.object_ids
        for name in ("mjd", "flux", "flux_error", "band", "source_id", "is_detection"):
            np.testing.assert_array_equal(getattr(fink.curves, name), getattr(rubin.curves, name))

    def test_what_fink_adds_is_read_with_the_columns(self) -> None:
        schema = copy.deepcopy(lsst_schema("10_0"))
        of_scores = [{"name": name, "type": ["null", "float"]} for name in ("snnSnVsOthers_score", "earlySNIa_score")]
        of_matches = [{"name": "vsx_Type", "type": ["null", "string"]}]
        for name, inner in (("clf", of_scores), ("xm", of_matches)):
            schema["fields"].append({"name": name, "type": {"type": "record", "name": name, "fields": inner}})
        packets = [
            {**packet, "clf": {"snnSnVsOthers_score": score, "earlySNIa_score": None}, "xm": {"vsx_Type": "nan"}}
            for packet, score in zip(of_objects(), (0.25, 0.5), strict=False)
        ]
        plain = broker("fink_lsst").decode(messages_of(of_objects()[:2], "fink-lsst"))
        writer = AvroMessage(schema)
        found = broker("fink_lsst").decode(sent([writer.bare(packet) for packet in packets], writer.text.encode()))
        assert found.refused == []
        assert {alert.object_id: dict(alert.annotations) for alert in found.alerts} == {
            named(packet): {"fink.snn_sn_vs_all": score}
            for packet, score in zip(of_objects(), (0.25, 0.5), strict=False)
        }
        assert [replace(alert, annotations={}) for alert in (*found.alerts, *plain.alerts)] == [
            replace(alert, annotations={}) for alert in (*plain.alerts, *found.alerts)
        ]
        np.testing.assert_array_equal(found.curves.flux, plain.curves.flux)

    def test_of_ztf(self) -> None:
        found = broker("fink_ztf").decode(messages_of(ztf(), "fink-ztf"))
        assert found.refused == []
        assert {(alert.survey, alert.object_id) for alert in found.alerts} == {("ztf", p["objectId"]) for p in ztf()}
        first = {alert.object_id: alert.first_mjd for alert in found.alerts}
        for packet in ztf():
            points = [packet["candidate"], *packet["prv_candidates"]]
            assert first[packet["objectId"]] == min(p["jd"] for p in points if p.get("candid")) - 2400000.5

    def test_a_key_may_be_the_name_of_a_file(self, schemas: Path) -> None:
        bodies = [AvroMessage(lsst_schema("10_0")).bare(each) for each in of_objects()]
        found = broker("fink_lsst", schemas=str(schemas)).decode(sent(bodies, b"lsst.v10_0.alert.avsc"))
        assert len(found.alerts) == len(of_objects())

    @pytest.mark.parametrize(
        ("key", "with_schemas", "why"),
        [
            (None, False, "has no key, which would be its schema, and broker.schemas names no file"),
            (b"distribution", False, "has the key 'distribution', no schema, and broker.schemas names no"),
            (b"../../etc/passwd", True, "has the key 'passwd', no schema, and none of this name is in "),
            (b'{"type": "nothing"}', False, "its schema is none"),
            (b"{", True, "its schema is none"),
        ],
    )
    def test_keys_that_are_no_schema(self, schemas: Path, key: bytes | None, with_schemas: bool, why: str) -> None:
        options = {"schemas": str(schemas)} if with_schemas else {}
        found = broker("fink_lsst", **options).decode([Message("alerts", 0, 0, b"\x02abc", key)])
        assert why in reasons(found)[0]

    def test_a_schema_with_a_list_of_nothing_is_refused(self) -> None:
        fields = [{"name": "objectId", "type": "string"}, {"name": "x", "type": {"type": "array", "items": "null"}}]
        key = json.dumps({"type": "record", "name": "a", "fields": fields}).encode()
        value = b"\x02a" + b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
        assert "x is a list of nothing" in reasons(broker("fink_ztf").decode([Message("alerts", 0, 0, value, key)]))[0]

    def test_messages_of_a_schema_that_holds_itself_are_refused(self) -> None:
        """Their number of levels is in the bytes: such as were made to end fastavro's C code, and with it the run."""
        schema = recorded.schema_of(recorded.alerts())
        schema["name"] = "made.recursive"
        schema["fields"].append({"name": "inner", "type": ["null", "made.recursive"], "default": None})
        parsed, values = fastavro.parse_schema(schema), []
        for each in recorded.alerts():
            stream = io.BytesIO()
            fastavro.schemaless_writer(stream, parsed, each)
            values.append(stream.getvalue())
        found = broker("fink_lsst").decode(sent([*values, b"\x02" * 10**6], json.dumps(schema).encode()))
        assert (len(found.alerts), len(found.curves)) == (0, 0)
        assert reasons(found) == ["its record made.recursive holds itself"] * (len(values) + 1)


class TestBabamul:
    def test_of_rubin_the_same_points_as_rubin_sends(self, schemas: Path) -> None:
        babamul = broker("babamul_lsst").decode(messages_of(of_objects(), "babamul-lsst"))
        rubin = broker("rubin", schemas=str(schemas)).decode(messages_of(of_objects(), "rubin"))
        assert [(each.survey, each.object_id) for each in babamul.alerts] == [
            (each.survey, each.object_id) for each in rubin.alerts
        ]
        expected = by_object(rubin.curves)
        for name, curve in by_object(babamul.curves).items():
            np.testing.assert_allclose(curve.mjd, expected[name].mjd, rtol=0, atol=1e-8)
            np.testing.assert_array_equal(curve.flux, expected[name].flux)
            np.testing.assert_array_equal(curve.band, expected[name].band)
            np.testing.assert_array_equal(curve.is_detection, expected[name].is_detection)

    def test_of_ztf_the_same_points_as_ztf_sends(self) -> None:
        babamul = broker("babamul_ztf").decode(messages_of(ztf(), "babamul-ztf"))
        plain = broker("babamul_ztf").decode(messages_of(ztf(), "ztf-avro"))
        assert (babamul.refused, len(babamul.alerts)) == ([], len(ztf()))
        expected = by_object(plain.curves)
        for name, curve in by_object(babamul.curves).items():
            seen, same = curve.is_detection, expected[name].is_detection
            np.testing.assert_allclose(curve.mjd[seen], expected[name].mjd[same], rtol=0, atol=1e-8)
            np.testing.assert_allclose(curve.magnitude[seen], expected[name].magnitude[same], atol=1e-4)
            np.testing.assert_allclose(curve.magnitude_error[seen], expected[name].magnitude_error[same], rtol=1e-3)
            np.testing.assert_array_equal(curve.is_positive[seen], expected[name].is_positive[same])
            assert len(curve.mjd) == len(expected[name].mjd)

    def test_the_candidate_tells_the_zero_point_of_its_fluxes(self) -> None:
        packet = ztf()[0]
        schema = AvroMessage(
            json.loads(fastavro.reader(io.BytesIO(encode(packet, "babamul-ztf").value)).metadata["avro.schema"])
        )
        content = to_babamul_ztf(packet)
        usual = broker("babamul_ztf").decode(sent([schema.container(content)]))
        for point in [content["candidate"], *content["prv_candidates"], *content["prv_nondetections"]]:
            point["psfFluxErr"] *= 1000
            if "psfFlux" in point:
                point["psfFlux"] *= 1000
        other = broker("babamul_ztf").decode(sent([schema.container(content)]))
        np.testing.assert_allclose(other.curves.magnitude, usual.curves.magnitude, atol=1e-5)
        np.testing.assert_allclose(other.curves.flux_error, usual.curves.flux_error, rtol=1e-5)
        assert pytest.approx(46.4) == ZTF_ZERO_POINT

    @quick
    @given(st.lists(st.tuples(st.integers(0, 4), st.floats(0.09, 0.58)), min_size=1, max_size=5))
    def test_nights_are_those_of_palomar_where_the_history_has_no_number(self, seen: list[tuple[int, float]]) -> None:
        """Its nights lie in a day of UTC, from 2 h to 14 h: noon in Chile is in the middle of some."""
        point = {"psfFlux": 8e10, "psfFluxErr": 4e9, "ra": 210.1, "dec": 20.2}
        days = sorted({round(2461020.5 + night + hour, 6) for night, hour in seen})
        history = [{"jd": day, "band": band} | point for day, band in zip(days, "grgrg", strict=False)]
        newest = history[-1] | {"nid": int(days[-1] - 2400000.5) - 57754, "magpsf": 19.1, "sigmapsf": 0.05}
        content = {"candid": 7, "objectId": "ZTF26qqbmul", "candidate": newest, "prv_candidates": history}
        _, record = alert_of_record(survey_packet(content))
        assert record is not None
        (curves, _) = to_light_curves([record])
        assert sorted(set((curves.night - newest["nid"]).tolist())) == sorted(
            {int(day - 2400000.5) - 57754 - newest["nid"] for day in days}
        )

    def test_an_alert_of_the_solar_system_is_passed_over(self) -> None:
        content = to_babamul_lsst(of_objects()[0])
        content["candidate"] |= {"diaObjectId": None, "ssObjectId": 21163615805847120}
        found = broker("babamul_lsst").decode(sent([AvroMessage(babamul_lsst_schema()).container(content)]))
        assert (found.alerts, found.refused, dict(found.skipped)) == ([], [], {SOLAR_SYSTEM: 1})

    @pytest.mark.parametrize("name", ["jd", "band", "psfFluxErr"])
    def test_a_point_that_lacks_something_is_a_reason(self, name: str) -> None:
        schema = copy.deepcopy(babamul_lsst_schema())
        history = next(field["type"] for field in schema["fields"] if field["name"] == "prv_candidates")
        history["items"]["fields"] = [each for each in history["items"]["fields"] if each["name"] != name]
        found = broker("babamul_lsst").decode(sent([AvroMessage(schema).container(to_babamul_lsst(of_objects()[0]))]))
        assert reasons(found) == [f"is no alert of Babamul: KeyError: '{name}'"]

    @pytest.mark.parametrize(
        "value", [b"", b"\0\0\0", b"<html>502</html>", b"{}", b"Obj\x01", b"Obj\x01" + b"\xff" * 40, b"Obj\x02"]
    )
    def test_what_is_no_container(self, value: bytes) -> None:
        why = "container" if value else "is empty"
        assert why in reasons(broker("babamul_lsst").decode(sent([value])))[0]


class TestAlerce:
    ZTF_STAMP: ClassVar[dict[str, Any]] = {
        "type": "record",
        "name": "stamp_probabilities",
        "fields": [
            {"name": "objectId", "type": "string"},
            {"name": "candid", "type": "long"},
            {"name": "probabilities", "type": {"type": "map", "values": "float"}},
        ],
    }
    RUBIN_STAMP: ClassVar[dict[str, Any]] = {
        "type": "record",
        "name": "rubin_stamp",
        "fields": [
            *({"name": name, "type": "long"} for name in ("diaObjectId", "diaSourceId")),
            *({"name": name, "type": "double"} for name in ("midpointMjdTai", "ra", "dec")),
        ],
    }

    def container(self, schema: Any, content: Packet) -> bytes:
        stream = io.BytesIO()
        fastavro.writer(stream, schema, [content])
        return stream.getvalue()

    def test_classifications_name_an_object_and_bring_no_light_curve(self) -> None:
        of_ztf = {"objectId": "ZTF26aaaaaaa", "candid": 26, "probabilities": {"SN": 0.9}}
        of_rubin = {
            "diaObjectId": 170587115523932323,
            "diaSourceId": 1,
            "midpointMjdTai": 61000.0,
            "ra": 1.5,
            "dec": 2.5,
        }
        found = broker("alerce").decode(
            sent([self.container(self.ZTF_STAMP, of_ztf), self.container(self.RUBIN_STAMP, of_rubin)])
        )
        alerts: dict[str, Alert] = {alert.survey: alert for alert in found.alerts}
        assert (found.refused, len(found.curves)) == ([], 0)
        assert alerts["ztf"].object_id == "ZTF26aaaaaaa"
        assert alerts["ztf"].message["probabilities"] == {"SN": pytest.approx(0.9)}
        assert (alerts["lsst"].object_id, alerts["lsst"].ra) == ("170587115523932323", 1.5)
        assert alerts["lsst"].newest_mjd == pytest.approx(61000.0 - TAI_AHEAD)

    def test_packets_come_with_theirs(self) -> None:
        found = broker("alerce").decode(messages_of(ztf(), "ztf-avro"))
        assert len(found.curves) == len(found.alerts) == len(ztf())

    def test_without_container_the_schema_is_in_a_folder(self, tmp_path: Path) -> None:
        path = written(tmp_path, "lc.avsc", self.RUBIN_STAMP)
        content = {"diaObjectId": 7, "diaSourceId": 1, "midpointMjdTai": 61000.0, "ra": 1.5, "dec": 2.5}
        bare = AvroMessage(self.RUBIN_STAMP).bare(content)
        assert [alert.object_id for alert in broker("alerce", schemas=str(path)).decode(sent([bare])).alerts] == ["7"]
        assert "not as an Avro container does" in reasons(broker("alerce").decode(sent([bare])))[0]

    def test_who_names_no_object_is_refused(self) -> None:
        nobody = {"objectId": "", "candid": 1, "probabilities": {}}
        found = broker("alerce").decode(sent([self.container(self.ZTF_STAMP, nobody)]))
        assert reasons(found) == ["names no object: it has neither objectId nor diaObjectId"]


class TestAll:
    @pytest.mark.parametrize("kind", ["rubin", "fink_ztf", "fink_lsst", "babamul_ztf", "babamul_lsst", "alerce"])
    def test_there_is_nothing_to_fetch(self, kind: str) -> None:
        made = broker(kind)
        fetched = made.fetch(["a", "b"])
        assert (len(fetched.curves), set(fetched.missing.values())) == (0, {"its alert brought no light curve"})
        assert (made.calls, made.objects_per_call) == (0, 50)

    @pytest.mark.parametrize(
        ("kind", "name"),
        [("rubin", "rubin"), ("fink_lsst", "fink-lsst"), ("babamul_lsst", "babamul-lsst"), ("babamul_ztf", "ztf-avro")],
    )
    def test_spoilt_messages_are_refused_or_read_but_never_an_error(self, schemas: Path, kind: str, name: str) -> None:
        good = messages_of(ztf() if name.startswith("ztf") else of_objects(), name)
        dice = random.Random(4)
        broken = []
        for number in range(300):
            message = dice.choice(good)
            value = bytearray(message.value)
            for _ in range(dice.randint(1, 6)):
                value[dice.randrange(len(value))] ^= dice.randint(1, 255)
            cut = dice.choice([len(value), dice.randrange(len(value))])
            broken.append(Message("alerts", 1, number, bytes(value[:cut]), message.key))
        found = broker(kind, schemas=str(schemas)).decode([*good, *broken])
        known = {alert.object_id for alert in broker(kind, schemas=str(schemas)).decode(good).alerts}
        assert known <= {alert.object_id for alert in found.alerts}
        assert len(found.refused) > 100
        assert all(each.partition == 1 and each.reason for each in found.refused)

    def test_a_light_curve_that_fails_is_one_message(self, schemas: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bad = named(of_objects()[3])
        real = packets.Packets.curves

        def failing(self: packets.Packets, chosen: Any, scale: float = 1.0) -> LightCurves:
            if any(self.object_ids[number] == bad for number in chosen.tolist()):
                raise ZeroDivisionError("nobody thought of this")
            return real(self, chosen, scale)

        monkeypatch.setattr(packets.Packets, "curves", failing)
        found = broker("rubin", schemas=str(schemas)).decode(messages_of(of_objects(), "rubin"))
        assert reasons(found) == ["its light curve cannot be read: ZeroDivisionError: nobody thought of this"]
        assert len(found.alerts) == len(found.curves) == len(of_objects()) - 1

    def test_readers_are_made_once(self, schemas: Path) -> None:
        text = json.dumps(lsst_schema("9_0"))
        assert numbered_reader(text, 900) is numbered_reader(text, 900)
        assert readers_in(schemas) is readers_in(schemas)

    def test_unpacking_may_refuse(self) -> None:
        def refuse(_: Message) -> Any:
            raise MalformedAlert("message", "is not for us")

        assert reasons(decode_packets(sent([b"a", b"b"]), refuse)) == ["is not for us"] * 2
