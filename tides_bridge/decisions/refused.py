"""Messages that could not be read: they are kept as they came, and can be read again."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tides_bridge.brokers.models import Message
from tides_bridge.database import Database, run
from tides_bridge.settings import Settings


def list_refused(database: Database, number: int) -> list[dict[str, Any]]:
    """
    List the newest messages that are still refused, without their content.

    Parameters
    ----------
    database
        Of the bridge.
    number
        Messages at most.
    """
    with database.transaction() as connection:
        return run(connection, "decisions/list_refused.sql", {"number": number})


def get_refused(database: Database, refused_ids: Sequence[int] | None) -> list[dict[str, Any]]:
    """
    Get some refused messages as they came; None for all that are still refused.

    Parameters
    ----------
    database
        Of the bridge.
    refused_ids
        Their keys.

    Returns
    -------
    list of dict
        Each with its ``message`` as it came: bytes, key and place in the stream.
    """
    with database.transaction() as connection:
        found = run(connection, "decisions/get_refused.sql", {"refused_ids": refused_ids and list(refused_ids)})
    return [{**row, "message": _message(row)} for row in found]


def _message(row: Mapping[str, Any]) -> Message:
    """Make the message of a row of `refused_message`."""
    key = row["message_key"]
    place = row["topic"], row["partition_number"], row["stream_offset"]
    return Message(*place, bytes(row["body"]), None if key is None else bytes(key))


def get_accepted(database: Database, settings: Settings) -> dict[int, Message]:
    """
    Give the messages that were refused and can be read now, by their key, a batch at most.

    Parameters
    ----------
    database
        Of the bridge.
    settings
        Of one broker; what another one refused is for that one.
    """
    about = {"broker": settings.broker_name, "number": settings.broker.batch_size}
    with database.transaction() as connection:
        return {row["refused_id"]: _message(row) for row in run(connection, "decisions/list_accepted.sql", about)}


def retry_refused(
    database: Database, decode: Callable[[str, Message], str | None], refused_ids: Sequence[int] | None
) -> dict[int, str | None]:
    """
    Read refused messages again; those that can be read now are judged by the next run.

    Parameters
    ----------
    database
        Where they are kept.
    decode
        Reads one of a broker, and tells why it cannot; None if it can.
    refused_ids
        Which; None for all that are still refused.

    Returns
    -------
    dict
        By the key of the message why it is still refused, None if it is not.
    """
    # Outside of any transaction: whatever a message does to its decoder, nobody waits for a lock.
    results = {row["refused_id"]: decode(row["broker"], row["message"]) for row in get_refused(database, refused_ids)}
    accepted = [refused_id for refused_id, problem in results.items() if problem is None]
    now = datetime.now(UTC)
    with database.transaction("batch") as connection:
        run(
            connection,
            "decisions/accept_refused.sql",
            [{"refused_id": refused_id, "now": now} for refused_id in accepted],
        )
    return results
