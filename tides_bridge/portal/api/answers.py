"""Answers to programs: JSON or Arrow, as they accept, with an ETag; errors as RFC 9457 has them."""

import hashlib
import io
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
import pyarrow as pa
from fastapi import Request
from fastapi.responses import Response

ARROW: Final = "application/vnd.apache.arrow.stream"
PROBLEM: Final = "application/problem+json"

UNWANTED: Final = re.compile(r"q=0(\.0*)?")
"""Of what is named only not to be given (RFC 9110, 12.4.2)."""


def answer_json(request: Request, values: Any) -> Response:
    """Answer in JSON; that nothing changed, if the caller has just this."""
    return tagged(request, orjson.dumps(values, default=simplified), "application/json")


def answer_arrow(request: Request, table: pa.Table, headers: Mapping[str, str]) -> Response:
    """Answer as a stream of Arrow, which says in headers what JSON says beside the rows."""
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return tagged(request, stream.getvalue(), ARROW, headers)


def tagged(request: Request, content: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with an ETag; without content, if that is what the caller has already (RFC 9110, 13.1.2)."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    common = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept"} | dict(headers or {})
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=common)
    return Response(content, media_type=media_type, headers=common)


def wants_arrow(request: Request) -> bool:
    """Tell whether a program accepts Arrow by name."""
    for accepted in request.headers.get("accept", "").lower().split(","):
        kind, *parameters = (part.strip() for part in accepted.split(";"))
        if kind == ARROW:
            return not any(UNWANTED.fullmatch(part) for part in parameters)
    return False


def simplified(value: Any) -> Any:
    """Give what orjson does not know as what it does: numbers of NumPy and PostgreSQL, sets of words."""
    if hasattr(value, "item"):
        return value.item()
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


def answer_problem(status: int, title: str, detail: str, **more: Any) -> Response:
    """
    Say an error to a program (RFC 9457).

    Parameters
    ----------
    status, title, detail
        Of HTTP; what kind of error, and what is wrong here.
    **more
        Further members, such as the ``parameter``.
    """
    values = {"type": "about:blank", "title": title, "status": status, "detail": detail} | more
    return Response(orjson.dumps(values), status, media_type=PROBLEM)
