"""
A Lasair-ZTF for tests and demos: what its filter writes to Kafka, and its light-curve API.

`to_message` and `to_light_curve` make both from one ZTF alert packet. `LasairStandin` serves the light curves over HTTP
the way the real server does: tokens, an hourly limit, both shapes of answer, literal NaN, points out of order.

Sources: lasair4 (run_active_queries.py, serializers.py, lightcurves.py, throttle.py) and the recorded answers that the
tests compare with.
"""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response

from simulators.faults import FaultPlan
from simulators.web import WebServer
from tides_bridge.errors import MalformedAlert

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
HOUR_SECONDS = 3600.0
"""The limit slides over an hour (Django REST framework's throttle)."""
POWER_USER_CALLS = 10_000
"""Calls per hour of the group powerapi; a normal user has 100, an anonymous one 10."""
JD_UNIX_EPOCH = 2440587.5
"""1970-01-01 00:00 UTC [JD]."""

LightCurve = dict[str, Any]
"""One object as the newer ``lightcurves/`` answers: ``objectId``, ``candidates``, ``forcedphot``."""


def detections(packet: Mapping[str, Any]) -> list[dict[str, Any]]:
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
        A ZTF alert packet; the Sherlock class is taken from ``labels.sherlock``, and is UNCLEAR without it.

    Returns
    -------
    dict
        The selected columns and ``UTC``. ``gmag`` and ``rmag`` are the latest brightening in that band [mag], or null;
        times are Julian dates (UTC). The position [deg] is that of the candidate, not Lasair's mean: some recorded
        packets have a made-up one there, and its mean with the others is a place where nothing is.
    """
    points = sorted(detections(packet), key=lambda point: float(point["jd"]))
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
    Make the object's answer of the light-curve API from its newest packet.

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
    points = [_detection(p) for p in detections(packet)]
    return {"objectId": name, "candidates": points + list(limits.values()), "forcedphot": forced}


def _detection(point: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what Lasair answers of a detection, with its spelling of the sign."""
    picked = {key: point.get(key) for key in DETECTION_KEYS}
    sign = str(point["isdiffpos"])
    drb = math.nan if picked["drb"] is None else picked["drb"]
    return picked | {"candid": int(point["candid"]), "isdiffpos": SIGNS.get(sign, sign), "drb": drb}


