"""Deliveries of spectra are understood whatever they spell and leave out, or refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from simulators.spectra.mec_files import WAY, Fibre, MecFile, write_mec
from tests.support.curves import quick
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.spectra.mec import Delivery, read_delivery

LARGE = 2**53 + 1
FIBRES = (
    Fibre(LARGE, "TiDES26aaa", 10.0, -20.0, 6.0, 101),
    Fibre(LARGE + 1, "TiDES26aab", 359.9999, -30.0, 1.5, 102),
    Fibre(-1, "TiDES26aac", 11.0, -21.0, 0.5, -1),
)
FILE = MecFile(61373.0 + 1.0625, 2280.0, 7, FIBRES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mec")


@pytest.fixture(scope="module")
def whole(folder: Path) -> bytes:
    return written(folder, FILE).read_bytes()


def written(folder: Path, file: MecFile, name: str = "20261129_LJ07.fits") -> Path:
    path = folder / "20261129" / name
    write_mec(file, path)
    return path


def essence(delivery: Delivery, *columns: str) -> list[tuple[Any, ...]]:
    rows = sorted(delivery.rows, key=lambda row: row["ra"])
    return [tuple(row[column] for column in columns) for row in rows if row["spec_uid"]]


def test_a_delivery_says_of_each_spectrum_whose_it_is_and_how_good(tmp_path: Path) -> None:
    found = read_delivery(written(tmp_path, FILE))
    assert (found.night.isoformat(), found.software) == ("2026-11-29", "QMOST L1 1.2.0")
    first, second, third = found.rows
    assert (first["u_obj_id"], second["u_obj_id"], third["u_obj_id"]) == (LARGE, LARGE + 1, None)
    assert (first["spec_uid"], third["spec_uid"]) == ("101", None)
    assert (first["exposure_s"], first["ob_id"], first["seeing_arcsec"]) == (2280.0, "7", pytest.approx(0.8))
    assert first["mjd"] == pytest.approx(FILE.mjd + 1140 / 86400)
    assert (first["snr"], second["snr"]) == (6.0, 1.5)


@how(quick, max_examples=10)
@given(st.sets(st.sampled_from(sorted(WAY))))
def test_in_whatever_way_it_is_written_it_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, ways: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("mec")
    usual, other = (read_delivery(written(folder / name, FILE.otherwise(*which))) for name, which in
                    (("usual", ()), ("other", ways)))  # fmt: skip
    alike = ["u_obj_id", "snr", "sky_mag"]
    assert essence(other, *alike) == essence(usual, *alike)
    for mine, theirs in zip(essence(other, "ra", "decl"), essence(usual, "ra", "decl"), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-9)
    is_known = "no-obmetatab" not in ways
    assert [row["exposure_s"] for row in other.rows] == [2280.0 if is_known else None] * len(other.rows)
    assert {row["redshift"] for row in other.rows} == {0.1 if "redshifts" in ways else None}
    names = [name for (name,) in essence(other, "object_name")]
    assert names == (["101", "102"] if "numbers" in ways else ["TiDES26aaa", "TiDES26aab"])
    by_pixels = read_delivery(folder / "other" / "20261129" / "20261129_LJ07.fits", (4500.0, 8000.0))
    for mine, theirs in zip(essence(by_pixels, "snr"), essence(usual, "snr"), strict=True):
        assert mine == pytest.approx(theirs, abs=0.5)


def test_the_range_of_wavelengths_counts(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    with fits.open(path, mode="update") as file:
        file["SPECTAB"].data["FLUX_IVAR"][0, 100:] *= 0.01  # redder than 6614 Angstrom
        file["SPECTAB"].data["QUAL"][1] = 1
    blue, red = (read_delivery(path, edges).rows for edges in ((3700.0, 6600.0), (6700.0, 9500.0)))
    assert blue[0]["snr"] == pytest.approx(6, abs=1)
    assert red[0]["snr"] == pytest.approx(0.6, abs=0.2)
    assert blue[1]["snr"] == 1.5  # no good pixel: that of the header
    with pytest.raises(MalformedAlert, match="tells its wavelengths neither"):
        with fits.open(path, mode="update") as file:
            del file["SPECTAB"].header["1CDLT1"]
        read_delivery(path, (4000.0, 5000.0))


def test_wavelengths_of_high_resolution_are_a_fibre_in_nm(tmp_path: Path) -> None:
    columns = [
        fits.Column("OBJ_UID", "K", array=np.array([1, 2])),
        fits.Column("SPECUID", "K", array=np.array([5, 6])),
        fits.Column("WAVELMIN", "D", array=np.array([450.0, 500.0])),
        fits.Column("SPEC_BIN", "D", array=np.array([1.0, 1.0])),
    ]
    flux = np.ones((2, 100))
    flux[:, 50:] = 3.0
    spectra = [fits.Column("FLUX", "100D", array=flux), fits.Column("ERR", "100D", array=np.ones((2, 100)))]
    tables = [fits.BinTableHDU.from_columns(columns, name="FIBMETATAB"), fits.BinTableHDU.from_columns(spectra)]
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(tmp_path / "20261129_HB11.fits")
    rows = read_delivery(tmp_path / "20261129_HB11.fits", (5100.0, 5400.0)).rows
    assert [row["snr"] for row in rows] == [3.0, 1.0]


@pytest.mark.parametrize("part", [0.3, 0.7, 0.999])
def test_a_half_written_file_is_refused_by_name(tmp_path: Path, part: float) -> None:
    path = written(tmp_path, FILE)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(MalformedAlert, match=r"20261129_LJ07\.fits: "):
        read_delivery(path)
    path.write_bytes(content)
    assert len(read_delivery(path).rows) == 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is no FITS file"),
        (b"SIMPLE", "cannot be read"),
        (b"\x1f\x8bpacked", "is no FITS file, or is packed"),
        (b"SIMPLE  =                    T" + b"\xff" * 6000, "cannot be read"),
    ],
)
def test_what_is_no_delivery_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(MalformedAlert, match=problem):
        read_delivery(tmp_path / "a.fits")


@how(quick, max_examples=30)
@given(st.integers(min_value=0), st.binary(min_size=1, max_size=200))
def test_any_damage_is_read_or_refused(whole: bytes, folder: Path, at: int, damage: bytes) -> None:
    content, path = bytearray(whole), folder / "20261129_LJ07.fits"
    at %= len(content)
    content[at : at + len(damage)] = damage[: len(content) - at]
    path.write_bytes(bytes(content))
    try:
        assert read_delivery(path, (4000.0, 5000.0)).rows
    except MalformedAlert as error:
        assert str(path) in str(error)


def test_a_table_of_others_is_refused_with_what_lacks(tmp_path: Path) -> None:
    column = fits.Column("X", "K", array=np.array([1]))
    fits.BinTableHDU.from_columns([column], name="FIBMETATAB").writeto(tmp_path / "20261129.fits")
    with pytest.raises(MalformedAlert, match="FIBMETATAB has none of the columns OBJ_UID"):
        read_delivery(tmp_path / "20261129.fits")
    fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "b.fits")
    with pytest.raises(MalformedAlert, match="has no table FIBMETATAB"):
        read_delivery(tmp_path / "b.fits")


def test_a_single_spectrum_lies_where_its_radians_say(tmp_path: Path) -> None:
    columns = [fits.Column(name, "D", array=np.full(9, value)) for name, value in
               (("WAVE", 5000.0), ("FLUX", 8.0), ("ERR_FLUX", 2.0))]  # fmt: skip
    table = fits.BinTableHDU.from_columns(columns)
    keys = {"OBJECT": "TiDES26aaa", "RA": np.pi, "DEC": -0.5, "TMID": 61374.1, "OBJ_UID": LARGE}
    fits.HDUList([fits.PrimaryHDU(header=fits.Header(keys)), table]).writeto(tmp_path / "one.fits")
    found = read_delivery(tmp_path / "one.fits", (4000.0, 6000.0))
    (row,) = found.rows
    assert (row["ra"], row["decl"]) == (pytest.approx(180), pytest.approx(-28.6479, abs=1e-4))
    assert (row["u_obj_id"], row["snr"], found.night.isoformat()) == (LARGE, 4.0, "2026-11-29")


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [("K", 2**62 + 1, 2**62 + 1), ("D", 2.0**53 + 2, None), ("D", 12.0, 12), ("20A", str(LARGE), LARGE),
     ("20A", "-1", None), ("J", -1, None), ("D", np.nan, None)],
)  # fmt: skip
def test_an_identifier_keeps_all_its_digits_or_is_none(
    tmp_path: Path, kind: str, value: Any, meant: int | None
) -> None:
    columns = [fits.Column("OBJ_UID", kind, array=np.array([value])), fits.Column("SPECUID", "K", array=np.array([1]))]
    fits.BinTableHDU.from_columns(columns, name="FIBMETATAB").writeto(tmp_path / "20261129.fits")
    assert read_delivery(tmp_path / "20261129.fits").rows[0]["u_obj_id"] == meant


def test_the_same_content_has_the_same_digest_whatever_its_file_is_called(tmp_path: Path) -> None:
    one, other = (read_delivery(written(tmp_path, FILE, name)) for name in ("a.fits", "b.fits"))
    newer = read_delivery(written(tmp_path, FILE.otherwise(software="QMOST L1 1.10.0"), "c.fits"))
    brighter = FILE.otherwise(fibres=(replace(FIBRES[0], snr=7.0), *FIBRES[1:]))
    in_place = read_delivery(written(tmp_path, brighter, "a.fits"))
    assert one.digest == other.digest
    assert len({one.digest, newer.digest, in_place.digest}) == 3
