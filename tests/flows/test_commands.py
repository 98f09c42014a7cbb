"""`tides reconcile`, as a person types it."""

from pathlib import Path

import requests
import yaml

from simulators.standins.bundle import Standins
from tests.support.processes import tides


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
