"""The command ``tides demo``; what it needs is imported only when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from tides_bridge.console import exit_on_error, stdout_console
from tides_bridge.processes import INTERRUPTED


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
    flow twice, six nights apart: new targets first, then targets switched off. In between 4MOST ingests and observes
    them, and its spectra come back, with classes: those that are good enough end their target. Galaxies of targets that
    are switched off go on in their place. It tells what happened and where to look, compares the runs with what 4MOST
    holds, and stops everything that it started.

    Reads nothing. Writes into its folder, which is emptied at the start and stays at the end; by default it lies in
    your data folder, or is /var/lib/tides-bridge/two-nights for root. The exit code is 1 when a run fails or 4MOST
    holds something else than the runs said, and 130 after Ctrl-C.
    """
    with exit_on_error():
        try:
            from simulators.standins.demo import demo_folder, show_demo

            agreed = show_demo(folder or demo_folder(), seed, stdout_console(None))
        except KeyboardInterrupt:
            typer.echo("stopped: nothing was left running", err=True)
            raise typer.Exit(INTERRUPTED) from None
    if not agreed:
        raise typer.Exit(1)
