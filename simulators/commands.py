"""The commands that the stand-ins add to ``tides``; what they need is imported only when they run."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from simulators.fourmost.command import fourmost
from tides_bridge.errors import BridgeError

__all__ = ["demo", "fourmost", "standins"]


class Shape(StrEnum):
    """How Lasair's ``lightcurves/`` answers."""

    NEW = "new"
    OLD = "old"


def _fail(error: BridgeError) -> NoReturn:
    """Say what is wrong in one line; 2 is a wrong setting or file, 1 anything else."""
    typer.echo(f"tides: {error}", err=True)
    raise typer.Exit(error.exit_code)


def standins(  # noqa: PLR0913 (one argument an option)
    alerts: Annotated[
        Path,
        typer.Option(help="Recorded ZTF alert packets: one as JSON a line, gzip if it ends in .gz.", dir_okay=False),
    ],
    settings_out: Annotated[
        Path, typer.Option(help="Settings file to write, for tides run --settings.", dir_okay=False)
    ],
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder for 4MOST's state and the database; emptied first. One for each settings file by default."
        ),
    ] = None,
    shape: Annotated[
        Shape, typer.Option(help="Light curves as newer or older Lasair servers answer them.")
    ] = Shape.NEW,
    calls_per_hour: Annotated[int, typer.Option(help="Calls the Lasair API allows in an hour.", min=1)] = 10_000,
    faults: Annotated[
        Path | None,
        typer.Option(help="Fault plan (YAML) for Lasair and 4MOST; see simulators/faults.py.", dir_okay=False),
    ] = None,
) -> None:
    """
    Start stand-ins for Kafka, the Lasair API and 4MOST on this machine, loaded with recorded alerts.

    Of each object the newest packet counts: it becomes a message in Kafka and a light curve in the API. A line that is
    no packet is left out and named. Once all three answer, a line begins with "ready"; Ctrl-C or SIGTERM ends them.

    Reads the alerts and the fault plan. Writes the settings file (readable for you only), in which recorded objects
    count as live for 20 years, and into the folder: it is emptied at each start and stays at the end, so that you can
    look at the database.
    By default it lies in your data folder, or in /var/lib/tides-bridge/standins for root.
    """
    try:
        from simulators.standins import Standins, folder_for, serve

        place = folder or folder_for(settings_out)
        three = Standins(place, calls_per_hour=calls_per_hour, old_shape=shape is Shape.OLD, faults=faults)
        serve(three, alerts, settings_out)
    except KeyboardInterrupt:
        typer.echo("stopped")
    except BridgeError as error:
        _fail(error)


def demo(
    *,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the demo; emptied first.", show_default="your data folder")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number makes another sky.", min=0)] = 1,
) -> None:
    """
    Show the bridge at work: two simulated nights, from the broker to 4MOST, without any outside service.

    It starts stand-ins for Kafka, the Lasair API and 4MOST, publishes the alerts of a simulated sky, and runs the real
    flow twice, six nights apart: new targets first, then updates and targets switched off. It tells what happened and
    where to look, compares the runs with what 4MOST holds, and stops everything that it started.

    Reads nothing. Writes into its folder, which is emptied at the start and stays at the end; by default it lies in
    your data folder, or is /var/lib/tides-bridge/demo for root. The exit code is 1 when a run fails or 4MOST holds
    something else than the runs said, and 130 after Ctrl-C.
    """
    try:
        from rich.console import Console

        from simulators.demo import default_folder, show

        agreed = show(folder or default_folder(), seed, Console())
    except KeyboardInterrupt:
        typer.echo("stopped: nothing was left running", err=True)
        raise typer.Exit(130) from None
    except BridgeError as error:
        _fail(error)
    if not agreed:
        raise typer.Exit(1)
