"""The command line: ``tides``. Slow libraries are imported by the command that needs them."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from flows import (
    association_command,
    backtest_command,
    backup_command,
    database_command,
    deploying,
    notify_command,
    page_command,
    refused,
    select_command,
    status,
    tns_command,
    up_command,
    watch,
    watchdog_command,
    why,
)
from flows.options import Config, SettingsFile, errors_told

app = typer.Typer(
    help="The TiDES bridge: carries supernovae from alert brokers to the 4MOST telescope.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(refused.app, name="refused")
app.command("why")(why.why)
app.command("selections")(why.selections)
app.command("backtest")(backtest_command.backtest)
app.command("select")(select_command.select)
app.command("watch")(watch.watch)
association_command.add_to(app)
backup_command.add_to(app)
app.command("database")(database_command.database)
app.command("deploy")(deploying.deploy)
app.command("notify")(notify_command.notify)
app.command("tns")(tns_command.tns)
app.command("page")(page_command.page)
app.command("status")(status.status)
app.command("up")(up_command.up)
app.command("watchdog")(watchdog_command.watchdog)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End on SIGTERM as on Ctrl-C: in order, and with Prefect's temporary server."""
    raise KeyboardInterrupt


@app.command()
def run(
    config: Config = None,
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object on stdout.")] = False,
) -> None:
    """
    Run the bridge once: pull alerts, decide, store, and bring 4MOST up to date.

    Reads the settings, the stream, light curves, and the 4MOST list; writes tides_master and targets at 4MOST.
    With PREFECT_API_URL set the run shows in that server's web interface; without, it needs no server.
    """
    from tides_bridge.decisions.record import load_functions
    from tides_bridge.settings import load

    with errors_told():
        chosen = load(config, settings)  # a wrong setting is told before Prefect takes its seconds to start
        load_functions(chosen)
        _prepare_prefect()
        from flows.comm_pipe import execute_comm_pipe

        counts = execute_comm_pipe(config, str(settings) if settings else None)
    if as_json:
        typer.echo(json.dumps(counts))


@app.command()
def reconcile(
    config: Config = None,
    settings: SettingsFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell: change nothing on either side.")] = False,
) -> None:
    """
    Compare tides_master with the list at 4MOST row by row, and repair what differs.

    Reads and writes both sides. A row that vanished is created again, an edited one set right, a doubled one switched
    off; rows of names that are not ours are told and left alone.
    """
    from tides_bridge.settings import load

    with errors_told():
        load(config, settings)
        _prepare_prefect()
        from flows.reconcile import reconcile_with_4most

        differences = reconcile_with_4most(config, str(settings) if settings else None, dry_run)
    table = Table("target", "key", "what", "detail", "would be" if dry_run else "repair", box=None, pad_edge=False)
    for found in differences:
        table.add_row(found.name, str(found.key or ""), found.what, found.detail, found.repair)
    _console().print(table if differences else "no differences: both databases agree", markup=False)


@app.command("settings")
def show_settings(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Print every setting in force and where its value comes from; secrets are masked.

    Reads the settings file and the environment; writes nothing.
    """
    from tides_bridge.settings import provenance

    with errors_told():
        rows = provenance(config, settings)
    table = Table("setting", "value", "from", "meaning", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    _console().print(table, markup=False)


@app.command()
def check(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Try each service: database, broker, light-curve API, 4MOST, Prefect, Dask; exit code 1 if one fails.

    Reads the settings, and asks each service one question; writes nothing.
    """
    from flows.checks import check_all
    from tides_bridge.settings import load

    with errors_told():
        chosen = load(config, settings)
    failed = 0
    for service, problem, text in check_all(chosen):
        failed += problem
        typer.echo(f"{'FAIL' if problem else 'ok  '}  {service:16} {text}")
    raise typer.Exit(1 if failed else 0)


@app.command()
def schema(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Bring the tables of the database up to date; does nothing if they are.

    Reads the settings and sql/schema; writes the database.
    """
    from tides_bridge.database import apply_schema, open_database
    from tides_bridge.settings import load

    with errors_told(), open_database(load(config, settings)) as database:
        applied = apply_schema(database)
        typer.echo(f"{database.name}: " + (f"applied {', '.join(applied)}" if applied else "up to date"))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, config: Config = None, settings: SettingsFile = None) -> None:
    """
    Open psql on the database; further options are psql's, such as: -c "SELECT count(*) FROM tides_master".

    Reads the settings; what it reads and writes in the database is up to you.
    """
    from tides_bridge.database import open_database
    from tides_bridge.database.embedded import program
    from tides_bridge.settings import load

    with errors_told(), open_database(load(config, settings)) as database:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # psql's business
        raise typer.Exit(subprocess.call([program("psql"), *context.args], env=os.environ | database.for_psql()))


def _console() -> Console:
    """Give stdout, wide where no terminal has a width."""
    return Console(width=None if sys.stdout.isatty() else 200)


def _prepare_prefect() -> None:
    """Make ready for a flow in this process: plain speech, an end in order, no server left behind."""
    logging.getLogger("tides_bridge.settings").setLevel(logging.ERROR)  # its warnings were given: the flow loads again
    from prefect.settings import PREFECT_API_URL

    from flows.lifeline import guard_temporary_server
    from tasks.behaviour import speak_plainly

    speak_plainly()
    signal.signal(signal.SIGTERM, _interrupt)
    if not PREFECT_API_URL.value():
        guard_temporary_server()


def _add_commands() -> None:
    """Add the commands that other packages bring: the stand-ins, which production code does not import."""
    for entry_point in sorted(entry_points(group="tides.commands"), key=lambda entry: entry.name):
        app.command(entry_point.name)(entry_point.load())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    _add_commands()
    app(args=arguments, prog_name="tides")


if __name__ == "__main__":
    main()
