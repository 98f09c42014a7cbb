"""The serving process: Django's settings, the socket, the end."""

import asyncio
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import time
from importlib import import_module
from io import BytesIO
from pathlib import Path

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from starlette.types import Receive, Scope, Send

from simulators.services.faults import FaultPlan
from simulators.services.faulty import Answer, start_answer
from simulators.services.web import WebServer
from tides_bridge.processes import asked_to_end

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
    is_over = asked_to_end()
    with socket.create_server((options.host, options.port)) as listener:
        server = WebServer(_configure(options, faults), "fourmost", faults)
        # Only here: models can be imported once Django knows its settings.
        from simulators.fourmost.ingestion import ingest_daily
        from simulators.fourmost.state import open_account, open_state

        import_module(settings.ROOT_URLCONF)  # now, not at the first request
        open_state(options.state)
        account = open_account(options.user, options.password, options.surveys)
        print(f"address: http://{options.host}:{listener.getsockname()[1]}/QFSwi")
        print(f"user: {account.username}\npassword: {account.password}\ntoken: {account.token}", flush=True)
        if options.ingest_at:
            ingest_daily(options.ingest_at)
        server.serve(listener)
        print("ready", flush=True)
        is_over.wait()
        server.stop()


class DjangoOnThreads:
    """
    Django behind ASGI, each call in one of a few threads.

    Each thread keeps its connection to the state. Django's own ASGI makes a new thread for each call of a view that is
    no coroutine, and with it a new connection.
    """

    def __init__(self) -> None:
        self._handler = BaseHandler()
        self._handler.load_middleware()
        self._threads = ThreadPoolExecutor(THREADS, "answer")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call, unless the client goes before it was heard."""
        body, is_whole = b"", False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, is_whole = body + message.get("body", b""), not message.get("more_body")
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, scope, body)
        await start_answer(answer, send)
        await send({"type": "http.response.body", "body": answer.body})

    def _answer(self, scope: Scope, body: bytes) -> Answer:
        request_started.send(sender=type(self), scope=scope)
        request = ASGIRequest(scope, BytesIO(body))
        request.META["CONTENT_LENGTH"] = str(len(body))  # which a client that sends in pieces does not say
        response = self._handler.get_response(request)
        try:
            return Answer(response.status_code, tuple(response.items()), response.content)
        finally:
            response.close()


def _configure(options: ServingOptions, faults: FaultPlan) -> DjangoOnThreads:
    """Tell Django everything, for there is no settings module, and make the application."""
    package = "simulators.fourmost"
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="signs nothing",  # noqa: S106
        ROOT_URLCONF=f"{package}.urls",
        INSTALLED_APPS=[package],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", f"{package}.authentication.prefer_basic"],
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
    django.setup()
    return DjangoOnThreads()


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
