"""Rulings: what people decide stays decided, through alerts, merges, splits, releases and dates."""

import getpass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as search
from hypothesis import strategies as st

from tests.support.databases import rows_of
from tests.support.places import near
from tests.support.staging import TODAY, at, staged, store
from tides_bridge.database import Database
from tides_bridge.decisions.batch import deactivate_unobserved_transients
from tides_bridge.errors import RejectedError, ScriptError, SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.association import merge_targets, split_object, split_target
from tides_bridge.targets.filters import find_filtered
from tides_bridge.targets.rulings import FORCED_FOR, Ruled, Ruling, find_subjects, list_rulings, rule


def time(mjd: float) -> datetime:
    return datetime(1858, 11, 17, tzinfo=UTC) + timedelta(days=mjd)


def ruled(
    database: Database, settings: Settings, kind: Any, *names: str, reason: str = "so", **more: Any
) -> list[Ruled]:
    """Decide something of targets or objects."""
    survey = more.pop("survey", None)
    with database.transaction() as connection:
        subjects = find_subjects(connection, settings, names, survey)
    return rule(database, settings, Ruling(kind, reason, **more), subjects)


def states(database: Database) -> dict[str, str]:
    rows = rows_of(database, "SELECT name, active, inactive_reason FROM tides_master ORDER BY name")
    return {row["name"].removeprefix("TiDES25"): row["inactive_reason"] or "active" for row in rows}


def in_force(database: Database, settings: Settings, name: str) -> list[tuple[str, str]]:
    with database.transaction() as connection:
        subjects = find_subjects(connection, settings, [name])
    return [(row["kind"], row["reason"]) for row in list_rulings(database, settings, subjects) if row["is_in_force"]]


@pytest.fixture
def three(database: Database, settings: Settings) -> Database:
    """Targets aaa (a of ZTF, 1 of LSST), aab (b) and aac (c)."""
    store(database, at(settings), near("a", r=19.0), near("b", east=1.5, r=20.0), near("c", east=60, r=20.0))
    store(database, at(settings), near("1", north=-0.5, survey="lsst", r=19.5))
    return database


# Precedence


ORDER = ("merged", "veto", "spectrum", "hold", "force", "rules")
"""What comes first, as the issue and docs/rulings.md state it."""


def test_what_comes_first_decides(database: Database) -> None:
    """The table of all that may be so at once."""
    for *flags, is_unseen in product([False, True], repeat=6):
        named = ", ".join(str(flag) for flag in flags)
        (row,) = rows_of(database, f"SELECT state_reason({named}, {'$$unseen$$' if is_unseen else 'NULL'}) AS reason")
        first = next(name for name, is_so in zip(ORDER, [*flags, True], strict=True) if is_so)
        assert row["reason"] == {"force": None, "rules": "unseen" if is_unseen else None}.get(first, first)


def test_the_whole_order_on_one_target(three: Database, settings: Settings) -> None:
    """Each in turn, from the weakest on; then what is stronger is taken away again."""
    late = at(settings, TODAY + 30)
    deactivate_unobserved_transients(three, late)
    assert set(states(three).values()) == {"unseen"}
    ruled(three, late, "force", "TiDES25aaa")
    assert states(three) == {"aaa": "active", "aab": "unseen", "aac": "unseen"}
    ruled(three, late, "hold", "TiDES25aaa")
    assert states(three)["aaa"] == "hold"
    rows_of(three, "UPDATE tides_master SET has_spectrum = TRUE WHERE name = 'TiDES25aaa' RETURNING 1")
    deactivate_unobserved_transients(three, late)
    ruled(three, late, "hold", "TiDES25aaa", reason="again")
    assert states(three)["aaa"] == "spectrum"
    ruled(three, late, "veto", "TiDES25aaa")
    assert states(three)["aaa"] == "veto"
    ruled(three, late, "release", "TiDES25aaa", only_kind="veto")
    assert states(three)["aaa"] == "spectrum"
    rows_of(three, "UPDATE tides_master SET has_spectrum = FALSE WHERE name = 'TiDES25aaa' RETURNING 1")
    ruled(three, late, "release", "TiDES25aaa", only_kind="hold")
    assert states(three) == {"aaa": "active", "aab": "unseen", "aac": "unseen"}
    ruled(three, late, "release", "TiDES25aaa")
    assert set(states(three).values()) == {"unseen"}


# What was decided stays


