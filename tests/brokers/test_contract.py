"""
What every broker must keep to, whichever it is: the same tests over all of `tides_bridge.brokers.KINDS`.

Good messages are those of a simulated sky in each broker's framing; bad ones are refused with a reason, and never an
error. A new broker is one line in `MAKERS`.
"""

import copy
import json
import pickle
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.alerts import packets as ztf_packets
from simulators.alerts.avro_schemas import elasticc_schema, lsst_schema
from simulators.alerts.encoders import Encoded, encode, write_recording
from simulators.alerts.lsst_packets import LsstPackets
from simulators.services.fastdb import to_hot_message
from simulators.services.lasair import to_message
from simulators.sky import Sky
from tests.support.answers import ztf_settings
from tests.support.curves import quick
from tests.support.processes import ROOT
from tides_bridge.brokers import KINDS, broker_of, stream_of
from tides_bridge.brokers.base import Broker, Decoded
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.formats.recording import RecordedMessage
from tides_bridge.settings import Settings

Packet = dict[str, Any]

OBJECTS = 16
"""Of the simulated sky; some are of the solar system, and some are never seen."""


@dataclass(frozen=True)
class Maker:
    """
    How good messages of a broker are made.

    Attributes
    ----------
    survey
        Of the packets, and of the alerts if ``names`` does not say another.
    make
        Makes a message of a packet.
    brings_curve
        Whether every message has its light curve; else it is to be fetched.
    alert_survey
        Which survey names the objects.
    """

    survey: str
    make: Callable[[Packet], Encoded]
    brings_curve: bool = True
    alert_survey: str = ""

    @property
    def names(self) -> str:
        """The survey of the alerts."""
        return self.alert_survey or self.survey


def in_format(name: str) -> Callable[[Packet], Encoded]:
    return lambda packet: encode(packet, name)


def lasair_ztf(packet: Packet) -> Encoded:
    return Encoded(None, json.dumps(to_message(packet)).encode())


MAKERS = {
    "lasair_ztf": Maker("ztf", lasair_ztf, brings_curve=False),
    "lasair_lsst": Maker("lsst", in_format("lasair-lsst")),
    "fink_ztf": Maker("ztf", in_format("fink-ztf")),
    "fink_lsst": Maker("lsst", in_format("fink-lsst")),
    "elasticc": Maker("lsst", in_format("elasticc"), alert_survey="elasticc"),
    "rubin": Maker("lsst", in_format("rubin")),
    "babamul_ztf": Maker("ztf", in_format("babamul-ztf")),
    "babamul_lsst": Maker("lsst", in_format("babamul-lsst")),
    "alerce": Maker("ztf", in_format("ztf-avro")),
    "antares": Maker("lsst", in_format("antares"), brings_curve=False),
    "fastdb": Maker("lsst", lambda packet: Encoded(None, json.dumps(to_hot_message(packet)).encode())),
    "recorded": Maker("lsst", in_format("lasair-lsst")),
}


WORDS_ONLY = ("elasticc_classes",)
"""Kinds whose messages are no alerts: `tests/brokers/test_words.py`."""


@cache
def packets_of(survey: str) -> tuple[Packet, ...]:
    """Give the newest packet of each object of a sky, none of the solar system."""
    sky = Sky(seed=11, survey=survey, objects=OBJECTS)
    if survey == "lsst":
        found = map(LsstPackets(sky).newest, range(OBJECTS))
        return tuple(each for each in found if each and each["diaObject"])
    seen = [(number, np.flatnonzero(sky.light_curve(number).detected)) for number in range(OBJECTS)]
    return tuple(ztf_packets.packet_of(sky, number, int(visits[-1])) for number, visits in seen if len(visits))


