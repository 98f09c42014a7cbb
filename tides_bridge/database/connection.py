"""
Connections to PostgreSQL, and the lock of a run.

All errors of SQLAlchemy and psycopg2 leave as ours: DatabaseUnavailable (try again later) or ScriptError (never works).
"""

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tides_bridge import failpoints
from tides_bridge.database import embedded
from tides_bridge.database.scripts import run
from tides_bridge.errors import DatabaseUnavailable, RunOvertaken, ScriptError
from tides_bridge.settings import Settings

logger = logging.getLogger(__name__)

RUN_LOCK = 0x71DE5
"""Key of the advisory lock that a run holds."""

EPOCH_LOCK = 0x71DE6
"""Key of the advisory lock that every transaction of a run shares, so that no other run begins beside it."""

KEEPALIVES = {"idle": 60, "interval": 10, "count": 6}
"""[s, s, 1] Of an idle connection: after so long the other side is asked, so often, so many times."""

TOM_LOCK = 0x71DE8
"""Key of the advisory lock of who writes to the survey's TOM; 0x71DE7 is that of the listed targets (schema 034)."""

FREED_SECONDS = 3.0
"""[s] The server sees a moment later that a session has ended, and frees its lock then."""

LOCK_SECONDS = 1.0
"""[s] Between two looks at a lock that somebody else has, at most."""


@dataclass
class _Hold:
    """
    What makes a run the only one.

    The lock alone does not: it goes with its session, and nobody hears of it. So each run that takes it begins an
    epoch, and every transaction of a run looks whether its epoch is still the newest.
    """

    session: Connection
    epoch: int | None = None
    since: float = field(default_factory=time.monotonic)


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

    is_rehearsal: ClassVar[bool] = False
    """Whether nothing of what happens in it stays."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self.name = engine, name
        self._hold: _Hold | None = None

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
        RunOvertaken
            If this is in `only_run`, and another run has begun since.
        """
        try:
            with self._translated():
                with self._engine.begin() as connection:
                    self._prove(connection)
                    yield connection
                    # Here all is written and nothing is committed.
                    failpoints.reach(f"{name}.before")
                # Here it is committed, and we have not acted upon it.
                failpoints.reach(f"{name}.after")
        except DatabaseUnavailable:
            # It may be another run that has ended our transaction: it is that which is to be told.
            with contextlib.suppress(DatabaseUnavailable), self._translated(), self._engine.begin() as connection:
                self._prove(connection)
            raise

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
        with self._translated(), self._engine.connect() as connection:
            # The lock is the session's, which nothing else uses: the server frees it however this process ends.
            taken = _take_lock(connection, patience=patience)
            try:
                if taken:
                    self._hold = _Hold(connection)
                    self._begin_epoch(self._hold)
                yield taken
            finally:
                if taken:
                    self._hold = None
                connection.invalidate()  # the session ends, and the lock with it

    @contextlib.contextmanager
    def only_sync(self) -> Iterator[bool]:
        """Tell whether nobody else writes to the TOM, and stay the only one; a run may be at work meanwhile."""
        with self._translated(), self._engine.connect() as session:
            try:
                yield _take_lock(session, TOM_LOCK, FREED_SECONDS)
            finally:
                session.invalidate()  # and the lock goes with it

    @contextlib.contextmanager
    def rehearsal(self) -> Iterator["Rehearsal | None"]:
        """
        Give a database that is like this one, and of which nothing stays; None while a run is at work.

        No run begins meanwhile, and who rules on targets waits.
        """
        with self._translated(), self._engine.connect() as session:
            try:
                if not _take_lock(session):
                    yield None
                    return
                with session.begin() as whole:
                    yield Rehearsal(self._engine, self.name, session)
                    whole.rollback()
            finally:
                session.invalidate()  # an error has rolled back, too; and the lock goes with the session

    def prove_run(self) -> None:
        """
        See that this is still the only run, before something is changed elsewhere.

        Raises
        ------
        RunOvertaken
            If another run has begun since `only_run`.
        DatabaseUnavailable
            If nobody can tell.
        """
        with self.transaction():
            pass

    def newest_epoch(self) -> int | None:
        """Give the number of the newest run; None before the tables are up to date."""
        with self.transaction() as connection:
            if not run(connection, "database/has_epoch.sql")[0]["has_epoch"]:
                return None
            return _newest_epoch(connection)

    def wait_for_others(self, seconds: float) -> None:
        """
        Wait until what a run before this one asked elsewhere must have ended: it began before this run did.

        Parameters
        ----------
        seconds
            [s] How long that may take.
        """
        wait = seconds - (time.monotonic() - self._hold.since) if self._hold else 0.0
        if wait > 0:
            logger.info("what an earlier run asked may still be under way: it is waited for, seconds=%.0f", wait)
            time.sleep(wait)

    def _begin_epoch(self, hold: _Hold) -> None:
        """Give this run its number, on the session that has the lock; without the tables, for now, there is none."""
        with hold.session.begin():
            if run(hold.session, "database/has_epoch.sql")[0]["has_epoch"]:
                hold.epoch = run(hold.session, "database/begin_epoch.sql", {"key": EPOCH_LOCK})[0]["epoch"]
                hold.since = time.monotonic()

    def _prove(self, connection: Connection) -> None:
        """Raise if a transaction is that of a run that another one has overtaken."""
        hold = self._hold
        if hold is None:
            return
        if hold.epoch is None:
            self._begin_epoch(hold)
        if hold.epoch is not None and _newest_epoch(connection) != hold.epoch:
            raise RunOvertaken(self.name)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, psycopg2.Error) as error:  # the latter from COPY
            cause = getattr(error, "orig", None) or error
            lines = str(cause).strip().splitlines() or [type(cause).__name__]
            # A server that is away may be back for the next try; any other failure would be the same for ever.
            is_away = isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError) or (
                isinstance(error, DBAPIError) and error.connection_invalidated
            )
            too_large = str(getattr(cause, "pgcode", None) or "").startswith("54")  # a limit of the program, for ever
            if is_away and not too_large:
                raise DatabaseUnavailable(self.name, lines[0], "is database.host right, and the server up?") from error
            raise ScriptError(self.name, " ".join(lines)) from error


