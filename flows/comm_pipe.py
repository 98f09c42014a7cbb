"""
The bridge: alerts in, targets at 4MOST, keys back.

One run is a series of batches, each of which happens as a whole or not at all, and then the exchange with 4MOST. The
two do not wait for each other: while 4MOST is away alerts are decided, while the broker is away 4MOST is told.
``python -m flows.comm_pipe`` is ``tides run``.
"""

import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import dask
from prefect import flow, get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import TaskRunner
from prefect_dask.task_runners import DaskTaskRunner
from pydantic import Field

from tasks.behaviour import speak_plainly, without_causes
from tasks.exchange import (
    create_new_transients_in_4most,
    prepare_4most_update,
    read_back_from_4most,
    settle_unanswered,
    update_existing_transients,
)
from tasks.judge import Chunk, Work, light_curve_satisfies
from tasks.pull import get_deferred_objects, get_latest_batch, split_into_chunks
from tasks.store import create_transient_stage, deactivate_unobserved_transients, store_outcome, upsert_to_master
from tasks.summary import Summary, publish_summary
from tides_bridge import ingest, judging
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.database import Database, ensure_schema, open_database
from tides_bridge.errors import BrokerUnavailable, WorkerLost
from tides_bridge.fourmost import FourmostClient
from tides_bridge.models import Alert, Batch, Judged
from tides_bridge.monitor import logged_run
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import DaskSettings, Settings, configuration_name, load, load_function

Config = Annotated[
    str | None,
    Field(description="A configuration in the settings file; empty: $TIDES_CONFIG, the only one, or devConfig."),
]
SettingsFile = Annotated[
    str | None,
    Field(description="The settings file; empty: $TIDES_SETTINGS, or flowSetting.yaml in the working folder."),
]


def run_name() -> str:
    """Name a run by its configuration and time."""
    given, start = runtime.flow_run.parameters, runtime.flow_run.scheduled_start_time
    return f"{configuration_name(given.get('config'), given.get('settings_file'))} {start:%Y-%m-%d %H:%M:%S}"


@flow(name="TiDES bridge", flow_run_name=run_name)
def execute_comm_pipe(config: Config = None, settings_file: SettingsFile = None) -> dict[str, int]:
    """
    Carry the newest transients from the broker to 4MOST.

    Returns
    -------
    dict
        The counts of `tasks.summary.Summary`.
    """
    speak_plainly()
    with without_causes():
        return _carry(config, settings_file)


def _carry(config: str | None, settings_file: str | None) -> dict[str, int]:
    """Do one run, unless another one is at work."""
    settings = load(config, Path(settings_file) if settings_file else None)
    function = load_function(settings.select_function_path, settings.select_function)
    summary = Summary()
    with open_database(settings) as database, database.only_run() as is_alone:
        if not is_alone:
            get_run_logger().warning("another run is at work on this database: this one ends, and leaves it the work")
            return summary.counts()
        ensure_schema(database, is_ours=settings.database.host == "embedded")
        try:
            pull_and_decide(database, settings, function, summary)
            summary.deactivated = deactivate_unobserved_transients(database, settings)
            exchange_with_4most(database, settings, summary)
        finally:
            publish_summary(summary)
    _fail_if(summary.outage)
    return summary.counts()


def _fail_if(outage: Exception | None) -> None:
    """End with the error of a service that was away, now that all else is done."""
    if outage:
        raise outage


def pull_and_decide(database: Database, settings: Settings, function: SelectionFunction, summary: Summary) -> None:
    """Take batches until the stream is at its end; a broker that is away fails the run only when all else is done."""
    try:
        with logged_run(database, "pull"):
            _take_batches(database, settings, function, summary)
            _fail_if(summary.outage)
    except (BrokerUnavailable, WorkerLost) as error:
        summary.outage = error


def _take_batches(database: Database, settings: Settings, function: SelectionFunction, summary: Summary) -> None:
    """Take batch after batch, the deferred objects with the first, until the stream is silent or the time is over."""
    end = time.monotonic() + settings.broker.longest_pull.total_seconds()
    positions, digests = ingest.get_positions(database, settings)
    with AlertStream(settings, broker_of(settings).decode, positions, digests) as stream:
        deferred = get_deferred_objects(database, settings)
        while True:
            batch = get_latest_batch(stream, deferred)
            note = f"topic {settings.topic} was filled anew: it was read from its beginning"
            if stream.refilled and note not in summary.notes:
                summary.notes.append(note)
            if batch.alerts or batch.messages or stream.refilled:
                decide_and_store(database, settings, function, batch, summary)
            stream.commit(batch)
            if batch.is_last:
                return
            if time.monotonic() > end:
                summary.notes.append("the stream was not at its end: the next run goes on from here")
                get_run_logger().warning(summary.notes[-1])
                return
            deferred = []


