"""How often somebody may ask a portal that others reach: one program in a loop must not keep the others waiting."""

import math
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from tides_bridge.portal.access import is_local
from tides_bridge.portal.api.answers import answer_problem
from tides_bridge.settings import Settings

UNCOUNTED: Final = ("/static/", "/health", "/metrics", "/favicon.ico")
"""What a page loads besides, and what watches us: paths begin so."""


class Limiter:
    """
    An application that answers each account, or address where there is none, so often in a minute.

    Parameters
    ----------
    app
        What answers.
    per_minute
        Questions that are answered; more are a 429 that says when to ask again.
    """

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self._app, self._limit = app, RateLimitItemPerMinute(per_minute)
        self._asked = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse for now."""
        if scope["type"] != "http" or scope["path"].startswith(UNCOUNTED):
            await self._app(scope, receive, send)
            return
        account = scope.get("account")
        who = ("account", account.name) if account else ("address", str((scope.get("client") or ("?",))[0]))
        if self._asked.hit(self._limit, *who):
            await self._app(scope, receive, send)
            return
        wait = max(1, math.ceil(self._asked.get_window_stats(self._limit, *who).reset_time - time.time()))
        problem = f"{self._limit.amount} questions a minute are answered: ask again in {wait} s, or for more at once"
        answer = answer_problem(429, "Too many questions", problem)
        answer.headers["Retry-After"] = str(wait)
        await answer(scope, receive, send)


def limited(app: ASGIApp, settings: Settings) -> ASGIApp:
    """
    Let nobody keep others waiting, where there are others.

    Parameters
    ----------
    app
        What answers.
    settings
        How often, and how people reach the page.
    """
    is_shared = settings.page.login != "none" or not is_local(settings)
    return Limiter(app, settings.page.requests_per_minute) if is_shared else app
