"""
`tides up`: all programs of the demo, each killed in turn, stopped, started again; and what it refuses.

What is looked at in a browser (`test_browser`) is the same demo, and comes before.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import requests

from flows import running_stack
from flows.running_stack import MARK, RunningServer, announced, find_running
from flows.up import upkeep
from flows.up.condensed import BURST_SECONDS, MOST_LINES, Condensed
from flows.up.programs import StartStep, UpPlan, python
from flows.up.supervised import ID_FILE, SupervisedProgram, Supervisor, end_marked, id_of
from flows.up.terminal import Log
from tests.flows.test_outages import answering
from tests.support.folders import reachable_folder
from tests.support.forked import forked_tides
from tests.support.prefect_home import furnish
from tests.support.processes import ROOT, free_port, wait_until
from tests.support.terminal import READY, STOP_SECONDS, Terminal
from tides_bridge.errors import SettingsError
from tides_bridge.processes import marked

PROGRAMS = {
    "worker": ("worker", "--pool"),
    "database": ("flows.cli", "database"),
    "page": ("flows.cli", "page"),
    "standins": ("flows.cli", "standins"),
    "server": ("flows.cli", "server"),
}
"""Words of their commands."""


def test_the_demo_runs_at_once_and_never_leads_to_real_services(terminal: Terminal) -> None:
    terminal.wait_for(terminal.completed)
    assert terminal.targets()
    assert "real.example.org" not in terminal.said()
    settings = terminal.ask("GET", "admin/settings")["server"]
    assert settings["concurrency"]["lease_storage"].endswith(".filesystem")
    assert settings["analytics_enabled"] is False


def test_it_says_where_to_look(terminal: Terminal) -> None:
    (line,) = re.findall(r"the Prefect server is open to +(.*)", terminal.said())
    assert line == "all users of this machine, who can run code as you by it: --protect makes a login"
    assert f"http://127.0.0.1:{terminal.port}\n" in terminal.said()
    assert f"http://127.0.0.1:{terminal.page}\n" in terminal.said()
    hint = re.findall(r"(PREFECT_API_URL)=(\S+) \S*tides (status .*)", terminal.said())[0]
    told = forked_tides(*hint[2].split(), "--json", **{hint[0]: hint[1]})
    assert '"targets"' in told.stdout, told.stderr


def test_a_second_one_of_the_same_folder_or_port_is_refused(terminal: Terminal) -> None:
    one = f"up --config demo --port {free_port()} --folder {terminal.folder}"
    told = forked_tides(*one.split())
    assert told.returncode == 2
    assert f"is used by another tides up (process {terminal.process and terminal.process.pid})" in told.stderr
    told = forked_tides(*f"up --config demo --port {terminal.port} --folder {terminal.folder}-2".split())
    assert told.returncode == 2
    assert f"--port: {terminal.port}: the port cannot be had" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_what_is_killed_is_started_again_and_the_bridge_goes_on(terminal: Terminal) -> None:
    psutil.Process(terminal.database.pid()).kill()
    terminal.wait_for_line("the database runs again")
    for words in PROGRAMS.values():
        terminal.find(*words).kill()
    terminal.wait_for(lambda: all(map(terminal.is_back, PROGRAMS)))
    terminal.wait_for(lambda: terminal.ask("GET", "health"))
    terminal.run_once()
    before = {run["id"] for run in terminal.ask("POST", "flow_runs/filter")}
    told = forked_tides("run", "--config", "demo", "--settings", terminal.settings, "--json")
    assert told.returncode == 0, told.stderr
    runs = terminal.ask("POST", "flow_runs/filter")
    assert [run["name"] for run in runs if run["id"] not in before and run["deployment_id"] is None]


def test_ctrl_c_stops_all_and_the_next_start_goes_on(terminal: Terminal) -> None:
    runs, targets = terminal.completed(), terminal.targets()
    assert terminal.signal(signal.SIGINT) == 0
    assert terminal.is_gone()
    said = terminal.said()
    stopped = re.findall(r"^up +\| stopped: (\w+)", said, re.MULTILINE)
    assert stopped == ["watchdog", "worker", "page", "server", "database", "standins"]
    assert said.endswith("\nstopped\n") and "standins | stopped\n" in said
    terminal.is_protected = True
    terminal.start("second")
    terminal.wait_for_line(READY)
    assert terminal.completed() >= runs
    assert terminal.targets() >= targets
    terminal.wait_for(lambda: terminal.completed() - runs)


def test_a_protected_server_asks_everybody_for_its_login(terminal: Terminal) -> None:
    """That all of it became ready, and that a run completed, says that all programs show the login."""
    assert "but not" not in terminal.said()
    login = (terminal.folder / "prefect.login").read_text().strip()
    address = f"http://127.0.0.1:{terminal.port}/api/flow_runs/filter"
    answers = [requests.post(address, json={}, timeout=60, auth=auth) for auth in (None, ("tides", "guessed"))]
    assert [answer.status_code for answer in answers] == [401, 401]
    user, _, word = login.partition(":")
    assert requests.post(address, json={}, timeout=60, auth=(user, word)).status_code == 200
    assert "prefect.login" in terminal.said() and word not in terminal.said()
    processes = marked(MARK, id_of(terminal.folder))
    assert processes and not [process for process in processes if word in " ".join(process.cmdline())]


def test_nothing_outlives_it_when_it_is_killed_and_another_one_beside_it_notices_nothing(terminal: Terminal) -> None:
    """With settings of one's own, which here lead nowhere; the folder can be used again."""
    beside = {words: terminal.find(*words).pid for words in PROGRAMS.values()}
    with reachable_folder() as folder:
        mine = Terminal(folder / "mine", "mine")
        furnish(mine.folder / "prefect")
        database = {"folder": str(mine.database.folder)}
        mine.settings.write_text(f"mine: {{{SETTINGS}, database: {json.dumps(database)}}}\n")
        mine.start("killed")
        mine.wait_for_line("database is healthy")
        mine.wait_for_line("spawned: 'server'")
        assert mine.signal(signal.SIGKILL) == -signal.SIGKILL
        mine.wait_for(mine.is_gone)
        mine.start("again")
        mine.wait_for_line("server is healthy")
        assert mine.signal(signal.SIGTERM) == 0
        assert mine.is_gone()
        assert {words: terminal.find(*words).pid for words in PROGRAMS.values()} == beside
    terminal.run_once()
    assert not terminal.ended


