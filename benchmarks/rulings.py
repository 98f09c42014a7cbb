"""How long questions about a season of rulings and annotations take: each must be answered within 0.2 s."""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from benchmarks.measure import GOLDEN_ANGLE, machine
from tides_bridge.database import Database, apply_schema, embedded, open_database, run
from tides_bridge.decisions.history import why
from tides_bridge.operations.questions import count_questions, list_questions
from tides_bridge.settings import Settings
from tides_bridge.targets.association import life_limits
from tides_bridge.targets.filters import find_filtered
from tides_bridge.targets.listed import settle_list
from tides_bridge.targets.rulings import Ruling, find_subjects, list_rulings, rule
from tides_bridge.targets.tns_rulings import rule_by_tns

LIMIT_SECONDS = 0.2
"""[s] A person waits so long without noticing."""

FILTERED = (
    "tag=t7", "state=active", "state=veto,hold", "class=NT", "function=f7", "name=B1234*", "name=*4321",
    "refused=outside", "sky=100,-20,3600", "sky=100,-20,36000", "seen>=2025-11-21", "new>=2040-01-01",
)  # fmt: skip
"""Conditions of ``--where``; what takes nearly all targets is left out: it takes as long as they are many."""

MAKE_TARGETS = """
INSERT INTO tides_master (
    name, survey, object_id, ra, decl, first_detection_mjd, last_detection_mjd, n_detections, sherlock_class,
    selection_function, active, inactive_reason, refused_4most, pk_4most
)
SELECT
    'B' || n, 'ztf', 'o' || n, (n * %(angle)s::float8)::numeric %% 360, n %% 110000 / 1000.0 - 80, 60990, 60999, 9,
    CASE WHEN n %% 100 = 0 THEN 'NT' ELSE 'SN' END, 'f' || n %% 50, n %% 20 = 0,
    CASE WHEN n %% 20 > 0 THEN 'unseen' END,
    CASE WHEN n %% 1000 = 1 THEN 'mag: ' || n || ' is outside of 10 to 23' END, CASE WHEN n %% 2 = 0 THEN n END
FROM generate_series(1, %(targets)s::bigint) AS n
"""

MAKE_OBJECTS = """
INSERT INTO association (
    survey, object_id, tides_id, match_ra, match_decl, separation_arcsec, how, ra, decl, first_detection_mjd,
    last_detection_mjd, n_detections, passes, scatter_arcsec
)
SELECT
    survey, object_id, tides_id, ra, decl, 0, 'first', ra, decl, 60990, last_detection_mjd, 9, TRUE,
    CASE WHEN tides_id %% 3000 = 0 THEN 2.5 ELSE 0.1 END
FROM tides_master
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


MAKE_ANNOTATIONS = """
INSERT INTO annotation (survey, object_id, name, number, word, version, broker, mjd)
SELECT
    'ztf', 'o' || 1 + n %% %(targets)s::bigint, name, CASE WHEN name <> 'tns.type' THEN n / 1e6 END,
    CASE WHEN name = 'tns.type' THEN (ARRAY['SN Ia', 'SN II', 'CV'])[1 + n %% 3] END, '1', 'fink', 60990 + n / 1e5
FROM generate_series(1, %(annotations)s::bigint) AS n
CROSS JOIN LATERAL (
    SELECT CASE WHEN n %% 100 = 0 THEN 'tns.type' ELSE 'fink.score' || n %% 7 END AS name
) AS chosen
"""

MAKE_TNS = """
INSERT INTO tns_object (tns_object_id, name, ra, decl, object_type, internal_names)
SELECT
    n, 'AT 2025' || translate(n::text, '0123456789', 'abcdefghij'), ra, decl,
    CASE WHEN n %% 20 = 0 THEN 'SN Ia' WHEN n %% 100 = 1 THEN 'CV' END,
    ARRAY['ATLAS' || n, 'o' || n]
FROM generate_series(1, %(targets)s::bigint / 2) AS n
INNER JOIN tides_master ON tides_master.tides_id = n
"""


def fill(connection: Connection, targets: int, rulings: int, annotations: int) -> None:
    """Make targets of one object each, a twentieth of them active, rulings of all kinds, annotations, and the TNS."""
    numbers = {"targets": targets, "rulings": rulings, "annotations": annotations, "angle": GOLDEN_ANGLE}
    for statement in (MAKE_TARGETS, MAKE_OBJECTS, MAKE_RULINGS, LAY_RULINGS, MAKE_ANNOTATIONS, MAKE_TNS):
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
        "find a target by the TNS": ask(lambda c: find_subjects(c, settings, ["AT 2025bcd"])),
        "why, of a target": lambda: why(database, f"B{targets // 3}"),
        **{f"where {words}": ask(partial(find_filtered, settings=settings, conditions=[words])) for words in FILTERED},
        "tides questions": lambda: list_questions(database, settings),
        "count questions": ask(lambda c: count_questions(c, settings)),
        "ask the TNS (each run)": ask(lambda c: rule_by_tns(c, settings)),
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
    parser.add_argument("--annotations", type=int, default=1_000_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user for root
        slow = measure(Path(folder), chosen.targets, chosen.rulings, chosen.annotations)
    print(machine())
    if slow:
        print(f"slower than {LIMIT_SECONDS} s: {', '.join(slow)}")


def measure(folder: Path, targets: int, rulings: int, annotations: int) -> list[str]:
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
            fill(connection, targets, rulings, annotations)
        with database.without_transaction() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        settle_list(database, settings)  # as each run does
        with database.without_transaction() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE listed_target")
        for name, question in questions(database, settings, rulings).items():
            seconds = sorted(timed(question) for _ in range(5))[2]
            print(f"{name:30} {1000 * seconds:7.1f} ms")
            slow += [name] if seconds > LIMIT_SECONDS and "each run" not in name else []
    return slow


def timed(question: Callable[[], Any]) -> float:
    """Ask once [s]."""
    begun = time.perf_counter()
    question()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
