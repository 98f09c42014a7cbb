"""
Programs that supervisord keeps running for `tides up`: the only module that knows supervisor.

supervisord is a child of ours in a session of its own, so that Ctrl-C is for us alone. Its configuration, its socket
and all logs lie in a folder. A watcher, which outlives us, ends all that is left however we end: it waits for the end
of a pipe, and knows what is ours by a mark in the environment: a random id that the folder has, and no other.
"""

import contextlib
import os
import re
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import psutil

from flows.running_stack import MARK
from tides_bridge.database.embedded import SOCKET_PATH_BYTES, EmbeddedServer, acquire_server
from tides_bridge.errors import SettingsError, TransientError
from tides_bridge.processes import marked, start_watcher
from tides_bridge.resources import make_own_folder, own_file, write_own

ID_FILE = "up.id"
"""
In the folder: its id, and the number of this very file, which a copy of the folder does not share.

A path will not do: a folder that was moved away, or is another one in a container, has had the same.
"""
LOG_SIZE = "5MB"
"""Of each log; three older ones are kept."""
START_SECONDS = 120.0
"""Longest time until supervisord answers: it takes 1, but a busy machine is normal."""
STOP_SECONDS = 180.0
"""Longest time until all have ended in order: what the programs may take one after the other."""
RUN = "prefect.engine"
"""Word in the command of each run of a flow."""
RUN_SECONDS = 30.0
"""How long a run may take to end when it is asked to."""
END_SECONDS = 10.0
"""How long what was left may take to end, before it is killed."""


@dataclass(frozen=True)
class SupervisedProgram:
    """
    A program that is kept running.

    Attributes
    ----------
    name
        Of its log, and in front of what it says.
    command
        Program and arguments.
    stop_seconds
        How long it may take to end in order, before it is killed.
    stays
        False for one that ends by itself, when it has done its work.
    """

    name: str
    command: Sequence[str]
    stop_seconds: int = 20
    stays: bool = True


class State(NamedTuple):
    """How a program does: supervisor's word, the exit code of the last time it ended, and what went wrong."""

    name: str
    exit_code: int
    problem: str

    @property
    def is_alive(self) -> bool:
        """Whether it runs, as far as is known."""
        return self.name in {"STARTING", "RUNNING"}

    def has_failed(self, program: SupervisedProgram) -> bool:
        """Whether it should run or have done its work, and supervisor will not start it again by itself."""
        return self.name == "FATAL" or (self.name == "EXITED" and self.exit_code != 0 and not program.stays)


class Supervisor:
    """
    Supervisord with its programs, from ``with`` to its end. None runs before `begin`. All bear ``mark``.

    Parameters
    ----------
    folder
        Which the caller has to itself, for configuration, socket and logs.
    programs
        In the order in which they depend on each other; they are stopped in reverse.
    environment
        Of all of them.
    lock
        Held by the caller, and by the watcher until nothing is left.

    Raises
    ------
    SettingsError
        When the name of the folder is too long, or its id cannot be kept.
    TransientError
        When supervisord cannot start.
    """

    def __init__(
        self, folder: Path, programs: Sequence[SupervisedProgram], environment: Mapping[str, str], lock: IO[str]
    ) -> None:
        self.folder, self.programs, self.logs = folder, programs, folder / "logs"
        self.log = self.logs / "supervisor.log"
        self.mark = id_of(folder)
        self._environment, self._lock = {**environment, MARK: self.mark}, lock
        self._socket = folder / "supervisor.sock"
        self._watcher: subprocess.Popen[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if len(os.fsencode(self._socket)) + 8 > SOCKET_PATH_BYTES:  # supervisord first makes one with .PID behind it
            raise SettingsError("--folder", str(self.folder), "has too long a name for a socket: choose another")
        make_own_folder(self.logs, 0o700)
        try:
            end_marked(self.mark)  # what a killed `tides up` and its killed watcher left
            self._watch_over()  # before anything is started that it might have to end
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """End what is left, and wait for that."""
        if self._watcher is not None and self._watcher.stdin:
            # The end of its input is what tells the watcher: the kernel closes it even if we are killed.
            self._watcher.stdin.close()
            self._watcher.wait()

    def log_of(self, name: str) -> Path:
        """Give the file with all that a program says."""
        return self.logs / f"{name}.log"

    def begin(self, name: str) -> None:
        """Start a program, unless it runs, and do not wait for it."""
        from supervisor.compat import xmlrpclib  # type: ignore[import-untyped]

        with contextlib.suppress(xmlrpclib.Fault):  # that it runs, or cannot; `states` will say so
            self._ask("startProcess", name, False)

    def states(self) -> dict[str, State]:
        """
        Say how each program does.

        Raises
        ------
        TransientError
            When supervisord has ended, or is ending.
        """
        from supervisor.compat import xmlrpclib

        try:
            rows = self._ask("getAllProcessInfo")
        except xmlrpclib.Fault as fault:  # somebody else has asked it to end
            raise TransientError("supervisord", f"is ending ({fault.faultString})", f"see {self.log}") from None
        return {row["name"]: State(row["statename"], row["exitstatus"], row["spawnerr"]) for row in rows}

    def keep_database(self, folder: Path) -> None:
        """Tell the watcher of an embedded database, which outlives the process that started it."""
        if self._watcher is not None and self._watcher.stdin:
            self._watcher.stdin.write(str(folder))
            self._watcher.stdin.flush()

    def stop(self, meanwhile: Callable[[], None]) -> None:
        """Stop all in order: runs, then the programs, the last one first; meanwhile is called again and again."""
        if self._process is None:
            return
        end_runs(self.mark, meanwhile)  # first, while worker and server are there to hear how they ended
        self._process.terminate()
        limit = time.monotonic() + STOP_SECONDS
        while self._process.poll() is None and time.monotonic() < limit:
            meanwhile()
            time.sleep(0.05)

    def _ask(self, method: str, *arguments: object) -> Any:
        from supervisor.childutils import getRPCInterface  # type: ignore[import-untyped]

        try:
            with getRPCInterface({"SUPERVISOR_SERVER_URL": f"unix://{self._socket}"}) as server:
                return getattr(server.supervisor, method)(*arguments)
        except OSError as error:
            problem = f"does not answer ({error}): all that it kept running is stopped"
            raise TransientError("supervisord", problem, f"see {self.log}") from None

    def _watch_over(self) -> None:
        """Start the watcher; it has no mark, so that it does not end itself."""
        environment = {name: value for name, value in self._environment.items() if name != MARK}
        module, handed = "flows.up.supervised", [self._lock]
        self._watcher = start_watcher(module, self.mark, environment=environment, handed=handed)

    def _start(self) -> None:
        configuration, output = self.folder / "supervisor.conf", self.logs / "supervisord.out"
        write_own(configuration, _configuration(self))
        self._socket.unlink(missing_ok=True)  # one that a killed supervisord left would look as if this one answered
        with own_file(output) as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(configuration)],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        limit = time.monotonic() + START_SECONDS
        while not self._socket.exists():
            if self._process.poll() is not None or time.monotonic() > limit:
                raise TransientError("supervisord", f"did not start: {output.read_text().strip()[-500:]}")
            time.sleep(0.02)


