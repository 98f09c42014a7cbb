"""The whole bridge, from a shell, on the 573 real ZTF objects."""

import gzip
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.databases import rows_of
from tests.support.folders import reachable_folder
from tests.support.forked import forked_tides
from tests.support.places import apart
from tests.support.processes import ROOT
from tides_bridge.database import open_database
from tides_bridge.settings import load_settings
from tides_bridge.targets.association import MATCH_RADIUS_ARCSEC

OBJECTS = 573
TARGETS = 181
"""Of 182 objects that pass: many share a made-up place with others, and two are 0.3 arcsec apart."""
SUMMARY = [
    "messages",
    "objects",
    "evaluated",
    "passed",
    "deferred",
    "skipped",
    "refused",
    "inserted",
    "born_inactive",
    "updated",
    "deactivated",
    "reactivated",
    "created_in_4most",
    "updated_in_4most",
    "deactivated_in_4most",
    "failed_in_4most",
    "otherwise_in_4most",
    "renamed_in_4most",
    "lag",
]


@pytest.fixture(scope="module")
def settings_file(shared_data: Path) -> Iterator[Path]:
    """The stand-ins with the real alerts, and the settings that lead to them."""
    command = [sys.executable, "-m", "flows.cli", "standins", "--alerts", shared_data / "ztf" / "alerts.jsonl.gz"]
    with reachable_folder() as folder:
        file, log = folder / "settings.yaml", folder / "log"
        with log.open("w") as said:
            options = ["--settings-out", file, "--folder", folder / "standins"]
            standins = subprocess.Popen([*map(str, command + options)], cwd=ROOT, stdout=said, stderr=said)
        try:
            limit = time.monotonic() + 60
            while "ready" not in log.read_text():
                assert standins.poll() is None and time.monotonic() < limit, log.read_text()
                time.sleep(0.05)
            content = yaml.safe_load(file.read_text())
            content["standins"]["selectFunction"] = "tidesSNZTFSelect"  # the one that `satisfies` is
            file.write_text(yaml.safe_dump(content))
            yield file
        finally:
            standins.send_signal(signal.SIGTERM)
            assert standins.wait(60) == 0


