"""The faults of a plan in an ASGI application under uvicorn."""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.services.faults import Rule
from simulators.services.faulty import STEP_SECONDS, Answer, Faulty, spoil

TRANSPORT_KEY = "standin.transport"
"""Where the server puts the connection into the scope: ASGI itself has no way to cut it."""


class FaultyAsgi(Faulty[ASGIApp]):
    """An ASGI application whose answers a plan spoils."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        rule = None
        if scope["type"] == "http":
            rule = self._plan.due(self._service, scope["method"], scope["path"])
        if rule is None:
            await self._app(scope, receive, send)
            return
        connection: asyncio.Transport = scope[TRANSPORT_KEY]
        real = await self._work(scope, receive, rule)
        if rule.fault == "timeout":
            await self._wait(rule.wait_seconds, connection)
        answer = spoil(rule, self._service, real)
        if answer is not None:
            await _start(answer, send)
            await self._send_body(rule, answer.body, connection, send)
        if answer is None or rule.fault == "cut":
            await _cut(connection, receive)

    async def _work(self, scope: Scope, receive: Receive, rule: Rule) -> Answer | None:
        """Let the application answer, and keep it; or only read what was sent."""
        if not rule.does_work:
            while (await receive()).get("more_body"):
                pass
            return None
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


async def _start(answer: Answer, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.sized_headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _cut(connection: asyncio.Transport, receive: Receive) -> None:
    """Close the connection after what was written, and see it closed: uvicorn would answer 500 instead."""
    connection.close()
    while (await receive())["type"] != "http.disconnect":
        pass
