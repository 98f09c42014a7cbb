"""Dask workers for a flow: a cluster that runs already, or some of our own on this machine."""

from contextlib import AbstractContextManager
from typing import Any

import dask
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import TaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from tides_bridge.settings import DaskSettings


def dask_workers(options: DaskSettings) -> TaskRunner[Any]:
    """Use the cluster that runs already, or start workers here."""
    if options.address:
        return DaskTaskRunner(address=options.address)
    cluster: dict[str, Any] = {
        "n_workers": options.workers,
        "threads_per_worker": options.threads_per_worker,
        "processes": options.processes,
        "dashboard_address": "127.0.0.1:0",
        "worker_dashboard_address": "127.0.0.1:0",
    }
    dask.config.set({"distributed.dashboard.link": "http://127.0.0.1:{port}/status"})  # else it names the machine
    if options.processes:
        cluster["host"] = "127.0.0.1"  # threads speak through memory instead
    return DaskTaskRunner(cluster_kwargs=cluster)


def one_prefect_server() -> AbstractContextManager[Any]:
    """
    Let workers in other processes use this run's Prefect server, as each would start one of its own without an address.

    The subflow needs no heartbeat, which would cost it a second: that of the run is enough.
    """
    with get_client(sync_client=True) as client:
        address = str(client.api_url)
    return temporary_settings({PREFECT_API_URL: address, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
