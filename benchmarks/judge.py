"""Light curves judged a second: whole columns against one DataFrame an object, as D3.3.3 and D3.3.4 had it."""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tides_bridge.brokers.lasair_ztf import points_of
from tides_bridge.lightcurves import LightCurves
from tides_bridge.selection import SelectionFunction, light_curve_satisfies

OBJECTS = 2000
POINTS = 34
"""Of a real light curve, on average (5.5 kB of JSON)."""
RUNS = 5
FUNCTION = SelectionFunction(
    name="D3.3.3", filters=("g", "r", "i", "z"), significance=5, minBands=2, minNights=2, magLimit=19.5
)


def make_answers(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Make light curves of the shape that Lasair's API answers."""
    random = np.random.default_rng(seed)
    return {f"ZTF26{number:07d}": [_point(random, i) for i in range(POINTS)] for number in range(OBJECTS)}


def _point(random: np.random.Generator, index: int) -> dict[str, Any]:
    night = int(random.integers(3000, 3060))
    return {
        "candid": index + 1,
        "jd": 2461000.5 + night + float(random.random()),
        "fid": int(random.integers(1, 3)),
        "nid": night,
        "magpsf": float(random.uniform(18, 21)),
        "sigmapsf": float(random.uniform(0.02, 0.4)),
        "isdiffpos": "t",
        "ra": 10.0,
        "dec": -20.0,
    }


def by_columns(answers: dict[str, list[dict[str, Any]]]) -> list[bool]:
    """Judge as the bridge does."""
    rows = [row for index, points in enumerate(answers.values()) for row in points_of(points, index)]
    curves = LightCurves.from_points(list(answers), rows)
    return list(light_curve_satisfies(curves, FUNCTION))


def by_object(answers: dict[str, list[dict[str, Any]]]) -> list[bool]:
    """Judge one DataFrame after the other."""
    return [_satisfies(pd.json_normalize(points)) for points in answers.values()]  # type: ignore[arg-type]


def _satisfies(curve: pd.DataFrame) -> bool:
    counts = curve["fid"].isin([1, 2, 3]) & (1.09 / curve["sigmapsf"] >= FUNCTION.significance)
    return bool(
        curve["fid"][counts].nunique() >= FUNCTION.min_bands
        and curve["nid"][counts].nunique() >= FUNCTION.min_nights
        and curve["magpsf"].min() <= FUNCTION.mag_limit
    )


def median_seconds(work: Callable[[], object]) -> float:
    """Time some work, several times."""
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main() -> None:
    """Check that both agree, time both, and print the ratio."""
    answers = json.loads(json.dumps(make_answers(1)))
    if by_columns(answers) != by_object(answers):
        raise SystemExit("the two disagree: nothing is compared")
    ours, theirs = (median_seconds(lambda work=work: work(answers)) for work in (by_columns, by_object))
    print(f"{OBJECTS} light curves of {POINTS} points, from decoded JSON, one core, median of {RUNS}")
    print(f"one DataFrame an object  {OBJECTS / theirs:10,.0f} objects/s")
    print(f"whole columns            {OBJECTS / ours:10,.0f} objects/s  {theirs / ours:.1f} x")


if __name__ == "__main__":
    main()
