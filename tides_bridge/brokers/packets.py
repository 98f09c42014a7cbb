"""
Alert packets in Avro, many at once: from messages of any Avro framing to alerts with their light curves.

Messages of one schema are read together, as columns, if it is one of Rubin or ELAsTiCC (`formats.columnar`); those of
ZTF and others record by record. A broker of this kind only says how a message is unpacked: which schema its body has.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

import numpy as np

from tides_bridge.brokers.base import Decoded, Fetched
from tides_bridge.brokers.decoding import check_length, decode_each, joined
from tides_bridge.brokers.depth import note_of_depth
from tides_bridge.brokers.models import Alert, Message, RefusedMessage
from tides_bridge.brokers.readers import Reader, reader_of_text, readers_in
from tides_bridge.brokers.record_alerts import alert_of_record
from tides_bridge.compiled import Floats, Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Options
from tides_bridge.formats.avro.records import decode_exactly
from tides_bridge.formats.columnar import Packets, read_packets
from tides_bridge.formats.meaning.annotations import annotations_in
from tides_bridge.formats.records import Record
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.sky import is_on_sky, right_ascension
from tides_bridge.settings import Settings

logger = logging.getLogger(__name__)

NOTHING_TO_FETCH = "its alert brought no light curve"

OBJECTS_PER_CALL = 50
"""There is no light-curve service; so many objects are told so at once."""

PART = 16_000_000
"""[bytes] Of messages that are read together: so many are copied, and fit the cache of a processor half."""

SOLAR_SYSTEM = "is about an object of the solar system"
"""Why an alert is passed over."""

ToRecord = Callable[[dict[str, Any]], tuple[Alert, Record | None]]
"""Makes an alert of a record, with the record of its light curve if it has one; raises MalformedAlert."""


@dataclass(frozen=True)
class Unpacked:
    """A message without its framing, and the schemas that it may have: the first that fits to the last byte is it."""

    message: Message
    body: bytes | memoryview
    readers: tuple[Reader, ...]


Unpack = Callable[[Message], Unpacked]
"""Takes the framing off; raises MalformedAlert if there is another."""


def decode_packets(
    messages: Sequence[Message], unpack: Unpack, to_alert: ToRecord | None = None, scale: float = 1.0
) -> Decoded:
    """
    Read messages together.

    Parameters
    ----------
    messages
        In the order of the stream.
    unpack
        Takes the framing off.
    to_alert
        What is made of a record without ``diaSource``.
    scale
        What turns ``psFlux`` into nJy.

    Raises
    ------
    BrokerUnavailable
        From unpack, if a schema cannot be had now.
    """
    refused: list[RefusedMessage] = []
    groups: dict[tuple[int, ...], list[Unpacked]] = {}
    for message in messages:
        try:
            check_length(message.value)
            if not message.value:
                raise MalformedAlert("message", "is empty")
            unpacked = unpack(message)
            groups.setdefault(tuple(map(id, unpacked.readers)), []).append(unpacked)
        except MalformedAlert as error:
            refused.append(RefusedMessage.of(message, error.problem))
    found = [part for group in groups.values() for part in _decode_alike(group, to_alert or alert_of_record, scale)]
    return joined([*found, Decoded([], LightCurves.joined([]), refused)])


def _decode_alike(group: list[Unpacked], to_alert: ToRecord, scale: float) -> Iterator[Decoded]:
    """Read messages that may have the same schemas: what does not fit one is tried with the next."""
    readers = group[0].readers
    for reader in readers:
        rest: list[Unpacked] = []
        for part in _parts(group):
            if reader.problem:
                yield _refused([(unpacked, reader.problem) for unpacked in part])
            elif reader.program is None:
                yield _decode_records(part, reader, to_alert, scale, rest)
            else:
                yield _decode_columns(part, reader, read_packets(reader.program, [p.body for p in part]), scale, rest)
        group = rest
    names = ", ".join(reader.name for reader in readers)
    what = f"its schema, {names}" if len(readers) == 1 else f"any of these schemas: {names}"
    yield _refused([(unpacked, f"does not fit {what}") for unpacked in group])


def _parts(group: list[Unpacked]) -> Iterator[list[Unpacked]]:
    """Split messages so that a part has some megabytes."""
    part: list[Unpacked] = []
    size = 0
    for unpacked in group:
        part.append(unpacked)
        size += len(unpacked.body)
        if size >= PART:
            yield part
            part, size = [], 0
    if part:
        yield part


def _refused(messages: Sequence[tuple[Unpacked, str]], skipped: Mapping[str, int] | None = None) -> Decoded:
    refused = [RefusedMessage.of(unpacked.message, reason) for unpacked, reason in messages]
    return Decoded([], LightCurves.joined([]), refused, dict(skipped or {}))


def _decode_columns(
    part: list[Unpacked], reader: Reader, packets: Packets, scale: float, rest: list[Unpacked]
) -> Decoded:
    """Read messages as columns; those that do not fit the schema come to the rest if there is another to try."""
    refused, skipped = [], 0
    problems = packets.problems()
    for number, problem in problems.items():
        if packets.fields.problem[number] and len(part[number].readers) > 1:
            rest.append(part[number])
        elif not packets.fields.problem[number] and packets.ss_object_ids[number]:
            skipped += 1
        else:
            refused.append((part[number], problem))
    # The newest alert of each object, of equally new ones the last.
    newest: dict[str, tuple[float, int]] = {}
    for number, (name, epoch) in enumerate(zip(packets.object_ids, packets.epochs.tolist(), strict=True)):
        if number not in problems and (name not in newest or epoch >= newest[name][0]):
            newest[name] = epoch, number
    chosen = np.array(sorted(number for _, number in newest.values()), dtype=np.int64)
    without_alerts = _refused(refused, {SOLAR_SYSTEM: skipped} if skipped else {})
    try:
        curves = packets.curves(chosen, scale)
    except Exception:
        logger.warning("light curves failed", exc_info=True)
        # One of the light curves is at fault: each is built by itself, so that its message alone is refused.
        parts = [without_alerts]
        for number in chosen.tolist():
            one = np.array([number], dtype=np.int64)
            try:
                curves = packets.curves(one, scale)
                parts.append(Decoded(_alerts(packets, one, curves, reader.survey), curves, []))
            except Exception as error:
                parts.append(
                    _refused([(part[number], f"its light curve cannot be read: {type(error).__name__}: {error}")])
                )
        return joined(parts)
    alerts = _alerts(packets, chosen, curves, reader.survey)
    if reader.notes:
        alerts = [
            _annotated(alert, part[number], reader) for alert, number in zip(alerts, chosen.tolist(), strict=True)
        ]
    return replace(without_alerts, alerts=alerts, curves=curves)


def _annotated(alert: Alert, unpacked: Unpacked, reader: Reader) -> Alert:
    """Add to an alert what its message says beyond the packet of the survey: with columns only that is read."""
    content = decode_exactly(unpacked.body, reader.schema, reader.notes)
    return replace(alert, annotations=annotations_in(content or {}, "fink"))


def _alerts(packets: Packets, chosen: Integers, curves: LightCurves, survey: str) -> list[Alert]:
    """Make the alerts of some packets, whose light curves are these; what else is known lies with them."""
    first = packets.first_epochs[chosen]
    first = np.where(np.isnan(first), first_detections(curves), first)
    ra, decl = curves.objects.ra, curves.objects.decl
    is_placed = is_on_sky(ra, decl)
    columns = [
        curves.object_ids,
        packets.epochs[chosen].tolist(),
        is_placed.tolist(),
        right_ascension(ra).tolist(),
        decl.tolist(),
    ]
    return [
        Alert(
            survey=survey,
            object_id=name,
            newest_mjd=epoch,
            ra=ra_deg if has_place else None,
            decl=decl_deg if has_place else None,
            sherlock_class=None,
            message={},
            first_mjd=None if isnan(first_mjd) else first_mjd,
        )
        for name, epoch, has_place, ra_deg, decl_deg, first_mjd in zip(*columns, first.tolist(), strict=True)
    ]


def first_detections(curves: LightCurves) -> Floats:
    """Give the epoch of the first detection of each object [d, MJD, UTC]; NaN where there is none."""
    found = np.full(len(curves), np.nan)
    rows = np.flatnonzero(curves.is_detection)[::-1]
    found[curves.object_index[rows]] = curves.mjd[rows]  # in the order of their epochs: the first is written last
    return found


def _decode_records(
    part: list[Unpacked], reader: Reader, to_alert: ToRecord, scale: float, rest: list[Unpacked]
) -> Decoded:
    """Read messages one by one."""
    bodies = {id(unpacked.message): unpacked for unpacked in part}
    others: list[Message] = []

    def read(message: Message) -> tuple[Alert, Record | None]:
        unpacked = bodies[id(message)]
        record = decode_exactly(unpacked.body, reader.schema)
        if record is None and len(unpacked.readers) > 1:
            others.append(message)
        if record is None:
            raise MalformedAlert("message", f"does not fit its schema, {reader.name}")
        alert, curve = alert_of_record(record) if reader.survey else to_alert(record)
        return replace(alert, annotations=alert.annotations or annotations_in(record, "fink")), curve

    found = decode_each([unpacked.message for unpacked in part], read, scale)
    elsewhere = {id(message) for message in others}
    rest += [bodies[number] for number in elsewhere]
    return without_moving(found, {(message.topic, message.partition, message.offset) for message in others})


def without_moving(found: Decoded, elsewhere: Collection[tuple[str, int, int]] = ()) -> Decoded:
    """Pass over what is about the solar system, and what is tried with another schema."""
    refused, skipped = [], Counter(found.skipped)
    for refusal in found.refused:
        if "an object of the solar system" in refusal.reason:
            skipped[SOLAR_SYSTEM] += 1
        elif (refusal.topic, refusal.partition, refusal.offset) not in elsewhere:
            refused.append(refusal)
    return replace(found, refused=refused, skipped=dict(skipped))


class PacketBroker:
    """
    A broker whose messages are alert packets in Avro, with their light curves.

    Parameters
    ----------
    settings
        With the zero point of psFlux, and schemas where messages bring none.
    """

    def __init__(self, settings: Settings) -> None:
        self.calls, self.objects_per_call = 0, OBJECTS_PER_CALL
        self._zero_point, self._schemas = settings.broker.zero_point, settings.broker.schemas
        self._last: tuple[bytes, tuple[Reader, ...]] = b"", ()

    def unpack(self, message: Message) -> Unpacked:
        """Take the framing off a message."""
        raise NotImplementedError

    def to_alert(self, content: dict[str, Any]) -> tuple[Alert, Record | None]:
        """Make an alert of a record without ``diaSource``."""
        return alert_of_record(content)

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read messages; all that are alerts bring their light curves."""
        scale = Options(self._zero_point).scale
        found = decode_packets(messages, self.unpack, self.to_alert, scale)
        # Only of ELAsTiCC's fluxes does a setting say the zero point, which may be wrong.
        is_simulated = any(alert.survey == "elasticc" for alert in found.alerts)
        if note := note_of_depth(found.curves, self._zero_point) if is_simulated else "":
            logger.warning("%s", note)
            found = replace(found, notes=(*found.notes, note))
        return found

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """Tell that there is nowhere to get a light curve from."""
        return Fetched(LightCurves.joined([]), dict.fromkeys(object_ids, NOTHING_TO_FETCH))

    def try_out(self) -> str:
        """Say which schemas there are; there is no service to be asked."""
        if self._schemas is None:
            return "no service beside the stream"
        return f"{len(readers_in(self._schemas))} schemas in {self._schemas}"

    def _reader(self, text: bytes) -> tuple[Reader, ...]:
        """Give the reader of a schema that came with a message; mostly it is that of the last one."""
        if text != self._last[0]:
            self._last = text, (reader_of_text(text),)
        return self._last[1]
