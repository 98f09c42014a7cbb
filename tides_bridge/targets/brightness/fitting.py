"""Fits the coefficients on light curves whose redshift and peak are known. No input or output here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tides_bridge.compiled import Floats, Mask
from tides_bridge.lightcurves.photometry import AB_ZERO_POINT, BANDS
from tides_bridge.targets.brightness.coefficients import DELAYS, LEADS, STEP, Coefficients
from tides_bridge.targets.brightness.nights import Nights
from tides_bridge.targets.brightness.supernova import BRIGHT, Kernel, Split, Supernovae

PHASES = np.concatenate([np.arange(-36, 60, 3.0), np.arange(60, 181, 12.0)])
"""(p,) [d] grid of the mean light curves: finer where they change."""

REDSHIFTS = 10
"""So many redshifts are tabulated, at most."""

ROUNDS = 3
"""So often mean, kernel and peaks are fitted in turn."""

STARTS = 4
"""From so many nights of an object its later points are predicted."""

OFFSET = 1.5
"""The scatter of the peak magnitudes of one redshift is taken so much larger: others have more dust."""


@dataclass(frozen=True, eq=False)
class Known:
    """
    A supernova to fit on.

    Attributes
    ----------
    nights
        Its light curve.
    redshift, peak_mjd, peak_magnitude
        The truth; the magnitude of r, about.
    """

    nights: Nights
    redshift: float
    peak_mjd: float
    peak_magnitude: float


def fit_coefficients(
    supernovae: Sequence[Known], system: str, about: str, *, peak_error: float = 0.0, most: int = 120
) -> Coefficients:
    """
    Fit mean light curves, how single ones differ, and the size of the errors.

    Parameters
    ----------
    supernovae
        Of one kind, with more than a handful of points each.
    system
        LSST or ZTF.
    about
        What they are, in words.
    peak_error
        [d] Of the peak epochs; if there is one, peaks, means and kernel are fitted in turn.
    most
        So many are used for the kernel, which takes the longest.
    """
    redshifts = _grid(np.array([known.redshift for known in supernovae]))
    kernel = np.array([0.12, 15.0, 0.06, 12.0, 0.15, 0.04])
    for _ in range(ROUNDS if peak_error else 1):
        mean, bands = _fit_means(supernovae, redshifts)
        kernel = _fit_kernel(_residuals(supernovae, mean, redshifts, most), kernel)
        if peak_error:
            whole = Kernel(*np.append(kernel, 1.0).tolist())
            supernovae = [_moved(known, mean, redshifts, whole, peak_error) for known in supernovae]
    if peak_error:  # at its likeliest peak a light curve differs from the mean by less than it does
        kernel[0] *= 1.5
    logarithms = np.log([known.redshift for known in supernovae])
    peaks = np.polyfit(logarithms, [known.peak_magnitude for known in supernovae], 2)
    edges = np.concatenate([[-np.inf], (np.log(redshifts)[1:] + np.log(redshifts)[:-1]) / 2, [np.inf]])
    scatter = np.std([known.peak_magnitude for known in supernovae] - np.polyval(peaks, logarithms))
    fitted = Coefficients(
        system,
        about,
        bands,
        redshifts,
        PHASES,
        mean,
        peaks,
        numbers=np.histogram(logarithms, edges)[0] + 5.0,
        delays=_fit_delays(supernovae),
        calibration=np.ones((2, len(LEADS))),
        kernel=np.concatenate([kernel, [OFFSET * scatter]]),
        colours=_fit_colours(supernovae),
    )
    return replace(fitted, calibration=_fit_calibration(supernovae, Supernovae(fitted)))


def _fit_delays(supernovae: Sequence[Known]) -> Floats:
    """(d,) Count the days from the first detection to the peak, smoothed over some days."""
    delays = []
    for known in supernovae:
        clear = known.nights.is_detection & (known.nights.significance >= 5)
        if clear.any():
            delays.append(known.peak_mjd - known.nights.mjd[clear][0])
    counts = np.histogram(delays, np.append(DELAYS, DELAYS[-1] + STEP) - STEP / 2)[0].astype(float)
    smooth = np.convolve(counts, np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2), mode="same")
    result: Floats = smooth / smooth.sum() + 2e-3
    return result


def _fit_calibration(supernovae: Sequence[Known], model: Supernovae, most: int = 800) -> Floats:
    """(2, 4) Compare predictions of later points of r with these: what errors are exceeded by a third of them."""
    ratios: list[list[list[float]]] = [[[] for _ in LEADS] for _ in range(2)]
    generator = np.random.default_rng(1)
    for place in generator.permutation(len(supernovae))[:most]:
        nights = supernovae[place].nights
        clear = nights.is_detection & (nights.significance >= 5)
        starts = np.flatnonzero(clear)[3:]
        for start in generator.choice(starts, min(STARTS, len(starts)), replace=False):
            for late, lead, ratio in _ratios(nights, float(nights.mjd[start]), clear, model):
                ratios[late][lead].append(ratio)
    after = [_covering(found, 1.0) for found in ratios[1]]
    return np.array([[_covering(found, factor) for found, factor in zip(ratios[0], after, strict=True)], after])


def _ratios(nights: Nights, latest: float, clear: Mask, model: Supernovae) -> Iterator[tuple[int, int, float]]:
    """Give for later points of r whether they come after the peak, the place in `LEADS`, and error over stated one."""
    until = latest + 0.3
    before = nights.taken(nights.mjd <= until)
    later = clear & (nights.band == BANDS.index("r")) & (nights.mjd > latest + 0.5) & (nights.mjd < latest + 12)
    if later.any() and (before.significance >= BRIGHT).any():
        found = model.posterior(before, nights.mjd[later], nights.band[later])
        off = np.abs(found.magnitude - AB_ZERO_POINT + 2.5 * np.log10(nights.flux[later])) / found.error
        leads = np.searchsorted([2.5, 5.0, 8.0], nights.mjd[later] - latest)
        is_late = nights.mjd[later] >= found.peak_mjd
        yield from zip(is_late.astype(int).tolist(), leads.tolist(), off.tolist(), strict=True)


def _covering(ratios: Sequence[float], otherwise: float) -> float:
    """Tell what to multiply errors by; a little more than for 68 %, as the mean curves are fitted on these objects."""
    return float(np.clip(np.quantile(ratios, 0.70), 0.5, 1.5)) if len(ratios) >= 40 else otherwise


def _fit_kernel(residuals: Sequence[Split], start: Floats) -> Floats:
    """(6,) Find the likeliest kernel, without its offset."""
    result: Floats = np.exp(_minimum(lambda logs: _unlikelihood(np.exp(logs), residuals), np.log(start)))
    return result


def _fit_colours(supernovae: Sequence[Known]) -> Floats:
    """(6, 6, 2) [mag] median and scatter of the difference of two bands in the same night."""
    differences: list[list[list[float]]] = [[[] for _ in BANDS] for _ in BANDS]
    for known in supernovae:
        bright = known.nights.taken(known.nights.significance >= BRIGHT)
        magnitude = AB_ZERO_POINT - 2.5 * np.log10(bright.flux)
        near = np.argwhere(np.abs(bright.mjd[:, None] - bright.mjd[None]) < 0.5)
        for one, other in near.tolist():
            differences[bright.band[one]][bright.band[other]].append(magnitude[one] - magnitude[other])
    colours = np.full((len(BANDS), len(BANDS), 2), np.nan)
    for one, row in enumerate(differences):
        for other, values in enumerate(row):
            if one != other and len(values) >= 30:
                low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
                colours[one, other] = middle, (high - low) / 2
    return colours


def _grid(redshifts: Floats) -> Floats:
    """Choose redshifts for the table: dense where there are many, and up to the ends."""
    low, high = np.quantile(redshifts, [0.01, 0.995])
    even = np.linspace(np.log(low), np.log(high), 200)
    cumulated = np.searchsorted(np.sort(np.log(redshifts)), even) / len(redshifts) + np.linspace(0, 1, 200)
    number = min(max(int((high - low) / 0.05) + 2, 3), REDSHIFTS)
    result: Floats = np.exp(np.interp(np.linspace(cumulated[0], cumulated[-1], number), cumulated, even))
    return result


def _hat(values: Floats, grid: Floats) -> tuple[np.ndarray, Floats]:
    """Give the place below each value in a grid, and the share of the one above."""
    within = np.clip(values, grid[0], grid[-1] - 1e-9)
    place = np.clip(np.searchsorted(grid, within, side="right") - 1, 0, len(grid) - 2)
    return place, (within - grid[place]) / (grid[place + 1] - grid[place])


def _fit_means(supernovae: Sequence[Known], redshifts: Floats) -> tuple[Floats, str]:
    """
    Fit flux over peak flux in r, by band, on the grid of redshifts and phases: penalised least squares.

    Second differences are penalised along both axes; points far off count less.
    """
    lengths = [len(known.nights) for known in supernovae]
    redshift = np.repeat([known.redshift for known in supernovae], lengths)
    peak = np.repeat([known.peak_mjd for known in supernovae], lengths)
    scale = np.repeat(10 ** (-0.4 * (np.array([k.peak_magnitude for k in supernovae]) - AB_ZERO_POINT)), lengths)
    phase = np.concatenate([known.nights.mjd for known in supernovae]) - peak
    flux, error = (
        np.concatenate([getattr(known.nights, name) for known in supernovae]) / scale for name in ("flux", "error")
    )
    band = np.concatenate([known.nights.band for known in supernovae])
    usable = (phase > PHASES[0]) & (phase < PHASES[-1]) & (error < 1.0)
    penalty = _penalty(redshifts)
    means = np.zeros((len(BANDS), len(redshifts), len(PHASES)))
    bands = ""
    for number, letter in enumerate(BANDS):
        chosen = usable & (band == number)
        if chosen.sum() < 300:
            continue
        bands += letter
        means[number] = _fit_band(redshift[chosen], phase[chosen], flux[chosen], error[chosen], redshifts, penalty)
    for number, letter in enumerate(BANDS):  # none of the others is predicted; that of r is as good as any
        if letter not in bands:
            means[number] = means[BANDS.index("r")]
    floor = np.maximum(3e-3 * means.max(2, keepdims=True), 1e-4)
    return -2.5 * np.log10(np.maximum(means, floor)), bands


def _penalty(redshifts: Floats) -> Floats:
    steps = np.diff(PHASES) / 3
    size, curvature = len(PHASES), np.zeros((len(PHASES) - 2, len(PHASES)))
    rows = np.arange(size - 2)
    curvature[rows, rows], curvature[rows, rows + 2] = 1 / steps[:-1], 1 / steps[1:]
    curvature[rows, rows + 1] = -(1 / steps[:-1] + 1 / steps[1:])
    along = np.diff(np.eye(len(redshifts)), 2, axis=0)
    phases, reds = curvature.T @ curvature, along.T @ along
    total: Any = 3 * np.kron(np.eye(len(redshifts)), phases) + 3 * np.kron(reds, np.eye(size))
    result: Floats = total + 1e-3 * np.eye(size * len(redshifts))
    return result


def _fit_band(  # noqa: PLR0913, PLR0917
    redshift: Floats, phase: Floats, flux: Floats, error: Floats, redshifts: Floats, penalty: Floats
) -> Floats:
    low, high = _hat(redshift, redshifts)
    early, late = _hat(phase, PHASES)
    size = len(PHASES)
    places = np.stack(
        [low * size + early, low * size + early + 1, (low + 1) * size + early, (low + 1) * size + early + 1]
    )
    shares = np.stack([(1 - high) * (1 - late), (1 - high) * late, high * (1 - late), high * late])
    weight = 1 / (error**2 + 0.1**2)
    number = len(penalty)
    for _ in range(4):
        pairs = (places[:, None] * number + places[None]).reshape(-1)
        products = (shares[:, None] * shares[None] * weight).reshape(-1)
        normal = np.bincount(pairs, products, number * number).reshape(number, number)
        right = np.bincount(places.reshape(-1), (shares * weight * flux).reshape(-1), number)
        values: Any = np.linalg.solve(normal + penalty, right)
        predicted = (values[places] * shares).sum(0)
        weight = 1 / (error**2 + 0.01**2 + (0.15 * np.abs(predicted)) ** 2)
        weight = weight / np.maximum(1, np.abs(flux - predicted) * np.sqrt(weight) / 2.5)
    result: Floats = values.reshape(len(redshifts), size)
    return result


def _moved(known: Known, mean: Floats, redshifts: Floats, kernel: Kernel, peak_error: float) -> Known:
    """Find the peak of a supernova anew: a catalogue's is that of its brightest point."""
    bright = (known.nights.significance >= BRIGHT) & (np.abs(known.nights.mjd - known.peak_mjd - 20) < 50)
    if bright.sum() < 4:
        return known
    split = Split.of(known.nights.taken(bright))
    place, share = _hat(np.array([known.redshift]), redshifts)
    curves = mean[:, place[0]] * (1 - share) + mean[:, place[0] + 1] * share
    shifts = np.arange(-10.0, 10.1, 0.5)
    phases = split.mjd[:, None] - known.peak_mjd - shifts[None]
    expected = np.array([np.interp(row, PHASES, curves[band]) for row, band in zip(phases, split.band, strict=True)])
    residual = split.magnitude[:, None] - known.peak_magnitude - expected
    covariance = kernel.covariance(split.mjd, split.band, split.mjd, split.band)
    covariance[np.diag_indices(len(covariance))] += split.variance
    solved = np.linalg.solve(covariance, residual)
    unlikely = 0.5 * (residual * solved).sum(0) + 0.5 * (shifts / peak_error) ** 2
    weight = np.exp(unlikely.min() - unlikely)
    weight /= weight.sum()
    offset = kernel.offset**2 * solved.sum(0) @ weight
    return replace(
        known, peak_mjd=known.peak_mjd + float(shifts @ weight), peak_magnitude=known.peak_magnitude + float(offset)
    )


