"""The database for the history of a Prefect server: beside that of the bridge, and as Prefect wants to find it."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from flows.up.history import NOTHING, without_trigrams
from tests.support.databases import rows_of
from tides_bridge.database import Database
from tides_bridge.database.history import open_history
from tides_bridge.settings import Settings


async def asked(address: str, statement: str) -> str:
    engine = create_async_engine(address)
    try:
        async with engine.begin() as connection:
            return str((await connection.execute(text(statement))).scalar_one())
    finally:
        await engine.dispose()


def test_prefect_gets_a_database_of_its_own_and_the_bridge_keeps_its(settings: Settings, database: Database) -> None:
    count = "SELECT count(*) AS tables FROM pg_tables WHERE schemaname = 'public'"
    before = rows_of(database, count)
    names = [f"prefect_{uuid4().hex[:12]}" for _ in range(2)]
    for name in names:
        with open_history(settings, name) as history:
            assert asyncio.run(asked(history.address, "SELECT current_database()")) == name
            assert not history.has_trigrams
    with open_history(settings, names[0]) as history:  # a second time it is there
        assert asyncio.run(asked(history.address, "SELECT current_database()")) == names[0]
    assert rows_of(database, count) == before


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE EXTENSION IF NOT EXISTS pg_trgm;",
        "\n  CREATE INDEX CONCURRENTLY trgm_ix_flow_name ON flow USING gin (name gin_trgm_ops);",
        "DROP INDEX IF EXISTS trgm_ix_flow_name",
    ],
)
def test_what_needs_trigrams_is_left_out(statement: str) -> None:
    assert without_trigrams(None, None, statement, (), None, False) == (NOTHING, ())


@pytest.mark.parametrize(
    "statement",
    ["CREATE INDEX ix_flow__tags ON flow USING gin (tags)", "SELECT * FROM log WHERE message = 'trgm'", "DROP TABLE a"],
)
def test_all_else_is_left_as_it_is(statement: str) -> None:
    assert without_trigrams(None, None, statement, ("a",), None, False) == (statement, ("a",))
