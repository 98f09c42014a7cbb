"""What a candidate for the host of an object is, and which ones brokers name with their alerts. No input or output."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from tides_bridge.lightcurves.sky import is_on_sky
from tides_bridge.targets.neighbours import great_circle_arcsec

MOST: Final = 3
"""Candidates of an object that one source may name."""

Notes = Mapping[str, Any]


@dataclass(frozen=True)
class HostCandidate:
    """
    A galaxy that an object may lie in.

    Attributes
    ----------
    catalogue, name
        Which tell galaxies apart; without a name the place does.
    ra, decl
        [deg] ICRS; None: not known.
    separation
        [arcsec] from the object.
    radii
        The same in directional light radii: see `tides_bridge.targets.hosts.catalogue`.
    probability
        That it is the host, 0 to 1, where a source says it.
    redshift, redshift_error, redshift_kind
        ``spectroscopic`` or ``photometric``.
    mag, mag_type
        [mag], and of which survey, band and system, such as ``SDSS_r_AB``.
    """

    catalogue: str | None
    name: str | None
    ra: float | None = None
    decl: float | None = None
    separation: float | None = None
    radii: float | None = None
    probability: float | None = None
    redshift: float | None = None
    redshift_error: float | None = None
    redshift_kind: Literal["spectroscopic", "photometric"] | None = None
    mag: float | None = None
    mag_type: str | None = None


@dataclass(frozen=True)
class ObjectPlace:
    """An object of a target, and where it lies [deg]."""

    survey: str
    object_id: str
    ra: float
    decl: float


HostFinder = Callable[[Sequence[ObjectPlace]], Iterable[tuple[ObjectPlace, Sequence[HostCandidate]]]]
"""The plug-in point: what finds hosts gets objects and gives for each the galaxies, the likeliest first."""


def candidates_said(notes: Notes, place: ObjectPlace) -> dict[str, list[HostCandidate]]:
    """
    Find which galaxies brokers name as the host of an object.

    Parameters
    ----------
    notes
        The newest annotation of each name.
    place
        Of the object, from which separations are worked out where the galaxy's place is known.

    Returns
    -------
    dict
        By source that said something of hosts, ``sherlock``, ``elasticc`` or ``fink``: the likeliest first.

    >>> place = ObjectPlace("ztf", "a", 10.0, 0.0)
    >>> said = {"sherlock.host": "7", "sherlock.catalogue": "SDSS/PS1", "sherlock.host_separation": 2.5}
    >>> [(found.name, found.separation) for found in candidates_said(said, place)["sherlock"]]
    [('7', 2.5)]
    """
    found = {}
    if "sherlock.host" in notes:
        found["sherlock"] = [_of_sherlock(notes, place)] if _is_galaxy(notes) else []
    if any(f"elasticc.{which}_ra" in notes for which in ("host", "host2")):
        both = [_of_elasticc(notes, which, place) for which in ("host", "host2")]
        found["elasticc"] = [candidate for candidate in both if candidate is not None]
    if "mangrove.name" in notes:
        found["fink"] = [HostCandidate("HyperLEDA", notes["mangrove.name"])]
    return found


def _is_galaxy(notes: Notes) -> bool:
    """Tell whether Sherlock's match is a galaxy: it matches stars and clusters, too."""
    return bool(notes.get("sherlock.host_type", "galaxy").casefold() == "galaxy")


def _of_sherlock(notes: Notes, place: ObjectPlace) -> HostCandidate:
    ra, decl = _placed(notes.get("sherlock.host_ra"), notes.get("sherlock.host_dec"))
    catalogue = notes.get("sherlock.catalogue", "sherlock")
    redshift = _redshift(notes, "sherlock.spectroscopic", "sherlock.photometric")
    mag = _magnitude(notes.get("sherlock.host_magnitude"), catalogue, notes.get("sherlock.host_band", ""))
    separation = _separation(place, ra, decl)
    return HostCandidate(
        catalogue,
        notes["sherlock.host"],
        ra,
        decl,
        notes.get("sherlock.host_separation") if separation is None else separation,
        **redshift,
        **mag,
    )


def _of_elasticc(notes: Notes, which: str, place: ObjectPlace) -> HostCandidate | None:
    """Take a galaxy of the simulation, which has no name; None where there is none."""
    ra, decl = _placed(notes.get(f"elasticc.{which}_ra"), notes.get(f"elasticc.{which}_dec"))
    if ra is None:
        return None
    redshift = _redshift(notes, f"elasticc.{which}_spectroscopic", f"elasticc.{which}_photometric")
    mag = _magnitude(notes.get(f"elasticc.{which}_magnitude"), "LSST", "r")
    return HostCandidate("ELAsTiCC", None, ra, decl, _separation(place, ra, decl), **redshift, **mag)


def _placed(ra: float | None, decl: float | None) -> tuple[float, float] | tuple[None, None]:
    """Give a place on the sky; (0, 0) stands for none, as in the first samples of ELAsTiCC."""
    if ra is None or decl is None or (ra, decl) == (0, 0) or not is_on_sky(ra, decl):
        return None, None
    return ra % 360, decl


def _separation(place: ObjectPlace, ra: float | None, decl: float | None) -> float | None:
    if ra is None or decl is None:
        return None
    angles = (np.array([angle]) for angle in (place.ra, place.decl, ra, decl))
    return round(float(great_circle_arcsec(*angles)[0]), 3)


def _redshift(notes: Notes, spectroscopic: str, photometric: str) -> dict[str, Any]:
    """Take the redshift from a spectrum, else that from colours with its error."""
    for prefix, kind in ((spectroscopic, "spectroscopic"), (photometric, "photometric")):
        if (value := notes.get(f"{prefix}_redshift")) is not None:
            error = notes.get(f"{prefix}_redshift_error")
            return {"redshift": value, "redshift_error": error, "redshift_kind": kind}
    return {}


def _magnitude(value: float | None, catalogue: str, band: str) -> dict[str, Any]:
    """Word a magnitude as 4MOST does, by the first word of its catalogue; none in a band that is not known."""
    survey = re.match(r"[^\W_]+", catalogue)
    if value is None or survey is None or band not in {*"ugrizy"} or not (math.isfinite(value) and 3 < value < 50):
        return {}
    return {"mag": value, "mag_type": f"{survey[0]}_{band}_AB"}
