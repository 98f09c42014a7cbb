"""Light curves for tests: rows as `LightCurves.from_points` takes them, and hypothesis strategies for them."""

from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from tests.support.reference import Row, row
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.columns import POINT_COLUMNS

NAN = float("nan")

Point = tuple[Any, ...]


def point(
    mjd: float,
    band: str = "g",
    mag: float = 19.0,
    error: float = 0.1,
    *,
    of: int = 0,
    night: int | None = None,
    positive: bool = True,
    detection: bool = True,
    ra: float = 10.0,
    decl: float = -20.0,
) -> Point:
    """Make one point; band "?" is none of LSST's."""
    at = "ugrizy".find(band)
    return of, mjd, at, mag, error, int(mjd) if night is None else night, detection, positive, ra, decl


def curves_of(*points: Point) -> LightCurves:
    """Make the light curves of objects a, b, c, ... as many as the points name."""
    number = 1 + max((row[0] for row in points), default=-1)
    return LightCurves.from_points("abcdefghij"[:number], points)


def told_curves(points: list[Point], reliability: list[float], objects: Objects) -> LightCurves:
    """Make light curves of some objects of which more is known; each point has a source id, its place in the list."""
    columns = list(zip(*points, strict=True)) or [()] * 10
    index, mjd, band, mag, error, night, detection, positive, ra, decl = columns
    return LightCurves.from_magnitudes(
        "abcdefghij"[: len(objects.ra)],
        np.array(index, int),
        mjd,
        np.array(band, int),
        np.array(mag, float),
        np.array(error, float),
        is_detection=detection,
        is_positive=positive,
        night=night,
        ra=ra,
        decl=decl,
        source_id=np.arange(len(points)),
        reliability=reliability,
        objects=objects,
    )


def rows_of_points(points: list[Point], of: int, reliability: list[float] | None = None) -> list[Row]:
    """Give the points of one object as the reference takes them."""
    reliabilities = reliability or [NAN] * len(points)
    return [
        row(
            point[1],
            "ugrizy"[point[2]] if point[2] >= 0 else "",
            *point[3:6],
            is_detection=point[6],
            is_positive=point[7],
            reliability=drb,
        )
        for point, drb in zip(points, reliabilities, strict=True)
        if point[0] == of
    ]


def same(one: LightCurves, other: LightCurves) -> bool:
    """Tell whether light curves are equal in all columns, types included; NaN equals NaN."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("offsets", *POINT_COLUMNS)]
    pairs += [(getattr(one.objects, field.name), getattr(other.objects, field.name)) for field in fields(Objects)]
    return one.object_ids == other.object_ids and all(
        a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs
    )


MAGNITUDES = st.integers(150, 251).map(lambda tenths: tenths / 10 if tenths < 251 else NAN)
ERRORS = st.one_of(
    st.sampled_from([NAN, 0.0, -0.1, 1.0857 / 5, 1.09 / 5, 0.2171, 0.2172]),
    *[st.integers(1, 40).map(lambda hundredths: hundredths / 100)] * 3,
)
MOSTLY = st.sampled_from([True, True, True, False])

quick = settings(max_examples=min(40, settings().max_examples), deadline=None)
"""Of property tests: a shared machine may take its time; in CI as few examples as its profile has."""

thorough = settings(quick, max_examples=100)
"""Of the property tests of the engine, which is fast: few of the functions drawn pass, so many are drawn."""


@st.composite
def points(draw: st.DrawFn, objects: int = 3) -> list[Point]:
    """Draw points of some objects in any order, each at an epoch of its own."""
    epochs = draw(st.lists(st.integers(0, 400), max_size=14, unique=True))
    return [_drawn(draw, 61000 + epoch / 10, objects) for epoch in epochs]


@st.composite
def tied_points(draw: st.DrawFn, objects: int = 3) -> list[Point]:
    """Draw points of some objects in any order, many of them at one epoch; one epoch is one night."""
    epochs = draw(st.lists(st.integers(0, 24), min_size=3, max_size=24))
    return [_drawn(draw, 61000 + epoch / 2, objects) for epoch in epochs]


def _drawn(draw: st.DrawFn, mjd: float, objects: int) -> Point:
    return point(
        mjd,
        draw(st.sampled_from("ugrizy?")),
        draw(MAGNITUDES),
        draw(ERRORS),
        of=draw(st.integers(0, objects - 1)),
        positive=draw(MOSTLY),
        detection=draw(MOSTLY),
        ra=draw(st.sampled_from([10.0, 10.1, NAN])),
    )


UNKNOWN_OR_FLAG = st.sampled_from([NAN, 0.0, 1.0])


ANNOTATIONS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "fink.snn_snia_vs_nonia": st.sampled_from([0.0, 0.5, 0.9]),
        "alerce.SNIa": st.sampled_from([0.1, 0.5]),
        "gaia.parallax": st.sampled_from([-0.2, 1.0, 30.0]),
        "vsx.type": st.sampled_from(["RRAB", "M"]),
        "lasair.needle.class": st.sampled_from(["TDE", "SN"]),
        "tns.type": st.sampled_from(["SN Ia", "CV", "AGN"]),
    },
)


@st.composite
def objects(draw: st.DrawFn, number: int = 3, *, annotated: bool = False) -> Objects:
    """Draw what is known of some objects, each value unknown at times; what brokers say only if it is asked for."""

    def several(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=number, max_size=number))

    flags = {name: several(UNKNOWN_OR_FLAG) for name in ("solar_system", "point_source", "known_variable")}
    return Objects.of(
        number,
        ra=several(st.sampled_from([NAN, 0.0, 5.0, 123.4, 266.4, 355.0])),
        decl=several(st.sampled_from([NAN, -89.0, -28.9, -20.0, 0.0, 60.5])),
        ebv=several(st.sampled_from([NAN, 0.0, 0.1, 2.5])),
        first_seen=several(st.sampled_from([NAN, 60000.0, 60998.5, 61003.0])),
        sherlock_class=several(st.sampled_from([None, "SN", "VS", "AGN"])),
        annotations=several(ANNOTATIONS) if annotated else None,
        **flags,
    )


@st.composite
def reliable_curves(draw: st.DrawFn, *, annotated: bool = False) -> tuple[list[Point], list[float], Objects]:
    """Draw three light curves with ties, reliabilities, and what is known of the objects."""
    rows = draw(tied_points())
    reliability = st.lists(st.sampled_from([NAN, 0.2, 0.5, 0.9]), min_size=len(rows), max_size=len(rows))
    return rows, draw(reliability), draw(objects(annotated=annotated))
