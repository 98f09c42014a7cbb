"""What flows through the bridge, as frozen models. No input or output here."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    """

    survey: str
    object_id: str
    newest_mjd: float
    ra: float | None
    decl: float | None
    sherlock_class: str | None
    message: Mapping[str, Any]


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
        The newest alert of each object.
    refused
        Messages that could not be read.
    messages
        Number of messages read.
    positions
        Offset of the next message, by (topic, partition).
    is_last
        Whether the stream was silent after it.
    """

    def __init__(
        self,
        alerts: list[Alert],
        refused: list[RefusedMessage],
        messages: int,
        positions: dict[tuple[str, int], int],
        *,
        is_last: bool,
    ) -> None:
        self.alerts, self.refused, self.messages = alerts, refused, messages
        self.positions, self.is_last = positions, is_last


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
        The error if the API did not answer at all.
    """

    def __init__(
        self,
        passed: dict[str, bool],
        targets: pd.DataFrame,
        deferred: dict[str, str],
        calls: int = 0,
        outage: Exception | None = None,
    ) -> None:
        self.passed, self.targets, self.deferred, self.calls, self.outage = passed, targets, deferred, calls, outage
