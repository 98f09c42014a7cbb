"""The key `surveys` of a selection function: what it may say, and what it changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.curves import curves_of, point
from tests.support.functions import USUAL, d333, only
from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves.photometry import PHOTOMETRIC_SYSTEMS
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.file import load_function
from tides_bridge.selection.parsing import SURVEYS


def test_without_the_key_each_light_curve_is_judged_alone() -> None:
    assert only(minBands=2).surveys == d333().surveys == ()
    assert "surveys" not in only(minBands=2).normalised_text


def test_the_order_of_surveys_is_no_matter_and_the_key_is_another_version() -> None:
    one, other = (only(minBands=2, surveys=surveys) for surveys in (["ztf", "lsst"], ["lsst", "ztf", "ztf"]))
    assert one.surveys == other.surveys == ("lsst", "ztf")
    assert one.version == other.version
    assert len({one.version, only(minBands=2).version, only(minBands=2, surveys=["ztf"]).version}) == 3
    assert '"surveys":["lsst","ztf"]' in one.normalised_text
    assert one != only(minBands=2)


def test_all_surveys_of_the_bridge_are_known() -> None:
    assert set(SURVEYS) == set(PHOTOMETRIC_SYSTEMS)
    assert only(minBands=2, surveys=list(SURVEYS)).surveys == SURVEYS


def test_what_was_written_is_read_again() -> None:
    function = only(minBands=2, surveys=["ztf", "lsst"], any=[{"minNights": 2}, {"magLimit": 19}])
    assert SelectionFunction.parse("test", dict(function.keys)) == function


@pytest.mark.parametrize(
    ("surveys", "problem"),
    [
        ("ztf", "surveys: must be a list of surveys"),
        ([], "surveys: must be a list of surveys"),
        (None, "surveys: must be a list of surveys"),
        (["ztf", "LSST"], "surveys: 'LSST' is no survey; there are lsst, elasticc, ztf"),
        ([["ztf"]], "surveys: ['ztf'] is no survey; there are lsst, elasticc, ztf"),
        ([1], "surveys: 1 is no survey; there are lsst, elasticc, ztf"),
    ],
)
def test_what_is_no_survey_is_refused(surveys: Any, problem: str) -> None:
    with pytest.raises(ValueError) as error:
        only(minBands=2, surveys=surveys)
    assert str(error.value) == problem


def test_the_rules_of_d333_know_no_other_surveys() -> None:
    with pytest.raises(ValueError, match="surveys: needs rules: strict"):
        SelectionFunction.parse("test", {**USUAL, "surveys": ["ztf"]})


def test_a_block_within_has_no_surveys_and_a_misspelt_key_is_guessed() -> None:
    with pytest.raises(ValueError, match=r"any\.1\.surveys: belongs to the function as a whole"):
        only(any=[{"surveys": ["ztf"], "minBands": 2}])
    with pytest.raises(ValueError, match=r"survey: unknown key; did you mean surveys\?"):
        only(minBands=2, survey=["ztf"])


def test_a_file_names_the_function_and_the_key(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("both: {rules: strict, filters: [g], significance: 5, minBands: 1, surveys: [ztf, atlas]}\n")
    with pytest.raises(SettingsError, match=r"both\.surveys.*'atlas' is no survey"):
        load_function(file, "both")


def test_the_engine_judges_the_points_it_is_given_whatever_the_key() -> None:
    curves = curves_of(point(61000, "g"), point(61001, "r"), point(61000, "g", of=1))
    for function in (only(minBands=2), only(minBands=2, surveys=["ztf"])):
        (verdicts,) = judge(curves, [function])
        assert np.array_equal(verdicts.passed, [True, False])
    assert replace(only(minBands=2, surveys=["ztf"]), surveys=()) == only(minBands=2)
