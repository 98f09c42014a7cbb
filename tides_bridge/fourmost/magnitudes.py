"""
The magnitude that 4MOST is sent: that of the band of ``magType``, or converted by a stated colour term, or none.

Never another band's or another survey's under its name: D3.3.4 sent ZTF's r as LSST's. No input or output here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from tides_bridge.errors import FourmostRejected
from tides_bridge.lightcurves.photometry import PHOTOMETRIC_SYSTEMS
from tides_bridge.settings import Settings
from tides_bridge.settings.sections import ColourTerm

Row = Mapping[str, Any]

OUR_SYSTEM = "AB"
"""All surveys that the bridge reads give AB magnitudes: of ``mag_type``, the last word."""


class Newest(NamedTuple):
    """The newest magnitude in a band: epoch [MJD, UTC] and magnitude [AB mag]."""

    mjd: float
    mag: float


@dataclass(frozen=True, slots=True)
class Magnitude:
    """
    A magnitude to send.

    Attributes
    ----------
    value
        [mag], in the band and system of ``mag_type``.
    origin
        How it came about: "LSST r" as measured, else the colour term as a formula, and its source.
    """

    value: float
    origin: str


def magnitude_for(row: Row, settings: Settings) -> Magnitude:
    """
    Give the magnitude to send for a target.

    Parameters
    ----------
    row
        Of ``fourmost/list_targets.sql``; of it ``name``, and ``magnitudes``: the newest by survey and band, as
        ``{"ztf_r": {"mag": 19.2, "mjd": 61000.1}}``.
    settings
        Of which ``fourmost.magType`` and ``fourmost.colourTerms`` count.

    Raises
    ------
    FourmostRejected
        If there is none, with the magnitudes there are, why no colour term fits, and the settings that would help.
    """
    options, newest = settings.fourmost, newest_by_band(row["magnitudes"])
    wanted, _, system = options.mag_type.rpartition("_")
    found = newest.get(_key(*wanted.split("_")))
    if found and system == OUR_SYSTEM:
        return Magnitude(found.mag, _shown(wanted))
    problems = []
    for term in options.colour_terms:
        problem = _problem_of(term, newest)
        if not problem:
            shift = term.slope * _colour(term.colour, newest) if term.colour else 0.0
            return Magnitude(newest[term.from_band].mag + term.zero_point + shift, f"{term}; source: {term.source}")
        problems.append(f"{term} {problem}")
    wanted, _, system = options.mag_type.rpartition("_")
    kind = "" if system == OUR_SYSTEM else f"{system} "
    available = ", ".join(f"{_shown(key)} {point.mag:.1f}" for key, point in newest.items()) or "none at all"
    tried = "".join(f"; {problem}" for problem in problems)
    another = "another of " if problems else ""
    raise FourmostRejected(
        row["name"],
        f"mag: no {kind}magnitude in {_shown(wanted)}, the band of {options.mag_type}; it has {available}{tried}: "
        f"state {another}fourmost.colourTerms, or set fourmost.magType",
    )


def newest_by_band(magnitudes: Mapping[str, Mapping[str, float]] | None) -> dict[str, Newest]:
    """
    Give the newest magnitude by photometric system and band, whichever survey of that system has it.

    One that is no finite number, or has no epoch, is none; of equally new ones the brighter is taken.

    >>> newest_by_band({"lsst_r": {"mag": 20.1, "mjd": 61000}, "elasticc_r": {"mag": 20.2, "mjd": 61001}})
    {'LSST_r': Newest(mjd=61001.0, mag=20.2)}
    """
    newest: dict[str, Newest] = {}
    for name, point in sorted((magnitudes or {}).items()):
        survey, _, band = name.rpartition("_")
        key = _key(PHOTOMETRIC_SYSTEMS.get(survey, survey), band)
        found = Newest(*(math.nan if point[part] is None else float(point[part]) for part in Newest._fields))
        if all(map(math.isfinite, found)):
            newest[key] = max(newest.get(key, found), found, key=lambda point: (point.mjd, -point.mag))
    return newest


def _key(system: str, band: str) -> str:
    """Name a band as settings do, with the system in capitals: ``mag_type`` also has decam_r_AB."""
    return f"{system.upper()}_{band}"


def _shown(key: str) -> str:
    return key.replace("_", " ")


def _problem_of(term: ColourTerm, newest: Mapping[str, Newest]) -> str:
    """Say why a colour term does not fit; '' if it does."""
    bands = list(dict.fromkeys((term.from_band, *(term.colour or ()))))
    if missing := [_shown(band) for band in bands if band not in newest]:
        return f"needs {' and '.join(missing)}"
    epochs = [newest[band].mjd for band in bands]
    apart, allowed = max(epochs) - min(epochs), term.max_colour_age / timedelta(days=1)
    if apart > allowed:
        return f"needs magnitudes within {allowed:g} d, and they are {apart:.1f} d apart"
    if term.colour and term.valid_colours:
        colour, (low, high) = _colour(term.colour, newest), term.valid_colours
        if not low <= colour <= high:
            return f"holds for colours {low:g} ... {high:g}, and it is {colour:.2f}"
    return ""


def _colour(bands: tuple[str, str], newest: Mapping[str, Newest]) -> float:
    """Give a colour [mag]: the first band's magnitude minus the second's."""
    return newest[bands[0]].mag - newest[bands[1]].mag
