"""The magnitude that is sent: of the right band and survey, or converted as the settings state, or none."""

import math
import re
import statistics
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import ztf_settings
from tests.support.curves import quick, thorough
from tests.support.packets import newest_packets
from tides_bridge.errors import FourmostRejected
from tides_bridge.fourmost.magnitudes import Magnitude, magnitude_for, newest_by_band
from tides_bridge.lightcurves.photometry import BANDS, PHOTOMETRIC_SYSTEMS
from tides_bridge.resources import shipped
from tides_bridge.settings import Settings, load_settings

Points = Mapping[str, tuple[float, float]]
"""Magnitude and epoch by survey and band."""

TERM = {"from": "ZTF_r", "zeroPoint": 0.1, "slope": -0.05, "colour": ["ZTF_g", "ZTF_r"], "validColours": [-0.5, 1.5]}
ZERO = {"from": "ZTF_r", "source": "zero"}
BOTH = {"ztf_g": (19.4, 61000.0), "ztf_r": (19.2, 61001.0)}


def settings_with(*terms: Mapping[str, Any], mag_type: str = "LSST_r_AB") -> Settings:
    """Settings with colour terms, each with a source."""
    ages = {"maxMagnitudeAge": "1000 days"}
    return ztf_settings(
        fourmost=ages | {"magType": mag_type, "colourTerms": [{"source": "a test", **term} for term in terms]}
    )


def row(points: Points) -> dict[str, Any]:
    """Of a row of fourmost/list_targets.sql, what counts here."""
    magnitudes = {name: {"mag": mag, "mjd": mjd} for name, (mag, mjd) in points.items()}
    return {"name": "TiDES26aaa", "magnitudes": magnitudes}


def sent(points: Points, *terms: Mapping[str, Any], mag_type: str = "LSST_r_AB") -> Magnitude:
    return magnitude_for(row(points), settings_with(*terms, mag_type=mag_type))


def reason(points: Points, *terms: Mapping[str, Any], mag_type: str = "LSST_r_AB") -> str:
    """Why nothing is sent."""
    with pytest.raises(FourmostRejected) as refused:
        sent(points, *terms, mag_type=mag_type)
    assert refused.value.what == "TiDES26aaa"
    return refused.value.problem


# As measured


def test_r_of_ztf_is_not_sent_as_r_of_lsst_as_d334_did() -> None:
    assert reason({"ztf_r": (19.2, 61000.0)}) == (
        "mag: no magnitude in LSST r, the band of LSST_r_AB; it has ZTF r 19.2: "
        "state fourmost.colourTerms, or set fourmost.magType"
    )
    assert sent({"ztf_r": (19.2, 61000.0), "lsst_r": (19.3, 60990.0)}) == Magnitude(19.3, "LSST r")


def test_a_refusal_says_what_there_is() -> None:
    assert "; it has ZTF g 19.4, ZTF r 19.2: state" in reason(BOTH)
    assert "; it has LSST g 20.0: state" in reason({"lsst_g": (20.0, 61000.0)})
    assert "; it has ATLAS o 18.0: state" in reason({"atlas_o": (18.0, 61000.0)})
    assert "; it has none at all: state" in reason({})


def test_a_target_without_any_magnitude_is_refused() -> None:
    none = {"mag": None, "mjd": None}, {"mag": math.nan, "mjd": 61000.0}, {"mag": 20.0, "mjd": math.inf}
    for magnitudes in (None, {}, *({"lsst_r": point} for point in none)):
        with pytest.raises(FourmostRejected, match="it has none at all"):
            magnitude_for({"name": "a", "magnitudes": magnitudes}, ztf_settings())


@pytest.mark.parametrize("mag_type", ["ZTF_r_AB", "ztf_r_AB"])
def test_the_capitals_of_a_system_do_not_count(mag_type: str) -> None:
    assert sent(BOTH, mag_type=mag_type).value == 19.2


def test_simulated_bands_of_lsst_are_bands_of_lsst() -> None:
    assert sent({"elasticc_r": (21.0, 61000.0)}).value == 21.0


def test_of_several_surveys_of_a_system_the_newest_counts() -> None:
    assert sent({"elasticc_r": (21.0, 61000.0), "lsst_r": (20.0, 61001.0)}).value == 20.0
    assert sent({"elasticc_r": (21.0, 61002.0), "lsst_r": (20.0, 61001.0)}).value == 21.0
    assert sent({"elasticc_r": (math.nan, 61002.0), "lsst_r": (20.0, 61001.0)}).value == 20.0
    assert sent({"elasticc_r": (21.0, 61001.0), "lsst_r": (20.0, 61001.0)}).value == 20.0  # then the brighter


