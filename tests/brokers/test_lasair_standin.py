"""The Lasair and Kafka stand-ins, against recorded answers of the real Lasair."""

import gzip
import json
import math
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from confluent_kafka import Consumer

from simulators.services import stream
from simulators.services.lasair import LasairStandin, detections_of_packet, to_light_curve, to_message
from simulators.services.stream import KafkaStandin
from tides_bridge.errors import BrokerUnavailable, RejectedError

DATA = Path(__file__).parents[2].parent / "shared" / "data"
TOKEN = "secret"
recorded = pytest.mark.skipif(not DATA.is_dir(), reason="no recorded data here")


def detection(candid: int, jd: float, **other: Any) -> dict[str, Any]:
    return {
        "candid": candid, "jd": jd, "fid": 2, "nid": int(jd - 2457754.5), "ra": 150.0, "dec": 2.0, "magpsf": 19.0,
        "sigmapsf": 0.1, "isdiffpos": "t", "magzpsci": 26.2, "diffmaglim": 20.5, "drb": 0.99, "ssdistnr": -999.0,
        "ssnamenr": "null",
    } | other  # fmt: skip


def packet(name: str = "ZTF26aaaaaaa") -> dict[str, Any]:
    newest = detection(4001, 2461200.9)
    return {
        "objectId": name,
        "candid": 4001,
        "candidate": newest,
        "prv_candidates": [
            {"jd": 2461190.8, "fid": 1, "diffmaglim": 20.1},
            detection(3001, 2461198.7, fid=1, magpsf=18.5, isdiffpos="1", drb=None),
            detection(3002, 2461199.7, fid=1, magpsf=17.5, isdiffpos="0"),
            newest,
        ],
    }


@pytest.fixture
def lasair() -> Iterator[LasairStandin]:
    with LasairStandin(token=TOKEN) as standin:
        standin.load(to_light_curve(packet(name)) for name in ("ZTF26aaaaaaa", "ZTF26aaaaaab"))
        yield standin


def ask(
    lasair: LasairStandin, names: str, method: str = "lightcurves", token: str = TOKEN, **fields: str
) -> requests.Response:
    key = "objectIds" if method == "lightcurves" else "objectId"
    headers = {"Authorization": f"Token {token}"}
    return requests.post(f"{lasair.address}/{method}/", data={key: names, **fields}, headers=headers, timeout=60)


def test_a_message_is_a_row_of_the_filter() -> None:
    assert to_message(packet()) == {
        "objectId": "ZTF26aaaaaaa", "ramean": 150.0, "decmean": 2.0, "jdmin": 2461198.7, "jdmax": 2461200.9,
        "ncand": 3, "gmag": 18.5, "rmag": 19.0, "classification": "UNCLEAR", "UTC": "2026-06-09 09:36:00",
    }  # fmt: skip


def test_a_message_without_brightening_has_null_magnitudes_and_the_newest_position() -> None:
    alert = packet() | {
        "candidate": detection(1, 2461200.9, isdiffpos="f", ra=359.9),
        "prv_candidates": [detection(2, 2461199.9, isdiffpos="0", ra=0.3)],
        "labels": {"sherlock": "SN"},
    }
    message = to_message(alert)
    assert (message["gmag"], message["rmag"], message["classification"]) == (None, None, "SN")
    assert message["ramean"] == 359.9


def test_a_light_curve_holds_each_point_once_and_limits_last() -> None:
    points = to_light_curve(packet())["candidates"]
    assert [p.get("candid") for p in points] == [4001, 3001, 3002, None]
    assert [p.get("isdiffpos") for p in points] == ["t", "t", "f", None]
    assert points[-1] == {"jd": 2461190.8, "fid": 1, "diffmaglim": 20.1}
    assert math.isnan(points[1]["drb"])


def test_identifiers_that_went_through_a_table_are_integers_again() -> None:
    alert = packet() | {"prv_candidates": [detection(2, 2461199.9) | {"candid": 2759397043915015168.0}]}
    assert to_light_curve(alert)["candidates"][1]["candid"] == 2759397043915015168


