"""From alerts to a decision on each: its light curve, the selection functions, and what is kept of those that pass."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from tides_bridge import failpoints
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import Broker
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.models import Alert, Judged
from tides_bridge.record import decisions_of
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.settings import Settings
from tides_bridge.summaries import summarise

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


def calls_for(alerts: Sequence[Alert], settings: Settings) -> int:
    """Tell how many calls of the light-curve API some alerts need."""
    return -(-len(alerts) // settings.light_curves.objects_per_call)


def task_size(settings: Settings) -> int:
    """Give the objects of a Dask task: so many that its calls are full."""
    per_call = settings.light_curves.objects_per_call
    return max(settings.dask.objects_per_task // per_call, 1) * per_call


def judge_chunk(alerts: Sequence[Alert], settings: Settings, functions: Sequence[SelectionFunction]) -> list[Judged]:
    """
    Get the light curves of a chunk, call by call, and decide on each.

    An API that cannot be reached is no error here but an outage of that call, so that others are not lost.

    Returns
    -------
    list of Judged
        One a call.
    """
    broker = broker_of(settings)
    outcomes: list[Judged] = []
    outages = 0
    for part in split_into_chunks(alerts, settings.light_curves.objects_per_call):
        if outages >= OUTAGES_IN_A_ROW:
            outcomes.append(defer(part, str(outcomes[-1].outage), outage=outcomes[-1].outage))
            continue
        outcomes.append(_judge_call(part, broker, settings, functions))
        outages = outages + 1 if outcomes[-1].outage else 0
    return outcomes


def _judge_call(
    alerts: Sequence[Alert], broker: Broker, settings: Settings, functions: Sequence[SelectionFunction]
) -> Judged:
    before = broker.calls
    try:
        with failpoints.around("light_curves"):
            fetched = broker.fetch([alert.object_id for alert in alerts])
    except BrokerUnavailable as error:
        return defer(alerts, str(error), outage=error, calls=broker.calls - before)
    judged = decide(alerts, fetched.curves, functions, fetched.missing, settings.now_mjd())
    judged.calls = broker.calls - before
    return judged


def defer(alerts: Sequence[Alert], reason: str, outage: Exception | None = None, calls: int = 0) -> Judged:
    """Put objects off: without a call, or after one that ended in an outage."""
    deferred = dict.fromkeys((alert.object_id for alert in alerts), reason)
    return Judged({}, pd.DataFrame(), deferred, calls=calls, outage=outage)


def decide(
    alerts: Sequence[Alert],
    curves: LightCurves,
    functions: Sequence[SelectionFunction],
    missing: dict[str, str],
    now_mjd: float,
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

    Returns
    -------
    Judged
        Its targets have the columns of `tides_stage`. Position and Sherlock class are those of the message, the
        position that of the last detection where the message has none.
    """
    summary = summarise(curves)
    curves = replace(curves, objects=_objects(alerts, curves, summary))
    verdicts = judge(curves, functions, now_mjd)
    passes = dict(zip(curves.object_ids, verdicts[0].passed.tolist(), strict=True))
    targets = _targets([alert for alert in alerts if passes.get(alert.object_id)], summary, functions[0])
    is_placed = _is_on_sky(targets["ra"], targets["decl"])
    unplaced = dict.fromkeys(targets.loc[~is_placed, "object_id"], "its position is unknown, or not on the sky")
    decisions = decisions_of(verdicts, curves.object_ids, curves.digests())
    return Judged(
        {object_id: result for object_id, result in passes.items() if object_id not in unplaced},
        targets[is_placed],
        {**missing, **unplaced},
        calls=1,
        decisions=decisions[~decisions["object_id"].isin(list(unplaced))],
    )


def _targets(passing: Sequence[Alert], summary: pd.DataFrame, function: SelectionFunction) -> pd.DataFrame:
    """Make the rows of the stage."""
    targets = summary.loc[[alert.object_id for alert in passing]].reset_index()
    for column in ("ra", "decl"):
        said = pd.Series([getattr(alert, column) for alert in passing], dtype=float)
        targets[column] = said.fillna(targets[column])
    targets["ra"] = targets["ra"].replace(360.0, 0.0)
    targets["survey"] = [alert.survey for alert in passing]
    targets["sherlock_class"] = [alert.sherlock_class for alert in passing]
    targets["selection_function"] = function.name
    return targets


def _objects(alerts: Sequence[Alert], curves: LightCurves, summary: pd.DataFrame) -> Objects:
    """Put together what is known of the objects: from the message, and the position else of the light curve."""
    by_id = {alert.object_id: alert for alert in alerts}
    told = [by_id[object_id] for object_id in curves.object_ids]
    known: dict[str, Any] = {"sherlock_class": [alert.sherlock_class for alert in told]}
    names = {field.name for field in fields(Objects)} & {name for alert in told for name in alert.known}
    known |= {name: [alert.known.get(name, np.nan) for alert in told] for name in names}
    for name in ("ra", "decl"):
        said = pd.Series([getattr(alert, name) for alert in told], index=list(curves.object_ids), dtype=float)
        known[name] = said.fillna(summary[name].reindex(said.index)).to_numpy()
    is_placed = _is_on_sky(known["ra"], known["decl"])
    known["ra"], known["decl"] = (
        np.where(is_placed, known["ra"] % 360, np.nan),
        np.where(is_placed, known["decl"], np.nan),
    )
    return Objects.of(len(curves), **known)


def _is_on_sky(ra: Any, decl: Any) -> Any:
    """Tell which positions [deg] are some."""
    return (ra >= 0) & (ra <= 360) & (decl >= -90) & (decl <= 90)
