"""
ELAsTiCC: simulated alerts of LSST, Avro without schema and without any framing.

Sources: LSSTDESC/elasticc (schemas v0_9, v0_9_1), plasticc_alerts (an early v0_9). Which of some schemas a message has
is told by whether it fits, to the last byte. The zero point of ``psFlux`` is 31.4 as streamed, 27.5 in the first
samples; the messages do not say which, but the depth of their images does.
"""

from tides_bridge.brokers.models import Message
from tides_bridge.brokers.packets import PacketBroker, Unpacked
from tides_bridge.brokers.readers import readers_in
from tides_bridge.errors import SettingsError
from tides_bridge.formats.framing import Framing, framing_of, of_container
from tides_bridge.settings import Settings


class Elasticc(PacketBroker):
    """
    A stream of ELAsTiCC.

    Parameters
    ----------
    settings
        With ``broker.schemas``, a schema or a folder of them, and ``broker.zeroPoint``.

    Raises
    ------
    SettingsError
        If no schema is named, or there is none.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if self._schemas is None:
            problem = "is missing: the messages of ELAsTiCC bring no schema; name its file, or a folder of some"
            raise SettingsError("settings", f"{settings.broker_name}.schemas", problem)
        self._readers = readers_in(self._schemas)

    def unpack(self, message: Message) -> Unpacked:
        """Any of the schemas may be it; a container, as the first samples are, has its own."""
        if framing_of(message.value) is Framing.CONTAINER:
            schema, body = of_container(message.value)
            return Unpacked(message, body, self._reader(schema))
        return Unpacked(message, message.value, self._readers)
