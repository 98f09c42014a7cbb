"""The step that runs on Dask: one chunk of objects."""

from dataclasses import replace

from prefect import task

from tasks.behaviour import STEP
from tides_bridge import judging
from tides_bridge.models import Alert, Judged
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings


class Work:
    """
    What `chunky_assign` is to do. Without a ``__dict__``, so that Prefect keeps no copy of it on the run page.

    Parameters
    ----------
    chunks
        The chunks to judge.
    settings, functions
        How; the active function first.
    """

    __slots__ = ("chunks", "functions", "settings")

    def __init__(self, chunks: list[list[Alert]], settings: Settings, functions: list[SelectionFunction]) -> None:
        self.chunks, self.settings, self.functions = chunks, settings, functions


class Chunk:
    """One chunk of `Work`, opaque to Prefect in the same way."""

    __slots__ = ("alerts", "functions", "settings")

    def __init__(self, alerts: list[Alert], settings: Settings, functions: list[SelectionFunction]) -> None:
        self.alerts = [replace(alert, message={}) for alert in alerts]  # a worker needs no message
        self.settings, self.functions = settings, functions


@task(**STEP, name="light_curve_satisfies", task_run_name="chunk {number}")
def light_curve_satisfies(number: str, chunk: Chunk) -> list[Judged]:
    """Get the light curves of a chunk, and decide on each of its objects; gives an outcome for each call it took."""
    return judging.judge_chunk(chunk.alerts, chunk.settings, chunk.functions)
