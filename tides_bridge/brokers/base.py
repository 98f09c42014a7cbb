"""What every broker module shares: the protocol, and reading values that may not be what they should."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tides_bridge.errors import MalformedAlert
from tides_bridge.lightcurves import LightCurves
from tides_bridge.models import Alert

HOURLY_LIMIT = "the hourly limit of the light-curve API is reached"
"""Why an object waits: the API said so, or the bridge counted its calls."""


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


class Broker(Protocol):
    """What the bridge asks of a broker."""

    def decode(self, body: bytes) -> Alert:
        """Turn one message into an alert; raises MalformedAlert if it cannot be read."""

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """Get light curves, all in one call; raises BrokerUnavailable if none can be had now."""

    def try_out(self) -> str:
        """Ask the light-curve service something small, and say who answered; raises BrokerUnavailable."""


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
            raise MalformedAlert("message", f"{key} is {value!r}, not a finite number")
        return float(value)
    return None
