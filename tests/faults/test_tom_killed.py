"""`tides tom sync` is killed at each of its commits and calls: the next one completes what it began, once."""

import signal
from pathlib import Path

from simulators.services.tom import TomStandin
from tests.support.databases import rows_of
from tests.support.forked import forked_tides
from tests.support.spectra import PLACES, add_ingested
from tests.support.typed import at_database
from tides_bridge.database import Database
from tides_bridge.settings import Settings

MAKING = ("tom_asked.before 1", "tom_asked.after 1", "tom.before 1", "tom.after 1", "tom.after 1", "tom_told.before 1")
CHANGING = ("tom_asked.after 1", "tom.before 2", "tom.after 1", "tom_told.after 1", "tom_heard.before 1")
LAST = ("tom_heard.after 1",)


def test_whoever_writes_to_the_tom_may_be_killed_between_any_two_lines(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    add_ingested(database)
    at_database(settings, tmp_path)
    markers = (tmp_path / f"marker{number}" for number in range(99))
    with TomStandin() as tom:
        command = ("tom", "sync", "--settings", tmp_path / "settings.yaml")
        account = {"TIDES_TOM__ADDRESS": tom.address, "TIDES_TOM__TOKEN": tom.token}

        def killed_at(*places: str) -> None:
            for place in places:
                (point, passes), marker = place.split(), next(markers)
                done = forked_tides(*command, BRIDGE_FAIL_POINT=f"{point} SIGKILL {marker} {passes}", **account)
                assert (done.returncode, marker.exists()) == (-signal.SIGKILL, True), (place, done.stderr)

        killed_at(*MAKING)
        assert len(tom.targets) == 3
        assert forked_tides(*command, **account).returncode == 0
        rows_of(database, "UPDATE tides_master SET ra = ra + 0.1, pk_4most = pk_4most + 10 RETURNING 1")
        tom.change("aab", note="one", tides_state="mine")
        killed_at(*CHANGING)
        rows_of(database, "UPDATE tides_master SET pk_4most = pk_4most + 10 WHERE name = 'aaa' RETURNING 1")
        killed_at(*LAST)
        done = forked_tides(*command, **account)
        assert (done.returncode, done.stderr) == (0, "changed there by people: aab: tides_state: mine\n"), done.stderr
        assert sorted((row["name"], round(row["ra"], 3)) for row in tom.targets.values()) == [
            (name, ra + 0.1) for name, (ra, _) in PLACES.items()
        ]
        keys = {row["name"]: extra["value"] for row in tom.targets.values() for extra in row["targetextra_set"]
                if extra["key"] == "tides_pk_4most"}  # fmt: skip
        assert keys == {"aaa": "27", "aab": "18", "aac": "19"}
        writes = tom.writes
        assert "3 unchanged" in forked_tides(*command, **account).stdout and tom.writes == writes
    assert rows_of(database, "SELECT object_id, word FROM annotation") == [{"object_id": "aab", "word": "one"}]
