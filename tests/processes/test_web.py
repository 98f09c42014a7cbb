"""Answers that drip or break off, over a real socket: only a whole answer is one."""

import contextlib
import gzip
import socket
import threading
from collections.abc import Iterable, Iterator

import pytest
import requests

from tides_bridge import web
from tides_bridge.web import ask, problem_of

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TIMEOUT = 0.2
"""[s] Of every call here, as these servers answer at once or never."""


@contextlib.contextmanager
def server(pieces: Iterable[bytes], pause: float = 0.0, *, is_open: bool = False) -> Iterator[str]:
    """Answer one call with pieces, then cut the connection, or leave it open; give the address."""
    done = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):  # the client may have had enough
            connection.recv(65536)
            for piece in pieces:
                connection.sendall(piece)
                if done.wait(pause):
                    return
            if is_open:
                done.wait()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            done.set()
            thread.join()


def get(address: str) -> requests.Response:
    with requests.Session() as session:
        return ask(session, "GET", address, TIMEOUT)


def problem_with(pieces: Iterable[bytes], pause: float = 0.0, *, is_open: bool = False) -> str:
    """Say what is told of an answer that is none."""
    with server(pieces, pause, is_open=is_open) as address, pytest.raises(requests.RequestException) as error:
        get(address)
    kind = requests.Timeout if "time" in problem_of(error.value) else requests.ConnectionError
    assert isinstance(error.value, kind)
    return problem_of(error.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"Content-Length: 5\r\n\r\n[1.5]",
        b"Connection: close\r\n\r\n[1.5]",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n.5]\r\n0\r\n\r\n",
        b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"[1.5]"),
    ],
    ids=["length", "to the end", "chunks", "gzip"],
)
def test_a_whole_answer_is_read(answer: bytes) -> None:
    with server([HEAD + answer]) as address:
        response = get(address)
    assert (response.status_code, response.content, response.json(), response.text) == (200, b"[1.5]", [1.5], "[1.5]")


def test_an_answer_in_pieces_is_read() -> None:
    with server([HEAD, b"Content-Length: 5\r\n", b"\r\n[1", b".5]"], pause=0.01) as address:
        assert get(address).json() == [1.5]


def test_a_compressed_answer_in_pieces_is_read() -> None:
    body = gzip.compress(b"[1.5]")
    pieces = [body[start : start + 3] for start in range(0, len(body), 3)]
    with server([HEAD, b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n", *pieces], pause=0.01) as address:
        assert get(address).json() == [1.5]


def test_an_answer_that_is_not_compressed_as_it_says_is_none() -> None:
    answer = b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n[1.5]"
    with server([HEAD + answer]) as address, pytest.raises(requests.RequestException) as error:
        get(address)
    assert problem_of(error.value) == "failed: ContentDecodingError"


def test_an_empty_answer_is_one() -> None:
    with server([b"HTTP/1.1 204 No Content\r\n\r\n"]) as address:
        response = get(address)
    assert (response.status_code, response.content) == (204, b"")


def test_an_answer_that_drips_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PATIENCE", 1)
    drip = (b" " for _ in range(10_000))
    assert problem_with([HEAD + b"Content-Length: 10000\r\n\r\n", *drip], pause=0.01) == "did not answer in time"


@pytest.mark.parametrize("sent", [[], [HEAD], [HEAD + b"Content-Length: 5\r\n\r\n[1"]], ids=["nothing", "head", "half"])
def test_an_answer_that_stops_is_none(sent: list[bytes]) -> None:
    assert problem_with(sent, is_open=True) == "did not answer in time"


@pytest.mark.parametrize(
    "answer",
    [
        b"Content-Length: 5\r\n\r\n[1",
        b"Content-Length: 5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n.5",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n",
    ],
    ids=["half", "head only", "half a chunk", "no last chunk"],
)
def test_an_answer_that_is_cut_is_none(answer: bytes) -> None:
    assert problem_with([HEAD + answer]) == "broke off its answer"


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with pytest.raises(requests.ConnectionError) as error:
        get(address)
    assert problem_of(error.value) == "cannot be reached"


def test_what_was_sent_is_not_told() -> None:
    assert problem_of(requests.exceptions.InvalidHeader("Token secret")) == "failed: InvalidHeader"
