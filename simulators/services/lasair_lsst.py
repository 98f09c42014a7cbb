"""
A Lasair for LSST for tests and demos: its API, with ``object/`` and ``cone/``.

`to_object` makes what the API answers of one Rubin alert packet; the messages of a filter are made by
`simulators.alerts.broker_forms`. `LasairLsstStandin` serves the light curves over HTTP the way the real server does:
tokens, an hourly limit, one object a call, literal NaN, the id echoed as the text it came as, newest first with
``lasair_added``.

Sources: lasair-lsst (serializers.py, lasair/lightcurves.py, throttle.py).
"""

import math
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from simulators.alerts.broker_forms import LITE_FORCED
from simulators.services.lasair_service import LasairService, LightCurve, Method, answer

API_SOURCE = ("diaSourceId", "midpointMjdTai", "band", "psfFlux", "psfFluxErr", "reliability")
"""What ``object/`` answers of a source with lite (lasair/lightcurves.py)."""


def to_object(packet: Mapping[str, Any]) -> LightCurve:
    """
    Make the light curve of an object from its newest packet, oldest first, as ``lasair_added=False`` gives it.

    What is in ``diaObject`` beside is told with ``lasair_added`` only.
    """
    sources = [*(packet["prvDiaSources"] or []), packet["diaSource"]]
    known = packet["diaObject"]
    return {
        "diaObjectId": known["diaObjectId"],
        "diaObject": {
            "ra": known.get("ra"),
            "decl": known.get("dec"),
            "firstDiaSourceMjdTai": sources[0]["midpointMjdTai"],
            "lastDiaSourceMjdTai": sources[-1]["midpointMjdTai"],
        },
        "diaSourcesList": [{key: source[key] for key in API_SOURCE} for source in sources],
        "diaForcedSourcesList": [
            {key: point[key] for key in LITE_FORCED} for point in packet["prvDiaForcedSources"] or []
        ],
    }


class LasairLsstStandin(LasairService):
    """The API on a free port of 127.0.0.1, in a thread of this process: see `LasairService`."""

    name = "Lasair-LSST"
    name_key = "diaObjectId"

    def _methods(self) -> Mapping[str, Method]:
        return {"object": self._object, "cone": self._cone}

    def _object(self, fields: dict[str, str]) -> Response:
        """Answer ``object/``: with lasair_added, the default, an unknown object is a 404, and without it a 400."""
        name = fields.get("objectId", "")
        if not name:
            return answer({"objectId": ["This field is required."]}, 400)
        is_added = fields.get("lasair_added", "True").lower() != "false"
        if name not in self._curves:
            return answer({"error": f"No such object {name}"}, 404 if is_added else 400)
        curve = self._curves[name]
        if not is_added:
            lists = {key: value for key, value in curve.items() if key != "diaObject"}
            return answer({**lists, "diaObjectId": name})
        known = {"diaObject": curve["diaObject"]} if "diaObject" in curve else {}
        lists = {key: curve[key][::-1] for key in ("diaSourcesList", "diaForcedSourcesList")}
        return answer(
            {"diaObjectId": name, "lasairData": {"ebv": math.nan, "sherlock": {}, "TNS": {}}, **known, **lists}
        )

    def row_of(self, curve: LightCurve) -> dict[str, Any]:
        """Give the row of an object in the table ``objects``."""
        return {"diaObjectId": curve["diaObjectId"], **curve["diaObject"], "nDiaSources": len(curve["diaSourcesList"])}

    def place_of(self, curve: LightCurve) -> tuple[float, float] | None:
        """Give where the object is [deg]."""
        known = curve.get("diaObject")
        return None if not known or known["ra"] is None else (known["ra"], known["decl"])

    def _cone(self, fields: dict[str, str]) -> Response:
        """Answer ``cone/``."""
        near, kind = self.cone_of(fields), fields.get("requestType", "all")
        if kind == "count":
            return answer({"count": len(near)})
        if kind == "nearest":
            return answer({"nearest": near[0]} if near else {})
        return answer({"objects": near, "count": len(near), "nearest": {}})
