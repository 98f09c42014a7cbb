"""
A Prefect server that goes away while a flow is at work: it is waited for once, and then no more.

By itself Prefect waits a minute for each of the calls that a run has still to make, and shows a traceback for most of
them. Here the first call waits as long as Prefect's setting says, so that a server may be started again under a run; if
that is not enough, all later calls end at once with `PrefectUnavailable`, and events are sent no more: at its end a
process would wait 10 s for each of them.
"""

import asyncio
import functools
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
from prefect.events import Event
from prefect.events.worker import EventsWorker
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES

from tides_bridge.errors import PrefectUnavailable
from tides_bridge.settings import shown_address

AGAIN_SECONDS = 1.0
"""Between two tries to connect to a server that has been there."""
AWAY = frozenset({429, 502, 503, 504})
"""HTTP status of a server, or of what stands before it, that cannot answer now."""
LONGEST = 200
"""[characters] Of what a library says of an error, at most."""
SLOW = 3.0
"""So much longer than for one that cannot be reached is waited for a server that takes calls and answers none."""
BEGUN, TRIED = "bridge_begun", "bridge_tried"
"""Under which a request knows when it was sent first, and whether it was."""


class Outage:
    """
    Whether the server has gone away for good, as far as this process is concerned.

    Attributes
    ----------
    was_there
        Whether it has answered anything.
    error
        With which every call ends, once it is given up.
    """

    def __init__(self) -> None:
        self.was_there = False
        self.error: PrefectUnavailable | None = None
        self._is_told = False

    def check(self, request: httpx.Request) -> None:
        """Raise if the server is given up, or is to be given up now."""
        is_late = request.extensions.get(TRIED) and _age(request) > SLOW * patience()
        if self.error is None and is_late:
            self.give_up("does not answer in time")
        if self.error is not None:
            raise self.error from None

    def wait_or_raise(self, request: httpx.Request, error: Exception) -> None:
        """Raise unless a call is worth another try."""
        if isinstance(error, PrefectHTTPStatusError) and error.response.status_code not in AWAY:
            raise error
        if not self.was_there:  # that its address is wrong, say, is told at once
            raise error
        if not isinstance(error, httpx.ConnectError) or _age(request) + AGAIN_SECONDS > patience():
            self.give_up(in_short(error))
        self.check(request)

    def tell(self) -> None:
        """Say once that the server is waited for."""
        if self.was_there and not self._is_told:
            self._is_told = True
            print(f"tides: {shown_server()} is away: it is waited for up to {patience():.0f} s", file=sys.stderr)

    def give_up(self, problem: str) -> None:
        """End all calls from now on."""
        logging.raiseExceptions = False  # the logs that cannot be sent are in the terminal, too
        remedy = "start it again, then the next run goes on from here: what was stored stays"
        self.error = self.error or PrefectUnavailable(shown_server(), f"has gone away: {problem}", remedy)


_outage = Outage()


def patience() -> float:
    """Give how long a server is waited for [s]: as Prefect itself waits for a call, by PREFECT_CLIENT_MAX_RETRIES."""
    return float(2 ** (PREFECT_CLIENT_MAX_RETRIES.value() + 1) - 2)


def shown_server() -> str:
    """Name the server of this process."""
    address = PREFECT_API_URL.value()
    return f"Prefect server {shown_address(address.rstrip('/'))}" if address else "Prefect's own server"


def in_short(error: Exception) -> str:
    """Word an error of a library in one line."""
    return " ".join(str(error).split())[:LONGEST] or type(error).__name__


def _age(request: httpx.Request) -> float:
    return time.monotonic() - float(request.extensions[BEGUN])


def watch_prefect() -> None:
    """Give the server up in this process when it does not come back in time."""
    if not hasattr(PrefectHttpxSyncClient.send, "__wrapped__"):
        # The only place that all calls of all clients go through: Prefect makes these clients itself, anew each time.
        PrefectHttpxSyncClient.send = _watched(PrefectHttpxSyncClient.send)  # type: ignore[method-assign]
        PrefectHttpxAsyncClient.send = _watched_async(PrefectHttpxAsyncClient.send)  # type: ignore[method-assign, assignment]
        EventsWorker._handle = _unless_given_up(EventsWorker._handle)  # type: ignore[method-assign, assignment]


def _watched(send: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    @functools.wraps(send)
    def watched(self: httpx.Client, request: httpx.Request, *arguments: Any, **options: Any) -> httpx.Response:
        _prepare(self, request, _check_try)
        while True:
            try:
                _outage.check(request)
                response = send(self, request, *arguments, **options)
            except (httpx.TransportError, PrefectHTTPStatusError) as error:
                _outage.wait_or_raise(request, error)
                time.sleep(AGAIN_SECONDS)
            else:
                _outage.was_there = True
                return response

    return watched


def _watched_async(send: Callable[..., Awaitable[httpx.Response]]) -> Callable[..., Awaitable[httpx.Response]]:
    @functools.wraps(send)
    async def watched(
        self: httpx.AsyncClient, request: httpx.Request, *arguments: Any, **options: Any
    ) -> httpx.Response:
        _prepare(self, request, _check_try_async)
        while True:
            try:
                _outage.check(request)
                response = await send(self, request, *arguments, **options)
            except (httpx.TransportError, PrefectHTTPStatusError) as error:
                _outage.wait_or_raise(request, error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                _outage.was_there = True
                return response

    return watched


def _check_try(request: httpx.Request) -> None:
    _outage.check(request)
    if request.extensions.get(TRIED):
        _outage.tell()
    request.extensions[TRIED] = True


def _unless_given_up(handle: Callable[[EventsWorker, Event], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(handle)
    async def handled(self: EventsWorker, event: Event) -> None:
        if _outage.error is None:
            await handle(self, event)

    return handled


async def _check_try_async(request: httpx.Request) -> None:
    _check_try(request)


def _prepare(client: httpx.Client | httpx.AsyncClient, request: httpx.Request, check: Callable[..., Any]) -> None:
    """Let a request know when its time is over, and a client look at that before each try, which Prefect repeats."""
    request.extensions.setdefault(BEGUN, time.monotonic())
    hooks = client.event_hooks
    if check not in hooks["request"]:
        client.event_hooks = {**hooks, "request": [*hooks["request"], check]}
