"""What writes of spectra and hosts is killed at each of its commits: the next one completes what it began, once."""

import signal
from pathlib import Path
from typing import Any

import pandas as pd

from tests.support.databases import rows_of
from tests.support.forked import forked_tides
from tests.support.spectra import add_ingested, deliver, fibre, states
from tests.support.typed import at_database
from tides_bridge.database import Database
from tides_bridge.settings import Settings

POINTS = ("spectra.before 1", "spectra.after 1", "spectra.after 2", "observed.before 1", "observed.after 1")


def test_whoever_reads_deliveries_may_be_killed_between_any_two_lines(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    add_ingested(database)
    at_database(settings, tmp_path)
    deliveries = tmp_path / "deliveries"
    deliver(deliveries, fibre("aaa"), fibre("aab", 1.0))
    deliver(deliveries, fibre("aab", 2.0), night="20261130")
    deliver(deliveries, fibre("aac"), night="20261201").write_bytes(b"not yet written")
    command = ("spectra", deliveries, "--settings", tmp_path / "settings.yaml")
    for number, place in enumerate(POINTS):
        point, passes = place.split()
        marker = tmp_path / f"marker{number}"
        done = forked_tides(*command, BRIDGE_FAIL_POINT=f"{point} SIGKILL {marker} {passes}")
        assert (done.returncode, marker.exists()) == (-signal.SIGKILL, True), (place, done.stderr)
    deliver(deliveries, fibre("aac"), night="20261201")
    assert forked_tides(*command).returncode == 0
    assert states(database) == {"aaa": "spectrum", "aab": "on", "aac": "spectrum"}
    counts = "(SELECT count(*) FROM spectrum) AS spectra, (SELECT count(*) FROM spectrum_match) AS matches"
    assert rows_of(database, f"SELECT {counts}, count(*) AS files FROM delivery") == [
        {"spectra": 4, "matches": 4, "files": 3}
    ]


def killed_twice_then_done(command: tuple[Any, ...], commit: str, folder: Path) -> None:
    """Kill a command before and after a commit, and let it come to its end."""
    for when in ("before", "after"):
        marker = folder / f"{commit}-{when}"
        done = forked_tides(*command, BRIDGE_FAIL_POINT=f"{commit}.{when} SIGKILL {marker}")
        assert (done.returncode, marker.exists()) == (-signal.SIGKILL, True), (commit, when, done.stderr)
    assert forked_tides(*command).returncode == 0


def test_whoever_takes_in_classes_may_be_killed(database: Database, settings: Settings, tmp_path: Path) -> None:
    add_ingested(database)
    at_database(settings, tmp_path)
    file = tmp_path / "classes.csv"
    file.write_text("name,class,z,source,person\naaa,SN Ia,0.1,human,eva\naab,,0.2,snid,\naac,AGN,,human,ole\n")
    killed_twice_then_done(("classified", file, "--settings", tmp_path / "settings.yaml"), "classes", tmp_path)
    assert rows_of(database, "SELECT object_id, type, redshift FROM classification ORDER BY object_id") == [
        {"object_id": "aaa", "type": "SN Ia", "redshift": 0.1},
        {"object_id": "aab", "type": None, "redshift": 0.2},
        {"object_id": "aac", "type": "AGN", "redshift": None},
    ]
    notes = rows_of(database, "SELECT object_id, name FROM annotation WHERE name LIKE 'spectrum.%%' ORDER BY 1, 2")
    assert [(row["object_id"], row["name"]) for row in notes] == [
        ("aaa", "spectrum.confidence"),
        ("aaa", "spectrum.redshift"),
        ("aaa", "spectrum.type"),
        ("aab", "spectrum.redshift"),
        ("aac", "spectrum.confidence"),
        ("aac", "spectrum.type"),
    ]


def test_whoever_looks_for_hosts_may_be_killed(database: Database, settings: Settings, tmp_path: Path) -> None:
    add_ingested(database)
    at_database(settings, tmp_path)
    places = rows_of(database, "SELECT ra, decl FROM tides_master WHERE object_id IN ('aaa', 'aac') ORDER BY object_id")
    near = [
        {"id": name, "ra": row["ra"], "dec": row["decl"] + 1 / 3600} for name, row in zip("xy", places, strict=True)
    ]
    pd.DataFrame(near).to_parquet(tmp_path / "galaxies.parquet")
    command = ("hosts", "--catalogue", tmp_path / "galaxies.parquet", "--settings", tmp_path / "settings.yaml")
    killed_twice_then_done(command, "hosts", tmp_path)
    found = (
        "SELECT object_id, rank, catalogue_name FROM host_candidate INNER JOIN host USING (host_id) ORDER BY object_id"
    )
    assert rows_of(database, found) == [
        {"object_id": "aaa", "rank": 1, "catalogue_name": "x"},
        {"object_id": "aac", "rank": 1, "catalogue_name": "y"},
    ]
    assert rows_of(database, "SELECT count(*) AS hosts FROM host") == [{"hosts": 2}]
