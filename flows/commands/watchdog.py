"""The command that looks from outside whether the bridge works, and calls somebody when it does not."""

from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line
from tides_bridge.errors import BridgeError
from tides_bridge.processes import asked_to_end


def watchdog(
    config: Config = None,
    settings: SettingsFile = None,
    every: Annotated[str | None, typer.Option(help='Look again and again, as "1 minute"; without it, once.')] = None,
    test: Annotated[bool, typer.Option("--test", help="Only send a message that says that messages arrive.")] = False,
) -> None:
    """
    Look whether the bridge works; tell whom watchdog.notify names when it does not, and when it does again, once each.

    Asks the database, the Prefect server, disks and certificates; writes a file of what was told. Prints one line, and
    ends as monitoring systems want it: 0 all well, 1 warning, 2 critical, 3 it could not look, or could not tell.
    """
    try:
        from tides_bridge.operations.caller import UNKNOWN, Caller, say
    except Exception as error:  # 1 and 2 would say something of the bridge
        echo_line(f"BRIDGE UNKNOWN: the watchdog does not start: {type(error).__name__}: {error}")
        raise typer.Exit(3) from None
    from tides_bridge.settings import configuration_name, load_settings

    pause = _seconds(every) if every else None
    try:
        name = configuration_name(config, str(settings) if settings else None)
        caller = Caller(load_settings(config, settings), name)
    except BridgeError as error:
        raise typer.Exit(say(UNKNOWN, str(error))) from None
    if test or pause is None:
        raise typer.Exit(caller.send_test() if test else caller.look())
    is_over = asked_to_end()
    while not is_over.is_set():
        caller.look()
        is_over.wait(pause)


def _seconds(every: str) -> float:
    """Read a length of time [s], at least one."""
    from tides_bridge.settings.sections import Seconds

    try:
        return max(TypeAdapter(Seconds).validate_python(every).total_seconds(), 1.0)
    except ValidationError:
        raise typer.BadParameter(f'{every} is no length of time, such as "1 minute"', param_hint="--every") from None
