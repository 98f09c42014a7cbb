"""``tides select``: judges light curves in files. It needs no settings, broker, database or server."""

import time
from collections import Counter
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.commands.options import Schema, Survey, ZeroPoint
from tides_bridge.console import exit_on_error, stderr_console, stdout_console
from tides_bridge.errors import BridgeError
from tides_bridge.processes import INTERRUPTED, interruptible

if TYPE_CHECKING:
    from flows.from_files import Selecting
    from tides_bridge.archives.judging import Tally
    from tides_bridge.formats.meaning.left_out import Digest

TOLD_OF_A_FILE = 5
"""Refused records of one file that are told one by one; of the others only their number."""


class Picture(StrEnum):
    """Kinds of plots."""

    png = "png"
    pdf = "pdf"
    svg = "svg"


def select(  # noqa: PLR0913, PLR0917
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders with files in any depth.")],
    function: Annotated[str, typer.Option("--function", help="Name of the selection function.")],
    functions: Annotated[
        Path | None,
        typer.Option("--functions", help="File of selection functions; default selectionFunctions.yaml here, or ours."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="File for the decisions: .csv, .parquet, .json, .fits, .vot or .ecsv."),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Folder for plots of the light curves that pass, one each.")
    ] = None,
    plot_all: Annotated[bool, typer.Option("--plot-all", help="Plot those too that do not pass.")] = False,
    max_plots: Annotated[int, typer.Option("--max-plots", min=0, help="Plot no more; 0: no limit.")] = 1000,
    plot_format: Annotated[Picture, typer.Option("--plot-format", help="Kind of the plots.")] = Picture.png,
    dpi: Annotated[int, typer.Option("--dpi", min=50, max=1200, help="Dots an inch of a PNG; 300 for print.")] = 150,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            envvar="DASK_SCHEDULER_ADDRESS",
            help="Scheduler of a Dask cluster whose machines see the same files; used in place of --workers.",
        ),
    ] = None,
    zero_point: ZeroPoint = None,
    schema: Schema = None,
    survey: Survey = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if anything was left out, assumed or doubtful, too.")
    ] = False,
    now: Annotated[
        str | None,
        typer.Option("--now", help="MJD or date (UTC) from which ages count; default: the last point of each."),
    ] = None,
) -> None:
    """
    Judge light curves in files by a selection function, and tell how many pass.

    Reads alert packets of ZTF, Rubin and ELAsTiCC, answers and messages of Lasair, and tables; writes the decisions and
    the plots that are asked for. What cannot be read is told, and all else is done: the exit code is 1 then.
    What is read but not used is told at the end, by reason: silence means that all was used.
    """
    started = time.monotonic()
    with exit_on_error():
        from flows.from_files import prepare

        if dask:  # its workers work in folders of their own
            paths = [path.resolve() for path in paths]
            plots, schema = plots and plots.resolve(), schema and schema.resolve()
        selecting = prepare(
            paths,
            function,
            functions=functions,
            output=output,
            plots=plots,
            plot_all=plot_all,
            plot_format=plot_format.value,
            dpi=dpi,
            now=now,
            most_plots=max_plots,
            zero_point=zero_point,
            schema=schema,
            survey=survey.value if survey else None,
        )
        console = stderr_console(highlight=False)
        tally, plotted = _carry_out(selecting, workers, dask, console)
    stdout_console(highlight=False).print(_table(selecting, tally, plotted, time.monotonic() - started), markup=False)
    raise typer.Exit(1 if tally.refused or (strict and tally.is_in_doubt) else 0)


