"""What brokers send, as models: messages, alerts, and what was pulled together. No input or output here."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


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
    annotations
        What else it says, by source and name: see `formats.meaning.annotations`.
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
    annotations: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def urgency(self) -> tuple[float, str]:
        """Sorts the most urgent first: what was detected first the latest, as young supernovae fade soonest."""
        return (-(self.newest_mjd if self.first_mjd is None else self.first_mjd), self.object_id)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a broker as it came, and where it stood in the stream."""

    topic: str
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A message that cannot be read, as it came, where it stood in the stream, and why it was refused."""

    topic: str
    partition: int
    offset: int
    body: bytes
    reason: str
    key: bytes | None = None

    @classmethod
    def of(cls, message: Message, reason: str) -> "RefusedMessage":
        """Refuse a message."""
        return cls(message.topic, message.partition, message.offset, message.value, reason, message.key)


@dataclass(frozen=True)
class Pull:
    """
    Messages that are decided and stored together, as they came.

    Attributes
    ----------
    messages
        In the order of the stream.
    positions
        Offset of the next message, by (topic, partition).
    digests, published
        Digest of the last message read of each (topic, partition), and when it was published.
    is_last
        Whether the stream was silent after them.
    accepted
        Keys of messages among them that were refused by an earlier run.
    """

    messages: Sequence[Message]
    positions: Mapping[tuple[str, int], int]
    digests: Mapping[tuple[str, int], str] = field(default_factory=dict)
    published: Mapping[tuple[str, int], datetime] = field(default_factory=dict)
    is_last: bool = field(kw_only=True)
    accepted: Sequence[int] = field(default=(), kw_only=True)

    def with_accepted(self, accepted: Mapping[int, Message]) -> "Pull":
        """Give it with messages before its own that an earlier run had refused, by their keys."""
        return replace(self, accepted=list(accepted), messages=[*accepted.values(), *self.messages])


def newest_of(alerts: Iterable[Alert]) -> list[Alert]:
    """
    Give the newest alert of each object, of equally new ones the last, the most urgent first.

    Parameters
    ----------
    alerts
        In the order of the stream; a name may stand in both surveys, where it is two objects.

    Returns
    -------
    list of Alert
        One an object, by `Alert.urgency`: what is asked for first when calls are few.
    """
    newest: dict[tuple[str, str], Alert] = {}
    for alert in alerts:
        known = newest.get((alert.survey, alert.object_id))
        if known is None or alert.newest_mjd >= known.newest_mjd:
            newest[alert.survey, alert.object_id] = alert
    return sorted(newest.values(), key=lambda alert: alert.urgency)


def newest_parts(parts: Sequence[tuple[Iterable[Alert], Container[str]]]) -> dict[tuple[str, str], int]:
    """
    Tell which of several parts has the newest alert of each object; of equally new ones the last with a light curve.

    Parameters
    ----------
    parts
        Of each its alerts, one an object, and the names of the objects whose light curve it has.

    Returns
    -------
    dict
        By survey and name of the object the number of the part.
    """
    best: dict[tuple[str, str], tuple[float, bool, int]] = {}
    for number, (alerts, with_curve) in enumerate(parts):
        for alert in alerts:
            key, here = (alert.survey, alert.object_id), (alert.newest_mjd, alert.object_id in with_curve, number)
            best[key] = max(best.get(key, here), here)
    return {key: number for key, (_, _, number) in best.items()}
