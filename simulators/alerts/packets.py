"""
ZTF alert packets of a simulated sky, in the form of recorded ones (schema 4.02, without the images).

A packet holds the newest detection as ``candidate`` and what the survey saw in the 30 days before it, upper limits too,
as ``prv_candidates``. ``labels`` holds what a recorded packet's labels hold: knowledge from elsewhere.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np

from simulators.sky import LightCurve, Sky, SkyObject

HISTORY_DAYS = 30.0
"""Reach of ``prv_candidates`` in a ZTF packet."""
JD_MJD = 2400000.5
NIGHT_ZERO_MJD = 57754
"""ZTF's ``nid`` counts nights from 2017-01-01 [MJD]."""
MJD_EPOCH = date(1858, 11, 17)
FILTER_NUMBERS = {"g": 1, "r": 2, "i": 3}
COLOUR_ZERO_POINT = 26.2
"""Typical ``magzpsci`` [mag]."""
JITTER_DEG = 0.1 / 3600
"""Scatter of a position: a tenth of an arcsecond."""


def name(thing: SkyObject, curve: LightCurve) -> str:
    """
    Name an object as ZTF does: ``ZTF``, the year of its first detection, seven letters that count.

    Raises
    ------
    ValueError
        When it was never detected: then it has no name.
    """
    if not curve.detected.any():
        raise ValueError(f"object {thing.number} of the simulated sky was never detected")
    first = MJD_EPOCH + timedelta(days=int(curve.night[np.argmax(curve.detected)]))
    letters, rest = "", thing.number
    for _ in range(7):
        rest, letter = divmod(rest, 26)
        letters = chr(ord("a") + letter) + letters
    return f"ZTF{first:%y}{letters}"


def packet(sky: Sky, number: int, night: int) -> dict[str, Any] | None:
    """
    Write the last alert that an object caused in a night.

    Parameters
    ----------
    sky
        A sky that ZTF observes.
    number
        The object.
    night
        The night (MJD of its evening).

    Returns
    -------
    dict or None
        A packet with ``objectId, candid, schemavsn, candidate, prv_candidates, fp_hists, labels``; None when it was not
        detected in that night.
    """
    curve = sky.light_curve(number)
    tonight = np.flatnonzero(curve.detected & (curve.night == night))
    return packet_of(sky, number, int(tonight[-1])) if tonight.size else None


def packet_of(sky: Sky, number: int, newest: int) -> dict[str, Any]:
    """Write the alert that a detection caused, given by its visit in the light curve of the object."""
    return written(sky, sky.objects[number], sky.light_curve(number), newest)


def written(sky: Sky, thing: SkyObject, curve: LightCurve, newest: int) -> dict[str, Any]:
    """Write an alert as `packet_of` does, of an object whose light curve is known already."""
    before = np.flatnonzero(
        (curve.mjd_utc > curve.mjd_utc[newest] - HISTORY_DAYS) & (np.arange(curve.night.size) < newest)
    )
    seen = curve.mjd_utc[: newest + 1][curve.detected[: newest + 1]]
    history = {
        "ndethist": seen.size,
        "ncovhist": newest + 1,
        "jdstarthist": seen[0] + JD_MJD,
        "jdendhist": seen[-1] + JD_MJD,
    }
    candidate = _detection(sky, thing, curve, newest)
    return {
        "objectId": name(thing, curve),
        "candid": candidate["candid"],
        "schemavsn": "4.02",
        "candidate": candidate | history | _surroundings(thing),
        "prv_candidates": [
            _detection(sky, thing, curve, int(i)) if curve.detected[i] else _visit(sky, thing, curve, int(i))
            for i in before
        ],
        "fp_hists": None,
        "labels": {"sherlock": thing.sherlock, "truth": thing.kind, "host": _host(thing)},
    }


def alerts(sky: Sky, night: int) -> list[dict[str, Any]]:
    """Write the last alert of each object that was detected in a night (MJD of its evening)."""
    packets = (packet(sky, thing.number, night) for thing in sky.objects)
    return [packet for packet in packets if packet is not None]


