"""
The bridge: alerts in, targets at 4MOST, keys back.

One run is a series of batches, each of which happens as a whole or not at all, and then the exchange with 4MOST. The
two do not wait for each other: while 4MOST is away alerts are decided, while the broker is away 4MOST is told.
``python -m flows.comm_pipe`` is ``tides run``.
"""

import sys
from pathlib import Path
from typing import Annotated

from prefect import flow, get_run_logger, runtime

from flows.batches import Run, take_batches
from flows.explained import Explained
from flows.workers import dask_workers
from tasks.behaviour import speak_plainly, without_causes
from tasks.exchange import (
    create_new_transients_in_4most,
    prepare_4most_update,
    read_back_from_4most,
    settle_unanswered,
    update_existing_transients,
)
from tasks.store import deactivate_unobserved_transients, put_in_force
from tasks.summary import Summary, publish_summary
from tides_bridge.brokers import broker_of
from tides_bridge.database import Database, ensure_schema, open_database
from tides_bridge.errors import BrokerUnavailable, WorkerLost
from tides_bridge.fourmost import FourmostClient
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
    for of_broker in settings.each_broker():
        broker_of(of_broker)  # what is wrong with its settings is told before any work is done
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
    """
    Take batches from each broker until its stream is at its end.

    A broker that is away fails the run only when all else is done, what the others send included.
    """
    for of_broker in settings.each_broker():
        try:
            with (
                logged_run(database, "pull", of_broker.broker_name) as run_id,
                dask_workers(settings.dask) as workers,
            ):
                run = Run(database, of_broker, functions, summary, run_id, workers)
                take_batches(run)
                _fail_if(run.outage)
        except (BrokerUnavailable, WorkerLost) as error:
            summary.outage = summary.outage or error


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
