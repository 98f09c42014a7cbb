"""The app that a TOM installs, `integrations/tom_tides`, in a real TOM: with ``--whole`` only."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import rows_of
from tests.support.exchanges import add
from tests.support.spectra import PLACES, add_ingested
from tests.support.tom import RealTom, real_tom, tom_python
from tides_bridge.database import Database
from tides_bridge.operations.problems import PrefectFacts
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.app import make_app
from tides_bridge.portal.serving import server_of
from tides_bridge.settings import Settings

pytestmark = pytest.mark.whole

INTEGRATION = Path(__file__).parents[2] / "integrations" / "tom_tides"


@pytest.fixture
def portal(database: Database, settings: Settings) -> Iterator[str]:
    """Serve the portal, and give its address."""
    kept = KeptDatabase(settings)
    facts = PrefectFacts("http://127.0.0.1:4200/api", "not asked in tests")
    listener = socket.create_server(("127.0.0.1", 0))
    server = server_of(make_app(settings, kept, lambda _: facts, "http://127.0.0.1:4200"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield "http://127.0.0.1:{}".format(*listener.getsockname()[1:])
    server.should_exit = True
    thread.join(20)
    kept.close()


@pytest.fixture
def tom(
    portal: str,
    database_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RealTom]:
    monkeypatch.setenv("TOM_APPS", "tom_tides")
    monkeypatch.setenv("TOM_PATH", str(INTEGRATION))
    monkeypatch.setenv("BRIDGE_PORTAL", portal)
    with real_tom(tom_python(tmp_path_factory.mktemp("tom")), database_folder) as tom:
        yield tom


def shown(tom: RealTom) -> dict[str, tuple[float, list[str], dict[str, str]]]:
    return {
        row["name"]: (
            row["ra"],
            sorted(alias["name"] for alias in row["aliases"]),
            {extra["key"]: extra["value"] for extra in row["targetextra_set"]},
        )
        for row in tom.targets.values()
    }


def test_targets_come_and_stay_right_and_classes_go_back(database: Database, tom: RealTom) -> None:
    add_ingested(database)
    for table in ("tides_master", "association"):
        rows_of(database, f"UPDATE {table} SET object_id = 'ZTF' || object_id RETURNING 1")
    assert "would" not in tom.manage("sync_tides", "--dry-run") and tom.targets == {}
    assert tom.manage("sync_tides").startswith("3 created, 0 updated")
    present = shown(tom)
    assert {name: row[:2] for name, row in present.items()} == {
        name: (ra, [f"ZTF{name}"]) for name, (ra, _) in PLACES.items()
    }
    assert tom.manage("sync_tides", "--all").startswith("0 created, 0 updated, 3 unchanged, 0 different")
    tom.change("aaa", classification="SN Ia", redshift="0.1", tides_state="mine")
    tom.delete("aac")
    rows_of(database, "UPDATE tides_master SET ra = ra + 0.001, active = FALSE, inactive_reason = 'faint' RETURNING 1")
    done = tom.manage("sync_tides")
    assert done.splitlines() == [
        "0 created, 2 updated, 0 unchanged, 1 different, 1 gone",
        "1 classes sent, 1 new at the bridge",
    ]
    present = shown(tom)
    assert set(present) == {"aaa", "aab"}
    assert (present["aaa"][0], present["aab"][0]) == (pytest.approx(10.001), pytest.approx(11.001))
    assert (present["aaa"][2]["tides_state"], present["aab"][2]["tides_state"]) == ("mine", "faint")
    assert rows_of(database, "SELECT object_id, who, type, redshift FROM classification") == [
        {"object_id": "ZTFaaa", "who": "TOM", "type": "SN Ia", "redshift": 0.1}
    ]

    add(database, *(f"n{number}" for number in range(1000)))
    rows_of(database, "UPDATE tides_master SET ra = tides_id / 10.0 WHERE name LIKE 'n%%' RETURNING 1")
    start = time.monotonic()
    assert tom.manage("sync_tides").startswith("1000 created, 1 updated")
    print(f"1000 targets came in {time.monotonic() - start:.1f} s with the start of Django, at load", os.getloadavg())
    assert tom.manage("sync_tides", "--all").startswith("0 created, 0 updated, 1002 unchanged, 1 different, 1 gone")
    assert len(tom.targets) == 1002
