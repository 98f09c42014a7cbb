"""The command `tides questions`: all that waits for a person's word."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

COUNTED = ("refusal", "spectrum")
"""Questions about the first of several."""


def questions(
    kind: Annotated[
        str | None,
        typer.Option(help="Only these: edit, association, position, tns, refusal, otherwise, guard, spectrum ..."),
    ] = None,
    config: Config = None,
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON on stdout.")] = False,
) -> None:
    """
    List what waits for a person, the oldest first, each with the command that answers it.

    Rows that somebody switched off at 4MOST, objects that may be one, doubtful positions, types of the Transient Name
    Server, what 4MOST refuses or shows otherwise, what a run holds back, spectra of which nobody knows whose they are,
    and deliveries that cannot be read. Reads the database; writes nothing.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.errors import SettingsError
    from tides_bridge.operations.questions import ANSWERS, list_questions
    from tides_bridge.settings import load_settings

    with exit_on_error():
        if kind is not None and kind not in ANSWERS:
            raise SettingsError("--kind", "", f"{kind} is none of {', '.join(ANSWERS)}")
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            found = list_questions(database, chosen, kind)
    if as_json:
        typer.echo(json.dumps([asdict(question) for question in found], default=str))
        return
    for question in found:
        since = f"{question.since:%Y-%m-%d %H:%M}  " if question.since else ""
        others = f" and {question.number - 1} others" if question.kind in COUNTED and question.number > 1 else ""
        echo_line(f"{since}{question.kind}: {question.about}{others}: {question.question}")
        echo_line(f"    {question.answer}")
    if not found:
        echo_line("no question is open")
