"""Kafka, light-curve APIs and 4MOST at once, loaded with alerts, and the settings that lead a run to them."""

import gzip
import hashlib
import json
import os
import secrets
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import requests
import yaml

from simulators.alerts.broker_forms import LasairMode
from simulators.alerts.encoders import USUAL
from simulators.alerts.packet_files import Found
from simulators.fourmost.process import FourmostStandin
from simulators.services.antares import AntaresStandin
from simulators.services.fastdb import FastDbStandin
from simulators.services.faults import FaultPlan
from simulators.services.lasair import LasairStandin, to_light_curve, to_message
from simulators.services.lasair_lsst import LasairLsstStandin
from simulators.services.lasair_service import LightCurve
from simulators.services.stream import KafkaStandin
from simulators.services.web import still_free
from simulators.standins.broker_streams import (
    LASAIR_ZTF,
    MIXED,
    SCHEMA_HEAD,
    STREAMS,
    Load,
    Service,
    Stream,
    described,
    load_of,
    schema_files_of_streams,
)
from simulators.standins.folders import DATABASE, claimed, standard_folder
from tides_bridge.errors import BrokerUnavailable, FourmostUnavailable, MalformedAlert, SettingsError
from tides_bridge.resources import shipped

CONFIGURATION = "standins"
"""Name of the one configuration in the settings file, unless they are live."""
TOPIC = STREAMS[LASAIR_ZTF].topic
LIVE_STATE = "fourmost-live.sqlite3"
"""State of a 4MOST that goes on; never that of an earlier demo in the same folder."""
SURVEY_ID = 5
"""S_test: targets of a test belong there."""
HEADER = "# Written by the TiDES bridge's stand-ins, and good while they run. The secrets in it are theirs alone.\n"
"""First line of a settings file of ours: only a file with it is overwritten."""
HTTP_SECONDS = 10.0

Api = LasairStandin | LasairLsstStandin | AntaresStandin | FastDbStandin
"""A stand-in for a light-curve API."""


class Kept(NamedTuple):
    """
    What stand-ins have of their last start: the token of Lasair, and ports by name.

    Where they are free, they are used again.
    """

    token: str
    ports: Mapping[str, int]


class Filled(NamedTuple):
    """A stream that was filled: with what, and how many messages found room."""

    load: Load
    published: int


class StandinAlert(NamedTuple):
    """What one alert packet becomes: a Kafka message, and a light curve of the API."""

    message: dict[str, Any]
    light_curve: LightCurve

    @classmethod
    def from_packet(cls, packet: Any) -> Self:
        """Translate a ZTF alert packet, or raise MalformedAlert."""
        try:
            return cls(to_message(packet), to_light_curve(packet))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise MalformedAlert("alert packet", f"not of the ZTF form: {type(error).__name__} {error}") from error


def read_alerts(file: Path, warn: Callable[[str], None]) -> list[StandinAlert]:
    """
    Read recorded alert packets: the newest one of each object.

    Parameters
    ----------
    file
        One packet as JSON a line; compressed with gzip if its name ends in .gz.
    warn
        Is told of each line that is no packet, by file and number; the other lines count.

    Raises
    ------
    SettingsError
        When the file cannot be read to its end, or holds no packet.
    """
    return [StandinAlert.from_packet(found.packet) for found in read_packet_lines(file, warn)]


