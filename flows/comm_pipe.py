"""
The bridge: alerts in, targets at 4MOST, keys back.

One run is a series of batches, each of which happens as a whole or not at all, and then the exchange with 4MOST. The
two do not wait for each other: while 4MOST is away alerts are decided, while the broker is away 4MOST is told.
``tides run`` is the same from a shell.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prefect import flow, get_run_logger

from flows.batches import Run, take_batches
from flows.exchange import exchange_with_4most
from flows.parameters import Config, SettingsFile, run_name, skip_this_run
from flows.workers import dask_workers
from tasks.behaviour import speak_plainly, without_causes
from tasks.progress import PULLING, Progress
from tasks.report import publish_report
from tasks.store import deactivate_unobserved_transients, put_in_force
from tasks.summary import Summary, publish_summary
from tasks.tables import publish_new_targets, publish_refused_messages, publish_rulings
from tides_bridge.brokers import broker_of
from tides_bridge.database import Database, ensure_schema, open_database
from tides_bridge.database.run_log import logged_run, run_duration
from tides_bridge.decisions.in_hand import InHand
from tides_bridge.decisions.provenance import keep_provenance
from tides_bridge.decisions.record import contradictions, load_functions
from tides_bridge.errors import (
    BrokerUnavailable,
    DatabaseUnavailable,
    FourmostUnavailable,
    RunOvertaken,
    WorkerLost,
)
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings, load_settings


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
        settings = load_settings(config, Path(settings_file) if settings_file else None)
        functions = load_functions(settings)
        for of_broker in settings.each_broker():
            broker_of(of_broker)  # what is wrong with its settings is told before any work is done
        summary = Summary()
        with open_database(settings) as database, database.only_run() as is_alone:
            if not is_alone:
                return skip_this_run(summary.counts())
            ensure_schema(database, is_ours=settings.database.host == "embedded")
            with logged_run(database, "bridge", counts=summary.counts) as run_id:
                changes = keep_provenance(database, run_id, settings, functions)
                for note in (*changes, *contradictions(settings, functions[0])):
                    summary.note(note)
                try:
                    _work(database, settings, functions, summary)
                finally:
                    # A database that is away now, or another run, was told of already.
                    with suppress(DatabaseUnavailable, RunOvertaken):
                        summary.took = run_duration(database, run_id)
                        publish_new_targets(database, settings, run_id)
                        publish_refused_messages(database, run_id)
                        publish_rulings(database, run_id)
                        publish_report(database, settings, run_id, summary)
                    publish_summary(summary)
                _fail_if(summary.outage)
        return summary.counts()


def _work(database: Database, settings: Settings, functions: list[SelectionFunction], summary: Summary) -> None:
    """Do what a run is for, one thing after the other."""
    progress = Progress(len(settings.each_broker()))
    put_in_force(database, settings, functions)
    pull_and_decide(database, settings, functions, summary, progress)
    # Only when all brokers are read: a target that the last of them has seen tonight is not unobserved.
    progress.show(PULLING, "all that was to be read is decided: 4MOST is told of it")
    summary.add_switched(deactivate_unobserved_transients(database, settings))
    exchange_with_4most(database, settings, summary)
    progress.show(100, "done")


def _fail_if(outage: Exception | None) -> None:
    """End with the error of a service that was away, now that all else is done."""
    if outage:
        raise outage


def pull_and_decide(
    database: Database, settings: Settings, functions: list[SelectionFunction], summary: Summary, progress: Progress
) -> None:
    """
    Take batches from each broker until its stream is at its end.

    A broker that is away fails the run only when all else is done, what the others send included.
    """
    between = exchange_now_and_then(database, settings, summary, progress)
    for of_broker in settings.each_broker():
        try:
            with (
                logged_run(database, "pull", of_broker.broker_name) as run_id,
                dask_workers(settings.dask) as workers,
            ):
                hand = InHand.of(database, of_broker)
                run = Run(database, of_broker, functions, summary, run_id, workers, progress, between, hand)
                take_batches(run)
                _fail_if(run.outage)
        except (BrokerUnavailable, WorkerLost) as error:
            summary.outage = summary.outage or error
        progress.next_broker()


def exchange_now_and_then(
    database: Database, settings: Settings, summary: Summary, progress: Progress
) -> Callable[[], None]:
    """
    Give what is called between batches: it tells 4MOST what is new, if it is time to.

    A night's first targets need not wait for its last alert. 4MOST that is away is told at the end of the run.
    """
    last = time.monotonic()

    def exchange_if_due() -> None:
        nonlocal last
        is_told = bool(settings.fourmost.address) and not database.is_rehearsal
        if not is_told or time.monotonic() - last < settings.fourmost.exchange_every.total_seconds():
            return
        progress.show(0, "4MOST is told what is new so far")
        try:
            exchange_with_4most(database, settings, summary)
        except FourmostUnavailable as error:
            get_run_logger().warning("4MOST is told later: %s", error)
        last = time.monotonic()  # counted from its end: a slow 4MOST must not get all of the time

    return exchange_if_due
