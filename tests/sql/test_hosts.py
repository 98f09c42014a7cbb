"""Candidates for hosts: a galaxy is one row, however many objects and names point to it."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import Result

from tests.support.databases import rows_of
from tests.support.hosts import ARCSEC, say
from tests.support.spectra import PLACES, add_ingested, states
from tests.support.staging import at
from tests.support.typed import at_database, page_of
from tides_bridge.database import Database
from tides_bridge.settings import Settings
from tides_bridge.targets.association import merge_targets, split_target
from tides_bridge.targets.hosts.candidates import HostCandidate, ObjectPlace
from tides_bridge.targets.hosts.settling import hosts_of, look_for_hosts, settle_hosts


@pytest.fixture
def bridge(database: Database, settings: Settings) -> Settings:
    add_ingested(database)
    return at(settings, 61002.0)


def settle(database: Database, settings: Settings) -> None:
    with database.transaction() as connection:
        settle_hosts(connection, settings)


def known(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """By target: place, name and place on the sky of its hosts."""
    ids = {row["tides_id"]: row["name"] for row in rows_of(database, "SELECT tides_id, name FROM tides_master")}
    found: dict[str, list[tuple[Any, ...]]] = {}
    with database.transaction() as connection:
        for row in hosts_of(connection, [*ids]):
            values = (row["host_id"], row["catalogue_name"], row["separation_arcsec"], row["sources"])
            found.setdefault(ids[row["tides_id"]], []).append(values)
    return found


def test_what_brokers_say_is_kept_once_and_follows_what_they_say_next(database: Database, bridge: Settings) -> None:
    ra, dec = PLACES["aaa"]
    say(database, "aaa", sherlock__host="7", sherlock__catalogue="SDSS", sherlock__host_separation=2.5)
    say(database, "aab", elasticc__host_ra=11.0, elasticc__host_dec=-21 + ARCSEC, elasticc__host2_ra=-999.0)
    settle(database, bridge)
    assert known(database) == {"aaa": [(1, "7", 2.5, "sherlock")], "aab": [(2, None, 1.0, "elasticc")]}
    before = rows_of(database, "SELECT host_candidate.*, xmin::text FROM host_candidate ORDER BY object_id")
    settle(database, bridge)
    assert rows_of(database, "SELECT host_candidate.*, xmin::text FROM host_candidate ORDER BY object_id") == before
    say(database, "aaa", 61001.5, sherlock__host="8")
    say(database, "aab", 61001.5, elasticc__host2_ra=11.0, elasticc__host2_dec=-21 + 3 * ARCSEC, elasticc__host_ra=11.0)
    settle(database, bridge)
    assert known(database) == {
        "aaa": [(3, "8", 2.5, "sherlock")],
        "aab": [(2, None, 1.0, "elasticc"), (4, None, 3.0, "elasticc")],
    }
    say(database, "aaa", 61001.7, sherlock__host="9", sherlock__host_type="star")
    settle(database, bridge)
    assert known(database).keys() == {"aab"}
    assert (ra, dec) == PLACES["aaa"]


def test_two_transients_in_one_galaxy_point_to_one_row(database: Database, bridge: Settings) -> None:
    galaxy = {"sherlock__host_ra": 11.0, "sherlock__host_dec": -21 + 2 * ARCSEC}
    say(database, "aaa", sherlock__host="7", sherlock__catalogue="SDSS", sherlock__photometric_redshift=0.1)
    say(database, "aab", sherlock__host="7", sherlock__catalogue="SDSS", **galaxy)
    say(database, "aab", elasticc__host_ra=11.0, elasticc__host_dec=-21 + 2.5 * ARCSEC)
    say(database, "aac", sherlock__host="7", sherlock__catalogue="PS1")  # another galaxy: no place says otherwise
    settle(database, bridge)
    found = known(database)
    assert [row[0] for row in found["aaa"]] == [row[0] for row in found["aab"]]
    assert found["aab"][0][3] == "elasticc, sherlock"
    assert found["aac"][0][0] != found["aaa"][0][0]
    (row,) = rows_of(database, "SELECT ra, redshift, redshift_kind FROM host WHERE catalogue = 'SDSS'")
    assert row == {"ra": 11.0, "redshift": 0.1, "redshift_kind": "photometric"}
    say(database, "aaa", 61001.5, sherlock__host="7", sherlock__spectroscopic_redshift=0.11)
    settle(database, bridge)
    (row,) = rows_of(database, "SELECT redshift, redshift_kind FROM host WHERE catalogue = 'SDSS'")
    assert row == {"redshift": 0.11, "redshift_kind": "spectroscopic"}


def finder(**hosts: list[HostCandidate]) -> Any:
    def find(places: Sequence[ObjectPlace]) -> Iterable[tuple[ObjectPlace, Sequence[HostCandidate]]]:
        return [(place, hosts[place.object_id]) for place in places if place.object_id in hosts]

    return find


def test_three_at_most_those_looked_for_first(database: Database, bridge: Settings) -> None:
    say(database, "aaa", sherlock__host="7", sherlock__catalogue="SDSS", sherlock__host_separation=0.1)
    settle(database, bridge)
    many = [HostCandidate("mine", str(number), separation=float(number)) for number in range(5)]
    assert look_for_hosts(database, finder(aaa=many, aab=many[:1]), "catalogue:mine") == (3, 2)
    assert [row[1] for row in known(database)["aaa"]] == ["0", "1", "2"]
    assert look_for_hosts(database, finder(aaa=many[4:]), "catalogue:mine") == (3, 1)
    assert {name: [row[1] for row in rows] for name, rows in known(database).items()} == {"aaa": ["4", "7"]}


def test_hosts_go_with_a_merge_and_come_back_with_a_split(database: Database, bridge: Settings) -> None:
    say(database, "aaa", sherlock__host="7", sherlock__catalogue="SDSS")
    say(database, "aab", sherlock__host="8", sherlock__catalogue="SDSS")
    settle(database, bridge)
    merge_targets(database, bridge, "aaa", "aab", "one")
    assert [row[1] for row in known(database)["aaa"]] == ["7", "8"]
    split_target(database, bridge, "aab", "two")
    assert {name: rows[0][1] for name, rows in known(database).items()} == {"aaa": "7", "aab": "8"}
    assert states(database)["aac"] == "on"


@pytest.fixture
def typed(bridge: Settings, tmp_path: Path) -> Callable[..., Result]:
    return at_database(bridge, tmp_path)


def test_the_commands_look_for_hosts_and_show_them(
    database: Database, bridge: Settings, tmp_path: Path, typed: Callable[..., Result]
) -> None:
    path = tmp_path / "near.parquet"
    pd.DataFrame({"ra": [11.0], "dec": [-21 + 2 * ARCSEC], "a": [4.0], "mag_r": [18.5], "z_phot": [0.1]}).to_parquet(
        path
    )
    assert page_of(typed("hosts", "--catalogue", str(path))) == [
        "3 objects were looked at: 1 have a host, by catalogue:near"
    ]
    words = (
        "host: 1. near galaxy at 11.00000 -20.99944, 2.00 arcsec away, 0.50 light radii, photometric z = 0.1, "
        "LSST_r_AB 18.50, by catalogue:near"
    )
    assert words in page_of(typed("why", "aab"))
    assert json.loads(typed("why", "aab", "--json").output)["hosts"][0]["place"] == 1
    assert typed("hosts").exit_code == 2
