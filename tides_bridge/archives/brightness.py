"""Fits the coefficients of the brightness on an archive with known supernovae, and tells how good predictions are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
import pandas as pd

from tides_bridge.archives.truth import TruthFile, read_truth
from tides_bridge.errors import SettingsError
from tides_bridge.formats import Noted, Refused
from tides_bridge.formats.files import read_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, BANDS
from tides_bridge.targets.brightness import LAST, Requests, Supernovae, predict_requests
from tides_bridge.targets.brightness.coefficients import Coefficients
from tides_bridge.targets.brightness.fitting import Known, fit_coefficients
from tides_bridge.targets.brightness.nights import Nights, nights_of

PARTS: Final = 3
"""One object in so many is not fitted on, so that predictions can be tried on it."""

DAYS: Final = (0.5, 2.5, 5.0, 8.0, 12.0)
"""[d] Edges of the columns of the table: from the last detection to the epoch that is predicted."""

FEWEST: Final = 100
"""Supernovae that a fit needs."""

MOST_REQUESTS: Final = 1500
"""Nights that are tried of an archive: more make the table no better and take long."""


def is_unseen(object_id: str) -> bool:
    """
    Tell whether an object is kept from the fit; by its name, so that it is always the same ones.

    >>> is_unseen("ZTF18aadlaxo")
    True
    """
    return crc32(object_id.encode()) % PARTS == 0


@dataclass(frozen=True)
class Sample:
    """
    Light curves with the truth of those that have one.

    Attributes
    ----------
    curves
        Of n objects.
    truth
        (n rows) As `read_truth` gives it, in the order of the objects.
    """

    curves: LightCurves
    truth: pd.DataFrame


def read_sample(
    paths: Sequence[Path], sources: Sequence[TruthFile], *, refused: Refused, noted: Noted | None = None
) -> Sample:
    """
    Read light curves, and what is known of them.

    Parameters
    ----------
    paths
        Files and folders.
    sources
        Of the truth; none: nothing is known.
    refused, noted
        As those of `read_light_curves`.

    Raises
    ------
    SettingsError
        If the truth cannot be read.
    """
    curves = LightCurves.joined(list(read_light_curves(paths, refused=refused, noted=noted)))
    truth = read_truth(sources, ["r"]) if sources else pd.DataFrame(columns=["class_name", *PEAK])
    return Sample(curves, truth.reindex(list(curves.object_ids)))


PEAK: Final = ["redshift", "peak_mjd", "peak_magnitude"]


def fit_sample(sample: Sample, class_name: str, system: str, about: str, peak_error: float = 0.0) -> Coefficients:
    """
    Fit on the supernovae of one class that are not kept from it.

    Parameters
    ----------
    sample
        Light curves with redshift, epoch and r magnitude of the peak.
    class_name
        Of the truth.
    system
        LSST or ZTF.
    about
        Where they come from.
    peak_error
        [d] Of the epochs of the peaks.

    Raises
    ------
    SettingsError
        If there are too few.
    """
    numbers = sample.truth[PEAK].to_numpy(dtype=float)
    usable = (sample.truth.class_name == class_name) & np.isfinite(numbers).all(1) & (numbers[:, 0] > 0.001)
    known = []
    for place in np.flatnonzero(usable):
        nights = nights_of(sample.curves, int(place))
        if not is_unseen(sample.curves.object_ids[place]) and len(nights) >= 8:
            known.append(Known(nights, *numbers[place].tolist()))
    if len(known) < FEWEST:
        problem = f"{len(known)} objects of class {class_name} have redshift, peak_mjd, peak magnitude and 8 points"
        raise SettingsError(about, "", f"{problem}: a fit needs {FEWEST}")
    return fit_coefficients(known, system, f"{len(known)} {class_name}: {about}", peak_error=peak_error)


def later_points(nights: Nights, bands: int, band: int = BANDS.index("r")) -> list[tuple[float, float, float, float]]:
    """
    List what can be tried of one object: for each night from the trigger on, the later magnitudes in a band.

    Parameters
    ----------
    nights
        The light curve.
    bands
        From how many bands, on two nights, predictions begin.
    band
        Whose later points count.

    Returns
    -------
    list of tuple
        until_mjd, days from the last detection, epoch [d] and magnitude of the later point; up to 12 d later.
    """
    clear = nights.is_detection & (nights.significance >= 5)
    day = np.floor(nights.mjd + 0.3)
    found = []
    for last in np.unique(day[clear]):
        seen = clear & (day <= last)
        if len(np.unique(nights.band[seen])) < bands or len(np.unique(day[seen])) < 2:
            continue
        latest, until = nights.mjd[seen].max(), last + 0.7 - 1e-4
        for row in np.flatnonzero(clear & (nights.band == band) & (day > last)):
            days = nights.mjd[row] - latest
            if DAYS[0] <= days <= DAYS[-1]:
                found.append((until, days, nights.mjd[row], AB_ZERO_POINT - 2.5 * np.log10(nights.flux[row])))
    return found


def try_predictions(
    sample: Sample,
    chosen: Callable[[str], bool],
    models: dict[str, Supernovae] | None = None,
    system: str | None = None,
    bands: int = 2,
) -> pd.DataFrame:
    """
    Predict points that are known.

    Parameters
    ----------
    sample
        Light curves.
    chosen
        Tells by its name whether an object is tried.
    models, system
        As those of `predict_requests`.
    bands
        As that of `later_points`.

    Returns
    -------
    DataFrame
        A row a point: object_id, days, before_peak, stale (r older than 5 d), truth, magnitude, error, is_known,
        last (the last r, NaN where there is none).
    """
    curves, rows = sample.curves, []
    for number, object_id in enumerate(curves.object_ids):
        if chosen(object_id):
            nights = nights_of(curves, number)
            for end, days, epoch, truth in later_points(nights, bands):
                own = nights.taken((nights.mjd <= end) & (nights.band == BANDS.index("r")) & nights.is_detection)
                own = own.taken(own.significance >= 5)
                last = AB_ZERO_POINT - 2.5 * np.log10(own.flux[-1]) if len(own) else np.nan
                age = epoch - own.mjd[-1] if len(own) else np.inf
                rows.append((number, end, days, epoch, truth, last, age - days > 5.0))
    found = pd.DataFrame(rows, columns=["place", "until", "days", "at", "truth", "last", "stale"])
    group = found.groupby(["place", "until"]).ngroup()
    kept = np.random.default_rng(0).permutation(group.max() + 1 if len(found) else 0)[:MOST_REQUESTS]
    found = found[group.isin(kept)].reset_index(drop=True)
    place, until, at = (found[name].to_numpy() for name in ("place", "until", "at"))
    answers = predict_requests(
        curves, Requests(place, until, at, np.full(len(found), BANDS.index("r"))), system, models
    )
    peak = sample.truth.peak_mjd.to_numpy(dtype=float)[found.place] if len(found) else np.array([])
    return found.assign(
        object_id=np.array(curves.object_ids, dtype=object)[found.place] if len(found) else [],
        magnitude=answers.magnitude,
        error=answers.error,
        is_known=[not words.startswith(LAST) for words in answers.method],
        before_peak=found["at"] < peak,
        after_peak=found["at"] >= peak,
    )


def score(rows: pd.DataFrame) -> list[list[str]]:
    """
    Sum up predictions by the time since the last detection: the cells of a table, a row a column of `DAYS`.

    Returns
    -------
    list of list of str
        Days; number; bias, rms and robust sigma [mag]; off by more than 0.3 mag; 68 % interval covers; before the
        peak; after it; rms of the last r; median error where r is older than 5 d.
    """
    cells = []
    for low, high in pairwise(DAYS):
        chosen = rows[(rows.days >= low) & (rows.days < high + 1e-9) & rows.magnitude.notna()]
        off = (chosen.magnitude - chosen.truth).to_numpy()
        if len(off) < 5:
            cells.append([f"{low:g}-{high:g} d", str(len(off)), *["-"] * 9])
            continue
        inside = np.abs(off) <= chosen.error.to_numpy()
        spread = 0.7413 * np.subtract(*np.quantile(off, [0.75, 0.25]))
        stale = np.abs(off[chosen.stale.to_numpy(dtype=bool)])
        median = f"{np.median(stale):.3f}" if len(stale) else "-"
        last = (chosen["last"] - chosen.truth).dropna().to_numpy()
        cells.append(
            [f"{low:g}-{high:g} d", f"{len(off):,}", f"{off.mean():+.3f}", f"{np.sqrt((off**2).mean()):.3f}"]
            + [f"{spread:.3f}", f"{100 * np.mean(np.abs(off) > 0.3):.1f} %", _share(inside)]
            + [_share(inside[chosen[name].to_numpy(dtype=bool)]) for name in ("before_peak", "after_peak")]
            + [f"{np.sqrt((last**2).mean()):.2f}" if len(last) else "-", median]
        )
    return cells


HEADER: Final = (
    "since the last detection", "points", "bias", "rms", "robust", "> 0.3 mag", "covered", "before peak", "after peak",
    "last r: rms", "r older than 5 d: median error",
)  # fmt: skip


def _share(inside: Any) -> str:
    return f"{100 * inside.mean():.0f} %" if len(inside) >= 5 else "-"
