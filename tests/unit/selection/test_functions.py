"""The two sets of rules, where they agree and where not, and both on all the real light curves that are at hand."""

import csv
import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import MOSTLY, NAN, Point, curves_of, point, thorough
from tests.support.functions import ANY_KEYS, USUAL, Keys, d333, only, strict
from tests.support.packets import newest_curves, newest_packets, rows_of_packet
from tests.support.reference import Row, judge_one, known_of, row, rows_of, trigger_of
from tides_bridge.brokers.lasair.curves import fetched_light_curves
from tides_bridge.formats.files import read_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.resources import shipped
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.functions import light_curve_satisfies
from tides_bridge.settings.yaml_blocks import read_blocks


def both(*rows: Point, **values: Any) -> tuple[bool, bool]:
    """By the strict rules, and by those of D3.3.3."""
    by_strict, by_d333 = judge(curves_of(*rows), [strict(**values), d333(**values)])
    return bool(by_strict.passed[0]), bool(by_d333.passed[0])


TWO_BANDS_TWO_NIGHTS = (point(61000.0, "g"), point(61001.0, "r"))


# The criteria, one by one


def test_two_bands_on_two_nights_pass() -> None:
    assert both(*TWO_BANDS_TWO_NIGHTS) == (True, True)


@pytest.mark.parametrize(
    "values",
    [{"minBands": 3}, {"minNights": 3}, {"magLimit": 18.9}, {"filters": ["g", "i"]}, {"significance": 11}],
    ids=lambda values: next(iter(values)),
)
def test_each_criterion_alone_fails_a_light_curve(values: dict[str, Any]) -> None:
    assert both(*TWO_BANDS_TWO_NIGHTS, **values) == (False, False)


def test_one_night_is_not_two() -> None:
    assert both(point(61000.1, "g"), point(61000.2, "r")) == (False, False)


def test_nights_are_those_of_the_survey_not_of_the_clock() -> None:
    assert both(point(61000.9, "g", night=5), point(61001.1, "r", night=5)) == (False, False)
    assert both(point(61000.1, "g", night=5), point(61000.2, "r", night=6)) == (True, True)


def test_limits_count_for_nothing() -> None:
    assert both(point(61000.0, "g"), point(61001.0, "r", detection=False)) == (False, False)
    assert both(*(point(61000.0 + i, band, detection=False) for i, band in enumerate("gri"))) == (False, False)


def test_an_object_without_points_fails() -> None:
    for function in (strict(), d333()):
        assert light_curve_satisfies(curves_of(), function).tolist() == []
        assert light_curve_satisfies(curves_of(point(61000.0, of=1)), function).tolist() == [False, False]


def test_no_demand_on_bands_and_nights_still_asks_for_one_bright_detection() -> None:
    assert both(point(61000.0, detection=False), minBands=0, minNights=0) == (False, False)
    assert both(point(61000.0), minBands=0, minNights=0) == (True, True)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (1.0857 / 5, (True, True)),
        (0.2172, (False, True)),  # S/N 4.9986 by 1.0857, 5.018 by 1.09
        (1.09 / 5, (False, True)),
        (0.2181, (False, False)),
        (0.0, (False, True)),
        (-0.1, (False, False)),
        (NAN, (False, False)),
    ],
)
def test_significance_at_its_limit(error: float, passes: tuple[bool, bool]) -> None:
    assert both(point(61000.0, "g", error=error), point(61001.0, "r", error=error)) == passes


@pytest.mark.parametrize(("mag", "passes"), [(22.5, True), (22.5000001, False), (NAN, False)])
def test_the_magnitude_limit_is_included(mag: float, passes: bool) -> None:
    assert both(point(61000.0, "g", mag), point(61001.0, "r", mag)) == (passes, passes)


# Where the two sets of rules differ


def test_a_fading_counts_only_for_d333() -> None:
    assert both(point(61000.0, "g"), point(61001.0, "r", positive=False)) == (False, True)


@pytest.mark.parametrize(
    "bright",
    [
        point(61002.0, "u", 18.0),
        point(61002.0, "?", 18.0),
        point(61002.0, "g", 18.0, error=1.0),
        point(61002.0, "g", 18.0, error=NAN),
        point(61002.0, "g", 18.0, positive=False),
    ],
    ids=["other band", "unknown band", "insignificant", "no error", "fading"],
)
def test_any_detection_is_bright_enough_only_for_d333(bright: Point) -> None:
    faint = (point(61000.0, "g", 20.0), point(61001.0, "r", 20.0))
    assert both(*faint, bright, magLimit=19.0) == (False, True)


