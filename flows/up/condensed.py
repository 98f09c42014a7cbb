"""What a program writes in bursts, made short: of a traceback its last line, of too many lines their number."""

import re
from collections.abc import Iterable, Iterator

MOST_LINES = 40
"""Of a program within `BURST_SECONDS`: a run of the bridge writes some 30."""
BURST_SECONDS = 5.0
QUIET_SECONDS = 1.0
"""So long the last line of a traceback waits for another one that is a consequence of it."""
TRACEBACK = re.compile(r".*\bTraceback \(most recent call last\):$")
CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
INSIDE = re.compile(r"[\s|+]")
"""How the lines of a traceback begin, but for its last one."""


class Condensed:
    """
    The lines of one program as the terminal shows them.

    Parameters
    ----------
    log
        Name of the file that has all of them.
    """

    def __init__(self, log: str) -> None:
        self._log = log
        self._is_inside = False
        self._error, self._error_at = "", 0.0
        self._begun, self._shown, self._left_out = 0.0, 0, 0

    def lines(self, new: Iterable[str], now: float) -> Iterator[str]:
        """
        Give the lines to show.

        Parameters
        ----------
        new
            What the program has written since the last call; it may be nothing.
        now
            Time of a clock that only goes forward [s].
        """
        if now - self._begun > BURST_SECONDS:
            yield from self._told()
            self._begun, self._shown = now, 0
        for line in self._without_tracebacks(new, now):
            if self._shown < MOST_LINES:
                self._shown += 1
                yield line
            else:
                self._left_out += 1

    def rest(self) -> Iterator[str]:
        """Give what is left when the program has ended."""
        yield from self._take_error()
        yield from self._told()

    def _told(self) -> Iterator[str]:
        if self._left_out:
            yield f"... and {self._left_out} more lines: see {self._log}"
        self._left_out = 0

    def _without_tracebacks(self, new: Iterable[str], now: float) -> Iterator[str]:
        """Leave tracebacks out; of several that follow from each other only the last error is shown."""
        for line in filter(str.strip, new):
            if TRACEBACK.match(line):
                self._is_inside = True
            elif self._error and line.startswith(CHAINED):
                self._error = ""
            elif self._is_inside and not INSIDE.match(line):
                self._is_inside, self._error, self._error_at = False, line, now
            elif not self._is_inside:
                yield from self._take_error()
                yield line
        if now - self._error_at > QUIET_SECONDS:
            yield from self._take_error()

    def _take_error(self) -> Iterator[str]:
        if self._error:
            yield f"{self._error} (its traceback is in {self._log})"
        self._error = ""
