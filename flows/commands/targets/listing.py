"""The command `tides targets`: the list of targets, on the screen, as a file, or as a catalogue for 4FS."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error, stderr_console, stdout_console

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = ("name", "state", "ra", "dec", "mag", "mag_band", "n_detections", "objects")
"""Columns that a screen shows."""


def targets(
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Only those that satisfy this too, as state=active or seen>=2026-11-01."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="File for all columns: .csv, .parquet, .json, .fits, .vot or .ecsv."),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option("--catalogue", help="File for a 4FS catalogue of those that are active: .csv, .fits, ..."),
    ] = None,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    List the targets, or write them with units and descriptions into a file, or as a catalogue for 4FS.

    Reads the database; writes nothing into it. Without --where all but those that were merged into others.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.formats.output.table_files import check_output, write_table
    from tides_bridge.fourmost.catalogue import find_catalogue
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.filters import find_filtered
    from tides_bridge.targets.listing import describe_targets

    with exit_on_error():
        for path in filter(None, [output, catalogue]):
            check_output(path)
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            with database.transaction() as connection:
                ids = [row["tides_id"] for row in find_filtered(connection, chosen, where)] if where else None
                listed = describe_targets(connection, ids)
                found = find_catalogue(connection, chosen, ids) if catalogue else None
        if output:
            write_table(listed, output)
            echo_line(f"{len(listed):,} targets in {output}")
        if catalogue and found:
            write_table(found.table, catalogue)
            off = len(listed) - len(found.table) - len(found.left_out)
            echo_line(f"{len(found.table):,} targets in the catalogue {catalogue}; {off:,} are not active")
            for name, reason in found.left_out.items():
                stderr_console(highlight=False).print(f"tides: {name} is left out: {reason}", markup=False)
    if not output and not catalogue:
        stdout_console(highlight=False, soft_wrap=True).print(_screen(listed), markup=False)


def _screen(listed: "pa.Table") -> Table | str:
    if not len(listed):
        return "no target"
    table = Table(*SHOWN, box=None, pad_edge=False)
    for row in listed.select(SHOWN).to_pylist():
        numbers = {"ra": 5, "dec": 5, "mag": 2}
        table.add_row(
            *(
                "" if row[name] is None else f"{row[name]:.{numbers[name]}f}" if name in numbers else str(row[name])
                for name in SHOWN
            )
        )
    return table