def read_packet_lines(file: Path, warn: Callable[[str], None]) -> list[Found]:
    """Read recorded alert packets as `read_alerts` does, and give them as they are, in the order of the file."""
    newest: dict[str, tuple[float, Found]] = {}
    for number, line in _lines(file):
        origin = f"{file}: line {number}"
        try:
            packet = json.loads(line)
            message = StandinAlert.from_packet(packet).message
        except (MalformedAlert, ValueError) as error:
            warn(f"{origin}: left out: {error}")
            continue
        known = newest.get(message["objectId"])
        if known is None or known[0] <= message["jdmax"]:
            newest[message["objectId"]] = message["jdmax"], Found(packet, origin)
    if not newest:
        raise SettingsError(str(file), "", "holds no ZTF alert packet: one as JSON a line is expected")
    return [found for _, found in newest.values()]


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Read the lines that are not blank, with their numbers."""
    number = 0
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        place = f"after line {number}" if number else ""
        raise SettingsError(str(file), place, f"cannot be read: {error}") from error


class Standins:
    """
    Kafka, the light-curve APIs of brokers and 4MOST, from ``with`` to its end.

    Parameters
    ----------
    folder
        Theirs, and emptied first unless `kept` is set: state of 4MOST, and the database of runs. It stays at the end.
    streams
        Which streams there are: names in `broker_streams.STREAMS`.
    modes
        How much of the alert the messages of Lasair for LSST have, in turn.
    calls_per_hour
        As of `LasairStandin`, and of each other API.
    old_shape
        As of `LasairStandin`.
    faults
        File with a fault plan for the Lasair APIs and 4MOST.

    Attributes
    ----------
    kafka, lasair, fourmost
        The three that are always there; that of Lasair is the one for ZTF, and answers if its stream is served.
    streams, services
        The streams, and the APIs that answer, by name.
    kept
        If given before ``with``: they go on from there, the folder is not emptied, and its lock is the caller's.

    Raises
    ------
    SettingsError
        When the fault plan cannot be read.
    """

    def __init__(  # noqa: PLR0913
        self,
        folder: Path,
        *,
        streams: Sequence[str] = (LASAIR_ZTF,),
        modes: Sequence[LasairMode] = MIXED,
        calls_per_hour: int = 10_000,
        old_shape: bool = False,
        faults: Path | None = None,
    ) -> None:
        self.folder, self.calls_per_hour = folder.expanduser().resolve(), calls_per_hour
        self.faults, self.modes = faults, modes
        self.streams = {name: STREAMS[name] for name in streams}
        self.kafka = KafkaStandin()
        plan = FaultPlan.read(faults) if faults else FaultPlan()
        self.lasair = LasairStandin(secrets.token_hex(20), calls_per_hour, old_shape, faults=plan)
        apis: dict[Service, Api] = {
            "lasair_ztf": self.lasair,
            "lasair_lsst": LasairLsstStandin(secrets.token_hex(20), calls_per_hour, faults=plan),
            "antares": AntaresStandin(),
            "fastdb": FastDbStandin(faults=plan),
        }
        needed = {stream.service for stream in self.streams.values()}
        self.services = {name: api for name, api in apis.items() if name in needed}
        self.kept: Kept | None = None
        self._options = ("--faults", str(faults.resolve())) if faults else ()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self.kept is None:
                stack.enter_context(claimed(self.folder))
                fourmost = FourmostStandin(*self._options, state=self.folder / "fourmost.sqlite3")
            else:
                # What runs with the tokens and ports of the last start, and 4MOST with its state.
                self.lasair.token = self.kept.token
                for name, api in self.services.items():
                    api.port = self.kept.ports.get(name, 0)
                port = str(still_free(self.kept.ports.get("fourmost", 0)))
                fourmost = FourmostStandin(*self._options, "--port", port, state=self.folder / LIVE_STATE)
            self.fourmost = stack.enter_context(fourmost)
            stack.enter_context(self.kafka)
            for api in self.services.values():
                stack.enter_context(api)
            self._check()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def ports(self) -> dict[str, int]:
        """Give the ports of 4MOST and of the APIs, by name."""
        addresses = {name: api.address for name, api in self.services.items()} | {"fourmost": self.fourmost.address}
        return {name: urlsplit(address).port or 0 for name, address in addresses.items()}

    def load(self, alerts: Iterable[StandinAlert]) -> int:
        """Give the light curves to Lasair for ZTF, and the messages to its topic; answer how many."""
        loaded = list(alerts)
        self.lasair.load(alert.light_curve for alert in loaded)
        return self.kafka.publish(TOPIC, [json.dumps(alert.message).encode() for alert in loaded])

    def fill(self, found: Sequence[Found], warn: Callable[[str], None]) -> dict[str, Filled]:
        """
        Fill all streams and APIs.

        Parameters
        ----------
        found
            Packets in the order of time, at most one an object: each stream takes those of its survey.
        warn
            Is told of each packet of which a message cannot be made.

        Raises
        ------
        SettingsError
            When there is none for one of the streams.
        """
        filled = {}
        for name, stream in self.streams.items():
            load = load_of(stream, found, self.modes, warn)
            if not load.messages:
                problem = f"there is no alert of {stream.survey} for it: name other files with --alerts, or none"
                raise SettingsError("--stream", name, problem)
            if stream.service:
                self.services[stream.service].load(load.curves)
            filled[name] = Filled(load, self.kafka.publish_newest(stream.topic, load.messages))
        return filled

    def settings(self, targets: Mapping[str, Any], schemas: Path | None = None) -> dict[str, Any]:
        """
        Give the configuration that leads a run here, with the keys of flowSetting.yaml.

        Parameters
        ----------
        targets
            Its section of that name.
        schemas
            The folder with the files of `schema_files_of_streams`.
        """
        sections = described(self.streams)
        common = {
            "groupID": "standins",
            "selectFunctionPath": str(shipped("selectionFunctions.yaml").resolve()),
            "selectFunction": sections["selectFunction"],
            "tidesDBdatabase": "tides",
            "database": {"host": "embedded", "folder": str(self.folder / DATABASE)},
            "targets": dict(targets),
            "fourmost": {
                "address": self.fourmost.address,
                "token": self.fourmost.token,
                "surveyID": SURVEY_ID,
                **sections["fourmost"],
            },
        }
        sections = {name.replace("-", "_"): self._section(name, schemas) for name in self.streams}
        if len(sections) > 1:
            return {"brokers": sections, **common}
        ((_, section),) = sections.items()
        apart = {"topic": section.pop("topic")} | ({"lasairToken": section.pop("token")} if "token" in section else {})
        curves = {"lightCurves": section.pop("lightCurves")} if "lightCurves" in section else {}
        return {**apart, **common, "broker": section, **curves}

    def _section(self, name: str, schemas: Path | None) -> dict[str, Any]:
        """Describe one stream as an entry of ``brokers``."""
        stream = self.streams[name]
        section: dict[str, Any] = {"kind": stream.kind, "topic": stream.topic, "bootstrapServers": self.kafka.address}
        section["silence"] = "1 second"
        if stream.schema() and schemas:
            section["schemas"] = str((schemas / name).resolve())
        if stream.kind == "elasticc":
            section["zeroPoint"] = USUAL.zero_point
        if stream.service:
            api = self.services[stream.service]
            section |= {"token": api.token} if api.token else {}
            section["lightCurves"] = {"address": api.address, "callsPerHour": self.calls_per_hour}
        return section

    def check_alive(self) -> None:
        """Raise FourmostUnavailable when the one that is a process of its own has ended."""
        if os.waitid(os.P_PID, self.fourmost.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            raise FourmostUnavailable(self.fourmost.address, "the stand-in ended by itself")

    def _check(self) -> None:
        """See that all answer; Kafka did when it gave its address."""
        self.fourmost.rows(id=0)
        for api in self.services.values():
            try:
                requests.get(api.address.rpartition("/")[0] + "/", timeout=HTTP_SECONDS).raise_for_status()
            except requests.RequestException as error:
                raise BrokerUnavailable(api.address, f"the stand-in does not answer: {error}") from error


def write_settings(file: Path, settings: Mapping[str, Any], name: str = CONFIGURATION) -> None:
    """
    Write a settings file with one configuration that only its owner may read, in one step.

    Raises
    ------
    SettingsError
        When there is a file that is not ours, or the folder cannot be written.
    """
    write_ours(file, HEADER, HEADER + yaml.safe_dump({name: dict(settings)}, sort_keys=False))


def write_schemas(streams: Mapping[str, Stream], folder: Path) -> None:
    """
    Write the schemas that the messages of some streams need.

    Raises
    ------
    SettingsError
        When there is a file that is not ours, or the folder cannot be written.
    """
    for file, text in schema_files_of_streams(streams, folder).items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(str(file.parent), "", f"cannot be made: {error}") from error
        write_ours(file, SCHEMA_HEAD, text)


def write_ours(file: Path, head: str, text: str) -> None:
    """
    Write a file in one step; one that is there must begin with this head: it is ours.

    Raises
    ------
    SettingsError
        When it is not, or the folder cannot be written.
    """
    try:
        if file.exists() and not file.read_bytes().startswith(head.encode()):
            raise SettingsError(str(file), "", "exists, and no stand-in wrote it: choose another name")
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}.", delete=False) as new:
            new.write(text)  # only its owner may read it
        Path(new.name).replace(file)
    except OSError as error:
        raise SettingsError(str(file), "", f"cannot be written: {error}") from error


def folder_for(settings_out: Path) -> Path:
    """Give the folder of stand-ins that write a settings file: the same for the same file, and for no other."""
    path = settings_out.expanduser().resolve()
    return standard_folder("standins", f"{path.stem}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}")
