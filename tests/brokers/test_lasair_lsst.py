"""Lasair for LSST: its messages, its light-curve call against a stand-in over HTTP, and the real messages."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from simulators.alerts.broker_forms import LasairMode, to_lasair_lsst
from simulators.alerts.lsst_packets import BLANK_FORCED, BLANK_OBJECT, BLANK_SOURCE
from simulators.services.lasair_lsst import LasairLsstStandin, to_object
from tests.support.answers import Answer, ztf_settings
from tests.support.curves import quick
from tides_bridge.brokers.base import HOURLY_LIMIT, Decoded
from tides_bridge.brokers.lasair import api as lasair_api
from tides_bridge.brokers.lasair.lsst import LasairLsst
from tides_bridge.brokers.models import Message
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.formats.files import read_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS, TAI_AHEAD, magnitude_from_flux
from tides_bridge.resources import shipped
from tides_bridge.selection import judge
from tides_bridge.selection.file import load_function
from tides_bridge.settings import Settings

NAME = 313637935709683761
"""As a float this and its neighbours would all be ...760."""


def source(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Make a source; of three in a row each has its own band and night."""
    usual = {"psfFlux": 20_000.0 + number, "psfFluxErr": 400.0, "ra": 61.6, "dec": -49.2, "reliability": 0.9}
    identity = {"diaSourceId": NAME + number, "diaObjectId": NAME, "ssObjectId": 0}
    epoch = {"midpointMjdTai": 61000.25 + number, "band": "gri"[number % 3], "timeWithdrawnMjdTai": None}
    return {**BLANK_SOURCE, **identity, **epoch, **usual, **changes}


def packet(name: int = NAME, number: int = 3, **changes: Any) -> dict[str, Any]:
    """Make a packet of Rubin, as far as Lasair needs it."""
    *before, newest = [source(n, diaObjectId=name) for n in range(number)]
    measured = ("midpointMjdTai", "band", "psfFlux", "psfFluxErr")
    forced = [{**BLANK_FORCED, **{key: source(n)[key] for key in measured}} for n in (-2, -1)]
    return {
        "diaSource": newest,
        "prvDiaSources": before,
        "prvDiaForcedSources": forced,
        "diaObject": {**BLANK_OBJECT, "diaObjectId": name, "ra": 61.6, "dec": -49.2, "nDiaSources": number},
        "labels": {"sherlock": "SN"},
        **changes,
    }


def as_message(content: object, offset: int = 0) -> Message:
    value = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Message("lasair_lsst", 0, offset, value)


def settings(**values: Any) -> Settings:
    return ztf_settings(broker={"kind": "lasair_lsst"}, selectFunction="tidesSNLSSTSelect", **values)


def decode(*contents: object) -> Decoded:
    return LasairLsst(settings()).decode([as_message(each, number) for number, each in enumerate(contents)])


def reason_of(content: object) -> str:
    found = decode(content)
    assert (found.alerts, len(found.curves)) == ([], 0)
    (refused,) = found.refused
    return refused.reason


# Messages


def test_only_the_name_is_needed() -> None:
    found = decode({"diaObjectId": NAME})
    (alert,) = found.alerts
    assert (alert.survey, alert.object_id, alert.ra, alert.newest_mjd) == ("lsst", str(NAME), None, -2400000.5)
    assert (len(found.curves), found.refused, alert.message) == (0, [], {"diaObjectId": NAME})


def test_a_plain_message_waits_for_its_light_curve() -> None:
    found = decode({**to_lasair_lsst(packet(), "PLAIN"), "ebv": 0.02})
    (alert,) = found.alerts
    assert (alert.ra, alert.decl, alert.sherlock_class) == (61.6, -49.2, "SN")
    assert (alert.newest_mjd, alert.first_mjd) == (61002.25 - TAI_AHEAD, 61000.25 - TAI_AHEAD)
    assert alert.known == {"ebv": 0.02, "first_seen": alert.first_mjd}
    assert (alert.message["nDiaSources"], len(found.curves)) == (3, 0)


