"""
The exchange: what `tides_master` wants sent goes to 4MOST, and what 4MOST answers comes back into it.

To create is not idempotent at 4MOST, and names there are not unique. So what is going to be asked is committed to
`exchange_log` before the call, and its answer after it. An intent whose answer never came, because this process or the
connection died, stays open: its target is looked up by key, or name and place, before it is spoken of again. Only what
an answer shows is stored as told; what it shows otherwise is asked again. Every answer is stored page by page, so that
an exchange that ends half-way is continued by the next.
"""

import json
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import FourmostRejected, FourmostUnavailable
from tides_bridge.fourmost.adoption import adopt_forgotten
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.due import find_due, settle
from tides_bridge.fourmost.identity import (
    as_shown,
    is_answer_on,
    rows_of_target,
    shown_otherwise,
    with_shown,
)
from tides_bridge.fourmost.log import answer_of, answer_on, store_answers, store_ingested
from tides_bridge.fourmost.names import with_free_names
from tides_bridge.fourmost.payloads import FourmostStage, jumps, stage_for_4most
from tides_bridge.settings import Settings
from tides_bridge.targets.guard import Change, holds_back

logger = logging.getLogger(__name__)

UPDATES = 20
"""Updates that are logged together: each is a call of its own."""

Row = dict[str, Any]


@dataclass
class Sent:
    """
    What became of the targets sent: their names; for the failed ones with the reason.

    Attributes
    ----------
    done, failed
        What was confirmed, and what was refused.
    otherwise
        What came back with other values than asked: it is asked again by the next exchange.
    renamed
        Targets under their new names, as somebody else has a row of the old one.
    outage
        The error if the service did not answer as it should: the next exchange looks up what it was asked.
    """

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    otherwise: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    outage: FourmostUnavailable | None = None

    def add(self, other: "Sent") -> None:
        """Count what became of some more."""
        self.done += other.done
        self.failed |= other.failed
        self.otherwise += other.otherwise
        self.renamed += other.renamed
        self.outage = self.outage or other.outage


def read_back_from_4most(database: Database, client: FourmostClient) -> int:
    """
    Read back what was ingested since last time: ``ostd_targ_id``, ``ostd_u_obj_id``, ``date_ingested``.

    Parameters
    ----------
    database
        Whose newest ingestion says since when.
    client
        Of the service.

    Returns
    -------
    int
        The number of rows that 4MOST gave.
    """
    with database.transaction() as connection:
        newest = run(connection, "fourmost/newest_ingestion.sql")[0]["date_ingested"]
    # From the newest moment on, not after it: some rows of that moment may have come after our last look.
    since = {"date_ingested__gte": f"{newest:%Y-%m-%d %H:%M:%S.%f}Z"} if newest else {"date_ingested__isnull": "False"}
    ingested = client.rows(**since)
    store_ingested(database, ingested)
    return len(ingested)


def settle_unanswered(database: Database, client: FourmostClient) -> Sent:
    """
    Look up what 4MOST was asked about without an answer that is known here, and believe what is there.

    Parameters
    ----------
    database
        With the intents that are open.
    client
        Of the service.

    Returns
    -------
    Sent
        The targets that were to be created and are there. What is not there is sent again with the next stage.
    """
    if _unanswered(database):  # a run that was overtaken may have asked a moment ago
        database.wait_for_others(client.answered_within)
    adopt_forgotten(database, client)
    return _send(database, client, _unanswered(database), UPDATES, _look_up)


def _unanswered(database: Database) -> list[Row]:
    with database.transaction() as connection:
        return run(connection, "fourmost/list_unanswered.sql")


