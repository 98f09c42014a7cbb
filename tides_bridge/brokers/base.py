"""What every broker module shares: the protocol, and reading values that may not be what they should."""

import math
import reprlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tides_bridge.brokers.models import Alert, Message, RefusedMessage
from tides_bridge.errors import MalformedAlert
from tides_bridge.lightcurves import LightCurves

HOURLY_LIMIT = "the hourly limit of the light-curve API is reached"
"""Why an object waits: the API said so, or the bridge counted its calls."""


BRIEF = 100
"""[characters] What is shown of a value, at most."""

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = BRIEF

Position = tuple[float, float] | tuple[None, None]
"""Right ascension and declination [deg]."""


@dataclass(frozen=True)
class Fetched:
    """
    An answer of a light-curve service.

    Attributes
    ----------
    curves
        The light curves that came.
    missing
        Why there is none, by object id.
    """

    curves: LightCurves
    missing: dict[str, str]


@dataclass(frozen=True)
class Decoded:
    """
    What some messages say.

    Attributes
    ----------
    alerts
        The newest alert of each object.
    curves
        The light curves of those of them whose message brought one, with what else it says of the objects. The others
        have theirs to be fetched.
    refused
        The messages that cannot be used, with the reason.
    skipped
        How many messages are rightly not for us, by reason: alerts of the solar system.
    notes
        What a person should know of these messages, such as a zero point that must be wrong.
    words
        What messages only say of objects, which is kept of targets: no alerts, so no light curve is asked for.
    """

    alerts: list[Alert]
    curves: LightCurves
    refused: list[RefusedMessage]
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    words: Sequence[Alert] = ()


class Broker(Protocol):
    """
    What the bridge asks of a broker. It is made from settings alone, in whichever process needs it.

    Attributes
    ----------
    objects_per_call
        Of the light-curve service, at most.
    calls
        Calls of the light-curve service that were made so far, with every try that counts for its limit.
    """

    objects_per_call: int
    calls: int

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read messages, whatever is in them: one that cannot be read is refused, and no error."""

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """Get light curves, all in one call; raises BrokerUnavailable if none can be had now."""

    def try_out(self) -> str:
        """Ask the service beside the stream something small, and say who answered; raises BrokerUnavailable."""


def brief(value: object) -> str:
    """
    Write a value into a reason as Python does, but never more than a line of it, however long or deep it is.

    >>> brief("ZTF 26a"), len(brief("a" * 10**6))
    ("'ZTF 26a'", 100)
    """
    text = _repr.repr(value)
    return text if len(text) <= BRIEF else text[: BRIEF - 3] + "..."


def position_in(message: Mapping[str, Any], ra_keys: Sequence[str], decl_keys: Sequence[str]) -> Position:
    """
    Give the position [deg] of a message, (None, None) if it has none.

    Raises
    ------
    MalformedAlert
        If there is only half of one, or it is not on the sky; so is NaN.

    >>> position_in({"ramean": 360.0, "decmean": -20}, ["ramean", "ra"], ["decmean", "dec"])
    (0.0, -20.0)
    """
    for key in (*ra_keys, *decl_keys):
        value = message.get(key)
        if isinstance(value, float) and math.isnan(value):
            raise MalformedAlert("message", f"{key} is NaN, not a position")
    ra, decl = number_in(message, *ra_keys), number_in(message, *decl_keys)
    if ra is None and decl is None:
        return None, None
    if ra is None or decl is None:
        raise MalformedAlert("message", f"its position is half: {ra_keys[0]} {ra}, {decl_keys[0]} {decl}")
    if not 0 <= ra <= 360 or not -90 <= decl <= 90:
        raise MalformedAlert("message", f"its position {ra}, {decl} is not on the sky")
    return ra % 360, decl


def number_in(message: Mapping[str, Any], *keys: str) -> float | None:
    """
    Give the number under the first of some keys that a message has, None if it has none; NaN is none.

    Raises
    ------
    MalformedAlert
        If what stands there is not a finite number.

    >>> number_in({"ramean": float("nan"), "ra": 10.5}, "ramean", "ra")
    10.5
    """
    for key in keys:
        value = message.get(key)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise MalformedAlert("message", f"{key} is {brief(value)}, not a finite number")
        return float(value)
    return None
