"""How blocks of keys are read: what is refused and how it is named, units, and versions."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import quick
from tests.support.functions import ANY_KEYS, USUAL, Keys, d333, only, strict
from tides_bridge.selection import SelectionFunction
from tides_bridge.selection.criteria import CRITERIA, Footprint
from tides_bridge.selection.measures import ANY_DETECTION, PointFilter
from tides_bridge.selection.parsing import D333_KEYS, GROUPS, POINT_KEYS

STRICT: Keys = {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minBands": 2}


def problem_of(keys: Keys) -> str:
    with pytest.raises(ValueError) as error:
        SelectionFunction.parse("test", keys)
    assert type(error.value) is ValueError
    return str(error.value)


# What is refused

WRONG: list[tuple[Keys, str]] = [
    ({"minBand": 2}, "minBand: unknown key; did you mean minBands?"),
    ({"footprnt": "0/4"}, "footprnt: unknown key; did you mean footprint?"),
    ({"name": "other"}, "name: unknown key"),
    ({5: 5}, "5: unknown key"),
    ({"any": [{True: 5}]}, "any.1.True: unknown key"),
    ({"any": [{"rules": "strict", "minBands": 2}]}, "any.1.rules: belongs to the function as a whole"),
    ({"filters": ["g", "V"]}, "filters: 'V' is no band; there are u, g, r, i, z, y"),
    ({"filters": ["G"]}, "filters: 'G' is no band; there are u, g, r, i, z, y"),
    ({"filters": [["g"]]}, "filters: ['g'] is no band; there are u, g, r, i, z, y"),
    ({"filters": []}, "filters: must be a list of bands"),
    ({"filters": "griz"}, "filters: must be a list of bands"),
    ({"significance": "high"}, "significance: 'high' is no number"),
    ({"significance": 0}, "significance: must be greater than 0"),
    ({"significance": "5 mag"}, "significance: '5 mag' has a wrong unit: none is needed"),
    ({"significance": True}, "significance: must be a number"),
    ({"significance": None}, "significance: must be a number"),
    ({"significance": math.nan}, "significance: must be a number"),
    ({"positiveOnly": "yes"}, "positiveOnly: must be true or false"),
    ({"positiveOnly": 1}, "positiveOnly: must be true or false"),
    ({"minReliability": 1.5}, "minReliability: must lie between 0 and 1"),
    ({"minReliability": -0.1}, "minReliability: must lie between 0 and 1"),
    ({"minBands": -1}, "minBands: must be a whole number, not negative"),
    ({"minBands": 1.5}, "minBands: must be a whole number, not negative"),
    ({"minBands": False}, "minBands: must be a number"),
    ({"minBands": [2]}, "minBands: must be a number"),
    ({"minBands": 10**400}, "minBands: int too large to convert to float"),
    ({"magLimit": math.inf}, "magLimit: must be a number [mag]"),
    ({"magLimit": "nan mag"}, "magLimit: must be a number [mag]"),
    ({"magLimit": "22.5 d"}, "magLimit: '22.5 d' has a wrong unit: mag is needed"),
    ({"magLimit": "-5 nJy"}, "magLimit: must be a number [mag]"),
    ({"magLimit": "0 nJy"}, "magLimit: must be a number [mag]"),
    ({"maxGap": "10 parsecs"}, "maxGap: '10 parsecs' has an unknown unit: d is needed"),
    ({"maxGap": "ten days"}, "maxGap: 'ten d' is no number with a unit, as 5 d"),
    ({"minRiseRate": "1 mag"}, "minRiseRate: '1 mag' has a wrong unit: mag/d is needed"),
    ({"declination": -70}, "declination: must be two numbers: [from, to]"),
    ({"declination": [5, -70]}, "declination: 5 is above -70"),
    ({"declination": [-70, True]}, "declination: must be a number [deg]"),
    ({"footprint": [0, 10, 20]}, "footprint: must be a box [ra from, ra to, decl from, decl to] in degrees"),
    ({"footprint": [0, 10, 5, -5]}, "footprint: its corners are not on the sky, or decl from is above decl to"),
    ({"footprint": [0, 361, -5, 5]}, "footprint: its corners are not on the sky"),
    ({"footprint": [0, 10, -91, 5]}, "footprint: its corners are not on the sky"),
    ({"footprint": "everywhere"}, "footprint: is no MOC: "),
    ({"footprint": ""}, "footprint: is no MOC: "),
    ({"solarSystem": "no"}, "solarSystem: must be true or false"),
    ({"pointSource": 0}, "pointSource: must be true or false"),
    ({"sherlockClasses": "SN"}, "sherlockClasses: must be a list of classes"),
    ({"sherlockClasses": []}, "sherlockClasses: must be a list of classes"),
    ({"sherlockClasses": ["SNe"]}, "sherlockClasses: 'SNe' is no class of Sherlock; did you mean SN?"),
    ({"tnsType": ["SNIa"]}, "tnsType: 'SNIa' is no type of the TNS; did you mean SN Ia?"),
    ({"annotation": "fink.snn_snia_vs_nonai >= 0.5"}, "annotation: 'fink.snn_snia_vs_nonai' is no annotation; did you"),
    ({"annotation": "lasair.needle >= 0.5"}, "annotation: 'lasair.needle' is no annotation"),
    ({"annotation": "fink.slsn_score > 0.5"}, "annotation: 'fink.slsn_score > 0.5' is no condition; write NAME >= NUM"),
    ({"annotation": 5}, "annotation: 5 is no condition"),
    ({"annotation": ["gaia.parallax >= 1", "gaia.parallax <= 2"]}, "annotation: must ask once of each annotation; for"),
    ({"annotation": "vsx.type >= 1"}, "annotation: vsx.type is words: write = and one or more"),
    ({"annotation": "vsx.type = , ,"}, "annotation: 'vsx.type = , ,' names no word: nothing would ever fulfil it"),
    ({"annotation": []}, "annotation: is an empty list: write NAME >= NUMBER, NAME <= NUMBER or NAME = WORD, WORD"),
    ({"annotation": "fink.slsn_score = 1"}, "annotation: fink.slsn_score is a number: write >= or <="),
    ({"annotation": "gaia.parallax <= 1 mag"}, "annotation: '1 mag' has a wrong unit: mas is needed"),
    ({"any": [{"annotation": "fink.slsn_score >= x"}]}, "any.1.annotation: 'x' is no number"),
    ({"any": []}, "any: must be a list of blocks of keys"),
    ({"all": {"minBands": 2}}, "all: must be a list of blocks of keys"),
    ({"any": [5]}, "any: must be a list of blocks of keys"),
    ({"any": None}, "any: must be a list of blocks of keys"),
    ({"not": [{"minBands": 2}]}, "not: must be one block of keys"),
    ({"any": [{}]}, "any.1: there is none; known are minDetections, minBands, "),
    ({"not": {}}, "not: there is none; known are minDetections, minBands, "),
    ({"all": [{"minBands": 2}, {"significance": 3}]}, "all.2: there is none; known are "),
    ({"any": [{"minBands": 1}, {"not": {"maxGap": "5 pc"}}]}, "any.2.not.maxGap: '5 pc' has a wrong unit: d is needed"),
    ({"any": [{"all": [{"minBnds": 2}]}]}, "any.1.all.1.minBnds: unknown key; did you mean minBands?"),
    ({"not": {"any": [{"filters": ["V"], "minBands": 1}]}}, "not.any.1.filters: 'V' is no band"),
    ({"rules": "lax"}, "rules: there is only strict"),
    ({"rules": None}, "rules: there is only strict"),
]


@pytest.mark.parametrize(
    ("wrong", "problem"), WRONG, ids=lambda value: None if isinstance(value, str) else repr(value)[:60]
)
def test_what_is_wrong_is_named_by_its_key(wrong: Keys, problem: str) -> None:
    assert problem_of({**STRICT, **wrong}).replace("days", "d").startswith(problem)


@pytest.mark.parametrize("key", ["filters", "significance"])
def test_a_strict_function_says_which_detections_count(key: str) -> None:
    assert problem_of({name: value for name, value in STRICT.items() if name != key}) == f"{key}: is missing"


def test_a_strict_function_asks_for_something() -> None:
    assert problem_of({"rules": "strict", "filters": ["g"], "significance": 5}).startswith("criteria: there is none; ")


def test_a_misspelt_key_is_told_before_the_one_that_is_missing_for_it() -> None:
    assert problem_of({"rules": "strict", "filter": ["g"], "significance": 5, "minBands": 1}) == (
        "filter: unknown key; did you mean filters?"
    )
    misspelt = {("minNight" if key == "minNights" else key): value for key, value in USUAL.items()}
    assert problem_of(misspelt) == "minNight: unknown key; did you mean minNights?"


# Functions of D3.3.3


@pytest.mark.parametrize("key", D333_KEYS)
def test_a_function_without_rules_needs_all_keys_of_d333(key: str) -> None:
    assert problem_of({name: value for name, value in USUAL.items() if name != key}) == f"{key}: is missing"


@pytest.mark.parametrize("key", [key for key in (*POINT_KEYS, *CRITERIA, *GROUPS) if key not in D333_KEYS])
def test_a_function_without_rules_refuses_every_other_key(key: str) -> None:
    assert problem_of({**USUAL, key: 1}).startswith(f"{key}: needs rules: strict; a function without has the keys ")


def test_which_detections_count_by_either_set_of_rules() -> None:
    assert d333().points == PointFilter(("g", "r", "i", "z"), 5.0, positive_only=False, d333=True)
    assert strict().points == PointFilter(("g", "r", "i", "z"), 5.0, positive_only=True)
    points = {leaf.path: leaf.points for leaf in d333().leaves}
    assert points == {"minBands": d333().points, "minNights": d333().points, "magLimit": ANY_DETECTION}
    assert {leaf.points for leaf in strict().leaves} == {strict().points}


# Values and units


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("maxGap", 10, 10.0),
        ("maxGap", "10 d", 10.0),
        ("maxGap", "10 days", 10.0),
        ("maxGap", "1 day", 1.0),
        ("maxGap", "240 h", 10.0),
        ("maxGap", "240 hours", 10.0),
        ("maxGap", "0.1 h", 0.1 / 24),
        ("maxGap", ".5 d", 0.5),
        ("magLimit", "22.5 mag", 22.5),
        ("magLimit", "22500 mmag", 22.5),
        ("magLimit", "1000 nJy", 31.4 - 7.5),
        ("magLimit", "1 uJy", 31.4 - 7.5),
        ("magLimit", "3630.78 nJy", 22.5),
        ("brightLimit", "1 mJy", 31.4 - 15),
        ("maxEbv", "0.1 mag", 0.1),
        ("minGalacticLatitude", "600 arcmin", 10.0),
        ("minRiseRate", "0.48 mag/d", 0.48),
        ("minRiseRate", "0.02 mag/h", 0.48),
        ("minRiseRate", -0.5, -0.5),
        ("minBands", 2, 2.0),
        ("minBands", 2.0, 2.0),
        ("significance", "5", 5.0),
        ("declination", ["-4200 arcmin", 5], (-70.0, 5.0)),
        ("filters", ["z", "g", "g"], ("g", "z")),
        ("sherlockClasses", ["SN", "NT", "SN"], ("NT", "SN")),
        ("footprint", [350, 10, -30, 0], Footprint(box=(350.0, 10.0, -30.0, 0.0))),
        ("footprint", "1/16-19", Footprint(moc="0/4 1/")),
    ],
)
def test_a_value_with_its_unit(key: str, written: Any, value: Any) -> None:
    function = SelectionFunction.parse("test", {**STRICT, key: written})
    fields = {"filters": "filters", "significance": "significance"}
    found = getattr(function.points, fields[key]) if key in fields else None
    found = next((leaf.threshold for leaf in function.leaves if leaf.path == key), found)
    assert found == (
        pytest.approx(value, abs=1e-6 if key == "magLimit" else 1e-12) if isinstance(value, float) else value
    )


@pytest.mark.parametrize(
    ("keys", "demand"),
    [
        ({"minBands": 2}, ">= 2"),
        ({"magLimit": 22.5}, "<= 22.5 mag"),
        ({"maxGap": "1 week"}, "<= 7 d"),
        ({"minRiseRate": 0.02}, ">= 0.02 mag/d"),
        ({"declination": [-70, 5]}, "from -70 to 5 deg"),
        ({"footprint": [350, 10, -30, 0]}, "inside the box [350.0, 10.0, -30.0, 0.0] deg"),
        ({"footprint": "0/4"}, "inside the MOC"),
        ({"pointSource": False}, "no"),
        ({"solarSystem": True}, "yes"),
        ({"sherlockClasses": ["SN", "NT"]}, "one of NT, SN"),
    ],
)
def test_a_demand_in_words(keys: Keys, demand: str) -> None:
    (leaf,) = only(**keys).leaves
    assert leaf.demand() == demand


@pytest.mark.parametrize(
    ("keys", "measured", "misses_by"),
    [
        ({"minBands": 3}, 1.0, 2.0),
        ({"minBands": 3}, 3.0, None),
        ({"maxGap": 7}, 10.0, 3.0),
        ({"maxGap": 7}, math.nan, None),
        ({"declination": [-70, 5]}, -75.0, 5.0),
        ({"declination": [-70, 5]}, 6.0, 1.0),
        ({"sherlockClasses": ["SN"]}, "VS", None),
        ({"pointSource": False}, 1.0, None),
    ],
)
def test_by_how_much_it_fails(keys: Keys, measured: Any, misses_by: float | None) -> None:
    (leaf,) = only(**keys).leaves
    assert leaf.misses_by(measured) == misses_by


def test_criteria_in_groups_are_named_by_their_path_and_inherit_which_detections_count() -> None:
    function = only(minBands=2, any=[{"minBands": 3, "significance": 3}, {"not": {"magLimit": 18, "filters": ["g"]}}])
    points = {leaf.path: (leaf.points.filters, leaf.points.significance) for leaf in function.leaves}
    assert points == {
        "minBands": (("g", "r", "i", "z"), 5.0),
        "any.1.minBands": (("g", "r", "i", "z"), 3.0),
        "any.2.not.magLimit": (("g",), 5.0),
    }


# Versions

KNOWN_VERSIONS = {"d333": "8afaacf79dd7", "strict": "f03701af0b39"}
"""Of the usual keys by either set of rules. If these change, all decisions in the record seem to be of new versions."""


def test_versions_stay_as_they_were_recorded() -> None:
    assert {"d333": d333().version, "strict": strict().version} == KNOWN_VERSIONS


def version(**keys: Any) -> str:
    return SelectionFunction.parse("any name", {**STRICT, **keys}).version


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"filters": ["g", "r"]}, {"filters": ["r", "g", "r"]}),
        ({"significance": 5}, {"significance": 5.0}),
        ({"maxGap": 10}, {"maxGap": "10 days"}),
        ({"maxGap": "0.1 h"}, {"maxGap": "6 min"}),
        ({"maxGap": "1 d"}, {"maxGap": "86400 s"}),
        ({"magLimit": "3630.78 nJy"}, {"magLimit": "3.63078 uJy"}),
        ({"declination": [0, 5]}, {"declination": [-0.0, "300 arcmin"]}),
        ({"sherlockClasses": ["SN", "NT"]}, {"sherlockClasses": ["NT", "SN"]}),
        ({"footprint": "1/16-19 2/3"}, {"footprint": "0/4 2/3"}),
        ({}, {"positiveOnly": True}),
        ({"any": [{"minBands": 3}]}, {"any": [{"minBands": 3, "significance": "5", "filters": ["r", "g"]}]}),
    ],
)
def test_what_means_the_same_has_one_version(one: Keys, other: Keys) -> None:
    assert version(**one) == version(**other)


DIFFERENT: list[Keys] = [
    {},
    {"filters": ["g"]},
    {"significance": 5.0001},
    {"positiveOnly": False},
    {"minReliability": 0},
    {"minReliability": 0.5},
    {"minBands": 3},
    {"minNights": 0},
    *(
        {key: 1}
        for key in CRITERIA
        if CRITERIA[key].kind in ("at least", "at most") and key not in ("minBands", "annotation")
    ),
    {"annotation": "fink.snn_snia_vs_nonia >= 0.5"},
    {"annotation": "fink.snn_snia_vs_nonia >= 0.51"},
    {"annotation": "fink.snn_snia_vs_nonia <= 0.5"},
    {"tnsType": ["SN Ia"]},
    {"tnsType": ["SN Ia", "SN II"]},
    {"declination": [-70, 5]},
    {"declination": [-70, 5.001]},
    {"footprint": [350, 10, -30, 0]},
    {"footprint": [10, 350, -30, 0]},
    {"footprint": "0/4"},
    {"footprint": "0/5"},
    *({key: flag} for key in ("solarSystem", "pointSource", "knownVariable") for flag in (True, False)),
    {"sherlockClasses": ["SN"]},
    {"sherlockClasses": ["SN", "NT"]},
    {"any": [{"minNights": 2}, {"minBands": 3}]},
    {"all": [{"minNights": 2}, {"minBands": 3}]},
    {"any": [{"minNights": 2, "minBands": 3}]},
    {"not": {"minNights": 2}},
    {"not": {"not": {"minNights": 2}}},
    {"not": {"minNights": 2, "significance": 3}},
    {"not": {"minNights": 2, "positiveOnly": False}},
]


def test_what_means_something_else_has_another_version() -> None:
    texts = [SelectionFunction.parse("test", {**STRICT, **keys}).normalised_text for keys in DIFFERENT]
    assert len(set(texts)) == len({version(**keys) for keys in DIFFERENT}) == len(DIFFERENT)
    assert d333().version != strict().version


@quick
@given(ANY_KEYS, st.randoms(use_true_random=False))
def test_a_version_depends_neither_on_the_name_nor_on_the_order_of_keys(keys: Keys, random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {key: shuffled(value[key]) for key in random.sample(list(value), len(value))}

    one, other = SelectionFunction.parse("one", keys), SelectionFunction.parse("other", shuffled(keys))
    assert (one.normalised_text, one.version) == (other.normalised_text, other.version)
    assert [leaf.path for leaf in one.leaves] == [leaf.path for leaf in other.leaves]


@quick
@given(ANY_KEYS)
def test_the_normal_form_is_read_as_the_same_function(keys: Keys) -> None:
    function = SelectionFunction.parse("test", keys)
    again = SelectionFunction.parse("test", json.loads(function.normalised_text))
    assert again == function
    assert again.normalised_text == function.normalised_text
