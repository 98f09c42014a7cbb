"""The record: what was decided, by which version, on which light curve; and what a person can ask of it."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.batches import alert, batch_of, decided, decision_rows, defer, outcome
from tests.support.curves import curves_of, point
from tests.support.databases import make_settings, rows_of
from tests.support.staging import staged, store
from tides_bridge import resources
from tides_bridge.brokers.models import Alert
from tides_bridge.database import Database, apply_schema, copy_frame, listed_columns, open_database, run
from tides_bridge.database import schema as under_test
from tides_bridge.database.schema import schema_files
from tides_bridge.decisions import record
from tides_bridge.decisions.batch import create_transient_stage, store_outcome, take_calls, upsert_to_master
from tides_bridge.decisions.history import list_selections, why
from tides_bridge.decisions.judging import decide
from tides_bridge.decisions.models import Judged
from tides_bridge.decisions.record import put_in_force
from tides_bridge.errors import ScriptError
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings

KEYS = {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minBands": 2, "magLimit": 22.5}
ACTIVE = SelectionFunction.parse("active", KEYS)
SHADOW = SelectionFunction.parse("shadow", {**KEYS, "minNights": 3, "maxAgeLast": 5, "sherlockClasses": ["SN"]})
PASSING = (point(61000.0, "g"), point(61001.0, "r"))


def judge(
    database: Database,
    settings: Settings,
    *points: Any,
    functions: Sequence[SelectionFunction] = (ACTIVE, SHADOW),
    about: Alert | None = None,
    now_mjd: float = 61002.0,
) -> Judged:
    """Decide on object a, and store what comes of it, as a run does."""
    about = about or alert("a")
    put_in_force(database, settings, functions)
    judged = decide([about], curves_of(*(points or PASSING)), functions, {}, now_mjd)
    with database.transaction() as connection:
        create_transient_stage(connection, [judged])
        upsert_to_master(connection, settings)
        store_outcome(connection, batch_of([about]), [judged], take_calls(database, settings, 1), settings)
    return judged


def log(database: Database, columns: str = "function, role, passed, n_detections, failed, measured") -> list[Any]:
    return [tuple(row.values()) for row in rows_of(database, f"SELECT {columns} FROM decision ORDER BY decision_id")]


# What is written


def test_every_function_is_recorded_with_what_was_measured_and_what_failed(
    database: Database, settings: Settings
) -> None:
    judge(database, settings)
    active = {"minBands": 2.0, "magLimit": 19.0}
    shadow = {"minNights": 2.0, "maxAgeLast": 1.0, "sherlockClasses": "SN"}
    assert log(database) == [
        ("active", "active", True, 2, [], active),
        ("shadow", "shadow", False, 2, ["minNights"], active | shadow),
    ]
    (row,) = rows_of(database, "SELECT * FROM decision WHERE role = 'active'")
    assert (row["version"], row["trigger_mjd"], row["newest_mjd"]) == (ACTIVE.version, 61001.0, 60999.5)
    assert row["code_version"] == record.code_version()


def test_a_shadow_sends_nothing(database: Database, settings: Settings) -> None:
    judge(database, settings, functions=[SHADOW, ACTIVE])
    assert log(database, "function, role, passed") == [("shadow", "active", False), ("active", "shadow", True)]
    assert rows_of(database, "SELECT 1 FROM tides_master") == []


def test_the_same_again_adds_nothing(database: Database, settings: Settings) -> None:
    states = []
    for _ in range(2):
        judge(database, settings)
        states.append(
            [rows_of(database, f"SELECT {t}::text, xmin::text FROM {t}") for t in ("decision", "last_decision")]
        )
    assert states[0] == states[1]
    assert len(log(database)) == 2


def test_what_is_new_is_added(database: Database, settings: Settings) -> None:
    judge(database, settings)
    judge(database, settings, *PASSING, point(61001.5, "g"))
    assert len(log(database)) == 4, "another light curve"
    judge(database, settings, *PASSING, point(61001.5, "g"), about=replace(alert("a"), sherlock_class="AGN"))
    assert len(log(database)) == 6, "another class"
    last: dict[str, Any] = {"about": replace(alert("a"), sherlock_class="AGN")}
    judge(database, settings, *PASSING, point(61001.5, "g"), now_mjd=61009.0, **last)
    assert log(database, "function, failed")[6:] == [("shadow", ["minNights", "maxAgeLast", "sherlockClasses"])]
    changed = SelectionFunction.parse("active", {**KEYS, "magLimit": 18.0})
    judge(database, settings, *PASSING, point(61001.5, "g"), functions=[changed], **last)
    assert log(database, "version, passed")[7:] == [(changed.version, False)]


def test_a_decision_for_an_older_alert_is_logged_and_is_not_the_latest(database: Database, settings: Settings) -> None:
    judge(database, settings, about=alert("a", newest_mjd=61001.0))
    judge(database, settings, point(61000.0, "g"))
    assert log(database, "passed, is_stale")[2:] == [(False, True), (False, True)]
    latest = rows_of(database, "SELECT passed, newest_mjd FROM last_decision WHERE function = 'active'")
    assert latest == [{"passed": True, "newest_mjd": 61001.0}]


def test_what_could_not_be_measured_is_null(database: Database, settings: Settings) -> None:
    judge(database, settings, point(61000.0, "g", error=9.0))
    assert log(database, "measured -> 'magLimit', failed")[0] == (None, ["minBands", "magLimit"])
    infinite = replace(alert("a"), known={"ebv": float("inf")})
    dusty = SelectionFunction.parse("active", {**KEYS, "maxEbv": 0.5})
    judge(database, settings, functions=[dusty], about=infinite)
    assert rows_of(database, "SELECT measured ? 'maxEbv' AS told FROM decision WHERE measured ? 'maxEbv'")[0]["told"]


def test_names_that_need_quotes_come_through(database: Database, settings: Settings) -> None:
    names = ['a,"b"', "c\\n'd", "é ☃"]
    outcome(database, settings, batch_of([alert(name) for name in names]), decided(dict.fromkeys(names, True)))
    assert sorted(row["object_id"] for row in rows_of(database, "SELECT object_id FROM decision")) == sorted(names)


def test_a_newer_alert_that_says_the_same_adds_nothing_and_is_remembered(
    database: Database, settings: Settings
) -> None:
    judge(database, settings, about=alert("a", newest_mjd=61001.0))
    (before,) = rows_of(database, "SELECT decided_at FROM last_decision WHERE role = 'active'")
    judge(database, settings, about=alert("a", newest_mjd=61001.5))
    assert len(log(database)) == 2
    latest = rows_of(database, "SELECT newest_mjd, decided_at FROM last_decision WHERE role = 'active'")
    assert latest == [{"newest_mjd": 61001.5, **before}]


def test_what_comes_back_after_a_change_is_new_again(database: Database, settings: Settings) -> None:
    for points in (PASSING, PASSING[:1], PASSING):
        judge(database, settings, *points, functions=[ACTIVE])
    assert log(database, "passed") == [(True,), (False,), (True,)]


def test_another_role_is_new(database: Database, settings: Settings) -> None:
    judge(database, settings, functions=[ACTIVE, SHADOW])
    judge(database, settings, functions=[SHADOW, ACTIVE])
    assert log(database, "function, role")[2:] == [("shadow", "active"), ("active", "shadow")]
    latest = rows_of(database, "SELECT function, role FROM last_decision ORDER BY function")
    assert [tuple(row.values()) for row in latest] == [("active", "shadow"), ("shadow", "active")]


def test_surveys_with_the_same_name_for_an_object_are_apart(database: Database, settings: Settings) -> None:
    for survey in ("ztf", "lsst"):
        judge(database, settings, functions=[ACTIVE], about=alert("a", survey))
    assert log(database, "survey, object_id") == [("ztf", "a"), ("lsst", "a")]


@pytest.mark.parametrize("text", ['a "b", {c}', "d\\.e\\n", "f'g\nh", "☃"])
def test_a_class_that_needs_quotes_comes_through(database: Database, settings: Settings, text: str) -> None:
    judge(database, settings, functions=[SHADOW], about=replace(alert("a"), sherlock_class=text))
    assert log(database, "measured ->> 'sherlockClasses', failed") == [(text, ["minNights", "sherlockClasses"])]


def test_a_person_can_ask_by_criterion(database: Database, settings: Settings) -> None:
    judge(database, settings, functions=[SHADOW])
    found = rows_of(database, "SELECT path, measured FROM decision_criteria WHERE NOT is_fulfilled")
    assert found == [{"path": "minNights", "measured": 2}]


@pytest.mark.parametrize("statement", ["UPDATE decision SET passed = FALSE", "DELETE FROM decision"])
def test_the_log_is_only_added_to(database: Database, settings: Settings, statement: str) -> None:
    judge(database, settings)
    with pytest.raises(ScriptError, match=r"decision_20\d\d_\d\d is only added to"):
        rows_of(database, statement + " RETURNING 1")


def test_the_log_replayed_is_the_latest(database: Database, settings: Settings) -> None:
    dice = random.Random(4)
    for _ in range(40):
        names = dice.sample("abcd", 2)
        rows = decision_rows({name: dice.random() < 0.5 for name in names}, version=dice.choice(["v1", "v2"]))
        rows["curve_digest"] = [dice.choice("0123") * 32 for _ in names]
        chunk = Judged(dict.fromkeys(names, True), decided().targets, {}, calls=1, decisions=rows)
        alerts = [alert(name, newest_mjd=61000.0 + dice.randrange(5)) for name in names]
        outcome(database, settings, batch_of(alerts), chunk)
    told = "object_id, version, passed, curve_digest, decided_at"
    replayed = (
        f"SELECT DISTINCT ON (object_id) {told} FROM decision WHERE NOT is_stale ORDER BY object_id, decision_id DESC"
    )
    assert rows_of(database, replayed) == rows_of(database, f"SELECT {told} FROM last_decision ORDER BY object_id")


# Months


def months(database: Database) -> list[str]:
    found = "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'decision'::regclass ORDER BY 1"
    return [row["name"] for row in rows_of(database, found)]


def prepare(database: Database, now: datetime, before: datetime | None = None) -> int:
    with database.transaction() as connection:
        return int(run(connection, "decisions/prepare_decisions.sql", {"now": now, "before": before})[0]["dropped"])


def test_this_month_and_the_next_are_made_once(database: Database) -> None:
    before = set(months(database))
    for _ in range(2):
        prepare(database, datetime(2030, 12, 31, 23, 59, tzinfo=UTC))
    assert set(months(database)) - before == {"decision_2030_12", "decision_2031_01"}


def test_a_run_over_the_end_of_a_month_finds_its_months(database: Database, settings: Settings) -> None:
    started = datetime(2031, 1, 31, 23, 59, 59, tzinfo=UTC)
    prepare(database, started)
    for number, now in enumerate((started, started + timedelta(seconds=1), datetime(2031, 2, 28, 23, 59, tzinfo=UTC))):
        with database.transaction() as connection:
            run(connection, "decisions/create_decision_stage.sql")
            rows = decision_rows({f"object {number}": True}).assign(survey="ztf", newest_mjd=61000.0, judged_with=None)
            copy_frame(connection, record.LOAD, rows[listed_columns(record.LOAD)])
            (stored,) = run(connection, "decisions/store_decisions.sql", {"run_id": None, "now": now})
        assert stored == {"recorded": 1}
    assert log(database, "object_id, tableoid::regclass::text") == [
        ("object 0", "decision_2031_01"),
        ("object 1", "decision_2031_02"),
        ("object 2", "decision_2031_02"),
    ]


def test_what_was_dropped_is_still_the_latest(database: Database, settings: Settings) -> None:
    judge(database, settings)
    states = [rows_of(database, "SELECT last_decision::text, xmin::text FROM last_decision")]
    next_year = datetime.now(UTC) + timedelta(days=366)
    assert prepare(database, next_year, next_year) == 2
    states.append(rows_of(database, "SELECT last_decision::text, xmin::text FROM last_decision"))
    assert states[0] == states[1] and log(database) == []
    found = why(database, "a")
    assert (found["decisions"], len(found["last"])) == ([], 2)
    judge(database, settings)
    assert log(database) == [], "what was said before the months were dropped is said again only if it changes"


def test_old_months_go_and_nothing_newer(database: Database, settings: Settings) -> None:
    prepare(database, datetime(2020, 1, 31, tzinfo=UTC))
    kept = months(database)[2:]
    assert prepare(database, datetime.now(UTC), datetime(2020, 2, 29, tzinfo=UTC)) == 1
    assert months(database) == ["decision_2020_02", *kept]
    assert prepare(database, datetime.now(UTC), datetime(2020, 3, 1, tzinfo=UTC)) == 1
    judge(database, settings)
    keeping = settings.decisions.model_copy(update={"keep_for": timedelta(days=31)})
    assert put_in_force(database, settings.model_copy(update={"decisions": keeping}), [ACTIVE]) == 0
    assert months(database) == kept
    assert len(log(database)) == 2


# Which function was in force


def in_force(database: Database, as_of: datetime | None = None) -> list[tuple[Any, ...]]:
    rows = list_selections(database, as_of)
    return [(row["function"], row["version"], row["role"], row["until"] is None) for row in rows]


def test_a_function_is_in_force_until_it_changes(database: Database, settings: Settings) -> None:
    changed = SelectionFunction.parse("active", {**KEYS, "magLimit": 20})
    times = []
    for functions in ([ACTIVE, SHADOW], [ACTIVE, SHADOW], [changed, ACTIVE.__class__.parse("shadow", KEYS)], [ACTIVE]):
        put_in_force(database, settings, functions)
        times.append(datetime.now(UTC))
    assert in_force(database, times[0]) == in_force(database, times[1])
    assert [row[:3] for row in in_force(database, times[1])] == [
        ("active", ACTIVE.version, "active"),
        ("shadow", SHADOW.version, "shadow"),
    ]
    assert [row[:3] for row in in_force(database, times[2])] == [
        ("active", changed.version, "active"),
        ("shadow", ACTIVE.version, "shadow"),
    ]
    assert in_force(database, times[3]) == [("active", ACTIVE.version, "active", True)]
    assert in_force(database, times[0] - timedelta(days=1)) == []
    assert len(in_force(database)) == 5
    texts = {row["version"]: row["normalised_text"] for row in list_selections(database)}
    assert SelectionFunction.parse("x", json.loads(texts[SHADOW.version])).version == SHADOW.version


def test_a_shadow_becomes_active_and_a_function_comes_back(database: Database, settings: Settings) -> None:
    for functions in ([ACTIVE, SHADOW], [SHADOW], [ACTIVE, SHADOW]):
        put_in_force(database, settings, functions)
    assert sorted(in_force(database), key=lambda row: (row[0], row[3])) == [
        ("active", ACTIVE.version, "active", False),
        ("active", ACTIVE.version, "active", True),
        ("shadow", SHADOW.version, "shadow", False),
        ("shadow", SHADOW.version, "active", False),
        ("shadow", SHADOW.version, "shadow", True),
    ]
    assert len(rows_of(database, "SELECT 1 FROM selection_function")) == 2


def test_at_the_moment_of_a_change_one_function_is_in_force(database: Database, settings: Settings) -> None:
    for functions in ([ACTIVE], [SHADOW]):
        put_in_force(database, settings, functions)
    first, second = list_selections(database)
    assert first["until"] == second["since"]
    assert [row[0] for row in in_force(database, second["since"])] == ["shadow"]


def test_the_same_functions_again_write_nothing(database: Database, settings: Settings) -> None:
    states = []
    for _ in range(2):
        put_in_force(database, settings, [ACTIVE, SHADOW])
        tables = ("selection_function", "selection_in_force")
        states.append([rows_of(database, f"SELECT {t}::text, xmin::text FROM {t}") for t in tables])
    assert states[0] == states[1]


# Why


def test_why_an_object_passed_and_was_not_sent(database: Database, settings: Settings) -> None:
    judge(database, settings)
    found = why(database, "a")
    active, shadow = found["decisions"]
    assert active["criteria"][0] == {
        "criterion": "minBands", "measured": 2.0, "unit": "", "demanded": ">= 2", "fulfilled": True, "short": None,
    }  # fmt: skip
    failed = [(each["criterion"], each["short"]) for each in shadow["criteria"] if not each["fulfilled"]]
    assert failed == [("minNights", 1.0)]
    assert [(row["object_id"], row["active"]) for row in found["targets"]] == [("a", False)]
    assert (found["sent"], found["deferred"], len(found["last"])) == ([], [], 2)


def test_why_an_object_waits(database: Database, settings: Settings) -> None:
    defer(database, settings, alert("z"), reason="it has no detection")
    assert [(row["reason"], row["attempts"]) for row in why(database, "z")["deferred"]] == [("it has no detection", 1)]


def test_why_an_object_was_given_up(database: Database, settings: Settings) -> None:
    defer(database, settings, alert("z"))
    rows_of(database, "UPDATE deferred_object SET given_up_at = now() RETURNING 1")
    (row,) = why(database, "z")["deferred"]
    assert row["given_up_at"] is not None


def test_what_was_sent_is_told_as_of_a_time(database: Database, settings: Settings) -> None:
    store(database, settings, staged("a"), staged("b"))
    entry = """
        INSERT INTO exchange_log (logged_at, tides_id, operation, attempt, status, answer)
        SELECT '2026-11-0%s', tides_id, 'create', 1, '%s', '%s' FROM tides_master WHERE object_id = 'a' RETURNING 1
    """
    for answer in ((1, "asked", ""), (2, "refused", "mag: too faint")):
        rows_of(database, entry % answer)
    sent = [[row["status"] for row in why(database, "a", as_of=then)["sent"]] for then in (None, day(1), day(2))]
    assert sent == [["asked", "refused"], ["asked"], ["asked", "refused"]]
    assert why(database, "a")["sent"][1]["answer"] == "mag: too faint"
    assert why(database, "b")["sent"] == []


def day(number: int) -> datetime:
    return datetime(2026, 11, number, 12, tzinfo=UTC)


def test_why_knows_what_was_known_then(database: Database, settings: Settings) -> None:
    judge(database, settings)
    then = datetime.now(UTC)
    judge(database, settings, *PASSING, point(61001.5, "g"))
    assert [len(why(database, "a", as_of=time)["decisions"]) for time in (None, then, then - timedelta(1))] == [4, 2, 0]


def test_why_asks_one_survey_or_all(database: Database, settings: Settings) -> None:
    store(database, settings, staged("a"), staged("a", survey="lsst"))
    assert [len(why(database, "a", survey)["targets"]) for survey in (None, "lsst", "other")] == [2, 1, 0]
    assert not any(why(database, "b").values())


# From a database without a record


def test_decisions_of_before_are_kept(database_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = schema_files()[:2]
    with open_database(make_settings(database_folder, f"tides_{uuid4().hex}")) as database:
        with monkeypatch.context() as patch:
            patch.setattr(under_test, "schema_files", lambda: before)
            apply_schema(database)
        old = "INSERT INTO decision (survey, object_id, selection_function, passed, newest_mjd) VALUES"
        rows_of(
            database, f"{old} ('ztf', 'a', 'active', TRUE, 60999), ('ztf', 'b', 'active', FALSE, 60998) RETURNING 1"
        )
        assert apply_schema(database) == [file.name for file in schema_files()[2:]]
        kept = rows_of(database, "SELECT object_id, function, version, role, passed FROM last_decision ORDER BY 1")
        assert [tuple(row.values()) for row in kept] == [
            ("a", "active", None, "active", True),
            ("b", "active", None, "active", False),
        ]
        assert [row["passed"] for row in why(database, "a")["last"]] == [True]


# The version of the code


def test_the_version_of_the_code_follows_the_sources_that_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _, digest = record.code_version().partition("+")
    assert number and len(digest) == 12
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    monkeypatch.setattr(resources, "shipped", tmp_path.joinpath)
    for room in (*record.DECIDING, "portal", "fourmost"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "one.py").write_text("x = 1")
    before = record.code_version.__wrapped__()
    for room in ("portal", "fourmost"):
        (tmp_path / room / "one.py").write_text("x = 2")
        assert record.code_version.__wrapped__() == before, room
    for room in record.DECIDING:
        (tmp_path / room / "one.py").write_text("x = 2")
        assert record.code_version.__wrapped__() != before, room
        (tmp_path / room / "one.py").write_text("x = 1")
    assert record.code_version.__wrapped__() == before


def test_every_room_that_is_said_to_decide_is_there() -> None:
    assert all(list((resources._PACKAGE / room).glob("*.py")) for room in record.DECIDING)
