"""`tides spectra` is killed at each of its commits: the next one completes what it began, once."""

import signal
from pathlib import Path

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
