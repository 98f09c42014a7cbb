"""From Kafka to PostgreSQL: the bridge on Rubin's alerts, against one alert after the other as D3.3.4 had it."""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastavro
import pandas as pd
import psutil
import yaml
from confluent_kafka import Consumer, TopicPartition

from benchmarks.load import END, GROUP, Packet, load, make_packets, messages, write_schemas
from benchmarks.measure import machine
from simulators.services.stream import PARTITIONS
from tests.support.prefect_home import furnish
from tides_bridge.brokers import broker_of, stream_of
from tides_bridge.brokers.models import Message, Pull
from tides_bridge.database import Database, apply_schema, open_database
from tides_bridge.database.run_log import logged_run
from tides_bridge.decisions import batch as ingest
from tides_bridge.decisions import judging, record
from tides_bridge.resources import shipped
from tides_bridge.settings import Settings, load_settings

FUNCTIONS = ("tidesSNLSSTSelect", "tidesHostLSSTSelect", "tidesLasairLSST2026")
"""What every alert is judged by: the first chooses targets, the others are recorded."""
NEED = 1000
"""[alerts/s] Four times the mean rate of LSST (DMTN-028: 10 million a night)."""
PULL_SECONDS = "SELECT extract(epoch FROM ended_at - started_at) FROM run_log WHERE kind = 'pull'"
SAMPLE_SECONDS = 0.5
SILENCE = 6
"""[s] After which the stream is at its end: the generator hears of the first commit only after some seconds."""


