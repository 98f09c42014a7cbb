"""One terminal for several programs: what each writes into its log, with its name in front of every line."""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import IO

from rich.text import Text

from flows.up.condensed import Condensed
from tides_bridge.console import stdout_console

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
CHANGE = re.compile(r"\S+ \S+ [A-Z]+ ((?:spawned|exited|gave up|success|stopped|killing): .*?)(?:, process has .*)?")
"""A line of supervisor's log that tells how a program does; the rest is left out."""
END = re.compile(r"exited: (\S+) \((exit status \d+|terminated by \w+)")
"""In such a line: which program has ended, and how."""


class Log:
    """
    The lines that come to a log file, which may be rotated, from now on.

    Parameters
    ----------
    path
        Of the file; it may come later.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._rest = path, b""
        self._file: IO[bytes] | None = None
        if path.exists():
            self._file = path.open("rb")
            self._file.seek(0, os.SEEK_END)

    def new_lines(self) -> Iterator[str]:
        """Give the whole lines that have come since the last call."""
        *lines, self._rest = (self._rest + self._read()).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")

    def close(self) -> str:
        """Give what has come without an end of line, and read no more."""
        if self._file is not None:
            self._file.close()
        return self._rest.decode(errors="replace")

    def _read(self) -> bytes:
        """Read to the end; of a file that was set aside first, as nothing is added to it any more."""
        if self._file is None:
            if not self._path.exists():
                return b""
            self._file = self._path.open("rb")
        text = self._file.read()
        if self._is_set_aside(self._file):
            text += self._file.read()
            self._file.close()
            self._file = None
            text += self._read()
        return text

    def _is_set_aside(self, file: IO[bytes]) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:  # between two names
            return False


class Terminal:
    """
    Prints what programs say, in short.

    Parameters
    ----------
    logs
        The log of each program, by name.
    supervisor
        The log of what keeps them running: from it come the changes of their states.
    """

    OWN = "up"

    def __init__(self, logs: Mapping[str, Path], supervisor: Path) -> None:
        self._console = stdout_console(None, highlight=False, soft_wrap=True)
        self._logs = {name: Log(path) for name, path in logs.items()}
        self._condensed = {name: Condensed(str(path)) for name, path in logs.items()}
        self._supervisor = Log(supervisor)
        self._ends: dict[str, str] = {}
        self._spoke_at = time.monotonic()
        self._width = max(map(len, logs))
        self._colours = dict(zip(logs, cycle(COLOURS), strict=False))
        self._is_gone = False

    def say(self, text: str, style: str = "bold") -> None:
        """Print lines of our own."""
        for line in text.splitlines():
            self._print(self.OWN, line, style)

    def show_new(self) -> None:
        """Print what has come, but for empty lines."""
        for line in self._supervisor.new_lines():
            if change := CHANGE.fullmatch(line):
                if end := END.match(change[1]):
                    self._ends[end[1]] = end[2]
                self._print(self.OWN, change[1], "bold red" if change[1].startswith(("exited", "gave up")) else "bold")
        for name, log in self._logs.items():
            self._show(name, log.new_lines())

    def show_rest(self) -> None:
        """Print what is left when the programs have ended."""
        self.show_new()
        self._supervisor.close()
        for name, log in self._logs.items():
            self._show(name, [log.close()])
            for line in self._condensed[name].rest():
                self._print(name, line)

    def end_of(self, name: str) -> str:
        """Say how a program has ended last: its exit status or signal; empty if it is not known."""
        return self._ends.get(name, "")

    def is_quiet(self, seconds: float) -> bool:
        """Tell whether nothing was printed for so long."""
        return time.monotonic() - self._spoke_at > seconds

    def _show(self, name: str, lines: Iterable[str]) -> None:
        for line in self._condensed[name].lines(lines, time.monotonic()):
            self._print(name, line)

    def _print(self, name: str, line: str, style: str = "") -> None:
        """Print a line; when the terminal is gone this is an error once, so that all is stopped in silence."""
        self._spoke_at = time.monotonic()
        if self._is_gone:
            return
        try:
            head = (f"{name:<{self._width}} | ", self._colours.get(name, "bold"))
            self._console.print(Text.assemble(head, (line, style)))
        except (OSError, SystemExit):  # the latter is rich's for a broken pipe
            self._is_gone = True
            raise KeyboardInterrupt from None
