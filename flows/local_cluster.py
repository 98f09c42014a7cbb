"""Dask workers on this machine, for flows and for commands without one."""

import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from distributed import LocalCluster


def start_cluster(
    workers: int,
    threads: int,
    *,
    processes: bool,
    quiet: bool = False,
    imports: Sequence[str] = (),
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
    imports
        Modules that processes need.
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
        _share_imports(imports)
        cluster |= {"host": "127.0.0.1"}  # threads speak through memory instead
    if quiet:
        cluster["silence_logs"] = logging.CRITICAL
    local_cluster: Any = LocalCluster  # without types
    return cast("LocalCluster", local_cluster(**cluster))


def _share_imports(modules: Sequence[str]) -> None:
    """Let worker processes be forked from one that has imported what they need, which none then does by itself."""
    import dask
    from distributed.utils import get_mp_context

    if sys.platform != "linux":
        return
    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    context: Any = get_mp_context  # without types
    context().set_forkserver_preload(["distributed.worker", *modules])
