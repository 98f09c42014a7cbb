"""`tides status`, as a person types it."""

import io
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from tests.support.forked import forked_tides
from tests.support.processes import ROOT, free_port, hearing_ctrl_c
from tides_bridge.operations.problems import Deployment, Facts, FlowRun, PrefectFacts, Problem, Worker
from tides_bridge.operations.screen import screen

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def status(file: Path, code: int = 0, **environment: str) -> dict[str, Any]:
    done = forked_tides("status", "--settings", file, "--json", **environment)
    assert done.returncode == code, done.stderr
    return dict(json.loads(done.stdout))


def test_status_before_the_first_run_says_what_to_do(settings_file: Path) -> None:
    assert forked_tides("schema", "--settings", settings_file).returncode == 0
    done = forked_tides("status", "--settings", settings_file)
    assert done.returncode == 0, done.stderr
    assert "no run yet: tides run" in done.stdout


def test_a_new_installation_is_no_problem_but_for_the_server_that_is_not_there(
    settings_file: Path, prefect_api: str
) -> None:
    found = status(settings_file, PREFECT_API_URL=prefect_api)
    assert (found["problems"], found["database"], found["pending"]) == ([], None, [])
    assert "it has no tables yet: tides run makes them" in forked_tides("status", "--settings", settings_file).stdout
    found = status(settings_file, PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api")
    assert [each["key"] for each in found["problems"]] == ["prefect"]


def test_status_shows_how_the_bridge_does(settings_file: Path, prefect_api: str) -> None:
    done = forked_tides("run", "--settings", settings_file, "--json", PREFECT_API_URL=prefect_api)
    summary = json.loads(done.stdout)
    found = status(settings_file, PREFECT_API_URL=prefect_api)
    assert found["lag"] == 0
    assert sum(row["next_offset"] for row in found["positions"]) == summary["messages"]
    assert found["states"]["judged"] == summary["evaluated"]
    assert found["states"]["at_4most"] == summary["created_in_4most"] > 0
    assert found["states"]["refused_targets"] == summary["refused"]
    assert set(found["backlog"].values()) == {0} and found["backlog_since"] is None
    assert {row["kind"] for row in found["runs"]} == {"bridge", "pull", "exchange"}
    assert all(row["last_good"] and row["problem"] is None for row in found["runs"])
    assert [(row["made"] > 0, row["made"] + row["left"] == row["limit"]) for row in found["calls"]] == [(True, True)]
    assert (found["problems"], found["prefect"]["problem"]) == ([], None)
    page = forked_tides("status", "--settings", settings_file, PREFECT_API_URL=prefect_api).stdout
    for words in ("all well", "Runs", "went well", "lag 0", "Deferred objects", "still to be read", "this hour"):
        assert words in page
    assert len(page.splitlines()) <= 40 and max(map(len, page.splitlines())) <= 100


def test_status_without_kafka_says_why_the_lag_is_unknown(settings_file: Path) -> None:
    assert forked_tides("schema", "--settings", settings_file).returncode == 0
    content = yaml.safe_load(settings_file.read_text())
    content["standins"]["broker"]["bootstrapServers"] = "127.0.0.1:1"
    settings_file.write_text(yaml.safe_dump(content))
    found = status(settings_file)
    assert found["lag"] is None and "Kafka broker 127.0.0.1:1" in found["problem"]


def test_without_the_database_the_rest_is_shown(settings_file: Path, prefect_api: str) -> None:
    server = f"TIDES_DATABASE__PORT={free_port()}".split("=")
    away = {"TIDES_DATABASE__HOST": "127.0.0.1", server[0]: server[1], "PREFECT_API_URL": prefect_api}
    found = status(settings_file, 1, **away)
    assert "is the server up?" in found["database"] or "refused" in found["database"]
    assert (found["problems"][0]["key"], found["prefect"]["problem"]) == ("database", None)
    done = forked_tides("status", "--settings", settings_file, **away)
    assert done.returncode == 1
    assert "Database" in done.stdout and "work pool" in done.stdout


def test_watching_ends_with_ctrl_c(settings_file: Path) -> None:
    with hearing_ctrl_c():
        command = [sys.executable, "-m", "flows.cli", "status", "--settings", str(settings_file), "--watch"]
        shown = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert shown.stdout is not None
    assert "TiDES bridge, standins" in shown.stdout.readline()
    shown.send_signal(signal.SIGINT)
    shown.communicate(timeout=120)
    assert shown.returncode == 0


# The screen


def ended(state: str, minutes: int) -> FlowRun:
    return FlowRun("x", "TiDES bridge/hourly", state, NOW - minutes * MINUTE, None, NOW - minutes * MINUTE)


def drawn(facts: Facts, *problems: Problem) -> list[str]:
    text = io.StringIO()
    console = Console(width=100, file=text)
    console.print(screen("test", facts, list(problems), NOW))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_late_overlapping_and_missed_runs_are_shown() -> None:
    last = (ended("Crashed", 50), ended("Cancelled", 110), ended("Skipped", 170))
    bridge = Deployment(
        "TiDES bridge/hourly", paused=False, has_schedule=True, next_run_at=NOW + MINUTE, last_runs=last
    )
    paused = Deployment("TiDES backup/nightly", paused=True, has_schedule=True, next_run_at=None)
    late, running = ended("Late", 9), ended("Running", 5)
    worker = Worker("ProcessWorker 1", "OFFLINE", NOW - 7 * MINUTE)
    prefect = PrefectFacts("http://x/api", None, "READY", (worker,), (bridge, paused), (late,), (running,))
    text = "\n".join(drawn(Facts(prefect)))
    assert "heard 7 min ago" in text and "offline, ProcessWorker 1" in text
    assert "next in 60 s" in text or "next in 1 min" in text
    assert "Crashed 50 min ago, before Cancelled, Skipped" in text
    assert "no schedule" in text and "paused" in text
    assert "late" in text and "at work" in text


def test_what_is_wrong_comes_first_with_what_to_do() -> None:
    bad = Problem("worker", "", "worker silent for 7 min", NOW, "critical")
    lines = drawn(Facts(PrefectFacts("http://x/api", "cannot be reached")), bad)
    assert lines[0].endswith("1 problem")
    assert "worker silent for 7 min; start the worker again" in lines[1]
