"""
A world to kill things in: the recorded real alerts in Kafka and Lasair, 4MOST, a database, and the bridge as a process.

Its state before the kill is a bridge at work: some targets are at 4MOST and ingested, some are there and may still
change, and the stream has more, with messages that cannot be read and objects that Lasair does not know.
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from simulators.fourmost.process import FourmostStandin
from simulators.services.lasair import LasairStandin
from simulators.services.stream import KafkaStandin
from simulators.standins.bundle import read_alerts
from tests.support.databases import copy_database, rows_of
from tests.support.forked import ForkedTides
from tests.support.forked_fourmost import ForkedFourmost
from tests.support.processes import ROOT, free_port, is_halted
from tides_bridge.database import open_database
from tides_bridge.database.embedded import EmbeddedServer
from tides_bridge.resources import shipped
from tides_bridge.settings import Settings, load_settings

TOPIC = "lasair_19faults"
NOW = "2026-11-24T12:00:00Z"
LIVE, OLD = "7305 days", "1500 days"
"""Until when a target counts as seen: before, so that all are targets, and in the run that is killed."""
BAD = [
    b"no JSON",
    b"",
    b'{"objectId": null}',
    b'{"objectId": "ZTFbad", "ramean": NaN, "decmean": 1}',
    b"[1]",
    b"\xff\x00",
]
UNKNOWN = 3
"""So many objects of the last messages have no light curve."""
RUNS = 5
"""A run that was killed is repeated until one ends well, at most so often."""
RUN_SECONDS = 400.0

OURS = (
    "tides_id",
    "created_at",
    "associated_at",
    "updated_at",
    "told_4most_at",
    "pk_4most",
    "asked_4most",
    "date_ingested",
)
"""Columns of tides_master that no two histories share; the keys are compared with 4MOST instead."""
OF_ARRIVAL = ("survey", "object_id", "refused_4most", "refused_4most_payload", "refused_4most_until")
"""Which object of a target came first, and a refusal that has its name, are matters of the batches."""
THEIRS = ("id", "date_submitted", "date_modified", "date_ingested", "ostd_targ_id", "ostd_u_obj_id")


@dataclass
class World:
    """Kafka and Lasair, shared by all scenarios, and what they are made from."""

    folder: Path
    database_folder: Path
    prefect_api: str
    kafka: KafkaStandin
    lasair: LasairStandin
    batches: list[list[bytes]]
    base: str = "tides"
    state: Path = field(default_factory=Path)

    def publish(self, *numbers: int) -> None:
        """Put some of the batches of messages into Kafka."""
        for number in numbers:
            self.kafka.publish(TOPIC, self.batches[number])

    @property
    def ends(self) -> int:
        """How many messages there are in the topic."""
        return sum(map(len, self.batches))


@dataclass
class Scenario:
    """One history: a database, a 4MOST, and settings that lead to both."""

    world: World
    settings_file: Path
    fourmost: FourmostStandin
    is_forked: bool = True
    """Processes of the bridge are forked from one that has imported all; False starts Python for each."""

    @property
    def settings(self) -> Settings:
        return load_settings(None, self.settings_file)

    def change(self, **sections: dict[str, Any]) -> None:
        """Change some settings."""
        content = yaml.safe_load(self.settings_file.read_text())
        for section, changes in sections.items():
            content["faults"][section] = content["faults"].get(section, {}) | changes
        self.settings_file.write_text(yaml.safe_dump(content))

    def start(self, *command: str, point: str = "", **more: str) -> ForkedTides | subprocess.Popen[str]:
        """Start a command of the bridge, with a fail point."""
        tokens = {"TIDES_LASAIRTOKEN": self.world.lasair.token, "TIDES_FOURMOST__TOKEN": self.fourmost.token}
        environment = os.environ | {"PREFECT_API_URL": self.world.prefect_api} | tokens | more
        environment["PREFECT_LOGGING_TO_API_ENABLED"] = "false"  # what is said is read in the log: a fifth quicker
        if point:
            environment["BRIDGE_FAIL_POINT"] = point
        words, log = [*command, "--settings", str(self.settings_file)], self.settings_file.with_suffix(".log")
        if self.is_forked:
            return ForkedTides(words, environment, log, log)
        with log.open("a") as output:
            arguments = [sys.executable, "-m", "flows.cli", *words]
            return subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=output, stderr=output, text=True)

    def run(self, *command: str, point: str = "", **more: str) -> int:
        """Run a command of the bridge to its end; -9 if it was killed."""
        return self.start(*(command or ("run",)), point=point, **more).wait(RUN_SECONDS)

    def run_until_good(self, *command: str) -> int:
        """Run until one run ends well; give how many it took."""
        for number in range(1, RUNS + 1):
            if self.run(*command) == 0:
                return number
        raise AssertionError(f"no good run: {self.log[-3000:]}")

    @property
    def log(self) -> str:
        return self.settings_file.with_suffix(".log").read_text()

    def killed(self, point: str, *command: str, sign: str = "SIGKILL", passes: int = 1) -> int:
        """Run with a fail point that must be reached; give the exit code."""
        marker = self.marker(point)
        code = self.run(*command, point=f"{point} {sign} {marker} {passes}")
        assert marker.exists(), f"{point} was not reached: {self.log[-2000:]}"
        return code

    def marker(self, point: str) -> Path:
        return self.settings_file.with_name(f"{self.settings_file.stem}-{point}")

    @contextlib.contextmanager
    def halted(self, point: str, *command: str) -> Iterator[ForkedTides | subprocess.Popen[str]]:
        """Have a run stand still at a point; it goes on afterwards, to its end."""
        process = self.start(*(command or ("run",)), point=f"{point} SIGSTOP {self.marker(point)}")
        limit = time.monotonic() + RUN_SECONDS
        while not is_halted(process.pid):
            assert process.poll() is None and time.monotonic() < limit, self.log[-2000:]
            time.sleep(0.02)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.wait(RUN_SECONDS)

    # What became of it

    def ask(self, statement: str) -> list[dict[str, Any]]:
        with open_database(self.settings) as database:
            return rows_of(database, statement)

    def master(self) -> list[dict[str, Any]]:
        return self.ask("SELECT * FROM tides_master ORDER BY survey, object_id")

    def _associations(self) -> list[dict[str, Any]]:
        return self.ask(
            "SELECT association.*, tides_master.name FROM association INNER JOIN tides_master USING (tides_id)"
            " ORDER BY association.survey, association.object_id"
        )

    def objects(self) -> dict[str, str]:
        """Give what each target is called in `outcome`."""
        objects: dict[str, str] = {}
        for row in self._associations():
            objects[row["name"]] = f"{objects.get(row['name'], '')} {row['survey']} {row['object_id']}"
        return objects

    def outcome(self) -> dict[str, Any]:
        """
        Give all that must be equal in two histories of the same alerts.

        A target is called by its objects here: which of them came first, and so its name, is a matter of the batches.
        """
        associations, objects = self._associations(), self.objects()
        masters, theirs = self.master(), self.fourmost.rows()
        return {
            "tides_master": _sorted([_called(row, objects, (*OURS, *OF_ARRIVAL)) for row in masters]),
            "associations": _sorted(
                [_called(row, objects, (*OURS, "how", "separation_arcsec")) for row in associations]
            ),
            "names": self.ask("SELECT year, used FROM name_counter ORDER BY 1"),
            "4MOST": _sorted([_called(row, objects, THEIRS) for row in theirs]),
            "decisions": self.ask(
                "SELECT survey, object_id, function, version, passed, newest_mjd, curve_digest::text, failed,"
                " trigger_mjd FROM last_decision ORDER BY 1, 2, 3"
            ),
            "refused": self.ask(
                "SELECT topic, partition_number, stream_offset, body, reason FROM refused_message ORDER BY 2, 3"
            ),
            "deferred": self.ask("SELECT survey, object_id, reason FROM deferred_object ORDER BY 1, 2"),
            "offsets": self.ask("SELECT partition_number, next_offset FROM stream_position ORDER BY 1"),
        }

    def flaws(self, expected: dict[str, Any]) -> dict[str, int]:
        """Count what was lost, duplicated, or differs, and what is open."""
        found, theirs = self.outcome(), self.fourmost.rows()
        names = Counter(row["name"] for row in theirs)
        keys = {row["name"]: row for row in theirs}
        disagreeing = [
            row["name"]
            for row in self.master()
            if (row["pk_4most"] is None) != (row["name"] not in keys)
            or (row["pk_4most"] is not None and not agrees(row, keys[row["name"]]))
        ]
        asked = self.ask(
            "SELECT 1 FROM exchange_log AS asked WHERE asked.status = 'asked' AND NOT EXISTS (SELECT 1 FROM"
            " exchange_log AS answer WHERE answer.intent_id = asked.exchange_id AND answer.status <> 'unanswered')"
        )
        return {
            "lost": sum(len(expected[key]) - len(found[key]) for key in ("decisions", "refused", "deferred", "4MOST")),
            "duplicated": sum(number - 1 for number in names.values()),
            "disagreeing": len(disagreeing) + sum(found[key] != expected[key] for key in expected),
            "unresolved": len(asked) + len(self.ask("SELECT 1 FROM tides_master WHERE asked_4most IS NOT NULL")),
        }


def _called(row: dict[str, Any], objects: dict[str, str], left_out: tuple[str, ...]) -> dict[str, Any]:
    """Call a target by its objects, also in what 4MOST was told, and leave some columns out."""
    kept = {key: value for key, value in row.items() if key not in left_out}
    if isinstance(kept.get("told_4most"), dict):
        kept["told_4most"] = kept["told_4most"] | {"name": ""}
    return kept | {"name": objects.get(row["name"], row["name"])}


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["name"], str(row)))


def agrees(row: dict[str, Any], their_row: dict[str, Any]) -> bool:
    """Tell whether a target and its row at 4MOST say the same."""
    known_there = row["told_4most"]
    return row["pk_4most"] == their_row["id"] and known_there == {column: their_row[column] for column in known_there}


def clean() -> dict[str, int]:
    return dict.fromkeys(("lost", "duplicated", "disagreeing", "unresolved"), 0)


@contextlib.contextmanager
def make_world(folder: Path, database_folder: Path, prefect_api: str, alerts_file: Path) -> Iterator[World]:
    """Start Kafka and Lasair, with the recorded alerts in three batches."""
    alerts = read_alerts(alerts_file, print)
    with KafkaStandin() as kafka, LasairStandin("lasair-secret") as lasair:
        lasair.load(alert.light_curve for alert in alerts[:-UNKNOWN])
        messages = [json.dumps(alert.message).encode() for alert in alerts]
        first, second = messages[:150], messages[150:300]
        last = [*messages[300:], *BAD, *messages[290:295]]  # some messages come twice
        world = World(folder, database_folder, prefect_api, kafka, lasair, [first, second, last])
        yield world


def write_scenario_settings(world: World, name: str, fourmost: FourmostStandin, live: str = OLD) -> Path:
    """Write the settings of a scenario; its database has its name."""
    settings = {
        "topic": TOPIC,
        "groupID": "faults",
        "selectFunctionPath": str(shipped("selectionFunctions.yaml").resolve()),
        "selectFunction": "tidesSNZTFSelect",
        "tidesDBdatabase": name,
        "now": NOW,
        "broker": {"bootstrapServers": world.kafka.address, "silence": "0.3 seconds", "batchSize": 150},
        "lightCurves": {"address": world.lasair.address, "callsPerHour": 10_000, "tryAgainAfter": 0, "timeout": "5 s"},
        "database": {"host": "embedded", "folder": str(world.database_folder)},
        "targets": {"deactivateAfter": live, "guard": {"share": 1}},  # a third of them goes off at once
        "fourmost": {
            "address": fourmost.address,
            "surveyID": 5,
            "magType": "SDSS_r_AB",
            "colourTerms": [{"from": "ZTF_r", "source": "for tests"}],
            "pageSize": 7,
            "timeout": "3 s",  # twice that long what a killed run asked is waited for
        },
    }
    file = world.folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"faults": settings}))
    return file


def prepare(world: World) -> None:
    """Live through the time before: two runs, and an ingestion between them; then more alerts come."""
    world.state = world.folder / "base.sqlite3"
    with ForkedFourmost("--ingest-at", "off", state=world.state) as fourmost:
        world.base = "faults_base"
        scenario = Scenario(world, write_scenario_settings(world, world.base, fourmost, LIVE), fourmost)
        world.publish(0)
        assert scenario.run() == 0, scenario.log
        fourmost.ingest()
        world.publish(1)
        assert scenario.run() == 0, scenario.log
    world.publish(2)


@contextlib.contextmanager
def scenario(world: World, name: str, *, fresh: bool = False) -> Iterator[Scenario]:
    """Begin a history of its own where `prepare` ended, or with nothing stored yet."""
    name = name.replace(".", "_").lower()
    state = world.folder / f"{name}.sqlite3"
    if not fresh:
        copy_database(world.database_folder, world.base, name)
        with sqlite3.connect(world.state) as source, sqlite3.connect(state) as target:
            source.backup(target)
    with ForkedFourmost("--ingest-at", "off", "--port", str(free_port()), state=state) as fourmost:
        yield Scenario(world, write_scenario_settings(world, name, fourmost), fourmost)


def kill_postgresql(folder: Path) -> None:
    """Kill the embedded server of a folder, all its processes at once."""
    pid = EmbeddedServer(folder).pid()
    assert pid is not None
    for process in [psutil.Process(pid), *psutil.Process(pid).children()]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
