"""A running `tides up`, found by what uses the same settings: a run in another terminal shows in its server, too."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

from tides_bridge.errors import SettingsError
from tides_bridge.processes import marked
from tides_bridge.resources import data_folder, make_own_folder, write_own
from tides_bridge.settings import configuration_name, find_file

MARK = "BRIDGE_UP"
"""Variable in the environment of all that `tides up` starts: the id of its folder."""

ANSWER_SECONDS = 2.0
"""Longest wait for a program to say that it is healthy; the terminal waits, too."""


class RunningServer(NamedTuple):
    """
    The Prefect server of a `tides up` that runs.

    Attributes
    ----------
    api
        Address of its API.
    login
        That it asks for; empty if it is open.
    """

    api: str
    login: str


@contextmanager
def announced(config: str, file: Path, mark: str, server: RunningServer) -> Iterator[None]:
    """
    Let programs with the same settings find a server, from now to the end of the block.

    Parameters
    ----------
    config, file
        Name of the configuration, and the settings file.
    mark
        The id of our folder, which all of our programs bear: if we are killed, nobody bears it.
    server
        Where it is.
    """
    note = _note(config, file)
    with contextlib.suppress(OSError):  # then runs start a server of their own, as without us
        make_own_folder(note.parent, 0o700)
        write_own(note, json.dumps({"mark": mark, **server._asdict()}))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)


def find_running(config: str | None, file: Path | None) -> RunningServer | None:
    """
    Find the server of a `tides up` of this account that runs with the same settings.

    Parameters
    ----------
    config, file
        As they were asked for on the command line.
    """
    try:
        note = _note(configuration_name(config, str(file) if file else None), find_file(file, config))
        found = json.loads(note.read_text(encoding="utf-8"))
        is_ours = note.stat().st_uid == os.geteuid()
        # A note may be left by one that was killed: somebody else may listen at its port since.
        if is_ours and marked(MARK, found["mark"]) and answers(f"{found['api']}/health"):
            return RunningServer(str(found["api"]), str(found["login"]))
    except (OSError, ValueError, KeyError, TypeError, SettingsError):
        pass
    return None


def answers(address: str) -> bool:
    """Tell whether anything is answered there, be it good or bad."""
    try:
        requests.get(address, timeout=ANSWER_SECONDS)
    except requests.RequestException:
        return False
    return True


def _note(config: str, file: Path) -> Path:
    """Give the file with what is known of the one of these settings."""
    words = f"{file.resolve()}\n{config}"
    return data_folder() / "up" / "running" / f"{hashlib.sha256(words.encode()).hexdigest()[:32]}.json"
