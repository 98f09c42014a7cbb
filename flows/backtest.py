"""
Backtest selection functions on an archive with known classes: what they would have selected, and when.

``tides backtest`` is the same from a shell, without Prefect.
"""

from pathlib import Path
from typing import Annotated

from prefect import flow, get_run_logger, runtime
from pydantic import Field

from flows.parameters import Explained
from tasks.backtest import judge_archive, publish_backtest
from tasks.behaviour import speak_plainly, without_causes
from tasks.handed import Handed
from tides_bridge.archives.backtest_report import check_places, write_files
from tides_bridge.archives.truth import TruthFile
from tides_bridge.selection.file import functions_file, load_function

Paths = Annotated[
    list[str],
    Field(min_length=1),
    Explained("Files with light curves, or folders of them, as the worker sees them."),
]
Functions = Annotated[
    list[str],
    Field(min_length=1, max_length=2),
    Explained("Names of one selection function, or of two that are compared."),
]
Truth = Annotated[
    list[str],
    Field(min_length=1),
    Explained(
        "CSV or Parquet files with the columns objectId and class (or GENTYPE, classId, type), and if known peak MJD, "
        "peak magnitude and redshift; the archive itself if it has these. FILE=CLASS: all in it are of one class."
    ),
]
FunctionsFile = Annotated[
    str | None,
    Explained("File of selection functions; empty: selectionFunctions.yaml in the working folder, or ours."),
]
Wanted = Annotated[
    list[str] | None, Explained("Classes that are to be selected, such as SN Ia; empty: all kinds of supernovae.")
]
Bands = Annotated[
    list[str] | None,
    Explained("Bands (u g r i z y) whose brightest peak counts; empty: those in which the functions count detections."),
]
ZeroPoint = Annotated[float | None, Explained("AB zero point of fluxes in the files [mag]; empty: 31.4, which is nJy.")]
Schema = Annotated[str | None, Explained("Avro schema, or a folder of them, for messages that bring none.")]
Output = Annotated[str | None, Explained("Where to write the report (.md, .json), or the objects one by one (.csv).")]
Plot = Annotated[str | None, Explained("Where to draw efficiency and trigger phase (.png, .pdf, .svg).")]


def name_by_functions() -> str:
    """Name a run by its functions."""
    return " against ".join(runtime.flow_run.parameters.get("functions", ["backtest"]))


@flow(name="TiDES backtest", flow_run_name=name_by_functions)
def backtest_selection(  # noqa: PLR0913, PLR0917  the form in the web interface shows each
    paths: Paths,
    functions: Functions,
    truth: Truth,
    file_of_functions: FunctionsFile = None,
    wanted: Wanted = None,
    peak_bands: Bands = None,
    zero_point: ZeroPoint = None,
    avro_schema: Schema = None,
    output: Output = None,
    plot: Plot = None,
) -> dict[str, int]:
    """
    Tell what selection functions would have selected from an archive with known classes.

    Returns
    -------
    dict
        How many objects there are, how many each function selects, and how many files or records were refused.
    """
    speak_plainly()
    report, picture, schema = (Path(text) if text else None for text in (output, plot, avro_schema))
    with without_causes():
        check_places(report, picture)
        file = functions_file(Path(file_of_functions) if file_of_functions else None)
        chosen = [load_function(file, name) for name in functions]
        options = {"wanted": wanted or (), "bands": peak_bands or (), "zero_point": zero_point, "schema": schema}
        sources = [TruthFile.parse(text) for text in truth]
        judged, refused = judge_archive([Path(path) for path in paths], chosen, sources, options)
        backtest = judged.take()
        publish_backtest(Handed(backtest), refused)
        write_files(backtest, report, picture)
    counts = {f"selected_{letter}": int(backtest.objects[f"selected_{letter}"].sum()) for letter in backtest.letters}
    counts = {"objects": len(backtest.objects), **counts, "refused": len(refused)}
    get_run_logger().info("backtest %s", " ".join(f"{name}={count}" for name, count in counts.items()))
    return counts
