"""Our targets in a TOM: against a stand-in each day, and with ``--whole`` against the real one from PyPI."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from simulators.services.tom import TomStandin
from tests.support.databases import rows_of
from tests.support.exchanges import add
from tests.support.spectra import PLACES, add_ingested
from tests.support.tom import RealTom, real_tom, tom_python
from tides_bridge.database import Database, open_database
from tides_bridge.errors import RejectedError, SettingsError, TomUnavailable
from tides_bridge.operations.questions import count_questions, list_questions
from tides_bridge.settings import Settings
from tides_bridge.targets.association import merge_targets
from tides_bridge.targets.rulings import Ruling, find_subjects, rule
from tides_bridge.tom.sync import TomSynced, sync_tom

Tom = TomStandin | RealTom


@pytest.fixture(scope="module")
def running(database_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], RealTom]]:
    """Give the real one, started when it is asked for first."""
    with ExitStack() as stack:

        @cache
        def started() -> RealTom:
            return stack.enter_context(real_tom(tom_python(tmp_path_factory.mktemp("tom")), database_folder))

        yield started


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.whole)])
def tom(request: pytest.FixtureRequest, running: Callable[[], RealTom]) -> Iterator[Tom]:
    if request.param == "stand-in":
        with TomStandin() as standin:
            yield standin
    else:
        running().clear()
        yield running()


@pytest.fixture
def chosen(settings: Settings, tom: Tom) -> Settings:
    return with_tom(settings, address=tom.address, token=SecretStr(tom.token))


def with_tom(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"tom": settings.tom.model_copy(update=changes)})


def three(database: Database) -> None:
    """Put three targets into the database; the first has an object of each survey."""
    add_ingested(database)
    for table in ("tides_master", "association"):
        rows_of(database, f"UPDATE {table} SET object_id = 'ZTF' || object_id RETURNING 1")
    columns = "tides_id, match_ra, match_decl, separation_arcsec, ra, decl, first_detection_mjd, last_detection_mjd"
    rows_of(
        database,
        f"INSERT INTO association (survey, object_id, how, n_detections, passes, {columns}) "
        f"SELECT 'lsst', '111', 'position', 3, TRUE, {columns} FROM association WHERE object_id = 'ZTFaaa' RETURNING 1",
    )


ALIASES = {"aaa": ["111", "ZTFaaa"], "aab": ["ZTFaab"], "aac": ["ZTFaac"]}


def shown(tom: Tom) -> dict[str, tuple[float, float, list[str], dict[str, str]]]:
    """Give what a person sees of each target there."""
    return {
        row["name"]: (
            row["ra"],
            row["dec"],
            sorted(alias["name"] for alias in row["aliases"]),
            {extra["key"]: extra["value"] for extra in row["targetextra_set"]},
        )
        for row in tom.targets.values()
    }


def ids(database: Database) -> dict[str, int]:
    return {row["name"]: row["tides_id"] for row in rows_of(database, "SELECT name, tides_id FROM tides_master")}


def counted(synced: TomSynced) -> dict[str, int]:
    return {name: number for name, number in synced.counts().items() if number}


def test_targets_appear_and_twice_is_as_once(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    add(database, "zero", ra=0.0, decl=0.0)
    rows_of(
        database, "UPDATE tides_master SET inactive_reason = 'faint', active = FALSE WHERE name = 'zero' RETURNING 1"
    )
    assert counted(sync_tom(database, chosen, is_dry_run=True)) == {"created": 4} and tom.targets == {}
    assert counted(sync_tom(database, chosen)) == {"created": 4}
    key_of, present = ids(database), shown(tom)
    assert {name: present[name] for name in PLACES} == {
        name: (
            *PLACES[name],
            ALIASES[name],
            {"tides_id": str(key_of[name]), "tides_state": "active", "tides_pk_4most": str(7 + number)},
        )
        for number, name in enumerate(PLACES)
    }
    assert present["zero"][:2] == (pytest.approx(0, abs=1e-8), pytest.approx(0, abs=1e-8))
    assert present["zero"][3]["tides_state"] == "faint"
    writes, remembered = tom.writes, rows_of(database, "SELECT *, xmin::text FROM tom_target ORDER BY tides_id")
    assert counted(sync_tom(database, chosen)) == {"unchanged": 4}
    assert (tom.writes, shown(tom)) == (writes, present)
    assert rows_of(database, "SELECT *, xmin::text FROM tom_target ORDER BY tides_id") == remembered


def test_only_what_changed_is_written(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    sync_tom(database, chosen)
    writes, before = tom.writes, shown(tom)
    rows_of(
        database, "UPDATE tides_master SET active = FALSE, inactive_reason = 'faint' WHERE name = 'aaa' RETURNING 1"
    )
    rows_of(database, "UPDATE tides_master SET pk_4most = NULL, decl = -21.5 WHERE name = 'aab' RETURNING 1")
    assert counted(sync_tom(database, chosen)) == {"updated": 2, "unchanged": 1}
    present = shown(tom)
    assert tom.writes == writes + 2 and present["aac"] == before["aac"]
    assert present["aaa"] == (*before["aaa"][:3], before["aaa"][3] | {"tides_state": "faint"})
    assert present["aab"] == (11.0, -21.5, before["aab"][2], before["aab"][3] | {"tides_pk_4most": ""})
    assert counted(sync_tom(database, chosen)) == {"unchanged": 3}


def test_what_people_changed_or_deleted_stays_and_is_told(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    sync_tom(database, chosen)
    tom.edit("aaa", ra=10.5)
    tom.change("aab", tides_state="mine")
    tom.delete("aac")
    rows_of(database, "UPDATE tides_master SET ra = ra + 0.001, pk_4most = pk_4most + 10 RETURNING 1")
    synced = sync_tom(database, chosen)
    assert counted(synced) == {"updated": 2, "different": 2, "gone": 1}
    assert (synced.different, synced.gone) == (["aaa: ra: 10.5", "aab: tides_state: mine"], ["aac"])
    present = shown(tom)
    assert [*present] and set(present) == {"aaa", "aab"}
    assert (present["aaa"][0], present["aaa"][3]["tides_pk_4most"]) == (10.5, "17")
    assert (present["aab"][0], present["aab"][3]["tides_state"]) == (pytest.approx(11.001), "mine")
    writes = tom.writes
    assert counted(sync_tom(database, chosen)) == {"unchanged": 2, "different": 2, "gone": 1} and tom.writes == writes
    since = "SELECT count(theirs_since) AS theirs, count(gone_since) AS gone FROM tom_target"
    assert rows_of(database, since) == [{"theirs": 2, "gone": 1}]
    asked = list_questions(database, chosen, "tom")
    assert [(question.about, question.question) for question in asked] == [
        ("aac", f"was deleted in the TOM {chosen.tom.address}: is it none?")
    ]
    with database.transaction() as connection:
        subjects = find_subjects(connection, chosen, ["aac"])
        assert count_questions(connection, chosen)["tom"] == 1
    rule(database, chosen, Ruling("comment", "it is well"), subjects)
    assert list_questions(database, chosen, "tom") == []
    with pytest.raises(SettingsError, match="axx: no target of ours"):
        sync_tom(database, chosen, ["axx"])
    assert counted(sync_tom(database, chosen, ["aaa", "aab", "aac"])) == {"created": 1, "updated": 2}
    present = shown(tom)
    assert (present["aaa"][0], present["aab"][3]["tides_state"], len(present)) == (pytest.approx(10.001), "active", 3)
    assert counted(sync_tom(database, chosen)) == {"unchanged": 3}


def test_names_that_others_have_there(database: Database, chosen: Settings, tom: Tom) -> None:
    """One at our place is ours, under its own name; one elsewhere is not, and keeps the name."""
    three(database)
    tom.put("ZTFaaa", 10.0001, -20.0, "mine", tides_state="theirs", note="x")
    tom.put("ZTFaac", 50.0, 5.0)
    tom.put("far", 60.0, 5.0, "ZTFaab")
    synced = sync_tom(database, chosen)
    assert counted(synced) == {"created": 2, "updated": 1, "different": 1, "heard": 1}
    present = shown(tom)
    assert set(present) == {"ZTFaaa", "ZTFaac", "far", "aab", "aac"}
    assert present["ZTFaaa"][2] == ["111", "aaa", "mine"] and present["ZTFaaa"][3]["tides_state"] == "theirs"
    assert present["aab"][2] == [] and present["far"][2] == ["ZTFaab"]
    writes = tom.writes
    assert counted(sync_tom(database, chosen)) == {"unchanged": 3, "different": 1} and tom.writes == writes


def test_a_creation_that_nobody_heard_of_is_found(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    sync_tom(database, chosen)
    rows_of(database, "UPDATE tom_target SET asked = told, told = '{}', tom_id = NULL RETURNING 1")
    rows_of(database, "UPDATE tides_master SET ra = ra + 0.01 RETURNING 1")
    assert counted(sync_tom(database, chosen)) == {"updated": 3}
    assert {name: row[0] for name, row in shown(tom).items()} == {
        name: pytest.approx(ra + 0.01) for name, (ra, _) in PLACES.items()
    }
    assert counted(sync_tom(database, chosen)) == {"unchanged": 3}


def test_one_of_our_name_elsewhere_is_told_once(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    tom.put("aab", 60.0, 5.0)
    synced = sync_tom(database, chosen)
    assert counted(synced) == {"created": 2, "refused": 1} and "already exists" in synced.refused[0]
    writes = tom.writes
    assert counted(sync_tom(database, chosen)) == {"unchanged": 3, "refused": 1} and tom.writes == writes
    assert (shown(tom)["aab"][:2], shown(tom)["aab"][3]) == ((60.0, 5.0), {})
    tom.edit("aab", name="another")
    assert counted(sync_tom(database, chosen, ["aab"])) == {"created": 1, "unchanged": 2}


def test_what_people_say_there_comes_back(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    sync_tom(database, chosen)
    ruling = with_tom(chosen, rulings={"bogus": "veto", "young": "tag"})
    tom.change("aaa", classification="SN Ia", redshift="0.12", comment="a fine one", young="True", other="0.5")
    tom.change("aab", bogus="yes")
    assert sync_tom(database, ruling).heard == 2
    listed = "SELECT object_id, name, number, word FROM annotation WHERE broker = 'tom' ORDER BY 1, 2"
    notes = [tuple(row.values()) for row in rows_of(database, listed)]
    assert notes == [
        ("ZTFaaa", "tom.classification", None, "SN Ia"), ("ZTFaaa", "tom.comment", None, "a fine one"),
        ("ZTFaaa", "tom.other", 0.5, None),
        ("ZTFaaa", "tom.redshift", 0.12, None), ("ZTFaaa", "tom.young", None, "True"),
        ("ZTFaab", "tom.bogus", None, "yes"),
    ]  # fmt: skip
    classes = "SELECT object_id, source, who, type, redshift, came_from FROM classification"
    assert [tuple(row.values()) for row in rows_of(database, classes)] == [
        ("ZTFaaa", "human", "TOM", "SN Ia", 0.12, "the TOM")
    ]
    rulings = "SELECT named, kind, tag, reason, who FROM ruling ORDER BY named, kind"
    assert [tuple(row.values()) for row in rows_of(database, rulings)] == [
        ("aaa", "comment", None, "a fine one", "TOM"), ("aaa", "tag", "young", "young in the TOM", "TOM"),
        ("aab", "veto", None, "bogus in the TOM", "TOM"),
    ]  # fmt: skip
    assert rows_of(database, "SELECT name FROM tides_master WHERE inactive_reason = 'veto'") == [{"name": "aab"}]
    assert counted(sync_tom(database, ruling)) == {"updated": 2, "unchanged": 1}  # the veto and the class are shown
    writes = tom.writes
    assert counted(sync_tom(database, ruling)) == {"unchanged": 3} and tom.writes == writes
    assert shown(tom)["aab"][3]["tides_state"] == "veto" and shown(tom)["aaa"][3]["tides_type"] == "SN Ia"
    tom.change("aab", bogus="no")
    assert sync_tom(database, ruling).heard == 1
    assert rows_of(database, "SELECT name FROM tides_master WHERE inactive_reason = 'veto'") == []
    assert len(rows_of(database, rulings)) == 4


def test_a_merged_target_gives_its_names_to_the_other(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    sync_tom(database, chosen)
    assert shown(tom)["aab"][2] == ["ZTFaab"]
    merge_targets(database, chosen, "aaa", "aab", "one")
    for _ in range(2):
        sync_tom(database, chosen)
    present = shown(tom)
    assert (present["aaa"][2], present["aab"][2]) == (["111", "ZTFaaa", "ZTFaab"], [])
    assert present["aab"][3]["tides_state"] == "merged"
    assert counted(sync_tom(database, chosen)) == {"unchanged": 3}
    tom.change("aab", bogus="yes")
    sync_tom(database, with_tom(chosen, rulings={"bogus": "veto"}))
    assert rows_of(database, "SELECT name FROM tides_master WHERE inactive_reason = 'veto'") == [{"name": "aaa"}]


def test_a_tom_that_shows_nothing_of_ours_is_not_believed(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    sync_tom(database, chosen)
    with pytest.raises(TomUnavailable, match="lists none of the 3 targets"):
        sync_tom(database, with_tom(chosen, token=None))
    with pytest.raises(TomUnavailable, match=r"refuses our token: .*Invalid token.*set TIDES_TOM__TOKEN"):
        sync_tom(database, with_tom(chosen, token=SecretStr("x")))
    with pytest.raises(TomUnavailable, match=r"is tom\.address right"):
        sync_tom(database, with_tom(chosen, address=f"{tom.address}/nowhere"))
    with pytest.raises(SettingsError, match=r"tom\.address"):
        sync_tom(database, with_tom(chosen, address=None))
    assert counted(sync_tom(database, chosen)) == {"unchanged": 3}


def test_a_thousand_targets(database: Database, chosen: Settings, tom: Tom) -> None:
    three(database)
    number = 1000 if isinstance(tom, RealTom) else 520
    rows_of(
        database,
        "INSERT INTO tides_master (name, survey, object_id, ra, decl, active, selection_function, "
        "first_detection_mjd, last_detection_mjd, n_detections) "
        "SELECT 'n' || n, 'ztf', 'o' || n, n / 10.0, -n / 20.0, TRUE, 'f', 60000, 60001, 2 "
        f"FROM generate_series(1, {number - 3}) AS n RETURNING 1",
    )
    assert counted(sync_tom(database, chosen)) == {"created": number}
    assert counted(sync_tom(database, chosen)) == {"unchanged": number}
    assert len(tom.targets) == number


def test_two_at_once_do_not_write_twice(tom: Tom, chosen: Settings, database: Database) -> None:
    three(database)
    with open_database(chosen) as other:
        with other.only_sync() as is_alone:
            assert is_alone
            with pytest.raises(RejectedError, match="by another tides tom sync"):
                sync_tom(database, chosen)
            assert sync_tom(database, chosen, is_dry_run=True).created == 3  # which writes nothing
            with database.only_run() as is_only:
                assert is_only  # a run is not kept waiting
        assert sync_tom(database, chosen).created == 3
