"""Light curves as other programs and services publish them."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits, votable
from astropy.table import Table

from tests.unit.formats.test_files import read as read_unasked
from tests.unit.formats.test_files import written
from tides_bridge.formats.meaning.left_out import Digest
from tides_bridge.lightcurves import LightCurves

read = partial(read_unasked, published=True)

ZTF = """# Requested input R.A. = 214.464550 degrees
# Requested input Dec. = -1.644110 degrees
#
# Order of columns below:
index, field, filter, infobitssci, zpdiff, jd, forcediffimflux, forcediffimfluxunc, procstatus
 0 679 ZTF_g 0 26.2 2461001.80 812.1 20.1 0
 1 679 ZTF_r 0 26.3 2461001.85 -99999 -99999 56
 2 679 ZTF_r 0 26.3 2461001.95 40.0 20.0 57
 3 679 ZTF_r 0 26.3 2461002.75 300.0 20.0 56,57
 4 679 ZTF_i 33554432 26.3 2461002.95 300.0 20.0 0
 5 679 ZTF_r 0 26.3 2461003.85 -500.0 20.0 0
 6 679 ZTF_r 0 null 2461003.95 null null 0
"""

ATLAS = """###MJD          m      dm  uJy   duJy F err chi/N   RA       Dec        x        y
61001.300799 -19.117 0.100  -801   24 o  0   1.04 214.46455 -1.64411  9451.30  6993.07
61001.400799  18.000 0.100  1200   24 c  0   1.04 214.46455 -1.64411  9451.30  6993.07
61002.400799  18.000 0.100    20   24 c  0   1.04 214.46455 -1.64411  9451.30  6993.07
61003.400799  18.000 0.100  1200   24 c  3   1.04 214.46455 -1.64411  9451.30  6993.07
"""


@pytest.mark.parametrize(
    ("text", "service"),
    [
        (ZTF, "an answer of ZTF's forced photometry service"),
        (ATLAS, "an answer of ATLAS's forced photometry service"),
        ("i:objectId,i:jd,i:fid,i:magpsf,i:sigmapsf\nZTF26a,2461001.6,1,19.2,0.05\n", "a table of Fink's portal"),
        ("oid,mjd,mag,magerr,filtercode\n900103400034440,61001.1,19.2,0.05,zg\n", "a table of IRSA's light curves"),
    ],
)
def test_what_must_be_guessed_is_read_only_where_it_is_asked_for(tmp_path: Path, text: str, service: str) -> None:
    path = written(tmp_path, "SN2026abc.txt", text.encode())
    curves, told = read_unasked(path)
    assert len(curves) == 0
    ((_, reason),) = told
    assert reason.startswith(f"is {service}: ") and "Needed are objectId, mjd or jd, band or fid" in reason
    assert len(read(path)[0]) == 1


class TestForcedServices:
    def test_ztf(self, tmp_path: Path) -> None:
        left_out = Digest()
        curves, told = read(
            written(tmp_path, "SN2026abc.txt", ZTF.encode()), left_out=lambda _, more: left_out.add(more)
        )
        assert told == []
        assert left_out.lines() == [
            "2 points without flux",
            "2 points of spoilt images",
            "it is forced photometry: of it 5 sigma count as a detection",
        ]
        assert curves.object_ids == ("SN2026abc",)
        assert curves.mjd == pytest.approx([61001.3, 61001.45, 61003.35])
        assert curves.band.tolist() == [1, 2, 2]
        assert curves.flux[0] == pytest.approx(812.1 * 10 ** ((31.4 - 26.2) / 2.5))
        assert curves.magnitude[0] == pytest.approx(26.2 - 2.5 * np.log10(812.1))
        assert curves.is_detection.tolist() == [True, False, True]
        assert curves.is_positive.tolist() == [True, True, False]
        assert np.diff(curves.night).tolist() == [0, 2]
        assert (curves.objects.ra[0], curves.objects.decl[0]) == (214.46455, -1.64411)

    def test_atlas(self, tmp_path: Path) -> None:
        left_out = Digest()
        curves, told = read(written(tmp_path, "a.txt", ATLAS.encode()), left_out=lambda _, more: left_out.add(more))
        assert told == []
        assert left_out.points["of spoilt images"] == 1
        bands = {reason: number for reason, number in left_out.points.items() if "band" in reason}
        assert sorted(bands.values()) == [1, 2]
        assert curves.flux.tolist() == [-801000.0, 1200000.0, 20000.0]
        assert curves.is_detection.tolist() == [True, True, False]
        assert curves.is_positive.tolist() == [False, True, True]
        assert curves.magnitude[1] == pytest.approx(23.9 - 2.5 * np.log10(1200))

    def test_two_files_are_two_objects(self, tmp_path: Path) -> None:
        for name in ("SN2026abc.txt", "SN2026abd.txt"):
            written(tmp_path, name, ZTF.encode())
        written(tmp_path, "SN2026abe.txt", ATLAS.encode())
        curves, told = read(tmp_path)
        assert told == []
        assert curves.object_ids == ("SN2026abc", "SN2026abd", "SN2026abe")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (ZTF.split(" 0 679", maxsplit=1)[0], "is an answer of a forced photometry service without a point"),
            (ZTF.replace("812.1 20.1 0", "812.1 20.1"), "1 rows are left out, which have not 9 fields"),
            (ATLAS.split("\n", 1)[0] + "\n", "is an answer of a forced photometry service without a point"),
        ],
    )
    def test_half_answers_are_told(self, tmp_path: Path, text: str, reason: str) -> None:
        assert [why for _, why in read(written(tmp_path, "a.txt", text.encode()))[1]] == [reason]


SNCOSMO = """@z 0.25
@id SN2026b
#time band flux fluxerr zp zpsys
61000.5 ztfg 100.0 5.0 25.0 ab
61001.5 ztfr 200.0 5.0 27.5 ab
61002.5 bessellv 300.0 5.0 25.0 ab
"""


def table_of_two() -> Table:
    table = Table()
    table["objectId"] = np.array([170587115523932323, 170587115523932323, 5])
    table["mjd"] = [61000.5, 61001.5, 61002.5]
    table["band"] = ["g", "r", "g"]
    table["flux"] = np.array([3.63078, 7.0, -2.0])
    table["flux"].unit = "uJy"
    table["fluxerr"] = np.array([0.1, 0.1, 0.2])
    table["fluxerr"].unit = "uJy"
    table["ra"] = [359.9999, 0.0001, 20.0]
    table["dec"] = [-10.0, -10.0, -20.0]
    return table


def as_bytes(table: Table, form: str) -> bytes:
    stream = io.BytesIO()
    if form == "ascii.ecsv":
        text = io.StringIO()
        table.write(text, format=form)
        return text.getvalue().encode()
    table.write(stream, format=form)
    return stream.getvalue()


class TestAstropyTables:
    @pytest.mark.parametrize("form", ["fits", "votable", "ascii.ecsv"])
    def test_units_ids_and_places(self, tmp_path: Path, form: str) -> None:
        curves, told = read(written(tmp_path, "t", as_bytes(table_of_two(), form)))
        assert told == []
        check_two(curves)

    @pytest.mark.parametrize("form", ["fits", "votable", "ascii.ecsv"])
    def test_magnitudes_and_missing_values(self, tmp_path: Path, form: str) -> None:
        table = Table({"objectId": ["A", "B"], "jd": [2461000.5, 2461001.5], "band": ["g", "r"]})
        table["mag"] = np.ma.array([18.5, 19.0], mask=[False, True])
        table["magerr"] = [0.1, 0.1]
        curves, told = read(written(tmp_path, "t", as_bytes(table, form)))
        assert told == []
        assert curves.is_detection.tolist() == [True, False]
        assert (curves.magnitude[0], curves.mjd.tolist()) == (18.5, [61000.0, 61001.0])

    def test_sncosmo(self, tmp_path: Path) -> None:
        left_out = Digest()
        curves, told = read(written(tmp_path, "t.txt", SNCOSMO.encode()), left_out=lambda _, more: left_out.add(more))
        assert told == []
        assert left_out.lines()[0].startswith("1 point of the band 'bessellv'")
        assert curves.object_ids == ("SN2026b",)
        assert curves.magnitude[:2] == pytest.approx([20.0, 27.5 - 2.5 * np.log10(200)])
        nameless = SNCOSMO.replace("@id SN2026b\n", "")
        assert read(written(tmp_path, "SN2026c.txt", nameless.encode()))[0].object_ids == ("SN2026c",)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (SNCOSMO.replace(" ab", " vega"), "most of it cannot be used: 3 points in the system 'vega', not in AB"),
            (SNCOSMO.replace("100.0", "bright"), "1 rows have no number as flux, the first 'bright'"),
            ("<?xml version='1.0'?><VOTABLE><RESOURCE><TABLE>", "is a broken table: "),
            ("# %ECSV 1.0\n# ---\nobjectId", "is a broken table: "),
        ],
    )
    def test_what_cannot_be_used_is_named(self, tmp_path: Path, text: str, reason: str) -> None:
        (found,) = read(written(tmp_path, "t", text.encode()))[1]
        assert found[1].startswith(reason)

    def test_other_tables_and_units_and_lost_digits(self, tmp_path: Path) -> None:
        table = table_of_two()
        table["flux"].unit = "km"
        assert read(written(tmp_path, "a", as_bytes(table, "fits")))[1][0][1].startswith("has fluxes in km")
        table = table_of_two()
        table["objectId"] = table["objectId"].astype(float)
        assert "lost digits" in read(written(tmp_path, "b", as_bytes(table, "fits")))[1][0][1]
        other = Table({"name": ["a"], "ra": [1.0]})
        assert (
            "is a table with the columns name, ra; needed"
            in read(written(tmp_path, "c", as_bytes(other, "votable")))[1][0][1]
        )


def check_two(curves: LightCurves) -> None:
    number = curves.object_ids.index("170587115523932323")
    one = curves.part(number, number + 1)
    assert sorted(curves.object_ids) == ["170587115523932323", "5"]
    assert one.magnitude[0] == pytest.approx(22.5, abs=1e-5)
    assert one.flux == pytest.approx([3630.78, 7000.0])
    assert (one.objects.ra[0], one.objects.decl[0]) == (0.0001, -10.0)  # of the newest row


class TestColumnsOfPortals:
    def test_plasticc(self, tmp_path: Path) -> None:
        text = "object_id,mjd,passband,flux,flux_err,detected\n615,59750.5,1,100.0,4.0,1\n615,59751.5,2,3.0,4.0,0\n"
        curves, told = read(written(tmp_path, "t.csv", f"{text}713,59751.5,5,30.0,4.0,1\n".encode()))
        assert (told, curves.object_ids) == ([], ("615", "713"))
        assert (curves.band.tolist(), curves.is_detection.tolist()) == ([1, 2, 5], [True, False, True])
        assert curves.magnitude[0] == pytest.approx(27.5 - 2.5 * np.log10(100.0))

    def test_points_of_snana_in_a_csv(self, tmp_path: Path) -> None:
        text = "SNID,MJD,BAND,FLUXCAL,FLUXCALERR,PHOTFLAG\n1,61000.5,g,100,4,4096\n1,61001.5,g,1,4,0\n"
        text += "2,61001.5,Y,9,1,6144\n"
        curves, told = read(written(tmp_path, "t.csv", text.encode()))
        assert (told, curves.object_ids) == ([], ("1", "2"))
        assert curves.is_detection.tolist() == [True, False, True]
        assert curves.magnitude[0] == pytest.approx(27.5 - 2.5 * np.log10(100.0))

    def test_fink(self, tmp_path: Path) -> None:
        text = "i:objectId,i:jd,i:fid,i:magpsf,i:sigmapsf,i:diffmaglim,d:tag\n"
        text += "ZTF26a,2461001.6,1,19.2,0.05,20,valid\nZTF26a,2461002.6,2,19.2,0.05,20,badquality\n"
        text += "ZTF26b,2461002.6,2,,,20.5,upperlim\nZTF26b,2461003.6,2,18.5,0.05,20.5,valid\n"
        curves, told = read(written(tmp_path, "t.csv", text.encode()))
        assert (told, curves.object_ids) == ([], ("ZTF26a", "ZTF26b"))
        assert curves.is_detection.tolist() == [True, False, False, True]
        rubin = "r:diaObjectId,r:midpointMjdTai,r:band,r:psfFlux,r:psfFluxErr\n313637935709683761,61000.5,g,9,1\n"
        assert read(written(tmp_path, "r.csv", rubin.encode()))[0].object_ids == ("313637935709683761",)

    def test_irsa(self, tmp_path: Path) -> None:
        text = "oid,mjd,mag,magerr,catflags,filtercode,ra,dec\n900103400034440,61001.1,19.2,0.05,0,zg,280.0,-5.0\n"
        text += "900103400034440,61002.1,19.0,0.05,32768,zg,280.0,-5.0\n7,61002.1,18.0,0.05,2,zr,281.0,-5.0\n"
        curves, told = read(written(tmp_path, "t.csv", text.encode()))
        assert (told, curves.object_ids) == ([], ("900103400034440", "7"))
        assert (curves.band.tolist(), curves.is_detection.tolist()) == ([1, 1, 2], [True, False, True])
        assert curves.objects.ra.tolist() == [280.0, 281.0]


@pytest.mark.parametrize("kind", ["fits", "votable"])
def test_tables_after_the_first_are_told(tmp_path: Path, kind: str) -> None:
    table = Table(rows=[("ZTF26a", 61001.3, "g", 19.0, 0.1)], names=("objectId", "mjd", "band", "mag", "magerr"))
    other, path = Table(table, copy=True), tmp_path / "two"
    other["objectId"] = ["ZTF26b"]
    if kind == "fits":
        fits.HDUList([fits.PrimaryHDU(), *map(fits.BinTableHDU, (table, other))]).writeto(path)
    else:
        both = votable.from_table(table)
        both.resources[0].tables.append(votable.from_table(other).resources[0].tables[0])
        both.to_xml(str(path))
    left_out = Digest()
    curves, told = read(path, left_out=lambda _, digest: left_out.add(digest))
    assert (curves.object_ids, told) == (("ZTF26a",), [])
    assert [line.partition(" (")[0] for line in left_out.lines()] == ["tables after the first that are not used: 1"]