def test_a_magnitude_is_not_sent_in_another_system_than_ab() -> None:
    text = reason({"lsst_r": (20.0, 61000.0)}, mag_type="LSST_r_Vega")
    assert text.startswith("mag: no Vega magnitude in LSST r, the band of LSST_r_Vega; it has LSST r 20.0: ")
    term = {"from": "LSST_r", "zeroPoint": -0.25}
    assert sent({"lsst_r": (20.0, 61000.0)}, term, mag_type="LSST_r_Vega").value == 19.75


names = st.tuples(st.sampled_from(["lsst", "elasticc", "ztf", "atlas"]), st.sampled_from(BANDS)).map("_".join)
several = st.dictionaries(names, st.tuples(st.floats(10, 25), st.floats(60990, 61010)))


@thorough
@given(several, st.sampled_from(["LSST", "ZTF"]), st.sampled_from(BANDS))
def test_it_is_never_another_bands(points: dict[str, tuple[float, float]], system: str, band: str) -> None:
    """Without colour terms: the newest that was measured in that very band, or none."""
    right = [
        points[f"{survey}_{band}"]
        for survey, its in PHOTOMETRIC_SYSTEMS.items()
        if its == system and f"{survey}_{band}" in points
    ]
    mag_type = f"{system}_{band}_AB"
    if right:
        newest = max(mjd for _, mjd in right)
        assert sent(points, mag_type=mag_type) == Magnitude(
            min(m for m, mjd in right if mjd == newest), f"{system} {band}"
        )
    else:
        assert reason(points, mag_type=mag_type).startswith(f"mag: no magnitude in {system} {band}, ")


@quick
@given(several, st.randoms())
def test_the_order_of_the_magnitudes_does_not_count(points: dict[str, tuple[float, float]], random: Any) -> None:
    shuffled = list(points.items())
    random.shuffle(shuffled)
    assert newest_by_band(row(points)["magnitudes"]) == newest_by_band(row(dict(shuffled))["magnitudes"])


# Converted


def test_a_colour_term_is_applied_and_told() -> None:
    magnitude = sent(BOTH, TERM)
    assert magnitude.value == pytest.approx(19.2 + 0.1 - 0.05 * (19.4 - 19.2), abs=1e-12)
    assert magnitude.origin == "ZTF r + 0.1 - 0.05 (ZTF g - ZTF r); source: a test"


def test_a_term_without_slope_needs_no_colour() -> None:
    assert sent({"ztf_r": (19.2, 61000.0)}, ZERO) == Magnitude(19.2, "ZTF r + 0; source: zero")
    assert sent({"ztf_r": (19.25, 61000.0)}, {"from": "ZTF_r", "zeroPoint": -0.25}).origin.startswith("ZTF r - 0.25; ")


def test_what_was_measured_goes_before_any_colour_term() -> None:
    assert sent({**BOTH, "lsst_r": (19.0, 60999.0)}, TERM, ZERO) == Magnitude(19.0, "LSST r")


def test_the_first_colour_term_that_fits_is_taken() -> None:
    plus = {"from": "ZTF_r", "zeroPoint": 1}
    assert sent(BOTH, plus, ZERO).value == 20.2
    assert sent(BOTH, ZERO, plus).value == 19.2
    assert sent({"ztf_r": (19.2, 61000.0)}, TERM, plus).value == 20.2


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ({"ztf_r": (19.2, 61000.0)}, "needs ZTF g"),
        ({"ztf_g": (19.2, 61000.0)}, "needs ZTF r"),
        ({"lsst_g": (19.2, 61000.0), "atlas_r": (19.2, 61000.0)}, "needs ZTF r and ZTF g"),
        ({"ztf_g": (19.4, 61000.0), "ztf_r": (19.2, 61005.1)}, "needs magnitudes within 5 d, and they are 5.1 d apart"),
        ({"ztf_g": (19.4, 61005.1), "ztf_r": (19.2, 61000.0)}, "needs magnitudes within 5 d, and they are 5.1 d apart"),
        ({"ztf_g": (20.71, 61000.0), "ztf_r": (19.2, 61000.0)}, "holds for colours -0.5 ... 1.5, and it is 1.51"),
        ({"ztf_g": (18.69, 61000.0), "ztf_r": (19.2, 61000.0)}, "holds for colours -0.5 ... 1.5, and it is -0.51"),
        ({"ztf_g": (math.nan, 61000.0), "ztf_r": (19.2, 61000.0)}, "needs ZTF g"),
        ({"ztf_g": (19.4, math.nan), "ztf_r": (19.2, 61000.0)}, "needs ZTF g"),
    ],
)
def test_a_colour_term_that_does_not_fit_says_why(points: Points, problem: str) -> None:
    text = reason(points, TERM)
    assert f"; ZTF r + 0.1 - 0.05 (ZTF g - ZTF r) {problem}" in text
    assert text.endswith(": state another of fourmost.colourTerms, or set fourmost.magType")


