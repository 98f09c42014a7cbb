"""The kept list of targets: right after whatever changes, the same by pages as at once, and its changes in order."""

import re
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from tests.support.databases import rows_of
from tests.support.exchanges import add, change
from tides_bridge.database import Database
from tides_bridge.errors import SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.listed import (
    SORTS,
    TargetFilter,
    list_changed,
    list_page,
    parameters_of,
    settle_list,
    settle_some,
)
from tides_bridge.targets.listed.rows import _closed
from tides_bridge.targets.rulings import Ruling, find_subjects, rule

NAMES = ("a", "b", "c", "d")

CHANGES = (
    "UPDATE tides_master SET active = NOT active, inactive_reason = 'faint' WHERE name = '{name}' RETURNING 1",
    "UPDATE tides_master SET refused_4most = 'no: {name}', has_spectrum = TRUE WHERE name = '{name}' RETURNING 1",
    "UPDATE object_brightness SET latest_mag = latest_mag + 0.5 WHERE object_id = '{name}' RETURNING 1",
    "INSERT INTO object_brightness (survey, object_id, band, latest_mag, latest_mjd, n_detections) "
    "VALUES ('ztf', '{name}', 'g', 19.5, 61002, 1) ON CONFLICT DO NOTHING RETURNING 1",
    "DELETE FROM object_brightness WHERE object_id = '{name}' RETURNING 1",
    "INSERT INTO target_tonight (tides_id, at_mjd, system, mags, errors, methods, is_known, worked_out_at) "
    "SELECT tides_id, 61003, 'LSST', '{{NULL,21,20.5,NULL,NULL,NULL}}', '{{NULL,1,1,NULL,NULL,NULL}}', "
    "array_fill('drawn'::text, ARRAY[6]), TRUE, now() FROM tides_master WHERE name = '{name}' "
    "ON CONFLICT (tides_id) DO UPDATE SET mags = '{{NULL,NULL,NULL,19,NULL,19}}' RETURNING 1",
    "INSERT INTO classification (survey, object_id, source, who, type, redshift, came_from) "
    "SELECT 'ztf', '{name}', 'human', 'me', 'SN Ia', count(*) / 100.0, 'x' FROM classification RETURNING 1",
    "INSERT INTO host_candidate (survey, object_id, source, rank, host_id, separation_arcsec) "
    "SELECT 'ztf', '{name}', 'sherlock', 1, host_of('NED', 'NGC 1', NULL, NULL, NULL, NULL, NULL, NULL, NULL), 2.5 "
    "ON CONFLICT DO NOTHING RETURNING 1",
    "UPDATE host SET redshift = coalesce(redshift, 0) + 0.01, redshift_kind = 'photometric' RETURNING 1",
    "DELETE FROM host_candidate WHERE object_id = '{name}' RETURNING 1",
    "UPDATE association SET tides_id = (SELECT tides_id FROM tides_master WHERE name = 'a') "
    "WHERE object_id = '{name}' RETURNING 1",
)


def listed(database: Database) -> dict[str, dict[str, Any]]:
    rows = rows_of(database, "SELECT * FROM listed_target")
    return {row["name"]: {key: value for key, value in row.items() if key != "change"} for row in rows}


def anew(database: Database, at: datetime) -> dict[str, dict[str, Any]]:
    """What the list would be if it were made of nothing."""
    every = f"SELECT * FROM list_anew(array(SELECT tides_id FROM tides_master), '{at.isoformat()}')"
    return {row["name"]: {key: row[key] for key in row if key != "change"} for row in rows_of(database, every)}


def pages(database: Database, chosen: dict[str, Any], sort: str, size: int) -> list[dict[str, Any]]:
    """The whole list by pages of a size."""
    rows, cursor = [], None
    with database.transaction() as connection:
        while True:
            page = list_page(connection, chosen, sort, size, cursor)
            rows += page.rows
            cursor = page.following
            assert len(page.rows) == size or cursor is None
            if cursor is None:
                return rows


