"""What `tides_master` keeps of each light curve."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import NAN, Point, curves_of, point, points, quick
from tides_bridge.lightcurves.summaries import summarise_light_curves


def summary_of(*rows: Point) -> dict[str, Any]:
    """The summary of object a."""
    return {str(key): value for key, value in summarise_light_curves(curves_of(*rows)).loc["a"].items()}


def expected_summary(rows: list[Point]) -> dict[str, float]:
    """The same in plain Python, of the detections of one object."""
    detections = sorted((row for row in rows if row[6]), key=lambda row: row[1])
    positive = [row for row in detections if row[7]]
    chosen = positive or detections
    placed = {at: [row[at] for row in chosen if not math.isnan(row[at])] for at in (8, 9)}
    placed = {at: found or [row[at] for row in detections if not math.isnan(row[at])] for at, found in placed.items()}
    summary = {
        "n_detections": len(detections),
        "first_detection_mjd": chosen[0][1],
        "last_detection_mjd": chosen[-1][1],
        "ra": placed[8][-1] if placed[8] else NAN,
        "decl": placed[9][-1] if placed[9] else NAN,
    }
    for code, band in enumerate("ugrizy"):
        measured = [row for row in positive if row[2] == code and not math.isnan(row[3])]
        brightest = min(measured, key=lambda row: (row[3], row[1]), default=(NAN,) * 4)
        latest = max(measured, key=lambda row: row[1], default=(NAN,) * 4)
        for which, row in (("latest", latest), ("brightest", brightest)):
            summary[f"{band}_{which}_mag"], summary[f"{band}_{which}_mjd"] = row[3], row[1]
    return summary


def test_latest_and_brightest_are_kept_for_each_band() -> None:
    summary = summary_of(
        point(61003.0, "g", 20.0), point(61001.0, "g", 18.5), point(61002.0, "g", 19.0), point(61001.5, "r", 19.5)
    )
    assert (summary["g_latest_mag"], summary["g_latest_mjd"]) == (20.0, 61003.0)
    assert (summary["g_brightest_mag"], summary["g_brightest_mjd"]) == (18.5, 61001.0)
    assert (summary["r_latest_mag"], summary["r_brightest_mag"]) == (19.5, 19.5)
    assert (summary["first_detection_mjd"], summary["last_detection_mjd"]) == (61001.0, 61003.0)
    assert math.isnan(summary["i_latest_mag"])


def test_a_detection_without_magnitude_is_no_latest_magnitude() -> None:
    summary = summary_of(point(61001.0, "g", 19.0), point(61002.0, "g", NAN))
    assert (summary["g_latest_mag"], summary["g_latest_mjd"]) == (19.0, 61001.0)
    assert summary["last_detection_mjd"] == 61002.0


def test_a_band_without_any_magnitude_stays_empty() -> None:
    summary = summary_of(point(61001.0, "g", NAN), point(61002.0, "r", 19.0))
    assert math.isnan(summary["g_latest_mag"])
    assert math.isnan(summary["g_brightest_mjd"])
    assert summary["n_detections"] == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_brightest_of_one_epoch_is_the_latest(order: tuple[int, int]) -> None:
    rows = [point(61001.0, "g", 19.0), point(61001.0, "g", 18.0)]
    assert summary_of(*(rows[i] for i in order))["g_latest_mag"] == 18.0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_first_of_equally_bright_ones_is_the_brightest(order: tuple[int, int]) -> None:
    rows = [point(61001.0, "g", 18.0), point(61002.0, "g", 18.0)]
    assert summary_of(*(rows[i] for i in order))["g_brightest_mjd"] == 61001.0


def test_fadings_give_neither_magnitudes_nor_epochs() -> None:
    summary = summary_of(
        point(61000.0, "g", 16.0, positive=False), point(61001.0, "g", 19.0), point(61002.0, "g", 16.5, positive=False)
    )
    assert (summary["g_latest_mag"], summary["g_brightest_mag"]) == (19.0, 19.0)
    assert (summary["first_detection_mjd"], summary["last_detection_mjd"]) == (61001.0, 61001.0)
    assert summary["n_detections"] == 3


def test_an_object_of_fadings_only_keeps_their_epochs_and_position() -> None:
    summary = summary_of(
        point(61001.0, positive=False), point(61002.0, positive=False, ra=11.0), point(61003.0, detection=False, ra=NAN)
    )
    assert (summary["first_detection_mjd"], summary["last_detection_mjd"], summary["ra"]) == (61001.0, 61002.0, 11.0)
    assert math.isnan(summary["g_latest_mag"])


def test_the_position_is_that_of_the_last_detection_that_has_one() -> None:
    summary = summary_of(
        point(61001.0, ra=10.5), point(61002.0, ra=NAN, decl=NAN), point(61003.0, ra=99.0, positive=False)
    )
    assert (summary["ra"], summary["decl"]) == (10.5, -20.0)


def test_limits_give_nothing() -> None:
    assert summarise_light_curves(curves_of(point(61001.0, detection=False))).empty
    assert summarise_light_curves(curves_of()).empty
    assert len(summarise_light_curves(curves_of()).columns) == 29


def test_objects_are_kept_apart_and_those_without_detection_left_out() -> None:
    summary = summarise_light_curves(
        curves_of(point(61001.0, mag=18.0, of=2), point(61002.0, detection=False, of=1), point(61003.0, mag=19.0, of=0))
    )
    assert summary.index.tolist() == ["a", "c"]
    assert summary["g_latest_mag"].tolist() == [19.0, 18.0]
    assert summary["n_detections"].dtype == "int64"


@quick
@given(points())
def test_the_summary_equals_one_in_plain_python(rows: list[Point]) -> None:
    summary = summarise_light_curves(curves_of(*rows))
    by_object = {name: [row for row in rows if row[0] == i] for i, name in enumerate("abc")}
    assert summary.index.tolist() == [name for name, own in by_object.items() if any(row[6] for row in own)]
    for name in summary.index:
        found = {key: float(value) for key, value in summary.loc[name].items()}
        expected = {key: float(value) for key, value in expected_summary(by_object[name]).items()}
        assert str(found) == str({key: expected[str(key)] for key in found})  # as text, since NaN is not equal to NaN


@quick
@given(points(), st.randoms(use_true_random=False))
def test_the_order_of_points_changes_nothing(rows: list[Point], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    assert summarise_light_curves(curves_of(*rows)).equals(summarise_light_curves(curves_of(*shuffled)))
