"""The steps of selecting from files: a piece of the work, and the table on the run page."""

from collections.abc import Callable
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact

from tasks.behaviour import STEP


class Piece:
    """
    Some of the work. Without a ``__dict__``, so that Prefect does not look into it.

    Parameters
    ----------
    function, item
        What is called, with what.
    """

    __slots__ = ("function", "item")

    def __init__(self, function: Callable[[Any], Any], item: Any) -> None:
        self.function, self.item = function, item


@task(**STEP, name="light_curves_of_files", task_run_name="{title}")
def do_piece(title: str, piece: Piece) -> Any:
    """Do some of the work: judge the light curves of some files, or plot some."""
    return piece.function(piece.item)


@task(**STEP, task_run_name="publish_selection")
def publish_selection(headline: str, rows: list[dict[str, Any]]) -> None:
    """Log what was found in files, and show it as a table on the run page."""
    get_run_logger().info("selection %s", headline)
    create_table_artifact(rows, key="tides-select-summary", description=f"What was selected from files: {headline}")
