"""How the service starts, serves many at once, and ends."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from simulators.fourmost.command import PASSWORD
from simulators.fourmost.process import FourmostStandin
from tides_bridge.errors import FourmostUnavailable

COMMAND = [sys.executable, "-m", "simulators.fourmost"]


def run(*options):
    return subprocess.run([*COMMAND, *map(str, options)], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_says_how_to_reach_it_and_ends_cleanly(tmp_path, sign):
    command = [*COMMAND, "--port", "0", "--state", str(tmp_path / "s.sqlite3"), "--user", "u"]
    given = os.environ | {PASSWORD: "p"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given) as process:
        lines = [process.stdout.readline().strip() for _ in range(5)]
        assert lines[0].startswith("address: http://127.0.0.1:")
        assert lines[0].endswith("/QFSwi")
        assert lines[1:3] == ["user: u", "password: p"]
        assert lines[3].startswith("token: ")
        assert lines[4] == "ready"
        url = lines[0].removeprefix("address: ") + "/targetCat/transients/"
        assert requests.get(url, auth=("u", "p"), timeout=60).json() == []
        process.send_signal(sign)
        rest = process.communicate(timeout=60)
    assert (process.returncode, *rest) == (0, "", "")


def test_no_password_is_in_the_process_list(tmp_path):
    """Neither of whom we start, nor of what that starts."""
    word = "chosen-word"
    with (
        FourmostStandin(password=word, state=tmp_path / "s.sqlite3") as standin,
        FourmostStandin() as other,
    ):
        assert standin.password == word and other.password != word
        for one in (standin, other):
            family = [psutil.Process(one.pid), *psutil.Process(one.pid).children(recursive=True)]
            words = " ".join(part for process in family for part in process.cmdline())
            assert "simulators.fourmost" in words
            assert standin.password not in words and other.password not in words


@pytest.mark.parametrize("way", ["file", "stdin", "environment"])
def test_a_password_is_taken_where_others_do_not_see_it(tmp_path, way):
    (tmp_path / "password").write_text("of file\nand a second line\n")
    options = {"file": ["--password-file", str(tmp_path / "password")], "stdin": ["--password-file", "-"]}.get(way, [])
    command = [*COMMAND, "--port", "0", "--state", str(tmp_path / "s.sqlite3"), *options]
    given = os.environ | {PASSWORD: "of environment"}  # pragma: allowlist secret
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=given) as process:
        process.stdin.write("of stdin\n")
        process.stdin.close()
        lines = [process.stdout.readline().strip() for _ in range(5)]
        process.terminate()
    assert lines[2] == f"password: of {way}"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--password", "secret-word"], "--password: is seen in the list of processes: put it into the environment"),
        (["--password", ""], "--password: is seen in the list of processes"),
        (["--password-file", "/nowhere"], "--password-file /nowhere: cannot be read: FileNotFoundError"),
        (["--password-file", "/dev/null"], "--password-file /dev/null: its first line must be the password"),
    ],
)
def test_a_password_that_others_see_or_that_is_none_is_refused(tmp_path, options, reason):
    ended = run(*options, "--state", tmp_path / "s.sqlite3")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert reason in ended.stderr and "secret-word" not in ended.stderr
    assert not (tmp_path / "s.sqlite3").exists()


def test_a_port_in_use_is_one_clear_line(standin, tmp_path):
    port = standin.address.split(":")[2].split("/")[0]
    ended = run("--port", port, "--state", tmp_path / "s.sqlite3")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"tides: port {port} of 127.0.0.1 is in use: choose another with --port")


def database(path):
    with sqlite3.connect(path) as connection:
        connection.execute("create table fourmost_account (id integer primary key, x text)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda path: path.write_text("some text, long enough to be read as the head of a file" * 20),
            "not a database",
        ),
        (database, "columns of table fourmost_account differ: password,"),
    ],
    ids=["text", "other tables"],
)
def test_a_file_that_is_no_state_is_refused_and_kept(tmp_path, make, reason):
    file = tmp_path / "notes.txt"
    make(file)
    before = file.read_bytes()
    ended = run("--port", 0, "--state", file)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"tides: {file}: no state of this stand-in (")
    assert reason in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert file.read_bytes() == before


def test_a_wrong_option_is_explained():
    ended = run("--ingest-at", "3pm")
    assert ended.returncode == 2
    assert "'3pm' is neither HH:MM nor off" in ended.stderr


def test_the_handle_says_why_the_service_did_not_start():
    with pytest.raises(FourmostUnavailable, match="neither HH:MM nor off"), FourmostStandin("--ingest-at", "3pm"):
        pass


def test_one_that_is_started_anew_is_ready_and_stopping_twice_is_harmless(tmp_path):
    with FourmostStandin(state=tmp_path / "state") as standin:
        assert standin.stop() == 0
        standin.__enter__()
        assert standin.rows() == []
        assert standin.stop() == 0


def test_a_killed_parent_leaves_no_service_behind(tmp_path):
    code = (
        "import time; from simulators.fourmost.process import FourmostStandin\n"
        "with FourmostStandin() as standin: print(standin.pid, flush=True); time.sleep(60)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    end = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < end, "the service lives on"
        time.sleep(0.05)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may have waited for a process whose parent was killed.
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_many_clients_at_once_lose_nothing(api, new_row):
    good = [[new_row(ruleset="crowd") for _ in range(5)] for _ in range(16)]
    bad = [[new_row(ruleset="crowd"), new_row(mag=56)] for _ in range(8)]
    row = api.create(new_row(ruleset="crowd"))

    def post(rows):
        url, auth = f"{api.standin.address}/targetCat/transients/", (api.standin.user, api.standin.password)
        patched = requests.patch(f"{url}{row['id']}/", json={"mag": 21}, auth=auth, timeout=60).status_code
        return requests.post(url, json=rows, auth=auth, timeout=60).status_code, patched

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, [rows for pair in zip(good, bad * 2, strict=True) for rows in pair]))
    assert answers == [(200, 200), (400, 200)] * 16
    found = api.found(ruleset="crowd")
    assert len(found) == 81
    assert set(found) == {row["name"]} | {row["name"] for rows in good for row in rows}
