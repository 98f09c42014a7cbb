"""
Recorded alerts in files: each message is read by the broker whose framing it has, told by its content.

The files come as a stream, `tides_bridge.brokers.file_stream`; what a message is there says
`tides_bridge.formats.messages_of_files`. A message without light curve is asked for only where ``lightCurves.address``
is set: a recorded night is then decided as it was, and otherwise nobody is asked.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa

from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import Broker, Decoded, Fetched, brief, position_in
from tides_bridge.brokers.decoding import check_length, decode_each, joined
from tides_bridge.brokers.depth import note_of_depth
from tides_bridge.brokers.fastdb.broker import hot_alert_in
from tides_bridge.brokers.lasair.api import row_in
from tides_bridge.brokers.lasair.lsst import lsst_object_name, read_lasair_lsst
from tides_bridge.brokers.lasair.ztf import NAME, LasairZtf
from tides_bridge.brokers.models import Alert, Message, RefusedMessage, newest_of
from tides_bridge.brokers.packets import without_moving
from tides_bridge.brokers.record_alerts import alert_of, alert_of_record
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats import Options, in_one_line
from tides_bridge.formats.babamul import survey_packet
from tides_bridge.formats.contents import files_in
from tides_bridge.formats.framing import Framing
from tides_bridge.formats.framing import framing_of as how_packed
from tides_bridge.formats.json_text import LITERALS, check_fields
from tides_bridge.formats.meaning.epochs import EPOCHS, NO_EPOCH
from tides_bridge.formats.messages_of_files import UNREADABLE, unreadable_reason
from tides_bridge.formats.records import Record, identify
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.columns import POINT_COLUMNS
from tides_bridge.settings import Settings

logger = logging.getLogger(__name__)

CURVE = b"\xff\xff\xff\xff"
"""How an Arrow stream begins: the light curve of an object of a table."""

RECORD = msgspec.json.Decoder(Record, strict=False)

CURVE_SCHEMA = LightCurves.from_points([], []).to_arrow().schema

BROKERS = {
    Framing.JSON: "json",
    Framing.CONTAINER: "babamul_{survey}",
    Framing.KEYED: "fink_{survey}",
    Framing.CONFLUENT: "rubin",
    Framing.BSON: "antares",
    Framing.BARE: "elasticc",
}
"""Which broker reads a framing; JSON is read here."""

AMBIGUOUS = ("antares", "rubin")
"""Told by a first byte that a bare Avro message may have, too."""


class RecordedBroker:
    """
    The broker of recorded alerts.

    Parameters
    ----------
    settings
        With ``broker.files``, and where light curves come from.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._brokers: dict[str, Broker] = {}
        self.objects_per_call = 1

    @property
    def calls(self) -> int:
        """Calls of light-curve services that were made so far."""
        return sum(broker.calls for broker in self._brokers.values())

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read messages of any framing; one that cannot be read is refused with the reason of its framing."""
        groups: dict[str, list[Message]] = {}
        for message in messages:
            groups.setdefault(broker_of_message(message), []).append(message)
        return joined([self._decode_alike(kind, group) for kind, group in groups.items()])

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """Get light curves from Lasair, if ``lightCurves.address`` is set; raises BrokerUnavailable as it does."""
        if "address" not in self._settings.light_curves.model_fields_set:
            reason = "its message brought no light curve, and lightCurves.address is not set"
            return Fetched(LightCurves.joined([]), dict.fromkeys(object_ids, reason))
        parts: list[LightCurves] = []
        missing: dict[str, str] = {}
        for object_id in object_ids:
            kind = "lasair_lsst" if object_id.isdecimal() else "lasair_ztf"
            found = self._broker(kind).fetch([object_id])
            parts.append(found.curves)
            missing |= found.missing
        return Fetched(LightCurves.joined(parts), missing)

    def try_out(self) -> str:
        """Count the files, and say how many there are; raises SettingsError if there are none."""
        problems: list[str] = []
        found = list(files_in(self._settings.broker.files, lambda path, problem: problems.append(f"{path} {problem}")))
        if problems or not found:
            problem = "; ".join(problems) or "names no files: the kind recorded needs some"
            raise SettingsError("settings", f"{self._settings.broker_name}.files", problem)
        return f"{len(found)} file{'s' if len(found) > 1 else ''}"

    def _decode_alike(self, kind: str, messages: list[Message]) -> Decoded:
        """Read messages of one framing."""
        if kind == "unreadable":
            return decode_each(messages, read_unreadable)
        if kind == "json":
            zero_point = self._settings.broker.zero_point
            found = without_moving(decode_each(messages, self._read_json, Options(zero_point).scale))
            is_simulated = any(alert.survey == "elasticc" for alert in found.alerts)
            note = note_of_depth(found.curves, zero_point) if is_simulated else ""
            return replace(found, notes=(note,)) if note else found
        if kind == "curve":
            return _decode_curves(messages)
        try:
            found = self._broker(kind).decode(messages)
        except SettingsError as problem:
            return Decoded([], LightCurves.joined([]), [_unsettled(message, problem) for message in messages])
        if kind not in AMBIGUOUS or not found.refused or self._settings.broker.schemas is None:
            return found
        reasons = {(refusal.partition, refusal.offset): refusal for refusal in found.refused}
        again = [message for message in messages if (message.partition, message.offset) in reasons]
        bare = self._broker("elasticc").decode(again)
        refused = [reasons[message.partition, message.offset] for message in bare.refused]
        first = Decoded(found.alerts, found.curves, refused, found.skipped, found.notes)
        return joined([first, Decoded(bare.alerts, bare.curves, [], bare.skipped, bare.notes)])

    def _broker(self, kind: str) -> Broker:
        if kind not in self._brokers:
            options = self._settings.broker.model_copy(update={"kind": kind})
            self._brokers[kind] = broker_of(self._settings.model_copy(update={"broker": options}))
        return self._brokers[kind]

    def _read_json(self, message: Message) -> tuple[Alert, Record | None]:
        """Read an alert packet, an answer of Lasair, or one of its messages."""
        text = message.value.removeprefix(b"\xef\xbb\xbf")
        if text.startswith(b'{"ltcv":'):
            return hot_alert_in(row_in(text))
        try:
            record = RECORD.decode(LITERALS.sub(b"null", text))
        except msgspec.ValidationError as problem:
            raise MalformedAlert("message", f"cannot be read: {in_one_line(problem)}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise MalformedAlert("message", f"is not JSON: {in_one_line(problem)}") from None
        if record.candidate is not None and record.candidate.band is not None:
            return alert_of_record(survey_packet(msgspec.json.decode(LITERALS.sub(b"null", text))))
        check_fields(record, text)
        has_curve = (record.candidate, record.candidates, record.diaSource, record.diaSourcesList) != (None,) * 4
        if record.diaObjectId is not None and not has_curve:
            return read_lasair_lsst(message)
        if record.objectId is not None and not has_curve and record.alert is None:
            return cast(LasairZtf, self._broker("lasair_ztf")).alert_in(text), None
        return _alert_in(record), record


def broker_of_message(message: Message) -> str:
    """
    Tell by its content which broker reads a message: the name of one in `tides_bridge.brokers.KINDS`, or what it is.

    >>> broker_of_message(Message("night", 0, 0, b'{"objectId": "ZTF26aaaaaaa"}'))
    'json'
    """
    value, key = message.value, message.key
    if value.startswith(UNREADABLE):
        return "unreadable"
    if value.startswith(CURVE):
        return "curve"
    is_array = value.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"")
    framing = Framing.JSON if is_array else how_packed(value, key)
    survey = "lsst" if b'"diaSource"' in (key if framing == Framing.KEYED and key else value) else "ztf"
    return BROKERS[framing].format(survey=survey)


def _unsettled(message: Message, problem: SettingsError) -> RefusedMessage:
    """Refuse a message whose framing needs a setting that is missing."""
    start = f"begins with {message.value[:4]!r}: if it is bare Avro, schemas"
    return RefusedMessage.of(message, f"{start} {problem.problem}")


def read_unreadable(message: Message) -> tuple[Alert, Record | None]:
    """Refuse what stands for something that could not be read, with the reason it brings."""
    raise MalformedAlert("message", ": ".join(filter(None, unreadable_reason(message.value))))


def _alert_in(record: Record) -> Alert:
    """Make the alert of a record with light curve: a packet, or an answer of Lasair's API."""
    name, newest = identify(record)
    is_ztf = record.candidate is not None or record.candidates is not None
    if not is_ztf:
        lsst_object_name(name)
    elif not NAME.fullmatch(name):
        raise MalformedAlert("message", f"objectId is {brief(name)}, not a name")
    _check_epoch(newest)
    if record.candidate is not None or record.diaSource is not None:
        return alert_of(record, name, newest)
    known = record if record.alert is None else record.alert
    place = known.diaObject if known.diaObject and known.diaObject.ra is not None else record
    decl = getattr(place, "dec", None) if place.decl is None else place.decl
    ra, decl = position_in({"ra": place.ra, "decl": decl}, ("ra",), ("decl",))
    return Alert("ztf" if is_ztf else "lsst", name, newest, ra, decl, None, {})


