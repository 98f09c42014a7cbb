"""Messages to people, by Apprise: mail, Slack and a hundred others. No address of theirs is ever shown or logged."""

import logging
from collections.abc import Sequence
from typing import Literal

import requests
from pydantic import SecretStr

Kind = Literal["info", "success", "warning", "failure"]
"""The colour of a message."""

ANSWER_SECONDS = 10.0
"""[s] Within which whoever counts our signs of life must answer."""


def send(addresses: Sequence[SecretStr], subject: str, text: str, kind: Kind) -> list[str]:
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
    from apprise import Apprise, NotifyFormat, NotifyType  # only where there is something to tell

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its errors may hold an address
    failed = []
    for number, address in enumerate(addresses, 1):
        speaker = Apprise()
        is_known = speaker.add(address.get_secret_value())
        if not is_known or not speaker.notify(
            text, title=subject, notify_type=NotifyType(kind), body_format=NotifyFormat.TEXT
        ):
            # An address holds a password or a token: it is named by its place in the list and its scheme only.
            scheme, separator, _ = address.get_secret_value().partition("://")
            problem = "could not be told" if is_known else "is no address of Apprise"
            failed.append(f"watchdog.notify, number {number} ({scheme if separator else 'no address'}), {problem}")
    return failed


def give_sign(address: SecretStr) -> list[str]:
    """Tell whoever waits for signs of life that there is one; gives what failed."""
    try:
        requests.get(address.get_secret_value(), timeout=ANSWER_SECONDS).raise_for_status()
    except (requests.RequestException, ValueError) as error:
        return [f"watchdog.heartbeat does not answer ({type(error).__name__})"]
    return []
