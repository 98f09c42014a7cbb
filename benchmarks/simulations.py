"""SNANA pairs and ELAsTiCC2's Parquet: from the file to light curves, against one table an object."""

import argparse
import gzip
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Table

from benchmarks.measure import machine
from tides_bridge.formats.files import work_units

POINTS = 60
"""Points of a light curve; of ELAsTiCC2's transients the mean is about that."""

BY_ONE = 300
"""Objects that the baseline reads."""


def main(arguments: list[str] | None = None) -> None:
    """Write the same objects in three forms, read them, and print objects a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=50_000)
    number = parser.parse_args(arguments).objects
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-") as name:
        folder = Path(name)
        head = write_pair(folder, number)
        rows = write_rows(folder / "rows.parquet", number)
        one = fluxes_by_one(head, BY_ONE)
        rate = report("one astropy table an object", lambda: len(fluxes_by_one(head, BY_ONE)), None)
        for what, path in (("HEAD and PHOT", head), ("ELAsTiCC2 Parquet", rows)):
            check(path, one)
            report(what, lambda path=path: read(path), rate)  # type: ignore[misc]
        packed = folder / "packed"
        packed.mkdir()
        for file in folder.glob("*.FITS"):
            with file.open("rb") as content, gzip.open(packed / f"{file.name}.gz", "wb", compresslevel=4) as into:
                shutil.copyfileobj(content, into)
        report("HEAD and PHOT, packed", lambda: read(packed / f"{head.name}.gz"), rate)
        size = sum(len(gzip.open(file).read()) for file in packed.iterdir())  # noqa: SIM115
        report(
            f"only unpacked twice, {2 * size / 1e6:,.0f} MB",
            lambda: [gzip.open(file).read() for file in packed.iterdir() for _ in range(2)] and number,  # noqa: SIM115
            rate,
        )


def report(what: str, work: Callable[[], int], baseline: float | None) -> float:
    """Do some work, and print how fast it was: objects a second of a processor."""
    work() if baseline else None  # what is compiled is compiled now
    started = time.process_time()
    rate = work() / (time.process_time() - started)
    print(f"{what:36} {rate:10,.0f}/s" + (f" {rate / baseline:8,.0f} x" if baseline else ""))
    return rate


def points(number: int) -> dict[str, npt.NDArray[Any]]:
    """Make the points of some objects, one after the other."""
    random = np.random.default_rng(1)
    size = number * POINTS
    return {
        "MJD": np.round(60000 + np.sort(random.uniform(0, 1000, (number, POINTS))).ravel(), 4),
        "BAND": random.choice(np.array([b"u", b"g", b"r", b"i", b"z", b"Y"], dtype="S2"), size),
        "PHOTFLAG": random.choice(np.array([0, 4096], dtype=np.int32), size),
        "FLUXCAL": random.normal(100, 50, size).astype(np.float32),
        "FLUXCALERR": random.uniform(1, 5, size).astype(np.float32),
    }


def write_pair(folder: Path, number: int) -> Path:
    """Write a HEAD and a PHOT file with all columns of ELAsTiCC2's points; gives the HEAD file."""
    columns = points(number)
    rows = number * (POINTS + 1)
    is_point = np.arange(rows) % (POINTS + 1) < POINTS
    phot: dict[str, npt.NDArray[Any]] = {"MJD": np.full(rows, -777.0), "BAND": np.full(rows, b"-", dtype="S2")}
    phot |= {"CCDNUM": np.zeros(rows, np.int16), "FIELD": np.full(rows, b"WFD", dtype="S12")}
    phot |= {"PHOTFLAG": np.zeros(rows, np.int32)}
    phot |= {name: np.zeros(rows, np.float32) for name in ("PHOTPROB", "FLUXCAL", "FLUXCALERR", "PSF_SIG1", "SKY_SIG")}
    phot |= {name: np.zeros(rows, np.float32) for name in ("RDNOISE", "ZEROPT", "ZEROPT_ERR", "GAIN", "SIM_MAGOBS")}
    for name, values in columns.items():
        phot[name][is_point] = values
    first = np.arange(number, dtype=np.int32) * (POINTS + 1) + 1
    ids = np.array([f"{value}" for value in range(1, number + 1)], dtype="S20")
    head = {"SNID": ids, "RA": np.zeros(number), "DEC": np.full(number, -30.0)}
    head |= {"NOBS": np.full(number, POINTS, np.int32), "PTROBS_MIN": first, "PTROBS_MAX": first + POINTS - 1}
    for what, table in (("HEAD", head), ("PHOT", phot)):
        primary = fits.PrimaryHDU()
        primary.header["SURVEY"], primary.header["PHOTFILE"] = "LSST", "bench_PHOT.FITS"
        unit = fits.BinTableHDU(np.rec.fromarrays(list(table.values()), names=list(table)))
        fits.HDUList([primary, unit]).writeto(folder / f"bench_{what}.FITS")
    return folder / "bench_HEAD.FITS"


def write_rows(path: Path, number: int) -> Path:
    """Write the same objects, one a row."""
    offsets = pa.array(np.arange(0, (number + 1) * POINTS, POINTS, dtype=np.int64))
    columns = points(number)
    text = pa.array(columns.pop("BAND").astype(str))
    lists = {name: pa.LargeListArray.from_arrays(offsets, pa.array(values)) for name, values in columns.items()}
    lists["BAND"] = pa.LargeListArray.from_arrays(offsets, text)
    table = pa.table({"SNID": np.arange(1, number + 1), "RA": np.zeros(number), "DEC": np.full(number, -30.0), **lists})
    pq.write_table(table, path, row_group_size=20_000)
    return path


def fluxes_by_one(head: Path, number: int) -> list[npt.NDArray[Any]]:
    """Read some objects as people do: both tables, and one table an object; gives its fluxes [nJy]."""
    objects = Table.read(head)[:number]
    found = []
    with fits.open(head.with_name("bench_PHOT.FITS"), memmap=True) as units:
        for row in objects:
            part = Table(units[1].data[row["PTROBS_MIN"] - 1 : row["PTROBS_MAX"]])
            frame = part.to_pandas()
            is_detected = (frame["PHOTFLAG"] & 4096) > 0
            frame["BAND"] = frame["BAND"].astype(str).str.strip()
            found.append(np.where(is_detected, frame["FLUXCAL"] * 10 ** ((31.4 - 27.5) / 2.5), np.nan))
    return found


def read(path: Path) -> int:
    """Read a file as `tides select` does, and count its objects."""
    units = work_units([path], refused=lambda file, problem: print(f"{file}: {problem}"))
    return sum(len(unit.read().curves) for unit in units)


def check(path: Path, fluxes: list[npt.NDArray[Any]]) -> None:
    """Make sure that both sides read the same."""
    (unit, *_) = work_units([path], objects_per_part=len(fluxes), refused=lambda file, problem: print(problem))
    curves = unit.read().curves
    order = np.argsort([int(name) for name in curves.object_ids])
    for number, expected in zip(order.tolist(), fluxes, strict=False):
        one = curves.part(number, number + 1)
        np.testing.assert_allclose(np.where(one.is_detection, one.flux, np.nan), expected, rtol=1e-6)


if __name__ == "__main__":
    main(sys.argv[1:])