def prepare_4most_update(database: Database, settings: Settings) -> FourmostStage:
    """
    Work out what is to be sent; keep why a target cannot be, and what is wanted and not allowed any more.

    Parameters
    ----------
    database
        With all targets.
    settings
        What a target must have to be sent, and in which units.

    Returns
    -------
    FourmostStage
        New targets and changes. It is computed from what 4MOST confirmed, so a run that died is simply repeated; only
        targets are looked at of which something may have changed since they were compared last.
    """
    with database.transaction("stage") as connection:
        run(connection, "fourmost/take_changes.sql")
        due = find_due(connection, settings)
        found = stage_for_4most(due.rows, settings)
        stage = _guarded(connection, found, settings)
        refused = [{"tides_id": row["tides_id"], "reason": row["reason"], "payload": None} for row in stage.refused]
        run(connection, "fourmost/store_refused.sql", refused)
        ingested = [row["tides_id"] for row in due.rows if row["date_ingested"] or row["wanted_4most"]]
        wanted = [{"tides_id": tides_id, "changes": stage.wanted.get(tides_id)} for tides_id in ingested]
        run(connection, "fourmost/store_wanted.sql", {"wanted": json.dumps(wanted)})
        unsaid = (found.new, found.changed, found.deactivated, found.refused, found.otherwise)
        as_wanted = [row["tides_id"] for row in found.agreed if row["otherwise_4most"]]
        settle(connection, settings, due, {row["tides_id"] for rows in unsaid for row in rows}, as_wanted)
    return stage


def _guarded(connection: Connection, stage: FourmostStage, settings: Settings) -> FourmostStage:
    """Leave out changes that are larger than a target's own, if there are too many of them at once."""
    left_out: set[int] = set()
    targets = run(connection, "fourmost/count_told.sql")[0]["number"]
    for kind, rows in jumps(stage, settings).items():
        example = f"{rows[0]['name']}: {rows[0]['changes']}" if rows else ""
        if holds_back(connection, settings, kind, Change(len(rows), targets, example)):
            left_out |= {row["tides_id"] for row in rows}
    return replace(stage, changed=[row for row in stage.changed if row["tides_id"] not in left_out])


def create_new_transients_in_4most(
    database: Database, client: FourmostClient, new: Sequence[Row], settings: Settings
) -> Sent:
    """
    Create targets in bulk, several pages at a time, and store their keys page by page.

    If a page is refused, its halves go by themselves, so that the good rows are not held up by a bad one.

    Parameters
    ----------
    database
        Where each page is noted before it is sent, and its answer after.
    client
        Of the service.
    new
        Rows with the payload to send.
    settings
        Targets a call, and how names begin.

    Returns
    -------
    Sent
        What was confirmed, what was refused and why, and the outage that ended it.
    """
    page_size = settings.fourmost.page_size
    try:
        named, known = with_free_names(database, client, new, settings.targets.name_prefix)
    except FourmostUnavailable as error:
        return Sent(outage=error)
    names = {row["name"] for row in new}
    sent = Sent(renamed=[row["name"] for row in named if row["name"] not in names])
    sent.add(_send(database, client, known, page_size, _look_up_known))
    if not sent.outage:
        sent.add(_send(database, client, named, page_size, _create))
    return sent


def update_existing_transients(database: Database, client: FourmostClient, rows: Sequence[Row]) -> Sent:
    """
    Send changes, several at a time, and store what was confirmed.

    Parameters
    ----------
    database
        Where each change is noted before it is sent, and its answer after.
    client
        Of the service.
    rows
        With ``pk_4most`` and the changed columns; `UPDATES` of them are logged together.

    Returns
    -------
    Sent
        What was confirmed, what was refused and why, and the outage that ended it.
    """
    return _send(database, client, rows, UPDATES, _update)


# Pages


def _send(
    database: Database,
    client: FourmostClient,
    rows: Sequence[Row],
    page_size: int,
    send_page: Callable[[Database, FourmostClient, Sequence[Row]], Sent],
) -> Sent:
    """Send pages, several at a time; after an outage no page is begun any more."""
    is_away = threading.Event()

    def send(start: int) -> Sent:
        # Of a page that is not begun nothing was noted, so nothing will have to be looked up.
        if is_away.is_set():
            return Sent()
        sent = send_page(database, client, rows[start : start + page_size])
        if sent.outage:
            is_away.set()
        return sent

    total = Sent()
    with ThreadPoolExecutor(client.connections) as pool:
        for sent in pool.map(send, range(0, len(rows), page_size)):
            total.add(sent)
    return total


