"""
Rubin alert packets of a simulated sky: every field that real ones have, and the same ways to say that there is nothing.

A packet holds the newest detection as ``diaSource``, the detections of the 12 months before it, forced photometry of
earlier nights, and the object with its means. ``labels`` holds what is known from elsewhere and is never encoded.
Most asteroids are known: their alerts are about no ``diaObject``, but one of the solar system.

The sky's epochs count as the middle of the visit. Missing numbers are NaN, missing counts and ids 0 or null, as in real
packets (schema 9.0 of 2025, and 10.0 as Lasair and Fink passed it on).
"""

import math
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulators.alerts.avro_schemas import (
    DIA_FORCED_SOURCE,
    DIA_SOURCE,
    LSST_BANDS,
    MPC_ORBITS,
    dia_object_fields,
    fields_of_table,
)
from simulators.alerts.packets import MJD_EPOCH
from simulators.sky import LightCurve, Sky, SkyObject, to_flux
from tides_bridge.compiled import Integers
from tides_bridge.lightcurves.photometry import TAI_AHEAD

Packet = dict[str, Any]

OBJECT_ID = 170587115523932323
"""``diaObjectId`` of object 0. As a float it and its neighbours would all be ...320."""
SOURCE_ID = 170600000000000000
"""``diaSourceId`` of the first visit of object 0."""
FORCED_ID = 170700000000000000
"""``diaForcedSourceId`` of the first visit of object 0."""
VISITS = 2**16
"""Ids that each object has for its sources: visits of a field, at most."""
SOLAR_SYSTEM_ID = 21163615805847120
"""``ssObjectId`` of object 0: such numbers have the known asteroids in packets of December 2025."""
HISTORY_DAYS = 365.0
"""Reach of ``prvDiaSources``: 12 months (Data Products Definition Document, LSE-163)."""
PRECOVERY_DAYS = 30.0
"""Reach of forced photometry before the first detection (LSE-163)."""
PROCESSING_DAYS = 60 / 86400
"""From exposure to alert: Rubin's goal is 60 s."""
JITTER_DEG = 0.05 / 3600
"""Scatter of a position: a twentieth of an arcsecond."""
DETECTORS = 189
IMAGES = ("cutoutDifference", "cutoutScience", "cutoutTemplate")
NAN = math.nan

_MISSING: dict[str, Any] = {"float": NAN, "double": NAN, "int": 0, "long": 0, "boolean": False, "string": None}


def _blank(fields: list[tuple[str, Any]]) -> Packet:
    """Make a record in which every value is missing."""
    return {name: _MISSING[kind[1] if isinstance(kind, list) else kind] for name, kind in fields}


BLANK_SOURCE = _blank(fields_of_table(DIA_SOURCE)) | {"parentDiaSourceId": 0}
BLANK_FORCED = _blank(fields_of_table(DIA_FORCED_SOURCE))
BLANK_OBJECT = _blank(dia_object_fields())


class Columns(NamedTuple):
    """What is measured of one object: a light curve, and by name of field an array over its visits."""

    curve: LightCurve
    sources: dict[str, npt.NDArray[Any]]
    forced: dict[str, npt.NDArray[Any]]


def object_id(thing: SkyObject) -> int:
    """Give an object's ``diaObjectId``, larger than 2**53."""
    return OBJECT_ID + thing.number


def is_known_asteroid(thing: SkyObject) -> bool:
    """Tell whether an object is one of the solar system whose orbit is known: two of three asteroids, as for ZTF."""
    return thing.kind == "asteroid" and thing.number % 3 > 0


def lsst_truth(sky: Sky) -> Iterator[dict[str, Any]]:
    """List what is true of each object that ever had an alert: a row each; known asteroids have no ``diaObjectId``."""
    for thing in sky.objects:
        detections = int(sky.light_curve(thing.number).detected.sum())
        if detections and not is_known_asteroid(thing):
            yield {"diaObjectId": object_id(thing)} | vars(thing) | {"detections": detections}


