"""The command `tides convert`: light curves of any format as one table with units."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from flows.commands.files.selecting import ProgressPrinter
from flows.commands.options import Schema, Survey, ZeroPoint
from tides_bridge.console import echo_line, exit_on_error, stderr_console

if TYPE_CHECKING:
    pass


def convert(  # noqa: PLR0913, PLR0917
    paths: Annotated[list[Path], typer.Argument(help="Files with light curves, and folders of them.")],
    output: Annotated[
        Path, typer.Option("--output", help="File, a point a row: .csv, .parquet, .json, .fits, .vot or .ecsv.")
    ],
    zero_point: ZeroPoint = None,
    schema: Schema = None,
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Read answers of the forced photometry services of ZTF and ATLAS, of IRSA and of Fink's portal, too: "
            "points from 5 sigma on are detections.",
        ),
    ] = False,
    survey: Survey = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if anything was left out, assumed or doubtful, too.")
    ] = False,
) -> None:
    """
    Write the light curves of files of any format into one table, a point a row, with units and descriptions.

    Each object is written once, as its newest record has it. Exit code 1 if anything could not be used.
    """
    from tides_bridge.archives.curve_files import CURVE_SCHEMA, table_of_curves
    from tides_bridge.formats.files import read_light_curves
    from tides_bridge.formats.output.table_files import TableFile, check_output, encode_rows

    console = stderr_console(highlight=False)

    with exit_on_error(), ProgressPrinter(Progress(disable=True), console) as printer:
        check_output(output)
        objects = points = 0
        with TableFile(output, CURVE_SCHEMA) as file:
            parts = read_light_curves(
                paths,
                zero_point=zero_point,
                schema=schema,
                published=published,
                survey=survey.value if survey else None,
                refused=printer.refuse,
                noted=printer.doubt,
                left_out=printer.leave_out,
            )
            for curves in parts:
                objects, points = objects + len(curves), points + len(curves.mjd)
                file.append(encode_rows(table_of_curves(curves), output.suffix))
    lost = f"; {printer.refused:,} files or records were refused" if printer.refused else ""
    echo_line(f"{objects:,} objects, {points:,} points in {output}{lost}")
    raise typer.Exit(1 if printer.refused or (strict and printer.is_in_doubt) else 0)
