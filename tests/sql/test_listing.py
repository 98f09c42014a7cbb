"""The list of targets and the catalogue for 4FS, from the database to files."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table

from simulators.fourmost.columns import BY_NAME, problem
from tests.sql.test_together import ALONE, seen, take
from tests.support.answers import ztf_settings
from tests.support.databases import rows_of
from tests.support.exchanges import EVERYTHING
from tides_bridge.database import Database, run
from tides_bridge.errors import SettingsError
from tides_bridge.formats.output.meanings import meaning_of
from tides_bridge.formats.output.table_files import write_table
from tides_bridge.fourmost.catalogue import CATALOGUE_COLUMNS, catalogue_of, find_catalogue
from tides_bridge.settings import Settings
from tides_bridge.targets.filters import find_filtered
from tides_bridge.targets.listing import TARGET_COLUMNS, describe_targets

SETTINGS = ztf_settings(fourmost={"magType": "ZTF_r_AB"})

TWO_BANDS = ((61000.0, "g", 19.0), (61001.0, "r", 19.5))


@pytest.fixture
def two(database: Database, settings: Settings) -> Database:
    take(database, settings, [seen("a", *TWO_BANDS), seen("b", *TWO_BANDS, east=100)], functions=[ALONE])
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE tides_master SET active = TRUE, inactive_reason = NULL")
    names = [row["object_id"] for row in rows_of(database, "SELECT object_id FROM tides_master ORDER BY tides_id")]
    assert names == ["a", "b"]
    return database


def listed(database: Database, settings: Settings, *conditions: str) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        ids = [row["tides_id"] for row in find_filtered(connection, settings, conditions)] if conditions else None
        return describe_targets(connection, ids).to_pylist()


def test_what_is_listed(two: Database, settings: Settings) -> None:
    first, second = listed(two, settings)
    assert list(first) == [name for name, _, _ in TARGET_COLUMNS]
    assert (first["object_id"], first["objects"], first["state"]) == ("a", "ztf a", "active")
    assert (first["mag"], first["mag_band"], first["mag_mjd"]) == (19.5, "ztf r", 61001.0)
    assert (first["first_detection_mjd"], first["last_detection_mjd"]) == (61000.0, 61001.0)
    assert second["ra"] > first["ra"] and second["pk_4most"] is None


def test_the_filters_of_rulings(two: Database, settings: Settings) -> None:
    assert [row["object_id"] for row in listed(two, settings, "name=b")] == ["b"]
    assert listed(two, settings, "state=veto") == []
    first, _ = listed(two, settings)
    place = f"sky={first['ra']},{first['dec']},5"
    assert [row["object_id"] for row in listed(two, settings, place, "state=active")] == ["a"]
    with pytest.raises(SettingsError, match="is no condition"):
        listed(two, settings, "colour=red")


@pytest.mark.parametrize(("ending", "form"), [(".fits", "fits"), (".vot", "votable"), (".ecsv", "ascii.ecsv")])
def test_the_list_as_a_file_with_units(
    two: Database, settings: Settings, tmp_path: Path, ending: str, form: str
) -> None:
    with two.transaction() as connection:
        table = describe_targets(connection, None)
    assert all(meaning_of(field).description and meaning_of(field).ucd for field in table.schema)
    path = tmp_path / f"targets{ending}"
    write_table(table, path)
    again = Table.read(path, format=form)
    assert [str(name) for name in again["object_id"]] == ["a", "b"]
    assert (str(again["ra"].unit), str(again["mag"].unit)) == ("deg", "mag")
    assert again["pk_4most"].mask.all() and str(again["created_at"][0]).endswith("Z")


def test_the_list_as_json(two: Database, settings: Settings, tmp_path: Path) -> None:
    with two.transaction() as connection:
        write_table(describe_targets(connection, None), tmp_path / "t.json")
    rows = json.loads((tmp_path / "t.json").read_text())
    assert [row["object_id"] for row in rows] == ["a", "b"] and rows[0]["pk_4most"] is None


def test_the_catalogue_is_what_the_api_would_take(two: Database, settings: Settings) -> None:
    with two.transaction() as connection:
        catalogue = find_catalogue(connection, SETTINGS)
        assert catalogue.left_out == {}
        (_, second) = describe_targets(connection, None)["tides_id"].to_pylist()
        assert find_catalogue(connection, SETTINGS, [second]).table["NAME"].to_pylist() == [
            catalogue.table["NAME"].to_pylist()[1]
        ]
    assert len(catalogue.table) == 2
    for row in catalogue.table.to_pylist():
        for name, value in row.items():
            column = BY_NAME[name.lower()]
            assert value == column.default or problem(column, value) == ""
    assert set(catalogue.table["MAG"].to_pylist()) == {19.5}


def test_what_the_format_forbids_is_left_out_by_name(two: Database, settings: Settings) -> None:
    with two.transaction() as connection:
        rows = run(connection, "fourmost/list_targets.sql", EVERYTHING)
    rows[0]["decl"] = 65.0
    catalogue = catalogue_of(rows, SETTINGS)
    ((name, reason),) = catalogue.left_out.items()
    assert name == rows[0]["name"]
    assert reason.startswith("dec: 65.0 is outside")
    assert catalogue.table["NAME"].to_pylist() == [rows[1]["name"]]


def test_the_columns_are_those_of_the_real_catalogue(shared_data: Path, two: Database, settings: Settings) -> None:
    with (shared_data / "fourmost" / "catalogue_complete.csv").open(newline="") as stream:
        header, first, *_ = csv.reader(stream)
    assert [name for name, _, _ in CATALOGUE_COLUMNS] == header
    with two.transaction() as connection:
        row = find_catalogue(connection, SETTINGS).table.to_pylist()[0]
    for name, text in zip(header, first, strict=True):
        type(row[name])(text)  # the real value is of the same type
