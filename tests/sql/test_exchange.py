"""The exchange between a real database and the 4MOST stand-in: each target once in both, whatever got lost."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
    log_of,
    open_intents,
    unanswered,
)
from tides_bridge.database import Database
from tides_bridge.errors import FourmostUnavailable
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.exchange import create_new_transients_in_4most, prepare_4most_update
from tides_bridge.settings import Settings


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    with kept_standin(tmp_path_factory.mktemp("fourmost")) as standin:
        yield standin


@pytest.fixture
def fourmost(running: tuple[FourmostStandin, Path]) -> FourmostStandin:
    """A stand-in without rows and faults."""
    clear(*running)
    return running[0]


@pytest.fixture
def bridge(settings: Settings, fourmost: FourmostStandin) -> Settings:
    return joined(settings, fourmost)


class Loses(FourmostClient):
    """The service does the work, and its answer is lost on the way."""

    def create(self, payloads: Any) -> Any:
        super().create(payloads)
        raise FourmostUnavailable("4MOST", "the connection broke")

    def update(self, key: int, name: str, changes: Any) -> None:
        super().update(key, name, changes)
        raise FourmostUnavailable("4MOST", "the connection broke")


class Before(FourmostClient):
    """Does something before a row is created or changed."""

    def __init__(self, settings: Settings, do: Callable[[], object]) -> None:
        super().__init__(settings.fourmost)
        self.do = do

    def create(self, payloads: Any) -> Any:
        self.do()
        return super().create(payloads)

    def update(self, key: int, name: str, changes: Any) -> None:
        self.do()
        super().update(key, name, changes)


# What is sent


def test_targets_are_created_changed_and_switched_off(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, *(f"ZTF{number}" for number in range(7)))
    assert Exchanged(database, bridge).counts() == (7, 0, 0, 0)
    assert {row["name"]: row["id"] for row in fourmost.rows()} == keys(database)
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)
    change(database, "r_latest_mag = 19.5", "ZTF1")
    change(database, "active = FALSE", "ZTF2")
    assert Exchanged(database, bridge).counts() == (0, 1, 1, 0)
    there = {row["name"]: (row["mag"], row["is_active"]) for row in fourmost.rows()}
    assert (there["ZTF1"], there["ZTF2"], there["ZTF3"]) == ((19.5, True), (20.5, False), (20.5, True))
    change(database, "active = TRUE", "ZTF2")
    assert Exchanged(database, bridge).counts() == (0, 1, 0, 0)
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)
    assert log_of(database, "ZTF2") == [
        (operation, status, attempt)
        for operation, attempt in (("create", 1), ("deactivate", 1), ("update", 1))
        for status in ("asked", "confirmed")
    ]


def test_many_pages_go_at_the_same_time(database: Database, settings: Settings, fourmost: FourmostStandin) -> None:
    add(database, *(f"ZTF{number:02}" for number in range(40)))
    sent = Exchanged(database, joined(settings, fourmost, connections=8))
    assert sent.created.done == [f"ZTF{number:02}" for number in range(40)]
    assert {row["name"]: row["id"] for row in fourmost.rows()} == keys(database)


def test_a_target_without_the_magnitude_of_its_band_waits_for_one(database: Database, bridge: Settings) -> None:
    add(database, "ZTF1", r_latest_mag=None, g_latest_mag=19.0)
    first = Exchanged(database, bridge)
    assert (first.counts(), len(first.stage.refused)) == ((0, 0, 0, 0), 1)
    (row,) = rows_of(database, "SELECT refused_4most FROM tides_master")
    assert row["refused_4most"].startswith("mag: no magnitude in LSST r, the band of LSST_r_AB; it has ZTF g 19.0; ")
    assert Exchanged(database, bridge).stage.refused == []
    change(database, "r_latest_mag = 19.2", "ZTF1")
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)


def test_what_another_run_asked_is_waited_for_before_it_is_looked_up(
    database: Database, bridge: Settings, fourmost: FourmostStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the row that it is just making would be made once more."""
    add(database, "ZTF1", "ZTF2")
    waits, rows = list[float](), list[int]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        rows.append(len(fourmost.rows()))
        fourmost.set_faults([])
        late.create([row["payload"] for row in stage.new])  # the call of the other run has its effect only now

    late, stage = FourmostClient(bridge.fourmost), prepare_4most_update(database, bridge)
    fourmost.set_faults([{"fault": "html", "method": "POST"}])
    assert Exchanged(database, bridge).outages
    monkeypatch.setattr(database, "wait_for_others", wait)
    assert Exchanged(database, bridge).counts() == (2, 0, 0, 0)
    assert (waits, rows) == ([2 * bridge.fourmost.timeout.total_seconds()], [0])
    assert {row["name"]: row["id"] for row in fourmost.rows()} == keys(database)
    Exchanged(database, bridge)
    assert len(waits) == 1, "nothing is open any more"


