import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse, Retry
from urllib3.util.retry import RequestHistory

from tests.support.answers import Answer, broker_that_hears, detection, limit, ztf_settings
from tests.support.curves import quick
from tides_bridge.brokers.lasair.ztf import RETRY, LasairZtf
from tides_bridge.brokers.models import Alert
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.lightcurves import LightCurves

BROKER = LasairZtf(ztf_settings())


def decode(**message: Any) -> Alert:
    return BROKER.alert_in(json.dumps({"objectId": "ZTF26aaaaaaa", **message}).encode())


def curves_from(*candidates: dict[str, Any]) -> LightCurves:
    broker, _ = broker_that_hears([{"objectId": "a", "candidates": list(candidates)}])
    return broker.fetch(["a"]).curves


# Messages


def test_a_message_becomes_an_alert() -> None:
    message = {"objectId": " ZTF26aaaaaaa ", "ramean": 10.5, "decmean": -20, "jdmax": 2461000.75, "gmag": 18.1}
    alert = BROKER.alert_in(json.dumps(message | {"classification": "SN"}).encode())
    assert (alert.survey, alert.object_id, alert.newest_mjd) == ("ztf", "ZTF26aaaaaaa", 61000.25)
    assert (alert.ra, alert.decl, alert.sherlock_class) == (10.5, -20.0, "SN")
    assert alert.message["gmag"] == 18.1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\xfa", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b"{}", "objectId is None, not a name: does the filter select objectId?"),
        (b'{"objectId": 313637935709683761}', "objectId is 313637935709683761, not a name"),
        (b'{"objectId": "  "}', "objectId is '  ', not a name"),
        (b'{"objectId": "a,b"}', "objectId is 'a,b', not a name"),
        (b'{"objectId": "a\\u0000"}', "objectId is 'a\\x00', not a name"),
        (b'{"objectId": "a\\ud800"}', "objectId is 'a\\ud800', not a name"),
        (b'{"objectId": "a", "ramean": "10.5"}', "ramean is '10.5', not a finite number"),
        (b'{"objectId": "a", "ramean": true}', "ramean is True, not a finite number"),
        (b'{"objectId": "a", "decmean": -Infinity}', "decmean is -inf, not a finite number"),
        (b'{"objectId": "a", "decmean": 1' + b"0" * 400 + b"}", "not a finite number"),
        (b'{"objectId": "a", "jdmax": [2461000.75]}', "jdmax is [2461000.75], not a finite number"),
        (b'{"objectId": "a", "jdgmax": "yesterday"}', "jdgmax is 'yesterday', not a finite number"),
        (b'{"objectId": "a", "jdmin": "yesterday"}', "jdmin is 'yesterday', not a finite number"),
        (b'{"objectId": "a", "jdmin": 5}', "jdmin is 5.0, which is no Julian date of our time"),
        (b'{"objectId": "a", "ramean": NaN, "decmean": NaN}', "ramean is NaN, not a position"),
        (b'{"objectId": "a", "ramean": 1.5, "decmean": NaN}', "decmean is NaN, not a position"),
        (b'{"objectId": "a", "ramean": NaN, "ra": 1.5, "dec": 2.5}', "ramean is NaN, not a position"),
        (b'{"objectId": "a", "ramean": 1.5}', "its position is half: ramean 1.5, decmean None"),
        (b'{"objectId": "a", "ra": null, "dec": 2.5}', "its position is half: ramean None, decmean 2.5"),
        (b'{"objectId": "a", "ramean": 360.1, "decmean": 0}', "its position 360.1, 0.0 is not on the sky"),
        (b'{"objectId": "a", "ramean": -0.1, "decmean": 0}', "its position -0.1, 0.0 is not on the sky"),
        (b'{"objectId": "a", "ramean": 0, "decmean": -90.1}', "its position 0.0, -90.1 is not on the sky"),
        (b'{"objectId": "a", "ramean": -999, "decmean": -999}', "its position -999.0, -999.0 is not on the sky"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_with_its_reason(body: bytes, problem: str) -> None:
    with pytest.raises(MalformedAlert) as refused:
        BROKER.alert_in(body)
    assert problem in refused.value.problem


@pytest.mark.parametrize(
    ("message", "mjd"),
    [
        ({"jdmax": 2461000.75, "jdgmax": 2461009.5, "UTC": "2026-06-09 12:00:00"}, 61000.25),
        ({"jdgmax": 2461000.5, "jdrmax": 2461001.5}, 61001.0),
        ({"jdgmax": 2461000.5, "jdrmax": None}, 61000.0),
        ({"jdmax": float("nan"), "jdgmax": 2461000.5}, 61000.0),
        ({"UTC": "2026-06-09 12:00:00"}, 61200.5),
        ({"UTC": "2026-06-09 12:00:00", "jdmax": None}, 61200.5),
        ({"UTC": "soon"}, -2400000.5),
        ({}, -2400000.5),
    ],
)
def test_how_new_a_message_is(message: dict[str, Any], mjd: float) -> None:
    assert decode(**message).newest_mjd == mjd


@pytest.mark.parametrize(
    ("message", "position"),
    [
        ({"ramean": 1.5, "decmean": 2.5, "ra": 9.0, "dec": 9.0}, (1.5, 2.5)),
        ({"ra": 1.5, "dec": 2.5}, (1.5, 2.5)),
        ({"ra": 1.5, "decl": 2.5}, (1.5, 2.5)),
        ({"ramean": 360.0, "decmean": 90}, (0.0, 90.0)),
        ({"ramean": 0.0, "decmean": -90}, (0.0, -90.0)),
        ({"ramean": None}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_the_position_of_a_message(message: dict[str, Any], position: tuple[float | None, float | None]) -> None:
    alert = decode(**message)
    assert (alert.ra, alert.decl) == position


@pytest.mark.parametrize(
    ("message", "mjd"),
    [({"jdmin": 2461000.75}, 61000.25), ({"jdmin": float("nan")}, None), ({"jdmin": None}, None), ({}, None)],
)
def test_when_an_object_was_detected_first(message: dict[str, Any], mjd: float | None) -> None:
    assert decode(**message).first_mjd == mjd


@pytest.mark.parametrize(("said", "kept"), [("SN", "SN"), (None, None), (7, None), ("S\0N", None), ("S\ud800", None)])
def test_the_sherlock_class_of_a_message(said: object, kept: str | None) -> None:
    assert decode(classification=said).sherlock_class == kept


@quick
@given(st.one_of(st.binary(), st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps)))
def test_any_bytes_are_an_alert_or_refused(body: bytes | str) -> None:
    body = (
        body
        if isinstance(body, bytes)
        else f'{{"objectId": "a", "ra": {body}, "dec": {body}, "jdmax": {body}}}'.encode()
    )
    try:
        alert = BROKER.alert_in(body)
    except MalformedAlert as refused:
        assert refused.problem
    else:
        assert math.isfinite(alert.newest_mjd)
        assert (alert.ra is None) == (alert.decl is None)


# Light curves


def test_objects_are_asked_for_in_one_call_with_the_token() -> None:
    broker, adapter = broker_that_hears([[], []])
    broker.fetch(["ZTF26aaaaaaa", "ZTF26aaaaaab"])
    (request,) = adapter.requests
    assert (request.method, request.url) == ("POST", "https://lasair-ztf.lsst.ac.uk/api/lightcurves/")
    assert request.body == "objectIds=ZTF26aaaaaaa%2CZTF26aaaaaab"
    assert request.headers["Authorization"] == "Token secret"


def test_todays_answers_are_told_apart_by_name_whatever_their_order() -> None:
    answer = [
        {"objectId": "b", "candidates": [detection(2, magpsf=18.0)], "forcedphot": []},
        {"error": "no such object"},
        {"objectId": "a", "candidates": [detection(1, magpsf=17.0)], "forcedphot": []},
    ]
    fetched = broker_that_hears(answer)[0].fetch(["a", "b", "c"])
    assert fetched.curves.object_ids == ("a", "b")
    assert fetched.curves.magnitude.tolist() == [17.0, 18.0]
    assert fetched.missing == {"c": "the light-curve API has no detection of it"}


def test_older_answers_come_in_the_order_asked_for() -> None:
    answer = [[detection(1, magpsf=17.0)], [], [detection(3, magpsf=18.0)]]
    fetched = broker_that_hears(answer)[0].fetch(["a", "b", "c"])
    assert fetched.curves.object_ids == ("a", "c")
    assert fetched.curves.object_index.tolist() == [0, 1]
    assert fetched.curves.magnitude.tolist() == [17.0, 18.0]
    assert list(fetched.missing) == ["b"]


def test_an_answer_of_errors_only_leaves_all_objects_without_light_curve() -> None:
    fetched = broker_that_hears([{"error": "x"}, {"error": "y"}])[0].fetch(["a", "b"])
    assert (len(fetched.curves), list(fetched.missing)) == (0, ["a", "b"])


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ({"candid": 2}, "KeyError('jd')"),
        (detection(2, jd=float("nan")), "ValueError('jd nan, nid 3246')"),
        (detection(2, jd=1e300), "ValueError('jd 1e+300, nid 3246')"),
        (detection(2, jd=float("inf"), nid=None), "ValueError('jd inf, nid None')"),
        (detection(2, nid=10**30), "nid 1000000000000000000000000000000"),
        (detection(2, fid=float("inf")), "OverflowError"),
        (detection(2, magpsf="bright"), "could not convert string to float: 'bright'"),
    ],
)
def test_a_point_that_cannot_be_read_is_left_out(
    point: dict[str, object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"):
        fetched = broker_that_hears([{"objectId": "a", "candidates": [detection(1), point]}])[0].fetch(["a"])
    assert (fetched.missing, len(fetched.curves.mjd)) == ({}, 1)
    assert reason in caplog.text
    alone = broker_that_hears([{"objectId": "a", "candidates": [point]}])[0].fetch(["a"])
    assert reason in alone.missing["a"]


@pytest.mark.parametrize(
    ("point", "reason"), [({**detection(2), "candid": [2]}, "unhashable"), ("nonsense", "AttributeError")]
)
def test_a_light_curve_that_cannot_be_read_spoils_no_other(point: object, reason: str) -> None:
    answer = [{"objectId": "a", "candidates": [detection(1), point]}, {"objectId": "b", "candidates": [detection(3)]}]
    fetched = broker_that_hears(answer)[0].fetch(["a", "b"])
    assert fetched.curves.object_ids == ("b",)
    assert fetched.missing["a"].startswith("its light curve cannot be read: ")
    assert reason in fetched.missing["a"]


def test_a_detection_is_what_has_a_candid() -> None:
    curves = curves_from(detection(1), limit(2461001.7, magpsf=20.5), limit(2461002.7, candid=None))
    assert curves.is_detection.tolist() == [True, False, False]
    assert curves.magnitude.tolist()[0] == 19.0
    assert math.isnan(curves.magnitude[1])


def test_an_object_of_limits_only_has_no_light_curve() -> None:
    fetched = broker_that_hears([[limit(2461001.7)]])[0].fetch(["a"])
    assert (fetched.curves.object_ids, list(fetched.missing)) == ((), ["a"])


def test_a_detection_that_comes_twice_is_counted_once() -> None:
    curves = curves_from(detection(1869447434515015004), detection(1869447434515015005), detection(1869447434515015004))
    assert curves.is_detection.tolist() == [True, True]


@pytest.mark.parametrize(
    ("isdiffpos", "positive"),
    [(yes, True) for yes in ("t", "1", 1, True)] + [(no, False) for no in ("f", "0", 0, False, None, "", -1)],
)
def test_the_sign_of_a_difference(isdiffpos: object, positive: bool) -> None:
    assert curves_from(detection(1, isdiffpos=isdiffpos)).is_positive.tolist() == [positive]


@pytest.mark.parametrize(("fid", "band"), [(1, 1), (2, 2), (3, 3), ("2", 2), (4, -1), (0, -1)])
def test_the_band_of_a_filter(fid: object, band: int) -> None:
    assert curves_from(detection(1, fid=fid)).band.tolist() == [band]


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf"), -999.0, -99999.0, -999, "NaN"])
def test_values_that_stand_for_none(missing: object) -> None:
    curves = curves_from(detection(1, magpsf=missing, sigmapsf=missing, ra=missing, dec=missing))
    values = [curves.magnitude, curves.magnitude_error, curves.ra, curves.decl]
    assert all(math.isnan(value[0]) for value in values)


def test_literal_nan_is_read() -> None:
    body = b'[{"objectId": "a", "candidates": [{"candid": 1, "jd": 2461000.7, "fid": 1, "magpsf": NaN}]}]'
    curves = broker_that_hears(body)[0].fetch(["a"]).curves
    assert curves.is_detection.tolist() == [True]
    assert math.isnan(curves.magnitude[0])


def test_a_night_is_ztfs_own_where_all_detections_have_one() -> None:
    curves = curves_from(detection(1, nid=3246), detection(2, nid=3247), limit(2461000.4))
    assert curves.night[curves.is_detection].tolist() == [3246, 3247]


def test_a_night_is_that_of_palomar_where_a_detection_has_none() -> None:
    curves = curves_from(detection(1, jd=2461000.99), detection(2, jd=2461001.01, nid=None))
    assert curves.night.tolist() == [3246, 3246]  # one night of Palomar, which noon in Chile would part


def test_epochs_keep_their_precision() -> None:
    assert curves_from(detection(1, jd=2461000.7654321)).mjd.tolist() == [pytest.approx(61000.2654321, abs=1e-9)]


@pytest.mark.parametrize(
    "message",
    [
        {"objectId": "Z" * 257},
        {"objectId": "ZTFé"},
        {"objectId": "ZTF1", "jdmax": 1e300},
        {"objectId": "ZTF1", "x": json.loads("[" * 60 + "]" * 60)},
    ],
    ids=["long name", "accent", "epoch", "nesting"],
)
def test_what_would_fail_a_batch_later_is_refused_at_once(message: dict[str, object]) -> None:
    with pytest.raises(MalformedAlert):
        LasairZtf(ztf_settings()).alert_in(json.dumps(message).encode())


# Answers that are none


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        ({"detail": "Invalid token."}, 401, r"refuses our token \(set TIDES_LASAIRTOKEN\)"),
        ({"detail": "No."}, 403, "refuses our token"),
        (b"<html>", 502, "answered 502"),
        (b"", 503, "answered 503"),
        (b"", 504, "answered 504"),
        (requests.ConnectionError("no route"), 200, "cannot be reached"),
        (requests.ReadTimeout("slow"), 200, "did not answer in time"),
        (requests.exceptions.ContentDecodingError("gzip"), 200, "failed: ContentDecodingError"),
        (requests.ConnectionError("('Connection broken: IncompleteRead(5 bytes read)')"), 200, "broke off its answer"),
        (b"<html>", 200, r"answered no light curves: Expecting value: line 1 column 1 \(char 0\)"),
        (b"", 200, "answered no light curves: Expecting value"),
        (b'[{"objectId": "a", "cand', 200, "answered no light curves: Unterminated string"),
        (b"[" * 100_000, 200, "answered no light curves: maximum recursion depth"),
        ({"candidates": []}, 200, "answered no light curves: .* is not a list"),
        ([[]], 200, "answered no light curves: 1 answers to 2 objects"),
    ],
)
def test_an_api_that_does_not_answer_is_unavailable(answer: object, status: int, problem: str) -> None:
    with pytest.raises(BrokerUnavailable, match=problem) as error:
        broker_that_hears(answer, status)[0].fetch(["a", "b"])
    assert str(error.value).startswith("light-curve API https://lasair-ztf.lsst.ac.uk/api: ")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (b"<html>", 500, "the light-curve API answered 500: '<html>'"),
        (b"Bad Request", 400, "the light-curve API answered 400: 'Bad Request'"),
    ],
)
def test_an_answer_without_light_curves_is_a_reason_to_wait_and_no_outage(
    answer: object, status: int, reason: str
) -> None:
    fetched = broker_that_hears(answer, status)[0].fetch(["a", "b"])
    assert fetched.missing == dict.fromkeys("ab", reason)


