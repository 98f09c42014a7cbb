"""What a batch does to the database. All of a batch is one transaction: it happens, or nothing does."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from tides_bridge.database import Database, copy_frame, run, script
from tides_bridge.models import Alert, Batch, Judged
from tides_bridge.photometry import BANDS
from tides_bridge.settings import Settings

HOUR = timedelta(hours=1)
"""The light-curve API counts calls over a sliding hour."""

MJD_OF_UNIX = 40587.0
"""[d] MJD of 1970-01-01."""


def create_transient_stage(connection: Connection, judged: Iterable[Judged]) -> int:
    """
    Make the temporary table `tides_stage` and load the objects that passed.

    Returns
    -------
    int
        Their number.
    """
    run(connection, "ingest/create_transient_stage.sql")
    frames = [chunk.targets for chunk in judged if len(chunk.targets)]
    if not frames:
        return 0
    targets = pd.concat(frames, ignore_index=True)
    copy_frame(connection, "ingest/load_transient_stage.sql", targets[stage_columns()])
    return len(targets)


def upsert_to_master(connection: Connection, settings: Settings) -> tuple[int, int]:
    """
    Insert the staged objects into `tides_master`, or update them; then switch on those that are targets now.

    An object that was not seen for too long or is too faint when it first passes is stored and stays off, as does one
    whose spectrum was taken.

    Returns
    -------
    (int, int)
        Numbers of rows inserted and updated.
    """
    counts = run(connection, "ingest/upsert_to_master.sql")[0]
    run(connection, "ingest/activate_staged.sql", _limits(settings))
    return counts["inserted"], counts["updated"]


def deactivate_unobserved_transients(database: Database, settings: Settings) -> int:
    """
    Switch targets off that were not seen for too long, or are too faint in every band seen.

    Returns
    -------
    int
        The number of targets switched off.
    """
    with database.transaction() as connection:
        rows = run(connection, "retire/deactivate_unobserved_transients.sql", _limits(settings))
    return int(rows[0]["deactivated"])


def get_deferred_objects(database: Database, number: int) -> Batch:
    """Give a batch of the objects that earlier runs had to defer, the longest untried first, at most that number."""
    with database.transaction() as connection:
        rows = run(connection, "ingest/list_deferred.sql", {"number": number})
    return Batch([Alert(**row["alert"]) for row in rows], [], 0, {}, is_last=False)


def calls_left(database: Database, settings: Settings) -> int:
    """Give the number of light-curve calls that the hourly limit still allows."""
    with database.transaction() as connection:
        made = run(connection, "ingest/count_api_calls.sql", {"since": datetime.now(UTC) - HOUR})[0]["calls"]
    return max(settings.light_curves.calls_per_hour - int(made), 0)


def store_outcome(connection: Connection, batch: Batch, judged: Sequence[Judged]) -> None:
    """Keep what else came of a batch: refused messages, deferred objects, and the calls made."""
    now = datetime.now(UTC)
    refused = [
        {"topic": message.topic, "partition": message.partition, "offset": message.offset, "body": message.body}
        | {"reason": message.reason}
        for message in batch.refused
    ]
    run(connection, "ingest/store_refused.sql", refused)
    alerts = {alert.object_id: alert for alert in batch.alerts}
    rows = [
        _deferred(alerts[object_id], reason, now if chunk.calls else None)
        for chunk in judged
        for object_id, reason in chunk.deferred.items()
    ]
    run(connection, "ingest/store_deferred.sql", rows)
    deferred = {row["object_id"] for row in rows}
    for survey in {alert.survey for alert in batch.alerts}:
        settled = [
            alert.object_id for alert in batch.alerts if alert.survey == survey and alert.object_id not in deferred
        ]
        run(connection, "ingest/forget_deferred.sql", {"survey": survey, "object_ids": settled})
    if calls := sum(chunk.calls for chunk in judged):
        run(connection, "ingest/store_api_calls.sql", {"now": now, "calls": calls, "since": now - HOUR})


def _deferred(alert: Alert, reason: str, tried_at: datetime | None) -> dict[str, Any]:
    """Word a deferred object for the database; it was not tried where the hourly limit left no call for it."""
    text = json.dumps(_clean(asdict(alert)), allow_nan=False)
    names = {"survey": alert.survey, "object_id": alert.object_id, "alert": text, "reason": reason}
    return names | {"attempts": int(tried_at is not None), "tried_at": tried_at}


def _clean(value: Any) -> Any:
    """Replace what Lasair may write and jsonb refuses: NaN, infinities, NUL characters and halves of surrogates."""
    if isinstance(value, dict):
        return {str(_clean(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.replace("\0", "").encode(errors="replace").decode() if isinstance(value, str) else value


def stage_columns() -> list[str]:
    """Read the columns of the stage from its COPY script, so that they are listed once."""
    listed = script("ingest/load_transient_stage.sql").partition("(")[2].partition(")")[0]
    return [column.strip() for column in listed.split(",")]


def _limits(settings: Settings) -> dict[str, Any]:
    """Word the rules of a target's life for the scripts."""
    return {
        "now_mjd": settings.time().timestamp() / 86400 + MJD_OF_UNIX,
        "deactivate_after_days": settings.targets.deactivate_after / timedelta(days=1),
        "faint_limits": [settings.targets.faint_limit.get(band) for band in BANDS],
    }
