"""
What a batch does to the database.

All of a batch is one transaction, the place in the stream included: it happens, or nothing does and the messages come
again. Only the calls of the light-curve API are taken before, in a transaction of their own.
"""

import json
import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Connection

from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.kafka import Partition
from tides_bridge.brokers.models import Alert
from tides_bridge.database import Database, copy_frame, listed_columns, run
from tides_bridge.decisions.annotated import store_annotations
from tides_bridge.decisions.decided_curves import curves_to_keep, store_decided_curves
from tides_bridge.decisions.models import Batch, Judged
from tides_bridge.decisions.record import store_decisions
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.lightcurves.summaries import OF_BAND
from tides_bridge.settings import Settings
from tides_bridge.targets.association import associate_staged, life_limits, lock_targets, store_questions
from tides_bridge.targets.curves import store_target_curves, with_curves
from tides_bridge.targets.guard import Change, holds_back
from tides_bridge.targets.hosts.settling import settle_hosts
from tides_bridge.targets.tns_rulings import rule_by_tns
from tides_bridge.targets.tonight import work_out_tonight

logger = logging.getLogger(__name__)

HOUR = timedelta(hours=1)
"""The light-curve API counts calls over a sliding hour."""

LONGEST_WAIT = timedelta(days=1)
"""Between two attempts at the light curve of an object."""

LOAD_STAGE = "decisions/load_transient_stage.sql"
LOAD_BRIGHTNESS = "decisions/load_brightness_stage.sql"


FORCED = "forced"
"""The selection function of a target that none has chosen: a person has."""


def create_transient_stage(connection: Connection, judged: Iterable[Judged], at: datetime | None = None) -> int:
    """
    Make the temporary tables `tides_stage` and `brightness_stage`, and load what is known of targets and new ones.

    Those are the objects that passed, and those that belong to a target already, whether they pass or not: a verdict
    hides no fact. And those that a person forces: they become targets, too.

    Parameters
    ----------
    connection
        Of the batch.
    judged
        What was decided, a chunk each: their facts have the columns of the tables.
    at
        Whose rulings are in force; None: now.

    Returns
    -------
    int
        The number of objects.
    """
    run(connection, "decisions/create_transient_stage.sql")
    frames = [chunk.facts for chunk in judged if len(chunk.facts)]
    if not frames:
        return 0
    facts = pd.concat(frames, ignore_index=True)
    facts = _staged(connection, facts, at or datetime.now(UTC))
    copy_frame(connection, LOAD_STAGE, facts[listed_columns(LOAD_STAGE)])
    copy_frame(connection, LOAD_BRIGHTNESS, brightness_of(facts)[listed_columns(LOAD_BRIGHTNESS)])
    return len(facts)


def _staged(connection: Connection, facts: pd.DataFrame, at: datetime) -> pd.DataFrame:
    """Choose the objects that pass, belong to a target already, or are forced by a person."""
    passes = facts["passes"].astype(bool)
    others = facts[~passes]
    if not len(others):
        return facts
    asked = {"surveys": others["survey"].tolist(), "object_ids": others["object_id"].tolist()}
    rows = run(connection, "decisions/list_known.sql", asked | {"at": at})
    known = {(row["survey"], row["object_id"]): row["is_forced"] for row in rows}
    keys = list(zip(facts["survey"], facts["object_id"], strict=True))
    is_forced = pd.Series([known.get(key, False) for key in keys], index=facts.index) & ~passes
    facts = facts.assign(selection_function=facts["selection_function"].mask(is_forced, FORCED))
    return facts[passes | pd.Series([key in known for key in keys], index=facts.index)]


def brightness_of(facts: pd.DataFrame) -> pd.DataFrame:
    """
    Give a row for each object and band in which something is known, of the columns of each band in a row of the stage.

    Parameters
    ----------
    facts
        With columns as ``g_latest_mag``; one that is missing is unknown.
    """
    frames = []
    for band in BANDS:
        columns = {f"{band}_{name}": name for name in OF_BAND}
        rows = facts.reindex(columns=["survey", "object_id", *columns]).rename(columns=columns)
        rows["band"], rows["n_detections"] = band, rows["n_detections"].fillna(0).astype(int)
        is_known = rows[["latest_mjd", "limit_mjd", "forced_mjd"]].notna().any(axis=1) | (rows["n_detections"] > 0)
        frames.append(rows[is_known])
    return pd.concat(frames, ignore_index=True)


