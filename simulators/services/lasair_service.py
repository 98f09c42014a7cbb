"""
What the two Lasairs for tests and demos share: an API over HTTP with tokens, an hourly limit, and light curves.

Sources: lasair4 and lasair-lsst (serializers.py, throttle.py).
"""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs

import numpy as np
from fastapi import FastAPI, Request, Response

from simulators.services.faults import FaultPlan
from simulators.services.lasair_tables import MOST_ROWS, given_annotations, rows_of_query, sherlock_of, topics_like
from simulators.services.running import RunningStandin
from simulators.services.web import WebServer
from tides_bridge.errors import MalformedAlert
from tides_bridge.targets.neighbours import great_circle_arcsec

HOUR_SECONDS = 3600.0
"""The limit slides over an hour (Django REST framework's throttle)."""
POWER_USER_CALLS = 10_000
"""Calls per hour of the group powerapi; a normal user has 100, an anonymous one 10."""
TOKEN = "lasair-standin-token"  # noqa: S105 - of a stand-in

LARGEST_RADIUS = 1000.0
"""[arcsec] Of a cone (serializers.py)."""

LightCurve = dict[str, Any]
"""One object as the API answers it, with its name and its points."""
Method = Callable[[dict[str, str]], Response]
"""Answers the fields of a call."""


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


