"""
A server, a worker and a deployment, started one by one as on a real host, and what a run there looks like.

The README's commands for one run are typed as they stand, but for ``.venv``, whose place takes the environment that
runs the tests. The stand-ins are named by TIDES_SETTINGS. `make up` and `tides up` are in test_up.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
import yaml
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from simulators.alerts.packets import alerts
from simulators.sky import Sky
from simulators.standins.bundle import StandinAlert, Standins, write_settings
from tasks.summary import MEANING
from tests.support.folders import TEMPORARY, reachable_folder
from tests.support.prefect_home import furnish
from tests.support.processes import ROOT, free_port, hearing_ctrl_c

BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
MAKE, ONE_RUN, UP, UP_WITH_SETTINGS = BLOCKS
TERMINAL = "export PREFECT_API_URL=http://127.0.0.1:4200/api\n"
SERVER, WORKER = "prefect server start", "prefect worker start --pool tides --type process"
DEPLOY, RUN_NOW = "tides deploy\n", 'prefect deployment run "TiDES bridge/hourly"\n'
Found = TypeVar("Found")
WAIT_SECONDS = 300.0
STOP_SECONDS = 120.0
STEPS = {
    "get_deferred_objects",
    "put_in_force",
    "get_latest_batch",
    "split_into_chunks",
    "create_transient_stage",
    "upsert_to_master",
    "deactivate_unobserved_transients",
    "prepare_4most_update",
    "create_new_transients_in_4most",
    "update_existing_transients: changed",
    "update_existing_transients: deactivated",
}


@dataclass
class Shell:
    """Terminals in the checkout, in which the README's lines are typed."""

    folder: Path
    environment: dict[str, str]
    port: int

    def script(self, block: str) -> str:
        lines = [line for line in block.splitlines() if line != ". .venv/bin/activate"]
        return "set -eu\n" + "\n".join(lines).replace(":4200", f":{self.port}")

    def type(self, block: str) -> str:
        """Run a block to its end, and give what it says."""
        done = subprocess.run(
            ["bash", "-c", self.script(block)], cwd=ROOT, env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def keep(self, command: str) -> Iterator[None]:
        """Run one command that stays, in a terminal that has been made ready; Ctrl-C at the end."""
        script = self.script(f"{TERMINAL}exec {command}\n")
        with self.log(command).open("w") as said, hearing_ctrl_c():
            process = subprocess.Popen(
                ["bash", "-c", script], cwd=ROOT, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        try:
            yield
            assert process.poll() is None, self.log(command).read_text()
        finally:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)

    def log(self, command: str) -> Path:
        return self.folder / f"{command.split()[1]}.log"


@dataclass
class Bridge:
    """The API of the server, and what the runs read and wrote."""

    shell: Shell
    standins: Standins
    settings: dict[str, Any]

    def ask(self, method: str, path: str, **body: Any) -> Any:
        with requests.Session() as session:  # a server on SQLite answers 503 when it is busy
            retry = Retry(total=6, status=6, backoff_factor=0.5, status_forcelist=[503], allowed_methods=None)
            session.mount("http://", HTTPAdapter(max_retries=retry))
            answer = session.request(method, f"http://127.0.0.1:{self.shell.port}/api/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def all(self, what: str) -> list[dict[str, Any]]:
        """All flow_runs, task_runs, logs, artifacts, ..."""
        return list(self.ask("POST", f"{what}/filter"))

    def deployment(self) -> dict[str, Any]:
        return dict(self.ask("GET", "deployments/name/TiDES bridge/hourly"))

    def runs(self, *states: str) -> list[dict[str, Any]]:
        """The deployment's runs in some states, by their time."""
        deployment = self.deployment()["id"]
        found = [run for run in self.all("flow_runs") if run["deployment_id"] == deployment]
        return sorted((run for run in found if run["state_name"] in states), key=lambda run: run["expected_start_time"])


def wait_for(look: Callable[[], Found], log: Path) -> Found:
    """Look until there is something; an API that does not answer yet is nothing."""
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        with suppress(requests.RequestException):
            if found := look():
                return found
        assert time.monotonic() < limit, log.read_text()
        time.sleep(0.2)


def environment(home: Path, settings: Path, port: int) -> dict[str, str]:
    """A user's, who has a home of his own, this environment active, and settings that lead to the stand-ins."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIDES_", "PREFECT_"))}
    return kept | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_WORKER_QUERY_SECONDS": "1",  # it looks for work every 10 s otherwise
        "TIDES_SETTINGS": str(settings),
    }


@pytest.fixture(scope="module")
def bridge() -> Iterator[Bridge]:
    """All of the commands for a schedule, and one run to its end."""
    with ExitStack() as stack:
        folder = stack.enter_context(reachable_folder())
        standins = stack.enter_context(Standins(folder / "standins"))
        sky = Sky(seed=3, objects=400)
        night = next(night for night in range(61270, 61290) if sky.is_clear(night))
        standins.load(map(StandinAlert.from_packet, alerts(sky, night)))
        settings = standins.settings({"deactivateAfter": "7305 days"})
        write_settings(folder / "settings.yaml", settings)
        home = Path(tempfile.mkdtemp(prefix="tides-test-home-", dir=TEMPORARY))
        stack.callback(shutil.rmtree, home)
        furnish(home / "prefect")
        port = free_port()
        shell = Shell(home, environment(home, folder / "settings.yaml", port), port)
        bridge = Bridge(shell, standins, settings)
        stack.enter_context(shell.keep(SERVER))
        wait_for(lambda: bridge.ask("GET", "health"), shell.log(SERVER))
        stack.enter_context(shell.keep(WORKER))
        wait_for(lambda: bridge.ask("GET", "work_pools/tides"), shell.log(WORKER))
        shell.type(TERMINAL + DEPLOY)
        shell.type(TERMINAL + RUN_NOW)
        bridge.ask("POST", f"deployments/{bridge.deployment()['id']}/create_flow_run", state={"type": "SCHEDULED"})
        wait_for(lambda: bridge.runs("Completed") and bridge.runs("Cancelled"), shell.log(WORKER))
        yield bridge


def test_a_run_has_a_readable_name_and_its_steps_have_theirs(bridge: Bridge) -> None:
    run = bridge.runs("Completed")[0]
    assert re.fullmatch(r"standins \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", run["name"])
    assert run["tags"] == ["tides"]
    assert "light curves" in {each["name"] for each in bridge.all("flow_runs")}

    def names() -> set[str]:
        """Names come as events, some after the run's end."""
        return {each["name"] for each in bridge.all("task_runs")}

    wait_for(lambda: names() >= STEPS, bridge.shell.folder / "worker.log")
    assert {name for name in names() if name.startswith("chunk ")} == {"chunk 1 of 1"}


def test_the_table_tells_what_the_run_did(bridge: Bridge) -> None:
    run = bridge.runs("Completed")[0]["id"]
    artifacts = [each for each in bridge.all("artifacts") if (each["flow_run_id"], each["type"]) == (run, "table")]
    tables = {each["key"]: json.loads(each["data"]) for each in artifacts}
    numbers = {row["what"]: row["number"] for row in tables["tides-bridge-summary"]}
    counts = {name: numbers[meaning] for name, meaning in MEANING.items()}
    assert counts["messages"] == counts["evaluated"] > 50
    assert counts["inserted"] == counts["passed"] > 0
    assert counts["created_in_4most"] == len(bridge.standins.fourmost.rows()) > 0
    assert len(tables.get("tides-bridge-failures", [])) == counts["refused_targets"]


def test_what_the_bridge_logs_is_on_the_run_page(bridge: Bridge) -> None:
    """Logs come in parcels, some after the run's end."""

    def is_logged(start: str) -> bool:
        return any(log["name"].startswith("tides_bridge.") and start in log["message"] for log in bridge.all("logs"))

    wait_for(lambda: is_logged("a secret is written in a file"), bridge.shell.folder / "worker.log")


def test_it_runs_at_every_full_hour(bridge: Bridge) -> None:
    deployment = bridge.deployment()
    schedule = deployment["schedules"][0]
    assert schedule["active"] and not deployment["paused"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 * * * *", "UTC")
    runs = wait_for(lambda: bridge.runs("Scheduled")[1:], bridge.shell.folder / "server.log")
    times = [datetime.fromisoformat(run["expected_start_time"]) for run in runs]
    assert all(later - sooner == timedelta(hours=1) for sooner, later in pairwise(times))
    assert {(time.minute, time.second) for time in times} == {(0, 0)}


def test_a_run_that_begins_while_another_is_at_work_is_cancelled(bridge: Bridge) -> None:
    deployment = bridge.deployment()
    assert deployment["global_concurrency_limit"]["limit"] == 1
    messages = {run["state"]["message"] for run in bridge.runs("Cancelled")}
    assert messages == {"Deployment concurrency limit reached."}


def test_the_server_remembers_places_over_its_own_death_and_reports_to_nobody(bridge: Bridge) -> None:
    """In memory, the place of a run that dies with the server would be taken for ever: all later runs are cancelled."""
    server = bridge.ask("GET", "admin/settings")["server"]
    assert server["concurrency"]["lease_storage"].endswith(".filesystem")
    assert server["analytics_enabled"] is False


def test_the_flow_is_found_as_a_module_and_in_the_folder_of_the_deploy_command(bridge: Bridge) -> None:
    deployment = bridge.deployment()
    assert deployment["entrypoint"] == "flows.comm_pipe.execute_comm_pipe"
    assert deployment["pull_steps"] == [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}]


def test_no_secret_is_anywhere_at_the_server(bridge: Bridge) -> None:
    secrets = [bridge.settings["lasairToken"], bridge.settings["fourmost"]["token"]]
    told = {what: json.dumps(bridge.all(what)) for what in ("deployments", "flow_runs", "task_runs", "artifacts")}
    told["logs"] = json.dumps(wait_for(lambda: bridge.all("logs"), bridge.shell.folder / "server.log"))
    told |= {file.name: file.read_text() for file in bridge.shell.folder.glob("*.log")}
    database = b"".join(file.read_bytes() for file in (bridge.shell.folder / "prefect").glob("prefect.db*"))
    assert [name for name, text in told.items() for secret in secrets if secret in text] == []
    assert not any(secret.encode() in database for secret in secrets)


def test_deploying_again_doubles_nothing(bridge: Bridge) -> None:
    before = bridge.deployment()
    bridge.shell.type(TERMINAL + DEPLOY)
    after = bridge.deployment()
    assert after["id"] == before["id"]
    assert [each["slug"] for each in after["schedules"]] == ["hourly"]


def test_the_commands_for_one_run_work(bridge: Bridge) -> None:
    before = len(bridge.all("flow_runs"))
    said = bridge.shell.type(TERMINAL + ONE_RUN)
    assert "fourmost.token" in said
    assert "\nok    4MOST" in said and "FAIL" not in said
    assert len(bridge.all("flow_runs")) > before


def test_no_path_entrypoint_is_ever_deployed() -> None:
    """With one, Prefect loads a second copy of the module, and puts flows/ first on sys.path."""
    deployments = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
    assert [each["entrypoint"] for each in deployments if not re.fullmatch(r"[\w.]+", each["entrypoint"])] == []
