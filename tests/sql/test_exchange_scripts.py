import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.databases import rows_of
from tests.support.exchanges import EVERYTHING
from tests.support.staging import TODAY, all_of, at, master, place_of, staged, store
from tides_bridge.database import Database, run
from tides_bridge.errors import ScriptError
from tides_bridge.settings import Settings

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)


@pytest.fixture
def targets(database: Database, settings: Settings) -> Database:
    """A database with the active targets a and b and the inactive one c, called as their objects are."""
    old = staged("c", last_mjd=TODAY - 9, first_detection_mjd=TODAY - 11, g=19.5)
    store(database, at(settings), staged("a", g=19.5), staged("b", g=19.5), old)
    rows_of(database, "UPDATE tides_master SET name = object_id RETURNING 1")
    return database


def call(database: Database, name: str, *parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return run(
            connection,
            f"fourmost/{name}.sql",
            list(parameters) if len(parameters) > 1 else next(iter(parameters), None),
        )


def key(database: Database, object_id: str) -> int:
    return int(master(database, object_id)["tides_id"])


def ask(database: Database, *object_ids: str, operation: str = "create", **payload: Any) -> None:
    """Note what 4MOST is going to be asked about some targets."""
    intents = [
        {"tides_id": key(database, object_id), "operation": operation, "pk": None, "payload": payload}
        for object_id in object_ids
    ]
    call(database, "store_intents", {"intents": json.dumps(intents)})


def answer(
    database: Database,
    object_id: str,
    status: str,
    *,
    pk: int | None = None,
    payload: dict[str, Any] | None = None,
    said: str | None = None,
) -> None:
    """Note what 4MOST answered about a target."""
    given = {"tides_id": key(database, object_id), "status": status, "pk": pk, "payload": payload, "answer": said}
    waits = {"first_wait": timedelta(hours=1), "longest_wait": timedelta(days=7)}
    call(database, "store_answers", {"answers": json.dumps([given]), **waits})


def told(database: Database, object_id: str, pk: int, **payload: Any) -> None:
    answer(database, object_id, "confirmed", pk=pk, payload=payload)


def log(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    rows = rows_of(database, f"SELECT {', '.join(columns)} FROM exchange_log ORDER BY exchange_id")
    return [tuple(row.values()) for row in rows]


def listed(database: Database) -> list[str]:
    return [row["name"] for row in call(database, "list_targets", EVERYTHING)]


def test_active_targets_are_listed(targets: Database) -> None:
    assert listed(targets) == ["a", "b"]


def test_targets_that_4most_takes_for_active_are_listed_until_it_knows_better(targets: Database) -> None:
    told(targets, "c", 7, is_active=True)
    assert listed(targets) == ["a", "b", "c"]
    told(targets, "c", 7, is_active=False)
    assert listed(targets) == ["a", "b"]


def test_a_listed_row_has_what_a_payload_needs(targets: Database) -> None:
    (row, _) = call(targets, "list_targets", EVERYTHING)
    assert row == {
        "tides_id": key(targets, "a"),
        "name": "a",
        "host": None,
        "ra": place_of("ztf", "a"),
        "decl": -20.25,
        "last_detection_mjd": 60999.0,
        "magnitudes": {"ztf_g": {"mag": 19.5, "mjd": 60999.0, "error": None}},
        "tonight": None,
        "respected_4most": None,
        "forced_until_mjd": None,
        "active": True,
        "pk_4most": None,
        "wanted_4most": None,
        "told_4most": None,
        "refused_4most": None,
        "refused_4most_payload": None,
        "is_refused_still": False,
        "otherwise_4most": None,
        "date_ingested": None,
        "annotations": {},
    }


# Intents and answers


def test_an_intent_is_logged_and_stands_open(targets: Database) -> None:
    ask(targets, "a", "c", mag=19.5)
    ask(targets)
    assert log(targets, "tides_id", "operation", "status", "attempt", "payload", "intent_id") == [
        (key(targets, name), "create", "asked", 1, {"mag": 19.5}, None) for name in "ac"
    ]
    assert all_of(targets, "object_id", "asked_4most") == [("a", 1), ("b", None), ("c", 2)]


def test_a_target_with_an_open_intent_is_not_spoken_of(targets: Database) -> None:
    ask(targets, "a", mag=19.5)
    assert listed(targets) == ["b"]
    (open_intent,) = call(targets, "list_unanswered")
    assert open_intent == {
        "tides_id": key(targets, "a"),
        "name": "a",
        "ra": place_of("ztf", "a"),
        "dec": -20.25,
        "pk_4most": None,
        "told_4most": None,
        "operation": "create",
        "payload": {"mag": 19.5},
    }


def test_the_same_intent_again_is_another_attempt(targets: Database) -> None:
    ask(targets, "a", "b", mag=19.5)
    ask(targets, "a", mag=19.5)
    ask(targets, "a", mag=19.6)
    ask(targets, "a", operation="update", mag=19.6)
    assert log(targets, "attempt") == [(1,), (1,), (2,), (1,), (1,)]


def test_a_confirmation_ends_an_intent(targets: Database) -> None:
    ask(targets, "a", mag=19.5)
    told(targets, "a", 2**53 + 1, is_active=True, date_latest=2461004.123456789)
    row = master(targets, "a")
    assert (row["asked_4most"], row["pk_4most"], row["refused_4most"]) == (None, 9007199254740993, None)
    assert row["told_4most"] == {"is_active": True, "date_latest": 2461004.123456789}
    assert row["told_4most_at"] is not None
    assert log(targets, "operation", "status", "intent_id", "pk_4most", "payload")[1] == (
        "create",
        "confirmed",
        1,
        9007199254740993,
        None,
    )
    assert listed(targets) == ["a", "b"]


def test_an_answer_has_the_operation_and_attempt_of_its_intent(targets: Database) -> None:
    for _ in range(2):
        ask(targets, "a", operation="deactivate", is_active=False)
        answer(targets, "a", "unanswered", said="timed out")
    assert log(targets, "operation", "status", "intent_id", "attempt", "answer") == [
        ("deactivate", "asked", None, 1, None),
        ("deactivate", "unanswered", 1, 1, "timed out"),
        ("deactivate", "asked", None, 2, None),
        ("deactivate", "unanswered", 3, 2, "timed out"),
    ]


def test_what_was_not_answered_stays_open_and_changes_nothing_else(targets: Database) -> None:
    told(targets, "a", 7, is_active=True)
    ask(targets, "a", operation="update", mag=19.5)
    before = all_of(targets, "tides_master::text", "xmin")
    answer(targets, "a", "unanswered", said="timed out")
    assert all_of(targets, "tides_master::text", "xmin") == before
    assert [row["name"] for row in call(targets, "list_unanswered")] == ["a"]


def test_what_4most_does_not_have_is_not_open_any_more(targets: Database) -> None:
    ask(targets, "a", mag=19.5)
    answer(targets, "a", "absent", said="no such row")
    row = master(targets, "a")
    assert (row["asked_4most"], row["pk_4most"], row["told_4most"]) == (None, None, None)
    assert listed(targets) == ["a", "b"]


def test_what_was_adopted_is_what_4most_knows_and_is_in_the_log(targets: Database) -> None:
    ask(targets, "a", mag=19.5)
    answer(targets, "a", "adopted", pk=7, payload={"mag": 18.0}, said="found as 7")
    row = master(targets, "a")
    assert (row["asked_4most"], row["pk_4most"], row["told_4most"]) == (None, 7, {"mag": 18.0})
    assert log(targets, "status", "pk_4most", "payload", "answer")[1] == ("adopted", 7, {"mag": 18.0}, "found as 7")


def test_what_was_confirmed_ends_a_refusal(targets: Database) -> None:
    ask(targets, "a", mag=51)
    answer(targets, "a", "refused", payload={"mag": 51}, said="mag: too faint")
    columns = ("refused_4most", "refused_4most_payload", "pk_4most", "asked_4most")
    assert [master(targets, "a")[column] for column in columns] == ["mag: too faint", {"mag": 51}, None, None]
    told(targets, "a", 7, mag=50)
    assert [master(targets, "a")[column] for column in columns] == [None, None, 7, None]


def test_a_refused_change_leaves_what_4most_knows(targets: Database) -> None:
    told(targets, "a", 7, mag=19.5)
    ask(targets, "a", operation="update", mag=51)
    answer(targets, "a", "refused", payload={"mag": 51}, said="mag: too faint")
    row = master(targets, "a")
    assert (row["pk_4most"], row["told_4most"], row["refused_4most_payload"]) == (7, {"mag": 19.5}, {"mag": 51})
    assert row["asked_4most"] is None


def test_an_answer_that_nobody_asked_for_is_one_of_the_reconciliation(targets: Database) -> None:
    answer(targets, "a", "adopted", pk=7, payload={"is_active": True})
    assert log(targets, "operation", "status", "intent_id", "attempt") == [("reconcile", "adopted", None, 1)]


@pytest.mark.parametrize("change", ["UPDATE exchange_log SET answer = 'x' RETURNING 1", "DELETE FROM exchange_log"])
def test_the_log_is_only_added_to(targets: Database, change: str) -> None:
    ask(targets, "a", mag=19.5)
    before = log(targets, "exchange_log::text")
    with pytest.raises(ScriptError, match="exchange_log is only added to"):
        rows_of(targets, change)
    assert log(targets, "exchange_log::text") == before


def test_a_target_in_the_log_cannot_be_removed(targets: Database) -> None:
    ask(targets, "a", mag=19.5)
    with pytest.raises(ScriptError, match="foreign key"):
        rows_of(targets, "DELETE FROM tides_master RETURNING 1")


# What is wanted and not allowed


def test_what_is_wanted_is_kept_as_long_as_it_is_wanted(targets: Database) -> None:
    def want(**changes: dict[str, float] | None) -> list[Any]:
        wanted = [{"tides_id": key(targets, name), "changes": change} for name, change in changes.items()]
        call(targets, "store_wanted", {"wanted": json.dumps(wanted)})
        return [wanted for (wanted,) in all_of(targets, "wanted_4most")]

    assert want(a={"mag": 19.5}, b={"mag": 20.5}) == [{"mag": 19.5}, {"mag": 20.5}, None]
    assert want(a={"mag": 19.6}, b=None) == [{"mag": 19.6}, None, None]
    assert want(c=None) == [{"mag": 19.6}, None, None]
    assert want(a=None) == [None, None, None]


def test_what_is_wanted_as_before_changes_nothing(targets: Database) -> None:
    wanted = {"wanted": json.dumps([{"tides_id": key(targets, "a"), "changes": {"mag": 19.5}}])}
    states = []
    for _ in range(2):
        call(targets, "store_wanted", wanted)
        states.append(all_of(targets, "tides_master::text", "xmin"))
    assert states[0] == states[1]


# Reconciliation


def test_all_targets_are_listed_with_what_we_believe(targets: Database) -> None:
    told(targets, "c", 7, is_active=False)
    rows = call(targets, "list_told")
    assert [(row["name"], row["active"], row["pk_4most"], row["told_4most"]) for row in rows] == [
        ("a", True, None, None),
        ("b", True, None, None),
        ("c", False, 7, {"is_active": False}),
    ]


def test_a_repair_is_believed_and_logged(targets: Database) -> None:
    answer(targets, "a", "refused", payload={"mag": 51}, said="mag: too faint")
    repair = {"tides_id": key(targets, "a"), "pk": 9, "told": '{"mag": 18.0}', "found": "edited: mag"}
    call(targets, "store_repair", repair)
    row = master(targets, "a")
    assert (row["pk_4most"], row["told_4most"], row["refused_4most"]) == (9, {"mag": 18.0}, None)
    assert log(targets, "operation", "status", "pk_4most", "payload", "answer")[1] == (
        "reconcile",
        "repaired",
        9,
        {"mag": 18.0},
        "edited: mag",
    )


def test_a_row_that_vanished_is_forgotten_with_its_ingestion(targets: Database) -> None:
    told(targets, "a", 7, is_active=True)
    call(targets, "store_ingested", {"pk": 7, "ostd_targ_id": 1, "ostd_u_obj_id": 2, "date_ingested": NOW})
    gone = {"tides_id": key(targets, "a"), "pk": None, "told": None, "found": "no such row"}
    call(targets, "store_repair", gone)
    call(targets, "forget_ingested", {"tides_id": key(targets, "a")})
    row = master(targets, "a")
    columns = ("pk_4most", "told_4most", "ostd_targ_id", "ostd_u_obj_id", "date_ingested")
    assert [row[column] for column in columns] == [None] * 5


# Refusals and ingestion


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


def test_repeated_answers_change_nothing_but_the_log(targets: Database) -> None:
    states = []
    for _ in range(2):
        told(targets, "a", 7, is_active=True)
        call(targets, "store_ingested", {"pk": 7, "ostd_targ_id": 1, "ostd_u_obj_id": 2, "date_ingested": NOW})
        call(targets, "store_refused", {"tides_id": key(targets, "b"), "reason": "x", "payload": "{}"})
        states.append(all_of(targets, "object_id", "pk_4most", "told_4most", "date_ingested", "refused_4most"))
    assert states[0] == states[1]
    assert log(targets, "status") == [("confirmed",)] * 2
