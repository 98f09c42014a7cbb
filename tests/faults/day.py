"""
A day in an hour: ``make day``, ``make day ARGS='--hours 2 --speed 24'``.

`tides up` runs with a simulated stream that is faster than the sky, and the hourly run comes as much more often. After
each run nothing may be left in the stream, and no process may grow from run to run: how much memory each takes is
measured all the time.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests
from rich.console import Console
from rich.table import Table

from tests.support.folders import reachable_folder
from tests.support.processes import ROOT, free_port

START_SECONDS = 180
SAMPLE_SECONDS = 10
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
GROWTH = 1.10
"""A process grows if it takes a tenth more in the last third of the time than in the middle third."""
COUNTED = ("messages", "evaluated", "passed", "inserted", "deactivated", "created_in_4most", "updated_in_4most", "lag")
LEFT = 10
"""So many messages may come while a run stores its last batch; the next run reads them."""
KINDS = {
    "prefect server": ("prefect server", "prefect.server"),
    "worker": ("prefect worker",),
    "run": ("prefect flow-run execute", "prefect.flow_engine", "prefect.engine"),
    "page": ("flows.cli page", "tides page"),
    "watchdog": ("flows.cli watchdog", "tides watchdog"),
    "stand-ins": ("flows.cli standins", "tides standins", "simulators."),
    "database": ("postgres",),
    "database keeper": ("flows.cli database", "tides database"),
    "supervisor": ("supervisord",),
    "tides up": ("flows.cli up", "tides up"),
}
"""Kinds of processes, by words of their command."""


@dataclass
class Day:
    """What was seen: one row a run, and the memory of each kind of process at each time."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def sample(self, up: psutil.Process, database: int | None) -> None:
        """Note how much memory [MB] each kind takes now."""
        sizes: dict[str, float] = defaultdict(float)
        every = [up, *up.children(recursive=True)]
        if database:
            postmaster = psutil.Process(database)
            every += [postmaster, *postmaster.children(recursive=True)]
        for process in every:
            try:
                sizes[kind_of(" ".join(process.cmdline()))] += process.memory_full_info().uss / 1e6
            except psutil.Error:
                continue
        for kind, size in sizes.items():
            self.memory[kind].append((time.monotonic(), size))

    def growing(self) -> dict[str, float]:
        """Give the kinds that grow, and by how much; a run is another process each time."""
        found = {}
        for kind, samples in self.memory.items():
            sizes = [size for _, size in samples]
            third = len(sizes) // 3
            if third < 3:
                continue
            growth = statistics.median(sizes[-third:]) / statistics.median(sizes[third:-third])
            if growth > GROWTH:
                found[kind] = growth
        return found


def kind_of(command: str) -> str:
    """Say what a process is."""
    return next((kind for kind, words in KINDS.items() if any(word in command for word in words)), "other")


@contextmanager
def bridge_up(folder: Path, port: int, page: int, speed: float) -> Iterator[psutil.Process]:
    """Run `tides up` until the end of the block; it must be ready, and end in order."""
    command = [sys.executable, "-m", "flows.cli", "up", "--config", "demo", "--folder", str(folder)]
    command += ["--port", str(port), "--speed", str(speed)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIDES_", "PREFECT_"))}
    log = folder.with_suffix(".log")
    with log.open("w") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=kept | {"TIDES_PAGE__PORT": str(page)}, stdout=said, stderr=said,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: is_ready(log.read_text()) or process.poll() is not None, START_SECONDS)
        if process.poll() is not None:
            raise SystemExit(log.read_text()[-3000:])
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


def is_ready(text: str) -> bool:
    """Tell whether `tides up` said so; its stand-ins say it, too."""
    return any(line.startswith("up ") and "ready (Ctrl-C" in line for line in text.splitlines())


def wait_until(look: Any, seconds: float) -> None:
    """Look until it is so."""
    limit = time.monotonic() + seconds
    while not look():
        if time.monotonic() > limit:
            raise SystemExit(f"not so after {seconds:.0f} s")
        time.sleep(0.5)


def ask(port: int, method: str, path: str, **body: Any) -> Any:
    """Ask the Prefect server."""
    for _ in range(10):
        answer = requests.request(method, f"http://127.0.0.1:{port}/api/{path}", json=body, timeout=120)
        if answer.status_code != 503:
            break
        time.sleep(1)
    answer.raise_for_status()
    return answer.json()


