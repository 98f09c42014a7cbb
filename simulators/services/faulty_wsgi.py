"""The faults of a plan in a WSGI application under waitress."""

import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress.channel import ClientDisconnected

from simulators.services.faults import HANDLE_HEADER, Rule
from simulators.services.faulty import STEP_SECONDS, Answer, Faulty, spoil

HANDLE_KEY = "HTTP_" + HANDLE_HEADER.upper().replace("-", "_")
GONE_KEY = "waitress.client_disconnected"
"""There with ``channel_request_lookahead``; lets a wait end, and its thread serve others, when nobody listens."""


class FaultyWsgi(Faulty[WSGIApplication]):
    """
    A WSGI application whose answers a plan spoils.

    A connection is cut by what waitress raises itself when a client is gone: it sends what was written, closes, and
    neither answers nor logs more.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        rule = None
        if HANDLE_KEY not in environ:
            rule = self._plan.due(self._service, environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if rule is None:
            return self._app(environ, start_response)
        real = self._work(environ) if rule.does_work else None
        if rule.fault == "timeout":
            self._wait(rule.wait_seconds, environ)
        answer = spoil(rule, self._service, real)
        if answer is None:
            raise ClientDisconnected
        start_response(_status_line(answer.status), answer.sized_headers)
        return self._pieces(rule, answer.body, environ)

    def _work(self, environ: WSGIEnvironment) -> Answer:
        """Let the application answer, and keep it."""
        heads: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[..., object]:
            heads.append((status, headers))
            return lambda _data: None

        pieces = self._app(environ, start_response)
        try:
            body = b"".join(pieces)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        status, headers = heads[-1]
        return Answer(int(status.split()[0]), tuple(headers), body)

    def _pieces(self, rule: Rule, body: bytes, environ: WSGIEnvironment) -> Iterator[bytes]:
        """Give the body as the rule wants it sent; waitress sends each piece at once."""
        if rule.fault == "cut":
            yield body[: len(body) // 2]
            raise ClientDisconnected
        if rule.fault != "drip":
            yield body
            return
        for index in range(len(body)):
            if index:
                self._wait(rule.wait_seconds, environ)
            yield body[index : index + 1]

    def _wait(self, seconds: float, environ: WSGIEnvironment) -> None:
        """Wait, but no longer than the client does and the server runs."""
        is_gone = environ.get(GONE_KEY, bool)
        end = time.monotonic() + seconds
        while not is_gone() and (left := end - time.monotonic()) > 0:
            if self._stopping.wait(min(left, STEP_SECONDS)):
                return


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Fault"