def changed(database: Database, cursor: str | None, number: int = 100) -> tuple[list[str], str | None]:
    with database.transaction() as connection:
        page = list_changed(connection, {}, number, cursor)
    return [row["name"] for row in page.rows], page.following


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(CHANGES), st.sampled_from(NAMES), st.booleans()), max_size=12))
def test_the_list_is_what_it_would_be_made_anew_whatever_changes(
    database: Database, settings: Settings, happens: list[tuple[str, str, bool]]
) -> None:
    for name in NAMES:
        if name not in listed(database):
            add(database, name, r_latest_mag=20.0)
    for statement, name, is_settled in happens:
        rows_of(database, statement.format(name=name))
        if is_settled:
            settle_list(database, settings)
    settle_list(database, settings)
    assert listed(database) == anew(database, settings.time())
    assert settle_list(database, settings) == 0


def test_a_merged_target_names_the_one_it_is_by_its_new_name(database: Database, settings: Settings) -> None:
    add(database, "a", "b")
    rows_of(database, "UPDATE tides_master SET merged_into = 1 WHERE name = 'b' RETURNING 1")
    settle_list(database, settings)
    rows_of(database, "UPDATE tides_master SET name = 'c' WHERE name = 'a' RETURNING 1")
    settle_list(database, settings)
    assert {name: row["merged_into"] for name, row in listed(database).items()} == {"b": "c", "c": None}


def test_a_row_says_all_that_is_known(database: Database, settings: Settings) -> None:
    add(database, "a", "b", r_latest_mag=20.5, g_latest_mag=20.25)
    for statement in CHANGES[5:8]:
        rows_of(database, statement.format(name="a"))
    with database.transaction() as connection:
        subjects = find_subjects(connection, settings, ["a"])
    rule(database, settings, Ruling("veto", "no", until=settings.time() + timedelta(days=1)), subjects)
    rule(database, settings, Ruling("tag", "odd", tag="odd"), subjects)
    settle_list(database, settings)
    row, other = listed(database)["a"], listed(database)["b"]
    known = {"mag": 20.25, "mag_band": "ztf g", "mag_mjd": 61001.25, "tonight_mag": 20.5, "tonight_band": "r"}
    known |= {"type": "SN Ia", "host_name": "NED NGC 1", "host_separation": 2.5, "objects": ["ztf a"]}
    known |= {"rulings": ["veto"], "tags": ["odd"], "state": "veto", "surveys": ["ztf"], "tonight_mjd": 61003}
    assert {key: row[key] for key in known} == known
    assert (other["tonight_mag"], other["host_name"], other["rulings"], other["state"]) == (None, None, [], "active")
    later = settings.model_copy(update={"now": settings.time() + timedelta(days=2)})
    assert settle_list(database, later) == 1  # nothing changed but the time
    assert listed(database)["a"]["rulings"] == []


def test_changes_come_in_order_each_once_and_none_is_lost(database: Database, settings: Settings) -> None:
    add(database, *NAMES)
    settle_list(database, settings)
    first, cursor = changed(database, None, 3)
    rest, cursor = changed(database, cursor, 3)
    assert (sorted(first + rest), len(rest)) == ([*NAMES], 1)
    assert changed(database, cursor) == ([], cursor)
    change(database, "n_detections = 6", "c")
    change(database, "n_detections = 6", "a")
    change(database, "n_detections = 5", "a")  # as before
    assert changed(database, cursor) == ([], cursor)  # not seen before it is settled
    with database.transaction() as connection:
        settle_some(connection, settings)
        change(database, "n_detections = 7", "b")  # committed meanwhile: for the next
    assert changed(database, cursor)[0] == ["c"]
    settle_list(database, settings)
    assert changed(database, cursor)[0] == ["c", "b"]
    rows_of(database, "INSERT INTO restoration (taken_at, file) VALUES (now(), 'x') RETURNING 1")
    with pytest.raises(SettingsError, match="restored"):
        changed(database, cursor)


def test_pages_by_key_are_the_whole_list_in_order(database: Database, settings: Settings) -> None:
    for number, name in enumerate("abcdefg"):
        mag = None if number % 3 == 0 else 20.0 + number % 2
        add(database, name, r_latest_mag=mag, ra=10.0 + number, sherlock_class=[None, "SN", "NT"][number % 3])
    settle_list(database, settings)
    few = {"ra_from": 11.5, "ra_to": 14.5}
    for sort in [sign + by for by in SORTS for sign in ("", "-")]:
        whole = pages(database, {}, sort, 100)
        names = [row["name"] for row in whole]
        assert sorted(names) == [*"abcdefg"]
        assert [row["name"] for row in pages(database, {}, sort, 2)] == names
        values = [row["sorted_number"] if row["sorted_word"] is None else row["sorted_word"] for row in whole]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=sort.startswith("-"))
        assert values[: len(known)] == known  # what has none comes last both ways
        assert [row["name"] for row in pages(database, few, sort, 2)] == [name for name in names if name in "cde"]


