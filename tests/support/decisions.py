"""What is decided of messages, as a run does it but without Prefect, in a form that can be compared."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tides_bridge.brokers import broker_of, stream_of
from tides_bridge.brokers.models import Message, Pull
from tides_bridge.database import Database
from tides_bridge.decisions import batch as ingest
from tides_bridge.decisions import judging
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.record import put_in_force
from tides_bridge.decisions.several_surveys import judge_together
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.columns import POINT_COLUMNS
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings


class Decision(NamedTuple):
    """What one function says of one object; two are equal if all of it is."""

    passed: bool
    failed: tuple[str, ...]
    n_detections: int
    trigger_mjd: float | None
    measured: tuple[tuple[str, float | str | None], ...]

    def is_near(self, other: "Decision", by: float) -> bool:
        """Tell whether another one is the same, its numbers to so much."""
        mine, its = self._replace(trigger_mjd=None, measured=()), other._replace(trigger_mjd=None, measured=())
        pairs = zip((*self.measured, ("", self.trigger_mjd)), (*other.measured, ("", other.trigger_mjd)), strict=True)
        return mine == its and all(
            name == measured_name and _is_near(a, b, by) for (name, a), (measured_name, b) in pairs
        )


Decisions = dict[tuple[str, str], Decision]
"""By object and function."""


def _is_near(some: float | str | None, other: float | str | None, by: float) -> bool:
    return some == other or (isinstance(some, float) and isinstance(other, float) and abs(some - other) <= by)


def unlike(some: Decisions, others: Decisions, by: float = 0.0) -> dict[tuple[str, str], object]:
    """Give both decisions, by object and function, where they are not alike; numbers may differ by so much."""
    pairs = {key: (some.get(key), others.get(key)) for key in some.keys() | others.keys()}
    return {key: (a, b) for key, (a, b) in pairs.items() if a is None or b is None or not a.is_near(b, by)}


def decision(
    passed: bool, failed: Iterable[str], n_detections: int, trigger_mjd: float | None, measured: Mapping[str, object]
) -> Decision:
    """Make one; what is not a number is none, and numbers are floats."""
    known = {name: float(value) if isinstance(value, int | float) else value for name, value in measured.items()}
    numbers = tuple(sorted((name, None if value is None else value) for name, value in known.items()))
    trigger = None if trigger_mjd is None or math.isnan(trigger_mjd) else float(trigger_mjd)
    return Decision(bool(passed), tuple(sorted(failed)), int(n_detections), trigger, numbers)  # type: ignore[arg-type]


def judged_of(
    settings: Settings, messages: Sequence[Message], functions: Sequence[SelectionFunction], size: int = 10**9
) -> list[Judged]:
    """
    Judge messages, and what light curves they lack.

    Parameters
    ----------
    settings
        Of their broker.
    messages, functions
        What is judged, by what.
    size
        [bytes] of the chunks in which messages are read, as Dask would have them.
    """
    read = [
        judged
        for chunk in judging.split_messages(messages, size)
        for judged in judging.judge_messages(chunk, settings, functions)
    ]
    read = judging.keep_newest(read)
    return judging.keep_newest([*read, *judging.judge_objects(judging.waiting(read, []), settings, functions)])


def decisions_in(judged: Iterable[Judged]) -> Decisions:
    """Give the decisions of a batch; no object may be decided twice."""
    found: Decisions = {}
    for chunk in judged:
        for row in chunk.decisions.to_dict("records"):
            key = row["object_id"], row["function"]
            assert key not in found, key
            failed = [path for path in row["failed"].strip("{}").split(",") if path]
            known = json.loads(row["measured"])
            found[key] = decision(row["passed"], failed, row["n_detections"], row["trigger_mjd"], known)
    return found


def digests_in(judged: Iterable[Judged]) -> dict[str, str]:
    """Give the digest of the light curve of each object that was judged."""
    rows = [row for chunk in judged if len(chunk.decisions) for row in chunk.decisions.to_dict("records")]
    return {row["object_id"]: row["curve_digest"] for row in rows}


def read_stream(settings: Settings) -> list[Message]:
    """Read a stream, Kafka's or one of files, to its end, as a run does."""
    found: list[Message] = []
    with stream_of(settings) as stream:
        while True:
            pull = stream.next_pull()
            found += pull.messages
            if pull.is_last:
                return found


def curves_in(settings: Settings, messages: Sequence[Message]) -> LightCurves:
    """Give the light curves that messages brought, and those that their broker's API has of the other objects."""
    broker = broker_of(settings)
    found = broker.decode(messages)
    with_curve = set(found.curves.object_ids)
    lacking = [alert.object_id for alert in found.alerts if alert.object_id not in with_curve]
    starts = range(0, len(lacking), broker.objects_per_call)
    fetched = [broker.fetch(lacking[start : start + broker.objects_per_call]).curves for start in starts]
    return LightCurves.joined([found.curves, *fetched])


def differing(some: LightCurves, others: LightCurves) -> set[str]:
    """Name the columns, of points and of objects, in which the light curves of the same objects are not the same."""
    assert sorted(some.object_ids) == sorted(others.object_ids)
    mine, its = columns_of(some), columns_of(others)
    return {name for name in mine if not _equal(mine[name], its[name])}


def columns_of(curves: LightCurves) -> dict[str, npt.NDArray[Any]]:
    """Give all columns, the objects in the order of their names."""
    order = np.argsort(np.array(curves.object_ids))
    points = np.argsort(np.argsort(order)[curves.object_index], kind="stable")
    columns = {f"point.{name}": getattr(curves, name)[points] for name in POINT_COLUMNS}
    return columns | {field.name: getattr(curves.objects, field.name)[order] for field in fields(Objects)}


def _equal(some: npt.NDArray[Any], others: npt.NDArray[Any]) -> bool:
    return np.array_equal(some, others, equal_nan=some.dtype.kind == "f")


def carried_out(database: Database, settings: Settings, functions: Sequence[SelectionFunction]) -> list[Judged]:
    """Read a stream from where the database says, batch by batch, and store what comes of it, as a run does."""
    done: list[Judged] = []
    with stream_of(settings, *ingest.get_positions(database, settings)) as stream:
        while True:
            pull = stream.next_pull()
            done += stored(database, settings, functions, pull)
            if pull.is_last:
                return done


def stored(database: Database, settings: Settings, functions: Sequence[SelectionFunction], pull: Pull) -> list[Judged]:
    """Judge a batch of messages, and store what comes of it in one transaction, as `flows.batches` does."""
    put_in_force(database, settings, functions)
    judged = judged_of(settings, pull.messages, functions)
    budget = ingest.take_calls(database, settings, sum(chunk.calls for chunk in judged))
    with database.transaction() as connection:
        if any(function.surveys for function in functions):
            judged = judge_together(connection, judged, settings, functions)
        ingest.create_transient_stage(connection, judged)
        ingest.upsert_to_master(connection, settings)
        batch = judging.batch_of(pull, judged, [])
        ingest.store_outcome(connection, batch, judged, budget, settings)
    return judged
