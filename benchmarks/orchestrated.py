"""Through Prefect and Dask: one task an object, as D3.3.4 had it, against the flow "TiDES select"."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.archive import POINTS, decide, make_table, read_decisions, select_command, write_functions
from benchmarks.measure import (
    FUNCTION,
    agree,
    as_text,
    in_a_child,
    machine,
    make_answers,
    make_curves,
    median_seconds,
    run,
)
from tests.support.prefect_home import furnish

FLOW = "from flows.select_files import select_from_files as f; f([{path!r}], {name!r}, {functions!r}, {output!r})"

DIFFERENT = 5000
"""Answers that are made; more are these again, with names of their own."""

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # a busy machine is normal
    "PYTHONPATH": str(Path(__file__).parents[1]),
}


def main(arguments: list[str] | None = None) -> None:
    """Run all in processes of their own, with a temporary Prefect of their own, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--tasks", type=int, default=100, help="objects of the baseline")
    parser.add_argument("--files", nargs="+", choices=FILES, default=[*FILES], help="what light curves come in")
    parser.add_argument("--prefect", help="address of the API of a server that runs; else each flow starts one")
    chosen = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-") as name:
        folder = Path(name)
        environment = {**ENVIRONMENT, "PREFECT_HOME": str(furnish(folder / "prefect"))}
        if chosen.prefect:
            environment["PREFECT_API_URL"] = chosen.prefect
        old, decisions = one_task_an_object(folder, chosen.tasks, environment)
        rate = in_a_child(columns_per_second, chosen.objects)
        print(f"one Prefect task an object, start-up not counted {old:10,.1f}/s")
        print(f"columns, one core                                {rate:10,.0f}/s {rate / old:10,.0f} x")
        both = min(chosen.tasks, chosen.objects, DIFFERENT)
        for file in chosen.files:
            in_a_child(FILES[file], folder / file, chosen.objects)
            found = compare(folder, file, chosen.objects, old, environment)
            if file == ANSWERS:  # of the same light curves as the old way's
                agree(decisions[:both], found[:both])


def compare(folder: Path, file: str, objects: int, old: float, environment: dict[str, str]) -> list[tuple[bool, float]]:
    """Judge a file in one process, in two, and through the flow; all must write the same. Gives what was decided."""
    path, functions = folder / file, write_functions(folder)
    outputs = [folder / f"{file}.{number}.csv" for number in range(3)]
    flow = FLOW.format(path=str(path), name=FUNCTION.name, functions=str(functions), output=str(outputs[2]))
    ways = {
        "one process": select_command(path, functions, outputs[0]),
        "two Dask workers": [*select_command(path, functions, outputs[1]), "--workers", "2"],
        "the flow, two workers": ["-c", flow],
    }
    used = {what: run(command, environment) for what, command in ways.items()}
    if len({output.read_bytes() for output in outputs}) != 1:
        raise SystemExit("they disagree: nothing is compared")
    print(f"{objects:,} light curves in {file}, start-up counted; memory of the largest process")
    for what, (seconds, peak) in used.items():
        rate = objects / seconds
        print(f"  {what:30}{seconds:6.1f} s {rate:12,.0f}/s {rate / old:10,.0f} x {peak:8,.0f} MB")
    return read_decisions(outputs[0])


def columns_per_second(objects: int) -> float:
    """Judge columns in this process."""
    curves = make_curves(objects, POINTS)
    decide(curves.part(0, 100))  # what numba compiles is loaded
    return objects / median_seconds(lambda: decide(curves))


def make_lines(file: Path, objects: int) -> None:
    """Write light curves as Lasair answers them, one a line."""
    texts = [text[1:-1].decode() for text in as_text(make_answers(min(objects, DIFFERENT), POINTS), 1)]
    with file.open("w") as lines:
        for number in range(objects):
            text = texts[number % DIFFERENT]
            lines.write(text.replace(f"ZTF26{number % DIFFERENT:08d}", f"ZTF26{number:08d}", 1) + "\n")


# The old way


def one_task_an_object(
    folder: Path, objects: int, environment: dict[str, str]
) -> tuple[float, list[tuple[bool, float]]]:
    """Judge some objects the old way in a process of its own: how many a second, and what was decided."""
    answer = folder / "old.json"
    run(["-c", f"from benchmarks.orchestrated import old_way as f; f({objects}, {str(answer)!r})"], environment)
    seconds, decisions = json.loads(answer.read_text())
    return objects / seconds, decisions


def old_way(objects: int, answer: str) -> None:
    """Judge each object in a Prefect task of its own on Dask; write the time it took and what was decided."""
    from prefect import flow, task
    from prefect_dask.task_runners import DaskTaskRunner

    from benchmarks import frames

    local = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    workers: Any = DaskTaskRunner(cluster_kwargs={**local, "worker_dashboard_address": "127.0.0.1:0"})
    judge_one = task(frames.decide)

    @flow(task_runner=workers)
    def judge_all() -> tuple[float, list[tuple[bool, float]]]:
        # Made here: with every task Prefect sends what its flow was given.
        curves = [entry["candidates"] for entry in make_answers(objects, POINTS)]
        begun = time.perf_counter()
        futures = [judge_one.submit(candidates) for candidates in curves]
        decisions = [future.result() for future in futures]
        return time.perf_counter() - begun, decisions

    Path(answer).write_text(json.dumps(judge_all()))


ANSWERS = "answers.jsonl"
FILES = {"rows.parquet": make_table, ANSWERS: make_lines}
"""What makes each file of light curves."""


if __name__ == "__main__":
    main(sys.argv[1:])
