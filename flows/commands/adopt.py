"""The command `tides adopt`: take rows of our survey that this database never made for its targets'."""

from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

PATIENCE_SECONDS = 900.0
"""[s] A run that is at work is waited for."""

SHOWN = 20
"""Rows that lie at no target here, at most: the others are counted."""


def adopt(
    config: Config = None,
    settings: SettingsFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be adopted.")] = False,
) -> None:
    """
    Give rows at 4MOST that this database never made to its targets at the same place, which take the rows' names.

    For a database that was lost or set up anew, when no other installation sends to the survey. Reads 4MOST; writes
    the database; nothing changes at 4MOST. The names of the other rows are given to no target any more.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.errors import SettingsError
    from tides_bridge.fourmost.adoption import adopt_rows
    from tides_bridge.fourmost.client import FourmostClient
    from tides_bridge.fourmost.exchange import settle_unanswered
    from tides_bridge.settings import load_settings

    with exit_on_error():
        chosen = load_settings(config, settings)
        if not chosen.fourmost.address:
            raise SettingsError(
                str(settings or "settings"), "fourmost.address", "is not set: there is nothing to adopt"
            )
        with open_database(chosen) as database, database.only_run(PATIENCE_SECONDS) as is_alone:
            if not is_alone:
                echo_line("another run is at work on this database: nothing was adopted", err=True)
                raise typer.Exit(1)
            ensure_schema(database, is_ours=chosen.database.host == "embedded")
            client = FourmostClient(chosen.fourmost, database.prove_run)
            if not dry_run:  # a row that was asked for and is there is its target's, whatever else lies at the place
                settle_unanswered(database, client)
            found = adopt_rows(database, client, chosen, is_dry=dry_run)
    for row in found.adopted:
        renamed = f", called {row['formerly']} until now" if row["formerly"] != row["name"] else ""
        echo_line(f"{row['name']}  row {row['pk']}{renamed}")
    for row in found.left[:SHOWN]:
        echo_line(f"{row['name']}  row {row['id']} lies at no target here: left alone")
    echo_line(
        f"{len(found.adopted)} rows {'would be ' if dry_run else ''}adopted, {len(found.left)} lie at no target here"
    )
