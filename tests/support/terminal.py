"""A terminal in which `tides up` is typed."""

import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

from flows.running_stack import MARK
from flows.up.supervised import id_of
from tests.support.processes import ROOT, free_port, hearing_ctrl_c
from tides_bridge.database import open_database
from tides_bridge.database.embedded import EmbeddedServer
from tides_bridge.processes import marked
from tides_bridge.settings import load_settings

READY = re.compile(r"^up +\| ready \(Ctrl-C stops all\)$", re.MULTILINE)
WAIT_SECONDS = 900.0
"""Each program may take 300 s to become healthy, on a machine that also runs other tests."""
STOP_SECONDS = 240.0
Found = TypeVar("Found")


@dataclass
class Terminal:
    """A terminal in which `tides up` is typed."""

    folder: Path
    config: str = "demo"
    port: int = field(default_factory=free_port)
    page: int = field(default_factory=free_port)
    is_protected: bool = False
    process: subprocess.Popen[bytes] | None = None
    log: Path = Path()

    @property
    def settings(self) -> Path:
        return self.folder / "settings.yaml"

    def start(self, name: str) -> None:
        """Start it, and wait for nothing."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIDES_", "PREFECT_"))}
        variables = {"TIDES_PAGE__PORT": str(self.page), "TIDES_FOURMOST__ADDRESS": "https://real.example.org/QFSwi"}
        variables |= {} if self.config == "demo" else {"TIDES_SETTINGS": str(self.settings)}
        variables |= {"PREFECT_API_URL": "https://real.example.org/api", "PREFECT_WORKER_QUERY_SECONDS": "1"}
        self.log = self.folder.with_name(f"{name}.log")
        with self.log.open("w") as said, hearing_ctrl_c():
            self.process = subprocess.Popen(
                self.command(), cwd=ROOT, env=kept | variables, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    def command(self) -> list[str]:
        words = ["up", "--config", self.config, "--folder", str(self.folder), "--port", str(self.port)]
        return [sys.executable, "-m", "flows.cli", *words, *(["--protect"] if self.is_protected else [])]

    def wait_for(self, look: Callable[[], Found]) -> Found:
        """Look until there is something; an API that does not answer yet is nothing."""
        limit = time.monotonic() + WAIT_SECONDS
        while True:
            with suppress(requests.RequestException):
                if found := look():
                    return found
            assert time.monotonic() < limit, self.said()
            time.sleep(0.2)

    def wait_for_line(self, line: str | re.Pattern[str]) -> None:
        self.wait_for(lambda: re.search(line, self.said()) or self.ended)
        assert re.search(line, self.said()), self.said()

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def said(self) -> str:
        return self.log.read_text()

    def signal(self, number: int) -> int:
        """Send it a signal, and give the exit code."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def is_gone(self) -> bool:
        """Whether nothing is left, neither a process of ours nor the database, which has no mark."""
        with (self.folder / "up.lock").open() as lock:  # which the watcher has until then
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return not marked(MARK, id_of(self.folder)) and self.database.pid() is None

    @property
    def database(self) -> EmbeddedServer:
        return EmbeddedServer(self.folder / ("standins" if self.config == "demo" else "") / "postgresql")

    def find(self, *words: str) -> psutil.Process:
        """Find the program with these words in its command, which may be between an end and a start."""
        return self.wait_for(lambda: self._running(*words))[0]

    def _running(self, *words: str) -> list[psutil.Process]:
        found = []
        for process in marked(MARK, id_of(self.folder)):
            with suppress(psutil.Error):  # it has just ended
                if set(words) <= set(process.cmdline()):
                    found.append(process)
        return found

    def is_back(self, name: str) -> bool:
        """Whether a program that was killed runs again."""
        killed = rf"up +\| exited: {name} \(terminated by SIGKILL; not expected\)\n"
        return bool(re.search(rf"{killed}(.*\n)*up +\| success: {name} ", self.said()))

    def ask(self, method: str, path: str, **body: Any) -> Any:
        login = (self.folder / "prefect.login").read_text().strip().split(":", 1) if self.is_protected else None
        address = f"http://127.0.0.1:{self.port}/api/{path}"
        answer = requests.request(method, address, json=body, timeout=60, auth=tuple(login) if login else None)
        answer.raise_for_status()
        return answer.json()

    def completed(self) -> set[str]:
        """The finished runs of the bridge."""
        deployment = self.ask("GET", "deployments/name/TiDES bridge/hourly")["id"]
        runs = self.ask("POST", "flow_runs/filter")
        return {run["id"] for run in runs if (run["deployment_id"], run["state_type"]) == (deployment, "COMPLETED")}

    def run_once(self) -> None:
        """Run the bridge once more; ours is cancelled if another has just begun."""
        (before,) = self.wait_for(lambda: [self.completed()])  # a server that was just started may answer slowly
        deployment = self.wait_for(lambda: self.ask("GET", "deployments/name/TiDES bridge/hourly")["id"])
        self.ask("POST", f"deployments/{deployment}/create_flow_run", state={"type": "SCHEDULED"})
        self.wait_for(lambda: self.completed() - before)

    def targets(self) -> set[str]:
        with open_database(load_settings("demo", self.settings)) as database, database.transaction() as connection:
            return set(connection.exec_driver_sql("SELECT name FROM tides_master").scalars())
