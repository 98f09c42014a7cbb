"""Dask workers for a flow: a cluster that runs already, or some of our own on this machine."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import TaskRunner

from flows.local_cluster import start_cluster
from tasks.behaviour import speak_plainly
from tasks.progress import link_to_dask
from tides_bridge.settings.sections import DaskSettings

Workers = Callable[[], TaskRunner[Any]]
"""Gives what runs tasks; the workers are started when they are needed first."""


@contextmanager
def dask_workers(options: DaskSettings) -> Iterator[Workers]:
    """
    Use the cluster that runs already, or one here, which is started once and ends with this block.

    From then on workers in other processes, and all that the flow starts, share its Prefect server.
    """
    with ExitStack() as stack:

        @cache
        def address() -> str:
            stack.enter_context(_one_prefect_server())  # once: reading all of Prefect's settings takes a while
            if options.address:
                return options.address
            cluster = stack.enter_context(
                start_cluster(options.workers, options.threads_per_worker, processes=options.processes)
            )
            link_to_dask(str(cluster.dashboard_link))
            return str(cluster.scheduler_address)

        def workers() -> TaskRunner[Any]:
            from prefect_dask.task_runners import DaskTaskRunner  # slow to import, and many runs need no worker

            speak_plainly()  # at its import Dask has set the level of its loggers
            return DaskTaskRunner(address=address())  # a cluster itself cannot go to a worker with its task

        yield workers


def _one_prefect_server() -> AbstractContextManager[Any]:
    """
    Let workers in other processes use this run's Prefect server, as each would start one of its own without an address.

    The subflow needs no heartbeat, which would cost it a second: that of the run is enough.
    """
    with get_client(sync_client=True) as client:
        address = str(client.api_url)
    return temporary_settings({PREFECT_API_URL: address, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
