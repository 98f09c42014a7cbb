"""
`tides watchdog` beside a real Prefect server, a real worker, a real PostgreSQL and a receiver of its messages.

The worker and the database are killed: a message arrives, one, and another when they are back.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import yaml
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.support.databases import make_settings
from tests.support.folders import reachable_folder
from tests.support.forked import forked_tides
from tests.support.processes import ROOT, free_port, wait_until
from tides_bridge.database import apply_schema, embedded, open_database
from tides_bridge.operations.problems import SCHEDULED
from tides_bridge.settings import Settings

WAIT_SECONDS = 300.0
SECRET = "kVb72Lq"  # pragma: allowlist secret
SILENT = "6 seconds"
"""After which a worker is silent here; it gives a sign of life each second."""


@dataclass
class Receiver:
    """Somebody's machine, which takes messages: an address of Apprise, and what came there."""

    port: int
    messages: list[dict[str, str]] = field(default_factory=list)
    signs: int = 0
    is_down: bool = False

    @property
    def notify(self) -> str:
        return f"json://user:{SECRET}@127.0.0.1:{self.port}/"

    def subjects(self) -> list[str]:
        """Of the messages since it was last asked."""
        taken, self.messages = self.messages, []
        return [each["title"] for each in taken]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(500 if found.is_down else 200)
            self.end_headers()
            if not found.is_down:
                found.messages.append(body)

        def do_GET(self) -> None:
            found.signs += 1
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@dataclass
class Bridge:
    """A settings file, and what it leads to."""

    file: Path
    receiver: Receiver
    api: str
    pool: str

    def change(self, **watchdog: Any) -> None:
        self.change_all(watchdog=yaml.safe_load(self.file.read_text())["test"]["watchdog"] | watchdog)

    def change_all(self, **settings: Any) -> None:
        content = yaml.safe_load(self.file.read_text())["test"]
        self.file.write_text(yaml.safe_dump({"test": content | settings}))

    def look(self, *options: str) -> tuple[int, str]:
        """Type the command once: its exit code, and the line that it prints."""
        done = forked_tides("watchdog", "--settings", self.file, *options)
        (line,) = done.stdout.splitlines()
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, line

    def wait_for(self, code: int) -> str:
        """Look until it ends with this code."""
        limit = time.monotonic() + WAIT_SECONDS
        while (looked := self.look())[0] != code:
            assert time.monotonic() < limit, looked
        return looked[1]

    def ask(self, method: str, path: str, **body: Any) -> Any:
        with requests.Session() as session:  # a server on SQLite answers 503 when it is busy
            retry = Retry(total=6, status=6, backoff_factor=0.5, status_forcelist=[503], allowed_methods=None)
            session.mount("http://", HTTPAdapter(max_retries=retry))
            answer = session.request(method, f"{self.api}/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    @contextlib.contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker of the pool."""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", self.pool, "--type", "process"]
        known = {"PREFECT_API_URL": self.api, "PREFECT_WORKER_HEARTBEAT_SECONDS": "1"}
        with (self.file.parent / "worker.log").open("a") as log:
            process = subprocess.Popen(
                command, env=os.environ | known, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
            )
        try:
            heard = f"work_pools/{self.pool}/workers/filter"  # a young installation is all well before it is heard of
            wait_until(lambda: self.ask("POST", heard), WAIT_SECONDS)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


@pytest.fixture
def bridge(receiver: Receiver, settings: Settings, prefect_api: str, tmp_path: Path) -> Bridge:
    """A bridge with its tables, a work pool and deployments; without a worker, without 4MOST, and never run so far."""
    limits = {
        "workerSilentFor": "0 seconds",
        "prefect": prefect_api,
        "notify": [receiver.notify],
        "diskFree": 0,
    }
    limits |= {"pool": f"t{uuid4().hex}", "state": str(tmp_path / "state" / "watchdog.json")}
    content = {"topic": "t", "groupID": "g", "selectFunction": "tidesSNZTFSelect", "watchdog": limits}
    content |= {"tidesDBdatabase": settings.tides_db_database, "lightCurves": {"address": "http://127.0.0.1:1/api"}}
    content |= {"database": {"host": "embedded", "folder": str(settings.database.folder)}}
    made = Bridge(tmp_path / "settings.yaml", receiver, prefect_api, limits["pool"])
    made.file.write_text(yaml.safe_dump({"test": content}))
    deploy(made)
    return made


def deploy(bridge: Bridge) -> None:
    """Make a pool, and what must have a schedule."""
    bridge.ask("POST", "work_pools/", name=bridge.pool, type="process")
    for name in SCHEDULED:
        flow, _, deployment = name.partition("/")
        flow_id = bridge.ask("POST", "flows/", name=flow)["id"]
        schedule = {"schedule": {"cron": "0 0 1 1 *", "timezone": "UTC"}, "active": True}
        entry = {"name": deployment, "flow_id": flow_id, "work_pool_name": bridge.pool, "schedules": [schedule]}
        bridge.ask("POST", "deployments/", **entry)


# The worker


def test_a_worker_that_is_killed_is_told_once_and_its_return_once(bridge: Bridge) -> None:
    receiver = bridge.receiver
    bridge.change(workerSilentFor=SILENT)
    with bridge.worker() as worker:
        bridge.wait_for(0)
        receiver.subjects()  # it may have looked before the worker's first sign of life
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(60)
        line = bridge.wait_for(2)
    assert line.startswith("BRIDGE CRITICAL: worker silent for ")
    (message,) = receiver.messages
    assert message["title"].startswith("TiDES bridge: worker silent for ")
    assert "what to do: start the worker again" in message["message"] and "configuration test" in message["message"]
    assert (message["type"], SECRET in json.dumps(message)) == ("failure", False)
    assert len(receiver.subjects()) == 1
    assert bridge.look()[0] == 2 and receiver.subjects() == []
    with bridge.worker():
        assert bridge.wait_for(0) == "BRIDGE OK: all well"
        (subject,) = receiver.subjects()
        assert subject.startswith("TiDES bridge: over: worker silent for ")
        assert bridge.look() == (0, "BRIDGE OK: all well") and receiver.subjects() == []


def test_it_looks_again_and_again_until_it_is_stopped(bridge: Bridge) -> None:
    command = [sys.executable, "-m", "flows.cli", "watchdog", "--settings", str(bridge.file), "--every", "0.1 seconds"]
    bridge.change(heartbeat=f"http://127.0.0.1:{bridge.receiver.port}/{SECRET}")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: bridge.receiver.signs >= 3, WAIT_SECONDS)
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, "Traceback" in errors, SECRET in said + errors) == (0, False, False)
    lines = said.splitlines()
    assert lines[-1].startswith("BRIDGE CRITICAL: no worker was ever heard of")
    assert len(lines) <= 2  # what has not changed is not said again
    assert bridge.receiver.subjects() == ["TiDES bridge: no worker was ever heard of"]


