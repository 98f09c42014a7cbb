"""Where the true classes come from."""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import snana
from tides_bridge.archives.truth import TruthFile, read_truth
from tides_bridge.errors import SettingsError

HUGE = 313637935709683761
"""A diaObjectId that a float cannot hold."""


def truth(folder: Path, text: str, name: str = "truth.csv", bands: str = "griz") -> pd.DataFrame:
    (folder / name).write_text(text)
    return read_truth([TruthFile(folder / name)], bands)


def test_a_table_with_words(tmp_path: Path) -> None:
    found = truth(
        tmp_path,
        "objectId,type,redshift,peakmag,peakt\n"
        "ZTF26a,SN Ia-91T,0.05,18.25,3000.25\n"
        "ZTF26b,SN Ia?,-,,\n"
        f"{HUGE},AGN,-9,99,0\n",
    )
    assert found.index.tolist() == [str(HUGE), "ZTF26a", "ZTF26b"]
    a, b, huge = (found.loc[name] for name in ("ZTF26a", "ZTF26b", str(HUGE)))
    assert (a.class_name, a.given, a.reason) == ("SN Ia", "SN Ia-91T", None)
    assert (a.redshift, a.peak_magnitude, a.peak_mjd) == (0.05, 18.25, 60999.75)
    assert (b.class_name, b.reason) == (None, "SN Ia? is uncertain")
    assert np.isnan([b.redshift, b.peak_magnitude, b.peak_mjd, huge.redshift, huge.peak_magnitude]).all()
    assert huge.peak_mjd == 2458000 - 2400000.5  # peakt 0 is a date, if an unlikely one


@pytest.mark.parametrize(
    ("header", "value", "name"),
    [
        ("GENTYPE", "10", "SN Ia"),
        ("gentype", "60.0", "AGN"),
        ("classId", "111", "SN Ia"),
        ("class_id", "2222", "SN Ia"),
        ("class", "2243", "TDE"),
        ("class", "131", "SLSN"),
        ("Type", "SLSN-I", "SLSN"),
        ("classification", "SN IIn", "SN II"),
    ],
)
def test_columns_are_told_apart_by_name(tmp_path: Path, header: str, value: str, name: str) -> None:
    assert truth(tmp_path, f"diaObjectId,{header}\n1,{value}\n").class_name.tolist() == [name]


def test_of_several_columns_the_type_of_the_simulation_counts(tmp_path: Path) -> None:
    assert truth(tmp_path, "objectId,class,GENTYPE\n1,AGN,10\n").class_name.tolist() == ["SN Ia"]


def test_what_has_no_class_says_why(tmp_path: Path) -> None:
    found = truth(tmp_path, "objectId,GENTYPE\n1,57\n2,\n3,10\n")
    assert found.given.tolist() == ["GENTYPE 57", "GENTYPE ", "GENTYPE 10"]
    assert found.reason.tolist() == [
        "GENTYPE 57 is PISN-STELLA-HECORE, a PISN model to which ELAsTiCC's map gives no class",
        "not classified",
        None,
    ]


def test_the_brightest_of_the_bands_asked_for_is_the_peak(tmp_path: Path) -> None:
    text = (
        "objectId,class,PEAKMAG_u,PEAKMAG_g,PEAKMAG_r,PEAKMAG_Y\n1,AGN,15,20,19,14\n2,AGN,15,99,99,14\n3,AGN,,21,99,\n"
    )
    np.testing.assert_equal(truth(tmp_path, text).peak_magnitude.tolist(), [19, np.nan, 21])
    np.testing.assert_equal(truth(tmp_path, text, bands="gy").peak_magnitude.tolist(), [14, 14, 21])


