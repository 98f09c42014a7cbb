"""Targets by a filter, a page after another; and those that changed, for who keeps a copy."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from tides_bridge.errors import SettingsError
from tides_bridge.portal.api.answers import ARROW, answer_arrow, answer_json, wants_arrow
from tides_bridge.portal.api.rows import ApiProblem, TargetQuery, TargetRows, target_row
from tides_bridge.portal.shown import Portal
from tides_bridge.portal.typed import ask_typed
from tides_bridge.targets.listed import SORTS, PageOfTargets, list_changed, list_page, parameters_of, settle_some
from tides_bridge.targets.listed.columns import listed_table
from tides_bridge.targets.listed.filters import STATES

ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": TargetRows, "content": {ARROW: {}}},
    304: {"description": "Nothing changed since the answer with this ETag"},
    422: {"model": ApiProblem, "description": "A parameter is wrong"},
    503: {"model": ApiProblem, "description": "The database is away"},
}


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/targets``."""
    router = APIRouter()

    @router.get("/targets", response_model=None, responses=ANSWERS, tags=["targets"])
    def targets(request: Request, query: Annotated[TargetQuery, Query()]) -> Response:
        """
        List targets by a filter, sorted, a page after another; or those that changed after a cursor.

        With ``Accept: application/vnd.apache.arrow.stream`` the rows come as Arrow, the cursor in the header
        ``X-Next``.
        """
        return _answer(request, listed(portal, query))

    return router


def listed(portal: Portal, query: TargetQuery) -> PageOfTargets:
    """
    List what is asked for.

    Raises
    ------
    SettingsError
        That names the parameter that is wrong.
    """
    if query.sort.removeprefix("-") not in SORTS:
        raise SettingsError("filter", "sort", f"{query.sort} is no order: known are {', '.join(SORTS)}")
    if query.changed_after is not None and (query.cursor or query.sort != "-new"):
        raise SettingsError("filter", "changed_after", "has an order and a cursor of its own: give no sort or cursor")

    def ask(connection: Any) -> PageOfTargets:
        settle_some(connection, portal.settings)
        chosen = parameters_of(connection, query)
        if query.changed_after is None:
            return list_page(connection, chosen, query.sort, query.limit, query.cursor)
        with_merged = {"states": list(STATES)} | chosen
        return list_changed(connection, with_merged, query.limit, query.changed_after)

    return ask_typed(portal.database, ask)


def _answer(request: Request, page: PageOfTargets) -> Response:
    if wants_arrow(request):
        headers = {"X-Next": page.following} if page.following else {}
        return answer_arrow(request, listed_table(page.rows), headers)
    rows = [target_row(row) for row in page.rows]
    return answer_json(request, {"targets": rows, "number": page.number, "next": page.following})
