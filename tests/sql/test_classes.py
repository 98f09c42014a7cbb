"""What people and pipelines make of spectra: kept with its source, an annotation, and enough where it is sure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url
from typer.testing import Result

from tests.support.databases import rows_of
from tests.support.spectra import add_ingested, deliver, fibre, states
from tests.support.staging import at
from tests.support.typed import at_database, page_of
from tides_bridge.database import Database
from tides_bridge.errors import DatabaseUnavailable, RejectedError, SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.association import merge_targets, split_target
from tides_bridge.targets.spectra.classes import TakenClasses, classes_of, take_in_classes
from tides_bridge.targets.spectra.deliveries import take_in_deliveries
from tides_bridge.targets.spectra.settling import settle_spectra

HEADER = "name,class,z,error,confidence,source,person,date\n"


@pytest.fixture
def bridge(database: Database, settings: Settings) -> Settings:
    add_ingested(database)
    return wanting(at(settings, 61002.0), class_confidence=0.9)


def wanting(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"spectra": settings.spectra.model_copy(update=changes)})


def take_in(database: Database, settings: Settings, folder: Path, *lines: str, name: str = "classes") -> TakenClasses:
    path = folder / f"{name}.csv"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    (taken,) = take_in_classes(database, settings, [path])
    settle_spectra(database, settings)
    return taken


def known(database: Database) -> dict[str, tuple[Any, ...]]:
    rows = rows_of(
        database, "SELECT name, type, redshift, confidence, by FROM target_class JOIN tides_master USING (tides_id)"
    )
    return {name: values for name, *values in (row.values() for row in rows)}  # type: ignore[misc]


def noted(database: Database) -> list[tuple[Any, ...]]:
    rows = rows_of(
        database,
        "SELECT object_id, annotation.name, coalesce(number::text, word) AS value FROM annotation "
        "WHERE broker = 'spectra' ORDER BY annotation_id",
    )
    return [tuple(row.values()) for row in rows]


def test_the_newest_word_of_a_person_counts_whatever_software_says(
    database: Database, bridge: Settings, tmp_path: Path
) -> None:
    software = ("aaa,SN II,0.3,,0.99,snid,,2026-12-03", "aaa,SN Ia,0.1,,0.95,global,,2026-12-01")
    people = ("aaa,SN Ib,,,,human,eva,2026-11-30", "aaa,SN Ic,,,,human,ole,2026-11-29")
    other = "aab,SN IIP,0.02,0.01,0.4,dash,,"
    assert take_in(database, bridge, tmp_path, *software, other).new == 3
    assert known(database) == {"aaa": ["SN Ia", 0.1, 0.95, "global"], "aab": ["SN IIP", 0.02, 0.4, "dash"]}
    assert take_in(database, bridge, tmp_path, *people, *software).new == 4
    assert known(database)["aaa"] == ["SN Ib", 0.1, 1, "human eva"]
    before = (noted(database), rows_of(database, "SELECT * FROM classification"))
    for lines in ((*people, *software, other), (*software, other), people[::-1]):
        assert take_in(database, bridge, tmp_path, *lines).new == 0
    assert (noted(database), rows_of(database, "SELECT * FROM classification")) == before
    assert [(name, value) for object_id, name, value in noted(database) if object_id == "aab"] == [
        ("spectrum.type", "SN IIP"),
        ("spectrum.confidence", "0.4"),
        ("spectrum.redshift", "0.02"),
        ("spectrum.redshift_error", "0.01"),
    ]
    assert [value for object_id, name, value in noted(database) if (object_id, name) == ("aaa", "spectrum.type")] == [
        "SN Ia",
        "SN Ib",
    ]
    take_in(database, bridge, tmp_path, "aaa,SN Ic-BL,,,,human,eva,2026-11-30")  # corrected
    assert known(database)["aaa"][0] == "SN Ic-BL"


def test_what_people_say_without_a_date_is_of_the_day_on_which_it_comes(
    database: Database, bridge: Settings, tmp_path: Path
) -> None:
    for said, counts in (
        ("SN Ia,,,0.9,human,eva,", "SN Ia"),
        ("AGN,,,0.5,human,ole,", "AGN"),
        ("TDE,,,,human,al,", "TDE"),
    ):
        assert take_in(database, bridge, tmp_path, f"aaa,{said}").new == 1
        assert known(database)["aaa"][0] == counts
    assert take_in(database, bridge, tmp_path, "aaa,SN Ia,,,0.9,human,eva,2026-11-01").new == 1
    assert known(database)["aaa"][0] == "TDE"


@pytest.mark.parametrize("undated", ["aaa", "aab"])
def test_so_it_is_where_a_target_has_words_on_two_objects(
    database: Database, bridge: Settings, tmp_path: Path, undated: str
) -> None:
    dated = {"aaa": "aab", "aab": "aaa"}[undated]
    take_in(database, bridge, tmp_path, f"{dated},AGN,,,0.9,human,eva,2026-11-01")
    take_in(database, bridge, tmp_path, f"{undated},TDE,,,0.5,human,ole,")  # now, which is later
    take_in(database, bridge, tmp_path, "aac,SN Ia,,,0.9,human,al,2026-11-01")
    merge_targets(database, bridge, "aaa", "aab", "one")
    found = rows_of(database, "SELECT * FROM target_class ORDER BY object_id")
    assert [(row["object_id"], row["type"]) for row in found] == [(undated, "TDE"), ("aac", "SN Ia")]
    with database.transaction() as connection:
        ids = sorted({row["tides_id"] for row in found})
        assert [row["type"] for row in classes_of(connection, ids)] == ["TDE", "AGN", "SN Ia"]


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("aaa,SN Ia,0.1,,0.9,snid,,", "spectrum"),
        ("aaa,SN Ia,0.1,,0.89,snid,,", "on"),
        ("aaa,SN Ia?,0.1,,0.95,snid,,", "on"),
        ("aaa,SN Ia,0.1,,,snid,,", "on"),
        ("aaa,,0.1,,0.95,snid,,", "on"),
        ("aaa,SN Ia,,,,human,eva,", "spectrum"),
        ("aaa,SN Ia,,,0.5,human,eva,", "on"),
    ],
)
def test_a_sure_class_ends_a_target_where_the_settings_say_so(
    database: Database, bridge: Settings, tmp_path: Path, line: str, state: str
) -> None:
    take_in(database, wanting(bridge, class_confidence=None), tmp_path, line, "aab,SN Ia,,,0.1,snid,,")
    assert states(database)["aaa"] == "on"
    settle_spectra(database, bridge)
    assert states(database) == {"aaa": state, "aab": "on", "aac": "on"}


def test_a_class_goes_with_a_merge_and_comes_back_with_a_split(
    database: Database, bridge: Settings, tmp_path: Path
) -> None:
    merge_targets(database, bridge, "aaa", "aab", "one")
    take_in(database, bridge, tmp_path, "aab,SN Ia,0.1,,0.95,global,,", "aac,SN II,0.2,,0.5,global,,")
    assert states(database) == {"aaa": "spectrum", "aab": "merged", "aac": "on"}
    assert known(database)["aaa"][0] == "SN Ia"
    split_target(database, bridge, "aab", "two")
    settle_spectra(database, bridge)
    assert states(database) == {"aaa": "on", "aab": "spectrum", "aac": "on"}
    assert known(database).keys() == {"aab", "aac"}


TABLES = """
CREATE SCHEMA tom;
CREATE TABLE tom.tides_spec (tides_specid integer, tides_id integer, obs_mjd double precision);
CREATE TABLE tom.pipeline_classification_global (tides_id integer, tides_specid integer, sn_type text,
    probability real, version text, phase real, z real, zerr real);
