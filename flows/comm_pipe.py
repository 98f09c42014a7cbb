"""
The bridge: alerts in, targets at 4MOST, keys back.

One run is a series of batches, and then the exchange with 4MOST. ``python -m flows.comm_pipe`` is ``tides run``.
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

from tasks.behaviour import speak_plainly
from tasks.exchange import (
    create_new_transients_in_4most,
    prepare_4most_update,
    read_back_from_4most,
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
from tides_bridge.fourmost import FourmostClient
from tides_bridge.models import Batch, Judged
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


def _run_name() -> str:
    """Name a run by its configuration and time."""
    given, start = runtime.flow_run.parameters, runtime.flow_run.scheduled_start_time
    return f"{configuration_name(given.get('config'), given.get('settings_file'))} {start:%Y-%m-%d %H:%M:%S}"


@flow(name="TiDES bridge", flow_run_name=_run_name)
def execute_comm_pipe(config: Config = None, settings_file: SettingsFile = None) -> dict[str, int]:
    """
    Carry the newest transients from the broker to 4MOST.

    Returns
    -------
    dict
        The counts of `tasks.summary.Summary`.
    """
    speak_plainly()
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
    return summary.counts()


def pull_and_decide(database: Database, settings: Settings, function: SelectionFunction, summary: Summary) -> None:
    """Take batch after batch, the deferred objects first, until the stream is silent or the time is over."""
    end = time.monotonic() + settings.broker.longest_pull.total_seconds()
    with AlertStream(settings, broker_of(settings).decode) as stream:
        batch = get_deferred_objects(database, settings)
        while True:
            if batch.alerts or batch.refused:
                decide_and_store(database, settings, function, batch, summary)
            stream.commit(batch)
            if batch.is_last:
                return
            if time.monotonic() > end:
                get_run_logger().warning("the stream is not at its end: the next run goes on from here")
                return
            batch = get_latest_batch(stream)


def decide_and_store(
    database: Database, settings: Settings, function: SelectionFunction, batch: Batch, summary: Summary
) -> None:
    """
    Decide on a batch, and store all that comes of it in one transaction.

    Raises
    ------
    BrokerUnavailable
        If the light-curve API is down.
    """
    chunks = split_into_chunks(batch, settings)
    allowed = ingest.calls_left(database, settings)
    if not batch.messages:
        allowed = (allowed + 1) // 2  # deferred objects leave half of the calls to the stream
    judged = _judge(Work(chunks[:allowed], settings, function))
    outages = [chunk.outage for chunk in judged if chunk.outage]
    if batch.messages and outages and len(outages) == len(judged):
        raise outages[0]  # the API is down; deferred objects just wait on, so that no single one stops the stream
    judged += [judging.defer(chunk, HOURLY_LIMIT) for chunk in chunks[allowed:]]
    with database.transaction() as connection:
        create_transient_stage(connection, judged)
        inserted, updated = upsert_to_master(connection, settings)
        store_outcome(connection, batch, judged)
    summary.messages += batch.messages
    summary.objects += len(batch.alerts)
    summary.evaluated += sum(len(chunk.passed) for chunk in judged)
    summary.passed += sum(sum(chunk.passed.values()) for chunk in judged)
    summary.deferred += sum(len(chunk.deferred) for chunk in judged)
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
    return [future.result() for future in futures]


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
    read_back_from_4most(database, client)
    stage = prepare_4most_update(database, settings)
    summary.refused_targets = len(stage.content.refused)
    summary.failures |= {row["name"]: row["reason"] for row in stage.content.refused}
    created = create_new_transients_in_4most(database, client, stage, settings)
    changed = update_existing_transients(database, client, stage, "changed")
    deactivated = update_existing_transients(database, client, stage, "deactivated")
    summary.created_in_4most, summary.updated_in_4most = len(created.done), len(changed.done)
    summary.deactivated_in_4most = len(deactivated.done)
    failed = created.failed | changed.failed | deactivated.failed
    summary.failed_in_4most = len(failed)
    summary.failures |= failed


if __name__ == "__main__":
    # Through the command line: what is defined in __main__ would be pickled by value with every Dask task.
    from flows.cli import main

    main(["run", *sys.argv[1:]])
