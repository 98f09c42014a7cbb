"""
The numbers of the bridge for Prometheus.

Database, Kafka and Prefect are asked every 50 s at most, beside the scrape: it waits for them for seconds only, and
tells what it knows.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tides_bridge.brokers import stream_of
from tides_bridge.brokers.kafka import Partition
from tides_bridge.database import Database, run
from tides_bridge.errors import BridgeError
from tides_bridge.operations.problems import PrefectFacts
from tides_bridge.operations.questions import count_questions
from tides_bridge.operations.remembered import FRESH_SECONDS, KeptDatabase, Remembered
from tides_bridge.operations.status import reads
from tides_bridge.operations.subscriptions import is_muted, list_subscriptions
from tides_bridge.settings import Settings
from tides_bridge.targets.spectra.settling import count_spectra

METRICS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "tides_build_info": ("Version of the bridge, and the newest schema file of its tables.", ("version", "schema")),
    "tides_scrape_duration_seconds": ("How long it took to gather these numbers.", ()),
    "tides_database_up": ("Whether the database answers, and its tables are those of this version.", ()),
    "tides_broker_up": ("Whether the broker's Kafka answers.", ("broker",)),
    "tides_prefect_up": ("Whether the Prefect server answers.", ()),
    "tides_installed_timestamp_seconds": ("When the tables were made.", ()),
    "tides_lag_messages": ("Messages that are still to be read.", ("broker", "topic", "partition")),
    "tides_newest_alert_timestamp_seconds": ("When the newest alert read was published.", ("broker", "topic")),
    "tides_messages_total": ("Messages that were read.", ()),
    "tides_decisions_total": ("Light curves that were judged, by whether they passed.", ("passed",)),
    "tides_deferred_objects": ("Objects without a light curve: waiting for one, or given up.", ("state",)),
    "tides_refused_messages": ("Messages that could not be read, and still cannot.", ()),
    "tides_api_calls_left": ("Calls of the light-curve API that are left in this hour.", ("broker",)),
    "tides_targets": ("Targets by state: active, or why not. They add up to all targets.", ("state",)),
    "tides_questions": ("What waits for a person's word, by kind: tides questions lists it.", ("kind",)),
    "tides_subscriptions": ("What people are told of, by how it goes; a failing one is told later.", ("state",)),
    "tides_notices_waiting": ("What happened and is still to be told to a subscription, all together.", ()),
    "tides_spectra": (
        "Spectra of targets, targets observed and done, and what is nobody's or cannot be read.",
        ("of",),
    ),
    "tides_fourmost_targets": ("Targets by their state at 4MOST: a target may have several.", ("state",)),
    "tides_exchange_backlog": ("Targets that 4MOST is still to be told about, or has not answered on.", ("operation",)),
    "tides_exchange_backlog_age_seconds": ("How long something has been waiting for 4MOST; 0 if nothing has.", ()),
    "tides_last_good_run_timestamp_seconds": ("When a run last went well.", ("kind", "broker")),
    "tides_last_run_duration_seconds": ("How long the newest run took that ended.", ("kind", "broker")),
    "tides_last_run_failed": ("Whether the newest run that ended failed.", ("kind", "broker")),
    "tides_worker_heartbeat_timestamp_seconds": ("Newest sign of life of a worker of the pool.", ()),
    "tides_running_runs": ("Runs of the pool that are at work.", ()),
    "tides_late_runs": ("Runs whose time has come, and that no worker took up.", ()),
}
"""Help and labels of each metric, but for those of the process itself, which begin with process and python_gc."""

PATIENCE_SECONDS: Final = 5.0
"""[s] A scrape waits so long for all answers together; Prometheus itself gives up after 10 s."""

Sample = tuple[str, tuple[str, ...], float]
"""Name of a metric, values of its labels, number."""

AskPrefect = Callable[[Settings], PrefectFacts]


def registry_for(
    settings: Settings, database: KeptDatabase, ask_prefect: AskPrefect, fresh_for: float = FRESH_SECONDS
) -> CollectorRegistry:
    """
    Make what `prometheus_client.generate_latest` writes down: the numbers of the bridge, and of this process.

    Parameters
    ----------
    settings
        Of the bridge.
    database
        May be away: then ``tides_database_up`` is 0, and what it would tell is missing.
    ask_prefect
        Asks the Prefect server; it raises nothing.
    fresh_for
        [s] How long an answer is not asked for again.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(BridgeCollector(settings, database, ask_prefect, fresh_for))
    return registry


