"""What is slow to import is imported by whoever needs it: commands answer at once, and a run begins soon."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT, tides

SLOW = {"astropy", "dask", "distributed", "matplotlib", "numba", "pandas", "prefect", "pyarrow"}


def slow_ones(stderr: str) -> set[str]:
    """The slow ones among the modules that a process imported, which it told with their times."""
    return {line.rpartition("|")[2].strip() for line in stderr.splitlines()} & SLOW


@pytest.mark.parametrize("command", [(), ("run",), ("status",), ("watchdog",), ("up",)])
def test_help_is_there_at_once(command: tuple[str, ...]) -> None:
    told = tides(*command, "--help", PYTHONPROFILEIMPORTTIME="1")
    assert (told.returncode, slow_ones(told.stderr)) == (0, set())


@pytest.mark.parametrize("command", ["status", "watchdog"])
def test_who_looks_after_the_bridge_needs_none_of_it(command: str, settings_file: Path, tmp_path: Path) -> None:
    assert tides("schema", "--settings", settings_file).returncode == 0
    elsewhere = {"TIDES_WATCHDOG__STATE": str(tmp_path / "state"), "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    told = tides(command, "--settings", settings_file, PYTHONPROFILEIMPORTTIME="1", **elsewhere)
    assert told.stdout and slow_ones(told.stderr) == set()


def test_a_run_imports_what_judges_only_when_there_is_something_to_judge() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import flows.comm_pipe"]
    told = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60, check=True)
    assert slow_ones(told.stderr) == {"prefect", "pandas", "pyarrow"}
