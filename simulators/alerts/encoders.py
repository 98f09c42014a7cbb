"""
The framings in which surveys and brokers send alerts: one function each, and a file that keeps messages as they were.

::

    packet ── broker_forms.to_… ──▶ what a broker makes of it ── avro_…, json_text, packed_bson ──▶ key and value

Packets are those of `simulators.alerts.packets` and `simulators.alerts.lsst_packets`, or recorded ones. `encode` knows
which function makes what of a packet: `FORMATS` lists all of it.

A **recording** is a file of Kafka messages in their order, whatever their framing: an Avro container (snappy) of
records ``{key: bytes or null, value: bytes, timestamp_ms: long}``. Its metadata have the format, ``tides.format``, and
for messages whose schema is known from elsewhere that schema, ``tides.schema``. The time is that of the observation.
`tides_bridge.formats.messages_of_files` reads them.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import fastavro

from simulators.alerts import broker_forms
from simulators.alerts.avro_messages import SchemaWriter, marker
from simulators.alerts.avro_schemas import (
    RECORDING,
    babamul_lsst_schema,
    elasticc_schema,
    fink_lsst_schema,
    lsst_schema,
    lsst_schema_number,
    to_text,
)
from simulators.alerts.ztf_schemas import babamul_ztf_schema, fink_ztf_schema, ztf_schema
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.recording import RecordedMessage
from tides_bridge.lightcurves.photometry import MJD_OF_UNIX, MJD_ZERO, TAI_AHEAD

Packet = dict[str, Any]
Schema = dict[str, Any]

RECORDING_BLOCK = 1 << 22
"""[bytes] Of a recording packed together: enough for the schemas in the keys to be packed away."""


class Encoded(NamedTuple):
    """A Kafka message."""

    key: bytes | None
    value: bytes


@dataclass(frozen=True)
class EncodingOptions:
    """
    What can be chosen of some formats.

    Attributes
    ----------
    lsst_version
        Schema of Rubin's packets; they must have been made for it.
    elasticc_version
        Schema of ELAsTiCC.
    zero_point
        Of ELAsTiCC's fluxes [mag]: 31.4 as streamed, 27.5 in its first samples.
    lasair_mode
        PLAIN, LITE or FULL: how much of the alert a message of Lasair has.
    without_alert
        Share of Lasair's messages that lack it nevertheless, as half of the real ones do.
    """

    lsst_version: str = "10_0"
    elasticc_version: str = "0_9_1"
    zero_point: float = 31.4
    lasair_mode: broker_forms.LasairMode = "FULL"
    without_alert: float = 0.0


USUAL = EncodingOptions()


@dataclass(frozen=True)
class Format:
    """
    A framing, and what is in it.

    Attributes
    ----------
    survey
        ``ztf``, ``lsst``, or empty: either.
    encode
        Makes the message of a packet.
    suffix
        Of a file with one message; empty: only a recording can hold it, or lines.
    schema
        Makes the schema that a reader needs from elsewhere.
    is_json
        It is text, and many can be in one file, one a line.
    has_images
        It carries images if the packet has some.
    of_objects
        It has nothing on known asteroids.
    """

    survey: str
    encode: Callable[[Packet, EncodingOptions], Encoded]
    suffix: str = ""
    schema: Callable[[EncodingOptions], Schema] | None = None
    is_json: bool = False
    has_images: bool = True
    of_objects: bool = False


# Framings


def json_text(content: Any) -> bytes:
    """Write JSON as Python does: NaN literally, and integers of any size."""
    return json.dumps(content, separators=(",", ":")).encode()


def avro_bare(content: Packet, schema: SchemaWriter) -> bytes:
    """Write an Avro message without its schema, as ELAsTiCC does."""
    return schema.bare(content)


def avro_with_key(content: Packet, schema: SchemaWriter) -> Encoded:
    """Write an Avro message without its schema, which is the key of the Kafka message, as Fink does."""
    return Encoded(schema.text.encode(), schema.bare(content))


def avro_framed(content: Packet, schema: SchemaWriter, number: int) -> bytes:
    """Write an Avro message in Confluent's wire format, as Rubin does."""
    return schema.framed(content, number)


def avro_container(content: Packet, schema: SchemaWriter) -> bytes:
    """Write an Avro container of one record, as ZTF and Babamul do; the same whenever it is written."""
    return schema.container(content)


def packed_bson(content: Packet) -> bytes:
    """Write BSON packed with zlib, as ANTARES does."""
    import bson

    return zlib.compress(bson.encode(content))


@cache
def schema_writer(make: Callable[..., Schema], *arguments: str) -> SchemaWriter:
    """Prepare one of our schemas for writing, once."""
    return SchemaWriter(make(*arguments))


# Formats


def _ztf_json(packet: Packet, _: EncodingOptions) -> Encoded:
    return Encoded(None, json_text(packet))


def _ztf_avro(packet: Packet, _: EncodingOptions) -> Encoded:
    return Encoded(None, avro_container(broker_forms.to_full_ztf(packet), schema_writer(ztf_schema)))


def _fink_ztf(packet: Packet, _: EncodingOptions) -> Encoded:
    return avro_with_key(broker_forms.to_fink_ztf(packet), schema_writer(fink_ztf_schema))


def _babamul_ztf(packet: Packet, _: EncodingOptions) -> Encoded:
    return Encoded(None, avro_container(broker_forms.to_babamul_ztf(packet), schema_writer(babamul_ztf_schema)))


def _lsst_avro(packet: Packet, options: EncodingOptions) -> Encoded:
    return Encoded(None, avro_container(packet, schema_writer(lsst_schema, options.lsst_version)))


