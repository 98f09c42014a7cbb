"""What a run does when a service is down: one clear line, nothing half-way, and the next run completes the work."""

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import yaml

from flows.reaching_prefect import TEMPORARY_SERVER
from simulators.alerts.packets import alerts
from simulators.sky import Sky
from simulators.standins.bundle import StandinAlert, Standins
from tests.support.databases import rows_of
from tests.support.forked import ForkedTides, forked_tides, start_forked
from tests.support.prefect_home import furnish
from tests.support.processes import wait_until
from tides_bridge.database import open_database
from tides_bridge.settings import load_settings

START_SECONDS = 180
DEAD = "127.0.0.1:1"
"""A port that nobody listens on."""


def with_change(file: Path, section: str, **changes: Any) -> Path:
    """The same settings with one thing wrong."""
    content = yaml.safe_load(file.read_text())
    content["standins"].setdefault(section, {}).update(changes)
    changed = file.with_name("changed.yaml")
    changed.write_text(yaml.safe_dump(content))
    return changed


def master(file: Path) -> list[dict[str, Any]]:
    with open_database(load_settings(None, file)) as database:
        return rows_of(database, "SELECT * FROM tides_master") if has_tables(database) else []


def has_tables(database: Any) -> bool:
    return bool(rows_of(database, "SELECT to_regclass('tides_master') IS NOT NULL AS there")[0]["there"])


def run(file: Path, prefect_api: str, *options: str) -> tuple[int, dict[str, int], str]:
    done = forked_tides("run", "--settings", file, "--json", *options, PREFECT_API_URL=prefect_api)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        ("broker", {"bootstrapServers": DEAD}, f"tides: Kafka broker {DEAD}: "),
        ("database", {"host": "127.0.0.1", "port": 1}, "tides: database "),
    ],
)
def test_a_run_without_a_service_changes_nothing_and_the_next_completes_the_work(
    section: str, change: dict[str, Any], said: str, settings_file: Path, prefect_api: str
) -> None:
    code, summary, errors = run(with_change(settings_file, section, **change), prefect_api)
    assert (code, summary) == (1, {})
    assert errors.splitlines()[-1].startswith(said)
    assert "Traceback" not in errors
    assert master(settings_file) == []
    code, summary, errors = run(settings_file, prefect_api)
    assert code == 0, errors
    assert summary["messages"] == summary["evaluated"] > 50
    assert 0 < summary["created_in_4most"] + summary["refused"] == summary["inserted"] == len(master(settings_file))


def test_objects_whose_light_curves_cannot_be_had_wait_for_the_next_run(settings_file: Path, prefect_api: str) -> None:
    code, summary, errors = run(with_change(settings_file, "lightCurves", address=f"http://{DEAD}/api"), prefect_api)
    assert (code, summary) == (1, {})
    assert errors.splitlines()[-1].startswith(f"tides: light-curve API http://{DEAD}/api: cannot be reached")
    assert "Traceback" not in errors
    assert master(settings_file) == []
    with open_database(load_settings(None, settings_file)) as database:
        (waiting,) = rows_of(database, "SELECT count(*), min(reason) AS reason FROM deferred_object")
    assert waiting["count"] > 50 and "cannot be reached" in waiting["reason"]
    code, summary, errors = run(settings_file, prefect_api)
    assert code == 0, errors
    assert (summary["messages"], summary["evaluated"], summary["deferred"]) == (0, waiting["count"], 0)
    assert 0 < summary["created_in_4most"] + summary["refused"] == summary["inserted"] == len(master(settings_file))


def test_without_the_broker_4most_is_told_what_it_should_know(settings_file: Path, prefect_api: str) -> None:
    code, _, errors = run(with_change(settings_file, "fourmost", address=f"http://{DEAD}/QFSwi"), prefect_api)
    assert code == 1, errors
    code, _, errors = run(with_change(settings_file, "broker", bootstrapServers=DEAD), prefect_api)
    assert code == 1 and errors.splitlines()[-1].startswith(f"tides: Kafka broker {DEAD}: ")
    told = [row["name"] for row in master(settings_file) if row["pk_4most"] is not None]
    assert told and len(told) + sum(row["refused_4most"] is not None for row in master(settings_file)) == len(
        master(settings_file)
    )


