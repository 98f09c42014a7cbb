"""
The criteria of selection functions: each a named test on columns. No input or output here.

A criterion measures light curves so far, at every point of them or at their ends (`Look`), and compares what it
measured with what is demanded. What could not be measured does not pass, and neither does it prove the opposite:
``pointSource: false`` demands that a star was looked for and not found.

To add one: a function here that measures, with its unit and source in its docstring, below ``@criterion``.
"""

import atexit
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from tides_bridge.compiled import Floats, Mask
from tides_bridge.lightcurves.sky import is_on_sky, right_ascension
from tides_bridge.selection.conditions import Annotated
from tides_bridge.selection.measures import Look, Running, Values


@dataclass(frozen=True)
class Footprint:
    """
    A region of the sky: a box, or a multi-order coverage map (MOC).

    Attributes
    ----------
    box
        [deg] right ascension from and to, declination from and to.
    moc
        As text, in the ASCII format of the IVOA: ``3/12-14 4/100``.
    """

    box: tuple[float, float, float, float] | None = None
    moc: str = ""

    def contains(self, ra: Floats, decl: Floats) -> Mask:
        """Tell which positions [deg] lie inside."""
        if self.box is None:
            from astropy.units import deg

            inside: Mask = _moc_of(self.moc).contains_lonlat(ra * deg, decl * deg)
            return inside
        first, last, south, north = self.box
        in_ra = (ra >= first) & (ra <= last) if first <= last else (ra >= first) | (ra <= last)
        return in_ra & (decl >= south) & (decl <= north)


@lru_cache
def _moc_of(text: str) -> Any:
    from mocpy import MOC

    return MOC.from_string(text, "ascii")


atexit.register(_moc_of.cache_clear)  # a map that outlives its library complains when Python ends


Measure = Callable[[Look, Running, Any], Values]


@dataclass(frozen=True)
class Criterion:
    """
    One kind of criterion.

    Attributes
    ----------
    key
        In the file of selection functions.
    unit
        Of what is measured and demanded; empty for numbers, names and yes or no.
    kind
        How both are compared: ``at least``, ``at most``, ``between``, ``is``, ``one of``.
    measure
        Measures light curves, given the running values and what is demanded.
    is_of_object
        Whether it is the same at every point.
    """

    key: str
    unit: str
    kind: str
    measure: Measure
    is_of_object: bool

    def compare(self, measured: Values, threshold: Any) -> Mask:
        """Tell what fulfils the threshold."""
        return COMPARISONS[self.kind](measured, threshold)

    @property
    def meaning(self) -> str:
        """The first line of its documentation."""
        return (self.measure.__doc__ or "").strip().splitlines()[0]


COMPARISONS: Final[dict[str, Callable[[Values, Any], Mask]]] = {
    "at least": lambda measured, least: measured >= least,
    "at most": lambda measured, most: measured <= most,
    "between": lambda measured, ends: (measured >= ends[0]) & (measured <= ends[1]),
    "is": lambda measured, demanded: measured == float(bool(demanded)),  # a footprint is true
    "one of": lambda measured, names: np.isin(measured, list(names)),
}

CRITERIA: Final[dict[str, Criterion]] = {}
"""All criteria, by their key."""


def criterion(key: str, kind: str, unit: str = "", *, is_of_object: bool = False) -> Callable[[Measure], Measure]:
    """Make a criterion of the function that measures it."""

    def made(measure: Measure) -> Measure:
        CRITERIA[key] = Criterion(key, unit, kind, measure, is_of_object)
        return measure

    return made


# Of the light curve


@criterion("minDetections", "at least")
def detections(look: Look, so_far: Running, *_: object) -> Values:
    """
    Count the detections that count.

    Source: text of D3.3.3, "at least 3 detections of 5 sigma".

    >>> from tides_bridge.selection.functions import measure
    >>> measure("minDetections", mags=[19.5, 19.4, 19.0], errors=[0.1, 0.1, 0.9])
    [1, 2, 2]
    """
    return look.at(so_far.detections)


@criterion("minBands", "at least")
def bands(look: Look, so_far: Running, *_: object) -> Values:
    """
    Count the distinct bands of the detections that count.

    Source: D3.3.3, ``minBands``.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("minBands", bands="grg")
    [1, 2, 2]
    """
    return look.at(so_far.bands)


@criterion("minNights", "at least")
def nights(look: Look, so_far: Running, *_: object) -> Values:
    """
    Count the distinct nights of the detections that count.

    Source: D3.3.3, ``minNights``; ZTF's ``nid``, or `photometry.night_of`.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("minNights", mjd=[61000.6, 61000.7, 61001.6])
    [1, 1, 2]
    """
    return look.at(so_far.nights)


