"""
The exchange: what `tides_master` wants sent goes to 4MOST, and what 4MOST answers comes back into it.

To create is not idempotent at 4MOST, and names there are not unique. So what is going to be asked is committed to
`exchange_log` before the call, and its answer after it. An intent whose answer never came, because this process or the
connection died, stays open: its target is looked up by name before it is spoken of again. Every answer is stored page
by page, so that an exchange that ends half-way is continued by the next.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import FourmostRejected, FourmostUnavailable
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.payloads import FourmostStage, stage_for_4most
from tides_bridge.settings import Settings
from tides_bridge.targets.association import MATCH_RADIUS_ARCSEC

logger = logging.getLogger(__name__)

UPDATES = 20
"""Updates that are logged together: each is a call of its own."""

FORGOTTEN_FOR = timedelta(days=14)
"""So long after a restoration a target that is selected anew may have a row already."""

INGESTION = ("ostd_targ_id", "ostd_u_obj_id", "date_ingested")
"""What the operations system makes of a row."""

Row = dict[str, Any]


@dataclass
class Sent:
    """
    What became of the targets sent: their names; for the failed ones with the reason.

    Attributes
    ----------
    done, failed
        What was confirmed, and what was refused.
    outage
        The error if the service did not answer as it should: the next exchange looks up what it was asked.
    """

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    outage: FourmostUnavailable | None = None

    def add(self, other: "Sent") -> None:
        """Count what became of some more."""
        self.done += other.done
        self.failed |= other.failed
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
    _adopt_forgotten(database, client)
    with database.transaction() as connection:
        rows = run(connection, "fourmost/list_unanswered.sql")
    return _send(database, client, rows, UPDATES, _look_up)


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
        New targets and changes. It is computed from what 4MOST confirmed, so a run that died is simply repeated.
    """
    with database.transaction("stage") as connection:
        stage = stage_for_4most(run(connection, "fourmost/list_targets.sql"), settings)
        refused = [{"tides_id": row["tides_id"], "reason": row["reason"], "payload": None} for row in stage.refused]
        run(connection, "fourmost/store_refused.sql", refused)
        wanted = [{"tides_id": key, "changes": changes} for key, changes in stage.wanted.items()]
        run(connection, "fourmost/store_wanted.sql", {"wanted": json.dumps(wanted)})
    return stage


