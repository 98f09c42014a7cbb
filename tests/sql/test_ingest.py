from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as search
from hypothesis import strategies as st
from psycopg2 import OperationalError

from tests.support.databases import rows_of
from tests.support.staging import TODAY, all_of, at, judged, master, staged, store
from tides_bridge.database import Database, copy_frame, run
from tides_bridge.decisions.batch import (
    count_born_inactive,
    create_transient_stage,
    deactivate_unobserved_transients,
    upsert_to_master,
)
from tides_bridge.decisions.models import Judged
from tides_bridge.errors import DatabaseUnavailable, ScriptError
from tides_bridge.settings import Settings

RUBIN = ("313637935709683761", "313637935709683760", str(2**63 + 5))


# Insert


def test_a_new_object_is_inserted_and_switched_on(database: Database, settings: Settings) -> None:
    assert store(database, at(settings), staged(g=19.5, r=(19.0, 60998.5, 18.5, 60995.5))) == (1, 0)
    row = master(database)
    assert {key: value for key, value in row.items() if value is not None and not key.endswith("_at")} == {
        "tides_id": 1,
        "survey": "ztf",
        "object_id": "ZTF26aaaaaaa",
        "name": "TiDES25aaa",
        "ra": 10.5,
        "decl": -20.25,
        "dec": -20.25,
        "first_detection_mjd": 60989.0,
        "last_detection_mjd": 60999.0,
        "n_detections": 5,
        "sherlock_class": "SN",
        "selection_function": "tidesSNZTFSelect",
        "g_latest_mag": 19.5,
        "g_latest_mjd": 60999.0,
        "g_brightest_mag": 19.5,
        "g_brightest_mjd": 60999.0,
        "r_latest_mag": 19.0,
        "r_latest_mjd": 60998.5,
        "r_brightest_mag": 18.5,
        "r_brightest_mjd": 60995.5,
        "active": True,
        "has_spectrum": False,
        "lent_spectrum": False,
        "refusals_4most": 0,
    }


def test_an_empty_batch_changes_nothing(database: Database, settings: Settings) -> None:
    assert store(database, at(settings)) == (0, 0)


def test_chunks_of_a_batch_are_staged_together(database: Database, settings: Settings) -> None:
    with database.transaction() as connection:
        chunks = [
            judged(staged("a", sherlock_class=None)),
            Judged({"x": False}, judged().targets, {}),
            judged(staged("b")),
        ]
        assert create_transient_stage(connection, chunks) == 2
        names = connection.exec_driver_sql("SELECT object_id, sherlock_class FROM tides_stage ORDER BY 1").all()
    assert names == [("a", None), ("b", "SN")]


def test_the_stage_ends_with_its_transaction(database: Database, settings: Settings) -> None:
    for number in range(2):
        assert store(database, at(settings), staged(f"a{number}")) == (1, 0)
    assert rows_of(database, "SELECT to_regclass('tides_stage') AS stage") == [{"stage": None}]


def test_any_name_comes_through_copy_as_it_is(database: Database, settings: Settings) -> None:
    names = [
        "a,b",
        'a"b',
        '"',
        "a\nb",
        "a\r\nb",
        "a\\b",
        "\\N",
        "\\.",
        "NULL",
        "nan",
        " a ",
        "Δ☄🔭",
        "%(a)s",
        "{a}",
        *RUBIN,
    ]
    store(database, at(settings), *(staged(name, sherlock_class=name, g=19.5) for name in names))
    assert sorted(all_of(database, "object_id", "sherlock_class")) == sorted((name, name) for name in names)


def test_rubins_identifiers_are_kept_apart(database: Database, settings: Settings) -> None:
    rows = [staged(object_id, survey="lsst") for object_id in RUBIN]
    assert store(database, at(settings), *rows) == (3, 0)
    assert {name for (name,) in all_of(database, "object_id")} == set(RUBIN)


def test_the_same_name_in_two_surveys_is_two_objects(database: Database, settings: Settings) -> None:
    assert store(database, at(settings), staged("1"), staged("1", survey="lsst")) == (2, 0)


