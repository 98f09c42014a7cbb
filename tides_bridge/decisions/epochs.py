"""
What a stream says of days to come is not believed: no detection is later than now.

A clock may be wrong, and a field may hold something else. A detection of the future would be the newest for ever.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tides_bridge.brokers.base import Broker, Decoded
from tides_bridge.brokers.decoding import joined
from tides_bridge.brokers.models import Alert, Message, RefusedMessage
from tides_bridge.compiled import Integers
from tides_bridge.lightcurves import LightCurves

LATER = "its newest detection (MJD {:.2f}) is later than now: it was left out, and what is earlier was used"


def decode_believable(broker: Broker, messages: Sequence[Message], latest_mjd: float) -> Decoded:
    """
    Read messages; an alert whose newest detection is yet to come counts as new as the newest that can be true.

    Such a message is among the refused as well, so that a person sees it. Of a batch without one nothing is read twice.

    Parameters
    ----------
    broker
        Whose messages they are.
    messages
        In the order of the stream.
    latest_mjd
        [d, UTC] What is later than this cannot be.
    """
    decoded = broker.decode(messages)
    if all(alert.newest_mjd <= latest_mjd for alert in decoded.alerts):
        return decoded
    if len(messages) > 1:
        # Which of them it is nobody says, and it hides those of its object that are true.
        middle = len(messages) // 2
        return joined([decode_believable(broker, part, latest_mjd) for part in (messages[:middle], messages[middle:])])
    alerts = [_earlier(alert, decoded.curves, latest_mjd) for alert in decoded.alerts]
    wrong = max(alert.newest_mjd for alert in decoded.alerts)
    refused = [*decoded.refused, RefusedMessage.of(messages[0], LATER.format(wrong))]
    return replace(decoded, alerts=alerts, refused=refused)


def _earlier(alert: Alert, curves: LightCurves, latest_mjd: float) -> Alert:
    """Give an alert with the newest epoch of its light curve that can be true; without one it is older than any."""
    if alert.newest_mjd <= latest_mjd:
        return alert
    newest = alert.first_mjd if alert.first_mjd is not None and alert.first_mjd <= latest_mjd else 0.0
    if alert.object_id in curves.object_ids:
        number = curves.object_ids.index(alert.object_id)
        curve = curves.part(number, number + 1)
        newest = max([newest, *curve.mjd[curve.is_detection & (curve.mjd <= latest_mjd)].tolist()])
    return replace(alert, newest_mjd=newest)


def leave_out_later(curves: LightCurves, latest_mjd: float) -> tuple[LightCurves, Integers]:
    """
    Leave out the points that are later than can be.

    Returns
    -------
    (LightCurves, (n,) int64)
        The others, and how many of each object were left out.
    """
    is_later = curves.mjd > latest_mjd
    if not is_later.any():
        return curves, np.zeros(len(curves), dtype=np.int64)
    number = np.bincount(curves.object_index[is_later], minlength=len(curves))
    return curves.with_points(~is_later), number
