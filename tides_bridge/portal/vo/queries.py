"""
Queries carried out: in a transaction that only reads, within limits, and row by row.

A named cursor of PostgreSQL gives some thousand rows at a time, so that an answer of any length needs the same memory.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg2
from psycopg2.extensions import new_type, register_type
from sqlalchemy import Connection

from tides_bridge.database import run
from tides_bridge.errors import DatabaseUnavailable
from tides_bridge.operations.remembered import KeptDatabase
from tides_bridge.portal.vo.adql import query_error, sql_of

CHUNK: Final = 5_000
"""Rows that are fetched at a time."""

SYNC_SECONDS: Final = 60.0
"""[s] A query whose answer is waited for may take so long; less than a connection may, see `portal.serving`."""

IDLE_SECONDS: Final = 60
"""[s] Who reads an answer may pause for so long."""

AT_ONCE: Final = 4
"""Queries that are answered at the same time: each has a connection to the database."""

PATIENCE_SECONDS: Final = 20.0
"""[s] So long a query waits for one of these."""

TYPES: Final = {16: "boolean", 20: "long", 21: "short", 23: "int", 700: "float", 701: "double", 1700: "double"}
"""Of VOTable, by the number of the type in PostgreSQL; all others are text."""

TIMES: Final = (1082, 1114, 1184)
"""Numbers of the types date, timestamp and timestamptz."""

_AS_TEXT = new_type(TIMES, "TIME", lambda value, cursor: value)
_AS_FLOAT = new_type((1700,), "NUMERIC", lambda value, cursor: None if value is None else float(value))


Row = tuple[Any, ...]
Cancel = Callable[[], None]


@dataclass(frozen=True)
class AnswerColumn:
    """
    A column of an answer, as a VOTable describes it.

    Parameters
    ----------
    name
        Of the column.
    datatype
        As in VOTable.
    arraysize, xtype, unit, ucd, description
        As there; empty if there is none.
    """

    name: str
    datatype: str = "unicodeChar"
    arraysize: str = ""
    xtype: str = ""
    unit: str = ""
    ucd: str = ""
    description: str = ""


@dataclass
class QueryAnswer:
    """
    What a query gives: its columns, and its rows while they are read.

    Parameters
    ----------
    columns
        Of each row.
    chunks
        Rows, some thousand at a time.
    is_overflowing
        Whether there were more rows than wanted; known once all were read.
    problem
        Why it ended too early; known once all were read, empty if it did not.
    """

    columns: Sequence[AnswerColumn]
    chunks: Iterator[list[Row]] = field(default_factory=lambda: iter(()))
    is_overflowing: bool = False
    problem: str = ""


class QueryReader:
    """
    Carries out queries.

    Parameters
    ----------
    database
        May be away, and come back.
    """

    def __init__(self, database: KeptDatabase) -> None:
        self._database = database
        self._documented: list[dict[str, Any]] = []
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def documented(self) -> list[dict[str, Any]]:
        """List the columns of the documented views; asked once, as only a new version has others."""
        if not self._documented:
            self._documented = self.listed("portal/list_documented.sql")
        return self._documented

    def listed(self, script: str) -> list[dict[str, Any]]:
        """Run a script that only reads."""
        with self._database.opened() as database, database.transaction() as connection:
            return run(connection, script)

    def is_reader(self) -> bool:
        """Tell whether queries run as a role that can only read the documented views."""
        with self._database.opened() as database, database.transaction() as connection:
            return _begin(connection, SYNC_SECONDS)

    def translated(self, query: str) -> str:
        """Translate a query, see `sql_of`."""
        columns: dict[str, set[str]] = {}
        for row in self.documented():
            columns.setdefault(row["table_name"], set()).add(row["column_name"])
        return sql_of(query, columns)

    @contextlib.contextmanager
    def answer(
        self, sql: str, most: int, seconds: float = SYNC_SECONDS, begun: Callable[[Cancel], None] = lambda cancel: None
    ) -> Iterator[QueryAnswer]:
        """
        Carry out a query.

        Parameters
        ----------
        sql
            From `translated`.
        most
            Rows that are wanted; of more the answer says that there are.
        seconds
            [s] It may take so long, reading included.
        begun
            Called with what ends the query from another thread.

        Raises
        ------
        RejectedError
            If PostgreSQL refuses it, or it takes too long.
        DatabaseUnavailable
            If the database is away, or too many ask.
        """
        if not self._places.acquire(timeout=PATIENCE_SECONDS):
            raise DatabaseUnavailable("queries", f"{AT_ONCE} are being answered", "ask again in a minute")
        try:
            with self._database.opened() as database, database.transaction() as connection:
                _begin(connection, seconds)
                driver: Any = connection.connection.driver_connection
                begun(driver.cancel)
                with driver.cursor(name="answer") as cursor:
                    yield self._asked(cursor, sql, most, seconds)
        except _EndedQuery as error:
            raise query_error(str(error)) from None
        finally:
            self._places.release()

    def _asked(self, cursor: Any, sql: str, most: int, seconds: float) -> QueryAnswer:
        end = time.monotonic() + seconds
        for kind in (_AS_TEXT, _AS_FLOAT):
            register_type(kind, cursor)
        with _ending(seconds):
            cursor.execute(sql)
            first = cursor.fetchmany(min(CHUNK, most + 1))
        known = {(row["oid"], row["column_index"]): row for row in self.documented()}
        columns = [_column(found, known.get((found.table_oid, found.table_column))) for found in cursor.description]
        answer = QueryAnswer(columns)
        answer.chunks = _chunks(answer, cursor, first, most, (end, seconds))
        return answer


class _EndedQuery(Exception):
    """PostgreSQL refused or ended a query: an error of who asked, at which no connection is closed."""


@contextlib.contextmanager
def _ending(seconds: float) -> Iterator[None]:
    """Tell what PostgreSQL has against a query from its being away, which is an error of ours."""
    try:
        yield
    except psycopg2.Error as error:
        code = error.pgcode or ""
        if code == "57014":
            raise _EndedQuery(f"was ended: it may take {seconds:.0f} s; ask for less, or in async mode") from None
        if code[:2] in ("", "08", "53", "57", "58"):
            raise
        raise _EndedQuery(error.diag.message_primary or "PostgreSQL refuses it") from None


def _begin(connection: Connection, seconds: float) -> bool:
    limits = {"milliseconds": int(seconds * 1000), "idle": IDLE_SECONDS * 1000}
    return bool(run(connection, "portal/begin_reading.sql", limits)[0]["is_reader"])


def _chunks(
    answer: QueryAnswer, cursor: Any, first: list[Row], most: int, limit: tuple[float, float]
) -> Iterator[list[Row]]:
    """Give rows up to the most that are wanted; what ends them too early is said in the answer."""
    rows, left, (end, seconds) = first, most, limit
    while rows:
        answer.is_overflowing = len(rows) > left
        yield rows[:left]
        left -= len(rows)
        if left < 0:
            return
        if time.monotonic() > end:
            answer.problem = f"was ended: it may take {seconds:.0f} s; ask for less, or in async mode"
            return
        try:
            with _ending(seconds):
                rows = cursor.fetchmany(min(CHUNK, left + 1))
        except _EndedQuery as error:
            answer.problem = str(error)
            return


def _column(found: Any, documented: Mapping[str, Any] | None) -> AnswerColumn:
    """Describe a column: as its view does, if it is one of a view as it is."""
    datatype = TYPES.get(found.type_code)
    if documented is None:
        is_time = found.type_code in TIMES
        return AnswerColumn(found.name, datatype or ("char" if is_time else "unicodeChar"), "" if datatype else "*",
                      "timestamp" if is_time else "")  # fmt: skip
    described = {key: documented[key] or "" for key in ("arraysize", "xtype", "unit", "ucd", "description")}
    return AnswerColumn(found.name, datatype or documented["datatype"], **described)
