"""The command `tides database`: keeps the PostgreSQL that comes with the bridge running."""

import signal
import threading
from typing import TYPE_CHECKING

import typer

from flows.options import Config, SettingsFile, errors_told

if TYPE_CHECKING:
    from tides_bridge.database.embedded import EmbeddedServer

LOOK_SECONDS = 1.0


def database(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Keep the database that comes with the bridge running until Ctrl-C or SIGTERM, and start it again if it dies.

    Reads the settings; reads and writes the folder of the database. A run starts it by itself where this does not run.
    """
    from tides_bridge.database.embedded import acquire
    from tides_bridge.errors import SettingsError
    from tides_bridge.settings import find_file, load

    with errors_told():
        chosen = load(config, settings).database
        if chosen.host != "embedded":
            file = str(find_file(settings, config))
            raise SettingsError(file, "database.host", f"is {chosen.host}: there is nothing to keep here")
        is_over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: is_over.set())
        with acquire(chosen.folder) as server:
            _keep(server, is_over)


def _keep(server: "EmbeddedServer", is_over: threading.Event) -> None:
    """Look each second whether the server is there."""
    from tides_bridge.database.embedded import acquire

    process = server.pid()
    typer.echo(f"the database in {server.folder} runs: process {process}")
    while not is_over.wait(LOOK_SECONDS):
        if server.pid() is None:
            typer.echo("the database has died, and is started again")
            acquire(server.folder).release()  # our own use goes on
        if server.pid() != process:
            process = server.pid()
            typer.echo(f"the database runs again: process {process}")
    typer.echo("the database is stopped, unless others use it")
