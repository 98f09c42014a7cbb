"""What is predicted of drawn light curves: two objects, all bands, and input that is not as it should be."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import quick
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.targets.brightness import Predictions, Requests, predict, predict_requests, predicting
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


VALUES = st.sampled_from([-1e6, -50.0, 0.0, 1.0, 500.0, 5e4, 1e12, 1e300, np.nan])
ERRORS = st.sampled_from([0.0, 1e-12, 10.0, 300.0, 1e9, 1e300, np.nan])
EPOCHS = st.sampled_from([59000.0, 60800.0, 60990.0, 60990.0001, 60999.0, 61000.0, 61400.0])


@quick
@given(
    st.lists(
        st.tuples(st.integers(0, 1), EPOCHS, st.integers(-1, 5), VALUES, ERRORS, st.booleans()), min_size=1, max_size=12
    )
)
def test_no_light_curve_is_beyond_it(points: list[tuple[int, float, int, float, float, bool]]) -> None:
    """Points of years ago, without errors, beyond all numbers: an answer or a reason, and nothing unforeseen."""
    index, mjd, band, flux, error, detected = (list(column) for column in zip(*points, strict=True))
    curves = LightCurves.from_fluxes(["a", "b"], index, mjd, band, flux, error, is_detection=detected)
    for system in ("LSST", "ZTF"):
        found = predict(curves, 61000.2, "".join(BANDS), 61000.0, system)
        assert not [method for method in found.method if "cannot be worked out" in method]
        has_answer = np.isfinite(found.magnitude)
        assert (has_answer == np.isfinite(found.error)).all() and (found.error[has_answer] > 0).all()
        assert [method.startswith("no prediction") for method in found.method] == (~has_answer).tolist()


def test_what_fails_for_one_object_leaves_the_others_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [(of, 60990.0 + day, 2, 19.0, 0.05, day, True, True, 10.0, -20.0) for of in (0, 1) for day in range(3)]
    curves = LightCurves.from_points(["a", "b"], points)
    expected = predict(curves, 60994.0, "r", 60993.0, "LSST")
    answer = predicting.nights_of

    def fail(curves: LightCurves, place: int, until: float) -> Any:
        if place == 0:
            raise np.linalg.LinAlgError("singular")
        return answer(curves, place, until)

    monkeypatch.setattr(predicting, "nights_of", fail)
    found = predict(curves, 60994.0, "r", 60993.0, "LSST")
    assert found.method == ["no prediction: it cannot be worked out: LinAlgError", expected.method[1]]
    assert np.isnan(found.magnitude[0]) and found.magnitude[1] == expected.magnitude[1]
