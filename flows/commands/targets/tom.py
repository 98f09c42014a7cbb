"""The commands `tides tom`: our targets in the survey's TOM, and what people say of them there."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

if TYPE_CHECKING:
    from tides_bridge.tom.sync import TomSynced

app = typer.Typer(no_args_is_help=True, help="Our targets in the survey's TOM, a TOM Toolkit: keep them right there.")

SHOWN = 10
"""Targets of a kind at most: the others are counted."""


@app.command("sync")
def sync(
    ours: Annotated[
        list[str] | None,
        typer.Option(help="A target that is to be as we have it, also what people there changed or deleted of it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be written, and write nothing.")] = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Make our targets in the TOM, or bring them up to date, and take in what people say of them there.

    Writes the TOM and the database; twice is as once. What people changed there stays, and is told.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.tom.sync import sync_tom

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=chosen.database.host == "embedded")
            synced = sync_tom(database, chosen, ours or (), dry_run)
    _tell(synced)


@app.callback()
def _tom() -> None:
    """Have the one command be called by its name."""


def _tell(synced: "TomSynced") -> None:
    echo_line(synced.summary())
    kinds = {"changed there by people": synced.different, "deleted there": synced.gone, "refused": synced.refused}
    for kind, lines in kinds.items():
        for line in lines[:SHOWN]:
            echo_line(f"{kind}: {line}", err=True)
        if (others := len(lines) - SHOWN) > 0:
            echo_line(f"{kind}: {others} others", err=True)
