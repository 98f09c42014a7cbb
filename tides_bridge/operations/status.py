"""The health of the bridge as the database tells it: runs, the place in the stream, what waits and what was refused."""

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import BridgeError
from tides_bridge.fourmost.due import find_due
from tides_bridge.fourmost.names import list_namesakes
from tides_bridge.fourmost.payloads import MOST_ASKED, stage_for_4most
from tides_bridge.operations.questions import count_questions
from tides_bridge.operations.subscriptions import list_subscriptions
from tides_bridge.settings import Settings
from tides_bridge.targets.guard import list_held
from tides_bridge.targets.spectra.settling import count_spectra

if TYPE_CHECKING:
    from tides_bridge.brokers.kafka import Partition


def get_health(database: Database, settings: Settings) -> dict[str, Any]:
    """
    Gather what the watchdog needs: quick however many targets there are, and only the database is asked.

    Returns
    -------
    dict
        ``installed_at`` (when the tables were made), ``runs``, ``positions`` with the broker that each is of,
        ``held`` (what the guard holds back), ``namesakes`` (rows at 4MOST under names of ours that we never made),
        ``subscriptions`` (who is told of what, and how that goes, without any address),
        ``backlog`` (what 4MOST is still to be told, by operation), and since when at most something waits for it:
        ``backlog_since`` (None if nothing does).
    """
    with database.transaction() as connection:
        return _health(connection, settings)


def get_status(database: Database, settings: Settings) -> dict[str, Any]:
    """
    Gather what `tides status` shows.

    Returns
    -------
    dict
        What `get_health` gives, the backlog worked out target by target; ``states`` (numbers of objects, messages and
        targets), ``spectra`` (numbers, and the newest night), ``deferred`` by reason, ``questions`` that wait for a
        person by kind, ``calls`` of each broker's light-curve API in the last hour, the lag of each of the
        ``positions``, and ``lag`` in all. These are None if Kafka does not answer: ``problem`` says so then.
    """
    with database.transaction() as connection:
        status = _health(connection, settings)
        states = run(connection, "operations/count_states.sql")[0]
        status["questions"] = count_questions(connection, settings)
        status["spectra"] = count_spectra(connection)
        status["deferred"] = run(connection, "operations/count_deferred.sql")
        status["calls"] = _calls(connection, settings)
        stage = stage_for_4most(find_due(connection, settings).rows, settings)
    waiting = {"new": stage.new, "changed": stage.changed, "deactivated": stage.deactivated}
    status["backlog"] = {name: len(rows) for name, rows in waiting.items()} | {"unanswered": states.pop("unanswered")}
    status["backlog_since"] = status["backlog_since"] if any(status["backlog"].values()) else None
    status["states"] = states
    problems, total = [], 0
    for broker_settings in settings.each_broker():
        ours = [row for row in status["positions"] if row["group_id"] == broker_settings.group_id]
        lag, problem = _lag(broker_settings, ours)
        problems += [f"{broker_settings.broker_name}: {problem}"] if problem else []
        total += sum(lag.values())
        for row in ours:
            row["lag"] = lag.get((row["topic"], row["partition_number"]), row["lag"])
    return status | {"lag": None if problems else total, "problem": "; ".join(problems) or None}


def _health(connection: Connection, settings: Settings) -> dict[str, Any]:
    backlog = run(connection, "operations/count_backlog.sql", {"now_mjd": settings.now_mjd()})[0]
    waiting_for = timedelta(seconds=backlog.pop("age_seconds"))
    return {
        "installed_at": run(connection, "operations/get_schema.sql")[0]["installed_at"],
        "runs": run(connection, "operations/list_last_runs.sql"),
        "positions": _positions(connection, settings),
        "backlog": backlog,
        "answered_otherwise": run(connection, "operations/count_otherwise.sql", {"times": MOST_ASKED})[0]["number"],
        "namesakes": list_namesakes(connection),
        "subscriptions": list_subscriptions(connection),
        "held": [asdict(held) | {"what": str(held)} for held in list_held(connection)],
        "backlog_since": datetime.now(UTC) - waiting_for if any(backlog.values()) else None,
    }


def _positions(connection: Connection, settings: Settings) -> list[dict[str, Any]]:
    """List where each stream is to be read on, with the broker whose topic it is; None if no broker has it any more."""
    rows = run(connection, "operations/list_all_positions.sql")
    for row in rows:
        names = [
            broker_settings.broker_name for broker_settings in settings.each_broker() if reads(broker_settings, row)
        ]
        row["broker"], row["lag"] = next(iter(names), None), None
    return rows


def reads(settings: Settings, row: dict[str, Any]) -> bool:
    """
    Tell whether a broker's settings lead to a topic: a name, several with commas between, or a pattern.

    Parameters
    ----------
    settings
        Of one broker: one of those that ``each_broker`` gives.
    row
        A position in a stream, with ``group_id`` and ``topic``.
    """
    topic = settings.topic or ""
    if row["group_id"] != settings.group_id:
        return False
    if settings.broker.kind == "recorded":
        return True  # its topics are files
    if topic.startswith("^"):
        return re.match(topic, row["topic"]) is not None
    return row["topic"] in [name.strip() for name in topic.split(",")]


def _calls(connection: Connection, settings: Settings) -> list[dict[str, Any]]:
    """Count the calls of each broker's light-curve API in the last hour, and those that are left."""
    made = {
        row["broker"]: row["calls"]
        for row in run(connection, "operations/sum_api_calls.sql", {"now": datetime.now(UTC)})
    }
    limits = {
        broker_settings.broker_name: broker_settings.light_curves.calls_per_hour
        for broker_settings in settings.each_broker()
    }
    return [
        {"broker": name, "made": made.get(name, 0), "limit": limit, "left": max(limit - made.get(name, 0), 0)}
        for name, limit in limits.items()
    ]


def _lag(settings: Settings, positions: list[dict[str, Any]]) -> "tuple[dict[Partition, int], str | None]":
    """Ask a broker how many messages are still to be read, by partition; or say why it cannot be known."""
    from tides_bridge.brokers import stream_of  # slow, and the watchdog does without

    known = {(row["topic"], row["partition_number"]): row["next_offset"] for row in positions}
    try:
        with stream_of(settings, known) as stream:
            return stream.lag(), None
    except BridgeError as error:
        return {}, str(error)
