"""
From messages to alerts and light curves, one message at a time: what most brokers need to say is how one is read.

Brokers of many and large messages read them together instead: `tides_bridge.brokers.packets`.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from tides_bridge.brokers.base import Decoded
from tides_bridge.brokers.models import Alert, Message, RefusedMessage, newest_of, newest_parts
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.records import Record, to_light_curves
from tides_bridge.lightcurves import LightCurves

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 5_000_000
"""[bytes] Real alerts have up to 0.2 MB: what is longer is none, and would cost every later step its memory."""

Read = Callable[[Message], tuple[Alert, Record | None]]
"""Reads one message: an alert, and the record that has its light curve, if it brought one; raises MalformedAlert."""


def check_length(value: bytes) -> None:
    """Refuse a message that is too long; raises MalformedAlert."""
    if len(value) > LONGEST_MESSAGE:
        raise MalformedAlert("message", f"has {len(value)} bytes, more than {LONGEST_MESSAGE}")


def decode_each(messages: Sequence[Message], read: Read, scale: float = 1.0) -> Decoded:
    """
    Read messages one by one; whatever one does to the reader, it is one bad message and no more.

    Parameters
    ----------
    messages
        In the order of the stream: of equally new alerts of an object the last stays, one with light curve first.
    read
        How one is read.
    scale
        What turns ``psFlux`` into nJy.
    """
    found: dict[tuple[str, str], tuple[Alert, Record | None, Message]] = {}
    refused: list[RefusedMessage] = []
    for message in messages:
        try:
            alert, record = read_message(read, message)
        except MalformedAlert as error:
            refused.append(RefusedMessage.of(message, error.problem))
            continue
        known = found.get((alert.survey, alert.object_id))
        if known is None or _is_better(alert, record, known[0], known[1]):
            found[alert.survey, alert.object_id] = alert, record, message
    curves = _curves(found, refused, scale)
    return Decoded(newest_of(alert for alert, _, _ in found.values()), curves, refused)


def _is_better(alert: Alert, record: Record | None, known: Alert, known_record: Record | None) -> bool:
    """Tell whether a message says more than one before it: newer, or as new and not without the light curve."""
    if alert.newest_mjd == known.newest_mjd:
        return record is not None or known_record is None
    return alert.newest_mjd > known.newest_mjd


def read_message(read: Read, message: Message) -> tuple[Alert, Record | None]:
    """
    Read one message.

    Raises
    ------
    MalformedAlert
        If it is too long, or cannot be read.
    """
    check_length(message.value)
    try:
        return read(message)
    except MalformedAlert:
        raise
    except Exception as error:
        logger.warning("a decoder failed on a message", exc_info=True)
        raise MalformedAlert("message", f"cannot be decoded: {type(error).__name__}: {error}") from error


def _curves(
    found: dict[tuple[str, str], tuple[Alert, Record | None, Message]], refused: list[RefusedMessage], scale: float
) -> LightCurves:
    """Build all light curves at once; only if that fails one by one, to refuse what is at fault."""
    records = [record for _, record, _ in found.values() if record is not None]
    try:
        return LightCurves.joined(to_light_curves(records, scale))
    except Exception:
        logger.warning("a light curve failed", exc_info=True)
    parts: list[LightCurves] = []
    for key, (_, record, message) in list(found.items()):
        try:
            parts += to_light_curves([record], scale) if record is not None else []
        except Exception as error:
            refused.append(
                RefusedMessage.of(message, f"its light curve cannot be read: {type(error).__name__}: {error}")
            )
            del found[key]
    return LightCurves.joined(parts)


def joined(parts: Sequence[Decoded]) -> Decoded:
    """Put together what groups of messages say: of each object the newest, of equally new ones that with the curve."""
    places = newest_parts([(part.alerts, set(part.curves.object_ids)) for part in parts])
    alerts, curves = [], []
    for number, part in enumerate(parts):
        kept = [alert for alert in part.alerts if places[alert.survey, alert.object_id] == number]
        alerts += kept
        curves.append(_of_objects(part.curves, {alert.object_id for alert in kept}))
    skipped: Counter[str] = Counter()
    for part in parts:
        skipped.update(part.skipped)
    refused = [refusal for part in parts for refusal in part.refused]
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    words = [alert for part in parts for alert in part.words]
    return Decoded(newest_of(alerts), LightCurves.joined(curves), refused, dict(skipped), notes, words)


def _of_objects(curves: LightCurves, names: set[str]) -> LightCurves:
    """Give the light curves of some objects."""
    if names.issuperset(curves.object_ids):
        return curves
    chosen = [number for number, name in enumerate(curves.object_ids) if name in names]
    return LightCurves.joined([curves.part(number, number + 1) for number in chosen])
