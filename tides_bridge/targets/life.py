"""
Whether a target stays one, by the rules alone: what `judge_by_rules` does in the database, for light curves in files.

A test holds both to the same answers. No input or output here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Mask
from tides_bridge.lightcurves.photometry import BANDS, magnitude_from_flux
from tides_bridge.settings.sections import TargetSettings

if TYPE_CHECKING:
    import pandas as pd

GONE: Final = 99.0
"""[mag] Of forced photometry that is negative by more than its error: fainter than any limit."""


STEADY_MAG: Final = 1.0
"""[mag] Who has faded by less, months after the brightest, is none: all of 1716 simulated SNe Ia had within 60 days."""

MIDNIGHT: Final = 4 / 24
"""[d] UTC of the middle of a night at Paranal."""

DAWN: Final = 10 / 24
"""[d] UTC: until then the night that has begun is the coming one."""


@dataclass(frozen=True)
class Expected:
    """
    What is predicted for the night of n targets.

    Attributes
    ----------
    mags, errors
        (n, bands) [mag] by `BANDS`; NaN where nothing can be said.
    is_known
        (n,) whether it behaves as what the coefficients were fitted on.
    """

    mags: Floats
    errors: Floats
    is_known: Mask


def coming_night(now_mjd: float) -> float:
    """
    Give the middle of the night that is, or that comes next [d, UTC].

    >>> [round(coming_night(61000 + hour / 24), 3) for hour in (3, 9.9, 10.1, 23)]
    [61000.167, 61000.167, 61001.167, 61001.167]
    """
    return float(np.ceil(now_mjd - DAWN)) + MIDNIGHT


def life_rules(targets: TargetSettings, band_sent: str) -> dict[str, Any]:
    """
    Word the rules of a target's life.

    Parameters
    ----------
    targets
        The section of the settings.
    band_sent
        Whose magnitude 4MOST is told: what is predicted is judged in it, if it has a limit.

    Returns
    -------
    dict
        ``rule``, ``deactivate_after_days`` and ``unlooked_days`` [d], ``faint_limits`` [mag] by `BANDS`, None where a
        band has none, ``counting_bands`` by `BANDS`: whose prediction counts, ``keeps_unselected``, and ``steady_days``
        [d], None where nobody is switched off for that, with ``steady_mag``.
    """
    counting = {band_sent} if band_sent in targets.faint_limit else set(targets.faint_limit)
    return {
        "rule": targets.life_rule,
        "deactivate_after_days": targets.deactivate_after / timedelta(days=1),
        "unlooked_days": targets.unlooked_after / timedelta(days=1),
        "faint_limits": [targets.faint_limit.get(band) for band in BANDS],
        "counting_bands": [band in counting for band in BANDS],
        "keeps_unselected": targets.keep_unselected,
        "steady_days": steady_rules(targets)["steady_days"] if targets.drop_steady else None,
        "steady_mag": STEADY_MAG,
    }


def steady_rules(targets: TargetSettings) -> dict[str, float]:
    """Say after how many days [d] who has faded by less [mag] is no supernova."""
    return {"steady_days": targets.steady_after / timedelta(days=1), "steady_mag": STEADY_MAG}


def are_steady(facts: "pd.DataFrame", steady_days: float, steady_mag: float) -> Mask:
    """
    Tell which of n objects have not faded long after their brightest, in any band, as no supernova does.

    Parameters
    ----------
    facts
        (n rows) As `summarise_light_curves` gives them.
    steady_days
        [d] From the brightest to the latest detection, in one band at least.
    steady_mag
        [mag] Fainter by less, in each band.
    """
    newest, brightest, mag, best = (
        facts[[f"{band}_{name}" for band in BANDS]].to_numpy(float)
        for name in ("latest_mjd", "brightest_mjd", "latest_mag", "brightest_mag")
    )
    days, faded = np.nan_to_num(newest - brightest, nan=-1.0), np.nan_to_num(mag - best, nan=-1.0)
    steady: Mask = (days.max(1) >= steady_days) & (faded.max(1) < steady_mag)
    return steady


def life_reasons(
    facts: "pd.DataFrame", passes: npt.ArrayLike, now_mjd: Floats, expected: Expected | None, rules: Mapping[str, Any]
) -> npt.NDArray[np.object_]:
    """
    Say why each of n targets is none now, each of one object.

    Parameters
    ----------
    facts
        (n rows) As `summarise_light_curves` gives them.
    passes
        (n,) whether it satisfies the selection function now.
    now_mjd
        (n,) [d, UTC].
    expected
        For the night that is or comes; None: nothing was predicted.
    rules
        Of `life_rules`.

    Returns
    -------
    ndarray
        (n,) ``unselected``, ``unseen``, ``faint``, ``steady``, or None for what stays a target.
    """
    limits = np.array([np.nan if limit is None else limit for limit in rules["faint_limits"]])
    newest, mags, looked = _looks(facts, limits)
    last = facts["last_detection_mjd"].to_numpy(float)
    is_fresh = (newest >= now_mjd[:, None] - rules["deactivate_after_days"]) & np.isfinite(limits)
    is_faint = is_fresh.any(1) & ((mags > limits) | ~is_fresh).all(1)
    is_unseen = last < now_mjd - rules["deactivate_after_days"]
    if expected is not None and rules["rule"] == "predicted":
        counts = np.isfinite(expected.mags - expected.errors) & np.isfinite(limits) & np.array(rules["counting_bands"])
        is_told = expected.is_known & counts.any(1)
        is_faint = np.where(is_told, ((expected.mags - expected.errors > limits) | ~counts).all(1), is_faint)
        is_unseen = np.where(is_told, np.fmax(last, looked) < now_mjd - rules["unlooked_days"], is_unseen)
    reasons = np.full(len(facts), None, dtype=object)
    if rules["steady_days"] is not None:
        is_steady = are_steady(facts, rules["steady_days"], rules["steady_mag"])
        reasons[is_steady & np.asarray(passes, dtype=bool)] = "steady"
    reasons[is_faint] = "faint"
    reasons[is_unseen] = "unseen"
    if not rules["keeps_unselected"]:
        reasons[~np.asarray(passes, dtype=bool)] = "unselected"
    return reasons


def _looks(facts: "pd.DataFrame", limits: Floats) -> tuple[Floats, Floats, Floats]:
    """
    Give how bright each was in each band when it was looked at last.

    Returns
    -------
    tuple
        (n, bands) epoch [d] and magnitude, NaN where there is none; (n,) the last look in any band, of any depth.
    """
    names = ("latest_mjd", "latest_mag", "limit_mjd", "limit_mag", "forced_mjd", "forced_flux", "forced_error")
    seen, mag, limit_mjd, depth, forced_mjd, flux, error = (
        facts[[f"{band}_{name}" for band in BANDS]].to_numpy(float) for name in names
    )
    above = np.where(flux + error > 0, flux + error, np.nan)
    forced = np.where(np.isfinite(above) | np.isnan(flux), magnitude_from_flux(above), GONE)
    points = np.stack([seen, limit_mjd, forced_mjd]), np.stack([mag, np.where(depth > limits, depth, np.nan), forced])
    epochs = np.where(np.isfinite(points[1]), points[0], -np.inf)
    newest = epochs.max(0)
    best = np.where(epochs == newest, points[1], np.inf).min(0)
    looked = np.nanmax(np.concatenate([seen, limit_mjd, forced_mjd, np.full((len(facts), 1), -np.inf)], 1), axis=1)
    return newest, best, looked