def name_of(packet: Packet) -> str:
    return str(packet["diaObject"]["diaObjectId"]) if "diaSource" in packet else str(packet["objectId"])


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the schemas that messages do not bring: Rubin's by its number, ELAsTiCC's."""
    folder = tmp_path_factory.mktemp("schemas")
    for name, schema in (("lsst.v10_0", lsst_schema("10_0")), ("elasticc.v0_9_1", elasticc_schema("0_9_1"))):
        (folder / name).mkdir()
        (folder / name / f"{name}.alert.avsc").write_text(json.dumps(schema))
    return folder


@pytest.fixture(params=MAKERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(kind: str, schemas: Path) -> Settings:
    folder = schemas / ("elasticc.v0_9_1" if kind == "elasticc" else "lsst.v10_0")
    return ztf_settings(topic="alerts", lasairToken="user:secret", broker={"kind": kind, "schemas": str(folder)})


@pytest.fixture
def broker(settings: Settings) -> Broker:
    return broker_of(settings)


@pytest.fixture
def messages(kind: str) -> list[Message]:
    return messages_of(kind, packets_of(MAKERS[kind].survey))


def messages_of(kind: str, packets: Sequence[Packet]) -> list[Message]:
    encoded = [MAKERS[kind].make(each) for each in packets]
    return [Message("alerts", 0, number, each.value, each.key) for number, each in enumerate(encoded)]


def as_known(found: Decoded) -> tuple[list[Alert], dict[str, str]]:
    """Give what was decoded, without the order of it."""
    alerts = sorted(found.alerts, key=lambda alert: (alert.survey, alert.object_id))
    return alerts, dict(sorted(zip(found.curves.object_ids, found.curves.digests(), strict=True)))


def test_every_kind_is_here_and_in_the_table() -> None:
    assert [kind for kind in KINDS if kind not in WORDS_ONLY] == list(MAKERS)
    cells = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "brokers.md").read_text(), re.MULTILINE)
    assert sorted(re.findall(r"\w+", " ".join(cells))) == sorted(KINDS)


# Good messages


def test_a_good_message_is_an_alert_with_a_light_curve_or_one_to_fetch(
    kind: str, broker: Broker, messages: list[Message]
) -> None:
    found, maker = broker.decode(messages), MAKERS[kind]
    names = {name_of(packet) for packet in packets_of(maker.survey)}
    assert (found.refused, dict(found.skipped)) == ([], {})
    assert {alert.object_id for alert in found.alerts} == names
    assert {alert.survey for alert in found.alerts} == {maker.names}
    assert set(found.curves.object_ids) == (names if maker.brings_curve else set())
    assert len(names) > 5


def test_an_alert_knows_its_newest_detection_and_its_place(kind: str, broker: Broker, messages: list[Message]) -> None:
    alerts = {alert.object_id: alert for alert in broker.decode(messages).alerts}
    for packet in packets_of(MAKERS[kind].survey):
        alert = alerts[name_of(packet)]
        newest = packet["diaSource"] if "diaSource" in packet else packet["candidate"]
        mjd = newest["midpointMjdTai"] - 37 / 86400 if "diaSource" in packet else newest["jd"] - 2400000.5
        assert alert.newest_mjd == pytest.approx(mjd, abs=1e-6)
        assert (alert.ra, alert.decl) == (pytest.approx(newest["ra"], abs=0.01), pytest.approx(newest["dec"], abs=0.01))


def test_a_light_curve_ends_with_the_newest_detection(kind: str, broker: Broker, messages: list[Message]) -> None:
    found = broker.decode(messages)
    newest = {alert.object_id: alert.newest_mjd for alert in found.alerts}
    curves = found.curves
    for number, name in enumerate(curves.object_ids):
        points = slice(curves.offsets[number], curves.offsets[number + 1])
        detected = curves.mjd[points][curves.is_detection[points]]
        assert detected.max() == pytest.approx(newest[name], abs=1e-6)
    assert np.isfinite(curves.flux[curves.is_detection]).all()


def test_light_curves_belong_to_alerts(broker: Broker, messages: list[Message]) -> None:
    found = broker.decode(messages)
    assert len(found.curves.object_ids) == len(set(found.curves.object_ids))
    assert set(found.curves.object_ids) <= {alert.object_id for alert in found.alerts}


def test_what_comes_twice_is_one(broker: Broker, messages: list[Message]) -> None:
    assert as_known(broker.decode([*messages, *messages])) == as_known(broker.decode(messages))


def test_the_order_of_messages_does_not_matter(broker: Broker, messages: list[Message]) -> None:
    mixed = random.Random(3).sample(messages, len(messages))
    assert as_known(broker.decode(mixed)) == as_known(broker.decode(messages))


def test_one_by_one_is_the_same_as_all_at_once(broker: Broker, messages: list[Message]) -> None:
    singles = [broker.decode([message]) for message in messages]
    alerts, curves = as_known(broker.decode(messages))
    assert sorted((each for one in singles for each in one.alerts), key=lambda each: each.object_id) == alerts
    assert {name: digest for one in singles for name, digest in as_known(one)[1].items()} == curves


def test_nothing_is_made_of_nothing(broker: Broker) -> None:
    found = broker.decode([])
    assert (found.alerts, len(found.curves), found.refused) == ([], 0, [])


def test_decoding_changes_no_message(broker: Broker, messages: list[Message]) -> None:
    before = copy.deepcopy(messages)
    broker.decode(messages)
    assert messages == before


def test_what_was_decoded_goes_to_another_process(broker: Broker, messages: list[Message]) -> None:
    found = broker.decode([*messages, Message("alerts", 0, 999, b"garbage")])
    there = pickle.loads(pickle.dumps(found))
    assert as_known(there) == as_known(found)
    assert there.refused == found.refused


def test_a_broker_is_made_of_settings_wherever_they_are(
    settings: Settings, broker: Broker, messages: list[Message]
) -> None:
    there = broker_of(pickle.loads(pickle.dumps(settings)))
    assert as_known(there.decode(messages)) == as_known(broker.decode(messages))


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "recorded"])
def test_recorded_messages_are_read_as_their_own_broker_reads_them(
    kind: str, schemas: Path, messages: list[Message], tmp_path: Path
) -> None:
    """By file or by stream, told by content or known: the same alerts and light curves."""
    path = tmp_path / "night.recording"
    write_recording(path, (RecordedMessage(message.value, message.key, 1000) for message in messages))
    folder = str(schemas / ("elasticc.v0_9_1" if kind == "elasticc" else "lsst.v10_0"))
    own, recorded = (
        ztf_settings(topic="alerts", broker={"kind": each, "schemas": folder, "files": [str(path)]})
        for each in (kind, "recorded")
    )
    with stream_of(recorded) as stream:
        pull = stream.next_pull()
    assert [(each.value, each.key) for each in pull.messages] == [(each.value, each.key) for each in messages]
    found = broker_of(recorded).decode(pull.messages)
    assert as_known(found) == as_known(broker_of(own).decode(messages))
    assert found.refused == []


# Identifiers

LARGE = st.integers(2**53 - 3, 2**53 + 3) | st.integers(2**63 - 3, 2**63 - 1) | st.integers(2**53, 2**63 - 1)


@pytest.mark.parametrize("kind", [kind for kind, maker in MAKERS.items() if maker.survey == "lsst"])
def test_identifiers_stay_exact(kind: str, schemas: Path) -> None:
    folder = schemas / ("elasticc.v0_9_1" if kind == "elasticc" else "lsst.v10_0")
    broker = broker_of(ztf_settings(topic="alerts", broker={"kind": kind, "schemas": str(folder)}))
    (packet, *_) = packets_of("lsst")

    @quick
    @given(st.lists(LARGE, min_size=1, max_size=3, unique=True))
    def stay_exact(names: list[int]) -> None:
        renamed = [_renamed(packet, name) for name in names]
        found = broker.decode(messages_of(kind, renamed))
        assert sorted(alert.object_id for alert in found.alerts) == sorted(map(str, names))
        if MAKERS[kind].brings_curve:
            assert sorted(found.curves.object_ids) == sorted(map(str, names))

    stay_exact()


def _renamed(packet: Packet, name: int) -> Packet:
    """Give a packet of another object."""
    mine = {"diaObjectId": name}
    lists = ("prvDiaSources", "prvDiaForcedSources")
    others = {key: [each | mine for each in packet[key] or []] for key in lists}
    return {**packet, **others, "diaSource": packet["diaSource"] | mine, "diaObject": packet["diaObject"] | mine}


# Bad messages

GARBAGE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "NUL": b"\0",
    "five NULs": b"\0" * 5,
    "text": b"no alert",
    "HTML": b"<html><body>502 Bad Gateway</body></html>",
    "an empty object": b"{}",
    "null": b"null",
    "a number": b"42",
    "a list": b"[1, 2]",
    "another object": b'{"a": {"b": [1, 2, 3]}}',
    "wrong types": b'{"objectId": [], "diaObjectId": {}, "candidate": 5, "alert": "x", "diaSource": true}',
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "a container without end": b"Obj\x01\x04\x14avro.codec\x08null\x16avro.schema",
    "a container of nothing": b"Obj\x01\0" + b"\1" * 16,
    "a schema that nobody has": b"\0\0\1\x86\x9fxyz",
    "zlib of nothing": b"x\x9c\x03\0\0\0\0\x01",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "not UTF-8": b"\xff\xfe\xfa" * 20,
    "random": random.Random(26).randbytes(700),
    "random of zlib": b"x\x9c" + random.Random(27).randbytes(200),
    "random of Rubin": b"\0\0\0\x03\xe8" + random.Random(28).randbytes(700),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused_with_a_reason(broker: Broker, name: str) -> None:
    for key in (None, b"", b"key", b"{}"):
        found = broker.decode([Message("alerts", 2, 7, GARBAGE[name], key)])
        assert (found.alerts, len(found.curves)) == ([], 0)
        (refused,) = found.refused
        assert (refused.partition, refused.offset, refused.body, refused.key) == (2, 7, GARBAGE[name], key)
        assert 5 < len(refused.reason) < 1000


def test_a_huge_message_is_refused(broker: Broker) -> None:
    for value in (b"{" + b" " * 6_000_000 + b"}", b"\0" * 6_000_000):
        (refused,) = broker.decode([Message("alerts", 0, 0, value)]).refused
        assert len(refused.reason) < 1000


def test_a_message_that_is_cut_off_is_refused(broker: Broker, messages: list[Message]) -> None:
    message = messages[0]
    for share in (0.1, 0.5, 0.9, 0.999):
        value = message.value[: int(len(message.value) * share)]
        found = broker.decode([Message("alerts", 0, 0, value, message.key)])
        assert (found.alerts, len(found.refused)) == ([], 1), share
        assert found.refused[0].reason


def test_a_bad_message_spoils_no_other(broker: Broker, messages: list[Message]) -> None:
    bad = [Message("alerts", 1, number, value) for number, value in enumerate(GARBAGE.values())]
    mixed = random.Random(5).sample([*messages, *bad], len(messages) + len(bad))
    found = broker.decode(mixed)
    assert as_known(found) == as_known(broker.decode(messages))
    assert sorted(each.offset for each in found.refused) == list(range(len(bad)))


def test_a_message_with_spoilt_bytes_is_an_alert_or_refused(broker: Broker, messages: list[Message]) -> None:
    dice = random.Random(7)
    spoilt = []
    for number in range(60):
        message = dice.choice(messages)
        value = bytearray(message.value)
        for _ in range(dice.randint(1, 4)):
            value[dice.randrange(len(value))] = dice.randrange(256)
        spoilt.append(Message("alerts", 0, number, bytes(value), message.key))
    for message in spoilt:
        found = broker.decode([message])
        assert len(found.alerts) + len(found.refused) + sum(found.skipped.values()) == 1
    together = broker.decode(spoilt)
    assert len(together.refused) <= len(spoilt)
    assert set(together.curves.object_ids) <= {alert.object_id for alert in together.alerts}


# The service beside the stream


def test_what_cannot_be_fetched_has_a_reason_or_is_an_outage(kind: str, settings: Settings) -> None:
    nowhere = settings.light_curves.model_copy(update={"address": "http://127.0.0.1:9/api"})
    broker = broker_of(settings.model_copy(update={"light_curves": nowhere}))
    assert (broker.calls, broker.objects_per_call >= 1) == (0, True)
    try:
        fetched = broker.fetch(["170587115523932323"])
    except BrokerUnavailable as outage:
        assert broker.calls > 0
        assert "127.0.0.1:9" in str(outage), kind
    else:
        assert (len(fetched.curves), list(fetched.missing)) == (0, ["170587115523932323"])
        assert fetched.missing["170587115523932323"]