class LasairService(RunningStandin):
    """
    An API on a free port of 127.0.0.1, in a thread of this process.

    Parameters
    ----------
    token
        The token that is accepted, as ``Authorization: Token …`` or ``?token=…``.
    calls_per_hour
        The hourly limit; the default is that of a power user.
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
    port
        The port to start at, if it is free; 0 is any.
    topics
        Names of its streams, as ``streams/`` lists them.
    annotations
        What ``annotate/`` was given.
    """

    name: ClassVar[str]
    """Which Lasair it is."""
    name_key: ClassVar[str]
    """Where a light curve has the name of its object."""

    def __init__(
        self,
        token: str = TOKEN,
        calls_per_hour: int = POWER_USER_CALLS,
        clock: Callable[[], float] = time.monotonic,
        faults: FaultPlan | None = None,
    ) -> None:
        self.faults = FaultPlan() if faults is None else faults
        self.token, self.calls, self.port = token, 0, 0
        self._limit = HourlyLimit(calls_per_hour, clock)
        self._curves: dict[str, LightCurve] = {}
        self.topics: tuple[str, ...] = ("simulated",)
        self.annotations: list[dict[str, Any]] = []
        app = FastAPI(openapi_url=None)
        for path, method in (self._shared_methods() | dict(self._methods())).items():
            app.add_api_route(f"/api/{path}/", self._endpoint(method), methods=["GET", "POST"])
        app.add_api_route("/", lambda: {"service": f"stand-in for the {self.name} API"}, methods=["GET"])
        self._server = WebServer(app, "lasair", self.faults)

    @property
    def address(self) -> str:
        """Where the API is, without a slash at the end."""
        return f"{self._server.address}/api"

    def load(self, light_curves: Iterable[LightCurve]) -> None:
        """Keep light curves to answer with; one of the same object replaces the earlier one."""
        self._curves |= {str(curve[self.name_key]): curve for curve in light_curves}

    def forget(self, names: Iterable[str]) -> None:
        """Drop the light curves of some objects."""
        for name in names:
            self._curves.pop(name, None)

    def start(self) -> Self:
        """Start to answer, or raise BrokerUnavailable."""
        self._server.start(self.port)
        return self

    def stop(self) -> None:
        """Stop to answer and close the port; a second call does nothing."""
        self._server.stop()

    def place_of(self, curve: LightCurve) -> tuple[float, float] | None:
        """Give where an object is [deg]; None if it is not known."""
        raise NotImplementedError

    def cone_of(self, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        """
        List the objects in a cone, the nearest first.

        Raises
        ------
        MalformedAlert
            If a field of the call is missing, or none.
        """
        try:
            ra, decl, radius = float(fields["ra"]), float(fields["dec"]), float(fields.get("radius", 5.0))
        except (KeyError, ValueError) as problem:
            raise MalformedAlert("cone", f"ra, dec and radius are numbers: {problem}") from None
        if not 0 <= radius <= LARGEST_RADIUS or fields.get("requestType", "all") not in {"all", "nearest", "count"}:
            raise MalformedAlert("cone", f"radius is {LARGEST_RADIUS:g} at most, and requestType all, nearest or count")
        places = {curve[self.name_key]: self.place_of(curve) for curve in self._curves.values()}
        known = {name: place for name, place in places.items() if place is not None}
        places_deg = np.array([*known.values()], dtype=float).reshape(-1, 2)
        near = great_circle_arcsec(places_deg[:, 0], places_deg[:, 1], np.array(ra), np.array(decl)).tolist()
        found = [{"object": name, "separation": angle} for name, angle in zip(known, near, strict=True)]
        return sorted((hit for hit in found if hit["separation"] <= radius), key=lambda hit: hit["separation"])

    def row_of(self, curve: LightCurve) -> dict[str, Any]:
        """Give the row of an object in the table ``objects`` of ``query/``."""
        raise NotImplementedError

    def _shared_methods(self) -> dict[str, Method]:
        """Give the methods that both Lasairs have, by their place in the address."""
        return {
            "query": lambda fields: answer(rows_of_query([*map(self.row_of, self._curves.values())], fields)),
            "sherlock/object": lambda fields: answer(sherlock_of([fields.get("objectId", "")], self._classes())),
            "sherlock/objects": lambda fields: answer(
                sherlock_of(fields.get("objectIds", "").split(","), self._classes())
            ),
            "sherlock/position": lambda _: answer(sherlock_of(["query"], {})),
            "streams": lambda fields: answer(topics_like(self.topics, fields.get("regex", ""))),
            "streams/{topic:path}": lambda fields: answer(
                [self.row_of(curve) for curve in self._curves.values()][: int(fields.get("limit", MOST_ROWS))]
            ),
            "annotate": self._annotate,
            "annotatelist": self._annotate,
        }

    def _classes(self) -> dict[str, str]:
        return dict.fromkeys(self._curves, "SN")

    def _annotate(self, fields: dict[str, str]) -> Response:
        self.annotations += given_annotations(fields)
        return answer({"status": "success"})

    def _methods(self) -> Mapping[str, Method]:
        """Give the methods by their place in the address."""
        raise NotImplementedError

    def _endpoint(self, method: Method) -> Callable[[Request], Any]:
        """Put the token and the limit, in this order, before a method."""

        async def endpoint(request: Request) -> Response:
            refusal = refusal_of(request, self.token, self._limit)
            if refusal:
                return refusal
            try:
                fields = await fields_of_call(request)
            except MalformedAlert as error:
                return answer({"detail": str(error)}, 400)
            self.calls += 1
            try:
                return method(fields)
            except MalformedAlert as error:
                return answer({"error": error.problem}, 400)

        return endpoint


def refusal_of(request: Request, token: str, limit: HourlyLimit) -> Response | None:
    """Refuse a wrong token (401), which costs nothing, or a call over the limit (429)."""
    given = request.headers.get("authorization", "").removeprefix("Token ") or request.query_params.get("token", "")
    if given != token:
        detail = "Invalid token." if given else "Authentication credentials were not provided."
        return answer({"detail": detail}, 401, {"WWW-Authenticate": "Token"})
    wait = limit.wait(given)
    if not wait:
        return None
    message = "Request limit exceeded. Either wait an hour, or see API documentation to increase your limits."
    return answer({"message": message}, 429, {"Retry-After": str(math.ceil(wait))})


async def fields_of_call(request: Request) -> dict[str, str]:
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
            given = dict(json.loads(body or b"{}"))
            return fields | {
                key: json.dumps(value) if isinstance(value, list | dict) else str(value) for key, value in given.items()
            }
        return fields | {key: values[-1] for key, values in parse_qs(body.decode()).items()}
    except (ValueError, TypeError) as error:
        raise MalformedAlert("the body of the call", f"cannot be read: {error}") from error


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer JSON; NaN stays the literal NaN, which strict readers refuse: so does the real server."""
    return Response(json.dumps(content, allow_nan=True), status, headers, "application/json")
