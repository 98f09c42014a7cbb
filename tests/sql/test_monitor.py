"""What `tides status` and `tides watchdog` know from the database."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from simulators.services.stream import KafkaStandin
from tests.support.batches import alert, batch_of, decided, defer, defer_unasked, outcome, read_batch
from tests.support.databases import rows_of
from tests.support.processes import free_port
from tests.support.staging import at, staged, store
from tides_bridge.brokers import kafka as kafka_reader
from tides_bridge.brokers.models import RefusedMessage
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.database import Database
from tides_bridge.database.run_log import logged_run
from tides_bridge.decisions.batch import get_positions
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.operations.status import get_health, get_status
from tides_bridge.settings import Settings


@pytest.fixture
def kafka() -> Iterator[KafkaStandin]:
    with KafkaStandin() as kafka:
        yield kafka


def at_kafka(settings: Settings, address: str) -> Settings:
    options = {"bootstrapServers": address, "silence": "0.3 s"}
    return settings.model_copy(update={"broker": settings.broker.model_validate(options), "topic": "alerts"})


def pull(database: Database, settings: Settings) -> None:
    """Read the stream once, and store where to read on."""
    with AlertStream(settings, *get_positions(database, settings)) as alerts:
        batch = read_batch(alerts, settings)
    outcome(database, settings, batch, decided({each.object_id: False for each in batch.alerts}))


def messages(number: int) -> list[bytes]:
    return [json.dumps({"objectId": f"ZTF{each}"}).encode() for each in range(number)]


def test_an_empty_database_has_a_status(database: Database, settings: Settings, kafka: KafkaStandin) -> None:
    status = get_status(database, at_kafka(settings, kafka.address))
    assert set(status["states"].values()) == {0}
    assert status["backlog"] == {"new": 0, "changed": 0, "deactivated": 0, "unanswered": 0}
    assert (status["deferred"], status["positions"], status["runs"]) == ([], [], [])
    assert (status["lag"], status["problem"]) == (0, None)


def test_the_lag_is_what_kafka_has_and_the_database_does_not_know(
    database: Database, settings: Settings, kafka: KafkaStandin
) -> None:
    settings = at_kafka(settings, kafka.address)
    kafka.publish("alerts", messages(8))
    assert get_status(database, settings)["lag"] == 8
    pull(database, settings)
    kafka.publish("alerts", messages(5))
    status = get_status(database, settings)
    assert (status["lag"], status["problem"]) == (5, None)
    assert [(row["next_offset"], row["lag"]) for row in status["positions"]] == [(2, 2), (2, 1), (2, 1), (2, 1)]


def test_places_of_other_groups_have_no_lag(database: Database, settings: Settings, kafka: KafkaStandin) -> None:
    settings = at_kafka(settings, kafka.address)
    kafka.publish("alerts", messages(4))
    pull(database, settings.model_copy(update={"group_id": "other"}))
    status = get_status(database, settings)
    assert {row["lag"] for row in status["positions"]} == {None}
    assert status["lag"] == 4


def test_without_kafka_the_lag_is_unknown_and_all_else_is_told(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "ANSWER_SECONDS", 1)
    settings = at_kafka(settings, f"127.0.0.1:{free_port()}")
    outcome(database, settings, batch_of([alert("a")], positions={("alerts", 0): 7}), decided({"a": True}))
    status = get_status(database, settings)
    assert status["lag"] is None
    assert "Kafka broker 127.0.0.1" in status["problem"]
    assert [(row["next_offset"], row["lag"]) for row in status["positions"]] == [(7, None)]
    assert status["states"]["judged"] == 1


def test_objects_messages_and_targets_are_counted(database: Database, settings: Settings, kafka: KafkaStandin) -> None:
    settings = at_kafka(settings, kafka.address)
    store(database, at(settings), staged("on", r=19.5), staged("unseen", last_mjd=60000.0), staged("faint", r=25.0))
    refused = [RefusedMessage("alerts", 0, 7, b"x", "is not JSON")]
    outcome(database, settings, batch_of([alert("a"), alert("b")], refused), decided({"a": True, "b": False}))
    rows_of(database, "UPDATE tides_master SET pk_4most = 7, told_4most = '{}' WHERE object_id = 'faint' RETURNING 1")
    states = get_status(database, settings)["states"]
    assert {name: number for name, number in states.items() if number} == {
        "judged": 2,
        "passed": 1,
        "refused_messages": 1,
        "targets": 3,
        "active": 1,
        "unseen": 1,
        "faint": 1,
        "at_4most": 1,
    }


def test_the_backlog_is_what_4most_is_still_to_be_told(
    database: Database, settings: Settings, kafka: KafkaStandin
) -> None:
    settings = at_kafka(settings, kafka.address)
    store(database, at(settings), *(staged(name, survey="lsst", r=19.5) for name in ("new", "changed", "off", "open")))
    told = "pk_4most = tides_id, told_4most = '{\"is_active\": true}'"
    rows_of(database, f"UPDATE tides_master SET {told} WHERE object_id IN ('changed', 'off') RETURNING 1")
    rows_of(database, "UPDATE tides_master SET active = FALSE WHERE object_id = 'off' RETURNING 1")
    intent = "INSERT INTO exchange_log (tides_id, operation, status) SELECT tides_id, 'create', 'asked' "
    intent += "FROM tides_master WHERE object_id = 'open' RETURNING exchange_id"
    (row,) = rows_of(database, intent)
    rows_of(
        database, f"UPDATE tides_master SET asked_4most = {row['exchange_id']} WHERE object_id = 'open' RETURNING 1"
    )
    assert get_status(database, settings)["backlog"] == {"new": 1, "changed": 1, "deactivated": 1, "unanswered": 1}


def test_deferred_objects_are_counted_by_reason(database: Database, settings: Settings, kafka: KafkaStandin) -> None:
    settings = at_kafka(settings, kafka.address)
    defer(database, settings, alert("a"), alert("b"))
    defer_unasked(database, settings, alert("c"))
    rows_of(database, "UPDATE deferred_object SET given_up_at = now() WHERE object_id = 'a' RETURNING 1")
    rows = [(row["reason"], row["given_up"], row["objects"]) for row in get_status(database, settings)["deferred"]]
    assert sorted(rows) == [
        ("it has no detection", False, 1),
        ("it has no detection", True, 1),
        ("the hourly limit of the light-curve API is reached", False, 1),
    ]


def test_the_newest_run_of_each_kind_is_told_and_when_the_last_went_well(
    database: Database, settings: Settings, kafka: KafkaStandin
) -> None:
    with logged_run(database, "pull"):
        pass
    with pytest.raises(BrokerUnavailable), logged_run(database, "pull"):
        raise BrokerUnavailable("Kafka", "is away")
    with pytest.raises(ValueError, match="x"), logged_run(database, "exchange"):
        raise ValueError("x")
    exchange, pulled = get_status(database, at_kafka(settings, kafka.address))["runs"]
    assert (exchange["kind"], exchange["last_good"], exchange["problem"]) == ("exchange", None, "ValueError: x")
    assert (pulled["kind"], pulled["problem"]) == ("pull", "Kafka: is away")
    assert pulled["last_good"] < pulled["started_at"] <= pulled["ended_at"]


def test_that_one_broker_goes_well_does_not_hide_that_another_does_not(
    database: Database, settings: Settings, kafka: KafkaStandin
) -> None:
    with logged_run(database, "pull", "fink"):
        pass
    for broker in ("lasair", "fink"):
        with pytest.raises(BrokerUnavailable), logged_run(database, "pull", broker):
            raise BrokerUnavailable("Kafka", "away")
    with logged_run(database, "pull", "lasair"):
        pass
    runs = {row["broker"]: row for row in get_status(database, at_kafka(settings, kafka.address))["runs"]}
    assert {broker: row["problem"] for broker, row in runs.items()} == {"fink": "Kafka: away", "lasair": None}
    assert runs["fink"]["last_good"] < runs["lasair"]["last_good"]


def killed(database: Database, kind: str) -> None:
    """Leave a run without an end."""
    rows_of(database, f"INSERT INTO run_log (kind) VALUES ('{kind}') RETURNING 1")


def test_runs_that_failed_or_were_killed_since_the_last_good_one_are_counted(
    database: Database, settings: Settings
) -> None:
    def failed() -> list[int]:
        return [row["failed"] for row in get_health(database, settings)["runs"]]

    killed(database, "bridge")
    assert failed() == [0]  # it may be at work
    with pytest.raises(ValueError, match="x"), logged_run(database, "bridge"):
        raise ValueError("x")
    assert failed() == [2]
    with logged_run(database, "bridge"):
        assert failed() == [2]
    assert failed() == [0]
    (row,) = get_health(database, settings)["runs"]
    assert row["first_at"] < row["started_at"]


def test_an_empty_database_is_healthy(database: Database, settings: Settings) -> None:
    health = get_health(database, settings)
    assert health["installed_at"] <= datetime.now(UTC)
    assert (health["runs"], health["positions"], health["backlog_since"]) == ([], [], None)
    assert set(health["backlog"].values()) == {0}


def test_something_waits_since_the_last_good_exchange_at_most(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("new", survey="lsst", r=19.5))
    rows_of(database, "UPDATE tides_master SET created_at = now() - interval '5 hours' RETURNING 1")

    def waits() -> float:
        since = get_health(database, settings)["backlog_since"]
        return float((datetime.now(UTC) - since).total_seconds()) / 3600

    assert waits() == pytest.approx(5, abs=0.1)
    columns = "kind, started_at, ended_at, problem"
    began = f"INSERT INTO run_log ({columns}) VALUES ('exchange', now() - interval '{{}}', now(), {{}}) RETURNING 1"
    rows_of(database, began.format("1 hour", "'4MOST is away'"))
    assert waits() == pytest.approx(5, abs=0.1)
    rows_of(database, began.format("2 hours", "NULL"))
    assert waits() == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "topic", "ours"), [("lasair_ztf", "^ale.*", True), ("lasair_ztf", "x, alerts", True),
                                ("lasair_ztf", "other", False), ("recorded", "other", True)]
)  # fmt: skip
def test_a_place_in_the_stream_is_of_the_broker_that_reads_the_topic(
    database: Database, settings: Settings, kind: str, topic: str, ours: bool
) -> None:
    outcome(database, settings, batch_of([alert("a")], positions={("alerts", 0): 7}), decided({"a": True}))
    broker = settings.broker.model_copy(update={"kind": kind})
    known = settings.model_copy(update={"topic": topic, "broker": broker})
    assert [row["broker"] for row in get_health(database, known)["positions"]] == [kind if ours else None]


def test_calls_of_the_last_hour_are_told_for_each_broker(
    database: Database, settings: Settings, kafka: KafkaStandin
) -> None:
    calls = (
        "INSERT INTO api_call (broker, called_at, calls) VALUES ('lasair_ztf', now() - interval '{}', {}) RETURNING 1"
    )
    for made in (("2 hours", 50), ("50 minutes", 30), ("1 minute", 90)):
        rows_of(database, calls.format(*made))
    found = get_status(database, at_kafka(settings, kafka.address))["calls"]
    assert found == [{"broker": "lasair_ztf", "made": 120, "limit": 100, "left": 0}]
