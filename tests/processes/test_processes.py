"""Processes end with whoever started them, however that ends; and each signal does what its block says."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import ROOT, wait_until
from tides_bridge.processes import (
    asked_to_end,
    children_deaf_to_interrupts,
    interrupt_on_sigterm,
    interruptible,
    interruptible_once,
    marked,
    tethered,
)

SECONDS = 30.0
SLEEP = "import sys, time; print('at work', flush=True); time.sleep(60)"
CLEAN_UP = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=False)
pathlib.Path("child").write_text(str(child.pid))
try:
    print("at work", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path("cleaned up").touch()
"""
HOLD = """
import os, pathlib, sys, time
from tides_bridge.processes import tethered
with tethered([sys.executable, "-c", sys.argv[1]], os.environ, pathlib.Path(sys.argv[2]), sys.stdout, sys.stderr):
    time.sleep(60)
"""
MARK = "BRIDGE_TEST"


def started(*command: str, **options: Any) -> subprocess.Popen[str]:
    """A process that has printed its first line."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)
    assert process.stdout and process.stdout.readline() == "at work\n"
    return process


def ended(process: subprocess.Popen[str]) -> int:
    """Give the exit code of a process that ends, or has to be ended."""
    try:
        return process.wait(SECONDS)
    finally:
        process.kill()
        process.communicate()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signals are handled after each test as before it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# To end with whoever started us


def test_a_process_ends_with_its_stdin() -> None:
    code = f"from tides_bridge.processes import end_with_stdin; end_with_stdin(); {SLEEP}"
    first, second = (started("-c", code, stdin=subprocess.PIPE) for _ in range(2))
    assert first.stdin
    first.stdin.close()
    first.stdin = None
    assert ended(first) == -signal.SIGTERM
    assert second.poll() is None
    second.kill()
    ended(second)


def test_marked_processes_end_after_one_that_is_killed_and_no_others() -> None:
    def sleeper(value: str, word: str) -> subprocess.Popen[str]:
        return started("-c", SLEEP, word, env={**os.environ, MARK: value})

    ours = [sleeper("ours", "server") for _ in range(2)]
    others = [sleeper("ours", "worker"), sleeper("theirs", "server"), sleeper("ours", "servers")]
    code = f"from tides_bridge.processes import end_after_us; end_after_us('{MARK}', 'ours', 'server'); {SLEEP}"
    holder = started("-c", code, env={**os.environ, MARK: "ours"})
    assert sorted(process.pid for process in marked(MARK, "ours", "server")) == sorted(each.pid for each in ours)
    holder.kill()
    ended(holder)
    assert [ended(process) for process in ours] == [-signal.SIGTERM, -signal.SIGTERM]
    wait_until(lambda: len(marked(MARK, "ours")) == 2, SECONDS)  # the watcher has ended, too
    assert [process.poll() for process in others] == [None, None, None]
    for process in others:
        process.kill()
        ended(process)


@pytest.mark.parametrize("code", [0, 3])
def test_a_tethered_program_gives_its_exit_code(tmp_path: Path, code: int) -> None:
    command = [sys.executable, "-c", f"print('said'); raise SystemExit({code})"]
    output = (tmp_path / "output").open("w")
    with output, tethered(command, os.environ, tmp_path, output, output) as process:
        assert process.wait(SECONDS) == code
    assert (tmp_path / "output").read_text() == "said\n"


def test_nothing_is_left_of_a_tethered_program_after_its_block(tmp_path: Path) -> None:
    output = (tmp_path / "output").open("w")
    command = [sys.executable, "-c", CLEAN_UP]
    with output, tethered(command, os.environ, tmp_path, output, output) as process:
        wait_until(lambda: (tmp_path / "output").read_text() == "at work\n", SECONDS)
        child = int((tmp_path / "child").read_text())
        assert process.poll() is None
        assert is_alive(child)
    assert (tmp_path / "cleaned up").exists()
    wait_until(lambda: not is_alive(child), SECONDS)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_tethered_program_whose_holder_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    holder = started("-c", HOLD, CLEAN_UP, str(tmp_path))
    child = int((tmp_path / "child").read_text())
    holder.send_signal(number)
    assert ended(holder) == -number
    wait_until(lambda: (tmp_path / "cleaned up").exists() and not is_alive(child), SECONDS)


# Signals


def test_sigterm_interrupts_a_block_by_its_name_and_again_and_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt) as caught, interruptible():
            signal.raise_signal(signal.SIGTERM)
        assert caught.value.args == ("SIGTERM",)
        assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(KeyboardInterrupt) as caught, interruptible():
        signal.raise_signal(signal.SIGINT)
    assert caught.value.args == ()


def test_sigterm_is_as_ctrl_c_for_good() -> None:
    interrupt_on_sigterm()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_cleaning_up_is_interrupted_once_only(number: signal.Signals) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(each) for each in numbers]
    steps = []
    with pytest.raises(KeyboardInterrupt), interruptible_once(signal.SIGHUP):
        try:
            signal.raise_signal(number)
        finally:
            for again in numbers:
                signal.raise_signal(again)
                steps.append(again)
    assert steps == list(numbers)
    assert [signal.getsignal(each) for each in numbers] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_asked_to_end_only_hears_it(number: signal.Signals) -> None:
    is_over = asked_to_end()
    assert not is_over.is_set()
    for _ in range(2):
        signal.raise_signal(number)
        assert is_over.is_set()


def test_children_that_start_meanwhile_do_not_hear_ctrl_c_and_others_do() -> None:
    with children_deaf_to_interrupts():
        deaf = [started("-c", SLEEP) for _ in range(2)]
    hears = started("-c", SLEEP, stderr=subprocess.DEVNULL)
    for process in (*deaf, hears):
        process.send_signal(signal.SIGINT)
    assert ended(hears) == -signal.SIGINT
    assert [process.poll() for process in deaf] == [None, None]
    for process in deaf:
        process.kill()
        ended(process)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
