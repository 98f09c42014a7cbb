"""The exchange between a real database and the 4MOST stand-in: each target once in both, whatever got lost."""

from collections.abc import Iterator
from typing import Any

import pytest

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import rows_of
from tides_bridge.database import Database
from tides_bridge.errors import FourmostUnavailable
from tides_bridge.exchange import (
    create_new_transients_in_4most,
    prepare_4most_update,
    read_back_from_4most,
    update_existing_transients,
)
from tides_bridge.fourmost import FourmostClient
from tides_bridge.settings import Settings


@pytest.fixture
def fourmost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FourmostStandin]:
    state = tmp_path_factory.mktemp("fourmost") / "state.sqlite3"
    with FourmostStandin("--ingest-at", "off", state=state) as standin:
        yield standin


@pytest.fixture
def bridge(settings: Settings, fourmost: FourmostStandin) -> Settings:
    changes = {"address": fourmost.address, "token": fourmost.token, "surveyID": 5, "pageSize": 3}
    return settings.model_copy(update={"fourmost": settings.fourmost.model_validate(changes)})


def add(database: Database, *names: str, **changes: Any) -> None:
    """Put active targets into tides_master."""
    row = {"ra": 10.0, "decl": -20.0, "r_latest_mag": 20.5, "active": True} | changes
    row |= {"survey": "ztf", "first_detection_mjd": 61000, "last_detection_mjd": 61001.25, "n_detections": 5}
    row |= {"selection_function": "any"}
    columns = ", ".join(row)
    with database.transaction() as connection:
        for name in names:
            values = [name, name, *row.values()]
            places = ", ".join(["%s"] * len(values))
            insert = f"INSERT INTO tides_master (object_id, name, {columns}) VALUES ({places})"
            connection.exec_driver_sql(insert, tuple(values))


def change(database: Database, assignment: str, name: str) -> None:
    rows_of(database, f"UPDATE tides_master SET {assignment} WHERE name = '{name}' RETURNING name")


class Exchanged:
    """One whole exchange, as a run does it."""

    def __init__(self, database: Database, settings: Settings, client: FourmostClient | None = None) -> None:
        client = client or FourmostClient(settings.fourmost)
        read_back_from_4most(database, client)
        self.stage = prepare_4most_update(database, settings)
        self.created = create_new_transients_in_4most(database, client, self.stage.new, settings.fourmost.page_size)
        self.changed = update_existing_transients(database, client, self.stage.changed)
        self.deactivated = update_existing_transients(database, client, self.stage.deactivated)

    def counts(self) -> tuple[int, int, int, int]:
        sent = (self.created, self.changed, self.deactivated)
        return (*(len(part.done) for part in sent), sum(len(part.failed) for part in sent))


def keys(database: Database) -> dict[str, int]:
    return {row["name"]: row["pk_4most"] for row in rows_of(database, "SELECT name, pk_4most FROM tides_master")}


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


def test_a_bad_row_does_not_hold_up_its_page_and_is_not_sent_again_until_it_changes(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    wrong = bridge.model_copy(update={"fourmost": bridge.fourmost.model_copy(update={"resolution": 7})})
    add(database, "ZTF1")
    assert Exchanged(database, wrong).counts() == (0, 0, 0, 1)
    (row,) = rows_of(database, "SELECT refused_4most, pk_4most FROM tides_master")
    assert "resolution" in row["refused_4most"] and row["pk_4most"] is None
    assert Exchanged(database, wrong).counts() == (0, 0, 0, 0)
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    assert rows_of(database, "SELECT refused_4most FROM tides_master") == [{"refused_4most": None}]


def test_good_rows_of_a_refused_page_still_go(database: Database, bridge: Settings, fourmost: FourmostStandin) -> None:
    add(database, "ZTF1", "ZTF2", "ZTF3")
    client = FourmostClient(bridge.fourmost)
    stage = prepare_4most_update(database, bridge)
    stage.new[1]["payload"]["redshift_estimate"] = 99.0
    sent = create_new_transients_in_4most(database, client, stage.new, 3)
    assert (sent.done, list(sent.failed)) == (["ZTF1", "ZTF3"], ["ZTF2"])
    assert [row["name"] for row in fourmost.rows()] == ["ZTF1", "ZTF3"]


class LosesAnswers(FourmostClient):
    """The service does the work, and its answer is lost on the way."""

    def create(self, payloads: Any) -> Any:
        super().create(payloads)
        raise FourmostUnavailable("4MOST", "the connection broke")


def test_a_lost_answer_makes_no_duplicate(database: Database, bridge: Settings, fourmost: FourmostStandin) -> None:
    add(database, "ZTF1", "ZTF2", "ZTF3", "ZTF4")
    with pytest.raises(FourmostUnavailable):
        Exchanged(database, bridge, LosesAnswers(bridge.fourmost))
    assert set(keys(database).values()) == {None}
    assert len(fourmost.rows()) == 3
    assert Exchanged(database, bridge).counts() == (4, 0, 0, 0)
    assert {row["name"]: row["id"] for row in fourmost.rows()} == keys(database)
    assert len(fourmost.rows()) == 4


def test_of_several_rows_under_our_name_the_oldest_is_ours(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1")
    for _ in range(2):
        with pytest.raises(FourmostUnavailable):
            LosesAnswers(bridge.fourmost).create([row["payload"] for row in prepare_4most_update(database, bridge).new])
    change(database, "create_asked_4most_at = now()", "ZTF1")
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    assert keys(database) == {"ZTF1": min(row["id"] for row in fourmost.rows())}


def test_what_was_adopted_with_old_values_is_updated_next(
    database: Database, bridge: Settings, fourmost: FourmostStandin
) -> None:
    add(database, "ZTF1")
    with pytest.raises(FourmostUnavailable):
        Exchanged(database, bridge, LosesAnswers(bridge.fourmost))
    change(database, "r_latest_mag = 18.0", "ZTF1")
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
    assert Exchanged(database, bridge).counts() == (0, 1, 0, 0)
    assert fourmost.rows()[0]["mag"] == 18.0
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)


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
    change(database, "active = FALSE", "ZTF1")
    assert Exchanged(database, bridge).counts() == (0, 0, 1, 0)
    assert {row["name"]: row["is_active"] for row in fourmost.rows()} == {"ZTF1": False, "ZTF2": True}
    add(database, "ZTF3")
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)


def test_a_target_without_the_magnitude_of_its_band_waits_for_one(database: Database, bridge: Settings) -> None:
    add(database, "ZTF1", r_latest_mag=None, g_latest_mag=19.0)
    first = Exchanged(database, bridge)
    assert (first.counts(), len(first.stage.refused)) == ((0, 0, 0, 0), 1)
    (row,) = rows_of(database, "SELECT refused_4most FROM tides_master")
    assert row["refused_4most"] == "mag: no magnitude in r, the band of LSST_r_AB"
    assert Exchanged(database, bridge).stage.refused == []
    change(database, "r_latest_mag = 19.2", "ZTF1")
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)
