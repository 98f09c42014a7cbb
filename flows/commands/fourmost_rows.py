"""The command `tides fourmost-rows`: switch off or delete rows at 4MOST that satisfy conditions."""

from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

PATIENCE_SECONDS = 900.0
"""[s] A run that is at work is waited for."""

SHOWN = 20
"""More rows than so many are counted, and asked about first."""


def fourmost_rows(  # noqa: PLR0913, PLR0917
    where: Annotated[
        list[str],
        typer.Option(
            "--where", help="name=TiDES26*, id=7,8,100-200, submitted>=2026-11-01, survey=15: all must be so."
        ),
    ],
    deactivate: Annotated[bool, typer.Option("--deactivate", help="Switch them off.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete them.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; our targets among them are held with it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help=f"Do not ask when there are more than {SHOWN}.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which.")] = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Switch rows at 4MOST off, or delete them, whether they are ours or not.

    Reads and writes both sides: a target that has one of the rows is held, so that no run makes it or switches it on
    again, until tides release. Exit code 1 if one could not be, or if they are more at once than is plausible.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.errors import SettingsError
    from tides_bridge.fourmost.client import FourmostClient
    from tides_bridge.fourmost.rows import find_rows, is_held_back, row_filter, take_away
    from tides_bridge.settings import load_settings

    with exit_on_error():
        if deactivate == delete:
            raise SettingsError("--deactivate", "", "say one of --deactivate and --delete")
        if not reason.strip() and not dry_run:
            raise SettingsError("--reason", "", "say why, for those who look at it later")
        chosen = load_settings(config, settings)
        if not chosen.fourmost.address:
            raise SettingsError(str(settings or "settings"), "fourmost.address", "is not set: there are no rows")
        conditions = row_filter(where, chosen)
        with open_database(chosen) as database, database.only_run(PATIENCE_SECONDS) as is_alone:
            if not is_alone:
                echo_line("another run is at work on this database: nothing was done", err=True)
                raise typer.Exit(1)
            ensure_schema(database, is_ours=False)
            client = FourmostClient(chosen.fourmost, database.prove_run)
            deed: str = "delete" if delete else "deactivate"
            meant = find_rows(database, client, conditions, deed)  # type: ignore[arg-type]
            for row in meant.rows[:SHOWN]:
                ours = ", a target of ours" if row["id"] in meant.owners else ""
                echo_line(f"{row['name']}  row {row['id']}{ours}")
            if len(meant.rows) > SHOWN:
                echo_line(f"and {len(meant.rows) - SHOWN} others")
            if dry_run:
                echo_line(f"{deed}: would touch {len(meant.rows)} rows, {len(meant.owners)} of our targets")
                return
            if is_held_back(database, chosen, meant):
                echo_line(f"{len(meant.rows)} of {meant.looked_at} rows at once: tides release-guard lets it", err=True)
                raise typer.Exit(1)
            if len(meant.rows) > SHOWN and not yes:
                typer.confirm(f"{deed} these {len(meant.rows)} rows?", abort=True, err=True)
            outcomes = take_away(database, client, chosen, meant, deed, reason=reason)  # type: ignore[arg-type]
    failed = {key: problem for key, problem in outcomes.items() if problem}
    for key, problem in failed.items():
        echo_line(f"row {key}: {problem}", err=True)
    echo_line(f"{deed}d: {len(outcomes) - len(failed)} rows; {len(meant.owners)} of our targets are held")
    raise typer.Exit(1 if failed else 0)
