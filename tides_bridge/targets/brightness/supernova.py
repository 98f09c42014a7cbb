"""
How bright a supernova is at other epochs and in other bands than it was seen: Gaussian processes about mean curves.

A light curve is its mean, for a redshift, a peak epoch and a stretch of the time after the peak, plus a constant, plus
what single supernovae differ by: a process common to all bands, one a band, and a colour. The redshift, the peak epoch
and the stretch are not known, so all combinations on a grid are tried at once (they share one covariance, so they are
columns of one linear equation) and weighted by how well they explain the points: bright ones in magnitudes, the others,
limits and forced photometry, in flux. Beside them stands an unspecific object with a flat mean and a wide process; if
that explains the points better, it is not known to be a supernova. No input or output here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Mask
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, POGSON
from tides_bridge.targets.brightness.coefficients import STEP, Coefficients
from tides_bridge.targets.brightness.nights import Nights

Bands = npt.NDArray[np.int64]

BRIGHT = 4.0
"""S/N from which a magnitude has errors that are about normal; fainter points are compared as fluxes."""

LOOK_BACK = 100.0
"""[d] Older points tell nothing of the coming nights, and cost time."""

MOST_POINTS = 120
"""So many bright points are looked at, the latest: the time grows with their third power."""

FLOOR = 0.03
"""[mag] Error of the photometry beyond the stated one."""

OFFSET = 1.0
"""[mag] Scatter of the peak magnitudes of one redshift, with dust and lenses."""

STRETCHES = ((1.0, 0.90), (1.6, 0.05), (2.5, 0.03), (5.0, 0.02))
"""By how much the time after the peak is slower than that of an SN Ia, and how often: other kinds decline slowly."""

WAVELENGTHS = np.array([368.0, 480.0, 622.0, 754.0, 869.0, 971.0])
"""[nm] Of the bands u g r i z y, about."""

COLOURS = (1 / WAVELENGTHS - 1 / WAVELENGTHS[2]) / (1 / WAVELENGTHS[1] - 1 / WAVELENGTHS[3])
"""By how much dust and the like dim each band, if r stays and g - i changes by 1 mag."""


@dataclass(frozen=True)
class Kernel:
    """
    How light curves differ from a mean: standard deviations [mag] and times [d].

    Attributes
    ----------
    common, common_days
        Of a Matern-3/2 process that all bands share.
    single, single_days
        Of another one for each band.
    colour
        Of the colour g - i, constant.
    band
        Of a constant for each band.
    offset
        Of a constant for all.
    """

    common: float
    common_days: float
    single: float
    single_days: float
    colour: float
    band: float
    offset: float

    def covariance(self, mjd: Floats, band: Bands, other_mjd: Floats, other_band: Bands) -> Floats:
        """(n, m) [mag2] covariance of n points with m others."""
        apart = np.abs(mjd[:, None] - other_mjd[None])
        same = band[:, None] == other_band[None]
        single = self.single**2 * _matern(apart / self.single_days) + self.band**2
        colour = self.colour**2 * COLOURS[band][:, None] * COLOURS[other_band][None]
        common = self.common**2 * _matern(apart / self.common_days)
        total: Floats = common + np.where(same, single, 0.0) + colour + self.offset**2
        return total

    def variance(self, band: Bands) -> Floats:
        """(n,) [mag2] of single points."""
        constant = self.common**2 + self.single**2 + self.band**2 + self.offset**2
        total: Floats = constant + self.colour**2 * COLOURS[band] ** 2
        return total


UNSPECIFIC = Kernel(1.2, 40.0, 0.25, 25.0, 0.4, 0.4, 2.0)
"""Of an object that may be anything."""

UNSPECIFIC_SHARE = 0.1
"""How often it is none of ours."""


def _matern(distance: Floats) -> Floats:
    scaled = np.sqrt(3) * distance
    result: Floats = (1 + scaled) * np.exp(-scaled)
    return result


@dataclass(frozen=True)
class Split:
    """
    A light curve as the equations take it.

    Attributes
    ----------
    mjd, band, magnitude, variance
        (n,) of the bright points.
    faint
        The other points.
    first
        [d] Epoch of the first detection.
    """

    mjd: Floats
    band: Bands
    magnitude: Floats
    variance: Floats
    faint: Nights
    first: float

    @classmethod
    def of(cls, nights: Nights) -> "Split":
        """Divide a light curve."""
        recent = nights.taken(nights.mjd > nights.mjd[-1] - LOOK_BACK)
        is_bright = recent.significance >= BRIGHT
        is_clear = is_bright & recent.is_detection & (recent.significance >= 5)
        first = float(recent.mjd[is_clear if is_clear.any() else is_bright][0])
        bright = recent.taken(_last(is_bright, MOST_POINTS))
        faint = recent.taken(_last(~is_bright & (recent.mjd > first - 25), MOST_POINTS))
        magnitude = AB_ZERO_POINT - 2.5 * np.log10(bright.flux)
        variance = (POGSON / bright.significance) ** 2 + FLOOR**2
        return cls(bright.mjd, bright.band, magnitude, variance, faint, first)


def _last(chosen: Mask, number: int) -> Mask:
    """Keep the last of the chosen."""
    return chosen & (np.cumsum(chosen[::-1])[::-1] <= number)


@dataclass(frozen=True)
class Posterior:
    """
    What is known of a light curve at some epochs.

    Attributes
    ----------
    magnitude, error
        (n,) [mag] mean and standard deviation.
    known
        Probability that it is a supernova, not an unspecific object.
    peak_mjd
        [d] mean epoch of the peak.
    redshift
        Mean.
    """

    magnitude: Floats
    error: Floats
    known: float
    peak_mjd: float
    redshift: float


class Supernovae:
    """
    All light curves that a supernova may have, ready to be compared with one that was seen.

    Parameters
    ----------
    coefficients
        Of one photometric system.
    """

    def __init__(self, coefficients: Coefficients) -> None:
        self.coefficients = coefficients
        self.kernel = Kernel(*coefficients.kernel.tolist())

    @cached_property
    def table(self) -> Floats:
        """(6, s z, p) mean magnitudes for each band, stretch and redshift, in steps of `STEP` from -`BEFORE`."""
        found, grid = self.coefficients, PHASES
        tables = []
        for stretch, _ in STRETCHES:
            phase = np.where(grid > 0, grid / stretch, grid)
            rows = [[np.interp(phase, found.phases, curve) for curve in band] for band in found.mean]
            tables.append(np.array(rows) + np.polyval(found.peaks, np.log(found.redshifts))[None, :, None])
        return np.concatenate(tables, axis=1)

    @cached_property
    def priors(self) -> Floats:
        """(s z,) logarithm of how often each stretch and redshift occurs."""
        share = self.coefficients.numbers / self.coefficients.numbers.sum()
        return np.concatenate([np.log(share) + np.log(often) for _, often in STRETCHES])

    def means(self, mjd: Floats, band: Bands, first_peak: float, number: int) -> Floats:
        """(n, s z k) magnitudes of the mean curves at n points, for k peak epochs from the first in steps of `STEP`."""
        place = np.clip((mjd - first_peak - PHASES[0]) / STEP, 0, len(PHASES) - 1.001)
        whole = np.floor(place).astype(np.int64)
        part = (place - whole)[:, None, None]
        index = np.clip(whole[:, None] + 1 - np.arange(number + 1)[None], 0, len(PHASES) - 1)
        values = self.table[band[:, None], :, index].transpose(0, 2, 1)  # from one later than needed to the earliest
        mixed = part * values[:, :, :-1] + (1 - part) * values[:, :, 1:]
        result: Floats = mixed.reshape(len(mjd), -1)
        return result

    def posterior(self, nights: Nights, at_mjd: Floats, band: Bands) -> Posterior:
        """
        Say how bright the object is at some epochs.

        Parameters
        ----------
        nights
            With at least one point of S/N >= `BRIGHT`.
        at_mjd, band
            (n,) epochs [d, UTC] and bands asked for.
        """
        split = Split.of(nights)
        latest = nights.mjd[-1]
        first = split.first - 8.0
        number = int((min(max(split.first + 35, latest + 5), latest + 25) - first) / STEP) + 1
        all_mjd = np.concatenate([split.faint.mjd, at_mjd])
        all_band = np.concatenate([split.faint.band, band])
        ours = self.means(np.concatenate([split.mjd, all_mjd]), np.concatenate([split.band, all_band]), first, number)
        prior = np.repeat(self.priors - np.log(number), number) + np.log(1 - UNSPECIFIC_SHARE)
        size = len(split.mjd)
        flat = np.full((size + len(all_mjd), 1), 22.0 if self.coefficients.system == "LSST" else 18.5)
        parts = [
            _compare(split, self.kernel, ours[:size], ours[size:], prior, all_mjd, all_band),
            _compare(split, UNSPECIFIC, flat[:size], flat[size:], np.log([UNSPECIFIC_SHARE]), all_mjd, all_band),
        ]
        evidence = np.concatenate([part[0] for part in parts])
        weight = np.exp(evidence - evidence.max())
        weight /= weight.sum()
        known = float(weight[:-1].sum())
        faint = len(split.faint)
        magnitude = np.concatenate([part[1][faint:] for part in parts], axis=1)
        spread = [np.repeat(part[2][faint:, None], part[1].shape[1], axis=1) for part in parts]
        mean = magnitude @ weight
        error = np.sqrt(((magnitude - mean[:, None]) ** 2 + np.concatenate(spread, axis=1)) @ weight)
        shares = weight[:-1].reshape(len(STRETCHES), -1, number) / max(known, 1e-300)
        peak = float(shares.sum((0, 1)) @ (first + STEP * np.arange(number)))
        return Posterior(mean, error, known, peak, float(shares.sum((0, 2)) @ self.coefficients.redshifts))


def load_models(files: Iterable[Path]) -> dict[str, Supernovae]:
    """
    Read files of coefficients.

    Parameters
    ----------
    files
        Of `tides brightness fit`; of one system the last counts.

    Returns
    -------
    dict
        By system.

    Raises
    ------
    SettingsError
        If one is none.
    """
    return {model.coefficients.system: model for model in (Supernovae(Coefficients.load(file)) for file in files)}


BEFORE = 36.0
"""[d] before the peak there is no light."""

PHASES = np.arange(-BEFORE, 200.0, STEP)
"""(p,) [d] phases of the table."""

FAINT_ERROR = 0.1
"""Relative error of a predicted flux, at least, when it is compared with a faint point."""


def _compare(  # noqa: PLR0913, PLR0917
    split: Split, kernel: Kernel, means: Floats, other_means: Floats, prior: Floats, mjd: Floats, band: Bands
) -> tuple[Floats, Floats, Floats]:
    """
    Weigh mean curves by the points, and carry these over to other points.

    Parameters
    ----------
    split
        The points: n bright ones.
    kernel
        How light curves differ from their mean.
    means, other_means
        (n, c), (m, c) [mag] mean curves at the bright points and at others, of which the first are the faint points.
    prior
        (c,) logarithm of the probability of each mean curve.
    mjd, band
        (m,) of the other points.

    Returns
    -------
    tuple
        (c,) logarithm of the evidence; (m, c) [mag] magnitudes at the other points; (m,) [mag2] their variance.
    """
    covariance = kernel.covariance(split.mjd, split.band, split.mjd, split.band)
    covariance[np.diag_indices(len(covariance))] += split.variance
    lower = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(lower)
    whitened = inverse @ (split.magnitude[:, None] - means)
    evidence = prior - 0.5 * (whitened**2).sum(0) - np.log(np.diag(lower)).sum()
    carried = inverse @ kernel.covariance(split.mjd, split.band, mjd, band)
    magnitude = other_means + carried.T @ whitened
    variance = np.maximum(kernel.variance(band) - (carried**2).sum(0), 1e-4)
    if faint := len(split.faint):
        flux = np.exp((AB_ZERO_POINT - magnitude[:faint]) * (np.log(10) / 2.5))
        relative = np.maximum(FAINT_ERROR**2, np.minimum(variance[:faint], 1.0))[:, None]
        noise = split.faint.error[:, None] ** 2
        spread = noise + flux**2 * relative
        evidence = evidence - 0.5 * ((split.faint.flux[:, None] - flux) ** 2 / spread + np.log(spread / noise)).sum(0)
    return evidence, magnitude, variance