def test_a_topic_that_was_filled_anew_is_read_from_its_beginning_and_told(
    settings_file: Path, prefect_api: str
) -> None:
    assert run(settings_file, prefect_api)[0] == 0
    with open_database(load_settings(None, settings_file)) as database:
        rows_of(database, "UPDATE stream_position SET next_offset = next_offset + 1000 RETURNING 1")
    code, summary, errors = run(settings_file, prefect_api)
    assert code == 0 and summary["messages"] > 50, errors
    assert "the topic was filled anew: read from its beginning" in errors
    assert (summary["inserted"], summary["updated"], summary["created_in_4most"]) == (0, 0, 0)
    filters = {"artifacts": {"key": {"any_": ["tides-bridge-summary"]}}, "sort": "CREATED_DESC", "limit": 1}
    (artifact,) = requests.post(f"{prefect_api}/artifacts/filter", json=filters, timeout=60).json()
    assert "was filled anew" in artifact["data"]


def test_without_4most_all_is_decided_and_the_next_run_sends_it(
    settings_file: Path, prefect_api: str, standins: Standins
) -> None:
    code, _, errors = run(with_change(settings_file, "fourmost", address=f"http://{DEAD}/QFSwi"), prefect_api)
    assert code == 1
    assert errors.splitlines()[-1].startswith(f"tides: 4MOST http://{DEAD}/QFSwi: cannot be reached")
    assert "Traceback" not in errors
    waiting = master(settings_file)
    assert waiting and not any(row["pk_4most"] for row in waiting)
    code, summary, errors = run(settings_file, prefect_api)
    assert code == 0, errors
    assert summary["messages"] == 0 < summary["created_in_4most"]
    assert sum(row["pk_4most"] is not None for row in master(settings_file)) == summary["created_in_4most"]


def test_a_wrong_token_is_told_and_not_shown(settings_file: Path, prefect_api: str) -> None:
    code, _, errors = run(with_change(settings_file, "fourmost", token="not-the-token"), prefect_api)
    assert code == 1
    assert "refuses our token" in errors.splitlines()[-1]
    assert "not-the-token" not in errors


def test_a_second_run_at_the_same_time_leaves_the_work_to_the_first(settings_file: Path, prefect_api: str) -> None:
    with open_database(load_settings(None, settings_file)) as database, database.only_run() as is_alone:
        assert is_alone
        code, summary, errors = run(settings_file, prefect_api)
    assert code == 0, errors
    assert set(summary.values()) == {0}
    assert "another run is at work on this database" in errors


