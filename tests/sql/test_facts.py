"""What is known of a target follows from every alert of its objects; its state from that, the rules and now."""

from typing import Any

import pytest

from tests.support.databases import rows_of
from tests.support.staging import TODAY, all_of, at, master, staged, store
from tides_bridge.database import Database
from tides_bridge.decisions.batch import deactivate_unobserved_transients
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.settings import Settings
from tides_bridge.targets.life import coming_night

SEEN = {"survey": "lsst", "last_mjd": TODAY - 1}


def state(database: Database, settings: Settings, object_id: str) -> tuple[bool, str | None]:
    """Judge all targets, and tell what became of that of an object."""
    deactivate_unobserved_transients(database, settings)
    row = master(database, object_id)
    return row["active"], row["inactive_reason"]


def tonight(database: Database, name: str, mags: dict[str, float], error: float = 0.1, **columns: Any) -> None:
    """Say how bright the target of an object is expected."""
    values = ", ".join("NULL" if mags.get(band) is None else str(mags[band]) for band in BANDS)
    row = {"at_mjd": coming_night(TODAY), "is_known": True} | columns
    rows_of(
        database,
        "INSERT INTO target_tonight (tides_id, at_mjd, system, mags, errors, methods, is_known, worked_out_at) "
        f"SELECT tides_id, {row['at_mjd']}, 'LSST', ARRAY[{values}]::float[], "
        f"array_fill({error}::float, ARRAY[6]), array_fill('test'::text, ARRAY[6]), {row['is_known']}, now() "
        f"FROM association WHERE object_id = '{name}' RETURNING 1",
    )


# Facts and verdicts


def test_an_alert_that_does_not_pass_updates_what_is_known_of_a_target(database: Database, settings: Settings) -> None:
    store(database, at(settings), *(staged(name, last_mjd=TODAY - 10, r=19.8, g=20.0) for name in ("a", "b")))
    assert state(database, at(settings), "a") == (False, "unseen")
    later = {"last_mjd": TODAY - 0.1, "r": 18.5, "i": 18.7, "n_detections": 9, "selection_function": "another"}
    before = master(database, "b")
    assert store(database, at(settings), staged("a", passes=False, **later), staged("c", passes=False, **later)) == (
        0,
        1,
    )
    row = master(database, "a")
    assert (row["last_detection_mjd"], row["r_latest_mag"], row["i_latest_mag"]) == (TODAY - 0.1, 18.5, 18.7)
    assert (row["g_latest_mag"], row["n_detections"], row["active"]) == (20.0, 9, True)
    assert row["selection_function"] == "tidesSNZTFSelect"  # which chose it
    assert master(database, "b") == before
    assert all_of(database, "object_id") == [("a",), ("b",)]
    assert rows_of(database, "SELECT object_id FROM association ORDER BY 1") == [{"object_id": "a"}, {"object_id": "b"}]
    assert not rows_of(database, "SELECT 1 FROM object_brightness WHERE object_id = 'c'")


@pytest.mark.parametrize("keeps", [True, False])
def test_what_becomes_of_a_target_that_no_longer_passes_is_a_setting(
    database: Database, settings: Settings, keeps: bool
) -> None:
    settings = at(settings, keep_unselected=keeps)
    store(database, settings, staged("a", r=19.5), staged("b", r=19.5))
    store(database, settings, staged("a", last_mjd=TODAY - 0.5, r=19.4, passes=False))
    expected = (True, None) if keeps else (False, "unselected")
    assert state(database, settings, "a") == expected
    assert state(database, settings, "b") == (True, None)
    # An older alert, which passed, says nothing of today; a newer one does.
    store(database, settings, staged("a", last_mjd=TODAY - 0.7, r=19.4))
    assert state(database, settings, "a") == expected
    store(database, settings, staged("a", last_mjd=TODAY - 0.4, r=19.4))
    assert state(database, settings, "a") == (True, None)


def test_one_object_of_a_target_that_passes_is_enough(database: Database, settings: Settings) -> None:
    settings, place = at(settings, keep_unselected=False), {"ra": 50.0, "r": 19.5}
    store(database, settings, staged("a", **place), staged("b", survey="lsst", **place))
    store(database, settings, staged("a", passes=False, **place))
    assert state(database, settings, "a") == (True, None)
    store(database, settings, staged("b", survey="lsst", passes=False, **place))
    assert state(database, settings, "a") == (False, "unselected")


def test_what_was_taken_for_later_than_now_gives_way_to_what_is_true(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("a", last_mjd=TODAY + 300, r=15.0), staged("b", last_mjd=TODAY + 0.9, r=15.0))
    store(database, at(settings), staged("a", r=19.5, n_detections=6), staged("b", r=19.5))
    assert [master(database, "a")[name] for name in ("last_detection_mjd", "r_latest_mag")] == [TODAY - 1, 19.5]
    assert [master(database, "b")[name] for name in ("last_detection_mjd", "r_latest_mag")] == [TODAY + 0.9, 15.0]
    # What never was is not its brightest either.
    brightest = ("r_brightest_mag", "r_brightest_mjd")
    assert [[master(database, name)[column] for column in brightest] for name in "ab"] == [
        [19.5, TODAY - 1],
        [15.0, TODAY + 0.9],
    ]