def test_without_its_supervisor_all_is_ended_and_told(terminal: Terminal) -> None:
    terminal.find("supervisor.supervisord").kill()
    assert terminal.process and terminal.process.wait(STOP_SECONDS) == 1
    assert "\ntides: supervisord: does not answer" in terminal.said()
    assert terminal.is_gone()


@dataclass(frozen=True)
class Three(UpPlan):
    """A plan of three programs: the first cannot start; when it was tried again, the last one presses Ctrl-C."""

    def start_steps(self) -> list[StartStep]:
        bad = SupervisedProgram("bad", python("doctest", "no-such-file.py"))
        good, last = (SupervisedProgram(name, (sys.executable, "-c", "import time; time.sleep(600)")) for name in "ab")
        return [StartStep(bad, lambda: False), StartStep(good, lambda: True), StartStep(last, self._press)]

    def _press(self) -> bool:
        if (self.folder / "logs" / "bad.log").read_text().count("Traceback") > 4:
            raise KeyboardInterrupt
        return False


def test_what_cannot_start_is_told_and_tried_again_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(upkeep, "AGAIN_SECONDS", 1.0)
    plan = Three(tmp_path / "100% mine", "one", tmp_path / "settings.yaml", free_port(), None)
    with upkeep.locked(plan.folder) as lock, suppress(KeyboardInterrupt):
        upkeep.Up(plan, lock).run()
    said = capsys.readouterr().out
    assert re.search(
        r"up +\| bad cannot be started \(Exited too quickly.*, exit status 1\); tried again in 1 s. Its log ends with\n"
        r"(up .*\n)*up .*No module named 'no-such-file'",
        said,
    )
    assert "up  | bad is not healthy: the rest goes on without it" in said
    assert "up  | a is healthy" in said
    assert re.findall(r"stopped: ([ab])\b", said) == ["b", "a"]
    assert not marked(MARK, id_of(plan.folder))


