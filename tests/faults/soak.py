"""
Kill the bridge at random, for hours if need be: ``make soak``, ``make soak ARGS='--batches 50 --seed 7'``.

A simulated sky is published bit by bit. In each round the bridge is run until it completes, while it is killed at
random fail points, its services fail by random plans, PostgreSQL and 4MOST are killed, targets are ingested, and rows
are deleted and edited at 4MOST. A run that stands still loses its lock to another, which does all, and goes on; and now
and then a second installation reads the same sky, for the same survey at the same 4MOST. At the end both databases of
each must be those of one undisturbed run, and no run may ever have touched a row of the other installation.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from simulators.alerts.packets import alerts
from simulators.fourmost.process import FourmostStandin
from simulators.services.lasair import LasairStandin
from simulators.services.stream import KafkaStandin
from simulators.sky import Sky
from simulators.standins.bundle import StandinAlert
from tests.support.databases import LOSE_LOCK
from tests.support.folders import reachable_folder
from tests.support.processes import free_port, is_halted, prefect_server
from tests.support.world import (
    LIVE,
    OLD,
    RUN_SECONDS,
    TOPIC,
    Scenario,
    World,
    clean,
    kill_postgresql,
    write_scenario_settings,
)
from tides_bridge import failpoints
from tides_bridge.database.embedded import acquire_server

FIRST, SECOND = "TiDES", "Second"
"""How names of the two installations begin."""
BATCH = 25
"""Messages of a batch."""
BATCHES_A_ROUND = 3
POINTS = [f"{name}.{when}" for name in (*failpoints.COMMITS, *failpoints.CALLS) for when in ("before", "after")]
ON_THE_WAY = ("consume", "light_curves", "batch", "retire", "rows", "stage", "intents", "create", "update", "answers")
"""What most runs get to: there one is overtaken by another."""
FAULTS: list[dict[str, Any]] = [
    {"fault": "status", "status": 429, "retryAfter": 1},
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 502, "when": "after"},
    {"fault": "status", "status": 503, "times": 3},
    {"fault": "timeout", "seconds": 4, "when": "after"},
    {"fault": "timeout", "seconds": 4},
    {"fault": "cut", "when": "after"},
    {"fault": "cut"},
    {"fault": "html"},
    {"fault": "missing_row"},
    {"fault": "drip", "seconds": 0.05},
]
TIMEOUT = "2 s"


def stream(seed: int) -> Iterator[StandinAlert]:
    """Give simulated alerts, night after night."""
    sky = Sky(seed=seed, objects=2500)
    for night in range(61270, 63000):
        if sky.is_clear(night):
            yield from map(StandinAlert.from_packet, alerts(sky, night))


class Soak:
    """
    The history that is disturbed.

    Parameters
    ----------
    history
        The bridge and its services.
    second
        Another installation, with names of its own, at the same 4MOST.
    chance
        What happens when.
    """

    def __init__(self, history: Scenario, second: Scenario, chance: random.Random) -> None:
        self.history, self.second, self.chance, self.done = history, second, chance, Counter[str]()
        self.touched = 0

    @contextlib.contextmanager
    def touching_none_of(self, prefix: str) -> Iterator[None]:
        """Count the rows with names of an installation that the other one changes."""
        before = {row["id"]: row for row in self.history.fourmost.rows() if row["name"].startswith(prefix)}
        yield
        after = {row["id"]: row for row in self.history.fourmost.rows() if row["name"].startswith(prefix)}
        self.touched += sum(before.get(key) != after.get(key) for key in before | after)

    def round(self, messages: list[bytes]) -> None:
        """Publish some messages, and run the bridge until it completes, whatever happens."""
        self.history.world.kafka.publish(TOPIC, messages)
        if self.chance.random() < 0.3:
            with self.touching_none_of(FIRST):
                self.done["runs of the second installation"] += 1
                self.second.run(*(["reconcile"] if self.chance.random() < 0.3 else []))
        self.history.change(fourmost={"exposureTimes": {"d": self.chance.randint(20, 60)}})
        self._make_faults()
        with self.touching_none_of(SECOND):
            for _ in range(self.chance.randint(0, 2)):
                self._kill_once()
            if self.chance.random() < 0.5:
                self._overtake()
        if self.chance.random() < 0.1:
            self._kill_postgresql()
        if self.chance.random() < 0.1:
            self._meddle()
        with self.touching_none_of(SECOND):
            self._complete()

    def _complete(self) -> None:
        for _ in range(10):
            self.done["runs"] += 1
            if self.history.run() == 0:
                return
            self.done["runs that a fault failed"] += 1
        raise SystemExit(f"no good run in ten: {self.history.log[-3000:]}")

    def _make_faults(self) -> None:
        for name, faults in (("fourmost", self.history.fourmost), ("lasair", self.history.world.lasair)):
            plan = [
                {**self.chance.choice(FAULTS), "service": name, "skip": self.chance.randint(0, 4)}
                for _ in range(self.chance.randint(0, 2))
            ]
            self.done["faults planned"] += sum(rule.get("times", 1) for rule in plan)
            if isinstance(faults, FourmostStandin):
                faults.set_faults(plan)
            else:
                faults.faults.replace(plan)

    def _kill_once(self) -> None:
        point, command = self.chance.choice(POINTS), "reconcile" if self.chance.random() < 0.2 else "run"
        marker = self.history.settings_file.with_name("killed")
        marker.unlink(missing_ok=True)
        self.done["runs"] += 1
        self.history.run(command, point=f"{point} SIGKILL {marker} {self.chance.randint(1, 3)}")
        self.done["runs killed"] += marker.exists()

    def _overtake(self) -> None:
        """Have a run stand still at a point, lose its lock to another that does all, and go on: to no effect."""
        point = f"{self.chance.choice(ON_THE_WAY)}.{self.chance.choice(['before', 'after'])}"
        marker = self.history.settings_file.with_name("overtaken")
        marker.unlink(missing_ok=True)
        self.done["runs"] += 1
        process = self.history.start("run", point=f"{point} SIGSTOP {marker} {self.chance.randint(1, 2)}")
        limit = time.monotonic() + RUN_SECONDS
        while process.poll() is None and not is_halted(process.pid):
            assert time.monotonic() < limit, self.history.log[-2000:]
            time.sleep(0.02)
        if process.poll() is None:
            self.history.ask(LOSE_LOCK)
            self._complete()
            rows = self.history.fourmost.rows()
            process.send_signal(signal.SIGCONT)
            process.wait(RUN_SECONDS)
            self.touched += self.history.fourmost.rows() != rows
            self.done["runs overtaken"] += 1

    def _kill_postgresql(self) -> None:
        point = self.chance.choice(["run.after", "retire.before"])  # which every run reaches
        with self.history.halted(point):
            kill_postgresql(self.history.world.database_folder)
        self.history.marker(point).unlink()
        self.done["PostgreSQL killed"] += 1

    def _meddle(self) -> None:
        """Kill 4MOST, ingest its rows, or delete and edit some; the last is for reconcile to find."""
        fourmost = self.history.fourmost
        what = self.chance.choice(["killed", "ingested", "edited"])
        if what == "killed":
            os.kill(fourmost.pid, signal.SIGKILL)
            fourmost.stop()
            fourmost.__enter__()
        elif what == "ingested":
            fourmost.ingest()
        else:
            free = [row for row in fourmost.rows() if not row["date_ingested"]]
            base, account = f"{fourmost.address}/targetCat/transients", (fourmost.user, fourmost.password)
            for row in self.chance.sample(free, min(2, len(free))):
                requests.delete(f"{base}/{row['id']}/", auth=account, timeout=60)
            for row in self.chance.sample(fourmost.rows(), min(2, len(fourmost.rows()))):
                requests.patch(f"{base}/{row['id']}/", json={"is_active": False}, auth=account, timeout=60)
        self.done[f"4MOST {what}"] += 1


def finish(history: Scenario) -> None:
    """Let the services recover, and bring both sides to their last state."""
    history.fourmost.set_faults([])
    history.world.lasair.faults.replace([])
    history.change(fourmost={"exposureTimes": {"d": 38}}, targets={"deactivateAfter": OLD})
    history.run_until_good()
    history.run_until_good("reconcile")
    history.run_until_good()


def essence(outcome: dict[str, Any], ingested: set[str], other: str = "") -> dict[str, Any]:
    """Leave out the rows of another installation, and what may differ for good: what was wanted after an ingestion."""
    rows = [
        {key: row[key] for key in ("name", "is_active", *(() if row["name"] in ingested else ("ra", "dec", "mag")))}
        for row in outcome["4MOST"]
        if not (other and row["name"].startswith(other))
    ]
    master = [
        {key: row[key] for key in row if "4most" not in key and "ostd" not in key} for row in outcome["tides_master"]
    ]
    return outcome | {"4MOST": rows, "tides_master": master}


def compare(history: Scenario, reference: Scenario, other: str) -> dict[str, int]:
    """Count how a history differs from the undisturbed one, apart from the rows of another installation."""
    objects = history.objects()
    ingested = {objects.get(row["name"], "") for row in history.fourmost.rows() if row["date_ingested"]}
    outcome = history.outcome()
    expected, found, flaws = (
        essence(reference.outcome(), ingested),
        essence(outcome, ingested, other),
        history.flaws(outcome),
    )
    for key in expected:
        if found[key] != expected[key]:
            flaws["disagreeing"] += 1
            pairs = zip(found[key], expected[key], strict=False)
            print(f"{key} differs", next((pair for pair in pairs if pair[0] != pair[1]), "in length"))
    flaws["lost"] += sum(len(expected[key]) - len(found[key]) for key in ("decisions", "refused", "4MOST"))
    print(f"decided {len(found['decisions'])}, at 4MOST {len(found['4MOST'])}")
    return flaws


def soak(batches: int, seed: int, folder: Path) -> int:
    """Soak for some batches; give the number of flaws."""
    chance, begun = random.Random(seed), time.monotonic()
    made = list(islice(stream(seed), batches * BATCH))
    with (
        prefect_server(folder) as prefect_api,
        KafkaStandin() as kafka,
        LasairStandin("secret") as lasair,
        reachable_folder() as place,
        FourmostStandin("--ingest-at", "off", "--port", str(free_port()), state=place / "a") as disturbed,
        FourmostStandin("--ingest-at", "off", state=place / "b") as undisturbed,
    ):
        world = World(place, place / "postgresql", prefect_api, kafka, lasair, [])
        lasair.load(alert.light_curve for alert in made)
        messages = [json.dumps(alert.message).encode() for alert in made]
        history, second = (
            Scenario(world, write_scenario_settings(world, name, disturbed, LIVE), disturbed)
            for name in ("soak", "soak_second")
        )
        for installation, prefix in ((history, FIRST), (second, SECOND)):
            installation.change(
                # Rows that somebody switched off are set right: as holds they would differ from the undisturbed ones.
                fourmost={"timeout": TIMEOUT, "respected": []},
                broker={"batchSize": BATCH},
                lightCurves={"timeout": TIMEOUT},
                targets={"namePrefix": prefix},
            )
        work = Soak(history, second, chance)
        for number in range(0, len(messages), BATCH * BATCHES_A_ROUND):
            work.round(messages[number : number + BATCH * BATCHES_A_ROUND])
            print(f"{number + BATCH * BATCHES_A_ROUND} messages, {time.monotonic() - begun:.0f} s", flush=True)
        for installation, prefix in ((second, FIRST), (history, SECOND)):
            with work.touching_none_of(prefix):
                finish(installation)
        reference = Scenario(world, write_scenario_settings(world, "undisturbed", undisturbed), undisturbed)
        reference.run_until_good()
        flaws = Counter(clean())
        for installation, other in ((history, SECOND), (second, FIRST)):
            flaws.update(compare(installation, reference, other))
        flaws["touched"] = work.touched
        names, active = ([row["name"] for row in disturbed.rows(**only)] for only in ({}, {"is_active": "True"}))
        inactive_copies = len(names) - len(set(names)) - (len(active) - len(set(active)))
        print(f"batches {len(messages) // BATCH}")
        print(", ".join(f"{what} {number}" for what, number in work.done.items()))
        print(f"{dict(flaws)}, {inactive_copies} copies switched off, {time.monotonic() - begun:.0f} s")
        acquire_server(world.database_folder).release()
    return int(any(flaws.values()))


def main() -> int:
    """Read the options, and soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="tides-soak-") as folder:
        return soak(options.batches, options.seed, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
