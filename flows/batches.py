"""
The batches of one broker: each is read, judged on Dask, and stored in one transaction, or not at all.

::

    messages ─▶ those that bring light curves ─▶ judged as they are read ─┐
                the others, and those deferred ─▶ asked for, and judged ──┴─▶ one transaction
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from prefect import flow, get_run_logger

from flows.workers import Workers
from tasks.handed import Handed
from tasks.judge import Chunk, judge_messages, light_curve_satisfies
from tasks.progress import Progress
from tasks.pull import get_deferred_objects, get_latest_batch, split_into_chunks
from tasks.store import create_transient_stage, judge_together, store_outcome, upsert_to_master
from tasks.summary import Summary
from tides_bridge.brokers import broker_of, stream_of
from tides_bridge.brokers.base import HOURLY_LIMIT
from tides_bridge.brokers.models import Alert, Message, Pull
from tides_bridge.database import Database
from tides_bridge.decisions import judging
from tides_bridge.decisions.batch import Budget, count_born_inactive, get_positions, store_lag, take_calls
from tides_bridge.decisions.in_hand import DEADLY, InHand, place_in_stream
from tides_bridge.decisions.models import Batch, Judged
from tides_bridge.decisions.refused import get_accepted
from tides_bridge.errors import BridgeError, WorkerLost
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings


@dataclass
class Deciding:
    """Where decisions on alerts of one broker are stored, by what they are made, and what counts them."""

    database: Database
    settings: Settings
    functions: list[SelectionFunction]
    summary: Summary
    run_id: int


@dataclass
class Run(Deciding):
    """
    What the batches of one broker have in common, and whether its light-curve API was found to be away.

    ``between`` is called after each batch but the last; ``hand`` knows what the run before died with.
    """

    workers: Workers
    progress: Progress
    between: Callable[[], None]
    hand: InHand
    outage: Exception | None = None


def take_batches(run: Run) -> None:
    """Take batch after batch, the deferred objects with the first, until the stream is silent or the time is over."""
    settings, summary = run.settings, run.summary
    end = time.monotonic() + settings.broker.longest_pull.total_seconds()
    positions, digests = get_positions(run.database, settings)
    with stream_of(settings, positions, digests) as stream:
        deferred = get_deferred_objects(run.database, settings).take()
        accepted = {} if run.hand.is_careful else get_accepted(run.database, settings)
        read, waiting = 0, stream.left()
        while True:
            _tell(run, "read and decided", read, waiting)
            stream.batch_size = run.hand.most
            pull = get_latest_batch(stream).take()
            read += len(pull.messages)
            _tell(run, "read, the last of which are being decided", read, waiting)
            pull = pull.with_accepted(accepted)
            if stream.refilled:
                summary.note(f"topic {settings.topic} was filled anew: it was read from its beginning")
            if pull.messages or deferred or stream.refilled:
                decide_and_store(run, pull, deferred)
            if not run.database.is_rehearsal:
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


@contextmanager
def _in_hand(run: Run, messages: Sequence[Message]) -> Iterator[None]:
    """Have messages in hand: whoever dies of them leaves word, and whoever ends of something else takes it back."""
    run.hand.take(run.database, messages)
    try:
        yield
    except (BridgeError, KeyboardInterrupt, SystemExit) as error:
        if not isinstance(error, WorkerLost):  # a worker may have died of them
            with suppress(BridgeError):
                run.hand.drop(run.database)
        raise
    run.hand.lay_down(run.database, messages)


def _tell(run: Run, what: str, read: int, waiting: int | None) -> None:
    """Say on the run page how far the stream was read, of the messages that were there when the pull began."""
    known = f" of {max(waiting, read)}" if waiting else ""
    part = read / max(waiting, read) if waiting else 0.0
    run.progress.read(f"{run.settings.broker_name}: {read}{known} messages {what}", part)


def decide_and_store(run: Run, pull: Pull, deferred: list[Alert]) -> None:
    """
    Decide on a batch, and store all that comes of it in one transaction.

    Messages that bring the light curve are judged as they are read. The other objects are asked for: what the hourly
    limit leaves no call for is deferred, as is all that an API could not answer. An API that is down is not asked again
    in the same run.
    """
    settings = run.settings
    read = _read_in_hand(run, pull.messages)
    waiting = judging.waiting(read, deferred)
    budget = take_calls(run.database, settings, 0 if run.outage else judging.calls_for(waiting, settings))
    affordable = budget.calls * broker_of(settings).objects_per_call
    asked = _ask_and_judge(run, waiting[:affordable])
    outages = [call.outage for call in asked if call.outage]
    if outages and len(outages) == len(asked):
        run.outage = outages[0]
    later = judging.defer(waiting[affordable:], str(run.outage or HOURLY_LIMIT))
    # An object that was deferred with a newer alert than the message's is judged in both: once may it be stored.
    judged = [*(judging.keep_newest([*read, *asked]) if asked else read), later]
    store_batch(run, judging.batch_of(pull, read, waiting), judged, budget)


def store_batch(run: Deciding, batch: Batch, judged: list[Judged], budget: Budget) -> None:
    """Store all that comes of a batch in one transaction, and count it."""
    settings = run.settings
    # All of it or nothing: if we die in here, the next run does it again from the same place in the stream.
    with run.database.transaction("batch") as connection:
        if any(function.surveys or function.annotations for function in run.functions):
            judged = judge_together(connection, Handed(judged), settings, run.functions).take()
        create_transient_stage(connection, Handed(judged), settings)
        inserted, updated = upsert_to_master(connection, settings)
        born_inactive = count_born_inactive(connection)
        store_outcome(connection, Handed((batch, judged)), budget, settings, run.run_id)
    run.summary.add(batch, judged, inserted, updated)
    run.summary.born_inactive += born_inactive


def _read_in_hand(run: Run, messages: Sequence[Message]) -> list[Judged]:
    """Read messages, and judge what is in them; one that is deadly is refused unread."""
    if run.hand.is_deadly(messages):
        get_run_logger().warning("%s %s: it is kept with the refused", place_in_stream(messages[0]), DEADLY)
        run.hand.set_aside(run.database)
        return judging.refuse(messages, DEADLY)
    with _in_hand(run, messages):
        return _read_and_judge(run, messages)


def _read_and_judge(run: Run, messages: Sequence[Message]) -> list[Judged]:
    """
    Read messages and judge what is in them: here, or where there are many on Dask.

    Raises
    ------
    WorkerLost
        If a chunk was not read: nobody knows yet what is in it, so that the batch is left to the next run.
    """
    chunks = [
        Chunk(judging.judge_messages, part, run.settings, run.functions)
        for part in judging.split_messages(messages, judging.CHUNK_BYTES)
    ]
    if not chunks:
        return []
    if len(chunks) == 1:
        return judge_messages(chunks[0].boxed()).take()
    judged: list[Judged] = []
    for result in _chunky_assign(run, chunks):
        if isinstance(result, WorkerLost):
            raise result
        judged += result
    return judging.keep_newest(judged)


def _ask_and_judge(run: Run, alerts: list[Alert]) -> list[Judged]:
    """Get the light curves of objects, and judge them, on Dask if they are many; those of a lost chunk are deferred."""
    if not alerts:
        return []
    parts = split_into_chunks(Handed(alerts), run.settings).take()
    chunks = [Chunk(judging.judge_objects, judging.unread(part), run.settings, run.functions) for part in parts]
    judged: list[Judged] = []
    for part, result in zip(parts, _chunky_assign(run, chunks), strict=True):
        if isinstance(result, WorkerLost):
            get_run_logger().warning(str(result))
            calls = judging.calls_for(part, run.settings)
            judged.append(judging.defer(part, str(result), outage=result, calls=calls))
        else:
            judged += result
    return judged


def _chunky_assign(run: Run, chunks: list[Chunk]) -> list[list[Judged] | WorkerLost]:
    return chunky_assign.with_options(task_runner=run.workers(len(chunks)))(Handed(chunks)).take()


@flow(name="chunky_assign", flow_run_name="light curves", validate_parameters=False)
def chunky_assign(chunks: Handed[list[Chunk]]) -> Handed[list[list[Judged] | WorkerLost]]:
    """
    Read messages, or get light curves, and judge what is in them: one task a chunk, on Dask if there are several.

    Returns
    -------
    Handed
        By chunk what was judged, or that its worker was lost or failed.
    """
    boxes = [chunk.boxed() for chunk in chunks.take()]  # with every task Prefect sends what its flow was given
    futures = [
        light_curve_satisfies.submit(f"{number} of {len(boxes)}", box) for number, box in enumerate(boxes, start=1)
    ]
    results = [_result(future) for future in futures]
    for box in boxes:
        box.take()  # what another process judged, or nobody, is in it still
    return Handed(results)


def _result(future: Any) -> list[Judged] | WorkerLost:
    """Wait for a chunk."""
    result = future.result(raise_on_failure=False)
    if isinstance(result, Handed):
        judged: list[Judged] = result.take()
        return judged
    return WorkerLost("Dask", f"a chunk was not judged: {type(result).__name__}: {result}")
