"""The rows of the record as they are made and explained, and what of a message and of the API reaches them."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from pydantic import ValidationError

from tests.support.answers import ztf_settings
from tests.support.batches import alert
from tests.support.curves import NAN, curves_of, point, quick, reliable_curves, told_curves
from tests.support.functions import Keys, strict_keys
from tides_bridge.brokers.base import Fetched
from tides_bridge.brokers.lasair.ztf import LasairZtf
from tides_bridge.brokers.models import Alert
from tides_bridge.decisions import judging
from tides_bridge.decisions.history import explained
from tides_bridge.decisions.judging import decide, judge_objects, task_size
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.record import code_version, contradictions, decisions_of, load_functions, role_of
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.settings import Settings

NOW = 61002.0
PASSING = [point(61000.0, "g"), point(61001.0, "r", mag=19.2)]


def function_of(name: str = "f", **keys: Any) -> SelectionFunction:
    return SelectionFunction.parse(name, {"rules": "strict", "filters": ["g", "r"], "significance": 5, **keys})


def rows_of_one(function: SelectionFunction, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the row of one object, with measured and failed as the database gives them back."""
    curves = told_curves(PASSING, [NAN] * 2, Objects.of(1, **{key: [value] for key, value in (about or {}).items()}))
    row = decisions_of(
        judge(curves, [function], NOW), curves.object_ids, curves.digests(), NOW, np.zeros(len(curves), int)
    ).iloc[0]
    failed = row["failed"].removeprefix("{").removesuffix("}")
    read = {"measured": json.loads(row["measured"]), "failed": failed.split(",") if failed else []}
    return {**row, **read, "normalised_text": function.normalised_text}


def shorts(function: SelectionFunction, **about: Any) -> dict[str, tuple[Any, str, Any]]:
    """Give of each criterion what was measured, what is demanded, and by how much it misses."""
    return {
        each["criterion"]: (each["measured"], each["demanded"], each["short"])
        for each in explained(rows_of_one(function, about))
    }


# The rows


def test_the_first_function_is_active_and_the_others_are_shadows() -> None:
    assert [role_of(number) for number in range(3)] == ["active", "shadow", "shadow"]
    functions = [function_of("one", minBands=2), function_of("two", minBands=3)]
    curves = curves_of(*PASSING, point(61000.0, of=1))
    rows = decisions_of(
        judge(curves, functions, NOW), curves.object_ids, curves.digests(), NOW, np.zeros(len(curves), int)
    )
    assert rows[["object_id", "function", "role", "passed", "n_detections"]].to_numpy().tolist() == [
        ["a", "one", "active", True, 2],
        ["b", "one", "active", False, 1],
        ["a", "two", "shadow", False, 2],
        ["b", "two", "shadow", False, 1],
    ]
    assert rows["curve_digest"].tolist() == curves.digests() * 2
    assert rows["version"].tolist() == [function.version for function in functions for _ in range(2)]
    assert set(rows["code_version"]) == {code_version()}


@quick
@given(reliable_curves(), strict_keys())
def test_what_is_recorded_is_what_was_judged(drawn: tuple[list[Any], list[float], Objects], keys: Keys) -> None:
    curves, function = told_curves(*drawn), SelectionFunction.parse("f", keys)
    (verdict,) = judge(curves, [function], 61050.0)
    rows = decisions_of([verdict], curves.object_ids, curves.digests(), NOW, np.zeros(len(curves), int))
    assert rows["passed"].tolist() == verdict.passed.tolist()
    np.testing.assert_array_equal(rows["trigger_mjd"], verdict.trigger_mjd)
    for place, row in enumerate(rows.to_dict("records")):
        measured = json.loads(row["measured"])
        assert list(measured) == [leaf.path for leaf in function.leaves] == list(verdict.measured)
        for path, values in verdict.measured.items():
            said = values[place]
            is_known = isinstance(said, str) or (said is not None and np.isfinite(said))
            assert measured[path] == (said if is_known else None)
        failed = [path for path, fulfilled in verdict.fulfilled.items() if not fulfilled[place]]
        assert row["failed"] == "{" + ",".join(failed) + "}"


@quick
@given(reliable_curves(), strict_keys())
def test_every_drawn_decision_can_be_explained(drawn: tuple[list[Any], list[float], Objects], keys: Keys) -> None:
    curves, function = told_curves(*drawn), SelectionFunction.parse("f", keys)
    rows = decisions_of(
        judge(curves, [function], 61050.0), curves.object_ids, curves.digests(), NOW, np.zeros(len(curves), int)
    )
    for _, row in rows.iterrows():
        failed = row["failed"].strip("{}").split(",")
        read = {"measured": json.loads(row["measured"]), "failed": failed, "normalised_text": function.normalised_text}
        for each in explained({**row, **read}):
            assert each["demanded"]
            assert each["short"] is None or (each["short"] > 0 and not each["fulfilled"])