class LsstPackets:
    """
    Writes the alerts of a sky that LSST observes.

    Parameters
    ----------
    sky
        It.
    version
        Of the schema: one of `simulators.alerts.avro_schemas.LSST_VERSIONS`.
    cutout_bytes
        Size of the three images together [bytes]; they are noise, which no packing makes smaller. 0: none.

    Examples
    --------
    >>> packets = LsstPackets(Sky(seed=1, survey="lsst", objects=5))
    >>> packet = next(each for each in map(packets.newest, range(5)) if each and each["diaObject"])
    >>> len(packet["diaSource"]), len(packet["diaObject"])
    (98, 82)
    """

    def __init__(self, sky: Sky, version: str = "10_0", cutout_bytes: int = 0) -> None:
        if sky.survey.name != "lsst":
            raise ValueError(f"the sky is observed by {sky.survey.name}: Rubin's packets need LSST")
        self.sky, self.version, self.cutout_bytes = sky, version, cutout_bytes
        self.columns = lru_cache(maxsize=5_000)(self._measure)

    def packet(self, number: int, visit: int) -> Packet:
        """
        Write the alert that a detection caused.

        Parameters
        ----------
        number
            The object.
        visit
            Which of the visits of its light curve.

        Raises
        ------
        ValueError
            If the object was not detected in that visit.
        """
        thing, columns = self.sky.objects[number], self.columns(number)
        curve, is_asteroid = columns.curve, is_known_asteroid(thing)
        seen = np.flatnonzero(curve.detected[: visit + 1])
        if not seen.size or seen[-1] != visit:
            raise ValueError(f"object {number} of the simulated sky was not detected in visit {visit}")
        recent = seen[curve.mjd_utc[seen] > curve.mjd_utc[visit] - HISTORY_DAYS]
        blank = BLANK_SOURCE if self.version != "12_0" else BLANK_SOURCE | {"sourceQualityScore": None, "crowding": 0.5}
        *history, newest = _rows(blank, columns.sources, recent[-1:] if is_asteroid else recent)
        return {
            "diaSourceId": newest["diaSourceId"],
            "observation_reason": None,
            "target_name": None,
            "diaSource": newest,
            "prvDiaSources": None if is_asteroid else history,
            "prvDiaForcedSources": None if is_asteroid else self._forced(columns, int(seen[0]), visit),
            "diaObject": None if is_asteroid else self._object(thing, columns, seen, visit),
            **self._solar_system(thing, newest),
            **self._images(number, visit),
            **({"skyCondition": {"seeing": 0.8, "sky": 21.5}} if self.version == "12_0" else {}),
            "labels": {"sherlock": thing.sherlock, "truth": thing.kind, "redshift": thing.redshift},
        }

    def newest(self, number: int) -> Packet | None:
        """Write the last alert of an object; None if it was never detected."""
        seen = np.flatnonzero(self.columns(number).curve.detected)
        return self.packet(number, int(seen[-1])) if seen.size else None

    def _measure(self, number: int) -> Columns:
        """Draw what is measured of an object in all visits; it depends on nothing but the seed."""
        sky, thing, curve = self.sky, self.sky.objects[number], self.sky.light_curve(number)
        count = curve.mjd_utc.size
        random = np.random.default_rng([sky.seed, 5, number])
        east, north = random.normal(0, JITTER_DEG, (2, count))
        shared = _visits(sky, thing, curve)
        measured = _fluxes(thing, curve, random)
        common = ("psfFlux", "psfFluxErr", "scienceFlux", "scienceFluxErr")
        identifier = np.full(count, object_id(thing))
        forced = shared | {name: measured[name] for name in common} | {
            "diaForcedSourceId": FORCED_ID + number * VISITS + np.arange(count),
            "diaObjectId": identifier,
            "ra": np.full(count, thing.ra),
            "dec": np.full(count, thing.dec),
        }  # fmt: skip
        sources = shared | measured | {
            "diaSourceId": SOURCE_ID + number * VISITS + np.arange(count),
            "ra": (thing.ra + east / np.cos(np.radians(thing.dec))) % 360,
            "dec": thing.dec + north,
        }  # fmt: skip
        return Columns(curve, sources | _ids(thing, identifier), forced)

    def _forced(self, columns: Columns, first: int, visit: int) -> list[Packet]:
        """List forced photometry: it is made by day, so an alert has that of earlier nights."""
        curve = columns.curve
        earliest = max(curve.mjd_utc[first] - PRECOVERY_DAYS, curve.mjd_utc[visit] - HISTORY_DAYS)
        is_known_then = curve.night[visit] > curve.night[first]
        is_listed = (curve.mjd_utc >= earliest) & (curve.night < curve.night[visit]) & is_known_then
        return _rows(BLANK_FORCED, columns.forced, np.flatnonzero(is_listed))

    def _object(self, thing: SkyObject, columns: Columns, seen: Integers, visit: int) -> Packet:
        """Summarise an object as it is known after a visit."""
        made, sources = BLANK_OBJECT.copy(), columns.sources
        east = (sources["ra"][seen] - thing.ra + 180) % 360 - 180
        made |= {
            "diaObjectId": object_id(thing),
            "validityStartMjdTai": float(sources["timeProcessedMjdTai"][visit]),
            "ra": (thing.ra + float(east.mean())) % 360,
            "raErr": _rounded(JITTER_DEG / math.sqrt(seen.size)),
            "dec": float(sources["dec"][seen].mean()),
            "decErr": _rounded(JITTER_DEG / math.sqrt(seen.size)),
            "ra_dec_Cov": 0.0,
            "nDiaSources": int(seen.size),
        }
        for index in set(columns.curve.band[seen].tolist()):
            made |= _means(LSST_BANDS[index], columns, seen[columns.curve.band[seen] == index])
        if self.version == "12_0":
            made["objectFlags"] = ["simulated"]
        return made

    def _solar_system(self, thing: SkyObject, newest: Packet) -> Packet:
        """Write what is known of an asteroid and its orbit, in the names of the schema's version."""
        orbit = "MPCORB" if self.version == "9_0" else "mpc_orbits"
        if not is_known_asteroid(thing):
            return {"ssSource": None, orbit: None}
        name, ids = f"2002 JP{thing.number}", {key: newest[key] for key in ("diaSourceId", "ssObjectId")}
        longitude, latitude = _ecliptic(thing.ra, thing.dec)
        if self.version == "9_0":
            source: Packet = {"eclipticLambda": longitude, "eclipticBeta": latitude, "phaseAngle": NAN}
            return {"ssSource": ids | source, orbit: {"mpcDesignation": name, "ssObjectId": ids["ssObjectId"]}}
        source = {
            "designation": name, "eclLambda": longitude, "eclBeta": latitude, "galLon": 0.0, "galLat": 0.0,
            "ephRa": thing.ra, "ephDec": thing.dec, "ephVmag": 0.0, "ephOffset": 0.02, "diaDistanceRank": 1,
        }  # fmt: skip
        known = dict.fromkeys((field for field, _ in fields_of_table(MPC_ORBITS)), None)
        names = ("designation", "packed_primary_provisional_designation", "unpacked_primary_provisional_designation")
        return {"ssSource": ids | source, orbit: known | {"id": 0, "q": 2.4, "e": 0.06} | dict.fromkeys(names, name)}

    def _images(self, number: int, visit: int) -> Packet:
        if not self.cutout_bytes:
            return dict.fromkeys(IMAGES)
        noise = np.random.default_rng([self.sky.seed, 6, number, visit]).bytes(self.cutout_bytes)
        third = self.cutout_bytes // 3
        return dict(zip(IMAGES, (noise[:third], noise[third : 2 * third], noise[2 * third :]), strict=True))


