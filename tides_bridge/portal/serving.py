"""
Connections to the page, each with an end.

The server below ends one that is quiet between two questions. It would wait for ever for the rest of a question, which
is how a few hundred sockets of anybody take all that this process may open.
"""

import asyncio
import socket
from typing import Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from tides_bridge.portal.guard import HEADERS

QUESTION_SECONDS: Final = 15.0
"""[s] A question may take so long to arrive, its head and its body; a browser's is one packet."""

ANSWER_SECONDS: Final = 120.0
"""[s] An answer may take so long to be made and to be read: a light curve over a mobile phone."""

STOP_SECONDS: Final = 5
"""[s] What is being answered when the page is stopped may take so long."""


class BoundedProtocol(H11Protocol):
    """A connection that is closed when a question or its answer takes too long."""

    question_seconds = QUESTION_SECONDS
    answer_seconds = ANSWER_SECONDS
    _end: asyncio.TimerHandle | None = None
    _is_answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for the first question."""
        super().connection_made(transport)
        self._end_after(self.question_seconds)

    def data_received(self, data: bytes) -> None:
        """Take a part of a question: only its last one lets us wait for the answer."""
        super().data_received(data)
        if self._is_under_way() and not self._is_answering:
            self._is_answering = True
            self._end_after(self.answer_seconds)

    def on_response_complete(self) -> None:
        """Wait for the next question, or answer one that came already."""
        super().on_response_complete()
        self._is_answering = self._is_under_way()
        is_unread = self.transport.get_write_buffer_size() > 0
        self._end_after(self.answer_seconds if self._is_answering or is_unread else self.question_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._end:
            self._end.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no question, with the headers of all answers; amid an answer nothing can be said any more."""
        if self.conn.our_state is not h11.IDLE:
            self.transport.abort()
            return
        content = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
        head = h11.Response(status_code=400, headers=[*(HEADERS | content).items()], reason=b"Bad Request")
        for event in (head, h11.Data(data=f"{msg}\n".encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _end_after(self, seconds: float) -> None:
        if self._end:
            self._end.cancel()
        # Not closed in order: whoever does not read what we wrote would keep it open.
        self._end = self.loop.call_later(seconds, self.transport.abort)


def server_of(app: ASGIApp, protocol: type[BoundedProtocol] = BoundedProtocol) -> uvicorn.Server:
    """
    Give the server of an application, to be run on a socket.

    Parameters
    ----------
    app
        Behind its guard.
    protocol
        Which says how long a question and an answer may take.
    """
    options = uvicorn.Config(
        app, http=protocol, ws="none", server_header=False, log_level="warning", timeout_graceful_shutdown=STOP_SECONDS
    )  # fmt: skip
    return uvicorn.Server(options)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """
    Serve an application until Ctrl-C or SIGTERM, which uvicorn repeats when it has stopped.

    Parameters
    ----------
    app
        Behind its guard.
    listener
        Where, which listens already.
    """
    server_of(app).run(sockets=[listener])
