"""
An ANTARES for tests and demos: as much of its REST API as the bridge asks for the light curve of an object.

`to_locus` makes of one alert packet what the API knows of its locus; the messages are made by
`simulators.alerts.broker_forms`. `AntaresStandin` serves it over HTTP: a search by the name of the object, then the
alerts of the locus. A value that is missing is left out.

Source: the package antares-client 2.0.2 (``search.py``, ``_api/v2/utils.py``). Not verified at the service itself.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from fastapi import FastAPI, Response

from simulators.alerts.broker_forms import to_antares
from simulators.services.faults import FaultPlan
from simulators.services.lasair_service import answer
from simulators.services.running import RunningStandin
from simulators.services.web import WebServer
from tides_bridge.lightcurves.photometry import MJD_ZERO

Locus = dict[str, Any]
"""``id`` of the locus, ``name`` of its object, ``alerts``."""


def to_locus(packet: Mapping[str, Any]) -> Locus:
    """Make what the API knows of an object from its newest packet, of ZTF or of Rubin about a ``diaObject``."""
    if "diaSource" in packet:
        name = str(packet["diaObject"]["diaObjectId"])
        alerts = [_of_rubin(source) for source in [*(packet["prvDiaSources"] or []), packet["diaSource"]]]
    else:
        name = str(packet["objectId"])
        alerts = [_of_ztf(name, point) for point in [*(packet.get("prv_candidates") or []), packet["candidate"]]]
    return {"id": to_antares(packet)["id"], "name": name, "alerts": alerts}


def _of_rubin(source: Mapping[str, Any]) -> dict[str, Any]:
    alert = {"id": f"lsst:{source['diaSourceId']}", "mjd": source["midpointMjdTai"], "survey": "lsst"}
    return alert | {"properties": _known("lsst_diaSource_", source)}


def _of_ztf(name: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """Make an alert of a detection, or of an upper limit, which has no ``candid``."""
    candid = point.get("candid")
    identifier = f"ztf_upper_limit:{name}-{point.get('pid')}" if candid is None else f"ztf_candidate:{int(candid)}"
    alert = {"id": identifier, "mjd": point["jd"] - MJD_ZERO, "survey": "ztf"}
    return alert | {"properties": _known("ztf_", point)}


def _known(prefix: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values that are there, with a prefix before their names; only NaN differs from itself."""
    return {
        prefix + key: value
        for key, value in point.items()
        if value is not None and value == value  # noqa: PLR0124
    }


class AntaresStandin(RunningStandin):
    """
    The API on a free port of 127.0.0.1, in a thread of this process; it asks for no key.

    Attributes
    ----------
    address
        ``http://127.0.0.1:PORT/v2``, as in the setting ``lightCurves.address``.
    token
        Empty: there is none.
    calls
        How many calls reached it.
    port
        The port to start at, if it is free; 0 is any.
    """

    token = ""

    def __init__(self) -> None:
        self.calls = self.port = 0
        self._loci: dict[str, Locus] = {}
        self._names: dict[str, str] = {}
        app = FastAPI(openapi_url=None)
        app.add_api_route("/", lambda: {"service": "stand-in for the ANTARES API"})
        app.add_api_route("/v2/loci", self._search)
        app.add_api_route("/v2/loci/statistics", self._statistics)
        app.add_api_route("/v2/loci/{locus_id}/alerts", self._alerts)
        self._server = WebServer(app, "lasair", FaultPlan())

    @property
    def address(self) -> str:
        """Where the API is, without a slash at the end."""
        return f"{self._server.address}/v2"

    def load(self, loci: Iterable[Locus]) -> None:
        """Keep loci to answer with; one of the same object replaces the earlier one."""
        for locus in loci:
            self._loci[locus["id"]], self._names[locus["name"]] = locus, locus["id"]

    def forget(self, names: Iterable[str]) -> None:
        """Drop the loci of some objects."""
        for name in names:
            self._loci.pop(self._names.pop(name, ""), None)

    def start(self) -> Self:
        """Start to answer, or raise BrokerUnavailable."""
        self._server.start(self.port)
        return self

    def stop(self) -> None:
        """Stop to answer and close the port; a second call does nothing."""
        self._server.stop()

    async def _search(self, elasticsearch_query: str) -> Response:
        """Find the locus that has an object of a survey: one term is understood."""
        self.calls += 1
        try:
            ((_, wanted),) = json.loads(elasticsearch_query)["query"]["bool"]["filter"]["term"].items()
        except (ValueError, KeyError, TypeError, AttributeError):
            return answer({"detail": "the query is not one term, which is all that this stand-in understands"}, 400)
        found = self._names.get(str(wanted))
        return _data([] if found is None else [{"locus": {"locus_id": found}}])

    async def _statistics(self) -> Response:
        self.calls += 1
        return _data({"id": "1", "tags": {"simulated": len(self._loci)}})

    async def _alerts(self, locus_id: str) -> Response:
        self.calls += 1
        if locus_id not in self._loci:
            return answer({"detail": f"no locus {locus_id}"}, 404)
        return _data(self._loci[locus_id]["alerts"])


def _data(content: Sequence[Any] | Mapping[str, Any]) -> Response:
    return answer({"data": content, "links": {"next": None}})
