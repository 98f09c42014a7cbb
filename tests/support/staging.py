"""Rows of `tides_stage` for tests, and the way into `tides_master`."""

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from tests.support.databases import rows_of
from tides_bridge.database import Database
from tides_bridge.decisions.batch import create_transient_stage, upsert_to_master
from tides_bridge.decisions.models import Judged
from tides_bridge.lightcurves.photometry import BANDS
from tides_bridge.settings import Settings

MAGNITUDES = ("latest_mag", "latest_mjd", "brightest_mag", "brightest_mjd")
"""What is kept of each band."""

TODAY = 61000.0
"""[d] MJD of the day that `at` takes for today."""


def at(settings: Settings, mjd: float = TODAY, **targets: Any) -> Settings:
    """Give settings whose clock stands at an epoch, with other rules for the life of targets."""
    now = datetime(1858, 11, 17, tzinfo=UTC) + timedelta(days=mjd)
    return settings.model_copy(update={"now": now, "targets": settings.targets.model_copy(update=targets)})


NAMELESS = "ZTF26aaaaaaa"
"""The object of a test that does not say which."""


def staged(object_id: str = NAMELESS, last_mjd: float = TODAY - 1, **columns: Any) -> dict[str, Any]:
    """
    Make one row of the stage; each object has a place of its own, at declination -20.25.

    A band is given as ``g=19.5``, its latest and brightest magnitude at the last detection, or as ``g=(latest
    magnitude, epoch, brightest magnitude, epoch)``.
    """
    row: dict[str, Any] = {
        "survey": "ztf",
        "object_id": object_id,
        "ra": place_of(columns.get("survey", "ztf"), object_id),
        "decl": -20.25,
        "first_detection_mjd": last_mjd - 10,
        "last_detection_mjd": last_mjd,
        "n_detections": 5,
        "sherlock_class": "SN",
        "selection_function": "tidesSNZTFSelect",
        "scatter_arcsec": 0.1,
        "passes": True,
    }
    for band in BANDS:
        given = columns.pop(band, None)
        values = given if isinstance(given, tuple) else (given, last_mjd, given, last_mjd)
        names = [f"{band}_{of}" for of in MAGNITUDES]
        row |= dict(zip(names, values if given is not None else (None,) * 4, strict=True))
    assert columns.keys() <= row.keys(), columns
    return row | columns


def place_of(survey: str, object_id: str) -> float:
    """Give the right ascension [deg] of an object: far from those of others, and 10.5 for the one without a name."""
    if object_id == NAMELESS:
        return 10.5
    return zlib.crc32(f"{survey} {object_id}".encode()) / 2**32 * 360


def judged(*rows: dict[str, Any]) -> Judged:
    """Make the outcome of a chunk whose objects all passed."""
    return Judged({row["object_id"]: True for row in rows}, pd.DataFrame(list(rows)), {}, calls=1)


def store(database: Database, settings: Settings, *rows: dict[str, Any]) -> tuple[int, int]:
    """Stage and upsert a batch; give the numbers of rows inserted and updated."""
    with database.transaction() as connection:
        create_transient_stage(connection, [judged(*rows)] if rows else [], settings.time())
        return upsert_to_master(connection, settings)


def master(database: Database, object_id: str = NAMELESS) -> dict[str, Any]:
    """Give the row of an object's target, with the magnitudes of that object."""
    statement = (
        "SELECT tides_master.* FROM association INNER JOIN tides_master USING (tides_id) "
        "WHERE association.object_id = %(object_id)s"
    )
    bright = rows_of(database, f"SELECT * FROM object_brightness WHERE object_id = '{object_id}'")
    known = {row["band"]: row for row in bright}
    magnitudes = {f"{band}_{name}": known.get(band, {}).get(name) for band in BANDS for name in MAGNITUDES}
    with database.transaction() as connection:
        result = connection.exec_driver_sql(statement, {"object_id": object_id}).mappings()
        return dict(result.one()) | magnitudes


def all_of(database: Database, *columns: str) -> list[tuple[Any, ...]]:
    """Give some columns of all targets, in the order of their names."""
    rows = rows_of(database, f"SELECT {', '.join(columns)} FROM tides_master ORDER BY object_id")
    return [tuple(row.values()) for row in rows]
