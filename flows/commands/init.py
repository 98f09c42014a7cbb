"""The command `tides init`: the two files that a bridge is set up with, for whoever has no checkout."""

from pathlib import Path
from typing import Annotated

import typer

from tides_bridge.console import exit_on_error

FILES = ("flowSetting.yaml", "selectionFunctions.yaml")


def init(
    folder: Annotated[Path, typer.Argument(help="Where; it is made if it is missing.")] = Path(),
) -> None:
    """
    Write commented settings and the shipped selection functions, to be changed.

    A file that is there stays as it is. Nothing else is written; tides check tries what the settings say.
    """
    with exit_on_error():
        for name in FILES:
            typer.echo(_written(folder / name))
    typer.echo(
        "\nNext: name your filter and your Kafka group in flowSetting.yaml, export TIDES_LASAIRTOKEN, tides check"
    )


def _written(file: Path) -> str:
    """Write a file unless it is there, and say which."""
    from tides_bridge.errors import SettingsError
    from tides_bridge.resources import shipped

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(shipped(file.name).read_text("utf-8"))
    except FileExistsError:
        if not file.parent.is_dir():
            raise SettingsError(str(file.parent), "", "is no folder") from None
        return f"{file} is there already, and stays as it is"
    except OSError as error:
        raise SettingsError(str(file), "", f"cannot be written: {error.strerror}") from None
    return f"{file} is written"
