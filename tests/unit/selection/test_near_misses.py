"""What is lacking: nothing of what passes, and each demand that is not met of what does not."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import curves_of, point, quick, reliable_curves, told_curves
from tests.support.functions import strict_keys
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.near_misses import lacking

KEYS: Mapping[str, Any] = {"rules": "strict", "filters": ["g", "r"], "significance": 5}


def failed(function: SelectionFunction, curves: Any, place: int = 0) -> tuple[bool, list[str]]:
    """Judge, and name what is not fulfilled, as the record does."""
    (verdicts,) = judge(curves, [function], 61100.0)
    paths = [path for path, fulfilled in verdicts.fulfilled.items() if not fulfilled[place]]
    return bool(verdicts.passed[place]), paths


@quick
@given(data=st.data())
def test_nothing_is_lacking_of_what_passes_and_only_of_that(data: st.DataObject) -> None:
    function = SelectionFunction.parse("drawn", data.draw(strict_keys()))
    points, reliability, about = data.draw(reliable_curves())
    curves = told_curves(points, reliability, about)
    for place in range(len(curves)):
        passed, paths = failed(function, curves, place)
        assert passed == (not lacking(function.criteria, paths))


def names(keys: Mapping[str, Any], *points: Any) -> list[list[str]]:
    """Name what a light curve lacks."""
    function = SelectionFunction.parse("f", {**KEYS, **keys})
    _, paths = failed(function, curves_of(*points))
    return [[leaf.criterion.key for leaf in part] for part in lacking(function.criteria, paths)]


def test_a_group_is_one_demand() -> None:
    one = point(61000.0, "g", 19.0)
    assert names({"minBands": 2, "minNights": 2}, one) == [["minBands"], ["minNights"]]
    assert names({"minBands": 1, "any": [{"minNights": 2}, {"minDetections": 3}]}, one) == [
        ["minNights", "minDetections"]
    ]
    assert names({"not": {"minBands": 1}, "minNights": 2}, one) == [["minNights"], ["minBands"]]
    assert names({"not": {"minBands": 2}, "any": [{"minNights": 1}, {"minDetections": 3}]}, one) == []
