"""All that `tides up` keeps running, from its start to its end, in a folder of its own."""

import fcntl
import os
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import requests

from flows.running_stack import RunningServer, announced
from flows.up.programs import StartStep, UpPlan, check_port, check_settings, database_folder, start_first_run
from flows.up.supervised import SupervisedProgram, Supervisor
from flows.up.terminal import Terminal
from tides_bridge.errors import SettingsError, TransientError
from tides_bridge.processes import interruptible_once
from tides_bridge.resources import OWN, command_to_type, make_own_folder
from tides_bridge.settings import find_file, page_address

TICK_SECONDS = 0.2
"""How often the terminal shows what is new."""
LOOK_SECONDS = 1.0
"""How often the programs are looked at."""
HEALTHY_SECONDS = 300.0
"""
How long a program may take to become healthy before the next one is started.

A new Prefect server makes its tables first, with 13 s of CPU: eight times as long where others want the same cores.
"""
QUIET_SECONDS = 2.0
"""So long no program says anything before it is said that all is ready: nobody shall have to look for that line."""
LOUD_SECONDS = 20.0
"""So long that is waited for at most."""
AGAIN_SECONDS = 30.0
"""After so long a program that could not be started is tried again."""
LAST_LINES = 5
"""So much of the log of such a program is shown."""
DEFAULT_PORT = 4200


def keep_up(plan: UpPlan) -> None:
    """
    Start all, and keep it running until Ctrl-C, SIGTERM or the end of the terminal.

    Raises
    ------
    BridgeError
        When it cannot be: a port or the folder is taken, a setting is wrong, supervisord or the stand-ins cannot start.
    """
    with interruptible_once(signal.SIGHUP):  # which tells of the end of the terminal
        check_port(plan.port, "127.0.0.1", "--port", "stop what listens there, or choose another, as --port 4201")
        with locked(plan.folder) as lock:
            if plan.login:  # we ask the server, too
                os.environ["PREFECT_API_AUTH_STRING"] = plan.login
            if not plan.is_demo:
                check_settings(plan.settings)
            try:
                Up(plan, lock).run()
            except KeyboardInterrupt:
                print("stopped", flush=True)


