"""
Babamul (BOOM): an Avro container a message, with an alert of its own or a packet as the survey sent it.

Which it is, is told by the content: see `tides_bridge.formats.babamul`.
"""

from typing import Any

from tides_bridge.brokers.models import Alert, Message
from tides_bridge.brokers.packets import PacketBroker, Unpacked
from tides_bridge.brokers.record_alerts import alert_of_record
from tides_bridge.formats.babamul import ZTF_ZERO_POINT, lsst_packet, survey_packet, ztf_packet
from tides_bridge.formats.framing import of_container
from tides_bridge.formats.records import Record

__all__ = ["ZTF_ZERO_POINT", "Babamul", "BabamulLsst", "BabamulZtf", "lsst_packet", "ztf_packet"]


class Babamul(PacketBroker):
    """A stream of Babamul; of which survey is told by the content."""

    def unpack(self, message: Message) -> Unpacked:
        """Take the record out of its container; raises MalformedAlert if it is broken, or holds several."""
        schema, body = of_container(message.value)
        return Unpacked(message, body, self._reader(schema))

    def to_alert(self, content: dict[str, Any]) -> tuple[Alert, Record | None]:
        """Make an alert of one of Babamul's own, or of a packet of ZTF."""
        return alert_of_record(survey_packet(content))


class BabamulZtf(Babamul):
    """Babamul's streams of ZTF."""


class BabamulLsst(Babamul):
    """Babamul's streams of Rubin."""
