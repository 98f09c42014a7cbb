"""Dask workers for a flow: a cluster that runs already, or some of our own on this machine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from prefect.client.orchestration import get_client
from prefect.context import SettingsContext, get_settings_context
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.local_cluster import start_cluster
from tasks.behaviour import speak_plainly
from tasks.progress import link_to_dask
from tides_bridge.settings.sections import DaskSettings

Workers = Callable[[int], TaskRunner[Any]]
"""Gives what runs so many tasks; the workers are started when they are needed first."""

IMPORTS = ("tasks.judge", "tasks.select_files")
"""Of the tasks that go to workers."""


@contextmanager
def dask_workers(options: DaskSettings) -> Iterator[Workers]:
    """
    Use the cluster that runs already, or one here, which is started once and ends with this block.

    From then on workers in other processes, and all that the flow starts, share its Prefect server.
    """
    with ExitStack() as stack:

        @cache
        def prepare() -> None:
            stack.enter_context(_one_prefect_server())

        @cache
        def address() -> str:
            if options.address:
                return options.address
            cluster = stack.enter_context(
                start_cluster(options.workers, options.threads_per_worker, processes=options.processes, imports=IMPORTS)
            )
            link_to_dask(str(cluster.dashboard_link))
            return str(cluster.scheduler_address)

        def workers(tasks: int) -> TaskRunner[Any]:
            prepare()
            if tasks == 1 and not (options.address or options.processes):
                return ThreadPoolTaskRunner(max_workers=1)  # what one thread of ours would do needs no Dask
            from prefect_dask.task_runners import DaskTaskRunner  # slow to import, and many runs need no worker

            speak_plainly()  # at its import Dask has set the level of its loggers
            return DaskTaskRunner(address=address())  # a cluster itself cannot go to a worker with its task

        yield workers


@contextmanager
def _one_prefect_server() -> Iterator[None]:
    """
    Let workers in other processes use this run's Prefect server, as each would start one of its own without an address.

    The subflow needs no heartbeat, which would cost it a second: that of the run is enough. Only these two settings are
    made anew: all of them, as Prefect's own way has it, take a quarter of a second.
    """
    address = PREFECT_API_URL.value()
    if not address:
        with get_client(sync_client=True) as client:
            address = str(client.api_url)
    context = get_settings_context()
    api = context.settings.api.model_copy(update={"url": address})
    flows = context.settings.flows.model_copy(update={"heartbeat_frequency": None})
    settings = context.settings.model_copy(update={"api": api, "flows": flows})
    with SettingsContext(profile=context.profile, settings=settings):
        yield
