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
from tides_bridge.targets.brightness.coefficients import DELAYS, LEADS, STEP, Coefficients
from tides_bridge.targets.brightness.comparing import covariances, mean_curves, weigh_curves, whiten
from tides_bridge.targets.brightness.nights import Nights

Bands = npt.NDArray[np.int64]

BRIGHT = 4.0
"""S/N from which a magnitude has errors that are about normal; fainter points are compared as fluxes."""

LOOK_BACK = 100.0
"""[d] Older points tell nothing of the coming nights, and cost time."""

MOST_POINTS = 120
"""So many bright points are looked at, the latest: the time grows with their third power."""

FLOOR = 0.05
"""[mag] Error of the photometry beyond the stated one."""

STRETCHES = ((0.88, 0.2), (1.0, 0.48), (1.14, 0.2), (1.6, 0.05), (2.5, 0.04), (5.0, 0.03))
"""By how much slower than a usual SN Ia it declines, and how often: other kinds take their time."""

BEFORE = 36.0
"""[d] before the peak there is no light."""

PHASES = np.arange(-BEFORE, 200.0, STEP)
"""(p,) [d] phases of the table."""

FLAT = {"LSST": 22.0, "ZTF": 18.5}
"""[mag] Mean of an unspecific object."""

EVIDENCE_POINTS = 30
"""So many points speak for or against a supernova: the more there are, the more small errors of ours would count."""

LATEST = 8
"""So many of the latest points tell whether the object does what supernovae do."""

FEW_POINTS = 16
"""So many points tell which mean curves are worth a closer look."""

UNLIKELY = 20.0
"""By how much smaller the logarithm of its probability is than the best one's, where a mean curve is not worth it."""

MOST_CURVES = 250
"""So many mean curves are compared with all points."""

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
        common, single = (self.common**2, self.common_days), (self.single**2, self.single_days)
        constants = self.band**2, self.offset**2
        return covariances(mjd, band, other_mjd, other_band, common, single, self.colour * COLOURS, constants)

    def variance(self, band: Bands) -> Floats:
        """(n,) [mag2] of single points."""
        constant = self.common**2 + self.single**2 + self.band**2 + self.offset**2
        total: Floats = constant + self.colour**2 * COLOURS[band] ** 2
        return total


UNSPECIFIC = Kernel(1.2, 40.0, 0.25, 25.0, 0.4, 0.4, 2.0)
"""Of an object that may be anything."""

