"""
An ANTARES for tests and demos: as much of its REST API as the bridge asks for the light curve of an object.

`to_locus` makes of one alert packet what the API knows of its locus; the messages are made by
`simulators.alerts.broker_forms`. `AntaresStandin` serves it over HTTP: a search by the name of the object, then the
alerts of the locus. A value that is missing is left out. The package's own calls work,
too: loci by name, by a cone or all, each with its light curve.

Source: the package antares-client 2.0.2 (``search.py``, ``_api/v2/utils.py``). Not verified at the service itself.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import numpy as np
import pandas as pd
from fastapi import FastAPI, Request, Response

from simulators.alerts.broker_forms import to_antares
from simulators.services.faults import FaultPlan
from simulators.services.lasair_service import answer
from simulators.services.running import RunningStandin
from simulators.services.web import WebServer
from tides_bridge.formats.meaning.sky import degrees_of_texts
from tides_bridge.lightcurves.photometry import MJD_ZERO, POGSON
from tides_bridge.targets.neighbours import great_circle_arcsec

Locus = dict[str, Any]
"""``id`` of the locus, ``name`` of its object, ``alerts``, and its ``facts`` as the API tells them."""

EMPTY = (
    "loci/{locus_id}/catalog-matches", "alerts/{alert_id}/thumbnails", "catalog_samples", "catalog_search/{ra}/{dec}",
    "grav_wave_notice/latest",
)  # fmt: skip
"""What it answers, and has nothing of."""

PAGE = 10
"""Loci that one answer has if no number is asked for."""


def to_locus(packet: Mapping[str, Any]) -> Locus:
    """Make what the API knows of an object from its newest packet, of ZTF or of Rubin about a ``diaObject``."""
    if "diaSource" in packet:
        name = str(packet["diaObject"]["diaObjectId"])
        alerts = [_of_rubin(source) for source in [*(packet["prvDiaSources"] or []), packet["diaSource"]]]
    else:
        name = str(packet["objectId"])
        alerts = [_of_ztf(name, point) for point in [*(packet.get("prv_candidates") or []), packet["candidate"]]]
    locus = to_antares(packet)
    facts = locus | {"locus_id": locus["id"], "htm16": None, "grav_wave_events": []}
    return {"id": locus["id"], "name": name, "alerts": alerts, "facts": facts}


def _of_rubin(source: Mapping[str, Any]) -> dict[str, Any]:
    alert = _alert(f"lsst:{source['diaSourceId']}", source["midpointMjdTai"], "lsst")
    return alert | {"properties": _known("lsst_diaSource_", source)}


def _of_ztf(name: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """Make an alert of a detection, or of an upper limit, which has no ``candid``."""
    candid = point.get("candid")
    identifier = f"ztf_upper_limit:{name}-{point.get('pid')}" if candid is None else f"ztf_candidate:{int(candid)}"
    return _alert(identifier, point["jd"] - MJD_ZERO, "ztf") | {"properties": _known("ztf_", point)}


def _alert(identifier: str, mjd: float, survey: str) -> dict[str, Any]:
    taken = (datetime(1858, 11, 17, tzinfo=UTC) + timedelta(days=mjd)).isoformat()
    return {"id": identifier, "mjd": mjd, "survey": survey, "created_at": taken, "grav_wave_events": []}


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
        app.add_api_route("/v2/loci/{locus_id}", self._locus)
        app.add_api_route("/v2/loci/{locus_id}/alerts", self._alerts)
        for path in EMPTY:
            app.add_api_route(f"/v2/{path}", self._nothing)
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

    async def _search(self, request: Request, elasticsearch_query: str, limit: int = PAGE, offset: int = 0) -> Response:
        """Answer the newest of the loci that a query asks for: all, of one term, or of a cone."""
        self.calls += 1
        try:
            found = self._matching(json.loads(elasticsearch_query))
        except (ValueError, KeyError, TypeError, AttributeError):
            return answer({"detail": "this stand-in understands one term, a sky_distance, or nothing"}, 400)
        facts = sorted((self._loci[name]["facts"] for name in found), key=_age)
        more = offset + limit < len(facts)
        following = str(request.url.include_query_params(offset=offset + limit)) if more else None
        return _data([{"locus": fact} for fact in facts[offset : offset + limit]], following)

    def _matching(self, query: Mapping[str, Any]) -> list[str]:
        """Give the ids of the loci that a query asks for; raises KeyError and its like if it is another."""
        if not query:
            return list(self._loci)
        wanted = query["query"]["bool"]["filter"]
        if "sky_distance" in wanted:
            return self._near(wanted["sky_distance"]["location"], wanted["sky_distance"]["radius"])
        ((_, name),) = wanted["term"].items()
        return [self._names[str(name)]] if str(name) in self._names else []

    def _near(self, location: str, radius: str) -> list[str]:
        """Give the loci within ``0.1 degree`` of ``00h41m00s -20d30m00s``."""
        ra, decl = (
            degrees_of_texts(pd.Series([text]), is_hours)[0]
            for text, is_hours in zip(location.split(), (True, False), strict=True)
        )
        within = float(radius.removesuffix("degree")) * 3600
        places = np.array([[locus["facts"]["ra"], locus["facts"]["dec"]] for locus in self._loci.values()]).reshape(
            -1, 2
        )
        angles = great_circle_arcsec(places[:, 0], places[:, 1], np.array(ra), np.array(decl))
        return [name for name, angle in zip(self._loci, angles.tolist(), strict=True) if angle <= within]

    async def _statistics(self) -> Response:
        self.calls += 1
        numbers = [len(locus["alerts"]) for locus in self._loci.values()] or [0]
        limits = {"min_num_measurements": min(numbers), "max_num_measurements": max(numbers)}
        return _data({"id": "1", "catalogs": {}, "tags": {"simulated": len(self._loci)}, **limits})

    async def _locus(self, locus_id: str) -> Response:
        """Answer a locus with its light curve, which is CSV in a text."""
        self.calls += 1
        if locus_id not in self._loci:
            return answer({"detail": f"no locus {locus_id}"}, 404)
        locus = self._loci[locus_id]
        facts = {key: value for key, value in locus["facts"].items() if key not in {"properties", "locus_id"}}
        properties = {"internal_properties": locus["facts"]["properties"], "user_properties": {}}
        return _data(facts | properties | {"lightcurve": _csv(locus["alerts"])})

    async def _alerts(self, locus_id: str) -> Response:
        self.calls += 1
        if locus_id not in self._loci:
            return answer({"detail": f"no locus {locus_id}"}, 404)
        return _data(self._loci[locus_id]["alerts"])

    async def _nothing(self) -> Response:
        """Answer what is always empty here: catalogues, pictures, notices of gravitational waves."""
        self.calls += 1
        return _data([])


def _age(facts: Mapping[str, Any]) -> float:
    return -float(facts["properties"]["newest_alert_observation_time"])


def _csv(alerts: Iterable[Mapping[str, Any]]) -> str:
    """Write the light curve as ANTARES does: a line an alert, magnitudes of differences, R for ZTF's r."""
    lines = ["alert_id,ant_mjd,ant_survey,ant_ra,ant_dec,ant_passband,ant_mag,ant_magerr,ant_maglim"]
    for alert in alerts:
        known = alert["properties"]
        if alert["survey"] == "ztf":
            band, values = "gRi"[known["ztf_fid"] - 1], [known.get(f"ztf_{key}", "") for key in ZTF_VALUES]
        else:
            flux, error = known["lsst_diaSource_psfFlux"], known["lsst_diaSource_psfFluxErr"]
            values = [known["lsst_diaSource_ra"], known["lsst_diaSource_dec"]]
            band = known["lsst_diaSource_band"]
            values += [31.4 - 2.5 * math.log10(abs(flux)), POGSON * error / abs(flux), ""]
        values.insert(2, band)
        lines.append(",".join(map(str, [alert["id"], alert["mjd"], alert["survey"], *values])))
    return "\n".join(lines) + "\n"


ZTF_VALUES = ("ra", "dec", "magpsf", "sigmapsf", "diffmaglim")


def _data(content: Sequence[Any] | Mapping[str, Any], following: str | None = None) -> Response:
    return answer({"data": content, "meta": {}, "links": {"self": "", "next": following}})
