"""Rows at 4MOST that this database never made: names that are taken, and what `tides adopt` makes of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import rows_of
from tests.support.exchanges import Exchanged, add, answer_of, clear, joined, kept_standin, keys
from tides_bridge.database import Database
from tides_bridge.fourmost.adoption import adopt_rows
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.exchange import settle_unanswered
from tides_bridge.operations.problems import Facts, PrefectFacts, find_problems
from tides_bridge.operations.questions import list_questions
from tides_bridge.operations.status import get_status
from tides_bridge.settings import Settings

NAMES = [f"TiDES26aa{letter}" for letter in "abcde"]


class Side:
    """A bridge, and 4MOST with rows that it never made."""

    def __init__(self, database: Database, settings: Settings, fourmost: FourmostStandin) -> None:
        self.database, self.fourmost = database, fourmost
        self.settings = joined(settings, fourmost)
        self.client = FourmostClient(self.settings.fourmost)
        rows_of(database, "INSERT INTO name_counter VALUES (2026, 5) RETURNING 1")
        for number, name in enumerate(NAMES):
            add(database, name, ra=10.0 + number)

    def create(self, name: str, ra: float, **values: Any) -> int:
        usual = {"uploadedfor_survey_id": 5, "dec": -20.0, "mag": 19.0, "subsurvey": "tides-sn", "is_active": True}
        return int(self.client.create([{**usual, "name": name, "ra": ra, **values}])[name]["id"])

    def exchange(self) -> Exchanged:
        return Exchanged(self.database, self.settings, self.client)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    with kept_standin(tmp_path_factory.mktemp("fourmost"), "--paginate") as standin:
        yield standin


@pytest.fixture
def side(running: tuple[FourmostStandin, Path], database: Database, settings: Settings) -> Side:
    clear(*running)
    return Side(database, settings, running[0])


def test_a_name_that_is_taken_is_left_to_its_owner_and_the_next_free_one_is_taken(side: Side) -> None:
    theirs = [side.create("TiDES26aab", 200.0), side.create("TiDES26aaf", 202.0)]
    hosts = side.create("TiDES26aaa", 10.0, subsurvey="tides-hosts")
    before = {row["id"]: row for row in side.fourmost.rows()}
    assert side.exchange().counts() == (5, 0, 0, 0)
    ours = keys(side.database)
    assert sorted(ours) == ["TiDES26aac", "TiDES26aad", "TiDES26aae", "TiDES26aag", "TiDES26aah"]
    there = {row["id"]: row for row in side.fourmost.rows()}
    assert all(there[key] == before[key] for key in (*theirs, hosts))
    assert {(there[key]["name"], there[key]["is_active"]) for key in ours.values()} == {(name, True) for name in ours}
    assert len({(row["ra"], row["dec"]) for key, row in there.items() if key in ours.values()}) == 5
    assert side.exchange().counts() == (0, 0, 0, 0)
    why = rows_of(side.database, "SELECT count(*) AS n FROM exchange_log WHERE right(answer, 17) = 'which is not ours'")
    assert why == [{"n": 3}], "the host's, that of another, and the next, which was taken, too"


def test_a_row_that_was_created_and_refused_in_one_breath_is_ours(side: Side) -> None:
    row = side.create("TiDES26aab", 11.0)
    assert side.exchange().counts() == (5, 0, 0, 0)
    assert keys(side.database)["TiDES26aab"] == row
    assert answer_of(side.database, "TiDES26aab") == f"found as {row}"
    assert len(side.fourmost.rows()) == 5


def test_a_bridge_beside_another_one_creates_nothing_until_a_person_decides(side: Side) -> None:
    for number, name in enumerate(NAMES):
        side.create(name, 200.0 + number)
    rows = side.fourmost.rows()
    names = set(keys(side.database))
    for _ in range(4):
        (outage,) = side.exchange().outages
        assert "rows under our names that this database never made" in outage and "tides adopt" in outage
        assert side.fourmost.rows() == rows
        assert keys(side.database) == dict.fromkeys(names), "it must not get to the end of the others' names at last"


def test_another_bridge_is_noticed_also_if_few_names_are_met_at_a_time(side: Side) -> None:
    """Four rows of it in three exchanges: the fourth is one too many; hosts and old meetings do not count."""
    side.create("TiDES26aaa", 200.0)
    hosts = [side.create(f"TiDES26aa{letter}", 10.0, subsurvey="tides-hosts") for letter in "bc"]
    side.create("TiDES26aad", 203.0)
    assert side.exchange().counts() == (5, 0, 0, 0)
    side.create("TiDES26aaj", 204.0)
    add(side.database, "TiDES26aaj", ra=20.0)
    rows_of(side.database, "UPDATE name_counter SET used = 13 RETURNING 1")
    assert side.exchange().counts() == (1, 0, 0, 0)
    side.create("TiDES26aal", 205.0)
    before = keys(side.database)
    add(side.database, "TiDES26aal", "TiDES26aam", ra=21.0)
    for _ in range(2):
        (outage,) = side.exchange().outages
        assert "TiDES26aal" in outage and "tides adopt" in outage
    assert {name: key for name, key in keys(side.database).items() if key} == before
    assert not {row["id"] for row in side.fourmost.rows()} & set(hosts) & set(before.values())
    rows_of(side.database, "UPDATE namesake SET met_at = now() - interval '31 days' RETURNING 1")
    done = side.exchange()
    assert (done.counts(), done.outages) == ((2, 0, 0, 0), [])


def test_a_bridge_that_was_given_a_prefix_of_its_own_is_stopped_no_more(side: Side) -> None:
    """As it was told to: also by names that its targets were given before."""
    for number, letter in enumerate("abcdefghijkl"):
        side.create(f"TiDES26aa{letter}", 200.0 + number)
    rows = side.fourmost.rows()
    assert "targets.namePrefix" in side.exchange().outages[0]
    targets = side.settings.targets.model_copy(update={"name_prefix": "Second"})
    side.settings = side.settings.model_copy(update={"targets": targets})
    assert side.exchange().counts() == (5, 0, 0, 0)
    assert [row for row in side.fourmost.rows() if row["ra"] >= 200] == rows
    assert all(name.startswith("Second26aa") for name in keys(side.database))


def test_adopted_rows_belong_to_the_targets_at_their_places_and_other_names_are_given_no_more(side: Side) -> None:
    moved = [side.create(f"TiDES26ab{letter}", 10.0 + number) for number, letter in enumerate("abc")]
    elsewhere = [side.create("TiDES26ada", 100.0), side.create("TiDES27aaa", 101.0)]
    other = side.create("TiDES28aaa", 13.0, subsurvey="tides-hosts")
    before = (rows_of(side.database, "SELECT * FROM tides_master ORDER BY tides_id"), side.fourmost.rows())
    dry = adopt_rows(side.database, side.client, side.settings, is_dry=True)
    assert (rows_of(side.database, "SELECT * FROM tides_master ORDER BY tides_id"), side.fourmost.rows()) == before
    done = adopt_rows(side.database, side.client, side.settings, is_dry=False)
    assert (done.adopted, done.left) == (dry.adopted, dry.left)
    assert sorted(row["pk"] for row in done.adopted) == moved
    assert [row["id"] for row in done.left] == elsewhere
    assert {name: key for name, key in keys(side.database).items() if key} == dict(
        zip(("TiDES26aba", "TiDES26abb", "TiDES26abc"), moved, strict=True)
    )
    counters = rows_of(side.database, "SELECT year, used FROM name_counter ORDER BY year")
    assert counters == [{"year": 2026, "used": 3 * 26 + 1}, {"year": 2027, "used": 1}]
    assert side.exchange().counts() == (2, 3, 0, 0)
    there = {row["id"]: row for row in side.fourmost.rows()}
    assert {there[key]["mag"] for key in moved} == {20.5} and {there[key]["mag"] for key in elsewhere} == {19.0}
    assert other not in keys(side.database).values()
    assert adopt_rows(side.database, side.client, side.settings, is_dry=False).adopted == []


def test_names_in_another_case_are_remembered_too(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a service that finds names in whichever case."""
    ask = side.client.rows

    def rows(**wanted: Any) -> list[dict[str, Any]]:
        name = wanted.get("name")
        return (
            [row for row in ask(**side.client.survey) if row["name"].casefold() == name.casefold()]
            if name
            else ask(**wanted)
        )

    monkeypatch.setattr(side.client, "rows", rows)
    for number in range(3):
        side.create(f"Tides26aa{'fgh'[number]}", 200.0 + number)
    side.create("TIDES26AAI", 203.0)
    rows_of(side.database, "UPDATE name_counter SET used = 20 RETURNING 1")
    assert side.exchange().counts() == (5, 0, 0, 0)
    for letter in "fghi":
        add(side.database, f"TiDES26aa{letter}", ra=30.0 + ord(letter))
        outages = side.exchange().outages
    assert "TIDES26AAI" in outages[0]


