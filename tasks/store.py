"""The steps that write to PostgreSQL. The first four share the transaction of their batch."""

from prefect import get_run_logger, task
from sqlalchemy import Connection

from tasks.behaviour import RETRIED, STEP
from tasks.handed import Handed
from tides_bridge.database import Database
from tides_bridge.decisions import batch as ingest
from tides_bridge.decisions import record
from tides_bridge.decisions import several_surveys as together
from tides_bridge.decisions.batch import Budget, Switched
from tides_bridge.decisions.models import Batch, Judged
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings


@task(**STEP, task_run_name="judge_together")
def judge_together(
    connection: Connection, judged: Handed[list[Judged]], settings: Settings, functions: list[SelectionFunction]
) -> Handed[list[Judged]]:
    """Judge by what was said before, and several surveys together, where a selection function says so."""
    return Handed(together.judge_together(connection, judged.take(), settings, functions))


@task(**STEP, task_run_name="create_transient_stage")
def create_transient_stage(connection: Connection, judged: Handed[list[Judged]], settings: Settings) -> int:
    """Copy the objects that passed into the temporary table `tides_stage`."""
    return ingest.create_transient_stage(connection, judged.take(), settings.time())


@task(**STEP, task_run_name="upsert_to_master")
def upsert_to_master(connection: Connection, settings: Settings) -> tuple[int, int]:
    """Insert the staged objects into `tides_master`, or update them."""
    inserted, updated = ingest.upsert_to_master(connection, settings)
    get_run_logger().info("tides_master inserted=%d updated=%d", inserted, updated)
    return inserted, updated


@task(**STEP, task_run_name="store_outcome")
def store_outcome(
    connection: Connection, outcome: Handed[tuple[Batch, list[Judged]]], budget: Budget, settings: Settings, run_id: int
) -> None:
    """Keep refused messages, decisions, deferred objects, the number of calls made, and the place in the stream."""
    batch, judged = outcome.take()
    ingest.store_outcome(connection, batch, judged, budget, settings, run_id)


@task(**RETRIED, task_run_name="put_in_force")
def put_in_force(database: Database, settings: Settings, functions: list[SelectionFunction]) -> None:
    """Note which selection functions are in force, and make the log of decisions ready."""
    dropped = record.put_in_force(database, settings, functions)
    names = ", ".join(f"{function.name} {function.version}" for function in functions)
    get_run_logger().info("selection functions in force %s, months of decisions dropped=%d", names, dropped)


@task(**RETRIED, task_run_name="deactivate_unobserved_transients")
def deactivate_unobserved_transients(database: Database, settings: Settings) -> Switched:
    """Switch off targets that were not seen for too long or are too faint, and on again those that are neither now."""
    switched = ingest.deactivate_unobserved_transients(database, settings)
    get_run_logger().info("tides_master deactivated=%d activated=%d held=%d", *switched)
    return switched
