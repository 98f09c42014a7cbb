"""How a command speaks: its errors in one line each, and what it prints as wide as it needs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console

from tides_bridge.errors import BridgeError


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End with one clear line on stderr: exit code 2 if a setting is wrong, 1 for any other error of ours."""
    try:
        yield
    except BridgeError as error:
        typer.echo(f"tides: {error}", err=True)
        raise typer.Exit(error.exit_code) from None


def stdout_console(width: int | None = 200, **options: Any) -> Console:
    """
    Give stdout to print tables on: as wide as the terminal.

    Parameters
    ----------
    width
        [characters] Where no terminal has a width, as in a pipe; None: what rich takes then.
    options
        More of rich's for a console.
    """
    return Console(width=None if sys.stdout.isatty() else width, **options)


def stderr_console(width: int | None = None, **options: Any) -> Console:
    """
    Give stderr to tell on how it goes: as wide as the terminal.

    Parameters
    ----------
    width, options
        As of `stdout_console`.
    """
    return Console(stderr=True, width=None if sys.stderr.isatty() else width, **options)