class BridgeCollector(Collector):
    """Gathers the metrics of the bridge at every scrape; for the parameters see `registry_for`."""

    def __init__(self, settings: Settings, database: KeptDatabase, ask_prefect: AskPrefect, fresh_for: float) -> None:
        questions: list[Callable[[], list[Sample]]] = [
            lambda: ask_database(settings, database),
            lambda: ask_brokers(settings, database),
            lambda: list(of_prefect(ask_prefect(settings))),
        ]
        self._answers = [Remembered(question, fresh_for) for question in questions]

    def collect(self) -> Iterator[Metric]:
        """Give all metrics that are known."""
        # All are asked before the first is waited for, and together they have PATIENCE_SECONDS: a broker that hangs
        # costs the scrape its own numbers, not those of the database.
        begun = time.monotonic()
        for question in self._answers:
            question.ask_anew()
        database, brokers, prefect = (
            question.get(begun + PATIENCE_SECONDS - time.monotonic()) for question in self._answers
        )
        samples = database if database is not None else [("tides_database_up", (), 0.0)]
        samples = [*samples, *(brokers or [])]
        samples += prefect if prefect is not None else [("tides_prefect_up", (), 0.0)]
        samples.append(("tides_scrape_duration_seconds", (), time.monotonic() - begun))
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for name, labels, value in samples:
            if name not in families:
                meaning, keys = METRICS[name]
                family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
                families[name] = family(name, meaning, labels=keys)
            families[name].add_metric(labels, value)
        yield from families.values()


# Each service in turn


def ask_database(settings: Settings, kept: KeptDatabase) -> list[Sample]:
    """
    Ask the database for all that it knows, but for what Kafka must be asked, too.

    Returns
    -------
    list of Sample
        Only ``tides_database_up`` with 0 if it is away: Prometheus then shows gaps, no stale numbers.
    """
    try:
        with kept.opened() as database:
            return [("tides_database_up", (), 1.0), *_of_database(settings, database)]
    except BridgeError:
        return [("tides_database_up", (), 0.0)]


def _of_database(settings: Settings, database: Database) -> Iterator[Sample]:
    with database.transaction() as connection:

        def one(name: str) -> dict[str, Any]:
            return run(connection, name)[0]

        schema, decisions, objects = (
            one("operations/get_schema.sql"),
            one("operations/sum_decisions.sql"),
            one("operations/count_objects.sql"),
        )
        targets = one("operations/count_targets.sql")
        spectra = count_spectra(connection)
        backlog = run(connection, "operations/count_backlog.sql", {"now_mjd": settings.now_mjd()})[0]
        runs = run(connection, "operations/list_runs.sql")
        questions = count_questions(connection, settings)
        subscriptions = list_subscriptions(connection)
        positions = run(connection, "operations/list_all_positions.sql")
        calls = run(connection, "operations/sum_api_calls.sql", {"now": datetime.now(UTC)})
    yield "tides_build_info", (version("tides-bridge"), schema["name"]), 1
    yield "tides_installed_timestamp_seconds", (), _seconds(schema["installed_at"])
    yield from _of_counts(decisions, objects, targets)
    for name, number in spectra.items():
        if name != "newest_night":
            yield "tides_spectra", (name,), number
    for kind, number in questions.items():
        yield "tides_questions", (kind,), number
    yield from of_subscriptions(subscriptions, settings.time())
    yield from _of_runs(in_use(settings, runs))
    yield from _of_positions(settings, positions)
    limits = {
        broker_settings.broker_name: broker_settings.light_curves.calls_per_hour
        for broker_settings in settings.each_broker()
    }
    for row in calls:
        if row["broker"] in limits:
            yield "tides_api_calls_left", (row["broker"],), max(limits[row["broker"]] - row["calls"], 0)
    if settings.fourmost.address:  # else nothing is ever sent
        for operation in ("create", "update", "deactivate"):
            yield "tides_exchange_backlog", (operation,), backlog[f"to_{operation}"]
        yield "tides_exchange_backlog", ("unanswered",), backlog["unanswered"]
        yield "tides_exchange_backlog_age_seconds", (), backlog["age_seconds"]


