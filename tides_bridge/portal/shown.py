"""What all pages of the portal have: settings, database, templates, and how a problem is shown."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tides_bridge.decisions.history import measurement
from tides_bridge.lightcurves.photometry import time_from_mjd
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.counted import Counted
from tides_bridge.portal.links import in_path
from tides_bridge.settings import Settings
from tides_bridge.web import cleaned

FOLDER: Final = Path(__file__).parent
"""Of templates and static files."""

LONGEST_PATH: Final = 200
"""[bytes] Of a path that is logged."""

ASKING: Final = ["GET", "HEAD"]
"""Methods of a page that changes nothing."""

TITLES: Final = {404: "Not found", 405: "Not to be done here", 503: "The database cannot be asked now"}
"""Of pages that say a problem, by status."""

logger = logging.getLogger(__name__)


class Portal:
    """
    What pages share.

    Parameters
    ----------
    settings
        Of the bridge.
    database
        May be away, and come back. What a person typed is read before it is opened: an error closes it.
    prefect_page
        Address of the page of Prefect, for a link.
    """

    def __init__(self, settings: Settings, database: KeptDatabase, prefect_page: str) -> None:
        self.settings, self.database, self.counted = settings, database, Counted()
        loader = FileSystemLoader(FOLDER / "templates")
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self._templates.globals |= {"prefect_page": prefect_page, "asks_login": settings.page.login != "none"}
        self._templates.filters |= {
            "ago": elapsed,
            "utc": utc,
            "night": day_of_mjd,
            "in_path": in_path,
            "measured": measurement,
        }

    def show(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """
        Answer with a page.

        Parameters
        ----------
        request
            Which was made.
        template
            File of the page.
        status
            Of HTTP.
        **values
            What the template names; ``home`` (the way to the first page), ``now`` and ``status`` it has.
        """
        common = {"home": way_home(request), "now": datetime.now(UTC), "status": status}
        return HTMLResponse(self._templates.get_template(template).render(common | values), status)

    def nothing(self, request: Request, problem: str) -> Response:
        """Answer that something is not there."""
        return self.show(request, "problem.html", 404, title=TITLES[404], problem=problem)

    async def problem(self, request: Request, error: Exception) -> Response:
        """Say what is wrong; the page asks again by itself."""
        logger.warning("not shown path=%s problem=%s", cleaned(request.url.path, LONGEST_PATH), cleaned(str(error)))
        return self.show(request, "problem.html", 503, title=TITLES[503], problem=str(error))

    async def mistyped(self, request: Request, error: Any) -> Response:
        """Say which part of an address is none."""
        problem = "; ".join(f"{wrong['loc'][-1]}: {wrong['msg']}" for wrong in error.errors())
        return self.show(request, "problem.html", 422, title="Not to be read", problem=problem)

    async def refusal(self, request: Request, error: Exception) -> Response:
        """Say that there is no such page, or that it cannot be asked so."""
        status = int(getattr(error, "status_code", 404))
        title = TITLES.get(status, f"Refused ({status})")
        problem = "No page has this address; the links above lead to all of them." if status == 404 else str(error)
        return self.show(request, "problem.html", status, title=title, problem=problem)


def way_home(request: Request) -> str:
    """Give the relative way from what is asked for to the first page, without a slash at its end."""
    asked = request.scope.get("raw_path") or request.url.path.encode()  # a name may have slashes, as %2F
    return "/".join([".."] * (asked.count(b"/") - 1)) or "."


def utc(time: datetime | None) -> str:
    """
    Write a time for a person.

    >>> utc(datetime(2026, 11, 24, 12, 30, tzinfo=UTC)), utc(None)
    ('2026-11-24 12:30', '')
    """
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" if time else ""


def day_of_mjd(mjd: float) -> str:
    """
    Write the day of an epoch [MJD, UTC] for a person.

    >>> day_of_mjd(61000.5)
    '2025-11-21'
    """
    return f"{time_from_mjd(mjd):%Y-%m-%d}"


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
