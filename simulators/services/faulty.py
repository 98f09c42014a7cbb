"""
The faults of a plan in a web service, which is an ASGI application under uvicorn.

What a stand-in's own handle asks, which a header tells, is answered past all faults.
"""

import asyncio
import json
import threading
import time
from dataclasses import dataclass, replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.services.faults import HANDLE_HEADER, FaultPlan, Rule, Service
from simulators.services.lies import ELSEWHERE, LIES, STRANGE, first_half, lied

WORDS = "a fault of the plan"
"""What a made-up answer says."""
HTML = f"<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body><h1>{WORDS}</h1></body></html>\n"
ERROR_KEYS: dict[Service, str] = {"fourmost": "err", "lasair": "message"}
"""Where a service says what is wrong."""
STEP_SECONDS = 0.05
"""How often a wait looks whether it should go on."""

HANDLE_NAME = HANDLE_HEADER.lower().encode()
"""As it stands in the scope."""
TRANSPORT_KEY = "standin.transport"
"""Where the server puts the connection into the scope: ASGI itself has no way to cut it."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: Headers
    body: bytes

    @property
    def sized_headers(self) -> list[tuple[str, str]]:
        """The headers with the length of the whole body, and no other length."""
        kept = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
        return [*kept, ("Content-Length", str(len(self.body)))] if self.body else kept


class FaultyService:
    """
    Answers for an application what a plan says, and else lets it answer.

    Parameters
    ----------
    app
        The application.
    plan
        What goes wrong.
    service
        Which stand-in this is.
    stopping
        Set when the server stops: no wait goes on then.
    """

    def __init__(self, app: ASGIApp, plan: FaultPlan, service: Service, stopping: threading.Event) -> None:
        self._app, self._plan, self._service, self._stopping = app, plan, service, stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        rule = None
        if scope["type"] == "http" and not any(name == HANDLE_NAME for name, _ in scope["headers"]):
            rule = self._plan.due(self._service, scope["method"], scope["path"])
        if rule is None:
            await self._app(scope, receive, send)
            return
        connection: asyncio.Transport = scope[TRANSPORT_KEY]
        real = await self._work(scope, receive, rule)
        if rule.fault == "timeout":
            await self._wait(rule.wait_seconds, connection)
        answer = spoil(rule, self._service, real, _address(scope))
        if answer is not None:
            await start_answer(answer, send)
            await self._send_body(rule, answer.body, connection, send)
        if answer is None or rule.fault == "cut":
            await _cut(connection, receive)

    async def _work(self, scope: Scope, receive: Receive, rule: Rule) -> Answer | None:
        """Let the application answer, and keep it; or only read what was sent."""
        if not rule.does_work:
            await _body_of(receive)
            return None
        if rule.fault == "unchanged":
            await _body_of(receive)
            scope, receive = {**scope, "method": "GET"}, _of_body(b"")
        if rule.fault == "partial":
            scope, receive = await _halved(scope, receive)
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, keep)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in sent[0]["headers"])
        return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))

    async def _send_body(self, rule: Rule, body: bytes, connection: asyncio.Transport, send: Send) -> None:
        """Send the body as the rule wants it; uvicorn writes each piece at once."""
        if rule.fault == "cut":
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            return
        if rule.fault == "drip":
            for index in range(len(body)):
                await send({"type": "http.response.body", "body": body[index : index + 1], "more_body": True})
                await self._wait(rule.wait_seconds if index + 1 < len(body) else 0, connection)
            body = b""
        await send({"type": "http.response.body", "body": body})

    async def _wait(self, seconds: float, connection: asyncio.Transport) -> None:
        """Wait, but no longer than the client does and the server runs."""
        end = time.monotonic() + seconds
        while not self._stopping.is_set() and not connection.is_closing() and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, STEP_SECONDS))


async def _halved(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """Give a request with half of the list that was sent."""
    half = first_half(await _body_of(receive))
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    return {**scope, "headers": [*headers, (b"content-length", str(len(half)).encode())]}, _of_body(half)


async def _body_of(receive: Receive) -> bytes:
    """Read what was sent, to its end."""
    body, has_more = b"", True
    while has_more:
        message = await receive()
        body, has_more = body + message.get("body", b""), bool(message.get("more_body"))
    return body


def _of_body(body: bytes) -> Receive:
    """Give what an application receives of a request with a body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def start_answer(answer: Answer, send: Send) -> None:
    """Send all of an answer but its body."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.sized_headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _cut(connection: asyncio.Transport, receive: Receive) -> None:
    """Close the connection after what was written, and see it closed: uvicorn would answer 500 instead."""
    connection.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _address(scope: Scope) -> str:
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return f"{scope['scheme']}://{host}{scope['path']}?{scope['query_string'].decode('latin-1')}"


def spoil(rule: Rule, service: Service, real: Answer | None, address: str = "") -> Answer | None:
    """
    Give what is to be answered under a rule.

    Parameters
    ----------
    rule
        The one that is due.
    service
        Whose answer it is.
    real
        What the stand-in answered; None if it did no work.
    address
        That was asked.

    Returns
    -------
    Answer or None
        None is no answer at all: the connection is closed.
    """
    made_up = _made_up(rule, service)
    if rule.fault == "cut" and real is None:
        made_up = _json([{"id": 1, "name": WORDS}])
    if made_up or real is None:
        return made_up
    if rule.fault == "cut":
        return real if real.body else None
    if rule.fault in LIES:
        return replace(real, body=lied(rule.fault, real.body, address))
    return _without_last_row(real) if rule.fault == "missing_row" else real


def _made_up(rule: Rule, service: Service) -> Answer | None:
    """Give an answer in which nothing of the real one is."""
    if rule.fault == "status":
        wait = () if rule.retry_after is None else (("Retry-After", str(rule.retry_after)),)
        return _json({ERROR_KEYS[service]: WORDS}, rule.status or 500, wait)
    if rule.fault == "html":
        return Answer(200, (("Content-Type", "text/html; charset=utf-8"),), HTML.encode())
    if rule.fault == "redirect":
        return Answer(301, (("Location", ELSEWHERE),), b"")
    errors = {"err": (WORDS, 200), "partial": (WORDS, 400), "strange_err": (STRANGE, 400)}
    if rule.fault not in errors:
        return None
    words, status = errors[rule.fault]
    return _json({"err": words}, status)


def _json(content: object, status: int = 200, headers: Headers = ()) -> Answer:
    return Answer(status, (("Content-Type", "application/json"), *headers), json.dumps(content).encode())


def _without_last_row(answer: Answer) -> Answer:
    """Take the last row off a list, or off the ``results`` of a page, of two rows at least."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return answer
    rows = content.get("results") if isinstance(content, dict) else content
    if not isinstance(rows, list) or len(rows) < 2:
        return answer
    rows.pop()
    return replace(answer, body=json.dumps(content).encode())
