"""What flows from alerts to decisions. No input or output here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from tides_bridge.brokers.models import Alert, Pull, RefusedMessage
from tides_bridge.lightcurves import LightCurves


@dataclass(frozen=True)
class Batch:
    """
    What was read together: its alerts are decided and stored together.

    Attributes
    ----------
    pull
        The messages.
    alerts
        The newest alert of each object, those deferred earlier among them.
    refused
        Messages that could not be read.
    """

    pull: Pull
    alerts: Sequence[Alert]
    refused: Sequence[RefusedMessage]


@dataclass(frozen=True, eq=False)
class Judged:
    """
    What was decided about a chunk of messages or alerts.

    Attributes
    ----------
    passed
        Whether each object with a light curve satisfies the selection function, by object id.
    facts
        What is known of each of them that was ever detected, whether it passes or not: rows of `tides_stage`.
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
    refused, skipped, notes, words
        As in `brokers.base.Decoded`.
    curves
        The light curves that were judged.
    """

    passed: Mapping[str, bool]
    facts: pd.DataFrame
    deferred: Mapping[str, str]
    calls: int = 0
    outage: Exception | None = None
    decisions: pd.DataFrame = field(default_factory=pd.DataFrame, kw_only=True)
    alerts: Sequence[Alert] = field(default=(), kw_only=True)
    refused: Sequence[RefusedMessage] = field(default=(), kw_only=True)
    skipped: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    notes: Sequence[str] = field(default=(), kw_only=True)
    words: Sequence[Alert] = field(default=(), kw_only=True)
    curves: LightCurves | None = field(default=None, kw_only=True)

    @property
    def targets(self) -> pd.DataFrame:
        """The rows of `facts` of those that satisfy the selection function."""
        return self.facts[self.facts["passes"].astype(bool)] if len(self.facts) else self.facts

    def without(self, object_ids: Collection[str]) -> "Judged":
        """Give it without some objects: another message has newer news of them."""
        return replace(
            self,
            alerts=[alert for alert in self.alerts if alert.object_id not in object_ids],
            passed={name: result for name, result in self.passed.items() if name not in object_ids},
            deferred={name: reason for name, reason in self.deferred.items() if name not in object_ids},
            facts=_rows_without(self.facts, object_ids),
            decisions=_rows_without(self.decisions, object_ids),
        )


def _rows_without(rows: pd.DataFrame, object_ids: Collection[str]) -> pd.DataFrame:
    return rows[~rows["object_id"].isin(list(object_ids))] if len(rows) else rows
