"""
ELAsTiCC: simulated alerts of LSST, Avro without schema and without any framing; and what brokers said of them.

Sources: LSSTDESC/elasticc (schemas v0_9, v0_9_1), plasticc_alerts (an early v0_9). Which of some schemas a message has
is told by whether it fits, to the last byte. The zero point of ``psFlux`` is 31.4 as streamed, 27.5 in the first
samples; the messages do not say which, but the depth of their images does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tides_bridge.brokers.base import Decoded, Fetched
from tides_bridge.brokers.decoding import read_message
from tides_bridge.brokers.models import Alert, Message, RefusedMessage
from tides_bridge.brokers.packets import NOTHING_TO_FETCH, PacketBroker, Unpacked
from tides_bridge.brokers.readers import readers_in
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats.framing import Framing, framing_of, of_container
from tides_bridge.formats.meaning.classifications import classes_in, mjd_in, object_in, probabilities_of
from tides_bridge.formats.records import Record
from tides_bridge.formats.whole_alerts import Opener
from tides_bridge.lightcurves import LightCurves
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


class ElasticcClasses:
    """
    A stream of ``brokerClassification``, or of FASTDB's broker messages: words of objects, without light curves.

    Parameters
    ----------
    settings
        With ``broker.schemas``, a schema or a folder of them, for messages that bring none.
    """

    objects_per_call = 50
    calls = 0

    def __init__(self, settings: Settings) -> None:
        self._opener = Opener(settings.broker.schemas)

    def decode(self, messages: Sequence[Message]) -> Decoded:
        """Read what was said of objects; none of it is an alert to be judged."""
        words: list[Alert] = []
        refused: list[RefusedMessage] = []
        for message in messages:
            try:
                words.append(read_message(self._read, message)[0])
            except MalformedAlert as error:
                refused.append(RefusedMessage.of(message, error.problem))
        return Decoded([], LightCurves.joined([]), refused, words=words)

    def _read(self, message: Message) -> tuple[Alert, Record | None]:
        return alert_of_classes(self._opener.open(message.value, message.key).record), None

    def fetch(self, object_ids: Sequence[str]) -> Fetched:
        """Say that there is nothing to be fetched."""
        return Fetched(LightCurves.joined([]), dict.fromkeys(object_ids, NOTHING_TO_FETCH))

    def try_out(self) -> str:
        """Say that there is no service beside the stream."""
        return "all is in the stream"


def alert_of_classes(record: Mapping[str, Any]) -> Alert:
    """
    Make an alert that has nothing but what a broker says of the classes of its object.

    Parameters
    ----------
    record
        A ``brokerClassification``, or an alert of FASTDB with the same fields.

    Raises
    ------
    MalformedAlert
        If it is none, or does not say of which object or when.
    """
    notes = probabilities_of(classes_in(record))
    survey, object_id = object_in(record)
    return Alert(survey, object_id, mjd_in(record), None, None, None, {}, annotations=notes)
