"""
Run a program that ends with us.

Call it as ``python -m simulators.services.lifeline PROGRAM [ARGUMENT]...``.

Whoever starts this holds the other end of its stdin. When that is closed, by hand or because its holder was killed, the
program is interrupted as by Ctrl-C, so that it can clean up, and then its whole process group is killed: start this in
a session of its own.
"""

import os
import select
import signal
import subprocess
import sys

INTERRUPT_SECONDS = 20.0
"""Longest wait for an interrupted program to clean up."""
WATCH_SECONDS = 0.1
"""How often to see whether the program has ended."""


def main(command: list[str]) -> int:
    """Run a program to its end and answer its exit code."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while process.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], WATCH_SECONDS)
        if readable and not os.read(sys.stdin.fileno(), 1024):
            _end(process)
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the program, then kill everything in our process group, ourselves included."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(INTERRUPT_SECONDS)
    finally:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
