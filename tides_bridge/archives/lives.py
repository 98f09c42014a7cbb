"""
The life of the targets of an archive: on which nights they would have been on, and with which magnitude at 4MOST.

A night is the middle of one at Paranal; all points before it are known then. How bright an object was on it is told by
its measured r magnitudes, of S/N 5, between which lines are drawn.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tides_bridge.compiled import Floats, Integers, Mask
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.columns import POINT_COLUMNS
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.lightcurves.summaries import summarise_light_curves
from tides_bridge.settings.sections import TargetSettings
from tides_bridge.targets.brightness import SUPERNOVA, Requests, predict_requests
from tides_bridge.targets.life import Expected, coming_night, life_reasons, life_rules

BAND: Final = BANDS.index("r")
"""Whose magnitude 4MOST is told."""

RULES: Final = ("days", "predicted")
"""The rules that are compared, with the other settings as they are by default."""

LIMIT: Final = 22.5
"""[mag] Brighter is what 4MOST can observe."""

CLEARLY: Final = 0.3
"""[mag] Fainter than the limit by more is fainter whatever the errors."""

AHEAD: Final = 0.5
"""[d] What is known so long before a later point decides whether that finds the target on."""

APART: Final = 10.0
"""[d] Between measured magnitudes that lie further apart nobody knows how bright it was."""

FRESH: Final = 1.0
"""[d] So long 4MOST is told what was measured, as by ``fourmost.maxMagnitudeAge``."""

LEAST_CHANGE: Final = 0.1
"""[mag] A magnitude that changed by less stays as it is at 4MOST."""

AT_ONCE: Final = 4000
"""Moments that are worked out together: light curves of some MB."""


def lives_of(curves: LightCurves, trigger_mjd: Floats) -> pd.DataFrame:
    """
    Follow the objects that trigger, from then to their last point.

    Parameters
    ----------
    curves
        Of n objects.
    trigger_mjd
        (n,) [d, UTC] NaN for one that is no target.

    Returns
    -------
    DataFrame
        A row an object and rule of `RULES`: object_id, rule; numbers of nights, of those on, of those with known
        brightness that are bright and faint, of these off_bright and on_faint; switches, updates (of
        what 4MOST is told); compared (nights on of known brightness), off and off2: sums of what 4MOST has minus the
        truth [mag] and of its square; later measured r magnitudes that are brighter, fainter, and clearly fainter than
        the limit: later, later_faint, later_clear; and how many of each find it on: found, found_faint, found_clear.
    """
    nights, later = _moments(curves, trigger_mjd)
    nights, later = _with_states(curves, nights), _with_states(curves, later)
    parts = [_counted(nights, later, rule).assign(rule=rule) for rule in RULES if len(nights)]
    if not parts:
        return pd.DataFrame({"object_id": [], "rule": []})
    counts = pd.concat(parts).reset_index()
    counts["object_id"] = np.array(curves.object_ids, dtype=object)[counts.pop("place")]
    return counts


def _moments(curves: LightCurves, trigger_mjd: Floats) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    List the nights, and the later measured points.

    Returns
    -------
    (DataFrame, DataFrame)
        place (of the object), now_mjd, mag: as measured, or on a line between measured ones, NaN where unknown.
    """
    nights, later = [], []
    for place in np.flatnonzero(np.isfinite(trigger_mjd)).tolist():
        points = slice(curves.offsets[place], curves.offsets[place + 1])
        mjd, mag = curves.mjd[points], curves.magnitude[points]
        is_clear = curves.is_detection[points] & curves.is_positive[points] & (curves.band[points] == BAND)
        is_clear &= (curves.significance[points] >= 5) & np.isfinite(mag)
        first = coming_night(float(trigger_mjd[place]))
        epochs = np.arange(first, max(coming_night(float(mjd[-1])), first) + 0.5)
        nights.append((np.full(len(epochs), place), epochs, _between(epochs, mjd[is_clear], mag[is_clear])))
        is_later = is_clear & (mjd > trigger_mjd[place] + AHEAD)
        later.append((np.full(int(is_later.sum()), place), mjd[is_later], mag[is_later]))
    return _table(nights), _table(later)


def _between(epochs: Floats, mjd: Floats, mag: Floats) -> Floats:
    """Give magnitudes on the lines between measured ones; NaN before, after, and where these are `APART`."""
    if not len(mjd):
        return np.full(len(epochs), np.nan)
    after = np.clip(np.searchsorted(mjd, epochs), 1, max(len(mjd) - 1, 1))
    gap = mjd[np.minimum(after, len(mjd) - 1)] - mjd[after - 1]
    lines: Floats = np.interp(epochs, mjd, mag, left=np.nan, right=np.nan)
    return np.where(gap <= APART, lines, np.nan)


def _table(rows: Sequence[tuple[npt.NDArray[Any], ...]]) -> pd.DataFrame:
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)] or [np.array([])] * 3
    table = pd.DataFrame(dict(zip(("place", "now_mjd", "mag"), columns, strict=True)))
    return table.astype({"place": np.int64})


