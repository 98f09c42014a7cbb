"""`tides status` and `tides reconcile`, as a person types them."""

import json
from pathlib import Path
from typing import Any

import requests
import yaml

from simulators.standins import Standins
from tests.support.processes import tides


def status(file: Path) -> dict[str, Any]:
    done = tides("status", "--settings", file, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_status_before_the_first_run_says_what_to_do(settings_file: Path) -> None:
    assert tides("schema", "--settings", settings_file).returncode == 0
    done = tides("status", "--settings", settings_file)
    assert done.returncode == 0, done.stderr
    assert "no run yet: tides run" in done.stdout


def test_status_shows_how_the_bridge_does(settings_file: Path, prefect_api: str) -> None:
    done = tides("run", "--settings", settings_file, "--json", PREFECT_API_URL=prefect_api)
    summary = json.loads(done.stdout)
    found = status(settings_file)
    assert found["lag"] == 0
    assert sum(row["next_offset"] for row in found["positions"]) == summary["messages"]
    assert found["states"]["judged"] == summary["evaluated"]
    assert found["states"]["at_4most"] == summary["created_in_4most"] > 0
    assert found["states"]["refused_targets"] == summary["refused"]
    assert set(found["backlog"].values()) == {0}
    assert {row["kind"] for row in found["runs"]} == {"pull", "exchange"}
    assert all(row["last_good"] and row["problem"] is None for row in found["runs"])
    page = tides("status", "--settings", settings_file).stdout
    for words in ("Runs", "went well", "lag 0", "Deferred objects", "still to be read"):
        assert words in page


def test_status_without_kafka_says_why_the_lag_is_unknown(settings_file: Path) -> None:
    assert tides("schema", "--settings", settings_file).returncode == 0
    content = yaml.safe_load(settings_file.read_text())
    content["standins"]["broker"]["bootstrapServers"] = "127.0.0.1:1"
    settings_file.write_text(yaml.safe_dump(content))
    found = status(settings_file)
    assert found["lag"] is None and "Kafka broker 127.0.0.1:1" in found["problem"]


def test_status_of_a_database_without_tables_says_what_to_do(settings_file: Path) -> None:
    done = tides("status", "--settings", settings_file)
    assert done.returncode == 1
    assert "must be applied first: tides schema" in done.stderr.splitlines()[-1]


def test_reconcile_tells_and_repairs(settings_file: Path, prefect_api: str, standins: Standins) -> None:
    content = yaml.safe_load(settings_file.read_text())
    content["standins"]["fourmost"]["surveyID"] = 46  # other tests have targets of the same names in the usual one
    settings_file.write_text(yaml.safe_dump(content))
    assert tides("run", "--settings", settings_file, PREFECT_API_URL=prefect_api).returncode == 0
    fourmost = standins.fourmost
    ours = fourmost.rows(uploadedfor_survey_id=46)[0]
    address = f"{fourmost.address}/targetCat/transients/{ours['id']}/"
    requests.delete(address, auth=(fourmost.user, fourmost.password), timeout=20).raise_for_status()
    told = tides("reconcile", "--dry-run", "--settings", settings_file, PREFECT_API_URL=prefect_api)
    assert told.returncode == 0, told.stderr
    assert ours["name"] in told.stdout and "vanished" in told.stdout and "would be" in told.stdout
    assert not fourmost.rows(id=ours["id"])
    repaired = tides("reconcile", "--settings", settings_file, PREFECT_API_URL=prefect_api)
    assert repaired.returncode == 0, repaired.stderr
    assert ours["name"] in [row["name"] for row in fourmost.rows(uploadedfor_survey_id=46)]
    filters = {"artifacts": {"key": {"any_": ["tides-bridge-differences"]}}, "sort": "CREATED_DESC", "limit": 1}
    (artifact,) = requests.post(f"{prefect_api}/artifacts/filter", json=filters, timeout=10).json()
    assert ours["name"] in artifact["data"] and "created again" in artifact["data"]
