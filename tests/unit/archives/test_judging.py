"""Decisions on light curves of files: the columns, the three kinds of file, and that no half of one is left."""

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import given

from tests.support.curves import curves_of, point, points, quick
from tides_bridge.archives.decision_files import DecisionFile, decision_schema, decision_table
from tides_bridge.archives.judging import Question, Tally, chosen_curves, chunks_of, judge_units, mjd_of_text
from tides_bridge.errors import SettingsError
from tides_bridge.formats.cells import text_of_cell
from tides_bridge.formats.files import Unit, work_units
from tides_bridge.formats.output.table_files import check_output, encode_rows
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.selection import SelectionFunction, judge

FUNCTION = SelectionFunction.parse(
    "example",
    {
        "rules": "strict",
        "filters": ["g", "r"],
        "significance": 5,
        "minNights": 2,
        "any": [{"magLimit": 18}, {"maxEbv": 0.3}],
        "sherlockClasses": ["SN", "UNKNOWN"],
    },
)
NAMES = [
    "objectId", "passed", "trigger_mjd", "n_detections",
    "minNights", "minNights_passed",
    "sherlockClasses", "sherlockClasses_passed",
    "any.1.magLimit", "any.1.magLimit_passed",
    "any.2.maxEbv", "any.2.maxEbv_passed",
]  # fmt: skip


def some_curves() -> LightCurves:
    """Three objects: one passes, one is of another class and nothing else, one has no points."""
    return LightCurves.from_magnitudes(
        ["170587115523932323", 'say "SN", please', "c"],
        [0, 0, 0, 1],
        [61000.25, 61001.25, 61002.0, 61000.0],
        [1, 2, 1, 5],
        [19.0, 18.5, 17.5, 19.0],
        [0.1] * 4,
        is_detection=[True] * 4,
        is_positive=[True] * 4,
        objects=Objects.of(3, ebv=[0.1, np.nan, np.nan], sherlock_class=["SN", "VS", None]),
    )


def written(path: Path, curves: LightCurves, parts: int = 1) -> Path:
    size = -(-len(curves) // parts)
    with DecisionFile(path, FUNCTION) as file:
        for start in range(0, len(curves), size):
            part = curves.part(start, start + size)
            (verdicts,) = judge(part, [FUNCTION])
            file.append(encode_rows(decision_table(part.object_ids, verdicts), path.suffix))
    return path


def test_the_columns_are_those_that_are_promised() -> None:
    assert sorted(decision_schema(FUNCTION).names) == sorted(NAMES) and decision_schema(FUNCTION).names[:4] == NAMES[:4]
    types = {field.name: str(field.type) for field in decision_schema(FUNCTION)}
    assert types["objectId"] == types["sherlockClasses"] == "string"
    assert types["passed"] == types["minNights_passed"] == "bool" and types["trigger_mjd"] == "double"


def test_csv(tmp_path: Path) -> None:
    with written(tmp_path / "d.csv", some_curves()).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["objectId"] for row in rows] == ["170587115523932323", 'say "SN", please', "c"]
    assert [row["passed"] for row in rows] == ["true", "false", "false"]
    assert [row["trigger_mjd"] for row in rows] == ["61001.25", "", ""]
    assert [row["sherlockClasses"] for row in rows] == ["SN", "VS", "UNKNOWN"]
    assert rows[1]["any.1.magLimit"] == rows[1]["any.2.maxEbv"] == ""


def test_a_name_is_no_formula_in_a_csv_and_the_same_elsewhere() -> None:
    (verdicts,) = judge(some_curves(), [FUNCTION])
    ids = ("=1+1", "SN\x1b[31m", "-7")
    table = decision_table(ids, verdicts)
    rows = [*csv.reader(encode_rows(table, ".csv").decode().splitlines())]
    assert [row[0] for row in rows] == ["'=1+1", "'SN\\x1b[31m", "-7"]
    assert tuple(text_of_cell(row[0]) for row in rows) == ids
    usual = encode_rows(decision_table(some_curves().object_ids, verdicts), ".csv").decode()
    assert [row[1:] for row in rows] == [row[1:] for row in csv.reader(usual.splitlines())]
    assert [json.loads(line)["objectId"] for line in encode_rows(table, ".json").split(b",\n")] == [*ids]