CREATE TABLE tom.human_classifications (tides_id integer, person text, sn_type text, sn_subtype text, sn_z real,
    phase real, host_z real, comments text, created timestamptz);
INSERT INTO tom.tides_spec VALUES (1, 1, 61000), (2, 1, 61001);
INSERT INTO tom.pipeline_classification_global SELECT tides_id, 1, 'Ia', 0.5, '1', 3, 0.25, NULL FROM tides_master;
INSERT INTO tom.pipeline_classification_global SELECT tides_id, 2, 'II', 0.5, '1', 3, 0.5, NULL FROM tides_master;
INSERT INTO tom.human_classifications
SELECT tides_id, 'eva', 'Ib', NULL, NULL, NULL, 0.125, NULL, now() FROM tides_master WHERE name = 'aab';
INSERT INTO tom.human_classifications VALUES (999, 'eva', 'Ia', NULL, 0.5, NULL, NULL, NULL, now());
"""


def test_classes_come_from_the_tables_of_the_survey(database: Database, bridge: Settings) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(TABLES)
    url = database._engine.url.update_query_dict({"options": "-csearch_path=tom"})
    here = wanting(bridge, classes_from=SecretStr(url.render_as_string(hide_password=False)))
    (taken,) = take_in_classes(database, here, [])
    assert (taken.read, taken.new, taken.strangers) == (8, 7, ["999"])
    assert {name: values[:2] for name, values in known(database).items()} == {
        "aaa": ["II", 0.5],
        "aab": ["Ib", 0.125],
        "aac": ["II", 0.5],
    }
    assert take_in_classes(database, here, [])[0].new == 0


def test_a_database_that_has_no_classes_is_named_without_its_password(database: Database, bridge: Settings) -> None:
    url = make_url(str(database._engine.url))
    away = "postgresql://eva:secret@127.0.0.1:1/x"  # pragma: allowlist secret
    for address, error, words in (
        ("secret", SettingsError, "is no address"),
        (url.render_as_string(hide_password=False), RejectedError, "has none of the tables"),
        (away, DatabaseUnavailable, "database of spectra.classesFrom"),
    ):
        with pytest.raises(error, match=words) as raised:
            take_in_classes(database, wanting(bridge, classes_from=SecretStr(address)), [])
        assert "secret" not in str(raised.value)
    with pytest.raises(SettingsError, match=r"set spectra\.classesFrom"):
        take_in_classes(database, bridge, [])


@pytest.fixture
def typed(bridge: Settings, tmp_path: Path) -> Callable[..., Result]:
    return at_database(bridge, tmp_path)


def test_the_commands_tell_what_was_found(
    database: Database, bridge: Settings, tmp_path: Path, typed: Callable[..., Result]
) -> None:
    deliver(tmp_path, fibre("aaa", 2.0))
    take_in_deliveries(database, bridge, [tmp_path])
    path = tmp_path / "c.csv"
    path.write_text(HEADER + "aaa,SN Ia,0.1,,,human,eva,2026-11-30\nx1,SN II,,,,snid,,\naab,,,,,snid,,\n")
    done = typed("classified", str(path))
    assert (done.exit_code, done.output.splitlines()[-4:]) == (
        1,
        [
            "c.csv: 2 classifications, 1 with something new",
            "of no target are: x1",
            "line 4: has neither a class nor a redshift",
            "0 targets are done",
        ],
    )
    assert "class: SN Ia, z = 0.1, by human eva 2026-11-30 00:00" in page_of(typed("why", "aaa"))