def test_float64_comes_through_copy_unchanged(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(last_mjd=60999.123456789012, ra=1 / 3, decl=-1e-17, g=19.300000000000004))
    row = master(database)
    assert (row["last_detection_mjd"], row["ra"], row["decl"]) == (60999.123456789012, 1 / 3, -1e-17)
    assert row["g_latest_mag"] == 19.300000000000004


@pytest.mark.parametrize("wrong", [{"ra": None}, {"ra": 360.0}, {"decl": -90.5}, {"last_detection_mjd": None}])
def test_a_row_that_the_table_refuses_is_an_error_of_ours_and_changes_nothing(
    database: Database, settings: Settings, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ScriptError, match=next(iter(wrong))):
        store(database, at(settings), staged("good"), staged("bad", **wrong))
    assert all_of(database, "object_id") == []


def test_a_server_that_goes_away_while_rows_are_copied_is_unavailable(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable), database.transaction() as connection:
        run(connection, "decisions/create_transient_stage.sql")
        with pytest.raises(OperationalError):
            connection.connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
        copy_frame(connection, "decisions/load_transient_stage.sql", judged(staged()).targets)


# Update


def test_a_repeated_batch_changes_nothing(database: Database, settings: Settings) -> None:
    batch = [staged("a", g=19.5), staged("b", last_mjd=TODAY - 9), staged("c", r=23.0)]
    assert store(database, at(settings), *batch) == (3, 0)
    before = all_of(database, "tides_master::text", "xmin")
    assert store(database, at(settings), *batch) == (0, 0)
    assert all_of(database, "tides_master::text", "xmin") == before


def test_a_changed_row_is_counted_and_dated(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("a", g=19.5), staged("b", g=19.5))
    before = {name: (master(database, name)["updated_at"], master(database, name)["created_at"]) for name in "ab"}
    assert store(database, at(settings), staged("a", last_mjd=TODAY, g=19.6), staged("b", g=19.5)) == (0, 1)
    assert master(database, "a")["updated_at"] > before["a"][0]
    assert master(database, "a")["created_at"] == before["a"][1]
    assert master(database, "b")["updated_at"] == before["b"][0]


def test_newer_detections_replace_what_is_latest_and_keep_what_is_brightest(
    database: Database, settings: Settings
) -> None:
    store(database, at(settings), staged(last_mjd=60990.0, g=18.0, r=18.5, n_detections=3))
    newer = staged(last_mjd=60995.0, g=19.0, i=19.5, ra=11.0, decl=-21.0, sherlock_class="NT", n_detections=8)
    store(database, at(settings), newer | {"first_detection_mjd": 60985.0, "selection_function": "other"})
    row = master(database)
    assert (row["g_latest_mag"], row["g_latest_mjd"], row["g_brightest_mag"], row["g_brightest_mjd"]) == (
        19.0,
        60995.0,
        18.0,
        60990.0,
    )
    assert (row["r_latest_mag"], row["r_latest_mjd"], row["i_latest_mag"], row["i_brightest_mjd"]) == (
        18.5,
        60990.0,
        19.5,
        60995.0,
    )
    assert (row["ra"], row["decl"], row["sherlock_class"], row["n_detections"]) == (11.0, -21.0, "NT", 8)
    assert (row["first_detection_mjd"], row["last_detection_mjd"]) == (60980.0, 60995.0)
    assert row["selection_function"] == "other"


def test_a_stale_batch_changes_nothing_but_what_it_knows_better(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(last_mjd=60995.0, g=19.0))
    before = master(database)
    stale = staged(last_mjd=60990.0, g=18.0, ra=99.0, decl=9.0, n_detections=3, sherlock_class="ORPHAN")
    assert store(database, at(settings), stale) == (0, 1)
    after = master(database)
    changed = {key: after[key] for key in after if after[key] != before[key] and key != "updated_at"}
    assert changed == {"first_detection_mjd": 60980.0, "g_brightest_mag": 18.0, "g_brightest_mjd": 60990.0}


def test_a_class_that_is_not_known_any_more_is_kept(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(last_mjd=60990.0, sherlock_class="SN"))
    store(database, at(settings), staged(last_mjd=60995.0, sherlock_class=None))
    assert master(database)["sherlock_class"] == "SN"


def test_a_class_that_was_not_known_yet_is_taken_from_a_stale_batch(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(last_mjd=60995.0, sherlock_class=None))
    store(database, at(settings), staged(last_mjd=60990.0, sherlock_class="SN"))
    assert master(database)["sherlock_class"] == "SN"


