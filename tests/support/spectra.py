"""Targets that 4MOST has ingested, and deliveries of their spectra."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulators.spectra.mec_files import Fibre, MecFile, write_mec
from tests.support.databases import rows_of
from tests.support.exchanges import add
from tides_bridge.database import Database

UID = 2**53 + 1
"""Of the first target; as a float it is that of none."""
PLACES = {"aaa": (10.0, -20.0), "aab": (11.0, -21.0), "aac": (12.0, -22.0)}


def add_ingested(database: Database) -> None:
    """Put three active targets into tides_master, which 4MOST has ingested."""
    for number, (name, (ra, decl)) in enumerate(PLACES.items()):
        add(database, name, ra=ra, decl=decl, r_latest_mag=19.0)
        rows_of(
            database,
            f"UPDATE tides_master SET ostd_u_obj_id = {UID + number}, pk_4most = {7 + number}, "
            f"ostd_targ_id = {70 + number}, date_ingested = now() WHERE name = '{name}' RETURNING 1",
        )


def fibre(name: str, snr: float = 9.0, /, **changes: Any) -> Fibre:
    number = [*PLACES].index(name)
    return replace(Fibre(UID + number, name, *PLACES[name], snr, 100 + number), **changes)


def deliver(folder: Path, *fibres: Fibre, night: str = "20261129", name: str = "a", **changes: Any) -> Path:
    path = folder / night / f"{night}_{name}.fits"
    mjd = (datetime.strptime(night, "%Y%m%d").replace(tzinfo=UTC) - datetime(1858, 11, 17, tzinfo=UTC)).days + 1.1
    file = MecFile(mjd, 2280.0, 7, fibres, pixels=4)
    write_mec(replace(file, **changes), path)
    return path


def states(database: Database) -> dict[str, str]:
    rows = rows_of(database, "SELECT name, coalesce(inactive_reason, 'on') AS state FROM tides_master ORDER BY name")
    return {row["name"]: row["state"] for row in rows}
