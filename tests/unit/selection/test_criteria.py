"""Every criterion: what it measures, at its threshold, of what is unknown, and as plain Python has it."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import (
    NAN,
    Point,
    curves_of,
    point,
    reliable_curves,
    rows_of_points,
    thorough,
    tied_points,
    told_curves,
)
from tests.support.functions import (
    ANY_KEYS,
    CRITERIA_DRAWN,
    OF_AGES,
    OF_CURVES,
    OF_OBJECTS,
    SIGNIFICANCES,
    Keys,
    only,
    strict_keys,
)
from tests.support.reference import OBJECT_KEYS, judge_one, known_of
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.selection import SelectionFunction, Verdicts, judge
from tides_bridge.selection import functions as selection
from tides_bridge.selection.criteria import CRITERIA

WITHOUT_NOT = ("all", "any")


def measured(curves: LightCurves, now_mjd: float | None = None, **demand: Any) -> tuple[Any, bool]:
    """What one criterion measures of object a, and whether it is fulfilled."""
    (verdicts,) = judge(curves, [only(**demand)], now_mjd)
    (path,) = verdicts.measured
    return verdicts.measured[path][0], bool(verdicts.fulfilled[path][0])


def about(**known: Any) -> LightCurves:
    """Make one object with a good detection, of which this is known beside."""
    return told_curves([point(61000.0)], [NAN], Objects.of(1, **known))


def assert_same(one: Verdicts, other: Verdicts, order: Any = slice(None)) -> None:
    """Assert that two verdicts are equal in all that is recorded."""
    for name in ("passed", "trigger_mjd", "n_detections"):
        np.testing.assert_array_equal(getattr(one, name)[order], getattr(other, name))
    assert list(one.measured) == list(other.measured)
    for path, values in one.measured.items():
        assert values.dtype == other.measured[path].dtype
        np.testing.assert_array_equal(values[order], other.measured[path])
        np.testing.assert_array_equal(one.fulfilled[path][order], other.fulfilled[path])


# One by one

RISING = (point(61000.0, "g", 20.0), point(61004.0, "r", 19.5), point(61006.0, "g", 19.0), point(61006.5, "g", 19.4))


@pytest.mark.parametrize(
    ("key", "value", "least", "beyond"),
    [
        ("minDetections", 4.0, 4, 5),
        ("minBands", 2.0, 2, 3),
        ("minNights", 3.0, 3, 4),
        ("magLimit", 19.0, 19.0, 18.9999),
        ("brightLimit", 19.0, 19.0, 19.0001),
        ("maxGap", 4.0, 4.0, 3.9999),
        ("maxAgeLast", 0.0, 0, -0.1),
        ("maxAgeFirst", 6.5, 6.5, 6.4999),
        ("maxAgeKnown", 6.5, 6.5, 6.4999),
        ("minRiseRate", 0.6 / 6.5, 0.0923, 0.0924),
        ("minFadeRate", -0.6 / 6.5, -0.0924, -0.0923),
    ],
)
def test_what_is_measured_of_a_light_curve_and_its_threshold_is_included(
    key: str, value: float, least: float, beyond: float
) -> None:
    assert measured(curves_of(*RISING), **{key: least}) == (pytest.approx(value), True)
    assert measured(curves_of(*RISING), **{key: beyond}) == (pytest.approx(value), False)


@pytest.mark.parametrize(
    ("demand", "known", "value", "passes"),
    [
        ({"declination": [-70, 5]}, {"decl": -70.0}, -70.0, True),
        ({"declination": [-70, 5]}, {"decl": 5.0}, 5.0, True),
        ({"declination": [-70, 5]}, {"decl": 5.01}, 5.01, False),
        ({"footprint": [350, 10, -30, 0]}, {"ra": 0.0, "decl": 0.0}, 1.0, True),
        ({"footprint": [350, 10, -30, 0]}, {"ra": 350.0, "decl": -30.0}, 1.0, True),
        ({"footprint": [350, 10, -30, 0]}, {"ra": 180.0, "decl": -10.0}, 0.0, False),
        ({"footprint": [10, 350, -30, 0]}, {"ra": 180.0, "decl": -10.0}, 1.0, True),
        ({"footprint": [10, 350, -30, 0]}, {"ra": 0.0, "decl": -10.0}, 0.0, False),
        ({"footprint": [0, 360, -30, 0]}, {"ra": 360.0, "decl": 0.1}, 0.0, False),
        ({"footprint": "0/4"}, {"ra": 0.0, "decl": 0.0}, 1.0, True),
        ({"footprint": "0/4"}, {"ra": 45.0, "decl": 41.0}, 0.0, False),
        ({"footprint": "0/0 4"}, {"ra": 45.0, "decl": 41.0}, 1.0, True),
        ({"maxEbv": 0.25}, {"ebv": 0.25}, 0.25, True),
        ({"maxEbv": 0.25}, {"ebv": 0.26}, 0.26, False),
        ({"sherlockClasses": ["SN", "NT"]}, {"sherlock_class": "SN"}, "SN", True),
        ({"sherlockClasses": ["SN", "NT"]}, {"sherlock_class": "VS"}, "VS", False),
        ({"tnsType": ["SN Ia", "SN II"]}, {"annotations": [{"tns.type": "SN II"}]}, "SN II", True),
        ({"tnsType": ["SN Ia", "SN II"]}, {"annotations": [{"tns.type": "CV"}]}, "CV", False),
        ({"annotation": "fink.slsn_score >= 0.5"}, {"annotations": [{"fink.slsn_score": 0.5}]}, 0.5, True),
        ({"annotation": "fink.slsn_score >= 0.5"}, {"annotations": [{"fink.slsn_score": 0.49}]}, 0.49, False),
        ({"annotation": "gaia.parallax <= 1 mas"}, {"annotations": [{"gaia.parallax": 1.0}]}, 1.0, True),
        ({"annotation": "gaia.parallax <= 0.001 arcsec"}, {"annotations": [{"gaia.parallax": 1.1}]}, 1.1, False),
        ({"annotation": "vsx.type = EW, RRAB"}, {"annotations": [{"vsx.type": "RRAB"}]}, "RRAB", True),
        ({"annotation": "vsx.type = EW, RRAB"}, {"annotations": [{"vsx.type": "RR"}]}, "RR", False),
    ],
)
def test_what_is_measured_of_an_object(demand: Keys, known: Keys, value: Any, passes: bool) -> None:
    assert measured(about(**known), **demand) == (value, passes)


@pytest.mark.parametrize(
    ("ra", "decl", "latitude"), [(266.405, -28.936, 0.0), (192.859, 27.128, 90.0), (0, -90, 27.128)]
)
def test_the_galactic_latitude_has_no_sign(ra: float, decl: float, latitude: float) -> None:
    """Of the centre and pole of the Galaxy, and of the pole of the sky."""
    value, passes = measured(about(ra=ra, decl=decl), minGalacticLatitude=20)
    assert value == pytest.approx(latitude, abs=0.01)
    assert passes == (latitude > 20)


@pytest.mark.parametrize("key", ["solarSystem", "pointSource", "knownVariable"])
@pytest.mark.parametrize("demanded", [True, False])
def test_a_match_is_demanded_or_refused(key: str, demanded: bool) -> None:
    field = {"solarSystem": "solar_system", "pointSource": "point_source", "knownVariable": "known_variable"}[key]
    for value in (0.0, 1.0):
        assert measured(about(**{field: value}), **{key: demanded}) == (value, bool(value) == demanded)


# What is unknown

OF_UNKNOWN: Keys = {
    "declination": [-90, 90],
    "footprint": [0, 360, -90, 90],
    "minGalacticLatitude": 0,
    "maxEbv": 99,
    "solarSystem": False,
    "pointSource": False,
    "knownVariable": False,
}


@pytest.mark.parametrize("key", OF_UNKNOWN)
def test_what_is_unknown_passes_neither_a_demand_nor_its_opposite(key: str) -> None:
    value, passes = measured(about(), **{key: OF_UNKNOWN[key]})
    assert (math.isnan(value), passes) == (True, False)
    if OF_UNKNOWN[key] is False:
        assert measured(about(), **{key: True})[1] is False


@pytest.mark.parametrize("key", OF_UNKNOWN)
def test_not_asks_only_that_it_is_not_known(key: str) -> None:
    """`not: {pointSource: true}` drops what is known to be a star: an object of which nothing is known stays."""
    demanded = True if OF_UNKNOWN[key] is False else OF_UNKNOWN[key]
    assert judge(about(), [only(**{"not": {key: demanded}})])[0].passed.tolist() == [True]


@pytest.mark.parametrize("condition", ["fink.slsn_score >= 0", "fink.slsn_score <= 1", "vsx.type = RRAB"])
@pytest.mark.parametrize("said", [None, {}, {"fink.snn_sn_vs_all": 0.5, "vsx": "RRAB"}, {"fink.slsn_score": "RRAB"}])
def test_what_no_broker_said_fulfils_no_condition_and_is_no_opposite(condition: str, said: Any) -> None:
    value, passes = measured(about(annotations=[said]), annotation=condition)
    assert (value is None or math.isnan(value), passes) == (True, False)
    assert judge(about(annotations=[said]), [only(**{"not": {"annotation": condition}})])[0].passed.tolist() == [True]


def test_a_moc_is_asked_of_known_positions_only() -> None:
    nowhere, half = about(), about(ra=5.0)
    assert [measured(curves, footprint="0/0-11")[1] for curves in (nowhere, half)] == [False, False]
    assert measured(about(ra=5.0, decl=5.0), footprint="0/0-11") == (1.0, True)


def test_an_object_without_class_is_unknown() -> None:
    assert measured(about(), sherlockClasses=["SN"]) == ("UNKNOWN", False)
    assert measured(about(), sherlockClasses=["SN", "UNKNOWN"]) == ("UNKNOWN", True)
    assert measured(about(sherlock_class=""), sherlockClasses=["SN", "UNKNOWN"]) == ("UNKNOWN", True)


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, 0.0) for key in ("minDetections", "minBands", "minNights")]
    + [
        (key, NAN)
        for key in ("magLimit", "brightLimit", "maxGap", "maxAgeLast", "maxAgeFirst", "maxAgeKnown", "minRiseRate")
    ],
)
def test_without_detections_counts_are_zero_and_all_else_is_unknown(key: str, value: float) -> None:
    demand = {key: 0 if key.startswith("min") and key != "minRiseRate" else 20}
    for rows in ([point(61000.0, of=1)], [point(61000.0, detection=False)], [point(61000.0, "u")]):
        found, passes = measured(curves_of(*rows), **demand)
        assert (str(found), passes) == (str(value), value == 0)


def test_an_age_counts_from_now_or_from_the_last_point_of_any_kind() -> None:
    curves = curves_of(point(61000.0), point(61003.0, positive=False), point(61007.0, detection=False))
    assert measured(curves, maxAgeLast=7)[0] == 7.0
    assert measured(curves, now_mjd=61010.0, maxAgeFirst=7) == (10.0, False)


def test_the_age_of_what_was_seen_before_the_light_curve_begins() -> None:
    """What the alert says and the light curve has: the earlier counts."""
    for first, age in ((60600.0, 410.0), (61001.0, 10.0), (NAN, 10.0)):
        curves = told_curves([point(61000.0), point(61010.0)], [NAN] * 2, Objects.of(1, first_seen=first))
        assert measured(curves, maxAgeKnown=365) == (age, age <= 365)


def test_a_detection_without_reliability_does_not_count_where_one_is_demanded() -> None:
    curves = told_curves([point(61000.0 + i) for i in range(4)], [NAN, 0.3, 0.5, 0.9], Objects.unknown(1))
    assert measured(curves, minDetections=1)[0] == 4.0
    assert measured(curves, minReliability=0, minDetections=1)[0] == 3.0
    assert measured(curves, minReliability=0.5, minDetections=1)[0] == 2.0


# Groups


def test_any_all_and_not() -> None:
    curves = curves_of(*RISING)
    for keys, passes in [
        ({"any": [{"minBands": 3}, {"minNights": 3}]}, True),
        ({"any": [{"minBands": 3}, {"minNights": 4}]}, False),
        ({"all": [{"minBands": 2}, {"minNights": 3}]}, True),
        ({"all": [{"minBands": 3}, {"minNights": 3}]}, False),
        ({"not": {"minBands": 3}}, True),
        ({"not": {"minBands": 2, "minNights": 4}}, True),  # not both
        ({"not": {"minBands": 2, "minNights": 3}}, False),
        ({"minBands": 2, "any": [{"minNights": 4}]}, False),  # a group and what stands beside it must all pass
    ]:
        assert judge(curves, [only(**keys)])[0].passed.tolist() == [passes], keys


def test_a_block_counts_detections_of_its_own() -> None:
    (verdicts,) = judge(
        curves_of(*RISING, point(61007.0, "i", error=0.3)),
        [only(minBands=2, any=[{"minBands": 3, "significance": 3}, {"filters": ["r"], "minDetections": 2}])],
    )
    assert {path: values.tolist() for path, values in verdicts.measured.items()} == {
        "minBands": [2.0],
        "any.1.minBands": [3.0],
        "any.2.minDetections": [1.0],
    }
    assert verdicts.passed.tolist() == [True]


# Against the reference, and properties


@thorough
@given(reliable_curves(annotated=True), ANY_KEYS, st.sampled_from([None, 61013.0, 61005.0]))
def test_columns_are_judged_as_plain_python_judges(
    drawn: tuple[list[Point], list[float], Objects], keys: Keys, now: float | None
) -> None:
    points, reliability, objects = drawn
    curves = told_curves(points, reliability, objects)
    (verdicts,) = judge(curves, [SelectionFunction.parse("test", keys)], now)
    for i, known in enumerate(known_of(curves)):
        passed, expected = judge_one(keys, rows_of_points(points, i, reliability), known, now)
        assert verdicts.passed[i] == passed
        assert sorted(expected) == sorted(verdicts.measured)
        for path, (value, fulfilled) in expected.items():
            found = verdicts.measured[path][i]
            margin = 1e-4 if path.endswith("minGalacticLatitude") else 1e-9  # axes: FK5's or those of ICRS
            assert found == (value if isinstance(value, str) else pytest.approx(value, abs=margin, nan_ok=True))
            assert verdicts.fulfilled[path][i] == fulfilled


@thorough
@given(reliable_curves(annotated=True), ANY_KEYS, st.randoms(use_true_random=False))
def test_the_order_of_points_changes_nothing(drawn: Any, keys: Keys, random: Any) -> None:
    points, reliability, objects = drawn
    function = SelectionFunction.parse("test", keys)
    order = random.sample(range(len(points)), len(points))
    shuffled = told_curves([points[i] for i in order], [reliability[i] for i in order], objects)
    curves = told_curves(points, reliability, objects)
    assert_same(judge(curves, [function])[0], judge(shuffled, [function])[0])


@thorough
@given(reliable_curves(annotated=True), ANY_KEYS, st.permutations(range(3)))
def test_the_order_of_objects_changes_nothing(drawn: Any, keys: Keys, order: list[int]) -> None:
    points, reliability, objects = drawn
    moved = [(order.index(row[0]), *row[1:]) for row in points]
    known = Objects.of(3, **{name: getattr(objects, name)[order] for name in OBJECT_KEYS})
    function = SelectionFunction.parse("test", keys)
    one, other = (told_curves(*each) for each in ((points, reliability, objects), (moved, reliability, known)))
    assert_same(judge(one, [function])[0], judge(other, [function])[0], order)


OF_SOME_DETECTION = {
    **OF_CURVES,
    **OF_AGES,
    **dict.fromkeys(("minDetections", "minBands", "minNights"), st.integers(1, 3)),
}
POSITIVE_ONLY = {"filters": st.just([*"gri"]), "significance": SIGNIFICANCES}
"""Blocks within may choose other bands and S/N, none below 3."""


def with_useless(rows: list[Point], more: list[Point]) -> list[Point]:
    """Add points that are negative, or whose S/N is below 3."""
    return [*rows, *((*row[:4], 0.9, *row[5:]) if row[7] else row for row in more)]


def judged_twice(rows: list[Point], more: list[Point], keys: Keys, now: float | None = None) -> list[Verdicts]:
    function = SelectionFunction.parse("test", keys)
    present = [point(60000.0, detection=False, of=i) for i in range(3)]
    return [judge(curves_of(*present, *each), [function], now)[0] for each in (rows, with_useless(rows, more))]


@thorough
@given(tied_points(), tied_points(), strict_keys(criteria={**OF_CURVES, **OF_OBJECTS}, points=POSITIVE_ONLY))
def test_what_does_not_count_changes_nothing_that_is_measured(rows: list[Point], more: list[Point], keys: Keys) -> None:
    """Of a function that counts positive detections only and asks for no age: any criterion, any group, `not` too."""
    before, after = judged_twice(rows, more, keys)
    np.testing.assert_array_equal(before.passed, after.passed)
    for path, values in before.measured.items():
        np.testing.assert_array_equal(values, after.measured[path])


@thorough
@given(tied_points(), tied_points(), strict_keys(points=POSITIVE_ONLY))
def test_nor_does_it_change_an_age_if_it_is_known_when_it_is(rows: list[Point], more: list[Point], keys: Keys) -> None:
    before, after = judged_twice(rows, more, keys, now=61020.0)
    np.testing.assert_array_equal(before.passed, after.passed)


@thorough
@given(
    tied_points(),
    tied_points(),
    strict_keys(criteria=OF_SOME_DETECTION, points=POSITIVE_ONLY, groups=WITHOUT_NOT),
)
def test_what_does_not_count_never_makes_an_object_pass(rows: list[Point], more: list[Point], keys: Keys) -> None:
    """
    Ages, too: a later point makes it later, and an age greater, which `maxAge...` forgives never. Nor is it a trigger.

    It does not hold for an age under `not`, which asks for an old one: there the object passes once it is old. And
    where nothing is asked that needs a detection that counts (`minBands: 0`), the first detection is the trigger.
    """
    before, after = judged_twice(rows, more, keys)
    assert not (after.passed & ~before.passed).any()
    np.testing.assert_array_equal(before.trigger_mjd, after.trigger_mjd)


@thorough
@given(
    tied_points(),
    strict_keys(
        criteria={key: OF_CURVES[key] for key in ("minDetections", "minBands", "minNights", "magLimit")},
        groups=WITHOUT_NOT,
    ),
)
def test_a_longer_light_curve_never_fails_again(rows: list[Point], keys: Keys) -> None:
    """Of the criteria that only grow; not of gaps, ages, rates and `brightLimit`, nor under `not`."""
    function = SelectionFunction.parse("test", keys)
    present = [point(60000.0, detection=False, of=i) for i in range(3)]
    before, after = (judge(curves_of(*present, *each), [function])[0] for each in (rows[: len(rows) // 2], rows))
    assert not (before.passed & ~after.passed).any()
    has_any = after.n_detections > 0
    np.testing.assert_array_equal(~np.isnan(after.trigger_mjd), after.passed & has_any)


@thorough
@given(reliable_curves(annotated=True), st.lists(ANY_KEYS, min_size=2, max_size=4))
def test_several_functions_at_once_are_judged_as_each_by_itself(drawn: Any, several: list[Keys]) -> None:
    curves = told_curves(*drawn)
    functions = [SelectionFunction.parse(f"f{i}", keys) for i, keys in enumerate(several)]
    together = judge(curves, functions)
    assert [each.function for each in together] == functions
    for verdicts, function in zip(together, functions, strict=True):
        assert_same(judge(curves, [function])[0], verdicts)


@thorough
@given(reliable_curves(annotated=True), ANY_KEYS, st.integers(1, 8))
def test_the_size_of_blocks_changes_nothing(drawn: Any, keys: Keys, block_points: int) -> None:
    curves, function = told_curves(*drawn), SelectionFunction.parse("test", keys)
    whole = judge(curves, [function])[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "BLOCK_POINTS", block_points)
        assert_same(whole, judge(curves, [function])[0])


def test_no_objects_give_verdicts_without_rows() -> None:
    for curves in (LightCurves.from_points([], []), curves_of(point(61000.0)).part(0, 0)):
        (verdicts,) = judge(curves, [only(minBands=2, sherlockClasses=["SN"], footprint="0/4", minGalacticLatitude=5)])
        assert [len(values) for values in (verdicts.passed, verdicts.trigger_mjd, verdicts.n_detections)] == [0, 0, 0]
        assert all(len(values) == 0 for values in verdicts.measured.values())


def test_all_detections_are_counted_whatever_the_function_counts() -> None:
    curves = curves_of(point(61000.0, "u"), point(61001.0, positive=False), point(61002.0, detection=False))
    (verdicts,) = judge(curves, [only(minBands=1)])
    assert (verdicts.n_detections.tolist(), verdicts.n_detections.dtype) == ([2], "int64")


def test_every_criterion_is_compared_with_one_in_plain_python() -> None:
    assert set(CRITERIA_DRAWN) == set(CRITERIA)


def test_every_criterion_is_explained_with_its_source() -> None:
    for criterion in CRITERIA.values():
        assert criterion.meaning.endswith((".", ":", ";")) or criterion.meaning
        assert "Source: " in (criterion.measure.__doc__ or "")
        assert ">>> " in (criterion.measure.__doc__ or "")
