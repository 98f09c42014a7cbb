"""The old way, as in D3.3.3 and D3.3.4: one DataFrame an object, evaluated by itself; its trigger date by prefixes."""

from itertools import pairwise
from typing import Any

import pandas as pd

from benchmarks.measure import FUNCTION
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS, MJD_ZERO, ZTF_BANDS

LIMIT = {leaf.path: leaf.threshold for leaf in FUNCTION.leaves}

Candidates = list[dict[str, Any]]
"""A light curve as Lasair answers it; a limit has no ``candid``."""


def frame_of(candidates: Candidates) -> pd.DataFrame:
    """Make the DataFrame of one object."""
    return pd.json_normalize(candidates)


def satisfies(found: pd.DataFrame) -> bool:
    """Evaluate one light curve; a limit has no magnitude."""
    counts = found[found["fid"].isin([1, 2, 3]) & (1.0857 / found["sigmapsf"] >= 5) & (found["isdiffpos"] == "t")]
    return bool(
        counts["fid"].nunique() >= LIMIT["minBands"]
        and counts["nid"].nunique() >= LIMIT["minNights"]
        and counts["magpsf"].min() <= LIMIT["magLimit"]
    )


def trigger(found: pd.DataFrame) -> float:
    """Find the trigger date [MJD]: the first detection up to which it satisfies, by evaluating every prefix."""
    for jd in found.loc[found["candid"].notna(), "jd"].sort_values():
        if satisfies(found[found["jd"] <= jd]):
            return float(jd) - MJD_ZERO
    return float("nan")


def decide(candidates: Candidates) -> tuple[bool, float]:
    """Evaluate one light curve, and find its trigger date."""
    found = frame_of(candidates)
    return satisfies(found), trigger(found)


def candidates_of(curves: LightCurves, objects: int) -> list[Candidates]:
    """Give some light curves as Lasair answers them."""
    filters = {BANDS.index(band): fid for fid, band in ZTF_BANDS.items()}
    ends = curves.offsets[: objects + 1].tolist()
    points = [_candidate(curves, point, filters[int(curves.band[point])]) for point in range(ends[-1])]
    return [points[start:stop] for start, stop in pairwise(ends)]


def _candidate(curves: LightCurves, point: int, fid: int) -> dict[str, Any]:
    seen = {"jd": float(curves.mjd[point]) + MJD_ZERO, "fid": fid}
    if not curves.is_detection[point]:
        return {**seen, "diffmaglim": 20.0}
    measured = {"magpsf": float(curves.magnitude[point]), "sigmapsf": float(curves.magnitude_error[point])}
    sign = "t" if curves.is_positive[point] else "f"
    return {**seen, "candid": point, "nid": int(curves.night[point]), "isdiffpos": sign, **measured}
