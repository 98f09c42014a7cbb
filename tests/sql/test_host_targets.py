"""Hosts as targets: on only while their transients are off and faded, by the same exchange, never twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import rows_of
from tests.support.exchanges import Exchanged, change, clear, joined, kept_standin
from tests.support.hosts import ARCSEC, say
from tests.support.spectra import add_ingested
from tests.support.staging import at
from tides_bridge.database import Database
from tides_bridge.decisions.batch import deactivate_unobserved_transients
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.reconcile import reconcile
from tides_bridge.settings import Settings
from tides_bridge.targets.association import merge_targets
from tides_bridge.targets.hosts.candidates import HostCandidate, ObjectPlace
from tides_bridge.targets.hosts.settling import look_for_hosts
from tides_bridge.targets.rulings import Ruling, find_subjects, rule

LATER = 61100.0
"""[MJD] All transients are unseen for more than 50 days."""


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    with kept_standin(tmp_path_factory.mktemp("fourmost")) as pair:
        yield pair


@pytest.fixture
def fourmost(standin: tuple[FourmostStandin, Path]) -> FourmostStandin:
    clear(*standin)
    return standin[0]


@pytest.fixture
def bridge(database: Database, settings: Settings) -> Settings:
    """Three transients, none at 4MOST yet; two of them in one galaxy, the third in one of its own."""
    add_ingested(database)
    rows_of(
        database,
        "UPDATE tides_master SET pk_4most = NULL, ostd_u_obj_id = NULL, ostd_targ_id = NULL, date_ingested = NULL "
        "RETURNING 1",
    )
    galaxy = {"sherlock__host": "7", "sherlock__catalogue": "SDSS/PS1", "sherlock__host_ra": 10.0}
    galaxy |= {"sherlock__host_dec": -20 + 2 * ARCSEC, "sherlock__host_magnitude": 18.5, "sherlock__host_band": "r"}
    say(database, "aaa", **galaxy, sherlock__photometric_redshift=0.1)
    say(database, "aab", **galaxy)
    say(database, "aac", **(galaxy | {"sherlock__host": "8", "sherlock__host_ra": 12.0, "sherlock__host_dec": -22.0}))
    return wanting(settings)


def wanting(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"hosts": settings.hosts.model_copy(update={"wanted": True} | changes)})


def run_at(database: Database, settings: Settings, mjd: float) -> dict[str, str]:
    """Judge targets at a time, twice, as a host is wanted a run after its transient is off; give the states."""
    for _ in range(2):
        deactivate_unobserved_transients(database, at(settings, mjd))
    return seen(database)


def seen(database: Database) -> dict[str, str]:
    """Give the state of each target, hosts by the names of their galaxies."""
    rows = rows_of(
        database,
        "SELECT coalesce(host.catalogue_name, tides_master.name) AS name, coalesce(inactive_reason, 'on') AS state "
        "FROM tides_master LEFT JOIN host USING (tides_id) ORDER BY 1",
    )
    return {row["name"]: row["state"] for row in rows}


def see(database: Database, name: str, mjd: float) -> None:
    """Let a transient be seen again."""
    change(database, f"last_detection_mjd = {mjd}", name)
    rows_of(database, f"UPDATE association SET last_detection_mjd = {mjd} WHERE object_id = '{name}' RETURNING 1")


def test_a_host_is_on_only_while_its_transients_are_off_and_unseen_for_long(
    database: Database, bridge: Settings
) -> None:
    assert run_at(database, bridge, 61002.0) == {"aaa": "on", "aab": "on", "aac": "on"}
    off: dict[str, str] = dict.fromkeys(("aaa", "aab", "aac"), "unseen")
    assert run_at(database, bridge, 61050.0) == off
    assert run_at(database, bridge, 61052.0) == off | {"7": "on", "8": "on"}
    see(database, "aab", 61060.0)
    states = run_at(database, bridge, 61061.0)
    assert states == {"aaa": "unseen", "aab": "on", "aac": "unseen", "7": "transient", "8": "on"}
    assert run_at(database, bridge, 61090.0)["7"] == "waiting"
    assert run_at(database, bridge, 61111.0) == off | {"7": "on", "8": "on"}
    assert run_at(database, wanting(bridge, wanted=False), 61112.0) == off | {"7": "unselected", "8": "unselected"}
    names = rows_of(database, "SELECT name FROM tides_master WHERE survey = 'host' ORDER BY name")
    assert [row["name"] for row in names] == ["TiDESH26aaa", "TiDESH26aab"]


def test_a_host_goes_off_in_the_transaction_in_which_a_transient_goes_on(database: Database, bridge: Settings) -> None:
    run_at(database, bridge, LATER)
    change(database, "active = TRUE, inactive_reason = NULL", "aab")
    assert seen(database) == {"aaa": "unseen", "aab": "on", "aac": "unseen", "7": "transient", "8": "on"}


def test_a_host_goes_off_when_a_transient_that_is_on_is_found_in_it(database: Database, bridge: Settings) -> None:
    run_at(database, bridge, LATER)
    change(database, "active = TRUE, inactive_reason = NULL", "aac")
    assert seen(database)["7"] == "on"

    def find(places: Sequence[ObjectPlace]) -> list[tuple[ObjectPlace, list[HostCandidate]]]:
        return [(place, [HostCandidate("SDSS/PS1", "7")]) for place in places if place.object_id == "aac"]

    look_for_hosts(database, find, "catalogue:x")
    assert seen(database) == {"aaa": "unseen", "aab": "unseen", "aac": "on", "7": "transient", "8": "transient"}


def test_a_transient_that_is_faint_in_lsst_has_faded_before(database: Database, bridge: Settings) -> None:
    for table in ("association", "object_brightness"):
        rows_of(database, f"UPDATE {table} SET survey = 'lsst' WHERE object_id = 'aac' RETURNING 1")
    rows_of(
        database,
        "INSERT INTO annotation (survey, object_id, name, number, word, broker, mjd) "
        "SELECT 'lsst', object_id, name, number, word, broker, mjd FROM annotation WHERE object_id = 'aac' RETURNING 1",
    )
    change_mag(database, 23.9)
    assert "8" not in run_at(database, bridge, 61030.0)
    change_mag(database, 24.1)
    assert run_at(database, bridge, 61030.0)["8"] == "on"


def change_mag(database: Database, mag: float) -> None:
    rows_of(database, f"UPDATE object_brightness SET latest_mag = {mag} WHERE object_id = 'aac' RETURNING 1")


def test_what_people_rule_comes_first(database: Database, bridge: Settings) -> None:
    with database.transaction() as connection:
        (third,) = find_subjects(connection, bridge, ["aac"])
    rule(database, at(bridge, 61002.0), Ruling("veto", "a star"), [third])
    assert "8" not in run_at(database, bridge, LATER)
    with database.transaction() as connection:
        (host,) = find_subjects(connection, bridge, ["TiDESH26aaa"])
    rule(database, at(bridge, LATER), Ruling("hold", "moon"), [host])
    assert run_at(database, bridge, LATER)["7"] == "hold"
    rule(database, at(bridge, LATER), Ruling("release", "x"), [host])
    rule(database, at(bridge, LATER), Ruling("force", "wanted"), [host])
    see(database, "aab", LATER)
    assert run_at(database, bridge, LATER)["7"] == "on"


def test_a_merge_takes_the_host_along(database: Database, bridge: Settings) -> None:
    run_at(database, bridge, LATER)
    see(database, "aab", LATER)
    run_at(database, bridge, LATER)
    merge_targets(database, at(bridge, LATER), "aab", "aac", "one")
    states = run_at(database, bridge, LATER)
    assert (states["aac"], states["7"], states["8"]) == ("merged", "transient", "transient")


def told(database: Database) -> dict[str, Any]:
    rows = rows_of(
        database,
        "SELECT coalesce(catalogue_name, name) AS name, told_4most FROM tides_master LEFT JOIN host USING (tides_id)",
    )
    return {row["name"]: row["told_4most"] for row in rows}


def test_hosts_go_the_way_of_all_targets(database: Database, bridge: Settings, fourmost: FourmostStandin) -> None:
    here = joined(bridge, fourmost)
    run_at(database, here, 61002.0)
    assert Exchanged(database, at(here, 61002.0)).counts() == (3, 0, 0, 0)
    states = run_at(database, here, LATER)
    assert "7" not in states, "4MOST still has the transients on"
    assert Exchanged(database, at(here, LATER)).counts() == (0, 0, 3, 0)
    assert run_at(database, here, LATER)["7"] == "on"
    assert Exchanged(database, at(here, LATER)).counts() == (2, 0, 0, 0)
    host = told(database)["7"]
    expected = {"subsurvey": "tides-hosts", "classification": "GAL", "mag": 18.5, "mag_type": "SDSS_r_AB"}
    expected |= {"redshift_estimate": 0.1, "cadence": 0, "date_latest": 2462865.0, "is_active": True}
    assert {key: host[key] for key in expected} == expected
    assert Exchanged(database, at(here, LATER + 1)).counts() == (0, 0, 0, 0)
    see(database, "aaa", LATER)
    run_at(database, here, LATER + 1)
    assert Exchanged(database, at(here, LATER + 1)).counts() == (0, 1, 1, 0)
    assert {name: row["is_active"] for name, row in told(database).items()} == {
        "aaa": True,
        "aab": False,
        "aac": False,
        "7": False,
        "8": True,
    }
    off, on = rows_of(
        database,
        "SELECT operation FROM exchange_log WHERE status = 'asked' ORDER BY exchange_id DESC LIMIT 2",
    )[::-1]
    assert (off["operation"], on["operation"]) == ("deactivate", "update"), "the host is off before the transient is on"


def test_a_transient_waits_for_a_host_that_4most_did_not_switch_off(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    here = joined(bridge, fourmost)
    run_at(database, here, 61002.0)
    Exchanged(database, at(here, 61002.0))
    for _ in range(2):
        run_at(database, here, LATER)
        Exchanged(database, at(here, LATER))
    see(database, "aaa", LATER)
    run_at(database, here, LATER + 1)
    fourmost.set_faults([{"fault": "status", "status": 400, "method": "PATCH", "times": 1}])
    Exchanged(database, at(here, LATER + 1))

    def on() -> set[str]:
        return {row["name"] for row in fourmost.rows() if row["is_active"]}

    assert on() == {"TiDESH26aaa", "TiDESH26aab"}, "the transient waits"
    Exchanged(database, at(here, LATER + 1))
    assert on() == {"aaa", "TiDESH26aab"}


def test_a_host_waits_for_a_vetoed_transient_that_4most_did_not_switch_off(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    here = joined(bridge, fourmost)
    run_at(database, here, 61002.0)
    Exchanged(database, at(here, 61002.0))
    with database.transaction() as connection:
        (first,) = find_subjects(connection, bridge, ["aaa"])
    rule(database, at(bridge, LATER), Ruling("veto", "a star"), [first])
    for _ in range(2):
        run_at(database, here, LATER)
        fourmost.set_faults([{"fault": "status", "status": 400, "method": "PATCH"}])
        Exchanged(database, at(here, LATER))
    assert {row["name"] for row in fourmost.rows() if row["is_active"]} == {"aaa", "TiDESH26aab"}
    fourmost.set_faults([])
    Exchanged(database, at(here, LATER))
    assert {row["name"] for row in fourmost.rows() if row["is_active"]} == {"TiDESH26aaa", "TiDESH26aab"}


def test_a_lost_answer_makes_no_second_host(database: Database, bridge: Settings, fourmost: FourmostStandin) -> None:
    here = joined(bridge, fourmost)
    run_at(database, here, LATER)
    fourmost.set_faults([{"fault": "missing_row", "method": "POST"}])
    assert Exchanged(database, at(here, LATER)).outages
    fourmost.set_faults([])
    Exchanged(database, at(here, LATER))
    keys = rows_of(database, "SELECT pk_4most FROM tides_master WHERE survey = 'host' ORDER BY pk_4most")
    assert [row["pk_4most"] for row in keys] == sorted(row["id"] for row in fourmost.rows())
    assert len(keys) == 2
    assert reconcile(database, FourmostClient(here.fourmost), at(here, LATER), is_dry=True) == []
