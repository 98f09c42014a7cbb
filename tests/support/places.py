"""Objects near each other on the sky, for tests, and which targets they came to be."""

import math
from itertools import groupby
from typing import Any

from tests.support.databases import rows_of
from tests.support.staging import staged
from tides_bridge.database import Database

ARCSEC = 1 / 3600
"""[deg]"""


def near(object_id: str, east: float = 0.0, north: float = 0.0, **columns: Any) -> dict[str, Any]:
    """Make a row of the stage so many arcsec from the place of all these tests."""
    ra, decl = moved(10.5, -20.25, east, north)
    return staged(object_id, ra=ra, decl=decl, **columns)


def moved(ra: float, decl: float, east: float, north: float) -> tuple[float, float]:
    """Go from a place [deg] in the plane that touches the sky there [arcsec]; past a pole it goes on behind it."""
    a, d = math.radians(ra), math.radians(decl)
    x, y = math.radians(east * ARCSEC), math.radians(north * ARCSEC)
    to_east = (-math.sin(a), math.cos(a), 0.0)
    to_north = (-math.sin(d) * math.cos(a), -math.sin(d) * math.sin(a), math.cos(d))
    moved_to = [p + x * e + y * n for p, e, n in zip(unit(ra, decl), to_east, to_north, strict=True)]
    longitude = math.degrees(math.atan2(moved_to[1], moved_to[0])) % 360
    return (0.0 if longitude == 360 else longitude), math.degrees(math.atan2(moved_to[2], math.hypot(*moved_to[:2])))


def unit(ra: float, decl: float) -> tuple[float, float, float]:
    a, d = math.radians(ra), math.radians(decl)
    return math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The angle between two rows [arcsec], by their vectors, not by haversines."""
    chord = math.dist(unit(one["ra"], one["decl"]), unit(other["ra"], other["decl"]))
    return math.degrees(2 * math.asin(min(1.0, chord / 2))) * 3600


def targets(database: Database) -> dict[str, str]:
    """The name of each object's target."""
    rows = rows_of(
        database, "SELECT association.object_id, name FROM association INNER JOIN tides_master USING (tides_id)"
    )
    return {row["object_id"]: row["name"].removeprefix("TiDES25") for row in rows}


def groups(database: Database) -> set[frozenset[str]]:
    """The objects of each target."""
    named = sorted(targets(database).items(), key=lambda item: item[1])
    return {frozenset(name for name, _ in group) for _, group in groupby(named, key=lambda item: item[1])}


def questions(database: Database) -> list[tuple[Any, ...]]:
    columns = "object_id, name, round(separation_arcsec::numeric, 3)::float8 AS arcsec, answer"
    joined = "association_question INNER JOIN tides_master USING (tides_id)"
    rows = rows_of(database, f"SELECT association_question.{columns} FROM {joined} ORDER BY question_id")
    return [tuple(row.values()) for row in rows]
