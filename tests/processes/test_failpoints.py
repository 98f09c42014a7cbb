"""Fail points: off unless asked for, once only, and all of them known by name."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tides_bridge import failpoints
from tides_bridge.failpoints import CALLS, COMMITS, POINTS, VARIABLE, around, reach

CODE = """
from tides_bridge.failpoints import around, reach
reach("x.after")
with around("x"):
    print("at work", flush=True)
"""


def process(variable: str | None = None) -> tuple[int, str]:
    """Exit code and output of a process that goes by a point."""
    environment = {**os.environ, **({VARIABLE: variable} if variable else {})}
    ended = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout


def test_without_the_variable_nothing_happens() -> None:
    assert VARIABLE not in os.environ
    for point in POINTS:
        reach(point)
    with around("create"):
        pass
    assert process() == (0, "at work\n")


def test_a_process_dies_once_and_not_twice(tmp_path: Path) -> None:
    variable = f"x.before SIGKILL {tmp_path / 'marker'}"
    assert process(variable) == (-signal.SIGKILL, "")
    assert (tmp_path / "marker").exists()
    assert process(variable) == (0, "at work\n")


@pytest.mark.parametrize(("point", "ended"), [("x.after", ""), ("y.before", "at work\n")])
def test_a_process_dies_at_its_point_only(tmp_path: Path, point: str, ended: str) -> None:
    _, output = process(f"{point} SIGTERM {tmp_path / 'marker'}")
    assert output == ended


def test_what_fails_does_not_reach_the_point_after(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(failpoints, "_point", "x.after")
    monkeypatch.setattr(failpoints, "_marker", str(tmp_path / "marker"))
    with pytest.raises(ValueError, match="oh"), around("x"):
        raise ValueError("oh")
    assert not (tmp_path / "marker").exists()


def names_of(function: str) -> Iterator[str]:
    """All constant first arguments of the calls of a function in production code."""
    files = [file for room in ("tides_bridge", "tasks", "flows") for file in (ROOT / room).rglob("*.py")]
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == function:
            yield from (str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant))


def test_every_transaction_that_writes_is_a_point_and_no_other() -> None:
    assert set(names_of("transaction")) == set(COMMITS)


def test_every_call_of_others_is_a_point_and_no_other() -> None:
    assert set(names_of("around")) == set(CALLS)


def test_every_point_has_one_name() -> None:
    assert len(set(POINTS)) == len(POINTS) == 2 * (len(COMMITS) + len(CALLS))
