"""What a person decides about targets: merging, splitting, keeping apart; and that no batch undoes it."""

from typing import Any

import pytest

from tests.support.databases import rows_of
from tests.support.exchanges import EVERYTHING
from tests.support.places import near, questions, targets
from tests.support.staging import TODAY, at, master, staged, store
from tides_bridge.database import Database, run
from tides_bridge.decisions.batch import deactivate_unobserved_transients
from tides_bridge.decisions.history import why
from tides_bridge.errors import RejectedError, ScriptError, SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.association import keep_apart, list_associations, merge_targets, split_object, split_target


def log(database: Database) -> list[tuple[Any, ...]]:
    """Each decision: what, of which object, and the targets it left and came to; the oldest first."""
    rows = reversed(list_associations(database)["log"])
    names = ("action", "object_id", "from_name", "to_name", "reason")
    return [tuple(str(row[name]).removeprefix("TiDES25") for name in names) for row in rows]


def state(database: Database, name: str) -> tuple[Any, ...]:
    """Whether a target is on, why not, whether it has a spectrum, and its detections."""
    columns = "active, inactive_reason, has_spectrum, n_detections"
    (row,) = rows_of(database, f"SELECT {columns} FROM tides_master WHERE name = 'TiDES25{name}'")
    return tuple(row.values())


@pytest.fixture
def pair(database: Database, settings: Settings) -> Database:
    """A database with the targets aaa (of a and 1) and aab (of b), 1.5 arcsec apart, of which a person is asked."""
    store(database, at(settings), near("a", r=19.0), near("b", east=1.5, last_mjd=TODAY, r=20.0))
    store(database, at(settings), near("1", north=-0.5, survey="lsst", last_mjd=TODAY - 2, r=19.5))
    return database


def test_a_merge_moves_all_objects_and_switches_the_other_off(pair: Database, settings: Settings) -> None:
    assert merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", " one galaxy ") == (
        "TiDES25aab", "TiDES25aaa", 1,
    )  # fmt: skip
    assert targets(pair) == {"a": "aaa", "1": "aaa", "b": "aaa"}
    assert (state(pair, "aaa"), state(pair, "aab")) == ((True, None, False, 15), (False, "merged", False, 5))
    assert master(pair, "a")["last_detection_mjd"] == TODAY
    assert questions(pair) == [("b", "TiDES25aaa", 1.5, "merged")]
    assert log(pair) == [("merge", "b", "aab", "aaa", "one galaxy")]


def test_what_a_person_decided_is_not_undone_by_batches(pair: Database, settings: Settings) -> None:
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    split_object(pair, at(settings), "lsst", "1", "another")
    again = [near("b", east=1.5, last_mjd=TODAY + 1, r=18.0), near("1", survey="lsst", last_mjd=TODAY + 1, r=18.0)]
    assert store(pair, at(settings, TODAY + 1), *again, near("c", east=1.6, r=18.0)) == (0, 2)
    assert targets(pair) == {"a": "aaa", "b": "aaa", "c": "aaa", "1": "aac"}
    assert state(pair, "aab") == (False, "merged", False, 5)
    assert deactivate_unobserved_transients(pair, at(settings, TODAY + 1)).deactivated == 0


def test_a_split_gives_back_what_a_merge_took(pair: Database, settings: Settings) -> None:
    columns = "tides_id, name, survey, object_id, ra, decl, last_detection_mjd, n_detections, active, inactive_reason"
    before = rows_of(pair, f"SELECT {columns}, has_spectrum, merged_into FROM tides_master ORDER BY 1")
    merge_targets(pair, at(settings), "TiDES25aab", "TiDES25aaa", "one")
    store(pair, at(settings), near("c", east=0.1))
    assert split_target(pair, at(settings), "TiDES25aaa", "two") == ("TiDES25aab", "TiDES25aaa", 2)
    assert targets(pair) == {"a": "aaa", "1": "aaa", "b": "aab", "c": "aab"}
    split_object(pair, at(settings), "ztf", "c", "a third")
    assert rows_of(pair, f"SELECT {columns}, has_spectrum, merged_into FROM tides_master ORDER BY 1")[:2] == before
    assert questions(pair) == [("b", "TiDES25aaa", 1.5, "apart")]
    assert [row[0] for row in log(pair)] == ["merge", "merge", "split", "split", "split"]


