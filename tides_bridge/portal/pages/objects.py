"""The light curve with which an object passed, as a picture: for run pages and other places that show pictures only."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tides_bridge.portal.plots import draw_target
from tides_bridge.portal.shown import ASKING, Portal


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/light-curves/SURVEY/OBJECT.png``."""
    router = APIRouter()

    @router.api_route("/light-curves/{survey}/{object_id:path}.png", methods=ASKING)
    def picture(request: Request, survey: str, object_id: str) -> Response:
        """Draw the light curve with which an object passed."""
        with portal.database.opened() as database:
            content = draw_target(database, survey, object_id)
        if content is None:
            return portal.nothing(request, f"no light curve is kept of {survey} {object_id}")
        return Response(content, media_type="image/png", headers={"Cache-Control": "max-age=60"})

    return router
