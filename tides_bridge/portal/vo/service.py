"""
The addresses of the services: ``/vo/cone`` and ``/vo/tap``.

Whatever is wrong with a question is said in a VOTable, as its clients expect.
"""

import contextlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

import platformdirs
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from tides_bridge.errors import BridgeError, DatabaseUnavailable, RejectedError
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.shown import ASKING, Portal
from tides_bridge.portal.vo import cone, documents
from tides_bridge.portal.vo.adql import query_error
from tides_bridge.portal.vo.asking import VOTABLE, Parameters, asked_parameters, format_of, most_rows, query_of
from tides_bridge.portal.vo.jobs import Jobs
from tides_bridge.portal.vo.points import points_answer
from tides_bridge.portal.vo.queries import QueryAnswer, QueryReader
from tides_bridge.portal.vo.uws import add_jobs
from tides_bridge.portal.vo.votable import error_votable
from tides_bridge.settings import Settings

XML: Final = "text/xml; charset=utf-8"
BOTH: Final = ["GET", "POST"]

ONLY_READS: Final = "queries run as a role that can only read the documented views"
IS_ASKED: Final = "no role tides_reader: queries run in transactions that only read, as the user of the bridge"


def router_of(portal: Portal) -> APIRouter:
    """QueryAnswer all below ``/vo``."""
    reader = QueryReader(portal.database)
    jobs = Jobs(reader, platformdirs.user_state_path("tides-bridge") / f"jobs-{portal.settings.page.port}")
    router = APIRouter(prefix="/vo", include_in_schema=False)
    _add_queries(router, reader, portal.database)
    _add_descriptions(router, portal.settings, reader)
    add_jobs(router, jobs, lambda request: service_address(portal.settings, request, "tap/async"))
    return router


def service_address(settings: Settings, request: Request, path: str) -> str:
    """
    Give the whole address of a service: as people reach the portal, or as this one reached it.

    Parameters
    ----------
    settings
        Of the bridge.
    request
        Of which the host counts, where the settings name no address; it is one of ours.
    path
        Below ``/vo``.
    """
    return f"{(settings.page.address or str(request.base_url)).rstrip('/')}/vo/{path}"


def _add_queries(router: APIRouter, reader: QueryReader, database: KeptDatabase) -> None:
    @router.api_route("/tap/sync", methods=BOTH)
    async def sync(request: Request) -> Response:
        """QueryAnswer a query at once."""
        return await _answered(request, lambda parameters: _sync(reader, parameters))

    @router.api_route("/cone", methods=BOTH)
    async def cone_search(request: Request) -> Response:
        """Give the targets in a circle."""
        return await _answered(request, lambda parameters: _cone(reader, parameters), cone.error)

    @router.api_route("/points", methods=BOTH)
    async def points(request: Request) -> Response:
        """Give the points of the light curves of a target or an object, by NAME."""
        return await _answered(request, lambda parameters: _points(database, parameters))


def _add_descriptions(router: APIRouter, settings: Settings, reader: QueryReader) -> None:
    @router.api_route("/tap/capabilities", methods=ASKING)
    def capabilities(request: Request) -> Response:
        document = documents.capabilities(service_address(settings, request, "tap"))
        return Response(document, headers={"Server": "tides-bridge"}, media_type=XML)

    @router.api_route("/tap/availability", methods=ASKING)
    def availability() -> Response:
        try:
            problem, note = "", ONLY_READS if reader.is_reader() else IS_ASKED
        except BridgeError as error:
            problem, note = str(error), ""
        return Response(documents.availability(problem, note), media_type=XML)

    @router.api_route("/tap/tables", methods=ASKING)
    def tables(request: Request) -> Response:
        listed = reader.listed("portal/list_documented_tables.sql")
        keys = reader.listed("portal/list_documented_keys.sql")
        is_astroquery = "user-agent" not in request.headers  # the only one that does not say who it is
        document = documents.tables(listed, reader.documented(), keys, is_astroquery)
        return Response(document, headers={"Vary": "User-Agent"}, media_type=XML)

    @router.api_route("/tap/examples", methods=ASKING)
    def examples() -> Response:
        return Response(documents.examples(), media_type="application/xhtml+xml")


async def _answered(
    request: Request, answer: Callable[[Parameters], Response], error_document: Callable[[str], bytes] = error_votable
) -> Response:
    """QueryAnswer beside the others, and say in a VOTable what is wrong."""
    try:
        parameters = await asked_parameters(request)
        return await run_in_threadpool(answer, parameters)
    except RejectedError as error:
        return Response(error_document(str(error)), 400, media_type=VOTABLE)
    except DatabaseUnavailable as error:
        return Response(error_document(str(error)), 503, {"Retry-After": "60"}, media_type=VOTABLE)


def _sync(reader: QueryReader, parameters: Parameters) -> Response:
    kind, most = format_of(parameters), most_rows(parameters)
    return streamed(reader, reader.translated(query_of(parameters)), most, kind.write, kind.mime)


def _cone(reader: QueryReader, parameters: Parameters) -> Response:
    asked = cone.asked(parameters)
    return streamed(reader, reader.translated(asked.query), asked.most, cone.write, VOTABLE)


def _points(database: KeptDatabase, parameters: Parameters) -> Response:
    if not parameters.get("NAME"):
        raise query_error("NAME is missing")
    kind = format_of(parameters)
    return Response(b"".join(kind.write(points_answer(database, parameters["NAME"]))), media_type=kind.mime)


def streamed(
    reader: QueryReader, sql: str, most: int, write: Callable[[QueryAnswer], Iterator[bytes]], mime: str
) -> StreamingResponse:
    """
    QueryAnswer with the rows of a query while they are read.

    Parameters
    ----------
    reader
        Carries it out.
    sql
        The query.
    most
        Rows.
    write
        Writes them.
    mime
        Type of what is written.

    Raises
    ------
    RejectedError, DatabaseUnavailable
        As `QueryReader.answer`, before anything is sent.
    """

    def body() -> Iterator[bytes]:
        with contextlib.ExitStack() as stack:
            yield from write(stack.enter_context(reader.answer(sql, most)))

    parts = body()
    first = next(parts)  # here it begins: only what has begun is closed when who asks goes away
    return StreamingResponse(chain([first], parts), media_type=mime)
