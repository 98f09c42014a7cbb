"""Dask workers on this machine, for flows and for commands without one."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from distributed import LocalCluster


def start_cluster(
    workers: int, threads: int, *, processes: bool, quiet: bool = False, environment: Mapping[str, str] | None = None
) -> "LocalCluster":
    """
    Start workers here, which listen on this machine only.

    Parameters
    ----------
    workers
        How many.
    threads
        Of each worker.
    processes
        Whether each worker is a process of its own; else all are threads of this one.
    quiet
        Whether Dask tells nothing of workers that end.
    environment
        Variables that processes get besides ours.
    """
    import dask
    from distributed import LocalCluster

    cluster: dict[str, Any] = {
        "n_workers": workers,
        "threads_per_worker": threads,
        "processes": processes,
        "dashboard_address": "127.0.0.1:0",
        "worker_dashboard_address": "127.0.0.1:0",
    }
    dask.config.set({"distributed.dashboard.link": "http://127.0.0.1:{port}/status"})  # else it names the machine
    if processes:
        cluster |= {"host": "127.0.0.1", "env": dict(environment or {})}  # threads speak through memory instead
    if quiet:
        cluster["silence_logs"] = logging.CRITICAL
    local_cluster: Any = LocalCluster  # without types
    return cast("LocalCluster", local_cluster(**cluster))
