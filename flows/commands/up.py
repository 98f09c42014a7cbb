"""The commands `tides up`: all that the bridge needs, until Ctrl-C; and `tides server`, one of its programs."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import exit_on_error

if TYPE_CHECKING:
    from flows.up.programs import UpPlan


def up(  # noqa: PLR0913, PLR0917 (one argument an option)
    config: Config = None,
    settings: SettingsFile = None,
    port: Annotated[int, typer.Option(help="Of the Prefect server and its web page.", min=1, max=65535)] = 4200,
    folder: Annotated[
        Path | None,
        typer.Option(help="For all that must survive.", show_default="one for each configuration in the data folder"),
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Of the demo: its stream is so much faster than the clock.", min=0.01)
    ] = None,
    protect: Annotated[
        bool, typer.Option("--protect", help="Let the Prefect server ask for a login, which is made for all programs.")
    ] = False,
) -> None:
    """
    Start all that the bridge needs, and keep it running: database, Prefect server, deployments, page, worker, watchdog.

    With --config demo there are stand-ins, too: a broker whose stream never ends, and a 4MOST. All logs come to this
    terminal. What dies is started again. Ctrl-C stops all in order, and nothing is left; the next start goes on.

    Whoever reaches the Prefect server can run code as you; without --protect that is every user of this machine.

    Two of them live beside each other with a folder, a --port and a TIDES_PAGE__PORT each; of one database only one
    run is at work at a time.

    Reads the settings. Writes the database, and into the folder: Prefect's history, logs, the state of stand-ins.
    """
    with exit_on_error():
        from flows.up.upkeep import keep_up

        keep_up(replace(make_plan(config, settings, port, folder, speed), is_protected=protect))


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


def make_plan(
    config: str | None, settings: Path | None, port: int, folder: Path | None, speed: float | None
) -> "UpPlan":
    """
    Find out what shall be up.

    Raises
    ------
    SettingsError
        When the settings are wrong, or an option does not fit them.
    """
    from flows.up.programs import UpPlan
    from tides_bridge.errors import SettingsError
    from tides_bridge.resources import data_folder
    from tides_bridge.settings import DEMO, configuration_name, demo_file, find_file, load_settings

    file = find_file(settings, config)
    if file == demo_file():
        chosen = (folder or file.parent).expanduser().resolve()
        return UpPlan(chosen, DEMO, chosen / file.name, port, speed or 1.0)
    if speed:
        raise SettingsError("--speed", str(speed), "is for --config demo, whose stream is simulated")
    load_settings(config, settings)  # so that what is wrong is told as everywhere else
    logging.getLogger("tides_bridge.settings").setLevel(logging.ERROR)  # its warnings were given
    name = configuration_name(config, str(settings) if settings else None)
    return UpPlan((folder or data_folder() / "up" / name).expanduser().resolve(), name, file.resolve(), port, None)
