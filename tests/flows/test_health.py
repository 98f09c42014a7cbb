"""What is gathered of the health of the bridge, when services are away, hang, or say what nobody expects."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.support.processes import free_port
from tides_bridge.operations import health, prefect_server
from tides_bridge.operations.health import Looker, gather
from tides_bridge.operations.prefect_server import ask_prefect, prefect_address
from tides_bridge.settings import Settings


def at(settings: Settings, api: str, **more: Any) -> Settings:
    watchdog = settings.watchdog.model_copy(update={"prefect": api, **more})
    plain = settings.light_curves.model_copy(update={"address": "http://127.0.0.1:1/api"})
    return settings.model_copy(update={"watchdog": watchdog, "light_curves": plain})


def nobody() -> str:
    return f"http://127.0.0.1:{free_port()}/api"


# The whole


def test_all_is_gathered_though_the_prefect_server_is_away(settings: Settings) -> None:
    found = gather(at(settings, nobody()))
    assert (found.database, found.prefect.problem, found.certificates) == (None, "cannot be reached", ())
    assert found.status is not None and found.status["runs"] == []
    assert "lag" not in found.status
    assert all(0 < disk.free < 100 for disk in found.disks) and found.disks


def test_the_whole_status_is_gathered_if_asked_for(settings: Settings, tmp_path: Path) -> None:
    broker = settings.broker.model_validate({"kind": "recorded", "files": [str(tmp_path)]})
    found = gather(at(settings.model_copy(update={"broker": broker}), nobody()), whole=True)
    assert found.status is not None and {"states", "lag", "calls", "deferred"} < found.status.keys()


def test_a_database_that_hangs_is_a_problem_and_not_asked_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DATABASE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = settings.database.model_validate({"host": "127.0.0.1", "port": silent.getsockname()[1]})
        looker = Looker(at(settings.model_copy(update={"database": server}), nobody()))
        assert looker.look().database == "does not answer within 0 s"
        before = threading.active_count()
        assert looker.look().database == "does not answer within 0 s"
        assert threading.active_count() <= before


def test_a_disk_is_looked_at_once_and_by_a_folder_that_is_there(settings: Settings, tmp_path: Path) -> None:
    backups = settings.backup.model_copy(update={"folder": tmp_path / "not" / "made" / "yet"})
    folders = [disk.folder for disk in health._disks(settings.model_copy(update={"backup": backups}))]
    assert str(settings.database.folder) in folders
    assert len(folders) == len({Path(folder).stat().st_dev for folder in folders})


# The Prefect server


def ask(api: str, path: str, **body: Any) -> Any:
    with requests.Session() as session:  # a server on SQLite answers 503 when it is busy
        retry = Retry(total=6, status=6, backoff_factor=0.5, status_forcelist=[503], allowed_methods=None)
        session.mount("http://", HTTPAdapter(max_retries=retry))
        answer = session.post(f"{api}/{path}", json=body, timeout=60)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def test_pool_workers_deployments_and_runs_are_told(settings: Settings, prefect_api: str) -> None:
    pool = f"t{uuid4().hex}"
    ours = at(settings, prefect_api, pool=pool)
    assert ask_prefect(ours).pool is None
    ask(prefect_api, "work_pools/", name=pool, type="process")
    ask(prefect_api, f"work_pools/{pool}/workers/heartbeat", name="somebody")
    flow = ask(prefect_api, "flows/", name="a flow")["id"]
    schedule = {"schedule": {"cron": "0 0 1 1 *", "timezone": "UTC"}, "active": True}
    entry = {"flow_id": flow, "work_pool_name": pool, "schedules": [schedule]}
    deployment = ask(prefect_api, "deployments/", name="often", **entry)["id"]
    ask(prefect_api, "deployments/", name="never", flow_id=flow, work_pool_name=pool)
    for state in ("Completed", "Crashed", "Running", "Late", "Skipped"):
        kind = {"Late": "SCHEDULED", "Skipped": "COMPLETED"}.get(state, state.upper())
        run = ask(prefect_api, f"deployments/{deployment}/create_flow_run", name=f"run {state}")["id"]
        ask(prefect_api, f"flow_runs/{run}/set_state", state={"type": kind, "name": state}, force=True)
    found = ask_prefect(ours)
    assert (found.problem, found.pool) == (None, "READY")
    assert [(worker.name, worker.status) for worker in found.workers] == [("somebody", "ONLINE")]
    assert found.workers[0].heard_at is not None and found.workers[0].heard_at <= datetime.now(UTC)
    never, often = found.deployments
    assert (never.name, never.has_schedule, never.last_runs) == ("a flow/never", False, ())
    assert (often.name, often.has_schedule, often.paused) == ("a flow/often", True, False)
    assert {run.state for run in often.last_runs} == {"Completed", "Crashed", "Skipped"}
    assert [(run.name, run.deployment) for run in found.late] == [("run Late", "a flow/often")]
    assert [(run.name, run.state) for run in found.running] == [("run Running", "Running")]


def test_the_address_is_of_the_settings_else_of_prefect_s_own_variable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prefect_address(settings) == "http://127.0.0.1:4200/api"
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    assert prefect_address(settings) == "http://elsewhere/api"
    assert prefect_address(at(settings, "http://set/api")) == "http://set/api"


@contextlib.contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Serve some answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/api"
        http.shutdown()
        thread.join()


def say(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


ODD = [
    (200, b"<html>", "JSONDecodeError"),
    (200, b"[]", None),
    (200, b"7", "answers what no Prefect server answers"),
    (200, b'[{"name": "x"}]', "answers what no Prefect server answers"),
    (401, b"{}", "with 401"),
    (500, b"{}", "with 500"),
    (503, b"{}", "failed"),
]


@pytest.mark.parametrize(("status", "body", "problem"), ODD)
def test_a_server_that_answers_oddly_is_a_problem_in_words(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, problem: str | None
) -> None:
    monkeypatch.setattr(prefect_server, "BUSY_TRIES", 1)
    with server(say(status, body)) as api:
        found = ask_prefect(at(settings, api))
    assert (found.problem is None) if problem is None else (problem in str(found.problem))
    assert found.pool is None


def test_a_server_that_does_not_answer_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_server, "PATIENCE_SECONDS", 0.3)
    with server(lambda _: time.sleep(1)) as api:
        assert ask_prefect(at(settings, api)).problem == "did not answer in time"


def test_a_server_with_a_password_is_given_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        say(200, json.dumps([]).encode())(handler)

    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:pass")
    with server(answer) as api:
        assert ask_prefect(at(settings, api)).problem is None
    assert set(seen) == {"Basic YWRtaW46cGFzcw=="}