@criterion("magLimit", "at most", "mag")
def brightest(look: Look, so_far: Running, *_: object) -> Values:
    """
    Take the brightest magnitude of the detections that count: it must be this bright, or brighter.

    Source: D3.3.3, ``magLimit``; a flux is its magnitude: 22.5 mag is 3630.78 nJy.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("magLimit", mags=[20.0, 19.0, 21.0])
    [20.0, 19.0, 19.0]
    """
    return look.at(so_far.brightest)


@criterion("brightLimit", "at least", "mag")
def not_too_bright(look: Look, so_far: Running, *_: object) -> Values:
    """
    Take the brightest magnitude of the detections that count: it must not be brighter than this.

    Source: what saturates the detector of survey or spectrograph is no target.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("brightLimit", mags=[20.0, 14.0])
    [20.0, 14.0]
    """
    return look.at(so_far.brightest)


@criterion("maxGap", "at most", "d")
def longest_gap(look: Look, so_far: Running, *_: object) -> Values:
    """
    Take the longest time between two detections that count and follow each other.

    Source: ours; a new outburst of an old object shows as a gap.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("maxGap", mjd=[61000.0, 61004.0, 61005.0])
    [0.0, 4.0, 4.0]
    """
    return look.at(so_far.longest_gap)


@criterion("maxAgeLast", "at most", "d")
def age_of_last(look: Look, so_far: Running, *_: object) -> Values:
    """
    Take the time since the last detection that counts.

    Source: D3.3.4 gives a target four days without an update.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("maxAgeLast", mjd=[61000.0, 61004.0], mags=[19.0, 19.0], errors=[0.1, 0.9])
    [0.0, 4.0]
    """
    return look.mjd - look.at(so_far.last_mjd)


@criterion("maxAgeFirst", "at most", "d")
def age_of_first(look: Look, so_far: Running, *_: object) -> Values:
    """
    Take the time since the first detection that counts.

    Source: young supernovae, arXiv:2412.05364: a phase before -10 d.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("maxAgeFirst", mjd=[61000.0, 61004.0])
    [0.0, 4.0]
    """
    return look.mjd - look.at(so_far.first_mjd)


@criterion("maxAgeKnown", "at most", "d")
def age_known(look: Look, so_far: Running, *_: object) -> Values:
    """
    Take the time since something was first seen there: as the alert says of its survey, or in the light curve.

    Source: ``jdstarthist`` of ZTF, ``firstDiaSourceMjdTai`` of Rubin; else the first detection that counts.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("maxAgeKnown", mjd=[61000.0, 61004.0], first_seen=60500.0), measure("maxAgeKnown", mjd=[61000.0])
    ([500.0, 504.0], [0.0])
    """
    return look.mjd - np.fmin(look.of_object(look.objects.first_seen), look.at(so_far.first_mjd))


@criterion("minRiseRate", "at least", "mag/d")
def rise_rate(look: Look, so_far: Running, *_: object) -> Values:
    """
    Take the fastest rise of any band between its last two nights with detections that count.

    Source: ours, as Lasair's ``dmdt``.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("minRiseRate", mjd=[61000.0, 61002.0, 61004.0], mags=[20.0, 19.0, 19.5], bands="ggg")
    [nan, 0.5, -0.25]
    """
    return look.at(so_far.rise_rate)


@criterion("minFadeRate", "at least", "mag/d")
def fade_rate(look: Look, so_far: Running, *_: object) -> Values:
    """
    Take the fastest fading of any band between its last two nights with detections that count; under ``not`` mostly.

    Source: ours, as Lasair's ``dmdt``.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("minFadeRate", mjd=[61000.0, 61002.0], mags=[19.0, 20.0], bands="gg")
    [nan, 0.5]
    """
    return look.at(so_far.fade_rate)


# Of the object


@criterion("declination", "between", "deg", is_of_object=True)
def declination(look: Look, *_: object) -> Values:
    """
    Take the declination; 4MOST reaches -70 to +5 deg well (Messenger 175).

    Source: position in the alert, ICRS.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("declination", decl=-20.0)
    [-20.0]
    """
    return look.of_object(look.objects.decl)


