"""
``tides standins --live``: a broker and a 4MOST that go on, for as long as they are let.

What is published follows from the clock and the seed. The folder keeps when it began: after a restart all that came
since then is published again in the same order and with the same times, before anybody is told the address. So each
message has the offset that it had, and a bridge goes on where it was. What is older than a week is not worth that: then
the stream begins anew, which a bridge notices, too.
"""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import floor
from pathlib import Path
from typing import NamedTuple, NoReturn

import yaml
from pydantic import BaseModel, ConfigDict

from simulators.alerts.encoders import Encoded
from simulators.alerts.packet_files import Found
from simulators.spectra.nights import NightPlan, observe_night
from simulators.standins.broker_streams import LASAIR_ZTF, STREAMS, load_of
from simulators.standins.bundle import HEADER, SURVEY_ID, Kept, Standins, write_ours, write_settings
from simulators.standins.demo import SPECTRA, TARGETS
from simulators.standins.folders import kept
from simulators.standins.seasons import Due, due_after
from simulators.standins.serving import NAMES, WATCH_SECONDS, beware
from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves.photometry import MJD_OF_UNIX
from tides_bridge.processes import interruptible_once
from tides_bridge.resources import command_to_type
from tides_bridge.settings.yaml_blocks import read_yaml

CONFIGURATION = "demo"
"""Name of the one configuration in the settings file."""
DATABASE = "postgresql"
"""Folder of the embedded database of runs, inside; no stand-in touches it."""
DELIVERIES = "deliveries"
"""Folder of the files of spectra, inside; a night comes at its end, noon UTC."""
START = "live-stream.yaml"
"""The file that keeps when the stream began."""
BACKLOG_DAYS = 5.0
"""So much has come when a stream begins: ZTF needs two clear nights to see its whole sky."""
LONGEST_DAYS = 7.0
"""A stream that is older at a start begins anew: all of it would have to be made again."""
FORGET_DAYS = 30.0
"""Light curves of objects that were not seen for so long are dropped; a bridge gives up asking after 14 days."""
MOST = 500
"""Messages sent at once; so many light curves are known that early, at most, when a backlog is made."""
DAY_SECONDS = 86400.0


class LivePlan(NamedTuple):
    """
    What a live stream shall be.

    Attributes
    ----------
    objects
        How many the sky has at a time: of 1000, some 170 are new every 10 nights.
    seed
        Of the sky.
    speed
        How much faster than the clock its time runs.
    """

    objects: int = 4200
    seed: int = 1
    speed: float = 1.0