@pytest.mark.parametrize("shift", [1, 100], ids=["at places of ours", "elsewhere"])
def test_who_adopts_is_stopped_no_more(side: Side, shift: int) -> None:
    """Rows under our names at the places of other targets, as of a lost database, or elsewhere on the sky."""
    for number, name in enumerate(NAMES):
        side.create(name, 10.0 + (number + shift) % (5 if shift == 1 else 360))
    assert side.exchange().outages
    dry = adopt_rows(side.database, side.client, side.settings, is_dry=True)
    done = adopt_rows(side.database, side.client, side.settings, is_dry=False)
    assert len(done.adopted) == len(dry.adopted) == (5 if shift == 1 else 0)
    for _ in range(2):
        assert side.exchange().outages == []
    active = [row["ra"] for row in side.fourmost.rows() if row["is_active"]]
    assert len(active) == len(set(active)) == (5 if shift == 1 else 10)


def test_another_bridge_of_the_same_stream_is_noticed_by_rows_at_our_own_places(side: Side) -> None:
    """It names the same objects so: each row that lies where ours does was never made here, and counts."""
    rows_of(side.database, "UPDATE name_counter SET used = 20 RETURNING 1")
    for number, name in enumerate(NAMES[:3]):
        side.create(name, 10.0 + number)
    assert side.exchange().counts() == (5, 0, 0, 0)
    add(side.database, "TiDES26aal", ra=40.0)
    key = side.create("TiDES26aal", 40.0)
    for _ in range(2):
        (outage,) = side.exchange().outages
        assert f"TiDES26aal ({key})" in outage and "tides adopt" in outage
    assert len(side.fourmost.rows()) == 6
    assert [row["pk"] for row in adopt_rows(side.database, side.client, side.settings, is_dry=True).adopted] == [key]
    assert side.exchange().outages, "a dry run decides nothing"
    adopt_rows(side.database, side.client, side.settings, is_dry=False)
    add(side.database, "TiDES26aam", ra=41.0)
    side.create("TiDES26aam", 41.0)
    assert side.exchange().outages == []
    assert len({row["ra"] for row in side.fourmost.rows()}) == len(side.fourmost.rows()) == 7


