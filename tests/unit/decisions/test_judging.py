from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.support.answers import broker_that_hears, detection, ztf_settings
from tests.support.curves import NAN, Point, curves_of, point
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.lasair.ztf import LasairZtf
from tides_bridge.brokers.models import Alert, newest_of
from tides_bridge.database import listed_columns
from tides_bridge.decisions import judging
from tides_bridge.decisions.batch import LOAD_STAGE
from tides_bridge.decisions.judging import decide, defer, judge_objects, split_into_chunks
from tides_bridge.decisions.models import Judged
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.lightcurves.summaries import OF_BAND
from tides_bridge.selection import SelectionFunction

FUNCTION = SelectionFunction.parse(
    "tidesSNZTFSelect",
    {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minBands": 2, "minNights": 2, "magLimit": 22.5},
)


UNPLACED = {"ra": NAN, "decl": NAN}
"""Of points."""


def alert(object_id: str = "a", newest_mjd: float = 61001.0, **values: Any) -> Alert:
    usual: dict[str, Any] = {"survey": "ztf", "ra": 10.5, "decl": -20.25, "sherlock_class": "SN", "message": {}}
    return Alert(object_id=object_id, newest_mjd=newest_mjd, **{**usual, **values})


def passing(of: int = 0, **values: Any) -> list[Point]:
    return [point(61000.0, "g", of=of, **values), point(61001.0, "r", of=of, **values)]


def judge(*alerts: Alert, curves: LightCurves, missing: dict[str, str] | None = None) -> Judged:
    return decide(alerts, curves, [FUNCTION], missing or {}, 61002.0)


# Chunks


def test_chunks_are_full_and_keep_the_order() -> None:
    chunks = split_into_chunks([alert(name) for name in "cbead"], 2)
    assert [[each.object_id for each in chunk] for chunk in chunks] == [["c", "b"], ["e", "a"], ["d"]]


@pytest.mark.parametrize(("number", "sizes"), [(0, []), (1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_sizes_of_chunks(number: int, sizes: list[int]) -> None:
    assert [len(chunk) for chunk in split_into_chunks([alert(str(i)) for i in range(number)], 50)] == sizes


# Decisions


def test_objects_that_pass_become_targets_and_the_others_are_remembered() -> None:
    curves = curves_of(*passing(of=0), point(61000.0, of=1), *passing(of=2))
    outcome = judge(alert("c"), alert("b"), alert("d"), alert("a"), curves=curves, missing={"d": "none"})
    assert outcome.passed == {"a": True, "b": False, "c": True}
    assert outcome.targets["object_id"].tolist() == ["c", "a"]
    assert outcome.deferred == {"d": "none"}
    assert (outcome.calls, outcome.outage) == (1, None)


def test_targets_have_the_columns_of_the_stage() -> None:
    targets = judge(alert(), curves=curves_of(*passing())).targets
    of_bands = {f"{band}_{name}" for band in BANDS for name in OF_BAND}
    assert {*listed_columns(LOAD_STAGE), *of_bands} == set(targets.columns)
    row = targets.iloc[0]
    assert (row["survey"], row["object_id"], row["sherlock_class"]) == ("ztf", "a", "SN")
    assert (row["selection_function"], row["n_detections"], row["r_latest_mjd"]) == ("tidesSNZTFSelect", 2, 61001.0)


def test_each_target_keeps_its_own_survey_class_and_position() -> None:
    alerts = [alert("b", survey="lsst", sherlock_class=None, ra=1.0, decl=2.0), alert("a", ra=3.0, decl=4.0)]
    targets = judge(*alerts, curves=curves_of(*passing(of=0, **UNPLACED), *passing(of=1, **UNPLACED))).targets
    columns = ["object_id", "survey", "sherlock_class", "ra", "decl"]
    assert targets[columns].fillna("").to_numpy().tolist() == [
        ["b", "lsst", "", 1.0, 2.0],
        ["a", "ztf", "SN", 3.0, 4.0],
    ]


@pytest.mark.parametrize("said", [(None, None), (11.0, -21.0), (10.0, -20.0)])
def test_the_position_is_that_of_the_detections_whatever_the_message_says(said: tuple[Any, Any]) -> None:
    """A message has that of one exposure, or of the survey's own mean; others say nothing of it."""
    curves = curves_of(*passing(ra=11.0, decl=-21.0))
    targets = judge(alert(ra=said[0], decl=said[1]), curves=curves).targets
    assert targets[["ra", "decl"]].to_numpy().tolist() == [[11.0, -21.0]]


def test_what_is_known_of_those_that_fail_is_there_too() -> None:
    curves = curves_of(*passing(of=0), point(61000.0, "r", 18.5, of=1), point(61000.0, detection=False, of=2))
    outcome = judge(alert("b"), alert("c"), alert("a"), curves=curves)
    columns = ["object_id", "passes", "r_latest_mag", "last_detection_mjd"]
    assert outcome.facts[columns].to_numpy().tolist() == [["b", False, 18.5, 61000.0], ["a", True, 19.0, 61001.0]]
    assert outcome.targets["object_id"].tolist() == ["a"]
    assert outcome.passed == {"a": True, "b": False, "c": False}


def test_a_failing_object_without_a_position_is_not_deferred() -> None:
    outcome = judge(alert("a", ra=None, decl=None), curves=curves_of(point(61000.0, **UNPLACED)))
    assert (outcome.passed, outcome.deferred, outcome.facts["ra"].isna().tolist()) == ({"a": False}, {}, [True])


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ((0.0, -90.0), [0.0, -90.0]),
        ((360.0, 90.0), [0.0, 90.0]),
        ((359.9, 40.5), [359.9, 40.5]),
        ((-0.25, 1.0), [359.75, 1.0]),
        ((-1e-20, 1.0), [0.0, 1.0]),
    ],
)
def test_positions_at_the_edges_of_the_sky(said: tuple[float, float], stored: list[float]) -> None:
    targets = judge(alert(ra=said[0], decl=said[1]), curves=curves_of(*passing(**UNPLACED))).targets
    assert targets[["ra", "decl"]].to_numpy().tolist() == [stored]


@pytest.mark.parametrize(
    "said", [(None, None), (-999.0, 0.0), (400.0, 0.0), (-180.5, 0.0), (10.0, 90.5), (10.0, -999.0)]
)
def test_an_object_without_a_position_on_the_sky_is_deferred_and_never_moved(
    said: tuple[float | None, float | None],
) -> None:
    curves = curves_of(*passing(of=0, ra=NAN, decl=NAN), *passing(of=1))
    outcome = judge(alert("a", ra=said[0], decl=said[1]), alert("b"), curves=curves)
    assert outcome.targets["object_id"].tolist() == ["b"]
    assert outcome.deferred == {"a": "its position is unknown, or not on the sky"}
    assert outcome.passed == {"b": True}


def test_no_light_curves_are_no_targets() -> None:
    outcome = judge(alert("a"), curves=curves_of(), missing={"a": "none"})
    assert (outcome.passed, len(outcome.targets), outcome.deferred) == ({}, 0, {"a": "none"})


def test_a_chunk_that_fails_altogether_gives_no_targets() -> None:
    outcome = judge(alert("a"), curves=curves_of(point(61000.0)))
    assert (outcome.passed, len(outcome.targets)) == ({"a": False}, 0)


def test_objects_put_off_cost_no_call() -> None:
    outcome = defer([alert("a"), alert("b")], "no calls left")
    assert (outcome.deferred, outcome.calls, len(outcome.targets)) == (dict.fromkeys("ab", "no calls left"), 0, 0)


# A chunk with its call


def judge_with(broker: LasairZtf, monkeypatch: pytest.MonkeyPatch) -> Judged:
    monkeypatch.setattr(judging, "broker_of", lambda _: broker)
    (judged,) = judge_objects([alert("a"), alert("b")], ztf_settings(), [FUNCTION])
    return judged


def test_a_chunk_is_fetched_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    bright = [detection(1, nid=1), detection(2, nid=2, fid=2)]
    outcome = judge_with(broker_that_hears([bright, []])[0], monkeypatch)
    assert (outcome.passed, list(outcome.deferred), outcome.calls) == ({"a": True}, ["b"], 1)


def test_an_api_that_is_away_is_an_outage_of_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = judge_with(broker_that_hears(requests.ConnectionError("x"))[0], monkeypatch)
    assert isinstance(outcome.outage, BrokerUnavailable)
    assert set(outcome.deferred) == {"a", "b"}
    assert "cannot be reached" in outcome.deferred["a"]
    assert (outcome.passed, outcome.calls) == ({}, 2)


def test_a_call_costs_what_the_broker_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, _ = broker_that_hears([[], []])
    broker.calls = 2
    assert judge_with(broker, monkeypatch).calls == 1


def test_an_answer_that_is_none_is_an_outage_and_the_fault_of_no_object(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = judge_with(broker_that_hears(b"<html>")[0], monkeypatch)
    assert isinstance(outcome.outage, BrokerUnavailable)
    assert (set(outcome.deferred), outcome.calls) == ({"a", "b"}, 1)


def test_the_hourly_limit_is_no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = judge_with(broker_that_hears(b"", 429)[0], monkeypatch)
    assert (outcome.deferred, outcome.outage, outcome.calls) == (dict.fromkeys("ab", HOURLY_LIMIT), None, 1)


# Urgency


def test_the_most_urgent_was_detected_first_the_latest() -> None:
    old, young = alert("old", first_mjd=60900.0), alert("young", newest_mjd=60999.0, first_mjd=60998.0)
    unknown, same = alert("unknown", newest_mjd=60950.0), alert("a", newest_mjd=60950.0)
    assert [each.object_id for each in newest_of([old, unknown, young, same])] == ["young", "a", "unknown", "old"]


def test_the_newest_alert_of_an_object_stays_and_of_equal_ones_the_last() -> None:
    alerts = [alert("a", 61002.0), alert("a", 61001.0), alert("b", ra=1.0), alert("b", ra=2.0), alert("b", survey="x")]
    kept = [(each.survey, each.object_id, each.newest_mjd, each.ra) for each in newest_of(alerts)]
    assert sorted(kept) == [("x", "b", 61001.0, 10.5), ("ztf", "a", 61002.0, 10.5), ("ztf", "b", 61001.0, 2.0)]


def read(*alerts: Alert, curves: LightCurves | None = None) -> Judged:
    """Make what comes of messages: alerts, of which those with a light curve are judged."""
    ready = [each for each in alerts if curves and each.object_id in curves.object_ids]
    judged = judge(*ready, curves=curves) if curves else defer([], "")
    return replace(judged, alerts=list(alerts))


def test_objects_whose_message_brought_no_light_curve_are_asked_for_with_those_deferred_earlier() -> None:
    chunk = read(alert("a"), alert("b", 61000.0), alert("c", 61002.0), curves=curves_of(*passing()))
    earlier = [alert("a", 61000.0), alert("b", 61003.0), alert("c", 61001.0), alert("d", 61001.0)]
    found = [(each.object_id, each.newest_mjd) for each in judging.waiting([chunk], earlier)]
    assert found == [("b", 61003.0), ("c", 61002.0), ("d", 61001.0)]


def test_an_object_is_judged_by_its_newest_message_whichever_chunk_has_it() -> None:
    both, one = curves_of(*passing(of=0), *passing(of=1)), curves_of(*passing())
    old, new = read(alert("a", 61001.0), alert("b", 61002.0), curves=both), read(alert("a", 61002.0), curves=one)
    old, new = judging.keep_newest([old, new])
    assert (old.passed, new.passed) == ({"b": True}, {"a": True})
    assert [each.object_id for each in old.alerts] == ["b"]
    assert old.targets["object_id"].tolist() == old.decisions["object_id"].tolist() == ["b"]


def test_an_object_that_was_deferred_with_newer_news_than_its_message_is_decided_once() -> None:
    """Two decisions of one object in a batch would be refused by the database, in this run and in each after it."""
    chunk = read(alert("a", 61001.0), alert("b", 61002.0), curves=curves_of(*passing(of=0), *passing(of=1)))
    waiting = judging.waiting([chunk], [alert("a", 61003.0), alert("b", 61001.0)])
    assert [(each.object_id, each.newest_mjd) for each in waiting] == [("a", 61003.0)]
    asked = judge(*waiting, curves=curves_of(*passing()))
    kept = judging.keep_newest([chunk, asked])
    assert [chunk.passed for chunk in kept] == [{"b": True}, {"a": True}]
    assert [object_id for chunk in kept for object_id in chunk.decisions["object_id"]] == ["b", "a"]


def test_of_equally_new_messages_in_two_chunks_the_last_counts() -> None:
    first, last = (read(alert("a", ra=ra), curves=curves_of(*passing(**UNPLACED))) for ra in (1.0, 2.0))
    first, last = judging.keep_newest([first, last])
    assert (first.passed, last.targets["ra"].tolist()) == ({}, [2.0])


def test_an_object_whose_light_curve_nobody_can_give_is_at_fault_so_that_it_is_given_up_at_last() -> None:
    """Else it would be due in every run, for ever: a broker of alert packets has no service to call."""
    (outcome,) = judge_objects([alert()], ztf_settings(broker={"kind": "fink_ztf"}), [FUNCTION])
    assert outcome.deferred == {"a": "its alert brought no light curve"}
    assert (outcome.calls, outcome.outage) == (1, None)
