"""
The streams that `tides standins` serves: what each broker makes of an alert packet, and what else a run needs of it.

::

    packet ──▶ message   in Kafka, in the broker's framing
           └─▶ curve     in the stand-in for its light-curve API, if it has one

Topics are named as those brokers name theirs.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from simulators.alerts import packets
from simulators.alerts.broker_forms import LasairMode
from simulators.alerts.encoders import FORMATS, USUAL, Encoded, Packet, encode
from simulators.alerts.lsst_packets import LsstPackets
from simulators.alerts.packet_files import Found, of_survey
from simulators.services.antares import to_locus
from simulators.services.fastdb import to_hot_message, to_hot_transient
from simulators.services.lasair import to_light_curve, to_message
from simulators.services.lasair_lsst import to_object
from simulators.services.stream import MESSAGE_BYTES
from simulators.sky import Sky
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.whole_alerts import epoch_of

Service = Literal["lasair_ztf", "lasair_lsst", "antares", "fastdb"]
"""A light-curve API that there is a stand-in for."""

LASAIR_ZTF = "lasair-ztf"
"""The stream that is served if none is asked for."""

MIXED: tuple[LasairMode, ...] = get_args(LasairMode)
"""Lasair's messages take turns in how much of the alert they have: a third lacks it."""

CURVES: dict[Service, Callable[[Packet], dict[str, Any]]] = {
    "lasair_ztf": to_light_curve,
    "lasair_lsst": to_object,
    "antares": to_locus,
    "fastdb": to_hot_transient,
}
"""What each API knows of an object, made of its newest packet."""

SCHEMA_HEAD = '{"doc": "Written by the TiDES bridge\'s stand-ins.", '
"""How a schema file of ours begins: it may be overwritten."""


@dataclass(frozen=True)
class Stream:
    """
    A stream of a broker.

    Attributes
    ----------
    kind
        Of the broker, as in the setting ``broker.kind``.
    topic
        Its Kafka topic.
    survey
        Whose alerts are in it: ``ztf`` or ``lsst``.
    form
        One of `encoders.FORMATS`; empty: a filter of Lasair for ZTF, or FASTDB.
    service
        Where the light curves are that its messages lack.
    """

    kind: str
    topic: str
    survey: str
    form: str = ""
    service: Service | None = None

    @property
    def of_objects(self) -> bool:
        """Whether it has nothing on known asteroids."""
        return self.kind == "fastdb" or (bool(self.form) and FORMATS[self.form].of_objects)

    def message(self, packet: Packet, mode: LasairMode) -> Encoded:
        """Make the Kafka message of a packet; one of Lasair for LSST has so much of the alert."""
        if not self.form:
            made = to_hot_message(packet) if self.kind == "fastdb" else to_message(packet)
            return Encoded(None, json.dumps(made).encode())
        return encode(packet, self.form, replace(USUAL, lasair_mode=mode))

    def schema(self) -> dict[str, Any] | None:
        """Give the schema that its messages do not bring, if they need one."""
        make = FORMATS[self.form].schema if self.form else None
        return make(USUAL) if make else None


STREAMS = {
    LASAIR_ZTF: Stream("lasair_ztf", "lasair_19tidesSelect", "ztf", "", "lasair_ztf"),
    "lasair-lsst": Stream("lasair_lsst", "lasair_19tidesLsst", "lsst", "lasair-lsst", "lasair_lsst"),
    "fink-ztf": Stream("fink_ztf", "fink_sn_candidates_ztf", "ztf", "fink-ztf"),
    "fink-lsst": Stream("fink_lsst", "fink_extragalactic_new_candidate_lsst", "lsst", "fink-lsst"),
    "rubin": Stream("rubin", "alerts-simulated", "lsst", "rubin"),
    "elasticc": Stream("elasticc", "alerts-wfd", "lsst", "elasticc"),
    "babamul-ztf": Stream("babamul_ztf", "babamul.ztf.no-lsst-match.hosted", "ztf", "babamul-ztf"),
    "babamul-lsst": Stream("babamul_lsst", "babamul.lsst.no-ztf-match.hosted", "lsst", "babamul-lsst"),
    "alerce": Stream("alerce", "alerce_lsst", "lsst", "lsst-avro"),
    "alerce-ztf": Stream("alerce", "alerce_ztf", "ztf", "ztf-avro"),
    "antares": Stream("antares", "client.tides_lsst", "lsst", "antares", "antares"),
    "antares-ztf": Stream("antares", "client.tides_ztf", "ztf", "antares", "antares"),
    "fastdb": Stream("fastdb", "realtime", "lsst", "", "fastdb"),
}
"""By name. Under ``brokers`` in the settings an underscore stands for the hyphen, so that variables can name them."""


