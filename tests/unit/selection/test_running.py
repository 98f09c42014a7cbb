"""The compiled loops: what each gives, point by point, and that objects are kept apart."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import NAN, quick
from tides_bridge.lightcurves.order import is_in_order, order_by_epoch
from tides_bridge.selection import running

TWO = np.array([0, 3, 3, 6])
"""Objects of three, no and three points."""

ALL = np.ones(6, dtype=bool)
MJD = np.array([1.0, 2.0, 5.0, 1.0, 1.0, 9.0])


def chosen(*flags: int) -> npt.NDArray[np.bool_]:
    return np.array(flags, dtype=bool)


def test_detections_are_counted_of_each_object() -> None:
    assert running.running_count(TWO, chosen(1, 0, 1, 0, 1, 1)).tolist() == [1, 1, 2, 0, 1, 2]


def test_an_unknown_band_counts_for_none() -> None:
    bands = np.array([1, -1, 1, -1, 5, 0], dtype=np.int8)
    assert running.running_bands(TWO, ALL, bands).tolist() == [1, 1, 1, 0, 1, 2]


def test_nights_are_distinct_in_whichever_order_they_are_numbered() -> None:
    nights = np.array([7, 3, 7, 3, 3, -5])
    assert running.running_nights(TWO, ALL, nights).tolist() == [1, 2, 2, 1, 1, 2]
    assert running.running_nights(TWO, chosen(0, 1, 1, 1, 0, 0), nights).tolist() == [0, 1, 2, 1, 1, 1]


@quick
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=12))
def test_nights_are_counted_as_a_set_counts_them(rows: list[tuple[int, bool]]) -> None:
    nights, counts = np.array([each[0] for each in rows], int), np.array([each[1] for each in rows], bool)
    expected = [len({night for night, does_count in rows[: j + 1] if does_count}) for j in range(len(rows))]
    assert running.running_nights(np.array([0, len(rows)]), counts, nights).tolist() == expected


def test_the_least_leaves_nan_out() -> None:
    values = np.array([NAN, 20.0, 21.0, 19.0, NAN, 18.0])
    np.testing.assert_array_equal(running.running_least(TWO, ALL, values), [NAN, 20.0, 20.0, 19.0, 19.0, 18.0])


def test_first_last_and_gap_are_of_the_points_that_count() -> None:
    counts = chosen(0, 1, 1, 1, 0, 1)
    np.testing.assert_array_equal(running.running_first(TWO, counts, MJD), [NAN, 2.0, 2.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(running.running_last(TWO, counts, MJD), [NAN, 2.0, 5.0, 1.0, 1.0, 9.0])
    np.testing.assert_array_equal(running.running_gap(TWO, counts, MJD), [NAN, 0.0, 3.0, 0.0, 0.0, 8.0])


def rates(*rows: tuple[float, int, int, float], sign: float = 1.0) -> list[float]:
    """Rates of one object of points (mjd, night, band, magnitude)."""
    mjd, night, band, mag = (np.array(column) for column in zip(*rows, strict=True))
    offsets, counts = np.array([0, len(mjd)]), np.ones(len(mjd), dtype=bool)
    return list(running.running_rate(offsets, counts, mjd, night, band.astype(np.int8), mag, sign).tolist())


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(1.0, 1, 1, 20.0), (3.0, 3, 1, 19.0)], 0.5),
        ([(1.0, 1, 1, 20.0), (3.0, 3, 2, 19.0)], NAN),  # two bands: no rate
        ([(1.0, 1, 1, 20.0), (1.5, 1, 1, 18.0)], NAN),  # one night: no rate
        ([(1.0, 1, 1, 20.0), (3.0, 3, 1, 19.0), (3.5, 3, 1, 19.5)], 0.2),  # of a night the last point
        ([(1.0, 1, 1, 20.0), (3.0, 3, 1, 19.5), (3.0, 3, 1, 19.0)], 0.5),  # of an epoch the brightest
        ([(1.0, 1, 1, 20.0), (3.0, 3, 1, 19.0), (3.0, 3, 1, 19.5)], 0.5),
        ([(1.0, 1, 1, 20.0), (3.0, 9, 1, 20.5), (3.0, 1, 1, 19.0)], NAN),  # and its night: broken packets have several
        ([(1.0, 1, 1, 20.0), (3.0, 1, 1, 20.5), (3.0, 9, 1, 19.0)], 0.5),
        ([(1.0, 1, 1, 20.0), (2.0, 2, 1, 20.0), (4.0, 2, 1, 21.0), (4.0, 3, 1, 19.0)], 0.5),
        ([(1.0, 1, 1, 20.0), (3.0, 3, 1, NAN)], NAN),  # no magnitude: no point
        ([(1.0, 1, 1, 20.0), (3.0, 3, 1, 19.0), (5.0, 5, -1, 10.0)], 0.5),  # no band
        ([(1.0, 1, 1, 20.0), (2.0, 2, 2, 20.0), (3.0, 3, 1, 19.8), (4.0, 4, 2, 19.0)], 0.5),  # the fastest band
        ([(1.0, 1, 1, 19.0), (3.0, 3, 1, 20.0)], -0.5),  # fading
    ],
)
def test_the_rate_between_the_last_two_nights(rows: list[tuple[float, int, int, float]], expected: float) -> None:
    assert rates(*rows)[-1] == pytest.approx(expected, nan_ok=True)


def test_the_fastest_fading_is_the_slowest_rise_where_there_is_one_band() -> None:
    assert rates((1.0, 1, 1, 20.0), (3.0, 3, 1, 19.0), sign=-1.0)[-1] == -0.5
    assert rates((1.0, 1, 1, 20.0), (1.0, 1, 2, 20.0), (3.0, 3, 1, 19.0), (3.0, 3, 2, 21.0), sign=-1.0)[-1] == 0.5


@quick
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=20))
def test_points_are_ordered_by_epoch_and_those_of_one_epoch_stay(rows: list[tuple[int, int]]) -> None:
    ordered = sorted(rows, key=lambda each: each[0])
    offsets = np.cumsum([0, *np.bincount([each[0] for each in ordered], minlength=4)])
    mjd = np.array([each[1] for each in ordered], dtype=float)
    order = order_by_epoch(offsets, mjd).tolist()
    assert order == sorted(range(len(rows)), key=lambda j: (ordered[j][0], mjd[j]))
    assert is_in_order(offsets, mjd[order])
    assert is_in_order(offsets, mjd) == (order == list(range(len(rows))))


@pytest.mark.parametrize("offsets", [np.array([0]), np.array([0, 0, 0])])
def test_no_objects_and_no_points_give_no_values(offsets: npt.NDArray[Any]) -> None:
    none, no = np.empty(0), np.empty(0, dtype=bool)
    assert running.running_count(offsets, no).tolist() == running.running_gap(offsets, no, none).tolist() == []
    assert np.isnan(running.first_epoch(offsets, none, no, no)).tolist() == [True] * (len(offsets) - 1)