@pytest.mark.parametrize("mode", ["LITE", "FULL"])
def test_a_message_with_the_alert_brings_its_light_curve(mode: LasairMode) -> None:
    found = decode(to_lasair_lsst(packet(), mode))
    curves = found.curves
    assert (curves.object_ids, found.alerts[0].message) == ((str(NAME),), {})
    assert curves.mjd.tolist() == [each - TAI_AHEAD for each in (60998.25, 60999.25, 61000.25, 61001.25, 61002.25)]
    assert curves.is_detection.tolist() == [False, False, True, True, True]
    assert [BANDS[code] for code in curves.band[2:]] == ["g", "r", "i"]
    assert curves.flux.tolist() == [19998.0, 19999.0, 20000.0, 20001.0, 20002.0]
    assert curves.magnitude[2] == magnitude_from_flux(np.array([20000.0]))[0]
    assert curves.source_id[2:].tolist() == ([-1] * 3 if mode == "LITE" else [NAME, NAME + 1, NAME + 2])
    assert curves.objects.sherlock_class.tolist() == ["SN"]
    assert curves.objects.ra.tolist() == [61.6]


@pytest.mark.parametrize("mode", ["LITE", "FULL"])
def test_a_detection_that_comes_twice_is_counted_once(mode: LasairMode) -> None:
    message = to_lasair_lsst(packet(), mode)
    message["alert"]["diaSourcesList"] *= 2
    assert decode(message).curves.is_detection.sum() == 3


@pytest.mark.parametrize("value", [math.nan, None])
def test_a_source_without_flux_or_withdrawn_is_no_detection(value: float | None) -> None:
    message = to_lasair_lsst(packet(), "FULL")
    first, second, _ = message["alert"]["diaSourcesList"]
    first["psfFlux"] = value
    second["timeWithdrawnMjdTai"] = 61003.0
    assert decode(message).curves.is_detection.sum() == 1


@pytest.mark.parametrize("alert", [None, {}, {"diaSourcesList": []}, {"diaSourcesList": None}])
def test_an_alert_without_sources_is_none(alert: object) -> None:
    found = decode({**to_lasair_lsst(packet(), "PLAIN"), "alert": alert})
    assert (len(found.alerts), len(found.curves), found.refused) == (1, 0, [])


def test_the_light_curve_stays_whatever_the_order_of_equally_new_messages() -> None:
    both = [to_lasair_lsst(packet(), "FULL"), to_lasair_lsst(packet(), "PLAIN")]
    for messages in (both, both[::-1], both * 2):
        found = decode(*messages)
        assert (len(found.alerts), found.curves.object_ids) == (1, (str(NAME),))


def test_a_newer_message_without_light_curve_makes_an_older_one_old() -> None:
    newer = {**to_lasair_lsst(packet(), "PLAIN"), "lastDiaSourceMjdTai": 61003.25}
    found = decode(newer, to_lasair_lsst(packet(), "FULL"))
    assert (found.alerts[0].newest_mjd, len(found.curves)) == (61003.25 - TAI_AHEAD, 0)


@pytest.mark.parametrize(
    ("changes", "mjd"),
    [
        ({}, 61002.25 - TAI_AHEAD),
        ({"lastDiaSourceMjdTai": math.nan}, 61002.25 - TAI_AHEAD),
        ({"lastDiaSourceMjdTai": 61009.5}, 61009.5 - TAI_AHEAD),
    ],
)
def test_how_new_a_message_with_its_alert_is(changes: dict[str, Any], mjd: float) -> None:
    assert decode({**to_lasair_lsst(packet(), "LITE"), **changes}).alerts[0].newest_mjd == mjd


def test_how_new_a_plain_message_without_epochs_is() -> None:
    assert decode({"diaObjectId": NAME, "UTC": "2026-06-09 12:00:00"}).alerts[0].newest_mjd == 61200.5


@pytest.mark.parametrize("name", [str(NAME), f" {NAME}\n", NAME])
def test_a_name_may_be_a_number_or_its_digits(name: object) -> None:
    assert decode({"diaObjectId": name}).alerts[0].object_id == str(NAME)