def main(arguments: list[str] | None = None) -> None:
    """Measure the parts, the old way and the bridge, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=30_000, help="through the bridge")
    parser.add_argument("--images", type=int, nargs="+", default=[0, 80_000], help="bytes of cut-outs of each size")
    parser.add_argument("--old", type=int, default=300, help="alerts of the old way")
    parser.add_argument("--parts", type=int, default=3000, help="alerts of which each part is measured")
    parser.add_argument("--prefect", help="address of the API of a server that runs; else each run starts one")
    parser.add_argument("--cluster", action="store_true", help="against a scheduler with 1, 2 and 4 workers as well")
    chosen = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user, where the bridge is root's
        for images in chosen.images:
            number = chosen.alerts if not images else chosen.alerts // 5
            parts = chosen.parts if not images else chosen.parts * 3 // 10
            compare(folder / str(images), number, images, parts, chosen)
        if chosen.cluster:
            for workers in (1, 2, 4):
                with scheduler(workers) as address:
                    where = folder / f"cluster{workers}"
                    found = through_the_bridge(where, chosen.alerts, 0, chosen.prefect, address=address)
                print(f"  a scheduler with {workers} workers {describe(found)}")


def compare(folder: Path, number: int, images: int, parts: int, chosen: argparse.Namespace) -> None:
    """Measure alerts of one size."""
    packets = make_packets(images)
    size = sum(len(packet.value) for packet in packets) / len(packets)
    print(f"alerts of {size / 1000:.0f} kB, {len(FUNCTIONS)} selection functions")
    before = the_old_way(packets, chosen.old)
    print(f"  one by one: fastavro, a DataFrame each, a row each {before:10,.0f}/s")
    for step, rate in steps(folder / "steps", packets, images, parts).items():
        print(f"  {step:51}{rate:10,.0f}/s {rate / before:10,.0f} x")
    found = through_the_bridge(folder / "bridge", number, images, chosen.prefect)
    print(f"  the bridge, two workers {describe(found)} {found['rate'] / before:10,.0f} x")
    if found["rate"] < NEED:
        print(f"  which is less than {NEED:,}/s: four times the mean rate of LSST")


def describe(found: dict[str, float]) -> str:
    """Word what came of a run of the bridge."""
    memory = f"memory in the third quarter {found['third']:,.0f} MB, in the last {found['last']:,.0f} MB"
    return f"{found['alerts']:,.0f} alerts in {found['seconds']:.1f} s, {memory} {found['rate']:10,.0f}/s"


# The parts, one after the other in this process


def steps(folder: Path, packets: list[Packet], images: int, number: int) -> dict[str, float]:
    """Give the rate of each step on one core [alerts/s]."""
    settings = settings_for(folder, "127.0.0.1:9092", "alerts")
    broker, found = broker_of(settings), dict[str, float]()
    read = [Message("alerts", 0, offset, value) for offset, value in enumerate(messages(packets, number))]
    schema = fastavro.parse_schema(json.loads(next(folder.rglob("*.avsc")).read_text()))
    bodies = [message.value[5:] for message in read[:200]]

    def timed(step: str, count: int, work: Any) -> Any:
        begun = time.perf_counter()
        result = work()
        found[step] = count / (time.perf_counter() - begun)
        return result

    timed("decoding to dicts, fastavro", 200, lambda: [_decoded(body, schema) for body in bodies])
    functions = record.load_functions(settings)
    judging.judge_messages(read[:50], settings, functions)  # what numba compiles is loaded
    decoded = timed("decoding to columns", number, lambda: broker.decode(read))
    assert len(decoded.alerts) == number, decoded.refused[:1]
    judged = timed("judging", number, lambda: judging.decide(decoded.alerts, decoded.curves, functions, {}, 0.0))
    batch = judging.batch_of(Pull(read, {}, is_last=True), [judged], [])
    with open_database(settings) as database:
        apply_schema(database)
        record.put_in_force(database, settings, functions)
        with logged_run(database, "pull", settings.broker_name) as run_id:
            timed("storing decisions and targets", number, lambda: _store(database, settings, batch, judged, run_id))
    found["consuming"] = _consuming(folder, images, number)
    order = ("consuming", "decoding to columns", "judging", "storing decisions and targets")
    whole = sum(1 / found[step] for step in order)
    result = {"decoding to dicts, fastavro": found["decoding to dicts, fastavro"]}
    return result | {f"{step}, {1 / found[step] / whole:.0%} of the time": found[step] for step in order}


def _decoded(body: bytes, schema: Any) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(body), schema, None)


def _store(database: Database, settings: Settings, batch: Any, judged: Any, run_id: int) -> None:
    with database.transaction("batch") as connection:
        ingest.create_transient_stage(connection, [judged])
        ingest.upsert_to_master(connection, settings)
        ingest.store_outcome(connection, batch, [judged], ingest.Budget(0, 0), settings, run_id)


def _consuming(folder: Path, images: int, number: int) -> float:
    """Consume messages that are there already."""
    with load(number, images) as (address, topic, generator):
        generator.poll(60)
        settings = settings_for(folder, address, topic)
        third = settings.broker.model_copy(update={"batch_size": number // 3})
        with stream_of(settings.model_copy(update={"broker": third})) as stream:
            begun = time.perf_counter()
            read = sum(len(stream.next_pull().messages) for _ in range(2))
            return read / (time.perf_counter() - begun)


# The old way


def the_old_way(packets: list[Packet], number: int) -> float:
    """Poll one by one, decode to dicts, make a DataFrame of each, evaluate each function, and store a row each."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, load(number) as (address, topic, generator):
        Path(name).chmod(0o755)
        schema = fastavro.parse_schema(json.loads(next(write_schemas(Path(name)).rglob("*.avsc")).read_text()))
        generator.poll(60)
        consumer = Consumer({"bootstrap.servers": address, "group.id": "old", "enable.auto.commit": False})
        topics = topic.split(",")
        consumer.assign([TopicPartition(topic, part, 0) for topic in topics for part in range(PARTITIONS)])
        settings = settings_for(Path(name), address, topic)
        with open_database(settings) as database, database.transaction() as connection:
            begun, done = time.perf_counter(), 0
            while done < number:
                message = consumer.poll(1.0)
                if message is None or message.error():
                    continue
                row = {"object_id": str(done), "passed": _judged_by_frames(message.value(), schema)}
                pd.DataFrame([row]).to_sql("old_decision", connection, if_exists="append", index=False)
                done += 1
            seconds = time.perf_counter() - begun
        consumer.close()
    return number / seconds


