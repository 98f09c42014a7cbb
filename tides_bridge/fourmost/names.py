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
from typing import Any, NamedTuple

from sqlalchemy import Connection

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
"""Names that are tried for one target, and times that one at its place is looked up as ours."""

MOST_LOOKS = 2
"""Times that a target is asked for and looked up under a name that others have, too, before it gets another name."""

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
        met = [_meeting(database, row, found, client.program, prefix) for row, found in _looked_up(client, looking)]
        free += [one.row for one in met if not one.strangers and not one.is_there]
        existing += [one.row for one in met if one.is_there]
        foreign |= {found["id"]: found["name"] for one in met for found in one.foreign}
        _remember(database, met)
        taken = [one for one in met if one.strangers and not one.is_there]
        # Before any is renamed: whoever stops here each time must not get to the end of the others' names at last.
        if len(foreign) > MOST_FOREIGN or _lie_under_other_names(database, client, taken, prefix):
            break
        looking = [_renamed(database, one.row, (one.foreign or one.strangers)[0], prefix) for one in taken]
        if not looking:
            return free, existing
    shown = ", ".join(f"{name} ({key})" for key, name in list(foreign.items())[-MOST_FOREIGN:])
    raise FourmostUnavailable(
        "4MOST",
        f"has rows under our names that this database never made{', as ' if shown else ''}{shown}",
        "if this is the only bridge of its survey: tides adopt; else give each a targets.namePrefix of its own",
    )


def list_namesakes(connection: Connection) -> list[Row]:
    """
    List the rows at 4MOST under names of ours that we never made, as exchanges of `MEMORY_DAYS` met them.

    Returns
    -------
    list of dict
        ``id``, ``name``, ``is_of_survey`` (of ours and our subsurvey), ``met_at``.
    """
    return run(connection, "fourmost/list_namesakes.sql", {"days": MEMORY_DAYS})


class _Meeting(NamedTuple):
    """A target to be created, rows at 4MOST of its name that we never made, and those of them in our survey."""

    row: Row
    strangers: Sequence[Row] = ()
    foreign: Sequence[Row] = ()
    is_there: bool = False


def _meeting(database: Database, row: Row, namesakes: Sequence[Row], program: Row, prefix: str) -> _Meeting:
    if not namesakes:
        return _Meeting(row)
    if asked := _asked_for(database, row, namesakes):
        return _Meeting({**row, "payload": asked}, is_there=True)
    has_prefix = _parts(row["name"], prefix) is not None
    foreign = [found for found in namesakes if has_prefix and is_of_same_program(found, program)]
    return _Meeting(row, namesakes, foreign, any(is_ours(found, row["payload"]) for found in namesakes))


def _met_lately(database: Database, prefix: str) -> dict[int, str]:
    """Give the names of rows of our survey that earlier exchanges met under ours, by key: see `MEMORY_DAYS`."""
    with database.transaction() as connection:
        met = list_namesakes(connection)
    return {row["id"]: row["name"] for row in met if row["is_of_survey"] and _parts(row["name"], prefix)}


def _remember(database: Database, met: Sequence[_Meeting]) -> None:
    """Keep whom we met, also at our own places: another installation of the same stream has its rows there."""
    rows = [
        {"id": found["id"], "name": found["name"], "is_of_survey": found in one.foreign}
        for one in met
        for found in one.strangers
    ]
    if rows:
        with database.transaction("names") as connection:
            run(connection, "fourmost/store_namesakes.sql", {"rows": json.dumps(rows)})


def _lie_under_other_names(database: Database, client: FourmostClient, taken: Sequence[_Meeting], prefix: str) -> bool:
    """
    Tell whether rows that we never made, with names as ours, lie where targets do whose names others have.

    So it is where a database was lost, and a new one names the same objects in another order. All rows of the survey
    are looked at; that is rare, as only a namesake of our own survey and subsurvey leads here.
    """
    places = [one.row["payload"] for one in taken if one.foreign]
    if not places:
        return False
    with database.transaction() as connection:
        known = {row["pk_4most"] for row in run(connection, "fourmost/list_told.sql")}
    strangers = [row for row in client.all_rows(**client.survey) if row["id"] not in known]
    named = [row for row in strangers if _parts(row["name"], prefix) and is_of_same_program(row, client.program)]
    return any(is_same_place(row, place) for row in named for place in places)


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
    Give what 4MOST was asked to create for a target, if that may be there: then it is looked up, and not renamed.

    If a namesake lies there, that is ours, however it is shown now. If none does, an answer may have been lost, and
    looked up in vain, as what 4MOST showed then was not true either. Neither is for ever.
    """
    with database.transaction() as connection:
        asked = run(connection, "fourmost/list_asked.sql", {"tides_id": row["tides_id"], "name": row["name"]})
    at_place = [one["payload"] for one in asked if any(is_same_place(found, one["payload"]) for found in namesakes)]
    if at_place:
        return at_place[0] if len(asked) < MOST_NAMES else None
    return asked[0]["payload"] if 0 < len(asked) < MOST_LOOKS else None


def _renamed(database: Database, row: Row, namesake: Row, prefix: str) -> Row:
    """Give a target that 4MOST never had the next name of its year."""
    why = f"{row['name']} is the name of row {namesake['id']} at 4MOST, which is not ours"
    with database.transaction("names") as connection:
        parameters = {"tides_id": row["tides_id"], "prefix": prefix, "why": why}
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
