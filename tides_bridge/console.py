"""
How a command speaks: its errors in one line each, and what it prints as wide as it needs.

Names, reasons and file names are what others wrote: whatever moves a cursor, colours text or turns its direction is
shown as it would be typed, by `echo_line` and by both consoles.
"""

import sys
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from tides_bridge.errors import BridgeError, SettingsError


def visible(text: str, kept: str = "") -> str:
    r"""
    Write what a terminal would obey, or nobody would see, as it would be typed in Python; all else stays.

    Parameters
    ----------
    text
        Anything.
    kept
        Letters that stay, such as the end of a line.

    Examples
    --------
    >>> print(visible("SN\x1b[31m\u202e Ångström 超新星 \\"))
    SN\x1b[31m\u202e Ångström 超新星 \
    """
    if text.isprintable():
        return text
    return "".join(letter if _is_visible(letter) or letter in kept else _typed(letter) for letter in text)


def _is_visible(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"


def _typed(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def echo_line(text: str, *, err: bool = False) -> None:
    """
    Print text of which others may have written a part; it may have several lines.

    Parameters
    ----------
    text
        What is said.
    err
        Whether to stderr.
    """
    typer.echo(visible(text, "\n\t"), err=err)


class _VisibleConsole(Console):
    """Shows what others wrote without obeying it; what rich itself tells a terminal goes another way."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            is_plain = segment.control or segment.text.isprintable()
            yield segment if is_plain else segment._replace(text=visible(segment.text, "\n\t"))


def check_arguments(arguments: Iterable[str]) -> None:
    r"""
    Refuse bytes that are no UTF-8, unless they are the name of a file: no name, reason or condition can be so.

    Parameters
    ----------
    arguments
        Of a command line, as Python has them.

    Raises
    ------
    SettingsError
        If one is so; names it.

    >>> check_arguments(["veto", "Ångström"])
    >>> check_arguments(["veto", "a\udcff"])
    Traceback (most recent call last):
    tides_bridge.errors.SettingsError: argument 2: a\xff is no UTF-8: write it anew, in a terminal of UTF-8
    """
    for number, text in enumerate(arguments, 1):
        if not is_storable(text) and not Path(text).exists():
            raise SettingsError(
                f"argument {number}", "", f"{bytes_shown(text)} is no UTF-8: write it anew, in a terminal of UTF-8"
            )


def lines_of(path: Path) -> list[str]:
    """
    Read the lines of a text that a person wrote, in UTF-8 with or without a mark at its beginning.

    Parameters
    ----------
    path
        Of the file.

    Raises
    ------
    SettingsError
        If a line is no UTF-8, or has a NUL; names it.
    """
    lines = []
    for number, content in enumerate(path.read_bytes().removeprefix(BOM_UTF8).splitlines(), 1):
        try:
            lines.append(content.decode())
        except UnicodeDecodeError:
            lines.append("\0")
        if "\0" in lines[-1]:
            shown = content.decode(errors="backslashreplace").replace("\0", "\\x00")
            raise SettingsError(str(path), "", f"line {number}, {shown[:100]}, is no text in UTF-8: save it as such")
    return lines


def is_storable(text: str) -> bool:
    r"""
    Tell whether PostgreSQL and file systems could hold a text: in what they cannot hold nothing can be found.

    >>> is_storable("ZTF18abc \n \u2028"), is_storable("ZTF\x00"), is_storable("ZTF\ud800")
    (True, False, False)
    """
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def bytes_shown(text: str) -> str:
    r"""
    Show bytes of a shell that are no UTF-8 as what they are: nothing else can be printed.

    >>> print(bytes_shown("a\udcff"))
    a\xff
    """
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End with one clear line on stderr: exit code 2 if a setting is wrong, 1 for any other error of ours."""
    try:
        yield
    except BridgeError as error:
        echo_line(f"tides: {error}", err=True)
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
    return _VisibleConsole(width=None if sys.stdout.isatty() else width, **options)


def stderr_console(width: int | None = None, **options: Any) -> Console:
    """
    Give stderr to tell on how it goes: as wide as the terminal.

    Parameters
    ----------
    width, options
        As of `stdout_console`.
    """
    return _VisibleConsole(stderr=True, width=None if sys.stderr.isatty() else width, **options)
