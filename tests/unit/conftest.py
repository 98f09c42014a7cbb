"""Unit tests open no socket and start no process: what does lies in another folder of `tests`."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

FORBIDDEN = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo",
    "subprocess.Popen", "os.posix_spawn", "os.fork", "os.system", "os.exec",
)  # fmt: skip

_at_work: list[str] = []
"""The unit test that runs; an audit hook stays for the life of the process, and tests of other folders may follow."""

_seen: list[str] = []
"""What it did, though it may have caught the error."""


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in FORBIDDEN and _at_work and "fc-list" not in str(arguments):  # matplotlib's search for fonts
        _seen.append(f"{event} {arguments}")
        raise AssertionError(f"{_at_work[0]} is a unit test, and would do: {event} {arguments}")


sys.addaudithook(_refuse)


@pytest.fixture(autouse=True, scope="module")
def neither_sockets_nor_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Before all other fixtures of the module, so that these are watched, too."""
    _seen.clear()
    _at_work.append(request.node.nodeid)
    yield
    _at_work.clear()
    assert _seen == []