def _rows(blank: Packet, columns: dict[str, npt.NDArray[Any]], visits: Integers) -> list[Packet]:
    """Make a record of each visit; what has no column is blank."""
    names, made = list(columns), []
    for values in zip(*(column[visits].tolist() for column in columns.values()), strict=True):
        row = blank.copy()
        row.update(zip(names, values, strict=True))
        made.append(row)
    return made


def _visits(sky: Sky, thing: SkyObject, curve: LightCurve) -> dict[str, npt.NDArray[Any]]:
    """Tell when and how an object was looked at."""
    bands = np.array(sky.survey.bands, dtype=object)
    mjd_tai = curve.mjd_utc + TAI_AHEAD
    days = {night: int(f"{MJD_EPOCH + timedelta(days=night):%Y%m%d}") for night in set(curve.night.tolist())}
    day = np.array([days[night] for night in curve.night.tolist()], dtype=np.int64)
    return {
        "visit": day * 100_000 + thing.field * len(bands) + curve.band + 1,
        "detector": np.full(day.size, thing.number % DETECTORS),
        "midpointMjdTai": mjd_tai,
        "timeProcessedMjdTai": mjd_tai + PROCESSING_DAYS,
        "band": bands[curve.band],
    }


def _fluxes(thing: SkyObject, curve: LightCurve, random: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
    """Give fluxes and shapes [nJy, pixels], rounded to 32 bits as Rubin's are."""
    count = curve.mjd_utc.size
    is_steady = thing.kind in {"AGN", "variable star"}
    template = np.full(count, float(to_flux(thing.magnitude)) if is_steady else 0.0)
    aperture = curve.error_njy * 1.7  # an aperture has more noise than a fit
    measured = {
        "psfFlux": curve.flux_njy,
        "psfFluxErr": curve.error_njy,
        "apFlux": curve.flux_njy + random.normal(size=count) * aperture,
        "apFluxErr": aperture,
        "scienceFlux": curve.flux_njy + template,
        "scienceFluxErr": curve.error_njy,
        "templateFlux": template,
        "templateFluxErr": curve.error_njy / 5,
        "snr": np.abs(curve.flux_njy) / curve.error_njy,
        "psfChi2": random.normal(1681, 58, count),
        "raErr": np.full(count, JITTER_DEG),
        "decErr": np.full(count, JITTER_DEG),
        "x": random.uniform(10, 4062, count),
        "y": random.uniform(10, 3990, count),
        "xErr": np.full(count, 0.5),
        "yErr": np.full(count, 0.5),
        "ixx": random.uniform(0.1, 0.3, count),
        "iyy": random.uniform(0.1, 0.3, count),
        "ixxPSF": np.full(count, 0.16),
        "iyyPSF": np.full(count, 0.16),
        "extendedness": random.uniform(0, 0.5, count),
        "reliability": random.uniform(0.7, 1, count),
    }
    rounded: dict[str, npt.NDArray[Any]] = {
        name: values.astype(np.float32).astype(float) for name, values in measured.items()
    }
    return rounded | {
        "isNegative": curve.flux_njy < 0,
        "psfNdata": np.full(count, 1681),
        "bboxSize": np.full(count, 12),
        "dipoleFitAttempted": np.ones(count, dtype=bool),
    }


def _ids(thing: SkyObject, identifier: Integers) -> dict[str, npt.NDArray[Any]]:
    """Give the ids of what a source belongs to; those that are missing are 0 in some packets, and null in others."""
    nothing = np.full(identifier.size, None if thing.number % 2 else 0, dtype=object)
    if is_known_asteroid(thing):
        known = np.full(identifier.size, SOLAR_SYSTEM_ID + thing.number)
        return {"diaObjectId": nothing, "ssObjectId": known}
    return {"diaObjectId": identifier, "ssObjectId": nothing}


def _means(band: str, columns: Columns, visits: Integers) -> Packet:
    """Summarise the detections of an object in one band."""
    flux, error = columns.sources["psfFlux"][visits], columns.sources["psfFluxErr"][visits]
    epoch, count = columns.curve.mjd_utc[visits], visits.size
    several = {
        "psfFluxSigma": _rounded(flux.std(ddof=1)),
        "psfFluxMaxSlope": _rounded((np.diff(flux) / np.diff(epoch)).max()),
    } if count > 1 else {}  # fmt: skip
    known = {
        "psfFluxMean": _rounded(flux.mean()),
        "psfFluxMeanErr": _rounded(math.sqrt(float(error @ error)) / count),
        "psfFluxNdata": int(count),
        "psfFluxMin": _rounded(flux.min()),
        "psfFluxMax": _rounded(flux.max()),
        "psfFluxErrMean": _rounded(error.mean()),
        "scienceFluxMean": _rounded(columns.sources["scienceFlux"][visits].mean()),
        "scienceFluxMeanErr": _rounded(math.sqrt(float(error @ error)) / count),
    } | several
    return {f"{band}_{name}": value for name, value in known.items()}


def _rounded(value: float | np.floating[Any]) -> float:
    """Round to 32 bits, which is what a packet keeps."""
    return float(np.float32(value))


def _ecliptic(ra: float, dec: float) -> tuple[float, float]:
    """Turn equatorial into ecliptic coordinates [deg], with the obliquity of J2000, 23.4393 deg."""
    tilt, longitude, latitude = (math.radians(degrees) for degrees in (23.4393, ra, dec))
    x, y = math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude)
    z = math.sin(latitude)
    up = z * math.cos(tilt) - y * math.sin(tilt)
    across = y * math.cos(tilt) + z * math.sin(tilt)
    return math.degrees(math.atan2(across, x)) % 360, math.degrees(math.asin(up))