@criterion("footprint", "is", is_of_object=True)
def inside(look: Look, _: Running, demanded: Footprint) -> Values:
    """
    Tell whether the position lies in a region: 1 or 0; a box [ra from, ra to, decl from, decl to] or a MOC (IVOA, 2.0).

    Source: position in the alert, ICRS; a box with ra from > ra to goes through 0.

    >>> from tides_bridge.selection.functions import measure
    >>> box = Footprint(box=(350.0, 10.0, -30.0, 0.0))
    >>> measure("footprint", ra=5.0, decl=-20.0, demanded=box), measure("footprint", ra=20.0, decl=-20.0, demanded=box)
    ([1.0], [0.0])
    """
    ra, decl = look.objects.ra, look.objects.decl
    known = is_on_sky(ra, decl)
    is_inside = np.full(len(ra), np.nan)
    is_inside[known] = demanded.contains(right_ascension(ra[known]), decl[known])
    return look.of_object(is_inside)


@criterion("minGalacticLatitude", "at least", "deg", is_of_object=True)
def galactic_latitude(look: Look, *_: object) -> Values:
    """
    Take the absolute galactic latitude.

    Source: position in the alert, turned by astropy.

    >>> from tides_bridge.selection.functions import measure
    >>> [round(value, 2) for value in measure("minGalacticLatitude", ra=266.405, decl=-28.936)]
    [0.0]
    """
    from astropy.coordinates import SkyCoord

    ra, decl = look.objects.ra, look.objects.decl
    known = is_on_sky(ra, decl)
    latitude = np.full(len(ra), np.nan)
    latitude[known] = np.abs(SkyCoord(ra[known], decl[known], unit="deg").galactic.b.deg)
    return look.of_object(latitude)


@criterion("maxEbv", "at most", "mag", is_of_object=True)
def extinction(look: Look, *_: object) -> Values:
    """
    Take E(B-V) of the Milky Way in that direction.

    Source: ``ebv`` of Lasair-LSST, ``mwebv`` of ELAsTiCC; no map of our own.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("maxEbv", ebv=0.25)
    [0.25]
    """
    return look.of_object(look.objects.ebv)


@criterion("solarSystem", "is", is_of_object=True)
def solar_system(look: Look, *_: object) -> Values:
    """
    Tell whether it matches a known object of the solar system: 1 or 0.

    Source: ``ssdistnr`` of ZTF, ``ssObjectId`` of Rubin.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("solarSystem", solar_system=0.0)
    [0.0]
    """
    return look.of_object(look.objects.solar_system)


@criterion("pointSource", "is", is_of_object=True)
def point_source(look: Look, *_: object) -> Values:
    """
    Tell whether it lies on a star: 1 or 0.

    Source: ZTF's ``sgscore1`` > 0.76 within ``distpsnr1`` < 2 arcsec, as the Bright Transient Survey has it.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("pointSource", point_source=1.0)
    [1.0]
    """
    return look.of_object(look.objects.point_source)


@criterion("knownVariable", "is", is_of_object=True)
def known_variable(look: Look, *_: object) -> Values:
    """
    Tell whether a catalogue of variable stars or galaxies has it: 1 or 0.

    Source: the cross-matches of the broker.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("knownVariable")
    [nan]
    """
    return look.of_object(look.objects.known_variable)


@criterion("sherlockClasses", "one of", is_of_object=True)
def sherlock_class(look: Look, *_: object) -> Values:
    """
    Take Sherlock's class; UNKNOWN where the alert has none.

    Source: TiDES keeps SN, NT, ORPHAN and UNCLEAR (2026).

    >>> from tides_bridge.selection.functions import measure
    >>> measure("sherlockClasses", sherlock_class="SN"), measure("sherlockClasses")
    (['SN'], ['UNKNOWN'])
    """
    classes = look.objects.sherlock_class
    is_unknown = np.array([not name for name in classes], dtype=bool)
    return look.of_object(np.where(is_unknown, "UNKNOWN", classes))


@criterion("tnsType", "one of", is_of_object=True)
def tns_type(look: Look, *_: object) -> Values:
    """
    Take the type of the Transient Name Server; None where it has none.

    Source: its daily list (`tides tns`), else what the broker says of it.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("tnsType", annotations=[{"tns.type": "SN Ia"}]), measure("tnsType")
    (['SN Ia'], [None])
    """
    return Annotated("tns.type")(look)


@criterion("annotation", "at least", is_of_object=True)
def annotation(look: Look, _: Running, demanded: str) -> Values:
    """
    Take what brokers say of it under a name; each condition has name, kind and unit of its own.

    Source: the brokers' messages, docs/annotations.md.

    >>> from tides_bridge.selection.functions import measure
    >>> measure("annotation", annotations=[{"fink.slsn_score": 0.4}], demanded="fink.slsn_score")
    [0.4]
    """
    return Annotated(demanded)(look)
