"""How good functions were, by what the record says and by the classes that came back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.support.spectra import PLACES, add_ingested
from tests.support.staging import at
from tests.support.typed import at_database
from tides_bridge.archives.backtest import contamination
from tides_bridge.archives.backtest_report import report_notes, report_tables
from tides_bridge.archives.efficiency import efficiency, purity
from tides_bridge.archives.observed import backtest_by_spectra
from tides_bridge.database import Database, run
from tides_bridge.decisions.outcomes import outcomes_of
from tides_bridge.decisions.record import put_in_force
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings
from tides_bridge.targets.spectra.classes import take_in_classes

WIDE, STRICT = (
    SelectionFunction.parse(name, {"rules": "strict", "filters": ["r"], "significance": 5, "minDetections": number})
    for name, number in (("wide", 1), ("narrow", 3))
)
DECIDED = {
    "wide": {"aaa": [None, 60999.0], "aab": [60998.0, 60999.0], "aac": [60999.0]},
    "narrow": {"aaa": [61000.0], "aab": [None], "aac": [None, None]},
}
"""By function and object: the triggers of the decisions on it, one after the other."""


@pytest.fixture
def observed(database: Database, settings: Settings, tmp_path: Path) -> Settings:
    """Three targets, which a wide function chose; an SN Ia, an AGN, and one of which nothing came back."""
    here = at(settings, 61002.0)
    add_ingested(database)
    put_in_force(database, here, [WIDE, STRICT])
    with database.transaction() as connection:
        run(connection, "decisions/prepare_decisions.sql", {"now": here.time(), "before": "2020-01-01"})
        for name, decisions in DECIDED.items():
            for target, triggers in decisions.items():
                for number, trigger in enumerate(triggers):
                    connection.exec_driver_sql(*decision(here, name, target, number, trigger))
    path = tmp_path / "classes.csv"
    path.write_text("name,class,z,source\naaa,SN Ia,0.1,human\naab,AGN,0.3,human\n")
    take_in_classes(database, here, [path])
    return here


def decision(settings: Settings, function: str, target: str, number: int, trigger: float | None) -> tuple[str, Any]:
    version = (WIDE if function == "wide" else STRICT).version
    values = {"at": settings.time(), "object": target, "function": function, "version": version, "trigger": trigger}
    return (
        "INSERT INTO decision (decided_at, newest_mjd, trigger_mjd, curve_digest, n_detections, passed, is_stale, "
        "survey, object_id, function, version, role, code_version, failed, measured) VALUES (%(at)s, "
        f"{60998 + number}, %(trigger)s, gen_random_uuid(), 3, %(trigger)s IS NOT NULL, FALSE, 'ztf', %(object)s, "
        "%(function)s, %(version)s, 'active', '1', '{}', '{}')",
        values,
    )


def test_purity_and_efficiency_are_those_of_the_record(database: Database, observed: Settings) -> None:
    functions, rows = outcomes_of(database, ["wide", "narrow"])
    found = backtest_by_spectra(rows, functions)
    objects = found.objects.set_index("object_id")
    assert objects.selected_A.tolist() == [True, True, True]
    assert objects.selected_B.tolist() == [True, False, False]
    assert objects.trigger_mjd_A.tolist() == [60999.0, 60998.0, 60999.0]
    assert objects.class_name.fillna("none").tolist() == ["SN Ia", "AGN", "none"]
    assert (objects.ra.tolist(), objects.decl.tolist()) == tuple(
        [place[number] for place in PLACES.values()] for number in (0, 1)
    )
    counts = contamination(found).set_index("function")
    assert counts.selected.tolist() == [3, 1]
    assert counts.unknown.tolist() == [1, 0]
    assert counts.others.tolist() == [1, 0]
    pure = purity(found, "peak_magnitude").iloc[0]
    assert (pure.selected_A, pure.wanted_A, pure.share_A, pure.selected_B, pure.share_B) == (2, 1, 0.5, 1, 1.0)
    assert efficiency(found, "decl", "ra").share_B.iloc[0] == 1.0
    titles = [table.title for table in report_tables(found)]
    assert [title for title in titles if title.startswith("Purity")] == [
        "Purity by peak magnitude",
        "Purity by redshift",
        "Purity by peak magnitude and redshift",
        "Purity by MJD of the peak, or of the first detection",
        "Purity by declination and right ascension [deg]",
    ]
    assert "by the record" in report_notes(found)[0]


def test_what_was_never_in_force_is_named(database: Database, observed: Settings) -> None:
    with pytest.raises(RejectedError, match="was never in force; there were: narrow, wide"):
        outcomes_of(database, ["other"])
    with pytest.raises(SettingsError, match="x is not one of"):
        outcomes_of(database, ["wide"], bands=["x"])


def test_the_command(observed: Settings, tmp_path: Path) -> None:
    typed: Callable[..., Result] = at_database(observed, tmp_path)
    done = typed("backtest", "--spectra", "--function", "narrow", "--output", str(tmp_path / "r.json"))
    assert (done.exit_code, "Purity by peak magnitude" in done.output) == (0, True)
    assert '"purity_by_epoch"' in (tmp_path / "r.json").read_text()
    assert typed("backtest", "x.csv", "--spectra", "--function", "narrow").exit_code == 2
    assert typed("backtest", "--function", "narrow").exit_code == 2
