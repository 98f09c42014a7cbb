"""The steps from the stream to chunks."""

from prefect import get_run_logger, task

from tasks.behaviour import RETRIED, STEP
from tasks.handed import Handed
from tides_bridge.brokers.models import Alert, Pull
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.database import Database
from tides_bridge.decisions import batch as ingest
from tides_bridge.decisions import judging
from tides_bridge.settings import Settings


@task(**RETRIED, task_run_name="get_deferred_objects")
def get_deferred_objects(database: Database, settings: Settings) -> Handed[list[Alert]]:
    """Give the objects that earlier runs had to defer, and that are due."""
    return Handed(ingest.get_deferred_objects(database, settings))


@task(**STEP, task_run_name="get_latest_batch")
def get_latest_batch(stream: AlertStream) -> Handed[Pull]:
    """
    Read the newest messages until there are enough for a batch, or the stream is silent.

    Not retried: messages that were read and not stored come again in the next run, but not in this one.
    """
    pull = stream.next_pull()
    get_run_logger().info("batch messages=%d", len(pull.messages))
    return Handed(pull)


@task(**STEP, task_run_name="split_into_chunks")
def split_into_chunks(alerts: Handed[list[Alert]], settings: Settings) -> Handed[list[list[Alert]]]:
    """Split the objects to be asked for into chunks of one Dask task each."""
    return Handed(judging.split_into_chunks(alerts.take(), judging.task_size(settings)))