def test_our_own_rows_whose_answers_were_lost_are_no_sign_of_another_bridge(side: Side) -> None:
    side.fourmost.set_faults([{"fault": "cut", "when": "after", "method": "POST", "times": 9}])
    assert side.exchange().outages
    side.fourmost.set_faults([])
    for _ in range(2):
        assert side.exchange().outages == []
    assert rows_of(side.database, "SELECT * FROM namesake") == [] and len(side.fourmost.rows()) == 5


@pytest.mark.parametrize("number", [2, 3])
def test_few_rows_of_a_lost_database_are_not_doubled_either(side: Side, number: int) -> None:
    """Each has the name of another target, and lies where one of ours does; beside them a namesake elsewhere."""
    for place in range(number):
        side.create(NAMES[place], 10.0 + (place + 1) % number)
    rows = side.fourmost.rows()
    for _ in range(2):
        (outage,) = side.exchange().outages
        assert "tides adopt" in outage and side.fourmost.rows() == rows
    adopted = adopt_rows(side.database, side.client, side.settings, is_dry=False).adopted
    assert sorted(row["pk"] for row in adopted) == [row["id"] for row in rows]
    assert side.exchange().outages == []
    assert len({row["ra"] for row in side.fourmost.rows()}) == len(side.fourmost.rows()) == 5


