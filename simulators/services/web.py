"""A web server in a thread of this process, for all stand-ins that speak HTTP."""

import asyncio
import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from simulators.services.faults import FaultPlan, Service
from simulators.services.faulty import TRANSPORT_KEY, FaultyService
from tides_bridge.errors import BrokerUnavailable

START_SECONDS = 10.0
"""Longest wait for the server to accept connections; it takes some 0.1 s."""
STOP_SECONDS = 5.0
"""Longest wait for calls under way when it stops."""
KEEP_SECONDS = 120
"""How long a connection stays open between two calls: a server that closes it sooner meets calls on their way."""
HEADER_BYTES = 2**18
"""Longest line of a request: a list of rows may be chosen by many names."""


def still_free(port: int) -> int:
    """Give a port of 127.0.0.1 that was used before, or 0, which is any, if somebody else has it now."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return 0
    return port


class _Protocol(H11Protocol):
    """Tells the application its connection, so that a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT_KEY] = transport
            await inner(scope, receive, send)

        self.app = app


class WebServer:
    """
    Serves an application between `start`, which takes a port of 127.0.0.1, or `serve`, and `stop`.

    Parameters
    ----------
    app
        What answers.
    service
        Which stand-in it is.
    faults
        Which calls go wrong.

    Attributes
    ----------
    address
        Such as ``http://127.0.0.1:PORT``, or empty before the start.
    """

    def __init__(self, app: ASGIApp, service: Service, faults: FaultPlan) -> None:
        self._stopping = threading.Event()
        self._app = FaultyService(app, faults, service, self._stopping)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.address = ""

    def start(self, port: int = 0) -> None:
        """Start to answer, at this port if it is free, or raise BrokerUnavailable."""
        self.serve(socket.create_server(("127.0.0.1", still_free(port))))

    def serve(self, listener: socket.socket) -> None:
        """Start to answer at a socket that listens, or raise BrokerUnavailable."""
        self._stopping.clear()
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else an answer in two parts takes 40 ms
        config = uvicorn.Config(
            self._app, http=_Protocol, ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
            timeout_keep_alive=KEEP_SECONDS, timeout_graceful_shutdown=int(STOP_SECONDS),
            h11_max_incomplete_event_size=HEADER_BYTES,
        )  # fmt: skip
        server = uvicorn.Server(config)
        self._server = server
        self._thread = threading.Thread(target=server.run, args=([listener],), daemon=True, name="stand-in web server")
        self._thread.start()
        self.address = "http://{}:{}".format(*listener.getsockname())
        limit = time.monotonic() + START_SECONDS
        while not server.started:
            if time.monotonic() > limit or not self._thread.is_alive():
                self.stop()
                raise BrokerUnavailable(self.address, "the stand-in's web server did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """Finish the calls under way, without more waits of faults, and close the port; a second call does nothing."""
        if self._server is None or self._thread is None:
            return
        self._stopping.set()
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS + 1)
        self._server = self._thread = None
