"""
Fink: alert packets with added columns, Avro without schema; the schema is the key of the message.

Source: fink-client 12 (consumer). A key that is no JSON is the name of a schema, as streams of ZTF once had it; its
file is looked for in ``broker.schemas``. Of what Fink adds, matches with catalogues of variables are used.
"""

from pathlib import Path

from tides_bridge.brokers.models import Message
from tides_bridge.brokers.packets import PacketBroker, Unpacked
from tides_bridge.brokers.readers import Reader, readers_in
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.avro.schemas import is_schema


class Fink(PacketBroker):
    """A stream of Fink; of which survey is told by the schema."""

    def unpack(self, message: Message) -> Unpacked:
        """Find the schema by the key; raises MalformedAlert if there is none."""
        key = message.key or b""
        readers = self._reader(key) if is_schema(key) else self._named(key)
        return Unpacked(message, message.value, readers)

    def _named(self, key: bytes) -> tuple[Reader, ...]:
        name = Path(key.decode(errors="replace")).name
        what = f"has the key {name[:100]!r}, no schema" if name else "has no key, which would be its schema"
        if self._schemas is None:
            raise MalformedAlert("message", f"{what}, and broker.schemas names no file of schemas")
        known = readers_in(self._schemas)
        found = tuple(reader for reader in known if name and Path(reader.name).stem in (name, Path(name).stem))
        if name and not found:
            raise MalformedAlert("message", f"{what}, and none of this name is in {self._schemas}")
        return found or known


class FinkZtf(Fink):
    """Fink's streams of ZTF."""


class FinkLsst(Fink):
    """Fink's streams of Rubin."""
