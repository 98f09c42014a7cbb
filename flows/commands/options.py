"""What all commands share: which settings, how errors are told, and what tables are printed on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tides_bridge.errors import BridgeError

Config = Annotated[
    str | None,
    typer.Option(
        "--config", help="Configuration in the settings file; default $TIDES_CONFIG, the only one, or devConfig."
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="The settings file; default $TIDES_SETTINGS, or flowSetting.yaml here."),
]


@contextmanager
def errors_told() -> Iterator[None]:
    """End with one clear line: exit code 2 if a setting is wrong, 1 for any other error of ours."""
    try:
        yield
    except BridgeError as error:
        typer.echo(f"tides: {error}", err=True)
        raise typer.Exit(error.exit_code) from None


def stdout_console(width: int = 200, **options: Any) -> Console:
    """
    Give stdout to print tables on: as wide as the terminal.

    Parameters
    ----------
    width
        [characters] Where no terminal has a width, as in a pipe.
    options
        More of rich's for a console.
    """
    return Console(width=None if sys.stdout.isatty() else width, **options)
