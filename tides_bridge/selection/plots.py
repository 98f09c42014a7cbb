"""
Plots of light curves: one figure an object, magnitudes downwards, with what the selection function made of it.

Colours are Rubin's (RTN-045, as of February 2026; ``lsst.utils.plotting``), chosen with the colour-blind in mind. Its
markers have triangles for g and r; here a triangle is a limit, so each band has a marker that is none.

Nothing here uses pyplot, whose state all threads share and which keeps every figure.
"""

import textwrap
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from tides_bridge.compiled import Mask
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS, MJD_OF_UNIX
from tides_bridge.resources import file_name_of_object
from tides_bridge.selection.functions import SelectionFunction, Verdicts, judge
from tides_bridge.selection.point_kinds import COLOURS, PointKinds
from tides_bridge.selection.words import date_of, printable_text, verdict_in_words

MARKERS: Final[dict[str, str]] = dict(zip(BANDS, ("p", "o", "s", "D", "*", "P"), strict=True))
SIZES: Final[dict[str, float]] = dict(zip(BANDS, (6.0, 5.0, 4.6, 4.4, 7.5, 6.0), strict=True))
"""[pt] So that all markers look equally large."""
OTHER: Final = "#666666"
GREY: Final = "#c8c8c8"

STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "pdf.fonttype": 42,  # letters stay letters: journals refuse those of type 3
    "svg.fonttype": "none",
    "axes.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
}

FRAME: Final = (0.085, 0.105, 0.705, 0.7)
"""Left, bottom, width and height of the axes, in parts of the figure: the same for each, to be compared or blinked."""

SHORTEST: Final = 4.0
"""[d] No frame is shorter, so that the dates above have no hours."""

SIZE: Final = (7.6, 4.8)
"""[inch] Across two columns of a page."""

LONGEST_BAR: Final = 1.2
"""[mag] Longer error bars do not widen the frame."""

NEAR: Final = 1.5
"""[mag] So far from the points a magnitude limit still is within the frame."""

ONE_AT_A_TIME: Final = threading.Lock()
"""The style is set for the whole process while a plot is made: threads take turns, as in workers of another cluster."""


@dataclass(frozen=True)
class Plots:
    """
    How light curves are plotted.

    Attributes
    ----------
    folder
        Where the plots go; it is there.
    ending
        ``png``, ``pdf`` or ``svg``.
    dpi
        Dots an inch, of a PNG.
    """

    folder: Path
    ending: str = "png"
    dpi: int = 150


def draw_light_curves(plots: Plots, function: SelectionFunction, now_mjd: float | None, curves: LightCurves) -> int:
    """
    Plot some light curves, a file each, and tell how many. This is what is done in other processes.

    Parameters
    ----------
    plots
        Where to, and in which format.
    function
        Whose verdict is written into each plot.
    now_mjd
        [d, UTC] When it is, for ages; None: at the last point of each light curve.
    curves
        Of n objects.

    Returns
    -------
    int
        n. Each file is written under a hidden name and renamed; matplotlib draws one at a time in a process.
    """
    (verdicts,) = judge(curves, [function], now_mjd)
    for place, object_id in enumerate(curves.object_ids):
        path = plots.folder / file_name_of_object(object_id, plots.ending)
        hidden = path.with_name(f".{path.name}.part")
        with ONE_AT_A_TIME, mpl.rc_context(STYLE):
            figure = light_curve_figure(curves.part(place, place + 1), verdicts, place)
            figure.savefig(hidden, format=plots.ending, dpi=plots.dpi)
        hidden.replace(path)
    return len(curves)


