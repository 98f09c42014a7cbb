"""The steps that judge: one chunk of messages or objects, on Dask, or here if there are few."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from prefect import task

from tasks.behaviour import STEP, Handed
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.decisions import judging
from tides_bridge.decisions.models import Judged
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings


class Work:
    """
    What `chunky_assign` is to do. Without a ``__dict__``, so that Prefect keeps no copy of it on the run page.

    Parameters
    ----------
    chunks
        Of messages to be read, or of objects to be asked for.
    settings, functions
        How; the active function first.
    """

    __slots__ = ("chunks", "functions", "settings")

    def __init__(
        self, chunks: Sequence[Sequence[Message | Alert]], settings: Settings, functions: list[SelectionFunction]
    ) -> None:
        self.chunks, self.settings, self.functions = chunks, settings, functions


class Chunk:
    """
    One chunk of `Work`, opaque to Prefect in the same way.

    To a worker that is a thread of this process it goes as it is: Dask would copy all messages several times.
    """

    __slots__ = ("functions", "items", "key", "settings")

    def __init__(
        self, items: Sequence[Message | Alert], settings: Settings, functions: list[SelectionFunction]
    ) -> None:
        # A worker needs no message that was read already.
        self.items: list[Message | Alert] = [
            replace(item, message={}) if isinstance(item, Alert) else item for item in items
        ]
        self.settings, self.functions, self.key = settings, functions, uuid4().hex

    def empty(self) -> None:
        """Forget what is in it: Prefect keeps what a step was given until the whole flow ends."""
        self.items = []
        _here.pop(self.key, None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Send it to a worker."""
        dask = self.settings.dask
        if dask.address or dask.processes:
            return Chunk, (self.items, self.settings, self.functions)
        _here[self.key] = self
        return _found, (self.key,)

    def __dask_tokenize__(self) -> str:
        """Give Dask a name for it: it would hash all the bytes, which takes longer than to judge them."""
        return self.key


_here: dict[str, Chunk] = {}
"""Chunks on their way to workers that are threads of this process."""


def _found(key: str) -> Chunk:
    return _here[key]


def _judge(chunk: Chunk) -> list[Judged]:
    """Judge a chunk, and empty it."""
    try:
        return judging.judge_chunk(chunk.items, chunk.settings, chunk.functions)
    finally:
        chunk.empty()


@task(**STEP, name="light_curve_satisfies", task_run_name="chunk {number}")
def light_curve_satisfies(number: str, chunk: Chunk) -> list[Judged]:
    """Read or get the light curves of a chunk, and decide on each of its objects."""
    return _judge(chunk)


@task(**STEP, task_run_name="judge_messages")
def judge_messages(chunk: Chunk) -> Handed[list[Judged]]:
    """Read a few messages here, and decide on the objects whose light curve they bring."""
    return Handed(_judge(chunk))
