"""Loci of ANTARES: BSON, compressed with zlib."""

import zlib
from typing import Any

import bson

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.framing import inflated


def locus_in(body: bytes) -> dict[str, Any]:
    """
    Unpack a message; the old shape ``{data: {id, attributes}}`` is given as the new one.

    Raises
    ------
    MalformedAlert
        If it is broken, too large, or not what it should be.
    """
    try:
        content = inflated(body)
    except zlib.error as problem:
        raise MalformedAlert("message", f"is not compressed with zlib, or broken: {problem}") from None
    try:
        locus: dict[str, Any] = bson.decode(content)
    except (bson.errors.BSONError, ValueError, OverflowError, RecursionError) as problem:
        raise MalformedAlert("message", f"is no BSON: {in_one_line(problem)}") from None
    old = locus.get("data")
    if isinstance(old, dict) and isinstance(old.get("attributes"), dict):
        return {**old["attributes"], "id": old.get("id")}
    return locus
