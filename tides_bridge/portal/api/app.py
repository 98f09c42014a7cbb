"""The API as an application of its own within the portal: what it cannot do it says as RFC 9457 has it."""

import logging
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from tides_bridge.errors import BridgeError, SettingsError
from tides_bridge.portal.api import classes, lists, objects
from tides_bridge.portal.api.answers import answer_problem
from tides_bridge.portal.shown import LONGEST_PATH, Portal
from tides_bridge.web import cleaned

PARTS: Final = (lists, objects, classes)
"""Each has a `router_of`."""

logger = logging.getLogger(__name__)


def make_api(portal: Portal) -> FastAPI:
    """
    Make what answers under ``/api/v1``.

    Parameters
    ----------
    portal
        Settings and database.
    """
    api = FastAPI(
        title="TiDES bridge",
        version="1",
        description="All that the portal shows, for programs. Angles in degrees (ICRS), epochs in MJD (UTC).",
        docs_url=None,
        redoc_url=None,
    )
    for part in PARTS:
        api.include_router(part.router_of(portal))
    for kind, say in ((RequestValidationError, _wrong), (SettingsError, _mistyped), (BridgeError, _away)):
        api.exception_handler(kind)(say)
    api.exception_handler(HTTPException)(_refused)
    return api


async def _wrong(_: Request, error: Any) -> Response:
    """Say of each parameter what is wrong."""
    found = []
    for wrong in error.errors():
        name, text = str(wrong["loc"][-1]), wrong["msg"].removeprefix("Value error, ")
        if len(wrong["loc"]) == 1:  # of the filter as a whole, which names the parameter itself
            name, _, text = text.partition(": ")
        found.append({"parameter": name, "detail": "is no parameter" if wrong["type"] == "extra_forbidden" else text})
    first = found[0]
    detail = f"{first['parameter']}: {first['detail']}"
    return answer_problem(422, "A parameter is wrong", detail, parameter=first["parameter"], errors=found)


async def _mistyped(_: Request, error: Any) -> Response:
    return answer_problem(422, "A parameter is wrong", f"{error.key}: {error.problem}", parameter=error.key)


async def _away(request: Request, error: Exception) -> Response:
    logger.warning("not answered path=%s problem=%s", cleaned(request.url.path, LONGEST_PATH), cleaned(str(error)))
    return answer_problem(503, "The database cannot be asked now", str(error))


async def _refused(request: Request, error: Any) -> Response:
    known = "openapi.json tells what there is" if error.status_code == 404 else str(error.detail)
    detail = error.detail if error.detail not in ("Not Found", "") else known
    return answer_problem(error.status_code, "Not found" if error.status_code == 404 else "Refused", str(detail))
