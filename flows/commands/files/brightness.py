"""``tides predict`` and ``tides brightness``: how bright objects are when nobody saw them. They need no settings."""

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flows.commands.files.selecting import ProgressPrinter
from flows.commands.options import Schema, ZeroPoint
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
    zero_point: ZeroPoint = None,
    schema: Schema = None,
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


app = typer.Typer(help="What predictions of the brightness rest on.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `fit` a command of its own, though it is the only one."""


@app.command()
def fit(  # noqa: PLR0913, PLR0917
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files with light curves, or folders.")],
    truth: Annotated[
        list[str],
        typer.Option(
            "--truth",
            metavar="FILE[=CLASS]",
            help="CSV or Parquet with objectId, class, redshift, and MJD and r magnitude of the peak.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="File to write, for `tides predict --coefficients`.")],
    system: Annotated[System, typer.Option("--system", help="Whose bands these are.")] = System.LSST,
    class_name: Annotated[str, typer.Option("--class", help="Class to fit on.")] = "SN Ia",
    peak_error: Annotated[
        float, typer.Option("--peak-error", min=0, help="Error of the peak epochs in days; 0 for simulations.")
    ] = 0.0,
) -> None:
    """
    Fit the coefficients that predictions rest on, and tell how good they are for objects that they were not fitted on.

    A third of the objects, chosen by their names, is kept for that.
    """
    from tides_bridge.archives.brightness import HEADER, fit_sample, is_unseen, read_sample, score, try_predictions
    from tides_bridge.archives.truth import TruthFile
    from tides_bridge.errors import SettingsError
    from tides_bridge.targets.brightness import Supernovae

    console, refused = stderr_console(highlight=False), []
    with exit_on_error(), ProgressPrinter(Progress(console=console, transient=True), console) as printer:
        if not output.parent.is_dir() or output.is_dir():
            raise SettingsError(f"--output {output}", "", "is no file in a folder that exists")

        def refuse(path: Path, problem: str) -> None:
            refused.append(problem)
            printer.refuse(path, problem)

        sample = read_sample(paths, [TruthFile.parse(text) for text in truth], refused=refuse, noted=printer.doubt)
        about = " ".join(path.name for path in paths)
        fitted = fit_sample(sample, class_name, system.value, about, peak_error)
        fitted.save(output)
        models = {system.value: Supernovae(fitted)}
        bands = 3 if system is System.LSST else 2
        rows = try_predictions(sample, is_unseen, models, system.value, bands)
    echo_line(f"{fitted.about}. Predictions of r for {rows.object_id.nunique()} others:")
    for cells in (HEADER, *score(rows)):
        echo_line("| " + " | ".join(cells) + " |")
    raise typer.Exit(1 if refused else 0)
