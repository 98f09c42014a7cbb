"""Alerts of a schema to come: fields that nobody knows yet do no harm, and one that is needed and gone is named."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulators.alerts.avro_messages import SchemaWriter as AvroMessage
from simulators.alerts.avro_schemas import lsst_schema
from simulators.alerts.broker_forms import LasairMode, to_lasair_lsst
from simulators.services.lasair_lsst import LasairLsstStandin, to_object
from tests.support.alert_packets import framed, messages_of, of_objects, schema_folder, without, written
from tests.support.answers import ztf_settings
from tests.support.databases import rows_of
from tests.support.decisions import decisions_in, judged_of, stored, unlike
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.models import Message, Pull
from tides_bridge.database import Database
from tides_bridge.formats.files import read_light_curves
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings

Packet = dict[str, Any]

FUNCTION = SelectionFunction.parse(
    "usual", {"rules": "strict", "filters": [*"griz"], "significance": 5, "minBands": 2, "minNights": 2}
)

NEEDED = ("midpointMjdTai", "psfFlux", "psfFluxErr", "band")


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return schema_folder(tmp_path_factory.mktemp("schemas"))


def of_lasair(mode: LasairMode, packet: Packet) -> Packet:
    """Make a message of Lasair for an alert, as JSON gives it back."""
    return dict(json.loads(json.dumps(to_lasair_lsst(packet, mode))))


def longest() -> Packet:
    """Give an alert with a history."""
    return max(of_objects(), key=lambda packet: len(packet["prvDiaSources"]))


def in_json(content: Packet) -> Message:
    return Message("alerts", 0, 0, json.dumps(content).encode())


# Unknown fields


@pytest.mark.parametrize(("kind", "form"), [("rubin", "rubin"), ("fink_lsst", "fink-lsst"), ("recorded", "lsst-avro")])
def test_version_12_is_decided_as_version_10(kind: str, form: str, schemas: Path) -> None:
    settings = ztf_settings(broker={"kind": kind, "schemas": str(schemas)})
    decided = {
        version: decisions_in(
            judged_of(settings, messages_of(of_objects(version), form, lsst_version=version), [FUNCTION])
        )
        for version in ("10_0", "12_0")
    }
    assert unlike(decided["12_0"], decided["10_0"]) == {}
    assert 0 < sum(each.passed for each in decided["12_0"].values()) < len(decided["12_0"])


@pytest.mark.parametrize("kind", ["lasair_lsst", "recorded"])
@pytest.mark.parametrize("mode", ["LITE", "FULL"])
def test_json_with_unknown_fields_is_decided_as_without(kind: str, mode: LasairMode) -> None:
    known = [of_lasair(mode, packet) for packet in of_objects()]
    newer = [with_unknown(content) for content in known]
    settings = ztf_settings(broker={"kind": kind})
    some, others = (
        decisions_in(judged_of(settings, [in_json(each) for each in contents], [FUNCTION]))
        for contents in (known, newer)
    )
    assert unlike(some, others) == {}
    assert len(some) == len(known)


def with_unknown(content: Any) -> Any:
    """Add a field to every record in something, with a record in it and a list."""
    if isinstance(content, list):
        return [with_unknown(each) for each in content]
    if not isinstance(content, dict):
        return content
    known = {key: with_unknown(value) for key, value in content.items()}
    return {"newIn12": {"flux": [1.5, None], "band": "ultraviolet"}, **known}


# Needed fields


@pytest.mark.parametrize("name", NEEDED)
def test_a_message_without_it_is_kept_with_its_name(
    name: str, schemas: Path, tmp_path: Path, database: Database, settings: Settings
) -> None:
    schema = without(lsst_schema("12_0"), "diaSource", name)
    written(tmp_path, "lsst.v12_0.alert.avsc", schema)
    broker = settings.broker.model_validate({"kind": "rubin", "schemas": str(tmp_path)})
    chosen = settings.model_copy(update={"broker": broker})
    stored(database, chosen, [FUNCTION], Pull(framed(schema, 1200, *of_objects("12_0")[:3]), {}, is_last=True))
    rows = rows_of(database, "SELECT reason, body FROM refused_message")
    assert [row["reason"] for row in rows] == [f"diaSource.{name} is missing from schema 1200"] * 3
    assert rows_of(database, "SELECT 1 FROM decision") == []


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("kind", ["lasair_lsst", "recorded"])
@pytest.mark.parametrize("mode", ["LITE", "FULL"])
def test_a_message_in_json_too(kind: str, mode: LasairMode, name: str) -> None:
    content = of_lasair(mode, longest())
    for source in content["alert"]["diaSourcesList"]:
        source[f"new_{name}"] = source.pop(name)
    found = broker_of(ztf_settings(broker={"kind": kind})).decode([in_json(content)])
    assert [each.reason for each in found.refused] == [f"diaSourcesList.{name} is missing"]
    assert (found.alerts, len(found.curves)) == ([], 0)


@pytest.mark.parametrize("name", NEEDED)
def test_a_field_without_values_is_there(name: str) -> None:
    content = of_lasair("FULL", longest())
    for source in content["alert"]["diaSourcesList"]:
        source[name] = None
    found = broker_of(ztf_settings(broker={"kind": "lasair_lsst"})).decode([in_json(content)])
    assert (len(found.alerts), len(found.curves), found.refused) == (1, 1, [])


@pytest.fixture
def lasair() -> Iterator[LasairLsstStandin]:
    with LasairLsstStandin("token") as standin:
        yield standin


@pytest.mark.parametrize("name", NEEDED)
def test_an_answer_of_the_api_too(name: str, lasair: LasairLsstStandin) -> None:
    curve = copy.deepcopy(to_object(longest()))
    for source in curve["diaSourcesList"]:
        del source[name]
    lasair.load([curve])
    settings = ztf_settings(
        broker={"kind": "lasair_lsst"}, lasairToken="token", lightCurves={"address": lasair.address}
    )
    object_id = str(curve["diaObjectId"])
    missing = broker_of(settings).fetch([object_id]).missing
    assert missing == {object_id: f"its light curve cannot be read: diaSourcesList.{name} is missing"}


def as_container(name: str, packet: Packet) -> bytes:
    return AvroMessage(without(lsst_schema(), "diaSource", name)).container(packet)


def as_table(name: str, packet: Packet) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([lean(name, packet)]), sink)
    return bytes(sink.getvalue().to_pybytes())


def as_document(name: str, packet: Packet) -> bytes:
    return json.dumps([lean(name, packet)]).encode()


def as_lines(name: str, packet: Packet) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in (packet_in_json(of_objects()[0]), lean(name, packet)))


def lean(name: str, packet: Packet) -> Packet:
    """Give an alert whose detections lack a field."""
    made = packet_in_json(packet)
    for source in (made["diaSource"], *made["prvDiaSources"]):
        del source[name]
    return made


def packet_in_json(packet: Packet) -> Packet:
    kept = ("diaSourceId", "diaSource", "prvDiaSources", "diaObject")
    return dict(json.loads(json.dumps({key: packet[key] for key in kept})))


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("make", [as_container, as_table, as_document, as_lines])
def test_files_too(make: Callable[[str, Packet], bytes], name: str, tmp_path: Path) -> None:
    file = tmp_path / "alerts"
    file.write_bytes(make(name, longest()))
    told: list[str] = []
    curves = list(read_light_curves([file], refused=lambda _, problem: told.append(problem)))
    number = {as_table: "", as_lines: "record 2: "}.get(make, "record 1: ")
    assert told == [f"{number}diaSource.{name} is missing"]
    assert sum(len(each) for each in curves) == (make is as_lines)
