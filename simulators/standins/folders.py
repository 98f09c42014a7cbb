"""A folder for stand-ins: found without asking, never somebody else's, emptied at each start or kept for the next."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tides_bridge.database.embedded import EmbeddedServer, acquire_server
from tides_bridge.errors import SettingsError
from tides_bridge.resources import data_folder, make_own_folder

MARKER = ".tides-standins"
"""Says that a folder may be emptied; locked while stand-ins use it."""
KEEPER = ".tides-standins-live"
"""Locked in a folder that is kept, and never emptied, while stand-ins use it."""
DATABASE = "database"
"""Folder of the embedded database, inside."""


def standard_folder(*parts: str) -> Path:
    """
    Give a place for data of stand-ins: the user's data folder, or /var/lib/tides-bridge for root.

    Root's home will not do: the account that runs PostgreSQL for root cannot enter it.
    """
    return data_folder().joinpath(*parts)


@contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """
    Own a folder, empty, for the time of a ``with`` block. What is in it at the end stays there.

    Raises
    ------
    SettingsError
        When the folder holds something else, is used by other stand-ins or a run, or cannot be written.
    """
    folder = folder.expanduser().resolve()
    try:
        make_own_folder(folder)
        if not (folder / MARKER).exists() and any(folder.iterdir()):
            raise SettingsError(str(folder), "", "holds files that no stand-in made: choose an empty folder")
        marker = (folder / MARKER).open("a")
    except OSError as error:
        raise SettingsError(str(folder), "", f"cannot be used: {error}") from error
    with marker:
        _lock(folder, marker)
        if not stop_left_database(folder):
            raise SettingsError(str(folder), "", "its database is used by a run: wait for its end, or choose another")
        # A symbolic link goes; what it points to stays.
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MARKER:
                path.unlink()
        yield folder


@contextmanager
def kept(folder: Path) -> Iterator[Path]:
    """
    Own a folder for the time of a ``with`` block, and leave in it what is there; nobody else may empty it later.

    Raises
    ------
    SettingsError
        When the folder is used by other stand-ins that run, or cannot be written.
    """
    folder = folder.expanduser().resolve()
    try:
        make_own_folder(folder)
        if (folder / MARKER).exists():
            with (folder / MARKER).open("a") as former:
                _lock(folder, former)
                (folder / MARKER).unlink()
        marker = (folder / KEEPER).open("a")
    except OSError as error:
        raise SettingsError(str(folder), "", f"cannot be used: {error}") from error
    with marker:
        _lock(folder, marker)
        yield folder


def _lock(folder: Path, marker: IO[str]) -> None:
    """Lock a folder by a file in it until that is closed, or raise SettingsError."""
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingsError(str(folder), "", "is used by stand-ins that run: stop them, or choose another") from None


def stop_left_database(folder: Path) -> bool:
    """Stop the database server that a killed run may have left in a folder; False if somebody still uses it."""
    database = folder / DATABASE
    if EmbeddedServer(database).pid() is not None:
        acquire_server(database).release()
    return EmbeddedServer(database).pid() is None