@contextmanager
def locked(folder: Path) -> Iterator[IO[str]]:
    """
    Have a folder to ourselves, made if it is missing.

    Raises
    ------
    SettingsError
        When another `tides up` has it, or it cannot be written.
    """
    try:
        make_own_folder(folder)
        make_own_folder(folder / "prefect", 0o700)
        (folder / "up.lock").touch(mode=OWN)
        lock = (folder / "up.lock").open("a+")
    except OSError as error:
        raise SettingsError("--folder", str(folder), f"cannot be used: {error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            problem = f"is used by another tides up (process {lock.read().strip()}), which runs or is just ending"
            raise SettingsError("--folder", str(folder), problem) from None
        # The watcher gets this lock, too: the next `tides up` waits for nothing, and is refused until all has ended.
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock


class Up:
    """
    All programs, from their start to their end.

    Parameters
    ----------
    plan
        What shall be up.
    lock
        Of the folder.
    """

    def __init__(self, plan: UpPlan, lock: IO[str]) -> None:
        self._plan, self._steps = plan, plan.start_steps()
        programs = [step.program for step in self._steps]
        self._supervisor = Supervisor(plan.folder, programs, plan.environment(), lock)
        logs = {program.name: self._supervisor.log_of(program.name) for program in programs}
        self._terminal = Terminal(logs, self._supervisor.log)
        self._started: list[SupervisedProgram] = []
        self._look_at = 0.0
        self._again_at: dict[str, float] = {}

    def run(self) -> None:
        """Start all, and look after them until KeyboardInterrupt; at the end nothing is left."""
        with ExitStack() as stack:
            # Left in reverse: stop in order, then let the watcher end what is left, then print what they said last.
            stack.callback(self._terminal.show_rest)
            stack.enter_context(self._supervisor)
            stack.callback(self._stop)
            server = RunningServer(self._plan.api, self._plan.login)
            stack.enter_context(announced(self._plan.config, self._plan.file, self._supervisor.mark, server))
            missing = [step.program.name for step in self._steps if not self._start(step)]
            limit = time.monotonic() + LOUD_SECONDS
            while not self._terminal.is_quiet(QUIET_SECONDS) and time.monotonic() < limit:
                self._go_on()
            self._terminal.say(self._ready(missing), "bold green" if not missing else "bold red")
            while True:
                self._go_on()

    def _start(self, step: StartStep) -> bool:
        """Start a program, and wait until it is healthy; False if it is not, and the rest goes on."""
        name, begun = step.program.name, time.monotonic()
        self._supervisor.begin(name)
        self._started.append(step.program)
        if not self._becomes_healthy(step):
            if name == "standins":
                self._terminal.say(self._why(name), "bold red")
                raise TransientError("stand-ins", "could not be started", f"see {self._supervisor.log_of(name)}")
            self._terminal.say(f"{name} is not healthy: the rest goes on without it", "bold red")
            return False
        self._terminal.say(f"{name} is healthy after {time.monotonic() - begun:.0f} s")
        self._after(name)
        return True

    def _becomes_healthy(self, step: StartStep) -> bool:
        limit = time.monotonic() + HEALTHY_SECONDS
        while time.monotonic() < limit:
            state = self._supervisor.states()[step.program.name]
            has_come = state.is_alive if step.program.stays else state.name == "EXITED" and state.exit_code == 0
            if has_come and step.is_healthy():
                return True
            if state.has_failed(step.program):
                break
            self._go_on()
        return False

    def _after(self, name: str) -> None:
        """Do what can be done now that a program is healthy."""
        if name == "standins":
            check_settings(self._plan.settings)
        if name == "database":  # from now on it must be ended however we end
            self._supervisor.keep_database(database_folder(self._plan.settings))
        if name == "worker" and self._plan.is_demo:
            try:
                start_first_run(self._plan.api)
            except requests.RequestException as error:
                self._terminal.say(f"no run could be started at once: {error}", "bold red")

    def _go_on(self) -> None:
        """Show what is new, and each second look after the programs."""
        self._terminal.show_new()
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            states = self._supervisor.states()
            for program in self._started:
                if states[program.name].has_failed(program):
                    self._mend(program, states[program.name].problem)
        time.sleep(TICK_SECONDS)

    def _mend(self, program: SupervisedProgram, problem: str) -> None:
        """Tell of a program that could not be started, and try it again a while later."""
        due = self._again_at.get(program.name)
        if due is None:
            self._again_at[program.name] = time.monotonic() + AGAIN_SECONDS
            self._terminal.say(self._why(program.name, problem, f"; tried again in {AGAIN_SECONDS:.0f} s"), "bold red")
        elif time.monotonic() >= due:
            del self._again_at[program.name]
            self._supervisor.begin(program.name)

    def _why(self, name: str, problem: str = "", then: str = "") -> str:
        """Say how a program that could not be started has ended, and what it wrote last."""
        self._terminal.show_new()  # which is where its end is told
        why = ", ".join(filter(None, [problem, self._terminal.end_of(name)])) or "it failed"
        last = last_lines(self._supervisor.log_of(name))
        return "\n".join([f"{name} cannot be started ({why}){then}. Its log ends with", *(last or ["nothing"])])

    def _stop(self) -> None:
        self._terminal.say("stopping all in order ...")
        self._supervisor.stop(self._terminal.show_new)

    def _ready(self, missing: Sequence[str]) -> str:
        """Say where to look."""
        plan = self._plan
        is_found = plan.file == find_file(configuration=plan.config).resolve()
        options = f"--config {plan.config}" + ("" if is_found else f" --settings {plan.file}")
        server = "" if plan.port == DEFAULT_PORT else f"PREFECT_API_URL={plan.api} "
        server += f"PREFECT_API_AUTH_STRING=$(cat {shlex.quote(str(plan.login_file))}) " if plan.login else ""
        openness = "all users of this machine, who can run code as you by it: --protect makes a login"
        whom = openness if plan.is_open else f"whoever knows its login{f', in {plan.login_file}' if plan.login else ''}"
        return f"""
runs, and a form to start one   {plan.api.removesuffix("/api")}
the Prefect server is open to   {whom}
metrics and light curves        {page_address(plan.settings)}
settings                        {plan.file}, configuration {plan.config}
logs and history                {plan.folder}
how it does                     {server}{command_to_type("tides")} status {options}
{"but not " + ", ".join(missing) + ": see above; " if missing else ""}ready (Ctrl-C stops all)"""


def last_lines(log: Path) -> list[str]:
    """Give the end of a log."""
    return log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.exists() else []
