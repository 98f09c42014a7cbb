"""What comes of a batch beside its targets: refused messages, decisions, deferred objects, calls and positions."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pandas as pd
import pytest

from tests.support.batches import alert, batch_of, decided, defer, defer_in_outage, defer_unasked, outcome
from tests.support.databases import rows_of
from tests.support.staging import judged, staged
from tides_bridge.brokers import problem_with
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.models import Message, RefusedMessage
from tides_bridge.database import Database
from tides_bridge.decisions.batch import (
    create_transient_stage,
    get_deferred_objects,
    get_positions,
    store_outcome,
    take_calls,
    upsert_to_master,
)
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.refused import get_accepted, get_refused, list_refused, retry_refused
from tides_bridge.settings import Settings


def light_curves(settings: Settings, **values: Any) -> Settings:
    """Give settings with other rules for light curves."""
    return settings.model_copy(update={"light_curves": settings.light_curves.model_copy(update=values)})


def tuples(database: Database, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows_of(database, statement)]


def hours_pass(database: Database, hours: float) -> None:
    """Let all that was deferred lie back so many hours more."""
    span = f"interval '{hours} hours'"
    times = ", ".join(f"{name} = {name} - {span}" for name in ("deferred_at", "next_attempt_at"))
    rows_of(database, f"UPDATE deferred_object SET {times} RETURNING 1")


def due(database: Database, settings: Settings, number: int = 10) -> list[str]:
    sized = settings.model_copy(update={"broker": settings.broker.model_copy(update={"batch_size": number})})
    return [each.object_id for each in get_deferred_objects(database, sized)]


def waits(database: Database) -> dict[str, timedelta]:
    """How long each deferred object waits, in whole minutes."""
    rows = rows_of(database, "SELECT object_id, next_attempt_at - now() AS wait FROM deferred_object")
    return {row["object_id"]: timedelta(minutes=round(row["wait"] / timedelta(minutes=1))) for row in rows}


# Where to read on


def test_positions_are_kept_by_group_and_topic_and_may_go_back(database: Database, settings: Settings) -> None:
    assert get_positions(database, settings) == ({}, {})
    topic = settings.topic
    outcome(database, settings, batch_of(positions={(topic, 0): 2**40, (topic, 1): 0}))
    assert get_positions(database, settings) == ({(settings.topic, 0): 2**40, (settings.topic, 1): 0}, {})
    outcome(database, settings, batch_of(positions={(topic, 0): 7}))
    assert get_positions(database, settings) == ({(settings.topic, 0): 7, (settings.topic, 1): 0}, {})
    assert get_positions(database, settings.model_copy(update={"group_id": "other"})) == ({}, {})


def test_the_digest_of_the_message_before_is_kept_as_long_as_its_place(database: Database, settings: Settings) -> None:
    place = (settings.topic, 0)

    def digest_after(offset: int, digest: str | None) -> str | None:
        batch = batch_of(positions={place: offset})
        pull = replace(batch.pull, digests={place: digest} if digest else {})
        outcome(database, settings, replace(batch, pull=pull))
        return get_positions(database, settings)[1].get(place)

    assert digest_after(7, "a") == "a"
    assert digest_after(7, None) == "a"
    assert digest_after(7, "b") == "b"
    assert digest_after(9, "c") == "c"
    assert digest_after(4, None) is None


# Refused messages

MESSAGES = [
    RefusedMessage("lasair_tides", 0, 7, b"\x00\xff{NaN", "is not JSON"),
    RefusedMessage("lasair_tides", 1, 7, b"", "is not JSON"),
]


def test_a_refused_message_is_kept_once_as_it_came(database: Database, settings: Settings) -> None:
    for _ in range(2):
        outcome(database, settings, batch_of(refused=MESSAGES))
    rows = rows_of(database, "SELECT topic, partition_number, stream_offset, body, reason FROM refused_message")
    assert [RefusedMessage(*(row | {"body": bytes(row["body"])}).values()) for row in rows] == MESSAGES


def test_another_message_at_the_same_offset_is_kept_too(database: Database, settings: Settings) -> None:
    for body in (b"before the topic was deleted", b"after"):
        outcome(database, settings, batch_of(refused=[RefusedMessage("lasair_tides", 0, 7, body, "is not JSON")]))
    assert len(rows_of(database, "SELECT 1 FROM refused_message")) == 2


def test_refused_messages_are_listed_without_their_content_the_newest_first(
    database: Database, settings: Settings
) -> None:
    outcome(database, settings, batch_of(refused=MESSAGES))
    listed = list_refused(database, 10)
    assert [(row["refused_id"], row["partition_number"], row["size"]) for row in listed] == [(2, 1, 0), (1, 0, 6)]
    assert "body" not in listed[0]
    assert [row["refused_id"] for row in list_refused(database, 1)] == [2]


def test_refused_messages_are_given_as_they_came(database: Database, settings: Settings) -> None:
    outcome(database, settings, batch_of(refused=MESSAGES))
    assert [row["message"].value for row in get_refused(database, None)] == [message.body for message in MESSAGES]
    assert [row["refused_id"] for row in get_refused(database, [2, 99])] == [2]
    assert get_refused(database, []) == []


GOOD = json.dumps({"objectId": "ZTF26aaaaaaa", "jdmax": 2461000.5, "jdmin": 2460990.5}).encode()


def test_a_message_that_can_be_read_after_all_is_judged_by_the_next_run(database: Database, settings: Settings) -> None:
    refused = [
        RefusedMessage("lasair_tides", number, 7, body, "x", b"key") for number, body in enumerate((GOOD, b"no JSON"))
    ]
    outcome(database, settings, batch_of(refused=refused))
    assert get_accepted(database, settings) == {}
    results = retry_refused(database, partial(problem_with, settings), None)
    assert results[1] is None
    assert "is not JSON" in str(results[2])
    accepted = get_accepted(database, settings)
    assert accepted == {1: Message("lasair_tides", 0, 7, GOOD, b"key")}
    assert (
        get_accepted(
            database, settings.model_copy(update={"broker": settings.broker.model_copy(update={"kind": "rubin"})})
        )
        == {}
    )
    assert [row["refused_id"] for row in list_refused(database, 10)] == [2]
    batch = batch_of()
    batch = replace(batch, pull=batch.pull.with_accepted(accepted))
    outcome(database, settings, batch)
    assert get_accepted(database, settings) == {}


def test_only_the_messages_asked_for_are_read_again(database: Database, settings: Settings) -> None:
    outcome(database, settings, batch_of(refused=[replace(MESSAGES[0], body=GOOD), MESSAGES[1]]))
    assert list(retry_refused(database, partial(problem_with, settings), [2, 99])) == [2]
    assert get_accepted(database, settings) == {}


# Decisions


def decisions(database: Database) -> list[tuple[Any, ...]]:
    return tuples(database, "SELECT object_id, passed, newest_mjd FROM last_decision ORDER BY object_id")


def test_the_latest_decision_on_each_object_is_kept(database: Database, settings: Settings) -> None:
    outcome(database, settings, batch_of([alert("a"), alert("b")]), decided({"a": False, "b": True}))
    outcome(database, settings, batch_of([alert("a", newest_mjd=61001.0)]), decided({"a": True}))
    assert decisions(database) == [("a", True, 61001.0), ("b", True, 60999.5)]


def test_a_repeated_decision_changes_nothing(database: Database, settings: Settings) -> None:
    states = []
    for _ in range(2):
        outcome(database, settings, batch_of([alert("a")]), decided({"a": True}))
        states.append(tuples(database, "SELECT last_decision::text, xmin::text FROM last_decision"))
    assert states[0] == states[1]


def test_a_decision_on_an_older_alert_changes_nothing(database: Database, settings: Settings) -> None:
    outcome(database, settings, batch_of([alert("a", newest_mjd=61001.0)]), decided({"a": True}))
    outcome(database, settings, batch_of([alert("a")]), decided({"a": False}))
    assert decisions(database) == [("a", True, 61001.0)]


# Deferred objects


def test_a_deferred_object_comes_back_as_it_was(database: Database, settings: Settings) -> None:
    original = alert("ZTF26aaaaaaa", gmag=18.1, id=313637935709683761, nested={"list": [1, "two", None]}, text="é\\\"'")
    original = replace(original, first_mjd=60990.123456789)
    defer_unasked(database, settings, original)
    assert get_deferred_objects(database, settings) == [original]


def test_what_jsonb_cannot_hold_is_left_out_of_a_deferred_alert(database: Database, settings: Settings) -> None:
    values = {"nan": float("nan"), "inf": [float("-inf")], "nul": "a\0b", "half": "a\ud800b", "k\0ey": 1}
    defer_unasked(database, settings, alert(**values))
    (back,) = get_deferred_objects(database, settings)
    assert back.message == {
        "objectId": "ZTF26aaaaaaa",
        "nan": None,
        "inf": [None],
        "nul": "ab",
        "half": "a?b",
        "key": 1,
    }


def test_the_most_urgent_come_first(database: Database, settings: Settings) -> None:
    old = replace(alert("old", newest_mjd=61000.0), first_mjd=60900.0)
    young = replace(alert("young", newest_mjd=60999.0), first_mjd=60998.0)
    unknown = alert("unknown", newest_mjd=60950.0)
    defer_unasked(database, settings, old, unknown, young)
    assert due(database, settings) == ["young", "unknown", "old"]
    assert due(database, settings, 2) == ["young", "unknown"]
    by_python = sorted((old, unknown, young), key=lambda each: each.urgency)
    assert get_deferred_objects(database, settings) == by_python


def test_an_object_at_fault_waits_twice_as_long_each_time_but_a_day_at_most(
    database: Database, settings: Settings
) -> None:
    expected = [timedelta(minutes=30 * 2**number) for number in range(6)] + [timedelta(days=1)] * 3
    for wait in expected:
        defer(database, settings, alert("a"))
        assert waits(database) == {"a": wait}
        assert due(database, settings) == []
    assert tuples(database, "SELECT attempts FROM deferred_object") == [(len(expected),)]


def test_a_waiting_object_is_due_when_its_time_has_come(database: Database, settings: Settings) -> None:
    defer(database, settings, alert("a"))
    hours_pass(database, 0.49)
    assert due(database, settings) == []
    hours_pass(database, 0.02)
    assert due(database, settings) == ["a"]


def test_objects_that_are_not_at_fault_are_due_at_once(database: Database, settings: Settings) -> None:
    for _ in range(2):
        defer_in_outage(database, settings, alert("outage"))
        defer_unasked(database, settings, alert("unasked"))
        limited = decided(deferred={"limited": HOURLY_LIMIT})
        outcome(database, settings, batch_of([alert("limited")]), limited)
        assert sorted(due(database, settings)) == ["limited", "outage", "unasked"]


def test_only_what_was_asked_for_counts_as_an_attempt(database: Database, settings: Settings) -> None:
    defer_in_outage(database, settings, alert("outage"))
    for _ in range(2):
        defer_unasked(database, settings, alert("unasked"))
        defer(database, settings, alert("fault"))
    statement = "SELECT object_id, attempts, tried_at IS NULL FROM deferred_object ORDER BY object_id"
    assert tuples(database, statement) == [("fault", 2, False), ("outage", 1, False), ("unasked", 0, True)]


def test_many_attempts_and_a_long_wait_are_no_problem(database: Database, settings: Settings) -> None:
    patient = light_curves(settings, try_again_after=timedelta(days=30))
    defer(database, patient, alert("a"))
    rows_of(database, "UPDATE deferred_object SET attempts = 1000000 RETURNING 1")
    defer(database, patient, alert("a"))
    assert waits(database) == {"a": timedelta(days=1)}


def test_the_newest_alert_and_the_latest_reason_are_kept(database: Database, settings: Settings) -> None:
    defer(database, settings, alert(gmag=18.1), reason="first")
    defer(database, settings, alert(gmag=18.2), reason="second")
    defer(database, settings, alert(newest_mjd=60990.0, gmag=18.3), reason="third")
    (row,) = rows_of(database, "SELECT reason, alert, tried_at > deferred_at AS later FROM deferred_object")
    assert (row["reason"], row["alert"]["message"]["gmag"], row["later"]) == ("third", 18.2, True)


@pytest.fixture
def given_up(database: Database, settings: Settings) -> Settings:
    """Settings, and in the database an object that was given up after 14 days."""
    defer(database, settings, alert("a"))
    hours_pass(database, 14 * 24 - 1)
    defer(database, settings, alert("a"))
    assert tuples(database, "SELECT given_up_at FROM deferred_object") == [(None,)]
    hours_pass(database, 24)
    assert due(database, settings) == ["a"]
    defer(database, settings, alert("a"))
    assert tuples(database, "SELECT given_up_at IS NULL FROM deferred_object") == [(False,)]
    return settings


def test_an_object_that_was_given_up_is_not_due_any_more(
    database: Database, settings: Settings, given_up: Settings
) -> None:
    hours_pass(database, 1000)
    assert due(database, settings) == []


def test_the_same_alert_does_not_revive_an_object(database: Database, settings: Settings, given_up: Settings) -> None:
    before = tuples(database, "SELECT given_up_at FROM deferred_object")
    for again in (alert("a"), alert("a", newest_mjd=60990.0)):
        defer_unasked(database, given_up, again)
    assert tuples(database, "SELECT given_up_at FROM deferred_object") == before
    assert due(database, settings) == []


def test_an_alert_with_a_newer_detection_is_a_new_beginning(database: Database, given_up: Settings) -> None:
    defer(database, given_up, alert("a", newest_mjd=61000.5))
    assert tuples(database, "SELECT given_up_at, attempts FROM deferred_object") == [(None, 1)]
    assert waits(database) == {"a": timedelta(minutes=30)}
    hours_pass(database, 14 * 24 - 1)
    defer(database, given_up, alert("a", newest_mjd=61000.5))
    assert tuples(database, "SELECT given_up_at, attempts FROM deferred_object") == [(None, 2)]


def test_an_object_that_was_judged_is_deferred_no_more(database: Database, settings: Settings) -> None:
    defer(database, settings, alert("a"), alert("b"), alert("c"))
    defer(database, settings, alert("c", survey="lsst"))
    batch = batch_of([alert("a"), alert("b"), alert("c")])
    outcome(database, settings, batch, decided({"a": True, "c": False}, {"b": "x"}))
    rows = tuples(database, "SELECT survey, object_id, attempts FROM deferred_object ORDER BY object_id")
    assert rows == [("ztf", "b", 2), ("lsst", "c", 1)]


# The budget of the hour


def calls(database: Database) -> int:
    return int(rows_of(database, "SELECT coalesce(sum(calls), 0) AS calls FROM api_call")[0]["calls"])


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """Settings with ten calls an hour, that are not waited for."""
    return light_curves(settings, calls_per_hour=10, longest_wait=timedelta(0))


def test_calls_are_taken_before_they_are_made_and_no_more_than_the_hour_has(
    database: Database, impatient: Settings
) -> None:
    budgets = [take_calls(database, impatient, 4) for _ in range(4)]
    assert [budget.calls for budget in budgets] == [4, 4, 2, 0]
    assert len({budget.key for budget in budgets}) == 4
    assert calls(database) == 10


def test_calls_that_were_taken_and_not_made_are_given_back(database: Database, impatient: Settings) -> None:
    budget = take_calls(database, impatient, 8)
    outcome(database, impatient, batch_of(), decided(calls=1), decided(calls=2), budget=budget)
    assert calls(database) == 3
    assert take_calls(database, impatient, 9).calls == 7


def test_more_calls_than_were_taken_are_counted(database: Database, impatient: Settings) -> None:
    outcome(database, impatient, batch_of(), decided(calls=12), budget=take_calls(database, impatient, 1))
    assert take_calls(database, impatient, 1).calls == 0


def test_a_killed_run_leaves_its_calls_taken_until_they_leave_the_hour(database: Database, impatient: Settings) -> None:
    take_calls(database, impatient, 10)
    assert take_calls(database, impatient, 1).calls == 0
    rows_of(database, "UPDATE api_call SET called_at = now() - interval '61 minutes' RETURNING 1")
    assert take_calls(database, impatient, 1).calls == 1


def test_calls_that_no_hour_counts_any_more_are_forgotten(database: Database, impatient: Settings) -> None:
    for _ in range(3):
        outcome(database, impatient, batch_of(), decided(calls=1))
        rows_of(database, "UPDATE api_call SET called_at = called_at - interval '61 minutes' RETURNING 1")
    outcome(database, impatient, batch_of(), decided(calls=2))
    assert tuples(database, "SELECT calls FROM api_call") == [(2,)]


def test_a_moment_is_waited_for(database: Database, impatient: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        rows_of(database, f"UPDATE api_call SET called_at = called_at - interval '{seconds} s' RETURNING 1")

    monkeypatch.setattr(time, "sleep", sleep)
    take_calls(database, impatient, 10)
    rows_of(database, "UPDATE api_call SET called_at = called_at - interval '59 minutes' RETURNING 1")
    assert take_calls(database, light_curves(impatient, longest_wait=timedelta(minutes=2)), 3).calls == 3
    assert len(slept) == 1
    assert 30 < slept[0] < 62


def test_more_than_a_moment_is_not_waited_for(
    database: Database, impatient: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it slept"))
    take_calls(database, impatient, 10)
    assert take_calls(database, light_curves(impatient, longest_wait=timedelta(minutes=2)), 3).calls == 0
    assert take_calls(database, light_curves(impatient, longest_wait=timedelta(hours=2)), 0).calls == 0


# All of it or nothing


def test_a_batch_that_fails_leaves_nothing_but_the_calls_it_took(database: Database, settings: Settings) -> None:
    budget = take_calls(database, settings, 3)
    batch = batch_of([alert("a"), alert("b")], MESSAGES, {("lasair_tides", 0): 7})
    with pytest.raises(RuntimeError), database.transaction() as connection:
        create_transient_stage(connection, [judged(staged(g=19.5))])
        upsert_to_master(connection, settings)
        store_outcome(connection, batch, [decided({"a": True}, {"b": "x"})], budget, settings)
        raise RuntimeError
    for table in ("tides_master", "association", "name_counter"):
        assert rows_of(database, f"SELECT 1 FROM {table}") == []
    for table in ("deferred_object", "decision", "last_decision", "refused_message", "stream_position"):
        assert rows_of(database, f"SELECT 1 FROM {table}") == []
    assert calls(database) == 3


def test_a_repeated_batch_changes_nothing_but_attempts(database: Database, settings: Settings) -> None:
    batch = batch_of([alert("a"), alert("b")], MESSAGES, {("lasair_tides", 0): 7})
    states = []
    for _ in range(2):
        outcome(database, settings, batch, decided({"a": True}), Judged({}, pd.DataFrame(), {"b": HOURLY_LIMIT}))
        states.append(
            [
                tuples(database, f"SELECT {table}::text, xmin::text FROM {table} ORDER BY 1")
                for table in ("decision", "last_decision", "refused_message", "stream_position")
            ]
        )
    assert states[0] == states[1]