def test_trying_out_tells_of_an_answer_without_light_curves() -> None:
    with pytest.raises(BrokerUnavailable, match="answered 500"):
        broker_that_hears(b"<html>", 500)[0].try_out()


def test_the_hourly_limit_is_a_reason_to_wait_and_no_outage() -> None:
    fetched = broker_that_hears({"message": "Request limit exceeded."}, 429)[0].fetch(["a", "b"])
    assert fetched.missing == dict.fromkeys("ab", "the hourly limit of the light-curve API is reached")
    assert len(fetched.curves) == 0


class TriedAgain(Answer):
    """Answers after so many tries that failed, as urllib3 tells of them."""

    failed = 2

    def send(self, request: requests.PreparedRequest, *more: Any, **options: Any) -> requests.Response:
        response = super().send(request, *more, **options)
        history = tuple(RequestHistory("POST", request.url, None, 503, None) for _ in range(self.failed))
        response.raw = HTTPResponse(io.BytesIO(response.content), preload_content=False, retries=Retry(history=history))
        return response


def test_every_try_is_counted() -> None:
    broker, _ = broker_that_hears([[], []])
    assert broker.calls == 0
    for calls in (1, 2):
        broker.fetch(["a", "b"])
        assert broker.calls == calls
    broker._session.mount("https://lasair-ztf.lsst.ac.uk/", TriedAgain(b"[[]]"))
    broker.fetch(["a"])
    assert broker.calls == 5


