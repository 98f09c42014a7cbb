"""One target, or an object that is none: its row, light curve, decisions, why, what 4MOST was told, rulings."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from tides_bridge.decisions.known import all_known_of, is_known
from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves import LightCurves
from tides_bridge.portal.api.answers import answer_json
from tides_bridge.portal.api.rows import ApiProblem, LightCurvePoint, TargetRow, target_row
from tides_bridge.portal.known import curves_of
from tides_bridge.portal.points import CurvePoint, named_points
from tides_bridge.portal.shown import Portal
from tides_bridge.portal.typed import ask_typed
from tides_bridge.targets.listed import find_listed, settle_some
from tides_bridge.targets.rulings import time_of

NOT_KNOWN: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": ApiProblem, "description": "Nothing is known of this name"},
    422: {"model": ApiProblem, "description": "A parameter is wrong"},
    503: {"model": ApiProblem, "description": "The database is away"},
}

PARTS: Final = {
    "decisions": ("decisions", "Every decision on its objects, with what was measured, demanded and lacked"),
    "exchange": ("sent", "What 4MOST was asked and answered, the oldest first"),
    "rulings": ("rulings", "What people decided and said of it, the newest first"),
}
"""What is known, by the end of the address: where `why` has it, and what it is."""

AsOf = Annotated[
    str | None, Query(max_length=40, description="only what was known then: 2026-11-01 or 2026-11-01T12:00, UTC")
]


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/targets/NAME`` and what lies below."""
    router = APIRouter(tags=["targets"], responses=NOT_KNOWN)

    @router.get(
        "/targets/{name:path}/light-curve", response_model=None, responses={200: {"model": list[LightCurvePoint]}}
    )
    def light_curve(request: Request, name: str) -> Response:
        """Give all points of all its objects, by survey, object and time."""
        aliases = target_row(_row(portal, name))["aliases"]
        with portal.database.opened() as database:
            found = curves_of(database, [(alias["survey"], alias["object_id"]) for alias in aliases])
        return answer_json(request, curve_points(*found) if found else [])

    @router.get("/targets/{name:path}/why", response_model=None)
    def why(request: Request, name: str, as_of: AsOf = None) -> Response:
        """Give all that is known of a target or an object, also of one that was not selected."""
        return answer_json(request, _known(portal, name, as_of))

    for end, (key, what) in PARTS.items():
        router.add_api_route(
            f"/targets/{{name:path}}/{end}", _part(portal, key), methods=["GET"], response_model=None, description=what
        )

    # The last: a name may have slashes, and so may what lies below a target.
    @router.get("/targets/{name:path}", response_model=None, responses={200: {"model": TargetRow}})
    def target(request: Request, name: str) -> Response:
        """Give a target by any of its names: its own, that of an object, that of the Transient Name Server."""
        return answer_json(request, target_row(_row(portal, name)))

    return router


def _part(portal: Portal, key: str) -> Any:
    """Make the answer with a part of what is known."""

    def part(request: Request, name: str, as_of: AsOf = None) -> Response:
        return answer_json(request, {key: _known(portal, name, as_of)[key]})

    return part


def _row(portal: Portal, name: str) -> dict[str, Any]:
    def ask(connection: Any) -> dict[str, Any] | None:
        settle_some(connection, portal.settings)
        return find_listed(connection, name)

    row = ask_typed(portal.database, ask)
    if row is None:
        raise HTTPException(404, f"no target is called {name}")
    return row


def _known(portal: Portal, name: str, as_of: str | None) -> dict[str, Any]:
    at = _time(as_of) if as_of else None
    with portal.database.opened() as database:
        found = all_known_of(database, portal.settings, name, None, at)
    if not is_known(found):
        raise HTTPException(404, f"nothing is known of {name}")
    return found


def _time(text: str) -> datetime:
    try:
        return time_of(text, "")
    except SettingsError as error:
        raise SettingsError("filter", "as_of", error.problem) from None


def curve_points(curves: LightCurves, surveys: list[str]) -> list[dict[str, Any]]:
    """
    Give light curves point by point.

    Parameters
    ----------
    curves
        Of n objects.
    surveys
        (n,) Of each.
    """
    return [
        {
            "survey": point.survey,
            "object_id": point.object_id,
            "mjd": point.mjd,
            "band": point.band,
            "flux": point.flux,
            "flux_error": point.flux_error,
            "mag": point.magnitude,
            "mag_error": point.magnitude_error,
            "kind": _kind(point),
        }
        for point in named_points(curves, surveys)
    ]


def _kind(point: CurvePoint) -> str:
    if point.is_detection:
        return "detection" if point.is_positive else "negative"
    return "limit" if point.flux is None else "forced"
