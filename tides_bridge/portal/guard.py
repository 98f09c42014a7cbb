"""
What stands before the page, whatever is asked: whose host it is, what a path may hold, the headers of every answer.

Errors have these headers, too: those of the framework and of the server below it, which never reach the page.
"""

import ipaddress
import re
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tides_bridge.console import is_storable
from tides_bridge.settings import Settings, page_hosts

HEADERS: Final = {
    "Content-Security-Policy": (
        # Bokeh sets styles of its own, and has the pictures of its buttons in them.
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer a browser would not say that a form comes from a page of ours.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""A browser runs and loads only what is ours, whatever a name in the tables may hold; no other page shows ours."""

HOST: Final = re.compile(r"(?:\[(?P<number>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:\[\]/@]+))(?::[0-9]*)?")
"""A host and perhaps a port (RFC 9110, 7.2)."""


LARGEST: Final = 10_000_000
"""[bytes] Of what is sent: 10,000 classes of a kB each. It is read before anybody knows who sends it."""


class Guard:
    """
    An application behind its guard.

    Parameters
    ----------
    app
        What answers whoever may ask.
    hosts
        As the header Host may name this page, in lower case and without ports. A page of somebody else can have a name
        of its own lead here, and let the browser of one of us ask under it (DNS rebinding): such a name is none of
        these. Where all addresses of a machine are one of them every number is right: none can lead elsewhere.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, frozenset(hosts)
        self._takes_numbers = any(is_number(host) and ipaddress.ip_address(host).is_unspecified for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            await (self._refusal(scope) or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if not self._is_ours(headers.get("host", "")):
            return PlainTextResponse("not a host of this page: page.address in the settings names one\n", 400)
        if not is_storable(scope["path"]):
            return PlainTextResponse("not found\n", 404)
        if "transfer-encoding" in headers:
            return PlainTextResponse("say how long it is: Content-Length\n", 411)
        if len(length := headers.get("content-length", "0")) > 8 or int(length) > LARGEST:
            return PlainTextResponse(f"{LARGEST} bytes may be sent at most\n", 413)
        return None

    def _is_ours(self, host: str) -> bool:
        name = without_port(host)
        return name in self._hosts or (self._takes_numbers and is_number(name))


def guarded(app: ASGIApp, settings: Settings) -> Guard:
    """
    Put an application behind its guard.

    Parameters
    ----------
    app
        The application.
    settings
        Which say under which hosts it is reached.
    """
    return Guard(app, page_hosts(settings))


def without_port(host: str) -> str:
    """
    Give the host in a header Host, empty if it is none.

    >>> without_port("LocalHost:4280"), without_port("[::1]:4280"), without_port("::1"), without_port("a:b")
    ('localhost', '::1', '', '')
    """
    match = HOST.fullmatch(host)
    return (match["number"] or match["name"]).lower() if match else ""


def is_number(host: str) -> bool:
    """
    Tell an address of the internet protocol from a name.

    >>> is_number("10.0.0.7"), is_number("fe80::1"), is_number("example.org")
    (True, True, False)
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
