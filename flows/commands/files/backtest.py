"""The command `tides backtest`: what selection functions would have selected from an archive. It needs no Prefect."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.commands.files.selecting import ProgressPrinter
from flows.commands.options import Config, Schema, SettingsFile, Survey, ZeroPoint
from tides_bridge.console import exit_on_error, stderr_console, stdout_console

if TYPE_CHECKING:
    from tides_bridge.archives.backtest import Backtest
    from tides_bridge.archives.truth import TruthFile
    from tides_bridge.selection import SelectionFunction

Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files with light curves, or folders of them.")
]
Names = Annotated[
    list[str], typer.Option("--function", help="Name of a selection function; a second one is compared with it.")
]
Truth = Annotated[
    list[str] | None,
    typer.Option(
        "--truth",
        metavar="FILE[=CLASS]",
        help="CSV or Parquet with objectId and class (or GENTYPE, classId, type), and if known peak MJD, peak "
        "magnitude and redshift; the archive itself, if it has these. With =CLASS: all in it are of this class.",
    ),
]
FunctionsFile = Annotated[
    Path | None,
    typer.Option("--functions", help="File of selection functions; default selectionFunctions.yaml here, or ours."),
]
Wanted = Annotated[
    list[str] | None, typer.Option("--wanted", help="A class to be selected; default all kinds of supernovae.")
]
Bands = Annotated[
    list[str] | None,
    typer.Option("--peak-band", help="Band whose peak counts; default: the brightest of those the functions count."),
]
Spectra = Annotated[
    bool,
    typer.Option(
        "--spectra",
        help="Instead of files: what the functions decided in their time, beside the classes that came back.",
    ),
]
Life = Annotated[bool, typer.Option("--life", help="Follow the targets: when they are on, with which magnitude.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything was left out or doubtful, too.")]
Output = Annotated[Path | None, typer.Option(help="Write the report: .md, .json; or the objects one by one: .csv.")]
Plot = Annotated[Path | None, typer.Option(help="Draw efficiency and trigger phase: .png, .pdf, .svg.")]


def backtest(  # noqa: PLR0913, PLR0917
    function: Names,
    paths: Paths = None,
    truth: Truth = None,
    spectra: Spectra = False,
    functions: FunctionsFile = None,
    wanted: Wanted = None,
    peak_band: Bands = None,
    zero_point: ZeroPoint = None,
    schema: Schema = None,
    survey: Survey = None,
    strict: Strict = False,
    life: Life = False,
    output: Output = None,
    plot: Plot = None,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Tell what selection functions would have selected from an archive with known classes, and when.

    Reads the files, or with --spectra the database, only; writes what --output and --plot name. Exit code 1 if a file
    or record could not be used: the rest is done.
    """
    from tides_bridge.archives.backtest_report import check_places, write_files

    if len(function) > 2:
        raise typer.BadParameter("one function, or two that are compared", param_hint="--function")
    if spectra == bool(paths or truth):
        raise typer.BadParameter("name files and their --truth, or give --spectra alone", param_hint="PATH...")
    with exit_on_error():
        check_places(output, plot)
        if spectra:
            found, is_whole = _of_spectra(function, wanted, peak_band, (config, settings)), True
        else:
            options: dict[str, object] = {
                "wanted": wanted or (),
                "bands": peak_band or (),
                "zero_point": zero_point,
                "schema": schema,
                "survey": survey.value if survey else None,
                "life": life,
            }
            found, printer = _of_files(paths or [], truth or [], (function, functions), options)
            is_whole = not printer.refused and not (strict and printer.is_in_doubt)
        write_files(found, output, plot)
    _show(found)
    raise typer.Exit(0 if is_whole else 1)


def _of_spectra(
    names: list[str], wanted: list[str] | None, bands: list[str] | None, place: tuple[str | None, Path | None]
) -> "Backtest":
    """Ask the record, in the database of a configuration of a settings file."""
    from tides_bridge.archives.observed import backtest_by_spectra
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.decisions.outcomes import outcomes_of
    from tides_bridge.lightcurves.photometry import BANDS
    from tides_bridge.settings import load_settings

    with open_database(load_settings(*place)) as database:
        ensure_schema(database, is_ours=False)
        functions, rows = outcomes_of(database, names, bands or ())
    return backtest_by_spectra(rows, functions, wanted or (), bands or BANDS)


def _of_files(
    paths: list[Path], truth: list[str], named: tuple[list[str], Path | None], options: dict[str, object]
) -> "tuple[Backtest, ProgressPrinter]":
    """Judge files by functions of a file."""
    from tides_bridge.archives.truth import TruthFile
    from tides_bridge.selection.file import functions_file, load_function

    if not paths or not truth:
        missing = "--truth" if paths else "PATH..."
        raise typer.BadParameter("is missing: files, and what their objects truly are", param_hint=missing)
    names, file = named
    chosen = [load_function(functions_file(file), name) for name in names]
    return _run(paths, chosen, [TruthFile.parse(text) for text in truth], options)


def _run(
    paths: list[Path],
    functions: list["SelectionFunction"],
    sources: list["TruthFile"],
    options: dict[str, object],
) -> "tuple[Backtest, ProgressPrinter]":
    """Do the work, with a count of objects on a terminal, and tell what could not be used."""
    from tides_bridge.archives.backtest import run_backtest

    console = stderr_console(highlight=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    with bar if console.is_terminal else nullcontext(), ProgressPrinter(bar, console) as printer:
        printer.begin("light curves judged", None)
        found = run_backtest(
            paths,
            functions,
            sources,
            refused=printer.refuse,
            noted=printer.doubt,
            left_out=printer.leave_out,
            done=printer.advance,
            **options,  # type: ignore[arg-type]
        )
    return found, printer


def _show(found: "Backtest") -> None:
    """Print the report."""
    from tides_bridge.archives.backtest_report import report_notes, report_tables

    console = stdout_console(160)
    for section in report_tables(found):
        table = Table(title=section.title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for number, name in enumerate(section.header):
            table.add_column(name, justify="right" if number else "left")
        for row in section.rows:
            table.add_row(*map(escape, row))
        console.print(table)
        if section.note:
            console.print(section.note, style="dim", markup=False)
        console.print()
    for note in report_notes(found):
        console.print(f"- {note}", markup=False, highlight=False)