def in_use(settings: Settings, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Leave out the pulls of brokers that the settings do not have any more: nobody must be called for them.

    Parameters
    ----------
    settings
        With the brokers that are followed.
    runs
        Rows of the last runs by kind and broker.
    """
    names = {broker_settings.broker_name for broker_settings in settings.each_broker()}
    return [row for row in runs if row["kind"] != "pull" or row["broker"] in names]


def _of_counts(decisions: dict[str, int], objects: dict[str, int], targets: dict[str, int]) -> Iterator[Sample]:
    yield "tides_messages_total", (), decisions["messages"]
    yield "tides_decisions_total", ("true",), decisions["passed"]
    yield "tides_decisions_total", ("false",), decisions["evaluated"] - decisions["passed"]
    yield "tides_refused_messages", (), objects["refused_messages"]
    for state in ("waiting", "given_up"):
        yield "tides_deferred_objects", (state,), objects[state]
    for name, number in targets.items():
        state = name.removesuffix("_4most")
        yield "tides_targets" if state == name else "tides_fourmost_targets", (state,), number


def of_subscriptions(rows: list[dict[str, Any]], now: datetime) -> Iterator[Sample]:
    """
    Count subscriptions, each once, by how it goes, and what they are still to be told.

    Parameters
    ----------
    rows
        Of `list_subscriptions`.
    now
        By which one is muted.
    """
    states = Counter(
        "paused"
        if row["is_paused"]
        else "muted"
        if is_muted(row, now)
        else "failing"
        if row["failing_since"] is not None
        else "active"
        for row in rows
    )
    for state in ("active", "paused", "muted", "failing"):
        yield "tides_subscriptions", (state,), states[state]
    yield "tides_notices_waiting", (), sum(row["waiting"] for row in rows)


def _of_runs(runs: list[dict[str, Any]]) -> Iterator[Sample]:
    for row in runs:
        labels = (row["kind"], row["broker"] or "")
        if row["last_good"]:
            yield "tides_last_good_run_timestamp_seconds", labels, _seconds(row["last_good"])
        yield "tides_last_run_duration_seconds", labels, row["seconds"]
        yield "tides_last_run_failed", labels, row["failed"]


def _of_positions(settings: Settings, positions: list[dict[str, Any]]) -> Iterator[Sample]:
    """Tell when the newest alert of each topic was published, of those that are read now; files have none."""
    for broker_settings in settings.each_broker():
        if broker_settings.broker.kind == "recorded":
            continue
        newest: dict[str, float] = {}
        for row in positions:
            if reads(broker_settings, row) and row["last_message_at"]:
                newest[row["topic"]] = max(_seconds(row["last_message_at"]), newest.get(row["topic"], 0.0))
        for topic, published in newest.items():
            yield "tides_newest_alert_timestamp_seconds", (broker_settings.broker_name, topic), published


def ask_brokers(settings: Settings, kept: KeptDatabase) -> list[Sample]:
    """Ask each broker how much is still to be read; without the database that is not known, nor for files."""
    try:
        with kept.opened() as database, database.transaction() as connection:
            positions = run(connection, "operations/list_all_positions.sql")
    except BridgeError:
        return []
    samples: list[Sample] = []
    for broker_settings in settings.each_broker():
        if broker_settings.broker.kind != "recorded":
            known: dict[Partition, int] = {
                (row["topic"], row["partition_number"]): row["next_offset"]
                for row in positions
                if row["group_id"] == broker_settings.group_id
            }
            samples += _of_broker(broker_settings, known)
    return samples


def _of_broker(settings: Settings, known: dict[Partition, int]) -> list[Sample]:
    try:
        with stream_of(settings, known) as stream:
            lag = stream.lag()
    except BridgeError:
        return [("tides_broker_up", (settings.broker_name,), 0)]
    samples = [
        ("tides_lag_messages", (settings.broker_name, topic, str(number)), float(messages))
        for (topic, number), messages in lag.items()
    ]
    return [("tides_broker_up", (settings.broker_name,), 1), *samples]


def of_prefect(facts: PrefectFacts) -> Iterator[Sample]:
    """Tell how the Prefect server does."""
    yield "tides_prefect_up", (), facts.problem is None
    if facts.problem is None:
        heard = [worker.heard_at for worker in facts.workers if worker.heard_at]
        if heard:
            yield "tides_worker_heartbeat_timestamp_seconds", (), _seconds(max(heard))
        yield "tides_running_runs", (), len(facts.running)
        yield "tides_late_runs", (), len(facts.late)


def _seconds(time: datetime) -> float:
    """Give a time as Prometheus wants it: seconds since 1970."""
    return time.timestamp()
