"""Serve the TOM of a test on a free port: prints it, and the token of an account that may do all."""

import json
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

WRITES = [0]


class Server(ThreadingMixIn, WSGIServer):
    """Answers several at a time."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Says nothing of each call."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def counted(environment: Any, start: Any) -> Any:
    """Count calls that change something; /writes gives the number."""
    if environment["PATH_INFO"] == "/writes":
        start("200 OK", [("Content-Type", "text/plain")])
        return [str(WRITES[0]).encode()]
    WRITES[0] += environment["REQUEST_METHOD"] != "GET"
    return application(environment, start)


application = get_wsgi_application()
token, _ = Token.objects.get_or_create(user=User.objects.create_superuser("bridge", "a@example.org", "x"))
server = make_server("127.0.0.1", 0, counted, Server, Handler)
print(json.dumps({"port": server.server_port, "token": token.key}), flush=True)
server.serve_forever()