# Explanations


def test_numbers_miss_by_their_distance_from_what_is_demanded() -> None:
    function = function_of(minBands=2, minNights=4, magLimit=18.5, brightLimit=20, declination=[-10, 5])
    assert shorts(function, decl=-20.0) == {
        "minBands": (2.0, ">= 2", None),
        "minNights": (2.0, ">= 4", 2.0),
        "magLimit": (19.0, "<= 18.5 mag", 0.5),
        "brightLimit": (19.0, ">= 20 mag", 1.0),
        "declination": (-20.0, "from -10 to 5 deg", 10.0),
    }
    for decl, short in ((8.5, 3.5), (5.0, None), (0.0, None), (NAN, None)):
        assert shorts(function, decl=decl)["declination"][2] == short


def test_what_is_no_number_fails_without_a_distance() -> None:
    function = function_of(pointSource=False, sherlockClasses=["SN", "NT"], footprint=[350, 10, -30, 0])
    about = {"ra": 100.0, "decl": -20.0, "point_source": 1.0, "sherlock_class": "VS"}
    assert shorts(function, **about) == {
        "footprint": (0.0, "inside the box [350.0, 10.0, -30.0, 0.0] deg", None),
        "pointSource": (1.0, "no", None),
        "sherlockClasses": ("VS", "one of NT, SN", None),
    }
    assert rows_of_one(function, about)["failed"] == ["footprint", "pointSource", "sherlockClasses"]


def test_what_could_not_be_measured_fails_and_is_null() -> None:
    row = rows_of_one(function_of(maxEbv=0.5, knownVariable=False, magLimit=20))
    assert row["measured"] == {"magLimit": 19.0, "maxEbv": None, "knownVariable": None}
    assert row["failed"] == ["maxEbv", "knownVariable"]
    assert [(each["criterion"], each["short"]) for each in explained(row) if not each["fulfilled"]] == [
        ("maxEbv", None),
        ("knownVariable", None),
    ]


def test_criteria_of_groups_have_the_path_of_their_group() -> None:
    function = function_of(any=[{"minNights": 3}, {"magLimit": 18.5, "not": {"maxGap": 0.5}}], minBands=2)
    assert shorts(function) == {
        "minBands": (2.0, ">= 2", None),
        "any.1.minNights": (2.0, ">= 3", 1.0),
        "any.2.magLimit": (19.0, "<= 18.5 mag", 0.5),
        "any.2.not.maxGap": (1.0, "<= 0.5 d", 0.5),
    }


def test_a_function_of_d333_is_explained_as_well() -> None:
    keys = {"filters": ["g", "r"], "significance": 5, "minBands": 2, "minNights": 3, "magLimit": 22.5}
    found = shorts(SelectionFunction.parse("f", keys))
    assert found["minNights"] == (2.0, ">= 3", 1.0)
    assert found["minBands"] == (2.0, ">= 2", None)


def test_a_decision_whose_function_is_not_kept_is_shown_as_it_was_measured() -> None:
    row = rows_of_one(function_of(minBands=3)) | {"normalised_text": None}
    assert explained(row) == [
        {"criterion": "minBands", "measured": 2.0, "unit": "", "demanded": "", "fulfilled": False, "short": None}
    ]


# What a message says reaches the criteria


def measured(about: Alert, function: SelectionFunction, curves: LightCurves | None = None) -> dict[str, Any]:
    judged = decide([about], curves_of(*PASSING) if curves is None else curves, [function], {}, NOW)
    return dict(json.loads(judged.decisions["measured"][0]))


def alert_knowing(**known: float) -> Alert:
    return Alert("ztf", "a", 61001.0, 10.5, -20.25, "SN", {}, known=known)


