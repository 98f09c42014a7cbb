"""What all commands share: which settings, and how errors are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

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
