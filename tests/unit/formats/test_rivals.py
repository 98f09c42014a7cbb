"""Columns that say one thing twice: silence where they agree, a name where they do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.formats.test_files import written
from tests.unit.formats.test_meaning import CONTAINERS, EPOCHS, MJD, left_out
from tides_bridge.lightcurves.photometry import TAI_AHEAD

MAGNITUDE = np.array([18.1, 18.2, 18.3, 18.4])

AGREEING: dict[str, tuple[str, Any, Any]] = {
    "magnitude": ("mag", MAGNITUDE.round(2), MAGNITUDE + 1),
    "magpsf": ("mag", MAGNITUDE, MAGNITUDE - 0.1),
    "magerr": ("mag_err", [0.1, 0.1, 0.2, 0.1], [0.3, 0.3, 0.5, 0.4]),
    "jd": ("mjd", MJD + 2400000.5, MJD + 2400001.5),
    "mjd_tai": ("mjd", MJD + TAI_AHEAD, MJD + 0.1),
    "hjd": ("mjd", MJD + 2400000.505, MJD),
    "filter": ("band", ["ZTF_g", "zr", "b'g'", "i"], ["r", "g", "i", "g"]),
    "fid": ("band", [1, 2, 1, 3], [2, 1, 2, 1]),
}
"""Of a further column: beside which it stands, values that say the same, and values that do not."""
AGREEING["hjd"] = ("mjd", MJD + 2400000.505, MJD + 2400010.5)

HARMLESS: dict[str, tuple[str, Any, Any]] = {
    "object_ra": ("ra", [359.9999, 0.0, 10.0, 10.0], [10.0, 10.0, 20.0, 20.0]),
    "DEJ2000": ("dec", [-30.0, -30.0, -30.0, -30.0005], [-31.0] * 4),
    "maglim": ("limmag", [20.5] * 4, [21.0] * 4),
    "date": ("mjd", EPOCHS["date_obs"], ["2025-01-01"] * 4),
    "telescope": ("survey", ["P48 (ZTF)"] * 4, ["Rubin"] * 4),
    "oid": ("objectId", ["a ", "A", "A", "A"], ["B"] * 4),
}
"""Of these the first is used all the same."""


def frame() -> pd.DataFrame:
    columns = {"objectId": ["A"] * 4, "mjd": MJD, "band": ["g", "r", "g", "i"], "mag": MAGNITUDE, "mag_err": 0.1}
    places = {"ra": [0.0, 0.0, 10.0, 10.0], "dec": -30.0, "limmag": 20.5, "survey": "ztf"}
    return pd.DataFrame(columns | places).assign(mag_err=[0.1, 0.1, 0.2, 0.1])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_two_columns_say(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    known = AGREEING | HARMLESS
    name = data.draw(st.sampled_from(sorted(known)))
    beside, same, other = known[name]
    differs = np.array(data.draw(st.lists(st.booleans(), min_size=4, max_size=4)))
    values = pd.Series(same, dtype=object).where(~differs, pd.Series(other, dtype=object)).infer_objects()
    container = CONTAINERS[data.draw(st.sampled_from(sorted(CONTAINERS)))]
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(container(frame().assign(**{name: values})))
    curves, refused, lines = left_out(path)
    together = " ".join([*refused, *lines])
    number = int(differs.sum())
    assert (f"{beside} and {name}" in together or f"{name} and {beside}" in together) == bool(number)
    if name in HARMLESS:
        assert (refused, np.isfinite(curves.flux).sum()) == ([], 4)
    elif number > 2:
        assert len(curves) == 0 and "most of it cannot be used" in refused[0]
    else:
        assert (refused, np.isfinite(curves.flux).sum()) == ([], 4 - number)
        assert any(line.startswith(f"{number} point") for line in lines) == bool(number)


@pytest.mark.parametrize(("further", "number"), [({"flux_uJy": [3.0, 4.0]}, 2), ({"flux_uJy": [3.0, 9.0]}, 1)])
def test_fluxes_in_two_units(tmp_path: Path, further: dict[str, list[float]], number: int) -> None:
    rows = pd.DataFrame({"objectId": "A", "mjd": MJD[:2], "band": "g", "flux": [3000.0, 4000.0], **further})
    curves, _, lines = left_out(written(tmp_path, "t.csv", rows.to_csv(index=False).encode()))
    assert np.isfinite(curves.flux).sum() == number
    assert any("whose flux and flux_uJy contradict" in line for line in lines) == (number == 1)


def test_a_further_column_that_is_no_such_thing_does_no_harm(tmp_path: Path) -> None:
    rows = frame().assign(time=["noon", "12:30", "", "x"], magnitude=[[1, 2]] * 4, oid=[1.5e18] * 4)
    rows.to_parquet(tmp_path / "t.parquet")
    curves, refused, _ = left_out(tmp_path / "t.parquet")
    assert (refused, np.isfinite(curves.flux).sum()) == ([], 4)


def test_two_columns_of_one_name_that_is_needed_are_refused(tmp_path: Path) -> None:
    _, refused, _ = left_out(written(tmp_path, "t.csv", b"objectId,mjd,band,mag,mag\nA,61000,g,18,19\n"))
    assert refused == ["has two columns called mag: keep one"]
    pd.DataFrame({"objectId": ["A"], "mjd": [MJD[0]], "band": ["g"], "mag": [[18.0]]}).to_parquet(tmp_path / "t")
    assert left_out(tmp_path / "t")[1] == ["mag has lists or structures in place of single values"]


@pytest.mark.parametrize("brightness", ["mag", "flux"])
def test_errors_that_are_none_are_told(tmp_path: Path, brightness: str) -> None:
    name = {"mag": "magerr", "flux": "fluxerr"}[brightness]
    rows = [f"A,61000.{row},g,{value},{error}" for row, (value, error) in enumerate(ERRORS)]
    text = "\n".join([f"objectId,mjd,band,{brightness},{name}", *rows])
    curves, refused, lines = left_out(written(tmp_path, "t.csv", text.encode()))
    assert (refused, len(curves)) == ([], 1)
    assert "2 points whose error is 0 or less: they have no significance" in lines


ERRORS = ((18, 0.1), (18, 0), (18, -0.1), ("", 0), (18, ""))


def test_what_only_the_further_column_says_is_used_or_told(tmp_path: Path) -> None:
    text = "objectId,mjd,jd,band,mag,magnitude\nA,,2461000.6,g,18,18\nA,61000.2,2461000.7,g,,18\nA,61000.3,,g,18,\n"
    lines = left_out(written(tmp_path, "t.csv", text.encode()))[2]
    assert "mjd is empty in rows where jd is not: only mjd is read" in lines
    assert "magnitude is used in rows where mag is empty" in lines


def test_words_that_are_neither_yes_nor_no_are_told(tmp_path: Path) -> None:
    text = "objectId,mjd,band,mag,isdiffpos\n" + "".join(
        f"A,6100{number}.2,g,18,{word}\n" for number, word in enumerate(("t", "-1", "", "maybe"))
    )
    curves, _, lines = left_out(written(tmp_path, "t.csv", text.encode()))
    assert curves.is_positive.tolist() == [True, False, False, False]
    assert [line for line in lines if "neither yes" in line] == [
        "is_positive is 'maybe', which is neither yes nor no: it counts as no"
    ]


def test_names_in_json_keep_all_their_digits(tmp_path: Path) -> None:
    ids = ["170587115523932323", str(2**63 + 7), '"7"']
    rows = ",".join(f'{{"objectId": {name}, "mjd": 61000.1, "band": "g", "mag": 18}}' for name in ids)
    curves, refused, _ = left_out(written(tmp_path, "t.json", f"[{rows}]".encode()))
    assert (refused, curves.object_ids) == ([], (*ids[:2], "7"))