def _configuration(supervisor: Supervisor) -> str:
    """Write what supervisord reads; no secret is in it, as the environment is inherited."""
    folder, log = _escaped(supervisor.folder), _escaped(supervisor.log)
    user = "user=root\n" if os.geteuid() == 0 else ""  # it warns otherwise
    head = f"""\
[supervisord]
silent=true
umask=077
{user}pidfile={folder}/supervisor.pid
childlogdir={_escaped(supervisor.logs)}
logfile={log}
logfile_maxbytes={LOG_SIZE}
logfile_backups=3
[unix_http_server]
file={folder}/supervisor.sock
chmod=0700
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    places = enumerate(supervisor.programs, start=1)
    return head + "".join(_section(program, place, supervisor.log_of(program.name)) for place, program in places)


def _section(program: SupervisedProgram, place: int, log: Path) -> str:
    """Describe a program; one that ends within five seconds counts as not started, and is tried again ever later."""
    return f"""\
[program:{program.name}]
command={_escaped(shlex.join(program.command))}
priority={place}
autostart=false
autorestart={str(program.stays).lower()}
startsecs={5 if program.stays else 0}
startretries=3
stopwaitsecs={program.stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={_escaped(_escaped(log))}
stdout_logfile_maxbytes={LOG_SIZE}
stdout_logfile_backups=3
"""


def _escaped(text: object) -> str:
    """Keep a percent sign from being expanded; supervisor expands the name of a program's log twice."""
    return str(text).replace("%", "%%")


def id_of(folder: Path) -> str:
    """
    Give the random id of a folder, which is made when it is asked for first, and anew for a copy of a folder.

    Raises
    ------
    SettingsError
        When it cannot be kept.
    """
    file = folder / ID_FILE
    try:
        found = re.fullmatch(r"([0-9a-f]{32}) (\d+)\n", file.read_text(errors="replace")) if file.exists() else None
        if found and int(found[2]) == file.stat().st_ino:
            return found[1]
        file.unlink(missing_ok=True)
        made = secrets.token_hex(16)
        with own_file(file) as new:
            new.write(f"{made} {os.fstat(new.fileno()).st_ino}\n")
    except OSError as error:
        raise SettingsError("--folder", str(folder), f"cannot be used: {error}") from None
    return made


def end_runs(mark: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Let the runs end, and tell the server that they did: a worker that is stopped kills them without a word."""
    asked, limit = set[psutil.Process](), time.monotonic() + RUN_SECONDS
    while (runs := set(marked(MARK, mark, RUN))) and time.monotonic() < limit:
        for run in runs - asked:
            with contextlib.suppress(psutil.Error):
                run.terminate()
        asked |= runs
        meanwhile()
        time.sleep(0.05)


def end_marked(mark: str) -> None:
    """End all that has the id of a folder: first in order, then by force."""
    # Killed twice: a process may have started another one between the list and its end.
    for end in (psutil.Process.terminate, psutil.Process.kill, psutil.Process.kill):
        found = marked(MARK, mark)
        for process in found:
            with contextlib.suppress(psutil.Error):
                end(process)
        psutil.wait_procs(found, END_SECONDS)


def stop_database(folder: Path) -> None:
    """Stop an embedded database whose users were killed; one that somebody else uses goes on."""
    if EmbeddedServer(folder).pid() is not None:
        acquire_server(folder).release()


def clean_up_at_end_of(pipe: IO[str], mark: str) -> None:
    """Wait until the other end of a pipe is closed, which said where the database is; then end all that is left."""
    database = pipe.read()  # the kernel closes the other end even if `tides up` is killed
    end_runs(mark)
    supervisord = marked(MARK, mark, "supervisor.supervisord")
    for process in supervisord:
        process.terminate()
    psutil.wait_procs(supervisord, STOP_SECONDS)
    end_marked(mark)
    if database:
        stop_database(Path(database))


if __name__ == "__main__":
    clean_up_at_end_of(sys.stdin, sys.argv[1])
