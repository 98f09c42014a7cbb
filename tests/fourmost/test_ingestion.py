"""What OpSys does, and what a row allows afterwards."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from simulators.fourmost.clock import BERLIN
from simulators.fourmost.process import FourmostStandin

INT64 = 2**63


@pytest.fixture
def ingested(api, new_row):
    """A row after ingestion."""
    row = api.create(new_row())
    assert api.standin.ingest() >= 1
    return api.one("GET", row).json()


def test_ingestion_sets_a_date_and_two_numbers(api, new_row):
    rows = api.create([new_row(), new_row(is_active=False), new_row(uploadedfor_survey_id=46)])
    assert api.standin.ingest() >= 3
    assert api.standin.ingest() == 0
    after = [api.one("GET", row).json() for row in rows]
    for before, now in zip(rows, after, strict=True):
        changed = {name for name, value in now.items() if value != before[name]}
        assert changed == {"date_ingested", "ostd_targ_id", "ostd_u_obj_id"}
        assert datetime.fromisoformat(now["date_ingested"]).utcoffset() == datetime.now(BERLIN).utcoffset()
    for name in ("ostd_targ_id", "ostd_u_obj_id"):
        numbers = {row[name] for row in after}
        assert len(numbers) == 3
        assert all(type(number) is int and 0 < number < INT64 for number in numbers)
    chosen = api.found(ostd_u_obj_id__exact=after[1]["ostd_u_obj_id"], date_ingested__gt="2020-01-01 00:00")
    assert chosen == [rows[1]["name"]]


def test_only_is_active_may_change_after_ingestion(api, ingested):
    answer = api.one("PATCH", ingested, json={"mag": 21, "is_active": False, "template": "new.fits"})
    text = f"row {ingested['id']} is ingested: only is_active may change"
    assert (answer.status_code, answer.json()) == (400, {"err": f"mag: {text}; template: {text}"})
    assert api.one("GET", ingested).json() == ingested
    for active in (False, True):
        answer = api.one("PATCH", ingested, json={"is_active": active})
        assert (answer.status_code, answer.json()["is_active"]) == (200, active)


def test_equal_values_are_no_change_after_ingestion(api, ingested):
    answer = api.one("PATCH", ingested, json={**ingested, "is_active": False})
    assert answer.status_code == 200
    changed = {name for name, value in answer.json().items() if value != ingested[name]}
    assert changed == {"is_active", "date_modified"}


def test_an_ingested_row_is_not_deleted(api, ingested):
    answer = api.one("DELETE", ingested)
    assert answer.status_code == 400
    assert "set is_active to false" in answer.json()["err"]
    assert api.one("GET", ingested).status_code == 200


def berlin_time(moment):
    return moment.astimezone(BERLIN).strftime("%H:%M:%S")


def wait_until_ingested(standin, count):
    end = time.monotonic() + 10
    while len(rows := standin.rows(date_ingested__isnull="false")) < count:
        assert time.monotonic() < end, "no ingestion"
        time.sleep(0.1)
    return rows


@pytest.fixture
def state(connect, new_row, tmp_path):
    """The state of a stand-in with one row that is not ingested."""
    with FourmostStandin("--ingest-at", "off", state=tmp_path / "state.sqlite3") as standin:
        connect(standin).create(new_row(name="early"))
    return tmp_path / "state.sqlite3"


@pytest.mark.parametrize("seconds", [1, 0], ids=["comes", "was missed"])
def test_the_daily_ingestion_takes_what_was_submitted_before_it(connect, new_row, state, seconds):
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds + 1)
    if not seconds:
        time.sleep((due - datetime.now(UTC)).total_seconds())
    with FourmostStandin("--ingest-at", berlin_time(due), state=state) as standin:
        (row,) = wait_until_ingested(standin, 1)
        assert row["name"] == "early"
        assert datetime.fromisoformat(row["date_ingested"]) >= due
        late = connect(standin).create(new_row())
        time.sleep(0.7)
        assert standin.rows(id=late["id"]) == [late]
