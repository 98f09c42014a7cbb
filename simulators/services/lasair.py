"""
A Lasair-ZTF for tests and demos: what its filter writes to Kafka, and its light-curve API.

`to_message` and `to_light_curve` make both from one ZTF alert packet. `LasairStandin` serves the light curves over HTTP
the way the real server does: tokens, an hourly limit, both shapes of answer, literal NaN, points out of order.

Sources: lasair4 (run_active_queries.py, serializers.py, lightcurves.py, throttle.py) and the recorded answers that the
tests compare with.
"""

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from astropy.coordinates import SkyCoord
from fastapi import Response

from simulators.services.faults import FaultPlan
from simulators.services.lasair_service import POWER_USER_CALLS, TOKEN, LasairService, LightCurve, Method, answer

DETECTION_KEYS = (
    "candid", "jd", "ra", "dec", "fid", "nid", "magpsf", "sigmapsf", "magnr", "sigmagnr", "magzpsci", "isdiffpos",
    "ssdistnr", "ssnamenr", "drb",
)  # fmt: skip
"""What Lasair selects of a detection (lightcurves.py)."""
FORCED_KEYS = ("jd", "ranr", "decnr", "fid", "forcediffimflux", "forcediffimfluxunc", "magzpsci")
"""What Lasair shows of a forced measurement (a recorded object answer)."""
SIGNS = {"t": "t", "1": "t", "f": "f", "0": "f"}
"""The two spellings of ``isdiffpos`` in packets, and the one that Lasair answers with."""
OBJECT_IDS_LENGTH = 16384
"""Longest ``objectIds`` [characters] (serializers.py); there is no other limit on the number of objects."""
JD_UNIX_EPOCH = 2440587.5
"""1970-01-01 00:00 UTC [JD]."""


