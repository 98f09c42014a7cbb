"""The commands `tides access`: accounts of the portal and its API."""

from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

app = typer.Typer(no_args_is_help=True, help="Accounts of the portal and its API: add, list, revoke.")

Name = Annotated[str, typer.Argument(help="Of a person or a program: one word.")]


@app.command("add")
def add(
    name: Name,
    role: Annotated[str, typer.Option(help="reader, ruler or operator; each may what those before it may.")] = "reader",
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """Make an account, and show its token: once, it is kept as a hash. Writes the database."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.operations.accounts import add_account
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(chosen := load_settings(config, settings)) as database:
        ensure_schema(database, is_ours=False)
        token = add_account(database, name, role)
    echo_line(token)
    if chosen.page.login == "none":
        echo_line("no account is asked for yet: page.login in the settings says when", err=True)


@app.command("list")
def list_access(config: Config = None, settings: SettingsFile = None) -> None:
    """List who has access, and who had. Reads the database; writes nothing."""
    from tides_bridge.database import open_database
    from tides_bridge.operations.accounts import list_accounts
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        rows = list_accounts(database)
    for row in rows:
        end = f"  ended {row['revoked_at']:%Y-%m-%d %H:%M} by {row['revoked_by']}" if row["revoked_at"] else ""
        echo_line(f"{row['name']:20}  {row['role']:8}  made {row['made_at']:%Y-%m-%d} by {row['made_by']}{end}")
    if not rows:
        echo_line("no accounts")


@app.command("revoke")
def revoke(name: Name, config: Config = None, settings: SettingsFile = None) -> None:
    """End an account: its token and visits are worth nothing any more, at once. Writes the database."""
    from tides_bridge.database import open_database
    from tides_bridge.operations.accounts import revoke_account
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        revoke_account(database, name)
    echo_line(f"{name} has no access any more")