@pytest.mark.parametrize(
    ("answer", "status", "calls"),
    [(b"", 503, 1), (b"<html>", 200, 1), (b"", 429, 1), (requests.ReadTimeout("x"), 200, 2)],
)
def test_calls_that_failed_are_counted_too(answer: object, status: int, calls: int) -> None:
    broker, _ = broker_that_hears(answer, status)
    with contextlib.suppress(BrokerUnavailable):
        broker.fetch(["a"])
    assert broker.calls == calls


@pytest.mark.parametrize("address", ["https://lasair-ztf.lsst.ac.uk/api/lightcurves/", "http://127.0.0.1:8000/x"])
def test_calls_are_tried_again(address: str) -> None:
    adapter = LasairZtf(ztf_settings())._session.get_adapter(address)
    assert isinstance(adapter, HTTPAdapter)
    assert adapter.max_retries.total == 3


@pytest.mark.parametrize(
    ("status", "again"), [(429, True), (500, True), (502, True), (503, True), (504, True), (400, False)]
)
def test_an_overloaded_service_is_asked_again(status: int, again: bool) -> None:
    assert RETRY.is_retry("POST", status, has_retry_after=True) is again


@pytest.mark.parametrize(("asked", "waited"), [("2", 2), ("3600", None), (None, None)])
def test_nobody_waits_out_the_hourly_limit(asked: str | None, waited: float | None) -> None:
    answer = HTTPResponse(headers={"Retry-After": asked} if asked else {})
    assert RETRY.get_retry_after(answer) == waited


