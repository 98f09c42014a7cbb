"""Which programs `tides up` keeps running, with which environment, and when each is healthy."""

import os
import secrets
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from flows.running_stack import ANSWER_SECONDS, answers
from flows.up.supervised import SupervisedProgram, id_of
from tides_bridge.database import embedded
from tides_bridge.errors import SettingsError
from tides_bridge.operations.prefect_server import BUSY_PAUSE, POOL, prefect_session
from tides_bridge.resources import write_own
from tides_bridge.settings import Settings, load_settings

FIRST_RUN = "TiDES bridge/hourly"
"""A run of this deployment is started at once in the demo."""
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""In memory, as is the default, the place of a run that dies with the server would be taken for ever."""


@dataclass(frozen=True)
class StartStep:
    """A program, and what tells that the next one can be started."""

    program: SupervisedProgram
    is_healthy: Callable[[], bool]


@dataclass(frozen=True)
class UpPlan:
    """
    What shall be up.

    Attributes
    ----------
    folder
        For all that must survive: Prefect's history, logs, and in the demo the stand-ins and the database.
    config, file
        Name of the configuration, and the file that it is in.
    port
        Of the Prefect server.
    speed
        Of the stand-ins' stream; None where the configuration is no demo.
    is_protected
        Whether the Prefect server asks for a login, which is made if there is none.
    """

    folder: Path
    config: str
    file: Path
    port: int
    speed: float | None
    is_protected: bool = False

    @property
    def is_demo(self) -> bool:
        """Whether there are stand-ins."""
        return self.speed is not None

    @property
    def api(self) -> str:
        """The address of Prefect's API."""
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def login_file(self) -> Path:
        """What holds the login of a protected server."""
        return self.folder / "prefect.login"

    @cached_property
    def login(self) -> str:
        """
        The login of the server: that of an earlier start, or a new one; empty if the server is not protected.

        Raises
        ------
        SettingsError
            If its file cannot be used.
        """
        if not self.is_protected:
            return ""
        try:
            if not self.login_file.exists() or not self.login_file.read_text(encoding="utf-8").strip():
                write_own(self.login_file, f"tides:{secrets.token_hex(24)}\n")
            return self.login_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problem = f"cannot be used ({type(error).__name__}): delete it, and a new login is made"
            raise SettingsError(str(self.login_file), "", problem) from None

    @property
    def is_open(self) -> bool:
        """Whether every user of this machine can have the server run something."""
        return not self.environment().get("PREFECT_SERVER_API_AUTH_STRING")

    @cached_property
    def settings(self) -> Settings:
        """The settings; those of the demo are there when its stand-ins are, and only addresses in them change."""
        return load_settings(self.config, self.file)

    def environment(self) -> dict[str, str]:
        """Give the environment of all programs; in the demo no variable of the user leads to real services."""
        kept = {name: value for name, value in os.environ.items() if not self._leads_elsewhere(name)}
        here = {} if self.is_demo else {"TIDES_WATCHDOG__PREFECT": self.api}  # whatever the settings say
        logins = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")
        return kept | here | (dict.fromkeys(logins, self.login) if self.login else {}) | {
            "TIDES_SETTINGS": str(self.file),
            "TIDES_CONFIG": self.config,
            "PREFECT_API_URL": self.api,
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
            "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "5"),
            "DO_NOT_TRACK": "1",
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip

    def _leads_elsewhere(self, name: str) -> bool:
        if not self.is_demo:
            return name in {"PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_PROFILE", "PREFECT_UI_API_URL"}
        return name.startswith(("TIDES_", "PREFECT_")) and not name.startswith("TIDES_PAGE__")

    def start_steps(self) -> list[StartStep]:
        """List the programs in the order in which they are started."""
        has_database = self.is_demo or self.settings.database.host == "embedded"
        database = (
            [StartStep(SupervisedProgram("database", tides("database"), 60), self._has_database)]
            if has_database
            else []
        )
        demo = [self._standins()] if self.is_demo else []
        server = tides("server", "--port", str(self.port), "--database", f"prefect_{id_of(self.folder)[:12]}")
        worker = ("worker", "start", "--pool", POOL, "--type", "process")
        return [
            *demo,  # before the database, as they write the settings that say where it is
            *database,
            StartStep(SupervisedProgram("server", server), lambda: answers(f"{self.api}/health")),
            StartStep(SupervisedProgram("deploy", tides("deploy"), stays=False), lambda: True),
            StartStep(SupervisedProgram("page", tides("page")), self._has_page),
            StartStep(SupervisedProgram("worker", python("prefect", *worker), 30), WorkerHeartbeat(self.api).is_there),
            StartStep(SupervisedProgram("watchdog", tides("watchdog", "--every", "1 minute")), lambda: True),
        ]

    def _standins(self) -> StartStep:
        """Describe the stand-ins; they write the settings when all of them answer."""
        options = ("--live", "--speed", str(self.speed), "--settings-out", str(self.file))
        command = tides("standins", *options, "--folder", str(self.folder / "standins"))
        before = _written(self.file)
        return StartStep(SupervisedProgram("standins", command, 30), lambda: _written(self.file) != before)

    def _has_database(self) -> bool:
        return embedded.EmbeddedServer(database_folder(self.settings)).is_ready()

    def _has_page(self) -> bool:
        page = self.settings.page
        return answers(f"http://{page.host}:{page.port}/health")


class WorkerHeartbeat:
    """Whether a worker has come to the pool since now."""

    def __init__(self, api: str) -> None:
        self._api, self._since = api, datetime.now(UTC)

    def is_there(self) -> bool:
        """Ask the server."""
        try:
            rows = ask_prefect_api(self._api, "POST", f"work_pools/{POOL}/workers/filter")
        except requests.RequestException:
            return False
        # A former worker is listed, too, until it has been silent for long: only a sign since our start counts.
        return any(datetime.fromisoformat(row["last_heartbeat_time"]) > self._since for row in rows)


def start_first_run(api: str) -> None:
    """Start a run of the bridge, so that there is something to see."""
    deployment = ask_prefect_api(api, "GET", f"deployments/name/{FIRST_RUN}")
    ask_prefect_api(api, "POST", f"deployments/{deployment['id']}/create_flow_run", state={"type": "SCHEDULED"})


def check_port(port: int, host: str, option: str, remedy: str) -> None:
    """Raise SettingsError if somebody has a port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that has just been left is free
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(option, str(port), f"the port cannot be had ({error.strerror}): {remedy}") from None


def check_settings(settings: Settings) -> None:
    """
    See that what is on this machine can be had: the port of the page, and the database on board.

    Raises
    ------
    SettingsError, DatabaseUnavailable
        When it cannot.
    """
    remedy = "stop what listens there, or choose another, as TIDES_PAGE__PORT=4281"
    check_port(settings.page.port, settings.page.host, "page.port", remedy)
    if settings.database.host == "embedded":
        embedded.acquire_server(database_folder(settings)).release()


def database_folder(settings: Settings) -> Path:
    """Give the folder of the database on board."""
    return (settings.database.folder or embedded.default_folder()).expanduser().resolve()


def tides(*arguments: str) -> tuple[str, ...]:
    """Word a command of ours."""
    return python("flows.cli", *arguments)


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Word a command of a module of this environment."""
    return (sys.executable, "-m", module, *arguments)


def ask_prefect_api(api: str, method: str, path: str, **body: Any) -> Any:
    """Ask the Prefect server, or raise requests.RequestException."""
    with prefect_session(5, BUSY_PAUSE) as session:
        answer = session.request(method, f"{api}/{path}", json=body, timeout=5 * ANSWER_SECONDS)
        answer.raise_for_status()
        return answer.json()


def _written(file: Path) -> int | None:
    """Give the time of a file [ns], if it is there."""
    return file.stat().st_mtime_ns if file.exists() else None
