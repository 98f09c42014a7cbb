"""Which objects are one: compared with vectors in plain Python, at the poles and over 0/360 deg too."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import quick
from tides_bridge.targets.neighbours import Place, great_circle_arcsec, groups_of

ARCSEC = 1 / 3600
RADIUS = 1.0


def place(name: str, ra: float, decl: float, survey: str = "ztf", tides_id: int | None = None) -> Place:
    return Place((survey, name), ra % 360, decl, tides_id, first_mjd=61000.0)


def offset(name: str, east: float, north: float, survey: str = "ztf", tides_id: int | None = None) -> Place:
    """Give a place some arcsec away from ra 0, decl 0."""
    return place(name, east * ARCSEC, north * ARCSEC, survey, tides_id)


def names(places: list[Place]) -> list[list[str]]:
    groups = groups_of(places, RADIUS)
    assert sorted(each.key for group in groups for each in group) == sorted(each.key for each in places)
    return sorted([each.key[1] for each in group] for group in groups if len(group) > 1)


def angle(one: Place, other: Place) -> float:
    """The angle [arcsec] by the difference of unit vectors, another formula than the bridge's."""

    def vector(of: Place) -> tuple[float, float, float]:
        ra, decl = math.radians(of.ra), math.radians(of.decl)
        return math.cos(decl) * math.cos(ra), math.cos(decl) * math.sin(ra), math.sin(decl)

    return 3600 * math.degrees(2 * math.asin(min(math.dist(vector(one), vector(other)) / 2, 1)))


def test_what_is_near_is_one_and_what_is_farther_is_not() -> None:
    assert names([offset("a", 0, 0), offset("b", 0.99, 0, "lsst"), offset("c", 0, 1.01)]) == [["b", "a"]]
    assert names([offset("a", 0, 0), offset("b", 0, 1.01)]) == []
    assert names([]) == names([offset("a", 0, 0)]) == []


@pytest.mark.parametrize("decl", [-90 + 0.3 * ARCSEC, 90 - 0.3 * ARCSEC])
def test_at_the_poles_any_right_ascension_is_near(decl: float) -> None:
    assert names([place("a", 10, decl), place("b", 190, decl)]) == [["a", "b"]]


def test_the_sky_is_closed_at_0_and_360() -> None:
    assert names([place("a", 0.4 * ARCSEC, 5), place("b", -0.4 * ARCSEC, 5)]) == [["a", "b"]]


def test_of_a_chain_those_are_one_that_become_one_target() -> None:
    """An object comes to the nearest that was detected before it, as `association.associate_staged` has it."""
    a, b, c = offset("a", 0, 0), offset("b", 0.8, 0), offset("c", 1.61, 0)
    assert names([a, b, c]) == [["a", "b", "c"]]
    late = replace(b, first_mjd=61001.0)
    assert names([a, late, c]) == [["a", "b"]]


def test_of_a_group_the_surveys_have_their_order() -> None:
    places = [offset("a", 0, 0), offset("b", 0, 0, "elasticc"), offset("d", 0, 0, "lsst"), offset("c", 0, 0, "lsst")]
    assert names(places) == [["c", "d", "b", "a"]]


def test_one_target_is_one_wherever_its_objects_are() -> None:
    assert names([offset("a", 0, 0, tides_id=7), offset("b", 500, 70, "lsst", 7)]) == [["b", "a"]]


def test_two_targets_are_two_however_near_and_what_is_between_is_of_the_nearer() -> None:
    assert names([offset("a", 0, 0, tides_id=1), offset("b", 0.1, 0, tides_id=2)]) == []
    between = [offset("a", 0, 0, tides_id=1), offset("b", 1, 0, tides_id=2), offset("c", 0.6, 0)]
    assert names(between) == [["b", "c"]]
    beyond = [*between, offset("d", -0.5, 0, "lsst")]
    assert names(beyond) == [["b", "c"], ["d", "a"]]


@st.composite
def skies(draw: st.DrawFn) -> list[Place]:
    """Draw objects within some arcsec of a point of the sky, some of them of targets."""
    ra, decl = draw(
        st.sampled_from([(0.0, 0.0), (359.9999, 40.0), (123.0, -90 + 5 * ARCSEC), (7.0, 90 - 4.3 * ARCSEC)])
    )
    steps = st.integers(-12, 12).map(lambda quarters: quarters / 4 + 0.01)
    found = []
    for number in range(draw(st.integers(0, 8))):
        apart = 0.003 * 1.7**number  # no two pairs are equally far apart
        north = decl + (draw(steps) + apart) * ARCSEC
        east = (draw(steps) + apart) * ARCSEC / max(math.cos(math.radians(north)), 1e-6)
        tides_id = draw(st.sampled_from([None, None, 1, 2]))
        at = place(f"object {number}", ra + east, north, draw(st.sampled_from(["ztf", "lsst"])), tides_id)
        found.append(replace(at, first_mjd=61000.0 + draw(st.integers(0, 3))))
    return found


@quick
@given(skies(), st.randoms())
def test_groups_are_those_of_plain_python_in_any_order(places: list[Place], dice: random.Random) -> None:
    expected = plain_groups(places)
    dice.shuffle(places)
    assert {frozenset(each.key for each in group) for group in groups_of(places, RADIUS)} == expected


def plain_groups(places: list[Place]) -> set[frozenset[tuple[str, str]]]:
    """Take one object after the other."""
    groups: dict[int, list[Place]] = {}
    alone = []
    for each in places:
        if each.tides_id is None:
            alone.append(each)
        else:
            groups.setdefault(each.tides_id, []).append(each)
    for each in sorted(alone, key=lambda place: (place.first_mjd, place.key)):
        angles = {min(angle(each, other) for other in group): name for name, group in groups.items()}
        name = angles[min(angles)] if angles and min(angles) <= RADIUS else 1000 + len(groups)
        groups.setdefault(name, []).append(each)
    return {frozenset(each.key for each in group) for group in groups.values()}


@quick
@given(st.floats(0, 359.99), st.floats(-90, 90), st.floats(0, 359.99), st.floats(-90, 90))
def test_angles_are_those_of_vectors(ra: float, decl: float, other_ra: float, other_decl: float) -> None:
    given_angle = great_circle_arcsec(*(np.array([value]) for value in (ra, decl, other_ra, other_decl)))[0]
    assert given_angle == pytest.approx(angle(place("a", ra, decl), place("b", other_ra, other_decl)), abs=1e-2)


def test_an_angle_of_a_tenth_of_a_milliarcsec_is_exact() -> None:
    north = great_circle_arcsec(*(np.array([value]) for value in (210.0, -30.0, 210.0, -30.0 + 1e-4 * ARCSEC)))
    assert north[0] == pytest.approx(1e-4, abs=1e-8)


def test_many_objects_take_little_time() -> None:
    dice = np.random.default_rng(1)
    ra, decl = dice.random(20_000) * 3.5, dice.random(20_000) * 3.5
    places = [place(str(at), ra[at], decl[at]) for at in range(len(ra))]
    places += [place(str(at), ra[at], decl[at] + 0.5 * ARCSEC, "lsst") for at in range(0, len(ra), 100)]
    assert sum(len(group) > 1 for group in groups_of(places, RADIUS)) >= 200
