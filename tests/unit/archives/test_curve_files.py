"""Light curves written as tables, and read again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from typer.testing import CliRunner

from flows.cli import app
from tests.support import snana
from tests.unit.formats.test_files import digests, read
from tests.unit.formats.test_snana import check
from tides_bridge.archives.curve_files import CURVE_SCHEMA, table_of_curves
from tides_bridge.formats.output.meanings import meaning_of
from tides_bridge.formats.output.table_files import write_table
from tides_bridge.lightcurves import Objects

ENDINGS = {".csv": "ascii.csv", ".parquet": "parquet", ".fits": "fits", ".vot": "votable", ".ecsv": "ascii.ecsv"}


@pytest.mark.parametrize("ending", [".fits", ".vot", ".ecsv", ".csv", ".parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, ending: str) -> None:
    curves, _ = read(snana.write_pair(tmp_path))
    write_table(table_of_curves(curves), tmp_path / f"curves{ending}")
    again, told = read(tmp_path / f"curves{ending}")
    assert told == []
    check(again)
    places = ("ra", "decl")  # a point without gets that of its object
    assert digests(again, without=places) == digests(curves, without=places)


@pytest.mark.parametrize("ending", [".fits", ".vot", ".ecsv", ".csv", ".parquet"])
def test_what_is_known_of_an_object_is_written_too(tmp_path: Path, ending: str) -> None:
    """Criteria ask for it: converted, objects passed that the alerts themselves did not let pass."""
    curves, _ = read(snana.write_pair(tmp_path))
    facts = {"solar_system": [0.0, 1.0], "point_source": [1.0, np.nan], "known_variable": [np.nan, 0.0]}
    facts |= {"first_seen": [58000.25, np.nan]}
    known = Objects.of(2, ra=curves.objects.ra, decl=curves.objects.decl, sherlock_class=["SN", None], **facts)
    write_table(table_of_curves(replace(curves, objects=known)), tmp_path / f"curves{ending}")
    again, told = read(tmp_path / f"curves{ending}")
    assert told == [] and again.object_ids == curves.object_ids
    for name, values in facts.items():
        np.testing.assert_equal(getattr(again.objects, name), values)
    assert again.objects.sherlock_class.tolist() == ["SN", None]


@pytest.mark.parametrize("ending", [".fits", ".vot", ".ecsv"])
def test_columns_say_what_they_mean(tmp_path: Path, ending: str) -> None:
    curves, _ = read(snana.write_pair(tmp_path))
    path = tmp_path / f"curves{ending}"
    write_table(table_of_curves(curves), path)
    table = Table.read(path, format=ENDINGS[ending])
    assert (str(table["psfFlux"].unit), str(table["ra"].unit), str(table["mjd"].unit)) == ("nJy", "deg", "d")
    if ending == ".fits":
        header = fits.getheader(path, 1)
        assert (header["TUCD4"], header["TCOMM3"]) == ("phot.flux.density", "band: u, g, r, i, z or y")
    else:
        assert table["band"].description == "band: u, g, r, i, z or y"
        assert "phot.flux.density" in path.read_text()


def test_units_stay_in_parquet_and_each_column_means_something(tmp_path: Path) -> None:
    curves, _ = read(snana.write_pair(tmp_path))
    write_table(table_of_curves(curves), tmp_path / "c.parquet")
    schema = pq.read_schema(tmp_path / "c.parquet")
    assert schema.names == CURVE_SCHEMA.names
    assert meaning_of(schema.field("psfFlux")).unit == "nJy"
    assert all(meaning_of(field).description and meaning_of(field).ucd for field in schema)


def test_the_command(tmp_path: Path) -> None:
    snana.write_pair(tmp_path, "good")
    (tmp_path / "bad.json").write_text("{")
    result = CliRunner().invoke(app, ["convert", str(tmp_path), "--output", str(tmp_path / "c.csv")])
    assert result.exit_code == 1
    assert "2 objects, 6 points in" in result.output and "bad.json: " in result.output
    lines = (tmp_path / "c.csv").read_text().splitlines()
    assert lines[0].startswith('"objectId","mjd","band","psfFlux"') and len(lines) == 7
    assert np.isclose(float(lines[1].split(",")[3]), 40.0 * 10 ** (3.9 / 2.5))
    result = CliRunner().invoke(app, ["convert", str(tmp_path), "--output", str(tmp_path / "c.txt")])
    assert result.exit_code == 2 and "must end in .csv" in result.output
