"""
Processes that end with whoever started them, and signals.

Whoever starts what shall not outlive it holds the other end of its stdin: the kernel closes that however the holder
ends, even if it is killed. Then

==================================  ===================================================================================
`end_with_stdin`                    the process that called it gets SIGTERM
`tethered`                          a program is interrupted, and later all of its group is killed
`end_after_us`                      what bears a mark in its environment is asked to end
`start_watcher`                     a module of the caller's ends what it knows of
==================================  ===================================================================================

The last three need a process that lives a moment longer: ``python -m tides_bridge.processes``, or such a module.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

INTERRUPT_SECONDS = 20.0
"""Longest wait for an interrupted program to clean up."""
WATCH_SECONDS = 0.1
"""How often to see whether a program has ended."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell has it."""

_watchers: list[subprocess.Popen[str]] = []
"""Kept, as each ends with its pipe."""


# To end with whoever started us


def end_with_stdin() -> None:
    """Send ourselves SIGTERM when our stdin ends: whoever started us is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stdin", daemon=True).start()


@contextlib.contextmanager
def tethered(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, output: IO[str], errors: IO[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a program, of which nothing is left after the block, or after our own end.

    Parameters
    ----------
    command
        The program and its arguments.
    environment, folder
        In which it runs.
    output, errors
        Where its output goes.

    Yields
    ------
    subprocess.Popen
        Whose exit code is that of the program.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tides_bridge.processes", *command],
        env=dict(environment), cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=errors, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait(INTERRUPT_SECONDS + 5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what a program left that ended by itself


def start_watcher(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None, handed: Sequence[IO[str]] = ()
) -> subprocess.Popen[str]:
    """
    Start a module that outlives us: its stdin, into which we may write, ends when we do.

    Parameters
    ----------
    module, arguments
        What is run.
    environment
        Its own; ours if None.
    handed
        Open files that it keeps open, such as a lock.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=None if environment is None else dict(environment),
        stdin=subprocess.PIPE,  # closed by the kernel when we end
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, pass_fds=[file.fileno() for file in handed],
        start_new_session=True,  # Ctrl-C is for us
    )  # fmt: skip


def end_after_us(mark: str, value: str, word: str) -> None:
    """
    Ask processes to end when we have ended, in whatever way.

    Parameters
    ----------
    mark, value
        Variable in their environment, and its value.
    word
        In their command.
    """
    watcher = start_watcher("tides_bridge.processes")
    _watchers.append(watcher)
    if watcher.stdin:
        # Not by its command: with the word in it the watcher would be one of those that it ends.
        watcher.stdin.write("\n".join((mark, value, word)))
        watcher.stdin.flush()


def marked(mark: str, value: str, word: str = "") -> "list[psutil.Process]":
    """
    List the processes that have a variable in their environment and, if it is given, a word in their command.

    Parameters
    ----------
    mark
        Name of the variable; all that a process starts inherits it.
    value
        What only ours have, such as the path of their folder.
    word
        Such as the name of a module.

    Returns
    -------
    list of Process
        Those that we may look into; one of another account is never ours.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if (not word or word in process.cmdline()) and process.environ().get(mark) == value:
                found.append(process)
    return found


def _run_until_stdin_ends(command: Sequence[str]) -> int:
    """Run a program, and give its exit code; when our stdin ends, end it and then our process group, us included."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while process.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], WATCH_SECONDS)
        if readable and not os.read(sys.stdin.fileno(), 1024):
            process.send_signal(signal.SIGINT)  # as by Ctrl-C, so that it can clean up
            try:
                process.wait(INTERRUPT_SECONDS)
            finally:
                os.killpg(0, signal.SIGKILL)
    return process.returncode


def _end_marked_when_stdin_ends() -> int:
    """Ask marked processes to end when our stdin has ended, which said which they are."""
    import psutil

    whom = sys.stdin.read().split("\n")
    for process in marked(*whom) if len(whom) == 3 else ():  # less if the other side was killed before it said so
        with contextlib.suppress(psutil.Error):
            process.terminate()
    return 0


# Signals


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def interrupt_on_sigterm() -> None:
    """Let SIGTERM be as Ctrl-C from now on."""
    signal.signal(signal.SIGTERM, _interrupt)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end a block as Ctrl-C does: by KeyboardInterrupt, whose argument then is the signal's name."""
    with _handling({signal.SIGTERM: _interrupt}):
        yield


@contextlib.contextmanager
def interruptible_once(*more: signal.Signals) -> Iterator[None]:
    """
    Let SIGTERM, and more signals, end a block as Ctrl-C does: once, so that the cleaning up is left alone.

    Parameters
    ----------
    more
        Such as SIGHUP, which tells of the end of the terminal.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, *more)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handling(dict.fromkeys(numbers, stop)):
        yield


@contextlib.contextmanager
def _handling(handlers: "Mapping[signal.Signals, Callable[[int, FrameType | None], None]]") -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def asked_to_end() -> threading.Event:
    """Give what SIGTERM and Ctrl-C set from now on; they do nothing else."""
    is_over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: is_over.set())
    return is_over


def ignore_interrupts() -> None:
    """Leave Ctrl-C to a program that we wait for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def children_deaf_to_interrupts() -> Iterator[None]:
    """
    Let processes that start now not hear Ctrl-C, which a terminal sends to all: this one will end them.

    They inherit it; else each of them would tell of the interrupt, at length. This one hears it afterwards.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # when it starts it lets interrupts through again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


if __name__ == "__main__":
    raise SystemExit(_run_until_stdin_ends(sys.argv[1:]) if sys.argv[1:] else _end_marked_when_stdin_ends())
