"""What is predicted of drawn light curves: two objects, all bands, and input that is not as it should be."""

import numpy as np
import pytest

from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.targets.brightness import Predictions, Requests, predict, predict_requests
from tides_bridge.targets.brightness.coefficients import Coefficients, shipped_coefficients

PEAK = 61000.0
ONE, OTHER = "170587115523932323", "4611686018427387905"


def mean_magnitude(coefficients: Coefficients, place: int, band: int, mjd: np.ndarray) -> np.ndarray:
    peak = np.polyval(coefficients.peaks, np.log(coefficients.redshifts[place]))
    return peak + np.interp(mjd - PEAK, coefficients.phases, coefficients.mean[band, place])


def draw(place: int, first: float, last: float, bands: str = "ugrizy", step: float = 3.0) -> dict[str, np.ndarray]:
    """Draw the mean light curve of a redshift with an error of 2 % and a background of 100 nJy, no noise."""
    epochs = np.arange(PEAK + first, PEAK + last, step)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("mjd", "band", "flux", "flux_error")}
    for letter in bands:
        band = BANDS.index(letter)
        flux = 10 ** (-0.4 * (mean_magnitude(shipped_coefficients("LSST"), place, band, epochs) - 31.4))
        columns["mjd"].append(epochs + 0.01 * band)
        columns["band"].append(np.full(len(epochs), band))
        columns["flux"].append(flux)
        columns["flux_error"].append(np.hypot(100.0, 0.02 * flux))
    return {name: np.concatenate(values) for name, values in columns.items()}


def curves_of(*drawn: dict[str, np.ndarray], ids: tuple[str, ...] = (ONE, OTHER)) -> LightCurves:
    joined = {name: np.concatenate([columns[name] for columns in drawn]) for name in drawn[0]}
    index = np.repeat(np.arange(len(drawn)), [len(columns["mjd"]) for columns in drawn])
    detected = joined["flux"] > 5 * joined["flux_error"]
    return LightCurves.from_fluxes(ids[: len(drawn)], index, **joined, is_detection=detected)


def same(found: Predictions, expected: Predictions) -> None:
    assert found.method == expected.method
    np.testing.assert_array_equal(found.magnitude, expected.magnitude)
    np.testing.assert_array_equal(found.error, expected.error)


@pytest.mark.parametrize("last", [0.0, 20.0])
def test_two_supernovae_are_predicted_in_all_bands(last: float) -> None:
    curves = curves_of(draw(2, -15, last), draw(5, -15, last))
    at = PEAK + last + 6.0
    found = predict(curves, at, "ugrizy", now_mjd=PEAK + last)
    assert all(method.startswith("supernova") for method in found.method)
    true = [
        mean_magnitude(shipped_coefficients("LSST"), place, band, np.array([at]))[0]
        for place in (2, 5)
        for band in range(6)
    ]
    off = np.abs(found.magnitude - true)
    assert (off[[1, 2, 3, 4, 7, 8, 9, 10]] < 0.25).all()
    assert (found.error > 0).all()
    assert (off < 3 * found.error).all()


def test_the_answer_is_the_same_again_and_alone() -> None:
    curves = curves_of(draw(2, -15, 10), draw(5, -15, 10))
    both = predict(curves, PEAK + 12, "gr", PEAK + 11)
    same(predict(curves, PEAK + 12, "gr", PEAK + 11), both)
    alone = predict(curves.part(1, 2), PEAK + 12, "gr", PEAK + 11)
    np.testing.assert_array_equal(alone.magnitude, both.magnitude[2:])


def test_later_points_are_not_looked_at() -> None:
    early, late = curves_of(draw(2, -15, 0)), curves_of(draw(2, -15, 40))
    until = early.mjd[-1]
    same(predict(late, until + 5, "ugrizy", until), predict(early, until + 5, "ugrizy", until))
    assert predict(late, until + 5, "r", until + 20).magnitude != predict(late, until + 5, "r", until).magnitude


def test_requests_are_answered_in_their_order() -> None:
    curves = curves_of(draw(2, -15, 20), draw(5, -15, 20))
    index = np.array([1, 0, 1, 0])
    until = PEAK + np.array([10.0, 10.0, 0.0, 10.0])
    at, band = PEAK + np.array([12.0, 12.0, 3.0, 15.0]), np.array([2, 1, 2, 2])
    found = predict_requests(curves, Requests(index, until, at, band))
    for row in range(4):
        one = Requests(index[[row]], until[[row]], at[[row]], band[[row]])
        np.testing.assert_allclose(predict_requests(curves, one).magnitude, found.magnitude[row], rtol=1e-9)


def test_what_cannot_be_used_is_no_obstacle() -> None:
    drawn = draw(2, -15, 10)
    expected = predict(curves_of(drawn, drawn), PEAK + 14, "r", PEAK + 11)
    junk = {name: values[:6].copy() for name, values in drawn.items()}
    junk["mjd"] += 0.3
    junk["flux"][:3], junk["flux_error"][3:] = np.nan, [0.0, np.nan, -1.0]
    order = np.random.default_rng(1).permutation(len(drawn["mjd"]) + 6)
    mixed = {name: np.concatenate([values, junk[name]])[order] for name, values in drawn.items()}
    found = predict(curves_of(mixed, drawn), PEAK + 14, "r", PEAK + 11)
    np.testing.assert_allclose(found.magnitude, expected.magnitude, atol=0.02)


def test_one_point_gives_a_magnitude_with_an_error_that_grows() -> None:
    point = {name: values[-1:] for name, values in draw(2, -15, 0, "r").items()}
    curves = curves_of(point, point)
    found = [predict(curves, PEAK + days, "r", PEAK) for days in (0, 5, 12)]
    assert found[0].magnitude == pytest.approx(curves.magnitude, abs=0.5)
    assert (found[0].error < found[1].error).all()
    assert (found[1].error < found[2].error).all()


@pytest.mark.parametrize("kind", ["no point", "later only", "limits only", "negative", "no known band"])
def test_where_nothing_was_seen_there_is_no_magnitude_but_a_reason(kind: str) -> None:
    drawn, good = draw(2, -15, 10), draw(2, -15, 10)
    if kind == "no point":
        drawn = {name: values[:0] for name, values in drawn.items()}
    elif kind == "later only":
        drawn["mjd"] = drawn["mjd"] + 100
    elif kind == "limits only":
        drawn["flux"] = np.zeros_like(drawn["flux"])
    elif kind == "negative":
        drawn["flux"] = -drawn["flux"]
    else:
        drawn["band"] = np.full_like(drawn["band"], -1)
    found = predict(curves_of(drawn, good), PEAK + 12, "r", PEAK + 11)
    assert np.isnan(found.magnitude[0])
    assert np.isnan(found.error[0])
    assert found.method[0].startswith("no prediction: ")
    assert np.isfinite(found.magnitude[1])


def test_a_band_without_a_way_has_no_magnitude() -> None:
    curves = curves_of(draw(2, -15, 10, "gr"), draw(2, -15, 10, "gr"), ids=("ZTF26aaaaaaa", "ZTF26aaaaaab"))
    found = predict(curves, PEAK + 12, "uz", PEAK + 11)
    assert np.isnan(found.magnitude).all()
    assert all("no detection before in a band that" in method for method in found.method)
