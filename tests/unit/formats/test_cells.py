"""Text in cells: harmless in a spreadsheet and on a terminal, and the same again for whoever reads it."""

import csv
import io

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tides_bridge.formats.cells import safe_cell, safe_column, text_of_cell

FORMULAS = (
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1+1", "=cmd|' /C calc'!A0", "a;=1+1",
    "a|@b", "--", "+", "-2+3", "'=1",
)  # fmt: skip
UNSEEN = ("SN\x1b[31m", "a\x00b", "a\x07", "\x9b31m", "a\u202eb", "a\rb", "a\nb", "\ud800", "\x7f", "\u200b")
PLAIN = (
    "ZTF18abcdefg", "170028524805521441", "SN Ia-91bg-like", "SN II (a/b)", "Ångström", "超新星", "a\\b", "a=b",
    "a, -b", "-13.5", "+7", "-1e-5", "", "a b",
)  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_begins_with_an_apostrophe(text: str) -> None:
    cell = safe_cell(text)
    assert cell[0] == "'" and text_of_cell(cell) == text
    assert ";=" not in cell and "|@" not in cell


@pytest.mark.parametrize("text", UNSEEN)
def test_what_nobody_sees_is_written_out(text: str) -> None:
    cell = safe_cell(text)
    assert cell[0] == "'" and cell.isprintable() and text_of_cell(cell) == text


@pytest.mark.parametrize("text", PLAIN)
def test_names_and_numbers_are_as_they_are(text: str) -> None:
    assert safe_cell(text) == text == text_of_cell(text)


@given(st.one_of(st.text(), st.text("\\'x1bun;|=+-@ \t\r\n\x1b0")))
@example("'\\x1b")
@example("\x1b\\x1b")
@example(";=\\u003d")
def test_every_text_is_the_same_again(text: str) -> None:
    cell = safe_cell(text)
    assert text_of_cell(cell) == text
    assert cell == text or cell.startswith("'")


def test_a_column_of_text_is_made_harmless_and_others_stay() -> None:
    texts = pa.chunked_array([["ZTF18a", "=1+1"], [None, "SN\x1b"]])
    assert safe_column(texts).to_pylist() == ["ZTF18a", "'=1+1", None, "'SN\\x1b"]
    for column in (pa.array(["ZTF18a", None, "SN Ia"]), pa.array([-1.5, None]), pa.array([True]), pa.array([-1])):
        assert safe_column(column) is column
    table = pa.table({"name": safe_column(texts), "number": [-1.5, 2.0, None, -3e-9]})
    stream = io.BytesIO()
    pyarrow.csv.write_csv(table, stream)
    rows = list(csv.DictReader(stream.getvalue().decode().splitlines()))
    assert [text_of_cell(row["name"]) for row in rows] == ["ZTF18a", "=1+1", "", "SN\x1b"]
    assert [row["number"] for row in rows] == ["-1.5", "2", "", "-3e-9"]
