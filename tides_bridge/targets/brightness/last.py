"""The last magnitude of an object that is not known to be a supernova, with an error that grows. No input or output."""

import math
from dataclasses import dataclass

from tides_bridge.compiled import Floats
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, BANDS, POGSON
from tides_bridge.targets.brightness.nights import Nights

SEEN = 3.0
"""S/N from which a point has a magnitude worth repeating."""

GROWTH = 0.11
"""[mag/d] By how much objects of unlike classes change in a day, at first."""

SLOWING = 0.65
"""Power of the time that the change grows with: a rise or a fall does not go on for ever."""


@dataclass(frozen=True)
class LastMagnitude:
    """
    A magnitude that was measured.

    Attributes
    ----------
    magnitude, error
        [mag], in the band that is wanted.
    mjd
        [d, UTC] When it was measured.
    origin
        In which band, how old, and how converted, in words.
    """

    magnitude: float
    error: float
    mjd: float
    origin: str


def last_magnitude(nights: Nights, at_mjd: float, band: int, colours: Floats) -> LastMagnitude | None:
    """
    Give the last magnitude in a band, else one of another band converted; None if there is none.

    Parameters
    ----------
    nights
        The light curve.
    at_mjd
        [d, UTC] When it is wanted; the error grows with the time since it was measured.
    band
        Position in `photometry.BANDS`.
    colours
        (6, 6, 2) magnitude in the first band minus that in the second, and its scatter, of supernovae.
    """
    found: list[tuple[float, LastMagnitude]] = []
    for other, last in nights.newest_seen(SEEN):
        colour, scatter = (0.0, 0.0) if other == band else colours[band, other]
        if not math.isfinite(colour):
            continue
        mjd, significance = float(nights.mjd[last]), float(nights.significance[last])
        age = abs(at_mjd - mjd)
        magnitude = AB_ZERO_POINT - 2.5 * math.log10(nights.flux[last])
        error = math.sqrt((POGSON / significance) ** 2 + scatter**2 + (GROWTH * age**SLOWING) ** 2)
        words = f"{BANDS[other]} of {age:.1f} d before"
        words += "" if other == band else f" with {BANDS[band]} - {BANDS[other]} = {colour:.2f}"
        found.append((error, LastMagnitude(float(magnitude + colour), error, mjd, words)))
    ours = [last for _, last in found if "with" not in last.origin]
    return ours[0] if ours else min(found, key=lambda pair: pair[0])[1] if found else None
