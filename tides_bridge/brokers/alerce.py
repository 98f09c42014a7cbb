"""
ALeRCE: an Avro container a message (stamp classifier), or Avro without schema (light-curve classifier).

Sources: ALeRCE's schemas (``alercebroker/pipeline``: stamp_classifier, rubin_stamp_classifier) and Lasair's reader of
its streams. These messages are classifications: they name an object and have no light curve, so that its object waits
until another broker brings one. Packets of a survey, in containers, are read with theirs.
"""

import math
from typing import Any

from tides_bridge.brokers.babamul import Babamul
from tides_bridge.brokers.base import position_in
from tides_bridge.brokers.models import Alert, Message
from tides_bridge.brokers.packets import Unpacked
from tides_bridge.brokers.readers import readers_in
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.framing import Framing, framing_of
from tides_bridge.formats.meaning.annotations import annotations_in
from tides_bridge.formats.meaning.epochs import NO_EPOCH
from tides_bridge.formats.meaning.identifiers import identifier_text
from tides_bridge.formats.records import Record
from tides_bridge.lightcurves.photometry import TAI_AHEAD

CURVES = ("candidate", "candidates", "diaSourcesList")
"""What a record has that brings a light curve."""


class Alerce(Babamul):
    """A stream of ALeRCE."""

    def unpack(self, message: Message) -> Unpacked:
        """Take the record out of its container, or, if there is none, try the schemas of ``broker.schemas``."""
        if self._schemas is None or framing_of(message.value) is Framing.CONTAINER:
            return super().unpack(message)
        return Unpacked(message, message.value, readers_in(self._schemas))

    def to_alert(self, content: dict[str, Any]) -> tuple[Alert, Record | None]:
        """Make an alert of a classification, or of a packet."""
        if any(content.get(key) is not None for key in CURVES):
            return super().to_alert(content)
        return alert_of_classification(content), None


def alert_of_classification(content: dict[str, Any]) -> Alert:
    """
    Make an alert of a classification.

    Raises
    ------
    MalformedAlert
        If it names no object.
    """
    name = identifier_text(content.get("diaObjectId"), "diaObjectId") or identifier_text(
        content.get("objectId"), "objectId"
    )
    if name is None:
        raise MalformedAlert("message", "names no object: it has neither objectId nor diaObjectId")
    ra, decl = position_in(content, ("ra",), ("dec",))
    epoch = content.get("midpointMjdTai")
    is_known = isinstance(epoch, int | float) and math.isfinite(epoch)
    return Alert(
        survey="lsst" if name.isdecimal() else "ztf",
        object_id=name,
        newest_mjd=epoch - TAI_AHEAD if is_known and epoch is not None else NO_EPOCH,
        ra=ra,
        decl=decl,
        sherlock_class=None,
        message={key: value for key, value in content.items() if not isinstance(value, bytes)},
        annotations=annotations_in(content, "alerce"),
    )
