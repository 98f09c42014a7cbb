"""The handle for tests and demos: the stand-in as a child process that cannot outlive its parent."""

import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import requests

from simulators.fourmost.command import PASSWORD
from simulators.services.faults import HANDLE_HEADER, FaultPlan
from tides_bridge.errors import FourmostUnavailable

START_SECONDS = 120.0
"""How long the service may take to say "ready"."""

STOP_SECONDS = 10.0
"""How long it may take to end before it is killed."""

HTTP_SECONDS = 15.0
"""Timeout of a request, as in the reference client."""

_COMMAND = (sys.executable, "-m", "simulators.fourmost", "--until-stdin-ends", "--port", "0")
_SAID = ("address", "user", "password", "token")


class FourmostStandin:
    """
    A running stand-in, to be used in a ``with`` statement.

    Its own methods look past all faults.

    Parameters
    ----------
    options
        Options of ``tides fourmost``; ``--port 0`` unless given.
    state
        The state file, which stays; None is a temporary one.
    password
        Of the account; None is that in the state, or a random one.

    Attributes
    ----------
    address
        Up to ``/QFSwi``.
    user, password, token
        The account.

    Examples
    --------
    ::

        with FourmostStandin("--paginate", state=folder / "4most.sqlite3") as fourmost:
            requests.get(f"{fourmost.address}/targetCat/transients/", auth=(fourmost.user, fourmost.password))
    """

    def __init__(self, *options: str, state: Path | None = None, password: str | None = None) -> None:
        self.address = self.user = self.password = self.token = ""
        self._options, self._state = options, state
        # That of whoever starts us is for a stand-in of theirs: an empty one is none.
        self._environment = os.environ | {PASSWORD: password or ""}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._output: deque[str] = deque(maxlen=100)
        self._started = threading.Event()

    def __enter__(self) -> Self:
        state = self._state
        if state is None:
            self._folder = tempfile.TemporaryDirectory(prefix="fourmost-")
            state = Path(self._folder.name, "fourmost.sqlite3")
        self._output.clear()  # of an earlier start, where it is started anew
        self._started.clear()
        self._process = self._begin(["--state", str(state.resolve()), *self._options])
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        try:
            self._started.wait(START_SECONDS)
            if "ready" not in self._output:
                raise FourmostUnavailable("4MOST stand-in", "it did not start: " + " / ".join(self._output))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def stop(self) -> int:
        """End the service, which a second call leaves ended, and answer its exit code."""
        self._process.terminate()
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        if self._folder:
            self._folder.cleanup()
        return code

    def rows(self, **filters: str | float) -> list[dict[str, Any]]:
        """List the rows that the filters choose, all pages of them."""
        rows: list[dict[str, Any]] = []
        url = f"{self.address}/targetCat/transients/?" + urlencode(filters)
        while url:
            answer = self._ask("GET", url)
            rows += answer if isinstance(answer, list) else answer["results"]
            url = "" if isinstance(answer, list) else answer["next"]
        return rows

    def ingest(self) -> int:
        """Ingest now what is not ingested, as OpSys does at 15:00, and answer how many rows."""
        return int(self._ask("POST", f"{self.address}/standin/ingest/")["ingested"])

    def set_faults(self, rules: list[dict[str, Any]]) -> int:
        """
        Let calls go wrong by other rules from now on, and answer how many they are; an empty list ends all faults.

        Raises
        ------
        SettingsError
            Naming the rule and key that is wrong; the old rules then stay.
        """
        FaultPlan(rules)
        return int(self._ask("POST", f"{self.address}/standin/faults/", rules)["rules"])

    def _begin(self, options: list[str]) -> "subprocess.Popen[str]":
        """Start the service; its standard output says how to reach it, and it ends when its standard input does."""
        return subprocess.Popen(
            [*_COMMAND, *options],
            stdin=subprocess.PIPE,  # ends with this process, and the service with it
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
            cwd=Path(__file__).parents[2],  # where Python finds simulators
            process_group=0,  # Ctrl-C is for this process, which then stops the service
        )

    def _ask(self, method: str, url: str, content: Any = None) -> Any:
        account, headers = (self.user, self.password), {HANDLE_HEADER: "1"}
        answer = requests.request(method, url, json=content, auth=account, headers=headers, timeout=HTTP_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def _read_output(self) -> None:
        """Keep what the service says, until it ends; before "ready" it says how to reach it."""
        for line in map(str.strip, self._process.stdout or ()):
            self._output.append(line)
            name, _, value = line.partition(": ")
            if name in _SAID and not self._started.is_set():
                setattr(self, name, value)
            if line == "ready":
                self._started.set()
        self._started.set()