def test_a_veto_switches_off_what_was_named_and_nothing_else(three: Database, settings: Settings) -> None:
    (done,) = ruled(three, at(settings), "veto", "1", reason=" a star ")
    assert (str(done.subject), done.is_new, done.state) == ("TiDES25aaa (1)", True, "veto")
    assert states(three) == {"aaa": "veto", "aab": "active", "aac": "active"}
    assert in_force(three, at(settings), "TiDES25aaa") == [("veto", "a star")]
    assert in_force(three, at(settings), "TiDES25aab") == []


def test_new_alerts_and_runs_change_nothing_of_it(three: Database, settings: Settings) -> None:
    ruled(three, at(settings), "veto", "a")
    ruled(three, at(settings), "hold", "TiDES25aab")
    again = [near("a", last_mjd=TODAY + 1, r=17.0), near("b", east=1.5, last_mjd=TODAY + 1, r=17.0)]
    again += [near("2", north=0.4, survey="lsst", last_mjd=TODAY + 1, r=17.0), near("c", east=60, last_mjd=TODAY + 1)]
    store(three, at(settings, TODAY + 1), *again)
    assert states(three) == {"aaa": "veto", "aab": "hold", "aac": "active"}
    switched = deactivate_unobserved_transients(three, at(settings, TODAY + 1))
    assert (switched.deactivated, switched.activated) == (0, 0)
    assert states(three) == {"aaa": "veto", "aab": "hold", "aac": "active"}


def test_the_same_again_is_nothing_new_and_other_words_take_its_place(three: Database, settings: Settings) -> None:
    assert [done.is_new for done in ruled(three, at(settings), "veto", "a", "b", reason="star")] == [True, True]
    assert [done.is_new for done in ruled(three, at(settings), "veto", "a", "c", reason="star")] == [False, True]
    ruled(three, at(settings), "veto", "b", reason="galaxy")
    assert in_force(three, at(settings), "a") == [("veto", "star")]
    assert in_force(three, at(settings), "b") == [("veto", "galaxy")]
    assert len(rows_of(three, "SELECT 1 FROM ruling")) == 4


def test_whoever_decides_from_elsewhere_stands_there_by_name(three: Database, settings: Settings) -> None:
    for who in (None, "eva", "ole"):
        (done,) = ruled(three, settings, "comment", "TiDES25aaa", who=who)
        assert done.is_new
    signed = [row["who"] for row in rows_of(three, "SELECT who FROM ruling ORDER BY ruling_id")]
    assert signed == [getpass.getuser(), "eva", "ole"]


def test_the_record_is_only_added_to(three: Database, settings: Settings) -> None:
    ruled(three, at(settings), "veto", "a")
    for statement in ("UPDATE ruling SET reason = 'x' RETURNING 1", "DELETE FROM ruling RETURNING 1"):
        with pytest.raises(ScriptError, match="ruling is only added to"):
            rows_of(three, statement)
    ruled(three, at(settings), "release", "a", reason="wrong")
    with three.transaction() as connection:
        subjects = find_subjects(connection, settings, ["a"])
    rows = list_rulings(three, at(settings), subjects)
    assert [(row["kind"], row["is_in_force"]) for row in rows] == [("release", False), ("veto", False)]


def test_dates_end_a_ruling_by_the_clock_of_the_bridge(three: Database, settings: Settings) -> None:
    ruled(three, at(settings), "hold", "a", until=time(TODAY + 2))
    ruled(three, at(settings), "hold", "b", until=time(TODAY + 4))
    ruled(three, at(settings), "veto", "c")
    found = []
    for day in (1.9, 2.0, 3.9, 4.0):
        deactivate_unobserved_transients(three, at(settings, TODAY + day, deactivate_after=timedelta(days=30)))
        found.append(list(states(three).values()))
    assert found == [
        ["hold", "hold", "veto"],
        ["active", "hold", "veto"],
        ["active", "hold", "veto"],
        ["active", "active", "veto"],
    ]


def test_a_force_ends_at_its_date_or_after_a_month(three: Database, settings: Settings) -> None:
    late = at(settings, TODAY + 40)
    deactivate_unobserved_transients(three, late)
    ruled(three, late, "force", "a", until=time(TODAY + 42))
    ruled(three, late, "force", "b")
    assert states(three) == {"aaa": "active", "aab": "active", "aac": "unseen"}
    deactivate_unobserved_transients(three, at(settings, TODAY + 42))
    assert states(three) == {"aaa": "unseen", "aab": "active", "aac": "unseen"}
    deactivate_unobserved_transients(three, at(settings, TODAY + 40 + FORCED_FOR.days))
    assert states(three) == {"aaa": "unseen", "aab": "unseen", "aac": "unseen"}


