"""
An ALeRCE for tests and demos: the REST API that its Python client asks, of ZTF's objects and of Rubin's.

`to_alerce` makes of one alert packet what the API knows of its object; `AlerceStandin` serves it over HTTP: lists of
objects by class, place, epoch or name, one object, its points, limits and forced photometry, and what its classifiers
say. Epochs are MJD, ``candid`` is text, ``isdiffpos`` 1 or -1, and the bands of Rubin are numbers with their map.

Source: the package alerce 2.3.1 (``ztf_search.py``, ``ms_search.py``, ``default_config.json``). Not verified at the
service itself.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Self

import numpy as np
from fastapi import FastAPI, Request, Response

from simulators.services.faults import FaultPlan
from simulators.services.lasair_service import answer
from simulators.services.running import RunningStandin
from simulators.services.web import WebServer
from tides_bridge.lightcurves.photometry import BANDS, MJD_ZERO
from tides_bridge.targets.neighbours import great_circle_arcsec

AlerceObject = dict[str, Any]
"""``survey``, ``oid`` and ``object``, and lists: those of `LISTS`, and ``probabilities``."""

BAND_MAP: Final = {str(number): band for number, band in enumerate(BANDS)}

LISTS: Final = ("detections", "non_detections", "forced_photometry")

CLASSIFIER: Final = ("stamp_classifier", "1.0.4")

CLASSES: Final = ("SN", "AGN", "VS", "asteroid", "bogus")
"""Of the stamp classifier."""

PAGE: Final = 10
"""Objects that one answer has if no number is asked for."""


def to_alerce(packet: Mapping[str, Any]) -> AlerceObject:
    """Make what the API knows of an object from its newest packet, of ZTF or of Rubin about a ``diaObject``."""
    known = _of_rubin(packet) if "diaSource" in packet else _of_ztf(packet)
    points = known["detections"]
    epochs = [float(point["mjd"]) for point in points]
    facts = {"ndet": len(points), "n_det": len(points), "firstmjd": min(epochs), "lastmjd": max(epochs)}
    place = {"meanra": points[-1]["ra"], "meandec": points[-1]["dec"], "deltamjd": max(epochs) - min(epochs)}
    chance = dict(zip(CLASSES, (0.8, 0.1, 0.05, 0.03, 0.02), strict=True))
    words = [
        {"classifier_name": CLASSIFIER[0], "classifier_version": CLASSIFIER[1], "class_name": name,
         "probability": probability, "ranking": rank}
        for rank, (name, probability) in enumerate(chance.items(), start=1)
    ]  # fmt: skip
    first = {"class": words[0]["class_name"], "classifier": CLASSIFIER[0], "probability": words[0]["probability"]}
    return known | {"object": {"oid": known["oid"], **facts, **place, **first}, "probabilities": words}


def _of_ztf(packet: Mapping[str, Any]) -> AlerceObject:
    points = [*(packet.get("prv_candidates") or []), packet["candidate"]]
    seen = [point for point in points if point.get("candid") is not None]
    limits = [
        {"tid": "ZTF", "mjd": point["jd"] - MJD_ZERO, "fid": point["fid"], "diffmaglim": point["diffmaglim"]}
        for point in points
        if point.get("candid") is None
    ]
    detections = [
        {key: point.get(key) for key in ZTF_VALUES}
        | {"tid": "ZTF", "mjd": point["jd"] - MJD_ZERO, "candid": str(point["candid"]), "has_stamp": True}
        | {"isdiffpos": 1 if point["isdiffpos"] in {"t", "1"} else -1, "corrected": False, "dubious": False}
        for point in sorted(seen, key=lambda point: float(point["jd"]))
    ]
    name = str(packet["objectId"])
    return {"survey": "ztf", "oid": name, "detections": detections, "non_detections": limits, "forced_photometry": []}


ZTF_VALUES: Final = ("fid", "pid", "nid", "diffmaglim", "magpsf", "sigmapsf", "ra", "dec", "rb", "drb", "distnr")


def _of_rubin(packet: Mapping[str, Any]) -> AlerceObject:
    sources = [*(packet["prvDiaSources"] or []), packet["diaSource"]]
    name = str(packet["diaObject"]["diaObjectId"])
    forced = packet.get("prvDiaForcedSources") or []
    return {
        "survey": "lsst",
        "oid": name,
        "detections": sorted(map(_of_source, sources), key=lambda point: float(point["mjd"])),
        "non_detections": [],
        "forced_photometry": [_of_source(point) for point in forced],
    }


def _of_source(source: Mapping[str, Any]) -> dict[str, Any]:
    """Make a point, each with the map of bands, which the client takes away."""
    values = {key: source.get(key) for key in ("ra", "dec", "psfFlux", "psfFluxErr", "snr", "reliability", "visit")}
    name = str(source.get("diaSourceId") or source.get("diaForcedSourceId"))
    band = {"band": BANDS.index(source["band"]), "band_map": BAND_MAP}
    return values | band | {"mjd": source["midpointMjdTai"], "measurement_id": name}


class AlerceStandin(RunningStandin):
    """
    The API on a free port of 127.0.0.1, in a thread of this process; it asks for no key.

    Attributes
    ----------
    address
        ``http://127.0.0.1:PORT``: both of the client's addresses, the one of ZTF and the one of Rubin.
    calls
        How many calls reached it.
    """

    def __init__(self) -> None:
        self.calls = 0
        self._objects: dict[tuple[str, str], AlerceObject] = {}
        app = FastAPI(openapi_url=None)
        app.add_api_route("/", lambda: {"service": "stand-in for the ALeRCE API"})
        app.add_api_route("/ztf/v1/objects", self._listed("ztf"))
        app.add_api_route("/object_api/list_objects", self._listed("lsst"))
        app.add_api_route("/ztf/v1/classifiers", self._classifiers)
        app.add_api_route("/ztf/v1/classifiers/{name}/{version}/classes", self._classes)
        for path, part in OF_ZTF.items():
            app.add_api_route(path, self._of_one(part))
        for path, part in OF_RUBIN.items():
            app.add_api_route(path, self._of_one(part, "lsst"))
        self._server = WebServer(app, "lasair", FaultPlan())

    @property
    def address(self) -> str:
        """Where the API is, without a slash at the end."""
        return self._server.address

    def load(self, objects: Iterable[AlerceObject]) -> None:
        """Keep objects to answer with; one of the same name replaces the earlier one."""
        self._objects |= {(known["survey"], known["oid"]): known for known in objects}

    def start(self) -> Self:
        """Start to answer, or raise BrokerUnavailable."""
        self._server.start(0)
        return self

    def stop(self) -> None:
        """Stop to answer and close the port; a second call does nothing."""
        self._server.stop()

    def _of_one(self, part: Callable[[AlerceObject], Any], survey: str = "ztf") -> Callable[..., Any]:
        async def method(request: Request) -> Response:
            self.calls += 1
            name = request.path_params.get("oid") or request.query_params.get("oid", "")
            if (survey, name) not in self._objects:
                return answer({"errors": {}, "detail": f"Object ID {name} not found"}, 404)
            return answer(part(self._objects[survey, name]))

        return method

    def _listed(self, survey: str) -> Callable[..., Any]:
        async def method(request: Request) -> Response:
            self.calls += 1
            asked = request.query_params
            known = [one["object"] for (whose, _), one in self._objects.items() if whose == survey]
            try:
                found = [one for one in known if _is_wanted(one, asked)]
                number, page = int(asked.get("page_size", PAGE)), int(asked.get("page", 1))
                key = asked.get("order_by") or "lastmjd"
                found.sort(key=lambda one: one[key], reverse=asked.get("order_mode", "DESC") == "DESC")
            except (ValueError, KeyError) as problem:
                return answer({"errors": {}, "detail": f"not understood: {problem}"}, 400)
            rows, stop = found[(page - 1) * number : page * number], page * number
            more = {"total": len(found), "page": page, "has_next": stop < len(found), "has_prev": page > 1}
            return answer(more | {"next": page + 1 if stop < len(found) else None, "items": rows})

        return method

    async def _classifiers(self) -> Response:
        self.calls += 1
        return answer(
            [{"classifier_name": CLASSIFIER[0], "classifier_version": CLASSIFIER[1], "classes": list(CLASSES)}]
        )

    async def _classes(self, name: str, version: str) -> Response:
        self.calls += 1
        return answer([{"name": word} for word in CLASSES] if (name, version) == CLASSIFIER else [])


def _is_wanted(known: Mapping[str, Any], asked: Any) -> bool:
    """Tell whether an object is one of those asked for; raises ValueError if that is no number."""
    if "ra" in asked:
        ra, decl, of_ra, of_decl = (
            np.array([float(number)]) for number in (known["meanra"], known["meandec"], asked["ra"], asked["dec"])
        )
        angle = great_circle_arcsec(ra, decl, of_ra, of_decl)
        if angle[0] > float(asked.get("radius", 30)):
            return False
    for name in ("firstmjd", "lastmjd", "ndet", "n_det"):
        limits = [float(value) for value in asked.getlist(name)]
        if limits and not (limits[0] <= known[name] <= (limits[1] if len(limits) > 1 else np.inf)):
            return False
    word = asked.get("class") or asked.get("class_name")
    return (
        known["oid"] in (asked.getlist("oid") or [known["oid"]])
        and word in {None, known["class"]}
        and asked.get("classifier") in {None, known["classifier"]}
        and known["probability"] >= float(asked.get("probability", 0))
    )


def _magstats(known: AlerceObject) -> list[dict[str, Any]]:
    """Give the numbers of each band of ZTF."""
    stats = []
    for fid in sorted({point["fid"] for point in known["detections"]}):
        points = [point for point in known["detections"] if point["fid"] == fid]
        values, epochs = ([float(point[key]) for point in points] for key in ("magpsf", "mjd"))
        of_band = {"ndet": len(points), "magmean": float(np.mean(values)), "magmin": min(values), "magmax": max(values)}
        stats.append({"fid": fid, **of_band, "firstmjd": min(epochs), "lastmjd": max(epochs)})
    return stats


def _curve(known: AlerceObject, *names: str) -> dict[str, Any]:
    return {name: known[name] for name in names}


OF_ZTF: Final[Mapping[str, Callable[[AlerceObject], Any]]] = {
    "/ztf/v1/objects/{oid}": lambda known: known["object"],
    "/ztf/v1/objects/{oid}/detections": lambda known: known["detections"],
    "/ztf/v1/objects/{oid}/non_detections": lambda known: known["non_detections"],
    "/ztf/v1/objects/{oid}/lightcurve": lambda known: _curve(known, *LISTS[:2]),
    "/ztf/v1/objects/{oid}/magstats": _magstats,
    "/ztf/v1/objects/{oid}/probabilities": lambda known: known["probabilities"],
    "/ztf/v1/objects/{oid}/features": lambda _: [],
    "/ztf/v1/objects/{oid}/features/{name}": lambda _: [],
    "/v2/lightcurve/forced-photometry/{oid}": lambda known: known["forced_photometry"],
}
OF_RUBIN: Final[Mapping[str, Callable[[AlerceObject], Any]]] = {
    "/object_api/object": lambda known: known["object"],
    "/lightcurve_api/detections": lambda known: known["detections"],
    "/lightcurve_api/non_detections": lambda known: known["non_detections"],
    "/lightcurve_api/forced-photometry": lambda known: known["forced_photometry"],
    "/lightcurve_api/lightcurve": lambda known: _curve(known, *LISTS),
    "/probability_api/probability": lambda known: known["probabilities"],
}
"""What each path gives of an object."""
