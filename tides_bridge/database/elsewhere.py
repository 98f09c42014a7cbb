"""Tables in databases of others, which are only read."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import MetaData, Table, create_engine, inspect, make_url, select
from sqlalchemy.exc import ArgumentError

from tides_bridge.database.connection import Database
from tides_bridge.errors import SettingsError

EXAMPLE = "postgresql://user:password@host/name"  # pragma: allowlist secret
"""An address, as people write it."""

WAIT = 15
"""[s] For an answer of the server."""


def read_tables(address: str, names: Iterable[str], key: str) -> dict[str, list[dict[str, Any]]]:
    """
    Read whole tables, with the columns that they have.

    Parameters
    ----------
    address
        Of the database, as `EXAMPLE`.
    names
        Of the tables, in the schemas that the user looks into by itself.
    key
        The setting with the address, for errors: the address is never shown.

    Returns
    -------
    dict
        The rows of each table that is there.

    Raises
    ------
    SettingsError
        If the address is none.
    DatabaseUnavailable
        If the server is away.
    """
    try:
        url = make_url(address).set(drivername="postgresql+psycopg2")
    except ArgumentError:
        raise SettingsError(key, "", f"is no address of a database: {EXAMPLE}") from None
    engine = create_engine(url, connect_args={"connect_timeout": WAIT}, execution_options={"postgresql_readonly": True})
    try:
        with Database(engine, f"database of {key}").transaction() as connection:
            present = set(inspect(connection).get_table_names())
            tables = [Table(name, MetaData(), autoload_with=connection) for name in names if name in present]
            return {table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in tables}
    finally:
        engine.dispose()
