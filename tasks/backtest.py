"""The steps of a backtest."""

from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.behaviour import STEP
from tasks.handed import Handed
from tides_bridge.archives.backtest import Backtest, run_backtest
from tides_bridge.archives.backtest_report import report_as_markdown, report_tables
from tides_bridge.archives.truth import TruthFile
from tides_bridge.selection import SelectionFunction

MOST_TOLD = 20
"""Files and records that could not be used, in the report; the log has all."""


@task(**STEP, task_run_name="judge_archive")
def judge_archive(
    paths: list[Path], functions: list[SelectionFunction], truth: list[TruthFile], options: dict[str, Any]
) -> tuple[Handed[Backtest], list[str]]:
    """Judge an archive; gives with the backtest what could not be used, and why."""
    logger, refused = get_run_logger(), list[str]()

    def refuse(path: Path, problem: str) -> None:
        refused.append(f"{path}: {problem}")
        logger.warning("refused file=%s problem=%s", path, problem)

    backtest = run_backtest(paths, functions, truth, refused=refuse, **options)
    logger.info("judged objects=%d refused=%d", len(backtest.objects), len(refused))
    return Handed(backtest), refused


@task(**STEP, task_run_name="publish_backtest")
def publish_backtest(handed: Handed[Backtest], refused: list[str]) -> None:
    """Show the report on the run page, and the counts by true class as a table."""
    backtest = handed.take()
    text = report_as_markdown(backtest)
    if refused:
        lines = "\n".join(f"- {problem}" for problem in refused[:MOST_TOLD])
        more = f"\n- and {len(refused) - MOST_TOLD} more: see the log" if len(refused) > MOST_TOLD else ""
        text += f"\n## Not used\n\n{lines}{more}\n"
    names = " against ".join(function.name for function in backtest.functions)
    create_markdown_artifact(text, key="tides-backtest", description=f"Backtest of {names}")
    classes = next(section for section in report_tables(backtest) if section.title == "By true class")
    rows = [dict(zip(classes.header, row, strict=True)) for row in classes.rows]
    create_table_artifact(rows, key="tides-backtest-classes", description=f"By true class: {names}")
