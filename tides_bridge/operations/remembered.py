"""Answers for a program that stays: a database that may go and come back, and slow questions asked beside."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from tides_bridge.database import Database, ensure_schema, open_database
from tides_bridge.errors import BridgeError
from tides_bridge.settings import Settings

T = TypeVar("T")

FRESH_SECONDS: Final = 50.0
"""[s] An answer is not asked for again within this time; less than the minute between two scrapes."""

OLD_SECONDS: Final = 300.0
"""[s] An older answer is none: what does not answer any more must not look well."""

logger = logging.getLogger(__name__)


class KeptDatabase:
    """The database of the settings, kept open; after it was away it is opened anew. Threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = contextlib.ExitStack()
        self._database: Database | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def opened(self) -> Iterator[Database]:
        """
        Give the database for a moment.

        Raises
        ------
        DatabaseUnavailable
            If it is away.
        ScriptError
            If its tables are not those of this version.
        """
        with self._lock:  # only while it is opened: threads use it at the same time
            database = self._database or self._reopen()
        try:
            yield database
        except BridgeError:
            with self._lock:
                # Another thread may have met the same failure first, and opened it anew: that one stays open.
                if self._database is database:
                    self._database = None
                    self._open.close()
            raise

    def close(self) -> None:
        """Close it for good; the embedded server stops if nobody else uses it."""
        with self._lock:
            self._open.close()

    def _reopen(self) -> Database:
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(open_database(self._settings))
            # Kept only if the tables are ours: else the stack closes it again on the way out.
            ensure_schema(database, is_ours=False)
            self._open, self._database = stack.pop_all(), database
            return database


class Remembered(Generic[T]):
    """
    The answer to a slow question, asked by a thread of its own: who wants it never waits long.

    Parameters
    ----------
    ask
        The question.
    fresh_for
        [s] So long an answer is good enough.
    """

    def __init__(self, ask: Callable[[], T], fresh_for: float = FRESH_SECONDS) -> None:
        self._ask, self._fresh_for = ask, fresh_for
        self._answer: T | None = None
        self._answered_at = -OLD_SECONDS - fresh_for
        self._asking: threading.Thread | None = None
        self._lock = threading.Lock()

    def ask_anew(self) -> None:
        """Begin to ask, unless the answer is fresh or is being asked for."""
        with self._lock:
            is_asking = self._asking is not None and self._asking.is_alive()
            if not is_asking and time.monotonic() - self._answered_at >= self._fresh_for:
                self._asking = threading.Thread(target=self._remember, daemon=True)
                self._asking.start()

    def get(self, patience: float) -> T | None:
        """Give the newest answer, None if there is none; wait so long [s] if one is being asked for."""
        if self._asking is not None:
            self._asking.join(max(patience, 0))
        return self._answer if time.monotonic() - self._answered_at < OLD_SECONDS else None

    def _remember(self) -> None:
        """Ask, and keep the answer; None if it failed. A daemon thread: a question that hangs keeps nobody alive."""
        try:
            self._answer = self._ask()
        except Exception:
            self._answer = None
            logger.exception("a question of the page failed")
        self._answered_at = time.monotonic()
