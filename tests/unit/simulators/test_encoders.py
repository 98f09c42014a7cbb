"""The framings of the stand-ins: what is written is what fastavro, bson and json read, with exact ids."""

import io
import json
import math
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import bson
import fastavro
import pytest
from fastavro.schema import load_schema
from hypothesis import given
from hypothesis import strategies as st

from simulators.alerts import avro_schemas, packets, ztf_schemas
from simulators.alerts.avro_messages import SchemaWriter
from simulators.alerts.avro_schemas import ELASTICC_VERSIONS, LSST_VERSIONS, elasticc_schema, lsst_schema
from simulators.alerts.broker_forms import LasairMode
from simulators.alerts.encoders import (
    FORMATS,
    EncodingOptions,
    encode,
    is_of_object,
    observed_ms,
    write_recording,
)
from simulators.alerts.lsst_packets import LsstPackets
from simulators.sky import Sky
from tests.support.packets import newest_packets
from tests.support.recordings import recorded_in
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options as ReadingOptions
from tides_bridge.formats.messages_of_files import messages_in
from tides_bridge.formats.recording import RecordedMessage, is_recording
from tides_bridge.lightcurves.photometry import MJD_ZERO, TAI_AHEAD

Packet = dict[str, Any]

SKY = Sky(1, "lsst", objects=60, nights=40)
ZTF_SKY = Sky(1, "ztf", objects=12, nights=40)


def rubins(version: str = "10_0", cutout_bytes: int = 0) -> list[Packet]:
    """Write the newest alert of each object, known asteroids too."""
    made = LsstPackets(SKY, version, cutout_bytes)
    return [packet for packet in map(made.newest, range(len(SKY.objects))) if packet]


def of_objects() -> list[Packet]:
    return [packet for packet in rubins() if is_of_object(packet)]


def ztfs() -> list[Packet]:
    nights = range(ZTF_SKY.first_night, ZTF_SKY.first_night + ZTF_SKY.nights)
    return [packet for night in nights for packet in packets.alerts(ZTF_SKY, night)]


def bare_by_fastavro(schema: Any, packet: Packet) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), packet)
    return stream.getvalue()


def decoded(body: bytes, schema: Any) -> Packet:
    """Read a message to its last byte."""
    stream = io.BytesIO(body)
    found = fastavro.schemaless_reader(stream, fastavro.parse_schema(schema), None)
    assert stream.read() == b""
    assert isinstance(found, dict)
    return found


def contained(body: bytes) -> Packet:
    (found,) = fastavro.reader(io.BytesIO(body))
    assert isinstance(found, dict)
    return found


class TestAvro:
    @pytest.mark.parametrize("version", LSST_VERSIONS)
    def test_the_bytes_are_those_of_fastavro(self, version: str) -> None:
        schema = lsst_schema(version)
        writer, parsed = SchemaWriter(schema), fastavro.parse_schema(schema)
        for packet in rubins(version, cutout_bytes=300):
            assert writer.bare(packet) == bare_by_fastavro(parsed, packet)

    @given(data=st.data())
    def test_so_they_are_whatever_is_missing(self, data: st.DataObject) -> None:
        of_type = {
            "long": st.integers(-(2**63), 2**63 - 1),
            "int": st.integers(-(2**31), 2**31 - 1),
            "float": st.floats(width=32),
            "double": st.floats(),
            "boolean": st.booleans(),
            "string": st.text(),
        }
        fields = avro_schemas.fields_of_table(avro_schemas.SS_SOURCE) + avro_schemas.fields_of_table(
            "boolean? flag\nlong? last"
        )
        made = {
            name: data.draw(st.none() | of_type[kind[1]] if isinstance(kind, list) else of_type[kind])
            for name, kind in fields
        }
        schema = avro_schemas.record("made.record", fields)
        kept = {name: value for name, value in made.items() if value is not None or data.draw(st.booleans())}
        assert SchemaWriter(schema).bare(kept) == bare_by_fastavro(schema, kept)

    def test_a_union_of_more_is_no_schema_of_ours(self) -> None:
        with pytest.raises(ValueError, match="a union is of null and another type"):
            SchemaWriter(avro_schemas.record("made.record", [("a", ["null", "int", "string"])]))

    def test_every_schema_is_one_and_can_be_told_by_its_name(self) -> None:
        made = [
            *map(lsst_schema, LSST_VERSIONS),
            *map(elasticc_schema, ELASTICC_VERSIONS),
            avro_schemas.fink_lsst_schema(),
            avro_schemas.babamul_lsst_schema(),
            ztf_schemas.ztf_schema(),
            ztf_schemas.fink_ztf_schema(),
            ztf_schemas.babamul_ztf_schema(),
            avro_schemas.RECORDING,
        ]
        assert all(fastavro.parse_schema(schema) for schema in made)
        assert Counter(schema["name"] for schema in made)["lsst.v10_0.alert"] == 2  # Fink keeps Rubin's name


