"""The log of runs: when each began, how it ended, what it counted, and how long others of its kind took."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from statistics import median
from typing import Any, Final, Literal

from tides_bridge.database.connection import Database
from tides_bridge.database.scripts import run
from tides_bridge.errors import BridgeError, RunOvertaken

Kind = Literal["bridge", "pull", "exchange", "reconcile", "backup", "spectra", "only"]
"""A run of the bridge, and the pulls and exchanges in it, have a row each; so has a look at some objects only."""

COMPARED: Final = 10
"""Runs that one is compared with."""


@contextmanager
def logged_run(
    database: Database, kind: Kind, broker: str | None = None, counts: Callable[[], Mapping[str, Any]] | None = None
) -> Iterator[int]:
    """
    Note when a run began and how it ended; one that is killed has no end. Gives its key.

    Parameters
    ----------
    database
        Where it is noted.
    kind, broker
        What it does; of a pull, for which broker.
    counts
        Gives the numbers that are kept with it, when it ends.
    """
    with database.transaction("run") as connection:
        run_id = run(connection, "database/begin_run.sql", {"kind": kind, "broker": broker})[0]["run_id"]
    # What is said if the run ends by Ctrl-C or SIGTERM, which are no Exception.
    problem: str | None = "stopped"
    try:
        yield run_id
        problem = None
    except BridgeError as error:
        problem = str(error)
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise
    finally:
        # In a transaction of its own: that of the run may have failed.
        ended = {"run_id": run_id, "problem": problem, "counts": json.dumps(dict(counts())) if counts else None}
        with suppress(RunOvertaken), database.transaction("run") as connection:
            run(connection, "database/end_run.sql", ended)


def run_duration(database: Database, run_id: int) -> tuple[float, str]:
    """
    Tell how long a run has taken so far [s], and in words what that is, and how long the last good ones took.

    Parameters
    ----------
    database
        With the row of the run, and those of runs before it.
    run_id
        The row of `run_log`.

    Returns
    -------
    (float, str)
        Such as 74.2 and "seconds that this pull took; the last 10 took 60 to 90 s, median 71 s".
    """
    with database.transaction() as connection:
        own, *others = run(connection, "database/list_durations.sql", {"run_id": run_id, "number": COMPARED})
    kind = "run of the bridge" if own["kind"] == "bridge" else own["kind"]
    return own["seconds"], f"seconds that this {kind} took; {compared_with_earlier([row['seconds'] for row in others])}"


def list_counts(database: Database, run_id: int, number: int) -> list[dict[str, Any]]:
    """
    List what the good runs of its kind before a run counted.

    Parameters
    ----------
    run_id
        Of the run in `run_log`.
    number
        Rows at most.

    Returns
    -------
    list of dict
        ``started_at`` and ``counts``, the newest first.
    """
    with database.transaction() as connection:
        return run(connection, "database/list_counts.sql", {"run_id": run_id, "number": number})


def list_states_of(database: Database, names: Sequence[str]) -> list[dict[str, Any]]:
    """
    Tell in which state some targets are listed.

    Parameters
    ----------
    names
        Of the targets.

    Returns
    -------
    list of dict
        ``name``, ``state``, and ``survey`` and ``object_id`` of the object that was reported first.
    """
    with database.transaction() as connection:
        return run(connection, "database/list_states_of.sql", {"names": list(names)})


def list_new_targets(database: Database, run_id: int, number: int) -> list[dict[str, Any]]:
    """
    List the targets that are new since a run began, the first ones; each row has the ``total``.

    Parameters
    ----------
    run_id
        Of the run in `run_log`.
    number
        Rows at most.

    Returns
    -------
    list of dict
        As ``sql/database/list_new_targets.sql`` returns them; ``total`` counts those beyond number, too.
    """
    with database.transaction() as connection:
        return run(connection, "database/list_new_targets.sql", {"run_id": run_id, "number": number})


def list_newly_refused(database: Database, run_id: int, number: int) -> list[dict[str, Any]]:
    """
    List the messages refused since a run began, the first ones; each row has the ``total``.

    Parameters
    ----------
    run_id
        Of the run in `run_log`.
    number
        Rows at most.

    Returns
    -------
    list of dict
        As ``sql/database/list_newly_refused.sql`` returns them; ``total`` counts those beyond number, too.
    """
    with database.transaction() as connection:
        return run(connection, "database/list_newly_refused.sql", {"run_id": run_id, "number": number})


def compared_with_earlier(seconds: list[float]) -> str:
    """
    Say how long runs took.

    >>> compared_with_earlier([60.2, 71.0, 90.1]), compared_with_earlier([3.21]), compared_with_earlier([])
    ('the last 3 took 60 to 90 s, median 71 s', 'the last one took 3.2 s', 'it is the first of its kind')
    """
    if len(seconds) < 2:
        return f"the last one took {seconds_text(seconds[0])} s" if seconds else "it is the first of its kind"
    least, most = seconds_text(min(seconds)), seconds_text(max(seconds))
    return f"the last {len(seconds)} took {least} to {most} s, median {seconds_text(median(seconds))} s"


def seconds_text(seconds: float) -> str:
    """Write seconds, with a decimal where there are few of them."""
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