def test_every_colour_term_that_does_not_fit_is_named() -> None:
    text = reason({"lsst_g": (19.2, 61000.0)}, TERM, ZERO)
    assert "; ZTF r + 0.1 - 0.05 (ZTF g - ZTF r) needs ZTF r and ZTF g; ZTF r + 0 needs ZTF r: state another" in text


@pytest.mark.parametrize(
    ("age", "is_used"), [("1 day", True), ("23 hours", False), (1, True), (0.9, False), ("86400 s", True)]
)
def test_the_age_of_a_colour_has_its_unit(age: object, *, is_used: bool) -> None:
    """The epochs of BOTH are a day apart; a bare number is in days."""
    assert (sent(BOTH, {**TERM, "maxColourAge": age}, {"from": "ZTF_r", "zeroPoint": 9}).value < 20) is is_used


def test_the_converted_magnitude_must_be_as_new_as_its_colour() -> None:
    term = {**TERM, "from": "LSST_r"}
    old = {**BOTH, "lsst_r": (19.0, 60990.0)}
    assert "they are 11.0 d apart" in reason(old, term, mag_type="ZTF_r_Vega")
    assert sent({**old, "lsst_r": (19.0, 60998.0)}, term, mag_type="ZTF_r_Vega").value == pytest.approx(19.09)


def test_the_edges_of_age_and_colours_are_in() -> None:
    assert sent({"ztf_g": (20.0, 61000.0), "ztf_r": (18.5, 61005.0)}, TERM).value == pytest.approx(18.6 - 0.075)


terms = st.lists(
    st.one_of(
        st.builds(lambda zero: {"from": "ZTF_r", "zeroPoint": zero}, st.floats(-1, 1)),
        st.builds(
            lambda start, zero, slope, colour, low, age: {
                "from": start,
                "zeroPoint": zero,
                "slope": slope,
                "colour": list(colour),
                "validColours": [low, low + 2],
                "maxColourAge": age,
            },
            st.sampled_from(["ZTF_r", "ZTF_g", "LSST_i"]),
            st.floats(-1, 1),
            st.sampled_from([-1.5, -0.05, 0.05, 1.0]),
            st.sampled_from([("ZTF_g", "ZTF_r"), ("ZTF_r", "ZTF_i"), ("LSST_g", "LSST_i")]),
            st.floats(-3, 1),
            st.integers(0, 20),
        ),
    ),
    max_size=4,
)


def expected(points: Points, tried: list[dict[str, Any]]) -> float | None:
    """Say the rules once more, for the LSST r of one survey a system."""
    known = {f"{name.split('_')[0].upper()}_{name.split('_')[1]}": point for name, point in points.items()}
    if "LSST_r" in known:
        return known["LSST_r"][0]
    for term in tried:
        used = {term["from"], *term.get("colour", ())}
        if not used <= known.keys():
            continue
        if "colour" not in term:
            return known[term["from"]][0] + term["zeroPoint"]
        epochs = sorted(known[band][1] for band in used)
        first, second = (known[band][0] for band in term["colour"])
        low, high = term["validColours"]
        if epochs[-1] - epochs[0] <= term["maxColourAge"] and low <= first - second <= high:
            return known[term["from"]][0] + term["zeroPoint"] + term["slope"] * (first - second)
    return None


one_each = st.dictionaries(
    st.sampled_from([f"{survey}_{band}" for survey in ("lsst", "ztf") for band in "gri"]),
    st.tuples(st.floats(17, 20), st.floats(60990, 61010)),
)


@thorough
@given(one_each, terms)
def test_it_is_as_the_rules_say_in_plain_python(points: dict[str, tuple[float, float]], tried: Any) -> None:
    value = expected(points, tried)
    if value is None:
        assert reason(points, *tried).count("; ") == 1 + len(tried)
    else:
        assert sent(points, *tried).value == pytest.approx(value, abs=1e-9)


@quick
@given(one_each, st.floats(-3, 3), st.integers(-1000, 1000))
def test_a_fainter_object_is_sent_as_much_fainter(
    points: dict[str, tuple[float, float]], shift: float, days: int
) -> None:
    """A colour and an age are differences: neither brightness nor date alone changes which term is taken."""
    moved = {name: (mag + shift, mjd + days) for name, (mag, mjd) in points.items()}
    wide = {**TERM, "validColours": [-4, 4], "maxColourAge": 30}
    if "lsst_r" in points or "ztf_r" in points:
        assert sent(moved, wide, ZERO).value == pytest.approx(sent(points, wide, ZERO).value + shift, abs=1e-9)
    else:
        assert reason(points, wide, ZERO) and reason(moved, wide, ZERO)


