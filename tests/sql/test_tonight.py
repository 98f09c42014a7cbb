"""How bright targets are expected: worked out once a night, and again after new points."""

from typing import Any

import pandas as pd
import pytest

from tests.support.databases import rows_of
from tests.support.staging import TODAY, at, staged, store
from tides_bridge.database import Database
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import pack_rows
from tides_bridge.settings import Settings
from tides_bridge.targets.curves import store_target_curves
from tides_bridge.targets.life import coming_night
from tides_bridge.targets.tonight import work_out_tonight

POINTS = [(0, TODAY - 6 + day, band, 20.0 - 0.1 * day, 0.05) for day in range(6) for band in (1, 2, 3)]
"""Of a rising object: day, band and magnitude."""


def keep(database: Database, settings: Settings, name: str, survey: str = "lsst", dim: float = 0.0, **row: Any) -> None:
    """Store a target with its light curve, as a batch does."""
    curve = LightCurves.from_magnitudes(
        [name],
        *([values[i] for values in POINTS] for i in range(3)),
        [values[3] + dim for values in POINTS],
        [values[4] for values in POINTS],
        is_detection=[True] * len(POINTS),
        is_positive=[True] * len(POINTS),
    )
    rows = staged(name, survey=survey, r=19.5 + dim, **row)
    store(database, settings, rows)
    frame = pd.DataFrame([rows]).assign(curve=pack_rows(curve.to_arrow(), [0]))
    with database.transaction() as connection:
        store_target_curves(connection, [frame], settings.now_mjd())


def worked_out(database: Database) -> dict[str, dict[str, Any]]:
    statement = "SELECT object_id, target_tonight.* FROM target_tonight INNER JOIN tides_master USING (tides_id)"
    return {row["object_id"]: row for row in rows_of(database, f"{statement} ORDER BY 1")}


def test_it_is_worked_out_once_a_night_and_after_new_points(database: Database, settings: Settings) -> None:
    settings = at(settings)
    keep(database, settings, "1")
    keep(database, settings, "a", survey="ztf", dim=0.5)
    assert work_out_tonight(database, settings) == 2
    found = worked_out(database)
    assert [row["system"] for row in found.values()] == ["LSST", "ZTF"]
    assert {row["at_mjd"] for row in found.values()} == {coming_night(TODAY)}
    for row in found.values():
        assert 18 < row["mags"][2] < 21.5 and row["errors"][2] > 0
    assert work_out_tonight(database, settings) == 0
    assert worked_out(database) == found
    keep(database, settings, "a", survey="ztf", dim=1.0)
    assert work_out_tonight(database, settings) == 1
    assert worked_out(database)["1"] == found["1"]
    assert worked_out(database)["a"]["mags"][2] > found["a"]["mags"][2]
    assert work_out_tonight(database, at(settings, TODAY + 1)) == 2


def test_a_target_without_a_light_curve_is_not_known(database: Database, settings: Settings) -> None:
    store(database, at(settings), staged("a", r=19.5), staged("b", last_mjd=TODAY - 30, r=19.5))
    assert work_out_tonight(database, at(settings)) == 1
    (row,) = worked_out(database).values()
    assert (row["is_known"], row["mags"]) == (False, [None] * 6)
    assert row["methods"][0] == "no prediction: no light curve is kept"


@pytest.mark.parametrize("column", ["has_spectrum = TRUE", "merged_into = 2, active = FALSE"])
def test_what_is_over_is_left_out(database: Database, settings: Settings, column: str) -> None:
    keep(database, at(settings), "1")
    keep(database, at(settings), "2")
    rows_of(database, f"UPDATE tides_master SET {column} WHERE tides_id = 1 RETURNING 1")
    assert work_out_tonight(database, at(settings)) == 1
    assert set(worked_out(database)) == {"2"}


def test_points_of_all_objects_of_a_target_count(database: Database, settings: Settings) -> None:
    keep(database, at(settings), "1", ra=50.0)
    keep(database, at(settings), "a", survey="ztf", dim=0.1, ra=50.0)
    assert len(rows_of(database, "SELECT 1 FROM tides_master")) == 1
    assert work_out_tonight(database, at(settings)) == 1
    assert [row["system"] for row in worked_out(database).values()] == ["LSST"]
