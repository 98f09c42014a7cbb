"""Light curves for tests: rows as `LightCurves.from_points` takes them, and hypothesis strategies for them."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from tides_bridge.lightcurves import LightCurves

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


MAGNITUDES = st.one_of(st.just(NAN), st.integers(150, 250).map(lambda tenths: tenths / 10))
ERRORS = st.one_of(
    st.sampled_from([NAN, 0.0, -0.1, 1.0857 / 5, 1.09 / 5, 0.2171, 0.2172]),
    st.integers(1, 60).map(lambda hundredths: hundredths / 100),
)

quick = settings(max_examples=40, deadline=None)
"""Of property tests: a shared machine may take its time."""


@st.composite
def points(draw: st.DrawFn, objects: int = 3) -> list[Point]:
    """Draw points of some objects in any order, each at an epoch of its own."""
    epochs = draw(st.lists(st.integers(0, 400), max_size=14, unique=True))
    return [
        point(
            61000 + epoch / 10,
            draw(st.sampled_from("ugrizy?")),
            draw(MAGNITUDES),
            draw(ERRORS),
            of=draw(st.integers(0, objects - 1)),
            positive=draw(st.booleans()),
            detection=draw(st.booleans()),
            ra=draw(st.sampled_from([10.0, 10.1, NAN])),
        )
        for epoch in epochs
    ]