class Rehearsal(Database):
    """
    A database of which nothing stays, of `Database.rehearsal`: each transaction is a savepoint of one that is undone.

    Parameters
    ----------
    engine, name
        As of the database itself.
    session
        In a transaction that nobody commits. No two threads may be in a transaction at a time.
    """

    is_rehearsal = True

    def __init__(self, engine: Engine, name: str, session: Connection) -> None:
        super().__init__(engine, name)
        self._session = session

    @contextlib.contextmanager
    def transaction(self, name: str = "") -> Iterator[Connection]:
        """
        Open what stands for a transaction: all of it happens for those after it, or nothing.

        Parameters
        ----------
        name
            Of a transaction; there are no fail points, as nothing is committed.

        Raises
        ------
        DatabaseUnavailable, ScriptError
            As in a database.
        """
        with self._translated(), self._session.begin_nested():
            yield self._session
            run(self._session, "database/drop_temporary.sql")  # they end with a transaction, not with a savepoint


def _newest_epoch(connection: Connection) -> int:
    """Give the number of the newest run, which stays that to the end of the transaction."""
    return int(run(connection, "database/prove_epoch.sql", {"key": EPOCH_LOCK})[0]["epoch"])


def _take_lock(connection: Connection, key: int = RUN_LOCK, patience: float = 0) -> bool:
    """Take an advisory lock for a session, looking for so long [s] whether whoever has it lets it go."""
    end = time.monotonic() + patience
    while True:
        taken = bool(run(connection, "database/take_run_lock.sql", {"key": key})[0]["taken"])
        connection.commit()  # the lock is the session's; an open transaction would only be in the way
        if taken or time.monotonic() >= end:
            return taken
        time.sleep(min(LOCK_SECONDS, patience / 20))


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
            server = stack.enter_context(embedded.acquire_server(settings.database.folder))
            name = f"embedded database in {server.folder}"
            url = URL.create("postgresql+psycopg2", query={key: str(value) for key, value in server.connection.items()})
            engine = _engine(url.set(database="postgres"))
            try:
                make_database(Database(engine, name), settings.tides_db_database)
            finally:
                engine.dispose()
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
    """
    Make connections that give up after 10 s, speak UTC, and notice a server that came back.

    The session with the lock is idle for hours: neither side may end it for that, and each notices within minutes when
    the other one is gone. What is read after a lock was waited for must be as of then: READ COMMITTED.
    """
    options = {"timezone": "UTC", "idle_session_timeout": 0} | {
        f"tcp_keepalives_{name}": value for name, value in KEEPALIVES.items()
    }
    arguments = {"connect_timeout": 10, "application_name": "tides-bridge", "keepalives": 1}
    arguments |= {f"keepalives_{name}": value for name, value in KEEPALIVES.items()}
    arguments["options"] = " ".join(f"-c {name}={value}" for name, value in options.items())
    return create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_size=2, isolation_level="READ COMMITTED")


def make_database(server: Database, name: str) -> None:
    """Make an empty database on a server if it is not there yet."""
    with server.without_transaction() as connection:
        if not run(connection, "database/find_database.sql", {"name": name}):
            statement = run(connection, "schema/make_database.sql", {"name": name})[0]["statement"]
            connection.exec_driver_sql(statement)
