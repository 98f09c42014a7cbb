"""The steps that judge: one chunk of messages or objects, on Dask, or here if there are few."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import task

from tasks.behaviour import STEP, without_causes
from tasks.handed import Handed
from tides_bridge.decisions.models import Judged
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings


@dataclass(frozen=True)
class Chunk:
    """
    Some messages or objects, and how they are judged.

    Attributes
    ----------
    judge
        The door they go through: `judging.judge_messages` or `judging.judge_objects`.
    items
        What it judges.
    settings, functions
        How; the active function first.
    """

    judge: Callable[[Sequence[Any], Settings, Sequence[SelectionFunction]], list[Judged]]
    items: Sequence[Any]
    settings: Settings
    functions: Sequence[SelectionFunction]

    def boxed(self) -> Handed["Chunk"]:
        """Hand it to a Dask worker."""
        dask = self.settings.dask
        return Handed(self, stays=not (dask.address or dask.processes))


def _judge(box: Handed[Chunk]) -> Handed[list[Judged]]:
    chunk = box.take()
    # Dask lets errors be pickled with all that they came from, and that may hold a token.
    with without_causes():
        return Handed(chunk.judge(chunk.items, chunk.settings, chunk.functions))


@task(**STEP, name="light_curve_satisfies", task_run_name="chunk {number}")
def light_curve_satisfies(number: str, chunk: Handed[Chunk]) -> Handed[list[Judged]]:
    """Read or get the light curves of a chunk, and decide on each of its objects."""
    return _judge(chunk)


@task(**STEP, task_run_name="judge_messages")
def judge_messages(chunk: Handed[Chunk]) -> Handed[list[Judged]]:
    """Read a few messages here, and decide on the objects whose light curve they bring."""
    return _judge(chunk)
