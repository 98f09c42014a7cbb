"""The sky of what a filter shows, with histograms of magnitude and time: a click on a part narrows the filter."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from tides_bridge.compiled import Floats, Mask
from tides_bridge.decisions.record import load_functions
from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import time_from_mjd
from tides_bridge.portal.pages.targets import Asked, chips_of, given_of, heads_of, look_up, number_of
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.portal.sky_map import HEIGHT, STEP, WIDTH, cell_of, lines, mollweide, outline, shade_where
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.functions import every_detection
from tides_bridge.settings import Settings
from tides_bridge.targets.listed import (
    PageOfTargets,
    TargetFilter,
    bin_by,
    bin_sky,
    count_states,
    list_page,
    parameters_of,
    settle_some,
)
from tides_bridge.targets.listed.filters import STATES

POINTS: Final = 1500
"""So many targets are points; more are counted in cells."""

BESIDE: Final = 15
"""Targets that are listed below the map."""

SHADES: Final = 6
"""Of cells, by the root of how many targets lie there."""

BINS: Final = 40
"""Bars of a histogram of times, at most."""

PLACE_CRITERIA: Final = ("declination", "footprint", "minGalacticLatitude")
"""What a selection function may ask of a place."""

SPANS: Final = (1, 2, 7, 14, 30, 91, 182, 365, 730, 3650)
"""[d] Widths of such a bar."""


class Skyward(NamedTuple):
    """What is drawn."""

    page: PageOfTargets
    counts: Sequence[Mapping[str, Any]]
    cells: Sequence[Mapping[str, Any]]
    histograms: Mapping[str, tuple[float, Sequence[Mapping[str, Any]]]]
    outside: tuple[str, str]


class Bar(NamedTuple):
    """A bar of a histogram: from 0 to 100 wide and high, in words, with the query of what lies in it."""

    left: float
    width: float
    height: float
    words: str
    query: str


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/sky``."""
    router = APIRouter()

    @router.api_route("/sky", methods=ASKING)
    def sky(request: Request) -> Response:
        """Show where the targets of a list are, how bright and how old."""
        problem, asked, found = look_up(request, portal, _found)
        given = given_of(request)
        about: dict[str, Any] = {"given": given, "chips": chips_of(given, asked) if found else [], "states": STATES}
        about |= {"query": asked.chosen.query(), "problem": problem, "heads": heads_of(asked), "sort": asked.sort}
        about |= _drawn(asked, found) if found else {"number": None}
        return portal.show(request, "sky.html", 422 if problem else 200, **about)

    return router


def _found(connection: Connection, portal: Portal, asked: Asked) -> Skyward:
    settle_some(connection, portal.settings)
    chosen = parameters_of(connection, asked.chosen)
    page = list_page(connection, chosen, asked.sort, POINTS)
    question = f"sky of {json.dumps(chosen)}"
    cells, histograms = portal.counted.get(connection, question, lambda: _counted(connection, chosen, page))
    counts = portal.counted.get(connection, "states", lambda: count_states(connection))
    outside = portal.counted.get(connection, "outside", lambda: _outside(portal.settings))
    return Skyward(page, counts, cells, histograms, outside)


def _counted(connection: Connection, chosen: Mapping[str, Any], page: PageOfTargets) -> tuple[Any, Any]:
    """Count by place where these are too many for points, by magnitude and by time."""
    cells = bin_sky(connection, chosen, STEP) if page.following else []
    histograms = {by: (0.5, bin_by(connection, chosen, by, 0.5)) for by in ("tonight", "mag")}
    days = bin_by(connection, chosen, "seen", 1.0)
    width = bar_days(days[0]["bin"], days[-1]["bin"]) if days else 1
    return cells, histograms | {"seen": (width, joined_days(days, width))}


def outside_of(function: SelectionFunction) -> str:
    """
    Draw where a function takes nothing, whatever is there: empty if it takes all of the sky.

    Parameters
    ----------
    function
        Of which `PLACE_CRITERIA` are looked at, outside of groups.
    """
    keys = json.loads(function.normalised_text)
    asked = {key: keys[key] for key in PLACE_CRITERIA if key in keys}
    of_place = SelectionFunction.parse(function.name, {**every_detection().keys, **asked})

    def is_outside(ra: Floats, decl: Floats) -> Mask:
        seen, number = [True] * len(ra), len(ra)
        points: tuple[Any, ...] = (range(number), [0.0] * number, [0] * number, [19.0] * number, [0.1] * number)
        objects = Objects.of(number, ra=ra, decl=decl)
        names = [str(place) for place in range(number)]
        curves = LightCurves.from_magnitudes(names, *points, is_detection=seen, is_positive=seen, objects=objects)
        outside: Mask = ~judge(curves, [of_place])[0].passed
        return outside

    return shade_where(is_outside) if asked else ""


