"""``tides standins``: stand-ins that are loaded with alerts, and told about, until they are stopped."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from simulators.alerts.packet_files import Found, read_newest_packets
from simulators.standins.broker_streams import LASAIR_ZTF, Service, simulated
from simulators.standins.bundle import (
    SURVEY_ID,
    Filled,
    Standins,
    read_packet_lines,
    write_schemas,
    write_settings,
)
from tides_bridge.formats.avro.records import CONTAINER
from tides_bridge.formats.contents import first_bytes
from tides_bridge.formats.members import is_archive
from tides_bridge.formats.whole_alerts import epoch_of
from tides_bridge.processes import interruptible_once
from tides_bridge.resources import command_to_type

RECORDED_AGE = "7305 days"
"""Twenty years without a detection: recorded objects count as live."""
WATCH_SECONDS = 0.5
PARQUET = b"PAR1"

NAMES: Mapping[Service, tuple[str, str]] = {
    "lasair_ztf": ("Lasair", "light curves"),
    "lasair_lsst": ("Lasair", "light curves of LSST"),
    "antares": ("ANTARES", "loci"),
    "fastdb": ("FASTDB", "light curves"),
}
"""How the APIs are called, and what they have."""


@dataclass(frozen=True)
class StandinSource:
    """
    What stand-ins are loaded with.

    Attributes
    ----------
    files
        Recorded alerts; none: those of a simulated sky.
    schemas
        Avro schema, or a folder of them, for recorded messages that bring none.
    objects, nights, seed
        Of the simulated sky.
    """

    files: tuple[Path, ...] = ()
    schemas: Path | None = None
    objects: int = 300
    nights: int = 60
    seed: int = 1


def serve_standins(standins: Standins, source: StandinSource, settings_out: Path) -> None:
    """
    Run loaded stand-ins until SIGINT or SIGTERM, which raise KeyboardInterrupt here.

    It prints what a person wants to know and at last "ready"; to stderr go the alerts that are left out, and why.

    Parameters
    ----------
    standins
        Not yet started.
    source
        What they are loaded with.
    settings_out
        Where to write the settings for runs; the schemas that messages lack go into a folder beside it.
    """
    with interruptible_once():
        found = read(standins, source, _warn)
        schemas = settings_out.with_name(f"{settings_out.stem}-schemas")
        with standins:
            filled = standins.fill(found, _warn)
            write_schemas(standins.streams, schemas)
            write_settings(settings_out, standins.settings({"deactivateAfter": RECORDED_AGE}, schemas))
            print(description(standins, filled, settings_out), flush=True)
            everything = {2: "both", 3: "all three"}.get(2 + len(standins.services), "all")
            print(f"ready (Ctrl-C stops {everything})", flush=True)
            while True:
                time.sleep(WATCH_SECONDS)
                standins.check_alive()


def read(standins: Standins, source: StandinSource, warn: Callable[[str], None]) -> list[Found]:
    """
    Read the recorded alerts, or make those of a simulated sky: at most one an object, in the order of time.

    Raises
    ------
    SettingsError
        When there is none, or a file cannot be read.
    """
    if not source.files:
        surveys = {stream.survey for stream in standins.streams.values()}
        return simulated(surveys, source.objects, source.nights, source.seed)
    if list(standins.streams) == [LASAIR_ZTF] and len(source.files) == 1 and _has_lines(source.files[0]):
        return sorted(read_packet_lines(source.files[0], warn), key=lambda found: epoch_of(found.packet))
    return read_newest_packets(source.files, source.schemas, warn)


def _has_lines(path: Path) -> bool:
    """Tell whether a file is nothing else than lines of JSON; what is wrong with it is told when it is read."""
    try:
        return not path.is_dir() and not is_archive(path) and not first_bytes(path).startswith((CONTAINER, PARQUET))
    except (OSError, EOFError, ValueError):
        return True


def _warn(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def description(standins: Standins, filled: Mapping[str, Filled], settings_out: Path) -> str:
    """Say what runs where, and what would lead a run elsewhere."""
    plan = standins.lasair.faults
    numbers = f"{plan.left('lasair')} to come from Lasair, {plan.left('fourmost')} from 4MOST"
    return "\n".join(
        [
            *(f"Kafka     {standins.kafka.address}, {_of_stream(standins, name, filled[name])}" for name in filled),
            *_described_services(standins, filled),
            f"4MOST     {standins.fourmost.address}: survey {SURVEY_ID}, no targets yet",
            f"folder    {standins.folder}: emptied now; it stays when the stand-ins stop",
            f"settings  {settings_out}: {command_to_type('tides')} run --settings {settings_out}",
            *([f"faults    {standins.faults}: {numbers}"] if standins.faults else []),
            *beware(),
        ]
    )


def beware() -> list[str]:
    """Name the variables that would lead a run elsewhere."""
    chosen = ("TIDES_SETTINGS", "TIDES_CONFIG")  # --settings wins over them
    variables = sorted(name for name in os.environ if name.startswith("TIDES_") and name not in chosen)
    return [f"beware    the environment variable {name} is set, and wins over the settings" for name in variables]


def _of_stream(standins: Standins, name: str, filled: Filled) -> str:
    """Say what is in a stream, and what is not."""
    load = filled.load
    older = len(load.messages) - filled.published
    parts = [
        f"topic {standins.streams[name].topic}: {filled.published} messages, one an object",
        *([f"{older} older ones left out: a topic of the stand-in has no more room"] if older else []),
        *([f"{load.without_alert} of {len(load.messages)} without light curve"] if load.without_alert else []),
        *([f"{load.moving} about the solar system, which it does not send, left out"] if load.moving else []),
    ]
    return "; ".join(parts)


def _described_services(standins: Standins, filled: Mapping[str, Filled]) -> list[str]:
    """Say which API has how many light curves."""
    lines = []
    for name, api in standins.services.items():
        served = [stream_name for stream_name, stream in standins.streams.items() if stream.service == name]
        number = sum(len(filled[stream_name].load.curves) for stream_name in served)
        service, what = NAMES[name]
        limit = "no limit" if name in {"antares", "fastdb"} else f"{standins.calls_per_hour} calls an hour"
        lines.append(f"{service:<9} {api.address}: {number} {what}, {limit}")
    return lines
