"""The command `tides deploy`: work pool, deployments and automations at the Prefect server, brought up to date."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import requests
import typer

from tides_bridge.console import echo_line, exit_on_error
from tides_bridge.errors import SettingsError, TransientError
from tides_bridge.operations.prefect_server import POOL
from tides_bridge.resources import shipped
from tides_bridge.web import problem_of

TAG = "tides"
"""What the deployments of ours are known by."""

PATIENCE_SECONDS = 60.0
"""[s] A server that was just started is waited for."""

ANSWER_SECONDS = 60.0
"""[s] In which it answers then; one on SQLite that many ask at once takes its time on a busy machine."""

Row = dict[str, Any]


def deploy(
    prefect_file: Annotated[
        Path | None, typer.Option("--prefect-file", help="Which deployments; default: the shipped prefect.yaml.")
    ] = None,
) -> None:
    """
    Make the work pool, deployments and automations at the Prefect server of PREFECT_API_URL, or bring them up to date.

    Reads prefect.yaml and automations.yaml; writes the server. Runs will work in the folder in which this is typed.
    """
    with exit_on_error():
        file = prefect_file or shipped("deployments/prefect.yaml")
        ours = {(entry["name"], entry["entrypoint"]) for entry in _content(file)["deployments"]}
        server = PrefectServer(os.environ.get("PREFECT_API_URL") or "http://127.0.0.1:4200/api")
        server.wait()
        server.make_pool()
        server.deploy(file)
        server.update_automations(_content(shipped("deployments/automations.yaml"))["automations"])
        deployments = server.deployments()
    for deployment in deployments:
        is_ours = (deployment["name"], deployment["entrypoint"]) in ours
        schedules = [entry["schedule"] for entry in deployment["schedules"]]
        when = ", ".join(f"{entry['cron']} {entry['timezone']}" for entry in schedules) or "when it is asked for"
        state = when if is_ours else f"is not in {file} any more"
        echo_line(f"{deployment['name']:18} {state}")


class PrefectServer:
    """
    The API of a Prefect server: plain HTTP, and Prefect's own commands in processes of their own.

    Parameters
    ----------
    address
        Of the API.

    Raises
    ------
    TransientError
        From every method, if the server does not answer, or refuses what it is told.
    """

    def __init__(self, address: str) -> None:
        from tides_bridge.operations.prefect_server import (
            prefect_session,  # which reads settings: not for every command
        )

        self.address = address.rstrip("/")
        self._session = prefect_session(6, 0.5)

    def wait(self) -> None:
        """Wait until the server is up."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.ask("GET", "health")
                return
            except TransientError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def make_pool(self) -> None:
        """Make the work pool if it is not there."""
        if not self.ask("POST", "work_pools/filter", work_pools={"name": {"any_": [POOL]}}):
            self._prefect("work-pool", "create", POOL, "--type", "process")

    def deploy(self, file: Path) -> None:
        """Let Prefect deploy all of a file; what is there under the same name is replaced."""
        self._prefect("--no-prompt", "deploy", "--prefect-file", str(file.resolve()), "--all")

    def update_automations(self, automations: list[Row]) -> None:
        """Make automations, or replace those of the same names."""
        for wanted in automations:
            same_name = self.ask("POST", "automations/filter", automations={"name": {"any_": [wanted["name"]]}})
            if same_name:
                self.ask("PUT", f"automations/{same_name[0]['id']}", **wanted)
            else:
                self.ask("POST", "automations/", **wanted)

    def deployments(self) -> list[Row]:
        """List the deployments of ours, those of older files included."""
        return list(self.ask("POST", "deployments/filter", deployments={"tags": {"all_": [TAG]}}, sort="NAME_ASC"))

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Ask something."""
        try:
            answer = self._session.request(method, f"{self.address}/{path}", json=body or None, timeout=ANSWER_SECONDS)
        except requests.RequestException as error:
            raise self._problem(problem_of(error)) from None
        if not answer.ok:
            raise self._problem(f"answered {answer.status_code} to {path}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def _prefect(self, *arguments: str) -> None:
        """Run a command of Prefect; its words are shown only if it fails."""
        # What it is told of its folder is what PWD says, which a service may not have.
        environment = os.environ | {"PREFECT_API_URL": self.address, "PWD": str(Path.cwd())}
        command = [sys.executable, "-m", "prefect", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            error_text = " ".join((done.stdout + done.stderr).split())[-2000:]
            raise self._problem(f"prefect {' '.join(arguments)}: {error_text}")

    def _problem(self, problem: str) -> TransientError:
        return TransientError(f"Prefect server {self.address}", problem, "start it with: prefect server start")


def _content(file: Path) -> Row:
    """Read a file of deployments or automations."""
    from tides_bridge.settings.yaml_blocks import read_yaml

    content = read_yaml(file)
    if not isinstance(content, dict):
        raise SettingsError(str(file), "", "must hold keys and what they mean")
    return content
