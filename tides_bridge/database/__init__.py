"""
PostgreSQL: the only room with statements. What is durable is here.

::

    connection    how to connect, transactions, and the lock of a run
    scripts       runs the statements in ``sql/``, a file each
    schema        the tables, and whether they are up to date
    run_log       when runs began, how they ended, what they counted
    embedded      the server that is on board
    backup        copies of all this, and the way back
"""

from tides_bridge.database.connection import Database, open_database
from tides_bridge.database.schema import apply_schema, check_schema, ensure_schema
from tides_bridge.database.scripts import copy_frame, listed_columns, run

__all__ = [
    "Database",
    "apply_schema",
    "check_schema",
    "copy_frame",
    "ensure_schema",
    "listed_columns",
    "open_database",
    "run",
]
