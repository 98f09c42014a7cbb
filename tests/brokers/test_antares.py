"""ANTARES: its messages, and its REST API against a stand-in over HTTP."""

import json
import math
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from fastapi import FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from simulators.alerts.encoders import encode, packed_bson
from simulators.alerts.lsst_packets import LsstPackets
from simulators.services.faults import FaultPlan
from simulators.services.web import WebServer
from simulators.sky import Sky
from tests.support.answers import ztf_settings
from tests.support.curves import quick
from tides_bridge.brokers import antares as under_test
from tides_bridge.brokers.antares import Antares
from tides_bridge.brokers.base import HOURLY_LIMIT, Decoded
from tides_bridge.brokers.lasair import api as lasair_api
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves.photometry import BANDS, TAI_AHEAD
from tides_bridge.settings import Settings

NAME = 313637935709683761


def settings(**values: Any) -> Settings:
    return ztf_settings(broker={"kind": "antares"}, **values)


def locus(**changes: Any) -> dict[str, Any]:
    properties = {"ztf_object_id": "ZTF26aaaaaaa", "newest_alert_observation_time": 61000.25, "num_alerts": 3}
    return {"id": "ANT2026abc", "ra": 10.5, "dec": -20.25, "properties": properties, "tags": [], **changes}


def of_lsst(name: object = str(NAME), **properties: Any) -> dict[str, Any]:
    return locus(properties={"survey": {"lsst": {"dia_object_id": [name]}}, **properties})


def decode(*values: bytes) -> Decoded:
    return Antares(settings()).decode([Message("client.tides", 0, n, value) for n, value in enumerate(values)])


def alert_of(content: dict[str, Any]) -> Alert:
    found = decode(packed_bson(content))
    assert found.refused == []
    return found.alerts[0]


def reason_of(value: bytes) -> str:
    found = decode(value)
    assert found.alerts == []
    return found.refused[0].reason


# Messages


def test_a_locus_of_ztf() -> None:
    alert = alert_of(locus())
    assert (alert.survey, alert.object_id, alert.ra, alert.decl) == ("ztf", "ZTF26aaaaaaa", 10.5, -20.25)
    assert (alert.newest_mjd, alert.message["id"]) == (61000.25, "ANT2026abc")


def test_a_locus_of_lsst_has_its_epochs_in_tai() -> None:
    epochs = {"newest_alert_observation_time": 61000.25, "oldest_alert_observation_time": 60990.25}
    alert = alert_of(of_lsst(**epochs, newest_alert_id="lsst:1", oldest_alert_id="lsst:2"))
    assert (alert.survey, alert.object_id) == ("lsst", str(NAME))
    assert (alert.newest_mjd, alert.first_mjd) == (61000.25 - TAI_AHEAD, 60990.25 - TAI_AHEAD)


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({}, ("antares", "ANT2026abc")),
        ({"survey": {"ztf": {"id": ["ZTF26b"]}}}, ("ztf", "ZTF26b")),
        ({"survey": {"lsst": {"dia_object_id": NAME}}}, ("lsst", str(NAME))),
        ({"survey": {"lsst": {"dia_object_id": float(NAME)}}}, ("antares", "ANT2026abc")),
        ({"survey": {"lsst": {"dia_object_id": []}}}, ("antares", "ANT2026abc")),
        ({"survey": {"lsst": {"dia_object_id": [str(2**63)]}}}, ("antares", "ANT2026abc")),
        ({"survey": 5, "ztf_object_id": None}, ("antares", "ANT2026abc")),
        ({"ztf_object_id": "ZTF26c", "survey": {"lsst": {"dia_object_id": [NAME]}}}, ("ztf", "ZTF26c")),
    ],
)
def test_the_name_of_a_locus(properties: dict[str, Any], name: tuple[str, str]) -> None:
    alert = alert_of(locus(properties=properties))
    assert (alert.survey, alert.object_id) == name


def test_the_old_shape_is_read() -> None:
    old = locus()
    alert = alert_of({"data": {"id": old.pop("id"), "attributes": old}})
    assert (alert.object_id, alert.ra, alert.message["id"]) == ("ZTF26aaaaaaa", 10.5, "ANT2026abc")