def test_a_limit_is_bright_enough_for_neither() -> None:
    faint = (point(61000.0, "g", 20.0), point(61001.0, "r", 20.0))
    assert both(*faint, point(61002.0, "g", 18.0, detection=False), magLimit=19.0) == (False, False)


# Fluxes


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (600.0, (True, True)),
        (726.0, (True, True)),
        (727.0, (False, True)),
        (728.9, (False, True)),
        (729.1, (False, False)),
    ],
)
def test_fluxes_have_the_significance_of_their_rules(error: float, passes: tuple[bool, bool]) -> None:
    """Flux/error of 3631 nJy by the strict rules; D3.3.3 takes 1.09/(1.0857 error/flux), a little more."""
    curves = LightCurves.from_fluxes(
        ["a"], [0, 0], [61000.6, 61001.6], [1, 2], [3631.0] * 2, [error] * 2, is_detection=[True, True]
    )
    assert tuple(bool(each.passed[0]) for each in judge(curves, [strict(), d333()])) == passes


def test_a_flux_of_the_limit_is_its_magnitude() -> None:
    """The Lasair-LSST filter of 2026 asks for psfFlux > 3630.78 nJy, which is 22.5 mag."""
    fluxes = [3630.70, 3630.79]
    curves = LightCurves.from_fluxes(
        ["a", "b"], [0, 1], [61000.6] * 2, [1] * 2, fluxes, [1.0] * 2, is_detection=[True] * 2
    )
    assert light_curve_satisfies(curves, only(magLimit="3630.78 nJy")).tolist() == [False, True]
    assert light_curve_satisfies(curves, only(magLimit=22.5)).tolist() == [False, True]


FLUXES = st.one_of(st.sampled_from([0.0, NAN, math.inf, -math.inf]), *[st.integers(-9000, 90000).map(float)] * 4)
FLUX_ERRORS = st.one_of(st.sampled_from([0.0, -1.0, NAN, math.inf]), *[st.integers(1, 2000).map(float)] * 4)


def row_of_flux(epoch: int, band: str, flux: float, error: float, is_detection: bool) -> Row:
    """Give the point as the reference takes it; what is infinite is unknown."""
    value, sigma = (each if math.isfinite(each) else NAN for each in (flux, error))
    size = abs(value) if is_detection else NAN
    is_measured = size > 0
    return Row(
        61000 + epoch / 2,
        band,
        31.4 - 2.5 * math.log10(size) if is_measured else NAN,
        1.0857 * sigma / size if is_measured else NAN,
        size / sigma if sigma > 0 else NAN,
        math.floor(61000 + epoch / 2 - 0.5),
        is_detection,
        value > 0,
    )


@thorough
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from("ugrizy"), FLUXES, FLUX_ERRORS, MOSTLY),
        unique_by=lambda each: each[:2],
        max_size=16,
    ),
    ANY_KEYS,
)
def test_fluxes_are_judged_as_plain_python_judges(points: list[tuple[Any, ...]], keys: Keys) -> None:
    """Forced photometry among them, fluxes of zero and without number, and errors that are none."""
    epochs, bands, fluxes, errors, detected = zip(*points, strict=True) if points else ((),) * 5
    curves = LightCurves.from_fluxes(
        ["a"],
        np.zeros(len(points), int),
        61000 + np.array(epochs, float) / 2,
        np.array(["ugrizy".index(band) for band in bands], int),
        fluxes,
        errors,
        is_detection=detected,
    )
    rows = [row_of_flux(*each) for each in points]
    assert_agrees(curves, [rows], [NOTHING], {"test": keys})


# ZTF's ways of writing


def detection(candid: int, jd: float, fid: int, **others: Any) -> dict[str, Any]:
    usual = {"nid": int(jd - 2457754), "magpsf": 19.0, "sigmapsf": 0.1, "isdiffpos": "t", "ra": 10.0, "dec": -20.0}
    return {"candid": candid, "jd": jd, "fid": fid, **usual, **others}


def fetched(*candidates: dict[str, Any]) -> LightCurves:
    return fetched_light_curves(json.dumps([{"objectId": "a", "candidates": candidates}]).encode()).curves


