"""The list of the Transient Name Server: what of it is read, what becomes of it, and which targets it matches."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.curves import quick
from tests.support.databases import rows_of
from tests.support.staging import at, staged, store
from tides_bridge.database import Database, run
from tides_bridge.decisions.history import why
from tides_bridge.errors import MalformedAlert
from tides_bridge.operations.questions import count_questions, list_questions
from tides_bridge.settings import Settings
from tides_bridge.targets.association import merge_targets, split_object
from tides_bridge.targets.rulings import Ruling, find_subjects, rule
from tides_bridge.targets.tns import load_tns, match_of, read_tns
from tides_bridge.targets.tns_rulings import rule_by_tns

COLUMNS = (
    "objid", "name_prefix", "name", "ra", "declination", "redshift", "typeid", "type", "reporting_groupid",
    "reporting_group", "source_groupid", "source_group", "discoverydate", "discoverymag", "discmagfilter", "filter",
    "reporters", "time_received", "internal_names", "creationdate", "lastmodified",
)  # fmt: skip

USUAL = {
    "objid": "1001", "name_prefix": "SN", "name": "2026abc", "ra": "10.5", "declination": "-20.25",
    "redshift": "0.031", "typeid": "3", "type": "SN Ia", "discoverydate": "2026-06-01 03:22:11.000",
    "reporters": "A. Person, B. Person", "internal_names": "ZTF26aaaaaaa, ATLAS26x",
    "creationdate": "2026-06-01 04:00:00", "lastmodified": "2026-06-09 12:00:00",
}  # fmt: skip


def line(**values: str) -> str:
    row = {**USUAL, **values}
    return ",".join('"' + row.get(name, "").replace('"', '""') + '"' for name in COLUMNS)


def text(*lines: str, first: str = '"2026-06-10 00:00:00"') -> str:
    header = ",".join(f'"{name}"' for name in COLUMNS)
    return "\n".join(filter(None, [first, header, *lines])) + "\n"


def write(folder: Path, *lines: str, **options: str) -> Path:
    path = folder / "tns_public_objects.csv"
    path.write_text(text(*lines, **options))
    return path


def matches(database: Database, object_id: str) -> list[tuple[Any, ...]]:
    found = match_of(database, object_id)["matches"]
    return [(each["tns_name"], each["object_type"], each["redshift"], each["matched_by"]) for each in found]


# Reading


def test_a_list_is_read_with_the_time_it_is_of(tmp_path: Path) -> None:
    found = read_tns(write(tmp_path, line(), line(objid="1002", redshift="", type="", name_prefix="AT")))
    assert (found.listed_for, found.refused) == ("2026-06-10 00:00:00", [])
    assert found.objects["name"].tolist() == ["SN 2026abc", "AT 2026abc"]
    assert found.objects["redshift"].tolist() == [0.031, None]
    assert found.objects["object_type"].tolist() == ["SN Ia", None]
    assert found.objects["internal_names"].tolist()[0] == '{"ZTF26aaaaaaa","ATLAS26x"}'


@pytest.mark.parametrize(
    ("first", "listed_for"),
    [
        ('"2026-06-09 00:00:00 - 23:59:59"', "2026-06-09 00:00:00 - 23:59:59"),
        ('"TNS Public Objects","2026-06-10"', "TNS Public Objects, 2026-06-10"),
        ("", ""),
    ],
)
def test_the_first_line_may_be_a_day_or_missing(tmp_path: Path, first: str, listed_for: str) -> None:
    found = read_tns(write(tmp_path, line(), first=first))
    assert (found.listed_for, len(found.objects)) == (listed_for, 1)


def test_a_list_may_be_packed(tmp_path: Path) -> None:
    plain = write(tmp_path, line())
    packed, zipped = tmp_path / "list.csv.gz", tmp_path / "list.csv.zip"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "tns_public_objects.csv")
    assert [read_tns(path).objects["tns_object_id"].tolist() for path in (plain, packed, zipped)] == [[1001]] * 3


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"objid": "x"}, "objid is 'x', not a number"),
        ({"objid": ""}, "objid is '', not a number"),
        ({"objid": str(2**63)}, "not a number"),
        ({"name": ""}, "has no name"),
        ({"ra": "12:30:00"}, "ra is '12:30:00', not a number"),
        ({"ra": ""}, "is no place on the sky"),
        ({"declination": "nan"}, "declination is 'nan', not a number"),
        ({"declination": "-90.5"}, "is no place on the sky"),
        ({"ra": "-1"}, "is no place on the sky"),
        ({"redshift": "high"}, "redshift is 'high', not a number"),
        ({"lastmodified": "yesterday"}, "lastmodified is 'yesterday', not a time"),
        ({"type": "SN\0"}, "has a NUL in it"),
        ({"internal_names": "1.70587E+17"}, "internal_names has '1.70587E+17', a number that has lost digits"),
        ({"internal_names": "ZTF26a, 170587115523932320.0"}, "internal_names has '170587115523932320.0'"),
        ({"objid": "1001.0"}, "objid is '1001.0', not a number"),
    ],
)
def test_a_row_that_cannot_be_read_is_kept_aside(tmp_path: Path, values: dict[str, str], reason: str) -> None:
    found = read_tns(write(tmp_path, line(), line(**{"objid": "7", **values}), line(objid="8")))
    assert found.objects["tns_object_id"].tolist() == [1001, 8]
    ((number, told),) = found.refused
    assert number == 4
    assert reason in told


def test_a_list_whose_numbers_are_all_round_is_refused(tmp_path: Path) -> None:
    lines = [line(objid=str(n), internal_names=f"17058711552393{n}000") for n in (2, 3, 5)]
    with pytest.raises(MalformedAlert, match="internal_names has '170587115523932000' and others as round"):
        read_tns(write(tmp_path, *lines))
    exact = read_tns(write(tmp_path, *lines, line(objid="8", internal_names="170587115523932323")))
    assert len(exact.objects) == 4


def test_a_row_that_is_cut_off_is_kept_aside(tmp_path: Path) -> None:
    found = read_tns(write(tmp_path, line(), '"9","SN"'))
    assert found.refused == [(4, "has 2 fields, not 21")]


def test_a_text_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    found = read_tns(write(tmp_path, line(reporters='A "B" C, D\nE', internal_names='a"b\\c, d')))
    assert (len(found.objects), found.refused) == (1, [])
    assert found.objects["internal_names"].tolist() == ['{"a\\"b\\\\c","d"}']


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no line at its top has the column objid"),
        (b"a,b\n1,2\n", "no line at its top has the column objid"),
        (b"objid,name\n1,a\n", "lacks the columns name_prefix, ra, declination"),
        (b"\xff\xfe\xfa", "cannot be read: 'utf-8'"),
        (b"\x1f\x8b broken", "cannot be read: "),
        (b"PK\x03\x04 broken", "cannot be read: File is not a zip file"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(MalformedAlert) as refused:
        read_tns(path)
    assert problem in refused.value.problem


def test_an_archive_must_hold_one_list(tmp_path: Path) -> None:
    path = tmp_path / "list.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", text(line()))
        archive.writestr("b.csv", text(line()))
    with pytest.raises(MalformedAlert, match=r"holds 2 files \*.csv, not one: a.csv, b.csv"):
        read_tns(path)


@quick
@given(st.lists(st.lists(st.text(max_size=12), max_size=24), max_size=5))
def test_any_rows_are_read_or_kept_aside(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False)[1:-1].replace('\\"', '""') for row in rows]
    path = tmp_path_factory.mktemp("tns") / "list.csv"
    path.write_text(text(line(), *lines), encoding="utf-8", errors="replace")
    found = read_tns(path)
    assert len(found.objects) + len(found.refused) >= 1
    assert 1001 in found.objects["tns_object_id"].tolist()


# Storing


def test_a_list_is_loaded_once(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path, line(), line(objid="1002", name="2026abd"), line(objid="bad"))
    first, again = load_tns(database, path), load_tns(database, path)
    assert [(each.inserted, each.updated) for each in (first, again)] == [(2, 0), (0, 0)]
    loads = rows_of(database, "SELECT file, listed_for, objects, refused FROM tns_load ORDER BY tns_load_id")
    assert (
        loads
        == [{"file": "tns_public_objects.csv", "listed_for": "2026-06-10 00:00:00", "objects": 2, "refused": 1}] * 2
    )


def test_of_an_object_the_newer_row_stays(database: Database, tmp_path: Path) -> None:
    new, old = "2026-06-09 12:00:00", "2026-06-01 12:00:00"
    rows = [line(type="SN Ia", lastmodified=new), line(type="SN II", lastmodified=old)]
    load_tns(database, write(tmp_path, *rows))
    loaded = load_tns(database, write(tmp_path, line(type="", lastmodified=old)))
    assert (loaded.inserted, loaded.updated) == (0, 0)
    changed = load_tns(database, write(tmp_path, line(type="SN Ib", lastmodified=new)))
    assert (changed.inserted, changed.updated) == (0, 1)
    assert rows_of(database, "SELECT object_type FROM tns_object") == [{"object_type": "SN Ib"}]


def test_what_is_stored_is_what_the_list_says(database: Database, tmp_path: Path) -> None:
    load_tns(database, write(tmp_path, line(ra="360", internal_names='a"b\\c, d, LSST-AP-DO-313637935709683761')))
    (row,) = rows_of(database, "SELECT name, ra, decl, redshift, internal_names FROM tns_object")
    names = ['a"b\\c', "d", "LSST-AP-DO-313637935709683761", "313637935709683761"]
    assert row == {"name": "SN 2026abc", "ra": 0.0, "decl": -20.25, "redshift": 0.031, "internal_names": names}


# Matching


def target(
    database: Database, settings: Settings, object_id: str, place: tuple[float, float], survey: str = "ztf"
) -> None:
    store(database, settings, staged(object_id, ra=place[0], decl=place[1], survey=survey))


def test_without_a_list_no_match_says_nothing(database: Database, settings: Settings) -> None:
    target(database, settings, "ZTF26aaaaaaa", (10.5, -20.25))
    assert match_of(database, "ZTF26aaaaaaa") == {"matches": [], "last_load": None}


def test_a_target_is_matched_by_its_name_wherever_it_lies(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    target(database, settings, "ZTF26aaaaaaa", (10.6, -20.25))
    load_tns(database, write(tmp_path, line(), line(objid="2", name="near", ra="10.6", internal_names="")))
    assert matches(database, "ZTF26aaaaaaa") == [("SN 2026abc", "SN Ia", 0.031, "name")]
    assert match_of(database, "ZTF26aaaaaaa")["last_load"]["listed_for"] == "2026-06-10 00:00:00"


def test_an_object_of_rubin_is_matched_by_its_number(database: Database, settings: Settings, tmp_path: Path) -> None:
    target(database, settings, "313637935709683761", (99.0, 1.0), "lsst")
    other = line(objid="2", name="b", internal_names="LSST-AP-DO-313637935709683760")
    load_tns(database, write(tmp_path, other, line(internal_names="LSST-AP-DO-313637935709683761")))
    assert matches(database, "313637935709683761") == [("SN 2026abc", "SN Ia", 0.031, "name")]


@pytest.mark.parametrize(
    ("place", "there", "is_match"),
    [
        ((10.5, -20.25), ("10.5", str(-20.25 + 1.9 / 3600)), True),
        ((10.5, -20.25), ("10.5", str(-20.25 + 2.1 / 3600)), False),
        ((0.0, 0.0), (str(360 - 1.5 / 3600), "0"), True),
        ((0.0, 0.0), (str(360 - 2.5 / 3600), "0"), False),
        ((10.0, 89.9999), ("190.0", "89.9999"), True),
        ((10.0, 89.9996), ("190.0", "89.9996"), False),
        ((200.0, -90.0), ("20.0", "-89.9998"), True),
        ((10.0, 60.0), (str(10 + 3.5 / 3600), "60"), True),
    ],
)
def test_a_target_is_matched_within_two_arcseconds(  # noqa: PLR0917
    database: Database,
    settings: Settings,
    tmp_path: Path,
    place: tuple[float, float],
    there: tuple[str, str],
    is_match: bool,
) -> None:
    target(database, settings, "ZTF26zzzzzzz", place)
    load_tns(database, write(tmp_path, line(ra=there[0], declination=there[1])))
    assert matches(database, "ZTF26zzzzzzz") == ([("SN 2026abc", "SN Ia", 0.031, "position")] if is_match else [])


def test_of_several_the_nearest_is_the_match(database: Database, settings: Settings, tmp_path: Path) -> None:
    target(database, settings, "ZTF26zzzzzzz", (10.5, -20.25))
    rows = [line(objid=str(n), name=str(n), declination=str(-20.25 + n / 3600 / 4)) for n in (3, 1, 2, 5)]
    load_tns(database, write(tmp_path, *rows))
    assert [each[0] for each in matches(database, "ZTF26zzzzzzz")] == ["SN 1"]


def test_the_view_has_a_row_for_each_target_that_is_matched(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    for number in range(5):
        target(database, settings, f"ZTF26aaaaaa{'abcde'[number]}", (20.0 + number, 5.0))
    load_tns(database, write(tmp_path, *(line(objid=str(n), ra=str(20 + n), declination="5") for n in range(3))))
    with database.transaction() as connection:
        plan = run(connection, "targets/get_tns_match.sql", {"object_id": "ZTF26aaaaaab", "survey": "lsst"})
    assert plan == []
    assert len(rows_of(database, "SELECT * FROM tns_match")) == 3


# What follows from a type


def typed_as(settings: Settings, **limits: Any) -> Settings:
    return settings.model_copy(update={"targets": settings.targets.model_copy(update=limits)})


def ruled_by_tns(database: Database, settings: Settings) -> dict[str, str]:
    with database.transaction() as connection:
        rule_by_tns(connection, settings)
    rows = rows_of(database, "SELECT object_id, coalesce(inactive_reason, 'on') AS state FROM tides_master")
    return {row["object_id"]: row["state"] for row in rows}


def open_ones(database: Database) -> list[tuple[str, str, bool]]:
    rows = rows_of(database, "SELECT name, tns_type, is_no_supernova FROM open_tns_question ORDER BY tns_type")
    return [(row["name"][-3:], row["tns_type"], row["is_no_supernova"]) for row in rows]


@pytest.fixture
def listed(database: Database, settings: Settings, tmp_path: Path) -> Settings:
    """Four targets: a variable by name, an AGN by place, a supernova, and a CV by the word of a broker."""
    rules = at(settings, 61000.0)
    places = {"a": 10.0, "b": 20.0, "c": 30.0, "d": 40.0}
    store(database, rules, *(staged(name, ra=ra, decl=-20.0, r=19.0) for name, ra in places.items()))
    rows = (
        line(objid="1", internal_names="a", type="Varstar", ra="11", name="2026aaa", name_prefix="AT"),
        line(objid="2", internal_names="", type="AGN", ra="20.0003", declination="-20", name="2026aab"),
        line(objid="3", internal_names="c", type="SN Ia", ra="30", declination="-20", name="2026aac"),
        line(objid="4", internal_names="d", type="", ra="40", declination="-20", name="2026aad"),
    )
    load_tns(database, write(tmp_path, *rows))
    rows_of(
        database,
        "INSERT INTO annotation (survey, object_id, name, word, broker, mjd) VALUES "
        "('ztf', 'd', 'tns.type', 'SN', 'fink', 60998), ('ztf', 'd', 'tns.type', 'CV', 'lasair', 60999), "
        "('ztf', 'c', 'tns.type', 'CV', 'fink', 60999) RETURNING 1",
    )
    return rules


def test_a_type_that_is_no_supernova_is_asked_about_until_somebody_rules(database: Database, listed: Settings) -> None:
    assert set(ruled_by_tns(database, listed).values()) == {"on"}
    assert open_ones(database) == [("aab", "AGN", True), ("aad", "CV", True), ("aaa", "Varstar", True)]
    with database.transaction() as connection:
        subjects = find_subjects(connection, listed, ["a", "AT 2026aab"])
        assert [subject.name[-3:] for subject in subjects if subject.name] == ["aaa", "aab"]
    rule(database, listed, Ruling("comment", "it is well"), subjects[:1])
    rule(database, listed, Ruling("veto", "an AGN"), subjects[1:])
    ruled_by_tns(database, listed)
    assert open_ones(database) == [("aad", "CV", True)]
    assert set(ruled_by_tns(database, typed_as(listed, tns_no_supernova="tell"))) == {"a", "b", "c", "d"}
    assert open_ones(database) == []


def test_a_redshift_of_the_list_is_said_of_its_target_and_the_newer_counts(
    database: Database, listed: Settings, tmp_path: Path
) -> None:
    def words() -> dict[str, float]:
        rows = rows_of(database, "SELECT object_id, number FROM annotation WHERE broker = 'tns' ORDER BY annotation_id")
        return {row["object_id"]: row["number"] for row in rows}

    assert words() == dict.fromkeys("abcd", 0.031)
    rows = {
        "1": {"internal_names": "a", "redshift": "0.05", "lastmodified": "2026-06-10 12:00:00"},
        "3": {"internal_names": "c", "redshift": "0.07", "lastmodified": "2026-06-08 12:00:00"},  # older than known
        "4": {"internal_names": "d", "redshift": "", "lastmodified": "2026-06-10 12:00:00"},
    }
    newer = write(tmp_path, *(line(objid=number, name=f"2026a{number}", **values) for number, values in rows.items()))
    for _ in range(2):
        load_tns(database, newer)
        assert words() == {"a": 0.05, "b": 0.031, "c": 0.031, "d": 0.031}
    assert rows_of(database, "SELECT count(*) AS number FROM annotation WHERE broker = 'tns'") == [{"number": 5}]
    with database.transaction() as connection:
        rows = run(connection, "fourmost/list_targets.sql", {"tides_ids": None})
    assert rows[0]["annotations"]["tns.redshift"] == {"number": 0.05, "of": "ztf a"}


def test_a_type_that_nobody_knows_is_asked_about_and_rules_nothing(
    database: Database, listed: Settings, tmp_path: Path
) -> None:
    newer = line(
        objid="3", type="SN Iq", name="2026aac", ra="30", declination="-20", lastmodified="2030-01-01 00:00:00"
    )
    load_tns(database, write(tmp_path, newer))
    rows_of(
        database,
        "INSERT INTO annotation (survey, object_id, name, word, broker, mjd) "
        "VALUES ('ztf', 'd', 'tns.type', 'Nova?', 'fink', 61000) RETURNING 1",
    )
    strict = typed_as(listed, tns_no_supernova="veto", tns_classified="hold")
    assert ruled_by_tns(database, strict) == {"a": "veto", "b": "veto", "c": "on", "d": "on"}
    asked = {question.question for question in list_questions(database, strict, "tns")}
    assert asked == {
        f"the TNS has it as {name}, a type that no one knows here: is it a target?"
        for name in ("SN Iq (SN 2026aac)", "Nova? (SN 2026aad)")
    }
    with database.transaction() as connection:
        assert count_questions(connection, strict)["tns"] == 2
    ruled_by_tns(database, typed_as(listed, tns_no_supernova="tell"))
    assert list_questions(database, strict, "tns") == []


def test_a_setting_vetoes_and_holds_once_and_overrules_nobody(database: Database, listed: Settings) -> None:
    with database.transaction() as connection:
        (forced,) = find_subjects(connection, listed, ["a"])
    rule(database, listed, Ruling("force", "it is one"), [forced])
    strict = typed_as(listed, tns_no_supernova="veto", tns_classified="hold")
    assert ruled_by_tns(database, strict) == {"a": "on", "b": "veto", "c": "hold", "d": "veto"}
    assert open_ones(database) == [("aaa", "Varstar", True)]
    assert rows_of(database, "SELECT who, reason FROM ruling WHERE kind = 'hold'") == [
        {"who": "TNS", "reason": "the TNS has it as SN Ia (SN 2026aac)"}
    ]
    with database.transaction() as connection:
        subjects = find_subjects(connection, listed, ["b", "SN2026aac"])
    rule(database, listed, Ruling("release", "wrong"), subjects)
    assert ruled_by_tns(database, strict) == {"a": "on", "b": "on", "c": "on", "d": "veto"}


def test_a_type_that_is_taken_back_is_asked_about_no_more(database: Database, listed: Settings, tmp_path: Path) -> None:
    ruled_by_tns(database, listed)
    later = {"lastmodified": "2026-06-10 12:00:00"}
    load_tns(database, write(tmp_path, line(objid="1", internal_names="a", type="SN II", ra="11", **later)))
    ruled_by_tns(database, listed)
    assert [name for name, _, _ in open_ones(database)] == ["aab", "aad"]


def test_a_type_that_comes_again_asks_nobody_again_and_rules_no_more(
    database: Database, listed: Settings, tmp_path: Path
) -> None:
    strict = typed_as(listed, tns_no_supernova="veto")
    ruled_by_tns(database, strict)
    with database.transaction() as connection:
        subjects = find_subjects(connection, listed, ["b"])
    rule(database, listed, Ruling("release", "wrong"), subjects)
    for day, named in (("10", ""), ("11", "AGN")):
        place = {"objid": "2", "internal_names": "", "ra": "20.0003", "declination": "-20"}
        load_tns(database, write(tmp_path, line(**place, type=named, lastmodified=f"2026-06-{day} 12:00:00")))
        assert ruled_by_tns(database, strict)["b"] == "on"
    ruled_by_tns(database, typed_as(listed, tns_no_supernova="tell"))
    assert ruled_by_tns(database, strict)["b"] == "on"
    assert open_ones(database) == []


def test_nobody_rules_between_the_look_and_what_follows_from_it(database: Database, settings: Settings) -> None:
    with database.transaction() as connection:
        rule_by_tns(connection, settings)
        held = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE relation = 'association'::regclass AND mode = 'ShareRowExclusiveLock'"
        ).scalar_one()
    assert held == 1


def test_what_was_said_of_a_type_goes_with_the_object(database: Database, settings: Settings, tmp_path: Path) -> None:
    rules = at(settings, 61000.0)
    for name, ra in (("x", 10.0), ("y", 10.0001), ("z", 20.0)):
        store(database, rules, staged(name, ra=ra, decl=-20.0, r=19.0))
    load_tns(database, write(tmp_path, line(internal_names="x, y", type="AGN")))
    strict = typed_as(rules, tns_no_supernova="veto")
    assert ruled_by_tns(database, strict) == {"x": "veto", "z": "on"}
    with database.transaction() as connection:
        subjects = find_subjects(connection, rules, ["x"])
    rule(database, rules, Ruling("release", "wrong"), subjects)
    split_object(database, strict, "ztf", "y", "two")
    assert ruled_by_tns(database, strict) == {"x": "on", "y": "on", "z": "on"}
    merge_targets(database, strict, "z", "y", "one")
    assert ruled_by_tns(database, strict) == {"x": "on", "y": "merged", "z": "on"}
    assert open_ones(database) == []


@pytest.mark.parametrize("name", ["c", "TiDES25aac", "SN 2026aac", "2026aac"])
def test_a_target_is_found_by_any_of_its_names(database: Database, listed: Settings, name: str) -> None:
    found = why(database, name)
    assert [(row["object_id"], row["name"]) for row in found["names"]] == [("c", "TiDES25aac")]
    assert [row["word"] for row in found["annotations"] if row["broker"] != "tns"] == ["CV"]
    assert matches(database, found["targets"][0]["name"]) == [("SN 2026aac", "SN Ia", 0.031, "name")]
