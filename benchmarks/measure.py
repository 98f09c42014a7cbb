"""What the benchmarks share: medians, memory, processes of their own, and light curves to judge."""

import ctypes
import gc
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from tides_bridge.lightcurves import LightCurves
from tides_bridge.selection import SelectionFunction

RUNS = 5

LIMIT = 1200
"""[s] No process of a benchmark takes longer, unless something is wrong."""

FUNCTION = SelectionFunction.parse(
    "D3.3.3 by strict rules",
    {"rules": "strict", "filters": ["g", "r", "i", "z"], "significance": 5, "minBands": 2, "minNights": 2}
    | {"magLimit": 19.5},
)
"""What is judged by; some six in ten of the light curves below pass."""

GOLDEN_ANGLE = 137.50776405003785
"""[deg] From one object to the next: they spread evenly, and none comes near another."""

P = ParamSpec("P")
R = TypeVar("R")


def machine() -> str:
    """Say where it is measured, and how busy it is: of two figures the one with less load is right."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def median_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Time some work, several times."""
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def in_a_child(work: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
    """Do some work in a fresh process: this one stays small, and the memory of one does not count for the next."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments, **options).result()


def added_mb(work: Callable[[], object]) -> float:
    """Give the memory that some work needs at most, beside what is held already [MB]."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free is given back, so that the work has to ask for its own
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status_mb("VmRSS")
    result = work()
    added = _status_mb("VmHWM") - before
    del result
    return added


def _status_mb(name: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def run(arguments: Sequence[str], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """
    Run Python with arguments; after `LIMIT` it is ended, with all its processes.

    It knows nothing of the Prefect that is set here: no benchmark may reach a server that is in use.

    Returns
    -------
    (seconds, MB)
        How long it took, and the most memory that it or one of its processes had.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as error_output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=inherited | (environment or {}),
            stdout=subprocess.DEVNULL,
            stderr=error_output,
            start_new_session=True,
        )
        watch = threading.Timer(LIMIT, os.killpg, (process.pid, signal.SIGKILL))
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        watch.cancel()
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            error_output.seek(0)
            raise SystemExit(f"exit code {process.returncode}: {error_output.read().decode()[-2000:]}")
    return seconds, used.ru_maxrss / 1024


def make_curves(objects: int, points: int, seed: int = 1) -> LightCurves:
    """Make light curves as columns: of every ten points three are limits, and one is a fading."""
    random = np.random.default_rng(seed)
    size = objects * points
    mjd = np.sort(random.uniform(61000, 61060, (objects, points)), axis=1).ravel()
    return LightCurves.from_magnitudes(
        [f"ZTF26{number:08d}" for number in range(objects)],
        np.repeat(np.arange(objects), points),
        mjd,
        random.integers(1, 3, size).astype(np.int8),
        random.uniform(19.3, 21.5, size),
        random.uniform(0.02, 0.4, size),
        is_detection=random.random(size) < 0.7,
        is_positive=random.random(size) < 0.9,
    )


def make_answers(objects: int, points: int = 34, seed: int = 1) -> list[dict[str, Any]]:
    """
    Make light curves of the shape, fields and precision that Lasair's API answers.

    Half are limits, as of ZTF, and these come last.
    """
    random = np.random.default_rng(seed)
    half = (points + 1) // 2
    return [
        {
            "objectId": f"ZTF26{number:08d}",
            "candidates": [*_detections(random, half), *_limits(random, points - half)],
            "forcedphot": [],
        }
        for number in range(objects)
    ]


def _detections(random: np.random.Generator, number: int) -> Iterator[dict[str, Any]]:
    names = ("candid", "jd", "ra", "dec", "fid", "nid", "magpsf", "sigmapsf", "magnr", "sigmagnr", "magzpsci")
    nights = random.integers(3000, 3060, number)
    columns = (
        random.integers(10**18, 2 * 10**18, number),
        (2461000.5 + nights + random.random(number)).round(7),
        random.uniform(0, 360, number).round(7),
        random.uniform(-30, 80, number).round(7),
        random.integers(1, 3, number),
        nights,
        random.uniform(19.2, 21.5, number).round(6),
        random.uniform(0.02, 0.4, number).round(7),
        random.uniform(17, 22, number).round(3),
        random.uniform(0.01, 0.2, number).round(3),
        random.uniform(26, 27, number).round(4),
    )
    reliabilities, signs = random.random(number).round(6).tolist(), (random.random(number) < 0.9).tolist()
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for row, drb, sign in zip(rows, reliabilities, signs, strict=True):
        unmatched = {"isdiffpos": "t" if sign else "f", "ssdistnr": -999.0, "ssnamenr": "null"}
        yield dict(zip(names, row, strict=True)) | unmatched | {"drb": drb}


def _limits(random: np.random.Generator, number: int) -> Iterator[dict[str, Any]]:
    jd = random.uniform(2464000.5, 2464060.5, number).round(7).tolist()
    fid, limit = random.integers(1, 3, number).tolist(), random.uniform(19, 21, number).round(4).tolist()
    for values in zip(jd, fid, limit, strict=True):
        yield dict(zip(("jd", "fid", "diffmaglim"), values, strict=True))


def as_text(answers: list[dict[str, Any]], objects: int) -> list[bytes]:
    """Write answers of so many objects each."""
    starts = range(0, len(answers), objects)
    return [json.dumps(answers[start : start + objects], separators=(",", ":")).encode() for start in starts]


def agree(*sides: Iterable[Iterable[float]]) -> None:
    """
    Check that several sides say the same of each object, epochs to a tenth of a second.

    Raises
    ------
    SystemExit
        If they do not: then nothing is worth comparing.
    """
    first, *others = (np.array([list(map(float, values)) for values in side]) for side in sides)
    for other in others:
        if first.shape != other.shape or not np.allclose(first, other, rtol=0, atol=1e-6, equal_nan=True):
            raise SystemExit("the sides disagree: nothing is compared")
