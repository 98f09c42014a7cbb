"""What Prometheus is told: counted in the database, asked of Kafka and Prefect."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from simulators.fourmost.process import FourmostStandin
from simulators.services.stream import KafkaStandin
from tests.support.batches import alert, batch_of, decided, defer, outcome
from tests.support.databases import rows_of
from tests.support.exchanges import Exchanged, add, change, clear, joined
from tests.support.processes import free_port
from tests.support.staging import at, staged, store
from tides_bridge.brokers import kafka as kafka_reader
from tides_bridge.brokers.models import RefusedMessage
from tides_bridge.database import Database, run
from tides_bridge.database.run_log import logged_run
from tides_bridge.database.schema import schema_files
from tides_bridge.errors import BrokerUnavailable
from tides_bridge.operations import metrics
from tides_bridge.operations.metrics import METRICS, ask_brokers, ask_database, of_prefect, registry_for
from tides_bridge.operations.problems import FlowRun, PrefectFacts, Worker
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.operations.status import get_status
from tides_bridge.settings import Settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

Numbers = dict[tuple[str, ...], float]


def numbers(samples: list[metrics.Sample]) -> Numbers:
    """By name and values of the labels."""
    found: Numbers = {(name, *labels): float(value) for name, labels, value in samples}
    assert len(found) == len(samples), "a number is told twice"
    assert all(len(key) == 1 + len(METRICS[key[0]][1]) for key in found)
    return found


def told(settings: Settings) -> Numbers:
    return numbers(ask_database(settings, KeptDatabase(settings)))


def insert_run(database: Database, kind: str, broker: str | None, ended: str, problem: str | None = None) -> None:
    """Log a run that began ten minutes before its end."""
    values = {"kind": kind, "broker": broker, "ended": ended, "problem": problem}
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO run_log (kind, broker, started_at, ended_at, problem) VALUES (%(kind)s, %(broker)s, "
            "%(ended)s::timestamptz - interval '10 minutes', %(ended)s, %(problem)s)",
            values,
        )


# The database


def test_an_empty_database_has_numbers(database: Database, settings: Settings) -> None:
    found = told(settings)
    assert found["tides_database_up",] == 1
    (info,) = [key for key in found if key[0] == "tides_build_info"]
    assert info[2] == schema_files()[-1].name
    (made,) = rows_of(database, "SELECT min(applied_at) AS at FROM schema_version")
    assert found["tides_installed_timestamp_seconds",] == made["at"].timestamp()
    rest = {key: value for key, value in found.items() if key[0] not in {"tides_database_up", *info[:1]}}
    assert {value for key, value in rest.items() if not key[0].endswith("_seconds")} == {0}
    assert not any(key[0].startswith(("tides_exchange", "tides_last")) for key in found)


def test_targets_are_counted_by_their_state(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("on", r=19.5), staged("unseen", last_mjd=60000.0), staged("faint", r=25.0))
    rows_of(database, "UPDATE tides_master SET pk_4most = 7, told_4most = '{}' WHERE object_id = 'faint' RETURNING 1")
    rows_of(database, "UPDATE tides_master SET refused_4most = 'x' WHERE object_id = 'on' RETURNING 1")
    found = told(settings)
    states = {key[1]: value for key, value in found.items() if key[0] == "tides_targets"}
    assert states == {
        "active": 1,
        "unseen": 1,
        "faint": 1,
        "spectrum": 0,
        "merged": 0,
        "veto": 0,
        "hold": 0,
        "unselected": 0,
        "steady": 0,
    }
    there = {key[1]: value for key, value in found.items() if key[0] == "tides_fourmost_targets"}
    assert there == {"known": 1, "active": 0, "ingested": 0, "refused": 1, "not_allowed": 0}


def test_what_cannot_be_judged_is_counted(database: Database, settings: Settings) -> None:
    refused = [RefusedMessage("alerts", 0, each, b"x", "is not JSON") for each in range(3)]
    outcome(database, settings, batch_of([alert("a")], refused), decided({"a": True}))
    defer(database, settings, alert("b"), alert("c"))
    rows_of(database, "UPDATE deferred_object SET given_up_at = now() WHERE object_id = 'b' RETURNING 1")
    found = told(settings)
    assert found["tides_refused_messages",] == 3
    assert [found["tides_deferred_objects", state] for state in ("waiting", "given_up")] == [1, 1]


def test_decisions_of_all_runs_are_added_up(database: Database, settings: Settings) -> None:
    for counts in ({"messages": 5, "evaluated": 4, "passed": 1}, {"messages": 7, "evaluated": 7, "passed": 2}, {}):
        with logged_run(database, "bridge", counts=lambda counts=counts: counts):  # type: ignore[misc]
            pass
    found = told(settings)
    assert found["tides_messages_total",] == 12
    assert [found["tides_decisions_total", passed] for passed in ("true", "false")] == [3, 8]


def test_runs_tell_when_they_last_went_well(database: Database, settings: Settings) -> None:
    insert_run(database, "pull", "lasair_ztf", "2026-11-24T10:00:00Z")
    insert_run(database, "pull", "lasair_ztf", "2026-11-24T11:00:00Z", "Kafka is away")
    insert_run(database, "backup", None, "2026-11-23T04:00:00Z", "disk full")
    insert_run(database, "pull", "a broker of former days", "2025-11-24T10:00:00Z")
    with database.transaction() as connection:  # at work, or killed
        run(connection, "database/begin_run.sql", {"kind": "pull", "broker": "lasair_ztf"})
    found = {key: value for key, value in told(settings).items() if key[0].startswith("tides_last")}
    assert found == {
        ("tides_last_good_run_timestamp_seconds", "pull", "lasair_ztf"): (NOW - timedelta(hours=2)).timestamp(),
        ("tides_last_run_failed", "pull", "lasair_ztf"): 1,
        ("tides_last_run_duration_seconds", "pull", "lasair_ztf"): 600,
        ("tides_last_run_failed", "backup", ""): 1,
        ("tides_last_run_duration_seconds", "backup", ""): 600,
    }


def test_calls_left_are_those_of_this_hour(database: Database, settings: Settings) -> None:
    limits = settings.light_curves.model_copy(update={"calls_per_hour": 10})
    settings = settings.model_copy(update={"light_curves": limits})
    key = ("tides_api_calls_left", "lasair_ztf")
    assert key not in told(settings)
    defer(database, settings, alert("a"))
    assert told(settings)[key] == 9
    rows_of(database, "UPDATE api_call SET called_at = called_at - interval '2 hours' RETURNING 1")
    assert told(settings)[key] == 10
    rows_of(database, "UPDATE api_call SET called_at = called_at - interval '2 days' RETURNING 1")
    assert key not in told(settings)  # it makes none any more


@pytest.mark.parametrize("topic", ["old , lasair_tides", "^lasair_", "lasair_tides"])
def test_the_newest_alert_is_told_by_topic(database: Database, settings: Settings, topic: str) -> None:
    settings = settings.model_copy(update={"topic": topic})
    insert = "INSERT INTO stream_position (group_id, topic, partition_number, next_offset, last_message_at) VALUES "
    rows = [("test", "lasair_tides", 0, 10), ("test", "lasair_tides", 1, 11), ("test", "other", 0, 12)]
    rows += [("other", "lasair_tides", 0, 13)]
    values = [f"('{group}', '{name}', {part}, 5, '2026-11-24T{hour}:00:00Z')" for group, name, part, hour in rows]
    values.append("('test', 'lasair_tides', 2, 0, NULL)")
    rows_of(database, insert + ", ".join(values) + " RETURNING 1")
    found = {key: value for key, value in told(settings).items() if key[0] == "tides_newest_alert_timestamp_seconds"}
    newest = (NOW - timedelta(hours=1)).timestamp()
    assert found == {("tides_newest_alert_timestamp_seconds", "lasair_ztf", "lasair_tides"): newest}


# The backlog: counted in SQL, it is what tides status works out target by target


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fourmost") / "state.sqlite3"


@pytest.fixture(scope="module")
def shared_standin(state: Path) -> Iterator[FourmostStandin]:
    with FourmostStandin("--ingest-at", "off", state=state) as standin:
        yield standin


@pytest.fixture
def fourmost(shared_standin: FourmostStandin, state: Path) -> FourmostStandin:
    clear(shared_standin, state)
    return shared_standin


def backlog(settings: Settings) -> dict[str, float]:
    return {key[1]: value for key, value in told(settings).items() if key[0] == "tides_exchange_backlog"}


def check_backlog(database: Database, settings: Settings, **waiting: int) -> None:
    """Compare what waits with what is expected, and with `tides status`."""
    found = backlog(settings)
    assert found == {"create": 0, "update": 0, "deactivate": 0, "unanswered": 0} | waiting
    worked_out = get_status(database, settings)["backlog"]
    names = {"new": "create", "changed": "update", "deactivated": "deactivate", "unanswered": "unanswered"}
    assert {names[name]: number for name, number in worked_out.items()} == found


def test_the_backlog_is_that_of_tides_status(
    database: Database, settings: Settings, fourmost: FourmostStandin, kafka: KafkaStandin
) -> None:
    settings = joined(at_kafka(settings, kafka.address), fourmost)
    add(database, "a", "b", "c", "d")
    check_backlog(database, settings, create=4)
    add(database, "south", decl=-90.0)  # the format forbids it, which SQL does not know before the exchange
    assert Exchanged(database, settings).counts()[0] == 4
    check_backlog(database, settings)
    change(database, "last_detection_mjd = 61002.5, r_latest_mag = 20.25", "a")
    change(database, "active = FALSE", "b")
    change(database, "last_detection_mjd = 61002.5, date_ingested = now()", "c")
    check_backlog(database, settings, update=1, deactivate=1)
    Exchanged(database, settings)
    check_backlog(database, settings)
    change(database, "active = TRUE", "b")
    intent = "INSERT INTO exchange_log (tides_id, operation, status) SELECT tides_id, 'update', 'asked' "
    (row,) = rows_of(database, f"{intent} FROM tides_master WHERE name = 'd' RETURNING exchange_id")
    change(database, f"asked_4most = {row['exchange_id']}", "d")
    check_backlog(database, settings, update=1, unanswered=1)


def test_the_age_is_that_of_what_waits_longest(database: Database, settings: Settings) -> None:
    address = settings.fourmost.model_copy(update={"address": "http://127.0.0.1:9/QFSwi"})
    settings = settings.model_copy(update={"fourmost": address})
    key = ("tides_exchange_backlog_age_seconds",)
    assert told(settings)[key] == 0
    add(database, "old", "new")
    change(database, "created_at = now() - interval '5 hours'", "old")
    assert told(settings)[key] == pytest.approx(5 * 3600, abs=600)
    with logged_run(database, "exchange"):  # what waited when it began was sent, or is not to be sent
        rows_of(database, "SELECT 1")
    assert told(settings)[key] < 600
    with pytest.raises(BrokerUnavailable), logged_run(database, "exchange"):
        raise BrokerUnavailable("x", "y")
    rows_of(database, "UPDATE run_log SET started_at = now() - interval '3 hours' WHERE problem IS NULL RETURNING 1")
    assert told(settings)[key] == pytest.approx(3 * 3600, abs=600)


# Kafka and Prefect


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaStandin]:
    with KafkaStandin() as kafka:
        yield kafka


def at_kafka(settings: Settings, address: str, topic: str = "alerts") -> Settings:
    options = {"bootstrapServers": address, "silence": "0.3 s"}
    return settings.model_copy(update={"broker": settings.broker.model_validate(options), "topic": topic})


def test_the_lag_is_asked_of_kafka(database: Database, settings: Settings, kafka: KafkaStandin) -> None:
    settings = at_kafka(settings, kafka.address, "lagging")
    kafka.publish("lagging", [b"{}"] * 8)
    outcome(database, settings, batch_of([alert("a")], positions={("lagging", 0): 2}), decided({"a": True}))
    found = numbers(ask_brokers(settings, KeptDatabase(settings)))
    assert found.pop(("tides_broker_up", "lasair_ztf")) == 1
    assert {key[:3] for key in found} == {("tides_lag_messages", "lasair_ztf", "lagging")}
    assert sum(found.values()) == 6


def test_a_broker_that_is_away_has_no_lag(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "ANSWER_SECONDS", 1)
    settings = at_kafka(settings, f"127.0.0.1:{free_port()}")
    assert numbers(ask_brokers(settings, KeptDatabase(settings))) == {("tides_broker_up", "lasair_ztf"): 0}


def test_recorded_files_have_no_kafka(database: Database, settings: Settings, tmp_path: Path) -> None:
    broker = settings.broker.model_validate({"kind": "recorded", "files": [str(tmp_path)]})
    settings = settings.model_copy(update={"broker": broker})
    assert ask_brokers(settings, KeptDatabase(settings)) == []


def flow_run(state: str) -> FlowRun:
    return FlowRun("x", "TiDES bridge/hourly", state, NOW, None, None)


def test_prefect_tells_of_workers_and_runs() -> None:
    workers = (Worker("a", "ONLINE", NOW), Worker("b", "OFFLINE", NOW - timedelta(days=1)), Worker("c", "", None))
    facts = PrefectFacts("http://x", workers=workers, late=(flow_run("Late"),) * 2, running=(flow_run("Running"),))
    assert numbers(list(of_prefect(facts))) == {
        ("tides_prefect_up",): 1,
        ("tides_worker_heartbeat_timestamp_seconds",): NOW.timestamp(),
        ("tides_running_runs",): 1,
        ("tides_late_runs",): 2,
    }
    assert numbers(list(of_prefect(PrefectFacts("http://x", "cannot be reached")))) == {("tides_prefect_up",): 0}


# The whole


def scraped(settings: Settings, facts: PrefectFacts) -> dict[str, list[dict[str, Any]]]:
    """Scrape as Prometheus does: labels by metric, those of the bridge only."""
    kept = KeptDatabase(settings)
    try:
        text = generate_latest(registry_for(settings, kept, lambda _: facts, fresh_for=0)).decode()
    finally:
        kept.close()
    families = list(text_string_to_metric_families(text))
    samples = [sample for family in families for sample in family.samples]
    assert {"process_resident_memory_bytes", "python_gc_collections_total"} <= {sample.name for sample in samples}
    ours = [sample for sample in samples if sample.name.startswith("tides_")]
    assert {sample.name for sample in ours} <= METRICS.keys()
    return {sample.name: [each.labels for each in ours if each.name == sample.name] for sample in ours}


def test_every_metric_is_offered_with_the_labels_it_says(
    database: Database, settings: Settings, kafka: KafkaStandin
) -> None:
    settings = at_kafka(settings, kafka.address)
    kafka.publish("alerts", [b"{}"] * 8)
    address = settings.fourmost.model_copy(update={"address": "http://127.0.0.1:9/QFSwi"})
    settings = settings.model_copy(update={"fourmost": address})
    defer(database, settings, alert("a"))
    with logged_run(database, "pull", "lasair_ztf"):
        pass
    insert = "INSERT INTO stream_position (group_id, topic, partition_number, next_offset, last_message_at) VALUES "
    rows_of(database, f"{insert} ('test', 'alerts', 0, 1, now()) RETURNING 1")
    found = scraped(settings, PrefectFacts("http://x", workers=(Worker("a", "ONLINE", NOW),)))
    assert found.keys() == METRICS.keys()
    assert all(set(each) == set(METRICS[name][1]) for name, labels in found.items() for each in labels)


def test_without_any_service_a_scrape_says_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "ANSWER_SECONDS", 1)
    server = settings.database.model_copy(update={"host": "127.0.0.1", "port": free_port()})
    settings = at_kafka(settings.model_copy(update={"database": server}), f"127.0.0.1:{free_port()}")
    found = scraped(settings, PrefectFacts("http://x", "cannot be reached"))
    assert found.keys() == {"tides_database_up", "tides_prefect_up", "tides_scrape_duration_seconds"}


def test_tables_of_another_version_are_no_database(settings: Settings, database: Database) -> None:
    rows_of(database, "DELETE FROM schema_version WHERE name LIKE '009%%' RETURNING 1")
    assert told(settings) == {("tides_database_up",): 0}