def test_a_folder_knows_its_programs_by_an_id_that_no_copy_of_it_has(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    before = id_of(ours), id_of(theirs)
    assert before[0] != before[1] and (id_of(ours), id_of(theirs)) == before
    assert (ours / ID_FILE).stat().st_mode & 0o777 == 0o600
    shutil.copytree(ours, tmp_path / "copy")
    assert id_of(tmp_path / "copy") not in before and id_of(ours) == before[0]
    ours.rename(tmp_path / "moved")
    assert id_of(tmp_path / "moved") == before[0]
    ours.mkdir()
    assert id_of(ours) != before[0]  # another one at the same path
    (ours / ID_FILE).write_bytes(b"\xff")
    assert len(id_of(ours)) == 32


def test_a_stack_at_the_path_of_another_leaves_its_programs_alone(tmp_path: Path) -> None:
    """The folder was moved away under them, and a new one made in its place."""
    folder = tmp_path / "up"
    folder.mkdir()
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    theirs = subprocess.Popen(sleep, env=os.environ | {MARK: id_of(folder)})
    try:
        wait_until(lambda: marked(MARK, id_of(folder)))
        folder.rename(tmp_path / "moved")
        with upkeep.locked(folder) as lock, Supervisor(folder, [], {}, lock) as supervisor:
            supervisor.stop(lambda: None)
        assert theirs.poll() is None
        with upkeep.locked(tmp_path / "moved"):
            end_marked(id_of(tmp_path / "moved"))
        assert not marked(MARK, id_of(tmp_path / "moved"))
    finally:
        theirs.kill()
        theirs.wait(STOP_SECONDS)


def test_only_what_is_needed_is_started_and_nothing_leads_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.yaml").write_text(f"mine: {{{SETTINGS}, database: {{host: db.example.org}}}}\n")
    monkeypatch.setenv("TIDES_TIDESDBPASS", "secret")
    monkeypatch.setenv("PREFECT_PROFILE", "institute")
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    mine = UpPlan(tmp_path, "mine", tmp_path / "settings.yaml", 4200, None)
    demo = UpPlan(tmp_path, "demo", tmp_path / "demo.yaml", 4200, 1.0)
    common = ["server", "deploy", "page", "worker", "watchdog"]
    assert [part.program.name for part in mine.start_steps()] == common
    assert [part.program.name for part in demo.start_steps()] == ["standins", "database", *common]
    ours, theirs = mine.environment(), demo.environment()
    assert (ours["TIDES_TIDESDBPASS"], ours["PREFECT_LOGGING_LEVEL"]) == ("secret", "DEBUG")
    assert "PREFECT_PROFILE" not in ours
    assert not {"TIDES_TIDESDBPASS", "PREFECT_PROFILE", "PREFECT_LOGGING_LEVEL"} & theirs.keys()
    assert ours["PREFECT_API_URL"] == ours["TIDES_WATCHDOG__PREFECT"] == "http://127.0.0.1:4200/api"


def test_make_starts_the_demo_or_what_is_named() -> None:
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    for options, config in (([], "demo"), (["CONFIG=devConfig"], "devConfig")):
        told = subprocess.run(
            ["make", "-n", "up", *options], cwd=ROOT, env=alone, check=True, capture_output=True, text=True
        )
        assert f"/tides up --config {config}" in told.stdout


SETTINGS = "topic: t, groupID: 1, selectFunction: f"


@pytest.mark.parametrize(
    ("text", "arguments", "problem"),
    [
        (None, (), "settings.yaml: no such file"),
        ("one: {topic: t, groupID: 1, selectFunction: f, batch: 3}\n", (), "one.batch: unknown key"),
        (f"one: {{{SETTINGS}}}\n", ("--speed", "2"), "--speed: 2.0: is for --config demo"),
        (f"one: {{{SETTINGS}, page: {{port: TAKEN}}}}\n", (), "page.port: TAKEN: the port cannot be had"),
        (f"one: {{{SETTINGS}, database: {{folder: /proc/none}}}}\n", (), "embedded PostgreSQL in /proc/none"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line_before_anything_starts(
    tmp_path: Path, text: str | None, arguments: tuple[str, ...], problem: str
) -> None:
    with listening() as taken:
        if text:
            (tmp_path / "settings.yaml").write_text(text.replace("TAKEN", str(taken)))
        options = ("--settings", tmp_path / "settings.yaml", "--folder", tmp_path / "up", "--port", str(free_port()))
        told = forked_tides(
            "up", *options, *arguments, TIDES_PAGE__PORT="" if text and "TAKEN" in text else str(free_port())
        )
    assert told.returncode in {1, 2}
    assert len(told.stderr.splitlines()) == 1
    assert problem.replace("TAKEN", str(taken)) in told.stderr
    assert not (tmp_path / "up" / "supervisor.conf").exists()


@contextmanager
def listening() -> Iterator[int]:
    """A port that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_log_that_is_rotated_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    path.write_text("before\n")
    log = Log(path)
    with path.open("a") as first:
        first.write("1\n2")
        first.flush()
        assert list(log.new_lines()) == ["1"]
        path.rename(tmp_path / "one.log.1")
        first.write("\n3\n")
    assert list(log.new_lines()) == ["2", "3"]
    path.write_text("4\n5")
    assert list(log.new_lines()) == ["4"]
    assert log.close() == "5"


LOCKED = """\
10:31 | ERROR | event persister failed
Traceback (most recent call last):
  File "a.py", line 3, in execute
    cursor.execute(statement)
sqlite3.OperationalError: database is locked

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 4, in flush
    raise Lost(3)
b.Lost: 3 events
10:32 | INFO | goes on
"""


def test_of_a_traceback_the_last_error_is_shown_and_of_a_burst_its_number() -> None:
    short = Condensed("server.log")
    whole = LOCKED.splitlines()
    assert list(short.lines(whole, 10.0)) == [whole[0], "b.Lost: 3 events (its traceback is in server.log)", whole[-1]]
    shown: list[str] = []
    for at, line in enumerate(whole):  # as they come one by one, and the error at the end of the log
        shown += short.lines([line], 20.0 + at / 100)
    assert shown == [whole[0], "b.Lost: 3 events (its traceback is in server.log)", whole[-1]]
    assert list(short.lines(whole[:5], 30.0)) == whole[:1]
    assert list(short.lines([], 31.5)) == [
        "sqlite3.OperationalError: database is locked (its traceback is in server.log)"
    ]
    many = [f"line {number}" for number in range(MOST_LINES + 7)]
    assert list(short.lines(many, 40.0)) == many[:MOST_LINES]
    assert list(short.lines(["later"], 40.1 + BURST_SECONDS)) == ["... and 7 more lines: see server.log", "later"]
    assert list(short.lines(many, 60.0)) == many[:MOST_LINES]
    assert list(short.rest()) == ["... and 7 more lines: see server.log"]


def test_a_run_finds_the_stack_that_runs_with_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_stack, "data_folder", lambda: tmp_path)
    file = tmp_path / "settings.yaml"
    file.write_text(f"one: {{{SETTINGS}}}\ntwo: {{{SETTINGS}}}\n")
    program = [sys.executable, "-c", "input()"]
    with answering(401) as api, subprocess.Popen(program, stdin=subprocess.PIPE, env=os.environ | {MARK: "a"}) as ours:
        server = RunningServer(api, "tides:made-up")
        assert find_running("one", file) is None
        with announced("one", file, "a", server):
            wait_until(lambda: marked(MARK, "a"))
            assert find_running("one", file) == server
            assert find_running("two", file) is None and find_running("one", None) is None
            (note,) = (tmp_path / "up" / "running").iterdir()
            assert note.stat().st_mode & 0o777 == 0o600
            note.write_text("{")
            assert find_running("one", file) is None
        with announced("one", file, "b", server):  # whose programs were all killed
            assert find_running("one", file) is None
        with announced("one", file, "a", RunningServer("http://127.0.0.1:1/api", "")):
            assert find_running("one", file) is None
        assert find_running("one", file) is None
        ours.kill()


def test_a_login_is_made_once_for_all_programs_and_only_if_asked_for(tmp_path: Path) -> None:
    names = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")
    plan = UpPlan(tmp_path, "demo", tmp_path / "settings.yaml", 4200, 1.0)
    assert plan.is_open and not plan.login and not set(names) & plan.environment().keys()
    assert not [*tmp_path.iterdir()]
    closed = replace(plan, is_protected=True)
    assert not closed.is_open and len(closed.login) > 40
    assert {closed.environment()[name] for name in names} == {closed.login}
    assert closed.login_file.stat().st_mode & 0o777 == 0o600
    assert replace(plan, is_protected=True).login == closed.login
    assert {name: value for name, value in closed.environment().items() if name not in names} == plan.environment()
    closed.login_file.write_text("")
    assert len(replace(plan, is_protected=True).login) > 40
    closed.login_file.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"prefect.login: cannot be used"):
        _ = replace(plan, is_protected=True).login


def test_a_named_database_server_is_not_ours_to_keep(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(f"one: {{{SETTINGS}, database: {{host: db.example.org}}}}\n")
    told = forked_tides("database", "--settings", tmp_path / "settings.yaml")
    assert told.returncode == 2
    assert "database.host: is db.example.org: there is nothing to keep here" in told.stderr