def test_a_killed_run_leaves_no_server_of_prefect_behind(settings_file: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PREFECT_HOME": str(furnish(tmp_path / "prefect"))}
    log = tmp_path / "log"
    process = ForkedTides(["run", "--settings", str(settings_file)], environment, log, log)
    try:
        wait_until(lambda: log.exists() and "Beginning flow run" in log.read_text(), START_SECONDS)
        assert len(servers_of(tmp_path)) == 1
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    wait_until(lambda: not servers_of(tmp_path))


def servers_of(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_server = TEMPORARY_SERVER in process.cmdline()
            if is_server and process.environ().get("PREFECT_HOME") == str(home / "prefect"):
                found.append(process)
    return found


def test_a_topic_that_does_not_exist_yet_is_an_empty_stream(settings_file: Path, prefect_api: str) -> None:
    content = yaml.safe_load(settings_file.read_text())
    content["standins"]["topic"] = "lasair_19nothing"
    settings_file.write_text(yaml.safe_dump(content))
    code, summary, errors = run(settings_file, prefect_api)
    assert code == 0, errors
    assert set(summary.values()) == {0}


def test_bad_messages_are_kept_and_objects_without_light_curve_are_tried_again(
    settings_file: Path, prefect_api: str, standins: Standins
) -> None:
    content = yaml.safe_load(settings_file.read_text())
    content["standins"]["topic"] = "lasair_19bad"
    content["standins"]["lightCurves"]["tryAgainAfter"] = 0
    settings_file.write_text(yaml.safe_dump(content))
    sky = Sky(seed=9, objects=100)
    later = StandinAlert.from_packet(next(packet for night in range(61270, 61290) for packet in alerts(sky, night)))
    name = later.message["objectId"]
    bad = [b"no JSON", b"[]", b'{"objectId": null}', b'{"objectId": "ZTF26a", "jdmax": "yesterday"}', b""]
    standins.kafka.publish("lasair_19bad", [*bad, json.dumps(later.message).encode()])
    code, summary, errors = run(settings_file, prefect_api)
    assert code == 0, errors
    assert (summary["messages"], summary["refused"], summary["deferred"], summary["evaluated"]) == (6, 5, 1, 0)
    with open_database(load_settings(None, settings_file)) as database:
        kept = rows_of(database, "SELECT body, reason FROM refused_message")
        assert sorted(bytes(row["body"]) for row in kept) == sorted(bad)
        assert all(row["reason"] for row in kept)
        assert rows_of(database, "SELECT object_id, attempts FROM deferred_object") == [
            {"object_id": name, "attempts": 1}
        ]
    standins.lasair.load([later.light_curve])
    code, summary, errors = run(settings_file, prefect_api)
    assert code == 0, errors
    assert (summary["messages"], summary["objects"], summary["evaluated"], summary["deferred"]) == (0, 1, 1, 0)
    with open_database(load_settings(None, settings_file)) as database:
        assert rows_of(database, "SELECT * FROM deferred_object") == []


def serve_cluster(address: Connection) -> None:
    """Be a Dask cluster, tell its address, and end with whoever hears it."""
    from distributed import LocalCluster

    local_cluster: Any = LocalCluster  # without types
    where = {"host": "127.0.0.1", "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with local_cluster(n_workers=1, processes=False, **where) as cluster:
        address.send(cluster.scheduler_address)
        with contextlib.suppress(EOFError):
            address.recv()


@pytest.fixture
def cluster() -> Iterator[str]:
    """A Dask cluster that runs already, in a process of its own; its worker is there, too."""
    ours, theirs = Pipe()
    process = start_forked(serve_cluster, theirs)
    theirs.close()
    try:
        assert ours.poll(START_SECONDS)
        yield ours.recv()
        ours.close()
        process.join(60)
    finally:
        process.kill()


@pytest.mark.parametrize("where", ["processes here", "a cluster elsewhere"])
def test_chunks_are_judged_by_other_processes(
    where: str, settings_file: Path, prefect_api: str, request: pytest.FixtureRequest
) -> None:
    is_here = where == "processes here"
    dask = {"processes": True} if is_here else {"address": request.getfixturevalue("cluster")}
    code, summary, errors = run(with_change(settings_file, "dask", **dask), prefect_api)
    assert code == 0, errors
    assert summary["evaluated"] == summary["messages"] > 50


def test_a_wrong_setting_ends_with_2_and_one_line(settings_file: Path) -> None:
    done = forked_tides("run", "--settings", with_change(settings_file, "broker", silense="5 s"))
    assert done.returncode == 2
    assert (
        done.stderr.splitlines()[-1]
        == f"tides: {settings_file.with_name('changed.yaml')}: standins.broker.silense: unknown key: is silence meant?"
    )


def test_check_tells_what_is_down(settings_file: Path) -> None:
    done = forked_tides("check", "--settings", with_change(settings_file, "fourmost", address=f"http://{DEAD}/QFSwi"))
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 1 and "4MOST" in failed[0] and "is fourmost.address right" in failed[0]


@contextlib.contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that has one answer to everything."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no")

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("run", "--json"), None),
        (("run", "--json"), 404),
        (("run", "--json"), 503),
        (("reconcile", "--dry-run"), None),
    ],
)
def test_a_prefect_server_that_is_none_is_one_line(
    command: tuple[str, ...], status: int | None, settings_file: Path
) -> None:
    with answering(status) if status else contextlib.nullcontext(f"http://{DEAD}/api") as address:
        done = forked_tides(
            *command, "--settings", settings_file, PREFECT_API_URL=address, PREFECT_CLIENT_MAX_RETRIES="0"
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(f"tides: Prefect server {address}: does not answer: ")
    assert "is PREFECT_API_URL right, and the server up?" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert master(settings_file) == []
