"""The picture of a backtest: efficiency against peak magnitude and redshift, and when the functions trigger."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from tides_bridge.archives.backtest import Backtest, days_at_trigger
from tides_bridge.archives.efficiency import FEWEST, Quantity, efficiency
from tides_bridge.errors import SettingsError

SIZE: Final = (11.0, 3.7)
"""[inch] Of the picture: the width of a page of a journal, with two columns."""

RESOLUTION: Final = 200
"""[dots/inch]"""

STYLES: Final[dict[str, dict[str, Any]]] = {
    "A": {"color": "#0072B2", "marker": "o"},
    "B": {"color": "#D55E00", "marker": "s", "markerfacecolor": "white"},
}
"""Colours that the colour-blind tell apart (Okabe & Ito 2008); the marks differ, too."""

GREY: Final = "#dddddd"

SHOWN: Final = (1.0, 99.0)
"""[%] Of the triggers that the histogram shows; some are seasons away."""


def write_backtest_plot(backtest: Backtest, path: Path) -> None:
    """
    Draw the picture into a file; its ending says as what: .png, .pdf or .svg.

    Raises
    ------
    SettingsError
        If the file cannot be written.
    """
    try:
        draw_backtest(backtest).savefig(path, dpi=RESOLUTION)
    except OSError as error:
        raise SettingsError("--plot", "", f"{path} cannot be written: {error.strerror}") from None


def draw_backtest(backtest: Backtest) -> Figure:
    """Draw the picture."""
    figure = Figure(figsize=SIZE, layout=ConstrainedLayoutEngine(w_pad=0.08))
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3)
    _efficiency(left, backtest, "peak_magnitude", "peak magnitude [mag]")
    _efficiency(middle, backtest, "redshift", "redshift")
    _triggers(right, backtest)
    # Of the panel that has most entries, as one may be empty.
    entries = [panel.get_legend_handles_labels() for panel in (left, middle, right)]
    handles, labels = max(entries, key=lambda pair: len(pair[1]))
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return figure


def _label(backtest: Backtest, letter: str) -> str:
    function = backtest.functions[backtest.letters.index(letter)]
    return f"{letter}: {function.name}"


def _efficiency(panel: Axes, backtest: Backtest, quantity: Quantity, name: str) -> None:
    table = efficiency(backtest, quantity)
    table = table[table.low_edge.notna()]
    panel.set_xlabel(name)
    panel.set_ylabel("efficiency")
    if not len(table):
        _say(panel, f"no {quantity.replace('_', ' ')} known")
        return
    _numbers(panel, table)
    bins = table[table.in_archive >= FEWEST]  # all together may be fewer
    width = (bins.high_edge - bins.low_edge).to_numpy(float)
    middle = ((bins.low_edge + bins.high_edge) / 2).to_numpy(float)
    shift = 0.09 if len(backtest.letters) > 1 else 0.0
    for letter, side in zip(backtest.letters, (-1, 1), strict=False):
        share, low, high = (bins[f"{what}_{letter}"].to_numpy(float) for what in ("share", "low", "high"))
        panel.errorbar(
            middle + side * shift * width,
            share,
            yerr=[share - low, high - share],
            label=_label(backtest, letter),
            linewidth=1.0,
            markersize=4.5,
            capsize=2.0,
            **STYLES[letter],
        )
    panel.set_ylim(-0.03, 1.06)


def _say(panel: Axes, text: str) -> None:
    """Write why a panel is empty."""
    panel.text(0.5, 0.5, text, ha="center", transform=panel.transAxes)
    panel.set_xticks([])
    panel.set_yticks([])


def _numbers(panel: Axes, table: pd.DataFrame) -> None:
    """Draw how many objects a bin has, behind, on an axis of its own."""
    behind = panel.twinx()
    edges = [*table.low_edge, table.high_edge.iloc[-1]]
    behind.stairs(table.in_archive.to_numpy(float), edges, fill=True, color=GREY)
    behind.set_ylim(bottom=0)
    behind.set_ylabel("objects", color="#777777")
    behind.tick_params(axis="y", colors="#777777")
    behind.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    panel.set_zorder(behind.get_zorder() + 1)
    panel.patch.set_visible(False)


def _triggers(panel: Axes, backtest: Backtest) -> None:
    """Draw when the functions trigger: since peak, or, where no peak is known, since the first detection."""
    start = "peak" if any(len(days_at_trigger(backtest, letter, "peak")) for letter in backtest.letters) else ""
    start = start or "first_detection"
    days = {letter: days_at_trigger(backtest, letter, start) for letter in backtest.letters}
    everything = np.concatenate(list(days.values()))
    panel.set_xlabel(f"trigger, days since {start.replace('_', ' ')}")
    panel.set_ylabel("objects")
    if not len(everything):
        _say(panel, "nothing triggers")
        return
    low, high = np.percentile(everything, SHOWN)
    edges = np.linspace(np.floor(low), max(np.ceil(high), np.floor(low) + 1), 31).tolist()
    for letter, values in days.items():
        style = "-" if letter == "A" else "--"
        panel.hist(
            values,
            edges,
            histtype="step",
            color=STYLES[letter]["color"],
            linestyle=style,
            linewidth=1.4,
            label=_label(backtest, letter),
        )
        if len(values):
            panel.axvline(float(np.median(values)), color=STYLES[letter]["color"], linestyle=style, linewidth=0.8)
    panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    outside = int(((everything < edges[0]) | (everything > edges[-1])).sum())
    panel.set_title(f"thin: median; {outside} triggers outside" if outside else "thin: median", fontsize=8)