class TestPublishedSchemas:
    """Ours have the names, types and order of the published ones, which the messages depend on."""

    @pytest.mark.parametrize("version", ["9_0", "10_0", "11_0"])
    def test_rubins(self, version: str, shared_data: Path) -> None:
        published = shared_data / "lsst" / "schema" / f"v{version}" / f"lsst.v{version}.alert.avsc"
        self.compare(published, lsst_schema(version))
        schema = load_schema(str(published))
        for packet in rubins(version):
            message = encode(packet, "rubin", EncodingOptions(lsst_version=version)).value
            known = decoded(message[5:], schema)
            assert known["diaSource"]["diaObjectId"] == packet["diaSource"]["diaObjectId"]
            assert (known["ssSource"] is None) == (packet["ssSource"] is None)

    @pytest.mark.parametrize("version", ELASTICC_VERSIONS)
    def test_elasticcs(self, version: str, shared_data: Path) -> None:
        published = shared_data / "elasticc" / "schema" / f"elasticc.v{version}.alert.avsc"
        self.compare(published, elasticc_schema(version))
        other = elasticc_schema(next(each for each in ELASTICC_VERSIONS if each != version))
        message = encode(of_objects()[0], "elasticc", EncodingOptions(elasticc_version=version)).value
        assert decoded(message, load_schema(str(published)))["diaSource"]["diaSourceId"] > 2**53
        with pytest.raises((EOFError, IndexError, ValueError, AssertionError)):
            decoded(message, other)

    def compare(self, published: Path, ours: Any) -> None:
        assert list(layout(load_schema(str(published)))) == list(layout(fastavro.parse_schema(ours)))


def layout(schema: Any, name: str = "") -> Any:
    """List the fields of a schema and of the records in it: place and type, in order."""
    if isinstance(schema, list):
        for each in schema:
            yield from layout(each, name)
    elif isinstance(schema, dict) and schema["type"] == "record":
        for field in schema["fields"]:
            yield from layout(field["type"], f"{name}.{field['name']}")
    elif isinstance(schema, dict) and schema["type"] == "array":
        yield from layout(schema["items"], f"{name}[]")
    else:
        yield name, schema["type"] if isinstance(schema, dict) else schema


