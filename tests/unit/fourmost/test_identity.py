"""Whose a row is: by its key, or by name and place and program; and what counts as shown."""

from typing import Any

import pytest

from tides_bridge.fourmost.identity import (
    as_shown,
    is_ours,
    is_same_place,
    is_under_key,
    matched,
    shown_otherwise,
    shows,
)

WANTED = {"uploadedfor_survey_id": 5, "subsurvey": "tides-sn", "name": "TiDES26aab", "ra": 359.9999, "dec": -20.0}
AN_ARCSEC = 1 / 3600


def row(key: int = 7, **changes: Any) -> dict[str, Any]:
    return {**WANTED, "id": key, "mag": 20.5, "is_active": True, **changes}


@pytest.mark.parametrize(
    ("changes", "is_one_of_ours"),
    [
        ({}, True),
        ({"name": "tides26AAB"}, True),
        ({"dec": -20 + 1.9 * AN_ARCSEC}, True),
        ({"ra": 359.9999 + 1.9 * AN_ARCSEC}, True),
        ({"dec": -20 + 2.1 * AN_ARCSEC}, False),
        ({"ra": 100.0}, False),
        ({"ra": None}, False),
        ({"name": "TiDES26aac"}, False),
        ({"uploadedfor_survey_id": 46}, False),
        ({"subsurvey": "tides-hosts"}, False),
    ],
)
def test_without_a_key_a_row_is_ours_by_name_and_place_and_program(
    changes: dict[str, Any], is_one_of_ours: bool
) -> None:
    assert is_ours(row(**changes), WANTED) == is_one_of_ours


def test_places_are_near_over_0_hours_and_far_at_other_declinations() -> None:
    assert is_same_place({"ra": 359.9999, "dec": 0}, {"ra": 0.0001, "dec": 0})
    assert not is_same_place({"ra": 359.999, "dec": 0}, {"ra": 0.001, "dec": 0})
    assert is_same_place({"ra": 10.0, "dec": -89.9999}, {"ra": 190.0, "dec": -89.9999})


def test_the_row_under_our_key_is_ours_if_name_or_place_is() -> None:
    told = {"name": "TiDES26aab", "ra": 10.0, "dec": 5.0}
    assert is_under_key(row(ra=99.0), WANTED, told)
    assert is_under_key(row(name="X"), WANTED, told) and is_under_key(row(name="X", ra=10.0, dec=5.0), WANTED, told)
    assert not is_under_key(row(name="X", ra=200.0), WANTED, told)
    assert not is_under_key(row(name="X", ra=200.0), None)


def test_created_rows_are_matched_by_name_then_by_place() -> None:
    payloads = [{**WANTED, "name": name, "dec": dec} for name, dec in (("A", -20.0), ("B", -21.0), ("C", -22.0))]
    answered = [row(3, name="other", dec=-22.0), row(2, name="b", dec=-40.0), row(1, name="A", dec=-21.0)]
    assert {name: found["id"] for name, found in matched(payloads, answered).items()} == {"A": 1, "B": 2, "C": 3}
    twice = [row(1, name="A"), row(2, name="A")]
    assert matched(payloads[:1], twice) == {}, "one of two, and nobody knows which"


@pytest.mark.parametrize(
    ("column", "asked", "answered", "is_shown"),
    [
        ("ra", 10.1234567, 10.123457, True),
        ("ra", 359.9999999, 0.0, True),
        ("ra", 10.12345, 10.12346, False),
        ("dec", -20.0, -20.00001, False),
        ("mag", 20.4567, 20.457, True),
        ("mag", 20.5, 20.4, False),
        ("date_earliest", 2461000.7635764, 2461000.76358, True),
        ("date_latest", 2461000.76, 2461000.77, False),
        ("resolution", 1, 1.0, True),
        ("cadence", 2**20, 2**20 + 1, False),
        ("is_active", True, 1, False),
        ("is_active", True, True, True),
        ("ruleset", "a  b ", "a b", True),
        ("ruleset", "a", "A", False),
        ("mag", 20.5, None, False),
    ],
)
def test_a_value_is_shown_if_it_comes_back_but_for_rounding(
    column: str, asked: object, answered: object, is_shown: bool
) -> None:
    assert shows(column, asked, answered) == is_shown


def test_only_what_is_shown_is_there() -> None:
    asked = {"mag": 19.5, "ra": 10.1234567, "ruleset": "x"}
    answered = {"id": 1, "mag": 20.5, "ra": 10.123457}
    assert shown_otherwise(asked, answered) == {"mag": 20.5, "ruleset": None}
    assert as_shown(asked, answered) == {"mag": 20.5, "ra": 10.123457}