def _create(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    """Create a page, or its halves if it is refused; what was not answered stays open."""
    # Committed before the call: if we die in it, the next exchange knows that rows may be there, and looks.
    _store_intents(database, page, "create")
    return _create_asked(database, client, page)


def _create_asked(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    try:
        created = client.create([row["payload"] for row in page])
    except FourmostUnavailable as error:
        return _store_outage(database, page, error)
    except FourmostRejected as error:
        return _store_refusal(database, page[0], error) if len(page) == 1 else _create_halves(database, client, page)
    believed = [row for row in page if is_answer_on(created.get(row["name"]), row["payload"])]
    sent = _store_answered(
        database, [answer_of(row, created[row["name"]], row["payload"]) for row in believed], believed
    )
    # A row that the answer does not show may be there or not, whatever the status says: it is looked up.
    if lost := [row for row in page if row not in believed]:
        names = ", ".join(row["name"] for row in lost[:5])
        sent.add(_store_outage(database, lost, FourmostUnavailable("4MOST", f"answered without the rows of {names}")))
    return sent


def _look_up_known(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    """Look up targets of which 4MOST may have a row without a key here."""
    _store_intents(database, page, "create")
    return _look_up_new(database, client, page)


def _look_up_new(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    """Look up targets that were to be created, as rows of the stage."""
    return _look_up(database, client, [{**row, "dec": row["decl"], "operation": "create"} for row in page])


def _create_halves(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    """Look what a refused page has made all the same, as no list need be created whole; send the rest by halves."""
    sent = _look_up_new(database, client, page)
    made = set(sent.done)
    left = [row for row in page if row["name"] not in made]
    _store_intents(database, left, "create")  # the look-up has closed them
    for half in (left[: len(left) // 2], left[len(left) // 2 :]):
        if half:
            sent.add(
                _store_outage(database, half, sent.outage) if sent.outage else _create_asked(database, client, half)
            )
    return sent


def _update(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    """Send the changes of some rows one after another, and store what came of them."""
    _store_intents(database, [row for row in page if row["payload"]["is_active"]], "update")
    _store_intents(database, [row for row in page if not row["payload"]["is_active"]], "deactivate")
    sent, answers, rows = Sent(), [], []
    for number, row in enumerate(page):
        try:
            # An answer without content shows nothing: the row is looked at.
            answered = client.update(row["pk_4most"], row["name"], row["changes"]) or client.row(row["pk_4most"])
            if answered is None:
                raise FourmostUnavailable("4MOST", f"has no row {row['pk_4most']} any more")
            answers.append(answer_of(row, answered, row["changes"]))
            rows.append(row)
        except FourmostRejected as error:
            sent.add(_refused_update(database, client, row, error))
        except FourmostUnavailable as error:
            sent.add(_store_outage(database, page[number:], error))
            break
    sent.add(_store_answered(database, answers, rows))
    return sent


def _refused_update(database: Database, client: FourmostClient, row: Row, error: FourmostRejected) -> Sent:
    """Store a refusal; one of a row that was ingested in the meantime is none, as what is wanted is kept."""
    try:
        current = client.row(row["pk_4most"])
    except FourmostUnavailable as outage:
        return _store_outage(database, [row], outage)
    if current is None or not current.get("date_ingested"):
        return _store_refusal(database, row, error)
    store_ingested(database, [current])
    shown = as_shown(row["payload"], current)
    store_answers(database, [answer_on(row, "adopted", payload=shown, pk=current["id"], answer=error.problem)])
    return Sent()


def _look_up(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    """Look up targets by key, or by name and place; of several rows the oldest is ours, and the others go off."""
    sent = Sent()
    for number, row in enumerate(page):
        try:
            found = find_at_4most(client, row)
            adopt_found(database, client, row, found)
        except FourmostUnavailable as error:
            sent.add(_store_outage(database, page[number:], error))
            break
        if found and row["operation"] == "create":
            sent.done.append(row["name"])
    return sent


# What was found at 4MOST


def find_at_4most(client: FourmostClient, target: Row, names: Collection[str] = ()) -> list[Row]:
    """
    Look the rows of a target up, its own first.

    Parameters
    ----------
    client
        Of the service.
    target, names
        As of `rows_of_target`, which chooses; with ``pk_4most`` if it has one.
    """
    namesakes = client.rows(name=target["name"])
    own = None if target["pk_4most"] is None else client.row(target["pk_4most"])
    return rows_of_target(target, client.program, namesakes, own, names)


def adopt_found(database: Database, client: FourmostClient, row: Row, found: Sequence[Row]) -> None:
    """Take the first row found for ours, with what it says; switch the others off."""
    if not found:
        store_answers(database, [answer_on(row, "absent", answer="4MOST has no row of this name at this place")])
        return
    own = found[0]
    finding = f"found as {own['id']}"
    for duplicate in found[1:]:
        problem = switch_off(client, duplicate) if duplicate.get("is_active") else None
        finding += f"; its duplicate {duplicate['id']} is " + (
            f"not switched off: {problem}" if problem else "switched off"
        )
    asked = row["payload"] or {"is_active": None}
    shown = with_shown(asked, shown_otherwise(asked, own))
    logger.info("target found at 4MOST name=%s %s", row["name"], finding)
    store_answers(database, [answer_on(row, "adopted", payload=shown, pk=own["id"], answer=finding)])
    store_ingested(database, [own])


def switch_off(client: FourmostClient, duplicate: Row) -> str | None:
    """Switch a duplicate off, or give the reason why 4MOST refuses it."""
    try:
        answered = client.update(duplicate["id"], duplicate["name"], {"is_active": False})
    except FourmostRejected as error:
        logger.warning("duplicate not switched off name=%s reason=%s", duplicate["name"], error.problem)
        return error.problem
    return "it is still active" if answered and answered.get("is_active") else None


# What is stored


def _store_intents(database: Database, rows: Sequence[Row], operation: str) -> None:
    """Commit what is going to be asked."""
    intents = [
        {"tides_id": row["tides_id"], "operation": operation, "pk": row["pk_4most"], "payload": row["payload"]}
        | {"origin": row.get("origin")}
        for row in rows
    ]
    if intents:
        with database.transaction("intents") as connection:
            run(connection, "fourmost/store_intents.sql", {"intents": json.dumps(intents)})


def _store_answered(database: Database, answers: Sequence[Row], rows: Sequence[Row]) -> Sent:
    """Store what the answers on some rows show."""
    store_answers(database, answers)
    is_done = [answer["status"] == "confirmed" for answer in answers]
    return Sent(
        done=[row["name"] for row, is_so in zip(rows, is_done, strict=True) if is_so],
        otherwise=[row["name"] for row, is_so in zip(rows, is_done, strict=True) if not is_so],
    )


def _store_refusal(database: Database, row: Row, error: FourmostRejected) -> Sent:
    store_answers(database, [answer_on(row, "refused", payload=row["payload"], answer=error.problem)])
    logger.warning("target refused by 4MOST name=%s reason=%s", row["name"], error.problem)
    return Sent(failed={row["name"]: error.problem})


def _store_outage(database: Database, rows: Sequence[Row], error: FourmostUnavailable) -> Sent:
    """Note that no answer came; the intents stay open."""
    store_answers(database, [answer_on(row, "unanswered", answer=str(error)) for row in rows])
    return Sent(outage=error)
