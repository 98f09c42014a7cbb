"""An object with the light curve with which it passed."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from tides_bridge.decisions.history import brightness_in_words, why
from tides_bridge.portal.links import in_path, object_page
from tides_bridge.portal.plots import draw_target
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.targets.rulings import in_words


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/light-curves``."""
    router = APIRouter()

    @router.api_route("/light-curves/{survey}/{object_id}.png", methods=ASKING)
    def plot(request: Request, survey: str, object_id: str) -> Response:
        """Draw the light curve with which an object passed."""
        with portal.database.opened() as database:
            content = draw_target(database, survey, object_id)
        if content is None:
            return portal.nothing(request, f"no light curve is kept of {survey} {object_id}")
        return Response(content, media_type="image/png", headers={"Cache-Control": "max-age=60"})

    @router.api_route("/light-curves/{survey}/{object_id}", methods=ASKING)
    def light_curve(request: Request, survey: str, object_id: str) -> Response:
        """Show the light curve of an object, and why it passed or did not."""
        with portal.database.opened() as database:
            found = why(database, object_id, survey)
        if not found["decisions"] and not found["targets"]:
            return portal.nothing(request, f"nothing is known of {survey} {object_id}")
        keys = {(row["survey"], row["object_id"]) for key in ("names", "decisions") for row in found[key]}
        if found["names"] and (survey, object_id) not in keys:  # the name of a target, or of the TNS
            first = found["names"][0]
            return RedirectResponse(f"../{in_path(first['survey'])}/{in_path(first['object_id'])}", 303)
        active = [row for row in found["decisions"] if row["role"] == "active"]
        return portal.show(
            request,
            "light_curve.html",
            survey=survey,
            object_id=object_id,
            broker_page=object_page(portal.settings, survey, object_id),
            decision=active[-1] if active else None,
            targets=found["targets"],
            brightness=[brightness_in_words(row) for row in found["brightness"]],
            rulings=[in_words(row) for row in found["rulings"]],
            others=[row for row in found["names"] if (row["survey"], row["object_id"]) != (survey, object_id)],
        )

    return router