@pytest.fixture(scope="module")
def first_run(settings_file: Path) -> dict[str, int]:
    """As the README has it: from a shell, with no Prefect server."""
    done = forked_tides("run", "--settings", settings_file, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def packets(shared_data: Path) -> dict[str, dict[str, Any]]:
    """The newest packet of each object."""
    newest: dict[str, dict[str, Any]] = {}
    with gzip.open(shared_data / "ztf" / "alerts.jsonl.gz", "rt") as lines:
        for packet in map(json.loads, lines):
            known = newest.get(packet["objectId"])
            if known is None or packet["candidate"]["jd"] >= known["candidate"]["jd"]:
                newest[packet["objectId"]] = packet
    return newest


def satisfies(packet: dict[str, Any]) -> bool:
    """tidesSNZTFSelect in plain Python: 2 bands, 2 nights, one at 22.5 or brighter, positive and at least 5 sigma."""
    points = [point for point in (packet["candidate"], *(packet.get("prv_candidates") or [])) if point.get("candid")]
    good = [p for p in points if p["isdiffpos"] in ("t", "1") and p["fid"] in (1, 2, 3) and 1.0857 / p["sigmapsf"] >= 5]
    bands, nights = {p["fid"] for p in good}, {p["nid"] for p in good}
    return len(bands) >= 2 and len(nights) >= 2 and any(p["magpsf"] <= 22.5 for p in good)


def at_4most(settings_file: Path) -> list[dict[str, Any]]:
    fourmost = yaml.safe_load(settings_file.read_text())["standins"]["fourmost"]
    address, headers = fourmost["address"], {"Authorization": f"Token {fourmost['token']}"}
    answer = requests.get(f"{address}/targetCat/transients/", headers=headers, timeout=120)
    return list(answer.json())


def in_master(settings_file: Path) -> list[dict[str, Any]]:
    with open_database(load_settings(None, settings_file)) as database:
        return rows_of(database, "SELECT * FROM tides_master ORDER BY tides_id")


def objects_of(settings_file: Path) -> dict[str, list[str]]:
    """The objects of each target, by its name."""
    joined = "association INNER JOIN tides_master USING (tides_id)"
    with open_database(load_settings(None, settings_file)) as database:
        rows = rows_of(database, f"SELECT name, json_agg(association.object_id) AS names FROM {joined} GROUP BY name")
    return {row["name"]: row["names"] for row in rows}


def places(settings_file: Path) -> int:
    """How many targets the objects are, by brute force from their places, in the order in which they were seen."""
    columns = "match_ra AS ra, match_decl AS decl"
    with open_database(load_settings(None, settings_file)) as database:
        rows = rows_of(database, f"SELECT {columns} FROM association ORDER BY first_detection_mjd, survey, object_id")
    found: list[dict[str, float]] = []
    for place in rows:
        if all(apart(place, other) > MATCH_RADIUS_ARCSEC for other in found):
            found.append(place)
    return len(found)


def test_every_object_is_evaluated(first_run: dict[str, int], packets: dict[str, Any]) -> None:
    assert list(first_run) == SUMMARY
    assert len(packets) == OBJECTS
    assert (first_run["messages"], first_run["objects"], first_run["evaluated"]) == (OBJECTS, OBJECTS, OBJECTS)
    assert (first_run["deferred"], first_run["failed_in_4most"]) == (0, 0)


def test_the_passing_set_is_that_of_an_independent_evaluation(
    first_run: dict[str, int], settings_file: Path, packets: dict[str, Any]
) -> None:
    passing = {object_id for object_id, packet in packets.items() if satisfies(packet)}
    assert len(passing) == 182
    targets = objects_of(settings_file)
    assert sorted(name for names in targets.values() for name in names) == sorted(passing)
    assert first_run["passed"] == len(passing)
    assert first_run["inserted"] == len(targets) == places(settings_file) == TARGETS


def test_each_passing_object_that_the_format_allows_is_once_in_both_databases_with_the_same_key(
    first_run: dict[str, int], settings_file: Path
) -> None:
    master, there = in_master(settings_file), at_4most(settings_file)
    allowed = {row["name"]: row["pk_4most"] for row in master if row["decl"] <= 40}
    assert first_run["created_in_4most"] == len(allowed) == len(there)
    assert set(Counter(row["name"] for row in there).values()) == {1}
    assert {row["name"]: row["id"] for row in there} == allowed


def test_a_target_beyond_the_format_is_kept_with_the_reason(first_run: dict[str, int], settings_file: Path) -> None:
    beyond = [row for row in in_master(settings_file) if row["decl"] > 40]
    assert first_run["refused"] == len(beyond) > 0
    for row in beyond:
        assert row["pk_4most"] is None
        assert row["refused_4most"] == f"dec: {row['decl']} is outside -89.99999999 ... 40.0"


def test_what_4most_holds_is_what_the_newest_packet_says(
    first_run: dict[str, int], settings_file: Path, packets: dict[str, Any]
) -> None:
    objects = objects_of(settings_file)
    for row in at_4most(settings_file):
        seen = [packets[name] for name in objects[row["name"]]]
        points = [p for each in seen for p in (each["candidate"], *each["prv_candidates"]) if p.get("candid")]
        positive = [p for p in points if p["isdiffpos"] in ("t", "1")]
        latest_r = max((p for p in positive if p["fid"] == 2), key=lambda p: (p["jd"], -p["magpsf"]))
        assert (row["mag"], row["mag_type"]) == (pytest.approx(latest_r["magpsf"], abs=1e-9), "SDSS_r_AB")
        assert row["date_earliest"] == max(p["jd"] for p in positive)
        north = [p["dec"] for p in positive]
        assert min(north) - 1e-9 <= row["dec"] <= max(north) + 1e-9 and row["dec"] <= 40
        assert row["is_active"] is True


def test_a_second_run_creates_nothing(first_run: dict[str, int], settings_file: Path) -> None:
    before = at_4most(settings_file)
    done = forked_tides("run", "--settings", settings_file, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == dict.fromkeys(SUMMARY, 0)
    assert at_4most(settings_file) == before


def test_check_finds_every_service(settings_file: Path, first_run: dict[str, int]) -> None:
    done = forked_tides("check", "--settings", settings_file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == ["ok"] * 7


def test_psql_asks_the_database_of_the_settings(settings_file: Path, first_run: dict[str, int]) -> None:
    done = forked_tides(
        "psql", "--settings", settings_file, "--no-psqlrc", "-At", "-c", "SELECT count(*) FROM tides_master"
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(TARGETS))
