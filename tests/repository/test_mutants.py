"""Mutation testing plants the slips that people make, takes them out again, and runs the tests that cover them."""

from pathlib import Path

import pytest

from tests.mutants import __main__ as mutants
from tests.mutants.__main__ import Covered, Fault, draw
from tests.mutants.sql_faults import faults_in

SCRIPT = """-- purpose: a < b AND c
SELECT max(u_mag) AS brightest
FROM object
WHERE mjd >= %(since)s::double precision
    AND (
        band = 'g'
        AND note <> 'a < b'
    )
    AND NOT is_merged;
"""


def test_conditions_bands_limits_and_extremes_are_changed_one_at_a_time() -> None:
    found = {(line, what): text for line, what, text in faults_in(SCRIPT)}
    assert set(found) == {
        (2, "max -> min"),
        (2, "u_mag -> g_mag"),
        (4, ">= -> >"),
        (6, "'g' -> 'r'"),
        (9, "NOT -> nothing"),
        (5, "dropped: AND ("),
        (7, "dropped: AND note <> 'a < b'"),
        (9, "dropped: AND NOT is_merged;"),
    }
    assert found[5, "dropped: AND ("] == "".join(SCRIPT.splitlines(keepends=True)[i] for i in (0, 1, 2, 3, 8))
    assert found[9, "dropped: AND NOT is_merged;"].endswith("    )\n;\n")
    assert found[2, "max -> min"] == SCRIPT.replace("max(", "min(")


def test_a_line_has_one_fault_at_most_and_a_seed_the_same_ones() -> None:
    faults = [Fault("a.py", line, what, "") for line in range(9) for what in ("one", "other")]
    drawn = draw(faults, 6, seed=3)
    assert len({fault.line for fault in drawn}) == len(drawn) == 6
    assert drawn == draw(faults, 6, seed=3) != draw(faults, 6, seed=4)


def test_the_tests_of_the_line_run_the_quickest_first_else_those_of_the_file() -> None:
    seconds = {"slow": 30.0, "long": 7.0, "quick": 1.0, "other": 2.0}
    covered = Covered(
        seconds, {"a.py": {3: ["long", "slow", "quick"], 9: ["other"]}}, {"sql/a.sql": ["other", "quick"]}
    )
    assert covered.tests_of(Fault("a.py", 3, "", ""), 60) == ["quick", "long"]
    assert covered.tests_of(Fault("a.py", 3, "", ""), 5) == ["quick"]
    assert covered.tests_of(Fault("a.py", 4, "", ""), 60) == ["quick", "other", "long"]
    assert covered.tests_of(Fault("sql/a.sql", 1, "", ""), 60) == ["quick", "other"]
    assert covered.tests_of(Fault("b.py", 1, "", ""), 60) == []


@pytest.mark.parametrize(("wanted", "is_noticed"), [("2", True), ("3", False)])
def test_a_fault_is_planted_and_taken_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, is_noticed: bool
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for folder in (tmp_path, copy):
        (folder / "a.py").write_text("NUMBER = 2\n")
    test = f"from a import NUMBER\n\n\ndef test_it():\n    assert NUMBER in (2, {wanted})\n"
    (copy / "test_a.py").write_text(test)
    for name, place in {"ROOT": tmp_path, "FOLDER": tmp_path, "COPY": copy}.items():
        monkeypatch.setattr(mutants, name, place)
    covered = Covered({"test_a.py::test_it": 0.1}, {"a.py": {1: ["test_a.py::test_it"]}}, {})
    assert mutants.is_noticed(Fault("a.py", 1, "2 -> 3", "NUMBER = 3\n"), covered, 0, 60.0) is is_noticed
    assert (copy / "a.py").read_text() == "NUMBER = 2\n"
