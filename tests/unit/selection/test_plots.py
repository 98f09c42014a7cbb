"""What a plot of a light curve shows: its artists, not its pixels."""

import threading
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.support.curves import NAN, curves_of, point
from tides_bridge.formats.files import read_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.resources import file_name_of_object
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.plots import GREY, MARKERS, Plots, draw_light_curves, light_curve_figure
from tides_bridge.selection.point_kinds import COLOURS

STRICT = {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minNights": 2, "magLimit": 20}


def function(**keys: Any) -> SelectionFunction:
    return SelectionFunction.parse("example", STRICT | keys)


def figure_of(curves: LightCurves, **keys: Any) -> Figure:
    (verdicts,) = judge(curves, [function(**keys)])
    return light_curve_figure(curves, verdicts)


def drawn(axes: Axes, marker: str) -> list[Any]:
    return [line for line in axes.lines if line.get_marker() == marker and len(line.get_xdata())]


def texts(figure: Figure) -> str:
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    return "\n".join([*(text.get_text() for text in figure.texts), *legend])


RISING = curves_of(
    point(61000.0, "g", 19.5),
    point(61002.0, "r", 19.0),
    point(61003.0, "r", 18.8),
    point(61001.0, "g", 21.0, 0.5),
    point(61004.0, "g", 19.2, positive=False),
    point(61005.0, "z", 19.1),
)


def test_magnitudes_point_downwards_and_all_points_are_in_the_frame() -> None:
    (axes, *_) = figure_of(RISING).axes
    faint, bright = axes.get_ylim()
    assert faint > 21.5 and bright < 18.7
    first, last = axes.get_xlim()
    assert first < 61000 and last > 61005


def test_points_have_the_colour_and_marker_of_their_band() -> None:
    (axes, *_) = figure_of(RISING).axes
    (red,) = drawn(axes, MARKERS["r"])
    assert to_hex(red.get_markerfacecolor()) == COLOURS["r"]
    assert list(red.get_xdata()) == [61002.0, 61003.0] and list(red.get_ydata()) == [19.0, 18.8]
    assert len(set(MARKERS.values())) == len(set(COLOURS.values())) == 6
    assert not {"v", "^", "<", ">"} & set(MARKERS.values())


def test_what_does_not_count_is_hollow_and_fadings_are_grey() -> None:
    figure = figure_of(RISING)
    faces = {
        float(x): to_hex(line.get_markerfacecolor())
        for line in drawn(figure.axes[0], MARKERS["g"])
        for x in line.get_xdata()
    }
    assert faces == {61000.0: COLOURS["g"], 61001.0: "#ffffff", 61004.0: GREY}
    (other_band,) = drawn(figure.axes[0], MARKERS["z"])
    assert to_hex(other_band.get_markerfacecolor()) == "#ffffff"
    assert "does not count\n(S/N < 5, band, ...)" in texts(figure) and "fading (negative)" in texts(figure)


def test_the_rules_of_d333_count_fadings_and_the_legend_says_so() -> None:
    keys = {"filters": ["g", "r"], "significance": 5, "minBands": 1, "minNights": 2, "magLimit": 20}
    (verdicts,) = judge(RISING, [SelectionFunction.parse("old", keys)])
    assert "fading (negative), counts" in texts(light_curve_figure(RISING, verdicts))


def test_limits_are_triangles_at_their_magnitudes() -> None:
    curves = LightCurves.from_magnitudes(
        ["a"], [0, 0], [61000.0, 61001.0], [1, 1], [NAN, 19.0], [NAN, 0.1],
        is_detection=[False, True], is_positive=[False, True], limiting_magnitude=[20.5, NAN],
    )  # fmt: skip
    figure = figure_of(curves)
    (limit,) = drawn(figure.axes[0], "v")
    assert limit.get_xdata()[0] == 61000.0 and limit.get_ydata()[0] == pytest.approx(20.5)
    assert "5\u03c3 limit" in texts(figure)


def test_forced_photometry_is_faint_and_no_detection() -> None:
    curves = LightCurves.from_fluxes(
        ["a"], [0] * 4, 61000.0 + np.arange(4), [1] * 4, [10000.0, 9000.0, 100.0, -9000.0], [500.0] * 4,
        is_detection=[True, False, False, False],
    )  # fmt: skip
    figure = figure_of(curves)
    forced = [line for line in figure.axes[0].lines if line.get_gid() == "forced" and len(line.get_xdata())]
    assert sorted(float(line.get_xdata()[0]) for line in forced) == [61001.0, 61002.0, 61003.0]
    assert all(line.get_alpha() <= 0.5 and line.get_zorder() == 1 for line in forced)
    (limit,) = [line for line in forced if line.get_marker() == "v"]
    assert limit.get_xdata()[0] == 61002.0
    assert limit.get_ydata()[0] == pytest.approx(31.4 - 2.5 * np.log10(2500))


def test_the_trigger_is_a_line_with_its_date() -> None:
    figure = figure_of(RISING)
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "trigger"]
    assert list(line.get_xdata()) == [61002.0, 61002.0]
    assert "MJD 61002.000\n2025-11-23 00:00" in texts(figure)


