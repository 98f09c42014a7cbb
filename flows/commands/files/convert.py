"""The command `tides convert`: light curves of any format as one table with units."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import Schema, ZeroPoint
from tides_bridge.console import echo_line, exit_on_error, stderr_console

TOLD = 20
"""Files or records that are not used, at most: the others are counted."""


def convert(
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
) -> None:
    """
    Write the light curves of files of any format into one table, a point a row, with units and descriptions.

    Each object is written once, as its newest record has it. Exit code 1 if anything could not be used.
    """
    from tides_bridge.archives.curve_files import CURVE_SCHEMA, table_of_curves
    from tides_bridge.formats.files import read_light_curves
    from tides_bridge.formats.output.table_files import TableFile, check_output, encode_rows

    refused: list[str] = []
    console = stderr_console(highlight=False)

    def tell(path: Path, problem: str) -> None:
        refused.append(problem)
        if len(refused) <= TOLD:
            console.print(f"tides: {path}: {problem}", markup=False, soft_wrap=True)

    with exit_on_error():
        check_output(output)
        objects = points = 0
        with TableFile(output, CURVE_SCHEMA) as file:
            parts = read_light_curves(
                paths,
                zero_point=zero_point,
                schema=schema,
                published=published,
                refused=tell,
                noted=lambda path, problem: console.print(
                    f"tides: {path}: doubtful: {problem}", markup=False, soft_wrap=True
                ),
            )
            for curves in parts:
                objects, points = objects + len(curves), points + len(curves.mjd)
                file.append(encode_rows(table_of_curves(curves), output.suffix))
    left_out = f"; {len(refused):,} files or records were refused" if refused else ""
    echo_line(f"{objects:,} objects, {points:,} points in {output}{left_out}")
    raise typer.Exit(1 if refused else 0)
