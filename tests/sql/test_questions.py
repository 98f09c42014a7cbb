"""`tides questions` and the commands of rulings, as a person types them."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.databases import rows_of
from tests.support.forked import forked_tides
from tests.support.places import near
from tests.support.staging import TODAY, at, staged, store
from tests.support.typed import at_database, page_of
from tides_bridge.database import Database
from tides_bridge.decisions.batch import deactivate_unobserved_transients
from tides_bridge.operations.questions import count_questions
from tides_bridge.settings import Settings
from tides_bridge.targets.guard import Change, holds_back
from tides_bridge.targets.rulings import Ruling, find_subjects, rule


@pytest.fixture
def typed(database: Database, settings: Settings, tmp_path: Path) -> Callable[..., Result]:
    """Type commands at a database with the targets aaa (of a) and aab (of b), 1.5 arcsec apart, and aac (c)."""
    store(database, at(settings), near("a", r=19.0), near("b", east=1.5, r=20.0), near("c", east=60, r=20.0))
    return at_database(settings, tmp_path)


def on(database: Database) -> list[str]:
    rows = rows_of(database, "SELECT name FROM tides_master WHERE inactive_reason IS NULL ORDER BY name")
    return [row["name"].removeprefix("TiDES25") for row in rows]


def test_a_person_rules_and_looks(database: Database, settings: Settings, typed: Callable[..., Result]) -> None:
    assert typed("veto", "a").exit_code == 2
    assert page_of(typed("veto", "a", "ZTF26aaaaaaa", "--reason", "a [star]", "--dry-run")) == [
        "TiDES25aaa (a)",
        "ztf ZTF26aaaaaaa: no target yet",
        "veto: would touch 2",
    ]
    assert rows_of(database, "SELECT 1 FROM ruling") == []
    assert page_of(typed("veto", "a", "ZTF26aaaaaaa", "--reason", "a [star]")) == [
        "TiDES25aaa (a): veto; it is off (veto) now",
        "ztf ZTF26aaaaaaa: veto; no target yet, it will not be sent",
    ]
    assert page_of(typed("force", "a", "--reason", "x")) == [
        "TiDES25aaa (a): force, which has no effect: it stays off (veto)"
    ]
    assert [line.partition(", ")[0] for line in page_of(typed("rulings", "TiDES25aaa"))] == [
        f"{kind} by {rows_of(database, 'SELECT who FROM ruling')[0]['who']}" for kind in ("force", "veto")
    ]
    shown = page_of(typed("why", "a"))
    assert any(line.startswith("target TiDES25aaa (ztf): switched off: veto") for line in shown)
    assert [line.rpartition(": ")[2] for line in shown if line.startswith("ruling: ")] == ["x", "a [star]"]
    assert json.loads(typed("rulings", "ZTF26aaaaaaa", "--json").stdout)[0]["reason"] == "a [star]"
    assert page_of(typed("rulings", "b")) == ["nothing was decided of TiDES25aab (b)"]
    _, *rulings = page_of(typed("merge", "TiDES25aab", "TiDES25aaa", "--reason", "one"))
    assert [line.split(" by ")[0] for line in rulings] == ["TiDES25aab: force", "TiDES25aab: veto"]
    page = page_of(typed("release", "TiDES25aab", "--reason", "wrong"))
    assert page[0].startswith("TiDES25aab: release; it is off (unseen) now")
    page = page_of(typed("release", "TiDES25aab", "--reason", "once more"))
    assert page[0].startswith("TiDES25aab: release, though nothing of it was in force; it is off (unseen) now")
    assert "veto" not in rows_of(database, "SELECT string_agg(inactive_reason, '') AS all FROM tides_master")[0]["all"]


@pytest.mark.parametrize(("moment", "number"), [("before", 0), ("after", 2)])
def test_whoever_is_killed_while_he_rules_has_ruled_on_all_or_none(  # noqa: PLR0917
    database: Database, settings: Settings, typed: Callable[..., Result], tmp_path: Path, moment: str, number: int
) -> None:
    words = ("veto", "--file", str(tmp_path / "names"), "--reason", "stars")
    (tmp_path / "names").write_text("a\nc\n")
    point = f"ruling.{moment} SIGKILL {tmp_path / 'marker'}"
    killed = forked_tides(
        *words, "--settings", tmp_path / "settings.yaml", TIDES_LASAIRTOKEN="x", BRIDGE_FAIL_POINT=point
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(rows_of(database, "SELECT 1 FROM ruling")) == number
    assert on(database) == (["aab"] if number else ["aaa", "aab", "aac"])
    page_of(typed(*words))
    deactivate_unobserved_transients(database, at(settings))
    assert on(database) == ["aab"] and len(rows_of(database, "SELECT 1 FROM ruling")) == 2


def test_many_are_chosen_by_conditions_and_asked_about(
    database: Database, settings: Settings, typed: Callable[..., Result], tmp_path: Path
) -> None:
    store(database, at(settings), *[staged(f"x{number}", r=19.0) for number in range(21)])
    many = ("hold", "--where", "name=x*", "--reason", "moon")
    asked = typed(*many)
    assert asked.exit_code == 1 and "hold these 21?" in asked.output
    assert rows_of(database, "SELECT 1 FROM ruling") == []
    page = page_of(typed(*many, "--dry-run"))
    assert (len(page), page[-2:]) == (22, ["and 1 others", "hold: would touch 21"])
    assert len(page_of(typed(*many, "--yes"))) == 21
    assert on(database) == ["aaa", "aab", "aac"]
    (tmp_path / "names").write_text("# of the talk\na\n\nTiDES25aac # twice\nc\n")
    assert len(page_of(typed("tag", "--file", str(tmp_path / "names"), "--reason", "young"))) == 2
    assert page_of(typed("veto", "a", "b", "--where", "tag=young", "--reason", "x", "--dry-run")) == [
        "TiDES25aaa (a)",
        "veto: would touch 1",
    ]
    assert page_of(typed("veto", "--where", "tag=old", "--reason", "x")) == ["nothing is so: nothing was changed"]
    for wrong in (("veto", "--reason", "x"), ("tag", "a", "--reason", "two words"), ("release", "a", "--only", "tag")):
        assert typed(*wrong, *(() if "--reason" in wrong else ("--reason", "x"))).exit_code == 2, wrong
    assert typed("veto", "a", "--reason", "x", "--until", "2020-01-01").stderr.startswith("tides: --until: ")


def test_all_that_waits_is_one_list_with_its_answers(
    database: Database, settings: Settings, typed: Callable[..., Result]
) -> None:
    store(database, at(settings), staged("d", r=19.0), staged("e", r=19.0), staged("f", r=19.0))
    assert page_of(typed("associations", "--keep-apart", "1", "--reason", "two")) == [
        "TiDES25aab and TiDES25aaa are two"
    ]
    assert page_of(typed("questions")) == ["no question is open"]
    rows_of(database, "UPDATE association_question SET answer = NULL, answered_at = NULL RETURNING 1")
    for assignment, names in (
        ("refused_4most = 'mag: ' || tides_id || ' is outside'", "'d', 'e'"),
        ("""otherwise_4most = '{"times": 3, "shown": {"mag": 1}}'""", "'f'"),
    ):
        rows_of(database, f"UPDATE tides_master SET {assignment} WHERE object_id IN ({names}) RETURNING 1")
    rows_of(
        database,
        "INSERT INTO namesake (pk_4most, name, is_of_survey, met_at) VALUES (7, 'TiDES25aaf', TRUE, now()), "
        "(8, 'TiDES25aag', FALSE, now()), (9, 'TiDES25aah', TRUE, now() - interval '31 days') RETURNING 1",
    )
    with database.transaction() as connection:
        subjects = find_subjects(connection, settings, ["c"])
        assert holds_back(connection, settings, "deactivation", Change(50, 60, "TiDES25aaa: unseen"))
    rule(database, at(settings), Ruling("hold", "switched off at 4MOST", source="4most"), subjects)
    page = page_of(typed("questions"))
    questions = [line for line in page if not line.startswith("    ")]
    assert sorted(line.partition("  ")[2].partition(": ")[0] or line.partition(": ")[0] for line in questions) == [
        "association", "edit", "guard", "namesake", "namesake", "otherwise", "refusal",
    ]  # fmt: skip
    assert (
        "    tides merge TiDES25aaa TiDES25aab --reason ..., or tides associations --keep-apart 1 --reason ..." in page
    )
    assert (
        "    tides release TiDES25aac --reason ... (send it as we know it), or tides veto TiDES25aac --reason ..."
        in page
    )
    assert any("TiDES25aad and 1 others: cannot be sent: mag: # is outside" in line for line in questions)
    with database.transaction() as connection:
        counts = count_questions(connection, settings)
    expected = {"edit": 1, "association": 1, "position": 0, "steady": 0, "refusal": 2, "otherwise": 1, "guard": 1}
    assert counts == expected | {"spectrum": 0, "delivery": 0, "namesake": 2, "tns": 0, "tom": 0}
    assert [row["kind"] for row in json.loads(typed("questions", "--kind", "guard", "--json").stdout)] == ["guard"]
    assert typed("questions", "--kind", "colour").exit_code == 2
    typed("release", "c", "--reason", "it is to be observed")
    assert page_of(typed("questions", "--kind", "edit")) == ["no question is open"]
    rows_of(database, "UPDATE tides_master SET refused_4most = NULL WHERE object_id = 'e' RETURNING 1")
    number = rows_of(database, "SELECT tides_id FROM tides_master WHERE object_id = 'd'")[0]["tides_id"]
    assert f"TiDES25aad: cannot be sent: mag: {number} is outside" in typed("questions").stdout


def test_a_target_that_never_fades_is_asked_about_until_a_person_has_spoken(
    database: Database, settings: Settings, typed: Callable[..., Result]
) -> None:
    """Of the five only d and g are as bright as at their brightest 90 days before; f no longer passes, e faded in g."""
    old = {"last_mjd": TODAY - 0.1, "first_detection_mjd": TODAY - 200}
    best = {"d": 90.1, "e": 90.1, "f": 90.1, "g": 150.1, "h": 90.0}
    rows = {name: staged(name, r=(19.9, TODAY - 0.1, 19.0, TODAY - days), **old) for name, days in best.items()}
    rows["e"] |= staged("e", g=(20.0, TODAY - 0.1, 19.0, TODAY - 100), r=(19.9, TODAY - 0.1, 19.0, TODAY - 90.1), **old)
    store(database, at(settings), *rows.values())
    store(database, at(settings), rows["f"] | {"passes": False})
    page = [line for line in page_of(typed("questions", "--kind", "steady")) if line[0] != " "]
    assert page == [
        f"steady: TiDES25aa{letter}: passes {days} days after its brightest, and has faded by 0.90 mag only: "
        "is it a supernova?"
        for letter, days in (("d", 90), ("g", 150))
    ]
    assert set(on(database)) > {"aad", "aag"}
    with database.transaction() as connection:
        assert count_questions(connection, settings)["steady"] == 2
    typed("comment", "d", "--reason", "of type IIn")
    typed("veto", "g", "--reason", "an AGN")
    assert page_of(typed("questions", "--kind", "steady")) == ["no question is open"]


def test_a_target_that_never_fades_is_switched_off_if_that_is_wanted(
    database: Database, settings: Settings, typed: Callable[..., Result]
) -> None:
    steady = {"r": (19.9, TODAY - 0.1, 19.0, TODAY - 100), "last_mjd": TODAY - 0.1, "first_detection_mjd": TODAY - 200}
    store(database, at(settings), staged("d", **steady), staged("e", r=19.9, last_mjd=TODAY - 0.1))
    drops = at(settings, drop_steady=True)
    deactivate_unobserved_transients(database, drops)
    reasons = "SELECT inactive_reason AS reason FROM tides_master WHERE object_id IN ('d', 'e') ORDER BY object_id"
    assert [row["reason"] for row in rows_of(database, reasons)] == ["steady", None]
    assert "steady: TiDES25aad" in typed("questions").stdout  # a person may know better
    deactivate_unobserved_transients(database, at(settings))
    assert [row["reason"] for row in rows_of(database, reasons)] == [None, None]
    deactivate_unobserved_transients(database, drops)
    typed("force", "d", "--reason", "of type IIn")
    deactivate_unobserved_transients(database, drops)
    assert [row["reason"] for row in rows_of(database, reasons)] == [None, None]


def test_doubtful_positions_are_asked_about_until_a_person_has_spoken(
    database: Database, settings: Settings, typed: Callable[..., Result]
) -> None:
    store(database, at(settings), near("d", north=200, r=19.0), near("e", north=200, r=19.0))  # one place, one target
    for name, scatter in (("a", 2.01), ("b", 2.0)):
        rows_of(database, f"UPDATE association SET scatter_arcsec = {scatter} WHERE object_id = '{name}' RETURNING 1")
    page = page_of(typed("questions", "--kind", "position"))
    assert [line for line in page if line[0] != " "] == [
        "position: TiDES25aaa: detections of ztf a lie up to 2.01 arcsec from its position: is it one?",
        "position: TiDES25aad: ztf e has to the digit the position of another object: is it real?",
    ]
    with database.transaction() as connection:
        assert count_questions(connection, settings)["position"] == 2
    typed("comment", "a", "--reason", "it is well")
    typed("veto", "e", "--reason", "an artefact")
    assert page_of(typed("questions", "--kind", "position")) == ["no question is open"]
    with database.transaction() as connection:
        assert count_questions(connection, settings)["position"] == 0
