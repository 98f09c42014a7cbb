"""Predicts magnitudes of many objects. No input or output but the shipped coefficients."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.targets.brightness.coefficients import shipped_coefficients
from tides_bridge.targets.brightness.last import last_magnitude
from tides_bridge.targets.brightness.nights import Nights, nights_of
from tides_bridge.targets.brightness.supernova import Posterior, Supernovae

SUPERNOVA: Final = "supernova"
"""Begins the method of a prediction from the mean light curves."""

LAST: Final = "last magnitude"
"""Begins the method where the object is not known to be a supernova."""

NONE: Final = "no prediction"
"""Begins the method where there is no magnitude, followed by why."""

UNFORESEEN: Final = (ArithmeticError, IndexError, ValueError, np.linalg.LinAlgError)
"""What numbers that nobody thought of may lead to."""

logger = logging.getLogger(__name__)

KNOWN = 0.02
"""Less probable than this, it is not known to be a supernova. So low, as above it the mixture of both is still better
than the last magnitude, for all classes that were tried."""

STALE = 2.0
"""[d] If the object was seen so long after the last magnitude of a band, in others, that is not all that is known."""

ZTF_NAME = re.compile(r"ZTF\d\d[a-z]+")
"""ZTF gives its objects such names."""


@dataclass(frozen=True)
class Requests:
    """
    What is asked: k magnitudes.

    Attributes
    ----------
    object_index
        (k,) which of the objects.
    until_mjd
        (k,) [d, UTC] later points are not looked at.
    at_mjd
        (k,) [d, UTC] epoch of the magnitude.
    band
        (k,) position in `photometry.BANDS`.
    """

    object_index: Integers
    until_mjd: Floats
    at_mjd: Floats
    band: npt.NDArray[np.int64]

    @classmethod
    def of_all(cls, number: int, at_mjd: float | Floats, bands: str, now_mjd: float) -> Self:
        """
        Ask for some bands of all of n objects: band by band for the first object, then the next.

        Parameters
        ----------
        number
            n.
        at_mjd
            [d, UTC] Of all, or (n,) of each.
        bands
            Letters.
        now_mjd
            [d, UTC] Later points are not looked at.
        """
        index = np.repeat(np.arange(number), len(bands))
        letters = np.array([BANDS.index(letter) for letter in bands], dtype=np.int64)
        epochs = np.broadcast_to(np.asarray(at_mjd, dtype=float), number)[index]
        return cls(index, np.full(len(index), now_mjd), epochs, np.tile(letters, number))


@dataclass(frozen=True)
class Predictions:
    """
    The answers to k requests.

    Attributes
    ----------
    magnitude, error
        (k,) [mag] of the difference image, and its 68 % error; NaN where there is none.
    method
        (k,) how it was found, or why there is none: begins with `SUPERNOVA`, `LAST` or `NONE`.
    """

    magnitude: Floats
    error: Floats
    method: list[str]


def predict(
    curves: LightCurves, at_mjd: float | Floats, bands: str, now_mjd: float, system: str | None = None
) -> Predictions:
    """
    Say how bright all objects are at an epoch.

    Parameters
    ----------
    curves
        Of n objects.
    at_mjd
        [d, UTC] Of all objects, or (n,) of each.
    bands
        Letters of the bands wanted.
    now_mjd
        [d, UTC] Later points are not looked at.
    system
        LSST or ZTF; None: `system_of` each object.

    Returns
    -------
    Predictions
        n times the bands: all bands of the first object, then of the next.
    """
    return predict_requests(curves, Requests.of_all(len(curves), at_mjd, bands, now_mjd), system)


def predict_requests(
    curves: LightCurves,
    requests: Requests,
    system: str | None = None,
    models: Mapping[str, Supernovae] | None = None,
) -> Predictions:
    """
    Answer requests; those of one object and one `until_mjd` that follow each other are worked out together.

    Parameters
    ----------
    curves
        Of the objects.
    requests
        In any order.
    system
        LSST or ZTF; None: `system_of` each object.
    models
        By system; what is not in it is as shipped.
    """
    size = len(requests.object_index)
    magnitude, error, method = np.full(size, np.nan), np.full(size, np.nan), [NONE] * size
    keys = zip(requests.object_index.tolist(), requests.until_mjd.tolist(), range(size), strict=True)
    for (place, until), group in groupby(sorted(keys), key=lambda key: key[:2]):
        rows = [row for _, _, row in group]
        name = system or system_of(curves, place)
        model = (models or {}).get(name) or _shipped_model(name)
        try:
            found = _answer_one(nights_of(curves, place, until), requests.at_mjd[rows], requests.band[rows], model)
        except UNFORESEEN as problem:  # of one object: it must not take those of the others with it
            logger.warning("a prediction failed object=%s", curves.object_ids[place], exc_info=True)
            words = f"{NONE}: it cannot be worked out: {type(problem).__name__}"
            found = Predictions(np.full(len(rows), np.nan), np.full(len(rows), np.nan), [words] * len(rows))
        magnitude[rows], error[rows] = found.magnitude, found.error
        for row, words in zip(rows, found.method, strict=True):
            method[row] = words
    return Predictions(magnitude, error, method)


def system_of(curves: LightCurves, place: int) -> str:
    """
    Tell the photometric system of an object's light curve.

    ZTF by its name; else LSST if it has a band that ZTF has not, or is deeper than ZTF ever is.
    """
    if ZTF_NAME.fullmatch(curves.object_ids[place]):
        return "ZTF"
    points = slice(curves.offsets[place], curves.offsets[place + 1])
    if not np.isin(curves.band[points], [-1, *(BANDS.index(letter) for letter in "gri")]).all():
        return "LSST"
    errors = curves.flux_error[points]
    typical = np.median(errors[errors > 0]) if (errors > 0).any() else 0.0
    return "ZTF" if typical > ZTF_ERROR else "LSST"


ZTF_ERROR = 2000.0
"""[nJy] Between the errors of one visit of LSST, 100 to 1000, and those of ZTF, 3000 to 20,000."""


@cache
def _shipped_model(system: str) -> Supernovae:
    return Supernovae(shipped_coefficients(system))


def _answer_one(nights: Nights, at_mjd: Floats, band: npt.NDArray[np.int64], model: Supernovae) -> Predictions:
    """Answer what is asked of one object at one time."""
    size = len(at_mjd)
    result = Predictions(np.full(size, np.nan), np.full(size, np.nan), [NONE] * size)
    if not len(nights):
        result.method[:] = [f"{NONE}: no usable point before"] * size
        return result
    posterior: Posterior | None = None
    if model.can_say(nights):
        posterior = model.posterior(nights, at_mjd, band)
    has_curve = [BANDS[number] in model.coefficients.bands for number in band]
    for row in range(size):
        ours = posterior if posterior is not None and has_curve[row] else None
        if ours is not None and ours.known >= KNOWN:
            result.magnitude[row], result.error[row] = ours.magnitude[row], ours.error[row]
            result.method[row] = f"{SUPERNOVA}: {100 * ours.known:.0f} % known"
            continue
        last = last_magnitude(nights, float(at_mjd[row]), int(band[row]), model.coefficients.colours)
        if last is None:
            result.method[row] = f"{NONE}: no detection before in a band that {BANDS[band[row]]} follows from"
            continue
        result.magnitude[row], result.error[row] = last.magnitude, last.error
        result.method[row] = f"{LAST}: {last.origin}"
        if ours is not None and nights.mjd[nights.is_detection][-1] - last.mjd > STALE:
            result.magnitude[row] = (last.magnitude + ours.magnitude[row]) / 2
            result.error[row] = (last.error + ours.error[row]) / 2
            result.method[row] += " and half way to what newer points say"
    return result