class HourlyLimit:
    """
    A limit on calls that slides over the past hour, for every token by itself.

    Parameters
    ----------
    calls
        How many calls an hour has, at least one.
    clock
        Seconds that only grow; a test can turn it.
    """

    def __init__(self, calls: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls, self.clock = calls, clock
        self._history: dict[str, deque[float]] = {}

    def wait(self, token: str) -> float:
        """Book a call and return 0, or book nothing and return how long to wait [s]."""
        now, history = self.clock(), self._history.setdefault(token, deque())
        while history and history[0] <= now - HOUR_SECONDS:
            history.popleft()
        if len(history) >= self.calls:
            return max(history[0] + HOUR_SECONDS - now, 1.0)
        history.append(now)
        return 0.0


class LasairStandin:
    """
    The light-curve API on a free port of 127.0.0.1, in a thread of this process.

    Parameters
    ----------
    token
        The token that is accepted, as ``Authorization: Token …`` or ``?token=…``.
    calls_per_hour
        The hourly limit; the default is that of a power user.
    old_shape
        Answer ``lightcurves/`` with a list of lists of points, as older servers did, instead of a list of objects.
    clock
        What the hourly limit reads, in seconds.
    faults
        Which calls go wrong; none without.

    Attributes
    ----------
    address
        ``http://127.0.0.1:PORT/api``, as in the setting ``lightCurves.address``.
    calls
        How many calls reached a method: not those with a wrong token or over the limit, or that failed before the work.
    faults
        The plan; ``faults.replace(...)`` gives it other rules.

    Examples
    --------
    ::

        with LasairStandin(token="secret") as lasair:
            lasair.load(to_light_curve(packet) for packet in packets)
            requests.post(f"{lasair.address}/lightcurves/", data={"objectIds": "ZTF26aaaaaaa,ZTF26aaaaaab"},
                          headers={"Authorization": "Token secret"}, timeout=10).json()
    """

    def __init__(
        self,
        token: str = "lasair-standin-token",  # noqa: S107 - of a stand-in
        calls_per_hour: int = POWER_USER_CALLS,
        old_shape: bool = False,
        clock: Callable[[], float] = time.monotonic,
        faults: FaultPlan | None = None,
    ) -> None:
        self.faults = FaultPlan() if faults is None else faults
        self.token, self.old_shape, self.calls = token, old_shape, 0
        self._limit = HourlyLimit(calls_per_hour, clock)
        self._curves: dict[str, LightCurve] = {}
        self._server = WebServer(self._app(), "lasair", self.faults)

    @property
    def address(self) -> str:
        """Where the API is, without a slash at the end."""
        return f"{self._server.address}/api"

    def load(self, light_curves: Iterable[LightCurve]) -> None:
        """Keep light curves to answer with; one of the same object replaces the earlier one."""
        self._curves |= {curve["objectId"]: curve for curve in light_curves}

    def start(self) -> Self:
        """Start to answer, or raise BrokerUnavailable."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop to answer and close the port; a second call does nothing."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _app(self) -> FastAPI:
        """Route the methods; GET and POST mean the same."""
        app = FastAPI(openapi_url=None)
        for path, method in (("lightcurves", self._light_curves), ("object", self._object)):
            app.add_api_route(f"/api/{path}/", self._endpoint(method), methods=["GET", "POST"])
        app.add_api_route("/", lambda: {"service": "stand-in for the Lasair-ZTF API"}, methods=["GET"])
        return app

    def _endpoint(self, method: Callable[[dict[str, str]], Response]) -> Callable[[Request], Any]:
        """Put the token and the limit, in this order, before a method."""

        async def endpoint(request: Request) -> Response:
            refusal = self._refusal(request)
            if refusal:
                return refusal
            try:
                fields = await _fields(request)
            except MalformedAlert as error:
                return _answer({"detail": str(error)}, 400)
            self.calls += 1
            return method(fields)

        return endpoint

    def _refusal(self, request: Request) -> Response | None:
        """Refuse a wrong token (401), which costs nothing, or a call over the limit (429)."""
        given = request.headers.get("authorization", "").removeprefix("Token ") or request.query_params.get("token", "")
        if given != self.token:
            detail = "Invalid token." if given else "Authentication credentials were not provided."
            return _answer({"detail": detail}, 401, {"WWW-Authenticate": "Token"})
        wait = self._limit.wait(given)
        if not wait:
            return None
        message = "Request limit exceeded. Either wait an hour, or see API documentation to increase your limits."
        return _answer({"message": message}, 429, {"Retry-After": str(math.ceil(wait))})

    def _light_curves(self, fields: dict[str, str]) -> Response:
        """Answer ``lightcurves/``: the objects in the order of the question, unknown ones as an error or empty."""
        names = fields.get("objectIds", "")
        if not names:
            return _answer({"objectIds": ["This field is required."]}, 400)
        if len(names) > OBJECT_IDS_LENGTH:
            problem = f"Ensure this field has no more than {OBJECT_IDS_LENGTH} characters."
            return _answer({"objectIds": [problem]}, 400)
        wanted = [name.strip() for name in names.split(",")]
        if self.old_shape:
            return _answer([self._curves[name]["candidates"] if name in self._curves else [] for name in wanted])
        return _answer([self._curves.get(name, _unknown(name)) for name in wanted])

    def _object(self, fields: dict[str, str]) -> Response:
        """Answer ``object/``: the light curve, and with lasair_added (the default) a summary around it."""
        name = fields.get("objectId", "")
        if not name:
            return _answer({"objectId": ["This field is required."]}, 400)
        if name not in self._curves:
            return _answer(_unknown(name), 400)
        curve = self._curves[name]
        return _answer(_enriched(curve) if fields.get("lasair_added", "True").lower() != "false" else curve)


def _unknown(name: str) -> dict[str, str]:
    return {"error": f"Object {name} does not exist"}


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
        "objectId": curve["objectId"], "objectData": _summary(found) if found else {}, "candidates": points,
        "count_isdiffpos": positive, "count_isdiffneg": len(found) - positive,
        "count_all_candidates": len(found), "count_noncandidate": limits, "forcedphot": curve["forcedphot"],
        "sherlock": {}, "image_urls": {}, "TNS": {},
        "message": f"Got {len(found)} candidates and {limits} noncandidates",
    }  # fmt: skip


async def _fields(request: Request) -> dict[str, str]:
    """
    Read the fields of a call: those of the address, and of a form or JSON body.

    Raises
    ------
    MalformedAlert
        When the body is not what its content type says.
    """
    fields = dict(request.query_params)
    body = await request.body()
    try:
        if "json" in request.headers.get("content-type", ""):
            return fields | {key: str(value) for key, value in dict(json.loads(body or b"{}")).items()}
        return fields | {key: values[-1] for key, values in parse_qs(body.decode()).items()}
    except (ValueError, TypeError) as error:
        raise MalformedAlert("the body of the call", f"cannot be read: {error}") from error


def _answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer JSON; NaN stays the literal NaN, which strict readers refuse: so does the real server."""
    return Response(json.dumps(content, allow_nan=True), status, headers, "application/json")
