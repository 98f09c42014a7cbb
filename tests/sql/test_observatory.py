"""Cone search and TAP on a real database behind a real server."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from astropy.coordinates import angular_separation
from astropy.io.votable import parse_single_table
from astropy.table import Table
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.support.databases import copy_database, make_settings, rows_of
from tests.support.observatory import HARD, TARGETS, fill, places, served_alone
from tests.unit.portal.test_adql import HOSTILE, WORDS
from tides_bridge.database import Database, open_database
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.vo import jobs as kept
from tides_bridge.portal.vo import queries
from tides_bridge.portal.vo.jobs import Jobs
from tides_bridge.portal.vo.queries import QueryReader
from tides_bridge.settings import Settings

SECONDS = 60
TEMPLATE = "tides_template"


@pytest.fixture(scope="module")
def sky(database_folder: Path) -> Settings:
    copy_database(database_folder, TEMPLATE, "observatory")
    settings = make_settings(database_folder, "observatory")
    with open_database(settings) as database:
        fill(database, settings)
    return settings


@pytest.fixture(scope="module")
def address(sky: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_alone(sky, tmp_path_factory.mktemp("state")) as address:
        yield f"{address}/vo"


@pytest.fixture
def reader(sky: Settings) -> Iterator[QueryReader]:
    database = KeptDatabase(sky)
    yield QueryReader(database)
    database.close()


def ask(address: str, query: str, **parameters: Any) -> requests.Response:
    return requests.post(f"{address}/tap/sync", {"QUERY": query, **parameters}, timeout=SECONDS)


def table(answer: requests.Response) -> Table:
    assert answer.status_code == 200, answer.text
    return parse_single_table(io.BytesIO(answer.content)).to_table()


def names_within(address: str, condition: str) -> set[str]:
    return set(table(ask(address, f"SELECT object_id FROM targets WHERE {condition}"))["object_id"].tolist())


# What a shape holds


@pytest.mark.parametrize(
    "centre", [(0.0, 0.0, 1.0), (359.9, 0.1, 30.0), (70.0, 89.8, 1.5), (9.0, -89.0, 120.0), (9, 9, 180)]
)
def test_a_circle_holds_what_is_near(address: str, centre: tuple[float, float, float]) -> None:
    ra, decl = np.radians(places())
    near = angular_separation(ra, decl, *np.radians(centre[:2])) <= np.radians(centre[2])
    wanted = {f"O{n}" for n in np.flatnonzero(near)}
    assert wanted
    asked = "{}, {}".format(*centre[:2])
    for condition in (
        f"1 = CONTAINS(POINT('ICRS', ra, decl), CIRCLE('ICRS', {asked}, {centre[2]}))",
        f"CONTAINS(POINT(ra, decl), CIRCLE(POINT({asked}), {centre[2]})) <> 0",
        f"INTERSECTS(CIRCLE({asked}, {centre[2]}), POINT(ra, decl)) = 1",
        f"DISTANCE(POINT(ra, decl), POINT({asked})) <= {centre[2]} + 0.0",
        f"DISTANCE(POINT({asked}), POINT(ra, decl)) < {centre[2]}",
        f"NOT 0 = CONTAINS(POINT({asked}), CIRCLE(ra, decl, {centre[2]}))",
        f"1 + CONTAINS(POINT(ra, decl), CIRCLE({asked}, {centre[2]})) = 2",
    ):
        assert names_within(address, condition) == wanted, condition
    params = {"RA": centre[0], "DEC": centre[1], "SR": centre[2]}
    found = table(requests.get(f"{address}/cone", params, timeout=SECONDS))
    assert set(found["object_id"]) == wanted


def test_a_box_and_a_polygon_hold_what_is_in_them(address: str) -> None:
    ra, decl = places()
    in_box = (np.abs(decl) <= 20) & (np.abs((ra - 10 + 180) % 360 - 180) <= 40)
    assert names_within(address, "1 = CONTAINS(POINT(ra, decl), BOX(10, 0, 80, 40))") == {
        f"O{n}" for n in np.flatnonzero(in_box)
    }
    # An octant of the sky, whose sides are great circles, whichever way round.
    octant = {f"O{n}" for n in np.flatnonzero((ra <= 90) & (decl >= 0))}
    for corners in ("0, 0, 90, 0, 0, 90", "0, 90, 90, 0, 0, 0"):
        assert names_within(address, f"1 = CONTAINS(POINT(ra, decl), POLYGON({corners}))") == octant
    assert len(octant) > 3


def test_tables_are_joined_by_place(address: str) -> None:
    near = "1 = CONTAINS(POINT(t.ra, t.decl), CIRCLE(o.ra, o.decl, 1 / 3600.))"
    found = table(
        ask(address, f"SELECT t.object_id, o.object_id AS other FROM targets AS t JOIN objects AS o ON {near}")
    )
    assert len(found) == TARGETS
    assert (found["object_id"] == found["other"]).all()


@pytest.mark.parametrize(
    ("written", "value"),
    [("LOG(100)", 4.60517), ("LOG10(1000)", 3), ("MOD(7, 3)", 1), ("MOD(-7.5, 2)", -1.5), ("ROUND(2.345, 1)", 2.3),
     ("TRUNCATE(2.789, 1)", 2.7), ("POWER(2, 10)", 1024), ("DISTANCE(POINT(10, 20), POINT(10, 21))", 1),
     ("ROUND(LOG10(500), 2)", 2.7), ("CEILING(1.2)", 2), ("DEGREES(PI())", 180), ("ATAN2(1, 1)", 0.785398)],
)  # fmt: skip
def test_functions_are_those_of_adql(address: str, written: str, value: float) -> None:
    assert table(ask(address, f"SELECT {written} AS x"))["x"][0] == pytest.approx(value, rel=1e-5)


# What an answer says


@pytest.mark.parametrize("form", ["votable", "votable/td", "csv", "tsv"])
def test_an_answer_is_the_same_in_each_format(address: str, sky: Settings, form: str) -> None:
    answer = ask(address, "SELECT * FROM targets ORDER BY tides_id", RESPONSEFORMAT=form)
    with open_database(sky) as database:
        wanted = rows_of(database, "SELECT * FROM vo.targets ORDER BY tides_id")
    if form.startswith("votable"):
        found = table(answer)
        assert str(found["ra"].unit) == "deg"
    else:
        delimiter = "," if form == "csv" else "\t"
        found = Table.read(answer.text, format="ascii.csv", delimiter=delimiter, fill_values=[("", "0")])
    assert len(found) == len(wanted) == TARGETS
    for name in ("tides_id", "name", "ra", "decl", "n_detections", "refused_4most"):
        got = [None if value is np.ma.masked or value == "" else value for value in found[name]]
        assert got == [row[name] for row in wanted], name
    assert {str(value).lower() for value in found["active"]} == {str(row["active"]).lower() for row in wanted}
    assert str(found["created_at"][0]) == wanted[0]["created_at"].strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0") + "Z"
    assert HARD in got


@pytest.mark.parametrize("most", [0, 1, TARGETS - 1, TARGETS, TARGETS + 1])
@pytest.mark.parametrize("chunk", [7, 5000])
def test_more_rows_than_wanted_are_told(address: str, monkeypatch: pytest.MonkeyPatch, most: int, chunk: int) -> None:
    monkeypatch.setattr(queries, "CHUNK", chunk)
    answer = ask(address, "SELECT name FROM targets", MAXREC=most)
    assert len(table(answer)) == min(most, TARGETS)
    assert ('value="OVERFLOW"' in answer.text) == (most < TARGETS)


def test_an_overflow_of_lines_is_no_row_more(address: str) -> None:
    assert len(ask(address, "SELECT name FROM targets", MAXREC=5, FORMAT="csv").text.splitlines()) == 6


def test_a_column_is_described_wherever_it_goes(reader: QueryReader) -> None:
    query = (
        "WITH near AS (SELECT ra AS x, decl + 1 AS y, name FROM targets) SELECT x, y, name, active FROM near, targets"
    )
    with pytest.raises(Exception, match="ambiguous"), reader.answer(reader.translated(query), 1):
        pass
    query = "WITH near AS (SELECT ra AS x, decl + 1 AS y, name FROM targets) SELECT x, y, name FROM near"
    with reader.answer(reader.translated(query), 1) as answer:
        x, y, name = answer.columns
    assert (x.name, x.unit, x.ucd) == ("x", "deg", "pos.eq.ra;meta.main")
    assert (y.name, y.datatype, y.unit, y.ucd) == ("y", "double", "", "")
    assert (name.datatype, name.arraysize) == ("char", "*")


def test_every_column_is_described(reader: QueryReader) -> None:
    for column in reader.documented():
        assert column["description"], column
        assert column["ucd"], column
        assert not set("{}[]()") & set(column["description"]) or column["table_name"].startswith("tap"), column


def test_all_tables_can_be_read_as_the_role_that_only_reads(reader: QueryReader) -> None:
    assert reader.is_reader()
    for name in {column["table_name"] for column in reader.documented()}:
        with reader.answer(reader.translated(f"SELECT * FROM {name}"), 10) as answer:
            assert sum(len(rows) for rows in answer.chunks) <= 10


def test_a_spectrum_of_a_merged_target_can_be_read(database: Database, settings: Settings) -> None:
    fill(database, settings)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE tides_master SET merged_into = 2 WHERE tides_id = 1")
        connection.exec_driver_sql(
            "INSERT INTO delivery (path, digest, night, spectra) VALUES ('p', 'd', '2026-11-01', 1);"
            "INSERT INTO spectrum (delivery_id, row_number, spec_uid, snr) VALUES (1, 1, 'a', 9);"
            "INSERT INTO spectrum_match (spectrum_id, tides_id, how, who, reason) VALUES (1, 1, 'person', 'x', 'y')"
        )
    kept_database = KeptDatabase(settings)
    reader = QueryReader(kept_database)
    with reader.answer(reader.translated("SELECT tides_id, snr FROM spectra"), 10) as answer:
        assert list(answer.chunks) == [[(2, 9.0)]]
    kept_database.close()


# What is refused


@pytest.mark.parametrize("query", HOSTILE[::7])
def test_a_hostile_query_is_refused_in_a_votable(address: str, query: str) -> None:
    answer = ask(address, query.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    assert answer.status_code == 400
    assert 'value="ERROR"' in answer.text


def test_the_role_can_neither_write_nor_read_what_is_not_documented(reader: QueryReader) -> None:
    for statement, words in {
        "SELECT * FROM tides_master": "permission denied",
        "SELECT pg_read_file('/etc/passwd')": "permission denied",
        "SELECT lo_import('/etc/passwd')": "read-only|permission denied",
        "SELECT nextval('decision_id')": "read-only|permission denied",
        "SELECT 1 / 0": "division by zero",
    }.items():
        with pytest.raises(Exception, match=words), reader.answer(statement, 10) as answer:
            list(answer.chunks)


def test_what_takes_too_long_is_ended(reader: QueryReader) -> None:
    joined = ", ".join(f"targets AS t{n}" for n in range(9))
    sql = reader.translated(f"SELECT COUNT(*) FROM {joined}")
    began = time.monotonic()
    with pytest.raises(Exception, match="it may take 0 s"), reader.answer(sql, 10, seconds=0.3):
        pass
    assert time.monotonic() - began < 30
    with reader.answer(reader.translated("SELECT 1 AS x"), 10) as answer:  # the database was not closed by that
        assert list(answer.chunks) == [[(1,)]]


def test_an_error_amid_an_answer_is_told_at_its_end(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "CHUNK", 10)
    answer = ask(address, "SELECT name, 1 / (tides_id - 31) AS x FROM targets")
    assert answer.status_code == 200
    assert 'value="ERROR">division by zero</INFO>' in answer.text


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"QUERY": ""}, "QUERY is missing"), ({"MAXREC": "-1"}, "MAXREC"), ({"MAXREC": "²"}, "MAXREC"),
        ({"FORMAT": "fits"}, "no answer can be fits"), ({"LANG": "PQL"}, "LANG"), ({"REQUEST": "x"}, "REQUEST"),
        ({"UPLOAD": "a,http://127.0.0.1/"}, "no tables are taken"), ({"QUERY": "x" * 300_000}, "bytes"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_question_is_said(address: str, parameters: dict[str, str], words: str) -> None:
    answer = requests.post(f"{address}/tap/sync", {"QUERY": "SELECT 1 AS x", **parameters}, timeout=SECONDS)
    assert (answer.status_code, words in answer.text) == (400, True), answer.text


@pytest.mark.parametrize("asked", ["", "RA=x&DEC=1&SR=1", "RA=1&DEC=91&SR=1", "RA=1&DEC=1&SR=nan", "RA=-1&DEC=1&SR=1"])
def test_a_wrong_cone_is_refused_as_its_standard_has_it(address: str, asked: str) -> None:
    answer = requests.get(f"{address}/cone?{asked}", timeout=SECONDS)
    assert answer.status_code == 400
    assert '<INFO ID="Error"' in answer.text


@examples(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=20).map(" ".join),
    st.sampled_from(["votable", "csv", "x"]),
    st.sampled_from(["tap/sync", "cone", "tap/async", "tap/async/x", "tap/async/x/phase"]),
)
def test_no_drawn_question_is_an_error_of_ours(address: str, words: str, form: str, path: str) -> None:
    parameters = {
        "QUERY": f"SELECT {words}".encode("utf-8", "replace"),
        "FORMAT": form,
        "RA": words.encode("utf-8", "replace"),
    }
    answer = requests.post(f"{address}/{path}", parameters, timeout=SECONDS, allow_redirects=False)
    assert answer.status_code in (200, 303, 400, 404)


# Queries that run by themselves


@pytest.fixture
def jobs(reader: QueryReader, tmp_path: Path) -> Jobs:
    return Jobs(reader, tmp_path / "jobs")


def wait(jobs: Jobs, job_id: str, *phases: str) -> kept.Job:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        job = jobs.get(job_id)
        assert job is not None
        if job.phase in phases:
            return job
        time.sleep(0.02)
    raise AssertionError(job)


HUGE = "SELECT COUNT(*) AS n FROM " + ", ".join(f"targets AS t{n}" for n in range(9))


def test_a_job_runs_and_outlives_a_restart(jobs: Jobs, reader: QueryReader, tmp_path: Path) -> None:
    good, bad = jobs.add({"QUERY": "SELECT name FROM targets", "FORMAT": "csv"}), jobs.add({"QUERY": "SELECT x"})
    waiting = jobs.add({"QUERY": "SELECT 1 AS x"})
    for job in (good, bad):
        jobs.run(job.job_id)
        jobs.run(job.job_id)  # a second time is none
        wait(jobs, job.job_id, *kept.ENDED)
    again = Jobs(reader, tmp_path / "jobs")
    found = {job.job_id: job for job in again.listed()}
    assert (found[good.job_id].phase, found[bad.job_id].phase) == ("COMPLETED", "ERROR")
    assert found[waiting.job_id].phase == "PENDING"
    assert len(again.result(good.job_id).read_text().splitlines()) == TARGETS + 1
    assert "no column x" in found[bad.job_id].problem


def test_a_job_that_was_at_work_at_a_restart_has_failed(jobs: Jobs, reader: QueryReader, tmp_path: Path) -> None:
    job = jobs.add({"QUERY": "SELECT 1 AS x"})
    file = tmp_path / "jobs" / job.job_id / "job.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"phase": "EXECUTING"}))
    (tmp_path / "jobs" / "half").mkdir()
    (tmp_path / "jobs" / "half" / "job.json").write_text("{")
    (found,) = Jobs(reader, tmp_path / "jobs").listed()
    assert (found.phase, found.problem) == ("ERROR", "the portal was restarted: ask again")


def test_a_job_is_ended_and_forgotten(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.add({"QUERY": HUGE})
    jobs.run(job.job_id)
    wait(jobs, job.job_id, "EXECUTING")
    jobs.abort(job.job_id)
    assert wait(jobs, job.job_id, *kept.ENDED).phase == "ABORTED"
    jobs.change(job.job_id, destroyed_at=time.time() - 1)
    assert jobs.get(job.job_id) is None
    assert not (tmp_path / "jobs" / job.job_id).exists()


def test_only_so_many_jobs_are_kept(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_JOBS", 2)
    first, second = jobs.add({"QUERY": "SELECT 1 AS x"}), jobs.add({"QUERY": "SELECT 2 AS x"})
    with pytest.raises(Exception, match="2 jobs wait or are at work"):
        jobs.add({"QUERY": "SELECT 3 AS x"})
    jobs.abort(second.job_id)
    third = jobs.add({"QUERY": "SELECT 3 AS x"})
    assert {job.job_id for job in jobs.listed()} == {first.job_id, third.job_id}


def test_a_result_that_is_too_large_fails(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGEST_RESULT", 100)
    job = jobs.add({"QUERY": "SELECT * FROM targets"})
    jobs.run(job.job_id)
    assert "larger than" in wait(jobs, job.job_id, *kept.ENDED).problem


def test_the_way_of_a_job_through_its_addresses(address: str) -> None:
    made = requests.post(f"{address}/tap/async", {"QUERY": HUGE, "RUNID": "<a>"}, timeout=SECONDS)
    at = made.url
    assert "<uws:phase>PENDING</uws:phase>" in made.text
    assert "&lt;a&gt;" in made.text
    requests.post(f"{at}/parameters", {"QUERY": "SELECT 1 AS one"}, timeout=SECONDS)
    requests.post(f"{at}/executionduration", {"EXECUTIONDURATION": "7"}, timeout=SECONDS)
    assert requests.get(f"{at}/executionduration", timeout=SECONDS).text == "7"
    requests.post(f"{at}/destruction", {"DESTRUCTION": "2000-01-01T00:00:00Z"}, timeout=SECONDS)
    assert requests.get(at, timeout=SECONDS).status_code == 404  # destroyed by then
    at = requests.post(f"{address}/tap/async?PHASE=RUN", {"QUERY": "SELECT 1 AS one"}, timeout=SECONDS).url
    done = requests.get(at, {"WAIT": "30"}, timeout=SECONDS)
    while "COMPLETED" not in done.text:
        done = requests.get(at, {"WAIT": "30"}, timeout=SECONDS)
    assert table(requests.get(f"{at}/results/result", timeout=SECONDS))["one"].tolist() == [1]
    assert at.rpartition("/")[2] in requests.get(f"{address}/tap/async?PHASE=COMPLETED", timeout=SECONDS).text
    assert requests.get(f"{at}/error", timeout=SECONDS).status_code == 404
    requests.delete(at, timeout=SECONDS)
    assert requests.get(at, timeout=SECONDS).status_code == 404
    assert requests.get(f"{address}/tap/async/../../etc", timeout=SECONDS).status_code == 404