def _judged_by_frames(value: bytes, schema: Any) -> bool:
    alert = _decoded(value[5:], schema)
    sources = pd.json_normalize([alert["diaSource"], *(alert["prvDiaSources"] or [])])
    results = []
    for significance in (5, 5, 3):
        seen = sources[
            sources["band"].isin(list("griz")) & (sources["psfFlux"] / sources["psfFluxErr"] >= significance)
        ]
        nights = (seen["midpointMjdTai"] - 0.5).astype(int).nunique()
        results.append(seen["band"].nunique() >= 3 and nights >= 2 and bool((seen["psfFlux"] >= 3630.78).any()))
    return results[0]


# The bridge


def settings_for(folder: Path, address: str, topic: str, dask: str | None = None) -> Settings:
    """Write settings for a run, and give them."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    content = {
        "topic": topic,
        "groupID": GROUP,
        "now": END.isoformat(),
        "selectFunctionPath": str(shipped("selectionFunctions.yaml").resolve()),
        "selectFunction": FUNCTIONS[0],
        "shadowFunctions": list(FUNCTIONS[1:]),
        "broker": {
            "kind": "rubin",
            "bootstrapServers": address,
            "silence": f"{SILENCE} seconds",
            "schemas": str(write_schemas(folder / "schemas")),
        },
        "database": {"folder": str(folder / "postgresql")},
        "dask": {"address": dask} if dask else {"workers": 2, "threadsPerWorker": 1},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump({"benchmark": content}))
    return load_settings(None, folder / "settings.yaml")


def through_the_bridge(
    folder: Path, number: int, images: int, prefect: str | None, address: str | None = None
) -> dict[str, float]:
    """Let a run of the bridge consume a load; give its rate and its memory."""
    with load(number, images) as (kafka, topic, generator):
        settings = settings_for(folder, kafka, topic, address)
        with open_database(settings) as database:
            apply_schema(database)
            samples = _run(folder, generator, prefect)
            with database.transaction() as connection:
                one = connection.exec_driver_sql
                seconds = one(PULL_SECONDS).scalar_one()
                judged = one("SELECT count(*) FROM last_decision WHERE role = 'active'").scalar_one()
    if judged != number:
        raise SystemExit(f"{judged} of {number} alerts were judged: nothing is compared")
    seconds = float(seconds) - SILENCE  # at the end
    half, end = samples[len(samples) // 2 : len(samples) * 3 // 4], samples[len(samples) * 3 // 4 :]
    memory = {"third": max(half or samples), "last": max(end)}
    return {"alerts": number, "seconds": seconds, "rate": number / seconds, **memory}


def _run(folder: Path, generator: Any, prefect: str | None) -> list[float]:
    """Run the bridge to its end, and watch its memory [MB] while alerts come."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TIDES_"))}
    environment |= {
        "PREFECT_HOME": str(furnish(folder / "prefect")),
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    if prefect:
        environment["PREFECT_API_URL"] = prefect
    command = [sys.executable, "-m", "flows.cli", "run", "--settings", str(folder / "settings.yaml")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error_output: list[bytes] = []
    reader = threading.Thread(target=lambda: error_output.append(process.stderr.read() if process.stderr else b""))
    reader.start()
    samples = []
    while process.poll() is None:
        time.sleep(SAMPLE_SECONDS)
        if not generator.poll():
            samples.append(_memory(process.pid))
    reader.join()
    if process.returncode:
        raise SystemExit(f"the bridge failed: {error_output[0].decode()[-2000:]}")
    return samples or [float("nan")]


def _memory(pid: int) -> float:
    """Give the memory of a process and its children [MB], without what they share."""
    try:
        whole = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return sum(process.memory_full_info().uss for process in whole) / 2**20
    except psutil.NoSuchProcess:
        return float("nan")


@contextmanager
def scheduler(workers: int) -> Iterator[str]:
    """Start a scheduler of Dask with worker processes."""
    from flows.local_cluster import start_cluster

    os.environ |= {"PREFECT_LOGGING_LEVEL": "WARNING", "DO_NOT_TRACK": "1"}
    with start_cluster(workers, 1, processes=True, imports=["tasks.judge"]) as cluster:
        yield str(cluster.scheduler_address)


if __name__ == "__main__":
    main(sys.argv[1:])
