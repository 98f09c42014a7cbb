"""
The exchange: what `tides_master` wants sent goes to 4MOST, and what 4MOST answers comes back into it.

Each answer is stored in a transaction of its own, so that an exchange that ends half-way is continued by the next. To
create is not idempotent at 4MOST: that it is asked is stored before the call, and a target that was asked for without
an answer is looked up by name before it is asked for again.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tides_bridge.database import Database, run
from tides_bridge.errors import FourmostRejected
from tides_bridge.fourmost import CONNECTIONS, FourmostClient
from tides_bridge.settings import Settings
from tides_bridge.targets import FourmostStage, stage_for_4most

logger = logging.getLogger(__name__)

Row = dict[str, Any]


@dataclass
class Sent:
    """What became of the targets sent: their names; for the failed ones with the reason."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def read_back_from_4most(database: Database, client: FourmostClient) -> int:
    """
    Read back what was ingested since last time: ``ostd_targ_id``, ``ostd_u_obj_id``, ``date_ingested``.

    Returns
    -------
    int
        The number of rows that 4MOST gave.
    """
    with database.transaction() as connection:
        newest = run(connection, "exchange/newest_ingestion.sql")[0]["date_ingested"]
    since = {"date_ingested__gte": f"{newest:%Y-%m-%d %H:%M:%S.%f}Z"} if newest else {"date_ingested__isnull": "False"}
    ingested = client.rows(**since)
    _store_ingested(database, ingested)
    return len(ingested)


def prepare_4most_update(database: Database, settings: Settings) -> FourmostStage:
    """Work out what is to be sent; keep why a target cannot be."""
    with database.transaction() as connection:
        stage = stage_for_4most(run(connection, "exchange/list_targets.sql"), settings)
        run(connection, "exchange/store_refused.sql", [_refusal(row, row["reason"]) for row in stage.refused])
    return stage


def create_new_transients_in_4most(
    database: Database, client: FourmostClient, new: Sequence[Row], page_size: int
) -> Sent:
    """
    Create targets in bulk, and store their keys page by page.

    If a page is refused, its rows go one by one, so that the good ones are not held up by a bad one.

    Raises
    ------
    FourmostUnavailable
        If the service goes away; what was answered until then is stored.
    """
    sent = Sent()
    remaining = _adopt(database, client, new, sent)
    for start in range(0, len(remaining), page_size):
        page = remaining[start : start + page_size]
        with database.transaction() as connection:
            asked = {"tides_ids": [row["tides_id"] for row in page], "now": datetime.now(UTC)}
            run(connection, "exchange/store_asked.sql", asked)
        for rows, answer in _create(client, page):
            if isinstance(answer, FourmostRejected):
                _store_failures(database, {rows[0]["tides_id"]: answer}, rows, sent)
            else:
                keys = {row["tides_id"]: told["id"] for row, told in zip(rows, answer, strict=True)}
                _store_told(database, rows, keys)
                sent.done += [row["name"] for row in rows]
    return sent


def update_existing_transients(database: Database, client: FourmostClient, rows: Sequence[Row]) -> Sent:
    """
    Send changes, several at a time, and store what was confirmed.

    Raises
    ------
    FourmostUnavailable
        If the service goes away; what was confirmed until then is stored.
    """

    def update(row: Row) -> Exception | None:
        try:
            client.update(row["pk_4most"], row["name"], row["changes"])
        except Exception as error:
            return error
        return None

    sent = Sent()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for start in range(0, len(rows), 10 * CONNECTIONS):
            page = rows[start : start + 10 * CONNECTIONS]
            results = dict(zip((row["tides_id"] for row in page), pool.map(update, page), strict=True))
            confirmed = [row for row in page if results[row["tides_id"]] is None]
            _store_told(database, confirmed, {row["tides_id"]: row["pk_4most"] for row in confirmed})
            sent.done += [row["name"] for row in confirmed]
            refused = {key: error for key, error in results.items() if isinstance(error, FourmostRejected)}
            _store_failures(database, refused, page, sent)
            for error in results.values():
                if error is not None and not isinstance(error, FourmostRejected):
                    raise error
    return sent


def _adopt(database: Database, client: FourmostClient, new: Sequence[Row], sent: Sent) -> list[Row]:
    """Look up the targets that were asked for without an answer; give those that are not at 4MOST."""
    remaining = []
    for row in new:
        found: list[Row] = []
        if row["create_asked_4most_at"] is not None:
            payload = row["payload"]
            found = client.rows(name=payload["name"], uploadedfor_survey_id=payload["uploadedfor_survey_id"])
        if not found:
            remaining.append(row)
            continue
        oldest = min(found, key=lambda there: int(there["id"]))
        told = {column: oldest.get(column) for column in row["payload"]}
        _store_told(database, [{**row, "payload": told}], {row["tides_id"]: oldest["id"]})
        _store_ingested(database, [oldest])
        logger.info("target found at 4MOST name=%s key=%s", row["name"], oldest["id"])
        sent.done.append(row["name"])
    return remaining


def _create(client: FourmostClient, page: Sequence[Row]) -> Iterator[tuple[Sequence[Row], Any]]:
    """Create a page, or row by row if it is refused; give rows with their answers or their refusal."""
    try:
        yield page, client.create([row["payload"] for row in page])
    except FourmostRejected as error:
        if len(page) == 1:
            yield page, error
            return
        for row in page:
            yield from _create(client, [row])


def _store_told(database: Database, rows: Iterable[Row], keys: dict[int, int]) -> None:
    now = datetime.now(UTC)
    with database.transaction() as connection:
        told = [
            {"tides_id": row["tides_id"], "pk": keys[row["tides_id"]], "told": json.dumps(row["payload"]), "now": now}
            for row in rows
        ]
        run(connection, "exchange/store_told.sql", told)


def _store_ingested(database: Database, rows: Iterable[Row]) -> None:
    columns = ("ostd_targ_id", "ostd_u_obj_id", "date_ingested")
    ingested = [
        {"pk": row["id"], **{column: row[column] for column in columns}} for row in rows if row.get("date_ingested")
    ]
    with database.transaction() as connection:
        run(connection, "exchange/store_ingested.sql", ingested)


def _store_failures(database: Database, errors: dict[int, FourmostRejected], rows: Sequence[Row], sent: Sent) -> None:
    failed = [row for row in rows if row["tides_id"] in errors]
    with database.transaction() as connection:
        refusals = [_refusal(row, errors[row["tides_id"]].problem) for row in failed]
        run(connection, "exchange/store_refused.sql", refusals)
    for row in failed:
        sent.failed[row["name"]] = errors[row["tides_id"]].problem
        logger.warning("target refused by 4MOST name=%s reason=%s", row["name"], sent.failed[row["name"]])


def _refusal(row: Row, reason: str) -> Row:
    """Word a refusal for the database: 4MOST's own is remembered with the payload it is about."""
    payload = None if row["payload"] is None else json.dumps(row["payload"])
    return {"tides_id": row["tides_id"], "reason": reason, "payload": payload}
