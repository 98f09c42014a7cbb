"""
Tell people what happened to targets: an outbox with the guarantees of the exchange with 4MOST.

What happened is noted in the transaction in which it happens, by triggers. `tell_people` makes notices of it for each
subscription that wants it, writes a message of them, notes that it begins to send it, sends it, and notes what came of
it: each in a transaction, so whoever is killed leaves nothing undone and nothing out of order. Mail and chat give no
receipt: of a message that was begun, and of which nothing was heard, nobody knows whether it arrived. It is sent once
more, which it says; after that it counts as unknown.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection

from tides_bridge import failpoints
from tides_bridge.database import Database, run
from tides_bridge.errors import SettingsError
from tides_bridge.operations.notices import Delivered, deliver
from tides_bridge.operations.problems import BERLIN
from tides_bridge.operations.subscriptions import KINDS, address_of, is_muted, is_past_digest, list_subscriptions
from tides_bridge.settings import Settings
from tides_bridge.targets.filters import find_filtered

logger = logging.getLogger(__name__)

EVENTS: Final = 20_000
"""Events that are made notices in one transaction."""

LINES: Final = 20
"""Targets of a kind that a message names at most; a digest names `LINES_OF_DIGEST`. The others are counted."""

LINES_OF_DIGEST: Final = 500

LONGEST_LINE: Final = 300
"""[characters]"""

WAITING: Final = 10_000
"""Notices of a kind that wait for a subscription, at most: of what happens beyond these only the number is kept."""

KEPT_DAYS: Final = 90.0
"""[days] So long messages are kept that were sent."""

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=6)
"""A service that says no, or is away, is tried again after so long, twice as long each time, up to the latter."""

UNHEARD_WAIT = timedelta(hours=1)
"""One that took a minute and gave no answer is tried again after so long: 4MOST waits meanwhile."""

TELLING_SECONDS: Final = 60.0
"""[s] After so long no other message is begun: the next run goes on, with whom it could tell before first."""

AGAIN: Final = "(You may have this message already: whether it was sent could not be found out.)"

Row = dict[str, Any]


def tell_people(database: Database, settings: Settings) -> Counter[str]:
    """
    Send each subscription what it is to be told by now.

    Parameters
    ----------
    database
        Whose lock of the only run is held: two senders would take each other's messages for lost ones.
    settings
        The clock, and when digests are sent.

    Returns
    -------
    Counter
        Of messages: ``sent``, ``failed`` (tried again later), ``unknown`` (whether they arrived).
    """
    while _make_notices(database, settings):
        pass
    with database.transaction() as connection:
        subscriptions = list_subscriptions(connection)
    counts, begun = Counter[str](), time.monotonic()
    # Who has an open message may be one that takes a minute for each: nobody waits behind those.
    for subscription in sorted(subscriptions, key=lambda row: row["open_since"] is not None):
        if subscription["is_paused"] or is_muted(subscription, settings.time()):
            continue
        if time.monotonic() - begun > TELLING_SECONDS:
            break
        counts.update(_tell(database, settings, subscription))
    return counts


def _make_notices(database: Database, settings: Settings) -> bool:
    """Make notices of the first events; tells whether there may be more."""
    with database.transaction("events") as connection:
        run(connection, "operations/forget_messages.sql", {"days": KEPT_DAYS})
        events = run(connection, "operations/take_events.sql", {"number": EVENTS})
        rows = [
            {"subscription_id": subscription["subscription_id"], "kind": event["kind"], "line": line_of(event)}
            | {"happened_at": event["happened_at"].isoformat()}
            for subscription in (list_subscriptions(connection) if events else ())
            for event in _wanted(connection, settings, subscription, events)
        ]
        numbered = [row | {"number": number} for number, row in enumerate(rows)]
        run(connection, "operations/store_notices.sql", {"notices": json.dumps(numbered), "most": WAITING})
    return len(events) == EVENTS


def _wanted(
    connection: Connection, settings: Settings, subscription: Mapping[str, Any], events: Sequence[Row]
) -> list[Row]:
    """Give the events that a subscription is told of: of its kinds, and of targets that satisfy its conditions now."""
    since = max(filter(None, (subscription["made_at"], subscription["muted_until"])))
    chosen = [event for event in events if event["kind"] in subscription["kinds"] and event["happened_at"] >= since]
    if not chosen or not subscription["conditions"]:
        return chosen
    ids = sorted({event["tides_id"] for event in chosen})
    try:
        found = {row["tides_id"] for row in find_filtered(connection, settings, subscription["conditions"], ids)}
    except SettingsError as error:  # written for another version: nobody else may wait for it, and nothing is lost
        logger.warning("subscription %s is told of all targets: %s", subscription["name"], error)
        return chosen
    return [event for event in chosen if event["tides_id"] in found]


def line_of(event: Mapping[str, Any]) -> str:
    """
    Word an event in a line.

    >>> event = {"name": "TiDES26aaa", "kind": "off", "detail": "faint", "objects": "ZTF26abc"}
    >>> line_of(event | {"ra": 10.0, "decl": -20.0, "sherlock_class": "SN"})
    'TiDES26aaa: faint'
    >>> line_of(event | {"kind": "new", "detail": "", "ra": 10.0, "decl": -20.0, "sherlock_class": "SN"})
    'TiDES26aaa (ZTF26abc) at 10.00000 -20.00000, SN'
    >>> line_of(event | {"kind": "on", "detail": "", "ra": 10.0, "decl": -20.0, "sherlock_class": "", "objects": None})
    'TiDES26aaa at 10.00000 -20.00000, no class'
    """
    line = str(event["name"])
    if event["kind"] in ("new", "on", "sent"):
        line += f" ({event['objects']})" if event["objects"] else ""  # hosts have none, nor what was merged since
        line += f" at {event['ra']:.5f} {event['decl']:+.5f}, {event['sherlock_class'] or 'no class'}"
    detail = " ".join(event["detail"].split())
    return (f"{line}: {detail}" if detail else line)[:LONGEST_LINE]


def _tell(database: Database, settings: Settings, subscription: Mapping[str, Any]) -> Iterator[str]:
    """Send the messages of a subscription, one after another; gives what became of each."""
    while message := _begin(database, settings, subscription):
        if message["outcome"]:  # begun twice, and never heard of: the next one's turn
            yield message["outcome"]
            continue
        outcome = _send(database, message)
        yield outcome
        if outcome != "sent":  # those after it wait, as they are in order
            return


def _begin(database: Database, settings: Settings, subscription: Mapping[str, Any]) -> Row | None:
    """Note that the next message of a subscription is going to be sent, and give it with its address."""
    key = {"subscription_id": subscription["subscription_id"]}
    with database.transaction("message") as connection:
        begun = run(connection, "operations/begin_message.sql", key)
        if not begun and _write_message(connection, settings, subscription):
            begun = run(connection, "operations/begin_message.sql", key)
        return begun[0] | {"address": address_of(connection, key["subscription_id"])} if begun else None


def _send(database: Database, message: Mapping[str, Any]) -> str:
    """Send a message that is noted as begun, and note what came of it."""
    body = f"{AGAIN}\n\n{message['body']}" if message["unheard"] else message["body"]
    heard: list[Delivered] = []
    try:
        with failpoints.around("notify"):
            outcome = deliver(message["address"], message["subject"], body, "info", heard)
    except BaseException:  # asked to stop meanwhile: what was heard is not sent again
        if heard:
            _settle(database, message, heard[0])
        raise
    _settle(database, message, outcome)
    return outcome


def _settle(database: Database, message: Mapping[str, Any], outcome: Delivered) -> None:
    """Note what came of a message."""
    waits = {"first_wait": FIRST_WAIT, "longest_wait": LONGEST_WAIT, "unheard_wait": UNHEARD_WAIT}
    with database.transaction("told") as connection:
        settled = {"message_id": message["message_id"], "outcome": outcome}
        run(connection, "operations/settle_message.sql", settled | waits)


def _write_message(connection: Connection, settings: Settings, subscription: Mapping[str, Any]) -> bool:
    """Write a message of all that a subscription is to be told, if there is none and its time has come."""
    key = {"subscription_id": subscription["subscription_id"]}
    is_digest, here = subscription["is_digest"], settings.time().astimezone(BERLIN)
    row = list_subscriptions(connection, subscription["name"])
    if not row or row[0]["open_since"] is not None:
        return False
    if is_digest:
        if row[0]["digested_on"] == here.date() or not is_past_digest(settings, here):
            return False
        run(connection, "operations/store_digested.sql", key | {"digested_on": here.date()})
    number = LINES_OF_DIGEST if is_digest else LINES
    parts = run(connection, "operations/take_notices.sql", key | {"number": number})
    if not parts and not subscription["is_report"]:
        return False
    night = f"night {here.date() - timedelta(days=1)} complete: " if is_digest else ""
    counts = run(connection, "operations/count_targets.sql")[0] if subscription["is_report"] else None
    written = {"subject": f"TiDES: {night}{headline(parts)}", "body": body_of(parts, counts, subscription["name"])}
    run(connection, "operations/store_message.sql", key | written)
    return True


def headline(parts: Sequence[Mapping[str, Any]]) -> str:
    """
    Say in few words what a message has; of one target, which.

    >>> one = {"kind": "new", "number": 1, "lines": ["TiDES26aaa (ZTF26abc) at 10.00000 -20.00000, SN"]}
    >>> headline([one]), headline([one, {"kind": "off", "number": 2, "lines": []}]), headline([])
    ('TiDES26aaa new', '1 new, 2 off', 'nothing new')
    """
    if len(parts) == 1 and parts[0]["number"] == 1:
        return f"{parts[0]['lines'][0].split()[0].rstrip(':')} {parts[0]['kind']}"
    return ", ".join(f"{part['number']} {part['kind']}" for part in parts) or "nothing new"


def body_of(parts: Sequence[Mapping[str, Any]], counts: Mapping[str, int] | None, name: str) -> str:
    """
    Write the text of a message: each kind with its targets by name, and for a report the numbers of all.

    Parameters
    ----------
    parts
        Of ``operations/take_notices.sql``.
    counts
        Of ``operations/count_targets.sql``; None for no report.
    name
        Of the subscription.
    """
    blocks = []
    if counts is not None:
        words = ("active", "known_4most", "active_4most", "refused_4most")
        blocks.append(", ".join(f"{counts[word]} {word.replace('_4most', ' at 4MOST')}" for word in words))
    for part in parts:
        more = part["number"] - len(part["lines"])
        others = [f"and {more} more: tides targets"] if more else []
        blocks.append("\n".join([f"{KINDS[part['kind']]}: {part['number']}", *part["lines"], *others]))
    return "\n\n".join([*blocks, f"subscription {name}: tides subscriptions pause {name} stops it"])
