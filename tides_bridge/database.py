"""
PostgreSQL: connections, the scripts in ``sql/``, and the schema. Every statement is in a file there.

All errors of SQLAlchemy and psycopg2 leave as ours: DatabaseUnavailable (try again later) or ScriptError (never works).
"""

import contextlib
import hashlib
import io
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tides_bridge import embedded, failpoints
from tides_bridge.errors import DatabaseUnavailable, ScriptError
from tides_bridge.resources import shipped
from tides_bridge.settings import Settings

if TYPE_CHECKING:
    from pandas import DataFrame

logger = logging.getLogger(__name__)

OLDEST_SERVER = 150000
"""PostgreSQL 15: the oldest that D3.3.4 ran on and that the tests know."""

RUN_LOCK = 0x71DE5
"""Key of the advisory lock that a run holds."""

LOCK_SECONDS = 1.0
"""[s] Between two looks at the lock of another run."""


class Database:
    """
    A database, opened by `open_database`.

    Parameters
    ----------
    engine
        How to connect.
    name
        What to call it in messages.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self.name = engine, name

    def for_psql(self) -> dict[str, str]:
        """Give the environment variables that lead psql here; with the password, so not for showing."""
        url = self._engine.url
        names = {"PGHOST": url.host or url.query.get("host"), "PGPORT": url.port, "PGDATABASE": url.database}
        names |= {"PGUSER": url.username or url.query.get("user"), "PGPASSWORD": url.password}
        return {name: str(value) for name, value in names.items() if value is not None}

    @contextlib.contextmanager
    def transaction(self, name: str = "") -> Iterator[Connection]:
        """
        Open a transaction: all of it happens, or nothing.

        Parameters
        ----------
        name
            Of its fail points, which lie around the commit; one that only reads has none.

        Raises
        ------
        DatabaseUnavailable
            If the server is away or goes away.
        ScriptError
            If a statement is refused.
        """
        with self._translated():
            with self._engine.begin() as connection:
                yield connection
                failpoints.reach(f"{name}.before")
            failpoints.reach(f"{name}.after")

    @contextlib.contextmanager
    def without_transaction(self) -> Iterator[Connection]:
        """Open a connection for statements that no transaction can hold: to make a database, or to drop one."""
        with self._translated(), self._engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def only_run(self, patience: float = 0) -> Iterator[bool]:
        """
        Tell whether this is the only run on the database, and stay it: a killed one frees its place by itself.

        Parameters
        ----------
        patience
            [s] How long to wait for another one to end.
        """
        end = time.monotonic() + patience
        with self._translated(), self._engine.connect() as connection:
            while not (taken := _take_lock(connection)) and time.monotonic() < end:
                time.sleep(LOCK_SECONDS)
            try:
                yield taken
            finally:
                connection.invalidate()  # the session ends, and the lock with it

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, psycopg2.Error) as error:  # the latter from COPY
            cause = getattr(error, "orig", None) or error
            lines = str(cause).strip().splitlines() or [type(cause).__name__]
            is_away = isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError) or (
                isinstance(error, DBAPIError) and error.connection_invalidated
            )
            too_large = str(getattr(cause, "pgcode", None) or "").startswith("54")  # a limit of the program, for ever
            if is_away and not too_large:
                raise DatabaseUnavailable(self.name, lines[0], "is database.host right, and the server up?") from error
            raise ScriptError(self.name, " ".join(lines)) from error


def _take_lock(connection: Connection) -> bool:
    taken = run(connection, "monitor/take_run_lock.sql", {"key": RUN_LOCK})[0]["taken"]
    connection.commit()  # the lock is the session's; an open transaction would only be in the way
    return bool(taken)


@contextlib.contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """
    Open the database of the settings; the embedded one is started, and stopped after its last user.

    Raises
    ------
    DatabaseUnavailable
        If it cannot be started or reached.
    """
    with contextlib.ExitStack() as stack:
        if settings.database.host == "embedded":
            server = stack.enter_context(embedded.acquire(settings.database.folder))
            name = f"embedded database in {server.folder}"
            url = URL.create("postgresql+psycopg2", query={key: str(value) for key, value in server.connection.items()})
            _make_database(url, name, settings.tides_db_database)
            url = url.set(database=settings.tides_db_database)
        else:
            name = f"database {settings.tides_db_database} on {settings.database.host}:{settings.database.port}"
            password = settings.tides_db_pass
            url = URL.create(
                "postgresql+psycopg2",
                username=settings.tides_db_user,
                password=password.get_secret_value() if password else None,
                host=settings.database.host,
                port=settings.database.port,
                database=settings.tides_db_database,
            )
        engine = _engine(url)
        stack.callback(engine.dispose)
        yield Database(engine, name)


def _engine(url: URL) -> Engine:
    """Make connections that give up after 10 s, speak UTC, and notice a server that came back."""
    arguments = {"connect_timeout": 10, "options": "-c timezone=UTC", "application_name": "tides-bridge"}
    return create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_size=2)


def _make_database(url: URL, name: str, database: str) -> None:
    """Make the database inside the embedded server if it is not there yet."""
    engine = _engine(url.set(database="postgres"))
    try:
        make_database(Database(engine, name), database)
    finally:
        engine.dispose()


def make_database(server: Database, name: str) -> None:
    """Make an empty database on a server if it is not there yet."""
    with server.without_transaction() as connection:
        if not run(connection, "monitor/find_database.sql", {"name": name}):
            statement = run(connection, "schema/make_database.sql", {"name": name})[0]["statement"]
            connection.exec_driver_sql(statement)


@cache
def script(name: str) -> str:
    """Read a script, named from the ``sql`` folder on, such as ``ingest/upsert_to_master.sql``."""
    return (shipped("sql") / name).read_text(encoding="utf-8")


def run(
    connection: Connection, name: str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """
    Run a script with bound parameters.

    Parameters
    ----------
    connection
        From `Database.transaction`.
    name
        Of the file, from the ``sql`` folder on.
    parameters
        Values of its parameters; a list runs it once for each.

    Returns
    -------
    list of dict
        The rows it returns, if any.
    """
    if isinstance(parameters, Sequence) and not parameters:
        return []
    result = connection.exec_driver_sql(script(name), parameters)
    return [dict(row) for row in result.mappings()] if result.returns_rows else []


def copy_frame(connection: Connection, name: str, frame: "DataFrame") -> None:
    """Load a frame through a COPY script that lists the same columns in the same order; NaN and None become NULL."""
    text = io.StringIO()
    frame.to_csv(text, index=False, header=False)
    text.seek(0)
    driver_connection: Any = connection.connection.driver_connection
    with driver_connection.cursor() as cursor:
        cursor.copy_expert(script(name), text)


def listed_columns(name: str) -> list[str]:
    """Read the columns of a COPY script, so that they are listed once."""
    listed = script(name).partition("(")[2].partition(")")[0]
    return [column.strip() for column in listed.split(",")]


# The schema


def schema_files() -> list[Path]:
    """List the numbered schema files in their order."""
    return sorted((shipped("sql") / "schema").glob("[0-9][0-9][0-9]_*.sql"))


def apply_schema(database: Database) -> list[str]:
    """
    Bring the tables up to date.

    Returns
    -------
    list of str
        The files that were applied now.

    Raises
    ------
    ScriptError
        If a file was changed after it was applied, or the database is newer than this bridge.
    """
    with database.transaction("schema") as connection:
        run(connection, "schema/make_schema_version.sql")
        pending = _pending(database, connection)
        for file in pending:
            connection.exec_driver_sql(file.read_text(encoding="utf-8"))
            run(connection, "schema/store_version.sql", {"name": file.name, "checksum": _checksum(file)})
            logger.info("schema file applied name=%s", file.name)
    return [file.name for file in pending]


def check_schema(database: Database) -> list[str]:
    """
    List the schema files that are still to be applied.

    Raises
    ------
    ScriptError
        If the server is too old, or as `apply_schema` does.
    """
    with database.transaction() as connection:
        version = run(connection, "monitor/server_version.sql")[0]["version"]
        if version < OLDEST_SERVER:
            raise ScriptError(database.name, f"PostgreSQL {version // 10000} is too old: 15 is needed at least")
        if not run(connection, "monitor/has_schema.sql")[0]["has_schema"]:
            return [file.name for file in schema_files()]
        return [file.name for file in _pending(database, connection)]


def ensure_schema(database: Database, *, is_ours: bool) -> None:
    """
    Make sure that the tables are up to date.

    Parameters
    ----------
    database
        To look at.
    is_ours
        Whether the tables may be made or changed here: so in the embedded database. On a server a person does it.

    Raises
    ------
    ScriptError
        If they are not, and it is for a person to do.
    """
    pending = check_schema(database)
    if pending and not is_ours:
        raise ScriptError(database.name, f"{', '.join(pending)} must be applied first: tides schema")
    if pending:
        apply_schema(database)


def _pending(database: Database, connection: Connection) -> list[Path]:
    """Compare the files with what was applied."""
    applied = {row["name"]: row["checksum"] for row in run(connection, "schema/list_versions.sql")}
    files = {file.name: file for file in schema_files()}
    for name, checksum in applied.items():
        if name not in files:
            raise ScriptError(database.name, f"has {name}, which this bridge does not know: install the newer bridge")
        if _checksum(files[name]) != checksum:
            raise ScriptError(f"sql/schema/{name}", "was changed after it was applied: restore it, and add a new file")
    return [file for name, file in files.items() if name not in applied]


def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
