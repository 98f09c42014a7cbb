"""Real processes for tests: a Prefect server, and the command line."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import requests

from tests.support.prefect_home import furnish

ROOT = Path(__file__).parents[2]
SERVER_SECONDS = 180.0
"""A new server makes its tables first: 20 s on an idle machine, over 60 beside other tests; a run waits as long."""
RUN_SECONDS = 400.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is so; fail if it is not after so long."""
    limit = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.05)


@contextlib.contextmanager
def prefect_server(home: Path, *options: str) -> Iterator[str]:
    """
    Serve Prefect from a home of its own, and give the address of its API.

    With ``--no-services`` it takes all that a run tells it, but keeps no task runs and no events: a third of the work.
    """
    furnish(home)
    port = free_port()
    where = ["--host", "127.0.0.1", "--port", str(port), *options]
    command = [sys.executable, "-m", "prefect", "server", "start", *where]
    environment = os.environ | {"PREFECT_HOME": str(home)}
    if "--no-services" in options:  # its tables are there, and a run uses no blocks: to look for both costs 3 s
        environment |= {"PREFECT_API_DATABASE_MIGRATE_ON_START": "false"}
        environment |= {"PREFECT_API_BLOCKS_REGISTER_ON_START": "false"}
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
    try:
        limit = time.monotonic() + SERVER_SECONDS
        while not _answers(f"http://127.0.0.1:{port}/api/health"):
            assert server.poll() is None and time.monotonic() < limit, (home / "server.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        try:
            server.wait(5)  # it would wait for all that have asked it; nothing of it is kept
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(60)


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).ok
    except requests.RequestException:
        return False


def is_halted(pid: int) -> bool:
    """Tell whether a process stands still; one that has ended does not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def hearing_ctrl_c() -> Iterator[None]:
    """Let children hear Ctrl-C, which they would not inherit from tests that run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def tides(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
