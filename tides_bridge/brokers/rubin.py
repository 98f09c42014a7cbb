"""
Rubin itself: alert packets in Avro, behind a zero byte and the number of their schema.

Sources: lsst/alert_packet (schemas v9 to v11; their numbers, MAJOR * 100 + MINOR), Confluent's wire format. A quarter
of the alerts are about the solar system: these are passed over.
"""

from tides_bridge.brokers import registry
from tides_bridge.brokers.models import Message
from tides_bridge.brokers.packets import PacketBroker, Unpacked
from tides_bridge.brokers.readers import Reader, numbered_in, numbered_reader
from tides_bridge.errors import BrokerUnavailable, MalformedAlert
from tides_bridge.formats.framing import HEADER, confluent_number
from tides_bridge.settings import Settings


class Rubin(PacketBroker):
    """
    Rubin's own stream.

    Parameters
    ----------
    settings
        With ``broker.schemas``, a folder of schemas, ``broker.schemaRegistry``, or both: then what the folder lacks is
        asked for.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._registry = settings.broker.schema_registry
        self._timeout = settings.light_curves.timeout.total_seconds()
        self._unknown: dict[int, str] = {}

    def unpack(self, message: Message) -> Unpacked:
        """Find the schema by its number; raises BrokerUnavailable if only the registry has it, and is away."""
        reader = self._numbered(confluent_number(message.value))
        return Unpacked(message, memoryview(message.value)[HEADER:], (reader,))  # without copying it

    def try_out(self) -> str:
        """Ask the registry; if it is away, say so only if there are no files, either."""
        if self._registry is None:
            return super().try_out()
        try:
            return registry.try_out_registry(self._registry, self._timeout)
        except BrokerUnavailable as error:
            if self._schemas is None:
                raise
            return f"{super().try_out()}; {error}"

    def _numbered(self, number: int) -> Reader:
        found = numbered_in(self._schemas).get(number) if self._schemas else None
        if found is not None:
            return found
        if number in self._unknown:  # a broken stream is no reason to ask for a number again and again
            raise MalformedAlert("message", self._unknown[number])
        try:
            if self._registry is None:
                where = (
                    f"in {self._schemas}"
                    if self._schemas
                    else "known: broker.schemas or broker.schemaRegistry names some"
                )
                raise MalformedAlert("message", f"has the schema number {number}, which is not {where}")
            return numbered_reader(registry.schema_text(self._registry, number, self._timeout), number)
        except MalformedAlert as error:
            self._unknown[number] = error.problem
            raise