def test_light_curves_come_in_the_order_of_the_question(lasair: LasairStandin) -> None:
    answer = ask(lasair, "ZTF26aaaaaab, ZTF26aaaaaaa,ZTF00nothing")
    first, second, unknown = answer.json()
    assert (first["objectId"], second["objectId"]) == ("ZTF26aaaaaab", "ZTF26aaaaaaa")
    assert set(first) == {"objectId", "candidates", "forcedphot"}
    assert unknown == {"error": "Object ZTF00nothing does not exist"}
    assert "NaN" in answer.text


def test_the_older_server_answers_lists_of_points() -> None:
    with LasairStandin(token=TOKEN, old_shape=True) as lasair:
        lasair.load([to_light_curve(packet())])
        points, unknown = ask(lasair, "ZTF26aaaaaaa,ZTF00nothing").json()
    assert [p.get("candid") for p in points] == [4001, 3001, 3002, None]
    assert unknown == []


def test_the_question_may_come_as_json_or_in_the_address(lasair: LasairStandin) -> None:
    address, fields = f"{lasair.address}/lightcurves/", {"objectIds": "ZTF26aaaaaaa", "token": TOKEN}
    got = requests.get(address, params=fields, timeout=60)
    posted = requests.post(address, params={"token": TOKEN}, json={"objectIds": "ZTF26aaaaaaa"}, timeout=60)
    assert got.text == posted.text
    assert got.json()[0]["objectId"] == "ZTF26aaaaaaa"


@pytest.mark.parametrize(("headers", "detail"), [
    ({}, "Authentication credentials were not provided."),
    ({"Authorization": "Token wrong"}, "Invalid token."),
])  # fmt: skip
def test_a_wrong_token_is_refused_and_costs_nothing(headers: dict[str, str], detail: str) -> None:
    with LasairStandin(token=TOKEN, calls_per_hour=1) as lasair:
        refused = requests.post(f"{lasair.address}/lightcurves/", data={"objectIds": "x"}, headers=headers, timeout=60)
        assert (refused.status_code, refused.json()) == (401, {"detail": detail})
        assert ask(lasair, "x").status_code == 200
        assert lasair.calls == 1


def test_the_hourly_limit_slides() -> None:
    now = [0.0]
    with LasairStandin(token=TOKEN, calls_per_hour=2, clock=lambda: now[0]) as lasair:
        assert ask(lasair, "x").status_code == 200
        now[0] = 1000.0
        assert ask(lasair, "x").status_code == 200
        refused = ask(lasair, "x")
        assert refused.status_code == 429
        assert refused.json()["message"].startswith("Request limit exceeded")
        assert refused.headers["Retry-After"] == "2600"
        now[0] = 3600.0
        assert ask(lasair, "x").status_code == 200
        assert ask(lasair, "x").status_code == 429
        assert lasair.calls == 3


@pytest.mark.parametrize(("names", "problem"), [
    ("", "This field is required."),
    ("Z" * 16385, "Ensure this field has no more than 16384 characters."),
])  # fmt: skip
def test_questions_that_the_server_refuses(lasair: LasairStandin, names: str, problem: str) -> None:
    answer = ask(lasair, names)
    assert (answer.status_code, answer.json()) == (400, {"objectIds": [problem]})


