"""Options that commands share: which settings, and what files with light curves do not say of themselves."""

from enum import StrEnum
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


class SurveyOfNights(StrEnum):
    """Whose nights there are: see `tides_bridge.formats.meaning.nights`."""

    ztf = "ztf"
    lsst = "lsst"


Survey = Annotated[
    SurveyOfNights | None,
    typer.Option("--survey", help="Whose nights count where files do not say it; default lsst: noon to noon UTC."),
]
ZeroPoint = Annotated[
    float | None, typer.Option("--zero-point", help="Magnitude of flux 1; default 31.4, which is nJy.")
]
Schema = Annotated[
    Path | None, typer.Option("--schema", help="Avro schema, or folder of them, for messages that bring none.")
]
