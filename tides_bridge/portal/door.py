"""
The door of the portal, where the settings want accounts: who asks is known before anything is answered.

By a token in the header Authorization (programs), by the cookie of a visit (browsers), or by the header of the group's
own proxy, which is believed only where the page listens on its own machine: nobody else can send it then.
"""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tides_bridge.errors import BridgeError
from tides_bridge.operations.accounts import PortalAccount, whose_key
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.access import VISIT_COOKIE, is_loopback
from tides_bridge.portal.api.answers import answer_problem
from tides_bridge.portal.shown import way_home
from tides_bridge.settings import Settings

OPEN: Final = ("/login", "/health", "/favicon.ico", "/static/")
"""What everybody may see: paths begin so."""


class Door:
    """
    An application behind its door.

    Parameters
    ----------
    app
        What answers whoever may ask: ``scope["account"]`` says who that is.
    settings, database
        Which say who has to be known, and where accounts are.
    """

    def __init__(self, app: ASGIApp, settings: Settings, database: KeptDatabase) -> None:
        self._app, self._page, self._database = app, settings.page, database
        # The scope's client is no proof: the server puts there for whom a proxy asks (X-Forwarded-For).
        self._is_alone = is_loopback(settings.page.host.lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let answer."""
        if scope["type"] != "http" or self._page.login == "none":
            await self._app(scope, receive, send)
            return
        try:
            scope["account"] = await run_in_threadpool(self._account, scope)
        except BridgeError as error:
            away = answer_problem(503, "The database cannot be asked now", str(error))
            answer = away if scope["path"].startswith("/api/") else PlainTextResponse(f"{error}\n", 503)
            await answer(scope, receive, send)
            return
        is_open = self._page.login == "rulings" or scope["path"].startswith(OPEN)
        answers = self._app if is_open or scope["account"] else _refusal(scope)
        await answers(scope, receive, _unkept(send) if scope["account"] else send)

    def _account(self, scope: Scope) -> PortalAccount | None:
        """Find who asks."""
        headers = Headers(scope=scope)
        kind, _, token = headers.get("authorization", "").partition(" ")
        key = token.strip() if kind.lower() == "bearer" else Request(scope).cookies.get(VISIT_COOKIE)
        name = headers.get(self._page.proxy_header) if self._page.proxy_header and self._is_alone else None
        if not key and not name:
            return None
        with self._database.opened() as database:
            return whose_key(database, key or None, None if key else name)


def _unkept(send: Send) -> Send:
    """Let no browser keep a page that somebody saw who was logged in: going back after the log-out would show it."""

    async def send_unkept(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
        await send(message)

    return send_unkept


def _refusal(scope: Scope) -> ASGIApp:
    """Lead a person to where they log in, and tell a program that it needs a token."""
    if scope["path"].startswith(("/api/", "/metrics", "/vo/")) or scope["method"] not in ("GET", "HEAD"):
        answer = answer_problem(401, "Log in", "Send a token: Authorization: Bearer tides_... (tides access add)")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    return RedirectResponse(f"{way_home(Request(scope))}/login", 303)
