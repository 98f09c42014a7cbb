"""
Selecting from files: what `tides select` and the flow "TiDES select" do, in which order.

::

    paths ─▶ work_units ─▶ chunks ─▶ decide, here or on Dask ─▶ decision file, tally ─▶ plots of what was chosen
             one pass                one answer a chunk,        in the order of the     reads these units again
                                     in order                   files
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from flows.in_order import OrderedMap
from tides_bridge.archives.decision_files import DecisionFile
from tides_bridge.archives.judging import (
    JudgedUnits,
    Question,
    Tally,
    chosen_curves,
    chunks_of,
    judge_units,
    mjd_of_text,
)
from tides_bridge.compiled import Integers
from tides_bridge.errors import SettingsError
from tides_bridge.formats.contents import files_in
from tides_bridge.formats.files import Unit, work_units
from tides_bridge.formats.meaning.left_out import Digest
from tides_bridge.formats.members import OpenedArchives, archives_opened
from tides_bridge.formats.output.table_files import check_output
from tides_bridge.lightcurves import LightCurves
from tides_bridge.selection.file import functions_file, load_function

if TYPE_CHECKING:
    from tides_bridge.selection.plots import Plots

CURVES_OF_A_DRAWING = 8
"""Light curves that are plotted by one piece of work: it takes about a second."""


@dataclass(frozen=True)
class Selecting:
    """
    What is to be done.

    Attributes
    ----------
    paths
        Files and folders.
    question
        What is asked of the light curves.
    output
        File of the decisions; None for none.
    plots
        How light curves are plotted; None for no plots.
    most_plots
        No more than so many; 0 for as many as there are.
    zero_point, schema, survey
        As `tides_bridge.formats.files.work_units` takes them.
    objects_of_a_unit, objects_of_a_task
        About how many are read at once, and at least how many are judged by one piece of work.
    """

    paths: tuple[Path, ...]
    question: Question
    output: Path | None = None
    plots: "Plots | None" = None
    most_plots: int = 0
    zero_point: float | None = None
    schema: Path | None = None
    survey: str | None = None
    objects_of_a_unit: int = 10_000
    objects_of_a_task: int = 10_000


class Listener(Protocol):
    """Is told how it goes."""

    def begin(self, what: str, total: int | None) -> None:
        """Hear what comes next, and of how many objects, if that is known."""

    def advance(self, objects: int) -> None:
        """Hear of objects that are done."""

    def refuse(self, path: Path, problem: str) -> None:
        """Hear of a file or record that cannot be used."""

    def doubt(self, path: Path, problem: str) -> None:
        """Hear of a file that may have been misread."""

    def leave_out(self, path: Path, digest: Digest) -> None:
        """Hear what of a file is not used."""


def prepare(  # noqa: PLR0913
    paths: Iterable[Path],
    function: str,
    *,
    functions: Path | None,
    output: Path | None,
    plots: Path | None,
    plot_all: bool,
    now: str | None,
    plot_format: str = "png",
    dpi: int = 150,
    **others: Any,
) -> Selecting:
    """
    Put together what is to be done, and find what is wrong before any work is.

    Parameters
    ----------
    paths, output
        As in `Selecting`.
    function, functions
        Name, and file of selection functions; None: selectionFunctions.yaml here, or else that of this installation.
    plots, plot_all, plot_format, dpi
        Folder for plots or None, whether of what does not pass, too, and as in `tides_bridge.selection.plots.Plots`.
    now
        Epoch from which ages count, as `tides_bridge.archives.judging.mjd_of_text` reads it; None: the last point of
        each.
    others
        As in `Selecting`.

    Raises
    ------
    SettingsError
        If the function is unknown or wrong, a path is missing, or output or plots cannot be written.
    """
    question = Question(
        load_function(functions_file(functions), function),
        mjd_of_text(now) if now else None,
        output.suffix if output else "",
        "none" if not plots else "all" if plot_all else "passed",
    )
    how = None
    if plots:
        from tides_bridge.selection.plots import Plots  # it brings matplotlib

        how = Plots(plots, plot_format, dpi)
    selecting = Selecting(tuple(paths), question, output, how, **others)
    _check(selecting)
    return selecting


def _check(selecting: Selecting) -> None:
    """Find what is wrong with paths, output and plots before any work is done."""
    for path in (*selecting.paths, *filter(None, [selecting.schema])):
        if not path.exists():
            raise SettingsError(str(path), "", "there is no such file or folder")
    if selecting.output:
        check_output(selecting.output)
    if selecting.plots:
        folder = selecting.plots.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"--plots {folder}", "", f"cannot be made: {error.strerror}") from None


def run_selection(selecting: Selecting, run: OrderedMap, listener: Listener) -> tuple[Tally, int]:
    """
    Judge all light curves, write the decisions, and plot.

    Parameters
    ----------
    selecting
        As `prepare` gives it.
    run
        Applies functions to chunks, here or on Dask, and gives the results in order: `flows.in_order.runner`.
    listener
        Is told how it goes.

    Returns
    -------
    (tally, plotted)
        What was found, and how many light curves were plotted.
    """
    tally = Tally()
    refused = partial(_refuse, tally, listener)
    listener.begin("looking through the files", None)
    # What an earlier time has written into one of the folders is no input.
    output = selecting.output.resolve() if selecting.output else None
    plots = selecting.plots.folder.resolve() if selecting.plots else None
    files = ((file, file.resolve()) for file in files_in(selecting.paths, refused))
    inputs = [file for file, whole in files if whole != output and (not plots or plots not in whole.parents)]
    with archives_opened(inputs, refused) as opened:
        return tally, _judge_files(selecting, opened, run, listener, tally)


def _refuse(tally: Tally, listener: Listener, path: Path, problem: str) -> None:
    tally.refused[path] += 1
    listener.refuse(path, problem)


def _judge_files(
    selecting: Selecting, opened: OpenedArchives, run: OrderedMap, listener: Listener, tally: Tally
) -> int:
    """Judge what is in files and count it; gives how many light curves were plotted."""
    refused = opened.telling(partial(_refuse, tally, listener))
    units = work_units(
        opened.files,
        zero_point=selecting.zero_point,
        schema=selecting.schema,
        survey=selecting.survey,
        objects_per_part=selecting.objects_of_a_unit,
        refused=refused,
    )
    chunks = chunks_of(units, selecting.objects_of_a_task)
    listener.begin("judging", sum(unit.objects for unit in units))
    # Light curves are not kept for the plots, only their places: an archive is larger than the memory.
    chosen: list[tuple[tuple[Unit, ...], Integers]] = []
    answers = run(partial(judge_units, selecting.question), chunks)
    for chunk, answer in zip(chunks, _written(answers, selecting), strict=True):
        tally.add(answer)
        for path, problem in answer.refused:
            refused(path, problem)
        for path, problem in answer.notes:
            listener.doubt(opened.name_of(path), problem)
        for path, digest in answer.left_out:
            listener.leave_out(opened.name_of(path), digest)
        listener.advance(answer.objects)
        if len(answer.plotted):
            chosen.append((chunk, answer.plotted.astype(np.int32)))
    return _plot(selecting, chosen, run, listener)


def _written(answers: Iterator[JudgedUnits], selecting: Selecting) -> Iterator[JudgedUnits]:
    """Write answers as they come; the file gets its name when all are there."""
    if not selecting.output:
        yield from answers
        return
    with DecisionFile(selecting.output, selecting.question.function) as file:
        for answer in answers:
            file.append(answer.rows)
            yield answer


def _plot(
    selecting: Selecting, chosen: list[tuple[tuple[Unit, ...], Integers]], run: OrderedMap, listener: Listener
) -> int:
    """Plot what was chosen, or as many of it as were asked for."""
    if not selecting.plots:
        return 0
    from tides_bridge.selection.plots import draw_light_curves

    number = sum(len(places) for _, places in chosen)
    most = min(number, selecting.most_plots or number)
    listener.begin("plotting", most)
    drawn = 0
    work = partial(draw_light_curves, selecting.plots, selecting.question.function, selecting.question.now_mjd)
    for plotted in run(work, _drawings(chosen, most)):
        drawn += plotted
        listener.advance(plotted)
    return drawn


def _drawings(chosen: list[tuple[tuple[Unit, ...], Integers]], most: int) -> Iterator[LightCurves]:
    """Read the chosen light curves again, chunk by chunk, some at a time."""
    for chunk, places in chosen:
        yield from chosen_curves(chunk, places[:most], CURVES_OF_A_DRAWING)
        most -= len(places[:most])
        if most <= 0:
            return
