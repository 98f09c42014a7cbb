"""Tables of requests: every row comes back, in its order, with a magnitude or the reason why there is none."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tides_bridge.archives.brightness import is_unseen, read_sample, score, try_predictions
from tides_bridge.archives.predictions import predict_for_file
from tides_bridge.archives.truth import TruthFile
from tides_bridge.errors import SettingsError

HUGE, OTHER = "170587115523932323", "170587115523932324"


@pytest.fixture
def light_curves(tmp_path: Path) -> Path:
    """Two objects that rise, one a magnitude fainter."""
    lines = ["objectId,mjd,band,mag,magerr"]
    for day in range(0, 12, 3):
        for band, shift in (("g", 0.1), ("r", 0.0), ("i", 0.1)):
            mag = 20.0 + shift - 0.1 * day
            lines += [f"{HUGE},{61000 + day + shift},{band},{mag},0.02"]
            lines += [f"{OTHER},{61000 + day + shift},{band},{mag + 1},0.02"]
    file = tmp_path / "curves.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def answers(light_curves: Path, rows: list[str], header: str = "objectId,until_mjd,at_mjd,band") -> pd.DataFrame:
    requests, output = light_curves.with_name("requests.csv"), light_curves.with_name("out.csv")
    requests.write_text("\n".join([header, *rows]) + "\n")
    predict_for_file([light_curves], requests, output, refused=lambda path, problem: pytest.fail(problem))
    return pd.read_csv(output, dtype=str, keep_default_na=False)


def test_rows_keep_their_order_and_ids_their_digits(light_curves: Path) -> None:
    asked = [
        f"{OTHER},61009.5,61011,r",
        f"{HUGE},61009.5,61011,r",
        f"{OTHER},61003.5,61004,g",
        f"{HUGE},61009.5,61011,i",
    ]
    found = answers(light_curves, asked)
    assert list(found.columns) == ["objectId", "until_mjd", "at_mjd", "band", "mag", "mag_err", "method"]
    assert found.objectId.tolist() == [OTHER, HUGE, OTHER, HUGE]
    assert found.band.tolist() == ["r", "r", "g", "i"]
    magnitudes = found.mag.astype(float)
    assert magnitudes[0] - magnitudes[1] == pytest.approx(1.0, abs=0.4)
    assert (found.mag_err.astype(float) > 0).all()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("nobody,61009,61010,r", "no such object"),
        (f"{HUGE},60000,61010,r", "no usable point before"),
        (f"{HUGE},61009,61010,w", "no band 'w'"),
        (f"{HUGE},61009,61010,", "no band ''"),
        (f"{HUGE},NaN,61010,r", "until_mjd 'NaN' is no MJD"),
        (f"{HUGE},61009,,r", "at_mjd '' is no MJD"),
        (f"{HUGE},2461009.5,61010,r", "until_mjd '2461009.5' is no MJD; as MJD that is 61009"),
        (f"{HUGE},61009,inf,r", "at_mjd 'inf' is no MJD"),
        ("1.7058711552393232e17,61009,61010,r", "no such object"),
        (",61009,61010,r", "no such object"),
    ],
)
def test_a_row_without_an_answer_stays_with_its_reason(light_curves: Path, row: str, reason: str) -> None:
    good = f"{HUGE},61009.5,61011,r"
    found = answers(light_curves, [good, row, good])
    assert found.mag[1] == found.mag_err[1] == ""
    assert found.method[1].startswith("no prediction: ")
    assert reason in found.method[1]
    assert found.mag[0] == found.mag[2] != ""


def test_other_columns_stay_and_old_answers_go(light_curves: Path) -> None:
    header = "note,OBJECTID,until_mjd,at_mjd,band,mag"
    found = answers(light_curves, [f"=1+1,{HUGE},61009.5,61011,r,99"], header)
    assert found.note[0] == "'=1+1"
    assert float(found.mag[0]) < 21
    assert list(found.columns) == [*header.split(","), "mag_err", "method"]


def test_later_points_change_nothing(light_curves: Path) -> None:
    rows = [f"{HUGE},61006.5,61008,r"]
    before = answers(light_curves, rows)
    with light_curves.open("a") as file:
        file.write(f"{HUGE},61007.5,r,15,0.01\n{HUGE},61006.6,g,25,0.01\n")
    pd.testing.assert_frame_equal(answers(light_curves, rows), before)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("objectId,at_mjd,band\na,1,r\n", "until_mjd"),
        ("", "is no CSV file"),
        ("objectId,until_mjd,at_mjd,band\na,1,2,r,5,6\n", "is no CSV file"),
    ],
)
def test_a_table_that_is_none_is_refused_by_name(light_curves: Path, content: str, problem: str) -> None:
    requests = light_curves.with_name("requests.csv")
    requests.write_text(content)
    with pytest.raises(SettingsError, match=problem) as caught:
        predict_for_file([light_curves], requests, requests.with_name("o.csv"), refused=lambda path, text: None)
    assert "requests.csv" in str(caught.value)
    assert not requests.with_name("o.csv").exists()


def test_a_table_without_rows_gives_one_without_rows(light_curves: Path) -> None:
    assert len(answers(light_curves, [])) == 0


@pytest.mark.parametrize(("name", "limit"), [("o.txt", "must end in .csv"), ("away/o.csv", "there is no folder")])
def test_a_place_that_cannot_be_written_is_told_first(light_curves: Path, name: str, limit: str) -> None:
    with pytest.raises(SettingsError, match=limit):
        predict_for_file([light_curves], light_curves, light_curves.parent / name, refused=lambda path, text: None)


def test_real_supernovae_that_nothing_was_fitted_on(shared_data: Path) -> None:
    """A few of them: `benchmarks.brightness` has all."""
    truth = [TruthFile(file) for file in sorted((shared_data / "bts").glob("*.csv"))]
    curves = shared_data / "bts" / "snia_lightcurves.csv.gz"
    sample = read_sample([curves], truth, refused=lambda path, problem: pytest.fail(problem))
    tried = [name for name in sample.curves.object_ids if is_unseen(name)][:25]
    assert len(tried) == 25
    rows = try_predictions(sample, set(tried).__contains__)
    assert rows.object_id.nunique() > 15
    assert rows.is_known.mean() > 0.95
    off = (rows.magnitude - rows.truth).to_numpy()
    assert abs(off.mean()) < 0.05
    assert np.median(np.abs(off)) < 0.1
    assert np.mean(np.abs(off) > 0.3) < 0.1
    assert 0.55 < (abs(off) < rows.error).mean() < 0.85
    last = (rows["last"] - rows.truth).dropna()
    assert np.median(np.abs(off)) < 0.6 * np.median(np.abs(last))
    assert Counter(map(len, score(rows))) == {11: 4}