@quick
@given(st.integers(2**53 - 3, 2**53 + 3) | st.integers(2**63 - 3, 2**63 - 1) | st.integers(1, 2**63 - 1))
def test_names_stay_exact(name: int) -> None:
    whole = packet(name)
    plain, full = decode(to_lasair_lsst(whole, "PLAIN")), decode(to_lasair_lsst(whole, "FULL"))
    assert plain.alerts[0].object_id == full.alerts[0].object_id == full.curves.object_ids[0] == str(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (None, "diaObjectId is None, not the name of an object: does the filter select diaObjectId?"),
        (0, "diaObjectId is 0, not"),
        (-5, "diaObjectId is -5, not"),
        (2**63, "diaObjectId is 9223372036854775808, not"),
        (10**30, "not the name of an object"),
        (3.13637935709683761e17, "a float, which has lost digits of the id"),
        (1.5, "a float, which has lost digits of the id"),
        (True, "diaObjectId is True, not"),
        ("", "diaObjectId is '', not"),
        ("ZTF26aaaaaaa", "diaObjectId is 'ZTF26aaaaaaa', not"),
        ("1,2", "diaObjectId is '1,2', not"),
        ([NAME], f"diaObjectId is [{NAME}], not"),
        ("1" * 40, "not the name of an object"),
    ],
)
def test_what_is_no_name_is_refused(name: object, reason: str) -> None:
    assert reason in reason_of({"diaObjectId": name})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\xfa", "is not JSON"),
        (b"[" * 100_000, "cannot be read: Expected `object`, got `array`"),
        (b'{"a":' * 100_000, "is not JSON"),
        (b"[]", "cannot be read: Expected `object`, got `array`"),
        (b"null", "cannot be read: Expected `object`, got `null`"),
        (b"{}", "diaObjectId is None"),
        (b" " * 6_000_000, "has 6000000 bytes"),
        ({"diaObjectId": NAME, "ra": "10.5"}, "ra is '10.5', not a finite number"),
        ({"diaObjectId": NAME, "ra": 10.5}, "its position is half"),
        ({"diaObjectId": NAME, "ra": 361, "decl": 0}, "is not on the sky"),
        ({"diaObjectId": NAME, "lastDiaSourceMjdTai": 2461000.75}, "which is no MJD of our time"),
        ({"diaObjectId": NAME, "firstDiaSourceMjdTai": []}, "firstDiaSourceMjdTai is [], not a finite number"),
        ({"diaObjectId": NAME, "alert": 7}, "Expected `object | null`, got `int` - at `$.alert`"),
        ({"diaObjectId": NAME, "alert": {"diaSourcesList": [{"psfFlux": "x"}]}}, "psfFlux"),
        ({"diaObjectId": NAME, "alert": {"diaSourcesList": [[1]]}}, "diaSourcesList"),
        ({"diaObjectId": NAME, "x": json.loads("[" * 60 + "]" * 60)}, "is nested more than 50 deep"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_read_is_refused_with_its_reason(body: object, reason: str) -> None:
    assert reason in reason_of(body)


def test_an_alert_about_another_object_is_refused() -> None:
    message = {**to_lasair_lsst(packet(), "FULL"), "diaObjectId": NAME + 1}
    assert reason_of(message) == f"diaObjectId is {NAME + 1}, and in its alert {NAME}"


def test_a_bad_message_spoils_no_other() -> None:
    found = decode({}, to_lasair_lsst(packet(), "FULL"), b"no JSON")
    assert (len(found.alerts), len(found.curves), [each.offset for each in found.refused]) == (1, 1, [0, 2])


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists)


@quick
@given(st.binary() | st.dictionaries(st.sampled_from(("ra", "decl", "UTC", "alert", "ebv", "diaObjectId")), JSON))
def test_any_bytes_are_an_alert_or_refused(content: object) -> None:
    found = decode({"diaObjectId": NAME, **content} if isinstance(content, dict) else content)
    assert len(found.alerts) + len(found.refused) == 1
    assert all(each.reason for each in found.refused)