def upsert_to_master(connection: Connection, settings: Settings) -> tuple[int, int]:
    """
    Store what is known of the staged objects and bring their targets up to date, or make them; then judge these.

    Which object is which target `associate_staged` says. A target that was not seen for too long or is too faint when
    it first passes is stored and stays off, as does one whose spectrum was taken.

    Parameters
    ----------
    connection
        Of the batch, with its stage.
    settings
        The limits that keep a target on, and the clock.

    Returns
    -------
    (int, int)
        Numbers of targets inserted and updated.
    """
    has_new = associate_staged(connection, settings) > 0
    counts = run(connection, "decisions/upsert_to_master.sql", {"latest_mjd": settings.latest_mjd()})[0]
    if has_new:
        store_questions(connection)
    run(connection, "decisions/activate_staged.sql", life_limits(settings))
    return counts["inserted"], counts["updated"]


def count_born_inactive(connection: Connection) -> int:
    """Count the new targets of a batch that are off from the start, after `upsert_to_master`."""
    return int(run(connection, "decisions/count_born_inactive.sql")[0]["number"])


class Switched(NamedTuple):
    """How many targets were switched off, and on again; and of how many the guard lets neither be done, and waits."""

    deactivated: int
    activated: int
    held: int


def deactivate_unobserved_transients(database: Database, settings: Settings) -> Switched:
    """
    Let the state of all targets follow from what is known of them, the rules and the time.

    Those are switched off that were not seen for too long, or are too faint in every band seen; on again those that
    such a limit had switched off and none does any more. Too many at once are left on, as `holds_back` has it.

    Parameters
    ----------
    database
        With all targets.
    settings
        Its limits and its clock.
    """
    work_out_tonight(database, settings)
    with database.transaction("retire") as connection:
        lock_targets(connection)  # a ruling of this moment must not be overwritten by what was judged before it
        rule_by_tns(connection, settings)
        settle_hosts(connection, settings)
        run(connection, "decisions/create_life_stage.sql")
        held = {
            row["kind"]: row["held"]
            for row in run(connection, "decisions/judge_lives.sql", life_limits(settings))
            if holds_back(connection, settings, row["kind"], Change(row["held"], row["active"], row["example"]))
        }
        switched = run(connection, "decisions/deactivate_unobserved_transients.sql", {"held": list(held)})[0]
    return Switched(**switched, held=sum(held.values()))


def get_positions(database: Database, settings: Settings) -> tuple[dict[Partition, int], dict[Partition, str]]:
    """
    Find where the topics are to be read on.

    Parameters
    ----------
    database
        Where runs note how far they read.
    settings
        Of one broker: its group.

    Returns
    -------
    (dict, dict)
        By topic and partition the offset of the next message, and the digest of the one before it, where it is known.
    """
    with database.transaction() as connection:
        rows = run(connection, "decisions/list_positions.sql", {"group_id": settings.group_id})
    known = {(row["topic"], row["partition_number"]): row for row in rows}
    digests = {place: row["last_digest"] for place, row in known.items() if row["last_digest"]}
    return {place: row["next_offset"] for place, row in known.items()}, digests


def get_deferred_objects(database: Database, settings: Settings) -> list[Alert]:
    """
    Give the objects that earlier runs had to defer and that are due, the most urgent first, a batch at most.

    Parameters
    ----------
    database
        Of the run.
    settings
        Of one broker: its objects, and how many make a batch.
    """
    due = {"broker": settings.broker_name, "number": settings.broker.batch_size, "now": datetime.now(UTC)}
    with database.transaction() as connection:
        rows = run(connection, "decisions/list_deferred.sql", due)
    return [Alert(**row["alert"]) for row in rows]


@dataclass(frozen=True)
class Budget:
    """Calls of the light-curve API that a batch may make, and the row of `api_call` that holds them."""

    key: int
    calls: int


def take_calls(database: Database, settings: Settings, wanted: int) -> Budget:
    """
    Take calls from the budget of the hour before they are made, so that a killed run has made no more than it took.

    If the budget is used up but for a moment, as it is for runs an hour apart, that moment is waited for.

    Parameters
    ----------
    database
        Where all runs of all machines count the calls of the last hour.
    settings
        Of one broker: its calls an hour, and how long to wait for one.
    wanted
        How many; the answer may be fewer, and 0 when the hour is used up.
    """
    patience = settings.light_curves.longest_wait
    while True:
        now = datetime.now(UTC)
        numbers = {"budget": settings.light_curves.calls_per_hour, "wanted": wanted, "broker": settings.broker_name}
        with database.transaction("budget") as connection:
            row = run(connection, "decisions/take_api_calls.sql", {"now": now, "since": now - HOUR, **numbers})[0]
        wait = (row["freed_at"] or now) - now
        if row["calls"] or not wanted or wait > patience:
            return Budget(row["api_call_id"], row["calls"])
        logger.info("the hourly limit is reached: wait for the first calls to leave the hour, seconds=%d", wait.seconds)
        time.sleep(max(wait.total_seconds(), 0) + 1)
        patience -= wait


