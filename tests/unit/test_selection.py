import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import broker_that_hears
from tests.support.curves import NAN, Point, curves_of, point, points, quick
from tides_bridge.selection import SelectionFunction, light_curve_satisfies


def function(rules: str | None = "strict", **values: Any) -> SelectionFunction:
    usual = {"filters": "griz", "significance": 5, "minBands": 2, "minNights": 2, "magLimit": 22.5}
    return SelectionFunction(
        name="test", rules=rules, **{**usual, "filters": tuple(values.pop("filters", "griz")), **values}
    )


def satisfies(rules: str | None, *rows: Point, **values: Any) -> bool:
    (answer,) = light_curve_satisfies(curves_of(*rows), function(rules, **values)).tolist()
    return bool(answer)


def both(*rows: Point, **values: Any) -> tuple[bool, bool]:
    """By the strict rules, and by those of D3.3.3."""
    return satisfies("strict", *rows, **values), satisfies(None, *rows, **values)


TWO_BANDS_TWO_NIGHTS = (point(61000.0, "g"), point(61001.0, "r"))


# The criteria, one by one


def test_two_bands_on_two_nights_pass() -> None:
    assert both(*TWO_BANDS_TWO_NIGHTS) == (True, True)


@pytest.mark.parametrize(
    "values",
    [{"minBands": 3}, {"minNights": 3}, {"magLimit": 18.9}, {"filters": "gi"}, {"significance": 11}],
    ids=lambda values: next(iter(values)),
)
def test_each_criterion_alone_fails_a_light_curve(values: dict[str, Any]) -> None:
    assert both(*TWO_BANDS_TWO_NIGHTS, **values) == (False, False)


def test_one_night_is_not_two() -> None:
    assert both(point(61000.1, "g"), point(61000.2, "r")) == (False, False)


def test_nights_are_those_of_the_survey_not_of_the_clock() -> None:
    assert both(point(61000.9, "g", night=5), point(61001.1, "r", night=5)) == (False, False)
    assert both(point(61000.1, "g", night=5), point(61000.2, "r", night=6)) == (True, True)


def test_limits_count_for_nothing() -> None:
    assert both(point(61000.0, "g"), point(61001.0, "r", detection=False)) == (False, False)
    assert both(*(point(61000.0 + i, band, detection=False) for i, band in enumerate("gri"))) == (False, False)


def test_an_object_without_points_fails() -> None:
    assert light_curve_satisfies(curves_of(), function()).tolist() == []
    assert light_curve_satisfies(curves_of(point(61000.0, of=1)), function()).tolist() == [False, False]


def test_no_demand_on_bands_and_nights_still_asks_for_one_bright_detection() -> None:
    assert both(point(61000.0, detection=False), minBands=0, minNights=0) == (False, False)
    assert both(point(61000.0), minBands=0, minNights=0) == (True, True)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (1.0857 / 5, (True, True)),
        (0.2172, (False, True)),  # S/N 4.9986 by 1.0857, 5.018 by 1.09
        (1.09 / 5, (False, True)),
        (0.2181, (False, False)),
        (0.0, (False, True)),
        (-0.1, (False, False)),
        (NAN, (False, False)),
    ],
)
def test_significance_at_its_limit(error: float, passes: tuple[bool, bool]) -> None:
    assert both(point(61000.0, "g", error=error), point(61001.0, "r", error=error)) == passes


@pytest.mark.parametrize(("mag", "passes"), [(22.5, True), (22.5000001, False), (NAN, False)])
def test_the_magnitude_limit_is_included(mag: float, passes: bool) -> None:
    assert both(point(61000.0, "g", mag), point(61001.0, "r", mag)) == (passes, passes)


# Where the two sets of rules differ


def test_a_fading_counts_only_for_d333() -> None:
    assert both(point(61000.0, "g"), point(61001.0, "r", positive=False)) == (False, True)


@pytest.mark.parametrize(
    "bright",
    [
        point(61002.0, "u", 18.0),
        point(61002.0, "?", 18.0),
        point(61002.0, "g", 18.0, error=1.0),
        point(61002.0, "g", 18.0, error=NAN),
        point(61002.0, "g", 18.0, positive=False),
    ],
    ids=["other band", "unknown band", "insignificant", "no error", "fading"],
)
def test_any_detection_is_bright_enough_only_for_d333(bright: Point) -> None:
    faint = (point(61000.0, "g", 20.0), point(61001.0, "r", 20.0))
    assert both(*faint, bright, magLimit=19.0) == (False, True)


def test_a_limit_is_bright_enough_for_neither() -> None:
    faint = (point(61000.0, "g", 20.0), point(61001.0, "r", 20.0))
    assert both(*faint, point(61002.0, "g", 18.0, detection=False), magLimit=19.0) == (False, False)


# Against the same rules in plain Python


def expected(rows: list[Point], rules: SelectionFunction) -> bool:
    """The rules of reference/tides_selection.md for the points of one object."""
    counting, bright = [], []
    for _, _, band, mag, error, night, detection, positive, _, _ in rows:
        if not detection:
            continue
        name = "ugrizy"[band] if band >= 0 else "?"
        if rules.rules == "strict":
            counts = positive and error > 0 and 1.0857 / error >= rules.significance and name in rules.filters
            bright += [mag] if counts else []
        else:
            counts = (error == 0 or 1.09 / error >= rules.significance) and name in rules.filters
            bright.append(mag)
        if counts:
            counting.append((name, night))
    return (
        len({band for band, _ in counting}) >= rules.min_bands
        and len({night for _, night in counting}) >= rules.min_nights
        and any(mag <= rules.mag_limit for mag in bright)
    )


