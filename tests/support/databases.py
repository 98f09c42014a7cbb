"""Settings and questions for tests with a database."""

from pathlib import Path
from typing import Any

from tides_bridge.database import Database
from tides_bridge.settings import Settings


def make_settings(folder: Path, name: str) -> Settings:
    """Settings as a file with only the needed keys would give them."""
    return Settings(
        topic="lasair_tides",
        groupID="test",
        lasairToken="test-token",
        selectFunction="tidesSNZTFSelect",
        tidesDBdatabase=name,
        database={"host": "embedded", "folder": str(folder)},
    )


def rows_of(database: Database, statement: str) -> list[dict[str, Any]]:
    """Ask the database something in a test."""
    with database.transaction() as connection:
        return [dict(row) for row in connection.exec_driver_sql(statement).mappings()]
