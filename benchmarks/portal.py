"""How long the portal's services take: cones, and VOTable of all targets, beside the writer of astropy."""

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from astropy.io.votable import from_table, parse_single_table, writeto
from astropy.table import Table

from benchmarks.measure import GOLDEN_ANGLE, machine
from benchmarks.rulings import MAKE_OBJECTS, MAKE_TARGETS
from tides_bridge.database import Database, apply_schema, embedded, open_database
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.vo.queries import QueryReader
from tides_bridge.portal.vo.votable import votable
from tides_bridge.settings import Settings

LIMIT_SECONDS = {"a cone of 1 degree": 0.2, "VOTable of all targets": 10.0}
"""[s] What issue 19 demands."""

CONE = "SELECT * FROM vo.targets WHERE 1 = CONTAINS(POINT(ra, decl), CIRCLE(100, -20, 1))"
ALL = "SELECT * FROM vo.targets"


def main(arguments: list[str] | None = None) -> None:
    """Fill a database of its own, and print what each takes, and how often longer astropy's writer does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=300_000)
    parser.add_argument("--written", type=int, default=10_000, help="rows that astropy writes, and we beside it")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tides-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL runs as another user for root
        settings = Settings(
            topic="t", groupID="g", lasairToken="x", selectFunction="f",
            database={"host": "embedded", "folder": str(folder / "postgresql")},
        )  # fmt: skip
        with embedded.acquire_server(folder / "postgresql", durable=False), open_database(settings) as database:
            fill(database, chosen.targets)
            ask(settings, chosen.targets, chosen.written)
    print(machine())


def fill(database: Database, targets: int) -> None:
    """Make targets of one object each, all over the sky."""
    apply_schema(database)
    with database.transaction() as connection:
        for statement in (MAKE_TARGETS, MAKE_OBJECTS):
            connection.exec_driver_sql(statement, {"targets": targets, "angle": GOLDEN_ANGLE})
    with database.without_transaction() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def ask(settings: Settings, targets: int, written: int) -> None:
    """Print how long each question takes."""
    kept = KeptDatabase(settings)
    reader = QueryReader(kept)
    try:
        for name, query in {"a cone of 1 degree": CONE, "VOTable of all targets": ALL}.items():
            seconds = sorted(timed(lambda query=query: answered(reader, query, targets)) for _ in range(3))[1]
            late = "" if seconds <= LIMIT_SECONDS[name] else f", and may take {LIMIT_SECONDS[name]} s"
            print(f"{name:30} {seconds:8.3f} s{late}")
        table = parse_single_table(io.BytesIO(answered(reader, ALL, written))).to_table()
        ours, theirs = timed(lambda: answered(reader, ALL, written)), timed(lambda: by_astropy(table))
        print(
            f"{len(table)} rows: {ours:.2f} s; astropy's writer alone {theirs:.2f} s, {theirs / ours:.1f} times as long"
        )
    finally:
        kept.close()


def answered(reader: QueryReader, query: str, most: int) -> bytes:
    """Give an answer as a VOTable, as the portal sends it."""
    with reader.answer(reader.translated(query), most) as answer:
        return b"".join(votable(answer))


def by_astropy(table: Table) -> bytes:
    """Write a table by astropy."""
    content = io.BytesIO()
    writeto(from_table(table), content, tabledata_format="binary2")
    return content.getvalue()


def timed(question: Callable[[], bytes]) -> float:
    """Ask once [s]."""
    begun = time.perf_counter()
    question()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
