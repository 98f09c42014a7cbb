"""
The bridge's own page: its newest targets and their light curves for people, its numbers for Prometheus.

It only reads. No script runs in the browser, and nothing comes from elsewhere. Links are relative: it may be served
under any address.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp

from tides_bridge.database import run
from tides_bridge.decisions.history import brightness_in_words, measurement, why
from tides_bridge.errors import BridgeError
from tides_bridge.operations.metrics import AskPrefect, in_use, registry_for
from tides_bridge.operations.remembered import FRESH_SECONDS, KeptDatabase
from tides_bridge.portal.guard import guarded
from tides_bridge.portal.links import in_path, object_page
from tides_bridge.portal.plots import draw_target
from tides_bridge.settings import Settings
from tides_bridge.targets.rulings import in_words
from tides_bridge.web import cleaned

NEWEST: Final = 50
"""Targets that are listed."""

LONGEST_PATH: Final = 200
"""[bytes] Of a path that is logged."""

logger = logging.getLogger(__name__)


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

    Returns
    -------
    ASGIApp
        Answers GET and HEAD only: nothing can be changed through it.
    """
    page = Page(settings, database, prefect_page)
    registry = registry_for(settings, database, ask_prefect, fresh_for)
    app = FastAPI(title="TiDES bridge", docs_url=None, redoc_url=None, openapi_url=None)  # docs load foreign scripts
    routes: dict[str, Callable[..., Response]] = {
        "/": page.index,
        "/health": page.health,
        "/metrics": lambda: Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST),
        "/light-curves/{survey}/{object_id}.png": page.plot,
        "/light-curves/{survey}/{object_id}": page.light_curve,
    }
    for path, answer in routes.items():
        app.add_api_route(path, answer, methods=["GET", "HEAD"], response_model=None)
    app.exception_handler(BridgeError)(page.problem)
    return guarded(app, settings)


class Page:
    """What is shown; for the parameters see `make_app`."""

    def __init__(self, settings: Settings, database: KeptDatabase, prefect_page: str) -> None:
        self._settings, self._database = settings, database
        loader = FileSystemLoader(Path(__file__).parent / "templates")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self._templates.globals |= {"prefect_page": prefect_page}
        self._templates.filters |= {"ago": elapsed, "utc": utc, "in_path": in_path, "measured": measurement}

    def index(self) -> Response:
        """Show the newest targets, and how the last runs did."""
        with self._database.opened() as database, database.transaction() as connection:
            targets = run(connection, "portal/list_newest_targets.sql", {"number": NEWEST})
            runs = in_use(self._settings, run(connection, "operations/list_runs.sql"))
            states = run(connection, "operations/count_targets.sql")[0]
        return self._show("index.html", home=".", targets=targets, runs=runs, states=states)

    def light_curve(self, survey: str, object_id: str) -> Response:
        """Show the light curve of an object, and why it passed or did not."""
        with self._database.opened() as database:
            found = why(database, object_id, survey)
        if not found["decisions"] and not found["targets"]:
            return self._nothing(f"nothing is known of {survey} {object_id}")
        keys = {(row["survey"], row["object_id"]) for key in ("names", "decisions") for row in found[key]}
        if found["names"] and (survey, object_id) not in keys:  # the name of a target, or of the TNS
            first = found["names"][0]
            return RedirectResponse(f"../{in_path(first['survey'])}/{in_path(first['object_id'])}", 303)
        active = [row for row in found["decisions"] if row["role"] == "active"]
        return self._show(
            "light_curve.html",
            home="../..",
            survey=survey,
            object_id=object_id,
            broker_page=object_page(self._settings, survey, object_id),
            decision=active[-1] if active else None,
            targets=found["targets"],
            brightness=[brightness_in_words(row) for row in found["brightness"]],
            rulings=[in_words(row) for row in found["rulings"]],
            others=[row for row in found["names"] if (row["survey"], row["object_id"]) != (survey, object_id)],
        )

    def plot(self, survey: str, object_id: str) -> Response:
        """Draw the light curve with which an object passed."""
        with self._database.opened() as database:
            content = draw_target(database, survey, object_id)
        if content is None:
            return self._nothing(f"no light curve is kept of {survey} {object_id}")
        return Response(content, media_type="image/png", headers={"Cache-Control": "max-age=60"})

    def health(self) -> Response:
        """Say whether the database answers; for programs that look after this one."""
        try:
            with self._database.opened() as database, database.transaction() as connection:
                run(connection, "operations/get_schema.sql")
        except BridgeError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return PlainTextResponse("ok\n")

    async def problem(self, request: Request, error: Exception) -> Response:
        """Say what is wrong; the page asks again by itself."""
        logger.warning("not shown path=%s problem=%s", cleaned(request.url.path, LONGEST_PATH), cleaned(str(error)))
        home = "/".join([".."] * (request.url.path.count("/") - 1)) or "."
        return self._show("problem.html", 503, home=home, problem=str(error))

    def _nothing(self, problem: str) -> Response:
        return self._show("problem.html", 404, home="../..", problem=problem)

    def _show(self, template: str, status: int = 200, **values: Any) -> Response:
        text = self._templates.get_template(template).render(values | {"now": datetime.now(UTC), "status": status})
        return HTMLResponse(text, status)


def utc(time: datetime | None) -> str:
    """
    Write a time for a person.

    >>> utc(datetime(2026, 11, 24, 12, 30, tzinfo=UTC)), utc(None)
    ('2026-11-24 12:30', '')
    """
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" if time else ""


def elapsed(time: datetime | None, now: datetime) -> str:
    """
    Say how long ago a time was.

    >>> now = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    >>> elapsed(datetime(2026, 11, 24, 12, tzinfo=UTC), now), elapsed(datetime(2026, 11, 21, tzinfo=UTC), now)
    ('30 min ago', '84 h ago')
    >>> elapsed(None, now)
    'never'
    """
    if time is None:
        return "never"
    minutes = max(round((now - time).total_seconds() / 60), 0)
    return f"{minutes} min ago" if minutes < 120 else f"{minutes // 60} h ago"