def test_merges_of_merges_are_undone_in_any_order(pair: Database, settings: Settings) -> None:
    store(pair, at(settings), near("c", east=60))
    for kept, other in (("aab", "aaa"), ("aac", "aab")):
        merge_targets(pair, at(settings), f"TiDES25{kept}", f"TiDES25{other}", "one")
    assert set(targets(pair).values()) == {"aac"}
    assert split_target(pair, at(settings), "TiDES25aaa", "two") == ("TiDES25aac", "TiDES25aaa", 2)
    assert targets(pair) == {"a": "aaa", "1": "aaa", "b": "aac", "c": "aac"}
    split_target(pair, at(settings), "TiDES25aab", "two")
    assert targets(pair) == {"a": "aaa", "1": "aaa", "b": "aab", "c": "aac"}
    merge_targets(pair, at(settings), "TiDES25aab", "TiDES25aac", "one after all")
    assert targets(pair) == {"a": "aaa", "1": "aaa", "b": "aab", "c": "aab"}


def test_a_spectrum_of_one_is_one_of_both_until_they_are_split(pair: Database, settings: Settings) -> None:
    rows_of(pair, "UPDATE tides_master SET has_spectrum = TRUE WHERE object_id = 'b' RETURNING 1")
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    assert state(pair, "aaa")[:3] == (False, "spectrum", True)
    split_target(pair, at(settings), "TiDES25aab", "two")
    assert (state(pair, "aaa")[:3], state(pair, "aab")[:3]) == ((True, None, False), (False, "spectrum", True))


def test_a_spectrum_of_its_own_stays_after_a_split(pair: Database, settings: Settings) -> None:
    rows_of(pair, "UPDATE tides_master SET has_spectrum = TRUE RETURNING 1")
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    split_target(pair, at(settings), "TiDES25aab", "two")
    assert (state(pair, "aaa")[2], state(pair, "aab")[2]) == (True, True)


def test_one_object_is_split_off_with_a_name_of_its_own(pair: Database, settings: Settings) -> None:
    """Here the one that was reported first: its target is called after the next."""
    assert split_object(pair, at(settings), "ztf", "a", "a variable star") == ("TiDES25aaa", "TiDES25aac", 1)
    assert targets(pair) == {"a": "aac", "1": "aaa", "b": "aab"}
    assert (state(pair, "aaa"), state(pair, "aac")) == ((True, None, False, 5), (True, None, False, 5))
    assert (master(pair, "1")["object_id"], master(pair, "a")["object_id"]) == ("1", "a")
    assert store(pair, at(settings), near("c", north=0.2), near("d", north=-0.7)) == (0, 2)
    assert targets(pair) == {"a": "aac", "c": "aac", "1": "aaa", "d": "aaa", "b": "aab"}
    store(pair, at(settings), staged("z"))
    assert targets(pair)["z"] == "aad"


def test_a_question_is_answered_once(pair: Database, settings: Settings) -> None:
    (question,) = list_associations(pair)["questions"]
    assert keep_apart(pair, question["question_id"], "two galaxies") == ("TiDES25aab", "TiDES25aaa")
    assert questions(pair) == [("b", "TiDES25aaa", 1.5, "apart")]
    assert list_associations(pair)["questions"] == []
    assert log(pair) == [("apart", "b", "aab", "aaa", "two galaxies")]
    with pytest.raises(RejectedError, match="question 1: is not open"):
        keep_apart(pair, question["question_id"], "again")
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one after all")
    assert questions(pair) == [("b", "TiDES25aaa", 1.5, "merged")]


def test_a_question_is_about_the_target_that_has_the_objects_now(pair: Database, settings: Settings) -> None:
    store(pair, at(settings), near("c", east=60))
    merge_targets(pair, at(settings), "TiDES25aac", "TiDES25aaa", "one")
    (question,) = list_associations(pair, "b")["questions"]
    assert (question["name"], question["other_name"]) == ("TiDES25aab", "TiDES25aac")
    merge_targets(pair, at(settings), "TiDES25aac", "TiDES25aab", "one")
    assert list_associations(pair)["questions"] == []


