"""Faults of the 4MOST stand-in, over the wire: what the client sees, and whether the work was done."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.fourmost.process import FourmostStandin
from tides_bridge.errors import FourmostUnavailable, SettingsError

Row = dict[str, Any]
NewRow = Callable[..., Row]


@pytest.fixture(scope="module")
def running() -> Iterator[FourmostStandin]:
    with FourmostStandin("--ingest-at", "off") as standin:
        yield standin


@pytest.fixture
def faulty(running: FourmostStandin) -> Iterator[FourmostStandin]:
    """A stand-in of this module, which is well again after each test."""
    yield running
    running.set_faults([])


def call(standin: FourmostStandin, method: str, content: Any = None, key: str = "", **options: Any) -> Any:
    url, account = f"{standin.address}/targetCat/transients/{key}", (standin.user, standin.password)
    return requests.request(method, url, json=content, auth=account, **{"timeout": 15, **options})


def post(standin: FourmostStandin, *rows: Row, **options: Any) -> requests.Response:
    answer: requests.Response = call(standin, "POST", list(rows), **options)
    return answer


def is_there(standin: FourmostStandin, row: Row) -> bool:
    return bool(standin.rows(name=row["name"]))


WHEN = pytest.mark.parametrize("when", ["before", "after"])


@WHEN
@pytest.mark.parametrize("status", [500, 503, 404, 499])
def test_a_status(faulty: FourmostStandin, new_row: NewRow, when: str, status: int) -> None:
    row = new_row()
    assert faulty.set_faults([{"fault": "status", "status": status, "when": when}]) == 1
    answer = post(faulty, row)
    assert (answer.status_code, answer.json()) == (status, {"err": "a fault of the plan"})
    assert "Retry-After" not in answer.headers
    assert is_there(faulty, row) == (when == "after")
    assert post(faulty, new_row()).status_code == 200


def test_too_many_calls(faulty: FourmostStandin, new_row: NewRow) -> None:
    row = new_row()
    faulty.set_faults([{"fault": "status", "status": 429, "retryAfter": 7}])
    answer = post(faulty, row)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert not is_there(faulty, row)


@WHEN
def test_an_error_with_status_200(faulty: FourmostStandin, new_row: NewRow, when: str) -> None:
    row = new_row()
    faulty.set_faults([{"fault": "err", "when": when}])
    answer = post(faulty, row)
    assert (answer.status_code, list(answer.json())) == (200, ["err"])
    assert is_there(faulty, row) == (when == "after")


@WHEN
def test_a_page_for_people(faulty: FourmostStandin, new_row: NewRow, when: str) -> None:
    row = new_row()
    faulty.set_faults([{"fault": "html", "when": when}])
    answer = post(faulty, row)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert is_there(faulty, row) == (when == "after")


@WHEN
def test_a_client_that_does_not_wait(faulty: FourmostStandin, new_row: NewRow, when: str) -> None:
    row = new_row()
    faulty.set_faults([{"fault": "timeout", "when": when}])
    with pytest.raises(requests.ReadTimeout):
        post(faulty, row, timeout=0.3)
    assert is_there(faulty, row) == (when == "after")


def test_a_client_that_waits_longer(faulty: FourmostStandin, new_row: NewRow) -> None:
    before, after = new_row(), new_row()
    faulty.set_faults([{"fault": "timeout", "seconds": 0.1}, {"fault": "timeout", "seconds": 0.1, "when": "after"}])
    with pytest.raises(requests.ConnectionError, match="without response"):
        post(faulty, before)
    assert [row["name"] for row in post(faulty, after).json()] == [after["name"]]
    assert (is_there(faulty, before), is_there(faulty, after)) == (False, True)


def test_clients_that_gave_up_keep_no_thread(faulty: FourmostStandin, new_row: NewRow) -> None:
    faulty.set_faults([{"fault": "timeout", "seconds": 60, "times": 9}])
    for _ in range(9):  # there are eight threads
        with pytest.raises(requests.ReadTimeout):
            post(faulty, new_row(), timeout=0.1)
    assert post(faulty, new_row()).status_code == 200


@WHEN
def test_a_connection_that_is_cut(faulty: FourmostStandin, new_row: NewRow, when: str) -> None:
    row = new_row()
    faulty.set_faults([{"fault": "cut", "when": when, "times": 2}])
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        post(faulty, row)
    assert is_there(faulty, row) == (when == "after")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):  # half a body, and the length of the whole
        answer = post(faulty, new_row(), stream=True)
        assert answer.status_code == 200
        received = b""
        for piece in answer.iter_content(1):
            received += piece
    assert len(received) == int(answer.headers["Content-Length"]) // 2 > 5


def test_an_answer_without_a_body_is_cut_before_it(faulty: FourmostStandin, new_row: NewRow) -> None:
    row = post(faulty, new_row()).json()[0]
    faulty.set_faults([{"fault": "cut", "method": "DELETE", "when": "after"}])
    with pytest.raises(requests.ConnectionError, match="without response"):
        call(faulty, "DELETE", key=f"{row['id']}/")
    assert not is_there(faulty, row)


def test_a_row_is_missing_in_the_answer_alone(faulty: FourmostStandin, new_row: NewRow) -> None:
    rows, single = [new_row(), new_row()], new_row()
    faulty.set_faults([{"fault": "missing_row", "times": 2}])
    assert [row["name"] for row in post(faulty, *rows).json()] == [rows[0]["name"]]
    assert [row["name"] for row in post(faulty, single).json()] == [single["name"]]
    assert all(is_there(faulty, row) for row in [*rows, single])


def test_a_page_lacks_its_last_row(new_row: NewRow) -> None:
    with FourmostStandin("--ingest-at", "off", "--paginate") as standin:
        names = [row["name"] for row in post(standin, new_row(), new_row(), new_row()).json()]
        standin.set_faults([{"fault": "missing_row"}])
        page = call(standin, "GET").json()
        assert (page["count"], [row["name"] for row in page["results"]]) == (3, names[:2])
        assert [row["name"] for row in standin.rows()] == names


def test_an_answer_that_comes_byte_by_byte(faulty: FourmostStandin, new_row: NewRow) -> None:
    row = new_row()
    faulty.set_faults([{"fault": "drip", "seconds": 0.001}, {"fault": "drip", "seconds": 10}])
    answer = post(faulty, row)
    assert [found["name"] for found in answer.json()] == [row["name"]]
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(requests.ConnectionError, match="Read timed out"):
        post(faulty, row, timeout=0.3)


def test_a_drip_makes_each_read_short_and_the_whole_long(faulty: FourmostStandin) -> None:
    faulty.set_faults([{"fault": "drip"}])
    begin = time.monotonic()
    answer = call(faulty, "GET", params={"id": 0}, timeout=60, stream=True)
    assert list(answer.iter_content(1)) == [b"[", b"]"]
    assert time.monotonic() - begin > 0.05


def test_some_calls_pass_and_some_fail(faulty: FourmostStandin, new_row: NewRow) -> None:
    rules = {"service": "fourmost", "method": "POST", "fault": "status", "status": 503, "skip": 1, "times": 2}
    faulty.set_faults(
        [rules, {"service": "lasair", "fault": "html"}, {"method": "PATCH", "path": r"\d/$", "fault": "cut"}]
    )
    (row,) = post(faulty, new_row()).json()
    assert [post(faulty, new_row()).status_code for _ in range(3)] == [503, 503, 200]
    assert call(faulty, "GET").status_code == 200
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        call(faulty, "PATCH", {"mag": 21.5}, key=f"{row['id']}/")
    assert faulty.rows(id=row["id"]) == [row]
    assert call(faulty, "PATCH", {"mag": 21.5}, key=f"{row['id']}/").json()["mag"] == 21.5


def test_the_handle_looks_past_the_faults(faulty: FourmostStandin, new_row: NewRow) -> None:
    faulty.set_faults([{"fault": "html"}])
    assert isinstance(faulty.rows(), list)
    assert isinstance(faulty.ingest(), int)
    assert post(faulty, new_row()).text.startswith("<!DOCTYPE")


def test_wrong_rules_are_explained_and_change_nothing(faulty: FourmostStandin, new_row: NewRow) -> None:
    faulty.set_faults([{"fault": "html"}])
    with pytest.raises(SettingsError, match="fault plan: rule 1: often: unknown key"):
        faulty.set_faults([{"fault": "cut", "often": 2}])
    for rules in ([{"fault": "cut", "often": 2}], {"fault": "cut"}):
        url, account = f"{faulty.address}/standin/faults/", (faulty.user, faulty.password)
        answer = requests.post(url, json=rules, auth=account, timeout=60)
        assert (answer.status_code, list(answer.json())) == (400, ["err"])
        assert answer.json()["err"].startswith("fault plan: ")
    assert requests.post(url, json=[], timeout=60).status_code == 401
    assert post(faulty, new_row()).text.startswith("<!DOCTYPE")


def test_a_plan_from_a_file(tmp_path: Path, new_row: NewRow) -> None:
    (tmp_path / "plan.yaml").write_text(
        "- {service: fourmost, fault: status, status: 502}\n- {service: lasair, fault: html}"
    )
    with FourmostStandin("--faults", str(tmp_path / "plan.yaml")) as standin:
        assert [post(standin, new_row()).status_code for _ in range(2)] == [502, 200]


def test_a_wrong_plan_stops_the_command(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps([{"fault": "status"}]))
    options = ["--state", str(tmp_path / "s.sqlite3"), "--faults", str(file)]
    command = [sys.executable, "-m", "simulators.fourmost", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"tides: {file}: rule 1: status: is missing\n"
    with pytest.raises(FourmostUnavailable, match="no such file"), FourmostStandin("--faults", str(tmp_path / "none")):
        pass


def test_a_waiting_fault_does_not_delay_the_end() -> None:
    with FourmostStandin() as standin:
        standin.set_faults([{"fault": "timeout", "seconds": 60}])
        host, port = standin.address.split("/")[2].split(":")
        with socket.create_connection((host, int(port)), 15) as connection:
            connection.sendall(f"GET /QFSwi/targetCat/transients/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            time.sleep(0.2)  # so that the call waits
            begin = time.monotonic()
            assert standin.stop() == 0
            assert time.monotonic() - begin < 60, "it waited as long as the fault says"
            assert connection.recv(100) == b""
