"""On a machine that many others want, a demo, a run and all of `tides up` take longer, and succeed."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.folders import reachable_folder
from tests.support.processes import tides
from tests.support.terminal import READY, Terminal

LOOPS = 15
LONGEST = 300
"""[s] After which each of them ends by itself, whatever becomes of us."""
LOOP = f"import time\nend = time.monotonic() + {LONGEST}\nwhile time.monotonic() < end: pass"


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    """A load of 15 more than there is."""
    with contextlib.ExitStack() as stack:
        for _ in range(LOOPS):
            loop = subprocess.Popen([sys.executable, "-c", LOOP])
            stack.callback(loop.wait)
            stack.callback(loop.kill)
        yield


@pytest.mark.whole
def test_demo_and_run_and_up_succeed_on_a_busy_machine(settings_file: Path, tmp_path: Path) -> None:
    with reachable_folder() as folder, busy_machine():
        terminal = Terminal(folder / "demo")
        try:
            terminal.start("busy")  # all three at once
            demo = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            done = tides("run", "--settings", settings_file, "--json", PREFECT_HOME=str(tmp_path / "prefect"))
            assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
            said, _ = demo.communicate(timeout=2 * LONGEST)
            assert (demo.returncode, "Traceback" in said) == (0, False), said
            terminal.wait_for_line(READY)
            assert "but not" not in terminal.said() and not re.search("database is locked|Traceback", terminal.said())
            assert terminal.signal(signal.SIGINT) == 0
        finally:
            if not terminal.ended:
                terminal.signal(signal.SIGTERM)
            terminal.wait_for(terminal.is_gone)