def _outside(settings: Settings) -> tuple[str, str]:
    """Name the function in force, and draw where it takes nothing; its file may be wrong, or be made later."""
    try:
        function = load_functions(settings)[0]
    except SettingsError:
        return "", ""
    return function.name, outside_of(function)


def bar_days(first: float, last: float) -> int:
    """
    Choose how many days [d] a bar is wide.

    >>> bar_days(61000, 61030), bar_days(61000, 61300)
    (1, 14)
    """
    return next((span for span in SPANS if (last - first) / span <= BINS), SPANS[-1])


def joined_days(days: Sequence[Mapping[str, Any]], width: int) -> list[dict[str, Any]]:
    """Join bins of a day to bins of some days."""
    found: dict[int, int] = {}
    for row in days:
        found[row["bin"] // width] = found.get(row["bin"] // width, 0) + row["targets"]
    return [{"bin": place, "targets": number} for place, number in found.items()]


def _drawn(asked: Asked, found: Skyward) -> dict[str, Any]:
    """Say all that the template draws."""
    rows = [] if found.cells else found.page.rows
    x, y = mollweide([row["ra"] for row in rows], [row["decl"] for row in rows])
    points = [
        {"x": round(a, 1), "y": round(b, 1), "name": row["name"], "state": row["state"], "mag": row["tonight_mag"]}
        for a, b, row in zip(x.tolist(), y.tolist(), rows, strict=True)
    ]
    titles = {"tonight": "magnitude expected tonight", "mag": "newest magnitude", "seen": "last detection"}
    return {
        "number": number_of(asked.chosen, found.page, found.counts),
        "rows": found.page.rows[:BESIDE],
        "width": WIDTH,
        "height": HEIGHT,
        "lines": lines(),
        "function": found.outside[0],
        "outside": found.outside[1],
        "points": points,
        "cells": [_cell(asked.chosen, row, found.cells) for row in found.cells],
        "histograms": [
            (titles[by], bars_of(asked.chosen, by, *histogram), histogram_ends(by, *histogram))
            for by, histogram in found.histograms.items()
            if histogram[1]
        ],
    }


def _cell(chosen: TargetFilter, row: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw a cell, with the query of what lies in it."""
    cell = cell_of(row["band"], row["place"])
    most = max(other["targets"] for other in cells)
    shade = math.ceil(SHADES * math.sqrt(row["targets"] / most))
    edges = dict(zip(("ra_from", "ra_to", "dec_from", "dec_to"), (f"{edge:.6g}" for edge in cell), strict=True))
    return {
        "path": outline(cell),
        "shade": shade,
        "number": row["targets"],
        "words": f"RA {cell.ra_from:.0f} to {cell.ra_to:.0f}, dec {cell.dec_from:.0f} to {cell.dec_to:.0f}",
        "query": chosen.query(around=None, radius=None, **edges),
    }


def bars_of(chosen: TargetFilter, by: str, width: float, bins: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """
    Draw a histogram.

    Parameters
    ----------
    chosen
        What it is of.
    by, width
        Of `bin_by`.
    bins
        That it gave, one at least.
    """
    first, last = bins[0]["bin"], bins[-1]["bin"]
    share, most = 100 / (last - first + 1), max(row["targets"] for row in bins)
    bars = []
    for row in bins:
        begin, end = row["bin"] * width, (row["bin"] + 1) * width
        ends = (f"{by}_from", f"{by}_before" if by == "seen" else f"{by}_to")
        query = chosen.query(**dict(zip(ends, (f"{begin:g}", f"{end:g}"), strict=True)))
        words = f"{row['targets']:,} from {_edge(by, begin)} to {_edge(by, end)}"
        left = (row["bin"] - first) * share
        bars.append(Bar(left, share, 100 * row["targets"] / most, words, query))
    return bars


def histogram_ends(by: str, width: float, bins: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Write where a histogram begins and ends; for the parameters see `bars_of`."""
    return _edge(by, bins[0]["bin"] * width), _edge(by, (bins[-1]["bin"] + 1) * width)


def _edge(by: str, value: float) -> str:
    return f"{time_from_mjd(value):%Y-%m-%d}" if by == "seen" else f"{value:g}"
