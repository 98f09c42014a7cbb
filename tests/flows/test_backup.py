"""A lost database, restored from last night's backup: the stream is read again, and 4MOST has nothing twice."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulators.alerts.packets import alerts
from simulators.sky import Sky
from simulators.standins.bundle import StandinAlert, Standins
from tests.support.databases import rows_of
from tests.support.forked import forked_tides
from tides_bridge.database import open_database
from tides_bridge.settings import load_settings


@pytest.fixture
def backed_up(settings_file: Path, tmp_path: Path) -> Path:
    """Settings with a folder for backups."""
    content = yaml.safe_load(settings_file.read_text())
    content["standins"]["backup"] = {"folder": str(tmp_path / "backups")}
    settings_file.write_text(yaml.safe_dump(content))
    return settings_file


def typed(*command: str | Path, settings: Path, **environment: str) -> str:
    done = forked_tides(*command, "--settings", settings, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sides(settings: Path, standins: Standins) -> tuple[dict[str, Any], dict[str, Any]]:
    """The active targets that 4MOST knows of, and its active rows: their keys by name."""
    with open_database(load_settings(None, settings)) as database:
        here = rows_of(database, "SELECT name, pk_4most FROM tides_master WHERE active AND pk_4most > 0")
    there = [row for row in standins.fourmost.rows() if row["is_active"]]
    assert max(Counter(row["name"] for row in there).values()) == 1
    assert max(Counter((row["ra"], row["dec"]) for row in there).values()) == 1
    return {row["name"]: row["pk_4most"] for row in here}, {row["name"]: row["id"] for row in there}


def test_a_restored_database_catches_up_with_4most(backed_up: Path, prefect_api: str, standins: Standins) -> None:
    api = {"PREFECT_API_URL": prefect_api}
    typed("run", settings=backed_up, **api)
    file = typed("backup", settings=backed_up).partition(": ")[0]
    later = Sky(seed=3, objects=400)
    standins.load(map(StandinAlert.from_packet, alerts(later, next(filter(later.is_clear, range(61280, 61290))))))
    early = sides(backed_up, standins)[0]
    typed("run", settings=backed_up, **api)
    standins.fourmost.ingest()
    before = sides(backed_up, standins)
    assert before[0] == before[1] and len(before[0]) > len(early) > 0

    refused = forked_tides("restore", file, "--settings", backed_up)
    assert (refused.returncode, "has tables: --replace" in refused.stderr) == (1, True)
    told = typed("restore", file, "--replace", settings=backed_up)
    assert "Next: tides run, then tides reconcile" in told and "DROP DATABASE" in told
    assert sides(backed_up, standins)[0] == early
    typed("run", settings=backed_up, **api)
    typed("reconcile", settings=backed_up, **api)
    assert sides(backed_up, standins) == before
    assert "no differences" in typed("reconcile", "--dry-run", settings=backed_up, **api)


def test_upgrade_says_what_there_is_to_do(backed_up: Path) -> None:
    assert "applied 001_tables.sql" in typed("upgrade", settings=backed_up)
    assert typed("upgrade", settings=backed_up) == "nothing to do: the tables are up to date\n"
    assert "restored into other_one" in typed(
        "restore", typed("backup", settings=backed_up).partition(": ")[0], "--into", "other_one", settings=backed_up
    )
