"""The command that shows on one screen how the bridge does."""

import contextlib
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import exit_on_error, stdout_console

if TYPE_CHECKING:
    from tides_bridge.operations.problems import Facts, Problem
    from tides_bridge.settings import Settings

WIDTH = 100
"""[characters] Where no terminal has a width."""

PAUSE_SECONDS = 5.0
"""[s] Between two looks of --watch."""


def status(
    config: Config = None,
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as one JSON object on stdout.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every 5 s, until Ctrl-C.")] = False,
) -> None:
    """
    Show how the bridge does: what is wrong, last runs and next ones, place in the stream and lag, targets, what waits.

    Asks the database, Kafka, the Prefect server, disks and certificates; writes nothing. Exit code 1 if the database
    cannot be asked, else 0, whatever is wrong: tides watchdog has codes for monitoring systems.
    """
    from tides_bridge.settings import configuration_name, load_settings

    with exit_on_error():
        chosen = load_settings(config, settings)
    name = configuration_name(config, str(settings) if settings else None)
    if watch:
        _show_often(chosen, name)
        return
    facts, problems = _look(chosen)
    if as_json:
        rest = {key: value for key, value in asdict(facts).items() if key != "status"}
        rows = [asdict(problem) | {"key": problem.key, "remedy": problem.remedy} for problem in problems]
        typer.echo(json.dumps((facts.status or {}) | rest | {"problems": rows}, default=str))
    else:
        from tides_bridge.operations.screen import screen

        stdout_console(WIDTH).print(screen(name, facts, problems, datetime.now(UTC)))
    if facts.database or facts.pending:
        raise typer.Exit(1)


def _look(settings: "Settings") -> "tuple[Facts, list[Problem]]":
    from tides_bridge.operations.health import gather
    from tides_bridge.operations.problems import find_problems

    facts = gather(settings, whole=True)
    return facts, find_problems(facts, settings, datetime.now(UTC))


def _show_often(settings: "Settings", name: str) -> None:
    from tides_bridge.operations.screen import screen

    console = stdout_console(WIDTH)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            facts, problems = _look(settings)
            console.clear()  # of a terminal
            console.print(screen(name, facts, problems, datetime.now(UTC)))
            time.sleep(PAUSE_SECONDS)
