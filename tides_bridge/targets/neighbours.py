"""Which objects of several surveys are one: by their places, and by the targets they belong to. No input or output."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tides_bridge.compiled import Floats
from tides_bridge.selection.parsing import SURVEYS

Key = tuple[str, str]
"""Survey and name of an object."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    An object, and where it is.

    Attributes
    ----------
    key
        Its survey and name.
    ra, decl
        [deg] ICRS; where others are matched to it.
    tides_id
        The target it belongs to; None if it belongs to none.
    first_mjd, newest_mjd
        [d, UTC] First detection of its stored light curve, and newest one that its alert knew; None if none is stored.
    """

    key: Key
    ra: float
    decl: float
    tides_id: int | None = None
    first_mjd: float | None = None
    newest_mjd: float | None = None


def groups_of(places: Sequence[Place], radius_arcsec: float) -> list[list[Place]]:
    """
    Find the objects that are one target, or would be if all became targets now.

    The rule is that of `association.associate_staged`: objects of a target are one, wherever they lie, as a person may
    have said so; the others come one by one, those first detected first, each to the target or group of the nearest
    within the radius. So what is judged together is one target afterwards. The order of the places is no matter.

    Parameters
    ----------
    places
        One an object.
    radius_arcsec
        [arcsec] Within which objects are one.

    Returns
    -------
    list
        The groups, those of one object too, each in the order of SURVEYS.
    """
    ordered = sorted(places, key=lambda place: (place.tides_id is None, place.first_mjd or 0.0, place.key))
    before = _earlier_ones(ordered, radius_arcsec)
    names: list[tuple[bool, int]] = []  # of their groups: targets that are known sort before others
    for number, place in enumerate(ordered):
        if place.tides_id is not None:
            names.append((False, place.tides_id))
        else:
            nearest = min(((angle, names[other]) for angle, other in before.get(number, ())), default=None)
            names.append(nearest[1] if nearest else (True, number))
    groups: dict[tuple[bool, int], list[Place]] = {}
    for name, place in zip(names, ordered, strict=True):
        groups.setdefault(name, []).append(place)
    return [sorted(group, key=_rank) for group in groups.values()]


def _rank(place: Place) -> tuple[int, Key]:
    """Sort by survey in the order of SURVEYS, any other last."""
    survey = place.key[0]
    return SURVEYS.index(survey) if survey in SURVEYS else len(SURVEYS), place.key


def _earlier_ones(places: Sequence[Place], radius_arcsec: float) -> dict[int, list[tuple[float, int]]]:
    """List for each place the angles to earlier ones that are near: sorted by declination, these are not far apart."""
    ra, decl = (np.array([getattr(place, name) for place in places], dtype=float) for name in ("ra", "decl"))
    order = np.argsort(decl, kind="stable")
    found: dict[int, list[tuple[float, int]]] = {}
    for shift in range(1, len(places)):
        one, other = order[:-shift], order[shift:]
        is_in_strip = decl[other] - decl[one] <= radius_arcsec / 3600
        if not is_in_strip.any():
            break
        one, other = np.sort([one[is_in_strip], other[is_in_strip]], axis=0)
        angles = great_circle_arcsec(ra[one], decl[one], ra[other], decl[other])
        is_near = angles <= radius_arcsec
        for angle, earlier, later in zip(angles[is_near], one[is_near], other[is_near], strict=True):
            found.setdefault(int(later), []).append((float(angle), int(earlier)))
    return found


def great_circle_arcsec(ra: Floats, decl: Floats, other_ra: Floats, other_decl: Floats) -> Floats:
    """
    Give the angle between places [deg] in arcsec, by haversines (R. W. Sinnott 1984, Sky and Telescope 68, 158).

    Parameters
    ----------
    ra, decl, other_ra, other_decl
        [deg] Of shapes that fit together.

    Examples
    --------
    >>> great_circle_arcsec(np.array([359.9999]), np.array([0.0]), np.array([0.0001]), np.array([0.0])).round(6)
    array([0.72])
    """
    across = np.cos(np.radians(decl)) * np.cos(np.radians(other_decl)) * np.sin(np.radians(ra - other_ra) / 2) ** 2
    haversine = np.sin(np.radians(decl - other_decl) / 2) ** 2 + across
    angle: Floats = 3600 * np.degrees(2 * np.arcsin(np.sqrt(np.minimum(haversine, 1.0))))
    return angle