class LiveStart(BaseModel):
    """When a live stream began [s since 1970], and what must stay the same from one start to the next."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    began: float
    objects: int
    seed: int
    speed: float
    streams: list[str]
    token: str
    ports: dict[str, int] = {}

    def mjd(self, now: float) -> float:
        """Give the time in the stream [MJD, UTC] by the clock [s since 1970]; both agree when it begins."""
        return MJD_OF_UNIX + (self.began + (now - self.began) * self.speed) / DAY_SECONDS

    def clock(self, mjd: float) -> float:
        """Give the time by the clock [s since 1970] of a moment in the stream [MJD, UTC]."""
        return self.began + ((mjd - MJD_OF_UNIX) * DAY_SECONDS - self.began) / self.speed

    @property
    def first_mjd(self) -> float:
        """From when on there are alerts."""
        return self.mjd(self.began) - BACKLOG_DAYS

    def is_over(self, now: float) -> bool:
        """Whether it should not be made once more."""
        return self.mjd(now) - self.mjd(self.began) > LONGEST_DAYS


class LiveStream:
    """
    What fills Kafka and the APIs, up to the moment.

    Parameters
    ----------
    standins
        They run, and are empty.
    start
        When it began.
    """

    def __init__(self, standins: Standins, start: LiveStart) -> None:
        self._standins, self._start = standins, start
        self._coming = due_after(start.first_mjd, start.seed, start.objects)
        self._next = next(self._coming)
        self._seen: dict[str, float] = {}  # the names of objects, and when they last came (MJD), in this order
        self.published = 0

    def publish_until(self, mjd: float) -> None:
        """Publish what came up to a moment and is not yet published: light curves first."""
        while batch := list(self._take(mjd)):
            for name in self._standins.streams:
                stream, messages = self._standins.streams[name], list[tuple[float, Encoded]]()
                for due in batch:
                    load = load_of(stream, [Found(due.packet, "live sky")], self._standins.modes, print)
                    if stream.service:
                        self._standins.services[stream.service].load(load.curves)
                    messages += [(self._start.clock(due.mjd), message) for message in load.messages]
                self._standins.kafka.append(stream.topic, messages)
            self._forget(batch)
            self.published += len(batch)

    def _take(self, mjd: float) -> Iterator[Due]:
        for _ in range(MOST):
            if self._next.mjd > mjd:
                return
            yield self._next
            self._next = next(self._coming)

    def _forget(self, batch: list[Due]) -> None:
        """Note which objects came, and drop those that did not for long: so the memory does not grow."""
        for due in batch:
            self._seen.pop(due.packet["objectId"], None)
            self._seen[due.packet["objectId"]] = due.mjd
        limit, old = batch[-1].mjd - FORGET_DAYS, list[str]()
        while self._seen[first := next(iter(self._seen))] < limit:
            del self._seen[first]
            old.append(first)
        for api in self._standins.services.values():
            api.forget(old)


def serve_live(standins: Standins, plan: LivePlan, settings_out: Path) -> NoReturn:
    """
    Run stand-ins with a live stream until SIGINT or SIGTERM, which raise KeyboardInterrupt here.

    Parameters
    ----------
    standins
        Not yet started. Their folder is kept: the state of 4MOST, tokens and the beginning of the stream survive.
    plan
        What the stream shall be.
    settings_out
        Where to write the settings for runs: anew at each start, for Kafka has another port.

    Raises
    ------
    SettingsError
        When the folder is used, or has a stream of another sky.
    """
    with interruptible_once(), kept(standins.folder) as folder:
        start = find_start(folder / START, standins, plan, time.time())
        standins.kept = Kept(start.token, start.ports)
        with standins:
            write_start(folder / START, start.model_copy(update={"ports": standins.ports()}))
            (standins.folder / DELIVERIES).mkdir(exist_ok=True)
            stream = LiveStream(standins, start)
            stream.publish_until(start.mjd(time.time()))
            write_settings(settings_out, settings_of(standins), CONFIGURATION)
            print(_description(standins, stream, settings_out), flush=True)
            hour, told_until, night = _hour(start), stream.published, _night(start)
            while True:
                time.sleep(WATCH_SECONDS)
                standins.check_alive()
                stream.publish_until(start.mjd(time.time()))
                if _night(start) > night:
                    print(_observed(standins, night, start.seed), flush=True)
                    night = _night(start)
                if _hour(start) > hour:
                    hour = _hour(start)
                    print(
                        f"{hour:%Y-%m-%d %H:%M} UTC in the stream: {stream.published - told_until} alerts", flush=True
                    )
                    told_until = stream.published


def find_start(file: Path, standins: Standins, plan: LivePlan, now: float) -> LiveStart:
    """
    Read when the stream began; without a file, at another speed, or after too long it begins now [s since 1970].

    Raises
    ------
    SettingsError
        When the file cannot be understood, or is of a stream of another sky, whose names would be mixed up.
    """
    new = LiveStart(began=now, streams=list(standins.streams), token=secrets.token_hex(20), **plan._asdict())
    if not file.exists():
        return new
    old = _read_start(file)
    if (old.seed, old.objects, old.streams) != (new.seed, new.objects, new.streams):
        is_of = f"--seed {old.seed} --objects {old.objects} " + " ".join(f"--stream {name}" for name in old.streams)
        raise SettingsError(str(file), "", f"is of a stream with {is_of}: keep these, or choose another --folder")
    if old.speed == new.speed and not old.is_over(now):
        return old
    return new.model_copy(update={"token": old.token, "ports": old.ports})


def _read_start(file: Path) -> LiveStart:
    try:
        return LiveStart.model_validate(read_yaml(file))
    except (SettingsError, ValueError) as error:
        raise SettingsError(str(file), "", "cannot be understood: delete it, and the stream begins anew") from error


def write_start(file: Path, start: LiveStart) -> None:
    """Keep when the stream began, in one step; readable for the owner only: it has a token."""
    write_ours(file, HEADER, HEADER + yaml.safe_dump(start.model_dump(), sort_keys=False))


def settings_of(standins: Standins) -> dict[str, object]:
    """Give the configuration that leads a run here, with a database that stays."""
    database = {"host": "embedded", "folder": str(standins.folder / DATABASE)}
    spectra = SPECTRA | {"folder": str(standins.folder / DELIVERIES)}
    return standins.settings(TARGETS) | {"groupID": CONFIGURATION, "database": database, "spectra": spectra}


def _description(standins: Standins, stream: LiveStream, settings_out: Path) -> str:
    """Say what runs where."""
    topics = ", ".join(stream.topic for stream in standins.streams.values())
    return "\n".join(
        [
            f"Kafka     {standins.kafka.address}, {topics}: {stream.published} alerts until now",
            *(f"{NAMES[name][0]:<9} {api.address}" for name, api in standins.services.items()),
            f"4MOST     {standins.fourmost.address}: survey {SURVEY_ID}",
            f"folder    {standins.folder}: kept for the next start",
            f"settings  {settings_out}: {command_to_type('tides')} run --settings {settings_out}",
            *beware(),
            "ready (Ctrl-C stops all)",
        ]
    )


def _observed(standins: Standins, night: int, seed: int) -> str:
    """Let 4MOST observe the night that is over, and say so."""
    observed = observe_night(standins.fourmost.rows(), NightPlan(night, seed), standins.folder / DELIVERIES)
    return f"4MOST has observed {len(observed.snr)} targets: {len(observed.files)} files in {DELIVERIES}"


def _night(start: LiveStart) -> int:
    """Give the MJD of the day on which the night began that ends at the next noon [UTC] in the stream."""
    return floor(start.mjd(time.time()) - 0.5)


def _hour(start: LiveStart) -> datetime:
    """Give the last full hour in the stream."""
    seconds = (start.mjd(time.time()) - MJD_OF_UNIX) * DAY_SECONDS
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=seconds // 3600)


def check_streams(names: list[str]) -> None:
    """Raise SettingsError for a stream that cannot be live: the sky that goes on is seen by ZTF."""
    for name in names:
        if STREAMS[name].survey != "ztf":
            raise SettingsError("--stream", name, f"--live is for streams of ZTF, such as {LASAIR_ZTF}")
