"""What 4MOST answered, as it is kept: in `exchange_log` all of it, in `tides_master` what it means."""

import json
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.fourmost.identity import shown_otherwise, with_shown
from tides_bridge.fourmost.payloads import MOST_ASKED

logger = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = timedelta(hours=1), timedelta(days=7)
"""What was refused is tried again after an hour, two, four ...: a rule at 4MOST may have changed."""

INGESTION = ("ostd_targ_id", "ostd_u_obj_id", "date_ingested")
"""What the operations system makes of a row."""

Row = dict[str, Any]


def answer_on(
    row: Row, status: str, *, payload: Row | None = None, pk: int | None = None, answer: str | None = None
) -> Row:
    """
    Word an answer for the log.

    Parameters
    ----------
    row
        The target.
    status
        As of ``exchange_log``.
    payload
        What 4MOST has of it now, or was asked and refused.
    pk
        The key of its row there.
    answer
        In words.
    """
    return {"tides_id": row["tides_id"], "status": status, "pk": pk, "payload": payload, "answer": answer}


def answer_of(row: Row, answered: Row, asked: Row) -> Row:
    """
    Word what the row that came back means: confirmed, or otherwise where a column asked for is not as asked.

    Parameters
    ----------
    row
        The target, with the ``payload`` that 4MOST should have in the end.
    answered
        Its row at 4MOST, as answered.
    asked
        The columns of the payload that were sent.
    """
    otherwise = shown_otherwise(asked, answered)
    if not otherwise:
        return answer_on(row, "confirmed", payload=row["payload"], pk=answered["id"])
    shown = with_shown(row["payload"], otherwise)
    words = ", ".join(f"{column}: {asked[column]} asked, {value} shown" for column, value in otherwise.items())
    logger.warning("4MOST answered otherwise name=%s %s", row["name"], words)
    return {**answer_on(row, "otherwise", payload=shown, pk=answered["id"], answer=words), "asked": row["payload"]}


def store_answers(database: Database, answers: Sequence[Row]) -> None:
    """Log answers, and keep in `tides_master` what they mean."""
    if answers:
        with database.transaction("answers") as connection:
            # First, as a key is unique: after a restoration it may still stand at a target whose row is gone.
            release_keys(connection, [row for row in answers if row["status"] in ("confirmed", "adopted", "otherwise")])
            waits = {"first_wait": FIRST_WAIT, "longest_wait": LONGEST_WAIT}
            run(connection, "fourmost/store_answers.sql", {"answers": json.dumps(answers), **waits})


def release_keys(connection: Connection, owners: Sequence[Row]) -> None:
    """Take keys from targets whose row is gone, where they belong to others now."""
    run(connection, "fourmost/release_keys.sql", {"answers": json.dumps(owners)})


def store_ingested(database: Database, rows: Iterable[Row]) -> None:
    """Keep what the operations system made of rows of 4MOST."""
    ingested = [
        {"pk": row["id"], **{column: row.get(column) for column in INGESTION}}
        for row in rows
        if row.get("date_ingested")
    ]
    if ingested:
        with database.transaction("ingested") as connection:
            run(connection, "fourmost/store_ingested.sql", ingested)


def list_refusals(database: Database) -> list[Row]:
    """List why targets could not be sent, the most frequent reason first: see ``fourmost/list_refused.sql``."""
    with database.transaction() as connection:
        return run(connection, "fourmost/list_refused.sql")


def retry_targets(database: Database) -> int:
    """Let the next exchange send again what 4MOST refused or kept answering otherwise; gives the number of targets."""
    with database.transaction("repair") as connection:
        return int(run(connection, "fourmost/retry_refused.sql", {"times": MOST_ASKED})[0]["number"])
