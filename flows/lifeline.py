"""Ends Prefect's temporary server with its run, even one that is killed: Prefect does so only in good order."""

import os
import subprocess
import sys
from uuid import uuid4

MARK = "BRIDGE_RUN"
"""Variable in the environment of a run and of all that it starts."""

SERVER = "prefect.server.api.server:create_app"
"""Word in the command of a temporary server."""

WATCH = f"""
import contextlib, sys, psutil
sys.stdin.read()  # until the run has ended, in whatever way
for process in psutil.process_iter():
    with contextlib.suppress(psutil.Error):
        if "{SERVER}" in process.cmdline() and process.environ().get("{MARK}") == sys.argv[1]:
            process.terminate()
"""


_watchers: list[subprocess.Popen[bytes]] = []
"""Kept, as each ends with its pipe."""


def guard_temporary_server() -> None:
    """Start a watcher that outlives this process by a moment; without it a killed run leaves a server of 250 MB."""
    os.environ[MARK] = str(uuid4())
    watcher = subprocess.Popen(
        [sys.executable, "-c", WATCH, os.environ[MARK]],
        stdin=subprocess.PIPE,  # closed by the kernel when we end
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us
    )
    _watchers.append(watcher)