def decide_and_store(
    database: Database, settings: Settings, function: SelectionFunction, batch: Batch, summary: Summary
) -> None:
    """
    Decide on a batch, and store all that comes of it in one transaction.

    What the hourly limit leaves no call for is deferred, as is all that an API could not answer. An API that is down
    is not asked again in the same run.
    """
    chunks = split_into_chunks(batch, settings)
    budget = ingest.take_calls(database, settings, 0 if summary.outage else len(chunks))
    judged = _judge(Work(chunks[: budget.calls], settings, function))
    outages = [chunk.outage for chunk in judged if chunk.outage]
    if outages and len(outages) == len(judged):
        summary.outage = outages[0]
    reason = str(summary.outage or HOURLY_LIMIT)
    judged += [judging.defer(chunk, reason) for chunk in chunks[budget.calls :]]
    with database.transaction("batch") as connection:
        create_transient_stage(connection, judged)
        inserted, updated = upsert_to_master(connection, settings)
        store_outcome(connection, batch, judged, budget, settings)
    summary.messages += batch.messages
    summary.objects += len(batch.alerts)
    summary.evaluated += sum(len(chunk.passed) for chunk in judged)
    summary.passed += sum(sum(chunk.passed.values()) for chunk in judged)
    for chunk in judged:
        summary.deferred += len(chunk.deferred)
        summary.reasons.update(chunk.deferred.values())
    summary.refused_messages += len(batch.refused)
    summary.inserted += inserted
    summary.updated += updated


def _judge(work: Work) -> list[Judged]:
    """Run `chunky_assign`, if there is anything to judge."""
    if not work.chunks:
        return []
    with _one_prefect_server():
        return chunky_assign.with_options(task_runner=_dask(work.settings.dask))(work)


@flow(name="chunky_assign", flow_run_name="light curves", validate_parameters=False)
def chunky_assign(work: Work) -> list[Judged]:
    """Get and judge the light curves: one Dask task a chunk."""
    futures = [
        light_curve_satisfies.submit(f"{number} of {len(work.chunks)}", Chunk(chunk, work.settings, work.function))
        for number, chunk in enumerate(work.chunks, start=1)
    ]
    return [_result(future, chunk) for future, chunk in zip(futures, work.chunks, strict=True)]


def _result(future: Any, chunk: list[Alert]) -> Judged:
    """Wait for a chunk; if its worker was lost or failed, the objects are deferred, and the others go on."""
    result = future.result(raise_on_failure=False)
    if isinstance(result, Judged):
        return result
    error = WorkerLost("Dask", f"a chunk was not judged: {type(result).__name__}: {result}")
    get_run_logger().warning(str(error))
    return judging.defer(chunk, str(error), outage=error, calls=1)


def _dask(options: DaskSettings) -> TaskRunner[Any]:
    """Use the cluster that runs already, or start workers here."""
    if options.address:
        return DaskTaskRunner(address=options.address)
    cluster: dict[str, Any] = {
        "n_workers": options.workers,
        "threads_per_worker": options.threads_per_worker,
        "processes": options.processes,
        "dashboard_address": "127.0.0.1:0",
        "worker_dashboard_address": "127.0.0.1:0",
    }
    dask.config.set({"distributed.dashboard.link": "http://127.0.0.1:{port}/status"})  # else it names the machine
    if options.processes:
        cluster["host"] = "127.0.0.1"  # threads speak through memory instead
    return DaskTaskRunner(cluster_kwargs=cluster)


def _one_prefect_server() -> AbstractContextManager[Any]:
    """
    Let workers in other processes use this run's Prefect server, as each would start one of its own without an address.

    The subflow needs no heartbeat, which would cost it a second: that of the run is enough.
    """
    with get_client(sync_client=True) as client:
        address = str(client.api_url)
    return temporary_settings({PREFECT_API_URL: address, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})


def exchange_with_4most(database: Database, settings: Settings, summary: Summary) -> None:
    """Send what is new, changed or over, and bring keys and state back."""
    if not settings.fourmost.address:
        get_run_logger().warning("nothing is sent to 4MOST: fourmost.address is not set")
        return
    client = FourmostClient(settings.fourmost)
    with logged_run(database, "exchange"):
        read_back_from_4most(database, client)
        created = settle_unanswered(database, client)
        stage = prepare_4most_update(database, settings)
        summary.refused_targets = len(stage.content.refused)
        summary.failures |= {row["name"]: row["reason"] for row in stage.content.refused}
        created.add(create_new_transients_in_4most(database, client, stage, settings))
        changed = update_existing_transients(database, client, stage, "changed")
        deactivated = update_existing_transients(database, client, stage, "deactivated")
        summary.created_in_4most, summary.updated_in_4most = len(created.done), len(changed.done)
        summary.deactivated_in_4most = len(deactivated.done)
        failed = created.failed | changed.failed | deactivated.failed
        summary.failed_in_4most = len(failed)
        summary.failures |= failed
        _fail_if(created.outage or changed.outage or deactivated.outage)


if __name__ == "__main__":
    # Through the command line: what is defined in __main__ would be pickled by value with every Dask task.
    from flows.cli import main

    main(["run", *sys.argv[1:]])
