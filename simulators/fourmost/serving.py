"""The serving process: Django's settings, the socket, signals."""

import logging
import signal
import socket
import threading
from dataclasses import dataclass
from datetime import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import waitress
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

from simulators.services.faults import FaultPlan
from simulators.services.faulty_wsgi import FaultyWsgi

THREADS = 8
"""Requests answered at the same time."""

BUSY_SECONDS = 20
"""How long a writer waits for another one."""


@dataclass(frozen=True)
class ServingOptions:
    """
    What the command line chose.

    Parameters
    ----------
    host, port
        Where to listen; port 0 is any free one.
    state
        The state file.
    user, password
        The account; None keeps or makes a password.
    surveys
        Ids of the account's surveys.
    create_status
        HTTP status of a create: 200 or 201.
    paginate
        Whether a list is a page.
    errors_as_200
        Whether errors are answered with status 200, as by an older server.
    ingest_at
        Time of the daily ingestion, Europe/Berlin; None is never.
    faults
        File with a fault plan; None is no faults.
    """

    host: str
    port: int
    state: Path
    user: str
    password: str | None
    surveys: list[int]
    create_status: int
    paginate: bool
    errors_as_200: bool
    ingest_at: time | None
    faults: Path | None


def serve_fourmost(options: ServingOptions) -> None:
    """
    Serve until SIGTERM or Ctrl-C.

    Raises
    ------
    OSError
        The port is taken, or the state file cannot be made.
    tides_bridge.errors.SettingsError
        The state file is something else, or the fault plan is wrong.
    """
    faults = FaultPlan.read(options.faults) if options.faults else FaultPlan()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_stop, stopping))
    with socket.create_server((options.host, options.port)) as listener:
        application = FaultyWsgi(_configure(options, faults), faults, "fourmost", stopping)
        _announce(options, listener.getsockname()[1])
        server = waitress.create_server(
            application, sockets=[listener], threads=THREADS, ident="4MOST stand-in",
            channel_request_lookahead=1,  # so that a waiting fault sees its client go
        )  # fmt: skip
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that a request waits a moment is no news
        print("ready", flush=True)
        server.run()


def _stop(stopping: threading.Event, *_: object) -> NoReturn:
    """End the waits of faults, then the server."""
    stopping.set()
    raise SystemExit(0)


def _configure(options: ServingOptions, faults: FaultPlan) -> WSGIHandler:
    """Tell Django everything, for there is no settings module, and make the application."""
    package = "simulators.fourmost"
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="signs nothing",  # noqa: S106
        ROOT_URLCONF=f"{package}.urls",
        INSTALLED_APPS=[package],
        MIDDLEWARE=[f"{package}.authentication.prefer_basic"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        TIME_ZONE="Europe/Berlin",
        LOGGING_CONFIG=None,
        DATABASES={"default": _database(options.state)},
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [
                f"{package}.authentication.Basic",
                f"{package}.authentication.TokenHeader",
            ],
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "EXCEPTION_HANDLER": f"{package}.answers.answer_error",
            "UNAUTHENTICATED_USER": None,
            "LIST_SERIALIZER_ERRORS_AS_DICT": True,
        },
        CREATE_STATUS=options.create_status,
        PAGINATE=options.paginate,
        ERRORS_AS_200=options.errors_as_200,
        FAULTS=faults,
    )
    # A refused request is answered, not news; a traceback is.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    return get_wsgi_application()


def _database(state: Path) -> dict[str, object]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": state,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": BUSY_SECONDS,
            # A transaction that read first and writes later would fail, not wait, while another one writes.
            "transaction_mode": "IMMEDIATE",
        },
    }


def _announce(options: ServingOptions, port: int) -> None:
    """Open the state, say how to reach the service, and start the daily ingestion."""
    # Only here: models can be imported once Django knows its settings.
    from simulators.fourmost.ingestion import ingest_daily
    from simulators.fourmost.state import open_account, open_state

    import_module(settings.ROOT_URLCONF)  # now, not at the first request
    open_state(options.state)
    account = open_account(options.user, options.password, options.surveys)
    print(f"address: http://{options.host}:{port}/QFSwi")
    print(f"user: {account.username}\npassword: {account.password}\ntoken: {account.token}", flush=True)
    if options.ingest_at:
        ingest_daily(options.ingest_at)
