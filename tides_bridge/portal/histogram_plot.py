"""Histograms of what became of objects, as interactive plots of Bokeh. No input or output here."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from tides_bridge.portal.bokeh_items import bokeh_item
from tides_bridge.portal.rejected import OUTCOMES

COLOURS_OF_OUTCOMES: Final = ("#0072b2", "#e69f00", "#999999")
"""Of `OUTCOMES`: from the palette of Okabe and Ito, which the colour-blind tell apart."""


def histogram_item(
    histograms: Iterable[tuple[str, float, Mapping[str, Sequence[Any]]]], *, is_dark: bool, is_narrow: bool
) -> Any:
    """
    Draw histograms beside each other, on a narrow page below each other.

    Parameters
    ----------
    histograms
        Label, width of a bin, and columns: see `tides_bridge.portal.rejected.histogram`.
    is_dark, is_narrow
        The page.
    """
    from bokeh.layouts import column, row

    ink, line = ("#d5dce5", "#3a4655") if is_dark else ("#28323e", "#d8dee6")
    panels = [_panel(label, width, columns, ink, line) for label, width, columns in histograms]
    return bokeh_item((column if is_narrow else row)(*panels, sizing_mode="stretch_width"))


def _panel(label: str, width: float, columns: Mapping[str, Sequence[Any]], ink: str, line: str) -> Any:
    models: Any = import_module("bokeh.models")
    from bokeh.plotting import figure

    panel: Any = figure(
        height=260, sizing_mode="stretch_width", tools="hover,save", x_axis_label=label, y_axis_label="objects",
        tooltips=[("", "@left{0.0}"), *((name, f"@{{{name}}}") for name in OUTCOMES)], active_drag=None,
    )  # fmt: skip
    places = {"x": [left + width / 2 for left in columns["left"]]}
    source = models.ColumnDataSource({**places, **{name: list(values) for name, values in columns.items()}})
    panel.vbar_stack(
        OUTCOMES, x="x", width=width * 0.92, source=source, color=COLOURS_OF_OUTCOMES, legend_label=list(OUTCOMES)
    )  # fmt: skip
    panel.toolbar.logo = None
    panel.background_fill_alpha = panel.border_fill_alpha = 0
    panel.outline_line_color = panel.xgrid.grid_line_color = panel.ygrid.grid_line_color = line
    panel.y_range.start = 0
    panel.xaxis.formatter.use_scientific = False
    for axis in (*panel.xaxis, *panel.yaxis):
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = ink
        axis.major_label_text_color = axis.axis_label_text_color = ink
        axis.axis_label_text_font_style = "normal"
    (legend,) = panel.legend
    legend.label_text_color, legend.label_text_font_size, legend.orientation = ink, "12px", "horizontal"
    legend.background_fill_alpha = legend.border_line_alpha = 0
    panel.add_layout(legend, "above")
    return panel
