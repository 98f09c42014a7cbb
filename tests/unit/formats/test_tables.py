"""Tables with a point a row."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import recorded
from tests.unit.formats.test_files import digests, read, written
from tests.unit.formats.test_meaning import left_out
from tides_bridge.formats.meaning.roles import layout_of_text, roles_of
from tides_bridge.lightcurves import LightCurves


def from_csv(folder: Path, text: str, **options: Any) -> tuple[LightCurves, list[str]]:
    curves, told = read(written(folder, "t", text.encode()), **options)
    return curves, [why for _, why in told]


class TestColumns:
    def test_magnitudes(self, tmp_path: Path) -> None:
        curves, told = from_csv(tmp_path, "objectId,mjd,mag,magerr,band\nA,61000.5,18.5,0.1,g\nA,61001.5,18.0,0.2,R\n")
        assert told == []
        assert curves.magnitude.tolist() == [18.5, 18.0]
        assert curves.band.tolist() == [1, 2]
        assert curves.is_detection.all() and curves.is_positive.all()
        assert curves.significance == pytest.approx([10.857, 5.4285])

    def test_fluxes_and_zero_point(self, tmp_path: Path) -> None:
        text = "objectId,jd,fid,flux,fluxerr\n7,2461001.0,2,-100.0,10\n"
        curves, _ = from_csv(tmp_path, text)
        assert (curves.flux.tolist(), curves.band.tolist(), curves.mjd.tolist()) == ([-100.0], [2], [61000.5])
        assert curves.is_positive.tolist() == [False]
        assert from_csv(tmp_path, text, zero_point=28.9)[0].flux == pytest.approx([-1000.0])

    def test_rows_of_an_lsst_table(self, tmp_path: Path) -> None:
        expected, _ = read(written(tmp_path, "a", recorded.json_text(recorded.alerts())))
        for name, make in (("c", recorded.csv_text), ("p", recorded.parquet)):
            curves, told = read(written(tmp_path, name, make(recorded.rows_of_fluxes())), zero_point=27.5)
            assert told == []
            assert curves.flux.tolist() == expected.flux[expected.is_detection].tolist()
            assert curves.source_id.tolist() == expected.source_id[expected.is_detection].tolist()
            assert curves.mjd.tolist() == expected.mjd[expected.is_detection].tolist()

    def test_limits_and_sentinels(self, tmp_path: Path) -> None:
        text = "objectId,mjd,band,mag,magerr,diffmaglim\nA,61000,g,,,20.5\nA,61001,g,-999,-999,20\nA,61002,g,nan,,\n"
        curves, told = from_csv(tmp_path, text)
        assert told == []
        assert curves.is_detection.tolist() == [False] * 3
        assert np.isfinite(curves.flux_error).tolist() == [True, True, False]

    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    def test_separators_and_ends_of_lines(self, tmp_path: Path, separator: str) -> None:
        text = "\ufeffobjectId,mjd,band,mag\r\nA,61000,g,18\r\n\r\nA,61001,r,19".replace(",", separator)
        curves, told = from_csv(tmp_path, text)
        assert (told, curves.object_ids, curves.band.tolist()) == ([], ("A",), [1, 2])

    def test_unknown_bands_are_kept(self, tmp_path: Path) -> None:
        header = "objectId,mjd,band,mag\n"
        text = header + "A,61000,w,18\nA,61001,,18\nA,61002,ztfr,18\nA,61003,Y,18\nA,61004,9,18\nA,61005,zg,18\n"
        assert from_csv(tmp_path, text)[0].band.tolist() == [-1, -1, 2, 5, -1, 1]

    def test_what_columns_may_be_called(self) -> None:
        assert roles_of(["DIAOBJECTID", "midpointMjdTai", "band", "psfFlux"])["flux_njy"] == "psfFlux"
        assert roles_of(["objectId", "mjd", "mag"]) == {}
        assert roles_of(["objectId", "mjd", "band"]) == {}
        layout = layout_of_text(b"a;b;c,d\n1;2;3")
        assert (layout.names, layout.separator) == (("a", "b", "c,d"), ";")
        assert layout_of_text(b"\xff\xfe\xff").names == ()

    def test_dictionaries_and_narrow_numbers_of_parquet(self, tmp_path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(
            {
                "objectId": pa.array(["A", "A", "B"]).dictionary_encode(),
                "mjd": [61000.0, 61001.0, 61002.0],
                "band": pa.array(["g", "r", "g"]).dictionary_encode(),
                "mag": pa.array([18.0, 18.5, 19.0], pa.float32()),
            }
        )
        pq.write_table(table, tmp_path / "t")
        curves, told = read(tmp_path / "t")
        assert told == []
        assert curves.offsets.tolist() == [0, 2, 3]
        assert curves.band.tolist() == [1, 2, 1]

    def test_ids_as_floats(self, tmp_path: Path) -> None:
        rows = [{"objectId": float(each), "mjd": 61000.0, "band": "g", "mag": 18.0} for each in (5, 6)]
        assert read(written(tmp_path, "a", recorded.parquet(rows)))[0].object_ids == ("5", "6")
        rows[0]["objectId"] = 1.7e17
        curves, told = read(written(tmp_path, "b", recorded.parquet(rows)))
        assert len(curves) == 0 and "lost digits" in told[0][1]


class TestFaults:
    def test_rows_of_another_length_are_told(self, tmp_path: Path) -> None:
        curves, told = from_csv(tmp_path, "objectId,mjd,band,mag\nA,61000,g,18\nA,61001,g\nA,61002,g,19\n")
        assert len(curves.mjd) == 2
        assert told == ["1 rows are left out, the first with 3 fields instead of 4: 'A,61001,g'"]

    def test_what_is_no_number_is_told(self, tmp_path: Path) -> None:
        curves, told = from_csv(tmp_path, "objectId,mjd,band,mag\nA,61000,g,bright\nA,soon,g,18\nA,61002,g,19\n")
        assert told == [
            "1 rows have no number as mjd, the first 'soon'",
            "1 rows have no number as magnitude, the first 'bright'",
        ]
        assert curves.mjd.tolist() == [61000.0, 61002.0]
        assert math.isnan(curves.magnitude[0]) and not curves.is_detection[0]

    def test_a_large_id_beside_a_fault_stays_exact(self, tmp_path: Path) -> None:
        text = f"objectId,mjd,band,mag,candid\n1,x,g,18,{recorded.LARGE}\n1,61000,g,18,{recorded.LARGE}\n"
        assert from_csv(tmp_path, text)[0].source_id.tolist() == [recorded.LARGE]

    def test_rows_without_an_object_are_told(self, tmp_path: Path) -> None:
        curves, told = from_csv(tmp_path, "objectId,mjd,band,mag\n,61000,g,18\nA,61001,g,18\n,61002,g,18\n")
        assert (curves.object_ids, told) == (("A",), ["2 rows have no object id"])

    def test_two_columns_of_one_name(self, tmp_path: Path) -> None:
        good, _ = from_csv(tmp_path, "objectId,mjd,band,mag,x\nA,61000,g,18,1\n")
        curves, told = from_csv(tmp_path, "objectId,mjd,band,mag,x,x\nA,61000,g,18,1,2\n")
        assert told == []
        assert digests(curves) == digests(good)


@pytest.mark.parametrize("epoch", [("61000", "61002"), ("2025-11-21", "2025-11-23T00:00")])
def test_headers_among_the_rows(tmp_path: Path, epoch: tuple[str, str]) -> None:
    first, second = (f"objectId,mjd,band,mag\nA,{day},g,18\n" for day in epoch)
    curves, refused, lines = left_out(written(tmp_path, "t.csv", (first + second).encode()))
    assert (refused, curves.object_ids, np.diff(curves.mjd).tolist()) == ([], ("A",), [2.0])
    assert "headers among the rows are left out: several tables were put together" in lines
    other = second.replace("band,mag\n", "mag,band\n").replace("g,18", "18,g")
    _, refused, _ = left_out(written(tmp_path, "u.csv", (first + other).encode()))
    assert refused == ["has another header among its rows, where band was mag is: divide it"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"objectId mjd band mag\nA 61000 g 18\n", "is a table whose columns are parted by blanks"),
        (b'[{"objectId": "A", "mjd": 61000, "band": "g", "mag": 18}, 7]', "has points as JSON, but is no table"),
        (b'{"objectId": "A", "mjd": 61000, "band": "g", "mag": [18]}', "mag has lists or structures"),
    ],
)
def test_reasons_are_clear(tmp_path: Path, text: bytes, reason: str) -> None:
    (told,) = left_out(written(tmp_path, "t", text))[1]
    assert told.startswith(reason)
