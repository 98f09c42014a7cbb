"""What a person or a program typed, looked up in the database: a wrong word is no fault of the database."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from tides_bridge.errors import SettingsError
from tides_bridge.operations.remembered import KeptDatabase

Found = TypeVar("Found")


def ask_typed(kept: KeptDatabase, ask: Callable[[Connection], Found]) -> Found:
    """
    Ask the database something that was typed.

    Parameters
    ----------
    kept
        Which is closed by an error, as one is that comes of it; what was typed wrongly leaves it open.
    ask
        In one transaction.

    Raises
    ------
    SettingsError
        If something was typed wrongly.
    """
    wrong = None
    with kept.opened() as database, database.transaction() as connection:
        try:
            return ask(connection)
        except SettingsError as error:
            wrong = error
    raise wrong
