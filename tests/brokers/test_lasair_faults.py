"""Faults of the Lasair stand-in, over the wire, and of all stand-ins by ``tides standins --faults``."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.services.faults import FaultPlan
from simulators.services.lasair import LasairStandin
from simulators.standins.bundle import Standins
from tides_bridge.errors import SettingsError

NAMES = ("ZTF26aaaaaaa", "ZTF26aaaaaab")
WHEN = pytest.mark.parametrize("when", ["before", "after"])
ROOT = Path(__file__).parents[2]


@pytest.fixture
def lasair() -> Iterator[LasairStandin]:
    with LasairStandin() as standin:
        standin.load({"objectId": name, "candidates": [], "forcedphot": []} for name in NAMES)
        yield standin


def ask(lasair: LasairStandin, **options: Any) -> requests.Response:
    headers, data = {"Authorization": f"Token {lasair.token}"}, {"objectIds": ",".join(NAMES)}
    options = {"timeout": 15, **options}
    return requests.post(f"{lasair.address}/lightcurves/", data=data, headers=headers, **options)


def names(answer: requests.Response) -> list[str]:
    return [curve["objectId"] for curve in answer.json()]


def test_without_a_plan_nothing_goes_wrong(lasair: LasairStandin) -> None:
    assert lasair.faults.left() == 0
    assert [names(ask(lasair)) for _ in range(2)] == [list(NAMES)] * 2


@WHEN
def test_a_status(lasair: LasairStandin, when: str) -> None:
    lasair.faults.replace([{"fault": "status", "status": 503, "retryAfter": 2, "when": when}])
    answer = ask(lasair)
    assert (answer.status_code, answer.json()) == (503, {"message": "a fault of the plan"})
    assert answer.headers["Retry-After"] == "2"
    assert lasair.calls == (when == "after")
    assert names(ask(lasair)) == list(NAMES)


@WHEN
def test_an_error_and_a_page_for_people_with_status_200(lasair: LasairStandin, when: str) -> None:
    lasair.faults.replace([{"fault": "err", "when": when}, {"fault": "html", "when": when}])
    error, page = ask(lasair), ask(lasair)
    assert (error.status_code, error.json()) == (200, {"err": "a fault of the plan"})
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.text.startswith("<!DOCTYPE html>")
    assert lasair.calls == (2 if when == "after" else 0)


@WHEN
def test_a_client_that_does_not_wait(lasair: LasairStandin, when: str) -> None:
    lasair.faults.replace([{"fault": "timeout", "when": when}])
    with pytest.raises(requests.ReadTimeout):
        ask(lasair, timeout=0.3)
    assert lasair.calls == (when == "after")


def test_a_client_that_waits_longer(lasair: LasairStandin, caplog: pytest.LogCaptureFixture) -> None:
    rule = {"fault": "timeout", "seconds": 0.1}
    lasair.faults.replace([rule, rule | {"when": "after"}])
    with pytest.raises(requests.ConnectionError, match="without response"):
        ask(lasair)
    assert lasair.calls == 0
    assert names(ask(lasair)) == list(NAMES)
    assert lasair.calls == 1
    assert caplog.text == ""


@WHEN
def test_a_connection_that_is_cut(lasair: LasairStandin, when: str, caplog: pytest.LogCaptureFixture) -> None:
    lasair.faults.replace([{"fault": "cut", "when": when, "times": 2}])
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        ask(lasair)
    assert lasair.calls == (when == "after")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        answer = ask(lasair, stream=True)
        assert answer.status_code == 200
        received = b""
        for piece in answer.iter_content(1):
            received += piece
    assert len(received) == int(answer.headers["Content-Length"]) // 2 > 5
    assert names(ask(lasair)) == list(NAMES)
    assert caplog.text == ""


def test_a_row_is_missing(lasair: LasairStandin) -> None:
    lasair.faults.replace([{"fault": "missing_row"}])
    assert names(ask(lasair)) == list(NAMES[:1])
    assert names(ask(lasair)) == list(NAMES)


def test_an_answer_that_comes_byte_by_byte(lasair: LasairStandin) -> None:
    lasair.faults.replace([{"fault": "drip", "seconds": 0.001}, {"fault": "drip", "seconds": 10}])
    answer = ask(lasair)
    assert names(answer) == list(NAMES)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with pytest.raises(requests.ConnectionError, match="Read timed out"):
        ask(lasair, timeout=0.3)


def test_some_calls_pass_and_some_fail() -> None:
    rules: list[dict[str, Any]] = [
        {"service": "fourmost", "fault": "html"},
        {"service": "lasair", "path": "lightcurves", "fault": "status", "status": 500, "skip": 1, "times": 2},
    ]
    with LasairStandin(faults=FaultPlan(rules)) as lasair:
        requests.get(lasair.address.removesuffix("api"), timeout=60).raise_for_status()
        assert [ask(lasair).status_code for _ in range(5)] == [200, 500, 500, 200, 200]
        assert (lasair.faults.left("lasair"), lasair.faults.left("fourmost")) == (0, 1)


def test_a_connection_is_kept_after_a_fault_that_answers(lasair: LasairStandin) -> None:
    lasair.faults.replace([{"fault": "status", "status": 503}])
    headers = {"Authorization": f"Token {lasair.token}"}
    with requests.Session() as session:
        url, data = f"{lasair.address}/lightcurves/", {"objectIds": "x" * 10_000}
        statuses = [session.post(url, data=data, headers=headers, timeout=60).status_code for _ in range(2)]
    assert statuses == [503, 200]


def test_a_waiting_fault_does_not_delay_the_end(lasair: LasairStandin) -> None:
    lasair.faults.replace([{"fault": "timeout", "seconds": 60}])
    errors: list[requests.ConnectionError] = []

    def wait() -> None:
        try:
            ask(lasair)
        except requests.ConnectionError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while lasair.faults.left():
        time.sleep(0.01)
    begin = time.monotonic()
    lasair.stop()
    assert time.monotonic() - begin < 60, "it waited as long as the fault says"
    thread.join(60)
    assert len(errors) == 1


def test_one_plan_for_all_stand_ins(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("- {fault: status, status: 503}\n")
    with Standins(tmp_path / "f", faults=file) as standins:
        assert [ask(standins.lasair).status_code for _ in range(2)] == [503, 200]
        url, account = f"{standins.fourmost.address}/targetCat/transients/", ("tides", standins.fourmost.password)
        assert [requests.get(url, auth=account, timeout=60).status_code for _ in range(2)] == [503, 200]


def test_a_wrong_plan_is_found_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("- {fault: html}\n- {fault: html, oftn: 2}\n")
    with pytest.raises(SettingsError, match="rule 2: oftn: unknown key"):
        Standins(tmp_path / "f", faults=file)
    code = "import typer; from simulators.commands.standins import standins; typer.run(standins)"
    options = ["--alerts", tmp_path / "a.jsonl", "--settings-out", tmp_path / "s.yaml", "--faults", file]
    command = [sys.executable, "-c", code, *map(str, options), "--folder", str(tmp_path / "f")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"tides: {file}: rule 2: oftn: unknown key\n"
    assert not (tmp_path / "f").exists()