def test_what_json_does_not_have_is_text_or_left_out() -> None:
    strange = {"when": datetime(2026, 6, 9, tzinfo=UTC), "raw": b"\0", "id": bson.ObjectId(), "long": bson.Int64(NAME)}
    alert = alert_of(locus(properties={"ztf_object_id": "ZTF26a", "list": [strange]}))
    (kept,) = json.loads(json.dumps(alert.message))["properties"]["list"]
    assert kept == {"when": "2026-06-09T00:00:00", "raw": None, "id": None, "long": NAME}


@quick
@given(st.integers(2**53 - 3, 2**53 + 3) | st.integers(2**63 - 3, 2**63 - 1) | st.integers(1, 2**63 - 1))
def test_names_stay_exact(name: int) -> None:
    assert alert_of(of_lsst(name)).object_id == alert_of(of_lsst(str(name))).object_id == str(name)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "it ends too early"),
        (b"{}", "is not compressed with zlib"),
        (b"x\x9cbroken", "it ends too early"),
        (b"x\x9c" + b"\xff" * 50, "is not compressed with zlib"),
        (packed_bson(locus())[:-8], "it ends too early"),
        (zlib.compress(b"no BSON"), "is no BSON"),
        (zlib.compress(bson.encode(locus())[:-4]), "is no BSON"),
        (zlib.compress(b"\0" * 30_000_000), "would have more than 20000000 bytes when unpacked"),
        (packed_bson({}), "id is None, and nothing else in it names an object"),
        (packed_bson(locus(id="a,b", properties={})), "id is 'a,b', and nothing else"),
        (packed_bson(locus(ra="10h")), "ra is '10h', not a finite number"),
        (packed_bson(locus(dec=None)), "its position is half"),
        (packed_bson(locus(ra=400.0)), "is not on the sky"),
        (packed_bson(of_lsst(newest_alert_observation_time=2461000.5)), "which is no MJD of our time"),
        (packed_bson(of_lsst(newest_alert_observation_time="soon")), "not a finite number"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_with_its_reason(value: bytes, reason: str) -> None:
    assert reason in reason_of(value)


@quick
@given(st.binary(), st.booleans())
def test_any_bytes_are_refused(value: bytes, is_packed: bool) -> None:
    assert reason_of(zlib.compress(value) if is_packed else value)


@quick
@given(
    st.dictionaries(
        st.sampled_from(("id", "ra", "dec", "properties", "data")),
        st.recursive(
            st.none() | st.floats() | st.integers(-(2**63), 2**63 - 1) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.just("attributes"), inner),
        ),
    )
)
def test_any_locus_is_an_alert_or_refused(changes: dict[str, Any]) -> None:
    found = decode(packed_bson({**locus(), **changes}))
    assert len(found.alerts) + len(found.refused) == 1


def test_the_simulated_sky_is_read() -> None:
    rubin = LsstPackets(Sky(seed=3, survey="lsst", objects=20))
    packets = [each for each in map(rubin.newest, range(20)) if each and each["diaObject"]]
    found = decode(*(encode(each, "antares").value for each in packets))
    assert {alert.object_id for alert in found.alerts} == {str(each["diaObject"]["diaObjectId"]) for each in packets}
    newest = {alert.object_id: alert.newest_mjd for alert in found.alerts}
    assert all(
        newest[str(each["diaObject"]["diaObjectId"])] == each["diaSource"]["midpointMjdTai"] - TAI_AHEAD
        for each in packets
    )
    assert len(packets) > 10


# Light curves


def ztf_detection(candid: int, mjd: float, **changes: Any) -> dict[str, Any]:
    point = {"magpsf": 19.0, "sigmapsf": 0.1, "isdiffpos": "t", "fid": 1, "ra": 10.5, "dec": -20.25, "nid": 3000}
    properties = {f"ztf_{key}": value for key, value in {**point, "jd": mjd + 2400000.5, **changes}.items()}
    return {"id": f"ztf_candidate:{candid}", "mjd": mjd, "properties": {"ant_survey": 1, **properties}, "survey": "ztf"}


