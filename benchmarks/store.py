"""Rows stored a second: COPY and INSERT … ON CONFLICT against to_sql and MERGE, as D3.3.4 had it."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from benchmarks.measure import GOLDEN_ANGLE, agree, machine
from tides_bridge.database import apply_schema, embedded, open_database
from tides_bridge.decisions import batch as ingest
from tides_bridge.decisions.models import Judged
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.lightcurves.summaries import OF_BAND
from tides_bridge.settings import Settings

MERGE = """
MERGE INTO old_master USING old_stage ON old_master.object_id = old_stage.object_id
WHEN MATCHED THEN UPDATE SET ra = old_stage.ra, decl = old_stage.decl, r_latest_mag = old_stage.r_latest_mag,
    last_detection_mjd = old_stage.last_detection_mjd, n_detections = old_stage.n_detections
WHEN NOT MATCHED THEN INSERT (object_id, ra, decl, r_latest_mag, last_detection_mjd, n_detections)
    VALUES (object_id, ra, decl, r_latest_mag, last_detection_mjd, n_detections)
"""

SUMMARY = "SELECT count(*), sum(n_detections), min(last_detection_mjd), max(last_detection_mjd) FROM {table}"
"""What both tables must have in common."""


def make_targets(first: int, number: int, mjd: float) -> pd.DataFrame:
    """Make rows with the columns of `tides_stage`, at places too far from each other to be one object."""
    random = np.random.default_rng(first)
    frame = pd.DataFrame({"object_id": [f"ZTF26{i:09d}" for i in range(first, first + number)]})
    frame["survey"], frame["sherlock_class"], frame["selection_function"] = "ztf", "SN", "benchmark"
    places = np.arange(first, first + number)
    frame["ra"], frame["decl"] = places * GOLDEN_ANGLE % 360, places % 110_000 / 1000 - 80
    frame["first_detection_mjd"], frame["last_detection_mjd"], frame["n_detections"] = mjd - 10, mjd, 12
    frame["passes"], frame["scatter_arcsec"] = True, 0.1
    for column in (f"{band}_{name}" for band in BANDS for name in OF_BAND):
        is_epoch, is_count = column.endswith("mjd"), column.endswith("n_detections")
        frame[column] = mjd if is_epoch else 3 if is_count else random.uniform(18, 22, number)
    return frame


def store(connection: Connection, frame: pd.DataFrame, settings: Settings) -> float:
    """Store as the bridge does [s]."""
    begun = time.perf_counter()
    ingest.create_transient_stage(connection, [Judged({}, frame, {})])
    ingest.upsert_to_master(connection, settings)
    return time.perf_counter() - begun


def store_as_d334(connection: Connection, frame: pd.DataFrame) -> float:
    """Store as D3.3.4 did [s]."""
    begun = time.perf_counter()
    frame.to_sql("old_stage", connection, if_exists="replace", index=False)
    connection.exec_driver_sql(MERGE)
    return time.perf_counter() - begun


def main(arguments: list[str] | None = None) -> None:
    """Compare the two in a folder of their own, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=20_000, help="rows of the batch, half of them known")
    parser.add_argument("--known", type=int, default=100_000, help="rows in the table before")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user for root
        theirs, ours = compare(Path(folder), chosen.known, chosen.objects)
    print(machine())
    print(f"{chosen.objects:,} rows into {chosen.known:,}, half of them known")
    print(f"to_sql and MERGE            {chosen.objects / theirs:10,.0f}/s")
    print(f"COPY and ON CONFLICT        {chosen.objects / ours:10,.0f}/s   {theirs / ours:.1f} x")


def compare(root: Path, known: int, objects: int) -> tuple[float, float]:
    """Fill both tables and store one more batch in both [s], as D3.3.4 did and as the bridge does."""
    before, batch = make_targets(0, known, 61000.0), make_targets(known - objects // 2, objects, 61001.0)
    database = {"folder": str(root / "postgresql")}
    settings = Settings(topic="none", groupID="none", selectFunction="none", database=database)
    with embedded.acquire_server(root / "postgresql"), open_database(settings) as opened:
        apply_schema(opened)
        with opened.transaction() as connection:
            store(connection, before, settings)
            before.to_sql("old_master", connection, index=False)
        with opened.transaction() as connection:
            theirs = store_as_d334(connection, batch)
        with opened.transaction() as connection:
            ours = store(connection, batch, settings)
        with opened.transaction() as connection:
            agree(
                *(connection.exec_driver_sql(SUMMARY.format(table=table)) for table in ("old_master", "tides_master"))
            )
    return theirs, ours


if __name__ == "__main__":
    main(sys.argv[1:])
