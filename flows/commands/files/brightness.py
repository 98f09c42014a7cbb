"""``tides predict``: how bright objects are at epochs at which nobody saw them. It needs no settings or database."""

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flows.commands.files.selecting import ProgressPrinter
from tides_bridge.console import echo_line, exit_on_error, stderr_console


class System(StrEnum):
    """Photometric systems that there are coefficients for."""

    LSST = "LSST"
    ZTF = "ZTF"


def predict(  # noqa: PLR0913, PLR0917
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files with light curves, or folders of them.")
    ],
    requests: Annotated[
        Path, typer.Option("--requests", help="CSV with the columns objectId, until_mjd, at_mjd, band (MJD in UTC).")
    ],
    output: Annotated[
        Path, typer.Option("--output", help="CSV to write: the requests, with mag, mag_err and method added.")
    ],
    system: Annotated[
        System | None, typer.Option("--system", help="Whose bands these are; default: the light curve tells.")
    ] = None,
    coefficients: Annotated[
        list[Path] | None,
        typer.Option("--coefficients", help="File of `tides brightness fit`, in place of what is shipped."),
    ] = None,
    zero_point: Annotated[
        float | None, typer.Option(help="AB zero point of fluxes, in mag; default 31.4: nJy.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(help="Avro schema, or folder of them, for messages that bring none.")
    ] = None,
) -> None:
    """
    Predict magnitudes from light curves in files, as the bridge does for its targets.

    Points later than until_mjd are not looked at. A row that cannot be answered stays, with the reason in method. Exit
    code 1 if a file or record could not be used: the rest is done.
    """
    from tides_bridge.archives.predictions import predict_for_file
    from tides_bridge.targets.brightness import load_models

    refused: list[str] = []
    console = stderr_console(highlight=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    with (
        exit_on_error(),
        bar if console.is_terminal else nullcontext(),
        ProgressPrinter(bar, console) as printer,
    ):
        printer.begin("light curves read", None)

        def refuse(path: Path, problem: str) -> None:
            refused.append(problem)
            printer.refuse(path, problem)

        methods = predict_for_file(
            paths,
            requests,
            output,
            models=load_models(coefficients or ()),
            system=system.value if system else None,
            zero_point=zero_point,
            schema=schema,
            refused=refuse,
            noted=printer.doubt,
            done=printer.advance,
        )
    for method, number in sorted(methods.items()):
        echo_line(f"{method}: {number:,}")
    raise typer.Exit(1 if refused else 0)
