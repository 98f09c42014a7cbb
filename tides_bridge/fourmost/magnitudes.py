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
from tides_bridge.lightcurves.photometry import BANDS, PHOTOMETRIC_SYSTEMS
from tides_bridge.settings import Settings
from tides_bridge.settings.sections import ColourTerm

Row = Mapping[str, Any]

OUR_SYSTEM = "AB"
"""All surveys that the bridge reads give AB magnitudes: of ``mag_type``, the last word."""

NIGHT_LASTS = 1.0
"""[d] So long what was predicted for a night is sent."""


class Newest(NamedTuple):
    """The newest magnitude in a band: epoch [MJD, UTC], magnitude [AB mag] and its error, NaN where it is unknown."""

    mjd: float
    mag: float
    error: float = math.nan


@dataclass(frozen=True, slots=True)
class Magnitude:
    """
    A magnitude to send.

    Attributes
    ----------
    value
        [mag], in the band and system of ``mag_type``.
    origin
        How it came about: "LSST r" as measured, or the colour term as a formula, and its source; whether it is
        predicted, and how, or how old.
    error
        [mag] None where it is unknown.
    """

    value: float
    origin: str
    error: float | None = None


def magnitude_for(row: Row, settings: Settings) -> Magnitude:
    """
    Give the magnitude to send for a target: what was measured lately, else what is predicted for the coming night.

    In each case that of the band of ``magType``, else converted by a colour term. Only of a target of which nothing can
    be predicted an older magnitude is sent, with its age.

    Parameters
    ----------
    row
        Of ``fourmost/list_targets.sql``; of it ``name``; ``magnitudes``: the newest by survey and band, as
        ``{"ztf_r": {"mag": 19.2, "mjd": 61000.1}}``; and ``tonight``: those of the coming night.
    settings
        Of which ``fourmost.magType``, ``fourmost.colourTerms`` and ``fourmost.maxMagnitudeAge`` count, and the clock.

    Raises
    ------
    FourmostRejected
        If there is none, with the magnitudes there are, why no colour term fits, and the settings that would help.
    """
    newest, now_mjd = newest_by_band(row["magnitudes"]), settings.now_mjd()
    since = now_mjd - settings.fourmost.max_magnitude_age / timedelta(days=1)
    fresh = {key: point for key, point in newest.items() if point.mjd >= since}
    tonight, methods = _tonight(row.get("tonight"), now_mjd)
    for points in (fresh, tonight, newest):
        found, problems = _choose(points, settings)
        if found:
            origin = found.origin
            mjd = min(points[band].mjd for band in found.bands)
            if points is tonight:
                origin += f"; predicted for MJD {mjd:.2f}: {methods[found.bands[0]]}"
            elif points is newest:
                origin += f"; {now_mjd - mjd:.1f} d old"
            return Magnitude(found.value, origin, found.error if found.error > 0 else None)
    wanted, _, system = settings.fourmost.mag_type.rpartition("_")
    kind = "" if system == OUR_SYSTEM else f"{system} "
    available = ", ".join(f"{_shown(key)} {point.mag:.1f}" for key, point in newest.items()) or "none at all"
    tried = "".join(f"; {problem}" for problem in problems)
    another = "another of " if problems else ""
    raise FourmostRejected(
        row["name"],
        f"mag: no {kind}magnitude in {_shown(wanted)}, the band of {settings.fourmost.mag_type}; it has "
        f"{available}{tried}: state {another}fourmost.colourTerms, or set fourmost.magType",
    )


class _Chosen(NamedTuple):
    """A magnitude that can be sent, its error (NaN if unknown), its origin, and the bands it is from, its own first."""

    value: float
    error: float
    origin: str
    bands: tuple[str, ...]


def _choose(points: Mapping[str, Newest], settings: Settings) -> tuple[_Chosen | None, list[str]]:
    """Take the magnitude of the wanted band, else by the first colour term that fits; else say why none does."""
    options = settings.fourmost
    wanted, _, system = options.mag_type.rpartition("_")
    key = _key(*wanted.split("_"))
    if key in points and system == OUR_SYSTEM:
        return _Chosen(points[key].mag, points[key].error, _shown(wanted), (key,)), []
    problems = []
    for term in options.colour_terms:
        problem = _problem_of(term, points)
        if not problem:
            shift = term.slope * _colour(term.colour, points) if term.colour else 0.0
            source = points[term.from_band]
            origin = f"{term}; source: {term.source}"
            bands = tuple(dict.fromkeys((term.from_band, *(term.colour or ()))))
            return _Chosen(source.mag + term.zero_point + shift, source.error, origin, bands), []
        problems.append(f"{term} {problem}")
    return None, problems


def _tonight(tonight: Mapping[str, Any] | None, now_mjd: float) -> tuple[dict[str, Newest], dict[str, str]]:
    """Give the magnitudes expected on the coming night by system and band, and how each was found."""
    points: dict[str, Newest] = {}
    methods: dict[str, str] = {}
    if not tonight or tonight["at_mjd"] < now_mjd - NIGHT_LASTS:
        return points, methods
    rows = zip(BANDS, tonight["mags"], tonight["errors"], tonight["methods"], strict=True)
    for band, mag, error, method in rows:
        if mag is not None:
            key = _key(tonight["system"], band)
            points[key] = Newest(tonight["at_mjd"], mag, math.nan if error is None else error)
            methods[key] = method
    return points, methods


def newest_by_band(magnitudes: Mapping[str, Mapping[str, float]] | None) -> dict[str, Newest]:
    """
    Give the newest magnitude by photometric system and band, whichever survey of that system has it.

    One that is no finite number, or has no epoch, is none; of equally new ones the brighter is taken.

    >>> newest_by_band({"lsst_r": {"mag": 20.1, "mjd": 61000}, "elasticc_r": {"mag": 20.2, "mjd": 61001}})
    {'LSST_r': Newest(mjd=61001.0, mag=20.2, error=nan)}
    """
    newest: dict[str, Newest] = {}
    for name, point in sorted((magnitudes or {}).items()):
        survey, _, band = name.rpartition("_")
        key = _key(PHOTOMETRIC_SYSTEMS.get(survey, survey), band)
        found = Newest(*(math.nan if point.get(part) is None else float(point[part]) for part in Newest._fields))
        if math.isfinite(found.mjd) and math.isfinite(found.mag):
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
