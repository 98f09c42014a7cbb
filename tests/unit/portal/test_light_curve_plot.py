"""The interactive light curve: each point once, in the panel where it belongs."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import Point, curves_of, point, points, quick
from tides_bridge.lightcurves import LightCurves
from tides_bridge.portal.light_curve_plot import Event, LightCurvePlot, Predicted, light_curve_item, nice_days, times_on
from tides_bridge.selection.measures import PointFilter

SURVEYS = ("ztf", "lsst", "ztf", "lsst")


def drawn(plot: LightCurvePlot, scale: Any = "magnitude", **look: Any) -> list[dict[str, Any]]:
    """Give all models of a plot that are objects."""
    found: list[dict[str, Any]] = []

    def visit(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == "object":
                found.append(value)
            for part in value.values():
                visit(part)
        elif isinstance(value, list):
            for part in value:
                visit(part)

    visit(light_curve_item(plot, scale, **{"is_dark": False, "width": 1100} | look)["doc"]["roots"])
    return found


def sources(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the columns of all points that are drawn."""
    columns = [
        dict(model["attributes"]["data"]["entries"]) for model in models if model["name"].endswith("ColumnDataSource")
    ]
    return [each for each in columns if "kind" in each]


def labels(models: list[dict[str, Any]]) -> list[str]:
    """Give the names in the legend."""
    found = [model["attributes"]["label"] for model in models if model["name"] == "LegendItem"]
    return [label["value"] if isinstance(label, dict) else label for label in found]


def plot_of_points(rows: list[Point], **more: Any) -> LightCurvePlot:
    curves = curves_of(*rows)
    return LightCurvePlot(curves, SURVEYS[: len(curves)], **more)


@quick
@given(rows=points(), scale=st.sampled_from(["magnitude", "flux"]), significance=st.sampled_from([None, 5.0]))
def test_each_point_is_drawn_once(rows: list[Point], scale: str, significance: float | None) -> None:
    plot = plot_of_points(rows, points=PointFilter(significance=significance))
    curves = plot.curves
    shown = [pair for each in sources(drawn(plot, scale)) for pair in zip(each["mjd"], each["object"], strict=True)]
    can_be = (curves.is_detection & np.isfinite(curves.magnitude)) | (~curves.is_detection & (curves.flux_error > 0))
    names = np.array(curves.object_ids, dtype=object)[curves.object_index]
    assert sorted(shown) == sorted(zip(curves.mjd[can_be].tolist(), names[can_be], strict=True))


ROWS = [
    point(61000.0, "g", 19.0),
    point(61001.0, "r", 20.0, positive=False),
    point(61002.0, "i", 21.0, of=1),
    point(61003.0, "?", 19.5, of=1, error=0.9),
]


def test_fadings_have_a_panel_of_their_own_unless_flux_has_a_sign() -> None:
    def panels(scale: str) -> list[str]:
        axes = [model.get("attributes", {}).get("axis_label") for model in drawn(plot_of_points(ROWS), scale)]
        return [label for label in axes if label and not label.startswith("MJD")]

    assert panels("magnitude") == ["AB magnitude", "fadings [mag]"]
    assert panels("flux") == ["difference flux [µJy]"]
    fluxes = [flux for each in sources(drawn(plot_of_points(ROWS), "flux")) for flux in each["y"]]
    assert sum(flux < 0 for flux in fluxes) == 1


def test_colours_tell_bands_and_markers_surveys() -> None:
    models = drawn(plot_of_points([*ROWS, point(61004.0, "g", 19.0, of=1)]))
    colours = {model["attributes"]["fill_color"]["value"] for model in models if model["name"] == "Scatter"}
    assert colours == {"#49be61", "#c61c00", "#ffc200", "#888888"}
    looks = {pair for each in sources(models) for pair in zip(each["what"], each["marker"], strict=True)}
    assert looks >= {("ztf g", "circle"), ("lsst g", "square")}
    assert labels(models) == ["lsst other", "lsst g", "lsst i", "ztf g", "ztf r"]


def test_what_is_expected_and_what_happened_are_beside_the_points() -> None:
    epochs = np.arange(61004.0, 61008.0)
    expected = {"r": Predicted(epochs, np.full(4, 20.0), np.full(4, 0.1))}
    events = [Event(61002.5, "4MOST told", "create confirmed"), Event(61500.0, "ruling", "later")]
    more = {"trigger_mjd": 61001.0, "predicted": expected, "events": events, "on": [(61002.5, 61005.0)]}
    models = drawn(plot_of_points(ROWS, **more))
    names = [model["name"] for model in models]
    assert "VArea" in names and "HBar" in names and "r expected" in labels(models)
    assert [model["attributes"]["text"] for model in models if model["name"] == "Label"] == ["trigger"]
    (frame,) = [model["attributes"] for model in models if model["name"] == "Range1d"]
    assert 61007 < frame["end"] < 61012  # what happened a year later does not squeeze the points
    far = plot_of_points(ROWS, events=events[1:])
    assert "HBar" not in [model["name"] for model in drawn(far)]


def test_nothing_at_all_is_drawn_too() -> None:
    assert sources(drawn(LightCurvePlot(LightCurves.from_points("a", []), ["ztf"]))) == []


@given(
    first=st.floats(50000, 70000), length=st.floats(0, 30000), most=st.integers(1, 8)
)  # fmt: skip
def test_days_above_the_frame_are_few_even_and_within(first: float, length: float, most: int) -> None:
    days = nice_days(first, first + length, most)
    assert len(days) <= most and len({b - a for a, b in pairwise(days)}) <= 1
    assert all(first <= day <= first + length for day in days)


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=12), st.integers(0, 60))
def test_times_on_are_as_one_asks_day_by_day(rows: list[tuple[int, bool]], now: int) -> None:
    switches = sorted(dict(rows).items())
    spans = times_on(switches, now)
    for day in range(max(now, switches[-1][0] if switches else 0)):
        before = [is_on for at, is_on in switches if at <= day]
        assert any(begin <= day < end for begin, end in spans) == bool(before and before[-1])


@pytest.mark.parametrize("is_dark", [False, True])
def test_a_narrow_page_is_one_of_a_telephone(is_dark: bool) -> None:
    def columns(width: int) -> int:
        models = drawn(plot_of_points(ROWS), is_dark=is_dark, width=width)
        return next(int(model["attributes"]["ncols"]) for model in models if model["name"] == "Legend")

    assert columns(380) < columns(1100)
