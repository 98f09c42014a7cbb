"""
Reconcile `tides_master` with the list at 4MOST, row by row: what was lost, deleted, edited or doubled there.

What differs is believed to be as it is found there, and logged; what our targets should be like is then worked out anew
by the exchange, which sends it. So a row that vanished is created again, and one that was edited is set right, as far
as 4MOST allows. Columns of ``fourmost.respected`` are left as somebody set them there: a row that was switched off is a
hold on its target, until a person answers (`tides questions`). A row is a target's by its key, or by name and place.
Nothing is believed from a list alone: a row that is missing in it is asked for by itself, and one that comes twice in
it is one.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.exchange import find_at_4most, switch_off
from tides_bridge.fourmost.identity import is_of_same_program, rows_of_target, shown_otherwise, with_shown
from tides_bridge.fourmost.log import INGESTION, answer_on, release_keys, store_answers, store_ingested
from tides_bridge.settings import Settings
from tides_bridge.targets.rulings import Ruling, Subject, store_rulings

SWITCHED_OFF = "switched off at 4MOST by somebody else"
"""The reason of the hold."""

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
    rows = {row["id"]: row for row in client.rows(uploadedfor_survey_id=settings.fourmost.survey_id)}
    rows_of_name = defaultdict(list)
    for row in rows.values():
        rows_of_name[row["name"].casefold()].append(row)
    with database.transaction() as connection:
        targets = run(connection, "fourmost/list_told.sql")
        # After a restoration what differs may be what we did ourselves, and forgot.
        is_forgetful = run(connection, "fourmost/forgets_edits.sql")[0]["is_so"]
    respected = frozenset[str]() if is_forgetful else frozenset(settings.fourmost.respected)
    sides = _Sides(database, client, settings, respected, is_dry)
    found, ours, names = [], set[int](), {target["name"].casefold() for target in targets}
    for target in targets:
        own, namesakes = rows.get(target["pk_4most"]), rows_of_name[target["name"].casefold()]
        of_target = rows_of_target(target, client.program, namesakes, own, names)
        has_key = target["pk_4most"] is not None
        # A list alone is not believed: the row under the key must be in it, or neither side have one.
        if of_target[:1] != [own] and (of_target or has_key):
            of_target = find_at_4most(client, target, names)
        ours |= {row["id"] for row in of_target}
        found += _compare(sides, target, of_target)
    return found + [
        Difference(row["name"], row["id"], "stranger", _strangeness(row, names), "left alone")
        for row in rows.values()
        if row["id"] not in ours and row.get("is_active") and is_of_same_program(row, client.program)
    ]


@dataclass(frozen=True)
class _Sides:
    """What is compared and repaired: both sides, and the columns in which people at 4MOST have the last word."""

    database: Database
    client: FourmostClient
    settings: Settings
    respected: frozenset[str]
    is_dry: bool


def _strangeness(row: Row, names: set[str]) -> str:
    is_namesake = row["name"].casefold() in names
    return "our target of this name is elsewhere on the sky" if is_namesake else "no target of this name here"


def _compare(sides: _Sides, target: Row, rows: list[Row]) -> list[Difference]:
    """Compare one target with its rows, its own first, and repair what differs."""
    if not rows:
        return [] if target["pk_4most"] is None else [_forget(sides.database, target, is_dry=sides.is_dry)]
    doubled = [row for row in rows[1:] if row.get("is_active")]
    differences = [_switch_off(sides.database, sides.client, target, row, is_dry=sides.is_dry) for row in doubled]
    return differences + _believe(sides, target, rows[0])


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


def _believe(sides: _Sides, target: Row, row: Row) -> list[Difference]:
    """Take over what a row says that we do not know."""
    known_there = target["told_4most"] or {}
    edited = shown_otherwise(known_there, row)
    left = _left_to_people(sides, target, row, edited)
    differences = []
    if target["pk_4most"] != row["id"]:
        detail = f"we took {target['pk_4most'] or 'none'} for its row"
        differences.append(Difference(target["name"], row["id"], "unknown here", detail, "adopted"))
    if edited:
        detail = ", ".join(f"{column}: {known_there[column]} here, {value} there" for column, value in edited.items())
        repair = "only is_active can be set right: it is ingested" if row.get("date_ingested") else "set right"
        if left:
            others = "" if left.keys() == edited.keys() else f", the rest {repair}"
            repair = f"left so: {', '.join(left)}{others}; see: tides questions"
        differences.append(Difference(target["name"], row["id"], "edited", detail, repair))
    if differences and not sides.is_dry:
        believed = {
            "told": json.dumps(with_shown({"is_active": row.get("is_active"), **known_there}, edited)),
            "pk": row["id"],
        }
        found = "; ".join(f"{difference.what}: {difference.detail}" for difference in differences)
        with sides.database.transaction("repair") as connection:
            release_keys(connection, [{"tides_id": target["tides_id"], "pk": row["id"]}])
            run(connection, "fourmost/store_repair.sql", {"tides_id": target["tides_id"], "found": found, **believed})
            if not row.get("date_ingested"):  # another row was
                run(connection, "fourmost/forget_ingested.sql", {"tides_id": target["tides_id"]})
            _leave(connection, sides.settings, target, left)
    return differences + _believe_ingestion(sides.database, target, row, is_dry=sides.is_dry)


def _left_to_people(sides: _Sides, target: Row, row: Row, edited: Row) -> Row:
    """
    Give what was edited and is left so.

    A row that is off here, or that was switched on there, is not: what people want on they force. While an answer to us
    is open, or another row than ours is found, what differs may be our own doing.
    """
    if target["asked_4most"] is not None or target["pk_4most"] != row["id"]:
        return {}
    left = {column: row.get(column) for column in edited if column in sides.respected}
    if left.get("is_active") or not target["active"]:
        left.pop("is_active", None)
    return left


def _leave(connection: Connection, settings: Settings, target: Row, left: Row) -> None:
    """Keep what people have set at 4MOST: a row that they switched off is a hold."""
    if "is_active" in left:
        subject = Subject(target["name"], target["tides_id"], target["name"], None, None)
        store_rulings(connection, settings, Ruling("hold", SWITCHED_OFF, source="4most"), [subject])
    if kept := {column: value for column, value in left.items() if column != "is_active"}:
        run(connection, "fourmost/respect_edits.sql", {"tides_id": target["tides_id"], "edited": json.dumps(kept)})


def _believe_ingestion(database: Database, target: Row, row: Row, *, is_dry: bool) -> list[Difference]:
    """Take over what the operations system made of a row."""
    if not row.get("date_ingested") or all(target[key] == row.get(key) for key in INGESTION[:2]):
        return []
    if not is_dry:
        store_ingested(database, [row])
    return [Difference(target["name"], row["id"], "ingestion", f"ingested on {row['date_ingested']}", "taken over")]
