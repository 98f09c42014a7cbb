"""How long questions about a season of rulings take: each must be answered within 0.2 s."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from benchmarks.measure import GOLDEN_ANGLE, machine
from tides_bridge.database import Database, apply_schema, embedded, open_database, run
from tides_bridge.operations.questions import count_questions, list_questions
from tides_bridge.settings import Settings
from tides_bridge.targets.association import life_limits
from tides_bridge.targets.filters import find_filtered
from tides_bridge.targets.rulings import Ruling, find_subjects, list_rulings, rule

LIMIT_SECONDS = 0.2
"""[s] A person waits so long without noticing."""

MAKE_TARGETS = """
INSERT INTO tides_master (
    name, survey, object_id, ra, decl, first_detection_mjd, last_detection_mjd, n_detections, sherlock_class,
    selection_function, active, inactive_reason
)
SELECT
    'B' || n, 'ztf', 'o' || n, (n * %(angle)s::float8)::numeric %% 360, n %% 110000 / 1000.0 - 80, 60990, 60999, 9,
    'SN', 'f', n %% 20 = 0, CASE WHEN n %% 20 > 0 THEN 'unseen' END
FROM generate_series(1, %(targets)s::bigint) AS n
"""

MAKE_OBJECTS = """
INSERT INTO association (
    survey, object_id, tides_id, match_ra, match_decl, separation_arcsec, how, ra, decl, first_detection_mjd,
    last_detection_mjd, n_detections, passes
)
SELECT survey, object_id, tides_id, ra, decl, 0, 'first', ra, decl, 60990, last_detection_mjd, 9, TRUE FROM tides_master
"""

MAKE_RULINGS = """
INSERT INTO ruling (kind, named, tides_id, tag, reason, who, source, until)
SELECT
    kind, 'B' || n, n, CASE WHEN kind = 'tag' THEN 't' || n %% 50 END, 'r' || n, 'benchmark',
    CASE WHEN kind = 'hold' AND n %% 1000 < 5 THEN '4most' ELSE 'person' END,
    CASE WHEN n %% 3 = 0 THEN timestamptz '2026-01-01' END
FROM generate_series(1, %(rulings)s::bigint) AS n
CROSS JOIN LATERAL (SELECT (ARRAY['veto', 'hold', 'force', 'comment', 'tag'])[1 + n %% 5] AS kind) AS chosen
"""

LAY_RULINGS = """
INSERT INTO ruling_subject (ruling_id, kind, tag, until, tides_id, survey, object_id)
SELECT ruling_id, kind, tag, until, tides_id, NULL, NULL FROM ruling
UNION ALL
SELECT ruling.ruling_id, ruling.kind, ruling.tag, ruling.until, NULL, association.survey, association.object_id
FROM ruling INNER JOIN association ON ruling.tides_id = association.tides_id
"""


def fill(connection: Connection, targets: int, rulings: int) -> None:
    """Make targets of one object each, a twentieth of them active, and rulings of all kinds on the first of them."""
    numbers = {"targets": targets, "rulings": rulings, "angle": GOLDEN_ANGLE}
    for statement in (MAKE_TARGETS, MAKE_OBJECTS, MAKE_RULINGS, LAY_RULINGS):
        connection.exec_driver_sql(statement, numbers)


def questions(database: Database, settings: Settings, targets: int) -> dict[str, Callable[[], Any]]:
    """Give what people and runs ask."""

    def ask(question: Callable[[Connection], Any]) -> Callable[[], Any]:
        def asked() -> Any:
            with database.transaction() as connection:
                return question(connection)

        return asked

    with database.transaction() as connection:
        one = find_subjects(connection, settings, [f"o{targets // 3}"])
        some = find_subjects(connection, settings, [f"B{number}" for number in range(1, 101)])
    life = life_limits(settings)
    return {
        "find a target by an object": ask(lambda c: find_subjects(c, settings, ["o7"])),
        "rulings of a target": lambda: list_rulings(database, settings, one),
        "where tag=t7": ask(lambda c: find_filtered(c, settings, ["tag=t7"])),
        "where state=active": ask(lambda c: find_filtered(c, settings, ["state=active"])),
        "where name=B1234*": ask(lambda c: find_filtered(c, settings, ["name=B1234*"])),
        "where sky": ask(lambda c: find_filtered(c, settings, ["sky=100,-20,3600"])),
        "tides questions": lambda: list_questions(database, settings),
        "count questions": ask(lambda c: count_questions(c, settings)),
        "count states": ask(lambda c: run(c, "operations/count_targets.sql")),
        "rule on one target": lambda: rule(database, settings, Ruling("veto", str(time.monotonic())), one),
        "rule on 100 targets": lambda: rule(database, settings, Ruling("hold", str(time.monotonic())), some),
        "judge 100 targets": ask(
            lambda c: run(c, "targets/judge_targets.sql", {"tides_ids": list(range(1, 101)), **life})
        ),
    }


def main(arguments: list[str] | None = None) -> None:
    """Fill a database of its own, ask each question five times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=300_000)
    parser.add_argument("--rulings", type=int, default=100_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user for root
        slow = measure(Path(folder), chosen.targets, chosen.rulings)
    print(machine())
    if slow:
        sys.exit(f"slower than {LIMIT_SECONDS} s: {', '.join(slow)}")


def measure(folder: Path, targets: int, rulings: int) -> list[str]:
    """Print how long each question takes; give those that take too long."""
    settings = Settings(
        topic="t", groupID="g", lasairToken="x", selectFunction="f", now="2025-11-21T00:00:00Z",
        database={"host": "embedded", "folder": str(folder / "postgresql")},
        targets={"deactivateAfter": timedelta(days=5)},
    )  # fmt: skip
    slow = []
    with embedded.acquire_server(folder / "postgresql", durable=False), open_database(settings) as database:
        apply_schema(database)
        with database.transaction() as connection:
            fill(connection, targets, rulings)
        with database.without_transaction() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        for name, question in questions(database, settings, rulings).items():
            seconds = sorted(timed(question) for _ in range(5))[2]
            print(f"{name:30} {1000 * seconds:7.1f} ms")
            slow += [name] if seconds > LIMIT_SECONDS else []
    return slow


def timed(question: Callable[[], Any]) -> float:
    """Ask once [s]."""
    begun = time.perf_counter()
    question()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