def create_new_transients_in_4most(
    database: Database, client: FourmostClient, new: Sequence[Row], page_size: int
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
    page_size
        Targets a call.

    Returns
    -------
    Sent
        What was confirmed, what was refused and why, and the outage that ended it.
    """
    return _send(database, client, new, page_size, _create)


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
        if len(page) == 1:
            return _store_refusal(database, page[0], error)
        sent = Sent()
        for half in (page[: len(page) // 2], page[len(page) // 2 :]):
            sent.add(
                _store_outage(database, half, sent.outage) if sent.outage else _create_asked(database, client, half)
            )
        return sent
    sent = _store_confirmed(
        database, [{**row, "pk_4most": created[row["name"]]["id"]} for row in page if row["name"] in created]
    )
    # A row that the answer does not show may be there or not, whatever the status says: it is looked up.
    if lost := [row for row in page if row["name"] not in created]:
        names = ", ".join(row["name"] for row in lost[:5])
        sent.add(_store_outage(database, lost, FourmostUnavailable("4MOST", f"answered without the rows of {names}")))
    return sent


def _update(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    """Send the changes of some rows one after another, and store what came of them."""
    _store_intents(database, [row for row in page if row["payload"]["is_active"]], "update")
    _store_intents(database, [row for row in page if not row["payload"]["is_active"]], "deactivate")
    sent, confirmed = Sent(), []
    for number, row in enumerate(page):
        try:
            client.update(row["pk_4most"], row["name"], row["changes"])
            confirmed.append(row)
        except FourmostRejected as error:
            sent.add(_refused_update(database, client, row, error))
        except FourmostUnavailable as error:
            sent.add(_store_outage(database, page[number:], error))
            break
    sent.add(_store_confirmed(database, confirmed))
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
    shown = {column: current.get(column) for column in row["payload"]}
    store_answers(database, [answer_on(row, "adopted", payload=shown, pk=current["id"], answer=error.problem)])
    return Sent()


def _look_up(database: Database, client: FourmostClient, page: Sequence[Row]) -> Sent:
    """Look up targets by name; of several rows the oldest is ours, and the others are switched off."""
    sent = Sent()
    for number, row in enumerate(page):
        try:
            found = find_at_4most(client, row["name"], (row["payload"] or {}).get("uploadedfor_survey_id"))
            adopt(database, client, row, found)
        except FourmostUnavailable as error:
            sent.add(_store_outage(database, page[number:], error))
            break
        if found and row["operation"] == "create":
            sent.done.append(row["name"])
    return sent


# What was found at 4MOST


def find_at_4most(client: FourmostClient, name: str, survey_id: int | None) -> list[Row]:
    """Find the rows of a name, the oldest first."""
    survey = {"uploadedfor_survey_id": survey_id} if survey_id is not None else {}
    return sorted(client.rows(name=name, **survey), key=lambda row: int(row["id"]))


def adopt(database: Database, client: FourmostClient, row: Row, found: Sequence[Row]) -> None:
    """Take the oldest row found for ours, with what it says; switch the others off."""
    if not found:
        store_answers(database, [answer_on(row, "absent", answer="4MOST has no row of this name")])
        return
    oldest = found[0]
    finding = f"found as {oldest['id']}"
    for duplicate in found[1:]:
        problem = switch_off(client, duplicate) if duplicate.get("is_active") else None
        finding += f"; its duplicate {duplicate['id']} is " + (
            f"not switched off: {problem}" if problem else "switched off"
        )
    shown = {column: oldest.get(column) for column in row["payload"] or ("is_active",)}
    logger.info("target found at 4MOST name=%s %s", row["name"], finding)
    store_answers(database, [answer_on(row, "adopted", payload=shown, pk=int(oldest["id"]), answer=finding)])
    store_ingested(database, [oldest])


def switch_off(client: FourmostClient, duplicate: Row) -> str | None:
    """Switch a duplicate off, or give the reason why 4MOST refuses it."""
    try:
        client.update(int(duplicate["id"]), duplicate["name"], {"is_active": False})
    except FourmostRejected as error:
        logger.warning("duplicate not switched off name=%s reason=%s", duplicate["name"], error.problem)
        return error.problem
    return None


def _adopt_forgotten(database: Database, client: FourmostClient) -> None:
    """
    Give rows back to their targets that were created after the backup from which this database was restored.

    Such a target was selected anew, with another name: its row is found by its place, and it takes the row's name.
    """
    with database.transaction() as connection:
        since = {"since": datetime.now(UTC) - FORGOTTEN_FOR}
        restorations = run(connection, "fourmost/last_restoration.sql", since)
    if not restorations:
        return
    newer = {"date_submitted__gte": f"{restorations[0]['taken_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}Z"}
    rows = [row for row in client.rows(**client.survey, **newer) if row.get("subsurvey") == client.subsurvey]
    places = [{"pk": row["id"]} | {key: row[key] for key in ("name", "ra", "dec", "is_active")} for row in rows]
    with database.transaction("forgotten") as connection:
        parameters = {"rows": json.dumps(places), "radius": MATCH_RADIUS_ARCSEC}
        adopted = run(connection, "fourmost/adopt_forgotten.sql", parameters)
    for target in adopted:
        logger.info("forgotten row adopted name=%s formerly=%s", target["name"], target["formerly"])
    store_ingested(database, rows)


# What is stored


def answer_on(
    row: Row, status: str, *, payload: Row | None = None, pk: int | None = None, answer: str | None = None
) -> Row:
    """Word an answer for the log."""
    return {"tides_id": row["tides_id"], "status": status, "pk": pk, "payload": payload, "answer": answer}


def store_answers(database: Database, answers: Sequence[Row]) -> None:
    """Log answers, and keep in `tides_master` what they mean."""
    if answers:
        with database.transaction("answers") as connection:
            # First, as a key is unique: after a restoration it may still stand at a target whose row is gone.
            release_keys(connection, [row for row in answers if row["status"] in ("confirmed", "adopted")])
            run(connection, "fourmost/store_answers.sql", {"answers": json.dumps(answers)})


def release_keys(connection: Connection, owners: Sequence[Row]) -> None:
    """Take keys from targets whose row is gone, where they belong to others now."""
    run(connection, "fourmost/release_keys.sql", {"answers": json.dumps(owners)})


def store_ingested(database: Database, rows: Iterable[Row]) -> None:
    """Keep what the operations system made of rows of 4MOST."""
    ingested = [
        {"pk": row["id"], **{column: row[column] for column in INGESTION}} for row in rows if row.get("date_ingested")
    ]
    if ingested:
        with database.transaction("ingested") as connection:
            run(connection, "fourmost/store_ingested.sql", ingested)


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


def _store_confirmed(database: Database, rows: Sequence[Row]) -> Sent:
    store_answers(database, [answer_on(row, "confirmed", payload=row["payload"], pk=row["pk_4most"]) for row in rows])
    return Sent(done=[row["name"] for row in rows])


def _store_refusal(database: Database, row: Row, error: FourmostRejected) -> Sent:
    store_answers(database, [answer_on(row, "refused", payload=row["payload"], answer=error.problem)])
    logger.warning("target refused by 4MOST name=%s reason=%s", row["name"], error.problem)
    return Sent(failed={row["name"]: error.problem})


def _store_outage(database: Database, rows: Sequence[Row], error: FourmostUnavailable) -> Sent:
    """Note that no answer came; the intents stay open."""
    store_answers(database, [answer_on(row, "unanswered", answer=str(error)) for row in rows])
    return Sent(outage=error)
