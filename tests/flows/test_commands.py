"""`tides reconcile` and `tides release-guard`, as a person types them."""

import json
from pathlib import Path

import requests
import yaml

from simulators.standins.bundle import Standins
from tests.support.forked import forked_tides


def test_reconcile_tells_and_repairs(settings_file: Path, prefect_api: str, standins: Standins) -> None:
    content = yaml.safe_load(settings_file.read_text())
    content["standins"]["fourmost"]["surveyID"] = 46  # other tests have targets of the same names in the usual one
    settings_file.write_text(yaml.safe_dump(content))
    assert forked_tides("run", "--settings", settings_file, PREFECT_API_URL=prefect_api).returncode == 0
    fourmost = standins.fourmost
    ours = fourmost.rows(uploadedfor_survey_id=46)[0]
    address = f"{fourmost.address}/targetCat/transients/{ours['id']}/"
    requests.delete(address, auth=(fourmost.user, fourmost.password), timeout=60).raise_for_status()
    told = forked_tides("reconcile", "--dry-run", "--settings", settings_file, PREFECT_API_URL=prefect_api)
    assert told.returncode == 0, told.stderr
    assert ours["name"] in told.stdout and "vanished" in told.stdout and "would be" in told.stdout
    assert not fourmost.rows(id=ours["id"])
    repaired = forked_tides("reconcile", "--settings", settings_file, PREFECT_API_URL=prefect_api)
    assert repaired.returncode == 0, repaired.stderr
    assert ours["name"] in [row["name"] for row in fourmost.rows(uploadedfor_survey_id=46)]
    filters = {"artifacts": {"key": {"any_": ["tides-bridge-differences"]}}, "sort": "CREATED_DESC", "limit": 1}
    (artifact,) = requests.post(f"{prefect_api}/artifacts/filter", json=filters, timeout=60).json()
    assert ours["name"] in artifact["data"] and "created again" in artifact["data"]


def test_a_clock_that_runs_ahead_switches_nothing_off_before_a_person_says_so(
    settings_file: Path, prefect_api: str
) -> None:
    def with_clock(now: str) -> None:
        content = yaml.safe_load(settings_file.read_text())
        content["standins"] |= {"now": now, "targets": {"deactivateAfter": "200 days", "guard": {"atLeast": 1}}}
        content["standins"]["fourmost"].pop("address", None)
        settings_file.write_text(yaml.safe_dump(content))

    def of(*words: str) -> str:
        done = forked_tides(*words, "--settings", settings_file, PREFECT_API_URL=prefect_api)
        assert done.returncode == 0, done.stderr
        return done.stdout

    usual, ahead = "2026-09-15T12:00:00Z", "2027-09-15T12:00:00Z"
    with_clock(usual)
    first = json.loads(of("run", "--json"))
    assert of("release-guard") == "nothing is held back\n"
    with_clock(ahead)
    assert json.loads(of("run", "--json"))["deactivated"] == 0
    told = of("release-guard", "--dry-run")
    assert told.startswith("deactivation: ") and "targets would be switched off (TiDES" in told
    assert "not done: " in of("status") and "targets would be switched off" in of("status")
    assert of("release-guard").endswith("\nreleased: the next run makes these changes\n")
    gone = json.loads(of("run", "--json"))["deactivated"]
    assert 1 < gone <= first["inserted"]
    with_clock(usual)
    assert json.loads(of("run", "--json"))["reactivated"] == 0
    assert of("release-guard").startswith(f"activation: {gone} of ")
    assert json.loads(of("run", "--json"))["reactivated"] == gone
