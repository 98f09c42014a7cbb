"""The tables: numbered files in ``sql/schema``, each applied once and never changed."""

import hashlib
import logging
from pathlib import Path

from sqlalchemy import Connection

from tides_bridge.database.connection import Database
from tides_bridge.database.scripts import run
from tides_bridge.errors import ScriptError
from tides_bridge.resources import shipped

logger = logging.getLogger(__name__)

OLDEST_SERVER = 150000
"""PostgreSQL 15: the oldest that D3.3.4 ran on and that the tests know."""


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
        version = run(connection, "database/server_version.sql")[0]["version"]
        if version < OLDEST_SERVER:
            raise ScriptError(database.name, f"PostgreSQL {version // 10000} is too old: 15 is needed at least")
        if not run(connection, "database/has_schema.sql")[0]["has_schema"]:
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
        has_none = len(pending) == len(schema_files())
        problem = "it has no tables yet" if has_none else f"{', '.join(pending)} must be applied first"
        raise ScriptError(database.name, f"{problem}: tides schema")
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
