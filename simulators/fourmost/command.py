"""The command ``tides fourmost``."""

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from simulators.fourmost.clock import read_time_of_day
from tides_bridge.console import exit_on_error
from tides_bridge.errors import BridgeError, SettingsError
from tides_bridge.processes import end_with_stdin

LONGEST_PASSWORD = 200
"""[characters] More than anybody types."""

SURVEYS = (15, 5, 46)
"""S10 TiDES, S_test and S16 CHANGES."""

STATE = platformdirs.user_data_path("tides-bridge") / "fourmost.sqlite3"
"""Where the rows are kept unless told otherwise."""


PASSWORD = "FOURMOST_STANDIN_PASSWORD"  # noqa: S105 (a variable's name)
"""Variable with the account's password: its environment is a process' own, its command line is everybody's to see."""


def fourmost(  # noqa: PLR0913 (one argument an option)
    *,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 is any free one.", min=0, max=65535)] = 8040,
    state: Annotated[Path, typer.Option(help="SQLite file with all rows and the account.", dir_okay=False)] = STATE,
    user: Annotated[str, typer.Option(help="User of the account.")] = "tides",
    password: Annotated[str | None, typer.Option(help=f"Refused, as others would see it: see ${PASSWORD}.")] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File whose first line is its password, - for stdin; default ${PASSWORD}, else the one in the state, "
            "else a random one.",
        ),
    ] = None,
    survey: Annotated[list[int], typer.Option(help="A survey of the account; may be repeated.")] = list(SURVEYS),  # noqa: B006
    create_status: Annotated[int, typer.Option(help="HTTP status of a create.", min=200, max=201)] = 200,
    paginate: Annotated[
        bool, typer.Option("--paginate/--plain", help="List as pages with count, next, previous, results.")
    ] = False,
    errors_as_200: Annotated[
        bool, typer.Option("--errors-as-200", help="Answer errors with status 200, as an older server did.")
    ] = False,
    ingest_at: Annotated[str, typer.Option(help="Daily ingestion, HH:MM Europe/Berlin, or off.")] = "15:00",
    faults: Annotated[
        Path | None,
        typer.Option(
            help="Fault plan (YAML): which calls go wrong, and how; see simulators/services/faults.py.", dir_okay=False
        ),
    ] = None,
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """
    Serve a stand-in for the 4MOST Transient API on this machine.

    It takes, checks, lists, changes and deletes transients as the real, private service does, and ingests them every
    day. It reads the fault plan, if any, reads and writes only the state file, and prints its address, user, password
    and token, then "ready". Ctrl-C or SIGTERM ends it; the state stays.
    """
    try:
        at = read_time_of_day(ingest_at)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--ingest-at") from None
    with exit_on_error():
        chosen = chosen_password(password, password_file)
        try:  # only here: Django must not be loaded into every tides command
            from simulators.fourmost.serving import ServingOptions, serve_fourmost
        except ModuleNotFoundError as error:
            missing = f"{error.name} is not installed, which the stand-ins need"
            raise BridgeError(f"{missing}: pip install 'tides-bridge[standins]'") from None
        if until_stdin_ends:
            end_with_stdin()
        options = ServingOptions(
            host, port, state, user, chosen, survey, create_status, paginate, errors_as_200, at, faults
        )
        try:
            serve_fourmost(options)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                problem = f"port {port} of {host} is in use: choose another with --port, 0 for any free one"
                raise BridgeError(problem) from None
            raise BridgeError(f"cannot serve at {host}:{port} with state {state}: {error}") from None


def chosen_password(typed: str | None, file: Path | None) -> str | None:
    """
    Give the password of the account from where nobody else sees it, None if none is chosen.

    Parameters
    ----------
    typed
        From the command line, which the process list shows to every user of the machine.
    file
        Its first line is the password; ``-`` is stdin, None the environment.

    Raises
    ------
    SettingsError
        If it was typed, or the file has none; a password is in no message.
    """
    if typed is not None:
        problem = f"is seen in the list of processes: put it into the environment as {PASSWORD}, or --password-file"
        raise SettingsError("--password", "", problem)
    if file is None:
        return os.environ.get(PASSWORD) or None
    try:
        with sys.stdin if file == Path("-") else file.open(encoding="utf-8") as lines:
            first = lines.readline(LONGEST_PASSWORD).rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise SettingsError(f"--password-file {file}", "", f"cannot be read: {type(error).__name__}") from None
    if not first:
        raise SettingsError(f"--password-file {file}", "", "its first line must be the password")
    return first
