"""The command `tides classified`: what people and pipelines make of spectra."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

if TYPE_CHECKING:
    from tides_bridge.targets.spectra.classes import TakenClasses

SHOWN = 10
"""Names, and lines, of a kind at most: the others are counted."""


def classified(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="CSV with name, class, z, error, confidence, source; default: the database spectra.classesFrom.",
            metavar="[PATH]...",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Read types and redshifts that people and pipelines found in spectra; the newest word of a person counts first.

    Writes the database. The same again changes nothing. Exit code 1 if a line cannot be read: the others are kept.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.spectra.classes import take_in_classes
    from tides_bridge.targets.spectra.settling import settle_spectra

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=chosen.database.host == "embedded")
            taken = take_in_classes(database, chosen, paths or [])
            done = settle_spectra(database, chosen).done
    for classes in taken:
        _tell(classes)
    echo_line(f"{done} targets are done")
    raise typer.Exit(1 if any(classes.class_list.refused for classes in taken) else 0)


def _tell(taken: "TakenClasses") -> None:
    echo_line(f"{taken.came_from}: {taken.read} classifications, {taken.new} with something new")
    if taken.strangers:
        echo_line(f"of no target are: {_some(taken.strangers)}", err=True)
    if taken.class_list.unused:
        echo_line(f"not understood are the columns: {_some(taken.class_list.unused)}", err=True)
    for number, reason in taken.class_list.refused[:SHOWN]:
        echo_line(f"line {number}: {reason}", err=True)
    if (others := len(taken.class_list.refused) - SHOWN) > 0:
        echo_line(f"and {others} other lines", err=True)


def _some(names: list[str]) -> str:
    others = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {others} others" if others > 0 else "")
