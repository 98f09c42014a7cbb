"""The commands `tides backup`, `tides restore` and `tides upgrade`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error


def backup(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Make a backup of the database in the folder backup.folder, and remove the oldest ones.

    Reads the database; writes a file that is read through before it counts, and a line of run_log.
    """
    from tides_bridge.database.backup import make_backup
    from tides_bridge.settings import load_settings

    with exit_on_error():
        made = make_backup(load_settings(config, settings))
    echo_line(f"{made.file}: {made.size / 1e6:.1f} MB")


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.", metavar="FILE")],
    config: Config = None,
    settings: SettingsFile = None,
    into: Annotated[
        str | None, typer.Option("--into", metavar="DATABASE", help="Another database than that of the settings.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put a database with tables aside, after a backup of it.")
    ] = False,
) -> None:
    """
    Restore a backup: into an empty database, or with --replace in the place of one with tables.

    Writes the database, which is made if need be. The next run goes on where the stream was when the backup was taken.
    """
    from tides_bridge.database.backup import restore_backup
    from tides_bridge.settings import load_settings

    with exit_on_error():
        chosen = load_settings(config, settings)
        if into:
            chosen = chosen.model_copy(update={"tides_db_database": into})
        aside = restore_backup(chosen, file, replace=replace)
    echo_line(f"restored into {chosen.tides_db_database}. Next: tides run, then tides reconcile")
    if aside:
        echo_line(f"the old one is called {aside}; when all is well: tides psql -c 'DROP DATABASE \"{aside}\"'")


def upgrade(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Bring the tables of the database up to date after a new version of the bridge, with a backup first.

    Reads sql/schema; writes the database, and a backup if something is to be changed.
    """
    from tides_bridge.database.backup import upgrade_database as upgrade_tables
    from tides_bridge.settings import load_settings

    with exit_on_error():
        applied, made = upgrade_tables(load_settings(config, settings))
    if made:
        echo_line(f"{made.file}: {made.size / 1e6:.1f} MB, as it was before")
    echo_line(f"applied {', '.join(applied)}" if applied else "nothing to do: the tables are up to date")
