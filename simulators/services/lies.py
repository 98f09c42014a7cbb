"""
Lies of a service that works: answers that are well formed and not true, or no answer to what was asked.

Each was seen at services built as 4MOST's is. In a fault plan they stand as faults of their own.

================  ====================================================================================
``row_twice``     a list or page of two rows at least has its first row again in place of its last
``page_missing``  a page leads past the next one, whose rows no page has
``unchanged``     a PATCH is not carried out; the answer is 200 with the row as it is
``otherwise``     does the work; magnitudes in the answer are one magnitude fainter
``rounded``       does the work; positions in the answer have five decimals, magnitudes two
``id_null``       does the work; keys in the answer are null
``id_negative``   does the work; keys in the answer are negative
``id_text``       does the work; keys in the answer are text
``partial``       of a list to be created the first half is; the answer is 400
``redirect``      301 to another host
``next_again``    a page leads to itself
``strange_err``   400 with an error that has NUL, an escape sequence and half a character in it
``other_survey``  does the work; rows in the answer are of another survey
``other_case``    does the work; names in the answer are in upper case
================  ====================================================================================
"""

import json
from collections.abc import Callable
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

Lie = Literal[
    "row_twice", "page_missing", "unchanged", "otherwise", "rounded", "id_null", "id_negative", "id_text", "partial",
    "redirect", "next_again", "strange_err", "other_survey", "other_case",
]  # fmt: skip
LIES: tuple[Lie, ...] = get_args(Lie)

WITHOUT_WORK: tuple[Lie, ...] = ("redirect", "strange_err")
"""These do nothing of what they are asked."""

STRANGE = "name:\x00 \x1b[31mtoo long\x1b[0m \ud800"
ELSEWHERE = "http://127.0.0.1:9/elsewhere/"

Row = dict[str, Any]


def _rounded(row: Row) -> Row:
    digits = {"ra": 5, "dec": 5, "mag": 2}
    return row | {column: round(row[column], digits[column]) for column in digits if row.get(column) is not None}


ROWS: dict[str, Callable[[Row], Row]] = {
    "otherwise": lambda row: row | ({"mag": row["mag"] + 1} if row.get("mag") is not None else {}),
    "rounded": _rounded,
    "id_null": lambda row: row | {"id": None},
    "id_negative": lambda row: row | {"id": -row["id"]},
    "id_text": lambda row: row | {"id": f"row {row['id']}"},
    "other_survey": lambda row: row | {"uploadedfor_survey_id": row["uploadedfor_survey_id"] + 1},
    "other_case": lambda row: row | {"name": row["name"].upper()},
}
"""What becomes of each row of an answer."""


def lied(lie: Lie, body: bytes, address: str) -> bytes:
    """
    Give the body of an answer with a lie in it; what has no rows stays as it is.

    Parameters
    ----------
    lie
        One that changes the answer only.
    body
        The true one, JSON.
    address
        That was asked.
    """
    try:
        content = json.loads(body)
    except ValueError:
        return body
    is_page = isinstance(content, dict) and isinstance(content.get("results"), list)
    rows = content["results"] if is_page else content if isinstance(content, list) else [content]
    if not all(isinstance(row, dict) and "id" in row for row in rows):
        return body
    if lie == "next_again" and is_page:
        content["next"] = address
    if lie == "page_missing" and is_page and content.get("next"):
        content["next"] = _past_the_next(content["next"], len(rows))
    if lie == "row_twice" and len(rows) > 1:
        rows[-1] = rows[0]
    if lie in ROWS:
        rows[:] = [ROWS[lie](row) for row in rows]
        content = content if is_page or isinstance(content, list) else rows[0]
    return json.dumps(content).encode()


def _past_the_next(address: str, rows: int) -> str:
    """Lead a page further, as its rows are many."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query))
    query["offset"] = str(int(query.get("offset", 0)) + rows)
    return urlunsplit(parts._replace(query=urlencode(query)))


def first_half(body: bytes) -> bytes:
    """Give the first half of a list that was sent, rounded up; all of anything else."""
    try:
        content = json.loads(body)
    except ValueError:
        return body
    return json.dumps(content[: -(-len(content) // 2)]).encode() if isinstance(content, list) else body
