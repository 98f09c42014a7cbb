"""
Sums over points and mean curves, compiled: each target is compared with thousands of curves.

Points are given by epoch [d] and band (position in `photometry.BANDS`), mean curves by their row in the table and the
epoch of their peak [d]. No input or output here.
"""

import numpy as np

from tides_bridge.compiled import Floats, Integers, compiled


@compiled
def _mean_curve(of_band: Floats, place: float) -> float:
    """Interpolate a mean curve at a place in steps; beyond its ends it stays as it is there."""
    where = min(max(place, 0.0), len(of_band) - 1.001)
    whole = int(where)
    result: float = of_band[whole] + (where - whole) * (of_band[whole + 1] - of_band[whole])
    return result


@compiled
def mean_curves(  # noqa: PLR0913, PLR0917 - one call for all of it
    table: Floats, start: float, step: float, mjd: Floats, band: Integers, curve: Integers, peak: Floats
) -> Floats:
    """
    Give the magnitudes of c mean curves at n points.

    Parameters
    ----------
    table
        (6, s, p) [mag] by band, row and phase.
    start, step
        [d] Its first phase, and the next ones.
    mjd, band
        (n,) of the points.
    curve, peak
        (c,) of the mean curves.

    Returns
    -------
    (n, c) [mag]
    """
    result = np.empty((len(mjd), len(curve)))
    for row in range(len(mjd)):
        for column in range(len(curve)):
            place = (mjd[row] - peak[column] - start) / step
            result[row, column] = _mean_curve(table[band[row], curve[column]], place)
    return result


@compiled
def weigh_curves(  # noqa: PLR0913, PLR0917 - as above
    table: Floats,
    start: float,
    step: float,
    mjd: Floats,
    band: Integers,
    magnitude: Floats,
    factor: Floats,
    curve: Integers,
    peak: Floats,
    prior: Floats,
    least: float,
) -> Floats:
    """
    Weigh c mean curves by n points; one that falls too far behind the best so far is not followed to the last point.

    Parameters
    ----------
    table, start, step, mjd, band, curve, peak
        As `mean_curves` has them.
    magnitude
        (n,) of the points.
    factor
        (n, n) lower triangle of Cholesky of the points' covariance.
    prior
        (c,) logarithm of the probability of each curve.
    least
        By how much the logarithm may be smaller than the largest.

    Returns
    -------
    (c,)
        The prior less half of chi squared; minus infinity where that is less than `least` allows.
    """
    result = np.full(len(curve), -np.inf)
    whitened = np.empty(len(mjd))
    best = -np.inf
    for column in range(len(curve)):
        weight = prior[column]
        for row in range(len(mjd)):
            place = (mjd[row] - peak[column] - start) / step
            off = magnitude[row] - _mean_curve(table[band[row], curve[column]], place)
            for other in range(row):
                off -= factor[row, other] * whitened[other]
            whitened[row] = off / factor[row, row]
            weight -= 0.5 * whitened[row] ** 2
            if weight < best - least:
                break
        else:
            result[column] = weight
            best = max(best, weight)
    return result


@compiled
def whiten(factor: Floats, columns: Floats) -> Floats:
    """
    Make what varies together independent, of variance 1: solve a triangular equation.

    Parameters
    ----------
    factor
        (n, n) lower triangle of Cholesky of the covariance.
    columns
        (n, c) differences from the mean.

    Returns
    -------
    (n, c)
    """
    result = columns.copy()
    for row in range(len(factor)):
        for other in range(row):
            share = factor[row, other]
            for column in range(columns.shape[1]):
                result[row, column] -= share * result[other, column]
        for column in range(columns.shape[1]):
            result[row, column] /= factor[row, row]
    return result


@compiled
def covariances(  # noqa: PLR0913, PLR0917 - as above
    mjd: Floats,
    band: Integers,
    other_mjd: Floats,
    other_band: Integers,
    common: tuple[float, float],
    single: tuple[float, float],
    colour: Floats,
    constants: tuple[float, float],
) -> Floats:
    """
    Give the covariance of n points with m others.

    Parameters
    ----------
    mjd, band, other_mjd, other_band
        (n,) and (m,) of the points.
    common, single
        Variance [mag2] and time [d] of the Matern-3/2 processes of all bands and of each.
    colour
        (6,) [mag] by how much one standard deviation of the colour changes each band.
    constants
        [mag2] variances of the constants of each band and of all.

    Returns
    -------
    (n, m) [mag2]
    """
    result = np.empty((len(mjd), len(other_mjd)))
    root = np.sqrt(3.0)
    for row in range(len(mjd)):
        for column in range(len(other_mjd)):
            days = abs(mjd[row] - other_mjd[column])
            scaled = root * days / common[1]
            total = common[0] * (1 + scaled) * np.exp(-scaled) + constants[1]
            total += colour[band[row]] * colour[other_band[column]]
            if band[row] == other_band[column]:
                scaled = root * days / single[1]
                total += single[0] * (1 + scaled) * np.exp(-scaled) + constants[0]
            result[row, column] = total
    return result
