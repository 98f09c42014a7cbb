"""The way of a flow to its Prefect server: how long it may take, and what is said if there is none."""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from flows.running_stack import RunningServer
from tides_bridge.errors import BridgeError, PrefectUnavailable
from tides_bridge.processes import end_after_us
from tides_bridge.settings import Settings, shown_address

RUN_MARK = "BRIDGE_RUN"
"""Variable in the environment of a run and of all that it starts."""

TEMPORARY_SERVER = "prefect.server.api.server:create_app"
"""Word in the command of the server that Prefect starts for a run, and ends with it only if that ends in good order."""

PATIENCE = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
"""Prefect's variable for the time that its own server may take to start: a user's own value wins."""

QUIET_SECONDS = 10.0
"""[s] After which a person is told what is waited for."""

LIBRARIES = ("prefect", "httpx", "httpcore", "anyio", "websockets")
"""Where an error comes from that is Prefect's, whatever it is called."""


@contextmanager
def reaching_prefect(settings: Settings, find: Callable[[], RunningServer | None] = lambda: None) -> Iterator[None]:
    """
    Have a Prefect server for flows in this process.

    It is that of PREFECT_API_URL, else that of a `tides up`, else one that Prefect starts for us.

    Parameters
    ----------
    settings
        How long its start may take, ``prefect.serverStart``.
    find
        Finds the server of a `tides up` that runs.

    Raises
    ------
    PrefectUnavailable
        If it cannot be had, or goes away before the flow has ended, whatever Prefect or its HTTP client raise then.
    """
    os.environ.setdefault(PATIENCE, f"{settings.prefect.server_start.total_seconds():.0f}")  # before it is imported
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value() and (running := find()):
        _use(running)
    address = PREFECT_API_URL.value()
    try:
        if not address:
            _start_server()
        from tasks.prefect_away import watch_prefect

        watch_prefect()
        yield
    except BridgeError:
        raise
    except Exception as error:
        if not _is_of_prefect(error):
            raise
        raise _unavailable(error, address) from None


def _use(server: RunningServer) -> None:
    """Let this process, and all that it starts, show their runs there."""
    from prefect.context import refresh_global_settings_context

    os.environ["PREFECT_API_URL"] = server.api
    if server.login:
        os.environ["PREFECT_API_AUTH_STRING"] = server.login
    refresh_global_settings_context()


def _start_server() -> None:
    """Let Prefect start its own server, and say so if that takes long."""
    from prefect.client.orchestration import get_client

    os.environ[RUN_MARK] = str(uuid4())
    end_after_us(RUN_MARK, os.environ[RUN_MARK], TEMPORARY_SERVER)  # else a killed run leaves 250 MB behind
    waiting = f"Prefect's own server is starting: on a busy machine that may take up to {os.environ[PATIENCE]} s"
    notice = threading.Timer(QUIET_SECONDS, print, (f"tides: {waiting}",), {"file": sys.stderr, "flush": True})
    notice.daemon = True
    notice.start()
    try:
        with get_client(sync_client=True):
            pass  # it is up, and stays so for this process
    finally:
        notice.cancel()


def _is_of_prefect(error: Exception) -> bool:
    """Tell whether an error was raised in Prefect, or by what it speaks HTTP with."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].partition(".")[0] in LIBRARIES


def _unavailable(error: Exception, address: str | None) -> PrefectUnavailable:
    from tasks.prefect_away import in_short

    problem = in_short(error)
    if address:
        remedy = "is PREFECT_API_URL right, and the server up? Without it a run starts a server of its own"
        return PrefectUnavailable(f"Prefect server {shown_address(address)}", f"does not answer: {problem}", remedy)
    remedy = f"a busy machine? Try again, or give it more than {os.environ[PATIENCE]} s: prefect.serverStart"
    return PrefectUnavailable("Prefect's own server", f"could not be reached: {problem}", remedy)