def _carry_out(selecting: "Selecting", workers: int, dask: str | None, console: Console) -> "tuple[Tally, int]":
    """Do the work, with a progress bar if somebody looks; end in order if somebody interrupts it."""
    from flows.from_files import run_selection
    from flows.in_order import runner

    bar = _bar(console)
    try:
        with (
            interruptible(),
            bar if console.is_terminal else nullcontext(),
            ProgressPrinter(bar, console) as printer,
            runner(workers, dask) as run,
        ):
            return run_selection(selecting, run, printer)
    except KeyboardInterrupt:
        lost = f": {selecting.output} was not written" if selecting.output and not printer.is_plotting else ""
        console.print(f"tides: interrupted{lost}", markup=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        raise BridgeError(str(error)) from None


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


class ProgressPrinter:
    """
    Tells a person at a terminal how it goes; what was refused also where there is no terminal.

    Parameters
    ----------
    bar
        The progress bar; shown or not.
    console
        For what was refused.
    """

    def __init__(self, bar: Progress, console: Console) -> None:
        self._bar, self._console = bar, console
        self._refused: Counter[Path] = Counter()
        self._doubted: set[Path] = set()
        self._left_out: dict[Path, Digest] = {}
        self.is_plotting = False

    def __enter__(self) -> "ProgressPrinter":
        return self

    def __exit__(self, *_: object) -> None:
        for path, number in self._refused.items():
            if number > TOLD_OF_A_FILE:
                self._say(f"{path}: {number - TOLD_OF_A_FILE} more records of it were refused")
        from tides_bridge.formats.meaning.left_out import Digest

        together = Digest()
        for digest in self._left_out.values():
            together.add(digest)
        for reason, number in together.points.most_common():
            files = [path for path, digest in self._left_out.items() if reason in digest.points]
            self._say(f"left out: {number} point{'s' * (number != 1)} {reason}, in {_listed(files)}")
        for text in together.remarks:
            files = [path for path, digest in self._left_out.items() if text in digest.remarks]
            self._say(f"{_listed(files)}: {text}")

    def begin(self, what: str, total: int | None) -> None:
        """Show a new bar."""
        for task in self._bar.task_ids:
            self._bar.remove_task(task)
        self._task = self._bar.add_task(what, total=total)
        self.is_plotting = what == "plotting"

    @property
    def refused(self) -> int:
        """How many files and records could not be used."""
        return self._refused.total()

    @property
    def is_in_doubt(self) -> bool:
        """Whether anything was left out, assumed or may be misread: what ``--strict`` makes an error."""
        return bool(self._doubted) or any(self._left_out.values())

    def advance(self, objects: int) -> None:
        """Lengthen the bar."""
        self._bar.advance(self._task, objects)

    def refuse(self, path: Path, problem: str) -> None:
        """Tell what cannot be used, unless much of that file was told."""
        self._refused[path] += 1
        if self._refused[path] <= TOLD_OF_A_FILE:
            self._say(f"{path}: {problem}")

    def doubt(self, path: Path, problem: str) -> None:
        """Tell once of a file that may have been misread."""
        if path not in self._doubted:
            self._say(f"{path}: doubtful: {problem}")
        self._doubted.add(path)

    def leave_out(self, path: Path, digest: "Digest") -> None:
        """Tell at the end what of a file is not used."""
        from tides_bridge.formats.meaning.left_out import Digest

        self._left_out.setdefault(path, Digest()).add(digest)

    def _say(self, text: str) -> None:
        self._console.print(f"tides: {text}", markup=False, soft_wrap=True)


def _listed(files: list[Path]) -> str:
    return str(files[0]) if len(files) == 1 else f"{len(files)} files, the first {files[0]}"


def _table(selecting: "Selecting", tally: "Tally", plotted: int, seconds: float) -> Table:
    """Sum up."""
    function = selecting.question.function
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("function", f"{function.name}, version {function.version}")
    table.add_row("objects judged", f"{tally.objects:,}")
    table.add_row("passed", f"{tally.passed:,}")
    for leaf in function.leaves:
        table.add_row(f"failed {leaf.path} {leaf.demand()}", f"{tally.failed[leaf.path]:,}")
    if tally.refused:
        table.add_row("refused", f"{tally.refused.total():,} files or records, in {len(tally.refused):,} files")
    if tally.left_out.points:
        table.add_row("left out", f"{tally.left_out.points.total():,} points")
    if selecting.output:
        table.add_row("decisions", str(selecting.output))
    if selecting.plots:
        number = tally.objects if selecting.question.plotted == "all" else tally.passed
        rest = f" of {number:,}; --max-plots 0 plots all" if plotted < number else ""
        table.add_row("plots", f"{plotted:,}{rest}, in {selecting.plots.folder}")
    table.add_row("time", f"{seconds:.1f} s")
    return table
