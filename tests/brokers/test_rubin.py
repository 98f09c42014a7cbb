"""Rubin's own stream: versions, what is refused and why, and schemas from a folder or a registry."""

import copy
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from simulators.alerts.avro_schemas import lsst_schema
from tests.support.alert_packets import (
    broker,
    framed,
    lsst,
    messages_of,
    named,
    of_objects,
    reasons,
    schema_folder,
    without,
    written,
)
from tides_bridge.brokers import packets, registry
from tides_bridge.brokers.models import Message
from tides_bridge.brokers.packets import PART, SOLAR_SYSTEM
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves.photometry import TAI_AHEAD


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return schema_folder(tmp_path_factory.mktemp("schemas"))


class Registry(ThreadingHTTPServer):
    """A schema registry over HTTP that counts what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[int, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Answers)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def knows(self, number: int, schema: Any) -> None:
        self.answers[number] = 200, json.dumps({"schema": json.dumps(schema)}).encode()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Registry)
        server.asked.append(self.path)
        number = int(self.path.removeprefix("/schemas/ids/"))
        status, body = server.answers.get(number, (404, b'{"error_code": 40403, "message": "Schema not found"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def served() -> Iterator[Registry]:
    registry.schema_text.cache_clear()
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class TestRubin:
    @pytest.mark.parametrize("version", ["9_0", "10_0", "11_0", "12_0"])
    def test_every_version_with_unknown_fields_too(self, schemas: Path, version: str) -> None:
        found = broker("rubin", schemas=str(schemas)).decode(messages_of(lsst(version), "rubin", lsst_version=version))
        moving = len(lsst(version)) - len(of_objects(version))
        assert moving > 1
        assert (found.refused, dict(found.skipped)) == ([], {SOLAR_SYSTEM: moving})
        assert {alert.object_id for alert in found.alerts} == set(map(named, of_objects(version)))
        assert {alert.survey for alert in found.alerts} == {"lsst"}

    def test_versions_side_by_side(self, schemas: Path) -> None:
        mixed = [
            message
            for version in ("9_0", "11_0", "10_0")
            for message in messages_of(lsst(version), "rubin", lsst_version=version)
        ]
        found = broker("rubin", schemas=str(schemas)).decode(mixed)
        assert sorted(found.curves.object_ids) == sorted(map(named, of_objects()))
        assert len(found.alerts) == len(found.curves)

    def test_the_alert_knows_when_and_where(self, schemas: Path) -> None:
        found = broker("rubin", schemas=str(schemas)).decode(messages_of(of_objects(), "rubin"))
        known = {named(packet): packet for packet in of_objects()}
        for alert in found.alerts:
            packet = known[alert.object_id]
            own, newest = packet["diaObject"], packet["diaSource"]
            assert alert.newest_mjd == pytest.approx(newest["midpointMjdTai"] - TAI_AHEAD, abs=1e-9)
            first = min(each["midpointMjdTai"] for each in [newest, *(packet["prvDiaSources"] or [])])
            assert alert.first_mjd == pytest.approx(first - TAI_AHEAD, abs=1e-9)
            assert (alert.ra, alert.decl) == (own["ra"], own["dec"])

    def test_what_the_object_says_of_its_first_source_counts_more(self, schemas: Path) -> None:
        packet = copy.deepcopy(of_objects()[0])
        packet["diaObject"]["firstDiaSourceMjdTai"] = 60900.0
        (alert,) = broker("rubin", schemas=str(schemas)).decode(messages_of([packet], "rubin")).alerts
        assert alert.first_mjd == 60900.0 - TAI_AHEAD

    def test_a_place_that_is_none_is_none(self, schemas: Path) -> None:
        packet = copy.deepcopy(of_objects()[0])
        packet["diaObject"] |= {"ra": -999.0, "dec": -999.0}
        (alert,) = broker("rubin", schemas=str(schemas)).decode(messages_of([packet], "rubin")).alerts
        assert (alert.ra, alert.decl) == (None, None)

    @pytest.mark.parametrize("name", ["midpointMjdTai", "psfFlux", "psfFluxErr", "band"])
    def test_a_missing_needed_field_is_named(self, tmp_path: Path, name: str) -> None:
        schema = without(lsst_schema("12_0"), "diaSource", name)
        written(tmp_path, "lsst.v12_0.alert.avsc", schema)
        messages = framed(schema, 1200, *lsst("12_0")[:3])
        found = broker("rubin", schemas=str(tmp_path)).decode(messages)
        assert reasons(found) == [f"diaSource.{name} is missing from schema 1200"] * 3

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (b"", "is empty"),
            (b"{}", "not with a zero byte and the number of its schema"),
            (b"\0\0\0\x27\x0fabc", "has the schema number 9999, which is not in "),
            (b"\0\0\0\x03\xe8\x02\0", "does not fit its schema: it ends too early"),
            (b"\0" * 5_000_001, "has 5000001 bytes, more than"),
        ],
    )
    def test_what_is_refused_is_refused_alone(self, schemas: Path, value: bytes, why: str) -> None:
        good = messages_of(of_objects(), "rubin")
        mixed = [*good, Message("alerts", 1, 7, value, b"key")]
        random.Random(1).shuffle(mixed)
        found = broker("rubin", schemas=str(schemas)).decode(mixed)
        assert len(found.alerts) == len(good)
        (refused,) = found.refused
        assert why in refused.reason
        assert (refused.topic, refused.partition, refused.offset, refused.body, refused.key) == (
            "alerts", 1, 7, value, b"key",
        )  # fmt: skip

    def test_without_any_schemas(self) -> None:
        found = broker("rubin").decode(messages_of(of_objects()[:1], "rubin"))
        assert reasons(found) == [
            "has the schema number 1000, which is not known: broker.schemas or broker.schemaRegistry names some"
        ]

    def test_ids_are_exact(self, schemas: Path) -> None:
        made, ids = [], [2**53 - 1, 2**53 + 1, 170587115523932323, 2**63 - 1]
        for number in ids:
            packet = copy.deepcopy(of_objects()[0])
            packet["diaSource"] |= {"diaObjectId": number, "diaSourceId": number}
            packet["prvDiaSources"], packet["prvDiaForcedSources"] = None, None
            made.append(packet)
        found = broker("rubin", schemas=str(schemas)).decode(messages_of(made, "rubin"))
        assert sorted(alert.object_id for alert in found.alerts) == sorted(map(str, ids))
        assert sorted(found.curves.source_id.tolist()) == sorted(ids)

    def test_of_equally_new_ones_the_last_counts(self, schemas: Path) -> None:
        first = of_objects()[0]
        second = {**first, "prvDiaSources": [], "prvDiaForcedSources": []}
        older = copy.deepcopy(first)
        older["diaSource"]["midpointMjdTai"] -= 1
        found = broker("rubin", schemas=str(schemas)).decode(messages_of([first, second, older], "rubin"))
        assert (len(found.alerts), len(found.curves.mjd)) == (1, 1)

    def test_a_batch_larger_than_what_is_read_at_once(self, schemas: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = broker("rubin", schemas=str(schemas)).decode(messages_of(lsst(), "rubin"))
        assert PART > 1_000_000
        monkeypatch.setattr(packets, "PART", 30_000)
        parts = broker("rubin", schemas=str(schemas)).decode(messages_of([*lsst(), *lsst()], "rubin"))
        assert parts.alerts == whole.alerts
        assert dict(zip(parts.curves.object_ids, parts.curves.digests(), strict=True)) == dict(
            zip(whole.curves.object_ids, whole.curves.digests(), strict=True)
        )


class TestRegistry:
    def test_a_schema_is_asked_for_once(self, served: Registry) -> None:
        served.knows(1000, lsst_schema("10_0"))
        for _ in range(3):
            found = broker("rubin", schemaRegistry=served.address).decode(messages_of(lsst(), "rubin"))
            assert (found.refused, len(found.alerts)) == ([], len(of_objects()))
        assert served.asked == ["/schemas/ids/1000"]

    def test_what_the_folder_has_is_not_asked_for(self, served: Registry, schemas: Path) -> None:
        served.knows(1300, lsst_schema("12_0"))
        rubin = broker("rubin", schemaRegistry=f"{served.address}/", schemas=str(schemas))
        newer = framed(lsst_schema("12_0"), 1300, *lsst("12_0"))
        found = rubin.decode([*messages_of(lsst(), "rubin"), *newer])
        assert (found.refused, served.asked) == ([], ["/schemas/ids/1300"])

    def test_an_unknown_number_is_refused_and_asked_for_once(self, served: Registry) -> None:
        rubin = broker("rubin", schemaRegistry=served.address)
        found = rubin.decode(messages_of(lsst()[:5], "rubin"))
        assert (
            reasons(found)
            == [f"has the schema number 1000, which the schema registry {served.address} does not know"] * 5
        )
        assert len(served.asked) == 1

    def test_a_schema_that_lacks_a_field(self, served: Registry) -> None:
        schema = without(lsst_schema("12_0"), "diaSource", "psfFlux")
        served.knows(1200, schema)
        found = broker("rubin", schemaRegistry=served.address).decode(framed(schema, 1200, lsst("12_0")[0]))
        assert reasons(found) == ["diaSource.psfFlux is missing from schema 1200"]

    def test_a_schema_that_is_none(self, served: Registry) -> None:
        served.knows(1000, {"type": "nothing"})
        found = broker("rubin", schemaRegistry=served.address).decode(messages_of(of_objects()[:1], "rubin"))
        assert "its schema is none" in reasons(found)[0]

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ((500, b"{}"), "answered 500"),
            ((401, b"{}"), "answered 401"),
            ((200, b"<html>"), "answered no schema"),
            ((200, b"[]"), "answered no schema"),
        ],
    )
    def test_a_registry_that_is_away_is_no_fault_of_the_message(
        self, served: Registry, answer: tuple[int, bytes], why: str
    ) -> None:
        served.answers[1000] = served.answers[900] = answer
        rubin = broker("rubin", schemaRegistry=served.address)
        with pytest.raises(BrokerUnavailable, match=why):
            rubin.decode(messages_of(lsst(), "rubin"))
        with pytest.raises(BrokerUnavailable, match=r"broker\.schemas, would do without it"):
            rubin.try_out()

    def test_nothing_listens_and_the_folder_is_enough(self, schemas: Path) -> None:
        registry.schema_text.cache_clear()
        away = "http://user:secret@127.0.0.1:9"  # pragma: allowlist secret
        rubin = broker("rubin", schemaRegistry=away, schemas=str(schemas))
        assert len(rubin.decode(messages_of(lsst(), "rubin")).alerts) == len(of_objects())
        said = rubin.try_out()
        assert said.startswith("4 schemas in ")
        assert "cannot be reached" in said
        assert "secret" not in said

    def test_trying_out(self, served: Registry, schemas: Path) -> None:
        assert broker("rubin", schemaRegistry=served.address).try_out() == served.address
        assert broker("rubin", schemas=str(schemas)).try_out() == f"4 schemas in {schemas}"
        assert broker("rubin").try_out() == "no service beside the stream"