def test_a_target_is_listed_by_any_of_its_names(pair: Database, settings: Settings) -> None:
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    for name in ("TiDES25aaa", "1"):
        found = list_associations(pair, name)
        assert [row["object_id"] for row in found["objects"]] == ["1", "a", "b"]
        assert [row["action"] for row in found["log"]] == ["merge"]
    found = list_associations(pair, "TiDES25aab")
    assert [row["merged_into"] for row in found["targets"]] == ["TiDES25aaa"]
    assert found["objects"] == []


def test_what_makes_no_sense_is_refused_and_changes_nothing(pair: Database, settings: Settings) -> None:
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    before = rows_of(pair, "SELECT tides_master::text, xmin FROM tides_master ORDER BY tides_id"), log(pair)
    wrong = [
        (merge_targets, ("TiDES25aaa", "nobody"), "nobody: there is no target"),
        (merge_targets, ("TiDES25aaa", "1"), "is TiDES25aaa already"),
        (merge_targets, ("TiDES25aaa", "TiDES25aab"), "was merged into TiDES25aaa: name that one"),
        (merge_targets, ("TiDES25aab", "TiDES25aaa"), "was merged into TiDES25aaa: name that one"),
        (split_target, ("TiDES25aaa",), "was not merged"),
        (split_object, ("ztf", "1"), "ztf 1: is in no target"),
    ]
    for function, names, problem in wrong:
        with pytest.raises(RejectedError, match=problem):
            function(pair, at(settings), *names, "why")
    with pytest.raises(SettingsError, match="--reason: say why"):
        split_target(pair, at(settings), "TiDES25aab", " ")
    assert (rows_of(pair, "SELECT tides_master::text, xmin FROM tides_master ORDER BY tides_id"), log(pair)) == before


def test_the_only_object_of_a_target_is_not_split_off(pair: Database, settings: Settings) -> None:
    with pytest.raises(RejectedError, match="is the only object of one"):
        split_object(pair, at(settings), "ztf", "b", "why")
    assert rows_of(pair, "SELECT used FROM name_counter") == [{"used": 2}]


def test_what_persons_decided_is_only_added_to(pair: Database, settings: Settings) -> None:
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    for statement in ("UPDATE association_log SET reason = 'x' RETURNING 1", "DELETE FROM association_log RETURNING 1"):
        with pytest.raises(ScriptError, match="association_log is only added to"):
            rows_of(pair, statement)


def test_a_merged_target_is_switched_off_at_4most_and_what_it_was_told_is_kept(
    pair: Database, settings: Settings
) -> None:
    told = """UPDATE tides_master SET pk_4most = tides_id, told_4most = '{"is_active": true}' RETURNING 1"""
    rows_of(pair, told)
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    with pair.transaction() as connection:
        listed = run(connection, "fourmost/list_targets.sql", EVERYTHING)
    assert [(row["name"], row["active"]) for row in listed] == [("TiDES25aaa", True), ("TiDES25aab", False)]


def test_why_tells_of_a_target_by_any_of_its_names(pair: Database, settings: Settings) -> None:
    merge_targets(pair, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    logged = "INSERT INTO exchange_log (tides_id, operation, status) SELECT tides_id, 'create', 'asked' "
    rows_of(pair, f"{logged} FROM tides_master ORDER BY tides_id RETURNING 1")
    for name, called, sent in (
        ("TiDES25aaa", ["TiDES25aaa"], 1), ("1", ["TiDES25aaa"], 1), ("b", ["TiDES25aaa", "TiDES25aab"], 2),
    ):  # fmt: skip
        found = why(pair, name)
        assert [row["name"] for row in found["targets"]] == called
        assert [(row["survey"], row["object_id"]) for row in found["names"]] == [
            ("lsst", "1"), ("ztf", "a"), ("ztf", "b"),
        ]  # fmt: skip
        assert len(found["sent"]) == sent
    found = why(pair, "TiDES25aab")
    assert [(row["name"], row["merged_into"]) for row in found["targets"]] == [("TiDES25aab", "TiDES25aaa")]
    assert not any(why(pair, "nobody").values())