def test_what_the_message_knows_of_the_object_is_judged() -> None:
    function = function_of(maxEbv=0.1, solarSystem=False, pointSource=False)
    none = measured(alert_knowing(), function)
    assert none == {"maxEbv": None, "solarSystem": None, "pointSource": None}
    all_known = alert_knowing(ebv=0.25, solar_system=0.0, point_source=1.0)
    assert measured(all_known, function) == {"maxEbv": 0.25, "solarSystem": 0.0, "pointSource": 1.0}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"ebv": 0.25, "ssdistnr": 3.0, "sgscore1": 0.9, "distpsnr1": 0.5}, (0.25, 1.0, 1.0)),
        ({"ebv": 0.0, "ssdistnr": -999.0, "sgscore1": 0.1, "distpsnr1": 0.5}, (0.0, 0.0, 0.0)),
        ({"ebv": float("nan"), "sgscore1": 0.9}, (None, None, None)),
        ({"ebv": None, "ssdistnr": None, "distpsnr1": 0.5}, (None, None, None)),
    ],
)
def test_a_message_of_lasair_says_more_of_an_object(said: dict[str, Any], found: tuple[Any, ...]) -> None:
    body = json.dumps({"objectId": "a", "jdmax": 2461001.5, **said}).encode()
    function = function_of(maxEbv=0.1, solarSystem=False, pointSource=False)
    assert tuple(measured(LasairZtf(ztf_settings()).alert_in(body), function).values()) == found


def test_what_is_known_of_one_object_says_nothing_of_another() -> None:
    knowing, other = alert_knowing(ebv=0.25), alert("b")
    curves = curves_of(*PASSING, *[point(61000.0 + day, band, of=1) for day, band in enumerate("gr")])
    judged = decide([other, knowing], curves, [function_of(maxEbv=0.5)], {}, NOW)
    assert [json.loads(text)["maxEbv"] for text in judged.decisions["measured"]] == [0.25, None]
    assert judged.passed == {"a": True, "b": False}


@pytest.mark.parametrize(("ra", "decl"), [(-999.0, 0.0), (400.0, 0.0), (10.0, -90.5), (10.0, float("inf"))])
def test_a_position_off_the_sky_is_unknown(ra: float, decl: float) -> None:
    function = function_of(declination=[-90, 90], footprint=[0, 360, -90, 90], minGalacticLatitude=0)
    found = measured(Alert("ztf", "a", 61001.0, ra, decl, "SN", {}), function)
    assert found == {"declination": None, "footprint": None, "minGalacticLatitude": None}


def test_the_position_of_the_light_curve_stands_in_for_that_of_the_message() -> None:
    about = Alert("ztf", "a", 61001.0, None, None, None, {})
    curves = curves_of(*[point(61000.0 + day, band, ra=11.0, decl=-21.0) for day, band in enumerate("gr")])
    assert measured(about, function_of(declination=[-30, 0]), curves) == {"declination": -21.0}


def test_a_message_without_a_class_is_unknown_to_sherlock() -> None:
    about = Alert("ztf", "a", 61001.0, 10.5, -20.25, None, {})
    assert decide([about], curves_of(*PASSING), [function_of(sherlockClasses=["UNKNOWN"])], {}, NOW).passed == {
        "a": True
    }


def test_only_the_active_function_chooses() -> None:
    strict, loose = function_of("strict", minBands=3), function_of("loose", minBands=1)
    judged = decide([alert("a")], curves_of(*PASSING), [strict, loose], {}, NOW)
    assert (judged.passed, len(judged.targets)) == ({"a": False}, 0)
    assert judged.decisions[["function", "passed"]].to_numpy().tolist() == [["strict", False], ["loose", True]]
    judged = decide([alert("a")], curves_of(*PASSING), [loose, strict], {}, NOW)
    assert judged.targets["selection_function"].tolist() == ["loose"]


def test_an_object_without_a_light_curve_has_no_decision() -> None:
    judged = decide([alert("a"), alert("b")], curves_of(*PASSING), [function_of(minBands=2)], {"b": "none"}, NOW)
    assert judged.decisions["object_id"].tolist() == ["a"]
    assert judged.deferred == {"b": "none"}


# The calls of a task


class Api:
    """Stands for a broker: each call is answered as the plan says, True with light curves, False by an outage."""

    def __init__(self, plan: Sequence[bool]) -> None:
        self.plan, self.calls, self.asked = list(plan), 0, list[list[str]]()
        self.objects_per_call = 2

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """Answer, or be away."""
        self.calls += 1
        self.asked.append(list(object_ids))
        if not self.plan[len(self.asked) - 1]:
            raise BrokerUnavailable("light-curve API", f"answered 503 to call {self.calls}")
        rows = [(*point(61000.0 + day, band, of=of),) for of in range(len(object_ids)) for day, band in enumerate("gr")]
        return Fetched(LightCurves.from_points(object_ids, rows), {})


def per_call(number: int, **dask: Any) -> Settings:
    return ztf_settings(lightCurves={"objectsPerCall": number}, dask=dask)