def test_rulings_are_not_held_back_by_the_guard(database: Database, settings: Settings) -> None:
    """What people decide is not many targets by mistake of a clock; what rules do beside it is guarded as ever."""
    store(database, at(settings), *[staged(f"{number}", r=19.0) for number in range(40)])
    names = [str(number) for number in range(40)]
    ruled(database, at(settings), "hold", *names, until=time(TODAY + 1), survey=None)
    assert set(states(database).values()) == {"hold"}
    switched = deactivate_unobserved_transients(database, at(settings, TODAY + 1))
    assert (switched.activated, switched.held, set(states(database).values())) == (40, 0, {"active"})


# Objects that are no targets


def test_an_object_may_be_ruled_before_it_is_a_target(database: Database, settings: Settings) -> None:
    (done,) = ruled(database, at(settings), "veto", "ZTF26aaaaaab")
    assert (done.subject.survey, done.subject.object_id, done.state) == ("ztf", "ZTF26aaaaaab", None)
    (other,) = ruled(database, at(settings), "tag", "odd-name", survey="lsst", tag="odd")
    assert (other.subject.survey, other.state) == ("lsst", None)
    store(database, at(settings), staged("ZTF26aaaaaab", r=19.0), staged("ZTF26aaaaaac", r=19.0))
    assert sorted(states(database).values()) == ["active", "veto"]
    assert in_force(database, at(settings), "ZTF26aaaaaab") == [("veto", "so")]
    ruled(database, at(settings), "release", "ZTF26aaaaaab")
    assert set(states(database).values()) == {"active"}


def test_a_forced_object_becomes_a_target_that_no_function_selected(database: Database, settings: Settings) -> None:
    """With its next alert, until its date; a function that selects it later takes it over."""
    ruled(database, at(settings), "force", "a", "b", survey="ztf", until=time(TODAY + 3))
    ruled(database, at(settings), "force", "d", survey="ztf")
    ruled(database, at(settings), "veto", "d", survey="ztf")

    def alert(day: float, **passes: bool) -> None:
        rows = [staged(name, last_mjd=TODAY + day, r=19.0, passes=passed) for name, passed in passes.items()]
        store(database, at(settings, TODAY + day), *rows)
        deactivate_unobserved_transients(database, at(settings, TODAY + day))

    alert(0.0, a=False, b=False, c=False, d=False)
    assert states(database) == {"aaa": "active", "aab": "active", "aac": "veto"}
    alert(2.0, a=False, b=True, c=False)
    assert states(database) == {"aaa": "active", "aab": "active", "aac": "veto"}
    alert(4.0, a=False, b=False, c=False)
    assert states(database) == {"aaa": "unselected", "aab": "active", "aac": "veto"}
    alert(5.0, a=True)
    assert states(database) == {"aaa": "active", "aab": "active", "aac": "veto"}


def test_names_that_stand_for_nothing_or_for_two_are_refused(three: Database, settings: Settings) -> None:
    store(three, at(settings), staged("c", survey="lsst", r=19.0))
    for name, why in (
        ("TiDES25zzz", "no target"),
        ("d", "no such object; .*--survey"),
        ("c", "TiDES25aac and TiDES25aad"),
    ):
        with pytest.raises(RejectedError, match=why):
            ruled(three, at(settings), "veto", "a", name)
    assert rows_of(three, "SELECT 1 FROM ruling") == []
    assert set(states(three).values()) == {"active"}


def test_no_reason_and_a_date_that_has_passed_are_refused(three: Database, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="say why"):
        ruled(three, at(settings), "veto", "a", reason="  ")
    with pytest.raises(SettingsError, match="has passed"):
        ruled(three, at(settings), "veto", "a", until=time(TODAY))


# Merges and splits