def _residuals(supernovae: Sequence[Known], mean: Floats, redshifts: Floats, most: int) -> list[Split]:
    """Take the mean off some of the light curves, about the peak."""
    residuals = []
    for known in supernovae:
        near = (known.nights.mjd > known.peak_mjd - 25) & (known.nights.mjd < known.peak_mjd + 70)
        chosen = known.nights.taken(near & (known.nights.significance >= BRIGHT))
        if len(chosen) < 8:
            continue
        split = Split.of(chosen)
        place, share = _hat(np.array([known.redshift]), redshifts)
        curves = mean[:, place[0]] * (1 - share) + mean[:, place[0] + 1] * share
        phase = split.mjd - known.peak_mjd
        expected = [np.interp(when, PHASES, curves[band]) for when, band in zip(phase, split.band, strict=True)]
        residual = split.magnitude - known.peak_magnitude - np.array(expected)
        residuals.append(Split(split.mjd, split.band, residual, split.variance, split.faint, split.first))
    chosen_places = np.random.default_rng(0).permutation(len(residuals))[:most]
    return [residuals[place] for place in chosen_places]


def _unlikelihood(parameters: Floats, residuals: Sequence[Split]) -> float:
    """Give minus the logarithm of the likelihood of a kernel; single points far off count as 4 sigma."""
    kernel, total = Kernel(*np.append(parameters, 0.3).tolist()), 0.0
    for split in residuals:
        covariance = kernel.covariance(split.mjd, split.band, split.mjd, split.band)
        covariance[np.diag_indices(len(covariance))] += split.variance
        lower = np.linalg.cholesky(covariance)
        whitened = np.clip(np.linalg.solve(lower, split.magnitude), -4, 4)
        total += 0.5 * (whitened**2).sum() + np.log(np.diag(lower)).sum()
    return total / len(residuals)


def _minimum(function: Callable[[Floats], float], start: Floats, rounds: int = 14) -> Floats:
    """Find the minimum by going along one axis after the other, in smaller and smaller steps."""
    best, value, step = start.copy(), function(start), np.full(len(start), 0.4)
    for _ in range(rounds):
        for axis in range(len(start)):
            for sign in (1.0, -1.0):
                tried = best.copy()
                tried[axis] += sign * step[axis]
                found = function(tried)
                if found < value:
                    best, value = tried, found
                    break
            else:
                step[axis] *= 0.5
        if (step < 0.02).all():
            break
    return best
