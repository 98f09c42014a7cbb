"""What flows from alerts to decisions. No input or output here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tides_bridge.brokers.models import Alert, Pull, RefusedMessage
from tides_bridge.lightcurves import LightCurves

if TYPE_CHECKING:
    from pandas import DataFrame


class Batch:
    """
    What was read together: its alerts are decided and stored together. Not a dataclass, as `Pull`.

    Parameters
    ----------
    pull
        The messages.
    alerts
        The newest alert of each object, those deferred earlier among them.
    refused
        Messages that could not be read.
    """

    def __init__(self, pull: Pull, alerts: Iterable[Alert], refused: Iterable[RefusedMessage]) -> None:
        self.pull, self.alerts, self.refused = pull, list(alerts), list(refused)


class Judged:
    """
    What was decided about a chunk of messages or alerts.

    Parameters
    ----------
    passed
        Whether each object with a light curve satisfies the selection function, by object id.
    targets
        The rows of `tides_stage` of those that do.
    deferred
        Why there was no light curve to judge, by object id.
    calls
        Calls of the light-curve API that it took.
    outage
        The error if the API did not answer, so that the objects are not at fault.
    decisions
        The rows of the log of decisions, without what only the batch knows: see `record.decisions_of`.
    alerts
        What the messages said, the newest of each object.
    refused, skipped, notes
        As in `brokers.base.Decoded`.
    curves
        The light curves, where they are judged together with those of other surveys.
    """

    def __init__(  # noqa: PLR0913
        self,
        passed: dict[str, bool],
        targets: "DataFrame",
        deferred: dict[str, str],
        calls: int = 0,
        outage: Exception | None = None,
        *,
        decisions: "DataFrame | None" = None,
        alerts: Sequence[Alert] = (),
        refused: Sequence[RefusedMessage] = (),
        skipped: Mapping[str, int] | None = None,
        notes: Sequence[str] = (),
        curves: LightCurves | None = None,
    ) -> None:
        self.decisions = targets.iloc[:0, :0] if decisions is None else decisions
        self.passed, self.targets, self.deferred, self.calls, self.outage = passed, targets, deferred, calls, outage
        self.alerts, self.refused, self.skipped, self.notes = list(alerts), list(refused), dict(skipped or {}), notes
        self.curves = curves

    def drop(self, object_ids: Collection[str]) -> None:
        """Forget some objects: another message has newer news of them."""
        self.alerts = [alert for alert in self.alerts if alert.object_id not in object_ids]
        self.passed = {name: result for name, result in self.passed.items() if name not in object_ids}
        self.deferred = {name: reason for name, reason in self.deferred.items() if name not in object_ids}
        for frame in ("targets", "decisions"):
            rows: DataFrame = getattr(self, frame)
            if len(rows):
                setattr(self, frame, rows[~rows["object_id"].isin(list(object_ids))])
