"""The commands `tides settings` and `tides check`: what is in force, and whether it works."""

import typer
from rich.table import Table

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error, stdout_console


def show_settings(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Print every setting in force and where its value comes from; secrets are masked.

    Reads the settings file and the environment; writes nothing.
    """
    from tides_bridge.settings import provenance

    with exit_on_error():
        rows = provenance(config, settings)
    table = Table("setting", "value", "from", "meaning", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
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