class TestFramings:
    """Each is told by its first bytes and its key."""

    def test_rubins_messages_have_confluents_header(self) -> None:
        for version, number in (("9_0", 900), ("10_0", 1000), ("12_0", 1200)):
            packet = rubins(version)[0]
            key, value = encode(packet, "rubin", EncodingOptions(lsst_version=version))
            assert (key, value[0], struct.unpack(">I", value[1:5])[0]) == (None, 0, number)
            assert decoded(value[5:], lsst_schema(version))["diaSourceId"] == packet["diaSourceId"]

    @pytest.mark.parametrize("name", ["fink-lsst", "fink-ztf"])
    def test_finks_messages_have_their_schema_as_key(self, name: str) -> None:
        packet = rubins()[0] if name == "fink-lsst" else ztfs()[0]
        key, value = encode(packet, name)
        assert key is not None
        found = decoded(value, json.loads(key))
        assert found["fink_broker_version"] == "simulated"
        inner = "diaSource" if name == "fink-lsst" else "candidate"
        identifier = "diaSourceId" if name == "fink-lsst" else "candid"
        assert found[inner][identifier] == packet[inner][identifier] > 2**53

    def test_fink_writes_null_where_rubin_writes_nan(self) -> None:
        packet = next(each for each in of_objects() if each["prvDiaSources"])
        key, value = encode(packet, "fink-lsst")
        found = decoded(value, json.loads(key or b""))
        sources = [found["diaSource"], found["diaObject"], *found["prvDiaSources"], *found["prvDiaForcedSources"]]
        assert not any(isinstance(each, float) and math.isnan(each) for row in sources for each in row.values())
        assert math.isnan(packet["diaSource"]["trailFlux"])
        assert found["diaSource"]["trailFlux"] is None

    def test_fink_knows_variable_stars_from_catalogues(self) -> None:
        types = {"variable star": "RRAB", "SN Ia": None, "AGN": None}
        for packet in of_objects():
            truth = packet["labels"]["truth"]
            if truth in types:
                key, value = encode(packet, "fink-lsst")
                assert decoded(value, json.loads(key or b""))["xm"]["vsx_Type"] == types[truth]

    @pytest.mark.parametrize("name", ["lsst-avro", "babamul-lsst", "ztf-avro", "babamul-ztf"])
    def test_containers_bring_their_schema(self, name: str) -> None:
        packet = of_objects()[0] if FORMATS[name].survey == "lsst" else ztfs()[0]
        key, value = encode(packet, name)
        assert (key, value[:4]) == (None, b"Obj\x01")
        found = contained(value)
        candidate = found.get("candidate") or found["diaSource"]
        ids = {found.get("candid"), found.get("diaSourceId"), candidate.get("candid"), candidate.get("diaSourceId")}
        assert ids - {None} == {packet.get("candid") or packet["diaSourceId"]}

    def test_antares_is_bson_and_has_no_photometry(self) -> None:
        for packet, kind, name in ((of_objects()[0], "lsst", "dia_object_id"), (ztfs()[0], "ztf", "id")):
            key, value = encode(packet, "antares")
            assert (key, value[:1]) == (None, b"\x78")
            locus = bson.decode(zlib.decompress(value))
            assert set(locus) == {"id", "ra", "dec", "properties", "tags", "catalogs"}
            expected = str(packet["diaObject"]["diaObjectId"]) if kind == "lsst" else packet["objectId"]
            assert locus["properties"]["survey"][kind][name] == [expected]
            assert locus["id"].startswith("ANT2026")

    def test_an_object_keeps_its_locus(self) -> None:
        loci: dict[str, set[str]] = {}
        for packet in ztfs():
            locus = bson.decode(zlib.decompress(encode(packet, "antares").value))
            loci.setdefault(packet["objectId"], set()).add(locus["id"])
        assert {len(names) for names in loci.values()} == {1}
        assert len(set.union(*loci.values())) == len(loci) > 8


class TestLasair:
    def message(self, packet: Packet, mode: LasairMode, **options: Any) -> Any:
        return json.loads(encode(packet, "lasair-lsst", EncodingOptions(lasair_mode=mode, **options)).value)

    def longest(self) -> Packet:
        return max(of_objects(), key=lambda packet: len(packet["prvDiaSources"]))

    def test_ids_are_exact_and_nan_is_literal(self) -> None:
        packet = self.longest()
        value = encode(packet, "lasair-lsst").value
        assert b"NaN" in value and b'"decl":' in value and b'"dec":' not in value
        assert f'"diaObjectId":{packet["diaObject"]["diaObjectId"]}'.encode() in value

    def test_plain_has_the_columns_only(self) -> None:
        message = self.message(self.longest(), "PLAIN")
        assert "alert" not in message and message["sherlock_classifications"]
        assert message["UTC"][:5] == "2026-" and len(message["UTC"]) == 19

    def test_lite_has_no_source_ids_and_the_newest_first(self) -> None:
        packet = self.longest()
        alert = self.message(packet, "LITE")["alert"]
        assert set(alert) == {"diaSourcesList", "diaForcedSourcesList"}
        assert {frozenset(each) for each in alert["diaSourcesList"]} == {
            frozenset({"psfFlux", "psfFluxErr", "midpointMjdTai", "band", "reliability"})
        }
        for points in alert.values():
            epochs = [each["midpointMjdTai"] for each in points]
            assert len(epochs) > 3 and epochs == sorted(epochs, reverse=True)
        assert alert["diaSourcesList"][0]["psfFlux"] == packet["diaSource"]["psfFlux"]

    def test_full_has_all_columns(self) -> None:
        alert = self.message(self.longest(), "FULL")["alert"]
        assert [len(alert["diaSourcesList"][0]), len(alert["diaForcedSourcesList"][0])] == [98, 14]
        assert len(alert["diaObject"]) == 82

    def test_the_same_messages_lack_the_alert_each_time(self) -> None:
        lacking = [
            ["alert" not in self.message(each, "FULL", without_alert=0.5) for each in of_objects()] for _ in "ab"
        ]
        assert lacking[0] == lacking[1] and 0.25 < sum(lacking[0]) / len(lacking[0]) < 0.75


