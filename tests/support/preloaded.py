"""
What the processes of `tests.support.forked` need not import themselves: all that a run of the bridge comes to import.

Importing it starts no thread of Python, no event loop, no client: a process forked from this one has all before it.
"""

import gc
import importlib

from numba.core.registry import cpu_target

MODULES = (
    "flows.cli",
    "flows.comm_pipe",
    "flows.reconcile",
    "simulators.commands.demo",
    "simulators.fourmost.command",
    "tides_bridge.brokers.lasair",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.telemetry.run_telemetry",
    "prefect_dask",
    "distributed.dashboard.scheduler",
    "distributed.http.scheduler.prometheus",
    "distributed.http.worker.prometheus",
    "distributed.shuffle",
    "bokeh.plotting",
    "sqlalchemy.dialects.postgresql.psycopg2",
)

for name in MODULES:
    importlib.import_module(name)
cpu_target.typing_context.refresh()  # half a second, else at the first compiled function
cpu_target.target_context.refresh()
gc.freeze()  # what is shared with the children stays shared: nothing of it is looked at for garbage
