"""
The batches of one broker: each is read, judged on Dask, and stored in one transaction, or not at all.

::

    messages ─▶ those that bring light curves ─▶ judged as they are read ─┐
                the others, and those deferred ─▶ asked for, and judged ──┴─▶ one transaction
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import flow, get_run_logger

from flows.workers import Workers, one_prefect_server
from tasks.behaviour import Handed
from tasks.judge import Chunk, Work, judge_messages, light_curve_satisfies
from tasks.progress import Progress
from tasks.pull import get_deferred_objects, get_latest_batch, split_into_chunks
from tasks.store import create_transient_stage, judge_together, store_outcome, upsert_to_master
from tasks.summary import Summary
from tides_bridge.brokers import broker_of, stream_of
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.models import Alert, Message, Pull
from tides_bridge.database import Database
from tides_bridge.decisions import judging
from tides_bridge.decisions.batch import get_positions, store_lag, take_calls
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.refused import get_accepted
from tides_bridge.errors import WorkerLost
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings


@dataclass
class Run:
    """
    What the batches of one broker have in common, and whether its light-curve API was found to be away.

    ``between`` is called after each batch but the last.
    """

    database: Database
    settings: Settings
    functions: list[SelectionFunction]
    summary: Summary
    run_id: int
    workers: Workers
    progress: Progress
    between: Callable[[], None]
    outage: Exception | None = None


def take_batches(run: Run) -> None:
    """Take batch after batch, the deferred objects with the first, until the stream is silent or the time is over."""
    settings, summary = run.settings, run.summary
    end = time.monotonic() + settings.broker.longest_pull.total_seconds()
    positions, digests = get_positions(run.database, settings)
    with stream_of(settings, positions, digests) as stream:
        deferred = get_deferred_objects(run.database, settings)
        accepted = get_accepted(run.database, settings)
        read, there = 0, stream.left()
        while True:
            _tell(run, "read and decided", read, there)
            pull = get_latest_batch(stream).take()
            read += len(pull.messages)
            _tell(run, "read, the last of which are being decided", read, there)
            pull.join(accepted)
            if stream.refilled:
                summary.note(f"topic {settings.topic} was filled anew: it was read from its beginning")
            if pull.messages or deferred or stream.refilled:
                decide_and_store(run, pull, deferred)
            stream.commit(pull.positions)
            is_late = not pull.is_last and time.monotonic() > end
            if pull.is_last or is_late:
                break
            run.between()
            deferred, accepted = [], {}
        lag = stream.lag()
    store_lag(run.database, settings, lag)
    summary.lag += sum(lag.values())
    if is_late:
        summary.note("the stream was not at its end: the next run goes on from here")
        get_run_logger().warning(summary.notes[-1])


def _tell(run: Run, what: str, read: int, there: int | None) -> None:
    """Say on the run page how far the stream was read, of the messages that were there when the pull began."""
    known = f" of {max(there, read)}" if there else ""
    part = read / max(there, read) if there else 0.0
    run.progress.read(f"{run.settings.broker_name}: {read}{known} messages {what}", part)


def decide_and_store(run: Run, pull: Pull, deferred: list[Alert]) -> None:
    """
    Decide on a batch, and store all that comes of it in one transaction.

    Messages that bring the light curve are judged as they are read. The other objects are asked for: what the hourly
    limit leaves no call for is deferred, as is all that an API could not answer. An API that is down is not asked again
    in the same run.
    """
    settings = run.settings
    read = _read_and_judge(run, pull.messages)
    waiting = judging.waiting(read, deferred)
    budget = take_calls(run.database, settings, 0 if run.outage else judging.calls_for(waiting, settings))
    affordable = budget.calls * broker_of(settings).objects_per_call
    asked = _ask_and_judge(run, waiting[:affordable])
    outages = [call.outage for call in asked if call.outage]
    if outages and len(outages) == len(asked):
        run.outage = outages[0]
    later = judging.defer(waiting[affordable:], str(run.outage or HOURLY_LIMIT))
    judged = [*read, *asked, later]
    batch = judging.batch_of(pull, read, waiting)
    with run.database.transaction("batch") as connection:
        if any(function.surveys for function in run.functions):
            judged = judge_together(connection, Handed(judged), settings, run.functions).take()
        create_transient_stage(connection, judged)
        inserted, updated = upsert_to_master(connection, settings)
        store_outcome(connection, batch, judged, budget, settings, run.run_id)
    run.summary.add(batch, judged, inserted, updated)


def _read_and_judge(run: Run, messages: list[Message]) -> list[Judged]:
    """Read messages and judge what is in them: here, or where there are many on Dask."""
    chunks = judging.split_messages(messages, judging.CHUNK_BYTES)
    if not chunks:
        return []
    if len(chunks) == 1:
        return judge_messages(Chunk(chunks[0], run.settings, run.functions)).take()
    judged = _chunky_assign(run, Work(chunks, run.settings, run.functions))
    judging.keep_newest(judged)
    return judged


def _ask_and_judge(run: Run, alerts: list[Alert]) -> list[Judged]:
    """Get the light curves of objects, and judge them, on Dask."""
    if not alerts:
        return []
    chunks = split_into_chunks(Handed(alerts), run.settings).take()
    return _chunky_assign(run, Work(chunks, run.settings, run.functions))


def _chunky_assign(run: Run, work: Work) -> list[Judged]:
    with one_prefect_server():
        return chunky_assign.with_options(task_runner=run.workers())(Handed(work)).take()


@flow(name="chunky_assign", flow_run_name="light curves", validate_parameters=False)
def chunky_assign(given: Handed[Work]) -> Handed[list[Judged]]:
    """Read messages, or get light curves, and judge what is in them: one Dask task a chunk."""
    work = given.take()  # with every task Prefect sends what its flow was given
    chunks = [Chunk(chunk, work.settings, work.functions) for chunk in work.chunks]
    futures = [
        light_curve_satisfies.submit(f"{number} of {len(chunks)}", chunk)
        for number, chunk in enumerate(chunks, start=1)
    ]
    results = [_result(future, chunk, work) for future, chunk in zip(futures, work.chunks, strict=True)]
    for chunk in chunks:
        chunk.empty()
    return Handed([call for result in results for call in result])


def _result(future: Any, chunk: Sequence[Message | Alert], work: Work) -> list[Judged]:
    """
    Wait for a chunk; if its worker was lost or failed, the objects are deferred, and the others go on.

    Raises
    ------
    WorkerLost
        If it was of messages: nobody knows yet what is in them, so that they are left to the next run.
    """
    result = future.result(raise_on_failure=False)
    if isinstance(result, list):
        return result
    error = WorkerLost("Dask", f"a chunk was not judged: {type(result).__name__}: {result}")
    alerts = [each for each in chunk if isinstance(each, Alert)]
    if len(alerts) < len(chunk):
        raise error
    get_run_logger().warning(str(error))
    return [judging.defer(alerts, str(error), outage=error, calls=judging.calls_for(alerts, work.settings))]
