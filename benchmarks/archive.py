"""`tides select` on Parquet of more and more objects: time, and memory, which does not grow with them."""

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import FUNCTION, agree, in_a_child, machine, make_curves, run
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.selection import judge

POINTS = 30

PART = 20_000
"""Objects a row group."""

KEPT = 1000
"""Objects that are judged here, too, to compare."""


def main(arguments: list[str] | None = None) -> None:
    """Write tables, judge them, and print time and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000, help="of the largest table")
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-") as name:
        folder = Path(name)
        functions = write_functions(folder)
        for number in sorted({min(10**power, chosen.objects) for power in (4, 5, 6)}):
            table, output = folder / "rows.parquet", folder / "decisions.csv"
            # Not here: a process that is started begins with the memory of this one as its peak.
            expected = in_a_child(make_table, table, number)
            command = select_command(table, functions, output)
            seconds, peak = run([*command, "--workers", str(chosen.workers)])
            decisions = read_decisions(output)
            if len(decisions) != number:
                raise SystemExit(f"{len(decisions)} of {number} were judged")
            agree(expected, decisions[: len(expected)])
            print(f"{number:10,} objects {seconds:7.1f} s with start-up {number / seconds:10,.0f}/s {peak:8,.0f} MB")


def make_table(file: Path, objects: int) -> list[tuple[bool, float]]:
    """Write light curves a row a point, in row groups of whole objects; decide the first ones."""
    writer, decisions = None, []
    for seed, start in enumerate(range(0, objects, PART)):
        curves = make_curves(min(PART, objects - start), POINTS, seed)
        table = _table_of(curves, start)
        if writer is None:
            writer, decisions = pq.ParquetWriter(file, table.schema), decide(curves.part(0, KEPT))
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return decisions


def _table_of(curves: LightCurves, start: int) -> pa.Table:
    """Make a table with a row a point; what is no detection, or a fading, becomes noise of 1 +- 1000 nJy."""
    counts = curves.is_detection & curves.is_positive
    # Of no survey, so that nights are as `make_curves` has them.
    names = np.array([f"sn{start + number:08d}" for number in range(len(curves))])
    columns = {
        "objectId": names[curves.object_index],
        "mjd": curves.mjd,
        "band": np.array(BANDS)[curves.band],
        "flux": np.where(counts, curves.flux, 1.0),
        "fluxerr": np.where(counts, curves.flux_error, 1000.0),
    }
    return pa.table(columns)


def decide(curves: LightCurves) -> list[tuple[bool, float]]:
    """Decide at once."""
    (verdicts,) = judge(curves, [FUNCTION])
    return list(zip(verdicts.passed.tolist(), verdicts.trigger_mjd.tolist(), strict=True))


def write_functions(folder: Path) -> Path:
    """Write the file of what is judged by."""
    file = folder / "functions.yaml"
    file.write_text(json.dumps({FUNCTION.name: dict(FUNCTION.keys)}))
    return file


def select_command(path: Path, functions: Path, output: Path) -> list[str]:
    """Give the arguments of Python for `tides select`."""
    return [
        *("-m", "flows.cli", "select", str(path), "--function", FUNCTION.name),
        *("--functions", str(functions), "--output", str(output)),
    ]


def read_decisions(file: Path) -> list[tuple[bool, float]]:
    """Read what was decided, in the order of the file."""
    with file.open() as lines:
        return [(row["passed"] == "true", float(row["trigger_mjd"] or "nan")) for row in csv.DictReader(lines)]


if __name__ == "__main__":
    main(sys.argv[1:])