@dataclass
class Load:
    """
    What a stream is filled with.

    Attributes
    ----------
    messages
        In the order of time.
    curves
        What its API knows, of all objects.
    without_alert
        How many messages of Lasair for LSST lack their light curve.
    moving
        Alerts about the solar system, which the broker does not send.
    """

    messages: list[Encoded] = field(default_factory=list)
    curves: list[dict[str, Any]] = field(default_factory=list)
    without_alert: int = 0
    moving: int = 0


def load_of(stream: Stream, found: Iterable[Found], modes: Sequence[LasairMode], warn: Callable[[str], None]) -> Load:
    """
    Make what a stream is filled with.

    Parameters
    ----------
    stream
        It.
    found
        Packets in the order of time, at most one an object; those of other surveys do not count.
    modes
        How much of the alert the messages of Lasair for LSST have, in turn.
    warn
        Is told of each packet of which no message can be made, and why.
    """
    wanted, moving = of_survey(found, stream.survey, stream.of_objects)
    load = Load(moving=moving)
    for alert in wanted:
        mode = modes[len(load.messages) % len(modes)]
        try:
            message, curve = _made_of(stream, alert.packet, mode)
        except MalformedAlert as error:
            warn(f"{alert.origin}: left out of {stream.topic}: {error.problem}")
            continue
        load.messages.append(message)
        load.without_alert += stream.kind == "lasair_lsst" and mode == "PLAIN"
        if curve is not None:
            load.curves.append(curve)
    return load


def _made_of(stream: Stream, packet: Packet, mode: LasairMode) -> tuple[Encoded, dict[str, Any] | None]:
    """Make message and light curve of a packet, or raise MalformedAlert."""
    try:
        message = stream.message(packet, mode)
        curve = CURVES[stream.service](packet) if stream.service else None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise MalformedAlert("packet", f"lacks what {stream.kind} tells: {type(error).__name__} {error}") from error
    size = len(message.value) + len(message.key or b"")
    if size > MESSAGE_BYTES:
        raise MalformedAlert("packet", f"{size} bytes, and the Kafka stand-in takes at most {MESSAGE_BYTES}")
    return message, curve


def simulated(surveys: Iterable[str], objects: int, nights: int, seed: int) -> list[Found]:
    """
    Make the newest packet of each object of a simulated sky, in the order of time.

    Parameters
    ----------
    surveys
        Who observes; each has a sky of its own.
    objects, nights, seed
        Of each sky: see `Sky`.
    """
    made: list[Packet] = []
    for survey in sorted(set(surveys)):
        made += _newest_of(Sky(seed, survey, objects=objects, nights=nights))
    return [Found(packet, "simulated sky") for packet in sorted(made, key=epoch_of)]


def _newest_of(sky: Sky) -> Iterator[Packet]:
    rubin = LsstPackets(sky) if sky.survey.name == "lsst" else None
    for thing in sky.objects:
        seen = np.flatnonzero(sky.light_curve(thing.number).detected)
        if seen.size:
            number, visit = thing.number, int(seen[-1])
            yield rubin.packet(number, visit) if rubin else packets.packet_of(sky, number, visit)


def schema_files_of_streams(streams: Mapping[str, Stream], folder: Path) -> dict[Path, str]:
    """Give the schema files that the messages of some streams need, a folder for each, and what is in them."""
    files = {}
    for name, stream in streams.items():
        schema = stream.schema()
        if schema is not None:
            files[folder / name / f"{schema['name']}.avsc"] = SCHEMA_HEAD + json.dumps(schema)[1:] + "\n"
    return files


def described(streams: Mapping[str, Stream]) -> dict[str, Any]:
    """Say how the targets of some streams are chosen and described to 4MOST, with the keys of flowSetting.yaml."""
    surveys = {stream.survey for stream in streams.values()}
    magnitude: dict[str, Any] = {"magType": "LSST_r_AB" if "lsst" in surveys else "SDSS_r_AB"}
    if "ztf" in surveys:
        magnitude["colourTerms"] = [{"from": "ZTF_r", "source": "stand-ins: for demonstration"}]
    return {
        "selectFunction": "tidesSNLSSTClean" if "lsst" in surveys else "tidesSNZTFClean",
        "fourmost": magnitude,
    }
