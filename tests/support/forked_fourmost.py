"""The 4MOST stand-in in a process forked from one that has imported Django: it starts in a fifth of the time."""

import os
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

from simulators.fourmost.process import FourmostStandin
from tests.support.forked import start_forked


class ForkedFourmost(FourmostStandin):
    """The same; what is tested of the start of the command itself takes `FourmostStandin`."""

    def _begin(self, options: list[str]) -> "subprocess.Popen[str]":
        return cast(
            "subprocess.Popen[str]", _Service(["--until-stdin-ends", "--port", "0", *options], self._environment)
        )


class _Service:
    """As much of `subprocess.Popen` as the stand-in's handle uses."""

    def __init__(self, options: list[str], environment: dict[str, str]) -> None:
        (heard, told), (read, written) = Pipe(duplex=False), Pipe(duplex=False)
        self._process = start_forked(_serve, options, environment, heard, written)
        for theirs in (heard, written):
            theirs.close()
        self.stdin, self.stdout = _file_of(told, "w"), _file_of(read, "r")
        self.pid = cast(int, self._process.pid)

    def terminate(self) -> None:
        if self._process.exitcode is None:
            self._process.terminate()

    def kill(self) -> None:
        if self._process.exitcode is None:
            self._process.kill()

    def poll(self) -> int | None:
        return cast("int | None", self._process.exitcode)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("4MOST stand-in", timeout or 0.0)
        return cast(int, self._process.exitcode)


def _file_of(end: Connection, mode: str) -> Any:
    """Give an end of a pipe as a file, which is then all that holds it."""
    file = os.fdopen(os.dup(end.fileno()), mode)
    end.close()
    return file


def _serve(options: list[str], environment: dict[str, str], stdin: Connection, stdout: Connection) -> None:
    """Be `python -m simulators.fourmost`: in the forked process, from here to its end."""
    import typer

    from simulators.fourmost.command import fourmost

    os.setpgid(0, 0)
    for end, numbers in ((stdin, (0,)), (stdout, (1, 2))):
        for number in numbers:
            os.dup2(end.fileno(), number)
        end.close()
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing has put /dev/null there
    os.environ.clear()
    os.environ.update(environment)
    app = typer.Typer(add_completion=False)
    app.command()(fourmost)
    app(options, prog_name=str(Path("simulators", "fourmost")))