def _rubin(packet: Packet, options: EncodingOptions) -> Encoded:
    version = options.lsst_version
    return Encoded(None, avro_framed(packet, schema_writer(lsst_schema, version), lsst_schema_number(version)))


def _elasticc(packet: Packet, options: EncodingOptions) -> Encoded:
    message = broker_forms.to_elasticc(packet, options.zero_point)
    return Encoded(None, avro_bare(message, schema_writer(elasticc_schema, options.elasticc_version)))


def _fink_lsst(packet: Packet, options: EncodingOptions) -> Encoded:
    version = options.lsst_version
    return avro_with_key(broker_forms.to_fink_lsst(packet, version), schema_writer(fink_lsst_schema, version))


def _lasair_lsst(packet: Packet, options: EncodingOptions) -> Encoded:
    chance = (packet["diaSourceId"] * 2654435761) % 2**32 / 2**32  # the same message, whatever else is sent
    has_alert = chance >= options.without_alert
    return Encoded(None, json_text(broker_forms.to_lasair_lsst(packet, options.lasair_mode, has_alert)))


def _babamul_lsst(packet: Packet, _: EncodingOptions) -> Encoded:
    return Encoded(None, avro_container(broker_forms.to_babamul_lsst(packet), schema_writer(babamul_lsst_schema)))


def _antares(packet: Packet, _: EncodingOptions) -> Encoded:
    return Encoded(None, packed_bson(broker_forms.to_antares(packet)))


FORMATS: dict[str, Format] = {
    "ztf-json": Format("ztf", _ztf_json, ".json", is_json=True, has_images=False),
    "ztf-avro": Format("ztf", _ztf_avro, ".avro"),
    "fink-ztf": Format("ztf", _fink_ztf),
    "babamul-ztf": Format("ztf", _babamul_ztf, ".avro"),
    "lsst-avro": Format("lsst", _lsst_avro, ".avro"),
    "rubin": Format("lsst", _rubin, ".avro", lambda options: lsst_schema(options.lsst_version)),
    "elasticc": Format(
        "lsst",
        _elasticc,
        ".avro.gz",
        lambda options: elasticc_schema(options.elasticc_version),
        has_images=False,
        of_objects=True,
    ),
    "fink-lsst": Format("lsst", _fink_lsst),
    "lasair-lsst": Format("lsst", _lasair_lsst, ".json", is_json=True, has_images=False, of_objects=True),
    "babamul-lsst": Format("lsst", _babamul_lsst, ".avro", of_objects=True),
    "antares": Format("", _antares, has_images=False, of_objects=True),
}


def encode(packet: Packet, name: str, options: EncodingOptions = USUAL) -> Encoded:
    """
    Make the Kafka message that a survey or broker would send for an alert.

    Parameters
    ----------
    packet
        Of the survey that the format is of.
    name
        One of `FORMATS`.
    options
        What can be chosen.

    Raises
    ------
    MalformedAlert
        If the packet is of another survey, about what the format has nothing on, or does not fit its schema.
    """
    chosen = FORMATS[name]
    survey = survey_of(packet)
    if chosen.survey not in {survey, ""}:
        raise MalformedAlert("packet", f"is of {survey}, and {name} is a format of {chosen.survey}")
    if chosen.of_objects and not is_of_object(packet):
        raise MalformedAlert("packet", f"is about an object of the solar system, and {name} sends none of these")
    try:
        return chosen.encode(packet, options)
    except KeyError as problem:
        raise MalformedAlert("packet", f"does not fit {name}: it has no {problem.args[0]}") from problem
    except (TypeError, ValueError, AttributeError, OverflowError, struct.error) as problem:
        raise MalformedAlert("packet", f"does not fit {name}: {type(problem).__name__}: {problem}") from problem


def survey_of(packet: Mapping[str, Any]) -> str:
    """Tell by its keys of which survey a packet is."""
    return "lsst" if "diaSource" in packet else "ztf"


def is_of_object(packet: Mapping[str, Any]) -> bool:
    """Tell whether a packet is about an object on the sky, not one of the solar system."""
    return "diaSource" not in packet or packet.get("diaObject") is not None


def observed_ms(packet: Mapping[str, Any]) -> int:
    """
    Give the time of the observation that an alert is about: Unix time [ms], UTC.

    >>> observed_ms({"candidate": {"jd": 2440588.5}})
    86400000
    """
    if "diaSource" in packet:
        mjd = float(packet["diaSource"]["midpointMjdTai"]) - TAI_AHEAD
    else:
        mjd = float(packet["candidate"]["jd"]) - MJD_ZERO
    return round((mjd - MJD_OF_UNIX) * 86_400_000)


# Recordings


def write_recording(
    path: Path, messages: Iterable[RecordedMessage], name: str = "", schema: Schema | None = None
) -> int:
    """
    Write messages into one file, in their order; gives their number.

    Parameters
    ----------
    path
        The file; an older one is replaced.
    messages
        They are not held in memory.
    name
        Their format, one of `FORMATS`; empty: unknown.
    schema
        That a reader of the messages needs, and does not get from them.
    """
    metadata = {"tides.format": name} | ({"tides.schema": to_text(schema)} if schema else {})
    count = 0

    def counted() -> Iterator[Packet]:
        nonlocal count
        for message in messages:
            count += 1
            yield {"key": message.key, "value": message.value, "timestamp_ms": message.timestamp_ms}

    with path.open("wb") as stream:
        fastavro.writer(
            stream,
            fastavro.parse_schema(RECORDING),
            counted(),
            codec="snappy",
            sync_interval=RECORDING_BLOCK,
            metadata=metadata,
            sync_marker=marker(to_text(RECORDING)),
        )
    return count
