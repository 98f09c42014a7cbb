"""What flows through the bridge, as frozen models. No input or output here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Alert:
    """
    What one broker says of one object in one message.

    Attributes
    ----------
    survey
        The survey that names the object: ``ztf`` or ``lsst``.
    object_id
        The name there, as text: identifiers of Rubin exceed 2**53.
    newest_mjd
        [d, UTC] Epoch of the newest detection the message knows; the newer message of an object wins.
    ra, decl
        [deg] Position, ICRS; None if the message has none.
    sherlock_class
        Sherlock's classification; None if the message has none.
    message
        The message as it came, decoded.
    first_mjd
        [d, UTC] Epoch of the first detection; None if the message does not say.
    known
        What else the message says of the object: fields of `lightcurves.Objects`.
    """

    survey: str
    object_id: str
    newest_mjd: float
    ra: float | None
    decl: float | None
    sherlock_class: str | None
    message: Mapping[str, Any]
    first_mjd: float | None = None
    known: Mapping[str, float] = field(default_factory=dict)

    @property
    def urgency(self) -> tuple[float, str]:
        """Sorts the most urgent first: what was detected first the latest, as young supernovae fade soonest."""
        return (-(self.newest_mjd if self.first_mjd is None else self.first_mjd), self.object_id)


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A message that cannot be read, as it came, where it stood in the stream, and why it was refused."""

    topic: str
    partition: int
    offset: int
    body: bytes
    reason: str


class Batch:
    """
    Messages that are decided and stored together.

    Not a dataclass on purpose: Prefect looks into those, field by field, whenever one is handed to a task.

    Parameters
    ----------
    alerts
        The newest alert of each object, the most urgent first.
    refused
        Messages that could not be read.
    messages
        Number of messages read.
    positions
        Offset of the next message, by (topic, partition).
    digests
        Digest of the last message read of each (topic, partition).
    is_last
        Whether the stream was silent after it.
    """

    def __init__(  # noqa: PLR0913
        self,
        alerts: list[Alert],
        refused: list[RefusedMessage],
        messages: int,
        positions: dict[tuple[str, int], int],
        *,
        is_last: bool,
        digests: Mapping[tuple[str, int], str] | None = None,
    ) -> None:
        self.alerts, self.refused, self.messages = alerts, refused, messages
        self.positions, self.is_last, self.digests = positions, is_last, dict(digests or {})

    def joined_by(self, alerts: Iterable[Alert]) -> "Batch":
        """Give the batch with the objects of earlier ones; of two alerts of an object the newer one stays."""
        joined = newest_of([*alerts, *self.alerts])
        return Batch(joined, self.refused, self.messages, self.positions, is_last=self.is_last, digests=self.digests)


def newest_of(alerts: Iterable[Alert]) -> list[Alert]:
    """Give the newest alert of each object, of equally new ones the last, the most urgent first."""
    newest: dict[tuple[str, str], Alert] = {}
    for alert in alerts:
        known = newest.get((alert.survey, alert.object_id))
        if known is None or alert.newest_mjd >= known.newest_mjd:
            newest[alert.survey, alert.object_id] = alert
    return sorted(newest.values(), key=lambda alert: alert.urgency)


class Judged:
    """
    What was decided about a chunk of alerts.

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
    """

    def __init__(  # noqa: PLR0913
        self,
        passed: dict[str, bool],
        targets: pd.DataFrame,
        deferred: dict[str, str],
        calls: int = 0,
        outage: Exception | None = None,
        *,
        decisions: pd.DataFrame | None = None,
    ) -> None:
        self.decisions = pd.DataFrame() if decisions is None else decisions
        self.passed, self.targets, self.deferred, self.calls, self.outage = passed, targets, deferred, calls, outage