def detections_of_packet(packet: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    List the detections of a packet: its candidate first, then those of ``prv_candidates``, each one once.

    Notes
    -----
    An upper limit has no ``candid`` (or null). Packets that went through a table carry ``candid`` as a float: the
    identifier is rounded then, but an integer again here.
    """
    found: dict[int, dict[str, Any]] = {}
    for point in [packet["candidate"], *(packet.get("prv_candidates") or [])]:
        if point.get("candid") is not None:
            found.setdefault(int(point["candid"]), point)
    return list(found.values())


def to_message(packet: Mapping[str, Any]) -> dict[str, Any]:
    """
    Make the row that a Lasair filter sends to Kafka for an alert.

    Parameters
    ----------
    packet
        A ZTF alert packet; the Sherlock class is taken from ``labels.sherlock``, and is UNCLEAR without it; columns of
        its match with a galaxy from ``labels.host``.

    Returns
    -------
    dict
        The selected columns and ``UTC``. ``gmag`` and ``rmag`` are the latest brightening in that band [mag], or null;
        times are Julian dates (UTC). The position [deg] is that of the candidate, not Lasair's mean: some recorded
        packets have a made-up one there, and its mean with the others is a place where nothing is.
    """
    points = sorted(detections_of_packet(packet), key=lambda point: float(point["jd"]))
    latest = {p["fid"]: p["magpsf"] for p in points if SIGNS.get(str(p["isdiffpos"])) == "t"}
    last_seen = datetime.fromtimestamp(round((points[-1]["jd"] - JD_UNIX_EPOCH) * 86400), UTC)
    return {
        "objectId": packet["objectId"],
        **_summary(points),
        "ramean": packet["candidate"]["ra"],
        "decmean": packet["candidate"]["dec"],
        "gmag": latest.get(1),
        "rmag": latest.get(2),
        "classification": (packet.get("labels") or {}).get("sherlock", "UNCLEAR"),
        **(packet.get("labels") or {}).get("host", {}),
        "UTC": f"{last_seen:%Y-%m-%d %H:%M:%S}",
    }


def _summary(points: list[dict[str, Any]]) -> dict[str, Any]:
    """Newest position [deg], first and last time [JD] and number of detections."""
    newest = max(points, key=lambda point: float(point["jd"]))
    return {
        "ramean": newest["ra"],
        "decmean": newest["dec"],
        "jdmin": min(p["jd"] for p in points),
        "jdmax": newest["jd"],
        "ncand": len(points),
    }


def to_light_curve(packet: Mapping[str, Any]) -> LightCurve:
    """
    Make the object's answer of the newer ``lightcurves/`` from its newest packet.

    Returns
    -------
    dict
        ``candidates`` holds the detections as the packet orders them (newest, then the oldest), and after them the
        upper limits ``{jd, fid, diffmaglim}``. A missing ``drb`` is NaN, other missing values are null, as in answers
        of the real server.
    """
    name = packet["objectId"]
    limits = {
        (p["jd"], p["fid"]): {"jd": p["jd"], "fid": p["fid"], "diffmaglim": p["diffmaglim"]}
        for p in packet.get("prv_candidates") or []
        if p.get("candid") is None and p.get("diffmaglim") is not None
    }
    forced = [{"objectid": name} | {key: p.get(key) for key in FORCED_KEYS} for p in packet.get("fp_hists") or []]
    points = [_detection(p) for p in detections_of_packet(packet)]
    return {"objectId": name, "candidates": points + list(limits.values()), "forcedphot": forced}


def _detection(point: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what Lasair answers of a detection, with its spelling of the sign."""
    picked = {key: point.get(key) for key in DETECTION_KEYS}
    sign = str(point["isdiffpos"])
    drb = math.nan if picked["drb"] is None else picked["drb"]
    return picked | {"candid": int(point["candid"]), "isdiffpos": SIGNS.get(sign, sign), "drb": drb}


class LasairStandin(LasairService):
    """
    The light-curve API on a free port of 127.0.0.1, in a thread of this process.

    Parameters
    ----------
    token, calls_per_hour, clock, faults
        As of `LasairService`, as its attributes are.
    old_shape
        Answer ``lightcurves/`` with a list of lists of points, as older servers did, instead of a list of objects.

    Examples
    --------
    ::

        with LasairStandin(token="secret") as lasair:
            lasair.load(to_light_curve(packet) for packet in packets)
            requests.post(f"{lasair.address}/lightcurves/", data={"objectIds": "ZTF26aaaaaaa,ZTF26aaaaaab"},
                          headers={"Authorization": "Token secret"}, timeout=10).json()
    """

    name = "Lasair-ZTF"
    name_key = "objectId"

    def __init__(
        self,
        token: str = TOKEN,
        calls_per_hour: int = POWER_USER_CALLS,
        old_shape: bool = False,
        clock: Callable[[], float] = time.monotonic,
        faults: FaultPlan | None = None,
    ) -> None:
        super().__init__(token, calls_per_hour, clock, faults)
        self.old_shape = old_shape

    def _methods(self) -> Mapping[str, Method]:
        return {
            "lightcurves": self._light_curves,
            "object": self._object,
            "objects": self._objects,
            "cone": self._cone,
        }

    def row_of(self, curve: LightCurve) -> dict[str, Any]:
        """Give the row of an object in the table ``objects``; the newest magnitude in each band."""
        found = sorted((point for point in curve["candidates"] if "candid" in point), key=lambda point: point["jd"])
        newest = {point["fid"]: point["magpsf"] for point in found}
        summary = _summary(found) if found else dict.fromkeys(("ramean", "decmean", "jdmin", "jdmax", "ncand"))
        return {"objectId": curve["objectId"], **summary, "gmag": newest.get(1), "rmag": newest.get(2)}

    def _objects(self, fields: dict[str, str]) -> Response:
        """Answer ``objects/``: as ``object/``, of some objects."""
        names = [name.strip() for name in fields.get("objectIds", "").split(",")]
        return answer([_enriched(self._curves[name]) if name in self._curves else _unknown(name) for name in names])

    def place_of(self, curve: LightCurve) -> tuple[float, float] | None:
        """Give where the newest detection is [deg]."""
        found = [point for point in curve["candidates"] if "ra" in point]
        newest = max(found, key=lambda point: float(point["jd"]), default=None)
        return None if newest is None else (newest["ra"], newest["dec"])

    def _cone(self, fields: dict[str, str]) -> Response:
        """Answer ``cone/``: bare lists and objects, other than Lasair for LSST."""
        near, kind = self.cone_of(fields), fields.get("requestType", "all")
        return answer({"count": len(near)} if kind == "count" else near if kind == "all" else (near or [{}])[0])

    def _light_curves(self, fields: dict[str, str]) -> Response:
        """Answer ``lightcurves/``: the objects in the order of the question, unknown ones as an error or empty."""
        names = fields.get("objectIds", "")
        if not names:
            return answer({"objectIds": ["This field is required."]}, 400)
        if len(names) > OBJECT_IDS_LENGTH:
            problem = f"Ensure this field has no more than {OBJECT_IDS_LENGTH} characters."
            return answer({"objectIds": [problem]}, 400)
        wanted = [name.strip() for name in names.split(",")]
        if self.old_shape:
            return answer([self._curves[name]["candidates"] if name in self._curves else [] for name in wanted])
        return answer([self._curves.get(name, _unknown(name)) for name in wanted])

    def _object(self, fields: dict[str, str]) -> Response:
        """Answer ``object/``: the light curve, and with lasair_added (the default) a summary around it."""
        name = fields.get("objectId", "")
        if not name:
            return answer({"objectId": ["This field is required."]}, 400)
        if name not in self._curves:
            return answer(_unknown(name), 400)
        curve = self._curves[name]
        return answer(_enriched(curve) if fields.get("lasair_added", "True").lower() != "false" else curve)


def _unknown(name: str) -> dict[str, str]:
    return {"error": f"Object {name} does not exist"}


def _object_data(points: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise an object, with its place in the galaxy [deg], too."""
    if not points:
        return {}
    summary = _summary(points)
    galactic = SkyCoord(summary["ramean"], summary["decmean"], unit="deg").galactic
    return summary | {"glonmean": float(galactic.l.deg), "glatmean": float(galactic.b.deg)}


def _enriched(curve: LightCurve) -> dict[str, Any]:
    """
    Add what Lasair adds: mjd, counts, a summary; newest first, and ``magpsf`` in upper limits too.

    The trap is Lasair's own: with ``lasair_added`` only the ``candid`` tells a detection from an upper limit.
    """
    newest_first = sorted(curve["candidates"], key=lambda point: -float(point["jd"]))
    points = [
        {**p, "mjd": p["jd"] - 2400000.5} | ({} if "candid" in p else {"magpsf": p["diffmaglim"]}) for p in newest_first
    ]
    found = [p for p in points if "candid" in p]
    positive, limits = sum(p["isdiffpos"] == "t" for p in found), len(points) - len(found)
    return {
        "objectId": curve["objectId"], "objectData": _object_data(found), "candidates": points,
        "count_isdiffpos": positive, "count_isdiffneg": len(found) - positive,
        "count_all_candidates": len(found), "count_noncandidate": limits, "forcedphot": curve["forcedphot"],
        "sherlock": {}, "image_urls": {}, "TNS": {},
        "message": f"Got {len(found)} candidates and {limits} noncandidates",
    }  # fmt: skip
