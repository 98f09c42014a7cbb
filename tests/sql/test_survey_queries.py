"""What the survey's spectrum pipeline, tides_pipe, asks our database, in its own words."""

import pytest

from tests.support.databases import rows_of
from tests.support.spectra import PLACES, UID, add_ingested
from tides_bridge.database import Database

ASKED = "SELECT tides_id, name, ra, dec, pk_4most, ostd_targ_id, ostd_u_obj_id FROM tides_master WHERE "


@pytest.mark.parametrize(
    "condition",
    [
        f"ostd_u_obj_id = {UID + 1}",
        "ostd_targ_id = 71",
        "pk_4most = 8",
        "name = 'aab'",
        "abs(dec - -21.0001) < 1.0 / 3600 AND abs(ra - 11.0001) * cos(radians(dec)) < 1.0 / 3600",
    ],
)
def test_the_pipeline_finds_the_target_of_a_spectrum(database: Database, condition: str) -> None:
    add_ingested(database)
    rows = rows_of(database, ASKED + condition)
    ra, dec = PLACES["aab"]
    named = {"name": "aab", "ra": ra, "dec": dec, "pk_4most": 8, "ostd_targ_id": 71, "ostd_u_obj_id": UID + 1}
    assert [{key: value for key, value in row.items() if key != "tides_id"} for row in rows] == [named]


def test_dec_follows_the_declination_and_an_update_without_change_stays_none(database: Database) -> None:
    add_ingested(database)
    written = "SELECT dec, updated_at, xmin::text FROM tides_master WHERE name = '{}'"
    before = rows_of(database, written.format("aaa"))
    rows_of(database, "UPDATE tides_master SET decl = decl WHERE name = 'aaa' RETURNING 1")
    assert rows_of(database, written.format("aaa")) == before
    rows_of(database, "UPDATE tides_master SET decl = 5 WHERE name = 'aab' RETURNING 1")
    assert rows_of(database, written.format("aab"))[0]["dec"] == 5
