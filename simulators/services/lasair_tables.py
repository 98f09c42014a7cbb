"""What a stand-in for a Lasair answers beside light curves: SQL over its objects, Sherlock, streams, annotations."""

import json
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from tides_bridge.errors import MalformedAlert

Row = dict[str, Any]

MJD_OF_UNIX = 40587.0
"""[d] MJD of 1970-01-01."""

MOST_ROWS = 1000
"""That one query answers if no number is asked for (the package lasair)."""


def rows_of_query(objects: Sequence[Row], fields: Mapping[str, str]) -> list[Row]:
    """
    Answer ``query/``: SQL over the table ``objects``.

    Parameters
    ----------
    objects
        Its rows, all with the same columns.
    fields
        Of the call: selected, tables, conditions, limit and offset.

    Raises
    ------
    MalformedAlert
        If it is no SQL, or asks for what is not there.
    """
    if not objects:
        return []
    columns = ", ".join(objects[0])
    limits = f"LIMIT {int(fields.get('limit') or MOST_ROWS)} OFFSET {int(fields.get('offset') or 0)}"
    where = f"WHERE {fields['conditions']}" if fields.get("conditions", "").strip() else ""
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        database.create_function("mjdnow", 0, lambda: time.time() / 86400 + MJD_OF_UNIX)
        database.create_function("jdnow", 0, lambda: time.time() / 86400 + MJD_OF_UNIX + 2400000.5)
        database.execute(f"CREATE TABLE objects ({columns})")
        marks = ", ".join(f":{name}" for name in objects[0])
        database.executemany(f"INSERT INTO objects VALUES ({marks})", objects)  # noqa: S608  in memory, as Lasair's is
        try:
            found = database.execute(f"SELECT {fields['selected']} FROM {fields['tables']} {where} {limits}")  # noqa: S608
            return [dict(row) for row in found]
        except (sqlite3.Error, KeyError) as problem:
            raise MalformedAlert("query", f"Your query: {problem}") from None


def topics_like(topics: Iterable[str], pattern: str) -> list[Row]:
    """Answer ``streams/``: those whose name has a pattern in it; raises MalformedAlert if it is none."""
    try:
        wanted = re.compile(pattern)
    except re.error as problem:
        raise MalformedAlert("streams", f"regex is none: {problem}") from None
    return [{"topic": topic, "more_info": ""} for topic in topics if wanted.search(topic)]


def sherlock_of(names: Iterable[str], classes: Mapping[str, str]) -> Row:
    """Answer ``sherlock/``: a class for each object; there are no catalogues to match with."""
    known = {name: [classes.get(name, "ORPHAN"), "from the stand-in"] for name in names}
    return {"classifications": known, "crossmatches": []}


def given_annotations(fields: Mapping[str, str]) -> list[Row]:
    """
    Read what ``annotate/`` or ``annotatelist/`` is given.

    Raises
    ------
    MalformedAlert
        If one lacks its object, topic or classification.
    """
    listed = json.loads(fields["annotations"]) if "annotations" in fields else [dict(fields)]
    for annotation in listed:
        for key in ("objectId", "topic", "classification"):
            if not annotation.get(key):
                raise MalformedAlert("annotate", f"{key}: This field is required.")
    return listed
