"""The first page: numbers, the last runs, the newest targets."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tides_bridge.database import run
from tides_bridge.operations.metrics import in_use
from tides_bridge.operations.questions import count_questions
from tides_bridge.operations.remembered import Remembered
from tides_bridge.portal.pages.targets import EVERYTHING, heads_of, tiles_of
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.targets.listed import count_states, list_page, settle_some

NEWEST: Final = 25
"""Targets that are listed."""

PATIENCE: Final = 0.3
"""[s] So long the page waits for the number of questions; without it the page has none."""


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/``."""
    router = APIRouter()
    questions = Remembered(lambda: _number_of_questions(portal))

    @router.api_route("/", methods=ASKING)
    def index(request: Request) -> Response:
        """Show the newest targets, and how the last runs did."""
        with portal.database.opened() as database, database.transaction() as connection:
            settle_some(connection, portal.settings)
            rows = list_page(connection, {}, "-new", NEWEST).rows
            runs = in_use(portal.settings, run(connection, "operations/list_runs.sql"))
            tiles = tiles_of(portal.counted.get(connection, "states", lambda: count_states(connection)))
        questions.ask_anew()
        asked = questions.get(PATIENCE)
        heads = heads_of(EVERYTHING)
        return portal.show(request, "index.html", rows=rows, runs=runs, tiles=tiles, heads=heads, questions=asked)

    return router


def _number_of_questions(portal: Portal) -> int:
    """Count what waits for a person's word."""
    with portal.database.opened() as database, database.transaction() as connection:
        return sum(count_questions(connection, portal.settings).values())
