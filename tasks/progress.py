"""What the page of a run shows while it is at work. A server that is away, or busy, stops no run because of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_link_artifact, create_progress_artifact, update_progress_artifact

PULLING = 90.0
"""[%] Of the bar is for reading and deciding, the rest for 4MOST."""


class Progress:
    """
    A bar on the run page that says what is being done.

    Parameters
    ----------
    brokers
        How many are read, one after the other: each has an equal part of the bar.
    """

    __slots__ = ("_brokers", "_done", "_key", "_shown")

    def __init__(self, brokers: int) -> None:
        self._brokers, self._done, self._shown = max(brokers, 1), 0, 0.0
        self._key: UUID | None = None

    def read(self, what: str, part: float = 0.0) -> None:
        """Say what is done with the stream of the present broker, and which part of it was read, from 0 to 1."""
        self.show(PULLING * (self._done + min(max(part, 0.0), 1.0)) / self._brokers, what)

    def next_broker(self) -> None:
        """Go on to the part of the next broker."""
        self._done += 1

    def show(self, percent: float, what: str) -> None:
        """Say what is being done; the bar never goes back."""
        self._shown = max(self._shown, percent)
        with _undisturbed():
            if self._key is None:
                key = create_progress_artifact(self._shown, key="tides-bridge-progress", description=what)
                self._key = key if isinstance(key, UUID) else None
            else:
                update_progress_artifact(self._key, self._shown, description=what)


def link_to_dask(address: str) -> None:
    """Show where Dask's page is."""
    with _undisturbed():
        about = "What the Dask workers of this run do: there as long as it is at work, for browsers on its machine"
        create_link_artifact(address, link_text="Dask dashboard", key="tides-bridge-dask", description=about)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Go on if the page cannot be changed."""
    try:
        yield
    except Exception as error:
        get_run_logger().warning("the run page is not up to date: %s: %s", type(error).__name__, error)
