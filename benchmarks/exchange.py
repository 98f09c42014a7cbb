"""What the exchange and `tides status` take to find what 4MOST is to be told, against comparing all targets."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.measure import GOLDEN_ANGLE, agree, machine
from benchmarks.rulings import MAKE_OBJECTS, timed
from tides_bridge.database import Database, apply_schema, embedded, open_database, run
from tides_bridge.fourmost.due import find_due
from tides_bridge.fourmost.exchange import prepare_4most_update
from tides_bridge.fourmost.payloads import FourmostStage, stage_for_4most
from tides_bridge.operations.status import get_health, get_status
from tides_bridge.settings import Settings

MAKE_TARGETS = """
INSERT INTO tides_master (
    name, survey, object_id, ra, decl, first_detection_mjd, last_detection_mjd, n_detections, sherlock_class,
    selection_function, active
)
SELECT
    'B' || n, 'lsst', 'o' || n, (n * %(angle)s::float8)::numeric %% 360, n %% 110000 / 1000.0 - 80, 60990, 60999.6,
    9, 'SN', 'f', TRUE
FROM generate_series(1, %(targets)s::bigint) AS n
"""

MAKE_BRIGHTNESS = """
INSERT INTO object_brightness (survey, object_id, band, latest_mag, latest_mjd, latest_error, n_detections)
SELECT survey, object_id, band, 20 + tides_id %% 200 / 100.0, last_detection_mjd, 0.05, 4
FROM tides_master CROSS JOIN unnest(ARRAY['g', 'r', 'i']) AS band
"""

TELL = """
UPDATE tides_master SET pk_4most = told.tides_id, told_4most = told.payload, told_4most_at = now()
FROM jsonb_to_recordset(%(rows)s::jsonb) AS told (tides_id bigint, payload jsonb)
WHERE tides_master.tides_id = told.tides_id
"""

CHANGE = """
UPDATE object_brightness SET latest_mag = latest_mag + %(by)s::float8, latest_mjd = latest_mjd + 0.01
FROM association
WHERE
    association.survey = object_brightness.survey AND association.object_id = object_brightness.object_id
    AND association.tides_id %% %(share)s::bigint = 0
"""

CHUNK = 20_000
"""Targets that are made as if 4MOST had confirmed them, in one go."""


def main(arguments: list[str] | None = None) -> None:
    """Fill a database of its own with targets that 4MOST knows, change some, and print what finding these takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=300_000)
    parser.add_argument("--changed", type=int, default=100)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user for root
        print(machine())
        measure(Path(folder), chosen.targets, chosen.targets // chosen.changed)


def measure(folder: Path, targets: int, share: int) -> None:
    """Print what each way takes; of every `share` targets one is changed."""
    (recorded := folder / "recorded").mkdir()
    settings = Settings(
        topic="t", groupID="g", selectFunction="f", now="2025-11-21T00:00:00Z",
        broker={"kind": "recorded", "files": [str(recorded)]},
        database={"host": "embedded", "folder": str(folder / "postgresql")},
        targets={"deactivateAfter": timedelta(days=50)},
        fourmost={"surveyID": 5},
    )  # fmt: skip
    with embedded.acquire_server(folder / "postgresql", durable=False), open_database(settings) as database:
        apply_schema(database)
        fill(database, settings, targets)
        print(f"{targets:,} targets that 4MOST knows, {targets // share:,} of them changed")
        took = timed(lambda: prepare_4most_update(database, settings))
        print(f"the first look at all, which is noted        {took:8.2f} s")
        for by, is_noted in ((0.3, False), (-0.3, True)):
            took = timed(lambda by=by, is_noted=is_noted: change(database, share, by, is_noted=is_noted))
            print(f"changing them, {'noted' if is_noted else 'not noted':29} {took:8.2f} s")
            if not is_noted:
                change(database, share, -by, is_noted=False)
        change(database, share, 0.3, is_noted=True)
        found: list[FourmostStage] = []
        whole = timed(lambda: found.append(compare_all(database, settings)))
        print(f"comparing all                                {whole:8.2f} s")
        ways: dict[str, Callable[[], Any]] = {
            "looking at what changed": lambda: found.append(compare_due(database, settings)),
            "tides status": lambda: get_status(database, settings),
            "the watchdog's look": lambda: get_health(database, settings),
            "the stage of an exchange": lambda: found.append(prepare_4most_update(database, settings)),
        }
        for name, way in ways.items():
            took = timed(way)
            print(f"{name:44} {took:8.2f} s {whole / took:8,.0f} x")
        agree(*([(row["tides_id"], row["payload"]["mag"]) for row in stage.changed] for stage in found))
        other = settings.model_copy(update={"fourmost": settings.fourmost.model_copy(update={"epoch": 2016.0})})
        if len(compare_due(database, other).changed) != targets:
            sys.exit("a change of settings was not found for all targets")


def fill(database: Database, settings: Settings, targets: int) -> None:
    """Make targets that 4MOST has confirmed."""
    with database.transaction() as connection:
        for statement in (MAKE_TARGETS, MAKE_OBJECTS, MAKE_BRIGHTNESS):
            connection.exec_driver_sql(statement, {"targets": targets, "angle": GOLDEN_ANGLE})
        new = compare_all(database, settings, connection).new
        for first in range(0, len(new), CHUNK):
            rows = new[first : first + CHUNK]
            known = [{"tides_id": row["tides_id"], "payload": row["payload"]} for row in rows]
            connection.exec_driver_sql(TELL, {"rows": json.dumps(known)})
    with database.without_transaction() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def change(database: Database, share: int, by: float, *, is_noted: bool) -> None:
    """Change the magnitudes of one target in so many, and let the database note it or not."""
    with database.transaction() as connection:
        connection.exec_driver_sql(f"ALTER TABLE object_brightness {'ENABLE' if is_noted else 'DISABLE'} TRIGGER USER")
        connection.exec_driver_sql(CHANGE, {"share": share, "by": by})
        connection.exec_driver_sql("ALTER TABLE object_brightness ENABLE TRIGGER USER")


def compare_all(database: Database, settings: Settings, connection: Any = None) -> FourmostStage:
    """Compare every target with what 4MOST was told."""
    everything = {"tides_ids": None}
    if connection is None:
        with database.transaction() as own:
            return stage_for_4most(run(own, "fourmost/list_targets.sql", everything), settings)
    return stage_for_4most(run(connection, "fourmost/list_targets.sql", everything), settings)


def compare_due(database: Database, settings: Settings) -> FourmostStage:
    """Compare those of which something may have changed."""
    with database.transaction() as connection:
        return stage_for_4most(find_due(connection, settings).rows, settings)


if __name__ == "__main__":
    main(sys.argv[1:])
