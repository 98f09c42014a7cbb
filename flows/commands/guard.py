"""The command `tides release-guard`: a person's word on what a run holds back."""

from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error


def release_guard(
    config: Config = None,
    settings: SettingsFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what is held back.")] = False,
) -> None:
    """
    Let the next run make the changes that it holds back, as they are more at once than is plausible.

    Reads and writes the database; changes no target. See first that no setting and no clock is wrong: when it is
    right again, nothing is held back any more.
    """
    from tides_bridge.database import open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.guard import release_held

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        found = release_held(database, is_dry=dry_run)
    for held in found:
        echo_line(f"{held.kind}: {held}, held back since {held.since:%Y-%m-%d %H:%M}")
    if not found:
        echo_line("nothing is held back")
    elif not dry_run:
        echo_line("released: the next run makes these changes")