def light_curve_figure(curve: LightCurves, verdicts: Verdicts, place: int = 0) -> Figure:
    """
    Plot one light curve.

    Parameters
    ----------
    curve
        Of one object.
    verdicts
        What its function says, of this object at `place`.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE)
        FigureCanvasAgg(figure)
        axes = figure.add_axes(FRAME)
        points = PointKinds(curve, verdicts.function.points)
        _draw_forced(axes, points)
        _draw_limits(axes, points)
        _draw_detections(axes, points)
        _frame(axes, points, _magnitude_limits(verdicts.function))
        for path, value in _magnitude_limits(verdicts.function):
            faint, bright = axes.get_ylim()
            if bright < value < faint:
                axes.axhline(value, color="0.25", linewidth=0.8, linestyle=":", zorder=1.5, gid=f"threshold {path}")
        mjd = float(verdicts.trigger_mjd[place])
        if np.isfinite(mjd):
            axes.axvline(mjd, color="0.15", linewidth=0.9, linestyle=(0, (5, 2)), zorder=1.5, gid="trigger")
        axes.set_xlabel("MJD [d, UTC]")
        axes.set_ylabel("AB magnitude of the difference")
        axes.xaxis.set_major_locator(MaxNLocator(7))
        axes.xaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        above = axes.secondary_xaxis("top", functions=(_days, _mjd))
        above.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=6))  # type: ignore[no-untyped-call]
        above.xaxis.set_major_formatter(DateFormatter("%Y-%m-%d"))  # type: ignore[no-untyped-call]
        above.tick_params(labelsize=8)
        _title(figure, curve.object_ids[0], verdicts, place)
        _legend(figure, points, verdicts, place)
    return figure


def _marks(band: str) -> dict[str, Any]:
    """Say how points of a band look, hollow."""
    colour = COLOURS.get(band, OTHER)
    size = SIZES.get(band, 5.0)
    return {"marker": MARKERS.get(band, "X"), "markersize": size, "color": colour, "markerfacecolor": "white"}


def _draw_detections(axes: Axes, points: PointKinds) -> None:
    for mask, face, level in ((points.is_fading, GREY, 3), (points.is_hollow, "white", 4), (points.is_usual, "", 5)):
        for band, of_band in points.of_bands(mask):
            marks = _marks(band)
            marks["markerfacecolor"] = face or marks["color"]
            mjd, magnitude, error = points.mjd[of_band], points.magnitude[of_band], points.error[of_band]
            edge = "black" if not face else marks["color"]
            axes.errorbar(
                mjd,
                magnitude,
                yerr=error,
                linestyle="none",
                elinewidth=0.8,
                ecolor=marks["color"],
                markeredgecolor=edge,
                markeredgewidth=0.4 if not face else 0.9,
                zorder=level,
                **marks,
            )


def _draw_limits(axes: Axes, points: PointKinds) -> None:
    """Draw limits as triangles that point downwards: the object is fainter."""
    for band, mask in points.of_bands(points.is_limit):
        colour = COLOURS.get(band, OTHER)
        axes.plot(
            points.mjd[mask],
            points.magnitude[mask],
            linestyle="none",
            marker="v",
            markersize=4.5,
            markerfacecolor="none",
            markeredgecolor=colour,
            markeredgewidth=0.7,
            alpha=0.55,
            zorder=2,
            gid="limit",
        )


def _draw_forced(axes: Axes, points: PointKinds) -> None:
    """Draw forced photometry faintly: dots, grey for fadings, and triangles where nothing is seen."""
    kinds = ((points.is_forced_limit, "v", 2.6, 0.3), (points.is_forced, ".", 4.5, 0.5))
    for chosen, marker, size, opacity in kinds:
        for band, mask in points.of_bands(chosen):
            colour = COLOURS.get(band, OTHER)
            for part, face in ((mask & ~points.is_forced_fading, colour), (mask & points.is_forced_fading, GREY)):
                axes.plot(
                    points.mjd[part],
                    points.magnitude[part],
                    linestyle="none",
                    marker=marker,
                    markersize=size,
                    markerfacecolor=face if marker == "." else "none",
                    markeredgecolor=face,
                    markeredgewidth=0.5,
                    alpha=opacity,
                    zorder=1,
                    gid="forced",
                )


def _magnitude_limits(function: SelectionFunction) -> list[tuple[str, float]]:
    """Give the magnitudes that the function compares with, by their paths."""
    return [
        (leaf.path, float(leaf.threshold))
        for leaf in function.leaves
        if leaf.criterion.unit == "mag" and leaf.criterion.key in ("magLimit", "brightLimit")
    ]


def _frame(axes: Axes, points: PointKinds, thresholds: Sequence[tuple[str, float]]) -> None:
    """Choose what is seen: all points, their bars as far as they are short, and a magnitude limit that is near."""
    bar = np.minimum(np.where(points.is_measured, points.error, 0.0), LONGEST_BAR)
    ends = np.concatenate([points.magnitude - bar, points.magnitude + bar])
    ends = ends[np.isfinite(ends)]
    bright, faint = (ends.min(), ends.max()) if len(ends) else (18.0, 23.0)
    near = [value for _, value in thresholds if bright - NEAR <= value <= faint + NEAR]
    bright, faint = min([bright, *near]), max([faint, *near])
    margin = max(0.06 * (faint - bright), 0.15)
    axes.set_ylim(faint + margin, bright - margin)
    first, last = (points.mjd.min(), points.mjd.max()) if len(points.mjd) else (61000.0, 61001.0)
    margin = max(0.04 * (last - first), (SHORTEST - (last - first)) / 2)
    axes.set_xlim(first - margin, last + margin)


def _days(mjd: Any) -> Any:
    return np.asarray(mjd) - MJD_OF_UNIX


def _mjd(days: Any) -> Any:
    return np.asarray(days) + MJD_OF_UNIX


def _title(figure: Figure, object_id: str, verdicts: Verdicts, place: int) -> None:
    """Say whose light curve it is, by which function it was judged, and how."""
    function, left = verdicts.function, FRAME[0]
    passed = bool(verdicts.passed[place])
    figure.text(left, 0.95, printable_text(object_id), fontsize=12, fontweight="bold", parse_math=False)
    about = f"{printable_text(function.name)}, version {function.version}"
    figure.text(0.985, 0.953, about, fontsize=8, color="0.35", ha="right", parse_math=False)
    why = textwrap.wrap(verdict_in_words(verdicts, place), 112, max_lines=2, placeholder=" ...")
    colour = "#00695c" if passed else "#9c1c00"
    figure.text(left, 0.933, "\n".join(why), fontsize=8.5, color=colour, va="top", parse_math=False)


def _legend(figure: Figure, points: PointKinds, verdicts: Verdicts, place: int) -> None:
    """Explain bands and kinds of points, those that there are, at the right of the frame."""
    bands = [band for band, _ in points.of_bands(np.isfinite(points.magnitude))]
    handles = [
        _handle(band or "other band", **{**_marks(band), "markerfacecolor": COLOURS.get(band, OTHER)}) for band in bands
    ]
    grey = {"marker": "o", "markersize": 5.0, "color": "0.35"}
    fading = "fading (negative)" + (", counts" if (points.is_fading & points.counts).any() else "")
    least = verdicts.function.points.significance
    kinds: list[tuple[Mask, str, dict[str, Any]]] = [
        (points.is_usual, "counts", {**grey, "markerfacecolor": "0.35"}),
        (
            points.is_hollow,
            "does not count" if least is None else f"does not count\n(S/N < {least:g}, band, ...)",
            {**grey, "markerfacecolor": "white"},
        ),
        (points.is_fading, fading, {**grey, "markerfacecolor": GREY}),
        (
            points.is_limit,
            "5\u03c3 limit",
            {"marker": "v", "markersize": 4.5, "color": "0.4", "markerfacecolor": "none"},
        ),
        (points.is_forced, "forced, S/N \u2265 3", {"marker": ".", "markersize": 4.0, "color": "0.6"}),
        (
            points.is_forced_limit,
            "forced, 5\u03c3 limit",
            {"marker": "v", "markersize": 2.6, "color": "0.65", "markerfacecolor": "none"},
        ),
    ]
    handles += [_handle(label, **marks) for mask, label, marks in kinds if mask.any()]
    handles += _line_handles(figure.axes[0], verdicts, place)
    legend = figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.795, 0.815),
        frameon=False,
        fontsize=8,
        handlelength=1.6,
        labelspacing=0.55,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _line_handles(axes: Axes, verdicts: Verdicts, place: int) -> list[Line2D]:
    handles = []
    trigger = float(verdicts.trigger_mjd[place])
    if np.isfinite(trigger):
        label = f"trigger\nMJD {trigger:.3f}\n{date_of(trigger)}"
        handles.append(Line2D([], [], color="0.15", linewidth=0.9, linestyle=(0, (5, 2)), label=label))
    drawn = {line.get_gid() for line in axes.lines}
    for path, value in _magnitude_limits(verdicts.function):
        is_drawn = f"threshold {path}" in drawn
        label = f"{path} {value:g}" + ("" if is_drawn else "\n(out of the frame)")
        handles.append(Line2D([], [], color="0.25", linewidth=0.8, linestyle=":", label=label))
    return handles


def _handle(label: str, **marks: Any) -> Line2D:
    return Line2D([], [], linestyle="none", label=label, markeredgewidth=0.8, **marks)
