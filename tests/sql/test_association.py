"""One object, many names: matching by position, names of targets, merging and splitting, on a real PostgreSQL."""

import math
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as search
from hypothesis import strategies as st

from tests.support.databases import rows_of
from tests.support.exchanges import EVERYTHING
from tests.support.places import ARCSEC, apart, groups, moved, near, questions, targets
from tests.support.staging import TODAY, at, judged, master, staged, store
from tides_bridge.database import Database, run
from tides_bridge.decisions.batch import create_transient_stage, deactivate_unobserved_transients, upsert_to_master
from tides_bridge.errors import ScriptError
from tides_bridge.settings import Settings
from tides_bridge.targets.association import (
    MATCH_RADIUS_ARCSEC,
    QUESTION_RADIUS_ARCSEC,
)

RUBIN = (str(2**53 + 1), str(2**53), str(2**63 - 1), str(2**63 - 2), "170587115523932323", "170587115523932320")
"""Names that a float would confuse."""


def empty(database: Database) -> None:
    rows_of(database, "TRUNCATE tides_master, name_counter RESTART IDENTITY CASCADE; SELECT 1")


# By position


def test_an_object_within_an_arcsecond_is_the_same_target(database: Database, settings: Settings) -> None:
    assert store(database, at(settings), near("a", r=19.5)) == (1, 0)
    assert store(database, at(settings), near("1", east=0.99, survey="lsst", r=20.0, n_detections=3)) == (0, 1)
    assert store(database, at(settings), near("2", north=-0.5, survey="lsst")) == (0, 1)
    assert groups(database) == {frozenset({"a", "1", "2"})}
    row = master(database, "1")
    assert (row["survey"], row["object_id"], row["n_detections"]) == ("ztf", "a", 13)
    columns = "object_id, how, round(separation_arcsec::numeric, 6)::float8 AS arcsec"
    assert [tuple(row.values()) for row in rows_of(database, f"SELECT {columns} FROM association ORDER BY 1")] == [
        ("1", "position", 0.99),
        ("2", "position", 0.5),
        ("a", "first", 0.0),
    ]
    assert questions(database) == []


def test_one_beyond_is_a_target_of_its_own_and_a_question_up_to_two(database: Database, settings: Settings) -> None:
    store(database, at(settings), near("a"), near("b", east=1.01), near("c", east=-1.99), near("d", north=2.01))
    assert targets(database) == {"a": "aaa", "b": "aab", "c": "aac", "d": "aad"}
    assert questions(database) == [("b", "TiDES25aaa", 1.01, None), ("c", "TiDES25aaa", 1.99, None)]


def test_the_nearest_wins(database: Database, settings: Settings) -> None:
    store(database, at(settings), near("a"), near("b", east=1.6))
    store(database, at(settings), near("c", east=0.9), near("d", east=-0.9))
    assert groups(database) == {frozenset("ad"), frozenset("bc")}


def test_of_equally_near_ones_the_older_target_wins(database: Database, settings: Settings) -> None:
    """Also where the older target is that of an object which came with the batch."""
    place = {"ra": 30.0, "decl": 0.0}
    rows = [staged(name, first_detection_mjd=60000.0 + i, **place) for i, name in enumerate("zyx")]
    store(database, at(settings), rows[0], staged("w", ra=30.0, decl=1.5 * ARCSEC))
    store(database, at(settings), rows[1], staged("v", ra=30.0, decl=0.75 * ARCSEC))
    assert groups(database) == {frozenset("zyv"), frozenset("w")}


def test_the_first_seen_founds_the_target_whatever_the_order_of_the_rows(
    database: Database, settings: Settings
) -> None:
    rows = [near(name, east=0.6 * i, first_detection_mjd=60900.0 + i) for i, name in enumerate("abc")]
    store(database, at(settings), rows[2], rows[0], rows[1])
    assert groups(database) == {frozenset("abc")}
    assert master(database, "c")["object_id"] == "a"


def test_a_place_that_drifts_takes_no_target_along(database: Database, settings: Settings) -> None:
    """What is matched is where the object was at first; where the target is, its newest detection says."""
    for step in range(5):
        store(database, at(settings), near("a", east=0.5 * step, last_mjd=TODAY - 5 + step))
    assert store(database, at(settings), near("b", east=2.1)) == (1, 0)
    assert store(database, at(settings), near("c", east=0.1, last_mjd=TODAY - 30)) == (0, 1)
    assert groups(database) == {frozenset("ac"), frozenset("b")}
    assert apart(master(database, "a"), near("a", east=2.0)) < 1e-6


