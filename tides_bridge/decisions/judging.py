"""From messages to decisions: alerts, light curves, the selection functions, and what is kept of those that pass."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from tides_bridge import failpoints
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import Broker
from tides_bridge.brokers.models import Alert, Message, Pull, RefusedMessage, newest_of, newest_parts
from tides_bridge.compiled import Integers
from tides_bridge.decisions.epochs import decode_believable, leave_out_later
from tides_bridge.decisions.models import Batch, Judged
from tides_bridge.decisions.record import decisions_of
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.sky import is_on_sky, right_ascension
from tides_bridge.lightcurves.summaries import summarise_light_curves
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.settings import Settings

CHUNK_BYTES = 50_000_000
"""[bytes] About so much of messages is read and judged by one Dask task; less is not worth the way there."""

OUTAGES_IN_A_ROW = 2
"""After so many a task asks no more: one may be the fault of an object, two are an API that is down."""


def split_into_chunks(alerts: Sequence[Alert], size: int) -> list[list[Alert]]:
    """
    Split alerts into chunks; their order stays.

    Parameters
    ----------
    alerts
        The most urgent first.
    size
        Most objects of a chunk.
    """
    return [list(alerts[start : start + size]) for start in range(0, len(alerts), size)]


def unread(alerts: Sequence[Alert]) -> list[Alert]:
    """Give alerts without their messages: who asks for light curves needs none, and they are large."""
    return [replace(alert, message={}) for alert in alerts]


def calls_for(alerts: Sequence[Alert], settings: Settings) -> int:
    """
    Tell how many calls of the light-curve API some alerts need.

    Parameters
    ----------
    alerts
        Of which each object is asked for once.
    settings
        Of one broker: objects a call.
    """
    return -(-len(alerts) // broker_of(settings).objects_per_call)


def task_size(settings: Settings) -> int:
    """Give the objects of a Dask task: so many that its calls are full."""
    per_call = broker_of(settings).objects_per_call
    return max(settings.dask.objects_per_task // per_call, 1) * per_call


def split_messages(messages: Sequence[Message], size: int) -> list[list[Message]]:
    """
    Split messages into chunks of about equal size; their order stays.

    Parameters
    ----------
    messages
        In the order of the stream.
    size
        [bytes] of a chunk, about.

    >>> each = [Message("alerts", 0, offset, b"." * 400) for offset in range(5)]
    >>> [len(chunk) for chunk in split_messages(each, 1000)]
    [3, 2]
    """
    if not messages:
        return []
    ends = np.cumsum([len(message.value) for message in messages])
    number = max(-(-int(ends[-1]) // size), 1)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, number) / number) + 1
    edges = [0, *cuts.tolist(), len(messages)]
    return [list(messages[start:stop]) for start, stop in pairwise(edges) if stop > start]


def judge_messages(
    messages: Sequence[Message], settings: Settings, functions: Sequence[SelectionFunction]
) -> list[Judged]:
    """
    Read messages, and decide on the objects whose message brought the light curve.

    Parameters
    ----------
    messages
        In the order of the stream.
    settings
        Of one broker, whose format they have.
    functions
        The active selection function, and then the shadows.

    Returns
    -------
    list of Judged
        One of all messages. The alerts of the other objects are in it, too: see `waiting`.
    """
    decoded = decode_believable(broker_of(settings), messages, settings.latest_mjd())
    brought = set(decoded.curves.object_ids)
    ready = [alert for alert in decoded.alerts if alert.object_id in brought]
    times = settings.now_mjd(), settings.latest_mjd()
    judged = decide(ready, decoded.curves, functions, {}, *times) if ready else defer([], "")
    findings = {name: getattr(decoded, name) for name in ("alerts", "refused", "skipped", "words")}
    return [replace(judged, calls=0, notes=(*decoded.notes, *judged.notes), **findings)]


def keep_newest(chunks: Sequence[Judged]) -> list[Judged]:
    """
    Give chunks of which each object is in that of its newest alert only.

    Of equally new alerts that of the last chunk with a light curve counts.
    """
    places = newest_parts([(chunk.alerts, chunk.passed) for chunk in chunks])
    kept = []
    for number, chunk in enumerate(chunks):
        older = {alert.object_id for alert in chunk.alerts if places[alert.survey, alert.object_id] != number}
        kept.append(chunk.without(older) if older else chunk)
    return kept


def waiting(chunks: Sequence[Judged], deferred: Sequence[Alert]) -> list[Alert]:
    """
    Give the alerts whose light curve is to be fetched, the most urgent first.

    Parameters
    ----------
    chunks
        Messages that were read.
    deferred
        Objects of earlier runs: those that a message is about now are left out, unless they know a newer detection.
    """
    newest = {(alert.survey, alert.object_id): alert.newest_mjd for chunk in chunks for alert in chunk.alerts}
    left = [alert for alert in deferred if alert.newest_mjd > newest.get((alert.survey, alert.object_id), -np.inf)]
    new = [
        alert
        for chunk in chunks
        for alert in chunk.alerts
        if alert.object_id not in chunk.passed and alert.object_id not in chunk.deferred
    ]
    return newest_of([*left, *new])


def judge_objects(alerts: Sequence[Alert], settings: Settings, functions: Sequence[SelectionFunction]) -> list[Judged]:
    """
    Get the light curves of objects, call by call, and decide on each.

    An API that cannot be reached is no error here but an outage of that call, so that others are not lost.

    Parameters
    ----------
    alerts
        Of which each object is asked for once.
    settings
        Of one broker: its light-curve API, and objects per call.
    functions
        The active selection function, and then the shadows.

    Returns
    -------
    list of Judged
        One a call.
    """
    broker = broker_of(settings)
    outcomes: list[Judged] = []
    outages = 0
    for part in split_into_chunks(alerts, broker.objects_per_call):
        if outages >= OUTAGES_IN_A_ROW:
            outcomes.append(defer(part, str(outcomes[-1].outage), outage=outcomes[-1].outage))
            continue
        outcomes.append(_judge_call(part, broker, settings, functions))
        outages = outages + 1 if outcomes[-1].outage else 0
    return outcomes


def refuse(messages: Sequence[Message], reason: str) -> list[Judged]:
    """
    Refuse messages unread.

    Parameters
    ----------
    messages, reason
        What is kept, and why.
    """
    return [Judged({}, pd.DataFrame(), {}, refused=[RefusedMessage.of(message, reason) for message in messages])]


def batch_of(pull: Pull, read: Sequence[Judged], waiting: Sequence[Alert]) -> Batch:
    """
    Put together what a batch is about: what its messages said, and what was or is to be asked for.

    Parameters
    ----------
    pull
        What was read from the stream.
    read
        What the messages said, a chunk each.
    waiting
        Deferred objects, whose light curves are asked for.

    Returns
    -------
    Batch
        Of each object the newest alert, the most urgent first.
    """
    alerts = newest_of([*(alert for chunk in read for alert in chunk.alerts), *waiting])
    return Batch(pull, alerts, [message for chunk in read for message in chunk.refused])


def _judge_call(
    alerts: Sequence[Alert], broker: Broker, settings: Settings, functions: Sequence[SelectionFunction]
) -> Judged:
    before = broker.calls
    try:
        with failpoints.around("light_curves"):
            fetched = broker.fetch([alert.object_id for alert in alerts])
    except BrokerUnavailable as error:
        return defer(alerts, str(error), outage=error, calls=broker.calls - before)
    times = settings.now_mjd(), settings.latest_mjd()
    judged = decide(alerts, fetched.curves, functions, fetched.missing, *times)
    # To be told that nobody can be asked is an attempt, too.
    return replace(judged, calls=max(broker.calls - before, 1))


def defer(alerts: Sequence[Alert], reason: str, outage: Exception | None = None, calls: int = 0) -> Judged:
    """
    Put objects off: without a call, or after one that ended in an outage.

    Parameters
    ----------
    alerts
        Of the objects; none of them is decided.
    reason
        It is stored, and shown to people.
    outage
        Why nobody could be asked; None: nobody was.
    calls
        How many were made, for the budget.

    Returns
    -------
    Judged
        Without decisions.
    """
    deferred = dict.fromkeys((alert.object_id for alert in alerts), reason)
    return Judged({}, pd.DataFrame(), deferred, calls=calls, outage=outage)


def decide(  # noqa: PLR0913, PLR0917
    alerts: Sequence[Alert],
    curves: LightCurves,
    functions: Sequence[SelectionFunction],
    missing: dict[str, str],
    now_mjd: float,
    latest_mjd: float = np.inf,
) -> Judged:
    """
    Decide on objects whose light curves are here.

    Parameters
    ----------
    alerts
        All objects of the chunk.
    curves
        The light curves of some of them.
    functions
        The active selection function, which chooses the targets, and then the shadows.
    missing
        Why the others have none.
    now_mjd
        [d, UTC] When it is.
    latest_mjd
        [d, UTC] Points that are later are left out.

    Returns
    -------
    Judged
        Its facts have the columns of `tides_stage`. The position is the mean of the detections, or that of the message
        where none has one; the Sherlock class is that of the message.
    """
    curves, left_out = leave_out_later(curves, latest_mjd)
    summary = summarise_light_curves(curves)
    curves = replace(curves, objects=_objects(alerts, curves, summary))
    verdicts = judge(curves, functions, now_mjd)
    passes = dict(zip(curves.object_ids, verdicts[0].passed.tolist(), strict=True))
    facts = _facts(alerts, summary, passes, functions[0])
    is_unplaced = facts["passes"] & facts["ra"].isna()
    unplaced = dict.fromkeys(facts.loc[is_unplaced, "object_id"], "its position is unknown, or not on the sky")
    decisions = decisions_of(verdicts, curves.object_ids, curves.digests(), now_mjd, left_out)
    return Judged(
        {object_id: result for object_id, result in passes.items() if object_id not in unplaced},
        facts[~is_unplaced],
        {**missing, **unplaced},
        calls=1,
        decisions=decisions[~decisions["object_id"].isin(list(unplaced))],
        alerts=alerts,
        curves=curves,
        notes=_told_of_later(curves, left_out),
    )


def _told_of_later(curves: LightCurves, left_out: Integers) -> tuple[str, ...]:
    """Word for a person what was left out as later than now."""
    objects = [curves.object_ids[number] for number in np.flatnonzero(left_out).tolist()]
    if not objects:
        return ()
    number, others = int(left_out.sum()), f" and {len(objects) - 3} more" if len(objects) > 3 else ""
    return (f"left out as later than now: {number} points of {', '.join(objects[:3])}{others}",)


def _facts(
    alerts: Sequence[Alert], summary: pd.DataFrame, passes: Mapping[str, bool], function: SelectionFunction
) -> pd.DataFrame:
    """Make the rows of the stage, of all that were judged and ever detected; a place that is none is NaN."""
    known = [alert for alert in alerts if alert.object_id in summary.index]
    facts = summary.loc[[alert.object_id for alert in known]].reset_index()
    of_alerts = {name: np.array([getattr(alert, name) for alert in known], dtype=float) for name in ("ra", "decl")}
    is_measured = is_on_sky(facts["ra"], facts["decl"])
    for name, values in of_alerts.items():
        facts[name] = np.where(is_measured, facts[name], values)
    is_placed = is_on_sky(facts["ra"], facts["decl"])
    facts["ra"] = np.where(is_placed, right_ascension(facts["ra"]), np.nan)
    facts["decl"] = np.where(is_placed, facts["decl"], np.nan)
    facts["survey"] = [alert.survey for alert in known]
    facts["sherlock_class"] = [alert.sherlock_class for alert in known]
    facts["passes"] = [passes[alert.object_id] for alert in known]
    facts["selection_function"] = function.name
    return facts


def _objects(alerts: Sequence[Alert], curves: LightCurves, summary: pd.DataFrame) -> Objects:
    """Put together what is known of the objects: from the message, and the position else of the light curve."""
    by_id = {alert.object_id: alert for alert in alerts}
    in_order = [by_id[object_id] for object_id in curves.object_ids]
    known: dict[str, Any] = {field.name: getattr(curves.objects, field.name) for field in fields(Objects)}
    classes = zip((alert.sherlock_class for alert in in_order), known["sherlock_class"], strict=True)
    known["sherlock_class"] = [of_alert or of_curve for of_alert, of_curve in classes]
    known["annotations"] = [alert.annotations or None for alert in in_order]
    for name in known.keys() & {name for alert in in_order for name in alert.known}:
        of_alerts = pd.Series([alert.known.get(name) for alert in in_order], dtype=float)
        known[name] = of_alerts.fillna(pd.Series(known[name])).to_numpy()
    for name in ("ra", "decl"):
        of_alerts = pd.Series([getattr(alert, name) for alert in in_order], index=list(curves.object_ids), dtype=float)
        known[name] = of_alerts.fillna(summary[name].reindex(of_alerts.index)).to_numpy()
    is_placed = is_on_sky(known["ra"], known["decl"])
    known["ra"], known["decl"] = (
        np.where(is_placed, right_ascension(known["ra"]), np.nan),
        np.where(is_placed, known["decl"], np.nan),
    )
    return Objects.of(len(curves), **known)
