"""
Names that are free at 4MOST, and what another installation on our survey left there under ours.

Names at 4MOST are not unique: two installations (a laptop and production, a database that was lost or copied) give the
same names to other objects. So a name is looked up before a row is created; a row that this database never made is no
target of ours until a person says so with ``tides adopt``.
"""

import json
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tides_bridge.database import Database, run
from tides_bridge.errors import FourmostUnavailable
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.identity import is_of_same_program, is_ours, is_same_name, is_same_place

logger = logging.getLogger(__name__)

MOST_FOREIGN = 3
"""Rows of our survey under names of ours that may be met: a namesake happens, more are an installation."""

MEMORY_DAYS = 30
"""[d] So long exchanges remember whom they met: another installation may cross our names once in a while only."""

MOST_NAMES = 20
"""Names that are tried for one target."""

Row = dict[str, Any]


def with_free_names(
    database: Database, client: FourmostClient, rows: Sequence[Row], prefix: str
) -> tuple[list[Row], list[Row]]:
    """
    Give targets to be created names that nobody has at 4MOST: where one is taken, the next free one.

    A name with an earlier prefix is no name of ours any more where it is taken: whoever is told to change the prefix,
    as two bridges gave the same names, is not stopped by these again.

    Parameters
    ----------
    database
        Where names are counted.
    client
        Of the service, which is asked for each name.
    rows
        With the payload to send.
    prefix
        With which names begin.

    Returns
    -------
    (list of dict, list of dict)
        The rows to create, some with another name; and those that are there already, at the target's place, as one that
        was created and refused in the same breath.

    Raises
    ------
    FourmostUnavailable
        If more than `MOST_FOREIGN` rows of our survey and subsurvey have such names, with those of the exchanges of
        `MEMORY_DAYS` before: another installation made them.
    """
    free: list[Row] = []
    existing: list[Row] = []
    foreign = _met_lately(database, prefix)
    looking = list(rows)
    for _ in range(MOST_NAMES):
        taken: list[tuple[Row, Row, bool]] = []
        for row, namesakes in _looked_up(client, looking):
            if not namesakes:
                free.append(row)
                continue
            if asked := _asked_for(database, row, namesakes):
                existing.append({**row, "payload": asked})
                continue
            has_prefix = _parts(row["name"], prefix) is not None
            others = [found for found in namesakes if has_prefix and is_of_same_program(found, client.program)]
            foreign |= {found["id"]: found["name"] for found in others}
            if any(is_ours(found, row["payload"]) for found in namesakes):
                existing.append(row)
            else:
                taken.append((row, (others or namesakes)[0], bool(others)))
        # Before any is renamed: whoever stops here each time must not get to the end of the others' names at last.
        if len(foreign) > MOST_FOREIGN:
            break
        looking = [_renamed(database, row, namesake, is_foreign, prefix) for row, namesake, is_foreign in taken]
        if not looking:
            return free, existing
    shown = ", ".join(f"{name} ({key})" for key, name in list(foreign.items())[-MOST_FOREIGN:])
    raise FourmostUnavailable(
        "4MOST",
        f"has rows under our names that this database never made{', as ' if shown else ''}{shown}",
        "if this is the only bridge of its survey: tides adopt; else give each a targets.namePrefix of its own",
    )


def _met_lately(database: Database, prefix: str) -> dict[int, str]:
    """Give the names of rows of our survey that earlier exchanges met under ours, by key: see `MEMORY_DAYS`."""
    with database.transaction() as connection:
        met = run(connection, "fourmost/list_namesakes.sql", {"days": MEMORY_DAYS})
    return {row["id"]: row["name"] for row in met if _parts(row["name"], prefix)}


def _looked_up(client: FourmostClient, rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Give targets with the rows at 4MOST that have their names."""
    with ThreadPoolExecutor(client.connections) as pool:
        answers = list(pool.map(lambda row: client.rows(name=row["name"]), rows))
    return [
        (row, [found for found in answer if is_same_name(found["name"], row["name"])])
        for row, answer in zip(rows, answers, strict=True)
    ]


def _asked_for(database: Database, row: Row, namesakes: Sequence[Row]) -> Row | None:
    """
    Give what 4MOST was asked to create for a target, if a namesake lies there: that is ours, however it is shown now.

    An answer that was lost may have been looked up in vain, as what 4MOST showed then was not true either. Who was
    looked up so `MOST_NAMES` times is a stranger.
    """
    with database.transaction() as connection:
        asked = run(connection, "fourmost/list_asked.sql", {"tides_id": row["tides_id"], "name": row["name"]})
    at_place = [one["payload"] for one in asked if any(is_same_place(found, one["payload"]) for found in namesakes)]
    return at_place[0] if at_place and len(asked) < MOST_NAMES else None


def _renamed(database: Database, row: Row, namesake: Row, is_foreign: bool, prefix: str) -> Row:
    """Give a target that 4MOST never had the next name of its year; a namesake of our survey is remembered."""
    why = f"{row['name']} is the name of row {namesake['id']} at 4MOST, which is not ours"
    with database.transaction("names") as connection:
        parameters = {"tides_id": row["tides_id"], "prefix": prefix, "why": why, "namesake": None}
        if is_foreign:
            parameters["namesake"] = json.dumps({"id": namesake["id"], "name": namesake["name"]})
        renamed = run(connection, "fourmost/rename_target.sql", parameters)
    if not renamed:
        raise FourmostUnavailable("4MOST", f"has a row named {row['name']} that is not ours")
    name = renamed[0]["name"]
    logger.warning("name taken at 4MOST name=%s row=%d named=%s", row["name"], namesake["id"], name)
    return {**row, "name": name, "payload": {**row["payload"], "name": name}}


def _parts(name: str, prefix: str) -> re.Match[str] | None:
    """Give the year and the word of a name with a prefix, in whichever case; None if it is none."""
    return re.fullmatch(rf"{re.escape(prefix)}(\d\d)([a-z]{{3,10}})", name, re.IGNORECASE)


def used_numbers(names: Sequence[str], prefix: str) -> dict[str, int]:
    """
    Give the largest number of each year that names stand for, as ``tides_name`` in SQL writes them.

    >>> used_numbers(["TiDES26aab", "TiDES26aaaa", "TiDES27aaa", "other"], "TiDES")
    {'2026': 17577, '2027': 1}
    """
    used: dict[str, int] = {}
    for name in names:
        if found := _parts(name, prefix):
            year, word = f"20{found[1]}", found[2].lower()
            shorter = sum(26**letters for letters in range(3, len(word)))
            number = 0
            for letter in word:
                number = 26 * number + ord(letter) - ord("a")
            used[year] = max(used.get(year, 0), shorter + number + 1)
    return used