def asked(monkeypatch: pytest.MonkeyPatch, plan: Sequence[bool], number: int) -> tuple[Api, list[Judged]]:
    """Judge so many objects, two a call."""
    api = Api(plan)
    monkeypatch.setattr(judging, "broker_of", lambda _: api)
    alerts = [alert(f"object {place}") for place in range(number)]
    return api, judge_objects(alerts, ztf_settings(), [function_of(minBands=2)])


def test_a_task_has_an_outcome_for_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    api, outcomes = asked(monkeypatch, [True] * 3, 5)
    assert [len(names) for names in api.asked] == [2, 2, 1]
    assert [list(each.passed) for each in outcomes] == api.asked
    assert [each.calls for each in outcomes] == [1, 1, 1]


def test_one_outage_costs_the_objects_of_its_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    api, outcomes = asked(monkeypatch, [True, False, True, False, True], 10)
    assert len(api.asked) == 5
    assert [(len(each.passed), len(each.deferred)) for each in outcomes] == [(2, 0), (0, 2), (2, 0), (0, 2), (2, 0)]
    assert [each.outage is None for each in outcomes] == [True, False, True, False, True]


def test_after_two_outages_in_a_row_nothing_more_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    api, outcomes = asked(monkeypatch, [True, False, False, True, True], 9)
    assert len(api.asked) == 3
    assert [each.calls for each in outcomes] == [1, 1, 1, 0, 0]
    assert [sorted(each.deferred) for each in outcomes[3:]] == [["object 6", "object 7"], ["object 8"]]
    assert all(each.outage is outcomes[2].outage for each in outcomes[3:])
    assert set(outcomes[3].deferred.values()) == {str(outcomes[2].outage)}


def test_no_objects_are_no_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, [], 0)[1] == []


@pytest.mark.parametrize(("per_task", "calls", "size"), [(200, 50, 200), (120, 50, 100), (50, 50, 50), (1, 50, 50)])
def test_the_calls_of_a_task_are_full(per_task: int, calls: int, size: int) -> None:
    assert task_size(per_call(calls, objectsPerTask=per_task)) == size


# Settings


def test_the_functions_of_the_settings_are_the_active_one_and_the_shadows() -> None:
    chosen = ztf_settings(shadowFunctions=["youngSupernovaExample"])
    assert [each.name for each in load_functions(chosen)] == ["tidesSNZTFSelect", "youngSupernovaExample"]


@pytest.mark.parametrize("names", [["tidesSNZTFSelect"], ["a", "a"]])
def test_a_function_is_named_once(names: list[str]) -> None:
    with pytest.raises(ValidationError, match="is named twice, or is selectFunction"):
        ztf_settings(shadowFunctions=names)


def test_decisions_are_kept_for_ever_or_a_month_at_least() -> None:
    assert ztf_settings().decisions.keep_for is None
    assert ztf_settings(decisions={"keepFor": "400 days"}).decisions.keep_for == timedelta(days=400)
    with pytest.raises(ValidationError):
        ztf_settings(decisions={"keepFor": "30 days"})


# Limits that contradict each other


@pytest.mark.parametrize(
    ("keys", "faint_limit", "bands"),
    [
        ({"magLimit": 23}, {"g": 22.5, "r": 23.5, "u": 20.0}, ["g 22.5"]),
        ({"magLimit": 23}, {"g": 22.5, "r": 22.0}, ["g 22.5, r 22"]),
        ({"magLimit": "3630.78 nJy"}, {"g": 22.5, "r": 22.5}, []),
        ({"magLimit": 22}, {"g": 22.5}, []),
        ({"magLimit": 23}, {}, []),
        ({"magLimit": 20, "any": [{"magLimit": 23, "filters": ["r"]}]}, {"g": 22.5, "r": 22.5}, ["r 22.5"]),
        ({"magLimit": 20, "not": {"magLimit": 23}}, {"g": 22.5}, []),
    ],
)
def test_a_limit_that_contradicts_the_function_is_told(
    keys: dict[str, Any], faint_limit: dict[str, float], bands: list[str]
) -> None:
    block = {"rules": "strict", "filters": ["g", "r"], "significance": 5, **keys}
    common = {"topic": "t", "groupID": 1, "selectFunction": "f"}
    settings = Settings(**common, targets={"faintLimit": faint_limit})
    found = contradictions(settings, SelectionFunction.parse("f", block))
    assert len(found) == len(bands)
    assert all(f"fainter than {band}: " in text for text, band in zip(found, bands, strict=True))
