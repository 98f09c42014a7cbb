"""Gather how the bridge does, for `tides watchdog` and `tides status`: whatever is away or hangs, the rest is told."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tides_bridge.database import check_schema, embedded, open_database
from tides_bridge.database.backup import backup_folder
from tides_bridge.database.schema import schema_files
from tides_bridge.errors import BridgeError
from tides_bridge.operations.expiry import ANSWER_SECONDS, certificate_of, https_addresses, tokens_of
from tides_bridge.operations.prefect_server import PATIENCE_SECONDS, ask_prefect, prefect_address
from tides_bridge.operations.problems import Certificate, Disk, Facts, PrefectFacts
from tides_bridge.operations.remembered import Remembered
from tides_bridge.operations.status import get_health, get_status
from tides_bridge.settings import Settings
from tides_bridge.settings.prefect import prefect_variable

DATABASE_SECONDS = 60.0
"""[s] A database that has not answered by then hangs; a status of 300,000 targets takes ten."""


class Looker:
    """
    Looks as often as it is asked to; a service that hangs is not asked again before it has answered.

    Parameters
    ----------
    settings
        Of the bridge.
    whole
        Gather all that `tides status` shows, not only what the watchdog needs.
    """

    def __init__(self, settings: Settings, *, whole: bool = False) -> None:
        self._settings = settings
        self._database = Remembered(lambda: _ask_database(settings, whole=whole), fresh_for=0)
        self._prefect = Remembered(lambda: ask_prefect(settings), fresh_for=0)
        self._certificates = Remembered(lambda: _certificates(settings), fresh_for=0)

    def look(self) -> Facts:
        """
        Look once, at all services at the same time; whatever is away is said in the facts. Raises nothing.

        It ends within `DATABASE_SECONDS` and a few: a question that hangs goes on in its own thread, and is not asked
        a second time before it has its answer. So a watchdog that looks every minute piles up no threads.
        """
        # All are asked before the first answer is waited for.
        for question in (self._database, self._prefect, self._certificates):
            question.ask_anew()
        hanging = {"database": f"does not answer within {DATABASE_SECONDS:.0f} s"}
        prefect = self._prefect.get(2 * PATIENCE_SECONDS)
        return Facts(
            prefect or PrefectFacts(prefect_address(self._settings), "does not answer in time"),
            certificates=self._certificates.get(2 * ANSWER_SECONDS) or (),
            disks=tuple(_disks(self._settings)),
            tokens=tokens_of(self._settings),
            **(self._database.get(DATABASE_SECONDS) or hanging),
        )


def gather(settings: Settings, *, whole: bool = False) -> Facts:
    """
    Look once; for the parameters see `Looker`.

    Parameters
    ----------
    settings, whole
        As those of `Looker`.

    Returns
    -------
    Facts
        What is away is said in them; nothing is raised.
    """
    return Looker(settings, whole=whole).look()


def _ask_database(settings: Settings, *, whole: bool) -> dict[str, Any]:
    """Give the facts that the database knows, or why it does not tell them."""
    try:
        with open_database(settings) as database:
            pending = tuple(check_schema(database))
            if pending:
                is_new = len(pending) == len(schema_files())  # no table yet: that is no problem
                return {"pending": () if is_new else pending}
            return {"status": (get_status if whole else get_health)(database, settings)}
    except BridgeError as error:
        return {"database": str(error)}
    except Exception as error:  # nothing that the database does may silence the watchdog
        return {"database": f"{type(error).__name__}: {error}"}


def _certificates(settings: Settings) -> tuple[Certificate, ...]:
    addresses = https_addresses(settings)
    if not addresses:
        return ()
    with ThreadPoolExecutor(len(addresses)) as pool:
        return tuple(pool.map(certificate_of, addresses))


def _disks(settings: Settings) -> Iterator[Disk]:
    """Look at each disk that is written to, once, however many of our folders it has."""
    seen = set()
    folders = [backup_folder(settings), Path(prefect_variable("HOME") or "~/.prefect"), Path("/")]
    if settings.database.host == "embedded":
        folders.insert(0, settings.database.folder or embedded.default_folder())
    for folder in [folder.expanduser().absolute() for folder in folders]:
        # Path.exists would raise where we may not look, and so silence the watchdog.
        existing = next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))
        if (device := existing.stat().st_dev) not in seen:
            seen.add(device)
            space = shutil.disk_usage(existing)
            yield Disk(str(existing), 100 * space.free / (space.used + space.free))
