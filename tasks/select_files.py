"""The steps of selecting from files: a piece of the work, and the table on the run page."""

from collections.abc import Callable
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact

from tasks.behaviour import STEP, without_causes
from tasks.handed import Handed


@task(**STEP, name="light_curves_of_files", task_run_name="{title}")
def do_piece(title: str, piece: Handed[tuple[Callable[[Any], Any], Any]]) -> Any:
    """Do some of the work: judge the light curves of some files, or plot some."""
    function, item = piece.take()
    with without_causes():
        return function(item)


@task(**STEP, task_run_name="publish_selection")
def publish_selection(headline: str, rows: list[dict[str, Any]]) -> None:
    """Log what was found in files, and show it as a table on the run page."""
    get_run_logger().info("selection %s", headline)
    create_table_artifact(rows, key="tides-select-summary", description=f"What was selected from files: {headline}")
