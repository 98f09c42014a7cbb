"""
Deliveries of spectra: what their files say is kept, once for each content; a file that cannot be read comes again.

Each file is a transaction. Whatever kills this in between, the next time goes on where it was: what was stored is
known by its content, and which targets are done by it is worked out anew from all that is stored.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tides_bridge.database import Database, copy_frame, listed_columns, run
from tides_bridge.errors import MalformedAlert, SettingsError
from tides_bridge.formats.spectra.mec import Delivery, read_delivery
from tides_bridge.settings import Settings

LOAD = "targets/load_spectrum_stage.sql"


@dataclass(frozen=True)
class TakenIn:
    """
    What became of a file.

    Attributes
    ----------
    path
        The file.
    spectra
        New rows; 0 if its content was known, or if it cannot be read.
    problem
        Why it cannot be read; None if it was.
    """

    path: Path
    spectra: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class FileState:
    """How a file was when it was looked at: bytes, and when it was changed [ns since 1970]."""

    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileState":
        """Look at a file."""
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


def find_deliveries(paths: Iterable[Path]) -> list[Path]:
    """
    Find the files of deliveries: those named, and in folders all ``*.fits``, those of earlier nights first.

    Parameters
    ----------
    paths
        Files and folders.

    Raises
    ------
    SettingsError
        If there is no such file or folder.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise SettingsError(str(path), "", "there is no such file or folder")
        files = sorted(path.rglob("*.fits")) if path.is_dir() else [path]
        found |= dict.fromkeys(file.resolve() for file in files if file.is_file() and file.name[0] != ".")
    return list(found)


def take_in_deliveries(
    database: Database, settings: Settings, paths: Iterable[Path], done: Callable[[TakenIn], None] = lambda _: None
) -> list[TakenIn]:
    """
    Read files of spectra and keep what they say: those that are new, have changed, or could not be read before.

    Parameters
    ----------
    database
        Where it is kept.
    settings
        Its section ``spectra``.
    paths
        Files and folders.
    done
        Is told of each file that was read, or could not be.

    Returns
    -------
    list of TakenIn
        Of the files that were looked into.
    """
    files = find_deliveries(paths)
    with database.transaction() as connection:
        rows = run(connection, "targets/list_delivery_files.sql", {"read_as": _read_as(settings)})
    known = {row["path"]: FileState(row["bytes"], row["modified_ns"]) for row in rows}
    outcomes = []
    for outcome in _take_in_each(database, settings, files, known):
        outcomes.append(outcome)
        done(outcome)
    return outcomes


def _take_in_each(
    database: Database, settings: Settings, files: Iterable[Path], known: dict[str, FileState]
) -> Iterator[TakenIn]:
    for path in files:
        try:
            state = FileState.of(path)
            if known.get(str(path)) == state:
                continue
            delivery = read_delivery(path, settings.spectra.wavelengths)
            if FileState.of(path) != state:
                raise MalformedAlert(str(path), "changed while it was read: it is being written")
        except FileNotFoundError:
            continue  # taken away meanwhile
        except MalformedAlert as error:
            _note(database, settings, path, state, error.problem)
            yield TakenIn(path, problem=error.problem)
        else:
            yield TakenIn(path, _store(database, settings, delivery, state))


def _store(database: Database, settings: Settings, delivery: Delivery, state: FileState) -> int:
    """Keep a delivery, if no other one says the same; gives the number of rows that are new."""
    about = {"path": str(delivery.path), "digest": delivery.digest, "night": delivery.night}
    with database.transaction("spectra") as connection:
        run(connection, "targets/lock_deliveries.sql")
        is_known = bool(run(connection, "targets/find_delivery.sql", {"digest": delivery.digest}))
        if not is_known:
            run(connection, "targets/create_spectrum_stage.sql")
            # As objects: a column of numbers with a gap would be one of floats, and identifiers lose digits.
            frame = pd.DataFrame(delivery.rows, columns=listed_columns(LOAD), dtype=object)
            copy_frame(connection, LOAD, frame)
            run(
                connection,
                "targets/store_delivery.sql",
                about | {"software": delivery.software, "made_at": delivery.made},
            )
        run(connection, "targets/note_delivery_file.sql", _noted(settings, delivery.path, state, None))
    return 0 if is_known else len(delivery.rows)


def _note(database: Database, settings: Settings, path: Path, state: FileState, problem: str) -> None:
    with database.transaction("spectra") as connection:
        run(connection, "targets/note_delivery_file.sql", _noted(settings, path, state, problem))


def _noted(settings: Settings, path: Path, state: FileState, problem: str | None) -> dict[str, object]:
    noted = {"path": str(path), "bytes": state.size, "modified_ns": state.modified_ns}
    return noted | {"read_as": _read_as(settings), "problem": problem}


def _read_as(settings: Settings) -> str:
    """Word what of the settings matters for what is read: with another range of wavelengths all is read again."""
    wavelengths = settings.spectra.wavelengths
    return "" if wavelengths is None else f"{wavelengths[0]:g}-{wavelengths[1]:g}"