def test_json_has_null_where_there_is_nothing(tmp_path: Path) -> None:
    text = written(tmp_path / "d.json", some_curves(), parts=3).read_text()
    assert "NaN" not in text
    rows = json.loads(text, parse_constant=pytest.fail)
    assert list(rows[0]) == decision_schema(FUNCTION).names
    assert rows[0]["objectId"] == "170587115523932323" and rows[0]["any.1.magLimit"] == 17.5
    assert rows[2]["trigger_mjd"] is rows[2]["any.1.magLimit"] is None and rows[2]["passed"] is False
    assert rows[2]["n_detections"] == 0


def test_parquet_says_which_function_it_was(tmp_path: Path) -> None:
    table = pq.read_table(written(tmp_path / "d.parquet", some_curves(), parts=2))
    assert table.schema.equals(decision_schema(FUNCTION))
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    assert metadata["tides.function"] == "example" and metadata["tides.version"] == FUNCTION.version
    assert table["passed"].to_pylist() == [True, False, False]
    assert table["any.2.maxEbv"].null_count == 2


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet", ".fits", ".vot", ".ecsv"])
def test_parts_make_the_same_file_as_the_whole(ending: str, tmp_path: Path) -> None:
    whole, parts = written(tmp_path / f"a{ending}", some_curves()), written(tmp_path / f"b{ending}", some_curves(), 3)
    assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet", ".fits", ".vot", ".ecsv"])
