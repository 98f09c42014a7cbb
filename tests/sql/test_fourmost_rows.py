"""`tides fourmost-rows`: rows at 4MOST that operators switch off or delete, ours and those of nobody here."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import rows_of
from tests.support.exchanges import Exchanged, add, clear, joined, kept_standin, keys
from tests.support.typed import at_database, page_of
from tides_bridge.database import Database
from tides_bridge.errors import SettingsError
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.rows import row_filter
from tides_bridge.settings import Settings


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    with kept_standin(tmp_path_factory.mktemp("fourmost"), "--plain") as standin:
        yield standin


class Sides:
    """Targets a1, a2 and b1 with rows, and the row of a stranger a9."""

    def __init__(self, database: Database, settings: Settings, running: tuple[FourmostStandin, Path]) -> None:
        clear(*running)
        self.database, self.fourmost = database, running[0]
        self.settings = joined(settings, self.fourmost)
        self.client = FourmostClient(self.settings.fourmost)
        for number, name in enumerate(("a1", "a2", "b1")):
            add(database, name, ra=10.0 + number)
        self.exchange()
        row = {"uploadedfor_survey_id": 5, "ra": 50.0, "dec": -20.0, "mag": 19.0, "subsurvey": "tides-sn"}
        self.stranger = self.client.create([{**row, "name": "a9", "is_active": True}])["a9"]["id"]

    def exchange(self) -> tuple[int, int, int, int]:
        return Exchanged(self.database, self.settings, self.client).counts()

    def there(self) -> dict[str, bool]:
        return {row["name"]: row["is_active"] for row in self.fourmost.rows()}

    def states(self) -> dict[str, str | None]:
        return {
            row["name"]: row["why"]
            for row in rows_of(self.database, "SELECT name, inactive_reason AS why FROM tides_master")
        }

    def logged(self) -> list[tuple[Any, ...]]:
        """What was asked and answered, with the name of the target."""
        rows = rows_of(
            self.database,
            "SELECT name, operation, status, answer FROM exchange_log LEFT JOIN tides_master USING (tides_id) "
            "WHERE operation IN ('delete', 'deactivate') ORDER BY exchange_id",
        )
        return [tuple(row.values()) for row in rows]


@pytest.fixture
def sides(running: tuple[FourmostStandin, Path], database: Database, settings: Settings) -> Sides:
    return Sides(database, settings, running)


@pytest.fixture
def typed(sides: Sides, tmp_path: Path) -> Callable[..., Result]:
    run = at_database(sides.settings, tmp_path)
    return lambda *words: run("fourmost-rows", *words)


def test_rows_are_switched_off_and_stay_off(sides: Sides, typed: Callable[..., Result]) -> None:
    named = ("--where", "name=a*", "--deactivate")
    page = page_of(typed(*named, "--dry-run"))
    assert [line.split("  row ")[0] for line in page[:3]] == ["a1", "a2", "a9"]
    assert page[3:] == ["deactivate: would touch 3 rows, 2 of our targets"]
    assert sides.there() == dict.fromkeys(("a1", "a2", "b1", "a9"), True)
    assert rows_of(sides.database, "SELECT 1 FROM ruling") == []
    assert typed(*named).exit_code == 2
    assert page_of(typed(*named, "--reason", "a test"))[3:] == ["deactivated: 3 rows; 2 of our targets are held"]
    assert sides.there() == {"a1": False, "a2": False, "b1": True, "a9": False}
    assert {name: sides.states()[name] for name in ("a1", "a2")} == {"a1": "hold", "a2": "hold"}
    assert sides.logged() == [
        ("a1", "deactivate", "asked", None),
        ("a1", "deactivate", "confirmed", None),
        ("a2", "deactivate", "asked", None),
        ("a2", "deactivate", "confirmed", None),
        (None, "deactivate", "asked", None),
        (None, "deactivate", "confirmed", None),
    ]
    assert sides.exchange()[:3] == (0, 0, 0)
    assert page_of(typed(*named, "--reason", "again")) == ["deactivated: 0 rows; 0 of our targets are held"]


def test_deleted_rows_are_not_made_again(sides: Sides, typed: Callable[..., Result]) -> None:
    key = keys(sides.database)["a1"]
    both = f"id={key},{sides.stranger}-{sides.stranger + 5}"
    assert (
        page_of(typed("--where", both, "--delete", "--reason", "x"))[-1] == "deleted: 2 rows; 1 of our targets are held"
    )
    assert sides.there() == {"a2": True, "b1": True}
    assert (keys(sides.database)["a1"], sides.states()["a1"]) == (None, "hold")
    assert sides.exchange() == (0, 0, 0, 0) and len(sides.there()) == 2
    assert (None, "delete", "confirmed", None) in sides.logged()
    assert ("a1", "delete", "absent", "deleted") in sides.logged()


def test_a_refusal_is_told_and_logged(sides: Sides, typed: Callable[..., Result]) -> None:
    sides.fourmost.set_faults([{"fault": "err", "method": "DELETE", "times": 2}])
    done = typed("--where", "name=a1", "--where", "survey=5", "--delete", "--reason", "x")
    assert done.exit_code == 1 and "a fault of the plan" in done.stderr
    assert sides.there()["a1"] and keys(sides.database)["a1"] is not None
    assert sides.logged()[-1][:3] == ("a1", "delete", "refused")


def test_too_many_wait_for_a_person(sides: Sides, database: Database, typed: Callable[..., Result]) -> None:
    for number in range(21):
        add(database, f"c{number}", ra=100.0 + number)
    sides.exchange()
    many = ("--where", "name=c*", "--deactivate", "--reason", "x", "--yes")
    held = typed(*many)
    assert held.exit_code == 1 and "21 of 25 rows at once: tides release-guard lets it" in held.stderr
    assert all(sides.there().values())
    rows_of(database, "UPDATE held_change SET released = held, released_at = now() RETURNING 1")
    assert page_of(typed(*many))[-1] == "deactivated: 21 rows; 21 of our targets are held"
    assert sum(sides.there().values()) == 4 and rows_of(database, "SELECT 1 FROM held_change") == []


def test_conditions_are_read_or_refused(settings: Settings) -> None:
    chosen = row_filter(["name=TiDES26*,x%", "id=7,9-11", "submitted>=2026-11-01", "survey=5"], settings)
    row = {"name": "TiDES26aaa", "id": 10}
    assert (chosen.survey, chosen.query) == (5, {"date_submitted__gte": "2026-11-01 00:00:00Z"})
    assert [chosen.takes(row | change) for change in ({}, {"name": "xy"}, {"name": "ATiDES26a"}, {"id": 8})] == [
        True, True, False, False,
    ]  # fmt: skip
    for wrong in ("", "survey=5", "id=x", "name>=a", "submitted=2026-11-01", "mag=3"):
        with pytest.raises(SettingsError, match="--where"):
            row_filter([wrong], settings)