# The page and the shipped settings


def test_the_examples_of_the_page_are_true() -> None:
    page = (Path(__file__).parents[3] / "docs" / "magnitudes.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    settings = ztf_settings(**yaml.safe_load(example))
    origin = "ZTF r + 0.002 + 0.084 (ZTF g - ZTF r); source: why these numbers; "
    assert magnitude_for(row(BOTH), settings).origin.startswith(origin)
    assert reason(BOTH) in " ".join(page.split())
    listed = dict(re.findall(r"^\| `(\w+)` \| (\w+)", page, re.MULTILINE))
    assert listed == PHOTOMETRIC_SYSTEMS


def test_the_shipped_settings_convert_ztf_and_say_from_where() -> None:
    settings = load_settings(file=shipped("flowSetting.yaml"))
    full, zero = settings.fourmost.colour_terms
    found = magnitude_for(row(BOTH), settings)
    assert found.value == pytest.approx(19.2 + 0.002 + 0.084 * 0.2)
    assert found.origin.startswith(f"ZTF r + 0.002 + 0.084 (ZTF g - ZTF r); source: {full.source}; ")
    assert "RTN-099" in full.source and "approximation" in zero.source
    assert magnitude_for(row({"ztf_r": (19.2, 61000.0)}), settings).value == pytest.approx(19.202)
    with pytest.raises(FourmostRejected, match=re.escape("it has ZTF g 19.4; ")):
        magnitude_for(row({"ztf_g": (19.4, 61000.0)}), settings)


def test_the_shipped_slope_is_that_of_the_coefficients_in_real_alerts(shared_data: Path) -> None:
    """
    ZTF's packets have, in ``clrcoeff``, the c of m(PS1) = m(ZTF) + c (g - r of PS1) for each image.

    So g - r of PS1 is that of ZTF over 1 - c(g) + c(r), and RTN-099's term from there to LSST is a constant, 0.002 mag.
    """
    found = [each for packet in newest_packets(shared_data).values() for each in packet if each.get("clrcoeff")]
    green, red = (statistics.median(each["clrcoeff"] for each in found if each["fid"] == fid) for fid in (1, 2))
    full, _ = load_settings(file=shipped("flowSetting.yaml")).fourmost.colour_terms
    assert full.slope == pytest.approx(red / (1 - green + red), abs=0.003)


# Measured lately, predicted, or old


NOW = datetime(2025, 11, 29, 12, tzinfo=UTC)
"""MJD 61008.5."""


def on_the_night(system: str, at_mjd: float = 61009.17, **mags: float) -> dict[str, Any]:
    """Of a row of fourmost/list_targets.sql, what is expected of the coming night."""
    values = [mags.get(band) for band in BANDS]
    errors = [None if mag is None else 0.2 for mag in values]
    methods = [f"supernova {{{band}}}" for band in BANDS]
    return {"at_mjd": at_mjd, "system": system, "mags": values, "errors": errors, "methods": methods}


@pytest.mark.parametrize(
    ("measured", "tonight", "value", "words"),
    [
        ((20.0, 61008.0), {"r": 21.0}, 20.0, "LSST r"),
        ((20.0, 61007.4), {"r": 21.0}, 21.0, "LSST r; predicted for MJD 61009.17: supernova {r}"),
        ((20.0, 61000.0), {"g": 21.0}, 20.0, "LSST r; 8.5 d old"),
        ((20.0, 61000.0), {}, 20.0, "LSST r; 8.5 d old"),
        ((20.0, 61000.0), {"r": 21.0, "at_mjd": 61007.17}, 20.0, "LSST r; 8.5 d old"),
    ],
)
def test_what_was_measured_lately_is_sent_else_what_is_predicted(
    measured: tuple[float, float], tonight: dict[str, float], value: float, words: str
) -> None:
    settings = ztf_settings(now=NOW)
    found = magnitude_for(row({"lsst_r": measured}) | {"tonight": on_the_night("LSST", **tonight)}, settings)
    assert (found.value, found.origin) == (value, words)
    assert found.error == (0.2 if "predicted" in words else None)


def test_a_prediction_in_another_system_is_converted_at_one_epoch() -> None:
    """Never the measured magnitude of one band with the predicted one of another."""
    settings = ztf_settings(now=NOW, fourmost={"colourTerms": [{"source": "a test", **TERM}]})
    points = {"ztf_g": (19.0, 61008.2), "ztf_r": (19.0, 61001.0)}
    found = magnitude_for(row(points) | {"tonight": on_the_night("ZTF", g=20.4, r=20.0)}, settings)
    assert found.value == pytest.approx(20.0 + 0.1 - 0.05 * 0.4)
    assert found.origin.endswith("; source: a test; predicted for MJD 61009.17: supernova {r}")
