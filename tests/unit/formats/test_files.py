"""Every format read as light curves: told apart by content, one judgement an object, in units, faults told."""

import json
import logging
import pickle
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import recorded
from tests.support.curves import quick
from tides_bridge.brokers.lasair.curves import fetched_light_curves
from tides_bridge.errors import SettingsError
from tides_bridge.formats import json_text, tables
from tides_bridge.formats.contents import close_kept
from tides_bridge.formats.files import Part, kind_of, read_light_curves, work_units
from tides_bridge.lightcurves import LightCurves, Objects

Told = list[tuple[str, str]]


def read(*paths: Path, **options: Any) -> tuple[LightCurves, Told]:
    """Read files; gives the light curves, and (file name, reason) of all that was refused."""
    told: Told = []
    parts = read_light_curves(paths, refused=lambda path, why: told.append((path.name, why)), **options)
    return LightCurves.joined(list(parts)), told


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def digests(curves: LightCurves, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Give a hash of the points of each object: what is known beside differs between formats."""
    blank: dict[str, Any] = {name: np.full(len(curves.mjd), np.nan) for name in without}
    bare = replace(curves, objects=Objects.unknown(len(curves)), **blank)
    return dict(zip(curves.object_ids, bare.digests(), strict=True))


@pytest.mark.parametrize("name", recorded.ZTF_FILES)
def test_ztf_light_curves_are_the_same_in_every_format(tmp_path: Path, name: str) -> None:
    expected, _ = read(written(tmp_path, "a", recorded.ZTF_FILES["array.json"]()))
    curves, told = read(written(tmp_path, "data", recorded.ZTF_FILES[name]()))
    assert told == []
    assert sorted(curves.object_ids) == sorted(recorded.ZTF)
    assert digests(curves) == digests(expected)


@pytest.mark.parametrize("name", recorded.LSST_FILES)
def test_lsst_light_curves_are_the_same_in_every_format(tmp_path: Path, name: str) -> None:
    expected, _ = read(written(tmp_path, "a", recorded.LSST_FILES["array.json"]()))
    curves, told = read(written(tmp_path, "data", recorded.LSST_FILES[name]()))
    assert told == []
    assert sorted(curves.object_ids) == ["170587115523932323", "170587115523932324"]
    assert digests(curves, without=("reliability",)) == digests(expected, without=("reliability",))


def test_what_ztf_points_mean(tmp_path: Path) -> None:
    curves, _ = read(written(tmp_path, "p", recorded.ZTF_FILES["lines.jsonl"]()))
    first = curves.part(0, 1)
    assert first.object_ids == ("ZTF26aaaaaaa",)
    assert first.mjd.tolist() == [61001.25, 61004.25, 61006.25, 61009.25]
    assert first.band.tolist() == [1, 1, 3, 2]
    assert first.is_detection.tolist() == [False, True, True, True]
    assert first.night.tolist() == [3201, 3204, 3206, 3209]
    assert first.source_id.tolist() == [-1, 2600000000000004000, 2600000000000006000, 2600000000000009000]
    assert np.isnan(first.magnitude[0]) and first.flux_error[0] == pytest.approx(10 ** ((31.4 - 20.5) / 2.5) / 5)
    assert curves.is_positive[curves.is_detection].tolist() == [True, True, True, False, False, True]
    assert curves.band[-1] == -1 and curves.reliability[-1] == 0.7


def test_what_lsst_points_mean(tmp_path: Path) -> None:
    curves, _ = read(written(tmp_path, "p", recorded.LSST_FILES["nested.parquet"]()))
    first = curves.part(0, 1)
    assert first.mjd == pytest.approx(np.array([61002.5, 61003.5, 61004.5, 61005.5, 61008.5]) - 37 / 86400, abs=1e-9)
    assert first.is_detection.tolist() == [True, False, False, True, True]
    assert first.is_positive.tolist() == [True, False, True, False, True]
    assert first.flux.tolist() == [4000.0, -10.0, 900.0, -3000.0, 9000.0]
    assert first.significance[0] == 16.0
    assert first.source_id[0] == recorded.LARGE + 20
    assert curves.band[-1] == 5


class TestIds:
    @pytest.mark.parametrize("number", [2**53 - 1, 2**53, 2**53 + 1, recorded.LARGE, 2**63 - 1])
    def test_large_ids_stay_exact(self, tmp_path: Path, number: int) -> None:
        packet = recorded.alert(number, [recorded.source(1, diaSourceId=number)])
        row = {"objectId": number, "mjd": 61000.5, "band": "g", "flux": 4000.0, "fluxerr": 100.0, "diaSourceId": number}
        files = {
            "a.json": recorded.json_text(packet),
            "a.avro": recorded.avro([packet]),
            "a.parquet": recorded.parquet([packet]),
            "a.csv": recorded.csv_text([row]),
            "flat.parquet": recorded.parquet([row]),
        }
        for name, content in files.items():
            curves, told = read(written(tmp_path, name, content))
            assert told == []
            assert curves.object_ids == (str(number),)
            assert curves.source_id.tolist() == [number]

    @pytest.mark.parametrize("number", [2**63, 2**64 + 1])
    def test_ids_beyond_64_bits_are_kept_as_text(self, tmp_path: Path, number: int) -> None:
        packet = recorded.alert(number, [recorded.source(1)])
        curves, told = read(written(tmp_path, "a.json", recorded.json_text(packet)))
        assert (curves.object_ids, told) == ((str(number),), [])

    def test_a_source_id_beyond_64_bits_is_told(self, tmp_path: Path) -> None:
        packet = recorded.alert(5, [recorded.source(1, diaSourceId=2**63)])
        _, told = read(written(tmp_path, "a.json", recorded.json_text(packet)))
        assert len(told) == 1 and "diaSourceId" in told[0][1]

    def test_ids_as_floats_are_refused(self, tmp_path: Path) -> None:
        packet = recorded.alert(1, [recorded.source(1)])
        packet["diaSource"]["diaObjectId"] = packet["diaObject"]["diaObjectId"] = 1.6981300668058832e17
        for name, content in (("a.json", recorded.json_text(packet)), ("a.parquet", recorded.parquet([packet]))):
            curves, told = read(written(tmp_path, name, content))
            assert len(curves) == 0
            assert len(told) == 1 and "lost digits" in told[0][1]

    def test_a_float_beside_the_exact_id_does_no_harm(self, tmp_path: Path) -> None:
        packet = recorded.alert(recorded.LARGE, [recorded.source(1)])
        packet["diaObject"]["diaObjectId"] = float(recorded.LARGE)
        for name, content in (("a.json", recorded.json_text(packet)), ("a.parquet", recorded.parquet([packet]))):
            assert read(written(tmp_path, name, content))[0].object_ids == (str(recorded.LARGE),)


class TestNewest:
    def test_only_the_newest_packet_of_an_object_counts(self, tmp_path: Path) -> None:
        old = recorded.ztf_packets({"ZTF26a": [recorded.point(2)]})
        new = recorded.ztf_packets({"ZTF26a": [recorded.point(5), recorded.point(4)], "ZTF26b": [recorded.point(1)]})
        written(tmp_path, "1.avro", recorded.avro(new))
        written(tmp_path, "2/x.json", recorded.json_lines(old))
        written(tmp_path, "3.csv", recorded.csv_text(recorded.rows_of_ztf({"ZTF26a": [recorded.point(1)]})))
        curves, told = read(tmp_path)
        assert told == []
        assert sorted(zip(curves.object_ids, np.diff(curves.offsets).tolist(), strict=True)) == [
            ("ZTF26a", 2),
            ("ZTF26b", 1),
        ]

    def test_points_of_one_object_in_two_tables_are_told(self, tmp_path: Path) -> None:
        for name, nights in (("1.csv", [1, 2]), ("2.csv", [3]), ("3.csv", [0])):
            points = {"ZTF26a": [recorded.point(night) for night in nights]}
            more = {f"ZTF26b{name[0]}": [recorded.point(1)]} if name != "1.csv" else {}
            written(tmp_path, name, recorded.csv_text(recorded.rows_of_ztf(points | more)))
        heard: dict[str, list[str]] = {}
        curves, told = read(tmp_path, left_out=lambda path, found: heard.update({path.name: found.lines()}))
        assert (sorted(curves.object_ids), len(curves.mjd), told) == (["ZTF26a", "ZTF26b2", "ZTF26b3"], 3, [])
        assert [name for name, lines in heard.items() if "points of 1 objects that are not" in lines[0]] == [
            "1.csv",
            "3.csv",
        ]

    def test_the_number_is_the_same_object_as_its_text(self, tmp_path: Path) -> None:
        written(tmp_path, "a.json", recorded.json_text(recorded.alert(77, [recorded.source(1)])))
        written(tmp_path, "b.json", recorded.json_text({"diaObjectId": "77", "diaSourcesList": [recorded.source(2)]}))
        curves, _ = read(tmp_path)
        assert curves.object_ids == ("77",)
        assert curves.mjd == pytest.approx([61002.5 - 37 / 86400])

    def test_of_equally_new_ones_the_last_counts(self, tmp_path: Path) -> None:
        for name, mag in (("a.json", 18.0), ("b.json", 19.0)):
            written(tmp_path, name, recorded.json_lines(recorded.ztf_packets({"Z": [recorded.point(1, magpsf=mag)]})))
        assert read(tmp_path)[0].magnitude.tolist() == [19.0]
        assert read(tmp_path / "b.json", tmp_path)[0].magnitude.tolist() == [18.0]

    def test_an_old_table_gives_way_to_a_packet(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tables, "ROWS_A_PASS", 2)
        rows = sorted(recorded.rows_of_ztf(), key=lambda row: row["jd"])
        written(tmp_path, "rows.csv", recorded.csv_text(rows))
        written(tmp_path, "new.json", recorded.json_text(recorded.ztf_packets({"ZTF26aaaaaaa": [recorded.point(30)]})))
        curves, _ = read(tmp_path)
        assert sorted(curves.object_ids) == sorted(recorded.ZTF)
        assert curves.mjd.max() == 61030.25
        assert len(curves.mjd) == 5


class TestUnits:
    @pytest.mark.parametrize("name", [*recorded.ZTF_FILES, "many"])
    @pytest.mark.parametrize("size", [1, 2, 100])
    def test_units_survive_the_way_to_another_process(self, tmp_path: Path, name: str, size: int) -> None:
        if name == "many":
            for number, packet in enumerate(recorded.ztf_packets()):
                written(tmp_path, f"{number}.json", recorded.json_text(packet))
        else:
            written(tmp_path, "data", recorded.ZTF_FILES[name]())
        units = work_units([tmp_path], objects_per_part=size, refused=pytest.fail)
        parts: list[Part] = [pickle.loads(pickle.dumps(unit)).read() for unit in reversed(units)]
        close_kept()
        assert sum(unit.objects for unit in units) >= 3
        together = LightCurves.joined([part.curves for part in parts])
        expected, _ = read(tmp_path)
        assert digests(together) == digests(expected)
        if not name.startswith(("array", "pretty", "answers.json", "scattered")) and name != "answer_a_line.jsonl":
            assert len(units) == -(-3 // size)

    @quick
    @given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 9), st.randoms(use_true_random=False))
    def test_any_division_gives_the_same(
        self, tmp_path_factory: pytest.TempPathFactory, number: int, size: int, group: int, dice: random.Random
    ) -> None:
        folder = tmp_path_factory.mktemp("division")
        packets = [recorded.alert(100 + i % 13, [recorded.source(1 + i), recorded.source(0.5)]) for i in range(number)]
        dice.shuffle(packets)
        path = written(folder, "p", recorded.parquet(packets, row_group_size=group))
        lines = written(folder, "l", recorded.packed(recorded.json_lines(packets) + b"\n"))
        curves, told = read(path, objects_per_part=size)
        of_lines, _ = read(lines, objects_per_part=size)
        assert told == []
        assert digests(curves) == digests(of_lines)
        assert sorted(curves.object_ids) == sorted({str(100 + i % 13) for i in range(number)})

    def test_a_long_scattered_table_is_gone_through_several_times(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = recorded.rows_of_ztf({f"Z{i}": [recorded.point(j + i / 100) for j in range(5)] for i in range(40)})
        together = written(tmp_path, "a/together.csv", recorded.csv_text(rows))
        random.Random(4).shuffle(rows)
        monkeypatch.setattr(tables, "ROWS_A_PASS", 60)
        monkeypatch.setattr(tables, "RUNS", 50)
        expected, _ = read(together)
        for name, content in (
            ("s.csv", recorded.csv_text(rows)),
            ("s.parquet", recorded.parquet(rows, row_group_size=33)),
        ):
            path = written(tmp_path, name, content)
            assert len(work_units([path], refused=pytest.fail)) == 4
            curves, told = read(path)
            assert told == []
            assert digests(curves) == digests(expected)

    def test_a_text_of_many_stretches(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        expected, _ = read(written(tmp_path, "a.json", recorded.json_text(recorded.answers())))
        monkeypatch.setattr("tides_bridge.formats.contents.STRETCH", 256)
        for name, make in recorded.ZTF_FILES.items():
            if name.startswith(("lines", "answers.jsonl", "rows", "scattered")):
                curves, told = read(written(tmp_path, name, make()), objects_per_part=1)
                assert told == []
                assert digests(curves) == digests(expected)


class TestFaults:
    def test_a_broken_record_is_told_and_the_rest_read(self, tmp_path: Path) -> None:
        lines = recorded.json_lines(recorded.ztf_packets()).splitlines()
        broken = [lines[0], b'{"objectId": "ZTF26bad", "candidate": {"jd": "soon"}}', b"", lines[1], b'{"a', lines[2]]
        curves, told = read(written(tmp_path, "p.jsonl", b"\n".join(broken)))
        assert sorted(curves.object_ids) == sorted(recorded.ZTF)
        assert [why.split(":")[0] for _, why in told] == ["record 2", "record 4"]
        assert "$.candidate.jd" in told[0][1]
        assert "is not JSON" in told[1][1]

    def test_what_only_shows_when_the_points_are_read(self, tmp_path: Path) -> None:
        packets = recorded.ztf_packets()
        packets[1]["prv_candidates"][0]["magpsf"] = "faint"
        for name, content in (
            ("a.jsonl", recorded.json_lines(packets)),
            ("a.json", recorded.json_text(packets)),
        ):
            curves, told = read(written(tmp_path, name, content))
            assert len(curves) == 2
            assert [each for each, _ in told] == [name]
            assert told[0][1].startswith("record 2: cannot be read: Expected `float | null`, got `str`")

    def test_an_alert_of_the_solar_system(self, tmp_path: Path) -> None:
        for name, content in (
            ("a.json", recorded.json_text([recorded.moving(), *recorded.alerts()])),
            ("a.parquet", recorded.parquet([recorded.moving(), *recorded.alerts()])),
        ):
            curves, told = read(written(tmp_path, name, content))
            assert len(curves) == 2
            assert len(told) == 1
            assert told[0][1].endswith("it is about 21163615805847120, an object of the solar system")

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is empty"),
            (b"  \n", "is empty"),
            (b"# Notes\nnothing", "begins with b'# Notes"),
            (b"name,ra,dec\nx,1,2\n", "is a table with the columns name, ra, dec; needed are objectId"),
            (b"PK\x03\x04....", "is broken: File is not a zip file"),
            (b"SIMPLE  =                    T", "is broken FITS"),
            (b"\x02\x04\x00\x01rest", "an Avro message without schema? Name it with --schema"),
            (b"\x00\x00\x00\x03\x84rest", "with the schema number 900"),
            (b"Obj\x01broken", "is a broken Avro container"),
            (b"PAR1broken", "is broken: "),
            (b"\x1f\x8bbroken", "is"),
            (b"[]", "is an empty list"),
            (b'{"a": 1}', "is none of these: ZTF alert packets"),
            (b'{"objectId": "ZTF26a"}', "has an objectId, but no light curve"),
            (b'{"objectId": "ZTF26a", "error": "no such object"}', "Lasair's answer is an error: no such object"),
            (b'{"diaObjectId": 5, "UTC": "2026"}', "does the Lasair filter add the alert"),
            (b'{"diaSourcesList": []}', "has sources, but no diaObjectId"),
            (b'[[{"jd": 2461000.5}]]', "is a list in a list"),
            (b"objectId,mjd,band,mag\n", "is a table without rows"),
        ],
    )
    def test_what_is_none_is_told(self, tmp_path: Path, content: bytes, reason: str) -> None:
        good = written(tmp_path, "good.json", recorded.ZTF_FILES["array.json"]())
        curves, told = read(written(tmp_path, "bad", content), good)
        assert len(curves) == 3
        assert len(told) == 1
        assert told[0][0] == "bad" and reason in told[0][1]

    def test_parquet_of_something_else(self, tmp_path: Path) -> None:
        _, told = read(written(tmp_path, "p", recorded.parquet([{"a": 1, "b": 2.0}])))
        assert "is Parquet with the columns a, b" in told[0][1]

    @pytest.mark.parametrize("name", recorded.ZTF_FILES)
    @pytest.mark.parametrize("part", [0.05, 0.5, 0.9])
    def test_a_file_that_is_cut_off_never_stops_the_others(self, tmp_path: Path, name: str, part: float) -> None:
        good = written(tmp_path, "good.json", recorded.json_text(recorded.alerts()))
        content = recorded.ZTF_FILES[name]()
        curves, told = read(written(tmp_path, "cut", content[: int(part * len(content))]), good)
        assert {"170587115523932323", "170587115523932324"} <= set(curves.object_ids)
        assert told or name.startswith(("lines", "answer", "rows", "scattered"))

    def test_no_file_and_an_empty_folder(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        curves, told = read(tmp_path / "none", tmp_path / "empty")
        assert len(curves) == 0
        assert told == [("none", "there is no such file or folder"), ("empty", "is a folder without files")]

    def test_hidden_files_and_marks_of_spark_are_passed_over(self, tmp_path: Path) -> None:
        for name in ("_SUCCESS", ".hidden", ".ipynb_checkpoints/x"):
            written(tmp_path, name, b"")
        written(tmp_path, "part-0.parquet", recorded.parquet(recorded.alerts()))
        curves, told = read(tmp_path)
        assert (len(curves), told) == (2, [])

    def test_a_file_that_changes_in_between_is_told(self, tmp_path: Path) -> None:
        for name in ("lines.jsonl", "lines.jsonl.gz", "packets.parquet", "rows.csv"):
            path = written(tmp_path, name, recorded.ZTF_FILES[name]())
            (unit,) = work_units([path], refused=pytest.fail)
            path.write_bytes(b"\n")
            part = unit.read()
            close_kept()
            assert len(part.curves) == 0
            assert part.refused


MADE = {f"ztf {name}": make for name, make in recorded.ZTF_FILES.items()}
MADE |= {f"lsst {name}": make for name, make in recorded.LSST_FILES.items()}
STRANGE = (b"1e999", b"-999", b"null", b"NaN", b"9" * 30, b'"', b"\n", b"\xff", b",,", b"[[[", b"true", b"0.5")


@pytest.mark.parametrize("name", MADE)
def test_spoilt_bytes_are_told_whatever_they_are(tmp_path: Path, name: str) -> None:
    content, dice = MADE[name](), random.Random(name)
    for _ in range(15):
        spoilt, at = bytearray(content), dice.randrange(len(content))
        way = dice.randrange(3)
        if way == 0:
            spoilt[at] ^= dice.randint(1, 255)
        elif way == 1:
            del spoilt[at : at + dice.randint(1, 40)]
        else:
            spoilt[at:at] = dice.choice(STRANGE)
        curves, told = read(written(tmp_path, "spoilt", bytes(spoilt)), noted=lambda *_: None)
        assert len(curves) or told


def test_answers_in_a_file_are_read_as_those_of_the_api(tmp_path: Path) -> None:
    content = recorded.json_text(recorded.answers())
    curves, _ = read(written(tmp_path, "answers", content))
    assert digests(curves, without=("reliability",)) == digests(
        fetched_light_curves(content).curves, without=("reliability",)
    )


def test_the_fast_way_and_the_thorough_one_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = recorded.answers()
    answers[0]["candidates"][0] |= {"ssdistnr": 1.0, "drb": None}
    answers[1]["candidates"][0] |= {"ssdistnr": None, "magpsf": None}
    answers[2]["candidates"][0] |= {"ssdistnr": -999.0, "drb": -999.0, "nid": None}
    path = written(tmp_path, "answers", recorded.json_lines([*answers, {"objectId": "none", "candidates": []}]))
    assert json_text.curves_of_answers(path.read_bytes(), True, None) is not None
    fast, _ = read(path)
    monkeypatch.setattr("tides_bridge.formats.json_text.curves_of_answers", lambda *_: None)
    thorough, told = read(path)
    assert told == []
    assert fast.digests() == thorough.digests()
    assert fast.object_ids == thorough.object_ids
    assert fast.objects.solar_system.tolist()[0] == 1.0


class TestZeroPoint:
    def test_psflux_is_scaled_and_psfflux_is_not(self, tmp_path: Path) -> None:
        old = written(tmp_path, "old", recorded.parquet([recorded.elasticc(each, 27.5) for each in recorded.alerts()]))
        new = written(tmp_path, "new", recorded.parquet(recorded.alerts()))
        expected, _ = read(new)
        for path in (old, new):
            curves, _ = read(path, zero_point=27.5)
            assert curves.flux == pytest.approx(expected.flux)
            assert curves.flux_error == pytest.approx(expected.flux_error)

    def test_a_wrong_one_is_noted(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        for name, make in (("p", recorded.parquet), ("j", recorded.json_lines)):
            path = written(tmp_path, name, make([recorded.elasticc(each, 27.5) for each in recorded.alerts()]))
            notes: Told = []
            read(path, noted=lambda path, why, notes=notes: notes.append((path.name, why)))
            assert [each for each, _ in notes] == [name]
            assert "the 5-sigma depth is 27.6 mag" in notes[0][1]
            assert "--zero-point" in notes[0][1]
        with caplog.at_level(logging.WARNING):
            read(path)
        assert "5-sigma depth" in caplog.text


class TestKind:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("container.avro.gz", "container"), ("pretty.json", "document"), ("array.json", "document"),
            ("lines.jsonl.gz", "lines"), ("packets.parquet", "alerts"), ("rows.tsv.gz", "text"),
            ("rows.parquet", "table"),
        ],
    )  # fmt: skip
    def test_is_told_by_the_content(self, tmp_path: Path, name: str, kind: str) -> None:
        assert kind_of(written(tmp_path, "x.dat", recorded.ZTF_FILES[name]())) == kind

    def test_one_packet_a_file(self, tmp_path: Path) -> None:
        packet = recorded.ztf_packets()[0]
        makers: list[Callable[[Any], bytes]] = [recorded.json_text, lambda each: json.dumps(each, indent=1).encode()]
        for make in makers:
            assert len(read(written(tmp_path, "one", b"\xef\xbb\xbf" + make(packet)))[0]) == 1

    def test_a_missing_schema_is_a_wrong_setting(self, tmp_path: Path) -> None:
        path = written(tmp_path, "m", recorded.message(recorded.alerts()[0]))
        with pytest.raises(SettingsError, match="no such schema"):
            read(path, schema=tmp_path / "none")