UNSPECIFIC_SHARE = 0.03
"""How often it is none of ours."""


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

    @staticmethod
    def recent(nights: Nights) -> Nights:
        """Give the points that count: what is much older is of another time."""
        return nights.taken(nights.mjd > nights.mjd[-1] - LOOK_BACK)

    @classmethod
    def of(cls, nights: Nights) -> "Split":
        """Divide a light curve."""
        recent = cls.recent(nights)
        is_bright = recent.significance >= BRIGHT
        is_clear = is_bright & recent.is_detection & (recent.significance >= 5)
        first = float(recent.mjd[is_clear if is_clear.any() else is_bright][0])
        bright = recent.taken(_last(is_bright, MOST_POINTS))
        faint = recent.taken(_last(~is_bright & (recent.mjd > first - 25), MOST_POINTS))
        magnitude = AB_ZERO_POINT - 2.5 * np.log10(bright.flux)
        variance = (POGSON / bright.significance) ** 2 + FLOOR**2
        return cls(bright.mjd, bright.band, magnitude, variance, faint, first)

    def some(self, number: int) -> "Split":
        """Give some of the bright points, evenly spread, and none of the faint ones."""
        rows = np.unique(np.linspace(0, len(self.mjd) - 1, number).astype(np.int64))
        nothing = self.faint.taken(np.zeros(len(self.faint), dtype=bool))
        return Split(self.mjd[rows], self.band[rows], self.magnitude[rows], self.variance[rows], nothing, self.first)


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
    """

    magnitude: Floats
    error: Floats
    known: float
    peak_mjd: float


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

    def means(self, mjd: Floats, band: Bands, curve: Bands, peak: Floats) -> Floats:
        """(n, c) magnitudes at n points of c mean curves, each given by its row in the table and its peak epoch."""
        return mean_curves(self.table, PHASES[0], STEP, mjd, band, curve, peak)

    def candidates(self, split: Split, latest: float) -> tuple[Bands, Floats, Floats]:
        """
        Choose the mean curves that may explain a light curve, by some of its points.

        Returns
        -------
        tuple
            (c,) row in the table, (c,) peak epoch [d], (c,) logarithm of the prior probability.
        """
        delays = DELAYS[latest + 25 - split.first > DELAYS]
        often = self.coefficients.delays[: len(delays)]
        curve = np.repeat(np.arange(len(self.priors)), len(delays))
        peak = split.first + np.tile(delays, len(self.priors))
        prior = np.log(1 - UNSPECIFIC_SHARE) + (self.priors[:, None] + np.log(often / often.sum())[None]).reshape(-1)
        few = split.some(FEW_POINTS)
        points = few.mjd, few.band, few.magnitude, _factor(few, self.kernel)
        weight = weigh_curves(self.table, PHASES[0], STEP, *points, curve, peak, prior, UNLIKELY)
        likely = np.flatnonzero(weight > weight.max() - UNLIKELY)
        if len(likely) > MOST_CURVES:
            likely = likely[np.argpartition(weight[likely], -MOST_CURVES)[-MOST_CURVES:]]
        return curve[likely], peak[likely], prior[likely]

    @staticmethod
    def can_say(nights: Nights) -> bool:
        """Tell whether a light curve has a point of S/N >= `BRIGHT` among those that count."""
        return len(nights) > 0 and bool((Split.recent(nights).significance >= BRIGHT).any())

    def posterior(self, nights: Nights, at_mjd: Floats, band: Bands) -> Posterior:
        """
        Say how bright the object is at some epochs.

        Parameters
        ----------
        nights
            Of which it `can_say` something.
        at_mjd, band
            (n,) epochs [d, UTC] and bands asked for.
        """
        split = Split.of(nights)
        curve, peak, prior = self.candidates(split, nights.mjd[-1])
        all_mjd = np.concatenate([split.mjd, split.faint.mjd, at_mjd])
        all_band = np.concatenate([split.band, split.faint.band, band])
        size, faint = len(split.mjd), len(split.faint)
        flat = np.full((len(all_mjd), 1), FLAT[self.coefficients.system])
        parts = [
            _compare(split, kernel, means, shares, all_mjd[size:], all_band[size:])
            for kernel, means, shares in (
                (self.kernel, self.means(all_mjd, all_band, curve, peak), prior),
                (UNSPECIFIC, flat, np.log([UNSPECIFIC_SHARE])),
            )
        ]
        ours = np.exp(parts[0][0] - parts[0][0].max())
        advantage = np.log(ours.sum()) + parts[0][0].max() - parts[1][0][0]
        known = float(1 / (1 + np.exp(-np.clip(advantage * min(1.0, EVIDENCE_POINTS / size), -50, 50))))
        weight = np.append(ours / ours.sum() * known, 1 - known)
        magnitude = np.concatenate([part[1][faint:] for part in parts], axis=1)
        surprise = float(parts[0][3] @ weight[:-1] / max(known, 1e-300))
        spread = parts[0][2][faint:] * known + parts[1][2][faint:] * (1 - known)
        mean = magnitude @ weight
        error = np.sqrt(((magnitude - mean[:, None]) ** 2 @ weight + spread) * surprise)
        lead = np.clip(at_mjd - nights.mjd[nights.is_detection | (nights.significance >= BRIGHT)][-1], 0, None)
        peak_mjd = float(weight[:-1] @ peak / max(known, 1e-300))
        early, late = (np.interp(lead, LEADS, factors) for factors in self.coefficients.calibration)
        return Posterior(mean, error * np.where(at_mjd < peak_mjd, early, late), known, peak_mjd)


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


FAINT_ERROR = 0.1
"""Relative error of a predicted flux, at least, when it is compared with a faint point."""


def _factor(split: Split, kernel: Kernel) -> Floats:
    """(n, n) lower triangle of Cholesky of the covariance of the points."""
    covariance = kernel.covariance(split.mjd, split.band, split.mjd, split.band)
    covariance[np.diag_indices(len(covariance))] += split.variance
    return np.asarray(np.linalg.cholesky(covariance), dtype=float)


def _compare(  # noqa: PLR0913, PLR0917
    split: Split, kernel: Kernel, means: Floats, prior: Floats, mjd: Floats, band: Bands
) -> tuple[Floats, Floats, Floats, Floats]:
    """
    Weigh mean curves by the points, and carry these over to other points.

    Parameters
    ----------
    split
        The points: n bright ones.
    kernel
        How light curves differ from their mean.
    means
        (n + m, c) [mag] mean curves at the bright points and at others, of which the first are the faint points.
    prior
        (c,) logarithm of the probability of each mean curve.
    mjd, band
        (m,) of the other points.

    Returns
    -------
    tuple
        (c,) logarithm of the evidence; (m, c) [mag] magnitudes at the other points; (m,) [mag2] their variance; (c,) by
        how much the variance of the latest points about what the earlier ones foretold is larger than it should be.
    """
    size = len(split.mjd)
    factor = _factor(split, kernel)
    whitened = whiten(factor, split.magnitude[:, None] - means[:size])
    other_means = means[size:]
    evidence = prior - 0.5 * (whitened**2).sum(0) - np.log(np.diag(factor)).sum()
    carried = whiten(factor, kernel.covariance(split.mjd, split.band, mjd, band))
    magnitude = other_means + carried.T @ whitened
    variance = np.maximum(kernel.variance(band) - (carried**2).sum(0), 1e-4)
    if faint := len(split.faint):
        flux = np.exp((AB_ZERO_POINT - magnitude[:faint]) * (np.log(10) / 2.5))
        relative = np.maximum(FAINT_ERROR**2, np.minimum(variance[:faint], 1.0))[:, None]
        noise = split.faint.error[:, None] ** 2
        spread = noise + flux**2 * relative
        evidence = evidence - 0.5 * ((split.faint.flux[:, None] - flux) ** 2 / spread + np.log(spread / noise)).sum(0)
    # Points are in the order of time, so the whitened ones are how far each is off what those before it foretold.
    latest = whitened[-LATEST:] ** 2
    surprise = np.maximum((latest.sum(0) + 4) / (len(latest) + 4), 1.0)
    return evidence, magnitude, variance, surprise
