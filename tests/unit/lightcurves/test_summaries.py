"""What `tides_master` keeps of each light curve."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import NAN, Point, curves_of, point, points, quick
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.summaries import summarise_light_curves
from tides_bridge.targets.neighbours import great_circle_arcsec


def summary_of(*rows: Point) -> dict[str, Any]:
    """The summary of object a."""
    return {str(key): value for key, value in summarise_light_curves(curves_of(*rows)).loc["a"].items()}


def expected_summary(rows: list[Point]) -> dict[str, float]:
    """The same in plain Python, of the detections of one object, but for its position."""
    detections = sorted((row for row in rows if row[6]), key=lambda row: row[1])
    positive = [row for row in detections if row[7]]
    chosen = positive or detections
    summary = {
        "n_detections": len(detections),
        "first_detection_mjd": chosen[0][1],
        "last_detection_mjd": chosen[-1][1],
    }
    for code, band in enumerate("ugrizy"):
        seen = [row for row in positive if row[2] == code]
        measured = [row for row in seen if not math.isnan(row[3])]
        brightest = min(measured, key=lambda row: (row[3], row[1]), default=(NAN,) * 5)
        latest = max(measured, key=lambda row: row[1], default=(NAN,) * 5)
        for which, row in (("latest", latest), ("brightest", brightest)):
            summary |= {f"{band}_{which}_{name}": row[at] for name, at in (("mag", 3), ("error", 4), ("mjd", 1))}
        summary[f"{band}_n_detections"] = len(seen)
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
    assert (summary["first_detection_mjd"], summary["last_detection_mjd"]) == (61001.0, 61002.0)
    assert summary["ra"] == pytest.approx(10.5, abs=1e-4)  # of both
    assert math.isnan(summary["g_latest_mag"])


def arcsec(ra: float, decl: float, of: float = -20.0) -> float:
    """The distance from 10, -20 [arcsec], for small ones."""
    return 3600 * math.hypot((ra - 10.0) * math.cos(math.radians(of)), decl - of)


def test_the_position_is_the_mean_of_significant_positive_detections_weighted_by_their_errors() -> None:
    away = 0.3 / 3600
    points = [
        *(point(61000.0 + i, error=0.05, decl=-20.0 + sign * away) for i, sign in enumerate((1, -1))),
        point(61002.0, error=0.05, decl=-20.0),
        point(61003.0, error=0.5, decl=-20.0 + 2 * away),  # S/N 2: it does not count beside the others
        point(61004.0, decl=-21.0, positive=False),
        point(61005.0, ra=NAN, decl=NAN),
    ]
    summary = summary_of(*points)
    assert arcsec(summary["ra"], summary["decl"]) == pytest.approx(0, abs=1e-6)
    assert summary["scatter_arcsec"] == pytest.approx(0.3, rel=1e-6)
    closer = summary_of(point(61000.0, error=0.02, decl=-20.0), point(61001.0, error=0.15, decl=-20.0 + away))
    assert 0 < arcsec(closer["ra"], closer["decl"]) < 0.05


def test_one_stray_detection_neither_moves_it_nor_counts_as_scatter() -> None:
    there = [point(61000.0 + i, decl=-20.0 + (i % 2) * 0.05 / 3600) for i in range(6)]
    stray = point(61003.5, ra=10.0 + 5 / 3600)
    with_it, without = summary_of(*there, stray), summary_of(*there)
    assert (with_it["ra"], with_it["decl"]) == pytest.approx((without["ra"], without["decl"]), abs=1e-9)
    assert without["scatter_arcsec"] <= with_it["scatter_arcsec"] < 0.1
    two = summary_of(*there, stray, point(61004.5, ra=10.0 + 5 / 3600))
    assert two["scatter_arcsec"] > 4


def test_the_less_is_known_the_more_counts() -> None:
    """Faint positive detections where there is no other, fadings where there is no positive one."""
    assert summary_of(point(61000.0, error=0.9), point(61001.0, ra=11.0, positive=False))["ra"] == 10.0
    assert summary_of(point(61000.0, ra=11.0, positive=False))["ra"] == 11.0
    assert math.isnan(summary_of(point(61000.0, ra=NAN))["ra"])


@pytest.mark.parametrize("decl", [-90.0, -89.9999, 0.0, 40.0, 89.99995])
@pytest.mark.parametrize("ra", [0.0, 359.99995, 180.0])
def test_the_mean_is_right_all_over_the_sky(ra: float, decl: float) -> None:
    east = 0.2 / 3600 / max(math.cos(math.radians(decl)), 1e-6)
    points = [point(61000.0 + i, ra=(ra + (i - 1) * min(east, 60)) % 360, decl=decl) for i in range(3)]
    summary = summary_of(*points)
    assert 0 <= summary["ra"] < 360 and -90 <= summary["decl"] <= 90
    assert great_circle_arcsec(summary["ra"], summary["decl"], ra, decl) < 0.15
    assert summary["scatter_arcsec"] < 0.5


def test_limits_and_forced_photometry_are_looks() -> None:
    curves = LightCurves.from_fluxes(
        ["a"], [0] * 5, [61000.0, 61001.0, 61002.0, 61003.0, 61003.0], [2, 2, 2, 1, 1],
        [5000.0, 400.0, -300.0, np.nan, np.nan], [100.0, 90.0, 80.0, 200.0, 100.0],
        is_detection=[True, False, False, False, False],
    )  # fmt: skip
    summary = {str(key): value for key, value in summarise_light_curves(curves).loc["a"].items()}
    assert [summary[f"r_forced_{name}"] for name in ("flux", "error", "mjd")] == [-300.0, 80.0, 61002.0]
    assert (summary["g_limit_mag"], summary["g_limit_mjd"]) == pytest.approx((31.4 - 2.5 * math.log10(500), 61003.0))
    assert (summary["r_n_detections"], summary["g_n_detections"]) == (1, 0)
    assert math.isnan(summary["r_limit_mag"]) and math.isnan(summary["g_forced_mjd"])


def test_limits_give_nothing() -> None:
    assert summarise_light_curves(curves_of(point(61001.0, detection=False))).empty
    assert summarise_light_curves(curves_of()).empty
    assert len(summarise_light_curves(curves_of()).columns) == 6 + 6 * 12


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
        # As text, since NaN is not equal to NaN.
        assert str({key: found[key] for key in expected}) == str(expected)


@quick
@given(points(), st.randoms(use_true_random=False))
def test_the_order_of_points_changes_nothing(rows: list[Point], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    assert summarise_light_curves(curves_of(*rows)).equals(summarise_light_curves(curves_of(*shuffled)))
