"""
The bridge: alerts in, targets at 4MOST, keys back.

One run is a series of batches, each of which happens as a whole or not at all, and then the exchange with 4MOST. The
two do not wait for each other: while 4MOST is away alerts are decided, while the broker is away 4MOST is told.
``python -m flows.comm_pipe`` is ``tides run``.
"""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, runtime

from flows.explained import Explained
from flows.workers import dask_workers, one_prefect_server
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
from tasks.store import (
    create_transient_stage,
    deactivate_unobserved_transients,
    put_in_force,
    store_outcome,
    upsert_to_master,
)
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
from tides_bridge.record import load_functions
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings, configuration_name, load

Config = Annotated[
    str | None,
    Explained("A configuration in the settings file; empty: $TIDES_CONFIG, the only one, or devConfig."),
]
SettingsFile = Annotated[
    str | None,
    Explained("The settings file; empty: $TIDES_SETTINGS, or flowSetting.yaml in the working folder."),
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
    functions = load_functions(settings)
    summary = Summary()
    with open_database(settings) as database, database.only_run() as is_alone:
        if not is_alone:
            get_run_logger().warning("another run is at work on this database: this one ends, and leaves it the work")
            return summary.counts()
        ensure_schema(database, is_ours=settings.database.host == "embedded")
        try:
            put_in_force(database, settings, functions)
            pull_and_decide(database, settings, functions, summary)
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


def pull_and_decide(
    database: Database, settings: Settings, functions: list[SelectionFunction], summary: Summary
) -> None:
    """Take batches until the stream is at its end; a broker that is away fails the run only when all else is done."""
    try:
        with logged_run(database, "pull") as run_id:
            _take_batches(database, settings, functions, summary, run_id)
            _fail_if(summary.outage)
    except (BrokerUnavailable, WorkerLost) as error:
        summary.outage = error


def _take_batches(
    database: Database, settings: Settings, functions: list[SelectionFunction], summary: Summary, run_id: int
) -> None:
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
                decide_and_store(database, settings, functions, batch, summary, run_id)
            stream.commit(batch)
            if batch.is_last:
                return
            if time.monotonic() > end:
                summary.notes.append("the stream was not at its end: the next run goes on from here")
                get_run_logger().warning(summary.notes[-1])
                return
            deferred = []


def decide_and_store(  # noqa: PLR0913, PLR0917
    database: Database,
    settings: Settings,
    functions: list[SelectionFunction],
    batch: Batch,
    summary: Summary,
    run_id: int,
) -> None:
    """
    Decide on a batch, and store all that comes of it in one transaction.

    What the hourly limit leaves no call for is deferred, as is all that an API could not answer. An API that is down
    is not asked again in the same run.
    """
    wanted = judging.calls_for(batch.alerts, settings)
    budget = ingest.take_calls(database, settings, 0 if summary.outage else wanted)
    affordable = budget.calls * settings.light_curves.objects_per_call
    judged = _judge(Work(split_into_chunks(batch.alerts[:affordable], settings), settings, functions))
    outages = [call.outage for call in judged if call.outage]
    if outages and len(outages) == len(judged):
        summary.outage = outages[0]
    judged.append(judging.defer(batch.alerts[affordable:], str(summary.outage or HOURLY_LIMIT)))
    with database.transaction("batch") as connection:
        create_transient_stage(connection, judged)
        inserted, updated = upsert_to_master(connection, settings)
        store_outcome(connection, batch, judged, budget, settings, run_id)
    summary.messages += batch.messages
    summary.objects += len(batch.alerts)
    summary.evaluated += sum(len(call.passed) for call in judged)
    summary.passed += sum(sum(call.passed.values()) for call in judged)
    for call in judged:
        summary.deferred += len(call.deferred)
        summary.reasons.update(call.deferred.values())
    summary.refused_messages += len(batch.refused)
    summary.inserted += inserted
    summary.updated += updated


def _judge(work: Work) -> list[Judged]:
    """Run `chunky_assign`, if there is anything to judge."""
    if not work.chunks:
        return []
    with one_prefect_server():
        return chunky_assign.with_options(task_runner=dask_workers(work.settings.dask))(work)


@flow(name="chunky_assign", flow_run_name="light curves", validate_parameters=False)
def chunky_assign(work: Work) -> list[Judged]:
    """Get and judge the light curves: one Dask task a chunk."""
    futures = [
        light_curve_satisfies.submit(f"{number} of {len(work.chunks)}", Chunk(chunk, work.settings, work.functions))
        for number, chunk in enumerate(work.chunks, start=1)
    ]
    return [call for future, chunk in zip(futures, work.chunks, strict=True) for call in _result(future, chunk, work)]


def _result(future: Any, chunk: list[Alert], work: Work) -> list[Judged]:
    """Wait for a chunk; if its worker was lost or failed, the objects are deferred, and the others go on."""
    result = future.result(raise_on_failure=False)
    if isinstance(result, list):
        return result
    error = WorkerLost("Dask", f"a chunk was not judged: {type(result).__name__}: {result}")
    get_run_logger().warning(str(error))
    return [judging.defer(chunk, str(error), outage=error, calls=judging.calls_for(chunk, work.settings))]


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
