"""A database of its own for the history of a Prefect server, beside that of the bridge."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import URL

from tides_bridge.database.connection import Database, make_database, open_database
from tides_bridge.database.scripts import run
from tides_bridge.settings import Settings

DRIVER = "postgresql+asyncpg"
"""Prefect's server speaks with PostgreSQL by this library alone."""


class HistoryDatabase(NamedTuple):
    """
    A database for a Prefect server.

    Attributes
    ----------
    address
        As Prefect wants it; it may hold a password, so it is not for showing.
    has_trigrams
        Whether the extension ``pg_trgm`` can be had, which Prefect's migrations use.
    """

    address: str
    has_trigrams: bool


@contextmanager
def open_history(settings: Settings, name: str) -> Iterator[HistoryDatabase]:
    """
    Open the database for the history of a Prefect server on the PostgreSQL of the settings, made if it is missing.

    Parameters
    ----------
    settings
        Which PostgreSQL, and who we are there.
    name
        Of the database.

    Raises
    ------
    DatabaseUnavailable
        If the server cannot be started or reached.
    ScriptError
        If the database is missing, and we may not make it.
    """
    if settings.database.host != "embedded":
        with open_database(settings) as bridge:
            make_database(bridge, name)
    with open_database(settings.model_copy(update={"tides_db_database": name})) as database:
        with database.transaction() as connection:
            has_trigrams = run(connection, "database/has_trigrams.sql")[0]["has_trigrams"]
        yield HistoryDatabase(_address(database, name), has_trigrams)


def _address(database: Database, name: str) -> str:
    where = database.for_psql()
    # The folder of a socket cannot stand where the name of a host does.
    place = {"host": where.get("PGHOST", ""), "port": where.get("PGPORT", "5432")}
    url = URL.create(DRIVER, username=where.get("PGUSER"), password=where.get("PGPASSWORD"), database=name, query=place)
    return url.render_as_string(hide_password=False)