CONDITIONS = {
    "": "abc", "state=active": "ab", "state=active,merged": "abd", "name=a,c*": "ac", "survey=lsst": "",
    "class=NT": "b", "function=any": "abc", "around=10 -20&radius=30": "a", "around=b": "b",
    "around=00:40:00 -20:00:00&radius=3 deg": "abc", "ra_from=359&ra_to=10.5": "a", "mag_to=20.5": "b",
    "mag_from=20.5": "a", "seen_from=61001.25": "abc", "seen_before=61001.25": "", "refused=far": "c",
    "spectrum=no": "abc", "at_4most=yes": "", "host=yes": "", "host=no": "abc", "tag=odd": "a",
    "ruling=comment": "", "dec_from=-19.5": "c", "new_from=2200-01-01": "", "new_before=2200-01-01": "abc",
    "tonight_from=10": "", "z_to=9": "", "first_from=61000&first_before=61000.1": "abc",
}  # fmt: skip


def test_each_condition_finds_what_it_says(database: Database, settings: Settings) -> None:
    for number, name in enumerate("abcd"):
        is_on = name in "ab"
        add(database, name, r_latest_mag=21.0 - number, ra=10.0 + number, active=is_on, decl=-20.0 + (name == "c"))
    change(database, "sherlock_class = 'NT'", "b")
    change(database, "inactive_reason = 'faint', refused_4most = 'too far'", "c")
    change(database, "r_latest_mag = NULL", "c")
    rows_of(
        database, "UPDATE tides_master SET merged_into = 1, inactive_reason = 'merged' WHERE name = 'd' RETURNING 1"
    )
    with database.transaction() as connection:
        subjects = find_subjects(connection, settings, ["a"])
    rule(database, settings, Ruling("tag", "odd", tag="odd"), subjects)
    settle_list(database, settings)
    for query, found in CONDITIONS.items():
        chosen = TargetFilter.of_query(parse_qsl(query))
        assert TargetFilter.of_query(parse_qsl(chosen.query())) == chosen
        with database.transaction() as connection:
            page = list_page(connection, parameters_of(connection, chosen), "name", 10)
        assert ("".join(row["name"] for row in page.rows), query) == (found, query)
        assert page.number in (None, len(found))


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("mag_to=bright", "mag_to"), ("mag_to=nan", "mag_to"), ("stat=active", "stat: is none: known are name, state"),
        ("state=dead", "state: dead is none"), ("radius=5", "around: give the place"), ("ra_from=5", "ra_from"),
        ("around=370 5", "around: 370 5 is no place"), ("radius=5 lightyears&around=a", "radius: is no radius"),
        ("seen_from=2026", "seen_from: 2026 is no time"), ("seen_from=soon", "seen_from: soon is no time"),
        ("name=a\x00b", "name: has a letter"), ("spectrum=perhaps", "spectrum"),
        ("around=nobody", "around: nobody is no"),
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused_by_the_name_of_its_parameter(
    database: Database, query: str, problem: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(problem)), database.transaction() as connection:
        parameters_of(connection, TargetFilter.of_query(pair.split("=") for pair in query.split("&")))


def test_an_address_says_the_same_to_the_last_digit() -> None:
    chosen = TargetFilter.of_query([("seen_from", "2026-11-01T12:34:56.789"), ("around", "1 2"), ("radius", "60")])
    assert chosen.query().endswith("radius=60&seen_from=61345.52426839121")
    assert TargetFilter.of_query(parse_qsl(chosen.query())) == chosen


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "W10", "é", "WyJuZXciLCB0cnVlLCBudWxsLCAidCJd", "WyJuZXciLCB0cnVlLCBudWxsLCAwXQ",
        _closed(["name", True, "\ud800", 3]), _closed(["mag", True, 10**400, 3]),
    ],
)  # fmt: skip
def test_a_cursor_that_no_page_gave_is_refused(database: Database, cursor: str) -> None:
    with database.transaction() as connection:
        for ask in (*(partial(list_page, sort=sort) for sort in ("new", "name", "mag")), list_changed):
            with pytest.raises(SettingsError, match="cursor"):
                ask(connection, {}, number=5, cursor=cursor)
