"""Options that commands share: which settings."""

from pathlib import Path
from typing import Annotated

import typer

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
