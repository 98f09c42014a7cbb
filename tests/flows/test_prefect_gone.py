"""A Prefect server that goes away while a run is at work: what was stored stays, and one line tells what to do."""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.flows.test_outages import master, run
from tests.support.forked import ForkedTides
from tests.support.processes import RUN_SECONDS, wait_until

TOO_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
RETRIES = "1"
"""Of Prefect's client: a server is waited for 2 s."""


class Way:
    """
    The way to a server, which can be cut, or lead to something that never answers or is too busy.

    Parameters
    ----------
    server
        Address of its API.
    """

    def __init__(self, server: str) -> None:
        place = urlsplit(server)
        self._server = (place.hostname, place.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self.state = "there"
        self.api = f"http://127.0.0.1:{self._port}{place.path}"
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def change(self, state: str) -> None:
        """Be gone, hang, be too busy, or be there again."""
        self.state = state
        if state in {"gone", "too busy"}:
            self._close()
        if state == "gone":
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        elif state == "there":
            self._listener = socket.create_server(("127.0.0.1", self._port))
            threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._open.append(client)
                if self.state == "too busy":
                    client.recv(65536)
                    client.sendall(TOO_BUSY)
                    client.close()
                elif self.state == "there":
                    server = socket.create_connection(self._server)
                    self._open.append(server)
                    for one, other in ((client, server), (server, client)):
                        threading.Thread(target=self._forward, args=(one, other), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.state != "hangs":
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _close(self) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()


@pytest.fixture
def way(prefect_api: str) -> Iterator[Way]:
    way = Way(prefect_api)
    yield way
    if way.state != "gone":
        way.change("gone")


def run_until(point: str, file: Path, way: Way, retries: str) -> tuple[ForkedTides, Path]:
    """Start a run, and give it when it stands still at a point; and the folder of what it says."""
    mark = file.with_name("mark")
    environment = {
        "PREFECT_API_URL": way.api,
        "PREFECT_CLIENT_MAX_RETRIES": retries,
        "PREFECT_API_REQUEST_TIMEOUT": "5",
    }
    environment["BRIDGE_FAIL_POINT"] = f"{point} SIGSTOP {mark}"
    words = ["run", "--settings", str(file), "--json"]
    process = ForkedTides(words, os.environ | environment, file.with_name("stdout"), file.with_name("stderr"))
    wait_until(mark.exists, RUN_SECONDS)
    return process, file.parent


@pytest.mark.parametrize(
    ("point", "state"),
    [
        ("commit_offsets.after", "gone"),
        *(pytest.param(point, "gone", marks=pytest.mark.whole) for point in ("batch.before", "create.before")),
        *(pytest.param("commit_offsets.after", state, marks=pytest.mark.whole) for state in ("hangs", "too busy")),
    ],
)
def test_what_was_stored_stays_and_one_line_tells_what_to_do(
    point: str, state: str, settings_file: Path, way: Way, prefect_api: str
) -> None:
    process, folder = run_until(point, settings_file, way, RETRIES)
    stored = master(settings_file)
    assert bool(stored) == (point != "batch.before")
    way.change(state)
    process.send_signal(signal.SIGCONT)
    assert process.wait(RUN_SECONDS) == 1
    errors = (folder / "stderr").read_text()
    assert (folder / "stdout").read_text() == "" and "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert last.startswith(f"tides: Prefect server {way.api}: has gone away: ")
    assert last.endswith("(start it again, then the next run goes on from here: what was stored stays)")
    assert "Error logging to API" not in errors and "EventsWorker" not in errors
    assert {row["name"] for row in stored} <= {row["name"] for row in master(settings_file)}
    code, _, errors = run(settings_file, prefect_api)
    assert code == 0, errors
    rows = master(settings_file)
    assert rows and all(row["pk_4most"] or row["refused_4most"] for row in rows)


@pytest.mark.whole
def test_a_server_that_comes_back_in_time_is_no_end(settings_file: Path, way: Way) -> None:
    process, folder = run_until("commit_offsets.after", settings_file, way, "4")
    way.change("gone")
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: "is away: it is waited for up to 30 s" in (folder / "stderr").read_text(), RUN_SECONDS)
    way.change("there")
    assert process.wait(RUN_SECONDS) == 0
    assert json.loads((folder / "stdout").read_text())["inserted"] == len(master(settings_file)) > 0
