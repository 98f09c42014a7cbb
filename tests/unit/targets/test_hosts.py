"""Which galaxies are candidates for a host: those that brokers name, and those of a catalogue."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats.meaning.annotations import annotations_in
from tides_bridge.formats.published.galaxies import read_galaxies
from tides_bridge.targets.hosts.candidates import HostCandidate, ObjectPlace, candidates_said
from tides_bridge.targets.hosts.catalogue import GalaxyCatalogue, directional_light_radius
from tides_bridge.targets.hosts.settling import finder_named

HERE = ObjectPlace("ztf", "a", 10.0, -20.0)


def test_what_sherlock_says_of_a_galaxy() -> None:
    table = {
        "catalogue_table_name": "SDSS/PS1",
        "catalogue_object_id": "1237652599035789465",
        "catalogue_object_type": "galaxy",
        "raDeg": 10.001,
        "decDeg": -20.0,
        "separationArcsec": 4.5,
        "z": 0,
        "photoZ": 0.03,
        "photoZErr": 0.007,
        "Mag": 18.247,
        "MagFilter": "r",
    }
    expected = HostCandidate("SDSS/PS1", "1237652599035789465", 10.001, -20.0, 3.383)
    known = {"redshift": 0.03, "redshift_error": 0.007, "redshift_kind": "photometric"}
    for message in (table, {"sherlock": table}):
        (found,) = candidates_said(annotations_in(message, "lasair"), HERE)["sherlock"]
        assert found == HostCandidate(**{**vars(expected), **known, "mag": 18.247, "mag_type": "SDSS_r_AB"})
    (found,) = candidates_said(annotations_in(table | {"z": 0.035}, "lasair"), HERE)["sherlock"]
    assert (found.redshift, found.redshift_kind) == (0.035, "spectroscopic")
    star = annotations_in(table | {"catalogue_object_type": "star"}, "lasair")
    assert candidates_said(star, HERE) == {"sherlock": []}
    unplaced = {key: value for key, value in table.items() if key not in ("raDeg", "decDeg")}
    (found,) = candidates_said(annotations_in(unplaced, "lasair"), HERE)["sherlock"]
    assert (found.ra, found.separation) == (None, 4.5)


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [((10, -20), (-999, -999), 1), ((10, -20), (10.001, -20), 2), ((0, 0), (0, 0), 0), ((-9, -9), (10, -20), 1)],
)
def test_places_that_elasticc_does_not_have(first: Any, second: Any, number: int) -> None:
    own = {"hostgal_ra": first[0], "hostgal_dec": first[1], "hostgal2_ra": second[0], "hostgal2_dec": second[1]}
    notes = annotations_in({"diaObject": own | {"hostgal_zphot": -9, "hostgal_mag_r": 999.0}}, "fink")
    assert len(candidates_said(notes, HERE).get("elasticc", [])) == number
    assert not any("redshift" in name or "magnitude" in name for name in notes)


def test_the_hosts_of_elasticc_s_real_alerts(shared_data: Path) -> None:
    numbers: Counter[int] = Counter()
    table = pq.read_table(shared_data / "elasticc" / "snia_5398alerts.parquet", columns=["diaObject"])
    for row in table.to_pylist():
        notes = annotations_in(row, "fink")
        found = candidates_said(notes, ObjectPlace("lsst", "a", row["diaObject"]["ra"], row["diaObject"]["decl"]))
        numbers[len(found.get("elasticc", []))] += 1
    assert (numbers[1] + numbers[2], numbers[2]) == (5381, 586)


def galaxies(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


@pytest.mark.parametrize("ending", [".fits", ".parquet"])
def test_a_large_galaxy_stands_before_a_small_one_nearby(tmp_path: Path, ending: str) -> None:
    path, big = tmp_path / f"nearby{ending}", 2**62 + 1
    arcsec = 1 / 3600
    table = galaxies(
        ID=np.array([big, 8, 9, 10, 11]),
        RA=[10.0, 10.0, 10.0, 350.0, 10.0],
        DEC=[-20 + 12 * arcsec, -20 - 3 * arcsec, -20 + 55 * arcsec, -20.0, -99.0],
        a=[10.0, 1.0, 3.0, 9.0, 9.0],
        ba=[0.5, 1.0, 1.0, 1.0, 1.0],
        pa=[0.0, 0.0, 0.0, 0.0, 0.0],
        mag_r=[17.0, 99.0, 15.0, 15.0, 15.0],
        z_phot=[0.02, -99.0, 0.1, 0.1, 0.1],
        z_spec=[np.nan, 0.3, 0.1, 0.1, 0.1],
    )
    table.to_parquet(path) if ending == ".parquet" else Table.from_pandas(table).write(path)
    find = GalaxyCatalogue.of(read_galaxies(path), "nearby", "LSST_r_AB")
    ((place, found),) = find([HERE])
    assert place == HERE
    keys = ("name", "separation", "radii", "redshift", "redshift_kind", "mag")
    assert [tuple(vars(host)[key] for key in keys) for host in found] == [
        (str(big), 12.0, 1.2, 0.02, "photometric", 17.0),
        ("8", 3.0, 3.0, 0.3, "spectroscopic", None),
    ]
    ((_, sideways),) = find([ObjectPlace("ztf", "b", 10.0 + 12 * arcsec / np.cos(np.radians(20)), -20 + 12 * arcsec)])
    assert sideways[0].radii == pytest.approx(2.4, abs=0.01)  # along the minor axis


@given(
    st.floats(0.5, 100), st.floats(0.05, 1), st.floats(-180, 180), st.floats(-180, 180), st.sampled_from([180, -180])
)
def test_the_light_radius_lies_between_the_axes(
    major: float, ratio: float, angle: float, direction: float, turn: float
) -> None:
    arrays = [np.array([value]) for value in (major, ratio, angle, direction)]
    (radius,) = directional_light_radius(*arrays)
    assert major * ratio * (1 - 1e-9) <= radius <= major * (1 + 1e-9)
    (turned,) = directional_light_radius(*arrays[:3], arrays[3] + turn)
    assert turned == pytest.approx(radius)


def test_what_is_no_catalogue_is_refused_by_name(tmp_path: Path) -> None:
    text, lacking = tmp_path / "a.fits", tmp_path / "b.parquet"
    text.write_text("ra,dec\n1,2\n")
    galaxies(x=[1.0]).to_parquet(lacking)
    for path, words in ((text, r"a\.fits.*is no FITS"), (lacking, r"b\.parquet.*has no columns ra and dec")):
        with pytest.raises(MalformedAlert, match=words):
            read_galaxies(path)


@pytest.mark.parametrize("name", ["nowhere", "nowhere:find", "math:nothing", "math:pi", ""])
def test_a_finder_that_is_none_is_refused_by_name(name: str) -> None:
    with pytest.raises(SettingsError, match="--finder"):
        finder_named(name)
    assert finder_named("math:dist")
