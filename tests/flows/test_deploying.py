"""`tides deploy` and `tides notify` at a Prefect server, and what becomes of late, doubled and killed runs there."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psutil
import pytest
import yaml

from flows.commands import deploy as deploying
from flows.commands.deploy import PrefectServer
from tests.support.folders import reachable_folder
from tests.support.forked import forked_tides
from tests.support.processes import ROOT, prefect_server
from tides_bridge.database import apply_schema, open_database
from tides_bridge.errors import TransientError
from tides_bridge.settings import load_settings

Found = TypeVar("Found")
WAIT_SECONDS = 300.0
HEARTBEAT = "prefect.flow-run.heartbeat"
FILE = ROOT / "deployments" / "prefect.yaml"
DEPLOYMENTS = {each["name"]: each for each in yaml.safe_load(FILE.read_text())["deployments"]}
AUTOMATIONS = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text())["automations"]
TRIGGER = DEPLOYMENTS["on-event"]["triggers"][0]


def wait_for(look: Callable[[], Found]) -> Found:
    """Look until there is something; a server that is too busy to answer is nothing."""
    limit = time.monotonic() + WAIT_SECONDS
    while True:
        with suppress(TransientError):
            if found := look():
                return found
        assert time.monotonic() < limit
        time.sleep(0.3)


class Deployed:
    """A server with our deployments, and questions to it."""

    def __init__(self, address: str, settings_file: Path) -> None:
        self.address, self.settings_file = address, settings_file
        self.server = PrefectServer(address)

    def deployments(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.server.deployments()}

    def automations(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.server.ask("POST", "automations/filter")}

    def runs(self, name: str) -> list[dict[str, Any]]:
        """Runs of a deployment but those that its schedule made."""
        wanted = {"deployment_id": {"any_": [self.deployments()[name]["id"]]}}
        runs = self.server.ask("POST", "flow_runs/filter", flow_runs=wanted)
        return [run for run in runs if not run["auto_scheduled"]]

    def states(self, name: str) -> list[str]:
        return sorted(run["state_name"] for run in self.runs(name))

    def start(self, name: str, late_by: timedelta = timedelta(0)) -> str:
        """Ask for a run, or be late with it, as one that was due while the machine was off."""
        due = (datetime.now(UTC) - late_by).isoformat()
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}
        path = f"deployments/{self.deployments()[name]['id']}/create_flow_run"
        return str(self.server.ask("POST", path, state=state)["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        return dict(self.server.ask("GET", f"flow_runs/{run_id}"))

    def events(self, name: str) -> list[dict[str, Any]]:
        wanted = {"event": {"name": [name]}}
        return list(self.server.ask("POST", "events/filter", filter=wanted)["events"])

    @contextmanager
    def worker(self) -> Iterator[psutil.Process]:
        """A worker in the checkout; with its runs, it is killed at the end."""
        environment = os.environ | {"PREFECT_API_URL": self.address, "TIDES_SETTINGS": str(self.settings_file)}
        environment |= {"PREFECT_WORKER_QUERY_SECONDS": "1"}
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "tides", "--type", "process"]
        with self.settings_file.with_name("worker.log").open("a") as log:
            process = psutil.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            kill_all(process)


def kill_all(process: psutil.Process) -> None:
    """Kill a process and all that it started, as a power cut does."""
    with_children = [*process.children(recursive=True), process] if process.is_running() else []
    for each in with_children:
        each.send_signal(signal.SIGSTOP)
    for each in with_children:
        each.kill()
    process.wait(60)


@pytest.fixture(scope="module")
def deployed(database_folder: Path) -> Iterator[Deployed]:
    with reachable_folder() as folder, reachable_folder() as home:
        name = f"t{uuid4().hex}"
        settings = {
            "topic": "lasair_tides",
            "groupID": name,
            "selectFunction": "tidesSNZTFSelect",
            "tidesDBdatabase": name,
            "database": {"host": "embedded", "folder": str(database_folder)},
            "backup": {"folder": str(folder / "backups")},
            "fourmost": {"address": "http://127.0.0.1:9/QFSwi", "timeout": "1 s"},  # nobody is there
        }
        (folder / "settings.yaml").write_text(yaml.safe_dump({"deployed": settings}))
        with open_database(load_settings(None, folder / "settings.yaml")) as database:
            apply_schema(database)
        with prefect_server(home) as address:
            assert forked_tides("deploy", PREFECT_API_URL=address).returncode == 0
            yield Deployed(address, folder / "settings.yaml")


def test_all_of_the_file_is_deployed_and_again_nothing_is_doubled(deployed: Deployed) -> None:
    before, automations = deployed.deployments(), deployed.automations()
    again = forked_tides("deploy", PREFECT_API_URL=deployed.address)
    assert again.returncode == 0, again.stderr
    after = deployed.deployments()
    assert after.keys() == DEPLOYMENTS.keys()
    assert {name: each["id"] for name, each in after.items()} == {name: each["id"] for name, each in before.items()}
    assert len(deployed.server.ask("POST", "automations/filter")) == len(automations) == len(AUTOMATIONS) + 1
    assert deployed.automations().keys() == {TRIGGER["name"], *(each["name"] for each in AUTOMATIONS)}
    for name, each in after.items():
        wanted = [schedule["cron"] for schedule in DEPLOYMENTS[name].get("schedules", [])]
        assert [schedule["schedule"]["cron"] for schedule in each["schedules"]] == wanted
        assert re.search(rf"^{name} +{re.escape(', '.join(wanted) or 'when it is asked for')}", again.stdout, re.M)
        assert each["pull_steps"][0]["prefect.deployments.steps.set_working_directory"]["directory"] == str(ROOT)
    (pool,) = deployed.server.ask("POST", "work_pools/filter")
    assert (pool["name"], pool["type"]) == ("tides", "process")


def test_the_form_of_each_deployment_explains_each_parameter(deployed: Deployed) -> None:
    for name, each in deployed.deployments().items():
        assert len(each["description"]) > 100
        for parameter, about in each["parameter_openapi_schema"]["properties"].items():
            assert about.get("description"), (name, parameter)


def test_whatever_runs_twice_a_day_or_more_runs_once_at_a_time() -> None:
    for each in DEPLOYMENTS.values():
        if "schedules" in each or "triggers" in each:
            assert each["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


def test_a_deployment_that_left_the_file_is_told_and_one_that_was_paused_goes_on(
    deployed: Deployed, tmp_path: Path
) -> None:
    deployed.server.ask("PATCH", f"deployments/{deployed.deployments()['files']['id']}", paused=True)
    content = yaml.safe_load(FILE.read_text())
    content["deployments"] = [each for each in content["deployments"] if each["name"] != "archive"]
    (tmp_path / "fewer.yaml").write_text(yaml.safe_dump(content))
    told = forked_tides("deploy", "--prefect-file", tmp_path / "fewer.yaml", PREFECT_API_URL=deployed.address)
    assert told.returncode == 0, told.stderr
    assert re.search(r"^archive +is not in .*fewer.yaml any more$", told.stdout, re.M)
    assert not deployed.deployments()["files"]["paused"]


def test_what_is_wrong_is_told_in_one_line(deployed: Deployed, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("deployments: [}")
    told = forked_tides("deploy", "--prefect-file", tmp_path / "bad.yaml", PREFECT_API_URL=deployed.address)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1), told.stderr
    assert told.stderr.startswith(f"tides: {tmp_path}/bad.yaml: is not YAML: ")


def test_a_server_that_is_away_is_waited_for_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploying, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(TransientError, match=r"Prefect server http://127.0.0.1:9/api: cannot be reached .start it"):
        PrefectServer("http://127.0.0.1:9/api").wait()


def test_a_burst_of_events_makes_one_run_that_begins_when_it_is_over(deployed: Deployed) -> None:
    settings = {"TIDES_SETTINGS": str(deployed.settings_file), "PREFECT_API_URL": deployed.address}
    told = forked_tides("notify", **settings)
    assert told.returncode == 0, told.stderr
    page = (ROOT / "docs" / "schedules.md").read_text()
    (webhook,) = re.findall(r"^curl .*?(?=^```)", page, re.M | re.S)
    for _ in range(3):
        subprocess.run(["bash", "-ec", webhook], env=os.environ | settings, check=True, timeout=60)
    assert forked_tides("notify", "--broker", "lasair_ztf", **settings).returncode == 0
    wait_for(lambda: len(deployed.events("tides.alerts")) == 5)
    first, *_, last = sorted((e["occurred"] for e in deployed.events("tides.alerts")), key=datetime.fromisoformat)
    wait_for(lambda: deployed.runs("on-event"))
    wait_for(lambda: len(deployed.events("prefect.automation.action.executed")) > 0)
    runs, took = deployed.runs("on-event"), datetime.fromisoformat(last) - datetime.fromisoformat(first)
    assert len(runs) <= 1 + took // timedelta(seconds=TRIGGER["within"])
    due = max(datetime.fromisoformat(run["expected_start_time"]) for run in runs)
    assert due > datetime.fromisoformat(last)
    assert TRIGGER["schedule_after"] >= TRIGGER["within"], "else an event could come after its run began"
    for run in runs:
        deployed.server.ask("POST", f"flow_runs/{run['id']}/set_state", state={"type": "CANCELLED"}, force=True)


def test_an_event_that_cannot_be_sent_is_told(deployed: Deployed) -> None:
    settings = {"TIDES_SETTINGS": str(deployed.settings_file)}
    away = forked_tides("notify", PREFECT_API_URL="http://127.0.0.1:9/api", **settings)
    assert (away.returncode, "cannot be reached" in away.stderr) == (1, True)
    wrong = forked_tides("notify", "--broker", "nobody", PREFECT_API_URL=deployed.address, **settings)
    assert (wrong.returncode, "no such broker; there are: lasair_ztf" in wrong.stderr) == (2, True)


def test_after_hours_without_a_worker_one_run_of_each_is_made_up_for(deployed: Deployed) -> None:
    for hours in range(5):
        deployed.start("nightly", timedelta(hours=hours + 1))
    with deployed.worker():
        wait_for(lambda: {"Completed", "Cancelled"} >= set(deployed.states("nightly")))
    states = deployed.states("nightly")
    assert "Completed" in states and "Cancelled" in states
    assert len(list((deployed.settings_file.parent / "backups").glob("*.dump"))) == states.count("Completed")


def test_an_exchange_beside_a_run_at_work_is_skipped(deployed: Deployed) -> None:
    entry = f"deployments/{deployed.deployments()['every-ten-minutes']['id']}"
    deployed.server.ask("POST", f"{entry}/pause_deployment")  # else ours is cancelled where a scheduled one is just due
    with open_database(load_settings(None, deployed.settings_file)) as database, database.only_run(), deployed.worker():
        for _ in range(5):  # one that was due before may be at work still: ours is cancelled then
            run = deployed.start("every-ten-minutes")
            if wait_for(partial(ended, deployed, run)) == "COMPLETED":
                break
    deployed.server.ask("POST", f"{entry}/resume_deployment")
    state = deployed.run(run)["state"]
    assert (state["name"], state["message"].startswith("another run is at work")) == ("Skipped", True)


def ended(deployed: Deployed, run: str) -> str | None:
    """The state in which a run ended; None while it has not."""
    state = str(deployed.run(run)["state_type"])
    return state if state in ("COMPLETED", "CANCELLED", "FAILED", "CRASHED") else None


def impatient(automation: dict[str, Any]) -> dict[str, Any]:
    """The same automation, which waits 10 s."""
    quick: dict[str, Any] = json.loads(json.dumps(automation))
    quick["trigger"]["within"] = 10
    return quick


def test_a_run_that_is_killed_with_its_worker_has_crashed(deployed: Deployed) -> None:
    """With a shorter patience than in the file; and its place is free again."""
    automation = AUTOMATIONS[0]
    deployed.server.update_automations([impatient(automation)])
    with open_database(load_settings(None, deployed.settings_file)) as database, database.only_run(), deployed.worker():
        run = deployed.start("daily")  # it waits for the other one
        wait_for(
            lambda: any(event["resource"]["prefect.resource.id"].endswith(run) for event in deployed.events(HEARTBEAT))
        )
        assert deployed.run(run)["state_name"] == "Running"
    wait_for(lambda: deployed.run(run)["state_name"] == "Crashed")
    assert deployed.run(run)["state"]["message"] == automation["actions"][0]["message"]
    deployed.server.update_automations([automation])
    with deployed.worker():
        again = deployed.start("daily")
        wait_for(lambda: deployed.run(again)["state_type"] in ("FAILED", "CANCELLED"))
    assert deployed.run(again)["state_name"] == "Failed", "4MOST is away, but it was not cancelled"


def test_a_run_that_is_killed_before_its_first_sign_of_life_has_crashed_but_no_run_inside_another(
    deployed: Deployed,
) -> None:
    """They are only said to be Running: nobody is at work on them."""
    automation = AUTOMATIONS[1]
    deployed.server.update_automations([impatient(automation)])
    flow = deployed.deployments()["daily"]["flow_id"]
    inside = str(deployed.server.ask("POST", "flow_runs/", flow_id=flow, name="light curves")["id"])
    killed = deployed.start("daily")
    for run in (inside, killed):
        deployed.server.ask("POST", f"flow_runs/{run}/set_state", state={"type": "RUNNING"}, force=True)
    wait_for(lambda: deployed.run(killed)["state_name"] == "Crashed")
    assert deployed.run(inside)["state_name"] == "Running"
    deployed.server.update_automations([automation])
    deployed.server.ask("POST", f"flow_runs/{inside}/set_state", state={"type": "CANCELLED"}, force=True)


def test_runs_give_signs_of_life_much_oftener_than_they_are_missed() -> None:
    (within,) = {each["trigger"]["within"] for each in AUTOMATIONS}
    from_a_shell = 180
    for each in DEPLOYMENTS.values():
        frequency = int(each["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
        assert 30 <= frequency <= within / 5
    assert within > 2 * from_a_shell