# Everything away


def test_a_dead_database_and_a_dead_prefect_server_are_told(bridge: Bridge) -> None:
    """The database is one that others keep, reached by its socket: nobody here starts it anew."""
    receiver = bridge.receiver
    bridge.change(workerSilentFor="5 minutes")
    with reachable_folder() as folder, contextlib.ExitStack() as stack, bridge.worker():
        server = stack.enter_context(embedded.acquire_server(folder / "postgresql", durable=False))
        with open_database(make_settings(folder / "postgresql", "tides")) as database:
            apply_schema(database)
        bridge.change_all(database={"host": str(server.socket_folder)}, tidesDBUser="postgres", tidesDBdatabase="tides")
        bridge.wait_for(0)
        receiver.subjects()
        os.kill(server.pid() or 0, signal.SIGKILL)
        bridge.wait_for(2)
        (subject,) = receiver.subjects()
        assert subject.startswith("TiDES bridge: database tides on ")
        bridge.change(prefect=f"http://127.0.0.1:{free_port()}/api")
        code, line = bridge.look()
        assert code == 2 and "database tides on " in line and "the Prefect server at " in line
        (subject,) = receiver.subjects()
        assert "the Prefect server at " in subject
        stack.enter_context(embedded.acquire_server(folder / "postgresql", durable=False))
        bridge.change(prefect=bridge.api)
        bridge.wait_for(0)
    (message,) = receiver.messages
    assert "OVER: database tides on " in message["message"] and "OVER: the Prefect server at " in message["message"]


# Messages that do not arrive


def test_a_message_that_could_not_be_sent_is_sent_later(bridge: Bridge) -> None:
    bridge.receiver.is_down = True
    for code, line in (bridge.look(), bridge.look()):
        assert code == 3 and line.startswith("BRIDGE UNKNOWN: no worker was ever heard of")
        assert line.endswith("watchdog.notify, number 1 (json), could not be told")
    bridge.receiver.is_down = False
    assert bridge.look()[0] == 2
    assert bridge.receiver.subjects() == ["TiDES bridge: no worker was ever heard of"]


def test_who_can_be_told_is_told_once_though_somebody_else_cannot(bridge: Bridge) -> None:
    bridge.change(notify=["nonsense", bridge.receiver.notify, f"unknown://{SECRET}"])
    for _ in range(2):
        code, line = bridge.look()
    assert len(bridge.receiver.subjects()) == 1
    assert code == 2, line


def test_a_lost_or_damaged_file_is_told_again(bridge: Bridge) -> None:
    state = Path(yaml.safe_load(bridge.file.read_text())["test"]["watchdog"]["state"])
    for content in ("", "{", "[]"):
        assert bridge.look()[0] == 2
        assert len(bridge.receiver.subjects()) == 1
        state.write_text(content)


def test_a_file_that_cannot_be_written_is_told(bridge: Bridge, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bridge.change(workerSilentFor="0 seconds", state=str(tmp_path / "file" / "state.json"))
    code, line = bridge.look()
    assert code == 3 and "what was told cannot be kept, and may be told again" in line
    assert len(bridge.receiver.subjects()) == 1


def test_a_test_message_arrives(bridge: Bridge) -> None:
    assert bridge.look("--test") == (0, "BRIDGE OK: a message was sent")
    assert bridge.receiver.subjects() == ["TiDES bridge: a test"]
    bridge.change(notify=[])
    assert bridge.look("--test") == (3, "BRIDGE UNKNOWN: watchdog.notify names nobody")


@pytest.mark.parametrize("content", ["", "test: {groupID: 1}\n"])
def test_wrong_settings_are_unknown_to_a_monitoring_system(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.yaml").write_text(content)
    done = forked_tides("watchdog", "--settings", tmp_path / "settings.yaml")
    assert (done.returncode, done.stdout.startswith("BRIDGE UNKNOWN: ")) == (3, True)


def test_a_pause_that_is_none_is_refused(tmp_path: Path) -> None:
    done = forked_tides("watchdog", "--every", "soon")
    assert done.returncode == 2 and "soon is no length of time" in done.stderr