def test_no_trigger_no_line() -> None:
    figure = figure_of(RISING, minNights=9)
    assert not [line for line in figure.axes[0].lines if line.get_gid() == "trigger"]
    assert "trigger" not in texts(figure)


def test_the_magnitude_limit_is_drawn_where_it_is_near_and_told_where_not() -> None:
    figure = figure_of(RISING)
    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "threshold magLimit"]
    assert list(line.get_ydata()) == [20, 20]
    far = figure_of(RISING, magLimit=25)
    assert not [line for line in far.axes[0].lines if line.get_gid() == "threshold magLimit"]
    assert "magLimit 25\n(out of the frame)" in texts(far)


def test_the_title_says_who_by_what_and_why() -> None:
    words = texts(figure_of(RISING, minNights=9))
    assert "a" in words.splitlines()
    assert f"example, version {function(minNights=9).version}" in words
    assert "failed: minNights 3 (\u2265 9)" in words and "magLimit" not in words.split("version")[1].splitlines()[1]
    passed = texts(figure_of(RISING))
    assert "passed: minNights 3 (\u2265 2), magLimit 18.8 (\u2264 20 mag)" in passed


def test_what_was_not_measured_is_told() -> None:
    assert "magLimit not measured" in texts(figure_of(curves_of(point(61000.0, "z"))))


@pytest.mark.parametrize(
    "points",
    [
        [],
        [point(61000.0, "?")],
        [point(61000.0, "g", NAN, NAN)],
        [point(61000.0, "g", 19.0, 0.0), point(61001.0, "g", 19.0, -1.0), point(61002.0, "g", 19.0, NAN)],
        [point(61000.0, "g", 19.0, 50.0)],
    ],
)
def test_odd_light_curves_are_plotted_too(points: list[Any], tmp_path: Path) -> None:
    curves = LightCurves.from_points(["odd"], points)
    assert draw_light_curves(Plots(tmp_path), function(), None, curves) == 1
    assert (tmp_path / "odd.png").read_bytes().startswith(b"\x89PNG")


def test_names_are_safe_for_files_and_for_fonts(tmp_path: Path) -> None:
    names = ["../../x", "a/b", "a b", "$x^2$", "", "\u2605 \u00e4", "n" * 400, ".hidden", "a%2Fb"]
    curves = LightCurves.from_points(names, [])
    assert draw_light_curves(Plots(tmp_path, dpi=50), function(), None, curves) == len(names)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(file_name_of_object(name, "png") for name in names) and len(set(made)) == len(names)
    assert all(len(name) < 255 and not name.startswith(".") for name in made)


@pytest.mark.parametrize(("ending", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_plots_for_print_keep_their_letters(ending: str, start: bytes, tmp_path: Path) -> None:
    draw_light_curves(Plots(tmp_path, ending), function(), None, RISING)
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert content.startswith(start)
    assert b"/Type3" not in content and (ending == "pdf" or b"<text" in content)


def test_dpi_makes_it_larger(tmp_path: Path) -> None:
    for dpi in (100, 300):
        draw_light_curves(Plots(tmp_path, dpi=dpi), function(), None, RISING)
        width = int.from_bytes((tmp_path / "a.png").read_bytes()[16:20], "big")
        assert width == pytest.approx(7.6 * dpi, abs=1)


def test_it_leaves_no_state_behind(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    threads = [
        threading.Thread(target=draw_light_curves, args=(Plots(folder), function(), None, RISING)) for folder in folders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dict(mpl.rcParams) == before
    assert [path.name for folder in folders for path in folder.iterdir()] == ["a.png", "a.png"]
    assert (folders[0] / "a.png").read_bytes() == (folders[1] / "a.png").read_bytes()


def test_real_light_curves_are_plotted(shared_data: Path, tmp_path: Path) -> None:
    for name in ("ztf/alerts.jsonl.gz", "elasticc/elasticc_sample_seed0.parquet", "lsst/parquet"):
        curves = next(read_light_curves([shared_data / name], refused=lambda *_: None)).part(0, 3)
        assert draw_light_curves(Plots(tmp_path, dpi=50), function(), None, curves) == 3
    assert len(list(tmp_path.iterdir())) == 9
