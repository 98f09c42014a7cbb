"""The steps that talk to 4MOST."""

from typing import Any

from prefect import get_run_logger, task

from tasks.behaviour import RETRIED, STEP
from tasks.handed import Handed
from tides_bridge.database import Database
from tides_bridge.fourmost import exchange
from tides_bridge.fourmost import reconcile as reconciling
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.exchange import Sent
from tides_bridge.fourmost.payloads import FourmostStage
from tides_bridge.fourmost.reconcile import Difference
from tides_bridge.settings import Settings


@task(**RETRIED, task_run_name="read_back_from_4most")
def read_back_from_4most(database: Database, client: FourmostClient) -> int:
    """Read back keys and dates of what the operations system ingested."""
    return exchange.read_back_from_4most(database, client)


@task(**RETRIED, task_run_name="prepare_4most_update")
def prepare_4most_update(database: Database, settings: Settings) -> Handed[FourmostStage]:
    """Work out which targets are new to 4MOST, changed, or to be switched off there."""
    stage = exchange.prepare_4most_update(database, settings)
    counts = len(stage.new), len(stage.changed), len(stage.deactivated), len(stage.refused)
    get_run_logger().info("4MOST stage new=%d changed=%d deactivated=%d refused=%d", *counts)
    return Handed(stage)


@task(**STEP, task_run_name="settle_unanswered")
def settle_unanswered(database: Database, client: FourmostClient) -> Sent:
    """Look up at 4MOST what it was asked about without an answer, as when a run was killed."""
    return exchange.settle_unanswered(database, client)


@task(**STEP, task_run_name="create_new_transients_in_4most")
def create_new_transients_in_4most(
    database: Database, client: FourmostClient, new: Handed[list[dict[str, Any]]], settings: Settings
) -> Sent:
    """
    Create the new targets at 4MOST, and store their keys.

    Not retried here: the next exchange looks up by name what was asked for without an answer.
    """
    return exchange.create_new_transients_in_4most(database, client, new.take(), settings)


@task(**STEP, task_run_name="update_existing_transients: {what}")
def update_existing_transients(
    database: Database, client: FourmostClient, rows: Handed[list[dict[str, Any]]], what: str
) -> Sent:
    """Send changes (``what`` is "changed") or the active flag ("deactivated")."""
    return exchange.update_existing_transients(database, client, rows.take())


@task(**STEP, task_run_name="find_differences")
def find_differences(database: Database, client: FourmostClient, settings: Settings, is_dry: bool) -> list[Difference]:
    """Compare tides_master with the list at 4MOST, and repair what differs unless ``is_dry``."""
    return reconciling.reconcile(database, client, settings, is_dry=is_dry)
