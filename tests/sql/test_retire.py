from typing import Any

from tests.support.databases import rows_of
from tests.support.staging import TODAY, all_of, at, master, staged, store
from tides_bridge.database import Database
from tides_bridge.decisions.batch import deactivate_unobserved_transients
from tides_bridge.settings import Settings

RULES: list[tuple[dict[str, Any], str | None]] = [
    ({"last_mjd": 60995.0, "g": 19.5}, None),  # five days exactly
    ({"last_mjd": 60994.999, "g": 19.5}, "unseen"),
    ({"last_mjd": 60990.0, "g": 23.0}, "unseen"),
    ({"g": 22.5, "r": 23.0}, None),
    ({"g": 22.51, "r": 23.0}, "faint"),
    ({"y": 22.51}, "faint"),
    ({"g": (23.0, 60999.0, 18.0, 60990.0)}, "faint"),
    ({"g": (19.0, 60995.0, 18.0, 60990.0), "r": 23.0}, None),  # as fresh as five days
    ({"g": (19.0, 60994.9, 18.0, 60990.0), "r": 23.0}, "faint"),  # a band of another time keeps nobody on
    ({"g": (23.0, 60994.9, 18.0, 60990.0)}, None),  # and switches nobody off
    ({}, None),
]


def test_unseen_and_faint_targets_are_switched_off(database: Database, settings: Settings) -> None:
    batch = [staged(f"{i:02}", **columns) for i, (columns, _) in enumerate(RULES)]
    store(database, at(settings, faint_limit={}, deactivate_after=settings.targets.deactivate_after * 10), *batch)
    assert {active for (active,) in all_of(database, "active")} == {True}
    assert deactivate_unobserved_transients(database, at(settings)).deactivated == 6
    assert all_of(database, "active", "inactive_reason") == [(reason is None, reason) for _, reason in RULES]


def test_twice_changes_nothing_more(database: Database, settings: Settings) -> None:
    store(database, at(settings, TODAY - 4), staged("old", last_mjd=TODAY - 8, g=19.5), staged("new", g=19.5))
    assert deactivate_unobserved_transients(database, at(settings)).deactivated == 1
    before = all_of(database, "tides_master::text", "xmin")
    assert deactivate_unobserved_transients(database, at(settings)).deactivated == 0
    assert all_of(database, "tides_master::text", "xmin") == before


def test_targets_that_are_off_are_left_alone_whatever_is_wrong_with_them(
    database: Database, settings: Settings
) -> None:
    """D3.3.4's ``active and old or faint`` took the faint ones among them, too."""
    store(database, at(settings), staged("old", last_mjd=TODAY - 8, g=19.5), staged("faint", g=23.0))
    rows_of(database, "UPDATE tides_master SET inactive_reason = 'by hand' RETURNING 1")
    before = all_of(database, "tides_master::text", "xmin")
    assert deactivate_unobserved_transients(database, at(settings)).deactivated == 0
    assert all_of(database, "tides_master::text", "xmin") == before


def test_a_band_without_limit_says_nothing(database: Database, settings: Settings) -> None:
    """The rule of D3.3.4: r and g both fainter than 20.5."""
    store(database, at(settings), staged("a", g=20.6, r=20.6, i=18.0), staged("b", g=20.6, r=20.4), staged("c", i=22.0))
    assert deactivate_unobserved_transients(database, at(settings, faint_limit={"g": 20.5, "r": 20.5})).deactivated == 1
    assert all_of(database, "object_id", "inactive_reason") == [("a", "faint"), ("b", None), ("c", None)]


def test_what_was_switched_off_comes_back_with_a_new_detection(database: Database, settings: Settings) -> None:
    store(database, at(settings, TODAY), staged(last_mjd=TODAY, g=19.5))
    assert deactivate_unobserved_transients(database, at(settings, TODAY + 6)).deactivated == 1
    assert master(database)["inactive_reason"] == "unseen"
    store(database, at(settings, TODAY + 6), staged(last_mjd=TODAY + 6, g=19.5))
    row = master(database)
    assert (row["active"], row["inactive_reason"]) == (True, None)
    assert deactivate_unobserved_transients(database, at(settings, TODAY + 6)).deactivated == 0


def test_a_repeated_batch_does_not_undo_it(database: Database, settings: Settings) -> None:
    batch = staged(last_mjd=TODAY, g=19.5)
    store(database, at(settings, TODAY), batch)
    deactivate_unobserved_transients(database, at(settings, TODAY + 6))
    assert store(database, at(settings, TODAY + 6), batch) == (0, 0)
    assert master(database)["active"] is False


def test_a_day_of_the_settings_is_a_day_of_the_script(database: Database, settings: Settings) -> None:
    half_a_day = settings.targets.deactivate_after / 10
    store(database, at(settings), staged("a", last_mjd=60999.4), staged("b", last_mjd=60999.6))
    assert deactivate_unobserved_transients(database, at(settings, deactivate_after=half_a_day)).deactivated == 1
    assert all_of(database, "object_id", "active") == [("a", False), ("b", True)]


def test_a_target_whose_spectrum_was_taken_is_switched_off(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("a", g=19.5), staged("b", g=19.5))
    rows_of(database, "UPDATE tides_master SET has_spectrum = TRUE WHERE object_id = 'a' RETURNING 1")
    assert deactivate_unobserved_transients(database, at(settings)).deactivated == 1
    assert all_of(database, "object_id", "inactive_reason") == [("a", "spectrum"), ("b", None)]