def _check_epoch(mjd: float) -> None:
    """Refuse an epoch [d] that is none of our time; that there is none at all is well."""
    if mjd != NO_EPOCH and not EPOCHS[0] < mjd < EPOCHS[1]:
        raise MalformedAlert("message", f"its newest epoch is MJD {mjd:g}, which is none of our time")


def _decode_curves(messages: Sequence[Message]) -> Decoded:
    """Read light curves that come as Arrow streams."""
    found: dict[str, tuple[Alert, LightCurves]] = {}
    refused = []
    for message in messages:
        try:
            curve = _curve_in(message.value)
            name, epochs = curve.object_ids[0], curve.mjd[curve.is_detection]
            newest = float(np.max(epochs)) if len(epochs) else NO_EPOCH
            _check_epoch(newest)
            alert = Alert("lsst" if name.isdecimal() else "ztf", name, newest, None, None, None, {})
        except MalformedAlert as problem:
            refused.append(RefusedMessage.of(message, problem.problem))
            continue
        if alert.object_id not in found or alert.newest_mjd >= found[alert.object_id][0].newest_mjd:
            found[alert.object_id] = alert, curve
    curves = LightCurves.joined([curve for _, curve in found.values()])
    return Decoded(newest_of(alert for alert, _ in found.values()), curves, refused)


def _curve_in(value: bytes) -> LightCurves:
    """
    Read one light curve.

    Raises
    ------
    MalformedAlert
        If it is not the Arrow stream of one.
    """
    check_length(value)
    try:
        table = pa.ipc.open_stream(value).read_all()
        table.validate(full=True)
        curve = LightCurves.from_arrow(table) if table.schema.equals(CURVE_SCHEMA) else LightCurves.joined([])
    except (pa.ArrowException, ValueError, OSError, KeyError, TypeError) as problem:
        raise MalformedAlert("message", f"is a broken Arrow stream: {in_one_line(problem)}") from None
    lengths = {len(getattr(curve, name)) for name in POINT_COLUMNS}
    if len(curve) != 1 or lengths != {int(curve.offsets[-1])} or not curve.object_ids[0]:
        raise MalformedAlert("message", "is an Arrow stream, but not of the light curve of one object")
    return curve
