"""
A Prefect server with its history in PostgreSQL: a file of SQLite is locked, and loses events, when much is written.

Prefect's migrations make indexes by trigrams, for which the PostgreSQL on board lacks the extension ``pg_trgm``. They
only make the search for a part of a name faster: there these statements are left out.
"""

import os
import runpy
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from sqlalchemy import Engine, event

from tides_bridge.database.history import HistoryDatabase, open_history
from tides_bridge.errors import ScriptError
from tides_bridge.settings import Settings
from tides_bridge.settings.prefect import prefect_variable

VARIABLE, OLD_VARIABLE = "SERVER_DATABASE_CONNECTION_URL", "API_DATABASE_CONNECTION_URL"
"""Prefect's variable for the place of its history, and its older name: what a user sets wins."""
NOTHING = "SELECT 1"
"""In place of a statement that is left out."""


def run_server(settings: Settings, name: str, options: Sequence[str]) -> None:
    """
    Be a Prefect server until Ctrl-C or SIGTERM, its history in PostgreSQL.

    Where the database is missing and may not be made, that is told, and the history is in a file.

    Parameters
    ----------
    settings
        Which PostgreSQL.
    name
        Of the database for the history.
    options
        Of ``prefect server start``.

    Raises
    ------
    DatabaseUnavailable
        If PostgreSQL does not answer.
    """
    with ExitStack() as stack:  # the PostgreSQL on board is in use until the end
        if not prefect_variable(VARIABLE) and not prefect_variable(OLD_VARIABLE):
            try:
                _put_in(stack.enter_context(open_history(settings, name)))
            except ScriptError as error:
                remedy = f"createdb --owner {settings.tides_db_user} {name}, then start it again"
                print(f"tides: Prefect keeps its history in a file: {error} ({remedy})", file=sys.stderr, flush=True)
        sys.argv = ["prefect", "server", "start", *options]
        runpy.run_module("prefect", run_name="__main__")


def _put_in(history: HistoryDatabase) -> None:
    """Let Prefect find its database, from its environment: what stands in a command can be seen by all."""
    os.environ[f"PREFECT_{VARIABLE}"] = history.address
    if not history.has_trigrams:
        event.listen(Engine, "before_cursor_execute", without_trigrams, retval=True)


def without_trigrams(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Leave out what makes or drops an index by trigrams, or the extension for them; for SQLAlchemy's engines."""
    is_definition = statement.lstrip()[:6].upper() in {"CREATE", "DROP I", "DROP E"}
    return (NOTHING if is_definition and "trgm" in statement else statement), parameters
