"""
``tides replay``: recorded or simulated alerts as a stream, in the order of their epochs.

As Fink's alert simulator it sends so many alerts an observation, and so many observations, each at a whole multiple of
an interval on the clock; or it keeps the pace of the sky, some times as fast.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from simulators.replay.ordered import Ordered, Recorded, each_of
from simulators.replay.sending import Sender, frame
from tides_bridge.compiled import Floats
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats.framing import Framing
from tides_bridge.formats.whole_alerts import field_of

DAY_SECONDS = 86_400.0

TOGETHER_SECONDS = 0.1
"""[s] Alerts that are due within so long are sent together."""

MOST_TOGETHER = 500
"""Alerts that are sent before it is waited for their delivery."""


SENDING = Path("sending")
"""Stands for the file where an alert is left out after its file was read."""


class Clock(Protocol):
    """The time, and waiting for it."""

    def now(self) -> float:
        """Give the Unix time [s]."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class WallClock:
    """The clock on the wall."""

    def now(self) -> float:
        """Give the Unix time [s]."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True)
class ReplayPace:
    """
    When what is sent.

    Attributes
    ----------
    alerts
        An observation.
    observations
        How many; -1: until all alerts are sent.
    interval
        [s] Between observations, which begin at whole multiples of it on the clock; 0: without a pause.
    speed
        Times the pace of the sky, in place of observations: then all alerts are sent. Infinite: without a pause.
    """

    alerts: int = 3
    observations: int = 4
    interval: float = 5.0
    speed: float | None = None

    def number(self, left: int) -> int:
        """Give how many alerts are sent of those that are left."""
        if self.speed is not None or self.observations < 0:
            return left
        return min(left, self.alerts * self.observations)


class AlertGroup(NamedTuple):
    """Alerts that are sent together: from one number up to another, at a time [Unix, s]."""

    start: int
    stop: int
    due: float


@dataclass(frozen=True)
class Target:
    """
    Where alerts are sent, and how.

    Attributes
    ----------
    address, topic
        Kafka host:port, and the topic.
    options
        Of librdkafka.
    framing
        None: each alert as it was recorded.
    schema_number
        In Confluent's header; None: as the schema's version says.
    schemas
        By name, for JSON that becomes Avro.
    group
        Whom to wait for: see `sending.Room`.
    """

    address: str
    topic: str
    options: Mapping[str, str] = field(default_factory=dict)
    framing: Framing | None = None
    schema_number: int | None = None
    schemas: Mapping[str, Any] = field(default_factory=dict)
    group: str | None = None


@dataclass
class ReplayProgress:
    """
    How far it is.

    Attributes
    ----------
    done
        Alerts of the order in time that are sent for certain, or were skipped or refused: the next has this number.
    sent
        Alerts that the broker has stored.
    """

    done: int = 0
    sent: int = 0


class ReplayListener(Protocol):
    """Hears how it goes."""

    def sent(self, group: int, first: str, last: str, number: int, done: int) -> None:
        """Hear that a group was sent, the first being 1; and how many alerts are through by now."""

    def refused(self, path: Path, problem: str) -> None:
        """Hear of a file or an alert that is not sent."""

    def waiting(self, unread: int) -> None:
        """Hear that the readers are waited for."""


def send_alerts(  # noqa: PLR0913
    alerts: Ordered,
    target: Target,
    pace: ReplayPace,
    voice: ReplayListener,
    *,
    progress: ReplayProgress,
    fields: Sequence[str] = (),
    clock: Clock | None = None,
) -> None:
    """
    Send alerts.

    Parameters
    ----------
    alerts
        All there are.
    target
        Where to.
    pace
        When.
    voice
        Is told how it goes.
    progress
        Where to begin; it is kept up to date, whatever ends this.
    fields
        Paths of the fields to show of an alert; none: object and epoch.
    clock
        Default: the one on the wall.

    Raises
    ------
    SettingsError
        If there is no alert to begin with, or librdkafka refuses an option.
    BrokerUnavailable
        If Kafka does not answer, or does not store something.
    """
    clock = clock or WallClock()
    if progress.done >= len(alerts):
        raise SettingsError("--skip", "", f"{progress.done} skipped, and there are {len(alerts)} alerts")
    sender = Sender(target.address, target.topic, target.options, target.group, voice.waiting)
    start = progress.done
    epochs = alerts.epochs[start : start + pace.number(len(alerts) - start)]
    groups = _by_sky(epochs, pace.speed, clock) if pace.speed is not None else _by_interval(len(epochs), pace, clock)
    try:
        for count, (first, last, due) in enumerate(groups, start=1):
            # In short turns: the computer may have slept, or its clock may have been set.
            while (left := due - clock.now()) > 0:
                clock.sleep(min(left, 1.0))
            names, number = _send(alerts, range(start + first, start + last), target, sender, voice, fields)
            sender.flush()
            progress.done, progress.sent = start + last, progress.sent + number
            if names:
                voice.sent(count, names[0], names[-1], number, progress.done)
    except BaseException:
        sender.give_up()
        raise


def _send(  # noqa: PLR0913, PLR0917
    alerts: Ordered, chosen: range, target: Target, sender: Sender, voice: ReplayListener, fields: Sequence[str]
) -> tuple[list[str], int]:
    """Hand a group over; gives what is shown of its first and last alert, and how many there are."""
    ends: list[Recorded] = []
    count = 0
    for number, recorded in each_of(alerts, chosen):
        try:
            if isinstance(recorded, MalformedAlert):
                raise recorded
            sender.send(frame(recorded, target.framing, target.schemas, target.schema_number), recorded.object_hash)
        except MalformedAlert as error:
            voice.refused(SENDING, f"alert {number + 1} in time {error.problem}")
            continue
        ends[1:] = [recorded]
        count += 1
    return [_shown(end, fields) for end in ends], count


def _shown(recorded: Recorded, fields: Sequence[str]) -> str:
    return " ".join(str(field_of(recorded.whole.record, path)) for path in fields) or str(recorded)


def _by_interval(number: int, pace: ReplayPace, clock: Clock) -> Iterator[AlertGroup]:
    """Divide alerts into observations, each at the next whole multiple of the interval."""
    due = -math.inf
    for start in range(0, number, pace.alerts):
        now = clock.now()
        if pace.interval:
            following = math.ceil(now / pace.interval) * pace.interval
            due = following if following > due else due + pace.interval
        else:
            due = now
        yield AlertGroup(start, min(start + pace.alerts, number), due)


def _by_sky(epochs: Floats, speed: float, clock: Clock) -> Iterator[AlertGroup]:
    """Divide alerts into what is due together; those without an epoch come at the end, with the last that has one."""
    known = epochs[np.isfinite(epochs)]
    if not len(known):
        known = np.zeros(1)
    begin = clock.now()
    seconds = np.nan_to_num((epochs - known[0]) * DAY_SECONDS / speed, nan=(known[-1] - known[0]) * DAY_SECONDS / speed)
    start = 0
    while start < len(epochs):
        end = int(np.searchsorted(seconds, seconds[start] + TOGETHER_SECONDS, side="right"))
        stop = min(end, start + MOST_TOGETHER)
        yield AlertGroup(start, stop, begin + float(seconds[start]))
        start = stop
