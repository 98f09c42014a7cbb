"""The points of one light curve as the prediction takes them: one flux a night and band. No input or output here."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers, Mask
from tides_bridge.lightcurves import LightCurves

ROUNDING = 1e-5
"""[d] An epoch in a file of text is rounded: so much later than the last allowed one is not later."""


EXPOSURE = 3e-4
"""[d] Points of one band that are nearer are of the same exposure."""


@dataclass(frozen=True)
class Nights:
    """
    A light curve up to some epoch, in the order of the epochs; m nightly means.

    Attributes
    ----------
    mjd
        (m,) [d, UTC] mean epoch.
    band
        (m,) position in `photometry.BANDS`.
    flux, error
        (m,) [nJy] weighted mean of the difference flux and its error. A limit is a flux of 0.
    is_detection
        (m,) whether a detection is among the points of that night and band.
    """

    mjd: Floats
    band: npt.NDArray[np.int64]
    flux: Floats
    error: Floats
    is_detection: Mask

    @cached_property
    def significance(self) -> Floats:
        """(m,) S/N; negative for a fading."""
        return self.flux / self.error

    def newest_seen(self, least: float) -> list[tuple[int, int]]:
        """Give each band that has a detection of some S/N, and the number of the newest such point, by band."""
        seen = np.flatnonzero(self.is_detection & (self.significance >= least))
        return sorted(dict(zip(self.band[seen].tolist(), seen.tolist(), strict=True)).items())

    def __len__(self) -> int:
        """Give the number of nightly means."""
        return len(self.mjd)

    def taken(self, chosen: Mask | Integers) -> "Nights":
        """Give some of them, in that order."""
        return Nights(
            self.mjd[chosen], self.band[chosen], self.flux[chosen], self.error[chosen], self.is_detection[chosen]
        )


SMALLEST: Final = 1e-3
"""[nJy] No error is smaller: a detector counts whole electrons."""

LARGEST: Final = 1e15
"""[nJy] No flux and no error is larger: it would be of -6 mag."""


def nights_of(curves: LightCurves, place: int, until_mjd: float = np.inf) -> Nights:
    """
    Average the points of one object by night and band.

    Forced photometry of an exposure that has a detection, too, is the same light measured twice: the detection counts.
    What cannot be used is left out: an unknown band, no error, a detection without flux.

    Parameters
    ----------
    curves
        Of many objects.
    place
        Which of them.
    until_mjd
        [d, UTC] Later points are not looked at.
    """
    start, stop = int(curves.offsets[place]), int(curves.offsets[place + 1])
    stop = start + int(np.searchsorted(curves.mjd[start:stop], until_mjd + ROUNDING, side="right"))
    points = slice(start, stop)
    band, detected = curves.band[points].astype(np.int64), curves.is_detection[points]
    error = curves.flux_error[points]
    # A limit has an error only; a detection without a flux would be taken for one.
    flux = np.where(np.isnan(curves.flux[points]) & ~detected, 0.0, curves.flux[points])
    with np.errstate(invalid="ignore"):
        usable = (band >= 0) & (error > SMALLEST) & (error < LARGEST) & (np.abs(flux) < LARGEST)
    key = curves.night[points] * 8 + band
    if detected.any() and not detected.all():
        exposure = band * 1e6 + curves.mjd[points]
        seen = np.append(np.sort(exposure[detected & usable]), np.inf)
        usable &= detected | (seen[np.searchsorted(seen, exposure - EXPOSURE)] > exposure + EXPOSURE)
    _, first, group = np.unique(key[usable], return_index=True, return_inverse=True)
    weight = 1 / error[usable] ** 2
    total = np.bincount(group, weight)
    mjd = np.bincount(group, weight * curves.mjd[points][usable]) / total
    means = Nights(
        mjd,
        band[usable][first],
        np.bincount(group, weight * flux[usable]) / total,
        1 / np.sqrt(total),
        np.bincount(group, detected[usable]) > 0,
    )
    return means.taken(np.argsort(mjd, kind="stable"))