FUNCTIONS = st.builds(
    function,
    st.sampled_from(["strict", None]),
    filters=st.sampled_from(["g", "gr", "griz", "ugrizy"]),
    significance=st.sampled_from([3.0, 5.0, 10.0]),
    minBands=st.integers(0, 3),
    minNights=st.integers(0, 3),
    magLimit=st.sampled_from([16.0, 19.0, 22.5]),
)


@quick
@given(points(), FUNCTIONS)
def test_columns_are_judged_as_plain_python_judges(rows: list[Point], rules: SelectionFunction) -> None:
    curves = curves_of(*rows)
    answers = [expected([row for row in rows if row[0] == i], rules) for i in range(len(curves))]
    assert light_curve_satisfies(curves, rules).tolist() == answers


@quick
@given(points(), FUNCTIONS, st.randoms(use_true_random=False))
def test_the_order_of_points_changes_nothing(rows: list[Point], rules: SelectionFunction, random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    judged = [light_curve_satisfies(curves_of(*some), rules).tolist() for some in (rows, shuffled)]
    assert judged[0] == judged[1]


@quick
@given(points(), FUNCTIONS, st.permutations(range(3)))
def test_the_order_of_objects_changes_nothing(rows: list[Point], rules: SelectionFunction, order: list[int]) -> None:
    present = [point(60000.0, detection=False, of=i) for i in range(3)]
    moved = [(order[row[0]], *row[1:]) for row in (*present, *rows)]
    before = light_curve_satisfies(curves_of(*present, *rows), rules)
    assert light_curve_satisfies(curves_of(*moved), rules)[np.array(order)].tolist() == before.tolist()


@quick
@given(points(), points(), FUNCTIONS.filter(lambda rules: rules.rules == "strict"))
def test_fadings_never_change_a_strict_answer(rows: list[Point], more: list[Point], rules: SelectionFunction) -> None:
    fadings = [(*row[:7], False, *row[8:]) for row in more]
    present = [point(60000.0, detection=False, of=i) for i in range(3)]
    judged = [light_curve_satisfies(curves_of(*present, *some), rules).tolist() for some in (rows, [*rows, *fadings])]
    assert judged[0] == judged[1]


@quick
@given(points(), FUNCTIONS)
def test_a_longer_light_curve_never_fails_again(rows: list[Point], rules: SelectionFunction) -> None:
    present = [point(60000.0, detection=False, of=i) for i in range(3)]
    before = light_curve_satisfies(curves_of(*present, *rows[: len(rows) // 2]), rules)
    assert not (before & ~light_curve_satisfies(curves_of(*present, *rows), rules)).any()


# Real alerts


@pytest.fixture(scope="module")
def newest_packets(shared_data: Path) -> dict[str, list[dict[str, Any]]]:
    """The newest packet of each real ZTF object, as Lasair would give its light curve."""
    file = shared_data / "ztf" / "alerts.jsonl.gz"
    if not file.exists():
        pytest.skip("the real alerts are not on this machine")
    packets: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(file, "rt") as lines:
        for packet in map(json.loads, lines):  # sorted by jd
            packets[packet["objectId"]] = [packet["candidate"], *(packet["prv_candidates"] or [])]
    return packets


def expected_of_packet(candidates: list[dict[str, Any]], rules: SelectionFunction) -> bool:
    """The rules of reference/tides_selection.md for one ZTF packet."""
    detections = {each["candid"]: each for each in candidates if each.get("candid") is not None}.values()
    factor = 1.0857 if rules.rules else 1.09
    counting = [
        each
        for each in detections
        if {1: "g", 2: "r", 3: "i"}[each["fid"]] in rules.filters
        and each["sigmapsf"] > 0
        and factor / each["sigmapsf"] >= rules.significance
        and (not rules.rules or each["isdiffpos"] in ("t", "1"))
    ]
    return (
        len({each["fid"] for each in counting}) >= rules.min_bands
        and len({each["nid"] for each in counting}) >= rules.min_nights
        and any(each["magpsf"] <= rules.mag_limit for each in (counting if rules.rules else detections))
    )


REAL: list[tuple[SelectionFunction, int]] = [
    (function(), 182),
    (function(None), 267),
    (function(minBands=3), 7),
    (function(None, minNights=10), 87),
    (function(magLimit=18.0), 79),
    (function(None, magLimit=18.0), 131),
    (function(filters="r", minBands=1, significance=10), 137),
]


@pytest.mark.parametrize(("rules", "number"), REAL)
def test_real_alerts_are_judged_as_plain_python_judges(
    newest_packets: dict[str, list[dict[str, Any]]], rules: SelectionFunction, number: int
) -> None:
    names = list(newest_packets)
    fetched = broker_that_hears([{"objectId": name, "candidates": newest_packets[name]} for name in names])[0].fetch(
        names
    )
    judged = dict(zip(fetched.curves.object_ids, light_curve_satisfies(fetched.curves, rules).tolist(), strict=True))
    assert len(judged) == 573
    assert judged == {name: expected_of_packet(candidates, rules) for name, candidates in newest_packets.items()}
    assert sum(judged.values()) == number


def test_magnitudes_of_real_alerts_are_finite(newest_packets: dict[str, list[dict[str, Any]]]) -> None:
    names = list(newest_packets)
    curves = broker_that_hears([newest_packets[name] for name in names])[0].fetch(names).curves
    assert np.isfinite(curves.magnitude[curves.is_detection]).all()
    assert (curves.is_detection.sum(), curves.is_positive.sum()) == (4875, 3278)
