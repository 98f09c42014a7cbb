"""Spectra: what of a delivery is kept, whose each is, and which targets are done by them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.support.databases import rows_of
from tests.support.spectra import UID, add_ingested, deliver, fibre, states
from tests.support.staging import at
from tests.support.typed import at_database, page_of
from tides_bridge.database import Database
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.operations.questions import count_questions, list_questions
from tides_bridge.settings import Settings
from tides_bridge.targets.association import merge_targets, split_target
from tides_bridge.targets.rulings import Ruling, find_subjects, rule
from tides_bridge.targets.spectra.deliveries import take_in_deliveries
from tides_bridge.targets.spectra.settling import rule_spectra, settle_spectra


@pytest.fixture
def bridge(database: Database, settings: Settings) -> Settings:
    add_ingested(database)
    return at(settings, 61002.0)


def take_in(database: Database, settings: Settings, folder: Path) -> tuple[int, int, int]:
    """Give the numbers of new spectra, of those that found their target, and of targets that are done by them."""
    taken = take_in_deliveries(database, settings, [folder])
    return (sum(file.spectra for file in taken), *settle_spectra(database, settings))


def wanting(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"spectra": settings.spectra.model_copy(update=changes)})


def matched(database: Database) -> list[tuple[str, str]]:
    rows = rows_of(
        database,
        "SELECT coalesce(tides_master.name, 'none') AS name, how "
        "FROM spectrum_match LEFT JOIN tides_master USING (tides_id)",
    )
    return sorted((row["name"], row["how"]) for row in rows)


def test_a_good_spectrum_ends_a_target_and_a_poor_one_does_not(
    database: Database, bridge: Settings, tmp_path: Path
) -> None:
    deliver(tmp_path, fibre("aaa", 9.0), fibre("aab", 1.0), fibre("aac", 9.0, spec_uid=-1))
    assert take_in(database, bridge, tmp_path) == (3, 2, 1)
    assert states(database) == {"aaa": "spectrum", "aab": "on", "aac": "on"}
    assert matched(database) == [("aaa", "OBJ_UID"), ("aab", "OBJ_UID")]
    before = rows_of(database, "SELECT * FROM spectrum")
    copy = tmp_path / "copy" / "20261129"
    shutil.copytree(tmp_path / "20261129", copy)
    assert take_in(database, bridge, tmp_path) == (0, 0, 0)
    assert rows_of(database, "SELECT * FROM spectrum") == before
    deliver(tmp_path, fibre("aab", 5.0), night="20261201", ob_id=8)
    assert take_in(database, bridge, tmp_path) == (1, 1, 1)
    assert states(database)["aab"] == "spectrum"


def test_a_target_may_want_several_visits(database: Database, bridge: Settings, tmp_path: Path) -> None:
    two = wanting(bridge, visits=2)
    deliver(tmp_path, fibre("aaa"), fibre("aaa", 6.0, spec_uid=200), fibre("aab", 1.0))  # two rows of one visit
    assert take_in(database, two, tmp_path)[2] == 0
    deliver(tmp_path, fibre("aaa", 1.0), fibre("aab", 1.0), night="20261130")
    assert take_in(database, two, tmp_path)[2] == 1
    assert states(database)["aab"] == "on"


@pytest.mark.parametrize("is_late", [False, True])
def test_of_a_visit_the_newest_software_counts_whenever_it_is_read(
    database: Database, bridge: Settings, tmp_path: Path, is_late: bool
) -> None:
    files = [("old", "QMOST L1 1.9.0", 9.0, 1.0), ("new", "QMOST L1 1.10.0", 1.0, 9.0)]
    for name, software, first, second in files[::-1] if is_late else files:
        deliver(tmp_path, fibre("aaa", first), fibre("aab", second), name=name, software=software)
        take_in_deliveries(database, bridge, [tmp_path])
    settle_spectra(database, bridge)
    assert states(database) == {"aaa": "on", "aab": "spectrum", "aac": "on"}
    assert take_in(database, bridge, tmp_path) == (0, 0, 0)


def test_a_file_that_is_written_into_later_is_read_again(database: Database, bridge: Settings, tmp_path: Path) -> None:
    deliver(tmp_path, fibre("aaa", 2.0))
    take_in(database, bridge, tmp_path)
    deliver(tmp_path, fibre("aaa", 2.0), ways=frozenset({"redshifts"}))
    assert take_in(database, bridge, tmp_path) == (1, 1, 0)
    assert len(rows_of(database, "SELECT 1 FROM spectrum")) == 2
    assert rows_of(database, "SELECT redshift, snr FROM target_spectrum") == [{"redshift": 0.1, "snr": 2.0}]


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"name": "other"}, "OBJ_UID"),
        ({"u_obj_id": -1}, "name"),
        ({"u_obj_id": 5}, "name"),
        ({"u_obj_id": -1, "dec": -20 + 1.9 / 3600}, "name"),
        ({"u_obj_id": -1, "dec": -20 + 2.1 / 3600}, None),
        ({"u_obj_id": UID - 1, "name": "other"}, None),
        ({"dec": -20 + 9 / 3600}, "OBJ_UID"),
        ({"dec": -20 + 11 / 3600}, None),
        ({"u_obj_id": 2**62, "name": "other"}, None),
    ],
)
def test_a_spectrum_is_matched_by_its_uid_else_by_name_and_place(
    database: Database, bridge: Settings, tmp_path: Path, changes: dict[str, Any], how: str | None
) -> None:
    deliver(tmp_path, fibre("aaa", **changes), fibre("aab"))
    take_in(database, bridge, tmp_path)
    found = dict(matched(database))
    assert found == {"aab": "OBJ_UID"} | ({"aaa": how} if how else {})
    assert len(list_questions(database, bridge, "spectrum")) == (how is None)
    assert states(database)["aaa"] == ("spectrum" if how else "on")


def test_a_spectrum_finds_a_target_that_is_ingested_later(database: Database, bridge: Settings, tmp_path: Path) -> None:
    rows_of(database, "UPDATE tides_master SET ostd_u_obj_id = NULL WHERE name = 'aaa' RETURNING 1")
    deliver(tmp_path, fibre("aaa", name="12"))
    assert take_in(database, bridge, tmp_path) == (1, 0, 0)
    rows_of(database, f"UPDATE tides_master SET ostd_u_obj_id = {UID} WHERE name = 'aaa' RETURNING 1")
    assert take_in(database, bridge, tmp_path) == (0, 1, 1)


def test_what_a_person_ruled_comes_first(database: Database, bridge: Settings, tmp_path: Path) -> None:
    with database.transaction() as connection:
        first, second = (find_subjects(connection, bridge, [name]) for name in ("aaa", "aab"))
    rule(database, bridge, Ruling("veto", "star"), first)
    rule(database, bridge, Ruling("hold", "moon"), second)
    deliver(tmp_path, fibre("aaa"), fibre("aab"), fibre("aac", 1.0))
    take_in(database, bridge, tmp_path)
    assert states(database) == {"aaa": "veto", "aab": "spectrum", "aac": "on"}


def test_spectra_go_with_a_merge_and_come_back_with_a_split(
    database: Database, bridge: Settings, tmp_path: Path
) -> None:
    two = wanting(bridge, visits=2)
    deliver(tmp_path, fibre("aaa"), night="20261129")
    deliver(tmp_path, fibre("aab"), fibre("aac", 1.0), night="20261130")
    assert take_in(database, two, tmp_path)[2] == 0
    merge_targets(database, two, "aaa", "aab", "one")
    assert settle_spectra(database, two).done == 1
    assert states(database) == {"aaa": "spectrum", "aab": "merged", "aac": "on"}
    split_target(database, two, "aab", "two")
    settle_spectra(database, two)
    assert states(database) == {"aaa": "on", "aab": "on", "aac": "on"}
    deliver(tmp_path, fibre("aab"), night="20261202")
    merge_targets(database, two, "aaa", "aab", "one")
    take_in(database, two, tmp_path)  # of a target that is merged already
    split_target(database, two, "aab", "two")
    settle_spectra(database, two)
    assert states(database) == {"aaa": "on", "aab": "spectrum", "aac": "on"}


def test_a_target_that_was_done_does_not_come_back_by_itself(
    database: Database, bridge: Settings, tmp_path: Path
) -> None:
    deliver(tmp_path, fibre("aaa", 6.0), fibre("aab", 3.0))
    take_in(database, bridge, tmp_path)
    take_in(database, wanting(bridge, snr=8), tmp_path)
    deliver(tmp_path, fibre("aaa", 1.0), fibre("aab", 3.0), name="b", software="QMOST L1 2.0")
    take_in(database, bridge, tmp_path)
    assert states(database) == {"aaa": "spectrum", "aab": "on", "aac": "on"}


def test_a_broken_file_is_named_and_tried_again(database: Database, bridge: Settings, tmp_path: Path) -> None:
    path = deliver(tmp_path, fibre("aaa"))
    content = path.read_bytes()
    path.write_bytes(content[:5000])
    deliver(tmp_path, fibre("aab"), name="b")
    for _ in range(2):
        taken = take_in_deliveries(database, bridge, [tmp_path])
        assert [file.path.name for file in taken if file.problem] == ["20261129_a.fits"]
    (question,) = list_questions(database, bridge, "delivery")
    assert (question.about, "half-written" in question.question) == ("20261129_a.fits", True)
    assert states(database)["aaa"] == "on"
    path.write_bytes(content)
    assert take_in(database, bridge, tmp_path) == (1, 2, 2)
    assert list_questions(database, bridge, "delivery") == []
    path.write_bytes(content[:5000])  # what was read before stays
    assert take_in(database, bridge, tmp_path) == (0, 0, 0)
    assert len(rows_of(database, "SELECT 1 FROM target_spectrum")) == 2


def test_a_range_of_wavelengths_lets_all_be_read_again(database: Database, bridge: Settings, tmp_path: Path) -> None:
    deliver(tmp_path, fibre("aaa", 4.0), pixels=400)
    assert take_in(database, bridge, tmp_path) == (1, 1, 0)
    assert take_in_deliveries(database, bridge, [tmp_path]) == []
    assert take_in(database, wanting(bridge, wavelengths=(4500.0, 8000.0)), tmp_path)[0] == 1
    (row,) = rows_of(database, "SELECT snr FROM target_spectrum")
    assert row["snr"] != 4.0 and row["snr"] == pytest.approx(4.0, abs=0.5)


@pytest.fixture
def typed(bridge: Settings, tmp_path: Path) -> Callable[..., Result]:
    return at_database(bridge, tmp_path)


def test_a_person_says_whose_a_spectrum_is(
    database: Database, bridge: Settings, tmp_path: Path, typed: Callable[..., Result]
) -> None:
    strangers = [fibre("aaa", u_obj_id=5, name="x", ra=50.0), fibre("aaa", u_obj_id=6, name="y", ra=51.0)]
    deliver(tmp_path / "d", *strangers, fibre("aab", 1.0))
    assert page_of(typed("spectra", str(tmp_path / "d")))[1:] == [
        "1 files were looked into: 3 spectra are new, 1 found their target, 0 targets are done by them",
        "2 spectra are nobody's yet: tides questions --kind spectrum",
    ]
    first = rows_of(database, "SELECT min(spectrum_id) AS n FROM unmatched_spectrum")[0]["n"]
    page = page_of(typed("questions", "--kind", "spectrum"))
    words = f"spectrum: 20261129_a.fits and 1 others: whose are these? The first is spectrum {first}, OBJ_UID 5 x at "
    assert page[0].partition("  ")[2].startswith(words)
    assert typed("match-spectrum", str(first), "--target", "aaa", "--not-ours", "--reason", "x").exit_code == 2
    assert page_of(typed("match-spectrum", str(first), "--target", "aaa", "--reason", "seen")) == [
        "1 spectra are of aaa"
    ]
    assert states(database)["aaa"] == "spectrum"
    shown = [line for line in page_of(typed("why", "aaa")) if "spectr" in line]
    assert shown[1:] == [
        f"spectrum: 2026-11-29, S/N 9.0, 38 min, in 20261129_a.fits as 100 (spectrum {first})",
        "its spectra: enough",
    ]
    assert page_of(typed("why", "aab"))[-1] == "its spectra: wants another: the best S/N is 1.0, 5 demanded"
    typed("match-spectrum", "20261129_a.fits", "--not-ours", "--reason", "of another survey")
    with database.transaction() as connection:
        assert count_questions(connection, bridge)["spectrum"] == 0
    deliver(tmp_path / "d", *strangers, fibre("aab", 1.0), name="b", software="QMOST L1 9.9")
    take_in(database, bridge, tmp_path / "d")
    assert list_questions(database, bridge) == []  # what a person said holds for the same objects
    assert matched(database).count(("aaa", "person")) == 2


def test_a_wrong_match_is_put_right(database: Database, bridge: Settings, tmp_path: Path) -> None:
    deliver(tmp_path, fibre("aaa"), fibre("aab", 1.0))
    take_in(database, bridge, tmp_path)
    (row,) = rows_of(database, "SELECT spectrum_id FROM spectrum WHERE object_name = 'aaa'")
    with pytest.raises(SettingsError, match="say why"):
        rule_spectra(database, bridge, [str(row["spectrum_id"])], "aac", " ")
    with pytest.raises(RejectedError, match="no spectrum by its number"):
        rule_spectra(database, bridge, ["0"], "aac", "x")
    assert rule_spectra(database, bridge, [str(row["spectrum_id"])], "aac", "swapped") == 1
    assert states(database) == {"aaa": "on", "aab": "on", "aac": "spectrum"}


def test_without_a_place_to_look_the_command_says_what_to_do(typed: Callable[..., Result], tmp_path: Path) -> None:
    assert "set spectra.folder" in typed("spectra").output
    assert "no such file or folder" in typed("spectra", str(tmp_path / "nowhere")).output
    deliver(tmp_path / "d", fibre("aaa")).write_bytes(b"no FITS")
    done = typed("spectra", str(tmp_path / "d"))
    assert (done.exit_code, "is no FITS file" in done.output) == (1, True)
