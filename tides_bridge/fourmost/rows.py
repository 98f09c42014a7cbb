"""
What operators do to rows at 4MOST by hand: switch off or delete all that satisfy conditions.

A target whose row it is is held first, so that no exchange makes or switches on again what a person has taken away; of
the rest only the log knows. Each call is in `exchange_log` before it is made, and its answer after it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tides_bridge.database import Database, run
from tides_bridge.errors import FourmostRejected, SettingsError
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.log import answer_of, answer_on, store_answers
from tides_bridge.settings import Settings
from tides_bridge.targets.guard import Change, holds_back
from tides_bridge.targets.rulings import Ruling, Subject, rule, time_of

Row = dict[str, Any]

Deed = Literal["deactivate", "delete"]

CONDITION = re.compile(r"\s*(name|id|submitted|survey)\s*(>=|<|=)\s*(.+?)\s*")

CONDITIONS = "name=TiDES26*, id=7,8,100-200, submitted>=2026-11-01, submitted<2026-12-01, survey=15"
"""How conditions are written."""


@dataclass
class RowFilter:
    """Which rows are meant: all conditions must be satisfied; ``survey`` and ``query`` are asked of 4MOST."""

    survey: int
    names: list[re.Pattern[str]] = field(default_factory=list)
    ids: list[tuple[int, int]] = field(default_factory=list)
    query: dict[str, str | int] = field(default_factory=dict)

    def takes(self, row: Row) -> bool:
        """Tell whether a row is meant, as far as 4MOST was not asked."""
        is_named = not self.names or any(name.fullmatch(row["name"]) for name in self.names)
        return is_named and (not self.ids or any(first <= row["id"] <= last for first, last in self.ids))


def row_filter(conditions: Iterable[str], settings: Settings) -> RowFilter:
    """
    Read conditions such as those of `CONDITIONS`.

    Parameters
    ----------
    conditions, settings
        As written, and which survey is ours.

    Raises
    ------
    SettingsError
        If one cannot be read, or if none but a survey is given: that would be all rows.
    """
    chosen = RowFilter(settings.fourmost.survey_id)
    for condition in conditions:
        found = CONDITION.fullmatch(condition)
        name, sign, value = found.groups() if found else ("", "", "")
        if (name == "submitted") != (sign in (">=", "<")) or not found:
            raise SettingsError("--where", "", f"{condition} is no condition: write {CONDITIONS}")
        parts = [part.strip() for part in value.split(",")]
        try:
            if name == "submitted":
                key = {">=": "date_submitted__gte", "<": "date_submitted__lt"}[sign]
                chosen.query[key] = f"{time_of(value, '--where'):%Y-%m-%d %H:%M:%S}Z"
            elif name == "survey":
                chosen.survey = int(value)
            elif name == "id":
                chosen.ids += [(int(first), int(last or first)) for first, _, last in (p.partition("-") for p in parts)]
            else:
                patterns = [re.escape(part).replace(r"\*", ".*").replace("%", ".*") for part in parts]
                chosen.names += [re.compile(pattern) for pattern in patterns]
        except ValueError:
            raise SettingsError("--where", "", f"{condition} is no condition: write {CONDITIONS}") from None
    if not (chosen.names or chosen.ids or chosen.query):
        raise SettingsError("--where", "", f"would be all rows of survey {chosen.survey}: write {CONDITIONS}")
    return chosen


class Meant(NamedTuple):
    """Rows that satisfy the conditions, by key the targets of ours that have one, and how many rows were looked at."""

    rows: list[Row]
    owners: dict[int, Row]
    looked_at: int


def find_rows(database: Database, client: FourmostClient, chosen: RowFilter, deed: Deed) -> Meant:
    """
    Find the rows that satisfy conditions, of the list of a whole survey.

    Parameters
    ----------
    database, client
        The two sides.
    chosen, deed
        Which rows; one that is off already is not switched off.
    """
    survey = {"uploadedfor_survey_id": chosen.survey}
    listed = client.all_rows(**survey, **chosen.query)
    rows = [row for row in listed if chosen.takes(row) and (deed == "delete" or row.get("is_active"))]
    of_survey = len(client.all_rows(**survey)) if chosen.query else len(listed)
    with database.transaction() as connection:
        owners = run(connection, "fourmost/find_owners.sql", {"keys": [row["id"] for row in rows]})
    return Meant(sorted(rows, key=lambda row: int(row["id"])), {row["pk_4most"]: row for row in owners}, of_survey)


def is_held_back(database: Database, settings: Settings, meant: Meant) -> bool:
    """
    Tell whether these are too many rows at once: then a person must release them first.

    Parameters
    ----------
    database, settings, meant
        Where it is noted, the limits, and what is meant.
    """
    example = f"{meant.rows[0]['name']}, row {meant.rows[0]['id']}" if meant.rows else ""
    with database.transaction("held") as connection:
        return holds_back(connection, settings, "rows", Change(len(meant.rows), meant.looked_at, example))


def take_away(  # noqa: PLR0913
    database: Database, client: FourmostClient, settings: Settings, meant: Meant, deed: Deed, *, reason: str
) -> dict[int, str]:
    """
    Switch rows off or delete them, one after another, and bring our targets in line.

    Parameters
    ----------
    database, client, settings
        The two sides; in `Database.only_run`.
    meant, deed
        Of `find_rows`, and what is done.
    reason
        Of the holds on our targets.

    Returns
    -------
    dict
        What became of each row, by its key: empty, or why not.
    """
    subjects = [Subject(row["name"], row["tides_id"], row["name"], None, None) for row in meant.owners.values()]
    # First: what we die after is then done by the next exchange, which switches off what is held.
    if subjects:
        rule(database, settings, Ruling("hold", reason), subjects)
    outcomes = {}
    for row in meant.rows:
        owner = meant.owners.get(row["id"])
        do = _take_away_target if owner else _take_away_stranger
        outcomes[row["id"]] = do(database, client, owner or row, row, deed)
    with database.transaction("held") as connection:
        holds_back(connection, settings, "rows", Change(0, meant.looked_at, ""))
    return outcomes


def _take_away_target(database: Database, client: FourmostClient, owner: Row, row: Row, deed: Deed) -> str:
    """Take the row of a target of ours away, with an intent as the exchange has it."""
    wanted = {**(owner["told_4most"] or {}), "is_active": False}
    intent = {"tides_id": owner["tides_id"], "operation": deed, "pk": row["id"], "payload": wanted, "origin": None}
    with database.transaction("intents") as connection:
        run(connection, "fourmost/store_intents.sql", {"intents": json.dumps([intent])})
    try:
        answered = _ask(client, row, deed)
    except FourmostRejected as error:
        store_answers(database, [answer_on(owner, "refused", payload=wanted, answer=error.problem)])
        return error.problem
    if deed == "deactivate":
        answer = answer_of({**owner, "payload": wanted}, answered or {**row, "is_active": None}, {"is_active": False})
        store_answers(database, [answer])
        return "" if answer["status"] == "confirmed" else "it is still active"
    store_answers(database, [answer_on(owner, "absent", answer="deleted")])
    with database.transaction("repair") as connection:
        gone = {"tides_id": owner["tides_id"], "pk": None, "told": None, "found": f"row {row['id']} was deleted"}
        run(connection, "fourmost/store_repair.sql", gone)
        run(connection, "fourmost/forget_ingested.sql", {"tides_id": owner["tides_id"]})
    return ""


def _take_away_stranger(database: Database, client: FourmostClient, _: Row, row: Row, deed: Deed) -> str:
    """Take a row away that no target here has: only the log knows of it."""
    asked = {"operation": deed, "pk": row["id"], "payload": {"name": row["name"]}}
    intent = _log(database, [asked | {"status": "asked"}])
    try:
        answered = _ask(client, row, deed)
        is_still_on = deed == "deactivate" and (answered is None or bool(answered.get("is_active")))
        status, problem = ("otherwise", "it is still active") if is_still_on else ("confirmed", "")
    except FourmostRejected as error:
        status, problem = "refused", error.problem
    _log(database, [asked | {"status": status, "intent_id": intent, "answer": problem or None}])
    return problem


def _ask(client: FourmostClient, row: Row, deed: Deed) -> Row | None:
    """Make the call; a row that is gone needs not be deleted. Gives the row as it is now."""
    if deed == "delete":
        client.delete(row["id"], row["name"])
        return None
    return client.update(row["id"], row["name"], {"is_active": False}) or client.row(row["id"])


def _log(database: Database, entries: Sequence[Row]) -> int:
    with database.transaction("intents") as connection:
        return int(run(connection, "fourmost/log_rows.sql", {"entries": json.dumps(entries)})[0]["exchange_id"])
