"""
The light curve of a target or an object as an interactive plot of Bokeh: all surveys in one. No input or output here.

Colours tell bands, markers surveys. Fadings have a panel of their own, as a magnitude has no sign; what happened to the
target stands below, on the same axis of time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from tides_bridge.compiled import Floats, Mask
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS, LIMIT_SIGNIFICANCE, flux_from_magnitude, time_from_mjd
from tides_bridge.portal.bokeh_items import bokeh_item
from tides_bridge.selection.measures import PointFilter
from tides_bridge.selection.point_kinds import COLOURS, PointKinds
from tides_bridge.selection.words import date_of

DARK_COLOURS: Final = COLOURS | {"u": "#5aa9ff", "r": "#ff6a4d", "i": "#ffd24d", "z": "#ff7ac4", "y": "#c9a08a"}
"""The same bands on a dark page."""

MARKERS: Final = {"ztf": "circle", "lsst": "square"}
OTHER_MARKER: Final = "diamond"

NANOJANSKY: Final = 1e-3
"""[uJy] The axis of flux is in uJy, so that its numbers are short."""

MOST_DATES: Final = 7
"""Dates above the frame."""

NEAR: Final = 20.0
"""[d] What happened within so many days of the points is within the frame at first."""

NARROW: Final = 600
"""[px] A narrower page is one of a telephone: a finger scrolls the page, not the plot."""

Scale = Literal["magnitude", "flux"]


class Event(NamedTuple):
    """What happened to a target: when [MJD, UTC], in which row of the panel below, and in words."""

    mjd: float
    row: str
    words: str


class Predicted(NamedTuple):
    """The brightness to come in a band: (k,) epochs [MJD, UTC], magnitudes and their 68 % errors [mag]."""

    mjd: Floats
    magnitude: Floats
    error: Floats


@dataclass(frozen=True)
class LightCurvePlot:
    """
    What is drawn.

    Attributes
    ----------
    curves
        Of the n objects of a target.
    surveys
        (n,) Of each.
    points
        Which tells the detections that count.
    trigger_mjd
        [MJD, UTC] When the light curve first passed; None if it never did.
    predicted
        By band.
    events
        What happened to the target.
    on
        Begin and end [MJD, UTC] of the times when it was on at 4MOST.
    """

    curves: LightCurves
    surveys: Sequence[str]
    points: PointFilter = field(default_factory=PointFilter)
    trigger_mjd: float | None = None
    predicted: Mapping[str, Predicted] = field(default_factory=dict)
    events: Sequence[Event] = ()
    on: Sequence[tuple[float, float]] = ()


def light_curve_item(plot: LightCurvePlot, scale: Scale, *, is_dark: bool, width: int) -> Any:
    """
    Draw a light curve, as what the script of Bokeh in a browser takes.

    Parameters
    ----------
    plot
        What is drawn.
    scale
        Of the axis: magnitudes, fadings apart; or the flux of the difference image, with its sign.
    is_dark
        For a dark page.
    width
        [px] Of the page: a narrow one has a legend of fewer columns.
    """
    return bokeh_item(_Drawing(plot, scale, is_dark, width).layout())


class _Drawing:
    """One plot on its way."""

    def __init__(self, plot: LightCurvePlot, scale: Scale, is_dark: bool, width: int) -> None:
        self.plot, self.scale, self.width = plot, scale, width
        self.colours = DARK_COLOURS if is_dark else COLOURS
        self.ink, self.line = ("#d5dce5", "#3a4655") if is_dark else ("#28323e", "#d8dee6")
        self.kinds = PointKinds(plot.curves, plot.points)
        self.object_surveys = np.array(plot.surveys, dtype=object)[plot.curves.object_index]
        self.legend: dict[str, list[Any]] = {}
        self.models: Any = import_module("bokeh.models")  # slow, and its types are not those of its constructors
        self.x_range = self._x_range()

    def layout(self) -> Any:
        """Put the panels below each other."""
        from bokeh.layouts import column

        fading = self.kinds.is_fading | self.kinds.is_forced_fading
        is_flux = self.scale == "flux"
        main = self._panel("difference flux [µJy]" if is_flux else "AB magnitude", 400)
        self._draw_points(main, np.ones_like(fading) if is_flux else ~fading)
        self._draw_prediction(main)
        self._mark_trigger(main)
        panels = [main]
        if fading.any() and not is_flux:
            panels.append(self._panel("fadings [mag]", 130))
            self._draw_points(panels[-1], fading)
            self._mark_trigger(panels[-1])
        if self._has_events():
            panels.append(self._timeline())
        self._add_dates(main)
        self._add_legend(main)
        panels[-1].below[0].axis_label = "MJD [d, UTC]"
        for panel in panels[:-1]:
            panel.below[0].major_label_text_font_size = "0px"
        return column(*panels, sizing_mode="stretch_width", spacing=0)

    # Axes

    def _x_range(self) -> Any:
        """Show all points, what is predicted, and what happened near them."""
        mjd = self.plot.curves.mjd
        first, last = (mjd.min(), mjd.max()) if len(mjd) else self._ends_of_events()
        near = [event.mjd for event in self.plot.events if first - NEAR <= event.mjd <= last + NEAR]
        ends = [first, last, *near, *(end for band in self.plot.predicted.values() for end in band.mjd[[0, -1]])]
        margin = max(0.04 * (max(ends) - min(ends)), 1.5)
        return self.models.Range1d(float(min(ends) - margin), float(max(ends) + margin))

    def _ends_of_events(self) -> tuple[float, float]:
        epochs = [event.mjd for event in self.plot.events] or [61000.0]
        return min(epochs), max(epochs)

    def _has_events(self) -> bool:
        """Tell whether anything happened within the frame: nights that are played anew are long over."""
        first, last = self.x_range.start, self.x_range.end
        spans = [(event.mjd, event.mjd) for event in self.plot.events]
        return any(begin <= last and end >= first for begin, end in [*spans, *self.plot.on])

    def _panel(self, label: str, height: int, **options: Any) -> Any:
        from bokeh.plotting import figure

        is_telephone = self.width < NARROW
        # The figure's own ranges follow what is shown: magnitudes downwards.
        panel: Any = figure(
            height=height, sizing_mode="stretch_width", x_range=self.x_range, toolbar_location="above",
            tools="pan,box_zoom,wheel_zoom,reset,save", active_drag=None if is_telephone else "pan",
            min_border_left=64, min_border_right=12, y_axis_label=label, output_backend="canvas", **options,
        )  # fmt: skip
        if height < 200:
            panel.toolbar_location = None
        if "y_range" not in options and self.scale == "magnitude":
            panel.y_range.flipped = True
        panel.toolbar.logo = None
        panel.background_fill_alpha = panel.border_fill_alpha = 0
        panel.outline_line_color = panel.xgrid.grid_line_color = panel.ygrid.grid_line_color = self.line
        panel.xaxis.formatter.use_scientific = False
        for axis in (*panel.xaxis, *panel.yaxis):
            self._dress(axis)
        return panel

    def _dress(self, axis: Any) -> None:
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = self.ink
        axis.major_label_text_color = axis.axis_label_text_color = self.ink
        axis.axis_label_text_font_style = "normal"

    def _add_dates(self, panel: Any) -> None:
        """Write dates above the frame."""
        days = nice_days(self.x_range.start, self.x_range.end, 3 if self.width < NARROW else MOST_DATES)
        axis = self.models.LinearAxis(ticker=self.models.FixedTicker(ticks=days, minor_ticks=[]))
        axis.major_label_overrides = {day: f"{time_from_mjd(day):%Y-%m-%d}" for day in days}
        self._dress(axis)
        panel.add_layout(axis, "above")

    # Points

    def _draw_points(self, panel: Any, chosen: Mask) -> None:
        drawn = []
        for survey in sorted(set(self.plot.surveys)):
            for band, mask in self.kinds.of_bands(chosen & (self.object_surveys == survey)):
                renderers = self._draw(panel, mask, survey, band)
                self.legend.setdefault(f"{survey} {band or 'other'}", []).extend(renderers)
                drawn += renderers[1:]
        if drawn:
            self._add_hover(panel, drawn)
        if self.scale == "flux":
            panel.add_layout(self.models.Span(location=0, dimension="width", line_color=self.ink, line_width=0.8))

    def _draw(self, panel: Any, mask: Mask, survey: str, band: str) -> list[Any]:
        """Draw all points of a survey in a band at once: each thing more that Bokeh draws costs some milliseconds."""
        marker = MARKERS.get(survey, OTHER_MARKER)
        found = [(mask & of_kind, kind, {"marker": marker} | look) for kind, of_kind, look in self._looks()]
        parts = [
            self._columns(of_kind, {"what": f"{survey} {band or 'other band'}", "kind": kind} | look)
            for of_kind, kind, look in found
            if of_kind.any()
        ]
        if not parts:
            return []
        source = self.models.ColumnDataSource(
            {name: [value for part in parts for value in part[name]] for name in parts[0]}
        )
        colour = self.colours.get(band, "#888888")
        bars = panel.segment("mjd", "low", "mjd", "high", source=source, line_color=colour, line_alpha="bar")
        looks = {"marker": "marker", "size": "size", "fill_alpha": "fill", "line_alpha": "line"}
        return [bars, panel.scatter("mjd", "y", source=source, color=colour, **looks)]

    def _looks(self) -> Iterator[tuple[str, Mask, dict[str, Any]]]:
        """Give the kinds of points, first what the legend shows, and how each looks: size, how opaque its parts are."""
        kinds = self.kinds
        limit = {"marker": "inverted_triangle", "fill": 0.0, "bar": 0.0}
        yield "detection", kinds.is_usual, {"size": 8, "fill": 0.95, "line": 1.0, "bar": 0.9}
        yield "detection that does not count", kinds.is_hollow, {"size": 8, "fill": 0.0, "line": 1.0, "bar": 0.7}
        yield "fading (negative difference)", kinds.is_fading, {"size": 8, "fill": 0.25, "line": 1.0, "bar": 0.7}
        yield "forced photometry", kinds.is_forced, {"size": 4, "fill": 0.5, "line": 0.5, "bar": 0.3}
        yield "5\u03c3 limit", kinds.is_limit, limit | {"size": 6, "line": 0.55}
        yield "forced photometry, 5\u03c3 limit", kinds.is_forced_limit, limit | {"size": 4, "line": 0.35}

    def _columns(self, mask: Mask, same: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Give the columns of some points; `same` has what is the same of all."""
        curves, kinds = self.plot.curves, self.kinds
        flux = np.where(np.isfinite(curves.flux), curves.flux, LIMIT_SIGNIFICANCE * curves.flux_error) * NANOJANSKY
        error = np.where(np.isfinite(curves.flux), curves.flux_error, 0.0) * NANOJANSKY
        y, bar = (flux, error) if self.scale == "flux" else (kinds.magnitude, kinds.error)
        names = np.array(curves.object_ids, dtype=object)[curves.object_index]
        columns = {"mjd": curves.mjd, "y": y, "low": y - bar, "high": y + bar, "object": names}
        columns |= {"magnitude": kinds.magnitude, "error": kinds.error, "flux": flux, "snr": curves.significance}
        chosen = {name: list(column[mask]) for name, column in columns.items()}
        chosen["date"] = [date_of(mjd) for mjd in chosen["mjd"]]
        return chosen | {name: [value] * int(mask.sum()) for name, value in same.items()}

    def _add_hover(self, panel: Any, renderers: Sequence[Any]) -> None:
        rows = [("", "@what, @kind"), ("date", "@date UTC"), ("MJD", "@mjd{0.00000}")]
        rows += [("magnitude", "@magnitude{0.00} ± @error{0.00}"), ("flux", "@flux{0.00} µJy"), ("S/N", "@snr{0.0}")]
        panel.add_tools(self.models.HoverTool(renderers=list(renderers), tooltips=[*rows, ("object", "@object")]))

    # What is beside the points

    def _draw_prediction(self, panel: Any) -> None:
        for band, expected in self.plot.predicted.items():
            ends = [expected.magnitude - expected.error, expected.magnitude, expected.magnitude + expected.error]
            if self.scale == "flux":
                ends = [flux_from_magnitude(end) * NANOJANSKY for end in ends]
            low, middle, high = ends
            colour = self.colours[band]
            shade = panel.varea(expected.mjd, low, high, color=colour, alpha=0.15)
            line = panel.line(expected.mjd, middle, color=colour, line_dash="dashed", line_width=1.5, alpha=0.9)
            self.legend.setdefault(f"{band} expected", []).extend([line, shade])

    def _mark_trigger(self, panel: Any) -> None:
        if self.plot.trigger_mjd is None:
            return
        mjd = float(self.plot.trigger_mjd)
        panel.add_layout(self.models.Span(location=mjd, dimension="height", line_color=self.ink, line_dash="dashed"))
        if panel.toolbar_location:
            words = {"text": "trigger", "text_color": self.ink, "text_font_size": "11px"}
            panel.add_layout(self.models.Label(x=mjd, y=4, y_units="screen", x_offset=4, **words))

    def _timeline(self) -> Any:
        rows = list(dict.fromkeys(event.row for event in self.plot.events))
        rows = (["on at 4MOST"] if self.plot.on else []) + rows
        panel = self._panel("", 50 + 24 * len(rows), y_range=rows[::-1])
        if self.plot.on:
            begins, ends = zip(*self.plot.on, strict=True)
            rows_on = ["on at 4MOST"] * len(begins)
            panel.hbar(y=rows_on, left=list(begins), right=list(ends), height=0.5, color="#2a9d55", alpha=0.8)
        epochs, places, words = zip(*self.plot.events, strict=True) if self.plot.events else ((), (), ())
        columns = {"mjd": epochs, "row": places, "words": words, "date": [date_of(mjd) for mjd in epochs]}
        source = self.models.ColumnDataSource({name: list(column) for name, column in columns.items()})
        marks = panel.scatter("mjd", "row", source=source, marker="diamond", size=9, color=self.ink, alpha=0.75)
        panel.add_tools(self.models.HoverTool(renderers=[marks], tooltips=[("", "@words"), ("date", "@date UTC")]))
        return panel

    def _add_legend(self, panel: Any) -> None:
        names = sorted(self.legend, key=_place_in_legend)
        items = [self.models.LegendItem(label=name, renderers=self.legend[name]) for name in names]
        if not items:
            return
        legend = self.models.Legend(
            items=items, click_policy="hide", orientation="horizontal", ncols=max(self.width // 120, 2)
        )
        legend.background_fill_alpha = legend.border_line_alpha = 0
        legend.label_text_color, legend.label_text_font_size = self.ink, "12px"
        panel.add_layout(legend, "above")


def _place_in_legend(name: str) -> tuple[bool, str, int]:
    """Order the legend by survey, then by wavelength, what is expected last."""
    first, second = name.split(" ")
    is_expected = second == "expected"
    return is_expected, "" if is_expected else first, "".join(BANDS).find(first if is_expected else second)


def nice_days(first: float, last: float, most: int) -> list[int]:
    """
    Choose days between two epochs [MJD], evenly apart, at most so many.

    >>> nice_days(61000.4, 61020.2, 5), nice_days(61000.4, 61000.6, 5)
    ([61005, 61010, 61015, 61020], [])
    """
    steps = (1, 2, 5, 10, 20, 30, 60, 100, 200, 365, 1000, 5000, 100_000)
    for step in steps:
        days = [day for day in range(int(first // step) * step, int(last) + 1, step) if day >= first]
        if len(days) <= most:
            return days
    return []


def times_on(switches: Sequence[tuple[float, bool]], now_mjd: float) -> list[tuple[float, float]]:
    """
    Give the times when a target was on at 4MOST.

    Parameters
    ----------
    switches
        Epoch [MJD] and whether it was to be on, of all that 4MOST confirmed, the oldest first.
    now_mjd
        [MJD] Until when it is on, if it still is.

    Examples
    --------
    >>> times_on([(1.0, True), (2.0, True), (3.0, False), (5.0, True)], 7.0)
    [(1.0, 3.0), (5.0, 7.0)]
    """
    changes = (
        [switches[0], *(after for before, after in pairwise(switches) if before[1] != after[1])] if switches else []
    )
    ends = [mjd for mjd, _ in changes[1:]] + [max(now_mjd, switches[-1][0])] if changes else []
    return [(mjd, end) for (mjd, is_on), end in zip(changes, ends, strict=True) if is_on]
