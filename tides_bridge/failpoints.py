"""
Places where a test can end or halt this process: before and after every commit and every call of somebody else.

``BRIDGE_FAIL_POINT="batch.after SIGKILL FILE"`` sends this process the signal when it first gets there, and makes FILE,
so that only one process does, once; with a number behind it, when it gets there for that time. Without the variable a
point costs one comparison.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "BRIDGE_FAIL_POINT"

COMMITS = (
    "schema", "functions", "run", "budget", "batch", "retire", "ingested", "stage", "intents", "answers", "repair",
    "tns", "names", "hand",
    "ruling", "held", "spectra", "classes", "hosts", "observed",
    "association", "forgotten", "restored", "swap",
    "subscription", "events", "message", "told", "access", "tom_asked", "tom_told", "tom_heard",
)  # fmt: skip
"""Transactions that write, each around its commit: `tides_bridge.database.connection.Database.transaction`."""

CALLS = ("consume", "commit_offsets", "light_curves", "rows", "row", "create", "update", "delete", "notify", "tom")
"""Calls of Kafka, the light-curve API, 4MOST, of whoever brings messages to people, and changes in a TOM."""

POINTS = tuple(f"{name}.{when}" for name in (*COMMITS, *CALLS) for when in ("before", "after"))

_point, _signal, _marker, _passes = (*os.environ.get(VARIABLE, "").split(), *("",) * 4)[:4]
_left = [int(_passes or 1)]


def reach(point: str) -> None:
    """
    Be at a point: where the variable names it, the process gets the signal.

    Parameters
    ----------
    point
        One of `POINTS`.
    """
    if point == _point:
        _left[0] -= 1
        if _left[0] == 0:
            with contextlib.suppress(FileExistsError):
                Path(_marker).open("x").close()
                # To this thread: a stop that another one takes lets this one go on for a moment.
                signal.pthread_kill(threading.get_ident(), signal.Signals[_signal])


@contextlib.contextmanager
def around(name: str) -> Iterator[None]:
    """
    Reach a point before and, if all went well, after what is done here.

    Parameters
    ----------
    name
        One of `COMMITS` or `CALLS`. After an error the second point is not reached: nothing was committed or answered.
    """
    reach(f"{name}.before")
    yield
    reach(f"{name}.after")