def store_outcome(  # noqa: PLR0913, PLR0917
    connection: Connection,
    batch: Batch,
    judged: Sequence[Judged],
    budget: Budget,
    settings: Settings,
    run_id: int | None = None,
) -> None:
    """
    Keep what else came of a batch: refused messages, decisions, light curves, deferred objects, calls, positions.

    Parameters
    ----------
    connection
        Of the batch: with its targets all of it is stored, or nothing.
    batch
        What was read.
    judged
        What was decided, a chunk each.
    budget
        Calls that were taken; those that were not made go back.
    settings
        Of one broker.
    run_id
        Of the run in `run_log`, for the record.
    """
    now, pull = datetime.now(UTC), batch.pull
    about = {"broker": settings.broker_name}
    run(connection, "decisions/store_refused.sql", [asdict(message) | about for message in batch.refused])
    alerts = {alert.object_id: alert for alert in batch.alerts}
    deferred = [
        _deferred(alerts[object_id], reason, chunk, settings, now)
        for chunk in judged
        for object_id, reason in chunk.deferred.items()
    ]
    # One that was given up begins anew with a newer alert.
    run(connection, "decisions/forget_given_up.sql", deferred)
    run(connection, "decisions/store_deferred.sql", deferred)
    store_decisions(connection, judged, alerts, run_id)
    if any(len(chunk.facts) for chunk in judged):
        staged = {(row["survey"], row["object_id"]) for row in run(connection, "decisions/list_staged.sql")}
        keys = [curves_to_keep(chunk, staged, settings.decisions.light_curves) for chunk in judged]
        kept = [with_curves(chunk.facts, chunk.curves, own) for chunk, own in zip(judged, keys, strict=True)]
        store_target_curves(connection, (with_curves(rows, None, staged) for rows in kept), settings.now_mjd())
        store_decided_curves(connection, judged, kept)
    words = [alert for chunk in judged for alert in chunk.words]
    store_annotations(connection, [*batch.alerts, *words], settings.broker_name)
    decided = [alerts[object_id] for chunk in judged for object_id in chunk.passed]
    for survey in {alert.survey for alert in batch.alerts}:
        settled = [alert.object_id for alert in decided if alert.survey == survey]
        run(connection, "decisions/forget_deferred.sql", {"survey": survey, "object_ids": settled})
    # Calls that were taken and not made go back: else a run that finds the API away would spend the hour of the next.
    calls = {"api_call_id": budget.key, "calls": sum(chunk.calls for chunk in judged)}
    run(connection, "decisions/settle_api_calls.sql", {**calls, "now": now, "since": now - HOUR})
    # The place in the stream goes with the decisions: both are known, or the batch is read again.
    places = [
        {"group_id": settings.group_id, "topic": topic, "partition": partition, "next_offset": offset}
        | {"digest": pull.digests.get((topic, partition)), "published_at": pull.published.get((topic, partition))}
        for (topic, partition), offset in pull.positions.items()
    ]
    run(connection, "decisions/store_position.sql", places)
    run(connection, "decisions/settle_accepted.sql", {"refused_ids": list(pull.accepted), "now": now})


def _deferred(alert: Alert, reason: str, chunk: Judged, settings: Settings, now: datetime) -> dict[str, Any]:
    """
    Word a deferred object for the database.

    It was not tried where the hourly limit left no call for it. Only where it is itself at fault it waits, ever longer,
    and is given up at last: else it is due in the next run.
    """
    is_at_fault = chunk.calls > 0 and chunk.outage is None and reason != HOURLY_LIMIT
    options = settings.light_curves
    return {
        "broker": settings.broker_name,
        "survey": alert.survey,
        "object_id": alert.object_id,
        "newest_mjd": alert.newest_mjd,
        "alert": json.dumps(_clean(asdict(alert)), allow_nan=False),
        "reason": reason,
        "attempts": int(chunk.calls > 0),
        "tried_at": now if chunk.calls > 0 else None,
        "now": now,
        "wait": options.try_again_after if is_at_fault else timedelta(0),
        "longest_wait": LONGEST_WAIT,
        "give_up_after": options.give_up_after if is_at_fault else None,
    }


def _clean(value: Any) -> Any:
    """Replace what Lasair may write and jsonb refuses: NaN, infinities, NUL characters and halves of surrogates."""
    if isinstance(value, dict):
        return {str(_clean(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.replace("\0", "").encode(errors="replace").decode() if isinstance(value, str) else value


def store_lag(database: Database, settings: Settings, lag: Mapping[Partition, int]) -> None:
    """
    Note how many messages were left at the end of a pull, by topic and partition.

    Parameters
    ----------
    database
        Of the run.
    settings
        Of one broker: its group.
    lag
        Messages left.
    """
    about = {"group_id": settings.group_id, "now": datetime.now(UTC)}
    rows = [about | {"topic": topic, "partition": partition, "lag": left} for (topic, partition), left in lag.items()]
    with database.transaction("batch") as connection:
        run(connection, "decisions/store_lag.sql", rows)
