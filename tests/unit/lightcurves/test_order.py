"""Points of one object and epoch: sorted alike by both ways, however many there are."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import quick
from tides_bridge.lightcurves.order import LONGEST_INSERTION, order_of_ties

Row = tuple[int, int, int, int, bool]
"""Object, epoch, band, source, and whether it is a detection."""

# Few values, so that many are equal.
rows = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-1, 2), st.integers(-1, 2), st.booleans())


def sorted_in_python(rows: Sequence[Row]) -> list[int]:
    return sorted(range(len(rows)), key=lambda place: (rows[place], place))


def sorted_here(rows: Sequence[Row]) -> list[int]:
    index, mjd, band, source, detection = (np.array(column) for column in zip(*rows, strict=True))
    return order_of_ties(index, mjd.astype(float), band.astype(np.int8), source, detection).tolist()


@quick
@given(st.lists(rows, min_size=1, max_size=40))
def test_points_of_one_epoch_are_sorted_by_band_source_and_detection(
    drawn: list[Row],
) -> None:
    drawn.sort(key=lambda row: row[:2])  # as light curves are
    assert sorted_here(drawn) == sorted_in_python(drawn)


@quick
@given(st.lists(rows, min_size=LONGEST_INSERTION + 1, max_size=LONGEST_INSERTION + 30), st.booleans())
def test_as_many_points_at_one_epoch_as_no_survey_has_are_sorted_alike(drawn: list[Row], is_long: bool) -> None:
    tied = [(1, 1, *row[2:]) for row in drawn[: None if is_long else LONGEST_INSERTION]]
    others = [(0, 1, 2, 2, True), (0, 1, 1, 2, True), *tied, (2, 1, 2, 2, True), (2, 1, 1, 2, False)]
    assert sorted_here(others) == sorted_in_python(others)