def test_all_six_bands_are_updated_alike(database: Database, settings: Settings) -> None:
    first = {band: (20.0 + i, 60990.0 + i, 18.0 + i, 60980.0 + i) for i, band in enumerate("ugrizy")}
    later = {band: (21.0 + i, 60991.0 + i, 19.0 + i, 60991.0 + i) for i, band in enumerate("ugrizy")}
    stale = dict.fromkeys("ugrizy", (15.0, 60900.0, 25.0, 60900.0))
    for columns in (first, later, stale):
        store(database, at(settings), staged(**columns))
    row = master(database)
    for i, band in enumerate("ugrizy"):
        names = (f"{band}_latest_mag", f"{band}_latest_mjd", f"{band}_brightest_mag", f"{band}_brightest_mjd")
        assert tuple(row[name] for name in names) == (21.0 + i, 60991.0 + i, 18.0 + i, 60980.0 + i)


def test_what_4most_said_survives_an_update(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(g=19.5))
    told = "pk_4most = 7, told_4most = '{\"is_active\": true}', ostd_targ_id = 9, refused_4most = 'x'"
    rows_of(database, f"UPDATE tides_master SET {told} RETURNING 1")
    store(database, at(settings), staged(last_mjd=TODAY, g=19.6))
    row = master(database)
    assert (row["pk_4most"], row["told_4most"], row["ostd_targ_id"], row["refused_4most"]) == (
        7,
        {"is_active": True},
        9,
        "x",
    )


