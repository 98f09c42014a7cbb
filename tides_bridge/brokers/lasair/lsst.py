"""
Lasair for LSST: JSON messages with or without light curve, and the call that gives the light curve of one object.

Sources: lasair-lsst ``pipeline/filter/util.py`` (messages PLAIN, LITE and FULL), ``serializers.py`` and
``lightcurves.py`` (API). A filter may ask for the alert in its messages and yet half of them lack it; sources come
newest first, in LITE without their id; a missing number is the literal NaN.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tides_bridge.brokers.base import Decoded, brief, number_in, position_in
from tides_bridge.brokers.decoding import decode_each
from tides_bridge.brokers.lasair.api import OneByOneApi, check_nesting, mjd_of_utc, row_in
from tides_bridge.brokers.lasair.curves import NO_DETECTION
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.json_text import LITERALS, check_fields
from tides_bridge.formats.meaning.annotations import annotations_in
from tides_bridge.formats.meaning.epochs import EPOCHS
from tides_bridge.formats.meaning.identifiers import identifier_text
from tides_bridge.formats.records import LsstAlert, Record, to_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import TAI_AHEAD
from tides_bridge.settings import shown_address

LARGEST = 2**63
"""A name of Rubin is smaller: a signed number of 64 bits."""

NAME = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


class Row(msgspec.Struct, gc=False):
    """What is used of a message; only ``diaObjectId`` is needed, which the filter must select."""

    diaObjectId: Any = None  # noqa: N815
    ra: Any = None
    decl: Any = None
    dec: Any = None
    lastDiaSourceMjdTai: Any = None  # noqa: N815
    firstDiaSourceMjdTai: Any = None  # noqa: N815
    UTC: Any = None
    classification: Any = None
    sherlock_classifications: Any = None
    ebv: Any = None
    annotations: Any = None
    TNS: Any = None
    tns_name: Any = None
    tns_prefix: Any = None
    association_type: Any = None
    catalogue_table_name: Any = None
    catalogue_object_id: Any = None
    catalogue_object_type: Any = None
    separationArcsec: Any = None  # noqa: N815
    physical_separation_kpc: Any = None
    classificationReliability: Any = None  # noqa: N815
    z: Any = None
    photoZ: Any = None  # noqa: N815
    photoZErr: Any = None  # noqa: N815
    direct_distance: Any = None
    alert: LsstAlert | None = None


ROW = msgspec.json.Decoder(Row, strict=False)
ANSWER = msgspec.json.Decoder(Record, strict=False)


class LasairLsst(OneByOneApi):
    """
    Lasair's broker for LSST.

    Parameters
    ----------
    settings
        With the address of the API, and the token: that of Lasair for ZTF is another one.
    """

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read messages; of those without ``alert`` the light curves are to be fetched."""
        return decode_each(messages, read_lasair_lsst)

    def _curve_of(self, object_id: str) -> LightCurves | str:
        """Ask ``object/`` for one light curve, or give the reason why there is none."""
        answer = self._post("object", {"objectId": object_id, "lite": "True", "lasair_added": "False"})
        if isinstance(answer, str):
            return answer
        try:
            record = ANSWER.decode(LITERALS.sub(b"null", answer))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
            if isinstance(problem, msgspec.ValidationError):
                return f"its light curve cannot be read: {in_one_line(problem)}"
            raise BrokerUnavailable(self._service, f"answered no light curve: {in_one_line(problem)}") from None
        try:
            check_fields(record, answer)
        except MalformedAlert as problem:
            return f"its light curve cannot be read: {problem.problem}"
        return _curve_in(record, object_id)

    def try_out(self) -> str:
        """Count the objects in one place of the sky, and say who answered."""
        answer = self._post("cone", {"ra": "10", "dec": "-20", "radius": "1", "requestType": "count"})
        if isinstance(answer, str):
            raise BrokerUnavailable(self._service, answer)
        try:
            content = msgspec.json.decode(answer)
        except msgspec.DecodeError as problem:
            raise BrokerUnavailable(self._service, f"answered no JSON: {in_one_line(problem)}") from None
        if not isinstance(content, dict) or "count" not in content:
            raise BrokerUnavailable(self._service, f"answered {answer[:200]!r}, not a count")
        return shown_address(self._options.address)


