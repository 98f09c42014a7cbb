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
    "flows.reaching_prefect",
    "flows.reconcile",
    "simulators.commands.demo",
    "simulators.commands.replay",
    "simulators.commands.simulate",
    "simulators.commands.standins",
    "simulators.fourmost.serving",
    "tides_bridge.brokers.decoding",
    "tides_bridge.brokers.lasair.lsst",
    "tides_bridge.brokers.lasair.ztf",
    "tides_bridge.brokers.recorded",
    "tides_bridge.formats.records",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.telemetry.run_telemetry",
    "prefect.utilities.visualization",
    "prefect_dask",
    "distributed.dashboard.scheduler",
    "distributed.diagnostics.websocket",
    "distributed.http.health",
    "distributed.http.proxy",
    "distributed.http.scheduler.info",
    "distributed.http.scheduler.json",
    "distributed.http.scheduler.prometheus",
    "distributed.http.statics",
    "distributed.http.worker.prometheus",
    "distributed.shuffle",
    "anyio._backends._asyncio",
    "bokeh.application.handlers.document_lifecycle",
    "bokeh.plotting",
    "django.db.backends.sqlite3.base",
    "fastapi",
    "psycopg2.extras",
    "pyarrow.csv",
    "pyarrow.pandas_compat",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "tornado.platform.asyncio",
)

for name in MODULES:
    importlib.import_module(name)
cpu_target.typing_context.refresh()  # half a second, else at the first compiled function
cpu_target.target_context.refresh()
gc.freeze()  # what is shared with the children stays shared: nothing of it is looked at for garbage
