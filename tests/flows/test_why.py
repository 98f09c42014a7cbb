"""`tides why` and `tides selections`, as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import Result

from tests.support.batches import alert, batch_of, decided, defer, outcome
from tests.support.curves import curves_of, point
from tests.support.databases import rows_of
from tests.support.forked import forked_tides
from tests.support.staging import staged, store
from tests.support.typed import at_database, page_of
from tides_bridge.database import Database
from tides_bridge.decisions.judging import decide
from tides_bridge.decisions.record import put_in_force
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings


@pytest.fixture
def after_a_run(settings_file: Path, prefect_api: str) -> Path:
    """Settings of a bridge that has run once, with a shadow."""
    content = yaml.safe_load(settings_file.read_text())
    content["standins"]["shadowFunctions"] = ["youngSupernovaExample"]
    settings_file.write_text(yaml.safe_dump(content))
    done = forked_tides("run", "--settings", settings_file, PREFECT_API_URL=prefect_api)
    assert done.returncode == 0, done.stderr
    return settings_file


def ask(file: Path, *arguments: str) -> Any:
    done = forked_tides(*arguments, "--settings", file, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_person_asks_why(after_a_run: Path) -> None:
    counts = "SELECT json_agg(name) FROM tides_master WHERE pk_4most IS NOT NULL"
    names = json.loads(forked_tides("psql", "--settings", after_a_run, "-tAc", counts).stdout)
    found = ask(after_a_run, "why", names[0])
    assert [(row["role"], row["function"]) for row in found["decisions"]] == [
        ("active", "tidesSNZTFClean"),
        ("shadow", "youngSupernovaExample"),
    ]
    assert found["decisions"][0]["passed"] and found["targets"][0]["active"]
    assert [(row["operation"], row["status"]) for row in found["sent"]] == [
        ("create", "asked"),
        ("create", "confirmed"),
    ]
    page = forked_tides("why", names[0], "--settings", after_a_run).stdout
    for words in (
        "tidesSNZTFClean",
        "(active)  passed",
        "triggered at MJD",
        ">= 2 demanded",
        "4MOST create",
        "target",
    ):
        assert words in page
    failed = "SELECT min(object_id) FROM decision WHERE NOT passed AND role = 'active' AND 'minNights' = ANY(failed)"
    other = forked_tides("psql", "--settings", after_a_run, "-tAc", failed).stdout.strip()
    assert "✗ minNights" in (page := forked_tides("why", other, "--settings", after_a_run).stdout)
    assert "did not pass" in page and "2 demanded: misses by 1" in page
    long_ago = forked_tides("why", names[0], "--settings", after_a_run, "--as-of", "2020-01-01").stdout
    assert "tidesSNZTFClean" in long_ago and "as of 2020-01-01 00:00" in long_ago


def test_a_person_asks_which_selection_was_in_force(after_a_run: Path) -> None:
    rows = ask(after_a_run, "selections")
    assert [(row["function"], row["role"], row["until"]) for row in rows] == [
        ("tidesSNZTFClean", "active", None),
        ("youngSupernovaExample", "shadow", None),
    ]
    page = forked_tides("selections", "--settings", after_a_run, "--text").stdout
    assert rows[0]["version"] in page and '"minBands":2' in page
    assert ask(after_a_run, "selections", "--as-of", "2020-01-01") == []
    assert (
        "none was in force"
        in forked_tides("selections", "--settings", after_a_run, "--as-of", "2020-01-01T12:00").stdout
    )


def test_what_cannot_be_answered_is_told(settings_file: Path) -> None:
    assert forked_tides("schema", "--settings", settings_file).returncode == 0
    done = forked_tides("why", "ZTF26nothing", "--settings", settings_file)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ZTF26nothing: nothing is known of it" in done.stderr
    for command in (("why", "a"), ("selections",)):
        done = forked_tides(*command, "--as-of", "yesterday", "--settings", settings_file)
        assert done.returncode == 2
        assert "yesterday is no time" in done.stderr


# In this process, on rows made here


@pytest.fixture
def typed(settings: Settings, tmp_path: Path) -> Callable[..., Result]:
    """Type a command with the settings of the test's database."""
    return at_database(settings, tmp_path)


KEYS = {"rules": "strict", "filters": ["g", "r"], "significance": 5}
FUNCTION = SelectionFunction.parse(
    "demanding",
    {**KEYS, "minNights": 4, "magLimit": 18.5, "declination": [-10, 5], "maxEbv": 0.1, "sherlockClasses": ["NT"]},
)


def test_each_criterion_is_told_with_what_it_misses(
    database: Database, settings: Settings, typed: Callable[..., Result]
) -> None:
    put_in_force(database, settings, [FUNCTION])
    judged = decide([alert("a")], curves_of(point(61000.0), point(61001.0, "r")), [FUNCTION], {}, 61002.0)
    outcome(database, settings, batch_of([alert("a")]), judged)
    title, *criteria = page_of(typed("why", "a"))
    assert title.endswith(f"demanding {FUNCTION.version} (active)  did not pass  ztf, 2 detections")
    assert [" ".join(line.split()) for line in criteria] == [
        "✗ minNights 2, >= 4 demanded: misses by 2",
        "✗ magLimit 19 mag, <= 18.5 mag demanded: misses by 0.5 mag",
        "✗ declination -20.25 deg, from -10 to 5 deg demanded: misses by 10.25 deg",
        "✗ maxEbv could not be measured, <= 0.1 mag demanded",
        "✗ sherlockClasses SN, one of NT demanded",
    ]
    assert page_of(typed("why", "a", "--survey", "ztf"))[0] == title
    assert typed("why", "a", "--survey", "lsst").exit_code == 1


