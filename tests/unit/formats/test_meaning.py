"""One light curve in many spellings, units, types, scales and orders: one decision, or one refusal by name."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.formats.test_contents import PACKED
from tests.unit.formats.test_files import read, written
from tests.unit.formats.test_members import ARCHIVES
from tests.unit.formats.test_published import as_bytes
from tides_bridge.formats.files import read_light_curves
from tides_bridge.formats.meaning.bands import band_named
from tides_bridge.formats.meaning.identifiers import exact_names
from tides_bridge.formats.meaning.left_out import Digest
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import TAI_AHEAD
from tides_bridge.selection import SelectionFunction, judge

USUAL = SelectionFunction.parse(
    "usual",
    {"rules": "strict", "filters": ["g", "r", "i"], "significance": 5, "minBands": 3, "minNights": 3, "magLimit": 22.5},
)

MJD = np.array([61000.1, 61000.2, 61001.1, 61002.15])
BANDS = ("g", "r", "g", "i")
FLUX = np.array([3000.0, 4000.0, 5000.0, 6000.0])

SPELLINGS = (
    "{}",
    "ZTF_{}",
    "ztf{}",
    "LSST-{}",
    "b'{}'",
    "{}_ps1",
    " {} ",
    "sdss::{}",
    "Palomar/ZTF.{}",
    '"{}"',
    "{}-band",
)

EPOCHS: dict[str, Any] = {
    "mjd": MJD,
    "jd": MJD + 2400000.5,
    "JD": MJD,
    "MJD": MJD + 2400000.5,
    "midpointMjdTai": MJD + TAI_AHEAD,
    "jd_tai": MJD + 2400000.5 + TAI_AHEAD,
    "date_obs": [str(pd.Timestamp("1858-11-17") + pd.Timedelta(days=day)) for day in MJD],
}

FLUXES: dict[str, tuple[float, float | None]] = {
    "flux": (1.0, None),
    "flux_uJy": (1e-3, None),
    "fluxerr_free": (1.0, None),
    "psfFlux": (1.0, None),
    "FLUXCAL": (10 ** ((27.5 - 31.4) / 2.5), None),
    "Flux": (10 ** ((25.0 - 31.4) / 2.5), 25.0),
}


def table(spelling: str, epoch: str, flux: str, order: list[int]) -> pd.DataFrame:
    scale, zero_point = FLUXES[flux]
    name = "flux" if flux == "fluxerr_free" else flux
    columns: dict[str, Any] = {
        "objectId": ["ZTF26abcdefg"] * 4,
        epoch: EPOCHS[epoch],
        "band": [spelling.format(band) for band in BANDS],
        name: FLUX * scale,
    }
    if flux != "fluxerr_free":
        columns["flux_err" if name == "flux" else f"{name}err" if name != "flux_uJy" else "fluxerr_uJy"] = (
            FLUX * scale / 20
        )
    if zero_point is not None:
        columns["zp"] = [zero_point] * 4
    return pd.DataFrame(columns).iloc[order]


def as_astropy(frame: pd.DataFrame, form: str) -> bytes:
    return as_bytes(Table.from_pandas(frame), form)


def as_parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream)
    return stream.getvalue()


CONTAINERS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": lambda frame: frame.to_csv(index=False).encode(),
    "tsv": lambda frame: frame.to_csv(index=False, sep="\t").encode(),
    "utf-16": lambda frame: frame.to_csv(index=False).encode("utf-16"),
    "utf-16 without mark": lambda frame: frame.to_csv(index=False).encode("utf-16-be"),
    "carriage returns": lambda frame: frame.to_csv(index=False, lineterminator="\r").encode(),
    "decimal commas": lambda frame: frame.to_csv(index=False, sep=";", decimal=",").encode(),
    "excel": lambda frame: b"sep=;\r\n" + frame.to_csv(index=False, sep=";", lineterminator="\r\n").encode(),
    "put together": lambda frame: (frame[:2].to_csv(index=False) + frame[2:].to_csv(index=False)).encode(),
    "JSON lines": lambda frame: frame.to_json(orient="records", lines=True, double_precision=15).encode(),
    "JSON array": lambda frame: frame.to_json(orient="records", double_precision=15).encode(),
    "JSON columns": lambda frame: frame.reset_index(drop=True).to_json(double_precision=15).encode(),
    "parquet": as_parquet,
    "fits": lambda frame: as_astropy(frame, "fits"),
    "votable": lambda frame: as_astropy(frame, "votable"),
    "ecsv": lambda frame: as_astropy(frame, "ascii.ecsv"),
}

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    **PACKED, **{kind: lambda content, kind=kind: ARCHIVES[kind]({"night/t": content}) for kind in ARCHIVES}
}  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_one_light_curve_however_it_is_written(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    spelling, epoch, flux = (data.draw(st.sampled_from(list(ways))) for ways in (SPELLINGS, EPOCHS, FLUXES))
    container, packing = (data.draw(st.sampled_from(list(ways))) for ways in (CONTAINERS, PACKINGS))
    frame = table(spelling, epoch, flux, data.draw(st.permutations(range(4))))
    if data.draw(st.booleans()):
        narrow = [name for name in frame.columns if "lux" in name.lower()]
        frame = frame.astype(dict.fromkeys(narrow, np.float32))
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(PACKINGS[packing](CONTAINERS[container](frame)))
    curves, told = read(path)
    assert told == []
    assert curves.object_ids == ("ZTF26abcdefg",)
    assert curves.mjd == pytest.approx(MJD, abs=2e-5)
    assert curves.band.tolist() == [1, 2, 1, 3]
    assert curves.flux == pytest.approx(FLUX, rel=1e-3)
    assert np.diff(curves.night).tolist() == [0, 1, 1]
    (verdict,) = judge(curves, [USUAL])
    assert verdict.passed.tolist() == [flux != "fluxerr_free"]  # without errors there is no significance


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_what_cannot_be_meant_is_refused_however_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    container, fault = data.draw(st.sampled_from(list(CONTAINERS))), data.draw(st.sampled_from(list(FAULTS)))
    change, reason = FAULTS[fault]
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(CONTAINERS[container](change(table("{}", "mjd", "flux", [0, 1, 2, 3]))))
    curves, told = read(path)
    assert len(curves) == 0
    assert len(told) == 1 and reason in told[0][1]


FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "ids as floats": (lambda frame: frame.assign(objectId=1.70587115523932323e17), "lost digits"),
    "bands": (lambda frame: frame.assign(band="w"), "4 points of the band 'w', which is none"),
    "vega": (lambda frame: frame.assign(zp=25.0, zpsys="vega"), "in the system 'vega'"),
    "no epochs": (lambda frame: frame.assign(mjd=5.0), "with an epoch that is not of the years"),
    "zero points": (
        lambda frame: frame.rename(columns={"flux": "flux_uJy"}).assign(zp=25.0), "contradict each other: 23.9, 25"
    ),
    "absolute": (
        lambda frame: frame.drop(columns=["flux", "flux_err"]).assign(mag=-19.1), "with a magnitude like -19.1"
    ),
}  # fmt: skip
"""What no reader can understand, and what it says of it."""


def left_out(path: Path, **options: Any) -> tuple[LightCurves, list[str], list[str]]:
    """Read a file; gives what was refused, and the lines of its digest, too."""
    digest, refused = Digest(), []
    parts = read_light_curves(
        [path],
        refused=lambda _, problem: refused.append(problem),
        left_out=lambda _, more: digest.add(more),
        **options,
    )
    return LightCurves.joined(list(parts)), refused, digest.lines()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "objectId,mjd,band,mag\n1.70587E+17,61000,g,18\n",
            "objectId has '1.70587E+17', a number that has lost digits",
        ),
        ("diaObjectId,mjd,band,mag\n170587115523932323.0,61000,g,18\n", "diaObjectId has '170587115523932323.0'"),
        ("objectId,mjd,band,mag\nA,61000,w,18\nA,61001,v,18\nA,61002,g,18\n", "1 point of the band 'w', which is none"),
        ("objectId,mjd,band,flux,zp,zpsys\nA,61000,g,18,25,vega\n", "in the system 'vega'"),
        ("objectId,mjd,band,mag\nA,61000,g,-19.1\n", "with a magnitude like -19.1: an absolute magnitude"),
        ("objectId,mjd,band,flux_uJy,zp\nA,61000,g,18,25\n", "contradict each other: 23.9, 25"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path: Path, text: str, reason: str) -> None:
    curves, refused, _ = left_out(written(tmp_path, "t.csv", text.encode()))
    assert len(curves) == 0
    assert len(refused) == 1 and reason in refused[0]


def test_what_is_not_used_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    rows = ["A,61000.1,g,18,.1,1", "A,61001,w,18,.1,1", "A,,g,18,.1,1", "A,61003,r,18,.1,1", "A,61004,i,18,.1,1"]
    text = "\n".join(["objectId,mjd,band,mag,magerr,seeing", *rows])
    curves, refused, lines = left_out(written(tmp_path, "t.csv", text.encode()))
    assert (refused, curves.band.tolist()) == ([], [1, -1, 2, 3])
    assert lines[0].startswith("1 point ") and any("of the band 'w'" in line for line in lines)
    assert "1 point without an epoch" in lines
    assert "columns that are not used: seeing" in lines
    assert any("nothing says whose nights count" in line for line in lines)
    assert not any("nights" in line for line in left_out(tmp_path / "t.csv", survey="ztf")[2])


@pytest.mark.parametrize(("dtype", "is_refused"), [("float32", True), ("float64", False)])
def test_epochs_that_cannot_hold_a_night_are_refused(tmp_path: Path, dtype: str, is_refused: bool) -> None:
    frame = table("{}", "jd", "flux", [0, 1, 2, 3]).astype({"jd": dtype})
    frame.to_parquet(tmp_path / "t.parquet")
    curves, refused, _ = left_out(tmp_path / "t.parquet")
    assert ("steps of 0.25 d" in " ".join(refused), len(curves) == 0) == (is_refused, is_refused)


def test_positions_and_facts_of_rows_are_those_of_the_object(tmp_path: Path) -> None:
    text = "objectId,mjd,band,mag,RA_deg,DEJ2000,mwebv,ssdistnr\nA,61001,g,18,10:00:00,-30:30:00,0.1,-999\n"
    objects = read(written(tmp_path, "t.csv", text.encode()))[0].objects
    assert (objects.ra.tolist(), objects.decl.tolist()) == ([150.0], [-30.5])
    assert (objects.ebv.tolist(), objects.point_source.tolist()) == ([0.1], [pytest.approx(np.nan, nan_ok=True)])


def test_whole_numbers_that_may_be_missing_and_large_ids(tmp_path: Path) -> None:
    frame = pd.DataFrame({"objectId": np.array([2**63 + 7] * 2, dtype=np.uint64), "mjd": [61000.0, 61001.0]})
    frame = frame.assign(band="g", mag=18.0, candid=[np.nan, 7.0], nid=[np.nan, 3247.0])
    frame.to_parquet(tmp_path / "t.parquet")
    curves, told = read(tmp_path / "t.parquet")
    assert (told, curves.object_ids, curves.source_id.tolist()) == ([], (str(2**63 + 7),), [-1, 7])
    assert np.diff(curves.night).tolist() == [1]


def test_ids_as_round_as_floats_leave_them_are_refused() -> None:
    exact = [str(170587115523932323 + 1000003 * number) for number in range(6)]
    assert exact_names(exact, "objectId") == exact
    with pytest.raises(Exception, match=r"objectId has .* lost digits"):
        exact_names([str(int(float(name))) for name in exact], "objectId")


def test_bands_of_other_systems_are_none() -> None:
    assert [band_named(name) for name in ("I", "U", "V", "J", "o", "gaia::g", "rp", "bessellr", "")] == [None] * 9