def test_a_body_that_cannot_be_read_is_refused(lasair: LasairStandin) -> None:
    answer = requests.post(
        f"{lasair.address}/lightcurves/", data="{", params={"token": TOKEN}, timeout=60,
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 400


def test_one_object_alone_and_with_what_lasair_adds(lasair: LasairStandin) -> None:
    plain = ask(lasair, "ZTF26aaaaaaa", "object", lasair_added="False").json()
    assert set(plain) == {"objectId", "candidates", "forcedphot"}
    added = ask(lasair, "ZTF26aaaaaaa", "object").json()
    counts = [added[f"count_{key}"] for key in ("isdiffpos", "isdiffneg", "all_candidates", "noncandidate")]
    assert counts == [2, 1, 3, 1]
    assert [p["jd"] for p in added["candidates"]] == [2461200.9, 2461199.7, 2461198.7, 2461190.8]
    galactic = {added["objectData"].pop(key) for key in ("glonmean", "glatmean")}
    assert len(galactic) == 2
    assert added["objectData"] == {key: to_message(packet())[key] for key in added["objectData"]}
    assert added["candidates"][-1]["magpsf"] == 20.1  # Lasair's own trap: only the candid tells
    assert ask(lasair, "ZTF00nothing", "object").status_code == 400
    assert ask(lasair, "", "object").status_code == 400


def test_a_stopped_stand_in_answers_no_more() -> None:
    lasair = LasairStandin(token=TOKEN).start()
    lasair.stop()
    lasair.stop()
    with pytest.raises(requests.ConnectionError):
        ask(lasair, "x")


@recorded
def test_the_shapes_are_those_of_recorded_answers() -> None:
    recorded_object = json.loads((DATA / "lasair_ztf" / "lasair_needle_ZTF24aatsiox_objects.json").read_text())
    with gzip.open(DATA / "ztf" / "alerts.jsonl.gz", "rt") as lines:
        alert = next(p for p in map(json.loads, lines) if p["fp_hists"])
    curve = to_light_curve(alert)
    for ours, theirs in ((curve["candidates"], recorded_object["candidates"]),
                         (curve["forcedphot"], recorded_object["forcedphot"])):  # fmt: skip
        assert set(ours[0]) <= set(theirs[0])
    old_text = (DATA / "lasair_ztf" / "lasair_api_lc_ZTF22aaaozss.txt").read_text()
    old_points = json.loads(old_text.split("\n", 1)[1])[0]
    assert set(curve["candidates"][0]) == set(old_points[0])
    assert set(curve["candidates"][-1]) == set(old_points[-1]) == {"jd", "fid", "diffmaglim"}
    with LasairStandin(token=TOKEN) as lasair:
        lasair.load([curve])
        added = ask(lasair, curve["objectId"], "object").json()
    assert set(added) == set(recorded_object)


@recorded
def test_every_recorded_packet_makes_a_message_and_a_light_curve() -> None:
    with gzip.open(DATA / "ztf" / "alerts.jsonl.gz", "rt") as lines:
        alerts = [json.loads(line) for line in lines]
    assert len(alerts) == 669
    for alert in alerts:
        points = to_light_curve(alert)["candidates"]
        identifiers = [p["candid"] for p in points if "candid" in p]
        assert (
            len(identifiers) == len(set(identifiers)) == to_message(alert)["ncand"] == len(detections_of_packet(alert))
        )
        assert {p["isdiffpos"] for p in points if "candid" in p} <= {"t", "f"}


def read(kafka: KafkaStandin, topic: str, number: int, group: str = "g") -> list[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": kafka.address, "group.id": group, "auto.offset.reset": "earliest",
         "group.protocol": "consumer"}
    )  # fmt: skip
    consumer.subscribe([topic])
    values: list[bytes] = []
    for _ in range(100):
        values += [m.value() or b"" for m in consumer.consume(number - len(values), 0.1) if not m.error()]
        if len(values) >= number:
            break
    consumer.close()
    return values


def test_kafka_keeps_what_is_published_and_a_group_continues() -> None:
    with KafkaStandin() as kafka:
        assert kafka.publish("topic", [b"%d" % i for i in range(10)]) == 10
        assert sorted(read(kafka, "topic", 10)) == [b"%d" % i for i in range(10)]
        assert kafka.publish("topic", [b"more"]) == 1
        assert read(kafka, "topic", 1) == [b"more"]
        assert len(read(kafka, "topic", 11, group="another")) == 11


def test_two_brokers_live_side_by_side() -> None:
    with KafkaStandin() as one, KafkaStandin() as other:
        one.publish("topic", [b"one"])
        other.publish("topic", [b"other"])
        assert (read(one, "topic", 1), read(other, "topic", 1)) == ([b"one"], [b"other"])


def test_kafka_says_what_it_would_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    with KafkaStandin() as kafka:
        with pytest.raises(RejectedError, match="message 2 for topic topic: 1000000 bytes"):
            kafka.publish("topic", [b"", b"x" * 1_000_000])
        monkeypatch.setattr(stream, "PARTITION_BYTES", 1000)
        kafka.publish("topic", [b"x" * 800])
        with pytest.raises(RejectedError, match="silently forgets"):
            kafka.publish("topic", [b"x" * 100] * 8)
        kafka.publish("another", [b"x" * 100] * 8)


def test_kafka_ends_with_its_owner() -> None:
    kafka = KafkaStandin().start()
    host, port = kafka.address.split(":")
    kafka.stop()
    kafka.stop()
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), 1)
    with pytest.raises(BrokerUnavailable, match="not running"):
        kafka.publish("topic", [b"x"])