def test_a_file_without_objects_is_a_valid_one(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"d{ending}"
    with DecisionFile(path, FUNCTION) as file:
        file.append(b"")
    if ending == ".json":
        assert json.loads(path.read_text()) == []
    elif ending == ".csv":
        assert next(csv.reader(path.read_text().splitlines())) == decision_schema(FUNCTION).names
    elif ending == ".parquet":
        assert len(pq.read_table(path)) == 0
    else:
        form = {".fits": "fits", ".vot": "votable", ".ecsv": "ascii.ecsv"}[ending]
        assert Table.read(path, format=form).colnames == decision_schema(FUNCTION).names


@pytest.mark.parametrize(("ending", "form"), [(".fits", "fits"), (".vot", "votable"), (".ecsv", "ascii.ecsv")])
def test_decisions_with_units(ending: str, form: str, tmp_path: Path) -> None:
    table = Table.read(written(tmp_path / f"d{ending}", some_curves(), parts=2), format=form)
    assert [str(name) for name in table["objectId"]] == ["170587115523932323", 'say "SN", please', "c"]
    assert [bool(passed) for passed in table["passed"]] == [True, False, False]
    assert (str(table["trigger_mjd"].unit), float(table["trigger_mjd"][0])) == ("d", 61001.25)
    assert str(table["any.1.magLimit"].unit) == "mag" and np.isnan(np.ma.filled(table["any.1.magLimit"][2], np.nan))
    assert ending == ".fits" or table["n_detections"].description == "detections"


@pytest.mark.parametrize("ending", [".csv", ".json", ".parquet", ".fits", ".vot", ".ecsv"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_ends_early_leaves_nothing_and_spares_what_was_there(
    ending: str, error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / f"d{ending}"
    path.write_text("of yesterday")
    (verdicts,) = judge(some_curves(), [FUNCTION])
    with pytest.raises(error), DecisionFile(path, FUNCTION) as file:
        file.append(encode_rows(decision_table(some_curves().object_ids, verdicts), ending))
        assert path.read_text() == "of yesterday"
        raise error
    assert path.read_text() == "of yesterday" and [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "d.csv"
    link.symlink_to(tmp_path / "there" / "real.csv")
    written(link, some_curves())
    assert link.is_symlink() and (tmp_path / "there" / "real.csv").stat().st_size > 0


def test_places_where_no_file_can_be_are_told(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name, words in (
        ("d.txt", "must end in .csv, .parquet, .json"),
        ("d", "must end in"),
        ("nowhere/d.csv", "there is no folder"),
        ("folder.csv", "is a folder"),
    ):
        with pytest.raises(SettingsError, match=words):
            check_output(tmp_path / name)
    check_output(tmp_path / "d.json")


@quick
@given(points())
def test_the_table_says_what_the_verdicts_say(rows: list[Any]) -> None:
    curves = LightCurves.from_points(["a", "b", "c"], rows)
    (verdicts,) = judge(curves, [FUNCTION])
    table = decision_table(curves.object_ids, verdicts)
    assert table["passed"].to_pylist() == verdicts.passed.tolist()
    for row in json.loads(b"[" + encode_rows(table, ".json") + b"]"):
        place = curves.object_ids.index(row["objectId"])
        trigger = verdicts.trigger_mjd[place]
        assert row["trigger_mjd"] == (None if np.isnan(trigger) else trigger)
        for path, fulfilled in verdicts.fulfilled.items():
            assert row[f"{path}_passed"] == fulfilled[place]


def a_table(folder: Path, objects: int) -> Path:
    """Write a CSV of light curves: every second object passes."""
    rows = ["objectId,mjd,band,mag,magerr"]
    for number in range(objects):
        rows += [f"ZTF{number},{61000 + night},g,{17.5 + number % 2},0.1" for night in range(2)]
    (folder / "curves.csv").write_text("\n".join(rows))
    return folder / "curves.csv"


def units_of(path: Path, objects: int) -> list[Unit]:
    return work_units([path], objects_per_part=objects, refused=lambda *why: pytest.fail(str(why)))


def test_decide_reads_judges_and_counts(tmp_path: Path) -> None:
    units = units_of(a_table(tmp_path, 10), 4)
    tally = Tally()
    for chunk in chunks_of(units, 4):
        question = Question(FUNCTION, ending=".csv", plotted="passed")
        answer = judge_units(*pickle.loads(pickle.dumps((question, chunk))))  # as another process would have it
        assert len(answer.plotted) == answer.passed and answer.rows.count(b"\n") == answer.objects
        tally.add(answer)
    assert (tally.objects, tally.passed) == (10, 5)
    assert tally.failed["any.1.magLimit"] == 5 and tally.failed["any.2.maxEbv"] == 10 and tally.failed["minNights"] == 0


def test_chunks_have_enough_objects_and_keep_the_order(tmp_path: Path) -> None:
    units = units_of(a_table(tmp_path, 10), 2)
    chunks = chunks_of(units, 4)
    assert [unit for chunk in chunks for unit in chunk] == units
    assert all(sum(unit.objects for unit in chunk) >= 4 for chunk in chunks[:-1])
    assert chunks_of([], 4) == []


def test_chosen_light_curves_are_read_again_some_at_a_time(tmp_path: Path) -> None:
    units = tuple(units_of(a_table(tmp_path, 10), 5))
    parts = [unit.read().curves for unit in units]
    ids = [object_id for part in parts for object_id in part.object_ids]
    batches = list(chosen_curves(units, np.array([0, 3, 9]), 2))
    assert [batch.object_ids for batch in batches] == [(ids[0], ids[3]), (ids[9],)]


def test_now_decides_on_ages() -> None:
    young = SelectionFunction.parse(
        "young", {"rules": "strict", "filters": ["g"], "significance": 5, "maxAgeLast": "5 d"}
    )
    curves = curves_of(point(61000.0))
    assert judge(curves, [young], mjd_of_text("61004"))[0].passed.all()
    assert not judge(curves, [young], mjd_of_text("2025-11-27"))[0].passed.any()


@pytest.mark.parametrize("text", ["tomorrow", "2460000.5", "-5", "nan", "2025-13-01"])
def test_an_epoch_that_is_none_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="--now"):
        mjd_of_text(text)


def test_a_date_with_a_zone_is_taken_as_such() -> None:
    assert mjd_of_text("2025-11-21T12:00+12:00") == 61000.0
