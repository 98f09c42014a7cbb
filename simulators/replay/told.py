"""What ``tides replay`` tells as it goes, and how it ends."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulators.replay import replay as replaying
from simulators.replay.ordered import Ordered
from simulators.replay.replay import ReplayPace, Target
from tides_bridge.console import stderr_console
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.processes import INTERRUPTED, interruptible

TOLD_OF_A_FILE = 5
"""Refused alerts of one file that are told one by one; of the others only their number."""


class ReplayPrinter:
    """
    Tells on a terminal how it goes, with a bar; elsewhere in lines only.

    Parameters
    ----------
    console
        Where to.
    is_paced_by_sky
        Whether there are no observations to count.
    """

    def __init__(self, console: Console, *, is_paced_by_sky: bool) -> None:
        self._console, self._is_paced_by_sky = console, is_paced_by_sky
        self._refused: Counter[Path] = Counter()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    @property
    def number_refused(self) -> int:
        """How many files or alerts were not sent."""
        return self._refused.total()

    def begin(self, done: int, total: int) -> None:
        """Show the bar."""
        self._task = self._bar.add_task("sending", completed=done, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
        for path, number in self._refused.items():
            if number > TOLD_OF_A_FILE:
                self._say(f"{path}: {number} alerts are left out; {TOLD_OF_A_FILE} of them are told above")

    def sent(self, group: int, first: str, last: str, number: int, done: int) -> None:
        """Tell of an observation, or show in the bar where in time it is."""
        ends = first if number == 1 else f"{first} to {last}"
        if self._is_paced_by_sky:
            self._bar.update(self._task, description=last)
        else:
            self._say(f"observation {group}: {number} alert{'s' if number > 1 else ''} sent ({ends})")
        self._bar.update(self._task, completed=done)

    def refused(self, path: Path, problem: str) -> None:
        """Tell of what is not sent, a few times for each file."""
        self._refused[path] += 1
        if self._refused[path] <= TOLD_OF_A_FILE:
            self._say(f"left out: {path}: {problem}")

    def waiting(self, unread: int) -> None:
        """Tell that the readers are behind."""
        self._say(f"waiting for the group: {unread} messages in a partition are not read yet")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def carry_out(  # noqa: PLR0913
    paths: Sequence[Path], target: Target, pace: ReplayPace, *, schemas: Path | None, skip: int, fields: Sequence[str]
) -> int:
    """
    Send alerts in files, and tell about it; gives the exit code: 1 if some were left out, 130 after Ctrl-C or SIGTERM.

    Raises
    ------
    SettingsError, BrokerUnavailable
        As `replay.replay`; what was sent until then is told.
    """
    console = stderr_console(200)
    voice = ReplayPrinter(console, is_paced_by_sky=pace.speed is not None)
    progress = replaying.ReplayProgress(done=skip)
    total = 0
    try:
        with interruptible(), voice, Ordered(paths, schemas, voice.refused) as alerts:
            total = len(alerts)
            voice.begin(skip, skip + pace.number(total - skip))
            known = alerts.epochs[np.isfinite(alerts.epochs)]
            span = f"MJD {known[0]:.4f} to {known[-1]:.4f}" if len(known) else "without an epoch"
            unknown = len(alerts) - len(known)
            without = f"; {unknown} without an epoch come last" if unknown and len(known) else ""
            print(f"{len(alerts)} alerts in {alerts.number_of_files} files, {span}{without}", flush=True)
            replaying.send_alerts(alerts, target, pace, voice, progress=progress, fields=fields)
    except KeyboardInterrupt:
        print(f"stopped: {_outcome(progress, target.topic, total)}")
        return INTERRUPTED
    except BrokerUnavailable:
        print(f"failed: {_outcome(progress, target.topic, total)}", flush=True)
        raise
    print(_outcome(progress, target.topic, total))
    return 1 if voice.number_refused else 0


def _outcome(progress: replaying.ReplayProgress, topic: str, total: int) -> str:
    left = total - progress.done
    rest = f"; {left} are left: go on with --skip {progress.done}" if left > 0 else ""
    return f"{progress.sent} alerts sent to topic {topic}{rest}"