def ztf_limit(mjd: float) -> dict[str, Any]:
    properties = {"ztf_jd": mjd + 2400000.5, "ztf_fid": 2, "ztf_diffmaglim": 20.5, "ant_survey": 2}
    return {"id": "ztf_upper_limit:ZTF26aaaaaaa-1", "mjd": mjd, "properties": properties, "survey": "ztf"}


def lsst_detection(number: int, mjd: float, **changes: Any) -> dict[str, Any]:
    source = {
        "diaSourceId": NAME + number,
        "midpointMjdTai": mjd,
        "band": "r",
        "psfFlux": 20_000.0,
        "psfFluxErr": 400.0,
    }
    properties = {f"lsst_diaSource_{key}": value for key, value in {**source, "ra": 1.5, "dec": 2.5, **changes}.items()}
    return {"id": f"lsst:{NAME + number}", "mjd": mjd, "properties": properties, "survey": "lsst"}


class AntaresStandin:
    """ANTARES' REST API as antares-client 2.0.2 asks it; with ``old`` in JSON:API's shape, as its servers before."""

    def __init__(self, loci: dict[str, tuple[str, list[Any]]], old: bool = False) -> None:
        self.loci, self.old, self.status, self.paths = loci, old, 200, list[str]()
        self.headers: dict[str, str] = {}
        app = FastAPI(openapi_url=None)
        app.add_api_route("/v2/loci", self._search)
        app.add_api_route("/v2/loci/statistics", lambda: {"data": {"id": "1", "tags": {}}})
        app.add_api_route("/v2/loci/{locus_id}/alerts", self._alerts)
        self.server = WebServer(app, "lasair", FaultPlan())

    async def _search(self, request: Request) -> Response:
        self.headers = dict(request.headers)
        self.paths.append("loci")
        ((_, wanted),) = json.loads(request.query_params["elasticsearch_query"])["query"]["bool"]["filter"][
            "term"
        ].items()
        found = [name for name, (object_id, _) in self.loci.items() if object_id == wanted]
        shape = [{"id": name, "attributes": {}} if self.old else {"locus": {"locus_id": name}} for name in found]
        return Response(json.dumps({"data": shape, "links": {"next": None}}), self.status)

    async def _alerts(self, locus_id: str) -> Response:
        self.paths.append(locus_id)
        if locus_id not in self.loci:
            return Response(json.dumps({"detail": "no such locus"}), 404)
        alerts = self.loci[locus_id][1]
        if self.old:
            alerts = [{"id": each["id"], "attributes": {k: v for k, v in each.items() if k != "id"}} for each in alerts]
        return Response(json.dumps({"data": alerts}), self.status)


