"""The step that tells people what happened to targets."""

from prefect import get_run_logger, task

from tasks.behaviour import STEP
from tides_bridge.database import Database
from tides_bridge.errors import BridgeError
from tides_bridge.operations.telling import tell_people
from tides_bridge.settings import Settings


@task(**STEP, task_run_name="tell_subscribers")
def tell_subscribers(database: Database, settings: Settings) -> dict[str, int]:
    """Send subscriptions what they are to be told; whatever fails here fails no run, and is tried by the next."""
    try:
        counts = tell_people(database, settings)
    except BridgeError as error:
        get_run_logger().warning("people are told later: %s", error)
        return {}
    except Exception as error:  # of whatever library: it may stand in the place of one of 4MOST, and hold an address
        get_run_logger().warning("people are told later: %s", type(error).__name__)
        return {}
    if counts:
        get_run_logger().info("messages %s", " ".join(f"{name}={number}" for name, number in sorted(counts.items())))
    if counts["failed"] or counts["unknown"]:
        get_run_logger().warning("some people could not be told: tides subscriptions list shows which")
    return dict(counts)
