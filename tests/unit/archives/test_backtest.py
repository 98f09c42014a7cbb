"""What functions would have selected: small archives with the answer known by hand, properties, and the real ones."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import curves_of, point, quick
from tides_bridge.archives import backtest_report
from tides_bridge.archives.backtest import (
    NO_TRUTH,
    Backtest,
    agreement,
    check_wanted,
    contamination,
    count_classes,
    days_at_trigger,
    delays,
    join_truth,
    judge_parts,
    run_backtest,
    share_of,
)
from tides_bridge.archives.backtest_plots import draw_backtest, write_backtest_plot
from tides_bridge.archives.efficiency import edges_of, efficiency, joined_bins
from tides_bridge.archives.lives import lives_of
from tides_bridge.archives.truth import COLUMNS, TruthFile
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.formats.files import read_light_curves
from tides_bridge.resources import shipped
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.file import functions_file, read_functions_file

NAN = float("nan")
STRICT = {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minNights": 2, "magLimit": 20}
TWO_BANDS = SelectionFunction.parse("twoBands", {**STRICT, "minBands": 2})
ANY_BAND = SelectionFunction.parse("anyBand", {**STRICT, "minBands": 1})
YOUNG = SelectionFunction.parse("young", {**STRICT, "minBands": 1, "maxAgeFirst": "2 d"})

ARCHIVE = curves_of(
    *(point(61000 + day, band, of=0) for day, band in enumerate("ggrg")),  # a: both, A two days after the first
    *(point(61000 + day, "g", of=1) for day in range(3)),  # b: only B, after one day
    *(point(61000 + day, "gr"[day % 2], mag=21, of=2) for day in range(4)),  # c: neither, too faint
    *(point(61000 + day, "gr"[day % 2], of=3) for day in range(4)),  # d: both, after one day
    *(point(61000 + day, "gr"[day % 2], of=4) for day in range(2)),  # e: both
    point(61000, of=5, detection=False),  # f: neither, nothing was detected
    point(60990, of=6, positive=False),  # g: neither; a fading is a detection, too
)
KNOWN = pd.DataFrame(
    [
        ("a", "SN Ia", "SN Ia", None, 61010.0, 18.2, 0.05),
        ("b", "SN II", "SN II", None, NAN, 18.3, NAN),
        ("c", "SN Ia", "SN Ia", None, 61001.0, 20.9, 0.15),
        ("d", "AGN", "AGN", None, NAN, NAN, 0.5),
        ("f", None, "GENTYPE 57", "GENTYPE 57 is none", NAN, NAN, NAN),
        ("g", "SLSN", "SLSN-I", None, NAN, 18.9, 0.9),
        ("x", "SN Ia", "SN Ia", None, 61000.0, 19.0, 0.1),
    ],
    columns=["object_id", *COLUMNS],
).set_index("object_id")


def backtest_on(*functions: SelectionFunction, known: pd.DataFrame = KNOWN, **options: Any) -> Backtest:
    return join_truth(judge_parts([ARCHIVE], functions), known, functions, **options)


@pytest.fixture(scope="module")
def both() -> Backtest:
    return backtest_on(TWO_BANDS, ANY_BAND)


def column(table: pd.DataFrame, name: str) -> dict[Any, Any]:
    return dict(table[name].to_dict())


def test_an_object_is_selected_when_it_has_a_trigger(both: Backtest) -> None:
    objects = both.objects.set_index("object_id")
    np.testing.assert_equal(objects.trigger_mjd_A.tolist(), [61002, NAN, NAN, 61001, 61001, NAN, NAN])
    np.testing.assert_equal(objects.trigger_mjd_B.tolist(), [61001, 61001, NAN, 61001, 61001, NAN, NAN])
    np.testing.assert_equal(objects.first_detection_mjd.tolist(), [61000] * 5 + [NAN, 60990])
    assert objects.n_detections.tolist() == [4, 3, 4, 4, 2, 0, 1]
    assert objects.selected_A.tolist() == [True, False, False, True, True, False, False]


def test_an_object_that_was_young_stays_selected() -> None:
    objects = backtest_on(YOUNG).objects.set_index("object_id")
    assert objects.selected_A["a"] and not objects.passed_A["a"]
    assert objects.selected_A["e"] and objects.passed_A["e"]


def test_counts_by_true_class_leave_nobody_out(both: Backtest) -> None:
    counts = count_classes(both)
    assert counts.index.tolist() == ["SN Ia", "AGN", "SLSN", "SN II", "GENTYPE 57 is none", NO_TRUTH]
    assert counts.in_archive.tolist() == [2, 1, 1, 1, 1, 1]
    assert counts.selected_A.tolist() == [1, 1, 0, 0, 0, 1]
    assert counts.selected_B.tolist() == [1, 1, 0, 1, 0, 1]
    assert counts.share_A.tolist() == [0.5, 1, 0, 0, 0, 1]
    assert counts.is_wanted.tolist() == [True, False, True, True, False, False]
    assert both.truth_without_object == 1


def test_contamination_counts_known_classes_only(both: Backtest) -> None:
    rows = contamination(both)
    assert rows[["function", "selected", "unknown", "others"]].to_numpy().tolist() == [["A", 3, 1, 1], ["B", 4, 1, 1]]
    assert rows.share.tolist() == [1 / 2, 1 / 3]
    assert contamination(both, ["SN Ia"]).others.tolist() == [1, 2]
    assert contamination(both, ["AGN"]).share.tolist() == [1 / 2, 2 / 3]


def test_days_at_the_trigger(both: Backtest) -> None:
    assert days_at_trigger(both, "A", "first_detection").tolist() == [2]
    assert days_at_trigger(both, "B", "first_detection").tolist() == [1, 1]
    assert days_at_trigger(both, "A", "peak").tolist() == [-8]
    table = delays(both).set_index(["function", "since"])
    assert table.loc[("B", "peak"), ["number", "median", "p16", "p84"]].tolist() == [1, -9, -9, -9]
    assert np.isnan(delays(backtest_on(TWO_BANDS, wanted=["TDE"])).loc[0, "median"])


def test_percentiles_are_at_16_and_84() -> None:
    points = [point(61000 + day, "gr"[day % 2], of=number) for number in range(5) for day in (0, 1 + number * 2)]
    known = pd.DataFrame(
        [(name, "SN Ia", "", None, NAN, NAN, NAN) for name in "abcde"], columns=["object_id", *COLUMNS]
    )
    judged = judge_parts([curves_of(*points)], [TWO_BANDS])
    table = delays(join_truth(judged, known.set_index("object_id"), [TWO_BANDS]))
    assert table.loc[0, ["number", "median", "p16", "p84"]].tolist() == pytest.approx([5, 5, 2.28, 7.72])


def test_a_against_b(both: Backtest) -> None:
    table = agreement(both)
    assert table.loc["SN Ia"].tolist() == [1, 0, 0, 1]
    assert table.loc["SN II"].tolist() == [0, 0, 1, 0]
    assert table.sum().tolist() == [3, 0, 1, 3]


def test_efficiency_in_bins(both: Backtest) -> None:
    table = efficiency(both, "peak_magnitude", fewest=1).set_index("low_edge")
    filled = table[table.in_archive > 0]
    assert filled.index.tolist() == [18.0, 18.25, 18.5, 19.0]
    assert filled.in_archive.tolist() == [1, 1, 1, 1]
    assert filled.selected_A.tolist() == [1, 0, 0, 0] and filled.selected_B.tolist() == [1, 1, 0, 0]
    redshifts = efficiency(both, "redshift", fewest=1)
    assert redshifts.iloc[-1][["in_archive", "selected_A", "selected_B"]].tolist() == [1, 0, 1]  # b, of no redshift
    assert redshifts.in_archive.sum() == 4


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 9))
@quick
def test_bins_are_joined_until_they_have_enough(counts: list[int], fewest: int) -> None:
    joined = joined_bins(counts, fewest)
    assert [low for low, _ in joined] + [len(counts)] * bool(joined) == [0] * bool(joined) + [end for _, end in joined]
    totals = [sum(counts[low:high]) for low, high in joined]
    assert sum(totals) == sum(counts) and (len(joined) <= 1 or min(totals) >= fewest)
    # No part of one could stand alone: so little is joined as can be.
    assert all(sum(counts[low : high - 1]) < fewest for low, high in joined[:-1])


def test_efficiency_in_two_dimensions_joins_along_each() -> None:
    rows = [("SN Ia", 18.1, 0.05 + 0.2 * (n % 2), n % 2 == 0, True) for n in range(12)]
    rows += [("SN Ia", 20.1, 0.05, True, True)] * 2 + [("SN Ia", 20.1, NAN, True, True), ("AGN", 20.1, 0.1, True, True)]
    table = efficiency(backtest_of(rows), "peak_magnitude", "redshift")
    assert table.in_archive.tolist() == [8, 6, 1]  # the two faint ones are too few for a bin of their own
    assert table.selected_A.tolist() == [8, 0, 1] and table.share_A.tolist() == [1, 0, 1]
    assert table.low_edge_2[0] == 0.04 and table.high_edge_2[0] == table.low_edge_2[1] and np.isnan(table.low_edge[2])


def test_a_against_itself_differs_nowhere() -> None:
    twins = backtest_on(ANY_BAND, ANY_BAND)
    table = agreement(twins)
    assert table[["only_A", "only_B"]].to_numpy().sum() == 0
    counts = count_classes(twins)
    assert (counts.selected_A == counts.selected_B).all()
    for quantity in ("peak_magnitude", "redshift"):
        bins = efficiency(twins, quantity)  # type: ignore[arg-type]
        pd.testing.assert_series_equal(bins.share_A, bins.share_B, check_names=False)


def test_wanted_classes_and_all_within_them() -> None:
    assert backtest_on(TWO_BANDS, wanted=["SN-like"]).objects.is_wanted.sum() == 3
    assert backtest_on(TWO_BANDS, wanted=["Variable"]).objects.is_wanted.sum() == 5
    assert check_wanted(["snia", "SLSN-I"]) == ("SN Ia", "SLSN")
    with pytest.raises(SettingsError, match="--wanted: nonsense: no class is called so"):
        check_wanted(["nonsense"])


@pytest.mark.parametrize(("part", "whole"), [(0, 7), (7, 7), (1, 3), (500, 1000)])
def test_intervals_are_within_and_around(part: int, whole: int) -> None:
    share, low, high = share_of([part], [whole]).to_numpy()[0]
    assert 0 <= low <= share <= high <= 1 and low < high
    # Wilson's interval is where the share is one standard deviation, of the end of the interval, away.
    for end in (low, high):
        if 0 < end < 1:
            assert abs(share - end) == pytest.approx(np.sqrt(end * (1 - end) / whole), rel=1e-3)


def test_the_share_of_nothing_is_unknown() -> None:
    assert share_of([0], [0]).isna().all(axis=None)


OBJECTS = st.lists(
    st.tuples(
        st.sampled_from(["SN Ia", "SN II", "AGN", None]),
        st.one_of(st.just(NAN), st.floats(14, 26)),
        st.one_of(st.just(NAN), st.floats(0, 2)),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)


def backtest_of(rows: Sequence[tuple[Any, ...]]) -> Backtest:
    """Make a backtest of objects with class, peak, redshift and what A and B say."""
    judged = [
        (
            f"o{n}",
            61000.0 + 20 * n,
            1,
            40.0 * n % 360,
            20.0 * n % 90,
            61000.0 if a else NAN,
            a,
            a,
            61000.0 if b else NAN,
            b,
            b,
        )
        for n, (*_, a, b) in enumerate(rows)
    ]
    names = ["object_id", "first_detection_mjd", "n_detections", "ra", "decl"]
    names += [f"{name}_{letter}" for letter in "AB" for name in ("trigger_mjd", "passed", "selected")]
    types = {f"{name}_{letter}": bool for letter in "AB" for name in ("passed", "selected")}
    known = [
        (f"o{n}", name, name or "?", None if name else "none", 61001.0, peak, z)
        for n, (name, peak, z, *_) in enumerate(rows)
    ]
    table = pd.DataFrame(known, columns=["object_id", *COLUMNS]).astype({"class_name": object}).set_index("object_id")
    return join_truth(pd.DataFrame(judged, columns=names).astype(types), table, [TWO_BANDS, ANY_BAND])


@given(OBJECTS)
@quick
def test_all_tables_add_up_to_the_same_totals(rows: list[tuple[Any, ...]]) -> None:
    found = backtest_of(rows)
    wanted = found.objects[found.objects.is_wanted]
    counts = count_classes(found)
    assert counts.in_archive.sum() == len(rows)
    tables = [efficiency(found, *quantities) for quantities in backtest_report.QUANTITIES]
    for letter in "AB":
        name = f"selected_{letter}"
        assert counts[name].sum() == found.objects[name].sum()
        for bins in tables:
            assert (bins.in_archive[:-1] >= 5).all() or len(bins) <= 2
            assert (bins.in_archive.sum(), bins[name].sum()) == (len(wanted), wanted[name].sum())
            assert (bins[name] <= bins.in_archive).all()
    table = agreement(found)
    assert table.to_numpy().sum() == len(rows)
    assert (table.both + table.only_A).sum() == found.objects.selected_A.sum()
    json.loads(backtest_report.report_as_json(found))


@given(st.lists(st.floats(-3, 40), min_size=1), st.sampled_from(["peak_magnitude", "redshift"]))
@quick
def test_edges_hold_all_values(values: list[float], quantity: Any) -> None:
    edges = edges_of(np.array(values), quantity)
    assert edges[0] <= min(values) + 1e-6 and max(values) < edges[-1] + 1e-6
    assert (np.diff(edges) > 0).all()


@given(st.permutations(range(7)), st.integers(0, 7))
@quick
def test_the_order_of_objects_and_their_parts_changes_nothing(order: list[int], cut: int) -> None:
    singles = [ARCHIVE.part(number, number + 1) for number in order]
    parts = [type(ARCHIVE).joined(some) for some in (singles[:cut], singles[cut:]) if some]
    found = judge_parts(parts, [TWO_BANDS, YOUNG])
    pd.testing.assert_frame_equal(found, judge_parts([ARCHIVE], [TWO_BANDS, YOUNG]))


def test_notes_say_what_an_archive_cannot_tell(both: Backtest) -> None:
    assert "7 objects in the archive, 2 of them of no known class" in " ".join(backtest_report.report_notes(both))
    for known, words in (
        (KNOWN.loc[["a", "b"]], "says nothing of contamination"),
        (KNOWN.loc[["d"]], "says nothing of efficiency"),
        (KNOWN.loc[["x"]], "are the ids those of the truth?"),
    ):
        assert words in backtest_report.report_notes(backtest_on(TWO_BANDS, known=known))[-1]


def test_the_report_as_markdown(both: Backtest) -> None:
    text = backtest_report.report_as_markdown(both)
    for line in (
        "| SN Ia | yes | 2 | 1 | 50.0 % (21.1 to 78.9) | 1 | 50.0 % (21.1 to 78.9) |",
        "| no truth |  | 1 | 1 | 100.0 % (50.0 to 100.0) | 1 | 100.0 % (50.0 to 100.0) |",
        "| A: not of a wanted class | 3 | 1 | 1 | 50.0 % (21.1 to 78.9) |",
        "| A: since peak | 1 | -8.0 | -8.0 | -8.0 |",
        "| all | 3 | 0 | 1 | 3 |",
        "| unknown | 1 | 0 | 0.0 % (0.0 to 50.0) | 1 | 100.0 % (50.0 to 100.0) |",
        f"| A | twoBands | {TWO_BANDS.version} | 7 | 3 | 3 |",
    ):
        assert line in text.splitlines(), line
    assert "A against B" not in backtest_report.report_as_markdown(backtest_on(TWO_BANDS))


def test_a_name_is_no_formula_in_the_csv_of_objects(both: Backtest) -> None:
    evil = both.objects.assign(object_id=["=1+1", "SN\x1b[31m", *both.objects.object_id[2:]])
    usual = pd.read_csv(io.StringIO(backtest_report.report_as_csv(both)), dtype=str)
    found = pd.read_csv(io.StringIO(backtest_report.report_as_csv(replace(both, objects=evil))), dtype=str)
    assert found.object_id.tolist() == ["'=1+1", "'SN\\x1b[31m", *usual.object_id[2:]]
    assert found.drop(columns="object_id").equals(usual.drop(columns="object_id"))
    assert backtest_report.report_as_csv(both) == both.objects.to_csv(index=False)


def test_the_report_as_json_and_the_objects_as_csv(both: Backtest, tmp_path: Path) -> None:
    backtest_report.write_files(both, tmp_path / "a.json", None)
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["functions"][0] == {
        "letter": "A",
        "name": "twoBands",
        "version": TWO_BANDS.version,
        "keys": json.loads(TWO_BANDS.normalised_text),
    }
    assert content["classes"][0]["class"] == "SN Ia" and content["classes"][0]["selected_A"] == 1
    assert content["efficiency_by_redshift"][-1]["low_edge"] is None
    backtest_report.write_files(both, tmp_path / "a.csv", None)
    rows = pd.read_csv(tmp_path / "a.csv", dtype={"object_id": str})
    assert rows.object_id.tolist() == list("abcdefg")
    assert rows.trigger_mjd_A.notna().sum() == 3
    backtest_report.write_files(both, tmp_path / "a.md", None)
    assert (tmp_path / "a.md").read_text() == backtest_report.report_as_markdown(both)


def test_places_are_checked_before_the_work(tmp_path: Path) -> None:
    backtest_report.check_places(tmp_path / "a.MD", tmp_path / "a.svg")
    with pytest.raises(SettingsError, match=r"--output: a.txt must end with one of .md, .json, .csv"):
        backtest_report.check_places(Path("a.txt"), None)
    with pytest.raises(SettingsError, match=r"--plot: .*jpg must end with one of .png"):
        backtest_report.check_places(None, Path("a.jpg"))
    with pytest.raises(SettingsError, match="there is no folder"):
        backtest_report.check_places(tmp_path / "none" / "a.md", None)
    (tmp_path / "a.md").mkdir()
    (tmp_path / "a.png").mkdir()
    for write in (
        lambda found: backtest_report.write_output(found, tmp_path / "a.md"),
        lambda found: write_backtest_plot(found, tmp_path / "a.png"),
    ):
        with pytest.raises(SettingsError, match="cannot be written: Is a directory"):
            write(backtest_on(TWO_BANDS))


def test_the_picture_shows_what_the_tables_say(tmp_path: Path) -> None:
    rows = [("SN Ia", 18.1 + 0.01 * n, 0.1, n < 6, n < 3) for n in range(8)]
    found = backtest_of([*rows, *[("SN Ia", 20.1, 0.3, True, True)] * 5])
    figure = draw_backtest(found)
    panels = [panel for panel in figure.axes if panel.get_ylabel() == "efficiency"]
    assert [panel.get_xlabel() for panel in panels] == ["peak magnitude [mag]", "redshift"]
    points = [container[0].get_ydata().tolist() for container in panels[0].containers]
    assert points == [[6 / 8, 1], [3 / 8, 1]]
    few = draw_backtest(backtest_of(rows[:4]))
    assert [len(panel.containers[0][0].get_ydata()) for panel in few.axes[:2]] == [0, 0]  # they say nothing
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A: twoBands", "B: anyBand"]
    write_backtest_plot(found, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("known", [KNOWN.loc[["d"]], KNOWN.loc[["c"]], KNOWN.loc[["b"]]])
def test_a_picture_of_little_says_so(known: pd.DataFrame, tmp_path: Path) -> None:
    write_backtest_plot(backtest_on(ANY_BAND, known=known), tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size > 1000


def write_archive(folder: Path) -> Path:
    lines = ["objectId,mjd,band,mag,magerr"]
    for row in range(4):
        lines.append(f"313637935709683761,{61000 + row},{'gr'[row % 2]},19,0.1")
        lines.append(f"ZTF26b,{61000 + row},g,19,0.1")
    file = folder / "archive.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_files_in_tables_out(tmp_path: Path, unused: Callable[[Path, str], None]) -> None:
    archive, truth = write_archive(tmp_path), tmp_path / "truth.csv"
    truth.write_text("objectId,classId\n313637935709683761,111\nZTF26b,221\n")
    done: list[int] = []
    found = run_backtest([archive], [TWO_BANDS], [TruthFile(truth)], refused=unused, done=done.append)
    assert found.objects.object_id.tolist() == ["313637935709683761", "ZTF26b"]
    assert found.objects.class_name.tolist() == ["SN Ia", "AGN"]
    assert found.objects.selected_A.tolist() == [True, False]
    assert sum(done) == 2 and found.bands == ("g", "r")


def test_nothing_to_read_is_an_error_and_a_broken_file_is_not(
    tmp_path: Path, unused: Callable[[Path, str], None]
) -> None:
    archive, broken = write_archive(tmp_path), tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    told: list[tuple[Path, str]] = []

    def refused(path: Path, problem: str) -> None:
        told.append((path, problem))

    truth = [TruthFile(archive, "AGN")]
    assert len(run_backtest([broken, archive], [TWO_BANDS], truth, refused=refused).objects) == 2
    assert [path for path, _ in told] == [broken]
    with pytest.raises(RejectedError, match="there is no light curve that could be read"):
        run_backtest([broken], [TWO_BANDS], truth, refused=refused)
    with pytest.raises(SettingsError, match="--peak-band: x is not one of u, g, r"):
        run_backtest([archive], [TWO_BANDS], truth, refused=unused, bands=["x"])


@pytest.fixture
def unused() -> Callable[[Path, str], None]:
    def refused(path: Path, problem: str) -> None:
        raise AssertionError(f"{path}: {problem}")

    return refused


def test_the_file_of_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert functions_file(Path("mine.yaml")) == Path("mine.yaml")
    assert functions_file() == shipped("selectionFunctions.yaml")
    (tmp_path / "selectionFunctions.yaml").touch()
    assert functions_file() == Path("selectionFunctions.yaml")


@pytest.fixture(scope="module")
def shipped_functions() -> dict[str, SelectionFunction]:
    return read_functions_file(shipped("selectionFunctions.yaml"))


def elasticc(folder: Path, functions: Sequence[SelectionFunction], turned: bool = False, **options: Any) -> Backtest:
    names = ["snia_5398alerts", "agn_elasticc_alerts", "elasticc_sample_seed0"]
    files = [folder / "elasticc" / f"{name}.parquet" for name in names]
    truth = [TruthFile(files[0]), TruthFile(files[1], "AGN")]
    step = -1 if turned else 1
    told: list[str] = []
    found = run_backtest(
        files[::step], functions, truth[::step], refused=lambda path, problem: told.append(problem), **options
    )
    assert told == []
    return found


def test_the_simulated_supernovae_and_agn(shared_data: Path, shipped_functions: dict[str, SelectionFunction]) -> None:
    functions = [shipped_functions[name] for name in ("tidesSNLSSTSelect", "tidesLasairLSST2026")]
    found = elasticc(shared_data, functions, zero_point=31.4)
    counts = count_classes(found)
    assert counts.in_archive.to_dict() == {"SN Ia": 3503, "AGN": 98, NO_TRUTH: 88}
    assert counts.selected_A.to_dict() == {"SN Ia": 1716, "AGN": 72, NO_TRUTH: 47}
    assert counts.selected_B.to_dict() == {"SN Ia": 1771, "AGN": 73, NO_TRUTH: 47}
    assert agreement(found).loc["SN Ia"].tolist() == [1716, 0, 55, 1732]
    assert contamination(found)[["others", "unknown"]].to_numpy().tolist() == [[72, 47], [73, 47]]
    assert found.truth_without_object == 0 and found.bands == ("g", "r", "i", "z")
    by_peak = efficiency(found, "peak_magnitude")
    assert by_peak.selected_A.sum() == 1716 and by_peak[by_peak.low_edge >= 23].selected_A.sum() == 0
    again = elasticc(shared_data, functions, turned=True, zero_point=31.4)
    pd.testing.assert_frame_equal(again.objects, found.objects)


def test_the_real_supernovae(shared_data: Path, shipped_functions: dict[str, SelectionFunction]) -> None:
    functions = [shipped_functions[name] for name in ("tidesSNZTFSelect", "youngSupernovaExample")]
    truth = [TruthFile(file) for file in (shared_data / "bts").glob("ZTF_BTS_*.csv")]
    told: list[str] = []
    found = run_backtest(
        [shared_data / "bts/snia_lightcurves.csv.gz"],
        functions,
        truth,
        refused=lambda path, problem: told.append(problem),
    )
    counts = count_classes(found)
    assert told == [] and found.truth_without_object == 2229
    assert counts.in_archive.to_dict() == {"SN Ia": 1138, "SN Ia-91bg": 4, "SN Iax": 3, NO_TRUTH: 3}
    assert counts.selected_A.to_dict() == {"SN Ia": 1121, "SN Ia-91bg": 3, "SN Iax": 3, NO_TRUTH: 3}
    assert counts.selected_B.to_dict() == {"SN Ia": 852, "SN Ia-91bg": 2, "SN Iax": 2, NO_TRUTH: 2}
    assert counts.passed_B.sum() == 1
    assert contamination(found).others.tolist() == [0, 0]
    peak = delays(found).set_index(["function", "since"])["median"]
    assert peak[("A", "peak")] == pytest.approx(-6.9, abs=0.1)


def test_lives_of_simulated_supernovae(shared_data: Path, shipped_functions: dict[str, SelectionFunction]) -> None:
    """A part of them: all are in docs/backtest.md."""
    (file,) = (shared_data / "elasticc").glob("snia_*.parquet")
    curves = next(iter(read_light_curves([file], zero_point=31.4, refused=lambda path, problem: None))).part(0, 60)
    verdicts = judge(curves, [shipped_functions["tidesSNLSSTSelect"]])[0]
    sums = lives_of(curves, verdicts.trigger_mjd).groupby("rule").sum(numeric_only=True)
    assert sums.later.nunique() == 1 and sums.nights.nunique() == 1
    best = sums.loc["predicted"]
    assert best.found >= 0.97 * best.later > 20 and best.found_clear <= 0.05 * best.later_clear + 1
    assert best.switches < sums.switches["days"] and best.off_bright <= sums.off_bright["days"]
    assert np.sqrt(best.off2 / best.compared) < 0.15
