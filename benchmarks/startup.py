"""How long a run takes to begin: from the shell to its first message, against a flow of Prefect that does nothing."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

from confluent_kafka import Producer

from benchmarks.load import make_packets, messages
from benchmarks.measure import machine, run
from benchmarks.orchestrated import ENVIRONMENT
from benchmarks.stream import settings_for
from simulators.services.stream import KafkaStandin
from tests.support.prefect_home import furnish
from tests.support.processes import prefect_server
from tides_bridge.database import apply_schema, open_database

STAGES = ("imports", "flow", "asked", "read", "end")
HEADINGS = ("imported", "flow begins", "Kafka asked", "message read", "ended")
SERVERS = {"running": "one that runs", "temporary": "a temporary one of each run"}
EMPTY, ALERTS = "nothing", "alerts"
"""Topics: one without a message, and one with some."""
NUMBER = 20
"""Alerts that a run finds there; they bring their light curves, and are decided in the run's own process."""
SILENCE = {"TIDES_BROKER__SILENCE": "1 second"}
"""So long each run waits for more at its end."""

MARK = """
import json, sys, time
from functools import wraps
marks = {}
def mark(stage):
    marks.setdefault(stage, time.time())
    open(sys.argv[1], "w").write(json.dumps(marks))
def marked(stage, function):
    @wraps(function)
    def wrapper(*given, **named):
        mark(stage)
        return function(*given, **named)
    return wrapper
"""
"""At the beginning of each of the programs below: writes down when it reached a stage."""

NOTHING = "pass"

PREFECT = f"""{MARK}
from prefect import flow
mark("imports")
@flow
def nothing():
    mark("flow")
nothing()
"""

BRIDGE = f"""{MARK}
from flows.cli import main
from flows import comm_pipe
mark("imports")
comm_pipe.execute_comm_pipe.fn = marked("flow", comm_pipe.execute_comm_pipe.fn)
from tides_bridge.brokers import kafka
class Consumer(kafka.Consumer):
    def consume(self, *given, **named):
        mark("asked")
        found = super().consume(*given, **named)
        if any(message.error() is None for message in found):
            mark("read")
        return found
kafka.Consumer = Consumer
main(["run", "--settings", sys.argv[2], "--config", "benchmark"])
"""


def main(arguments: list[str] | None = None) -> None:
    """Measure with a server and without, and print the times of each stage and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=[*SERVERS], help="of Prefect")
    chosen = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-", dir="/var/tmp") as name, KafkaStandin() as kafka:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user, where the bridge is root's
        Producer({"bootstrap.servers": kafka.address}).list_topics(EMPTY, timeout=10)  # it is made by asking for it
        alerts = messages(make_packets(objects=100), 2 * NUMBER * chosen.runs)
        for server in chosen.servers:
            with _prefect(folder, has_server=server == "running") as environment:
                print(f"Prefect server: {SERVERS[server]}; seconds, the quickest of {chosen.runs}")
                compare(folder, environment | SILENCE, kafka, alerts, chosen.runs)


@contextmanager
def _prefect(folder: Path, *, has_server: bool) -> Iterator[dict[str, str]]:
    """Serve Prefect, or have each run start a server of its own; gives the environment of a run."""
    home = folder / ("served" if has_server else "alone")
    furnish(home)
    environment = {**ENVIRONMENT, "PREFECT_HOME": str(home)}
    with prefect_server(home) if has_server else nullcontext() as address:
        yield environment | ({"PREFECT_API_URL": address} if address else {})


def compare(folder: Path, environment: dict[str, str], kafka: KafkaStandin, alerts: Iterator[bytes], runs: int) -> None:
    """Measure all sides in turn, several times, and print what they took."""
    for topic in (EMPTY, ALERTS):
        with open_database(settings_for(folder / topic, kafka.address, topic)) as database:
            apply_schema(database)
    sides: dict[str, tuple[str, ...]] = {
        "python -c pass": (NOTHING,),
        "Prefect: an empty flow": (PREFECT,),
        "tides run: no message": (BRIDGE, str(folder / EMPTY / "settings.yaml")),
        f"tides run: {NUMBER} alerts": (BRIDGE, str(folder / ALERTS / "settings.yaml")),
    }
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(runs):
        kafka.publish(ALERTS, islice(alerts, NUMBER))
        for side, (program, *others) in sides.items():
            found[side].append(measure(program, folder / "marks.json", others, environment))
    _show({side: _quickest(stages) for side, stages in found.items()})


def measure(program: str, marks: Path, arguments: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Give the seconds from the start of a process to each stage that it reached, and to its end."""
    marks.unlink(missing_ok=True)
    begun = time.time()
    seconds, _ = run(["-c", program, str(marks), *arguments], environment)
    reached = json.loads(marks.read_text()) if marks.exists() else {}
    return {stage: at - begun for stage, at in reached.items()} | {"end": seconds}


def _quickest(found: list[dict[str, float]]) -> dict[str, float]:
    return {stage: min(stages[stage] for stages in found) for stage in found[0]}


def _show(sides: dict[str, dict[str, float]]) -> None:
    print(f"  {'':26}" + "".join(f"{heading:>14}" for heading in HEADINGS))
    for side, times in sides.items():
        cells = (f"{times[stage]:.2f}" if stage in times else "" for stage in STAGES)
        print(f"  {side:26}" + "".join(f"{cell:>14}" for cell in cells))
    theirs = sides["Prefect: an empty flow"]
    for side, times in list(sides.items())[2:]:
        cells = (f"{times[stage] / theirs[stage]:.1f} x" if stage in theirs else "" for stage in STAGES)
        print(f"  {side + ', ratio':26}" + "".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    main(sys.argv[1:])
