"""Errors as sentences for people: which row, which column, which value, what is allowed."""

from typing import Any

MAX_ROWS_NAMED = 10
"""Bad rows that the answer to a bulk call describes; the others are counted."""


def to_sentence(detail: Any) -> str:
    """
    Flatten the errors of Django REST framework.

    Examples
    --------
    >>> to_sentence({"dec": ["41.0 is too far north"], "ra": ["required"]})
    'dec: 41.0 is too far north; ra: required'
    """
    if isinstance(detail, dict):
        unnamed = ("detail", "non_field_errors")
        return "; ".join((f"{key}: " if key not in unnamed else "") + to_sentence(part) for key, part in detail.items())
    return "; ".join(map(to_sentence, detail)) if isinstance(detail, list) else str(detail)


def describe_rows(errors: dict[Any, Any], rows: list[Any]) -> str:
    """
    Describe the bad rows of a bulk call, counted from 1, with their names.

    Parameters
    ----------
    errors
        The errors of each bad row, by its index from 0.
    rows
        The rows as they were sent.

    Examples
    --------
    >>> describe_rows({1: {"mag": ["56.0 is outside 3 ... 50"]}}, [{"name": "a"}, {"name": "b"}])
    'row 2 (b): mag: 56.0 is outside 3 ... 50'
    """
    texts = [f"row {index + 1} ({_name(rows[index])}): {to_sentence(error)}" for index, error in errors.items()]
    more = [f"and {len(texts) - MAX_ROWS_NAMED} more rows"] if len(texts) > MAX_ROWS_NAMED else []
    return "; ".join(texts[:MAX_ROWS_NAMED] + more)


def _name(row: Any) -> str:
    name = str(row.get("name", "no name")) if isinstance(row, dict) else "no dict"
    return name[:60].encode(errors="backslashreplace").decode()  # half a character cannot be sent back
