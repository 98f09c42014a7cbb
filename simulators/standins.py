"""Kafka, the Lasair API and 4MOST at once, loaded with alerts, and the settings that lead a run to them."""

import gzip
import hashlib
import json
import os
import secrets
import signal
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Self

import requests
import yaml

from simulators.faults import FaultPlan
from simulators.folders import DATABASE, claimed, program, standard_folder
from simulators.fourmost.process import FourmostStandin
from simulators.lasair import LasairStandin, LightCurve, to_light_curve, to_message
from simulators.stream import KafkaStandin
from tides_bridge.errors import BrokerUnavailable, FourmostUnavailable, MalformedAlert, SettingsError
from tides_bridge.resources import shipped

CONFIGURATION = "standins"
"""Name of the one configuration in the settings file."""
TOPIC = "lasair_19tidesSelect"
SURVEY_ID = 5
"""S_test: targets of a test belong there."""
RECORDED_AGE = "7305 days"
"""Twenty years without a detection: recorded objects count as live."""
HEADER = "# Written by the TiDES bridge's stand-ins, and good while they run. The secrets in it are theirs alone.\n"
"""First line of a settings file of ours: only a file with it is overwritten."""
WATCH_SECONDS = 0.5
HTTP_SECONDS = 10.0


class Alert(NamedTuple):
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


