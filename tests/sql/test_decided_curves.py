"""The light curve of a decision, and that the decision can be taken again from it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sql.test_together import KEYS, NOW, seen
from tests.support.batches import batch_of
from tests.support.databases import rows_of
from tests.support.staging import at
from tests.support.typed import at_database
from tides_bridge.brokers.models import Alert
from tides_bridge.database import Database
from tides_bridge.decisions.batch import Budget, create_transient_stage, store_outcome, upsert_to_master
from tides_bridge.decisions.decided_curves import find_decided_curve
from tides_bridge.decisions.history import stored_function, why
from tides_bridge.decisions.judging import decide
from tides_bridge.decisions.record import failed_text, measured_text, put_in_force
from tides_bridge.errors import RejectedError
from tides_bridge.formats.files import read_light_curves
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.stored import pack_rows, unpack_table
from tides_bridge.selection import SelectionFunction, judge
from tides_bridge.selection.file import functions_file, read_functions_file
from tides_bridge.settings import Settings

TWO_BANDS = ((61000.0, "g", 19.0), (61001.0, "r", 19.5))
ONE_BAND = ((61000.0, "g", 19.0), (61001.0, "g", 19.5))
ONE_POINT = ((61000.0, "g", 19.0),)
TWICE = SelectionFunction.parse("twice", {**KEYS, "minNights": 2})


def keep(database: Database, settings: Settings, alerts: list[Alert], curves: LightCurves) -> None:
    """Decide, and store what comes of it."""
    judged = [decide(alerts, curves, [TWICE], {}, NOW)]
    with database.transaction() as connection:
        create_transient_stage(connection, judged)
        upsert_to_master(connection, settings)
        store_outcome(connection, batch_of(alerts), judged, Budget(0, 0), settings)


@pytest.mark.parametrize(
    ("kept", "names"), [("targets", {"a", "7"}), ("near", {"a", "b", "7"}), ("all", {"a", "b", "c", "7"})]
)
def test_light_curves_are_kept_once_and_decide_alike(
    database: Database, settings: Settings, kept: Any, names: set[str]
) -> None:
    own = at(settings, NOW).model_copy(
        update={"decisions": settings.decisions.model_copy(update={"light_curves": kept})}
    )
    put_in_force(database, own, [TWICE])
    objects = [seen("a", *TWO_BANDS), seen("b", *ONE_BAND, east=100), seen("c", *ONE_POINT, east=200)]
    objects.append(seen("7", *TWO_BANDS, east=300))
    alerts, curves = [alert for alert, _ in objects], LightCurves.joined([curve for _, curve in objects])
    for _ in range(2):
        keep(database, own, alerts, curves)
    rows = rows_of(database, "SELECT object_id, curve_digest FROM decided_light_curve")
    assert sorted(row["object_id"] for row in rows) == sorted(names)
    for name in "abc7":
        found = why(database, name)["decisions"]
        if name not in names:
            with pytest.raises(RejectedError, match=r"decisions\.lightCurves"):
                find_decided_curve(database, name, found)
            continue
        row, curve = find_decided_curve(database, name, found)
        assert curve.digests() == [row["curve_digest"].replace("-", "")]
        function = stored_function(row["function"], row["normalised_text"])
        assert function is not None
        again = judge(curve, [function], row["now_mjd"])[0]
        assert (again.passed.tolist(), failed_text(again)) == ([row["passed"]], ["{" + ",".join(row["failed"]) + "}"])


@pytest.mark.parametrize("name", ["ztf/alerts.jsonl.gz", "bts/snia_lightcurves.csv.gz", "lsst", "elasticc"])
def test_every_real_light_curve_decides_alike_when_it_was_kept(shared_data: Path, name: str) -> None:
    functions = list(read_functions_file(functions_file(None)).values())
    parts = list(
        read_light_curves([shared_data / name], zero_point=31.4 if name == "elasticc" else None, refused=ignore)
    )
    curves = LightCurves.joined(parts)
    alerts = [Alert("ztf", object_id, NOW, None, None, None, {}) for object_id in curves.object_ids]
    decided = decide(alerts, curves, functions, {}, NOW)
    assert decided.curves is not None
    tables = [unpack_table(bytes.fromhex(row[2:])) for row in pack_rows(decided.curves.to_arrow(), range(len(curves)))]
    kept = LightCurves.joined([LightCurves.from_arrow(table) for table in tables])
    assert kept.digests() == decided.curves.digests()
    stored = [stored_function(function.name, function.normalised_text) for function in functions]
    first = judge(decided.curves, functions, NOW)
    for before, after in zip(first, judge(kept, [function for function in stored if function], NOW), strict=True):
        assert before.passed.tolist() == after.passed.tolist() and failed_text(before) == failed_text(after)
        assert [json.loads(text) for text in measured_text(before)] == [
            json.loads(text) for text in measured_text(after)
        ]


def ignore(path: Path, problem: str) -> None:
    """What cannot be read is told elsewhere."""


def test_a_person_writes_the_light_curve_of_a_decision(database: Database, settings: Settings, tmp_path: Path) -> None:
    own = at(settings, NOW)
    put_in_force(database, own, [TWICE])
    objects = [seen("a", *TWO_BANDS), seen("7", *TWO_BANDS[::-1], east=300), seen("c", *ONE_POINT, east=200)]
    alerts, curves = [alert for alert, _ in objects], LightCurves.joined([curve for _, curve in objects])
    keep(database, own, alerts, curves)
    typed = at_database(settings, tmp_path)
    for name in ("a", "7"):
        file = tmp_path / f"{name}.csv"
        done = typed("why", name, "--light-curve", str(file))
        assert done.exit_code == 0 and f"light curve of {'lsst' if name == '7' else 'ztf'} {name}, dec" in done.stderr
        (written,) = read_light_curves([file], refused=ignore)
        expected = curves.part(*{"a": (0, 1), "7": (1, 2)}[name])
        assert written.object_ids == (name,)
        for column in ("mjd", "band", "night", "is_detection"):
            assert getattr(written, column).tolist() == getattr(expected, column).tolist()
        assert written.magnitude == pytest.approx(expected.magnitude)
    assert json.loads(typed("why", "a", "--light-curve", str(tmp_path / "a.json"), "--json").stdout)["decisions"]
    for name, wrong, code, problem in (
        ("c", "c.csv", 1, "no light curve of its decisions is kept"),
        ("none", "none.csv", 1, "nothing is known of it"),
        ("a", "a.xyz", 2, f"--light-curve {tmp_path}/a.xyz: must end in .csv"),
        ("a", "no/such/a.csv", 2, "no/such"),
    ):
        done = typed("why", name, "--light-curve", str(tmp_path / wrong))
        assert (done.exit_code, done.stdout) == (code, "") and problem in done.stderr
        assert not (tmp_path / wrong).exists()
