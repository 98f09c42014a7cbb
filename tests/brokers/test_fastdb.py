"""FASTDB: a login, the transients it saw lately as a stream, light curves, and what brokers said."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag

from simulators.services.fastdb import FastDbStandin, to_hot_transient
from tests.brokers.test_contract import name_of, packets_of
from tests.support.answers import ztf_settings
from tides_bridge.brokers import broker_of, stream_of
from tides_bridge.brokers.fastdb import hot_transients
from tides_bridge.brokers.fastdb.api import answer_to
from tides_bridge.brokers.fastdb.broker import FastDb
from tides_bridge.brokers.models import Message
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves.photometry import TAI_AHEAD
from tides_bridge.settings import Settings

PACKETS = packets_of("lsst")
NEWEST = sorted(packet["diaSource"]["midpointMjdTai"] for packet in PACKETS)
PLACE = ("realtime", 0)


@pytest.fixture
def fastdb() -> Iterator[FastDbStandin]:
    with FastDbStandin() as standin:
        standin.load(map(to_hot_transient, PACKETS))
        yield standin


def settings_for(fastdb: FastDbStandin, **values: Any) -> Settings:
    curves = {"address": fastdb.address, "callsPerHour": 100}
    usual = {"topic": "realtime", "lasairToken": fastdb.token, "lightCurves": curves}
    return ztf_settings(**usual | {"broker": {"kind": "fastdb", "batchSize": 4}} | values)


def read(settings: Settings, position: int | None = None) -> tuple[list[Message], int | None]:
    """Read the stream to its end; gives the messages, and the position after them."""
    messages: list[Message] = []
    with stream_of(settings, {} if position is None else {PLACE: position}) as stream:
        while True:
            pull = stream.next_pull()
            messages += pull.messages
            position = pull.positions.get(PLACE, position)
            if pull.is_last:
                return messages, position


def broker_for(fastdb: FastDbStandin) -> FastDb:
    broker = broker_of(settings_for(fastdb))
    assert isinstance(broker, FastDb)
    return broker


def test_what_it_saw_lately_is_read_as_the_packets_are(fastdb: FastDbStandin) -> None:
    messages, _ = read(settings_for(fastdb))
    found = broker_for(fastdb).decode(messages)
    wanted = {name_of(p): p for p in PACKETS if p["diaSource"]["midpointMjdTai"] >= NEWEST[-1] - 30}
    assert (found.refused, {alert.object_id for alert in found.alerts}) == ([], set(wanted))
    assert len(wanted) > 5
    for alert in found.alerts:
        packet = wanted[alert.object_id]
        assert alert.newest_mjd == pytest.approx(packet["diaSource"]["midpointMjdTai"] - TAI_AHEAD)
        assert (alert.ra, alert.decl) == (packet["diaObject"]["ra"], packet["diaObject"]["dec"])
        assert alert.annotations == {"fink.snn_snia_vs_nonia": 0.5}
    for number, name in enumerate(found.curves.object_ids):
        curve, packet = found.curves.part(number, number + 1), wanted[name]
        assert int(curve.is_detection.sum()) == 1 + len(packet["prvDiaSources"] or [])
        assert packet["diaSource"]["psfFlux"] == pytest.approx(curve.flux[np.argmax(curve.mjd * curve.is_detection)])


def test_a_run_goes_on_where_the_last_one_ended_and_asks_again_for_a_day(fastdb: FastDbStandin) -> None:
    messages, position = read(settings_for(fastdb))
    offsets = [message.offset for message in messages]
    assert offsets == sorted(set(offsets)) and position == offsets[-1] + 1
    again, same = read(settings_for(fastdb), position)
    day = [mjd for mjd in NEWEST if mjd >= NEWEST[-1] - hot_transients.AGAIN_DAYS]
    assert (len(again), same) == (len(day), position)
    fastdb.forget(map(name_of, PACKETS))
    assert read(settings_for(fastdb), position) == ([], position)


def test_light_curves_of_objects(fastdb: FastDbStandin) -> None:
    names = [name_of(packet) for packet in PACKETS[:2]]
    found = broker_for(fastdb).fetch([*names, "7", "ZTF26a"])
    assert sorted(found.curves.object_ids) == sorted(names)
    assert found.missing == dict.fromkeys(["7", "ZTF26a"], "FASTDB does not know it")


def test_rows_of_sql_and_what_is_none(fastdb: FastDbStandin) -> None:
    broker = broker_for(fastdb)
    (row,) = broker.query("SELECT count(*) AS number FROM diaobject")
    assert row == {"number": len(PACKETS)}
    with pytest.raises(BrokerUnavailable, match="answered no rows: no such table: nowhere"):
        broker.query("SELECT 1 FROM nowhere")
    assert "127.0.0.1" in broker.try_out()


@pytest.mark.parametrize(("token", "reason"), [("tides:wrong", "refuses user or password"), ("wrong", "needs a login")])
def test_who_it_does_not_know_is_told(fastdb: FastDbStandin, token: str, reason: str) -> None:
    with pytest.raises(BrokerUnavailable, match=reason) as caught:
        broker_of(settings_for(fastdb, lasairToken=token)).try_out()
    assert token not in str(caught.value)


def test_a_challenge_needs_the_password() -> None:
    text = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="  # pragma: allowlist secret
    with pytest.raises(InvalidTag):
        answer_to(dict.fromkeys(("challenge", "privkey", "salt", "iv"), text), "")


def test_lists_that_are_none_are_refused_with_a_reason() -> None:
    good = to_hot_transient(PACKETS[0])["ltcv"]
    changes: list[tuple[Any, str]] = [
        (None, "no columns"),
        ({name: values for name, values in good.items() if name != "flux"}, "has no column flux"),
        (good | {"flux": good["flux"][1:]}, "different lengths"),
        (good | {"mjd": [*good["mjd"][:-1], 5]}, "no epoch of our time"),
        (good | {"isdet": [0] * len(good["mjd"])}, "has no detection"),
        (good | {"source_diaobjectid": [None] * len(good["mjd"])}, "of an object that Rubin names"),
    ]
    broker = broker_of(ztf_settings(topic="realtime", broker={"kind": "fastdb"}))
    for number, (curve, reason) in enumerate(changes):
        message = Message("realtime", 0, number, json.dumps({"ltcv": curve}).encode())
        (refusal,) = broker.decode([message]).refused
        assert reason in refusal.reason