# Light curves


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again without waiting."""
    monkeypatch.setattr(lasair_api, "RETRY", lasair_api.RETRY.new(backoff_factor=0.0))


@pytest.fixture
def lasair() -> Iterator[LasairLsstStandin]:
    with LasairLsstStandin(token="secret") as standin:
        standin.load([to_object(packet()), to_object(packet(NAME + 1, 2))])
        yield standin


def broker_at(lasair: LasairLsstStandin, **values: Any) -> LasairLsst:
    return LasairLsst(settings(lightCurves={"address": lasair.address}, **values))


def test_a_light_curve_is_that_of_the_message(lasair: LasairLsstStandin) -> None:
    broker = broker_at(lasair)
    fetched, brought = broker.fetch([str(NAME)]), decode(to_lasair_lsst(packet(), "FULL")).curves
    assert (fetched.missing, broker.calls, lasair.calls) == ({}, 1, 1)
    for column in ("mjd", "band", "flux", "flux_error", "is_detection", "source_id", "reliability"):
        mine, its = getattr(fetched.curves, column), getattr(brought, column)
        assert np.array_equal(mine, its, equal_nan=column == "reliability"), column


def test_each_object_is_a_call(lasair: LasairLsstStandin) -> None:
    broker = broker_at(lasair)
    fetched = broker.fetch([str(NAME + 1), str(NAME + 7), str(NAME)])
    assert (broker.objects_per_call, broker.calls) == (1, 3)
    assert fetched.curves.object_ids == (str(NAME + 1), str(NAME))
    assert fetched.missing.keys() == {str(NAME + 7)}
    assert f'answered 400: \'{{"error": "No such object {NAME + 7}' in fetched.missing[str(NAME + 7)]


def test_a_wrong_token_is_no_fault_of_the_objects(lasair: LasairLsstStandin) -> None:
    with pytest.raises(BrokerUnavailable, match=r"refuses our token \(set TIDES_LASAIRTOKEN\)"):
        broker_at(lasair, lasairToken="wrong").fetch([str(NAME)])


def test_the_hourly_limit_is_a_reason_to_wait_and_no_outage() -> None:
    with LasairLsstStandin(token="secret", calls_per_hour=1) as lasair:
        lasair.load([to_object(packet())])
        fetched = [broker_at(lasair).fetch([str(NAME)]), broker_at(lasair).fetch([str(NAME)])]
    assert [len(each.curves) for each in fetched] == [1, 0]
    assert fetched[1].missing == {str(NAME): HOURLY_LIMIT}


def test_trying_out_asks_for_a_count(lasair: LasairLsstStandin) -> None:
    assert broker_at(lasair).try_out() == lasair.address
    with pytest.raises(BrokerUnavailable, match="refuses our token"):
        broker_at(lasair, lasairToken="wrong").try_out()


def hearing(content: object, status: int = 200) -> LasairLsst:
    broker = LasairLsst(settings())
    body = content if isinstance(content, bytes | Exception) else json.dumps(content).encode()
    broker._session.mount("https://", Answer(body, status))
    return broker


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (b"<html>", 200, "answered no light curve: JSON is malformed"),
        (b"", 200, "answered no light curve: "),
        (b"\xff", 200, "answered no light curve: "),
        (b'{"diaObjectId": "1", "diaSour', 200, "answered no light curve: Input data was truncated"),
        (b"<html>", 502, "answered 502"),
        (requests.ReadTimeout("slow"), 200, "did not answer in time"),
        (requests.ConnectionError("no route"), 200, "cannot be reached"),
    ],
)
def test_an_api_that_does_not_answer_is_unavailable(answer: object, status: int, problem: str) -> None:
    with pytest.raises(BrokerUnavailable, match=problem):
        hearing(answer, status).fetch([str(NAME)])


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ({"detail": "Not found."}, 404, "the light-curve API answered 404"),
        ({"error": "no such object"}, 200, "the light-curve API answered an error: 'no such object'"),
        ({"error": "bad"}, 400, "the light-curve API answered 400"),
        ({}, 200, "without diaSourcesList"),
        ({"diaSourcesList": None}, 200, "without diaSourcesList"),
        ([], 200, "cannot be read: Expected `object`, got `array`"),
        ({"diaSourcesList": 5}, 200, "cannot be read: Expected `array | null`, got `int`"),
        ({"diaSourcesList": [{"psfFlux": {}}]}, 200, "cannot be read: "),
        ({"diaObjectId": str(NAME), "diaSourcesList": [], "diaForcedSourcesList": []}, 200, "has no detection of it"),
        ({"diaObjectId": str(NAME + 1), "diaSourcesList": [source()]}, 200, f"about another object, {NAME + 1}"),
        ({"diaSourcesList": [source(psfFlux=math.nan)]}, 200, "has no detection of it"),
    ],
)
def test_an_answer_without_light_curve_is_a_reason(answer: object, status: int, reason: str) -> None:
    fetched = hearing(answer, status).fetch([str(NAME)])
    assert len(fetched.curves) == 0
    assert reason in fetched.missing[str(NAME)]


def test_a_lost_connection_is_tried_again_and_counted(lasair: LasairLsstStandin) -> None:
    lasair.faults.replace([{"fault": "status", "status": 503, "times": 2}])
    broker = broker_at(lasair)
    assert (len(broker.fetch([str(NAME)]).curves), broker.calls) == (1, 3)


# Real messages


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[dict[str, Any]]:
    file = shared_data / "lasair_lsst" / "kafka_messages.json"
    if not file.exists():
        pytest.skip("the real messages are not on this machine")
    return list(json.loads(file.read_text()))


def passes(curves: LightCurves) -> list[str]:
    function = load_function(shipped("selectionFunctions.yaml"), "tidesSNLSSTSelect")
    (verdicts,) = judge(curves, [function], 61046.0)
    return [name for name, passed in zip(curves.object_ids, verdicts.passed.tolist(), strict=True) if passed]


def test_all_real_messages_are_read(real: list[dict[str, Any]]) -> None:
    plain, full = ([each for each in real if ("alert" in each) is has] for has in (False, True))
    for messages, number, curves, points in ((plain, 32, 0, 0), (full, 32, 32, 288), (real, 32, 32, 288)):
        found = decode(*messages)
        assert (len(messages), len(found.alerts), found.refused) == (64 if messages is real else 32, number, [])
        assert (len(found.curves), len(found.curves.mjd)) == (curves, points)
    assert {alert.object_id for alert in decode(*real).alerts} == {str(each["diaObjectId"]) for each in real}


def test_the_alert_of_a_real_message_ends_where_its_row_says(real: list[dict[str, Any]]) -> None:
    found = decode(*real)
    newest = {alert.object_id: alert.newest_mjd for alert in found.alerts}
    ends = found.curves.mjd[found.curves.offsets[1:] - 1]
    assert [newest[name] for name in found.curves.object_ids] == pytest.approx(ends.tolist(), abs=1e-9)


def test_real_files_of_one_alert(shared_data: Path) -> None:
    folder = shared_data / "lasair_lsst"
    texts = {end: (folder / f"313637921267122191{end}.json").read_text() for end in ("", "_lite", "_object")}
    row = json.loads(texts["_object"])
    found = [decode({**row, "alert": json.loads(texts[end])}).curves for end in ("", "_lite")]
    assert [(each.object_ids, int(each.is_detection.sum())) for each in found] == [(("313637921267122191",), 8)] * 2
    assert np.array_equal(found[0].flux, found[1].flux)
    assert (len(decode(row).alerts), len(decode(row).curves)) == (1, 0)


def test_real_messages_are_judged_as_the_file_of_them_is(real: list[dict[str, Any]], shared_data: Path) -> None:
    file = shared_data / "lasair_lsst" / "kafka_messages.json"
    curves = LightCurves.joined(list(read_light_curves([file], refused=lambda *_: None)))
    found = passes(decode(*real).curves)
    assert sorted(found) == sorted(passes(curves))
    assert sorted(found) == ["169562325818802242", "169562328767397962"]
