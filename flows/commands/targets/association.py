"""The commands `tides merge`, `tides split` and `tides associations`: which objects are one target."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error, stdout_console

if TYPE_CHECKING:
    from tides_bridge.database import Database
    from tides_bridge.settings import Settings

Reason = Annotated[str, typer.Option("--reason", help="Why, for those who look at it later.")]


def merge(
    target: Annotated[str, typer.Argument(help="The target that stays: its name, or that of an object.")],
    other: Annotated[str, typer.Argument(help="The target whose objects it gets.")],
    reason: Reason,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Say that two targets are one: TARGET gets all objects of OTHER, which is switched off, at 4MOST with the next run.

    Reads and writes the database. No later batch undoes it; tides split OTHER does.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.association import merge_targets

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            moved = merge_targets(database, chosen, target, other, reason)
            rulings = _rulings_in_force(database, chosen, moved.taker)
    echo_line(f"{moved.taker} has {_objects(moved.objects)} of {moved.giver}, which is switched off")
    _tell(rulings)


def split(
    name: Annotated[str, typer.Argument(help="A target that was merged, or with --survey an object.")],
    reason: Reason,
    survey: Annotated[str | None, typer.Option(help="The survey that names the object: ztf or lsst.")] = None,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Undo the merge of a target, or with --survey take one object out of its target into a new one.

    Reads and writes the database. No later batch undoes it; tides merge does.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.association import split_object, split_target

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            if survey is None:
                moved = split_target(database, chosen, name, reason)
            else:
                moved = split_object(database, chosen, survey, name, reason)
            rulings = _rulings_in_force(database, chosen, moved.taker, moved.giver)
    echo_line(f"{moved.taker} has {_objects(moved.objects)} of {moved.giver}")
    _tell(rulings)


def associations(  # noqa: PLR0913, PLR0917
    name: Annotated[str | None, typer.Argument(help="A target, or one of its objects; default all.")] = None,
    question: Annotated[
        int | None, typer.Option("--keep-apart", help="Answer this question: the two are two. Needs --reason.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why they are two.")] = "",
    config: Config = None,
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as one JSON object on stdout.")] = False,
) -> None:
    """
    Show the objects of a target, the open questions whether two are one, and what persons decided.

    Reads the database; writes it with --keep-apart only.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.association import keep_apart, list_associations

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            apart = None if question is None else keep_apart(database, question, reason)
            found = None if apart else list_associations(database, name)
    if apart:
        echo_line(f"{apart[0]} and {apart[1]} are two")
    elif found and as_json:
        typer.echo(json.dumps(found, default=str))
    elif found:
        _show(stdout_console(highlight=False, markup=False, soft_wrap=True), found)


def _rulings_in_force(database: "Database", settings: "Settings", *names: str) -> list[str]:
    """Word what people have decided of targets whose objects have changed: it holds on."""
    from tides_bridge.targets.rulings import find_subjects, in_words, list_rulings

    lines = []
    for name in names:
        with database.transaction() as connection:
            subjects = find_subjects(connection, settings, [name])
        rows = list_rulings(database, settings, subjects)
        lines += [f"{name}: {in_words(row)}" for row in rows if row["is_in_force"]]
    return lines


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        echo_line(line)


def _show(console: Console, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for target in found["targets"]:
        if target["merged_into"]:
            console.print(f"{target['name']} was merged into {target['merged_into']}")
    parts = {
        "objects": ("target", "survey", "object", "how", "arcsec", "last seen [MJD]", "detections"),
        "questions": ("question", "object", "target", "other target", "arcsec", "asked"),
        "log": ("when", "what", "object", "from", "to", "who", "why"),
    }
    words = {"objects": _object_row, "questions": _question_row, "log": _log_row}
    for part, headings in parts.items():
        if found[part]:
            table = Table(*headings, title=part, title_justify="left", box=None, pad_edge=False)
            for row in found[part]:
                table.add_row(*words[part](row))
            console.print(table)
    if not any(found.values()):
        console.print("no question is open, and nobody has merged or split a target")


def _object_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    seen = (f"{row['separation_arcsec']:.3f}", f"{row['last_detection_mjd']:.4f}", str(row["n_detections"]))
    return (row["name"], row["survey"], row["object_id"], row["how"], *seen)


def _question_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    which = f"{row['survey']} {row['object_id']}"
    asked = f"{row['asked_at']:%Y-%m-%d %H:%M}"
    return (str(row["question_id"]), which, row["name"], row["other_name"], f"{row['separation_arcsec']:.3f}", asked)


def _log_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    names = (f"{row['survey']} {row['object_id']}", row["from_name"], row["to_name"])
    return (f"{row['logged_at']:%Y-%m-%d %H:%M}", row["action"], *names, row["who"], row["reason"])


def _objects(number: int) -> str:
    return "1 object" if number == 1 else f"{number} objects"
