"""Simulated alerts in files and streams, and what a stream holds."""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

from simulators.alerts import packets
from simulators.alerts.avro_schemas import lsst_schema
from simulators.alerts.encoders import encode, write_recording
from simulators.alerts.lsst_packets import LsstPackets
from simulators.services.stream import KafkaStandin
from simulators.sky import Sky
from tides_bridge.brokers.models import Message
from tides_bridge.brokers.viewer import Watch, WatchedStream
from tides_bridge.formats.recording import RecordedMessage

Packet = dict[str, Any]


@cache
def ztf_packets() -> list[Packet]:
    """Alerts of two nights, in no order of time."""
    sky = Sky(seed=2, objects=40)
    nights = [night for night in range(61260, 61290) if sky.is_clear(night)]
    return packets.alerts(sky, nights[4]) + packets.alerts(sky, nights[0])


@cache
def lsst_packets() -> list[Packet]:
    """The newest alert of each object on the sky, with small images."""
    sky = Sky(1, "lsst", objects=60, nights=40)
    made = LsstPackets(sky, cutout_bytes=300)
    found = [packet for packet in map(made.newest, range(len(sky.objects))) if packet]
    return [packet for packet in found if packet["diaObject"] is not None]


def epoch_of_ztf(packet: Packet) -> float:
    """[d, MJD, UTC]."""
    return float(packet["candidate"]["jd"] - 2400000.5)


def write_lines(file: Path, alerts: Sequence[Packet]) -> Path:
    """Write alerts as JSON, one a line, packed if the name says so."""
    text = "".join(json.dumps(alert) + "\n" for alert in alerts).encode()
    file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)
    return file


def write_containers(folder: Path, alerts: Sequence[Packet], form: str) -> Path:
    """Write alerts as containers, a file each."""
    folder.mkdir(parents=True)
    for number, packet in enumerate(alerts):
        (folder / f"{number:03d}.avro").write_bytes(encode(packet, form).value)
    return folder


def read_all(kafka: KafkaStandin, topic: str) -> list[Message]:
    """Give all messages of a topic."""
    with Watch(WatchedStream(kafka.address, topic)) as stream:
        return list(stream.messages(0))


def as_parquet(folder: Path, packets: Sequence[Packet]) -> Path:
    folder.mkdir()
    rows = [{key: packet[key] for key in ("diaSource", "prvDiaSources", "diaObject")} for packet in packets]
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    return folder


def as_archive(folder: Path, packets: Sequence[Packet]) -> Path:
    folder.mkdir()
    with tarfile.open(folder / "night.tar.gz", "w:gz") as archive:
        for number, packet in enumerate(packets):
            content = encode(packet, "lsst-avro").value
            member = tarfile.TarInfo(f"ALERTS/{number}.avro")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return folder


def as_recording(folder: Path, packets: Sequence[Packet], form: str, schema: dict[str, Any] | None = None) -> Path:
    folder.mkdir()
    made = [encode(packet, form) for packet in packets]
    messages = [RecordedMessage(message.value, message.key, 0) for message in made]
    write_recording(folder / "a.recording", messages, form, schema)
    return folder


def as_one_container(folder: Path, packets: Sequence[Packet]) -> Path:
    folder.mkdir()
    with (folder / "all.avro").open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(lsst_schema()), packets)
    return folder