@st.composite
def growing(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a light curve, and the stage rows of some of its beginnings, in any order, some of them twice."""
    number = draw(st.integers(2, 6))
    bands = draw(st.lists(st.sampled_from("gr"), min_size=number, max_size=number))
    mags = draw(st.lists(st.integers(180, 240).map(lambda tenths: tenths / 10), min_size=number, max_size=number))
    points = [(60990.0 + i, band, mag) for i, (band, mag) in enumerate(zip(bands, mags, strict=True))]
    rows = []
    for end in range(1, number + 1):
        seen: dict[str, Any] = {}
        for band in "gr":
            own = [(mag, mjd) for mjd, of, mag in points[:end] if of == band]
            if own:
                seen[band] = (*own[-1], *min(own))
        place = {"ra": 10.0 + end, "decl": -10.0 - end, "sherlock_class": f"class {end}"}
        rows.append(staged(last_mjd=60989.0 + end, first_detection_mjd=60990.0, n_detections=end, **place, **seen))
    some = draw(st.lists(st.sampled_from(rows[:-1]), max_size=4))
    return draw(st.permutations([*some, rows[-1]]))


@search(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=growing())
def test_batches_in_any_order_end_in_the_same_row(
    database: Database, settings: Settings, batches: list[dict[str, Any]]
) -> None:
    rows_of(database, "TRUNCATE tides_master, association, object_brightness CASCADE; SELECT 1")
    newest = max(batches, key=lambda row: row["last_detection_mjd"])
    for batch in batches:
        store(database, at(settings, 60995.5), batch)
    deactivate_unobserved_transients(database, at(settings, 60995.5))
    row = master(database)
    of_object = {"scatter_arcsec", "passes"}
    assert {key: row[key] for key in newest.keys() - of_object} == {
        key: newest[key] for key in newest.keys() - of_object
    }
    is_seen = newest["last_detection_mjd"] >= 60990.5
    fresh = [newest[f"{band}_latest_mag"] for band in "gr" if (newest[f"{band}_latest_mjd"] or 0) >= 60990.5]
    is_faint = bool(fresh) and min(fresh) > 22.5
    assert (row["active"], row["inactive_reason"]) == (
        (False, "unseen") if not is_seen else (False, "faint") if is_faint else (True, None)
    )


# Which of them are targets


def reason(database: Database, object_id: str = "ZTF26aaaaaaa") -> tuple[bool, str | None]:
    row = master(database, object_id)
    return row["active"], row["inactive_reason"]


def test_an_object_past_the_limits_when_it_first_passes_stays_off(database: Database, settings: Settings) -> None:
    cases: list[tuple[dict[str, Any], bool, str | None]] = [
        ({"last_mjd": TODAY - 5, "g": 19.5}, True, None),
        ({"last_mjd": TODAY - 5.001, "g": 19.5}, False, "unseen"),
        ({"last_mjd": TODAY - 6, "g": 23.0}, False, "unseen"),
        ({"g": 22.5}, True, None),
        ({"g": 22.51}, False, "faint"),
        ({"g": 22.51, "y": 22.4}, True, None),
        (dict.fromkeys("ugrizy", 25.0), False, "faint"),
        ({}, True, None),
        ({"g": (23.0, TODAY - 1, 18.0, TODAY - 3)}, False, "faint"),
    ]
    names = [f"{i}" for i in range(len(cases))]
    batch = [staged(name, **columns) for name, (columns, _, _) in zip(names, cases, strict=True)]
    assert store(database, at(settings), *batch) == (9, 0)
    assert all_of(database, "active", "inactive_reason") == [case[1:] for case in cases]


def test_new_targets_that_are_off_from_the_start_are_counted(database: Database, settings: Settings) -> None:
    """Only the new ones: one that fades later is counted when it is switched off."""
    store(database, at(settings), staged("old", g=23.0))
    batch = [staged("old", g=23.1), staged("a", g=23.0), staged("b", g=20.0), staged("c", last_mjd=TODAY - 6)]
    with database.transaction() as connection:
        create_transient_stage(connection, [judged(*batch)], settings.time())
        assert upsert_to_master(connection, at(settings))[0] == 3
        assert count_born_inactive(connection) == 2


def test_a_band_without_limit_says_nothing_about_faintness(database: Database, settings: Settings) -> None:
    cases = [
        ({"g": 20.6, "r": 20.6}, False),
        ({"g": 20.6, "r": 20.4}, True),
        ({"g": 20.6}, False),
        ({"g": 20.6, "i": 18.0}, False),
        ({"i": 24.0}, True),
    ]
    batch = [staged(f"{i}", **columns) for i, (columns, _) in enumerate(cases)]
    store(database, at(settings, faint_limit={"g": 20.5, "r": 20.5}), *batch)
    assert all_of(database, "active") == [(active,) for _, active in cases]


def test_a_new_detection_switches_an_unseen_object_on_again(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(last_mjd=TODAY - 8, g=19.5))
    assert reason(database) == (False, "unseen")
    assert store(database, at(settings), staged(last_mjd=TODAY, g=19.5)) == (0, 1)
    assert reason(database) == (True, None)


def test_a_brightening_switches_a_faint_object_on_again(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(g=23.0))
    store(database, at(settings), staged(last_mjd=TODAY, g=21.0))
    assert reason(database) == (True, None)


def test_a_stale_batch_switches_nothing_on(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(last_mjd=TODAY - 1, g=23.0))
    store(database, at(settings), staged(last_mjd=TODAY - 3, g=20.0))
    assert reason(database) == (False, "faint")


def test_the_reason_follows_what_is_known(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(last_mjd=TODAY - 8, g=19.5))
    store(database, at(settings), staged(last_mjd=TODAY - 1, g=23.0))
    assert reason(database) == (False, "faint")


def test_an_object_with_a_spectrum_is_never_switched_on(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(last_mjd=TODAY - 8, g=19.5))
    rows_of(database, "UPDATE tides_master SET has_spectrum = TRUE RETURNING 1")
    store(database, at(settings), staged(last_mjd=TODAY, g=18.0))
    assert reason(database) == (False, "spectrum")


def test_a_target_that_fades_is_left_to_the_deactivation(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged(g=19.5))
    store(database, at(settings), staged(last_mjd=TODAY, g=23.0))
    assert reason(database) == (True, None)
    assert deactivate_unobserved_transients(database, at(settings)).deactivated == 1


def test_objects_that_are_not_staged_are_left_alone(database: Database, settings: Settings) -> None:
    store(database, at(settings, TODAY - 20), staged("old", last_mjd=TODAY - 30, g=19.5))
    rows_of(database, "UPDATE tides_master SET inactive_reason = 'by hand' RETURNING 1")
    before = all_of(database, "tides_master::text", "xmin")
    store(database, at(settings), staged("new", g=19.5))
    assert all_of(database, "tides_master::text", "xmin")[1:] == before