def test_an_object_stays_what_it_is_when_a_nearer_one_comes(database: Database, settings: Settings) -> None:
    store(database, at(settings), near("a"), near("b", east=0.9))
    store(database, at(settings), near("c", east=1.8))
    assert store(database, at(settings), near("b", east=1.7, last_mjd=TODAY)) == (0, 1)
    assert groups(database) == {frozenset("abc")}


CENTRES = [(0.0, 0.0), (359.9999, 45.0), (123.4, 90.0), (77.0, -90.0), (200.0, 89.99999), (10.0, -89.89), (0.0, -60.0)]
OFFSETS = st.tuples(*[st.integers(-25, 25).map(lambda tenths: tenths / 10)] * 2)
PLACES = st.lists(st.tuples(st.sampled_from(CENTRES), OFFSETS), min_size=2, max_size=9)


@st.composite
def scattered(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw objects that lie near each other, at the poles and over 0 h too, in the order in which they are settled."""
    rows = []
    for number, (centre, offset) in enumerate(draw(PLACES)):
        ra, decl = moved(*centre, *offset)
        place = {"ra": ra, "decl": decl, "survey": draw(st.sampled_from(["ztf", "lsst"]))}
        rows.append(staged(f"{number}", first_detection_mjd=60900.0 + draw(st.integers(0, 3)), **place))
    return sorted(rows, key=lambda row: (row["first_detection_mjd"], row["survey"], row["object_id"]))


def matched(rows: Sequence[dict[str, Any]]) -> tuple[set[frozenset[str]], set[tuple[str, str]]]:
    """Do by brute force what the scripts do: the groups, and each new target with those it is asked about."""
    found: list[list[dict[str, Any]]] = []
    asked = set()
    for row in rows:
        distances = [(min(apart(row, other) for other in group), group) for group in found]
        near_ones = sorted(distance for distance, _ in distances)
        assume(all(abs(d - radius) > 1e-6 for d in near_ones for radius in (1, 2)))
        assume(len(near_ones) < 2 or near_ones[1] - near_ones[0] > 1e-6)
        distance, nearest = min(distances, key=lambda each: each[0], default=(math.inf, []))
        if distance <= MATCH_RADIUS_ARCSEC:
            nearest.append(row)
            continue
        asked |= {(row["object_id"], group[0]["object_id"]) for d, group in distances if d <= QUESTION_RADIUS_ARCSEC}
        found.append([row])
    return {frozenset(row["object_id"] for row in group) for group in found}, asked


def associated(database: Database) -> tuple[set[frozenset[str]], set[tuple[str, str]]]:
    joined = "association_question AS question INNER JOIN tides_master USING (tides_id)"
    rows = rows_of(database, f"SELECT question.object_id, tides_master.object_id AS founder FROM {joined}")
    return groups(database), {(row["object_id"], row["founder"]) for row in rows}


@search(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=scattered(), cut=st.integers(0, 9))
def test_a_batch_is_matched_as_by_brute_force_and_as_one_by_one(
    database: Database, settings: Settings, rows: list[dict[str, Any]], cut: int
) -> None:
    expected = matched(rows)
    for batches in ([rows], [rows[:cut], rows[cut:]], [[row] for row in rows]):
        empty(database)
        for batch in batches:
            store(database, at(settings), *reversed(batch))
        assert associated(database) == expected
        names = sorted(set(targets(database).values()))
        assert names == [f"aa{letter}" for letter in "abcdefghi"[: len(expected[0])]]


@pytest.mark.parametrize(("one", "other", "arcsec"), [
    ((0.0, 0.0), (0.0, 1e-4 * ARCSEC), 1e-4),
    ((359.99999, 0.0), (0.00001, 0.0), 0.072),
    ((10.0, 90.0), (250.0, 90.0), 0.0),
    ((0.0, 90.0), (0.0, -90.0), 648000.0),
    ((0.0, -45.0), (180.0, 45.0), 648000.0),
    ((12.0, 89.9999), (192.0, 89.9999), 0.72),
])  # fmt: skip
def test_the_angle_between_two_places(
    database: Database, one: tuple[float, float], other: tuple[float, float], arcsec: float
) -> None:
    (row,) = rows_of(database, f"SELECT great_circle_arcsec({one[0]}, {one[1]}, {other[0]}, {other[1]}) AS angle")
    assert row["angle"] == pytest.approx(arcsec, rel=1e-7, abs=1e-9)


def test_identifiers_stay_exact_and_apart(database: Database, settings: Settings) -> None:
    rows = [staged(object_id, survey="lsst") for object_id in RUBIN]
    assert store(database, at(settings), *rows) == (len(RUBIN), 0)
    assert set(targets(database)) == set(RUBIN)
    assert len(set(targets(database).values())) == len(RUBIN)
    assert store(database, at(settings), *rows) == (0, 0)


# Names


def test_names_count_through_the_letters(database: Database) -> None:
    numbers = {
        1: "aaa", 2: "aab", 27: "aba", 26**3: "zzz", 26**3 + 1: "aaaa", 26**3 + 26**4: "zzzz",
        26**3 + 26**4 + 1: "aaaaa",
    }  # fmt: skip
    for number, letters in numbers.items():
        (row,) = rows_of(
            database,
            f"SELECT tides_name(2026, {number}, 'TiDES') AS name, tides_name(2103, {number}, 'laptop') AS later",
        )
        assert (row["name"], row["later"]) == (f"TiDES26{letters}", f"laptop03{letters}")


def test_each_year_counts_anew(database: Database, settings: Settings) -> None:
    """MJD 61040.99 is in 2025, 61041.01 in 2026, both UTC."""
    for mjd, name in ((61040.99, "a"), (61041.01, "b"), (61041.02, "c"), (61040.98, "d")):
        store(database, at(settings, mjd), staged(name))
    names = {name: master(database, name)["name"] for name in "abcd"}
    assert names == {"a": "TiDES25aaa", "b": "TiDES26aaa", "c": "TiDES26aab", "d": "TiDES25aab"}


def test_a_batch_that_fails_takes_no_name(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("a"))
    with pytest.raises(ScriptError), database.transaction() as connection:
        create_transient_stage(connection, [judged(staged("b"), staged("c"))])
        upsert_to_master(connection, settings)
        connection.exec_driver_sql("SELECT 1 / 0")
    store(database, at(settings), staged("d"), staged("e"))
    assert sorted(targets(database).values()) == ["aaa", "aab", "aac"]
    assert rows_of(database, "SELECT year, used FROM name_counter") == [{"year": 2025, "used": 3}]


@pytest.mark.parametrize("does_commit", [True, False])
def test_two_batches_at_once_are_as_one_after_the_other(
    database: Database, settings: Settings, *, does_commit: bool
) -> None:
    later = threading.Thread(target=store, args=(database, at(settings), near("b", east=0.4), staged("c")))
    with database.transaction() as connection:
        create_transient_stage(connection, [judged(near("a"), staged("d"))])
        upsert_to_master(connection, at(settings))
        later.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'association'::regclass AND NOT granted"
        while connection.exec_driver_sql(waiting).scalar() == 0:
            assert later.is_alive()
        if not does_commit:
            connection.rollback()
    later.join(60)
    assert groups(database) == (
        {frozenset("ab"), frozenset("c"), frozenset("d")} if does_commit else {frozenset("b"), frozenset("c")}
    )
    assert sorted(set(targets(database).values())) == ["aaa", "aab", "aac"][: 3 if does_commit else 2]


# What a target is by its objects


def test_the_facts_of_a_target_are_those_of_all_its_objects(database: Database, settings: Settings) -> None:
    store(database, at(settings), near("a", last_mjd=60990.0, sherlock_class="SN", n_detections=4))
    store(database, at(settings), near("1", east=0.3, survey="lsst", last_mjd=60995.0, sherlock_class=None))
    row = master(database, "a")
    assert apart(row, near("1", east=0.3)) < 1e-6
    assert (row["first_detection_mjd"], row["last_detection_mjd"], row["n_detections"]) == (60980.0, 60995.0, 9)
    assert (row["sherlock_class"], row["name"]) == ("SN", "TiDES25aaa")


def test_a_survey_keeps_its_magnitudes_and_a_person_sees_both(database: Database, settings: Settings) -> None:
    store(
        database,
        at(settings),
        near("a", r=(19.5, 60990.0, 19.0, 60985.0)),
        near("b", east=0.1, r=(19.3, 60991.0, 19.2, 60980.0)),
    )
    store(database, at(settings), near("1", east=0.3, survey="lsst", r=(20.1, 60999.0, 20.1, 60999.0), u=22.0))
    long = (
        "SELECT survey, band, latest_mag, latest_mjd, brightest_mag, brightest_mjd FROM target_magnitude ORDER BY 1, 2"
    )
    assert [tuple(row.values()) for row in rows_of(database, long)] == [
        ("lsst", "r", 20.1, 60999.0, 20.1, 60999.0),
        ("lsst", "u", 22.0, 60999.0, 22.0, 60999.0),
        ("ztf", "r", 19.3, 60991.0, 19.0, 60985.0),
    ]
    (wide,) = rows_of(database, "SELECT * FROM target_magnitudes")
    given = {key: value for key, value in wide.items() if value is not None and key not in ("tides_id", "name")}
    assert len(wide) == 2 + 4 * (3 + 6)
    assert given == {
        "lsst_r_latest_mag": 20.1, "lsst_r_latest_mjd": 60999.0, "lsst_r_brightest_mag": 20.1,
        "lsst_r_brightest_mjd": 60999.0, "lsst_u_latest_mag": 22.0, "lsst_u_latest_mjd": 60999.0,
        "lsst_u_brightest_mag": 22.0, "lsst_u_brightest_mjd": 60999.0, "ztf_r_latest_mag": 19.3,
        "ztf_r_latest_mjd": 60991.0, "ztf_r_brightest_mag": 19.0, "ztf_r_brightest_mjd": 60985.0,
    }  # fmt: skip
    with database.transaction() as connection:
        (row,) = run(connection, "fourmost/list_targets.sql", EVERYTHING)
    assert row["magnitudes"] == {
        "ztf_r": {"mag": 19.3, "mjd": 60991.0, "error": None},
        "lsst_r": {"mag": 20.1, "mjd": 60999.0, "error": None},
        "lsst_u": {"mag": 22.0, "mjd": 60999.0, "error": None},
    }


def test_a_target_is_seen_and_bright_by_whichever_survey_was_last(database: Database, settings: Settings) -> None:
    store(database, at(settings), near("a", last_mjd=TODAY - 4, r=19.0), near("1", east=0.5, survey="lsst", r=23.0))
    assert master(database, "a")["inactive_reason"] == "faint"
    store(database, at(settings), near("a", last_mjd=TODAY, r=20.0))
    assert master(database, "1")["active"] is True
    assert deactivate_unobserved_transients(database, at(settings, TODAY + 4.9)).deactivated == 0
    assert deactivate_unobserved_transients(database, at(settings, TODAY + 5.1)).deactivated == 1
    assert master(database, "1")["inactive_reason"] == "unseen"


def test_a_repeated_batch_of_several_names_changes_nothing(database: Database, settings: Settings) -> None:
    batch = [near("a", r=19.0), near("1", east=0.5, survey="lsst", r=20.0), near("b", east=1.7)]
    store(database, at(settings), *batch)
    states = "SELECT (SELECT string_agg(t::text || t.xmin, '' ORDER BY tides_id) FROM tides_master AS t) AS targets, "
    states += "(SELECT string_agg(a::text || a.xmin, '' ORDER BY object_id) FROM association AS a) AS objects, "
    states += "(SELECT count(*) FROM association_question) AS questions, (SELECT sum(used) FROM name_counter) AS names"
    before = rows_of(database, states)
    assert store(database, at(settings), *batch) == (0, 0)
    assert rows_of(database, states) == before


# What the page says


def test_the_queries_of_the_page_run(database: Database, settings: Settings) -> None:
    page = (Path(__file__).parents[2] / "docs" / "association.md").read_text()
    store(database, at(settings), near("a", r=19.0), near("1", east=0.5, survey="lsst", r=19.5))
    queries = [query for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) for query in block.split("\n\n")]
    (both,), (bright,) = (rows_of(database, query) for query in queries)
    assert both == {"name": "TiDES25aaa", "max": pytest.approx(0.5)}
    assert bright == {"name": "TiDES25aaa", "lsst_r_latest_mag": 19.5, "lsst_r_latest_mjd": 60999.0}