def read_lasair_lsst(message: Message) -> tuple[Alert, Record | None]:
    """
    Read one message: the alert, and its light curve if it brought one.

    Raises
    ------
    MalformedAlert
        If it is not a JSON object with a ``diaObjectId``, or a value in it is none that it should be.
    """
    try:
        row = ROW.decode(LITERALS.sub(b"null", message.value))
    except msgspec.ValidationError as problem:
        raise MalformedAlert("message", f"cannot be read: {in_one_line(problem)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        row_in(message.value)  # says what is wrong
        raise
    name = lsst_object_name(row.diaObjectId)
    if row.alert is not None:
        check_fields(row.alert, message.value)
    record = _record_in(row, name)
    return _alert_in(row, name, record, _rest_of(message) if record is None else {}), record


def lsst_object_name(value: object) -> str:
    """
    Read a ``diaObjectId``: a number, or its digits.

    Raises
    ------
    MalformedAlert
        If it is none, or was a float on its way and has lost digits.

    >>> lsst_object_name(313637935709683761), lsst_object_name(" 313637935709683761 ")
    ('313637935709683761', '313637935709683761')
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        name = None
    else:
        name = identifier_text(value.strip() if isinstance(value, str) else value, "diaObjectId")
    if name is None or not NAME.fullmatch(name) or int(name) >= LARGEST:
        problem = f"diaObjectId is {brief(value)}, not the name of an object: does the filter select diaObjectId?"
        raise MalformedAlert("message", problem)
    return name


def _record_in(row: Row, name: str) -> Record | None:
    """Give the light curve of a message: None if it has no detection."""
    alert = row.alert
    if alert is None or not alert.diaSourcesList:
        return None
    inner = alert.diaObject.diaObjectId if alert.diaObject else alert.diaObjectId
    if inner is not None and lsst_object_name(inner) != name:
        raise MalformedAlert("message", f"diaObjectId is {name}, and in its alert {brief(inner)}")
    fields = msgspec.structs.asdict(row)
    numbers = {key: number_in(fields, key) for key in ("ra", "decl", "ebv")}
    return Record(
        diaObjectId=name,
        alert=alert,
        ra=numbers["ra"],
        decl=numbers["decl"],
        ebv=numbers["ebv"],
        classification=_class_in(row),
    )


def _alert_in(row: Row, name: str, record: Record | None, rest: Mapping[str, Any]) -> Alert:
    fields = msgspec.structs.asdict(row)
    ra, decl = position_in(fields, ("ra",), ("decl", "dec"))
    first = _mjd_in(fields, "firstDiaSourceMjdTai")
    ebv = None if record is not None else number_in(fields, "ebv")
    facts = {"ebv": ebv, "first_seen": first}
    # The newest source where the message names no epoch; else the time of the message itself.
    newest = _mjd_in(fields, "lastDiaSourceMjdTai")
    if newest is None and record is not None and record.alert is not None:
        epochs = [source.mjd_tai for source in record.alert.diaSourcesList or []]
        known = [epoch for epoch in epochs if epoch is not None and EPOCHS[0] < epoch < EPOCHS[1]]
        newest = max(known) - TAI_AHEAD if known else None
    notes = row.alert.annotations if row.alert else row.annotations
    return Alert(
        survey="lsst",
        object_id=name,
        newest_mjd=mjd_of_utc(fields.get("UTC")) if newest is None else newest,
        ra=ra,
        decl=decl,
        sherlock_class=_class_in(row),
        message=rest,
        first_mjd=first,
        known={name: value for name, value in facts.items() if value is not None},
        annotations=annotations_in(fields | {"annotations": notes}, "lasair"),
    )


def _rest_of(message: Message) -> dict[str, Any]:
    """Read all of a message that waits for its light curve: it is kept as it came."""
    row = row_in(message.value)
    check_nesting(row)
    return row


def _class_in(row: Row) -> str | None:
    """Find Sherlock's class, under either name or in the annotations of the alert."""
    places = [row.classification, row.sherlock_classifications]
    notes = row.alert.annotations if row.alert else None
    found = notes.get("sherlock") if isinstance(notes, dict) else None
    places += [annotation.get("classification") for annotation in found or [] if isinstance(annotation, dict)]
    return next((text for text in places if isinstance(text, str) and text and text.isprintable()), None)


def _mjd_in(fields: Mapping[str, Any], key: str) -> float | None:
    """Give an epoch of a message [d, UTC]; None if it has none."""
    mjd = number_in(fields, key)
    if mjd is not None and not EPOCHS[0] < mjd < EPOCHS[1]:
        raise MalformedAlert("message", f"{key} is {mjd}, which is no MJD of our time")
    return None if mjd is None else mjd - TAI_AHEAD


def _curve_in(record: Record, object_id: str) -> LightCurves | str:
    """Build the light curve of an answer, or say why there is none."""
    if record.error is not None:
        return f"the light-curve API answered an error: {brief(record.error)}"
    if record.diaSourcesList is None:
        return "the light-curve API answered without diaSourcesList"
    try:
        answered = None if record.diaObjectId is None else lsst_object_name(record.diaObjectId)
    except MalformedAlert as problem:
        return f"its light curve cannot be read: {problem.problem}"
    if answered not in (None, object_id):
        return f"the light-curve API answered about another object, {answered}"
    record.diaObjectId = object_id
    curve = to_light_curves([record])[1]
    return curve if curve.is_detection.any() else NO_DETECTION
