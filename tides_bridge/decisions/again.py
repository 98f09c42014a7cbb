"""Some objects looked at again, as a person asks for it: with the light curve that a broker gives now."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.models import Alert, Pull
from tides_bridge.database import Database, run
from tides_bridge.decisions import judging
from tides_bridge.decisions.batch import Budget, take_calls
from tides_bridge.decisions.models import Batch, Judged
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings
from tides_bridge.targets.rulings import find_subjects


def find_again(database: Database, settings: Settings, names: Iterable[str]) -> list[Alert]:
    """
    Find the objects of some names, each with what is known of it, as if an alert said it.

    Parameters
    ----------
    database, settings
        Of the run.
    names
        Of objects, or of targets: then all objects of these.

    Raises
    ------
    RejectedError
        If a name stands for nothing that can be, or for several.
    """
    with database.transaction() as connection:
        subjects = find_subjects(connection, settings, names)
        others = [subject for subject in subjects if subject.tides_id is None]
        asked = {
            "tides_ids": [subject.tides_id for subject in subjects if subject.tides_id is not None],
            "surveys": [subject.survey for subject in others],
            "object_ids": [subject.object_id for subject in others],
        }
        rows = run(connection, "decisions/list_again.sql", asked)
    unknown = -math.inf
    return [Alert(**{**row, "newest_mjd": row["newest_mjd"] or unknown, "message": {}}) for row in rows]


def judge_again(
    database: Database, settings: Settings, functions: Sequence[SelectionFunction], alerts: Sequence[Alert]
) -> tuple[Batch, list[Judged], Budget]:
    """
    Ask a broker for light curves, and judge them.

    Parameters
    ----------
    database
        Where calls are counted.
    settings
        Of the broker.
    functions
        The active one first.
    alerts
        The objects, of `find_again`.

    Returns
    -------
    (Batch, list of Judged, Budget)
        A batch of no messages, and what came of it. Objects without a light curve are in ``deferred``, with the reason.
    """
    budget = take_calls(database, settings, judging.calls_for(alerts, settings))
    affordable = budget.calls * broker_of(settings).objects_per_call
    judged = judging.judge_objects(alerts[:affordable], settings, functions)
    judged.append(judging.defer(alerts[affordable:], HOURLY_LIMIT))
    newest = _newest_detections(judged)
    known = [
        replace(alert, newest_mjd=max(alert.newest_mjd, newest[alert.object_id]))
        for alert in alerts
        if alert.object_id in newest
    ]
    return Batch(Pull([], {}, is_last=True), known, []), judged, budget


def _newest_detections(judged: Iterable[Judged]) -> dict[str, float]:
    """Give the newest detection [d, UTC] of each object that was judged; minus infinity where it has none."""
    newest = {object_id: -math.inf for chunk in judged for object_id in chunk.passed}
    for chunk in judged:
        if len(chunk.facts):
            newest |= dict(zip(chunk.facts["object_id"], chunk.facts["last_detection_mjd"], strict=True))
    return newest


def decided_since(database: Database, run_id: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """
    Tell what a run decided, and those after it.

    Parameters
    ----------
    database
        With the record.
    run_id
        Of the run in `run_log`.

    Returns
    -------
    (list of dict, list of dict, int)
        Numbers by function; what passes now, or has passed before; calls of light-curve APIs that were made.
    """
    about = {"run_id": run_id}
    with database.transaction() as connection:
        counted = run(connection, "decisions/count_decided.sql", about)
        decided = run(connection, "decisions/list_decided.sql", about)
        return counted, decided, int(run(connection, "decisions/count_calls.sql", about)[0]["calls"])
