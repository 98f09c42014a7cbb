"""For programs that look after the portal: whether it can do its work."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from tides_bridge.database import run
from tides_bridge.errors import BridgeError
from tides_bridge.portal.access import who_may
from tides_bridge.portal.shown import ASKING, FOLDER, Portal


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/health``, and what browsers ask for unasked."""
    router = APIRouter()

    @router.api_route("/health", methods=ASKING)
    def health(request: Request) -> Response:
        """Say whether the database answers; why not, to whoever may read."""
        try:
            with portal.database.opened() as database, database.transaction() as connection:
                run(connection, "operations/get_schema.sql")
        except BridgeError as error:
            problem = who_may(portal.settings, request, "reader")
            return PlainTextResponse(f"{'the database cannot be asked now' if problem else error}\n", 503)
        return PlainTextResponse("ok\n")

    @router.api_route("/favicon.ico", methods=ASKING)
    def icon() -> Response:
        """Give the picture of a tab of a browser that read no page of ours yet."""
        return Response((FOLDER / "static/favicon.svg").read_bytes(), media_type="image/svg+xml")

    return router
