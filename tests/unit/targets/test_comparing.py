"""Compiled sums of the brightness against the same in plain numpy."""

import numpy as np
import pytest

from tides_bridge.targets.brightness.comparing import mean_curves, weigh_curves, whiten
from tides_bridge.targets.brightness.supernova import COLOURS, UNSPECIFIC

START, STEP = -30.0, 1.5


def drawn(seed: int, points: int = 7, curves: int = 40) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "table": random.normal(22, 2, (6, 5, 60)),
        "mjd": np.sort(random.uniform(0, 150, points)),  # some beyond either end of the table
        "band": random.integers(0, 6, points),
        "curve": random.integers(0, 5, curves),
        "peak": random.uniform(20, 90, curves),
    }


@pytest.mark.parametrize("seed", range(6))
def test_mean_curves_are_interpolated_band_by_band(seed: int) -> None:
    given = drawn(seed)
    table, rest = given["table"], [given[name] for name in ("mjd", "band", "curve", "peak")]
    phases, curves = START + STEP * np.arange(60), list(zip(given["curve"], given["peak"], strict=True))
    points = zip(given["mjd"], given["band"], strict=True)
    wanted = [[np.interp(day - peak, phases, table[band, row]) for row, peak in curves] for day, band in points]
    # The very end of the table is left out by a thousandth of a step.
    largest = 0.002 * np.abs(np.diff(table, axis=2)).max()
    assert np.abs(mean_curves(table, START, STEP, *rest) - np.array(wanted)).max() < largest


@pytest.mark.parametrize("least", [0.5, 20.0, np.inf])
@pytest.mark.parametrize("seed", range(6))
def test_the_curves_worth_a_look_have_the_weight_of_all_points(seed: int, least: float) -> None:
    given, random = drawn(seed), np.random.default_rng(seed + 100)
    size, curves = len(given["mjd"]), len(given["curve"])
    root = random.normal(size=(size, size))
    factor = np.linalg.cholesky(root @ root.T + np.eye(size))
    magnitude, prior = random.normal(22, 2, size), np.log(random.dirichlet(np.ones(curves)))
    at, which = (given["table"], START, STEP, given["mjd"], given["band"]), (given["curve"], given["peak"])
    wanted = prior - 0.5 * ((np.linalg.inv(factor) @ (magnitude[:, None] - mean_curves(*at, *which))) ** 2).sum(0)
    found = weigh_curves(*at, magnitude, factor, *which, prior, least)
    near = wanted > wanted.max() - least
    np.testing.assert_allclose(found[near], wanted[near], rtol=1e-9)
    assert ((found == -np.inf) | np.isclose(found, wanted)).all()
    assert (found > found.max() - least).sum() == near.sum() > 0


@pytest.mark.parametrize("size", [1, 2, 17])
def test_differences_are_whitened_as_by_the_inverse(size: int) -> None:
    random = np.random.default_rng(size)
    root, columns = random.normal(size=(size, size)), random.normal(size=(size, 5))
    factor, before = np.linalg.cholesky(root @ root.T + np.eye(size)), columns.copy()
    np.testing.assert_allclose(whiten(factor, columns), np.linalg.inv(factor) @ columns, atol=1e-12)
    assert (columns == before).all()


def test_points_have_the_covariance_of_the_formula() -> None:
    random = np.random.default_rng(3)
    mjd, band = random.uniform(0, 90, 9), np.arange(9) % 6
    other_mjd, other_band = random.uniform(0, 90, 12), np.arange(12) % 6
    found = UNSPECIFIC.covariance(mjd, band, other_mjd, other_band)
    for row in range(len(mjd)):
        for column in range(len(other_mjd)):
            days, same = abs(mjd[row] - other_mjd[column]), band[row] == other_band[column]
            wide, narrow = (np.sqrt(3) * days / length for length in (40.0, 25.0))
            wanted = 1.2**2 * (1 + wide) * np.exp(-wide) + 2.0**2
            wanted += 0.4**2 * COLOURS[band[row]] * COLOURS[other_band[column]]
            wanted += same * (0.25**2 * (1 + narrow) * np.exp(-narrow) + 0.4**2)
            assert found[row, column] == pytest.approx(wanted)
    itself = UNSPECIFIC.covariance(mjd, band, mjd, band)
    np.testing.assert_allclose(np.diag(itself), UNSPECIFIC.variance(band))
