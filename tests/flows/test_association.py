"""`tides merge`, `tides split` and `tides associations`, as a person types them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.databases import rows_of
from tests.support.places import near, targets
from tests.support.staging import at, store
from tests.support.typed import at_database, page_of
from tides_bridge.database import Database
from tides_bridge.settings import Settings


@pytest.fixture
def typed(database: Database, settings: Settings, tmp_path: Path) -> Callable[..., Result]:
    """Type commands at a database with two targets of which a person is asked, one of two objects."""
    store(database, at(settings), near("a"), near("b [/i]", east=1.5, n_detections=7))
    store(database, at(settings), near("170587115523932323", north=-0.5, survey="lsst"))
    return at_database(settings, tmp_path)


def rows(page: list[str]) -> list[list[str]]:
    return [line.split() for line in page]


def test_a_person_merges_splits_and_looks(database: Database, typed: Callable[..., Result]) -> None:
    assert page_of(typed("merge", "TiDES25aaa", "TiDES25aab", "--reason", "one [galaxy]")) == [
        "TiDES25aaa has 1 object of TiDES25aab, which is switched off"
    ]
    assert set(targets(database).values()) == {"aaa"}
    page = page_of(typed("associations", "TiDES25aaa"))
    assert ["TiDES25aaa", "lsst", "170587115523932323", "position", "0.500", "60999.0000", "5"] in rows(page)
    assert ["TiDES25aaa", "ztf", "b", "[/i]", "merge", "1.500", "60999.0000", "7"] in rows(page)
    assert any(line.endswith("one [galaxy]") and " merge " in line for line in page)
    assert "TiDES25aab was merged into TiDES25aaa" in page_of(typed("associations", "TiDES25aab"))
    assert page_of(typed("split", "TiDES25aab", "--reason", "two")) == ["TiDES25aab has 1 object of TiDES25aaa"]
    this_year = f"TiDES{datetime.now(UTC):%y}"
    assert page_of(typed("split", "170587115523932323", "--survey", "lsst", "--reason", "a third")) == [
        f"{this_year}aaa has 1 object of TiDES25aaa"
    ]
    assert targets(database) == {"a": "aaa", "b [/i]": "aab", "170587115523932323": f"{this_year}aaa"}


def test_questions_are_listed_and_answered(typed: Callable[..., Result]) -> None:
    page = rows(page_of(typed("associations")))
    assert page[0] == ["questions"]
    assert page[2][:8] == ["1", "ztf", "b", "[/i]", "TiDES25aab", "TiDES25aaa", "1.500", page[2][7]]
    refused = typed("associations", "--keep-apart", "1")
    assert (refused.exit_code, refused.stderr.strip()) == (
        2,
        "tides: --reason: say why, for those who look at it later",
    )
    assert page_of(typed("associations", "--keep-apart", "1", "--reason", "two")) == [
        "TiDES25aab and TiDES25aaa are two"
    ]
    found = json.loads(typed("associations", "--json").stdout)
    assert (found["questions"], [row["action"] for row in found["log"]]) == ([], ["apart"])


def test_what_cannot_be_done_is_told(database: Database, typed: Callable[..., Result]) -> None:
    for arguments, problem in {
        (
            "merge",
            "TiDES25aaa",
            "nobody",
        ): "tides: nobody: there is no target of this name, and none with such an object",
        (
            "split",
            "TiDES25aaa",
        ): "tides: TiDES25aaa: was not merged into another; to take one object out of a target: --survey",
        ("split", "x", "--survey", "ztf"): "tides: ztf x: is in no target, or is the only object of one",
    }.items():
        done = typed(*arguments, "--reason", "why")
        assert (done.exit_code, done.stderr.strip()) == (1, problem)
    assert rows_of(database, "SELECT 1 FROM association_log") == []
    done = typed("associations", "nobody")
    assert (done.exit_code, done.stderr.strip()) == (
        1, "tides: nobody: there is no target of this name, and none with such an object",
    )  # fmt: skip


def test_nothing_to_show_is_said(database: Database, settings: Settings, tmp_path: Path) -> None:
    done = at_database(settings, tmp_path)("associations")
    assert page_of(done) == ["no question is open, and nobody has merged or split a target"]