def test_rows_of_one_object_become_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("objectId,type,z\n1,SN II,0.1\n2,SN IIP,0.2\n3,-,\n4,SN,0.4\n4,SN Ia,0.4\n")
    (tmp_path / "b.csv").write_text("objectId,type,z\n1,SN Ib,0.3\n2,SN IIn,\n3,AGN,0.5\n5,?,\n5,-,\n")
    sources = [TruthFile(tmp_path / "a.csv"), TruthFile(tmp_path / "b.csv")]
    found = read_truth(sources)
    assert found.class_name.tolist() == [None, "SN II", "AGN", "SN Ia", None]
    assert found.given.tolist() == ["SN II | SN Ib", "SN IIP | SN IIn", "AGN", "SN | SN Ia", "- | ?"]
    assert found.reason.tolist() == [
        "rows disagree: SN II | SN Ib",
        None,
        None,
        None,
        "? is uncertain | not classified",
    ]
    np.testing.assert_equal(found.redshift.tolist(), [0.2, 0.2, 0.5, 0.4, np.nan])
    pd.testing.assert_frame_equal(found, read_truth(sources[::-1]))


def test_a_whole_file_of_one_class(tmp_path: Path) -> None:
    file = tmp_path / "agn.csv"
    file.write_text("objectId,mjd,mag\n1,61000,19\n1,61001,19\n2,61000,20\n")
    found = read_truth([TruthFile.parse(f"{file}=qso")])
    assert found.class_name.to_dict() == {"1": "AGN", "2": "AGN"}
    odd = tmp_path / "a=b.csv"
    odd.write_text("objectId,class\n1,AGN\n")
    assert TruthFile.parse(str(odd)) == TruthFile(odd)
    with pytest.raises(SettingsError, match="XYZ: no class is called so"):
        TruthFile.parse(f"{file}=XYZ")


def test_parquet_and_packed_text_say_the_same(tmp_path: Path) -> None:
    text = f"objectId,class,PEAKMJD,z\n{HUGE},SN Ia,61000.5,0.1\n7,AGN,,\n"
    plain = truth(tmp_path, text)
    (tmp_path / "truth.csv.gz").write_bytes(gzip.compress(text.encode()))
    table = {"objectId": [HUGE, 7], "class": ["SN Ia", "AGN"], "PEAKMJD": [61000.5, None], "z": [0.1, None]}
    pq.write_table(pa.table(table), tmp_path / "truth.parquet")
    for name in ("truth.csv.gz", "truth.parquet"):
        pd.testing.assert_frame_equal(read_truth([TruthFile(tmp_path / name)], "griz"), plain)


