"""Batches of alerts and what came of them, for tests with a database."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.models import Alert, Pull, RefusedMessage
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.database import Database
from tides_bridge.decisions.batch import Budget, create_transient_stage, store_outcome, take_calls
from tides_bridge.decisions.models import Batch, Judged
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.settings import Settings

AWAY = BrokerUnavailable("light-curve API", "answered 503")


def alert(object_id: str = "ZTF26aaaaaaa", survey: str = "ztf", newest_mjd: float = 60999.5, **message: Any) -> Alert:
    """Make an alert with a message of its own."""
    return Alert(survey, object_id, newest_mjd, 10.5, -20.25, "SN", {"objectId": object_id, **message})


def batch_of(
    alerts: Sequence[Alert] = (),
    refused: Sequence[RefusedMessage] = (),
    positions: Mapping[tuple[str, int], int] | None = None,
) -> Batch:
    """Make a batch."""
    return Batch(Pull([], dict(positions or {}), is_last=True), alerts, refused)


def read_batch(stream: AlertStream, settings: Settings) -> Batch:
    """Read what comes next, as a run does, without deciding on it."""
    pull = stream.next_pull()
    found = broker_of(settings).decode(pull.messages)
    return Batch(pull, found.alerts, found.refused)


def decided(
    passed: Mapping[str, bool] | None = None, deferred: Mapping[str, str] | None = None, calls: int = 1
) -> Judged:
    """Make the outcome of a call without targets; the light curve of each object has a digest of its own result."""
    results = dict(passed or {})
    return Judged(
        results,
        pd.DataFrame(),
        dict(deferred or {}),
        calls=calls,
        decisions=decision_rows(results) if results else pd.DataFrame(),
    )


def decision_rows(passed: Mapping[str, bool], **others: Any) -> pd.DataFrame:
    """Make rows of the log, as `record.decisions_of` does."""
    usual = {"function": "tidesSNZTFSelect", "version": "0123456789ab", "role": "active", "code_version": "test"}
    usual |= {"curve_digest": "0" * 32, "n_detections": 3, "trigger_mjd": None, "measured": "{}"}
    usual |= {"now_mjd": 61000.0, "left_out": 0}
    rows = [
        {**usual, "object_id": object_id, "passed": result, "failed": "{}" if result else "{minBands}", **others}
        for object_id, result in passed.items()
    ]
    return pd.DataFrame(rows)


def outcome(
    database: Database, settings: Settings, batch: Batch, *chunks: Judged, budget: Budget | None = None
) -> None:
    """Store what came of a batch, as a run does it."""
    budget = budget or take_calls(database, settings, len(chunks))
    with database.transaction() as connection:
        create_transient_stage(connection, chunks)
        store_outcome(connection, batch, chunks, budget, settings)


def defer(database: Database, settings: Settings, *alerts: Alert, reason: str = "it has no detection") -> None:
    """Defer objects that are at fault themselves: the API had no light curve of them."""
    outcome(database, settings, batch_of(alerts), decided(deferred={alert.object_id: reason for alert in alerts}))


def defer_in_outage(database: Database, settings: Settings, *alerts: Alert) -> None:
    """Defer objects that were asked for while the API was away."""
    chunk = Judged({}, pd.DataFrame(), {alert.object_id: str(AWAY) for alert in alerts}, calls=2, outage=AWAY)
    outcome(database, settings, batch_of(alerts), chunk)


def defer_unasked(database: Database, settings: Settings, *alerts: Alert) -> None:
    """Defer objects for which the hour had no call left."""
    chunk = decided(deferred={alert.object_id: HOURLY_LIMIT for alert in alerts}, calls=0)
    outcome(database, settings, batch_of(alerts), chunk)
