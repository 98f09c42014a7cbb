"""Counts of many targets, asked for again only when something of the list has changed."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, Final

from sqlalchemy import Connection

from tides_bridge.targets.listed import newest_change

MOST: Final = 100
"""Answers that are kept: some kB each."""


class Counted:
    """Answers to questions about the list, while it is as it was. Threads may share it."""

    def __init__(self) -> None:
        self._change: Any = None
        self._answers: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def get(self, connection: Connection, question: Hashable, ask: Callable[[], Any]) -> Any:
        """
        Give the answer.

        Parameters
        ----------
        connection
            Of a transaction.
        question
            Of which there is one answer while nothing changes.
        ask
            Asks, where it is not known.
        """
        change = newest_change(connection)
        with self._lock:
            if change != self._change or len(self._answers) >= MOST:
                self._change, self._answers = change, {}
            answers = self._answers
        if question not in answers:
            answers[question] = ask()
        return answers[question]
