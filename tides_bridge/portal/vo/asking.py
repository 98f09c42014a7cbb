"""What a question to the services says: its parameters, the format it wants, and how many rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from tides_bridge.console import is_storable
from tides_bridge.portal.vo.adql import query_error
from tides_bridge.portal.vo.queries import QueryAnswer
from tides_bridge.portal.vo.votable import separated, votable

DEFAULT_ROWS: Final = 100_000
"""Of an answer where nothing is said of it."""

MOST_ROWS: Final = 5_000_000
"""Of an answer, whatever is said."""

LARGEST_BODY: Final = 200_000
"""[bytes] Of a question."""

Parameters = Mapping[str, str]
"""Names in capital letters; of one that comes twice the last value."""

Writer = Callable[[QueryAnswer], Iterator[bytes]]


@dataclass(frozen=True)
class AnswerFormat:
    """
    How an answer is written.

    Parameters
    ----------
    mime
        Its type.
    names
        By which it is asked for, beside its type.
    write
        Writes it.
    ivo_id
        By which the Virtual Observatory knows it; empty if it does not.
    """

    mime: str
    names: tuple[str, ...]
    write: Writer
    ivo_id: str = ""


VOTABLE: Final = "application/x-votable+xml"
_STANDARD: Final = "ivo://ivoa.net/std/TAPRegExt#output-votable-"
FORMATS: Final = (
    AnswerFormat(VOTABLE, ("votable", "text/xml", "application/xml"), votable),
    AnswerFormat(f"{VOTABLE};serialization=binary2", ("votable/b2",), votable, f"{_STANDARD}binary2"),
    AnswerFormat(
        f"{VOTABLE};serialization=tabledata", ("votable/td",), partial(votable, is_binary=False), f"{_STANDARD}td"
    ),
    AnswerFormat("text/csv;header=present", ("csv", "text/csv"), separated),
    AnswerFormat("text/tab-separated-values", ("tsv",), partial(separated, dialect="excel-tab")),
)
"""The first is the default."""


async def asked_parameters(request: Request) -> Parameters:
    """
    Read the parameters of a question, from its address and its body.

    Raises
    ------
    RejectedError
        If its body is no form, or too large.
    """
    found = parse_qsl(str(request.url.query), keep_blank_values=True)
    if request.method == "POST":
        body = await _body(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if body and kind != "application/x-www-form-urlencoded":
            raise query_error(f"a form is wanted (x-www-form-urlencoded), not {kind[:60]}: no tables are taken")
        found += parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    for name, value in found:
        if not is_storable(name + value):
            raise query_error(f"{name[:30]!r} holds a character that no text can")
    return {name.upper(): value for name, value in found}


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise query_error(f"a question may have {LARGEST_BODY} bytes")
    return body


def query_of(parameters: Parameters) -> str:
    """
    Give the ADQL of a question.

    Raises
    ------
    RejectedError
        If there is none, or it is in another language, or tables are to be taken.
    """
    language = parameters.get("LANG", "ADQL").upper()
    if not (language == "ADQL" or language.startswith("ADQL-2")):
        raise query_error(f"LANG is ADQL, and {language[:30]} is not spoken")
    if parameters.get("REQUEST", "doQuery").lower() != "doquery":
        raise query_error("REQUEST is doQuery")
    if parameters.get("UPLOAD"):
        raise query_error("no tables are taken: UPLOAD is not possible")
    if not parameters.get("QUERY", "").strip():
        raise query_error("QUERY is missing")
    return parameters["QUERY"]


def most_rows(parameters: Parameters) -> int:
    """
    Give how many rows are wanted at most.

    >>> most_rows({}), most_rows({"MAXREC": "10"}), most_rows({"MAXREC": "999999999"})
    (100000, 10, 5000000)
    """
    written = parameters.get("MAXREC", "").strip() or str(DEFAULT_ROWS)
    if not (written.isascii() and written.isdigit()) or len(written) > 30:
        raise query_error(f"MAXREC is a number, and not {written[:30]}")
    return min(int(written), MOST_ROWS)


def format_of(parameters: Parameters) -> AnswerFormat:
    """
    Give the format that is wanted.

    >>> format_of({}).mime, format_of({"FORMAT": "csv"}).mime
    ('application/x-votable+xml', 'text/csv;header=present')
    """
    wanted = (parameters.get("RESPONSEFORMAT") or parameters.get("FORMAT") or FORMATS[0].mime).strip()
    plain = wanted.replace(" ", "").lower()
    for kind in FORMATS:
        if plain in (kind.mime, *kind.names):
            return kind
    raise query_error(f"no answer can be {wanted[:60]}: {', '.join(kind.names[0] for kind in FORMATS)}")
