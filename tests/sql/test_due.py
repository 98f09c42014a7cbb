"""The exchange looks only at what changed, and finds what it would find if it compared all."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import rows_of
from tests.support.exchanges import EVERYTHING, Exchanged, add, change, clear, joined, kept_standin
from tests.support.staging import at
from tides_bridge.database import Database, run
from tides_bridge.fourmost import exchange
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.due import find_due, keep_changes
from tides_bridge.fourmost.payloads import FourmostStage, stage_for_4most
from tides_bridge.operations.status import get_health, get_status
from tides_bridge.settings import Settings

NAMES = ("a", "b", "c", "d")
NOW = 61002.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    with kept_standin(tmp_path_factory.mktemp("fourmost")) as standin:
        yield standin


@pytest.fixture
def bridge(running: tuple[FourmostStandin, Path], database: Database, settings: Settings) -> Settings:
    clear(*running)
    for number, name in enumerate(NAMES):
        add(database, name, ra=10.0 + number, g_latest_mag=20.0)
    return at(joined(settings, running[0], connections=2), NOW)


def due(database: Database, settings: Settings) -> list[str]:
    with database.transaction() as connection:
        return [row["name"] for row in find_due(connection, settings).rows]


def whole(database: Database, settings: Settings) -> FourmostStage:
    """What comparing all would give."""
    with database.transaction() as connection:
        return stage_for_4most(run(connection, "fourmost/list_targets.sql", EVERYTHING), settings)


def essence(stage: FourmostStage) -> dict[str, Any]:
    changed = {kind: getattr(stage, kind) for kind in ("new", "changed", "deactivated", "refused", "otherwise")}
    return {kind: [(row["name"], row["payload"]) for row in rows] for kind, rows in changed.items()}


def tonight(database: Database, name: str, at_mjd: float, mag: float) -> None:
    mags = f"ARRAY[NULL, NULL, {mag}, NULL, NULL, NULL]::double precision[]"
    rows_of(
        database,
        "INSERT INTO target_tonight (tides_id, at_mjd, system, mags, errors, methods, is_known, worked_out_at) "
        f"SELECT tides_id, {at_mjd}, 'LSST', {mags}, {mags}, array_fill('drawn'::text, ARRAY[6]), TRUE, now() "
        f"FROM tides_master WHERE name = '{name}' "
        "ON CONFLICT (tides_id) DO UPDATE SET at_mjd = excluded.at_mjd, mags = excluded.mags RETURNING tides_id",
    )


def force(database: Database, name: str, until: str) -> None:
    rows_of(
        database,
        "WITH made AS (INSERT INTO ruling (kind, named, tides_id, reason, who, source, until) SELECT 'force', name, "
        f"tides_id, 'drawn', 'me', 'person', '{until}' FROM tides_master WHERE name = '{name}' RETURNING *) "
        "INSERT INTO ruling_subject (ruling_id, kind, until, tides_id) SELECT ruling_id, kind, until, tides_id "
        "FROM made RETURNING ruling_id",
    )


def note(database: Database, name: str, what: str, number: float) -> None:
    """Let a broker say a number of an object."""
    rows_of(
        database,
        "INSERT INTO annotation (survey, object_id, name, number, broker, mjd) "
        f"VALUES ('ztf', '{name}', '{what}', {number}, 'lasair_ztf', 61001.0) RETURNING annotation_id",
    )


def test_a_redshift_is_sent_when_a_broker_says_it_and_the_newest_counts(database: Database, bridge: Settings) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    note(database, "b", "tns.redshift", 0.05)
    note(database, "c", "fink.slsn_score", 0.5)  # nothing that 4MOST is told
    assert Exchanged(database, bridge).counts() == (0, 1, 0, 0)
    for number in (0.06, 0.07):
        note(database, "b", "tns.redshift", number)
    Exchanged(database, bridge)
    rows = rows_of(database, "SELECT name, told_4most ->> 'redshift_estimate' AS z FROM tides_master ORDER BY name")
    assert [row["z"] for row in rows] == [None, "0.07", None, None]
    (last,) = rows_of(
        database,
        "SELECT magnitude_origin FROM exchange_log WHERE magnitude_origin IS NOT NULL "
        "ORDER BY exchange_id DESC LIMIT 1",
    )
    assert last["magnitude_origin"] == "redshift of the TNS"


def let_be_answered_otherwise(
    database: Database, settings: Settings, fourmost: FourmostStandin, *changes: tuple[str, str]
) -> None:
    """Change targets, of which 4MOST takes nothing, until it is asked no more."""
    fourmost.set_faults([{"fault": "unchanged", "method": "PATCH", "times": 500}])
    for assignment, name in changes:
        change(database, assignment, name)
    for _ in range(4):
        Exchanged(database, settings)


def test_what_was_compared_and_is_there_is_not_looked_at_again(database: Database, bridge: Settings) -> None:
    assert due(database, bridge) == [*NAMES]
    Exchanged(database, bridge)
    assert due(database, bridge) == [*NAMES]  # the answers are new; they are settled by the next look
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)
    assert due(database, bridge) == []
    change(database, "r_latest_mag = 19.0", "b")
    change(database, "ra = 13.001", "d")
    assert due(database, bridge) == ["b", "d"]
    assert get_status(database, bridge)["backlog"]["changed"] == 2
    assert due(database, bridge) == ["b", "d"]  # who only looks settles nothing
    assert Exchanged(database, bridge).counts() == (0, 2, 0, 0)


@pytest.mark.parametrize("what", ["settings", "clock"])
def test_other_settings_and_an_earlier_clock_let_all_be_compared(
    database: Database, bridge: Settings, what: str
) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    changed = bridge.fourmost.model_copy(update={"epoch": 2016.0})
    other = bridge.model_copy(update={"fourmost": changed}) if what == "settings" else at(bridge, NOW - 0.001)
    assert due(database, other) == [*NAMES]
    assert due(database, bridge) == []


def test_a_magnitude_is_looked_at_again_when_it_is_old_and_when_the_night_is_over(
    database: Database, bridge: Settings
) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    assert bridge.fourmost.max_magnitude_age == timedelta(days=1)
    tonight(database, "c", NOW + 0.4, 22.0)  # while that of 61001.25 is fresh it is not sent
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)
    assert due(database, at(bridge, NOW + 0.2)) == []
    later = at(bridge, NOW + 0.26)
    assert due(database, later) == [*NAMES]
    assert [row["name"] for row in Exchanged(database, later).stage.changed] == ["c"]
    for _ in range(2):
        Exchanged(database, later)
    assert due(database, at(bridge, NOW + 1.39)) == []
    assert due(database, at(bridge, NOW + 1.41)) == ["c"]


def test_what_cannot_be_said_now_stays_due(database: Database, bridge: Settings) -> None:
    rows_of(database, "UPDATE tides_master SET decl = 80 WHERE name = 'a' RETURNING 1")
    for _ in range(2):
        Exchanged(database, bridge)
    assert due(database, bridge) == []  # it was refused by us, which is known
    rows_of(database, "UPDATE tides_master SET decl = -30 WHERE name = 'a' RETURNING 1")
    down = bridge.fourmost.model_copy(update={"address": "http://127.0.0.1:9/QFSwi", "timeout": timedelta(seconds=1)})
    with database.transaction() as connection:
        run(connection, "fourmost/take_changes.sql")
    assert due(database, bridge) == ["a"]
    keep_changes(database)
    keep_changes(database)
    assert due(database, bridge) == ["a"]
    assert due(database, bridge.model_copy(update={"fourmost": down})) == [*NAMES]
    assert Exchanged(database, bridge).counts() == (1, 0, 0, 0)


def test_what_4most_shows_otherwise_is_no_question_any_more_once_it_is_wanted_so(
    database: Database, bridge: Settings, running: tuple[FourmostStandin, Path]
) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    let_be_answered_otherwise(
        database,
        bridge,
        running[0],
        ("r_latest_mag = 18.0", "b"),
        ("active = FALSE", "c"),
        ("r_latest_mag = 18.0", "d"),
    )
    assert get_status(database, bridge)["answered_otherwise"] == 3
    change(database, "r_latest_mag = 20.5", "b")
    change(database, "active = TRUE", "c")
    assert Exchanged(database, bridge).counts() == (0, 0, 0, 0)
    assert get_status(database, bridge)["answered_otherwise"] == 1
    asked = rows_of(database, "SELECT name FROM tides_master WHERE otherwise_4most IS NOT NULL")
    assert asked == [{"name": "d"}]


def test_what_another_commits_during_a_comparison_is_for_the_next(database: Database, bridge: Settings) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    with database.transaction() as ours:
        run(ours, "fourmost/take_changes.sql")
        change(database, "r_latest_mag = 18.0", "a")
    assert due(database, bridge) == ["a"]


def test_only_what_is_due_is_counted_as_waiting_and_all_of_it(database: Database, bridge: Settings) -> None:
    assert get_health(database, bridge)["backlog"]["to_create"] == len(NAMES)
    for _ in range(2):
        Exchanged(database, bridge)
    assert not any(get_health(database, bridge)["backlog"].values())
    change(database, "active = FALSE", "a")
    change(database, "last_detection_mjd = 61001.75", "b")
    assert get_health(database, bridge)["backlog"] == {
        "to_create": 0, "to_update": 1, "to_deactivate": 1, "unanswered": 0
    }  # fmt: skip


def test_whatever_a_target_is_described_by_notes_its_changes(database: Database) -> None:
    """A table that the list reads and that notes nothing would be a change that 4MOST is never told."""
    text = (Path(__file__).parents[2] / "sql" / "fourmost" / "list_targets.sql").read_text()
    made = set(re.findall(r"^(?:WITH )?(\w+) AS \($", text, re.MULTILINE))
    tables = set(re.findall(r"(?:FROM|JOIN) (\w+)\b(?![(.])", text)) - made | {"ruling_subject"}  # by ruled_targets()
    noting = rows_of(
        database,
        "SELECT event_object_table AS name, string_agg(DISTINCT event_manipulation, ' ') AS events "
        "FROM information_schema.triggers WHERE action_statement LIKE '%%note_changed%%' GROUP BY event_object_table",
    )
    events = {row["name"]: set(row["events"].split()) for row in noting}
    assert (
        set(events)
        == tables
        == {
            "tides_master",
            "association",
            "object_brightness",
            "target_tonight",
            "ruling_subject",
            "annotation",
            "host",
        }
    )
    assert events.pop("host") == {"UPDATE"}  # no galaxy is a target when it comes in
    assert events.pop("annotation") == {"INSERT"}  # it is only added to
    never_deleted = {"tides_master", "ruling_subject"}
    for name, found in events.items():
        assert found == {"INSERT", "UPDATE"} | (set() if name in never_deleted else {"DELETE"})


STEPS = st.one_of(
    st.tuples(st.just("mag"), st.sampled_from(NAMES), st.sampled_from([18.0, 19.0, 20.5, 20.55])),
    st.tuples(st.just("move"), st.sampled_from(NAMES), st.sampled_from([0.0, 0.00001, 0.001])),
    st.tuples(st.just("active"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("tonight"), st.sampled_from(NAMES), st.sampled_from([19.5, 21.0, 22.5])),
    st.tuples(st.just("force"), st.sampled_from(NAMES), st.sampled_from(["2026-01-01", "2026-02-01"])),
    st.tuples(st.just("redshift"), st.sampled_from(NAMES), st.sampled_from([0.05, 0.1, 99.0])),
    st.tuples(st.just("object"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("clock"), st.just(""), st.sampled_from([-0.5, 0.1, 0.5, 1.5])),
    st.tuples(st.just("epoch"), st.just(""), st.sampled_from([2000.0, 2016.0])),
)


@how(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.lists(STEPS, max_size=3), min_size=2, max_size=5))
def test_whatever_changes_is_found_as_if_all_were_compared(
    database: Database, bridge: Settings, running: tuple[FourmostStandin, Path], history: list[list[Any]]
) -> None:
    clear(*running)
    rows_of(database, "TRUNCATE tides_master, object_brightness, exchange_log, annotation CASCADE; SELECT 1")
    for number, name in enumerate(NAMES):
        add(database, name, ra=10.0 + number, g_latest_mag=20.0)
    now, ours = NOW, bridge
    for steps in history:
        for what, name, value in steps:
            if what == "mag":
                change(database, f"r_latest_mag = {value}", name)
            elif what == "move":
                change(database, f"ra = {10.0 + NAMES.index(name) + value}", name)
            elif what == "active":
                change(database, f"active = {value}", name)
            elif what == "tonight":
                tonight(database, name, now + 0.3, value)
            elif what == "force":
                force(database, name, value)
            elif what == "redshift":
                note(database, name, "tns.redshift", value)
            elif what == "object":
                moved = f"(SELECT tides_id FROM tides_master WHERE name = '{value}')"
                rows_of(database, f"UPDATE association SET tides_id = {moved} WHERE object_id = '{name}' RETURNING 1")
            elif what == "clock":
                now += value
            else:
                ours = ours.model_copy(update={"fourmost": ours.fourmost.model_copy(update={"epoch": value})})
        ours = at(ours, now)
        expected = essence(whole(database, ours))
        found = Exchanged(database, ours)
        assert essence(found.stage) == expected
    assert essence(whole(database, ours))["new"] == []


def test_a_magnitude_that_gets_old_while_all_are_compared_is_looked_at_again(
    database: Database, bridge: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    tonight(database, "c", NOW + 0.4, 22.0)
    expiry, second, clock = 61002.25, 1 / 86400, [0.0]
    monkeypatch.setattr(Settings, "now_mjd", lambda _: clock[0])
    monkeypatch.setattr(exchange, "stage_for_4most", lambda *given: (stage_for_4most(*given), passes())[0])

    def passes() -> None:
        clock[0] = expiry + second

    clock[0] = expiry - second
    assert Exchanged(database, bridge).stage.changed == []
    clock[0] = expiry + 0.05
    assert [row["name"] for row in whole(database, bridge).changed] == ["c"]
    assert "c" in due(database, bridge)


@pytest.mark.parametrize("what", ["refused by us", "ingested"])
def test_a_question_stays_as_long_as_4most_differs(
    database: Database, bridge: Settings, running: tuple[FourmostStandin, Path], what: str
) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    let_be_answered_otherwise(database, bridge, running[0], ("r_latest_mag = 18.0", "b"))
    if what == "ingested":
        running[0].ingest()
    else:
        change(database, "decl = 80", "b")
    for _ in range(3):
        Exchanged(database, bridge)
    assert get_status(database, bridge)["answered_otherwise"] == 1


def test_a_question_ends_when_the_target_is_off_here_as_it_is_there(
    database: Database, bridge: Settings, running: tuple[FourmostStandin, Path]
) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    change(database, "active = FALSE", "c")
    for _ in range(2):
        Exchanged(database, bridge)
    let_be_answered_otherwise(database, bridge, running[0], ("active = TRUE", "c"))
    assert get_status(database, bridge)["answered_otherwise"] == 1
    change(database, "active = FALSE", "c")
    Exchanged(database, bridge)
    assert get_status(database, bridge)["answered_otherwise"] == 0


def test_an_answer_that_does_not_show_whether_a_row_is_on_is_asked_again(
    database: Database, bridge: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        Exchanged(database, bridge)
    change(database, "active = FALSE", "a")
    client = FourmostClient(bridge.fourmost)
    monkeypatch.setattr(client, "update", lambda key, _name, _changes: {**(client.row(key) or {}), "is_active": None})
    assert len(Exchanged(database, bridge, client).deactivated.otherwise) == 1
    assert len(Exchanged(database, bridge).deactivated.done) == 1
