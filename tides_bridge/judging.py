"""From alerts to a decision on each: its light curve, the selection function, and what is kept of those that pass."""

from collections.abc import Sequence

import pandas as pd

from tides_bridge import failpoints
from tides_bridge.brokers import broker_of
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.lightcurves import LightCurves, summarise
from tides_bridge.models import Alert, Judged
from tides_bridge.selection import SelectionFunction, light_curve_satisfies
from tides_bridge.settings import Settings


def split_into_chunks(alerts: Sequence[Alert], size: int) -> list[list[Alert]]:
    """
    Split alerts into chunks of one light-curve call each; their order stays.

    Parameters
    ----------
    alerts
        The most urgent first.
    size
        Most objects of a chunk.
    """
    return [list(alerts[start : start + size]) for start in range(0, len(alerts), size)]


def judge_chunk(alerts: Sequence[Alert], settings: Settings, function: SelectionFunction) -> Judged:
    """
    Get the light curves of a chunk in one call, and decide on each.

    An API that cannot be reached is no error here but an outage of this chunk, so that the other chunks are not lost.
    """
    broker = broker_of(settings)
    try:
        with failpoints.around("light_curves"):
            fetched = broker.fetch([alert.object_id for alert in alerts])
    except BrokerUnavailable as error:
        return defer(alerts, str(error), outage=error, calls=broker.calls)
    judged = decide(alerts, fetched.curves, function, fetched.missing)
    judged.calls = broker.calls
    return judged


def defer(alerts: Sequence[Alert], reason: str, outage: Exception | None = None, calls: int = 0) -> Judged:
    """Put objects off: without a call, or after one that ended in an outage."""
    deferred = dict.fromkeys((alert.object_id for alert in alerts), reason)
    return Judged({}, pd.DataFrame(), deferred, calls=calls, outage=outage)


def decide(
    alerts: Sequence[Alert], curves: LightCurves, function: SelectionFunction, missing: dict[str, str]
) -> Judged:
    """
    Decide on objects whose light curves are here.

    Parameters
    ----------
    alerts
        All objects of the chunk.
    curves
        The light curves of some of them.
    function
        The selection function.
    missing
        Why the others have none.

    Returns
    -------
    Judged
        Its targets have the columns of `tides_stage`. Position and Sherlock class are those of the message, the
        position that of the last detection where the message has none.
    """
    satisfies = dict(zip(curves.object_ids, light_curve_satisfies(curves, function).tolist(), strict=True))
    passing = [alert for alert in alerts if satisfies.get(alert.object_id)]
    targets = summarise(curves).loc[[alert.object_id for alert in passing]].reset_index()
    for column in ("ra", "decl"):
        said = pd.Series([getattr(alert, column) for alert in passing], dtype=float)
        targets[column] = said.fillna(targets[column])
    targets["ra"] = targets["ra"].replace(360.0, 0.0)
    targets["survey"] = [alert.survey for alert in passing]
    targets["sherlock_class"] = [alert.sherlock_class for alert in passing]
    targets["selection_function"] = function.name
    is_placed = targets["ra"].between(0, 360, inclusive="left") & targets["decl"].between(-90, 90)
    unplaced = dict.fromkeys(targets.loc[~is_placed, "object_id"], "its position is unknown, or not on the sky")
    passed = {object_id: result for object_id, result in satisfies.items() if object_id not in unplaced}
    return Judged(passed, targets[is_placed], {**missing, **unplaced}, calls=1)
