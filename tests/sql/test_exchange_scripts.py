import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.staging import TODAY, all_of, at, master, staged, store
from tides_bridge.database import Database, run
from tides_bridge.errors import ScriptError
from tides_bridge.settings import Settings

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)


@pytest.fixture
def targets(database: Database, settings: Settings) -> Database:
    """A database with the active targets a and b and the inactive one c."""
    store(database, at(settings), staged("a", g=19.5), staged("b", g=19.5), staged("c", last_mjd=TODAY - 9, g=19.5))
    return database


def call(database: Database, name: str, *parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return run(
            connection,
            f"exchange/{name}.sql",
            list(parameters) if len(parameters) > 1 else next(iter(parameters), None),
        )


def key(database: Database, object_id: str) -> int:
    return int(master(database, object_id)["tides_id"])


def told(database: Database, object_id: str, pk: int, **payload: Any) -> None:
    parameters = {"tides_id": key(database, object_id), "pk": pk, "told": json.dumps(payload), "now": NOW}
    call(database, "store_told", parameters)


def listed(database: Database) -> list[str]:
    return [row["name"] for row in call(database, "list_targets")]


def test_active_targets_are_listed(targets: Database) -> None:
    assert listed(targets) == ["a", "b"]


def test_targets_that_4most_takes_for_active_are_listed_until_it_knows_better(targets: Database) -> None:
    told(targets, "c", 7, is_active=True)
    assert listed(targets) == ["a", "b", "c"]
    told(targets, "c", 7, is_active=False)
    assert listed(targets) == ["a", "b"]


def test_a_listed_row_has_what_a_payload_needs(targets: Database) -> None:
    (row, _) = call(targets, "list_targets")
    assert row == {
        "tides_id": key(targets, "a"),
        "name": "a",
        "ra": 10.5,
        "decl": -20.25,
        "last_detection_mjd": 60999.0,
        "u_latest_mag": None,
        "g_latest_mag": 19.5,
        "r_latest_mag": None,
        "i_latest_mag": None,
        "z_latest_mag": None,
        "y_latest_mag": None,
        "active": True,
        "pk_4most": None,
        "create_asked_4most_at": None,
        "told_4most": None,
        "refused_4most": None,
        "refused_4most_payload": None,
        "date_ingested": None,
    }


def test_what_was_asked_is_noted_for_these_targets_only(targets: Database) -> None:
    call(targets, "store_asked", {"tides_ids": [key(targets, "a"), key(targets, "c"), 2**62], "now": NOW})
    assert all_of(targets, "object_id", "create_asked_4most_at") == [("a", NOW), ("b", None), ("c", NOW)]
    call(targets, "store_asked", {"tides_ids": [], "now": NOW})


def test_what_was_confirmed_ends_a_refusal(targets: Database) -> None:
    refusal = {"tides_id": key(targets, "a"), "reason": "mag: too faint", "payload": '{"mag": 51}'}
    call(targets, "store_refused", refusal)
    row = master(targets, "a")
    assert (row["refused_4most"], row["refused_4most_payload"], row["pk_4most"]) == (
        "mag: too faint",
        {"mag": 51},
        None,
    )
    told(targets, "a", 2**53 + 1, is_active=True, date_latest=2461004.123456789)
    row = master(targets, "a")
    assert (row["refused_4most"], row["refused_4most_payload"]) == (None, None)
    assert (row["pk_4most"], row["told_4most_at"]) == (9007199254740993, NOW)
    assert row["told_4most"] == {"is_active": True, "date_latest": 2461004.123456789}


def test_a_refusal_by_the_format_has_no_payload(targets: Database) -> None:
    refusal = {"tides_id": key(targets, "a"), "reason": "dec: 41.0 is outside", "payload": None}
    call(targets, "store_refused", refusal)
    assert master(targets, "a")["refused_4most_payload"] is None


def test_two_targets_cannot_have_one_key_at_4most(targets: Database) -> None:
    told(targets, "a", 7)
    with pytest.raises(ScriptError, match="pk_4most"):
        told(targets, "b", 7)


def test_ingestion_is_noted_by_4mosts_key(targets: Database) -> None:
    told(targets, "a", 7)
    told(targets, "b", 8)
    rows = [
        {"pk": pk, "ostd_targ_id": 100 + pk, "ostd_u_obj_id": 2**62 + pk, "date_ingested": "2026-06-09T15:00:00+02:00"}
        for pk in (7, 999)
    ]
    call(targets, "store_ingested", *rows)
    assert all_of(targets, "ostd_targ_id", "ostd_u_obj_id", "date_ingested") == [
        (107, 4611686018427387911, datetime(2026, 6, 9, 13, tzinfo=UTC)),
        (None, None, None),
        (None, None, None),
    ]


def test_the_newest_ingestion_is_known(targets: Database) -> None:
    assert call(targets, "newest_ingestion") == [{"date_ingested": None}]
    for name, pk, date in (("a", 7, "2026-06-09T15:00:00+02:00"), ("b", 8, "2026-01-09T15:00:00+01:00")):
        told(targets, name, pk)
        call(targets, "store_ingested", {"pk": pk, "ostd_targ_id": 1, "ostd_u_obj_id": 2, "date_ingested": date})
    assert call(targets, "newest_ingestion") == [{"date_ingested": datetime(2026, 6, 9, 13, tzinfo=UTC)}]


def test_repeated_answers_change_nothing(targets: Database) -> None:
    states = []
    for _ in range(2):
        call(targets, "store_asked", {"tides_ids": [key(targets, "a")], "now": NOW})
        told(targets, "a", 7, is_active=True)
        call(targets, "store_ingested", {"pk": 7, "ostd_targ_id": 1, "ostd_u_obj_id": 2, "date_ingested": NOW})
        call(targets, "store_refused", {"tides_id": key(targets, "b"), "reason": "x", "payload": "{}"})
        states.append(all_of(targets, "object_id", "updated_at", "xmin"))
    assert states[0] == states[1]
