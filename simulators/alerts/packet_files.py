"""
Alert packets of ZTF and Rubin from files of any format, to make the messages of a broker from.

Lines of JSON, Avro containers and messages, recordings, Parquet and tar archives: whatever
`tides_bridge.formats.messages_of_files` reads. What a broker made of a packet is a packet as long as the survey's own
fields are in it, as in Fink's alerts.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from simulators.alerts.avro_schemas import lsst_schema
from simulators.alerts.encoders import Packet, is_of_object, survey_of
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats import Options
from tides_bridge.formats.contents import files_in
from tides_bridge.formats.messages_of_files import UNREADABLE, messages_in, unreadable_reason
from tides_bridge.formats.whole_alerts import Opener, epoch_of, object_of

NO_PACKET = (
    "is no alert packet of ZTF or Rubin, of which messages of brokers can be made; tides replay sends any file as it is"
)

MOVED = ("diaObject", "ssSource", "mpc_orbits")
"""Records of a packet of Rubin that may be missing: tables with a row a packet keep their integers as floats then."""

Warn = Callable[[str], None]
"""Is told what is left out, and why."""


class Found(NamedTuple):
    """
    An alert packet.

    Attributes
    ----------
    packet
        As the survey issued it.
    origin
        Where it was found, for a warning.
    """

    packet: Packet
    origin: str

    @property
    def survey(self) -> str:
        """``ztf`` or ``lsst``."""
        return survey_of(self.packet)


def read_newest_packets(paths: Iterable[Path], schemas: Path | None, warn: Warn) -> list[Found]:
    """
    Read the newest packet of each object, in the order of time.

    Parameters
    ----------
    paths
        Files, and folders with files in any depth.
    schemas
        Avro schema, or a folder of them, for messages that bring none.
    warn
        Is told of each file or record that is no packet; the others count.

    Raises
    ------
    SettingsError
        When one of the paths or the schema is not there, or there is no packet in them.
    """
    listed, newest = list(paths), dict[tuple[str, str], tuple[float, Found]]()
    for path in listed:
        if not path.exists():
            raise SettingsError("--alerts", str(path), "there is no such file or folder")
    for found in _all_in(listed, schemas, warn):
        name, epoch = (found.survey, object_of(found.packet)), epoch_of(found.packet)
        if name not in newest or newest[name][0] <= epoch:
            newest[name] = epoch, found
    if not newest:
        given = ", ".join(map(str, listed))
        raise SettingsError(
            given, "", "no alert packet of ZTF or Rubin in there that can be read: see what was left out"
        )
    return [found for _, found in sorted(newest.values(), key=lambda dated: dated[0])]


def of_survey(found: Iterable[Found], survey: str, of_objects: bool) -> tuple[list[Found], int]:
    """Choose the packets of a survey; if those of the solar system are not wanted, count how many they are."""
    chosen = [alert for alert in found if alert.survey == survey]
    wanted = [alert for alert in chosen if not of_objects or is_of_object(alert.packet)]
    return wanted, len(chosen) - len(wanted)


def _all_in(paths: list[Path], schemas: Path | None, warn: Warn) -> Iterator[Found]:
    """Give every packet, with its place."""

    def left_out(path: Path, problem: str) -> None:
        warn(f"{path}: left out: {problem}")

    opener, options = Opener(schemas), Options(schema=schemas)
    for path in files_in(paths, left_out):
        for number, (value, key) in enumerate(messages_in(path, options), start=1):
            origin = f"{path}: record {number}"
            try:
                yield Found(_packet_in(opener, value, key), origin)
            except MalformedAlert as error:
                warn(f"{origin}: left out: {error.problem}")


def _packet_in(opener: Opener, value: bytes, key: bytes | None) -> Packet:
    """Open a message; raises MalformedAlert if it is no packet."""
    if value.startswith(UNREADABLE):
        raise MalformedAlert("file", unreadable_reason(value)[1])
    record: dict[str, Any] = opener.open(value, key).record
    is_rubin = isinstance(record.get("diaSource"), dict) and "midpointMjdTai" in record["diaSource"]
    is_ztf = isinstance(record.get("candidate"), dict) and "magpsf" in record["candidate"] and "objectId" in record
    if not is_rubin and not is_ztf:
        raise MalformedAlert("record", NO_PACKET)
    if math.isnan(epoch_of(record)) or not object_of(record):
        raise MalformedAlert("record", "is a packet without epoch, or without a name of its object")
    return _mended(record) if is_rubin else record


def _mended(packet: Packet) -> Packet:
    """Complete a packet of a table in which integers became floats, or what may be empty is left out."""
    lists = {"prvDiaSources": None, "prvDiaForcedSources": None}
    return lists | packet | {name: _with_integers(packet, name) for name in _integers() if name in packet}


def _with_integers(packet: Packet, name: str) -> Any:
    """Give a record of a packet in which integers are such; its ids, which lost digits, are those of the source."""
    known, source = packet[name], packet["diaSource"]
    if not isinstance(known, dict):
        return known
    floats = {key for key in _integers()[name] if isinstance(known.get(key), float)}
    ids = floats & {"diaObjectId", "diaSourceId", "ssObjectId"}
    whole = {key: int(known[key]) if math.isfinite(known[key]) else None for key in floats - ids}
    return known | whole | {key: source.get(key) for key in ids}


@cache
def _integers() -> dict[str, set[str]]:
    """List the integers of the records of a packet that tables may keep as floats."""
    kinds = {field["name"]: field["type"] for field in lsst_schema()["fields"]}
    records = {name: next(kind for kind in kinds[name] if isinstance(kind, dict)) for name in MOVED}
    return {
        name: {field["name"] for field in record["fields"] if {"int", "long"} & set(_alternatives(field["type"]))}
        for name, record in records.items()
    }


def _alternatives(kind: Any) -> list[str]:
    return [one for one in kind if isinstance(one, str)] if isinstance(kind, list) else [str(kind)]