def status(folder: Path) -> dict[str, Any]:
    """Ask `tides status`."""
    command = [sys.executable, "-m", "flows.cli", "status", "--settings", str(folder / "settings.yaml"), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return dict(json.loads(done.stdout))


def counts(folder: Path) -> dict[str, Any]:
    """Give what the newest run counted."""
    query = "SELECT counts FROM run_log WHERE kind = 'bridge' ORDER BY run_id DESC LIMIT 1"
    command = [sys.executable, "-m", "flows.cli", "psql", "--settings", str(folder / "settings.yaml"), "-Atc", query]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return dict(json.loads(done.stdout))


def has_run(port: int) -> bool:
    """Tell whether the run with which `tides up` begins has ended."""
    found = ask(port, "POST", "flow_runs/filter", flows={"name": {"any_": ["TiDES bridge"]}})
    return any(run["state_type"] == "COMPLETED" for run in found)


def one_run(port: int, deployment: str, interval: float, watch: Any) -> dict[str, Any]:
    """Start a run of the deployment, and follow it to its end."""
    begun = time.monotonic()
    run = ask(port, "POST", f"deployments/{deployment}/create_flow_run", state={"type": "SCHEDULED"})
    sampled = 0.0
    while run["state_type"] not in ENDED:
        if time.monotonic() > begun + interval * 4:
            raise SystemExit(f"the run {run['name']} has no end: {run['state_name']}")
        time.sleep(0.5)
        if time.monotonic() > sampled + 2:
            watch()
            sampled = time.monotonic()
        run = ask(port, "GET", f"flow_runs/{run['id']}")
    return {"state": run["state_name"], "seconds": run["total_run_time"], "waited": time.monotonic() - begun}


def live(day: Day, arguments: argparse.Namespace, folder: Path, console: Console) -> None:
    """Let the hours pass."""
    port, interval = free_port(), 3600 / arguments.speed
    with bridge_up(folder, port, free_port(), arguments.speed) as up:
        deployment = ask(port, "GET", "deployments/name/TiDES bridge/hourly")["id"]
        wait_until(lambda: has_run(port), START_SECONDS)
        end = time.monotonic() + arguments.hours * 3600
        while time.monotonic() < end:
            due = time.monotonic() + interval
            row = one_run(port, deployment, interval, lambda: day.sample(up, postmaster(folder)))
            found, counted = status(folder), counts(folder)
            row |= {name: counted[name] for name in COUNTED}
            row |= {"backlog": sum(found["backlog"].values()), "active": found["states"]["active"]}
            day.runs.append(row)
            console.print(f"{len(day.runs):3} {row}", soft_wrap=True)
            while time.monotonic() < due:
                day.sample(up, postmaster(folder))
                time.sleep(min(SAMPLE_SECONDS, max(0.0, due - time.monotonic())))


def postmaster(folder: Path) -> int | None:
    """Give the process of the database, which is nobody's child."""
    file = next(iter(folder.rglob("postmaster.pid")), None)
    return int(file.read_text().split()[0]) if file else None


def told(day: Day) -> Table:
    """Show the memory of each kind: first, middle and last third of the time."""
    table = Table("process", "samples", "first third [MB]", "middle", "last third", "most", title="Memory (median)")
    for kind, samples in sorted(day.memory.items()):
        sizes = [size for _, size in samples]
        third = max(1, len(sizes) // 3)
        parts = (sizes[:third], sizes[third:-third] or sizes, sizes[-third:])
        numbers = [f"{statistics.median(part):.0f}" for part in parts]
        table.add_row(kind, str(len(sizes)), *numbers, f"{max(sizes):.0f}")
    return table


def main() -> int:
    """Let a day pass; 1 if something was left in the stream, a run failed, or a process grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="how long, by the clock")
    parser.add_argument("--speed", type=float, default=24.0, help="of the sky")
    arguments = parser.parse_args()
    console, day = Console(width=160), Day()
    with reachable_folder() as folder:
        print(f"log: {folder / 'day.log'}", flush=True)
        live(day, arguments, folder / "day", console)
    console.print(told(day))
    bad = [row for row in day.runs if row["state"] != "Completed" or row["lag"] > LEFT]
    for row in bad:
        console.print(f"not as it should be: {row}")
    for kind, growth in day.growing().items():
        console.print(f"{kind} grew by {growth - 1:.0%}")
    lags = [row["lag"] for row in day.runs]
    console.print(f"left in the stream after a run: median {statistics.median(lags):.0f}, at most {max(lags)}")
    seconds = [row["seconds"] for row in day.runs]
    messages = sum(row["messages"] or 0 for row in day.runs)
    console.print(f"{len(day.runs)} runs of {messages} messages, {min(seconds):.0f} to {max(seconds):.0f} s")
    return 1 if bad or day.growing() else 0


if __name__ == "__main__":
    raise SystemExit(main())
