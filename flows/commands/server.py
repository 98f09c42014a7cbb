"""The command `tides server`: Prefect's server, with its history where the bridge has its own tables."""

from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import exit_on_error


def server(
    config: Config = None,
    settings: SettingsFile = None,
    host: Annotated[str, typer.Option(help="At which it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="At which it listens.", min=1, max=65535)] = 4200,
    database: Annotated[str, typer.Option(help="For its history, beside that of the bridge.")] = "prefect",
) -> None:
    """
    Start the Prefect server, with its history in a database of its own on the PostgreSQL of the settings.

    Reads the settings; makes that database if it is missing. Prefect's own variable for another place wins:
    PREFECT_SERVER_DATABASE_CONNECTION_URL. Whoever reaches the server can run code as you.
    """
    from flows.up.history import run_server
    from tides_bridge.settings import load_settings

    with exit_on_error():
        run_server(load_settings(config, settings), database, ["--host", host, "--port", str(port)])