@pytest.mark.parametrize("old_shape", [False, True])
@pytest.mark.parametrize(
    ("written", "is_positive"),
    [
        ("t", True),
        ("1", True),
        (1, True),
        ("f", False),
        ("0", False),
        (0, False),
        (None, False),
        ("true", True),
        ("x", False),
    ],
)
def test_the_sign_of_the_difference_is_written_in_several_ways(
    written: Any, is_positive: bool, old_shape: bool
) -> None:
    """`isdiffpos`: t and f in alerts since 2018, 1 and 0 in old ones, true in some copies; what is none is no rise."""
    rows = [detection(1, 2461000.7, 1), detection(2, 2461001.7, 2, isdiffpos=written)]
    answer: Any = [rows] if old_shape else [{"objectId": "a", "candidates": rows}]
    curves = fetched_light_curves(json.dumps(answer).encode(), ["a"]).curves
    assert curves.is_positive.tolist() == [True, is_positive]
    by_strict, by_d333 = judge(curves, [strict(), d333()])
    assert (by_strict.passed.tolist(), by_d333.passed.tolist()) == ([is_positive], [True])


def test_a_limit_with_a_magpsf_counts_for_nothing() -> None:
    """A candidate without `candid` is a limit, whatever else it has."""
    rows = [detection(1, 2461000.7, 1), {**detection(2, 2461001.7, 2, magpsf=15.0), "diffmaglim": 20.5}]
    del rows[1]["candid"]
    curves = fetched(*rows)
    assert curves.is_detection.tolist() == [True, False]
    for function in (strict(), d333(), strict(minBands=1, minNights=1, magLimit=18)):
        assert light_curve_satisfies(curves, function).tolist() == [False]


@pytest.mark.parametrize("sentinel", [-999, -999.0, -99999.0])
def test_a_sentinel_is_no_bright_magnitude(sentinel: float) -> None:
    rows = [detection(1, 2461000.7, 1, magpsf=sentinel), detection(2, 2461001.7, 2, magpsf=sentinel)]
    for function in (strict(), d333()):
        assert light_curve_satisfies(fetched(*rows), function).tolist() == [False]


def test_a_candidate_that_comes_twice_counts_once() -> None:
    rows = [detection(1, 2461000.7, 1), detection(1, 2461000.7, 1)]
    assert judge(fetched(*rows), [only(minDetections=1)])[0].measured["minDetections"].tolist() == [1.0]


# Real light curves, against the reference in plain Python


