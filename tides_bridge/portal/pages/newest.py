"""The first page: numbers, the last runs, the newest targets."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tides_bridge.database import run
from tides_bridge.operations.metrics import in_use
from tides_bridge.portal.shown import ASKING, Portal

NEWEST: Final = 50
"""Targets that are listed."""


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/``."""
    router = APIRouter()

    @router.api_route("/", methods=ASKING)
    def index(request: Request) -> Response:
        """Show the newest targets, and how the last runs did."""
        with portal.database.opened() as database, database.transaction() as connection:
            targets = run(connection, "portal/list_newest_targets.sql", {"number": NEWEST})
            runs = in_use(portal.settings, run(connection, "operations/list_runs.sql"))
            states = run(connection, "operations/count_targets.sql")[0]
        return portal.show(request, "index.html", targets=targets, runs=runs, states=states)

    return router
