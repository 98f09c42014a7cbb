"""The health of the bridge as the database tells it: runs, the place in the stream, what waits and what was refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from tides_bridge.brokers import stream_of
from tides_bridge.brokers.stream import Place
from tides_bridge.database import Database, run
from tides_bridge.errors import BridgeError
from tides_bridge.settings import Settings
from tides_bridge.targets import stage_for_4most


@contextmanager
def logged_run(
    database: Database, kind: Literal["pull", "exchange", "reconcile"], broker: str | None = None
) -> Iterator[int]:
    """Note when a run began and how it ended, a pull for its broker; one that is killed has no end. Gives its key."""
    with database.transaction("run") as connection:
        run_id = run(connection, "monitor/begin_run.sql", {"kind": kind, "broker": broker})[0]["run_id"]
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
        with database.transaction("run") as connection:
            run(connection, "monitor/end_run.sql", {"run_id": run_id, "problem": problem})


def get_status(database: Database, settings: Settings) -> dict[str, Any]:
    """
    Gather what `tides status` shows.

    Returns
    -------
    dict
        ``states`` (numbers of objects, messages and targets), ``deferred`` by reason, ``positions`` with the lag of
        each partition (None if Kafka does not answer), ``backlog`` (what 4MOST is still to be told), ``runs``, and the
        ``problem`` with Kafka if there is one.
    """
    with database.transaction() as connection:
        states = run(connection, "monitor/count_states.sql")[0]
        deferred = run(connection, "monitor/count_deferred.sql")
        positions = run(connection, "monitor/list_all_positions.sql")
        runs = run(connection, "monitor/list_last_runs.sql")
        stage = stage_for_4most(run(connection, "exchange/list_targets.sql"), settings)
    waiting = {"new": stage.new, "changed": stage.changed, "deactivated": stage.deactivated}
    backlog = {name: len(rows) for name, rows in waiting.items()} | {"unanswered": states.pop("unanswered")}
    problems, total = [], 0
    for row in positions:
        row["broker"] = row["lag"] = None
    for each in settings.each_broker():
        ours = [row for row in positions if row["group_id"] == each.group_id]
        lag, problem = _lag(each, ours)
        problems += [f"{each.broker_name}: {problem}"] if problem else []
        total += sum(lag.values())
        for row in ours:
            if (place := (row["topic"], row["partition_number"])) in lag:
                row["broker"], row["lag"] = each.broker_name, lag[place]
    return {
        "states": states,
        "deferred": deferred,
        "positions": positions,
        "lag": None if problems else total,
        "backlog": backlog,
        "runs": runs,
        "problem": "; ".join(problems) or None,
    }


def _lag(settings: Settings, positions: list[dict[str, Any]]) -> tuple[dict[Place, int], str | None]:
    """Ask a broker how many messages are still to be read, by partition; or say why it cannot be known."""
    known = {(row["topic"], row["partition_number"]): row["next_offset"] for row in positions}
    try:
        with stream_of(settings, known) as stream:
            return stream.lag(), None
    except BridgeError as error:
        return {}, str(error)