def test_rows_of_another_bridge_at_our_places_under_a_prefix_of_its_own_stop_nobody(side: Side) -> None:
    side.create("Other26aaa", 11.0)
    side.create("TiDES26aab", 200.0)
    assert side.exchange().counts() == (5, 0, 0, 0)


def test_who_adopts_closes_what_was_asked_without_an_answer(side: Side) -> None:
    """The row that was asked for is found, and none is made beside it, in the same exchange or later."""
    side.fourmost.set_faults([{"fault": "cut", "when": "after", "method": "POST", "times": 1}])
    assert side.exchange().outages
    side.fourmost.set_faults([])
    made = {row["name"]: row["id"] for row in side.fourmost.rows()}
    assert len(made) == 3
    theirs = side.create("TiDES26adz", 14.0)
    settle_unanswered(side.database, side.client)
    done = adopt_rows(side.database, side.client, side.settings, is_dry=False)
    assert [row["pk"] for row in done.adopted] == [theirs]
    assert rows_of(side.database, "SELECT 1 FROM tides_master WHERE asked_4most IS NOT NULL") == []
    assert side.exchange().outages == []
    assert made.items() <= keys(side.database).items()
    assert len({row["ra"] for row in side.fourmost.rows()}) == len(side.fourmost.rows()) == 5


def test_a_target_asked_for_under_a_name_is_not_renamed_while_its_row_may_be_hidden(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer was lost, another survey has a row of the name, and the list leaves ours out for a while."""
    side.fourmost.set_faults([{"fault": "cut", "when": "after", "method": "POST", "times": 1}])
    assert side.exchange().outages
    side.fourmost.set_faults([])
    made = {row["name"]: row["id"] for row in side.fourmost.rows()}
    hidden = made["TiDES26aab"]
    theirs = side.create("TiDES26aab", 201.0, uploadedfor_survey_id=15)
    ask = side.client.rows
    monkeypatch.setattr(side.client, "rows", lambda **by: [row for row in ask(**by) if row["id"] != hidden])
    assert "TiDES26aab" not in side.exchange().created.done
    monkeypatch.setattr(side.client, "rows", ask)
    assert side.exchange().created.done == ["TiDES26aab"]
    assert made.items() <= keys(side.database).items()
    assert sorted(row["id"] for row in side.fourmost.rows()) == sorted([*keys(side.database).values(), theirs])


def test_a_name_that_was_asked_for_and_is_anothers_after_all_is_left_in_the_end(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call never arrived, and another survey took the name: the target gets a row, and only one."""
    side.fourmost.set_faults([{"fault": "cut", "when": "before", "method": "POST", "times": 9}])
    assert side.exchange().outages
    side.fourmost.set_faults([])
    side.create("TiDES26aab", 200.0, uploadedfor_survey_id=15)
    for _ in range(2):
        side.exchange()
    assert all(keys(side.database).values()) and "TiDES26aab" not in keys(side.database)
    assert len(side.fourmost.rows()) == 6


def test_who_has_a_name_of_ours_is_told_until_a_person_decides(side: Side) -> None:
    """Of our survey and of another one: by the run, the status, the watchdog and the questions."""
    ours, other = side.create("TiDES26aab", 200.0), side.create("TiDES26aac", 201.0, uploadedfor_survey_id=15)
    assert get_status(side.database, side.settings)["namesakes"] == []
    done = side.exchange()
    assert sorted(done.created.renamed) == ["TiDES26aaf", "TiDES26aag"]
    for _ in range(2):
        status = get_status(side.database, side.settings)
        assert [(row["id"], row["is_of_survey"]) for row in status["namesakes"]] == [(ours, True), (other, False)]
        assert status["questions"]["namesake"] == 2
        asked = list_questions(side.database, side.settings, "namesake")
        assert [one.about for one in asked] == ["TiDES26aab", "TiDES26aac"]
        assert side.exchange().created.renamed == []
    facts = Facts(PrefectFacts("http://x/api"), status)
    problems = {problem.kind: problem.what for problem in find_problems(facts, side.settings, datetime.now(UTC))}
    assert f"TiDES26aab ({ours})" in problems["namesake"]
    adopt_rows(side.database, side.client, side.settings, is_dry=False)
    assert get_status(side.database, side.settings)["questions"]["namesake"] == 0
