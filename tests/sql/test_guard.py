"""What would change too many targets at once waits for a person; and a wrong limit of one run leaves no trace."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.databases import rows_of
from tests.support.exchanges import Exchanged, joined
from tests.support.staging import TODAY, all_of, at, staged, store
from tests.support.world import FourmostStandin
from tides_bridge.database import Database, run
from tides_bridge.decisions.batch import Switched, deactivate_unobserved_transients
from tides_bridge.decisions.record import put_in_force
from tides_bridge.settings import Settings
from tides_bridge.targets.guard import list_held, release_held

HOUR = timedelta(hours=1)


def guarded(settings: Settings, now: float = TODAY, **guard: Any) -> Settings:
    """With limits of the guard, and a clock."""
    own = settings.targets.guard.model_copy(update={"at_least": 2} | guard)
    return at(settings.model_copy(update={"targets": settings.targets.model_copy(update={"guard": own})}), now)


def held(database: Database) -> list[tuple[str, int, int, int | None]]:
    with database.transaction() as connection:
        return [(each.kind, each.held, each.of_targets, each.released) for each in list_held(connection)]


def targets(database: Database, settings: Settings, *ages: float) -> None:
    """Targets seen last so many days ago, all of which are on."""
    long = settings.targets.model_copy(update={"deactivate_after": timedelta(days=1000)})
    rows = [staged(f"{number}", last_mjd=TODAY - age, r=19.5) for number, age in enumerate(ages)]
    store(database, at(settings.model_copy(update={"targets": long})), *rows)


def reasons(database: Database) -> list[str | None]:
    return [reason for (reason,) in all_of(database, "inactive_reason")]


def test_too_many_at_once_are_left_on_until_a_person_says_so(database: Database, settings: Settings) -> None:
    settings = guarded(settings)
    targets(database, settings, 1, 9, 9, 9, 1)
    for _ in range(2):
        assert deactivate_unobserved_transients(database, settings) == Switched(0, 0, held=3)
        assert held(database) == [("deactivation", 3, 5, None)]
    (found,) = release_held(database, is_dry=True)
    assert re.fullmatch(r"3 of 5 targets would be switched off \(TiDES25aa\w: unseen\)", str(found))
    assert deactivate_unobserved_transients(database, settings).held == 3
    assert release_held(database, is_dry=False) == [found]
    assert release_held(database, is_dry=False) == []
    assert deactivate_unobserved_transients(database, settings) == Switched(3, 0, held=0)
    assert reasons(database) == [None, "unseen", "unseen", "unseen", None]
    assert deactivate_unobserved_transients(database, settings) == Switched(0, 0, held=0)
    assert held(database) == []


@pytest.mark.parametrize(
    ("old", "guard", "is_held"),
    [
        (2, {"at_least": 2, "share": 0.2}, False),
        (3, {"at_least": 2, "share": 0.2}, True),
        (2, {"at_least": 0, "share": 0.2}, False),
        (3, {"at_least": 0, "share": 0.2}, True),
        (10, {"at_least": 0, "share": 1}, False),
        (1, {"at_least": 0, "share": 0}, True),
    ],
)
def test_both_limits_must_be_passed(
    database: Database, settings: Settings, old: int, guard: dict[str, Any], is_held: bool
) -> None:
    settings = guarded(settings, **guard)
    targets(database, settings, *[9.0] * old, *[1.0] * (10 - old))
    found = deactivate_unobserved_transients(database, settings)
    assert found == (Switched(0, 0, old) if is_held else Switched(old, 0, 0))
    if guard["share"] == 1:  # of none that are on, all come on again
        rows_of(database, f"UPDATE tides_master SET last_detection_mjd = {TODAY} RETURNING 1")
        assert deactivate_unobserved_transients(database, settings) == Switched(0, old, 0)


def test_a_release_is_for_so_many_and_for_once(database: Database, settings: Settings) -> None:
    settings = guarded(settings)
    targets(database, settings, 9, 9, 9, 1, 1, 1, 1)
    deactivate_unobserved_transients(database, settings)
    release_held(database, is_dry=False)
    rows_of(database, f"UPDATE tides_master SET last_detection_mjd = {TODAY - 9} RETURNING 1")
    assert deactivate_unobserved_transients(database, settings).held == 7
    assert held(database) == [("deactivation", 7, 7, 3)]
    rows_of(database, f"UPDATE tides_master SET last_detection_mjd = {TODAY} RETURNING 1")
    assert deactivate_unobserved_transients(database, settings) == Switched(0, 0, 0)
    rows_of(database, f"UPDATE tides_master SET last_detection_mjd = {TODAY - 9} RETURNING 1")
    assert deactivate_unobserved_transients(database, settings).held == 7
    assert held(database) == [("deactivation", 7, 7, None)], "what was released and never done is forgotten"


def test_what_is_held_keeps_no_other_change(database: Database, settings: Settings) -> None:
    settings = guarded(settings)
    targets(database, settings, 9, 9, 9, 1, 1)
    rows_of(database, "UPDATE tides_master SET has_spectrum = (object_id = '3') RETURNING 1")
    off = "UPDATE tides_master SET active = FALSE, inactive_reason = 'faint' WHERE object_id = '4' RETURNING 1"
    rows_of(database, off)
    assert deactivate_unobserved_transients(database, settings) == Switched(1, 1, held=3)
    assert reasons(database) == [None, None, None, "spectrum", None]


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(st.floats(0, 20), min_size=1, max_size=8),
    magnitudes=st.lists(st.floats(15, 25), min_size=8, max_size=8),
    wrong=st.lists(st.tuples(st.floats(0.01, 30), st.floats(10, 26), st.floats(-40, 40)), min_size=1, max_size=3),
)
def test_runs_with_wrong_limits_or_clocks_leave_no_trace(
    database: Database,
    settings: Settings,
    ages: list[float],
    magnitudes: list[float],
    wrong: list[tuple[float, float, float]],
) -> None:
    """Whatever was decided before: after a right run the state is that of a database that only knows right runs."""
    rows_of(database, "TRUNCATE tides_master, association CASCADE; SELECT 1")
    settings = guarded(settings, at_least=100)
    rows = [
        staged(f"{number}", last_mjd=TODAY - age, g=magnitudes[number], ra=10.0 * number)
        for number, age in enumerate(ages)
    ]
    store(database, settings, *rows)
    deactivate_unobserved_transients(database, settings)
    right = all_of(database, "active", "inactive_reason")
    for days, limit, clock in wrong:
        limits = {"deactivate_after": timedelta(days=days), "faint_limit": {"g": limit}}
        changed = settings.model_copy(update={"targets": settings.targets.model_copy(update=limits)})
        deactivate_unobserved_transients(database, at(changed, TODAY + clock))
    deactivate_unobserved_transients(database, settings)
    now = all_of(database, "active", "inactive_reason")
    assert [active for active, _ in now] == [active for active, _ in right]
    for number, (active, reason) in enumerate(now):
        assert (reason is None) == active
        assert reason in (None, "unseen" if ages[number] > 5 else "faint", "faint"), ages[number]


def test_too_many_do_not_come_back_at_once_either(database: Database, settings: Settings) -> None:
    """One run with a clock a year behind would switch on all that was ever unseen."""
    settings = guarded(settings)
    targets(database, settings, 1, 9, 9, 9, 1)
    deactivate_unobserved_transients(database, settings)
    release_held(database, is_dry=False)
    assert deactivate_unobserved_transients(database, settings) == Switched(3, 0, 0)
    before = reasons(database)
    behind = at(settings, TODAY - 365)
    assert deactivate_unobserved_transients(database, behind) == Switched(0, 0, held=3)
    assert held(database) == [("activation", 3, 2, None)]
    assert deactivate_unobserved_transients(database, settings) == Switched(0, 0, 0)
    assert (held(database), reasons(database)) == ([], before)
    assert deactivate_unobserved_transients(database, behind).held == 3
    release_held(database, is_dry=False)
    assert deactivate_unobserved_transients(database, behind) == Switched(0, 3, 0)


def test_a_release_is_over_after_a_week(database: Database, settings: Settings) -> None:
    settings = guarded(settings)
    targets(database, settings, 9, 9, 9, 1)
    deactivate_unobserved_transients(database, settings)
    release_held(database, is_dry=False)
    rows_of(database, "UPDATE held_change SET released_at = now() - interval '8 days' RETURNING 1")
    assert deactivate_unobserved_transients(database, settings) == Switched(0, 0, held=3)


# At 4MOST


def test_targets_that_would_all_be_moved_or_change_are_left_as_they_are(database: Database, settings: Settings) -> None:
    with FourmostStandin("--ingest-at", "off") as fourmost:
        settings = guarded(joined(settings, fourmost))
        targets(database, settings, *[1.0] * 6)
        assert Exchanged(database, settings).counts() == (6, 0, 0, 0)
        before = {row["id"]: row for row in fourmost.rows()}

        def exchanged() -> dict[str, list[int]]:
            """Numbers of the targets whose place or magnitude is another one now."""
            exchange = Exchanged(database, settings)
            assert not exchange.outages
            now = {row["id"]: row for row in fourmost.rows()}
            assert now.keys() == before.keys()
            return {
                column: [number for number, key in enumerate(sorted(now)) if now[key][column] != before[key][column]]
                for column in ("dec", "mag", "date_earliest")
            }

        change = "UPDATE tides_master SET decl = decl + 0.01 WHERE object_id IN ('0', '1', '2') RETURNING 1"
        rows_of(database, change)
        brighter = "UPDATE object_brightness SET latest_mag = 12 WHERE band = 'r' AND object_id IN ('2', '3', '4')"
        rows_of(database, f"{brighter} RETURNING 1")
        small = "UPDATE tides_master SET decl = decl + 0.0003, last_detection_mjd = last_detection_mjd + 0.1"
        rows_of(database, f"{small} WHERE object_id = '5' RETURNING 1")
        assert exchanged() == {"dec": [5], "mag": [], "date_earliest": [5]}
        assert held(database) == [("magnitude", 3, 6, None), ("position", 3, 6, None)]
        run_release = [str(each) for each in release_held(database, is_dry=False)]
        assert "magnitudes at 4MOST, by more than targets.guard.magnitude (TiDES25aa" in run_release[0]
        assert exchanged() == {"dec": [0, 1, 2, 5], "mag": [2, 3, 4], "date_earliest": [5]}
        assert exchanged() == {"dec": [0, 1, 2, 5], "mag": [2, 3, 4], "date_earliest": [5]}
        assert held(database) == []


# The record


def months(database: Database) -> set[str]:
    found = rows_of(database, "SELECT relname FROM pg_class WHERE relname ~ '^decision_\\d{4}_\\d{2}$'")
    return {row["relname"][-7:] for row in found}


def keeping(settings: Settings, time: timedelta) -> Settings:
    return settings.model_copy(update={"decisions": settings.decisions.model_copy(update={"keep_for": time})})


def test_more_than_a_month_of_decisions_is_kept_until_a_person_says_so(database: Database, settings: Settings) -> None:
    old = {"2020_01", "2020_02", "2020_03"}
    with database.transaction() as connection:
        for month in sorted(old):
            now = datetime.strptime(f"{month} +0000", "%Y_%m %z")
            run(connection, "decisions/prepare_decisions.sql", {"now": now, "before": None})
    old = {month for month in months(database) if month < "2021"}
    assert len(old) == 4  # the month after each is made, too
    assert put_in_force(database, keeping(settings, HOUR), []) == 0
    assert old <= months(database)
    ((kind, number, _, _),) = held(database)
    assert (kind, number >= 4) == ("record", True)
    release_held(database, is_dry=False)
    rows_of(database, "UPDATE held_change SET released = NULL RETURNING 1")
    put_in_force(database, settings, [])  # which keeps all
    assert held(database) == [] and old <= months(database)
    assert put_in_force(database, keeping(settings, timedelta(days=400)), []) == 0
    release_held(database, is_dry=False)
    put_in_force(database, keeping(settings, timedelta(days=400)), [])
    assert not old & months(database)
    assert put_in_force(database, keeping(settings, timedelta(days=400)), []) == 0
    assert held(database) == []


def test_a_clock_that_runs_ahead_drops_no_month(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_of(database, "INSERT INTO run_log (kind, ended_at) VALUES ('pull', now()) RETURNING 1")
    now, kept = datetime.now(UTC), months(database)

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return now + timedelta(days=45)

    monkeypatch.setattr("tides_bridge.decisions.record.datetime", Ahead)
    assert put_in_force(database, keeping(settings, timedelta(days=1)), []) == 0
    assert kept <= months(database)