# Real answers


def test_a_real_answer_of_today(shared_data: Path) -> None:
    answer = json.loads((shared_data / "lasair_ztf" / "lasair_needle_ZTF24aatsiox_objects.json").read_text())
    curves = broker_that_hears([answer])[0].fetch(["ZTF24aatsiox"]).curves
    assert (curves.is_detection.sum(), len(curves.mjd), curves.is_positive.sum()) == (11, 20, 11)
    newest = int(curves.mjd.argmax())
    assert (curves.magnitude[newest], curves.night[newest]) == (17.288692474365234, 2759)
    assert curves.mjd[newest] == pytest.approx(60513.3970486, abs=1e-7)
    assert not math.isfinite(curves.magnitude[~curves.is_detection].max())


def test_a_real_answer_of_an_older_server(shared_data: Path) -> None:
    name, _, body = (shared_data / "lasair_ztf" / "lasair_api_lc_ZTF22aaaozss.txt").read_text().partition("\n")
    curves = broker_that_hears(body.encode())[0].fetch([name]).curves
    assert (curves.object_ids, curves.is_detection.sum(), len(curves.mjd)) == (("ZTF22aaaozss",), 19, 27)


def test_real_alerts_give_detections_and_limits(shared_data: Path) -> None:
    files = sorted((shared_data / "lasair_ztf" / "alerts").glob("*.json"))
    packets = [json.loads(file.read_text()) for file in files]
    answer = [[packet["candidate"], *(packet.get("prv_candidates") or [])] for packet in packets]
    fetched = broker_that_hears(answer)[0].fetch([file.stem for file in files])
    detections = np.bincount(fetched.curves.object_index[fetched.curves.is_detection]).tolist()
    assert dict(zip(fetched.curves.object_ids, detections, strict=True)) == {
        "1g1r": 2,
        "1r": 1,
        "2r": 2,
        "bad_sherlock": 9,
        "cand_and_noncand": 35,
        "no_prv_cand": 1,
        "only_cand_no_prv": 1,
        "only_noncand": 1,
        "other_ann": 8,
        "solar_system": 1,
    }
