"""
Reconcile `tides_master` with the list at 4MOST, row by row: what was lost, deleted, edited or doubled there.

What differs is believed to be as it is found there, and logged; what our targets should be like is then worked out anew
by the exchange, which sends it. So a row that vanished is created again, and one that was edited is set right, as far
as 4MOST allows. Nothing is believed from a list alone: a row that is missing in it is asked for by itself.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tides_bridge.database import Database, run
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.exchange import (
    INGESTION,
    answer_on,
    find_at_4most,
    release_keys,
    store_answers,
    store_ingested,
    switch_off,
)
from tides_bridge.settings import Settings

Row = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """
    One difference between the two databases.

    Attributes
    ----------
    name
        Of the target, as at 4MOST.
    key
        Of the row at 4MOST; None if there is none.
    what
        ``vanished``, ``edited``, ``doubled``, ``unknown here``, ``ingestion`` or ``stranger``.
    detail
        What differs.
    repair
        What is done about it.
    """

    name: str
    key: int | None
    what: str
    detail: str
    repair: str


def reconcile(database: Database, client: FourmostClient, settings: Settings, *, is_dry: bool) -> list[Difference]:
    """
    Find what differs, and repair it.

    Parameters
    ----------
    database, client, settings
        The two sides, and which survey and subsurvey are ours.
    is_dry
        Only find.

    Returns
    -------
    list of Difference
        In the order of the targets; a stranger is a row of our subsurvey whose name we do not know: it is left alone.
    """
    rows_of_name = defaultdict(list)
    for row in client.rows(uploadedfor_survey_id=settings.fourmost.survey_id):
        rows_of_name[row["name"]].append(row)
    with database.transaction() as connection:
        targets = run(connection, "fourmost/list_told.sql")
    found, names = [], {target["name"] for target in targets}
    for target in targets:
        rows = sorted(rows_of_name.pop(target["name"], []), key=lambda row: int(row["id"]))
        # A list alone is not believed: the target's own row must be in it, or neither side have one.
        is_known = target["pk_4most"] in [row["id"] for row in rows] or (not rows and target["pk_4most"] is None)
        if not is_known:
            rows = find_at_4most(client, target["name"], settings.fourmost.survey_id)
            rows = rows or _find_by_key(client, target, names)
        found += _compare(database, client, target, rows, is_dry=is_dry)
    strangers = [
        row for rows in rows_of_name.values() for row in rows if row.get("subsurvey") == settings.fourmost.subsurvey
    ]
    return found + [
        Difference(row["name"], row["id"], "stranger", "no target of this name here", "left alone")
        for row in strangers
        if row.get("is_active")
    ]


def _find_by_key(client: FourmostClient, target: Row, names: set[str]) -> list[Row]:
    """Find a row that lost its name or survey; one of another place has our key by chance, as after a restoration."""
    row = client.row(target["pk_4most"]) if target["pk_4most"] is not None else None
    known_there = target["told_4most"] or {}
    place = (known_there.get("ra"), known_there.get("dec"))
    is_renamed = row and row["name"] not in names and (row["ra"], row["dec"]) == place
    return [row] if row and (row["name"] == target["name"] or is_renamed) else []


def _compare(
    database: Database, client: FourmostClient, target: Row, rows: list[Row], *, is_dry: bool
) -> list[Difference]:
    """Compare one target with the rows of its name, the oldest first, and repair what differs."""
    if not rows:
        return [] if target["pk_4most"] is None else [_forget(database, target, is_dry=is_dry)]
    doubled = [row for row in rows[1:] if row["is_active"]]
    differences = [_switch_off(database, client, target, row, is_dry=is_dry) for row in doubled]
    return differences + _believe(database, target, rows[0], is_dry=is_dry)


def _forget(database: Database, target: Row, *, is_dry: bool) -> Difference:
    """Forget the key of a row that is gone."""
    repair = "created again" if target["active"] else "forgotten: it is switched off anyway"
    difference = Difference(target["name"], target["pk_4most"], "vanished", "no such row at 4MOST", repair)
    if not is_dry:
        with database.transaction("repair") as connection:
            repaired = {"tides_id": target["tides_id"], "pk": None, "told": None, "found": "no such row at 4MOST"}
            run(connection, "fourmost/store_repair.sql", repaired)
            run(connection, "fourmost/forget_ingested.sql", {"tides_id": target["tides_id"]})
    return difference


def _switch_off(database: Database, client: FourmostClient, target: Row, duplicate: Row, *, is_dry: bool) -> Difference:
    """Switch a second row of a name off, and log it."""
    problem = None if is_dry else switch_off(client, duplicate)
    detail = "another row of this name is older"
    repair = f"not switched off: {problem}" if problem else "switched off"
    if not is_dry:
        store_answers(database, [answer_on(target, "repaired", pk=int(duplicate["id"]), answer=f"doubled: {repair}")])
    return Difference(duplicate["name"], duplicate["id"], "doubled", detail, repair)


def _believe(database: Database, target: Row, row: Row, *, is_dry: bool) -> list[Difference]:
    """Take over what a row says that we do not know."""
    known_there = target["told_4most"] or {}
    edited = {column: row.get(column) for column in known_there if row.get(column) != known_there[column]}
    differences = []
    if target["pk_4most"] != row["id"]:
        detail = f"we took {target['pk_4most'] or 'none'} for its row"
        differences.append(Difference(target["name"], row["id"], "unknown here", detail, "adopted"))
    if edited:
        detail = ", ".join(f"{column}: {known_there[column]} here, {value} there" for column, value in edited.items())
        repair = "only is_active can be set right: it is ingested" if row["date_ingested"] else "set right"
        differences.append(Difference(target["name"], row["id"], "edited", detail, repair))
    if differences and not is_dry:
        believed = {"told": json.dumps({"is_active": row["is_active"], **known_there, **edited}), "pk": row["id"]}
        found = "; ".join(f"{difference.what}: {difference.detail}" for difference in differences)
        with database.transaction("repair") as connection:
            release_keys(connection, [{"tides_id": target["tides_id"], "pk": row["id"]}])
            run(connection, "fourmost/store_repair.sql", {"tides_id": target["tides_id"], "found": found, **believed})
            if not row["date_ingested"]:  # another row was
                run(connection, "fourmost/forget_ingested.sql", {"tides_id": target["tides_id"]})
    return differences + _believe_ingestion(database, target, row, is_dry=is_dry)


def _believe_ingestion(database: Database, target: Row, row: Row, *, is_dry: bool) -> list[Difference]:
    """Take over what the operations system made of a row."""
    if not row["date_ingested"] or all(target[key] == row[key] for key in INGESTION[:2]):
        return []
    if not is_dry:
        store_ingested(database, [row])
    return [Difference(target["name"], row["id"], "ingestion", f"ingested on {row['date_ingested']}", "taken over")]
