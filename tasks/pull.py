"""The steps from the stream to chunks."""

from prefect import get_run_logger, task

from tasks.behaviour import RETRIED, STEP
from tides_bridge import ingest, judging
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.database import Database
from tides_bridge.models import Alert, Batch
from tides_bridge.settings import Settings


@task(**RETRIED, task_run_name="get_deferred_objects")
def get_deferred_objects(database: Database, settings: Settings) -> list[Alert]:
    """Give the objects that earlier runs had to defer, and that are due."""
    return ingest.get_deferred_objects(database, settings.broker.batch_size)


@task(**STEP, task_run_name="get_latest_batch")
def get_latest_batch(stream: AlertStream, deferred: list[Alert]) -> Batch:
    """
    Read the newest alerts until the batch is full or the stream is silent, and join the deferred objects.

    Not retried: messages that were read and not stored come again in the next run, but not in this one.
    """
    batch = stream.next_batch().joined_by(deferred)
    message = "batch messages=%d objects=%d refused=%d"
    get_run_logger().info(message, batch.messages, len(batch.alerts), len(batch.refused))
    return batch


@task(**STEP, task_run_name="split_into_chunks")
def split_into_chunks(alerts: list[Alert], settings: Settings) -> list[list[Alert]]:
    """Split alerts into chunks of one Dask task each."""
    return judging.split_into_chunks(alerts, judging.task_size(settings))