def _there(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not on this machine")
    return path


NOTHING: Keys = dict.fromkeys(
    ("ra", "decl", "ebv", "solar_system", "point_source", "known_variable", "first_seen"), NAN
)
NOTHING["sherlock_class"] = None


def assert_agrees(curves: LightCurves, rows: list[list[Row]], about: list[Keys], several: dict[str, Keys]) -> list[int]:
    """Assert that the reference agrees on every object and function, and give how many pass each."""
    verdicts = judge(curves, [SelectionFunction.parse(name, keys) for name, keys in several.items()])
    for keys, found in zip(several.values(), verdicts, strict=True):
        for i, (own, known) in enumerate(zip(rows, about, strict=True)):
            passed, measured = judge_one(keys, own, known)
            assert found.passed[i] == passed, curves.object_ids[i]
            assert {path: bool(mask[i]) for path, mask in found.fulfilled.items()} == {
                path: fulfilled for path, (_, fulfilled) in measured.items()
            }
            for path, (value, _) in measured.items():
                is_same = found.measured[path][i] == value or (isinstance(value, float) and math.isnan(value))
                assert is_same or found.measured[path][i] == pytest.approx(value, abs=1e-4)
            trigger = trigger_of(keys, own, known)
            assert found.trigger_mjd[i] == trigger or (math.isnan(trigger) and math.isnan(found.trigger_mjd[i]))
    return [int(found.passed.sum()) for found in verdicts]


STRICT: Keys = {**USUAL, "rules": "strict"}
SHIPPED: dict[str, Keys] = read_blocks(shipped("selectionFunctions.yaml"))
MORE: dict[str, Keys] = {
    "d333": USUAL,
    "groups": {
        **{"rules": "strict", "filters": ["g", "r"], "significance": 5, "declination": [-90, 30], "brightLimit": 15},
        "any": [{"minFadeRate": 0.05}, {"minBands": 2, "maxGap": 3, "significance": 10}, {"not": {"maxAgeLast": 0}}],
        "not": {"positiveOnly": False, "minDetections": 8},
    },
    "object": {
        **{"rules": "strict", "filters": ["g", "r", "i"], "significance": 3, "minDetections": 1},
        **{"solarSystem": False, "minGalacticLatitude": 10, "footprint": [0, 200, -30, 80]},
        "not": {"any": [{"pointSource": True}, {"knownVariable": True}]},
    },
}

D333_NUMBERS = {
    "tidesSNZTFSelect": 267,
    "tidesSNLSSTSelect": 9,
    "tidesHostLSSTSelect": 9,
    "tidesSNZTFSelectDEMO1": 87,
}
"""How many of the 573 newest packets pass each function of D3.3.3."""

REAL: list[tuple[Keys, int]] = [
    (STRICT, 182),
    (USUAL, 267),
    ({**STRICT, "minBands": 3}, 7),
    ({**USUAL, "minNights": 10}, 87),
    ({**STRICT, "magLimit": 18.0}, 79),
    ({**USUAL, "magLimit": 18.0}, 131),
    ({**STRICT, "filters": ["r"], "minBands": 1, "significance": 10}, 137),
]


def test_real_alerts_are_judged_as_plain_python_judges(shared_data: Path) -> None:
    packets, curves = newest_packets(shared_data), newest_curves(shared_data)
    assert list(curves.object_ids) == list(packets)
    assert len(curves) == 573
    rows = [rows_of_packet(packet) for packet in packets.values()]
    several = {**{f"real{i}": keys for i, (keys, _) in enumerate(REAL)}, **SHIPPED, **MORE}
    numbers = assert_agrees(curves, rows, [NOTHING] * 573, several)
    assert numbers[: len(REAL)] == [number for _, number in REAL]


def test_the_file_of_d333_gives_the_answers_of_d333(shared_data: Path) -> None:
    several = read_blocks(_there(shared_data / "tides_selection_functions_d333.yml"))
    rows = [rows_of_packet(packet) for packet in newest_packets(shared_data).values()]
    numbers = assert_agrees(newest_curves(shared_data), rows, [NOTHING] * 573, several)
    assert dict(zip(several, numbers, strict=True)) == D333_NUMBERS


def test_magnitudes_of_real_alerts_are_finite(shared_data: Path) -> None:
    curves = newest_curves(shared_data)
    assert np.isfinite(curves.magnitude[curves.is_detection]).all()
    assert (curves.is_detection.sum(), curves.is_positive.sum()) == (4875, 3278)


def test_real_type_ia_supernovae_are_judged_as_plain_python_judges(shared_data: Path) -> None:
    """Those of the Bright Transient Survey: detections only, all positive, in g and R, by the nights of Palomar."""
    file = _there(shared_data / "bts" / "snia_lightcurves.csv.gz")
    points: dict[str, list[Row]] = {}
    with gzip.open(file, "rt") as lines:
        for line in csv.DictReader(lines):
            mjd, mag, error = (float(line[key]) for key in ("mjd", "mag", "magerr"))
            made = row(mjd, line["band"].lower(), mag, error, math.floor(mjd))
            points.setdefault(line["objectId"], []).append(made)
    curves = LightCurves.joined(list(read_light_curves([file], refused=lambda *_: None)))
    assert sorted(curves.object_ids) == sorted(points)
    rows = [list(dict.fromkeys(points[name])) for name in curves.object_ids]
    assert len(rows) == 1148
    several = {name: SHIPPED[name] for name in ("tidesSNZTFSelect", "youngSupernovaExample")}
    assert_agrees(curves, rows, [NOTHING] * 1148, {**several, **MORE})


FILES: dict[str, tuple[str, int]] = {
    "ztf": ("ztf/alerts.jsonl.gz", 573),
    "elasticc snia": ("elasticc/snia_5398alerts.parquet", 3503),
    "elasticc agn": ("elasticc/agn_elasticc_alerts.parquet", 98),
    "elasticc random": ("elasticc/elasticc_sample_seed0.parquet", 89),
    "rubin": ("lsst/parquet", 41),
    "rubin avro": ("lsst/avro", 13),
    "lasair lsst": ("lasair_lsst/kafka_messages.json", 32),
}


@pytest.mark.parametrize("name", FILES)
def test_real_files_are_judged_as_plain_python_judges(shared_data: Path, name: str) -> None:
    path, number = FILES[name]
    curves = LightCurves.joined(list(read_light_curves([_there(shared_data / path)], refused=lambda *_: None)))
    assert len(curves) == number
    several = {**SHIPPED, **MORE} if number < 2000 else {"usual": STRICT, "groups": MORE["groups"]}
    assert_agrees(curves, rows_of(curves), known_of(curves), several)