def _with_states(curves: LightCurves, moments: pd.DataFrame) -> pd.DataFrame:
    """
    Add what was known at some moments.

    Returns
    -------
    DataFrame
        Also ``on_days`` and ``on_predicted``, by the rules, and ``sent``: the magnitude that is worked out for 4MOST.
    """
    parts = [moments.iloc[start : start + AT_ONCE] for start in range(0, len(moments), AT_ONCE)]
    return pd.concat(
        [_states(curves, part) for part in parts] or [moments.assign(on_days=[], on_predicted=[], sent=[])]
    )


def _states(curves: LightCurves, moments: pd.DataFrame) -> pd.DataFrame:
    place, now = moments["place"].to_numpy(), moments["now_mjd"].to_numpy()
    # A night knows all points before it, and is found so many hours later by a point that nobody could foresee.
    is_night = np.isclose(now, [coming_night(mjd) for mjd in now])
    known = _as_of(curves, place, np.where(is_night, now, now - AHEAD))
    facts = summarise_light_curves(known)
    until = known.mjd[known.offsets[1:] - 1]  # nights without a new point are worked out together
    found = predict_requests(curves, Requests(place, until, now, np.full(len(place), BAND)))
    expected = _expected(found.magnitude, found.error, [words.startswith(SUPERNOVA) for words in found.method])
    states: dict[str, Any] = {}
    for rule in RULES:
        rules: Mapping[str, Any] = life_rules(TargetSettings(rule=rule), BANDS[BAND])
        states[f"on_{rule}"] = pd.isna(life_reasons(facts, np.ones(len(facts)), now, expected, rules))
    latest, age = facts["r_latest_mag"].to_numpy(), now - facts["r_latest_mjd"].to_numpy()
    return moments.assign(**states, sent=np.where(age <= FRESH, latest, found.magnitude))


def _as_of(curves: LightCurves, place: Integers, until_mjd: Floats) -> LightCurves:
    """Give light curves as they were at some moments, one a moment."""
    starts = curves.offsets[place]
    ends = np.array(
        [
            start + np.searchsorted(curves.mjd[start : curves.offsets[one + 1]], until, side="right")
            for start, one, until in zip(starts.tolist(), place.tolist(), until_mjd.tolist(), strict=True)
        ],
        dtype=np.int64,
    )
    offsets = np.concatenate([[0], np.cumsum(ends - starts)]).astype(np.int64)
    taken = np.repeat(starts - offsets[:-1], ends - starts) + np.arange(offsets[-1])
    columns = {name: getattr(curves, name)[taken] for name in POINT_COLUMNS}
    names = tuple(map(str, range(len(place))))
    return LightCurves(names, offsets, objects=Objects.unknown(len(names)), **columns)


def _expected(magnitude: Floats, error: Floats, is_known: list[bool]) -> Expected:
    mags, errors = np.full((2, len(magnitude), len(BANDS)), np.nan)
    mags[:, BAND], errors[:, BAND] = magnitude, error
    known: Mask = np.array(is_known, dtype=bool)
    return Expected(mags, errors, known)


def _counted(nights: pd.DataFrame, later: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Count for each object, by one rule."""
    on, mag = nights[f"on_{rule}"].to_numpy(bool), nights["mag"].to_numpy()
    known_there, updates = _told(nights["place"].to_numpy(), on, nights["sent"].to_numpy())
    off = np.where(on, known_there - mag, np.nan)
    is_same = np.diff(nights["place"].to_numpy(), prepend=-1) == 0
    of_nights: dict[str, Any] = {"nights": 1, "on": on, "bright": mag <= LIMIT, "faint": mag > LIMIT}
    of_nights |= {"off_bright": ~on & (mag <= LIMIT), "on_faint": on & (mag > LIMIT), "updates": updates}
    of_nights |= {"switches": is_same & (np.diff(on, prepend=False) != 0), "compared": np.isfinite(off)}
    of_nights |= {"off": np.nan_to_num(off), "off2": np.nan_to_num(off) ** 2}
    found, true = later[f"on_{rule}"].to_numpy(bool), later["mag"].to_numpy()
    kinds = {"": true <= LIMIT, "_faint": true > LIMIT, "_clear": true > LIMIT + CLEARLY}
    of_points: dict[str, Any] = {f"later{name}": kind for name, kind in kinds.items()}
    of_points |= {f"found{name}": kind & found for name, kind in kinds.items()}
    by_night = pd.DataFrame(of_nights, dtype=float).groupby(nights["place"].to_numpy()).sum()
    by_point = pd.DataFrame(of_points, dtype=float).groupby(later["place"].to_numpy()).sum()
    return by_night.join(by_point).fillna(0.0).rename_axis("place")


def _told(place: Integers, on: Mask, sent: Floats) -> tuple[Floats, Mask]:
    """Give the magnitude that 4MOST has on each night, and whether it was sent something then."""
    known_there, updates = np.full(len(place), np.nan), np.zeros(len(place), dtype=bool)
    for row in range(len(place)):
        is_same = row > 0 and place[row] == place[row - 1]
        before, was_on = (known_there[row - 1], on[row - 1]) if is_same else (np.nan, False)
        is_new = on[row] and np.isfinite(sent[row]) and not abs(sent[row] - before) <= LEAST_CHANGE
        known_there[row] = sent[row] if is_new else before
        updates[row] = is_new or on[row] != was_on
    return known_there, updates