def test_what_was_later_than_now_is_told(database: Database, settings: Settings, typed: Callable[..., Result]) -> None:
    put_in_force(database, settings, [FUNCTION])
    curves = curves_of(*(point(61000.0 + day) for day in (0, 1, 900, 901)))
    judged = decide([alert("a")], curves, [FUNCTION], {}, 61002.0, 61003.0)
    assert judged.notes == ("left out as later than now: 2 points of a",)
    outcome(database, settings, batch_of([alert("a")]), judged)
    title, left_out, *_ = page_of(typed("why", "a"))
    assert title.endswith("ztf, 2 detections") and left_out.strip() == "2 points later than then were left out"
    (row,) = rows_of(database, "SELECT now_mjd, left_out FROM decision")
    assert row == {"now_mjd": 61002.0, "left_out": 2}


def test_objects_that_wait_and_that_were_given_up(
    database: Database, settings: Settings, typed: Callable[..., Result]
) -> None:
    defer(database, settings, alert("a"), reason="answered [create, /update] 404")
    (line,) = page_of(typed("why", "a"))
    assert line.startswith("no light curve (ztf): answered [create, /update] 404; 1 attempts, waits, next attempt 20")
    rows_of(database, "UPDATE deferred_object SET given_up_at = now() RETURNING 1")
    assert page_of(typed("why", "a"))[0].endswith("1 attempts, given up")


def test_targets_that_4most_refused_or_has(
    database: Database, settings: Settings, typed: Callable[..., Result]
) -> None:
    store(database, settings, staged("a"), staged("b"), staged("c"))
    states = "refused_4most = CASE object_id WHEN 'a' THEN 'mag [/mag]: too faint' END, "
    states += "pk_4most = CASE object_id WHEN 'b' THEN 7 END, active = object_id <> 'c', inactive_reason = NULL"
    rows_of(database, f"UPDATE tides_master SET {states} RETURNING 1")
    logged = "INSERT INTO exchange_log (tides_id, operation, status, pk_4most, answer)"
    logged += " SELECT tides_id, 'update', 'refused', 7, 'one of [b, /i]' FROM tides_master WHERE object_id = 'b'"
    rows_of(database, f"{logged} RETURNING 1")
    rows_of(database, "UPDATE tides_master SET name = 'TiDES26' || object_id RETURNING 1")
    pages = {name: page_of(typed("why", name)) for name in "abc"}
    assert pages["a"] == ["target TiDES26a (ztf): active, refused: mag [/mag]: too faint; it is ztf a"]
    assert pages["b"][0] == "target TiDES26b (ztf): active, at 4MOST as 7; it is ztf b"
    assert pages["b"][1].endswith("4MOST update 7 (ztf) refused: one of [b, /i]")
    assert pages["c"] == ["target TiDES26c (ztf): switched off: by 4MOST, not at 4MOST; it is ztf c"]
    assert page_of(typed("why", "TiDES26c")) == pages["c"]


def test_what_outlives_the_log_is_told(database: Database, settings: Settings, typed: Callable[..., Result]) -> None:
    outcome(database, settings, batch_of([alert("a")]), decided({"a": True}))
    rows_of(database, "SELECT drop_decisions(now() + interval '1 year')")
    (line,) = page_of(typed("why", "a"))
    assert line.endswith("tidesSNZTFSelect 0123456789ab passed; no more is kept of it")


def test_a_time_elsewhere_is_told_in_utc(database: Database, settings: Settings, typed: Callable[..., Result]) -> None:
    store(database, settings, staged("a"))
    last = page_of(typed("why", "a", "--as-of", "2026-11-01T01:00+02:00"))[-1]
    assert last == "Decisions and what was sent are as of 2026-10-31 23:00; states and waiting are those of now."


def test_a_function_that_is_no_more_in_force(
    database: Database, settings: Settings, typed: Callable[..., Result]
) -> None:
    other = SelectionFunction.parse("other", {**KEYS, "minBands": 2})
    for functions in ([FUNCTION, other], [other]):
        put_in_force(database, settings, functions)
    found = [
        (row["function"], row["role"], row["until"] is None) for row in json.loads(typed("selections", "--json").stdout)
    ]
    assert found == [("demanding", "active", False), ("other", "shadow", False), ("other", "active", True)]
    head, *rows = [line.split() for line in page_of(typed("selections"))]
    assert head == ["function", "version", "role", "since", "until"]
    assert [(row[0], row[1], row[2], row[-1] == "now") for row in rows] == [
        ("demanding", FUNCTION.version, "active", False),
        ("other", other.version, "shadow", False),
        ("other", other.version, "active", True),
    ]
    texts = page_of(typed("selections", "--text"))[4:]
    assert sorted(texts) == sorted(f"{each.name} {each.version}: {each.normalised_text}" for each in (FUNCTION, other))