def test_the_archive_itself_may_tell(tmp_path: Path) -> None:
    source = pa.array([{"diaObjectId": HUGE, "psFlux": 1.0}, {"diaObjectId": 7, "psFlux": 2.0}])
    table = pa.table({"diaSource": source, "GENTYPE": [10, 60], "PEAKMAG_r": [20.0, 99.0], "ZHELIO": [0.3, -9.0]})
    pq.write_table(table, tmp_path / "alerts.parquet")
    found = read_truth([TruthFile(tmp_path / "alerts.parquet")])
    assert found.class_name.to_dict() == {str(HUGE): "SN Ia", "7": "AGN"}
    np.testing.assert_equal(found.loc[str(HUGE), ["peak_magnitude", "redshift"]].tolist(), [20.0, 0.3])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("objectId,mag\n1,19\n", "has no column with classes .*its columns are: objectId, mag.*=CLASS"),
        ("name,class\n1,AGN\n", "has no column objectId; its columns are: name, class"),
        ("objectId,class\n1,10\n2,60\n", "class: has numbers such as 10.*GENTYPE or classId"),
        ("objectId,class,z\n1,AGN,0.1\n2,AGN,about 1\n", "z: row 2 is no number: 'about 1'"),
        ("objectId,class\n1,AGN\n,AGN\n", "row 2 has no object id"),
        ("objectId,class\n", "has no rows"),
        ("", "is no CSV or Parquet file: No columns"),
        ("objectId,class\n1,AGN\n1,2,3,4\n", "is no CSV"),
        ("objectId,class\n1,AGN,2\n2,AGN,3\n", "is no CSV"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as told:
        truth(tmp_path, text)
    assert str(told.value).startswith(str(tmp_path / "truth.csv"))


def test_a_missing_file_and_ids_that_were_rounded(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_truth([TruthFile(tmp_path / "none.csv")])
    pq.write_table(pa.table({"objectId": [float(HUGE)], "class": ["AGN"]}), tmp_path / "rounded.parquet")
    with pytest.raises(SettingsError, match="objectId: is of type double, which cannot hold every object id"):
        read_truth([TruthFile(tmp_path / "rounded.parquet")])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SettingsError, match="is no CSV or Parquet file"):
        read_truth([TruthFile(tmp_path / "broken.parquet")])


def test_the_real_catalogues(shared_data: Path) -> None:
    found = read_truth([TruthFile(file) for file in (shared_data / "bts").glob("ZTF_BTS_*.csv")])
    assert len(found) == 3374
    counts = found.class_name.value_counts()
    assert counts.to_dict() | {"SN Ia": 2480, "SN II": 596, "TDE": 12, "CART": 1} == counts.to_dict()
    assert found[found.class_name.isna()].reason.tolist() == ["rows disagree: SN II | SN Ib"]
    assert found.peak_mjd.between(58200, 59500).all() and found.redshift.isna().sum() == 6


def test_the_real_simulation(shared_data: Path) -> None:
    file = shared_data / "elasticc/snia_5398alerts.parquet"
    found = read_truth([TruthFile(file)], "r")
    assert len(found) == 3503 and set(found.class_name) == {"SN Ia"}
    assert found[["peak_mjd", "peak_magnitude", "redshift"]].notna().all(axis=None)
    one = found.loc["1344072"]
    assert (one.peak_mjd, one.peak_magnitude, one.redshift) == (60918.382, 22.5976, 0.534134)


@pytest.mark.parametrize("form", ["dump", "packed dump", "head", "parquet"])
def test_the_truth_of_a_simulation_in_every_form(tmp_path: Path, form: str) -> None:
    if "dump" in form:
        text = snana.dump_text().encode()
        (tmp_path / "t").write_bytes(gzip.compress(text) if "packed" in form else text)
        file = tmp_path / "t"
    else:
        file = snana.write_pair(tmp_path) if form == "head" else snana.write_object_rows(tmp_path / "t")
    found = read_truth([TruthFile(file)], "r")
    assert sorted(found.index) == sorted(snana.IDS)
    assert found.loc[list(snana.IDS)].class_name.tolist() == ["SN Ia", "AGN"]
    expected = [snana.TRUTH[name][1:] for name in snana.IDS]
    columns = ["peak_mjd", "redshift", "peak_magnitude"]
    assert found.loc[list(snana.IDS)][columns].to_numpy() == pytest.approx(np.array(expected))


def test_a_dump_with_a_short_row(tmp_path: Path) -> None:
    text = snana.dump_text().replace(f"  {snana.TRUTH[snana.IDS[1]][3]}\n", "\n")
    with pytest.raises(SettingsError, match="row 2 has 6 values for 7 names"):
        truth(tmp_path, text)


def test_targets_of_plasticc(tmp_path: Path) -> None:
    found = truth(tmp_path, "object_id,target,hostgal_specz\n615,90,0.1\n713,88,1.8\n714,1,1.8\n")
    assert found.class_name.tolist() == ["SN Ia", "AGN", None]
    assert found.reason.tolist()[2] == "1 is no target of PLAsTiCC"


@pytest.mark.parametrize("name", ["1.70587E+17", "1,70587E+17", "170587115523932320.0"])
@pytest.mark.parametrize("column", ["objectId", "SNID"])
def test_names_that_have_lost_digits_are_refused_by_column(tmp_path: Path, name: str, column: str) -> None:
    with pytest.raises(SettingsError, match=rf"(?s)truth\.csv.*{column}.*{re.escape(name)}.*lost digits"):
        truth(tmp_path, f'{column},class\n{HUGE},AGN\n"{name}",AGN\n')


def test_names_that_are_all_round_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="objectId has '170587115523932000' and others as round"):
        truth(tmp_path, "".join(["objectId,class\n", *(f"17058711552393{n}000,AGN\n" for n in (2, 3, 5))]))


def test_small_numbers_with_zeros_behind_the_point_are_whole(tmp_path: Path) -> None:
    assert truth(tmp_path, "SNID,class\n7.0,AGN\n8,AGN\n").index.tolist() == ["7", "8"]
