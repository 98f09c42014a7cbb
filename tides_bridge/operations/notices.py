"""Messages to people, by Apprise: mail, Slack and a hundred others. No address of theirs is ever shown or logged."""

import logging
from collections.abc import Sequence
from threading import Thread
from typing import Literal

import requests
from pydantic import SecretStr

from tides_bridge.errors import RejectedError

Kind = Literal["info", "success", "warning", "failure"]
"""The colour of a message."""

Delivered = Literal["sent", "failed", "unknown"]
"""What became of a message."""

SEND_SECONDS = 60.0
"""[s] Whoever takes longer to take a message keeps no run waiting."""

LAST_SECONDS = 5.0
"""[s] So long is waited for the answer to a message by who is asked to stop: else it would be sent again."""

ANSWER_SECONDS = 10.0
"""[s] Within which whoever counts our signs of life must answer."""


def send_to_all(addresses: Sequence[SecretStr], subject: str, text: str, kind: Kind) -> list[str]:
    """
    Send a message to everybody; one who cannot be told keeps it from nobody else.

    Parameters
    ----------
    addresses
        As Apprise has them, such as ``mailtos://...``.
    subject, text
        Plain text.
    kind
        The colour that it gets where there are colours.

    Returns
    -------
    list of str
        Who could not be told, as "watchdog.notify, number 2 (mailtos), could not be told".
    """
    failed = []
    for number, address in enumerate(addresses, 1):
        # An address holds a password or a token: it is named by its place in the list and its scheme only.
        if not is_address(address):
            failed.append(f"watchdog.notify, number {number} ({scheme_of(address)}), is no address of Apprise")
        elif deliver(address, subject, text, kind) != "sent":
            failed.append(f"watchdog.notify, number {number} ({scheme_of(address)}), could not be told")
    return failed


def deliver(address: SecretStr, subject: str, text: str, kind: Kind, heard: list[Delivered] | None = None) -> Delivered:
    """
    Send a message to one address; raises nothing of its own, and logs nothing of the address.

    Parameters
    ----------
    address
        As Apprise has it.
    subject, text, kind
        As those of `send_to_all`.
    heard
        Gets what became of it, also where Ctrl-C or SIGTERM ends the wait: after `LAST_SECONDS` more.

    Returns
    -------
    {"sent", "failed", "unknown"}
        Failed: the service said no, or did not answer Apprise in time. Unknown: nothing came of it within
        `SEND_SECONDS`, and the attempt may still go on.
    """
    outcomes: list[Delivered] = [] if heard is None else heard
    sender = Thread(target=lambda: outcomes.append(_deliver(address, subject, text, kind)), daemon=True)
    try:
        sender.start()
        sender.join(SEND_SECONDS)
    except BaseException:
        if sender.is_alive():
            sender.join(LAST_SECONDS)
        raise
    return outcomes[0] if outcomes else "unknown"


def deliver_test(name: str, address: SecretStr) -> None:
    """
    Send a message that says that the messages of a subscription arrive.

    Parameters
    ----------
    name
        Of the subscription.
    address
        As Apprise has it.

    Raises
    ------
    RejectedError
        If it could not be sent.
    """
    text = f"Messages of the subscription {name} arrive."
    if deliver(address, f"TiDES: a test of {name}", text, "info") != "sent":
        raise RejectedError(name, "could not be told: is its address right, and the service there? Subscribe anew")


def _deliver(address: SecretStr, subject: str, text: str, kind: Kind) -> Delivered:
    from apprise import Apprise, NotifyFormat, NotifyType, OverflowMode  # only where there is something to tell

    _hush()
    try:
        speaker = Apprise()
        speaker.add(address.get_secret_value())
        for service in speaker:
            if "overflow" not in address.get_secret_value():
                service.overflow_mode = OverflowMode.SPLIT  # else a long text is refused, for ever
        colour, plain = NotifyType(kind), NotifyFormat.TEXT
        is_sent = speaker.notify(text, title=subject, notify_type=colour, body_format=plain)
    except Exception:  # of whatever library: its text may hold the address
        return "failed"
    return "sent" if is_sent else "failed"


def is_address(address: SecretStr) -> bool:
    """Tell whether Apprise knows what to do with an address."""
    from apprise import Apprise

    _hush()
    try:
        return bool(Apprise().add(address.get_secret_value()))
    except Exception:  # of whatever library: its text may hold the address
        return False


def scheme_of(address: SecretStr) -> str:
    """
    Give what may be shown of an address: its scheme.

    >>> scheme_of(SecretStr("mailtos://me:secret@example.org"))  # pragma: allowlist secret
    'mailtos'
    >>> scheme_of(SecretStr("secret"))
    'no address'
    """
    scheme, separator, _ = address.get_secret_value().partition("://")
    return scheme if separator else "no address"


def _hush() -> None:
    """Let Apprise log nothing, and requests no request: an address may be in either."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def give_sign(address: SecretStr) -> list[str]:
    """Tell whoever waits for signs of life that there is one; gives what failed."""
    try:
        requests.get(address.get_secret_value(), timeout=ANSWER_SECONDS).raise_for_status()
    except (requests.RequestException, ValueError) as error:
        return [f"watchdog.heartbeat does not answer ({type(error).__name__})"]
    return []
