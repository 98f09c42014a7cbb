"""The sky of a filter: each target is a point or counted in a cell, and what is clicked lists what it counted."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as PolygonPath

from tests.support.exchanges import add, change
from tests.support.portal_client import PortalClient
from tides_bridge.database import Database
from tides_bridge.decisions.record import load_functions
from tides_bridge.portal.pages.sky import outside_of
from tides_bridge.portal.sky_map import (
    HEIGHT,
    NORTH_ECLIPTIC_POLE,
    NORTH_GALACTIC_POLE,
    WIDTH,
    cell_of,
    great_circle,
    mollweide,
    outline,
)
from tides_bridge.selection import SelectionFunction
from tides_bridge.selection.functions import every_detection
from tides_bridge.settings import Settings

PLACES = ((0.0, -90.0), (359.999, 10.0), (10.0, 90.0), (180.0, -46.0), (180.0, -46.1), (3.0, 10.0))


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[PortalClient]:
    for number, (ra, decl) in enumerate(PLACES):
        add(database, f"t{number}", r_latest_mag=18.0 + number, ra=ra, decl=decl)
    client = PortalClient(settings)
    yield client
    client.kept.close()


def points(text: str) -> set[str]:
    return set(re.findall(r'href="targets/(t\d)"><circle', text))


def counted(text: str, what: str) -> list[tuple[int, str]]:
    """How many a part of the page has, and where it leads."""
    found = re.findall(rf'<a href="(sky\?[^"]*)">\s*<{what}.*?<title>([\d,]+)[ :]', text, re.DOTALL)
    return [(int(number.replace(",", "")), unescape(address)) for address, number in found]


def test_each_target_is_a_point_where_they_are_few(client: PortalClient, database: Database) -> None:
    assert points(client.get("sky").text) == {"t0", "t1", "t2", "t3", "t4", "t5"}
    assert points(client.get("sky?ra_from=350&ra_to=5").text) == {"t0", "t1", "t5"}
    change(database, "ra = 90", "t5")
    assert points(client.get("sky?ra_from=350&ra_to=5").text) == {"t0", "t1"}  # counts that are kept are not old


def test_cells_and_bars_lead_to_what_they_counted(client: PortalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = counted(client.get("sky").text, "rect")
    monkeypatch.setattr("tides_bridge.portal.pages.sky.POINTS", 3)
    other = PortalClient(client.settings)
    text = other.get("sky?mag_from=10").text
    cells = counted(text, "path")
    monkeypatch.setattr("tides_bridge.portal.pages.sky.POINTS", 1000)
    assert sum(number for number, _ in cells) == len(PLACES) and max(cells)[0] == 2
    assert sum(number for number, _ in bars) == 2 * len(PLACES)  # by magnitude and by time: none is expected tonight
    for number, address in (*cells, *bars):
        assert len(points(other.get(address).text)) >= number  # what lies on an edge is on both sides
    other.kept.close()


def test_what_is_wrong_or_empty_says_so(client: PortalClient) -> None:
    wrong = client.get("sky?dec_to=100")
    assert wrong.status_code == 422 and "dec_to:" in wrong.text
    assert "leave a condition out" in client.get("sky?name=nobody").text


@given(st.floats(0, 360), st.floats(-90, 90))
def test_a_place_is_where_it_is_counted_and_on_the_map(ra: float, decl: float) -> None:
    (x,), (y,) = mollweide([ra], [decl])
    assert ((x / WIDTH - 0.5) * 2) ** 2 + ((y / HEIGHT - 0.5) * 2) ** 2 <= 1 + 1e-9
    assert np.isclose(y, mollweide([0.0], [decl])[1][0])


def area(path: str) -> float:
    """What lies within the pieces of a path."""
    total = 0.0
    for piece in path.removesuffix("Z").split("Z"):
        x, y = np.array([pair.split() for pair in piece.strip("M").split("L")], float).T
        total += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return total


def cells_of(band: int) -> int:
    return round(360 / cell_of(band, 0).ra_to)


def test_cells_cover_the_sky_once() -> None:
    for band in range(24):
        first = cell_of(band, 0)
        number = round(360 / first.ra_to)
        assert cell_of(band, number - 1).ra_to == pytest.approx(360)
        assert (first.dec_from, first.dec_to) == (-90 + 7.5 * band, -82.5 + 7.5 * band)
        drawn = [outline(cell_of(band, place)) for place in range(number)]
        assert all(path.startswith("M") and "nan" not in path for path in drawn)
        assert all(area(path) > 0 for path in drawn)
    whole = sum(area(outline(cell_of(band, place))) for band in range(24) for place in range(cells_of(band)))
    assert whole == pytest.approx(np.pi * WIDTH * HEIGHT / 4, rel=0.01)


@pytest.mark.parametrize("pole", [NORTH_GALACTIC_POLE, NORTH_ECLIPTIC_POLE])
def test_a_great_circle_is_90_degrees_from_its_pole(pole: tuple[float, float]) -> None:
    ra, decl = (np.radians(values) for values in great_circle(*pole))
    pole_ra, pole_decl = np.radians(pole)
    cosine = np.sin(decl) * np.sin(pole_decl) + np.cos(decl) * np.cos(pole_decl) * np.cos(ra - pole_ra)
    assert np.abs(cosine).max() < 1e-9


def test_the_galactic_centre_lies_on_the_plane() -> None:
    ra, decl = great_circle(*NORTH_GALACTIC_POLE)
    assert np.hypot((ra - 266.405) * np.cos(np.radians(28.9)), decl + 28.936).min() < 0.6


def lit(path: str, ra: float, decl: float) -> bool:
    """Whether a place lies within one of the pieces of a path."""
    x, y = (values.tolist()[0] for values in mollweide([ra], [decl]))
    pieces = [np.array(re.findall(r"[-\d.]+", piece), dtype=float).reshape(-1, 2) for piece in path.split("Z") if piece]
    return any(PolygonPath(piece).contains_point((x, y)) for piece in pieces)


@pytest.mark.parametrize(
    ("asked", "taken", "not_taken"),
    [
        ({"declination": [-70, 5]}, [(0, -69), (180.1, 0), (359, 4)], [(0, 8), (179.9, 60), (10, -74), (270, 85)]),
        ({"footprint": [350, 20, -30, 30]}, [(0, 0), (355, -29), (19, 29)], [(340, 0), (30, 0), (0, 35), (180, 0)]),
        ({"minGalacticLatitude": 20, "declination": [-70, 5]}, [(0, -30), (180, -10)], [(266, -29), (0, 20), (90, 4)]),
    ],
)  # fmt: skip
def test_where_a_function_takes_nothing_is_shaded(asked: Any, taken: Any, not_taken: Any) -> None:
    path = outside_of(SelectionFunction.parse("f", {**every_detection().keys, **asked}))
    assert [lit(path, *place) for place in [*taken, *not_taken]] == [False] * len(taken) + [True] * len(not_taken)
    within_group = {"any": [asked, {"minDetections": 9}]}
    assert outside_of(SelectionFunction.parse("f", {**every_detection().keys, **within_group})) == ""


def test_the_sky_names_the_function_whose_footprint_it_shades(database: Database, settings: Settings) -> None:
    client = PortalClient(settings)
    text = client.get("sky").text
    function = load_functions(settings)[0]
    assert (f"where {function.name} takes nothing" in text) is bool(outside_of(function))
    wrong = PortalClient(settings.model_copy(update={"select_function": "gone"}))
    assert wrong.get("sky").status_code == 200 and "takes nothing" not in wrong.get("sky").text
    for page in (client, wrong):
        page.kept.close()
