"""
`tides` in processes of its own that are forked from one that has imported all: they start in milliseconds.

Each is as real as one from the shell: it has its own environment, output and end, and can be killed. What is tested of
a start itself, and of what Python or Prefect do before `main`, takes `tests.support.processes.tides` instead.
"""

import atexit
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, RUN_SECONDS

PRELOADED = "tests.support.preloaded"
DEADLY = "BRIDGE_TEST_DEADLY"
"""Variable for a word: the process dies of messages that hold it."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([PRELOADED])


def start_forked(function: Callable[..., None], *arguments: Any) -> Any:
    """Call a function in a forked process of its own, and give that process."""
    folder = Path.cwd()
    os.chdir(ROOT)  # the server, which the first of all starts, imports our packages from there
    try:
        process = _context.Process(target=function, args=arguments)
        process.start()
        return process
    finally:
        os.chdir(folder)


class ForkedTides:
    """A command of `tides` that runs; used as `subprocess.Popen` is."""

    def __init__(self, arguments: list[str], environment: dict[str, str], output: Path, errors: Path) -> None:
        self._process = start_forked(_main, arguments, environment, output, errors)
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for the end, and give the exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)


def forked_tides(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, as `tests.support.processes.tides` does."""
    done = forked_in_bytes(*arguments, **environment)
    output, errors = (TextIOWrapper(BytesIO(said), "utf-8").read() for said in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, output, errors)


def forked_in_bytes(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Do the same, and give what it says as it is."""
    words = [*map(str, arguments)]
    with tempfile.TemporaryDirectory(prefix="tides-test-output-") as name:
        output, errors = Path(name, "stdout"), Path(name, "stderr")
        process = ForkedTides(words, os.environ | environment, output, errors)
        try:
            code = process.wait(RUN_SECONDS)
        finally:
            process.send_signal(signal.SIGKILL)
        return subprocess.CompletedProcess(["tides", *words], code, output.read_bytes(), errors.read_bytes())


def _main(arguments: list[str], environment: dict[str, str], output: Path, errors: Path) -> None:
    """Be `python -m flows.cli`: in the forked process, from here to its end."""
    for stream, file in ((sys.stdout, output), (sys.stderr, errors)):
        with file.open("ab") as target:
            os.dup2(target.fileno(), stream.fileno())
    before = dict(os.environ)
    if DEADLY in environment:
        _die_of(environment[DEADLY].encode())
    os.environ.clear()
    os.environ.update(environment)
    _read_environment_again(before)
    try:
        importlib.import_module("flows.cli").main(arguments)
    finally:  # multiprocessing ends its processes without what Python does at an end
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()


def _die_of(word: bytes) -> None:
    """End this process at once when it reads a message that holds a word, as a fault in a C library does."""
    from tides_bridge.decisions import judging

    read = judging.judge_messages

    def read_or_die(messages: Any, *others: Any) -> Any:
        if any(word in message.value for message in messages):
            os.kill(os.getpid(), signal.SIGKILL)
        return read(messages, *others)

    judging.judge_messages = read_or_die


def _read_environment_again(before: dict[str, str]) -> None:
    """Have what is read from the environment at an import read from that of this process."""
    import prefect.context
    import prefect.logging.configuration

    import flows
    from tides_bridge import failpoints

    importlib.reload(flows)
    importlib.reload(failpoints)
    different = {name for name, _ in before.items() ^ os.environ.items() if name.startswith("PREFECT_")}
    if different:
        prefect.context.refresh_global_settings_context()
    if different - {"PREFECT_API_URL"}:
        prefect.logging.configuration.setup_logging(incremental=False)
