"""Two databases that have grown apart: what is found, what is repaired, and what the next exchange makes of it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import rows_of
from tests.support.exchanges import (
    Exchanged,
    add,
    answer_of,
    change,
    clear,
    joined,
    kept_standin,
    keys,
    open_intents,
    unanswered,
)
from tests.support.staging import at
from tides_bridge.database import Database
from tides_bridge.database.run_log import logged_run
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.reconcile import reconcile
from tides_bridge.settings import Settings
from tides_bridge.targets.rulings import Ruling, find_subjects, rule


class Sides:
    """Our database and theirs, with targets that both know."""

    def __init__(self, database: Database, settings: Settings, fourmost: FourmostStandin, state: Path) -> None:
        self.database, self.fourmost, self.state = database, fourmost, state
        self.settings = joined(settings, fourmost)
        self.client = FourmostClient(self.settings.fourmost)

    def add(self, *names: str) -> None:
        for number, name in enumerate(names):
            add(self.database, name, ra=10.0 + number)
        self.exchange()

    def exchange(self) -> tuple[int, int, int, int]:
        exchanged = Exchanged(self.database, self.settings, self.client)
        assert exchanged.outages == []
        return exchanged.counts()

    def found(self, *, is_dry: bool = False) -> list[tuple[str, str, str]]:
        """What differs, and what is done."""
        differences = reconcile(self.database, self.client, self.settings, is_dry=is_dry)
        return [(each.name, each.what, each.repair) for each in differences]

    def respect(self, *columns: str) -> None:
        """Leave to people at 4MOST what they set in these columns, and in no other."""
        fourmost = self.settings.fourmost.model_copy(update={"respected": columns})
        self.settings = self.settings.model_copy(update={"fourmost": fourmost})

    def edit(self, key: int, **values: Any) -> None:
        self.client.update(key, "edited", values)

    def delete(self, key: int) -> None:
        url = f"{self.fourmost.address}/targetCat/transients/{key}/"
        requests.delete(url, auth=(self.fourmost.user, self.fourmost.password), timeout=60).raise_for_status()

    def lose(self, key: int) -> None:
        """Lose a row even if it was ingested, as after a restoration."""
        with contextlib.closing(sqlite3.connect(self.state, timeout=60)) as connection, connection:
            connection.execute("DELETE FROM fourmost_transient WHERE id = ?", (key,))

    def create(self, name: str, **values: Any) -> int:
        """Make a row that we do not know of, at the place of our first target."""
        told = {"uploadedfor_survey_id": 5, "ra": 10.0, "dec": -20.0, "mag": 19.0, "subsurvey": "tides-sn"}
        return int(self.client.create([{**told, "name": name, "is_active": True, **values}])[name]["id"])

    def active(self) -> dict[int, bool]:
        return {row["id"]: row["is_active"] for row in self.fourmost.rows()}

    def agree(self) -> bool:
        """Whether every target of ours has its row, with what we were told."""
        there = {row["id"]: row for row in self.fourmost.rows()}
        ours = rows_of(self.database, "SELECT * FROM tides_master WHERE pk_4most IS NOT NULL")
        return all(
            row["pk_4most"] in there and {**there[row["pk_4most"]], **row["told_4most"]} == there[row["pk_4most"]]
            for row in ours
        )

    def everything(self) -> tuple[Any, ...]:
        return (
            rows_of(self.database, "SELECT *, xmin::text FROM tides_master ORDER BY tides_id"),
            rows_of(self.database, "SELECT count(*) FROM exchange_log"),
            self.fourmost.rows(),
        )


@pytest.fixture(scope="module", params=["plain", "paginate"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FourmostStandin, Path]]:
    with kept_standin(tmp_path_factory.mktemp("fourmost"), f"--{request.param}") as standin:
        yield standin


@pytest.fixture
def sides(running: tuple[FourmostStandin, Path], database: Database, settings: Settings) -> Sides:
    """Two sides without rows and faults."""
    clear(*running)
    return Sides(database, settings, *running)


def test_where_nothing_differs_nothing_is_found(sides: Sides) -> None:
    sides.add(*(f"ZTF{number:03}" for number in range(120)))  # two pages
    change(sides.database, "active = FALSE", "ZTF001")
    sides.exchange()
    sides.fourmost.ingest()
    change(sides.database, "r_latest_mag = 18.0", "ZTF002")
    sides.exchange()
    before = sides.everything()
    assert sides.found() == []
    assert sides.everything() == before


def test_a_row_that_vanished_is_created_again(sides: Sides) -> None:
    sides.add("ZTF1", "ZTF2")
    lost = keys(sides.database)["ZTF1"]
    sides.delete(lost)
    assert sides.exchange() == (0, 0, 0, 0), "an exchange alone sees nothing"
    assert sides.found() == [("ZTF1", "vanished", "created again")]
    assert answer_of(sides.database, "ZTF1") == "no such row at 4MOST"
    assert sides.exchange() == (1, 0, 0, 0)
    assert keys(sides.database)["ZTF1"] != lost and sides.agree()
    assert sides.found() == []


def test_a_row_that_vanished_and_is_over_is_forgotten(sides: Sides) -> None:
    sides.add("ZTF1")
    change(sides.database, "active = FALSE", "ZTF1")
    sides.exchange()
    sides.delete(keys(sides.database)["ZTF1"])
    assert sides.found() == [("ZTF1", "vanished", "forgotten: it is switched off anyway")]
    assert (keys(sides.database), sides.exchange(), sides.found()) == ({"ZTF1": None}, (0, 0, 0, 0), [])
    change(sides.database, "active = TRUE", "ZTF1")
    assert sides.exchange() == (1, 0, 0, 0)


def test_a_row_that_vanished_takes_its_ingestion_with_it(sides: Sides) -> None:
    sides.add("ZTF1")
    sides.fourmost.ingest()
    sides.exchange()
    sides.lose(keys(sides.database)["ZTF1"])
    assert [what for _, what, _ in sides.found()] == ["vanished"]
    change(sides.database, "r_latest_mag = 18.0", "ZTF1")
    assert sides.exchange() == (1, 0, 0, 0)
    assert sides.fourmost.rows()[0]["mag"] == 18.0
    assert rows_of(sides.database, "SELECT date_ingested FROM tides_master") == [{"date_ingested": None}]


def test_a_row_under_another_key_is_adopted(sides: Sides) -> None:
    sides.add("ZTF1")
    sides.fourmost.ingest()
    sides.exchange()
    sides.lose(keys(sides.database)["ZTF1"])
    key = sides.create("ZTF1", mag=19.0)
    assert [(name, what) for name, what, _ in sides.found()] == [("ZTF1", "unknown here"), ("ZTF1", "edited")]
    assert keys(sides.database) == {"ZTF1": key}
    assert rows_of(sides.database, "SELECT ostd_u_obj_id FROM tides_master") == [{"ostd_u_obj_id": None}]
    assert sides.exchange() == (0, 1, 0, 0)
    assert sides.agree() and sides.fourmost.rows()[0]["mag"] == 20.5
    assert sides.found() == []


def test_a_row_whose_key_we_lost_is_adopted(sides: Sides) -> None:
    sides.add("ZTF1", "ZTF2")
    before = keys(sides.database)
    change(sides.database, "pk_4most = NULL, told_4most = NULL", "ZTF1")
    assert sides.found() == [("ZTF1", "unknown here", "adopted")]
    assert keys(sides.database) == before
    sides.exchange()
    assert sides.agree() and len(sides.fourmost.rows()) == 2


def test_what_was_edited_there_is_set_right(sides: Sides) -> None:
    sides.add("ZTF1", "ZTF2", "ZTF3")
    known = keys(sides.database)
    sides.edit(known["ZTF1"], mag=15.0, ra=99.0)
    sides.respect()
    sides.edit(known["ZTF2"], is_active=False)
    assert sides.found() == [("ZTF1", "edited", "set right"), ("ZTF2", "edited", "set right")]
    assert "mag: 20.5 here, 15.0 there" in answer_of(sides.database, "ZTF1")
    assert sides.exchange() == (0, 2, 0, 0)
    assert {(row["mag"], row["is_active"]) for row in sides.fourmost.rows()} == {(20.5, True)}
    assert sides.agree() and sides.found() == []


HELD = "left so: is_active; see: tides questions"


def test_a_row_that_somebody_switched_off_is_a_hold_until_a_person_answers(sides: Sides) -> None:
    sides.settings = at(sides.settings, 61002.0)
    sides.add("ZTF1", "ZTF2", "ZTF3")
    known = keys(sides.database)
    sides.edit(known["ZTF1"], is_active=False)
    sides.edit(known["ZTF2"], is_active=False, mag=15.0)
    found = sides.found(is_dry=True)
    assert found == [
        ("ZTF1", "edited", HELD),
        ("ZTF2", "edited", "left so: is_active, the rest set right; see: tides questions"),
    ]
    assert rows_of(sides.database, "SELECT * FROM ruling") == []
    assert sides.found() == found
    columns = "named, kind, reason, who, source"
    assert [tuple(row.values()) for row in rows_of(sides.database, f"SELECT {columns} FROM ruling ORDER BY 1")] == [
        (name, "hold", "switched off at 4MOST by somebody else", "4MOST", "4most") for name in ("ZTF1", "ZTF2")
    ]
    states = "SELECT name, inactive_reason AS why FROM tides_master ORDER BY name"
    assert [row["why"] for row in rows_of(sides.database, states)] == ["hold", "hold", None]
    assert sides.exchange() == (0, 0, 0, 0) and sides.found() == []
    assert list(sides.active().values()) == [False, False, True]
    with sides.database.transaction() as connection:
        subjects = find_subjects(connection, sides.settings, ["ZTF2"])
    rule(sides.database, sides.settings, Ruling("release", "it is to be observed"), subjects)
    assert sides.exchange() == (0, 1, 0, 0)
    assert list(sides.active().values()) == [False, True, True] and sides.found() == []
    assert {row["mag"] for row in sides.fourmost.rows(is_active="True")} == {20.5}


def test_after_a_restoration_what_differs_may_be_our_own_doing(sides: Sides) -> None:
    sides.settings = at(sides.settings, 61002.0)
    sides.add("ZTF1", "ZTF2")
    rows_of(sides.database, "INSERT INTO restoration (taken_at, file) VALUES (now(), 'x') RETURNING 1")
    sides.edit(keys(sides.database)["ZTF1"], is_active=False)
    assert sides.found() == [("ZTF1", "edited", "set right")]
    assert sides.exchange() == (0, 1, 0, 0)
    with logged_run(sides.database, "reconcile"):
        assert sides.found() == []
    sides.edit(keys(sides.database)["ZTF1"], is_active=False)
    assert sides.found() == [("ZTF1", "edited", HELD)]


def test_other_columns_are_left_to_people_by_setting(sides: Sides) -> None:
    sides.respect("mag")
    sides.add("ZTF1", "ZTF2")
    known = keys(sides.database)
    sides.edit(known["ZTF1"], mag=15.0, ra=99.0)
    sides.edit(known["ZTF2"], is_active=False)
    assert sides.found() == [
        ("ZTF1", "edited", "left so: mag, the rest set right; see: tides questions"),
        ("ZTF2", "edited", "set right"),
    ]
    assert sides.exchange() == (0, 2, 0, 0)
    assert [(row["mag"], row["ra"], row["is_active"]) for row in sides.fourmost.rows()] == [
        (15.0, 10.0, True),
        (20.5, 11.0, True),
    ]
    assert sides.exchange() == (0, 0, 0, 0) and sides.found() == []


def test_what_is_over_here_and_was_switched_on_there_is_switched_off(sides: Sides) -> None:
    sides.add("ZTF1")
    change(sides.database, "active = FALSE", "ZTF1")
    sides.exchange()
    sides.edit(keys(sides.database)["ZTF1"], is_active=True)
    assert sides.found() == [("ZTF1", "edited", "set right")]
    assert sides.exchange() == (0, 0, 1, 0)


def test_after_ingestion_only_the_flag_is_set_right(sides: Sides) -> None:
    sides.add("ZTF1")
    sides.respect()
    sides.edit(keys(sides.database)["ZTF1"], mag=15.0)
    sides.fourmost.ingest()
    sides.edit(keys(sides.database)["ZTF1"], is_active=False)
    sides.exchange()
    assert sides.found() == [("ZTF1", "edited", "only is_active can be set right: it is ingested")]
    assert sides.exchange() == (0, 1, 0, 0)
    assert [(row["mag"], row["is_active"]) for row in sides.fourmost.rows()] == [(15.0, True)]
    assert rows_of(sides.database, "SELECT wanted_4most FROM tides_master") == [{"wanted_4most": {"mag": 20.5}}]
    assert sides.found() == []


@pytest.mark.parametrize("column", ["name", "uploadedfor_survey_id"])
def test_a_row_that_was_renamed_or_moved_is_found_by_its_key(sides: Sides, column: str) -> None:
    sides.add("ZTF1")
    sides.edit(keys(sides.database)["ZTF1"], **{column: "X" if column == "name" else 15})
    assert ("ZTF1", "edited", "set right") in sides.found()
    assert sides.exchange() == (0, 1, 0, 0)
    assert [row["name"] for row in sides.fourmost.rows(uploadedfor_survey_id=5)] == ["ZTF1"]
    assert sides.found() == []


def test_a_stranger_under_our_key_is_not_taken_for_our_row(sides: Sides) -> None:
    sides.add("ZTF1")
    key = keys(sides.database)["ZTF1"]
    sides.edit(key, name="X", ra=200.0)  # as if the list was restored, and the key given anew
    assert sides.found() == [("ZTF1", "vanished", "created again"), ("X", "stranger", "left alone")]
    assert sides.exchange() == (1, 0, 0, 0)
    assert [(row["name"], row["ra"]) for row in sides.fourmost.rows()] == [("X", 200.0), ("ZTF1", 10.0)]


def test_the_row_of_another_target_under_our_key_is_not_taken_for_ours(sides: Sides) -> None:
    add(sides.database, "ZTF1", "ZTF2")  # at one place
    sides.exchange()
    first, second = keys(sides.database).values()
    sides.delete(first)
    change(sides.database, "pk_4most = NULL, told_4most = NULL", "ZTF2")
    change(sides.database, f"pk_4most = {second}", "ZTF1")
    assert [what for _, what, _ in sides.found()] == ["vanished", "unknown here"]
    assert sides.exchange() == (1, 1, 0, 0)
    assert keys(sides.database)["ZTF2"] == second and sides.agree() and sides.found() == []


def test_of_doubled_rows_the_oldest_stays_on(sides: Sides) -> None:
    sides.add("ZTF1", "ZTF2")
    second, third = sides.create("ZTF1"), sides.create("ZTF1")
    assert sides.found() == [("ZTF1", "doubled", "switched off")] * 2
    assert sides.active() == {key: key not in (second, third) for key in sides.active()}
    logged = rows_of(sides.database, "SELECT pk_4most, answer FROM exchange_log WHERE status = 'repaired' ORDER BY 1")
    assert [(*row.values(),) for row in logged] == [(second, "doubled: switched off"), (third, "doubled: switched off")]
    assert sides.found() == []


def test_a_doubled_row_that_cannot_be_switched_off_holds_up_nothing(sides: Sides) -> None:
    sides.add("ZTF1", "ZTF2")
    sides.create("ZTF1")
    sides.edit(keys(sides.database)["ZTF2"], mag=15.0)
    sides.fourmost.set_faults([{"fault": "err", "method": "PATCH"}])
    repairs = ["not switched off: a fault of the plan", "set right"]
    assert [repair for _, _, repair in sides.found()] == repairs
    assert sides.found() == [("ZTF1", "doubled", "switched off")]


def test_strangers_are_named_and_left_alone(sides: Sides) -> None:
    sides.add("ZTF1")
    keys_of_strangers = [sides.create("other"), sides.create("host", subsurvey="tides-hosts")]
    sides.edit(sides.create("over"), is_active=False)
    before = sides.fourmost.rows()
    assert sides.found() == [("other", "stranger", "left alone")]
    assert sides.fourmost.rows() == before and all(sides.active()[key] for key in keys_of_strangers)


def test_ingestion_that_was_missed_is_taken_over(sides: Sides) -> None:
    sides.add("ZTF1")
    sides.fourmost.ingest()
    assert sides.found() == [("ZTF1", "ingestion", "taken over")]
    (row,) = rows_of(sides.database, "SELECT ostd_targ_id, ostd_u_obj_id, date_ingested FROM tides_master")
    (there,) = sides.fourmost.rows()
    assert (row["ostd_targ_id"], row["ostd_u_obj_id"]) == (there["ostd_targ_id"], there["ostd_u_obj_id"])
    assert row["date_ingested"] is not None and sides.found() == []


def test_a_dry_run_finds_the_same_and_changes_nothing_on_either_side(sides: Sides) -> None:
    sides.add("vanished", "edited", "doubled", "lost", "ingested")
    known = keys(sides.database)
    sides.delete(known["vanished"])
    sides.edit(known["edited"], mag=15.0)
    sides.create("doubled", ra=12.0)  # the third of them
    change(sides.database, "pk_4most = NULL", "lost")
    sides.fourmost.ingest()
    before = sides.everything()
    found = sides.found(is_dry=True)
    assert sides.everything() == before
    assert {"vanished", "edited", "doubled", "unknown here", "ingestion"} == {what for _, what, _ in found}
    assert sides.found() == found
    sides.exchange()
    assert sides.found() == []


def test_what_is_repaired_closes_no_intent_and_is_settled_after_it(sides: Sides) -> None:
    add(sides.database, "ZTF1")
    sides.fourmost.set_faults([{"fault": "html", "method": "POST", "when": "after"}])
    Exchanged(sides.database, sides.settings, sides.client)
    assert [what for _, what, _ in sides.found()] == ["unknown here"]
    assert open_intents(sides.database) == ["ZTF1"]
    sides.exchange()
    assert (open_intents(sides.database), unanswered(sides.database), sides.found()) == ([], [], [])
    assert len(sides.fourmost.rows()) == 1


# A list that lies


def test_a_row_missing_in_the_list_is_asked_for_and_not_created_again(sides: Sides) -> None:
    sides.add("ZTF1", "ZTF2", "ZTF3")
    sides.fourmost.set_faults([{"fault": "missing_row", "method": "GET"}])
    assert sides.found() == []
    assert sides.exchange() == (0, 0, 0, 0)
    assert len(sides.fourmost.rows()) == 3


def test_a_list_that_lacks_our_row_but_has_its_duplicate_is_not_believed(sides: Sides) -> None:
    sides.add(*(f"ZTF{number:03}" for number in range(100)))
    sides.create("ZTF099", ra=109.0)
    before = keys(sides.database)
    sides.fourmost.set_faults([{"fault": "missing_row", "method": "GET"}])
    is_paged = "--paginate" in sides.fourmost._options  # then the first row of the name is the last of a page
    assert sides.found() == ([("ZTF099", "doubled", "switched off")] if is_paged else [])
    assert keys(sides.database) == before
