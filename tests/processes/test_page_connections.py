"""Connections to the page over real sockets: each has an end, and an answer that is none has the headers of all."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tides_bridge.portal.guard import HEADERS, Guard
from tides_bridge.portal.serving import ANSWER_SECONDS, QUESTION_SECONDS, BoundedProtocol, server_of

PATIENCE = 60
"""[s] Far more than any of the ends below; a connection that is still open then never ends."""

QUESTION = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 50_000_000
"""[bytes] More than sockets hold between two programs."""


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    content = "x" * LARGE if scope["path"] == "/large" else "a"
    await PlainTextResponse(content)(scope, receive, send)


class Hasty(BoundedProtocol):
    question_seconds = answer_seconds = 0.2


class SlowToAsk(BoundedProtocol):
    answer_seconds = 0.2


@contextlib.contextmanager
def serving(protocol: type[BoundedProtocol]) -> Iterator[Callable[[], socket.socket]]:
    """Serve the application; give what opens a connection to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = server_of(Guard(application, ["localhost"]), protocol)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield lambda: socket.create_connection(listener.getsockname(), PATIENCE)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def connect() -> Iterator[Callable[[], socket.socket]]:
    with serving(Hasty) as connect:
        yield connect


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the other side closes; the time-out of the socket says that it never does."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            found += piece
    return found


HALVES = {
    "nothing": b"",
    "half a head": QUESTION[:20],
    "half a body": QUESTION[:-2] + b"Content-Length: 1000\r\n\r\nabc",
    "nothing more": QUESTION,
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
def test_a_connection_that_goes_quiet_is_closed(connect: Callable[[], socket.socket], sent: bytes) -> None:
    with connect() as connection:
        connection.sendall(sent)
        answer = read_to_end(connection)
    assert answer.count(b"200 OK") == (sent in (HALVES["half a body"], HALVES["nothing more"]))


@pytest.mark.parametrize("sent", [QUESTION[:-2], HALVES["half a body"]], ids=["head", "body"])
def test_a_question_that_drips_for_ever_is_cut(connect: Callable[[], socket.socket], sent: bytes) -> None:
    end = time.monotonic() + PATIENCE
    with connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(sent)
        connection.settimeout(0.02)
        while time.monotonic() < end:
            connection.sendall(b"X" if sent.startswith(HALVES["half a body"]) else b"X-A: b\r\n")
            with contextlib.suppress(TimeoutError):
                if not connection.recv(65536):
                    break
    assert time.monotonic() < end


def test_whoever_does_not_read_is_cut() -> None:
    with serving(SlowToAsk) as connect, connect() as lazy, connect() as other:
        lazy.sendall(QUESTION.replace(b"/a", b"/large"))
        other.sendall(QUESTION)
        assert b"200 OK" in other.recv(65536)
        with contextlib.suppress(ConnectionError):
            while True:  # it reads nothing, and sees by this alone that the other side has gone
                lazy.sendall(b"X" * 65536)
        assert len(read_to_end(lazy)) < LARGE


def test_questions_in_time_are_answered_one_after_another(connect: Callable[[], socket.socket]) -> None:
    with connect() as connection:
        connection.sendall(QUESTION * 5)
        assert read_to_end(connection).count(b"200 OK") == 5


BROKEN = {
    "words": b"what is this\r\n\r\n",
    "no host": b"GET /a HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /a HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.org\r\n\r\n",
    "a foreign host": b"GET /a HTTP/1.1\r\nHost: evil.example.org\r\nConnection: close\r\n\r\n",
    "a head without end": b"GET /a HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"b" * 100_000,
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
def test_what_is_no_question_is_refused_with_all_headers(connect: Callable[[], socket.socket], sent: bytes) -> None:
    with connect() as connection:
        connection.sendall(sent)
        answer = read_to_end(connection).decode()
    assert answer.startswith("HTTP/1.1 400 Bad Request\r\n")
    assert all(f"{name.lower()}: {value}" in answer.replace(name, name.lower()) for name, value in HEADERS.items())


def test_rubbish_amid_an_answer_ends_the_connection(connect: Callable[[], socket.socket]) -> None:
    with connect() as connection:
        connection.sendall(QUESTION[:-2] + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n")
        assert b"400" not in read_to_end(connection)
    with connect() as connection:
        connection.sendall(QUESTION)
        assert b"200 OK" in connection.recv(65536)


def test_people_have_time_enough() -> None:
    assert BoundedProtocol.question_seconds == QUESTION_SECONDS >= 10
    assert BoundedProtocol.answer_seconds == ANSWER_SECONDS >= 60