def read_alerts(file: Path, warn: Callable[[str], None]) -> list[Alert]:
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
    newest: dict[str, Alert] = {}
    for number, line in _lines(file):
        try:
            alert = Alert.from_packet(json.loads(line))
        except (MalformedAlert, ValueError) as error:
            warn(f"{file}: line {number}: left out: {error}")
            continue
        known = newest.get(alert.message["objectId"])
        if known is None or known.message["jdmax"] <= alert.message["jdmax"]:
            newest[alert.message["objectId"]] = alert
    if not newest:
        raise SettingsError(str(file), "", "holds no ZTF alert packet: one as JSON a line is expected")
    return list(newest.values())


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
    Kafka, the Lasair API and 4MOST, from ``with`` to its end.

    Parameters
    ----------
    folder
        Theirs, and emptied first: state of 4MOST, and the database of runs. It stays as it is at the end.
    calls_per_hour, old_shape
        As of `LasairStandin`.
    faults
        File with a fault plan for the Lasair API and 4MOST.

    Attributes
    ----------
    kafka, lasair, fourmost
        The three.

    Raises
    ------
    SettingsError
        When the fault plan cannot be read.
    """

    def __init__(
        self, folder: Path, *, calls_per_hour: int = 10_000, old_shape: bool = False, faults: Path | None = None
    ) -> None:
        self.folder, self.calls_per_hour = folder.expanduser().resolve(), calls_per_hour
        self.faults = faults
        self.kafka = KafkaStandin()
        plan = FaultPlan.read(faults) if faults else FaultPlan()
        self.lasair = LasairStandin(secrets.token_hex(20), calls_per_hour, old_shape, faults=plan)
        self._options = ("--faults", str(faults.resolve())) if faults else ()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(claimed(self.folder))
            fourmost = FourmostStandin(*self._options, state=self.folder / "fourmost.sqlite3")
            self.fourmost = stack.enter_context(fourmost)
            stack.enter_context(self.kafka)
            stack.enter_context(self.lasair)
            self._check()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def load(self, alerts: Iterable[Alert]) -> int:
        """Give the light curves to the API, and the messages to Kafka; answer how many."""
        loaded = list(alerts)
        self.lasair.load(alert.light_curve for alert in loaded)
        return self.kafka.publish(TOPIC, [json.dumps(alert.message).encode() for alert in loaded])

    def settings(self, targets: Mapping[str, Any]) -> dict[str, Any]:
        """Give the configuration that leads a run here, with the keys of flowSetting.yaml."""
        return {
            "topic": TOPIC,
            "groupID": "standins",
            "lasairToken": self.lasair.token,
            "selectFunctionPath": str(shipped("selectionFunctions.yaml").resolve()),
            "selectFunction": "tidesSNZTFSelect",
            "tidesDBdatabase": "tides",
            "broker": {"kind": "lasair_ztf", "bootstrapServers": self.kafka.address, "silence": "1 second"},
            "lightCurves": {"address": self.lasair.address, "callsPerHour": self.calls_per_hour},
            "database": {"host": "embedded", "folder": str(self.folder / DATABASE)},
            "targets": dict(targets),
            "fourmost": {
                "address": self.fourmost.address,
                "token": self.fourmost.token,
                "surveyID": SURVEY_ID,
                "magType": "SDSS_r_AB",
            },
        }

    def check_alive(self) -> None:
        """Raise FourmostUnavailable when the one that is a process of its own has ended."""
        if os.waitid(os.P_PID, self.fourmost.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            raise FourmostUnavailable(self.fourmost.address, "the stand-in ended by itself")

    def _check(self) -> None:
        """See that all three answer; Kafka did when it gave its address."""
        self.fourmost.rows(id=0)
        try:
            requests.get(self.lasair.address.removesuffix("api"), timeout=HTTP_SECONDS).raise_for_status()
        except requests.RequestException as error:
            raise BrokerUnavailable(self.lasair.address, f"the stand-in does not answer: {error}") from error


def write_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """
    Write a settings file that only its owner may read, in one step.

    Raises
    ------
    SettingsError
        When there is a file that is not ours, or the folder cannot be written.
    """
    text = HEADER + yaml.safe_dump({CONFIGURATION: dict(settings)}, sort_keys=False)
    try:
        if file.exists() and not file.read_bytes().startswith(HEADER.encode()):
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


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end a block as Ctrl-C does: by KeyboardInterrupt, once, so that the cleaning up is left alone."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def serve(standins: Standins, alerts_file: Path, settings_out: Path) -> None:
    """
    Run loaded stand-ins until SIGINT or SIGTERM, which raise KeyboardInterrupt here.

    It prints what a person wants to know and at last "ready"; to stderr go the lines of the file that are no packets.

    Parameters
    ----------
    standins
        Not yet started.
    alerts_file
        What they are loaded with.
    settings_out
        Where to write the settings for runs.
    """
    with interruptible():
        alerts = read_alerts(alerts_file, lambda line: print(line, file=sys.stderr, flush=True))
        with standins:
            write_settings(settings_out, standins.settings({"deactivateAfter": RECORDED_AGE}))
            standins.load(alerts)
            print(_description(standins, len(alerts), settings_out), flush=True)
            print("ready (Ctrl-C stops all three)", flush=True)
            while True:
                time.sleep(WATCH_SECONDS)
                standins.check_alive()


def _description(standins: Standins, number: int, settings_out: Path) -> str:
    """Say what runs where, and what would lead a run elsewhere."""
    chosen = ("TIDES_SETTINGS", "TIDES_CONFIG")  # --settings wins over them
    variables = sorted(name for name in os.environ if name.startswith("TIDES_") and name not in chosen)
    return "\n".join(
        [
            f"Kafka     {standins.kafka.address}, topic {TOPIC}: {number} messages, one an object",
            f"Lasair    {standins.lasair.address}: {number} light curves, {standins.calls_per_hour} calls an hour",
            f"4MOST     {standins.fourmost.address}: survey {SURVEY_ID}, no targets yet",
            f"folder    {standins.folder}: emptied now; it stays when the stand-ins stop",
            f"settings  {settings_out}: {program('tides')} run --settings {settings_out}",
            *_described_faults(standins),
            *(f"beware    the environment variable {name} is set, and wins over the settings" for name in variables),
        ]
    )


def _described_faults(standins: Standins) -> list[str]:
    """Say how many calls will go wrong, if any."""
    plan = standins.lasair.faults
    numbers = f"{plan.left('lasair')} to come from Lasair, {plan.left('fourmost')} from 4MOST"
    return [f"faults    {standins.faults}: {numbers}"] if standins.faults else []