# What is refused


def test_a_bad_row_is_not_sent_again_until_it_changes(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    wrong = bridge.model_copy(update={"fourmost": bridge.fourmost.model_copy(update={"resolution": 7})})
    add(database, "ZTF1")
    assert Exchanged(database, wrong).counts() == (0, 0, 0, 1)
    (row,) = rows_of(database, "SELECT refused_4most, pk_4most FROM tides_master")
    assert "resolution" in row["refused_4most"] and row["pk_4most"] is None
    assert Exchanged(database, wrong).counts() == (0, 0, 0, 0)
    assert log_of(database, "ZTF1") == [("create", "asked", 1), ("create", "refused", 1)]
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    assert rows_of(database, "SELECT refused_4most FROM tides_master") == [{"refused_4most": None}]


def test_good_rows_of_a_refused_page_still_go(database: Database, bridge: Settings, fourmost: FourmostStandin) -> None:
    names = [f"ZTF{number}" for number in range(7)]
    add(database, *names)
    stage = prepare_4most_update(database, bridge)
    stage.new[4]["payload"]["redshift_estimate"] = 99.0
    sent = create_new_transients_in_4most(
        database, FourmostClient(bridge.fourmost), stage.new, joined(bridge, fourmost, pageSize=7)
    )
    assert (sent.done, list(sent.failed)) == ([name for name in names if name != "ZTF4"], ["ZTF4"])
    assert "redshift_estimate" in sent.failed["ZTF4"] and "redshift_estimate" in answer_of(database, "ZTF4")
    assert {row["name"]: row["id"] for row in fourmost.rows()} | {"ZTF4": None} == keys(database)
    assert unanswered(database) == []


def test_an_outage_in_a_half_page_is_not_worked_around(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1", "ZTF2", "ZTF3")
    rules = [{"fault": "err", "method": "POST"}, {"fault": "html", "method": "POST", "when": "after"}]
    fourmost.set_faults(rules)
    assert "without JSON" in Exchanged(database, bridge).outages[0]
    assert open_intents(database) == ["ZTF1", "ZTF2", "ZTF3"]
    assert [row["name"] for row in fourmost.rows()] == ["ZTF1"]
    assert Exchanged(database, bridge).counts() == (3, 0, 0, 0)
    assert {row["name"]: row["id"] for row in fourmost.rows()} == keys(database)


def test_a_refused_change_is_told_once_and_holds_up_no_other(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1", "ZTF2")
    Exchanged(database, bridge)
    fourmost.set_faults([{"fault": "err", "method": "PATCH"}])
    for name in ("ZTF1", "ZTF2"):
        change(database, "r_latest_mag = 19", name)
    first = Exchanged(database, bridge)
    assert (first.counts(), first.changed.failed) == ((0, 1, 0, 1), {"ZTF1": "a fault of the plan"})
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)
    change(database, "r_latest_mag = 18", "ZTF1")
    assert Exchanged(database, bridge).counts() == (0, 1, 0, 0)


# What got lost


def test_what_is_going_to_be_asked_is_committed_before_the_call(database: Database, bridge: Settings) -> None:
    seen: list[list[tuple[str, str, int]]] = []
    client = Before(bridge, lambda: seen.append(log_of(database, "ZTF1")))
    add(database, "ZTF1")
    Exchanged(database, bridge, client)
    change(database, "r_latest_mag = 19", "ZTF1")
    Exchanged(database, bridge, client)
    change(database, "active = FALSE", "ZTF1")
    Exchanged(database, bridge, client)
    assert [log[-1] for log in seen] == [(what, "asked", 1) for what in ("create", "update", "deactivate")]


def test_a_run_that_dies_in_a_call_makes_no_duplicate(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    class Dies(FourmostClient):
        def create(self, payloads: Any) -> Any:
            super().create(payloads)
            raise KeyboardInterrupt

    add(database, "ZTF1", "ZTF2")
    with pytest.raises(KeyboardInterrupt):
        Exchanged(database, bridge, Dies(bridge.fourmost))
    assert open_intents(database) == ["ZTF1", "ZTF2"]
    assert Exchanged(database, bridge).counts() == (2, 0, 0, 0)
    assert {row["name"]: row["id"] for row in fourmost.rows()} == keys(database)
    assert log_of(database, "ZTF1") == [("create", "asked", 1), ("create", "adopted", 1)]


def test_a_lost_answer_makes_no_duplicate_and_no_page_is_begun_after_it(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1", "ZTF2", "ZTF3", "ZTF4")
    first = Exchanged(database, bridge, Loses(bridge.fourmost))
    assert (first.counts(), first.outages) == ((0, 0, 0, 0), ["4MOST: the connection broke"])
    assert set(keys(database).values()) == {None}
    assert open_intents(database) == ["ZTF1", "ZTF2", "ZTF3"]
    assert (len(fourmost.rows()), log_of(database, "ZTF4")) == (3, [])
    assert Exchanged(database, bridge).counts() == (4, 0, 0, 0)
    assert {row["name"]: row["id"] for row in fourmost.rows()} == keys(database)
    assert len(fourmost.rows()) == 4
    assert (open_intents(database), unanswered(database)) == ([], [])


def test_a_row_missing_in_an_answer_is_looked_up(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1", "ZTF2", "ZTF3")
    fourmost.set_faults([{"fault": "missing_row", "method": "POST"}])
    first = Exchanged(database, bridge)
    assert (first.created.done, open_intents(database)) == (["ZTF1", "ZTF2"], ["ZTF3"])
    assert "without the rows of ZTF3" in first.outages[0]
    assert Exchanged(database, bridge).created.done == ["ZTF3"]
    assert {row["name"]: row["id"] for row in fourmost.rows()} == keys(database)


def test_what_was_not_done_is_asked_for_again_and_counted(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1")
    fourmost.set_faults([{"fault": "html", "method": "POST", "times": 2}])
    assert [Exchanged(database, bridge).counts()[0] for _ in range(3)] == [0, 0, 1]
    first, second, third = (
        [("create", status, attempt) for status in ("asked", "unanswered", "absent")] for attempt in (1, 2, 3)
    )
    assert log_of(database, "ZTF1") == [*first, *second, third[0], ("create", "confirmed", 3)]
    assert unanswered(database) == []


def test_what_is_still_unanswered_is_not_spoken_of(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1", "ZTF2")
    Exchanged(database, bridge, Loses(bridge.fourmost))
    fourmost.set_faults([{"fault": "html", "method": "GET", "skip": 1, "times": 1}])
    add(database, "ZTF3")
    second = Exchanged(database, bridge)
    assert (second.created.done, len(second.outages)) == (["ZTF3"], 1)
    assert open_intents(database) == ["ZTF1", "ZTF2"]
    assert Exchanged(database, bridge).counts() == (2, 0, 0, 0)
    assert sorted(row["name"] for row in fourmost.rows()) == ["ZTF1", "ZTF2", "ZTF3"]


@pytest.mark.parametrize("assignment", ["r_latest_mag = 18.0", "active = FALSE"])
def test_a_change_whose_answer_was_lost_is_believed_as_it_is_found(
    database: Database, bridge: Settings, fourmost: FourmostStandin, assignment: str
) -> None:
    add(database, "ZTF1", "ZTF2")
    Exchanged(database, bridge)
    for name in ("ZTF1", "ZTF2"):
        change(database, assignment, name)
    assert len(Exchanged(database, bridge, Loses(bridge.fourmost)).outages) == 1
    second = Exchanged(database, bridge)  # the second one was not asked
    assert (second.counts()[0], sum(second.counts()[1:])) == (0, 1)
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)
    assert [status for _, status, _ in log_of(database, "ZTF1")][-2:] == ["unanswered", "adopted"]
    expected = (18.0, True) if "mag" in assignment else (20.5, False)
    assert [(row["mag"], row["is_active"]) for row in fourmost.rows()] == [expected] * 2


def test_what_was_adopted_with_old_values_is_updated(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1")
    Exchanged(database, bridge, Loses(bridge.fourmost))
    change(database, "r_latest_mag = 18.0", "ZTF1")
    assert Exchanged(database, bridge).counts() == (1, 1, 0, 0)
    assert fourmost.rows()[0]["mag"] == 18.0
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)


# Duplicates


def make_duplicates(database: Database, bridge: Settings, number: int) -> None:
    """Let 4MOST have several rows of one name, and us know of none."""
    add(database, "ZTF1")
    payloads = [row["payload"] for row in prepare_4most_update(database, bridge).new]
    Exchanged(database, bridge, Loses(bridge.fourmost))
    for _ in range(number - 1):
        FourmostClient(bridge.fourmost).create(payloads)


def test_of_several_rows_under_our_name_the_oldest_is_ours_and_the_others_are_switched_off(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    make_duplicates(database, bridge, 3)
    oldest, second, third = (row["id"] for row in fourmost.rows())
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    assert keys(database) == {"ZTF1": oldest}
    assert [row["is_active"] for row in fourmost.rows()] == [True, False, False]
    said = [f"found as {oldest}", *(f"its duplicate {key} is switched off" for key in (second, third))]
    assert answer_of(database, "ZTF1") == "; ".join(said)


def test_a_duplicate_that_cannot_be_switched_off_holds_up_nothing(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    make_duplicates(database, bridge, 2)
    fourmost.set_faults([{"fault": "err", "method": "PATCH"}])
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    assert "not switched off: a fault of the plan" in answer_of(database, "ZTF1")


def test_if_the_oldest_was_off_it_is_switched_on(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    make_duplicates(database, bridge, 2)
    FourmostClient(bridge.fourmost).update(fourmost.rows()[0]["id"], "ZTF1", {"is_active": False})
    assert Exchanged(database, bridge).counts() == (1, 1, 0, 0)
    assert [row["is_active"] for row in fourmost.rows()] == [True, False]


# Ingestion


def wanted(database: Database, name: str) -> Any:
    return rows_of(database, f"SELECT wanted_4most FROM tides_master WHERE name = '{name}'")[0]["wanted_4most"]


def test_keys_and_dates_of_ingestion_come_back_and_then_only_the_flag_is_sent(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1", "ZTF2")
    Exchanged(database, bridge)
    fourmost.ingest()
    Exchanged(database, bridge)
    told = {row["name"]: row["ostd_u_obj_id"] for row in fourmost.rows()}
    known = rows_of(database, "SELECT name, ostd_u_obj_id, ostd_targ_id, date_ingested FROM tides_master")
    assert {row["name"]: row["ostd_u_obj_id"] for row in known} == told
    assert all(row["date_ingested"] is not None and row["ostd_targ_id"] for row in known)
    change(database, "r_latest_mag = 18.0", "ZTF1")
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)
    assert (wanted(database, "ZTF1"), wanted(database, "ZTF2")) == ({"mag": 18.0}, None)
    change(database, "active = FALSE", "ZTF1")
    assert Exchanged(database, bridge).counts() == (0, 0, 1, 0)
    assert wanted(database, "ZTF1") is None, "nothing is wanted of a target that is over"
    assert {row["name"]: row["is_active"] for row in fourmost.rows()} == {"ZTF1": False, "ZTF2": True}
    change(database, "active = TRUE", "ZTF1")
    assert Exchanged(database, bridge).counts() == (0, 1, 0, 0)
    assert wanted(database, "ZTF1") == {"mag": 18.0}
    add(database, "ZTF3")
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)


@pytest.mark.parametrize("does_switch_off", [False, True])
def test_a_target_that_is_ingested_just_before_its_change_is_no_failure(
    database: Database, bridge: Settings, fourmost: FourmostStandin, does_switch_off: bool
) -> None:
    add(database, "ZTF1")
    Exchanged(database, bridge)
    change(database, "active = FALSE" if does_switch_off else "r_latest_mag = 18.0", "ZTF1")
    sent = Exchanged(database, bridge, Before(bridge, fourmost.ingest))
    assert (sent.counts(), sent.outages) == ((0, 0, int(does_switch_off), 0), [])
    Exchanged(database, bridge)
    assert wanted(database, "ZTF1") == (None if does_switch_off else {"mag": 18.0})
    columns = "ostd_u_obj_id, refused_4most, asked_4most"
    (row,) = rows_of(database, f"SELECT {columns} FROM tides_master")
    assert row == {"ostd_u_obj_id": fourmost.rows()[0]["ostd_u_obj_id"], "refused_4most": None, "asked_4most": None}
    assert unanswered(database) == []


def test_the_flag_still_goes_when_all_else_was_ingested_on_the_way(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1", active=True)
    Exchanged(database, bridge)
    change(database, "active = FALSE", "ZTF1")
    Exchanged(database, bridge)
    change(database, "active = TRUE, r_latest_mag = 18.0", "ZTF1")
    assert Exchanged(database, bridge, Before(bridge, fourmost.ingest)).counts() == (0, 0, 0, 0)
    assert Exchanged(database, bridge).counts() == (0, 1, 0, 0)
    assert [(row["mag"], row["is_active"]) for row in fourmost.rows()] == [(20.5, True)]
    assert wanted(database, "ZTF1") == {"mag": 18.0}


def test_what_was_ingested_before_its_creation_was_confirmed_has_its_keys(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1")
    Exchanged(database, bridge, Loses(bridge.fourmost))
    fourmost.ingest()
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    (row,) = rows_of(database, "SELECT pk_4most, ostd_u_obj_id FROM tides_master")
    assert row == {"pk_4most": fourmost.rows()[0]["id"], "ostd_u_obj_id": fourmost.rows()[0]["ostd_u_obj_id"]}


def test_a_key_that_4most_has_given_to_another_target_is_released(
    database: Database, bridge: Settings, running: tuple[FourmostStandin, Path]
) -> None:
    """As after a restoration of 4MOST, which lost its last row and gives the key anew."""
    add(database, "ZTF1")
    Exchanged(database, bridge)
    change(database, "pk_4most = pk_4most + 1", "ZTF1")
    add(database, "ZTF2")
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    there = {row["name"]: row["id"] for row in running[0].rows()}
    assert keys(database) == {"ZTF1": None, "ZTF2": there["ZTF2"]}
    assert log_of(database, "ZTF1")[-1] == ("create", "asked", 1)
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    assert keys(database) == there  # it was not gone in truth, so it was found by its name
