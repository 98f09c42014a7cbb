"""Alert packets of a simulated sky, as messages of brokers, and folders of their schemas."""

import copy
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from simulators.alerts import packets as ztf_packets
from simulators.alerts.avro_messages import SchemaWriter as AvroMessage
from simulators.alerts.avro_schemas import lsst_schema
from simulators.alerts.encoders import EncodingOptions, encode
from simulators.alerts.lsst_packets import LsstPackets
from simulators.sky import Sky
from tides_bridge.brokers import broker_of
from tides_bridge.brokers.base import Broker, Decoded
from tides_bridge.brokers.models import Message
from tides_bridge.lightcurves import LightCurves
from tides_bridge.settings import Settings

Packet = dict[str, Any]

OBJECTS = 30


def broker(kind: str, **options: Any) -> Broker:
    needed = {"topic": "alerts", "groupID": "test", "selectFunction": "any"}
    return broker_of(Settings(**needed, broker={"kind": kind, **options}))


@cache
def lsst(version: str = "10_0") -> tuple[Packet, ...]:
    """Give the newest packet of each object of a sky, those of the solar system among them."""
    made = LsstPackets(Sky(seed=11, survey="lsst", objects=OBJECTS), version=version)
    return tuple(packet for packet in map(made.newest, range(OBJECTS)) if packet)


def of_objects(version: str = "10_0") -> list[Packet]:
    return [packet for packet in lsst(version) if packet["diaObject"]]


@cache
def ztf() -> tuple[Packet, ...]:
    sky = Sky(seed=11, survey="ztf", objects=OBJECTS)
    seen = [(number, np.flatnonzero(sky.light_curve(number).detected)) for number in range(OBJECTS)]
    return tuple(ztf_packets.packet_of(sky, number, int(visits[-1])) for number, visits in seen if len(visits))


def sent(values: Sequence[bytes], key: bytes | None = None) -> list[Message]:
    return [Message("alerts", 0, number, value, key) for number, value in enumerate(values)]


def messages_of(these: Sequence[Packet], name: str, **options: Any) -> list[Message]:
    encoded = [encode(packet, name, EncodingOptions(**options)) for packet in these]
    return [Message("alerts", 0, number, packet.value, packet.key) for number, packet in enumerate(encoded)]


def framed(schema: Any, number: int, *contents: Packet) -> list[Message]:
    return sent([AvroMessage(schema).framed(content, number) for content in contents])


def named(packet: Packet) -> str:
    return str(packet["diaObject"]["diaObjectId"])


def by_object(curves: LightCurves) -> dict[str, LightCurves]:
    return {name: curves.part(number, number + 1) for number, name in enumerate(curves.object_ids)}


def reasons(found: Decoded) -> list[str]:
    return [refusal.reason for refusal in found.refused]


def without(schema: Any, record: str, *names: str) -> Any:
    """Give a schema in which a record lacks some fields; the record is the one that a top field holds, or the alert."""
    schema = copy.deepcopy(schema)
    part = schema if not record else next(field["type"] for field in schema["fields"] if field["name"] == record)
    part = next(branch for branch in part if branch != "null") if isinstance(part, list) else part
    part = part["items"] if part.get("type") == "array" else part
    part["fields"] = [field for field in part["fields"] if field["name"] not in names]
    return schema


def written(folder: Path, name: str, schema: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return path


def schema_folder(folder: Path) -> Path:
    """Write the schemas of Rubin, by version."""
    for version in ("9_0", "10_0", "11_0", "12_0"):
        written(folder, f"v{version}/lsst.v{version}.alert.avsc", lsst_schema(version))
    return folder
