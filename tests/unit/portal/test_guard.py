"""What stands before the page: hosts, paths and headers, without a server."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Message

from tides_bridge.portal.guard import HEADERS, Guard, guarded
from tides_bridge.settings import Settings, page_address, page_hosts

COMMON: dict[str, Any] = {"topic": "t", "groupID": 1, "selectFunction": "f"}


def make_app() -> FastAPI:
    app = FastAPI()

    def fail() -> None:
        raise ZeroDivisionError

    app.add_api_route("/names/{name}", lambda name: {"name": name}, methods=["GET"])
    app.add_api_route("/fails", fail, methods=["GET"])
    return app


def ask(
    app: ASGIApp, path: str, host: str | None = "localhost", method: str = "GET", **more: str
) -> tuple[int, dict[str, str]]:
    """Ask an application as the server does; give the status and the headers of its answer."""
    answers: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        answers.append(message)

    head = [] if host is None else [(b"host", host.encode("latin-1"))]
    head += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": b"/", "query_string": b"", "root_path": "", "headers": head,
        "server": ("127.0.0.1", 4280), "client": ("127.0.0.1", 1), "state": {},
    }  # fmt: skip
    try:
        asyncio.run(app(scope, receive, send))
    except ZeroDivisionError:
        assert answers[0]["status"] == 500
    return answers[0]["status"], {name.decode(): value.decode() for name, value in answers[0]["headers"]}


@pytest.fixture
def app() -> Guard:
    return guarded(make_app(), Settings(**COMMON))


def has_all(headers: Iterable[str]) -> bool:
    return {name.lower() for name in HEADERS} <= {*headers}


@pytest.mark.parametrize(
    ("path", "host", "method", "status"),
    [
        ("/names/ZTF18a", "localhost", "GET", 200),
        ("/names/Ångström \n", "localhost", "GET", 200),
        ("/nothing", "localhost", "GET", 404),
        ("/names/ZTF\x00", "localhost", "GET", 404),
        ("/names/ZTF\ud800", "localhost", "GET", 404),
        ("/names/ZTF18a", "localhost", "POST", 405),
        ("/names/ZTF18a", "evil.example.org", "GET", 400),
        ("/names/ZTF\x00", "evil.example.org", "POST", 400),
        ("/fails", "localhost", "GET", 500),
    ],
)
def test_every_answer_has_the_headers(app: Guard, path: str, host: str, method: str, status: int) -> None:
    found, headers = ask(app, path, host, method)
    assert (found, has_all(headers)) == (status, True)


RIGHT = ("localhost", "LOCALHOST:4280", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:4280")
WRONG = (
    "evil.example.org", "evil.example.org:4280", "localhost.evil.org", "localhost:4280.evil.org", "10.0.0.7", "[::2]",
    "localhost@evil.org", "evil.org/localhost", "[::1", "::1", "localhost:x", "localhost localhost", "", "0x7f000001",
    None,
)  # fmt: skip


@pytest.mark.parametrize("host", RIGHT)
def test_a_host_of_this_machine_is_right(app: Guard, host: str) -> None:
    assert ask(app, "/names/a", host)[0] == 200


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"content_length": "0"}, 200), ({"content_length": "10000000"}, 200), ({"content_length": "10000001"}, 413),
        ({"content_length": "9" * 5000}, 413), ({"transfer_encoding": "chunked"}, 411),
    ],
)  # fmt: skip
def test_nobody_sends_without_end(app: Guard, more: dict[str, str], status: int) -> None:
    assert ask(app, "/names/a", **more)[0] == status


@pytest.mark.parametrize("host", WRONG)
def test_a_host_that_is_not_ours_is_refused(app: Guard, host: str | None) -> None:
    assert ask(app, "/names/a", host)[0] == 400


def test_hosts_of_the_settings_are_right_too() -> None:
    page = {"host": "tides-machine", "address": "https://Bridge.example.org/tides"}
    app = guarded(make_app(), Settings(**COMMON, page=page))
    hosts = (*RIGHT, "tides-machine:4280", "bridge.example.org", "BRIDGE.example.org:443")
    assert {ask(app, "/names/a", host)[0] for host in hosts} == {200}
    assert {ask(app, "/names/a", host)[0] for host in WRONG} == {400}


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
def test_at_all_addresses_every_number_is_right_and_no_other_name(everywhere: str) -> None:
    app = guarded(make_app(), Settings(**COMMON, page={"host": everywhere, "address": "http://tides.example.org"}))
    assert {ask(app, "/names/a", host)[0] for host in (*RIGHT, "10.0.0.7:4280", "[fe80::1]", "tides.example.org")} == {
        200
    }
    assert {ask(app, "/names/a", host)[0] for host in ("evil.example.org", "10.0.0.7.evil.org", "", None)} == {400}


def test_the_address_of_a_page_at_a_number_with_colons() -> None:
    settings = Settings(**COMMON, page={"host": "fe80::1", "port": 4281})
    assert page_address(settings) == "http://[fe80::1]:4281"
    assert page_hosts(settings) == page_hosts(Settings(**COMMON)) | {"fe80::1"}