class TestUnits:
    def test_elasticc_has_its_zero_point_and_names(self) -> None:
        packet = next(each for each in of_objects() if each["diaSource"]["band"] == "y")
        usual, old = (
            decoded(encode(packet, "elasticc", EncodingOptions(zero_point=zero)).value, elasticc_schema())
            for zero in (31.4, 27.5)
        )
        assert usual["diaSource"]["psFlux"] == packet["diaSource"]["psfFlux"]
        assert 2.5 * math.log10(usual["diaSource"]["psFlux"] / old["diaSource"]["psFlux"]) == pytest.approx(3.9)
        assert usual["diaSource"]["filterName"] == "Y"
        assert usual["diaObject"]["decl"] == packet["diaObject"]["dec"]

    def test_babamuls_magnitudes_and_fluxes_are_those_of_the_packet(self) -> None:
        for packet in of_objects():
            found, flux = contained(encode(packet, "babamul-lsst").value), packet["diaSource"]["psfFlux"]
            candidate = found["candidate"]
            assert 31.4 - 2.5 * math.log10(abs(flux)) == pytest.approx(candidate["magpsf"], abs=1e-5)
            assert candidate["isdiffpos"] is (flux > 0)
            assert candidate["jd"] == packet["diaSource"]["midpointMjdTai"] - TAI_AHEAD + MJD_ZERO
            assert found["objectId"] == str(packet["diaObject"]["diaObjectId"])
            history = [*packet["prvDiaSources"], packet["diaSource"]]
            assert [each["psfFlux"] for each in found["prv_candidates"]] == [each["psfFlux"] for each in history]
            assert len(found["fp_hists"]) == len(packet["prvDiaForcedSources"])

    def test_babamuls_ztf_fluxes_give_the_magnitudes_back(self) -> None:
        for packet in ztfs():
            found = contained(encode(packet, "babamul-ztf").value)
            points = [each for each in packet["prv_candidates"] if "magpsf" in each] + [packet["candidate"]]
            assert len(found["prv_nondetections"]) == len(packet["prv_candidates"]) + 1 - len(points)
            for each, point in zip(found["prv_candidates"], points, strict=True):
                assert 23.9 - 2.5 * math.log10(abs(each["psfFlux"]) * 1e-9) == pytest.approx(point["magpsf"])
                assert (each["psfFlux"] > 0) == (point["isdiffpos"] == "t")
                assert each["psfFluxErr"] / abs(each["psfFlux"]) == pytest.approx(point["sigmapsf"] / 1.0857362)


class TestRefusals:
    def test_a_packet_of_another_survey(self) -> None:
        with pytest.raises(MalformedAlert, match="is of ztf, and rubin is a format of lsst"):
            encode(ztfs()[0], "rubin")
        with pytest.raises(MalformedAlert, match="is of lsst"):
            encode(rubins()[0], "ztf-json")

    @pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.of_objects])
    def test_an_asteroid_where_there_are_none(self, name: str) -> None:
        asteroid = next(packet for packet in rubins() if not is_of_object(packet))
        with pytest.raises(MalformedAlert, match="an object of the solar system"):
            encode(asteroid, name)

    @pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.survey == "lsst"])
    def test_a_packet_that_lacks_what_the_schema_wants(self, name: str) -> None:
        packet = dict(of_objects()[0])
        source = {key: value for key, value in packet["diaSource"].items() if key != "midpointMjdTai"}
        with pytest.raises(MalformedAlert, match=f"does not fit {name}: it has no midpointMjdTai"):
            encode(packet | {"diaSource": source}, name)


