"""
The bridge's portal, put together: its pages for people, its numbers for Prometheus, its scripts and styles.

Nothing comes from elsewhere. Links are relative: it may be served under any address.
"""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from tides_bridge.errors import BridgeError
from tides_bridge.operations.metrics import AskPrefect, registry_for
from tides_bridge.operations.remembered import FRESH_SECONDS, KeptDatabase
from tides_bridge.portal.api.app import make_api
from tides_bridge.portal.door import Door
from tides_bridge.portal.guard import guarded
from tides_bridge.portal.limiter import limited
from tides_bridge.portal.pages import (
    health,
    login,
    newest,
    nights,
    objects,
    rejected,
    rulings,
    sky,
    subscriptions,
    target,
    targets,
)
from tides_bridge.portal.shown import FOLDER, Portal
from tides_bridge.portal.vo import service
from tides_bridge.settings import Settings

PAGES = (newest, targets, sky, objects, target, rulings, rejected, nights, subscriptions, health, login)
"""Each has a `router_of`."""


def make_app(
    settings: Settings,
    database: KeptDatabase,
    ask_prefect: AskPrefect,
    prefect_page: str,
    fresh_for: float = FRESH_SECONDS,
) -> ASGIApp:
    """
    Make the web application.

    Parameters
    ----------
    settings
        Of the bridge.
    database
        May be away, and come back.
    ask_prefect
        Asks the Prefect server how it does.
    prefect_page
        Address of its page, for a link.
    fresh_for
        [s] How long numbers are not asked for again.
    """
    portal = Portal(settings, database, prefect_page)
    # FastAPI's own pages of documentation load foreign scripts.
    app = FastAPI(title="TiDES bridge", docs_url=None, redoc_url=None, openapi_url=None)
    for page in PAGES:
        app.include_router(page.router_of(portal))
    app.include_router(service.router_of(portal))
    _serve_numbers(app, registry_for(settings, database, ask_prefect, fresh_for))
    _serve_files(app)
    app.mount("/api/v1", make_api(portal))
    app.exception_handler(BridgeError)(portal.problem)
    app.exception_handler(HTTPException)(portal.refusal)
    app.exception_handler(RequestValidationError)(portal.mistyped)
    return guarded(Door(limited(app, settings), settings, database), settings)


def _serve_numbers(app: FastAPI, registry: CollectorRegistry) -> None:
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/metrics", metrics, methods=["GET", "HEAD"], response_model=None)


def _serve_files(app: FastAPI) -> None:
    """Serve our scripts and styles, and those of Bokeh from where it is installed: nothing from elsewhere."""
    app.mount("/static/bokeh", StaticFiles(packages=[("bokeh", "server/static/js")]))
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
