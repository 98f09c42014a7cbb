"""Objects that were not selected: which nearly were, and where a function loses objects."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tides_bridge.portal.histogram_plot import histogram_item
from tides_bridge.portal.rejected import (
    LOOKED_AT,
    Wanted,
    find_rejected,
    functions_in_force,
    histograms_of,
    judged_lately,
)
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.selection.words import date_of


def router_of(portal: Portal) -> APIRouter:
    """Answer ``/rejected``."""
    router = APIRouter()

    @router.api_route("/rejected", methods=ASKING)
    def rejected(
        request: Request, function: str = "", criterion: str = "", lacks: str = "1", before: str = ""
    ) -> Response:
        """List them, those that lack one criterion first."""
        key = read_key(before)
        if before and key is None:
            return portal.nothing(request, f"{before} is no place in this list: begin again without it.")
        with portal.database.opened() as database:
            functions = functions_in_force(database)
            chosen = function or (functions[0] if functions else "")
            if chosen and chosen not in functions:
                return portal.nothing(request, f"No function {function} ever judged: there are {', '.join(functions)}.")
            most = int(lacks) if lacks in ("1", "2") else 99
            found = find_rejected(database, Wanted(chosen, criterion, most, key)) if chosen else None
        return portal.show(
            request,
            "rejected.html",
            found=found,
            functions=functions,
            function=chosen,
            criterion=criterion,
            lacks=lacks,
            before=before,
            following=written_key(found.following) if found and found.following else "",
            looked_at=LOOKED_AT,
            date_of=date_of,
        )

    @router.api_route("/rejected/histograms.json", methods=ASKING)
    def histograms(function: str = "", theme: str = "", width: int = 1100) -> Response:
        """Draw where a function loses objects, in magnitude and date."""
        with portal.database.opened() as database:
            judgements = judged_lately(database, function) if function in functions_in_force(database) else []
        item = histogram_item(histograms_of(judgements), is_dark=theme == "dark", is_narrow=width < 700)
        return JSONResponse(item)

    return router


def written_key(key: tuple[datetime, int]) -> str:
    """
    Write the key of a row for an address; `read_key` is its way back.

    >>> written_key((datetime(2026, 11, 30, 12, tzinfo=UTC), 7))
    '2026-11-30T12:00:00+00:00_7'
    """
    return f"{key[0].isoformat()}_{key[1]}"


def read_key(text: str) -> tuple[datetime, int] | None:
    """
    Read the key of a row; None if it is none.

    >>> read_key("2026-11-30T12:00:00+00:00_7")
    (datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.timezone.utc), 7)
    >>> read_key("2026-11-30_x"), read_key("2026-11-30_7"), read_key("1_99999999999999999999")
    (None, None, None)
    """
    time, _, number = text.partition("_")
    try:
        at, identifier = datetime.fromisoformat(time), int(number)
        # In UTC, as PostgreSQL takes no zone that is 16 hours away.
        return (at.astimezone(UTC), identifier) if at.tzinfo and 0 <= identifier < 2**63 else None
    except (ValueError, OverflowError):
        return None
