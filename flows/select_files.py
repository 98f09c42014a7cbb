"""
The flow "TiDES select": what `tides select` does, started from the web page.

Dask workers read the files, so they must be on this machine or see the same ones. One Prefect task judges as many
objects as `objects_per_task` says, since each costs some 75 ms; what is sent are places in files, and decisions.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from distributed import CancelledError, KilledWorker
from prefect import flow, get_run_logger
from pydantic import Field

from flows.from_files import Selecting, prepare, run_selection
from flows.in_order import in_order, lost, set_up_dask
from flows.parameters import Explained
from flows.workers import dask_workers
from tasks.behaviour import speak_plainly, without_causes
from tasks.handed import Handed
from tasks.select_files import do_piece, publish_selection
from tides_bridge.archives.judging import Tally
from tides_bridge.formats.meaning.left_out import Digest
from tides_bridge.settings.sections import DaskSettings

Paths = Annotated[list[str], Explained("Files, and folders with files in any depth, as the worker sees them.")]
Function = Annotated[str, Explained("Name of the selection function.")]
Functions = Annotated[
    str | None, Explained("File of selection functions; empty: selectionFunctions.yaml here, or ours.")
]
Output = Annotated[
    str | None, Explained("File for the decisions: .csv, .parquet, .json, .fits, .vot or .ecsv; empty for none.")
]
Folder = Annotated[str | None, Explained("Folder for plots of what passes, one each; empty for none.")]
PlotAll = Annotated[bool, Explained("Plot what does not pass, too.")]
MostPlots = Annotated[int, Field(ge=0), Explained("Plot no more than so many; 0 for no limit.")]
ZeroPoint = Annotated[float | None, Explained("[mag] of fluxes; empty: 31.4, which is nJy.")]
Schema = Annotated[str | None, Explained("Avro schema, or folder of them, for messages that bring none.")]
Survey = Annotated[
    Literal["ztf", "lsst"] | None,
    Explained("Whose nights count where files do not say it; empty: those of Rubin, noon to noon UTC."),
]
Now = Annotated[str | None, Explained("MJD or date (UTC) from which ages count; empty: each one's last point.")]
Workers = Annotated[int, Field(ge=1), Explained("Dask workers to start, processes of this machine.")]
Address = Annotated[str | None, Explained("Scheduler of a Dask cluster to use in their place.")]
PerTask = Annotated[int, Field(ge=1), Explained("At least so many objects are judged by one task.")]


@dataclass(frozen=True)
class FilesWork:
    """What `judge_files` is to do, and by how many workers."""

    selecting: Selecting
    workers: int


@flow(name="TiDES select", flow_run_name="{function}")
def select_from_files(  # noqa: PLR0913, PLR0917
    paths: Paths,
    function: Function,
    functions_file: Functions = None,
    output: Output = None,
    plots: Folder = None,
    plot_all: PlotAll = False,
    most_plots: MostPlots = 1000,
    zero_point: ZeroPoint = None,
    schema_path: Schema = None,
    survey: Survey = None,
    now: Now = None,
    workers: Workers = 2,
    dask_address: Address = None,
    objects_per_task: PerTask = 10_000,
) -> dict[str, int]:
    """
    Judge light curves in files by a selection function, on Dask; writes decisions and plots if these are asked for.

    Returns
    -------
    dict
        How many objects were judged, passed and plotted, and how many files or records were refused.
    """
    speak_plainly()
    with without_causes():
        selecting = prepare(
            [Path(path).resolve() for path in paths],
            function,
            functions=_path(functions_file),
            output=_path(output),
            plots=_path(plots),
            plot_all=plot_all,
            now=now,
            most_plots=most_plots,
            zero_point=zero_point,
            schema=_path(schema_path),
            survey=survey,
            objects_of_a_unit=min(objects_per_task, Selecting.objects_of_a_unit),
            objects_of_a_task=objects_per_task,
        )
        # Processes: reading JSON or Avro holds the lock of Python.
        options = DaskSettings(address=dask_address, workers=workers, threadsPerWorker=1, processes=True)
        tally, plotted = _on_dask(FilesWork(selecting, workers), options)
    return _publish(selecting, tally, plotted)


def _path(text: str | None) -> Path | None:
    """Read a path whole, as workers may be elsewhere; what a form leaves empty is none."""
    return Path(text).resolve() if text else None


def _on_dask(work: FilesWork, options: DaskSettings) -> tuple[Tally, int]:
    set_up_dask()
    with dask_workers(options) as workers:
        found: tuple[Tally, int] = judge_files.with_options(task_runner=workers(work.workers))(Handed(work)).take()
        return found


@flow(name="judge_files", flow_run_name="light curves", validate_parameters=False)
def judge_files(given: Handed[FilesWork]) -> Handed[tuple[Tally, int]]:
    """Go through the files: one Dask task some thousand objects, few of them under way at a time."""
    work, log = given.take(), _RunPageLog()

    def run(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        try:
            yield from in_order(
                lambda item: do_piece.submit(log.title(), Handed((function, item))), items, 2 * work.workers + 1
            )
        except (KilledWorker, CancelledError) as error:
            raise lost(error) from error

    return Handed(run_selection(work.selecting, run, log))


class _RunPageLog:
    """Says on the run page how it goes."""

    def __init__(self) -> None:
        self._log, self._what, self._pieces = get_run_logger(), "", 0

    def title(self) -> str:
        """Name the next piece of work."""
        self._pieces += 1
        return f"{self._what} {self._pieces}"

    def begin(self, what: str, total: int | None) -> None:
        """Log what comes next."""
        self._what, self._pieces = what, 0
        self._log.info("%s objects=%s", what, "unknown" if total is None else total)

    def advance(self, objects: int) -> None:
        """Say nothing: the page shows the tasks."""

    def refuse(self, path: Path, problem: str) -> None:
        """Log what cannot be used."""
        self._log.warning("refused file=%s problem=%s", path, problem)

    def doubt(self, path: Path, problem: str) -> None:
        """Log a file that may have been misread."""
        self._log.warning("doubtful file=%s problem=%s", path, problem)

    def leave_out(self, path: Path, digest: Digest) -> None:
        """Log what of a file is not used."""
        for line in digest.lines():
            self._log.warning("left out file=%s what=%s", path, line)


def _publish(selecting: Selecting, tally: Tally, plotted: int) -> dict[str, int]:
    """Show on the run page what was found."""
    counts = {"objects": tally.objects, "passed": tally.passed, "plotted": plotted}
    counts["refused"] = tally.refused.total()
    function = selecting.question.function
    rows: list[dict[str, Any]] = [{"number": number, "what": what} for what, number in counts.items()]
    rows += [
        {"number": tally.failed[leaf.path], "what": f"failed {leaf.path} {leaf.demand()}"} for leaf in function.leaves
    ]
    rows += [{"number": number, "what": f"refused of {path}"} for path, number in tally.refused.most_common(50)]
    headline = f"{tally.passed} of {tally.objects} objects pass {function.name}, version {function.version}"
    publish_selection(headline, rows)
    return counts
