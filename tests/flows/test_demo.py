"""``tides demo``: two simulated nights through the real flow, twice in a row, and that nothing is left running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from simulators.sky import Sky
from simulators.standins import demo
from tests.support.folders import reachable_folder

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "import typer; from simulators.commands.demo import demo; typer.run(demo)", "--folder")
DEMO_SECONDS = 240
"""It takes some 40 s; the machine may be busy."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with reachable_folder() as place:
        yield place / "demo"


def left_running(folder: Path) -> list[str]:
    """List the processes that know the folder, from their command, environment or place."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                known = [*process.cmdline(), *process.environ().values(), process.cwd()]
                if any(str(folder) in text for text in known):
                    found.append(" ".join(process.cmdline()))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_demo_that_is_stopped_leaves_nothing_running(folder: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*COMMAND, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout and "the flow runs" in process.stdout.readline()
        time.sleep(6)  # the flow is under way
        assert left_running(folder)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait(60)
    if number is signal.SIGINT:
        assert (process.returncode, errors) == (130, "stopped: nothing was left running\n")
        assert left_running(folder) == []
    limit = time.monotonic() + 30
    while left_running(folder) and time.monotonic() < limit:
        time.sleep(0.2)
    assert left_running(folder) == []


def test_the_demo_shows_two_nights(folder: Path) -> None:
    """It runs after those that were stopped, so the folder is one that was used before."""
    done = subprocess.run(
        [*COMMAND, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEMO_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_running(folder) == []
    assert "4MOST holds exactly what the two runs said" in done.stdout
    first, second = counts(done.stdout)
    assert first["new targets"] > 20
    assert first["targets seen again"] == 0
    for words in ("new targets", "targets seen again", "targets switched off: faded or unseen"):
        assert second[words] > 0
    assert first["spectra that 4MOST took the night after"] > first["targets that need no more of them"] > 0
    assert second["sent to 4MOST: off, with those done"] >= first["targets that need no more of them"]
    assert first["classes that came back"] == first["spectra that 4MOST took the night after"]
    assert second["... and hosts of those switched off"] > first["... and hosts of those switched off"] == 0
    assert second["active at 4MOST now"] > second["... and truly supernovae"] > 0
    for name in ("settings.yaml", "fourmost.sqlite3", "alerts.jsonl.gz", "truth.csv", "database", "prefect"):
        assert (folder / name).exists()
        assert str(folder / name) in done.stdout or name == "database"
    lines = done.stdout.splitlines()
    ask = next(line.removeprefix("  database") for line in lines if line.startswith("  database"))
    answer = subprocess.run(ask, shell=True, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert answer.count("TiDES26") == first["new targets"] + second["new targets"]
    assert left_running(folder) == []
    told = yaml.safe_load((folder / "settings.yaml").read_text())["standins"]
    assert told["fourmost"]["address"].startswith("http://127.0.0.1:")


def counts(output: str) -> tuple[dict[str, int], dict[str, int]]:
    cells = [
        [cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if line.startswith("│")
    ]
    rows = [row for row in cells if len(row) == 3 and row[1].isdigit()]
    return {row[0]: int(row[1]) for row in rows}, {row[0]: int(row[2]) for row in rows}


def test_the_nights_are_clear_and_far_enough_apart() -> None:
    for seed in range(20):
        sky = Sky(seed=seed, objects=1, nights=demo.SKY_NIGHTS)
        first, second = demo._choose_nights(sky)
        assert sky.is_clear(first) and sky.is_clear(second)
        assert second - first >= demo.APART


def test_nothing_of_the_outside_leads_the_run_astray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDES_FOURMOST__ADDRESS", "https://real.example/QFSwi")
    monkeypatch.setenv("PREFECT_API_URL", "https://real.example/api")
    environment = demo._environment(tmp_path, 61260)
    assert "real.example" not in " ".join(environment.values())
    assert environment["TIDES_NOW"] == "2026-08-08T13:00:00+00:00"
    assert environment["PATH"] == os.environ["PATH"]


def night(summary: dict[str, int], **rows: Any) -> demo.Night:
    return demo.Night(
        "tonight", dict.fromkeys(demo.ROWS, 0) | summary, {int(key[1:]): row for key, row in rows.items()}
    )


def test_a_difference_between_a_run_and_4most_is_found() -> None:
    old, fainter, off = {"is_active": True, "mag": 19}, {"is_active": True, "mag": 20}, {"is_active": False, "mag": 19}
    first = night({"created_in_4most": 2}, n1=old, n2=old)
    second = night(
        {"created_in_4most": 1, "updated_in_4most": 1, "deactivated_in_4most": 1}, n1=fainter, n2=off, n3=old
    )
    assert demo._disagreements([first, second]) == []
    lost = night({"created_in_4most": 1, "updated_in_4most": 1, "deactivated_in_4most": 1}, n1=old, n2=off, n3=old)
    assert demo._disagreements([first, lost]) == ["tonight: the run said sent to 4MOST: changed: 1, but 4MOST shows 0"]


def test_a_run_that_fails_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(demo.DemoError, match="ended with code 1"):
        demo._run(tmp_path, tmp_path / "settings.yaml", 61260)
