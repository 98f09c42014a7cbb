"""The trigger epoch, found in one pass: what evaluating every prefix of the light curve gives."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.curves import (
    NAN,
    Point,
    curves_of,
    point,
    quick,
    reliable_curves,
    rows_of_points,
    thorough,
    told_curves,
)
from tests.support.functions import ANY_KEYS, Keys, only, strict
from tests.support.reference import known_of, trigger_of
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.functions import light_curve_satisfies


def trigger(function: SelectionFunction, *rows: Point) -> float:
    """The trigger of object a."""
    return float(judge(curves_of(*rows), [function])[0].trigger_mjd[0])


def by_prefixes(curves: LightCurves, points: list[Point], what: tuple[Any, ...], function: SelectionFunction) -> Any:
    """Evaluate every prefix that ends at a detection, as the D3.3.3 program did, by the engine itself."""
    triggers = np.full(len(curves), np.nan)
    reliability, objects = what
    for mjd in sorted({each[1] for each in points}, reverse=True):
        kept = [(each, drb) for each, drb in zip(points, reliability, strict=True) if each[1] <= mjd]
        prefix = told_curves([each for each, _ in kept], [drb for _, drb in kept], objects)
        has_detection = [any(row[0] == i and row[1] == mjd and row[6] for row, _ in kept) for i in range(len(curves))]
        triggers[light_curve_satisfies(prefix, function) & has_detection] = mjd
    return triggers


@thorough
@given(reliable_curves(), ANY_KEYS)
def test_one_pass_finds_what_every_prefix_by_itself_gives(
    drawn: tuple[list[Point], list[float], Objects], keys: Keys
) -> None:
    points, reliability, objects = drawn
    function = SelectionFunction.parse("test", keys)
    curves = told_curves(points, reliability, objects)
    found = judge(curves, [function])[0].trigger_mjd
    np.testing.assert_array_equal(found, by_prefixes(curves, points, (reliability, objects), function))
    about = known_of(curves)
    expected = [trigger_of(keys, rows_of_points(points, i, reliability), about[i]) for i in range(len(curves))]
    np.testing.assert_array_equal(found, expected)


def test_the_trigger_is_the_first_detection_at_which_it_passes() -> None:
    rows = [point(61000.0, "g"), point(61001.0, "r"), point(61002.0, "g")]
    assert trigger(strict(), *rows) == 61001.0


def test_there_is_none_where_no_prefix_passes() -> None:
    assert math.isnan(trigger(strict(minBands=3), point(61000.0, "g"), point(61001.0, "r")))
    assert math.isnan(trigger(strict(), point(61000.0, detection=False)))
    assert judge(curves_of(point(61000.0, of=1)), [only(minBands=1)])[0].trigger_mjd.tolist()[1] == 61000.0
    assert math.isnan(judge(curves_of(point(61000.0, of=1)), [only(minBands=1)])[0].trigger_mjd[0])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_detections_of_one_epoch_come_together(order: tuple[int, ...]) -> None:
    """At one epoch a bright point raises the brightness above the limit whichever stands first in the file."""
    rows = [point(61000.0, "g", 20.0), point(61000.0, "r", 14.0), point(61001.0, "i", 20.0)]
    assert math.isnan(trigger(only(brightLimit=15, minBands=1), *(rows[i] for i in order)))
    assert trigger(only(minBands=2), *(rows[i] for i in order)) == 61000.0


def test_a_limit_is_no_trigger() -> None:
    """An age that has grown enough at a limit is seen at the next detection only."""
    rows = [point(61000.0), point(61005.0, detection=False), point(61006.0)]
    assert trigger(only(**{"not": {"maxAgeFirst": 3}}), *rows) == 61006.0


def test_a_detection_that_does_not_count_may_be_the_trigger() -> None:
    """D3.3.3 evaluates at every detection; what passes there by its age, passes there."""
    rows = [point(61000.0), point(61005.0, positive=False)]
    assert trigger(only(**{"not": {"maxAgeFirst": 3}}), *rows) == 61005.0


def test_a_trigger_stays_though_the_whole_fails() -> None:
    rows = [point(61000.0), point(61001.0), point(61030.0)]
    (verdicts,) = judge(curves_of(*rows), [only(maxGap=7, minDetections=2)])
    assert (verdicts.trigger_mjd[0], bool(verdicts.passed[0])) == (61001.0, False)


def test_in_a_prefix_now_is_its_last_epoch_whatever_now_is() -> None:
    curves = curves_of(point(61000.0), point(61001.0))
    (verdicts,) = judge(curves, [only(maxAgeFirst=5, minDetections=2)], now_mjd=61100.0)
    assert (verdicts.trigger_mjd[0], bool(verdicts.passed[0])) == (61001.0, False)


@quick
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.booleans()), max_size=12))
@example([(1, False, True), (1, True, False), (0, True, False)])
def test_passing_counts_at_the_last_point_of_an_epoch(rows: list[tuple[int, bool, bool]]) -> None:
    from tides_bridge.selection.running import first_epoch

    ordered = sorted(rows, key=lambda each: each[0])
    mjd = np.array([each[0] for each in ordered], dtype=float)
    detection, passes = (np.array([each[i] for each in ordered], dtype=bool) for i in (1, 2))
    expected = NAN
    for epoch in sorted(set(mjd.tolist()), reverse=True):
        at = np.flatnonzero(mjd == epoch)
        expected = epoch if detection[at].any() and passes[at[-1]] else expected
    found = first_epoch(np.array([0, len(mjd)]), mjd, detection, passes)
    np.testing.assert_array_equal(found, [expected])