def test_errors_and_counts_go_with_their_magnitude(database: Database, settings: Settings) -> None:
    store(
        database, at(settings), staged("a", last_mjd=TODAY - 3, r=19.0) | {"r_latest_error": 0.1, "r_n_detections": 2}
    )
    newer = staged("a", last_mjd=TODAY - 2, r=20.0) | {"r_latest_error": 0.3, "r_n_detections": 3}
    older = staged("a", last_mjd=TODAY - 5, r=18.0) | {"r_latest_error": 0.5, "r_brightest_error": 0.5}
    store(database, at(settings), newer)
    store(database, at(settings), older)
    columns = "latest_mag, latest_error, latest_mjd, brightest_mag, brightest_error, n_detections"
    (row,) = rows_of(database, f"SELECT {columns} FROM object_brightness")
    assert tuple(row.values()) == (20.0, 0.3, TODAY - 2, 18.0, 0.5, 3)


# Looks


@pytest.mark.parametrize("band", BANDS)
def test_a_look_without_a_detection_counts_in_its_own_band(database: Database, settings: Settings, band: str) -> None:
    """Deep limits and forced photometry show that it faded; a shallow limit shows nothing; an old look neither."""
    looks: dict[str, tuple[dict[str, float], bool]] = {
        "deep": ({"limit_mag": 22.6, "limit_mjd": TODAY - 0.5}, True),
        "shallow": ({"limit_mag": 22.4, "limit_mjd": TODAY - 0.5}, False),
        "before": ({"limit_mag": 24.0, "limit_mjd": TODAY - 1.5}, False),
        "nothing": ({"forced_flux": -90.0, "forced_error": 80.0, "forced_mjd": TODAY - 0.5}, True),
        "faint": ({"forced_flux": 3000.0, "forced_error": 300.0, "forced_mjd": TODAY - 0.5}, True),
        "unsure": ({"forced_flux": 3500.0, "forced_error": 300.0, "forced_mjd": TODAY - 0.5}, False),
    }
    rows = [
        staged(name, **{band: 21.0}) | {f"{band}_{column}": value for column, value in look.items()}
        for name, (look, _) in looks.items()
    ]
    settings = at(settings, rule="days")
    store(database, settings, *rows)
    found = dict(all_of(database, "object_id", "inactive_reason"))
    assert found == {name: "faint" if is_faint else None for name, (_, is_faint) in looks.items()}
    # Another band that is bright keeps it on, and one of which nobody asks says nothing.
    other = next(each for each in BANDS if each != band)
    store(database, settings, staged("deep", last_mjd=TODAY - 0.9, **{other: 21.0}))
    assert state(database, settings, "deep") == (True, None)
    assert state(database, at(settings, faint_limit={band: 22.5}), "deep") == (False, "faint")


# Tomorrow's brightness


@pytest.mark.parametrize(
    ("mag", "error", "expected"),
    [(22.4, 0.0, None), (22.59, 0.1, None), (22.61, 0.1, "faint"), (22.9, 0.5, None), (30.0, 0.1, "faint")],
)
def test_the_prediction_decides_where_there_is_one(
    database: Database, settings: Settings, mag: float, error: float, expected: str | None
) -> None:
    """Whatever was measured, and however long ago within twenty days."""
    store(database, at(settings), staged("a", last_mjd=TODAY - 12, r=19.0), staged("b", last_mjd=TODAY - 12, r=19.0))
    tonight(database, "a", {"r": mag, "i": 15.0}, error)
    assert state(database, at(settings, rule="predicted"), "a") == (expected is None, expected)
    assert state(database, at(settings, rule="predicted"), "b") == (False, "unseen")
    assert not state(database, at(settings, rule="days"), "a")[0]


def test_the_band_that_4most_is_told_decides_or_all_that_have_a_limit(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("a", r=19.0), staged("b", r=19.0))
    tonight(database, "a", {"r": 25.0, "g": 19.0})
    tonight(database, "b", {"r": 19.0, "g": 25.0})
    predicted = at(settings, rule="predicted")
    assert [state(database, predicted, name)[1] for name in "ab"] == ["faint", None]
    of_g = at(settings, rule="predicted", faint_limit={"g": 22.5, "i": 22.5})
    assert [state(database, of_g, name)[1] for name in "ab"] == [None, "faint"]


@pytest.mark.parametrize("column", [{"is_known": False}, {"at_mjd": TODAY - 1.2}])
def test_a_prediction_that_is_none_leaves_it_to_the_days(
    database: Database, settings: Settings, column: dict[str, Any]
) -> None:
    store(database, at(settings), staged("a", r=19.0), staged("b", last_mjd=TODAY - 6, r=19.0))
    for name in "ab":
        tonight(database, name, {"r": 25.0 if name == "a" else 19.0}, **column)
    predicted = at(settings, rule="predicted")
    assert [state(database, predicted, name)[1] for name in "ab"] == [None, "unseen"]


def test_nobody_looked_is_told_from_nothing_seen(database: Database, settings: Settings) -> None:
    rows = [staged(name, last_mjd=TODAY - 21, r=19.0) for name in "ab"]
    rows[1] |= {"g_limit_mag": 20.0, "g_limit_mjd": TODAY - 3}
    store(database, at(settings, TODAY - 20), *rows)
    for name in "ab":
        tonight(database, name, {"r": 20.0})
    predicted = at(settings, rule="predicted")
    assert [state(database, predicted, name)[1] for name in "ab"] == ["unseen", None]
    assert state(database, at(settings, rule="predicted", unlooked_after=settings.targets.unlooked_after * 2), "a")[0]


def test_the_rule_is_the_users_if_he_says_after_how_many_days(settings: Settings) -> None:
    targets = settings.targets
    assert targets.model_validate({}).life_rule == "predicted"
    assert targets.model_validate({"deactivateAfter": "5 days"}).life_rule == "days"
    assert targets.model_validate({"deactivateAfter": "5 days", "rule": "predicted"}).life_rule == "predicted"
    assert targets.model_validate({"rule": "days"}).life_rule == "days"
