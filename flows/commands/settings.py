"""The commands `tides settings` and `tides check`: what is in force, and whether it works."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flows.commands.options import Config, SettingsFile
from flows.commands.why import read_time
from tides_bridge.console import echo_line, exit_on_error, stdout_console

if TYPE_CHECKING:
    from datetime import datetime

    from tides_bridge.settings import Settings


def show_settings(
    config: Config = None,
    settings: SettingsFile = None,
    run: Annotated[
        int | None, typer.Option("--run", min=1, max=2**63 - 1, help="Those of this run, by its run_id in run_log.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Those of the last run until then, as 2026-11-01T12:00, UTC.")
    ] = None,
) -> None:
    """
    Print every setting in force and where its value comes from, or those of a run; secrets are masked.

    Reads the settings file and the environment, for a run the database; writes nothing.
    """
    from tides_bridge.errors import SettingsError
    from tides_bridge.settings import load_settings, provenance

    with exit_on_error():
        if run is not None and as_of is not None:
            raise SettingsError("--as-of", "", "say one of --run and --as-of: a run has its own time")
        if run is not None or as_of is not None:
            _show_run((config, settings), run, read_time(as_of))
            return
        rows = provenance(config, settings)
    table = Table("setting", "value", "from", "meaning", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    stdout_console().print(table, markup=False)
    with exit_on_error():
        _warn(load_settings(config, settings))


def _warn(chosen: "Settings") -> None:
    """Tell which settings contradict the selection function."""
    from tides_bridge.decisions.record import contradictions, load_functions

    for problem in contradictions(chosen, load_functions(chosen)[0]):
        typer.echo(f"warning: {problem}", err=True)


def _show_run(chosen: tuple[Config, SettingsFile], run_id: int | None, then: "datetime | None") -> None:
    """Print under what a run worked."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.decisions.provenance import find_provenance
    from tides_bridge.settings import load_settings

    with open_database(load_settings(*chosen)) as database:
        ensure_schema(database, is_ours=False)
        found = find_provenance(database, run_id, then)
    echo_line(f"run {found['run_id']}, {found['kind']}, began {found['started_at']:%Y-%m-%d %H:%M:%S} UTC")
    echo_line(
        f"code {found['code_version']}, now MJD {found['now_mjd']:.5f}, digest of settings {found['digest'][:12]}"
    )
    table = Table("setting", "value", box=None, pad_edge=False)
    for key, value in found["settings"].items():
        table.add_row(key, value)
    stdout_console().print(table, markup=False)


def check(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Try each service: database, broker, light-curve API, 4MOST, Prefect, Dask; exit code 1 if one fails.

    Reads the settings, and asks each service one question; writes nothing.
    """
    from flows.commands.checks import check_all
    from tides_bridge.settings import load_settings

    with exit_on_error():
        chosen = load_settings(config, settings)
    failed = 0
    for service, problem, text in check_all(chosen):
        failed += problem
        echo_line(f"{'FAIL' if problem else 'ok  '}  {service:16} {text}")
    raise typer.Exit(1 if failed else 0)