def test_a_ruling_goes_with_a_merge_and_back_with_its_undoing(three: Database, settings: Settings) -> None:
    ruled(three, at(settings), "veto", "TiDES25aab", reason="star")
    ruled(three, at(settings), "hold", "TiDES25aac", reason="other")
    merge_targets(three, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    assert states(three) == {"aaa": "veto", "aab": "merged", "aac": "hold"}
    assert in_force(three, at(settings), "TiDES25aaa") == [("veto", "star")]
    split_target(three, at(settings), "TiDES25aab", "two")
    assert states(three) == {"aaa": "active", "aab": "veto", "aac": "hold"}


def test_what_is_decided_of_a_merged_target_holds_for_both_after_a_split(three: Database, settings: Settings) -> None:
    merge_targets(three, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    (done,) = ruled(three, at(settings), "veto", "TiDES25aab")
    assert (done.subject.name, done.state) == ("TiDES25aaa", "veto")
    split_target(three, at(settings), "TiDES25aab", "two")
    assert states(three) == {"aaa": "veto", "aab": "veto", "aac": "active"}
    ruled(three, at(settings), "release", "TiDES25aab")
    assert states(three) == {"aaa": "veto", "aab": "active", "aac": "active"}


def test_a_release_of_merged_targets_holds_after_the_split(three: Database, settings: Settings) -> None:
    ruled(three, at(settings), "veto", "a", "b", "c")
    merge_targets(three, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    ruled(three, at(settings), "release", "TiDES25aaa")
    assert states(three) == {"aaa": "active", "aab": "merged", "aac": "veto"}
    split_target(three, at(settings), "TiDES25aab", "two")
    assert states(three) == {"aaa": "active", "aab": "active", "aac": "veto"}


def test_a_split_off_object_keeps_what_was_decided_of_the_whole(three: Database, settings: Settings) -> None:
    ruled(three, at(settings), "veto", "a")
    store(three, at(settings, TODAY + 1), near("2", north=0.3, survey="lsst", last_mjd=TODAY + 1, r=18.0))
    for name in ("2", "1"):
        split_object(three, at(settings, TODAY + 1), "lsst", name, "another")
    assert states(three) == {"aaa": "veto", "aab": "active", "aac": "active", "aad": "veto", "aae": "veto"}
    ruled(three, at(settings, TODAY + 1), "release", "2")
    assert states(three) == {"aaa": "veto", "aab": "active", "aac": "active", "aad": "active", "aae": "veto"}


def test_the_ruled_object_may_be_the_one_that_is_split_off(three: Database, settings: Settings) -> None:
    """The target that it leaves was vetoed as a whole."""
    ruled(three, at(settings), "veto", "ZTF26aaaaaab")
    store(three, at(settings), near("ZTF26aaaaaab", north=0.2, r=18.0))
    deactivate_unobserved_transients(three, at(settings))
    assert states(three)["aaa"] == "veto"
    split_object(three, at(settings), "ztf", "ZTF26aaaaaab", "another")
    assert states(three) == {"aaa": "veto", "aab": "active", "aac": "active", "aad": "veto"}


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["veto", "hold", "force", "release", "merge", "split"]),
        st.sampled_from("abc"),
        st.sampled_from([None, 1, 3]),
    ),
    max_size=8,
)


