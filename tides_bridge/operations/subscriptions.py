"""Subscriptions of people: of what happens to which targets somebody is told, where, and when."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.operations.notices import is_address, scheme_of
from tides_bridge.operations.problems import BERLIN
from tides_bridge.settings import Settings
from tides_bridge.targets.filters import filter_of

KINDS: Final[Mapping[str, str]] = {
    "new": "new targets",
    "on": "on again",
    "off": "switched off",
    "class": "of another class",
    "tag": "tagged",
    "spectrum": "with a spectrum",
    "refused": "refused by 4MOST",
    "sent": "new at 4MOST",
    "changed": "changed at 4MOST",
}
"""What may happen to a target, and what it is called in messages."""

OF_REPORT: Final = ("new", "changed", "off", "refused")
"""What the survey's operators get of a night, unless something else is asked for."""


@dataclass(frozen=True)
class Wish:
    """
    What somebody wants to be told.

    Attributes
    ----------
    name
        Of the subscription: one word.
    kinds
        Of `KINDS`.
    conditions
        That a target must satisfy, as those of `tides_bridge.targets.filters`.
    is_digest, is_report
        Once a day instead of at once; and also when nothing has happened.
    who
        Wants it: an account of the portal, else who is logged in.
    """

    name: str
    kinds: Sequence[str]
    conditions: Sequence[str] = ()
    is_digest: bool = False
    is_report: bool = False
    who: str = field(default_factory=getpass.getuser)


def add_subscription(database: Database, settings: Settings, wish: Wish, address: SecretStr) -> None:
    """
    Keep a new subscription: from now on what happens is noted for it.

    Parameters
    ----------
    database, settings
        Where it is kept, and the clock: the digest of a day whose time has passed is not made up for.
    wish
        What is told.
    address
        Of Apprise. It is kept apart, and never shown.

    Raises
    ------
    SettingsError
        If something is not understood; the address is never part of the message.
    RejectedError
        If there is a subscription of this name.
    """
    _check(wish)
    if not is_address(address):
        example = "mailtos://user:password@example.org"  # pragma: allowlist secret
        raise SettingsError("address", "", f"is no address of Apprise, as {example}")
    here = settings.time().astimezone(BERLIN)
    row: dict[str, Any] = {"name": wish.name, "who": wish.who, "scheme": scheme_of(address)}
    row |= {"kinds": list(wish.kinds) or list(OF_REPORT), "conditions": list(wish.conditions)}
    row |= {"is_digest": wish.is_digest or wish.is_report, "is_report": wish.is_report}
    row |= {"digested_on": here.date() if is_past_digest(settings, here) else None}
    row |= {"address": address.get_secret_value().encode()}
    with database.transaction("subscription") as connection:
        if not run(connection, "operations/store_subscription.sql", row):
            raise RejectedError(wish.name, "is a subscription already: choose another name, or remove that one")


def is_past_digest(settings: Settings, here: datetime) -> bool:
    """Tell whether the time of the digest has passed on this day of Berlin."""
    limit: time = settings.notices.digest_at
    return here.time() >= limit


def _check(wish: Wish) -> None:
    if not wish.name.isprintable() or len(wish.name.split()) != 1 or len(wish.name) > 60:
        raise SettingsError("NAME", "", "must be one word of at most 60 letters: what the subscription is called")
    for kind in wish.kinds:
        if kind not in KINDS:
            raise SettingsError("--on", "", f"{kind} is none of {', '.join(KINDS)}")
    if not wish.kinds and not wish.is_report:
        raise SettingsError("--on", "", f"say what is to be told: {', '.join(KINDS)}")
    if wish.conditions:
        filter_of(wish.conditions)


def list_subscriptions(connection: Connection, name: str | None = None) -> list[dict[str, Any]]:
    """
    List who is told of what, and how that goes: see ``operations/list_subscriptions.sql``; no address is among it.

    Parameters
    ----------
    connection
        To the database.
    name
        Of one; None: all.
    """
    return run(connection, "operations/list_subscriptions.sql", {"name": name})


def change_subscription(database: Database, name: str, *, muted_until: datetime | None, is_paused: bool) -> None:
    """
    Mute a subscription, pause it, or, with neither, let it go on.

    Parameters
    ----------
    database
        With the subscription.
    name
        Of the subscription.
    muted_until
        What happens until then is never told.
    is_paused
        What happens meanwhile is told when it goes on.

    Raises
    ------
    RejectedError
        If there is none of this name.
    """
    about = {"name": name, "muted_until": muted_until, "is_paused": is_paused}
    with database.transaction("subscription") as connection:
        _found(name, run(connection, "operations/change_subscription.sql", about))


def remove_subscription(database: Database, name: str) -> None:
    """
    Forget a subscription, its address, and what it was still to be told.

    Parameters
    ----------
    database, name
        Where it is, and what it is called.

    Raises
    ------
    RejectedError
        If there is none of this name.
    """
    with database.transaction("subscription") as connection:
        _found(name, run(connection, "operations/remove_subscription.sql", {"name": name}))


def address_of(connection: Connection, subscription_id: int) -> SecretStr:
    """Give where a subscription is sent; it is shown by nobody."""
    row = run(connection, "operations/get_address.sql", {"subscription_id": subscription_id})[0]
    return SecretStr(bytes(row["address"]).decode())


def address_named(database: Database, name: str) -> SecretStr:
    """
    Give where the subscription of a name is sent.

    Parameters
    ----------
    database, name
        Where it is kept, and what it is called.

    Raises
    ------
    RejectedError
        If there is none of this name.
    """
    with database.transaction() as connection:
        rows = list_subscriptions(connection, name)
        _found(name, rows)
        return address_of(connection, rows[0]["subscription_id"])


def is_muted(subscription: Mapping[str, Any], now: datetime) -> bool:
    """
    Tell whether a subscription is told nothing for a while.

    Parameters
    ----------
    subscription
        A row of `list_subscriptions`.
    now
        By the clock of the bridge.
    """
    return subscription["muted_until"] is not None and subscription["muted_until"] > now


def _found(name: str, rows: Sequence[Any]) -> None:
    if not rows:
        raise RejectedError(name, "is no subscription: tides subscriptions list shows them")
