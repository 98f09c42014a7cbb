"""
ADQL's geometry in plain SQL, without an extension of PostgreSQL: points and what they lie in.

A condition on declination stands first in each, and one on right ascension where the centre is a number: both are in
an index. What remains is the haversine formula.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import sqlglot
from sqlglot import exp

from tides_bridge.errors import RejectedError

GEOMETRY: Final = frozenset({"POINT", "CIRCLE", "BOX", "POLYGON", "INTERSECTS", "DISTANCE", "COORD1", "COORD2"})
"""Beside CONTAINS, which sqlglot knows."""

SYSTEMS: Final = ("", "ICRS", "ICRS GEOCENTER", "ICRS BARYCENTER", "FK5")
"""Names of the one system there is; FK5 differs from it by less than 0.1 arcsec."""

HAVERSINE: Final = "POWER(SIND((:d - :e) / 2.0), 2) + COSD(:d) * COSD(:e) * POWER(SIND((:r - :s) / 2.0), 2)"
CIRCLE: Final = f":d BETWEEN :e - :q AND :e + :q AND {HAVERSINE} <= POWER(SIND(LEAST(:q, 180) / 2.0), 2)"
BOX: Final = ":d BETWEEN :e - :h / 2.0 AND :e + :h / 2.0 AND LEAST(ABS(:r - :s), 360 - ABS(:r - :s)) <= :w / 2.0"
DISTANCE: Final = f"2 * ASIND(LEAST(1, SQRT({HAVERSINE})))"
HALF: Final = "COSD(:d) * (:x * COSD(:r) + :y * SIND(:r)) + :z * SIND(:d) >= 0"

FROM_POLE: Final = 0.1
"""[deg] A circle that comes nearer to a pole may hold every right ascension."""


def without_geometry(whole: exp.Expr) -> None:
    """
    Write the geometry in a query as plain SQL.

    Raises
    ------
    RejectedError
        If it has what is not understood here.
    """
    for comparison in list(whole.find_all(exp.EQ, exp.NEQ)):
        _settle_containment(comparison)
    for comparison in list(whole.find_all(exp.LT, exp.LTE)):
        _settle_nearness(comparison)
    for part in reversed(list(whole.find_all(exp.Contains, exp.Anonymous))):
        written = _value(part)
        if written is not None:
            part.replace(exp.Paren(this=written))
    for part in whole.find_all(exp.Anonymous):
        if part.name.upper() in GEOMETRY:
            raise _refused(f"{part.name.upper()} stands where only a number or a name can")


def _settle_containment(comparison: exp.Expr) -> None:
    """Write ``CONTAINS(...) = 1`` as a condition, for which an index is of use."""
    for inside, number in ((comparison.this, comparison.expression), (comparison.expression, comparison.this)):
        if _is_containment(inside) and number.name in ("0", "1") and isinstance(number, exp.Literal):
            is_wanted = (number.name == "1") == isinstance(comparison, exp.EQ)
            condition = exp.Paren(this=_condition(inside))
            comparison.replace(condition if is_wanted else exp.Not(this=condition))
            return


def _settle_nearness(comparison: exp.Expr) -> None:
    """Add to ``DISTANCE(...) < r`` the condition on declination for which an index is of use."""
    distance, radius = comparison.this, comparison.expression
    if not _is_called(distance, "DISTANCE") or _number(radius) is None:
        return
    first, second = _two_points(distance)
    near = _in_circle(first, second, radius)
    if isinstance(comparison, exp.LT):
        near = exp.and_(near, comparison.copy())
    comparison.replace(exp.Paren(this=near))


def _value(part: exp.Expr) -> exp.Expr | None:
    """Give the number that a function of geometry stands for; None if it stands for none."""
    if _is_containment(part):
        return _written("CASE WHEN :c THEN 1 ELSE 0 END", c=_condition(part))
    if _is_called(part, "DISTANCE"):
        return _written(DISTANCE, **_named(*_two_points(part)))
    for place, name in enumerate(("COORD1", "COORD2")):
        if _is_called(part, name):
            return _point(_operands(part, 1)[0])[place]
    return None


def _is_called(part: exp.Expr, name: str) -> bool:
    return isinstance(part, exp.Anonymous) and part.name.upper() == name


def _is_containment(part: exp.Expr) -> bool:
    return isinstance(part, exp.Contains) or _is_called(part, "INTERSECTS")


def _condition(part: exp.Expr) -> exp.Expr:
    """Write whether a point lies in a shape."""
    shapes = _operands(part, 2)
    if _is_called(part, "INTERSECTS") and not _is_called(shapes[0], "POINT"):
        shapes = shapes[::-1]
    point, shape = _point(shapes[0]), shapes[1]
    for name, written in SHAPES.items():
        if _is_called(shape, name):
            return written(point, shape)
    raise _refused(f"a POINT can lie in {', '.join(SHAPES)}, and not in {shape.sql()[:40]}")


Place = tuple[exp.Expr, exp.Expr]
"""Right ascension and declination [deg]."""


def _circle(point: Place, shape: exp.Expr) -> exp.Expr:
    *centre, radius = _operands(shape, 3, 2)
    return _in_circle(point, _centre(centre), radius)


def _in_circle(point: Place, centre: Place, radius: exp.Expr) -> exp.Expr:
    if not any(list(part.find_all(exp.Column)) for part in point):
        point, centre = centre, point  # an index is of the one that is in a table
    condition = _written(CIRCLE, q=radius, **_named(point, centre))
    numbers = [_number(part) for part in (*centre, radius)]
    window = _window(*[number for number in numbers if number is not None]) if None not in numbers else None
    if window is None:
        return condition
    low, high = window
    joined = "AND" if low <= high else "OR"
    return exp.and_(_written(f"(:r >= {low!r} {joined} :r <= {high!r})", r=point[0]), condition)


def _window(ra: float, decl: float, radius: float) -> tuple[float, float] | None:
    """
    Give the right ascensions between which a circle lies [deg], the first larger where 0 is among them; None for all.

    >>> _window(10.0, 0.0, 1.0), _window(0.5, 0.0, 1.0), _window(0.0, 89.5, 1.0)
    ((8.9999..., 11.0000...), (359.4999..., 1.5000...), None)
    """
    if not 0 < radius < 90 or abs(decl) + radius > 90 - FROM_POLE:
        return None
    half = math.degrees(math.asin(math.sin(math.radians(radius)) / math.cos(math.radians(decl)))) + 1e-9
    return (ra - half) % 360, (ra + half) % 360


def _box(point: Place, shape: exp.Expr) -> exp.Expr:
    *centre, width, height = _operands(shape, 4, 3)
    return _written(BOX, w=width, h=height, **_named(point, _centre(centre)))


def _polygon(point: Place, shape: exp.Expr) -> exp.Expr:
    """Write that a point lies on the inner side of each edge of a convex polygon, and in the circle around it."""
    numbers = [_number(part) for part in _operands(shape)]
    if None in numbers or len(numbers) % 2 or len(numbers) < 6:
        raise _refused("POLYGON wants the numbers of three corners at least: right ascension, declination, ...")
    corners = np.radians(np.array(numbers, dtype=float).reshape(-1, 2))
    vectors = np.stack(
        [np.cos(corners[:, 1]) * np.cos(corners[:, 0]), np.cos(corners[:, 1]) * np.sin(corners[:, 0]),
         np.sin(corners[:, 1])], axis=1,
    )  # fmt: skip
    edges = np.cross(vectors, np.roll(vectors, -1, axis=0))
    middle = vectors.sum(axis=0)
    edges *= np.sign(edges @ middle)[:, None]
    if not (edges @ vectors.T >= -1e-12).all() or not np.any(edges):
        raise _refused("POLYGON has to be convex, and smaller than half of the sky")
    middle /= np.linalg.norm(middle)
    radius = math.degrees(math.acos(min(1.0, max(-1.0, float((vectors @ middle).min()))))) + 1e-9
    centre = math.degrees(math.atan2(middle[1], middle[0])) % 360, math.degrees(math.asin(middle[2]))
    sides = [
        _written(
            HALF, r=point[0], d=point[1], **{axis: _literal(float(x)) for axis, x in zip("xyz", edge, strict=True)}
        )
        for edge in edges
    ]
    return exp.and_(_in_circle(point, (_literal(centre[0]), _literal(centre[1])), _literal(radius)), *sides)


SHAPES: Final[dict[str, Callable[[Place, exp.Expr], exp.Expr]]] = {"CIRCLE": _circle, "BOX": _box, "POLYGON": _polygon}


def _operands(part: exp.Expr, *counts: int) -> list[exp.Expr]:
    """Give what a function was given, without the name of a coordinate system."""
    given = [part.this, part.expression] if isinstance(part, exp.Contains) else list(part.expressions)
    if given and isinstance(given[0], exp.Literal) and given[0].is_string:
        if given[0].name.upper().strip() not in SYSTEMS:
            raise _refused(f"positions are ICRS, and {given[0].name[:30]} is not known")
        given = given[1:]
    if counts and len(given) not in counts:
        raise _refused(f"{part.sql()[:60]} wants {' or '.join(map(str, counts))} values, and has {len(given)}")
    return given


def _point(part: exp.Expr) -> Place:
    if not _is_called(part, "POINT"):
        raise _refused(f"a POINT is wanted, and not {part.sql()[:40]}")
    ra, decl = _operands(part, 2)
    return ra, decl


def _centre(given: Sequence[exp.Expr]) -> Place:
    """Give the centre of a shape: two numbers, or a point, as ADQL 2.1 has it."""
    return _point(given[0]) if len(given) == 1 else (given[0], given[1])


def _two_points(part: exp.Expr) -> tuple[Place, Place]:
    given = _operands(part, 2, 4)
    return (_point(given[0]), _point(given[1])) if len(given) == 2 else ((given[0], given[1]), (given[2], given[3]))


def _named(point: Place, centre: Place) -> dict[str, exp.Expr]:
    return {"r": point[0], "d": point[1], "s": centre[0], "e": centre[1]}


def _written(template: str, **values: exp.Expr) -> exp.Expr:
    """Put parts of a query where a formula has their letters."""
    tree = sqlglot.parse_one(template, read="postgres")
    return exp.replace_placeholders(tree, **{key: exp.Paren(this=value.copy()) for key, value in values.items()})


def _literal(number: float) -> exp.Expr:
    literal = exp.Literal.number(repr(abs(number)))
    return exp.Neg(this=literal) if number < 0 else literal


def _number(part: exp.Expr) -> float | None:
    """Give a number that is written as such; None for all else."""
    if isinstance(part, exp.Paren):
        return _number(part.this)
    if isinstance(part, exp.Neg):
        inner = _number(part.this)
        return None if inner is None else -inner
    return float(part.name) if isinstance(part, exp.Literal) and not part.is_string else None


def _refused(problem: str) -> RejectedError:
    return RejectedError("query", problem)
