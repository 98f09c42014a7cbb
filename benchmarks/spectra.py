"""What it takes to take in a night of spectra: reading the files, keeping what they say, finding their targets."""

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks.exchange import MAKE_TARGETS
from benchmarks.measure import GOLDEN_ANGLE, machine
from benchmarks.rulings import MAKE_OBJECTS, timed
from simulators.spectra.mec_files import Fibre, MecFile, write_mec
from tides_bridge.database import Database, apply_schema, embedded, open_database
from tides_bridge.settings import Settings
from tides_bridge.targets.spectra.deliveries import take_in_deliveries
from tides_bridge.targets.spectra.settling import Settled, settle_spectra

INGEST = "UPDATE tides_master SET ostd_u_obj_id = tides_id + 9007199254740992, pk_4most = tides_id"

FIBRES = 800
"""Of a file, as of a spectrograph of 4MOST."""


def main(arguments: list[str] | None = None) -> None:
    """Write files of a night for targets of a database of its own, and print what taking them in takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=100_000)
    parser.add_argument("--targets", type=int, default=300_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user for root
        print(machine())
        measure(Path(folder), chosen.spectra, max(chosen.spectra, chosen.targets))


def measure(folder: Path, spectra: int, targets: int) -> None:
    """Print what each step takes."""
    settings = Settings(
        topic="t", groupID="g", selectFunction="f", now="2025-11-21T00:00:00Z",
        database={"host": "embedded", "folder": str(folder / "postgresql")},
        targets={"deactivateAfter": timedelta(days=50)},
    )  # fmt: skip
    deliveries = folder / "deliveries"
    with embedded.acquire_server(folder / "postgresql", durable=False), open_database(settings) as database:
        apply_schema(database)
        fill(database, targets)
        write_night(deliveries, spectra)
        print(f"{spectra:,} spectra of {targets:,} targets, in files of {FIBRES}")
        settled: list[Settled] = []
        read = timed(lambda: take_in_deliveries(database, settings, [deliveries]))
        found = timed(lambda: settled.append(settle_spectra(database, settings)))
        again = timed(lambda: take_in_deliveries(database, settings, [deliveries]))
        nothing = timed(lambda: settled.append(settle_spectra(database, settings)))
    if [*settled[0], *settled[1]] != [spectra, (spectra + 1) // 2, 0, 0]:
        sys.exit(f"of {spectra} spectra {settled[0]} were settled, and then {settled[1]}")
    for name, took in (("reading and keeping", read), ("finding their targets", found)):
        print(f"{name:28} {took:8.2f} s {spectra / took:10,.0f}/s")
    print(f"{'the whole night':28} {read + found:8.2f} s {spectra / (read + found):10,.0f}/s")
    print(f"{'the same again':28} {again + nothing:8.2f} s {spectra / (again + nothing):10,.0f}/s")


def fill(database: Database, targets: int) -> None:
    """Make targets that 4MOST has ingested."""
    with database.transaction() as connection:
        for statement in (MAKE_TARGETS, MAKE_OBJECTS):
            connection.exec_driver_sql(statement, {"targets": targets, "angle": GOLDEN_ANGLE})
        connection.exec_driver_sql(INGEST)
    with database.without_transaction() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def write_night(folder: Path, spectra: int) -> None:
    """Write the spectra of a night; every other one is good enough."""
    for number, first in enumerate(range(1, spectra + 1, FIBRES)):
        keys = range(first, min(first + FIBRES, spectra + 1))
        fibres = tuple(
            Fibre(2**53 + key, f"B{key}", key * GOLDEN_ANGLE % 360, key % 110000 / 1000 - 80, 1.0 + 9 * (key % 2), key)
            for key in keys
        )
        write_mec(MecFile(61000.1, 2280.0, number, fibres, pixels=4), folder / "20251121" / f"20251121_{number}.fits")


if __name__ == "__main__":
    main()