@search(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_in_any_order_the_state_is_that_of_a_few_lines_of_python(
    database: Database, settings: Settings, acts: list[tuple[str, str, int | None]]
) -> None:
    """Two targets that are merged and split again between rulings, and a third that is left alone."""
    rows_of(database, "TRUNCATE tides_master, ruling, ruling_subject, name_counter RESTART IDENTITY CASCADE; SELECT 1")
    store(database, at(settings), *[near(name, east=60 * place, r=19.0) for place, name in enumerate("abc")])
    lies: dict[str, dict[str, float]] = {name: {} for name in "abc"}  # of each object: until when [MJD]
    is_merged = False
    for kind, name, days in acts:
        if kind == "merge":
            if not is_merged:
                merge_targets(database, at(settings), "TiDES25aaa", "TiDES25aab", "one")
            is_merged = True
        elif kind == "split":
            if is_merged:
                split_target(database, at(settings), "TiDES25aab", "two")
            is_merged = False
        else:
            ruled(database, at(settings), kind, name, until=time(TODAY + days) if days and kind != "release" else None)
            for each in "ab" if is_merged and name != "c" else name:
                if kind == "release":
                    lies[each].clear()
                else:
                    lies[each][kind] = TODAY + (days or (FORCED_FOR.days if kind == "force" else 1e6))
    for day in (0.5, 2.0, 10.0):
        deactivate_unobserved_transients(
            database, at(settings, TODAY + day, guard=settings.targets.guard.model_copy(update={"at_least": 100}))
        )
        expected = {}
        for name, objects in zip(("aaa", "aab", "aac"), ("ab" if is_merged else "a", "b", "c"), strict=True):
            kinds = {kind for each in objects for kind, end in lies[each].items() if end > TODAY + day}
            rules = "unseen" if day > 4 else "active"
            is_gone = is_merged and name == "aab"
            found = [
                word for word, is_so in (("merged", is_gone), *[(k, k in kinds) for k in ("veto", "hold")]) if is_so
            ]
            expected[name] = found[0] if found else "active" if "force" in kinds else rules
        assert states(database) == expected


# Tags, comments and filters


def test_tags_and_comments_switch_nothing_and_tags_find(three: Database, settings: Settings) -> None:
    ruled(three, at(settings), "tag", "a", "b", tag="young", reason="young")
    ruled(three, at(settings), "tag", "b", tag="bright", reason="bright")
    ruled(three, at(settings), "comment", "a", reason="one")
    ruled(three, at(settings), "comment", "a", reason="two")
    assert set(states(three).values()) == {"active"}
    assert in_force(three, at(settings), "a") == [("comment", "two"), ("comment", "one"), ("tag", "young")]
    ruled(three, at(settings), "release", "a", "b", tag="young")
    assert in_force(three, at(settings), "b") == [("tag", "bright")]
    ruled(three, at(settings), "release", "b")
    assert chosen(three, settings, "tag=bright") == ["aab"]
    assert chosen(three, settings, "tag=young") == []
    for tag in ("a,b", " "):
        with pytest.raises(SettingsError, match="has a comma"):
            ruled(three, at(settings), "tag", "a", tag=tag, reason="young")


def chosen(database: Database, settings: Settings, *conditions: str) -> list[str]:
    with database.transaction() as connection:
        found = find_filtered(connection, at(settings), conditions)
    return [row["name"].removeprefix("TiDES25") for row in found]


def test_filters_find_what_satisfies_all(three: Database, settings: Settings) -> None:
    store(three, at(settings), staged("d_x", last_mjd=TODAY - 20, sherlock_class="AGN", r=19.0))
    deactivate_unobserved_transients(three, at(settings))
    rows_of(three, "UPDATE tides_master SET refused_4most = 'mag: 2 is outside' WHERE name = 'TiDES25aab' RETURNING 1")
    merge_targets(three, at(settings), "TiDES25aaa", "TiDES25aab", "one")
    ruled(three, at(settings), "comment", "c", reason="bright")
    for conditions, names in (
        (["state=active"], ["aaa", "aac"]),
        (["state=merged,unseen"], ["aab", "aad"]),
        (["class=AGN"], ["aad"]),
        (["class=SN,AGN", "state=active"], ["aaa", "aac"]),
        (["function=tidesSNZTFSelect"], ["aaa", "aac", "aad"]),
        (["function=other"], []),
        (["name=TiDES25aa*", "survey=lsst"], ["aaa"]),
        (["name=d_x"], ["aad"]),
        (["name=d?x"], []),
        (["name=b"], ["aaa"]),
        (["refused=outside", "state=merged"], ["aab"]),
        (["refused=inside", "state=merged"], []),
        (["sky=10.5,-20.25,30"], ["aaa"]),
        (["sky=10.5,-20.25,90"], ["aaa", "aac"]),
        ([f"seen<{time(TODAY - 10):%Y-%m-%d}"], ["aad"]),
        ([f"seen>={time(TODAY - 10):%Y-%m-%d}"], ["aaa", "aac"]),
        (["new<2020-01-01"], []),
        (["new>=2020-01-01", "class=AGN"], ["aad"]),
        (["ruling=veto,comment"], ["aac"]),
        (["around=TiDES25aac", "radius=1 arcmin", "mag<=20"], ["aac"]),
        (["spectrum=yes"], []),
    ):
        assert chosen(three, settings, *conditions) == names, conditions


def test_a_condition_that_cannot_be_read_is_refused(database: Database, settings: Settings) -> None:
    for condition, why in (
        ("", "no condition"),
        ("state", "no condition"),
        ("colour=red", "no condition"),
        ("class>=SN", "no condition"),
        ("sky=1,2", "RA,DEC,RADIUS"),
        ("sky=1,200,3", "no place"),
        ("seen>=yesterday", "no time"),
        ("state=activ", "known are active"),
        ("tag= , ", "would be all targets"),
        ("name=\udcff", "no text can hold"),
        ("\udcff=a", r"\\xff=a is no condition"),
        ("around=nobody", "no place and no target"),
    ):
        with pytest.raises(SettingsError, match=why):
            chosen(database, settings, condition)
    with pytest.raises(SettingsError, match="given twice"):
        chosen(database, settings, "state=active", "state=faint")