def ztf_truth(sky: Sky) -> Iterator[dict[str, Any]]:
    """List what is true of each object that was ever detected: one flat row an object, ``objectId`` first."""
    for thing in sky.objects:
        curve = sky.light_curve(thing.number)
        if curve.detected.any():
            yield {"objectId": name(thing, curve)} | vars(thing) | {"detections": int(curve.detected.sum())}


def _visit(sky: Sky, thing: SkyObject, curve: LightCurve, i: int) -> dict[str, Any]:
    """Write one visit: when, in which filter, and how deep; alone it is an upper limit."""
    mjd, night, chip = float(curve.mjd_utc[i]), int(curve.night[i]), thing.number % 64
    processing = (night - NIGHT_ZERO_MJD) * 10**9 + int(mjd % 1 * 10**5) * 10**4 + chip * 100 + 15
    return {
        "jd": mjd + JD_MJD,
        "fid": FILTER_NUMBERS[sky.survey.bands[curve.band[i]]],
        "pid": processing,
        "diffmaglim": float(curve.limit[i]),
        "programid": 1,
        "nid": night - NIGHT_ZERO_MJD,
        "rcid": chip,
        "field": 300 + thing.field,
        "magzpsci": COLOUR_ZERO_POINT,
    }


def _detection(sky: Sky, thing: SkyObject, curve: LightCurve, i: int) -> dict[str, Any]:
    """Write one detection: a visit and what was measured in it; its numbers depend on nothing but the seed."""
    visit = _visit(sky, thing, curve, i)
    random = np.random.default_rng([sky.seed, 4, thing.number, i])
    flux, error = float(curve.flux_njy[i]), float(curve.error_njy[i])
    east, north = random.normal(0, JITTER_DEG, 2)
    return (
        visit
        | {
            "candid": visit["pid"] * 10**6 + 15_000 + thing.number,
            "isdiffpos": "t" if flux > 0 else "f",
            "ra": (thing.ra + east / np.cos(np.radians(thing.dec))) % 360,
            "dec": thing.dec + north,
            "magpsf": float(curve.magnitude[i]),
            "sigmapsf": 2.5 / np.log(10) * error / abs(flux),
            "rb": float(random.uniform(0.65, 1)),
            "drb": float(random.uniform(0.8, 1)),
        }
        | _reference(thing)
    )


def _reference(thing: SkyObject) -> dict[str, Any]:
    """Write what the reference image shows nearby: the source itself, or a supernova's host."""
    if thing.kind in {"AGN", "variable star"}:
        return {"distnr": 0.1, "magnr": thing.magnitude, "sigmagnr": 0.02}
    return {"distnr": 1.0 + thing.number % 5, "magnr": 20.0, "sigmagnr": 0.1}


def _host(thing: SkyObject) -> dict[str, Any]:
    """Write what Sherlock knows of the galaxy of a supernova, two arcseconds north; of others nothing."""
    if not thing.is_supernova or thing.sherlock == "ORPHAN":
        return {}
    return {
        "catalogue_table_name": "SDSS",
        "catalogue_object_id": str(10**18 + thing.number),
        "catalogue_object_type": "galaxy",
        "raDeg": thing.ra,
        "decDeg": thing.dec + 2 / 3600,
        "separationArcsec": 2.0,
        "photoZ": round(1.05 * thing.redshift, 4),
        "photoZErr": 0.01,
        "Mag": round(thing.magnitude + 0.5, 3),
        "MagFilter": "r",
    }


def _surroundings(thing: SkyObject) -> dict[str, Any]:
    """Write what catalogues know: the nearest star or galaxy, and two of three asteroids."""
    known = thing.kind == "asteroid" and thing.number % 3 > 0
    return {
        "ssdistnr": 1.0 if known else -999.0,
        "ssmagnr": thing.magnitude if known else -999.0,
        "ssnamenr": str(10_000 + thing.number) if known else "null",
        "sgscore1": 0.98 if thing.kind == "variable star" else 0.05,
        "distpsnr1": _reference(thing)["distnr"],
    }
