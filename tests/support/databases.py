"""Settings and questions for tests with a database."""

from pathlib import Path
from typing import Any

from tides_bridge.database import Database, open_database
from tides_bridge.database.connection import RUN_LOCK
from tides_bridge.settings import Settings

LOSE_LOCK = f"""
SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = {RUN_LOCK}
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""Ends the session that holds the lock of the only run, as a lost connection does."""


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


def copy_database(folder: Path, name: str, copy: str) -> None:
    """Make a database like another of a server."""
    # By files: through the log, as PostgreSQL copies otherwise, it takes twice as long.
    _command(folder, f'CREATE DATABASE "{copy}" TEMPLATE "{name}" STRATEGY FILE_COPY')


def drop_database(folder: Path, name: str) -> None:
    """Remove a database, whoever is still connected to it."""
    _command(folder, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _command(folder: Path, statement: str) -> None:
    """Run a statement that may be in no transaction."""
    with open_database(make_settings(folder, "postgres")) as server:
        engine = server._engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
