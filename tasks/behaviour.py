"""How all steps behave: what is retried, and how an error is shown."""

import logging
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from tides_bridge.errors import BridgeError, TransientError

STEP: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
"""Of every step: nothing is hashed, pickled or kept, as arguments hold connections and secrets."""


def is_transient(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a step failed because somebody was away: only then another try makes sense."""
    try:
        state.result()
    except TransientError:
        return True
    except BaseException:
        return False
    return False


RETRIED: dict[str, Any] = {**STEP, "retries": 2, "retry_delay_seconds": [1, 4], "retry_condition_fn": is_transient}
"""Of steps that may be repeated without harm."""


class OneLineErrors(logging.Filter):
    """Drops the traceback of our own errors: their text says what was wrong, where, and what to do."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, ours without traceback."""
        if record.exc_info and isinstance(record.exc_info[1], BridgeError):
            record.exc_info = None
        return True


def show_errors_in_one_line() -> None:
    """Filter the loggers of Prefect's flow and task runs, and keep Dask's chatter off the run page."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        if not any(isinstance(present, OneLineErrors) for present in logger.filters):
            logger.addFilter(OneLineErrors())
    logging.getLogger("distributed").setLevel(logging.WARNING)
