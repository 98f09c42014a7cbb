"""The commands `tides database`, `tides schema` and `tides psql`: the database as a whole."""

import os
import subprocess
import threading
from typing import TYPE_CHECKING

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import exit_on_error
from tides_bridge.processes import asked_to_end, ignore_interrupts

if TYPE_CHECKING:
    from tides_bridge.database.embedded import EmbeddedServer

LOOK_SECONDS = 1.0


def database(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Keep the database that comes with the bridge running until Ctrl-C or SIGTERM, and start it again if it dies.

    Reads the settings; reads and writes the folder of the database. A run starts it by itself where this does not run.
    """
    from tides_bridge.database.embedded import acquire_server
    from tides_bridge.errors import SettingsError
    from tides_bridge.settings import find_file, load_settings

    with exit_on_error():
        chosen = load_settings(config, settings).database
        if chosen.host != "embedded":
            file = str(find_file(settings, config))
            raise SettingsError(file, "database.host", f"is {chosen.host}: there is nothing to keep here")
        is_over = asked_to_end()
        with acquire_server(chosen.folder) as server:
            _keep(server, is_over)


def _keep(server: "EmbeddedServer", is_over: threading.Event) -> None:
    """Look each second whether the server is there."""
    from tides_bridge.database.embedded import acquire_server

    process = server.pid()
    typer.echo(f"the database in {server.folder} runs: process {process}")
    while not is_over.wait(LOOK_SECONDS):
        if server.pid() is None:
            typer.echo("the database has died, and is started again")
            acquire_server(server.folder).release()  # our own use goes on
        if server.pid() != process:
            process = server.pid()
            typer.echo(f"the database runs again: process {process}")
    typer.echo("the database is stopped, unless others use it")


def schema(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Bring the tables of the database up to date; does nothing if they are.

    Reads the settings and sql/schema; writes the database.
    """
    from tides_bridge.database import apply_schema, open_database
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        applied = apply_schema(database)
        typer.echo(f"{database.name}: " + (f"applied {', '.join(applied)}" if applied else "up to date"))


def psql(context: typer.Context, config: Config = None, settings: SettingsFile = None) -> None:
    """
    Open psql on the database; further options are psql's, such as: -c "SELECT count(*) FROM tides_master".

    Reads the settings; what it reads and writes in the database is up to you.
    """
    from tides_bridge.database import open_database
    from tides_bridge.database.embedded import postgres_program
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        ignore_interrupts()  # psql's business
        raise typer.Exit(
            subprocess.call([postgres_program("psql"), *context.args], env=os.environ | database.for_psql())
        )
