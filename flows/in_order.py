"""Work in pieces, here or on Dask: results come in the order of the pieces, and few of them wait at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

from flows.local_cluster import start_cluster
from tides_bridge.errors import SettingsError, WorkerLost
from tides_bridge.processes import children_deaf_to_interrupts

MODULE = "tides_bridge.archives.judging"
"""What workers need first."""


class Future(Protocol):
    """What will be a result."""

    def result(self) -> Any:
        """Wait for it."""


class OrderedMap(Protocol):
    """Applies a function to items, and gives the results in their order."""

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Apply it."""


def in_order(submit: Callable[[Any], Future], items: Iterable[Any], most: int) -> Iterator[Any]:
    """
    Submit items, no more than `most` of which are under way or wait to be taken, and give the results in order.

    An item is asked for when there is room for it, so that items may be made, or read, one by one.
    """
    pending: deque[Future] = deque()
    for item in items:
        if len(pending) >= most:
            yield pending.popleft().result()
        pending.append(submit(item))
    while pending:
        yield pending.popleft().result()


@contextmanager
def runner(workers: int, address: str | None) -> Iterator[OrderedMap]:
    """
    Give what runs work: this process if one worker is enough, else processes of this machine, or a cluster.

    Parameters
    ----------
    workers
        Processes of this machine.
    address
        Of the scheduler of a cluster that is there, which comes before `workers`.
    """
    if workers == 1 and not address:
        yield _here
        return
    with _client(workers, address) as client:
        yield _on_dask(client)


def _here(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    return map(function, items)


def _on_dask(client: Any) -> OrderedMap:
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    def run(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        most = 2 * sum(client.nthreads().values()) + 1
        try:
            yield from in_order(lambda item: client.submit(function, item, pure=False), items, most)
        except (KilledWorker, CancelledError, CommClosedError) as error:
            raise lost(error) from error

    return run


def set_up_dask() -> None:
    """
    Set what suits large pieces of work.

    A piece whose worker ended is tried once more, by another: it may have been killed for what a third one needed.
    Workers keep the memory that they free: Dask would have them give it back at once, and half of their time goes
    into getting it again. One thread each for what runs threads of its own, as there is a worker a core.
    """
    import dask
    import distributed  # noqa: F401 - its defaults come first

    environment = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}
    dask.config.set({"distributed.scheduler.allowed-failures": 1, "distributed.nanny.pre-spawn-environ": environment})


def lost(error: Exception) -> WorkerLost:
    """Say that Dask lost workers; what it says itself has the names of tasks, which mean nothing to a user."""
    if type(error).__name__ == "KilledWorker":
        problem = "two workers ended, one after the other, while they were at work on the same light curves"
    else:
        problem = f"the connection to the workers was lost ({type(error).__name__})"
    return WorkerLost("Dask", problem, "too little memory? Try fewer workers")


@contextmanager
def _client(workers: int, address: str | None) -> Iterator[Any]:
    """Connect to a cluster, or start one here."""
    import distributed

    connect: Any = distributed.Client  # without types
    set_up_dask()
    if address:
        with _connected(connect, address) as client:
            yield client
        return
    with children_deaf_to_interrupts():
        started = start_cluster(workers, 1, processes=True, quiet=True, imports=[MODULE])
    with started as cluster, connect(cluster) as client:
        # While the workers import what they need, the files are looked through.
        imports = {"pure": False, "allow_other_workers": False}
        warm = [client.submit(import_module, MODULE, workers=[worker], **imports) for worker in client.nthreads()]
        yield client
        del warm


def _connected(client: Callable[..., Any], address: str) -> Any:
    try:
        return client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise SettingsError(f"--dask {address}", "", f"no scheduler answers there: {error}") from None
