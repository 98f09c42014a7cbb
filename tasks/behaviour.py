"""How all steps behave: what is retried, and how an error is shown."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed

from tasks.prefect_away import watch_prefect
from tides_bridge.errors import BridgeError, TransientError

T = TypeVar("T")

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


def skipped(message: str, result: T) -> T:
    """
    End a flow early, all being well: Prefect calls its state Skipped, and gives the result to who called the flow.

    Parameters
    ----------
    message
        Why there was nothing to do.
    result
        Of the flow.
    """
    return cast(T, Completed(name="Skipped", message=message, data=result))


@contextmanager
def without_causes() -> Iterator[None]:
    """
    Let an error leave a flow without the errors it came from.

    Prefect writes the error of a failed flow to its result storage, whatever ``persist_result`` says, with all causes
    and what they hold: a request with our token, a setting that could not be read. ``raise ... from None`` only hides
    them.
    """
    try:
        yield
    except Exception as error:
        error.__cause__ = error.__context__ = None
        raise


class PlainSpeech(logging.Filter):
    """
    Drops the traceback of our own errors, whose text says all.

    What Prefect says of its own affairs is dropped, too: its own server that comes and goes, and events that it cannot
    send, which are told with all they hold.
    """

    NOISE = ("temporary server", "Service %r failed")

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to let a record through, ours without traceback."""
        if record.exc_info and isinstance(record.exc_info[1], BridgeError):
            record.exc_info = None
        return not any(words in str(record.msg) for words in self.NOISE)


def speak_plainly() -> None:
    """
    Filter Prefect's loggers, and keep the chatter of Dask and of every repeated call off the run page.

    From then on a server that goes away is given up in time, whoever has started this process.
    """
    if PREFECT_API_URL.value():
        watch_prefect()
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # at an end it tells what it has still to send
    logging.getLogger("APILogWorker").setLevel(logging.ERROR)
    logging.getLogger("prefect.events.clients").setLevel(logging.ERROR)  # `tasks.prefect_away` says it once
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs", "prefect._internal.concurrency"):
        logger = logging.getLogger(name)
        if not any(isinstance(present, PlainSpeech) for present in logger.filters):
            logger.addFilter(PlainSpeech())
    logging.getLogger("distributed").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
