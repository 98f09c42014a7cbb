"""Classes of spectra are read from a CSV or from the survey's tables, or refused line by line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.spectra.classes import classes_in_tables, classification_in, read_classes
from tides_bridge.formats.spectra.values import spelled


def read(folder: Path, text: str, name: str = "classes.csv") -> Any:
    path = folder / name
    path.write_text(text, encoding="utf-8-sig")
    return read_classes(path)


def test_a_list_says_who_found_what(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "name,class,z,error,confidence,source,colour\n"
        "TiDES26aaa,SN Ia,0.12,0.001,0.9,SNID,red\n"
        "313637935709683761,SN II,,,,human eva,\n"
        "TiDES26aac,unsure,0.05,-9,,human,\n",
    )
    keys = ("named", "type", "redshift", "redshift_error", "confidence", "source", "who")
    assert [tuple(row[key] for key in keys) for row in found.rows] == [
        ("TiDES26aaa", "SN Ia", 0.12, 0.001, 0.9, "snid", None),
        ("313637935709683761", "SN II", None, None, None, "human", "eva"),
        ("TiDES26aac", None, 0.05, None, None, "human", None),
    ]
    assert (found.refused, found.unused) == ([], ["colour"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,,,", "has neither a class nor a redshift"),
        ("a,?,-1,", "has neither a class nor a redshift"),
        (",SN Ia,0.1,", "has no name"),
        ("a,SN Ia,x,", "z is 'x', not a number from -0.01 to 10"),
        ("a,SN Ia,11,", "z is '11', not a number from -0.01 to 10"),
        ("a,SN Ia,0.1,95", "confidence is '95', not a number from 0 to 1"),
        ("a,SN Ia", "has not as many fields as the first line"),
        ("a,SN Ia,0.1,0.5,1", "has not as many fields as the first line"),
    ],
)
def test_a_line_that_says_nothing_clear_is_kept_aside(tmp_path: Path, line: str, reason: str) -> None:
    found = read(tmp_path, f"name,class,z,confidence\n{line}\nb,SN II,0.2,0.8\n")
    assert (found.refused, [row["named"] for row in found.rows]) == ([(2, reason)], ["b"])


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "name,colour\na,red\n", 'name,class\n"a,SN Ia\n'])
def test_what_is_no_list_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(MalformedAlert, match=r"classes\.csv"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("given", "time"),
    [
        ("2026-11-29", "2026-11-29T00:00:00+00:00"),
        ("2026-11-29T12:00:00+02:00", "2026-11-29T12:00:00+02:00"),
        (61000.5, "2025-11-21T12:00:00+00:00"),
        ("61000.5", "2025-11-21T12:00:00+00:00"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (None, None),
    ],
)
def test_the_time_of_a_classification(given: object, time: str | None) -> None:
    assert classification_in({"NAME": "a", "CLASS": "Ia", "DATE": given}, "snid")["classified_at"] == time


def test_rows_of_the_survey_s_tables() -> None:
    tables: dict[str, list[dict[str, Any]]] = {
        "tides_spec": [{"tides_specid": 5, "obs_mjd": 61000.5}],
        "pipeline_classification_snid": [
            {"tides_id": 2, "tides_specid": 5, "sn_type": "Ia", "probability": 0.7, "z": 0.1, "zerr": None},
            {"tides_id": 1, "tides_specid": 6, "sn_type": None, "probability": None, "z": float("nan"), "zerr": None},
        ],
        "human_classifications": [
            {"tides_id": 1, "person": "eva", "sn_type": "II", "sn_subtype": "P", "sn_z": None, "host_z": 0.2}
        ],
    }
    found = classes_in_tables(tables)
    keys = ("tides_id", "source", "who", "type", "subtype", "redshift", "spectrum", "classified_at")
    assert [tuple(row[key] for key in keys) for row in found.rows] == [
        (1, "human", "eva", "II", "P", 0.2, None, None),
        (2, "snid", None, "Ia", None, 0.1, "5", "2025-11-21T12:00:00+00:00"),
    ]
    assert found.refused == [(2, "pipeline_classification_snid: has neither a class nor a redshift")]


CELLS = st.none() | st.text(max_size=8) | st.floats() | st.integers() | st.booleans() | st.datetimes()
NAMES = st.sampled_from(["name", "class", "z", "error", "confidence", "person", "date", "spectrum", "sn_type"])


@given(st.dictionaries(NAMES.map(spelled), CELLS))
def test_whatever_is_in_a_row_it_is_read_or_refused_in_words(cells: dict[str, Any]) -> None:
    try:
        row = classification_in(cells, "snid")
    except ValueError as problem:
        assert str(problem)
    else:
        assert row["type"] or row["redshift"] is not None
        assert row["confidence"] is None or 0 <= row["confidence"] <= 1
