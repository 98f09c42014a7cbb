"""The commands `tides refused`: messages that could not be read, and targets that could not be sent."""

import sys
from functools import partial
from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

app = typer.Typer(
    no_args_is_help=True,
    help="Messages that could not be read and targets that could not be sent: list them, look at one, try again.",
)

Keys = Annotated[list[int] | None, typer.Argument(help="Keys of messages, as tides refused list shows them.")]


@app.command("list")
def list_messages(
    config: Config = None,
    settings: SettingsFile = None,
    number: Annotated[int, typer.Option(help="At most so many, the newest first.", min=1)] = 100,
) -> None:
    """List the newest messages that are refused, and why. Reads the database; writes nothing."""
    from tides_bridge.database import open_database
    from tides_bridge.decisions.refused import list_refused
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        rows = list_refused(database, number)
    for row in rows:
        place = f"{row['topic']}[{row['partition_number']}]@{row['stream_offset']}"
        echo_line(
            f"{row['refused_id']:6}  {row['refused_at']:%Y-%m-%d %H:%M}  {place}  {row['size']} bytes  {row['reason']}"
        )
    if not rows:
        echo_line("no refused messages")


@app.command("targets")
def list_targets(config: Config = None, settings: SettingsFile = None) -> None:
    """List why targets could not be sent, the most frequent reason first. Reads the database; writes nothing."""
    from tides_bridge.database import open_database
    from tides_bridge.fourmost.log import list_refusals
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        rows = list_refusals(database)
    for row in rows:
        again = f"; tried again from {row['next_try']:%Y-%m-%d %H:%M} on" if row["next_try"] else ""
        echo_line(f"{row['number']:6}  {row['reason']}; as {row['example']}{again}")
    if not rows:
        echo_line("no refused targets")


@app.command()
def show(
    key: Annotated[int, typer.Argument(help="Key of a message.")], config: Config = None, settings: SettingsFile = None
) -> None:
    """Write a message to stdout as it came, and to stderr why it was refused. Reads the database; writes nothing."""
    from tides_bridge.database import open_database
    from tides_bridge.decisions.refused import get_refused
    from tides_bridge.errors import RejectedError
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        rows = get_refused(database, [key])
        if not rows:
            raise RejectedError(f"message {key}", "there is no such one: tides refused list")
    echo_line(f"{rows[0]['topic']}: {rows[0]['reason']}", err=True)
    sys.stdout.buffer.write(rows[0]["message"].value)


@app.command()
def retry(keys: Keys = None, config: Config = None, settings: SettingsFile = None) -> None:
    """
    Read refused messages again, all without KEYS; exit code 1 if one is still refused.

    Reads and writes the database: the objects of messages that can be read now are judged by the next run. Without
    KEYS the next exchange also sends again what 4MOST refused, without waiting any longer, and what it answered
    otherwise so often that it is not asked any more.
    """
    from tides_bridge.brokers import problem_with
    from tides_bridge.database import open_database
    from tides_bridge.decisions.refused import retry_refused
    from tides_bridge.fourmost.log import retry_targets
    from tides_bridge.settings import load_settings

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            results = retry_refused(database, partial(problem_with, chosen), keys)
            targets = retry_targets(database) if keys is None else 0
    for key, problem in results.items():
        echo_line(f"{key:6}  " + (f"still refused: {problem}" if problem else "read: the next run judges its object"))
    if targets:
        echo_line(f"{targets} targets that 4MOST refused: the next exchange sends them again")
    raise typer.Exit(1 if any(results.values()) or len(results) < len(keys or []) else 0)