CONTENT: dict[str, tuple[str, list[Any]]] = {
    "ANT1": (
        "ZTF26aaaaaaa",
        [ztf_detection(5, 61001.25, isdiffpos="f", fid=2), ztf_limit(61000.5), ztf_detection(4, 61000.25)],
    ),
    "ANT2": (
        str(NAME),
        [lsst_detection(0, 61000.25), lsst_detection(1, 61001.25, psfFlux=-500.0), ztf_detection(6, 61000.25)],
    ),
    "ANT3": ("ZTF26limits", [ztf_limit(61000.5)]),
    "ANT4": ("ZTF26broken", [ztf_detection(7, 61000.25, magpsf="bright")]),
    "ANT5": ("ZTF26strange", [{"id": 1, "properties": []}, {"id": "ztf_candidate:1", "properties": 5}]),
    "ANT6": ("ZTF26nan", [ztf_detection(8, 61000.25, magpsf=math.nan), ztf_detection(9, 61002.25)]),
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again without waiting."""
    monkeypatch.setattr(lasair_api, "RETRY", lasair_api.RETRY.new(backoff_factor=0.0))


@pytest.fixture(params=[False, True], ids=["today", "JSON:API"])
def api(request: pytest.FixtureRequest) -> Iterator[AntaresStandin]:
    standin = AntaresStandin(CONTENT, request.param)
    standin.server.start()
    yield standin
    standin.server.stop()


def broker_at(api: AntaresStandin, **values: Any) -> Antares:
    return Antares(settings(lightCurves={"address": f"{api.server.address}/v2"}, **values))


def test_a_light_curve_of_ztf_has_signs_and_limits(api: AntaresStandin) -> None:
    broker = broker_at(api)
    curves = broker.fetch(["ZTF26aaaaaaa"]).curves
    assert (api.paths, broker.calls, broker.objects_per_call) == (["loci", "ANT1"], 2, 1)
    assert curves.mjd.tolist() == pytest.approx([61000.25, 61000.5, 61001.25], abs=1e-9)
    assert curves.is_detection.tolist() == [True, False, True]
    assert curves.is_positive[curves.is_detection].tolist() == [True, False]
    assert [BANDS[code] for code in curves.band] == ["g", "r", "r"]
    assert curves.source_id.tolist() == [4, -1, 5]


def test_a_light_curve_of_lsst_is_in_utc_and_of_lsst_alone(api: AntaresStandin) -> None:
    curves = broker_at(api).fetch([str(NAME)]).curves
    assert (curves.object_ids, curves.flux.tolist()) == ((str(NAME),), [20_000.0, -500.0])
    assert curves.mjd.tolist() == [61000.25 - TAI_AHEAD, 61001.25 - TAI_AHEAD]
    assert curves.source_id.tolist() == [NAME, NAME + 1]


def test_an_object_of_antares_only_needs_no_search(api: AntaresStandin) -> None:
    assert broker_at(api).fetch(["ANT2"]).curves.object_ids == ("ANT2",)
    assert api.paths == ["ANT2"]


def test_literal_nan_is_read(api: AntaresStandin) -> None:
    assert broker_at(api).fetch(["ZTF26nan"]).curves.is_detection.sum() == 1


def test_what_has_no_light_curve_has_a_reason(api: AntaresStandin) -> None:
    names = ["ZTF26unknown", "ANT99", "ZTF26limits", "ZTF26broken", "ZTF26strange", "ZTF26aaaaaaa"]
    fetched = broker_at(api).fetch(names)
    assert fetched.curves.object_ids == ("ZTF26aaaaaaa",)
    assert fetched.missing["ZTF26unknown"] == fetched.missing["ANT99"] == "the light-curve API does not know it"
    assert fetched.missing["ZTF26limits"] == "the light-curve API has no detection of it"
    assert "Expected `float | null`, got `str`" in fetched.missing["ZTF26broken"]
    assert fetched.missing["ZTF26strange"].startswith("its light curve cannot be read: ")


def test_a_token_of_lasair_is_not_shown_to_antares(api: AntaresStandin) -> None:
    broker_at(api, lasairToken="secret").fetch(["ZTF26aaaaaaa"])
    assert "authorization" not in api.headers


def test_trying_out_asks_how_many_there_are(api: AntaresStandin) -> None:
    assert broker_at(api).try_out() == f"{api.server.address}/v2"


@pytest.mark.parametrize(("status", "reason"), [(400, "answered 400"), (429, HOURLY_LIMIT)])
def test_an_answer_that_brings_nothing_is_a_reason(api: AntaresStandin, status: int, reason: str) -> None:
    api.status = status
    assert reason in broker_at(api).fetch(["ANT1"]).missing["ANT1"]
    assert reason in broker_at(api).fetch(["ZTF26aaaaaaa"]).missing["ZTF26aaaaaaa"]


def test_an_api_that_is_away_is_unavailable(api: AntaresStandin) -> None:
    api.server.stop()
    with pytest.raises(BrokerUnavailable, match="cannot be reached"):
        broker_at(api).fetch(["ANT1"])


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"data": 5}', b"\xff", b'{"x": 1}'])
def test_what_is_no_answer_is_unavailable(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.answers import Answer

    broker = Antares(settings())
    broker._session.mount("https://", Answer(content))
    with pytest.raises(BrokerUnavailable, match="answered"):
        broker.fetch(["ANT1"])


def test_a_name_cannot_leave_its_path() -> None:
    assert under_test.LOCUS.fullmatch("ANT2026/../../admin") is None