class TestRecordings:
    MESSAGES = (
        RecordedMessage(b"\0\1", b"key", 1),
        RecordedMessage(b"", None, -5),
        RecordedMessage(b"x" * 5_000_000, b"\xff", 2**53 + 1),
        RecordedMessage(b"after a large one", None, 3),
    )

    def test_messages_come_back_as_they_were(self, tmp_path: Path) -> None:
        path = tmp_path / "r"
        assert write_recording(path, self.MESSAGES, "rubin", lsst_schema("9_0")) == 4
        assert tuple(recorded_in(path)) == self.MESSAGES
        assert list(messages_in(path, ReadingOptions())) == [(each.value, each.key) for each in self.MESSAGES]
        assert self.metadata(path) == {"tides.format": "rubin", "tides.schema": lsst_schema("9_0")}

    def test_the_format_may_be_unknown_and_there_may_be_nothing(self, tmp_path: Path) -> None:
        assert write_recording(tmp_path / "r", iter(())) == 0
        assert list(messages_in(tmp_path / "r", ReadingOptions())) == []
        assert self.metadata(tmp_path / "r") == {"tides.format": ""}

    def test_schemas_in_keys_are_packed_away(self, tmp_path: Path) -> None:
        messages = [RecordedMessage(value, key, 0) for key, value in (encode(each, "fink-lsst") for each in rubins())]
        write_recording(tmp_path / "r", messages, "fink-lsst")
        values = sum(len(message.value) for message in messages)
        keys = sum(len(message.key or b"") for message in messages)
        assert (tmp_path / "r").stat().st_size < values + 0.2 * keys

    def test_the_time_is_that_of_the_observation(self) -> None:
        rubin, ztf = rubins()[0], ztfs()[0]
        lag = (rubin["diaSource"]["midpointMjdTai"] - 40587) * 86_400_000 - observed_ms(rubin)
        assert lag == pytest.approx(37_000, abs=1)  # TAI is ahead of UTC
        assert observed_ms(ztf) == pytest.approx((ztf["candidate"]["jd"] - 2440587.5) * 86_400_000, abs=1)

    def test_what_is_no_recording_is_not_taken_for_one(self, tmp_path: Path) -> None:
        for content in (encode(ztfs()[0], "ztf-avro").value, b"{}"):
            (tmp_path / "r").write_bytes(content)
            assert list(messages_in(tmp_path / "r", ReadingOptions())) == [(content, None)]

    def metadata(self, path: Path) -> Packet:
        with path.open("rb") as stream:
            reader: Any = fastavro.reader(stream)
            assert is_recording(reader.writer_schema)
            ours = {name: value for name, value in reader.metadata.items() if name.startswith("tides.")}
        return ours | {name: json.loads(text) for name, text in ours.items() if name == "tides.schema"}


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.survey == "ztf"])
def test_recorded_packets_can_be_framed_too(name: str, shared_data: Path) -> None:
    """A share of the real packets, which have all of ZTF's 103 fields, and older ones that lack some."""
    for candidates in list(newest_packets(shared_data).values())[::10]:
        packet = {"schemavsn": "4.02", "objectId": "ZTF", "candid": candidates[0]["candid"]}
        packet |= {"candidate": candidates[0], "prv_candidates": candidates[1:] or None, "fp_hists": None}
        key, value = encode(packet, name)
        if name == "ztf-json":
            found = json.loads(value)
        else:
            found = decoded(value, json.loads(key)) if key else contained(value)
        assert found["candid"] == packet["candid"]
        magnitude = pytest.approx(candidates[0]["magpsf"], abs=1e-5)
        assert found["candidate"]["magpsf"] == magnitude
