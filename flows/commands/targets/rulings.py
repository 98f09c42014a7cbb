"""The commands `tides veto`, `force`, `hold`, `comment`, `tag`, `release`, `rulings`: what people decide of targets."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error, lines_of

if TYPE_CHECKING:
    from tides_bridge.database import Database
    from tides_bridge.settings import Settings
    from tides_bridge.targets.rulings import Ruled, Ruling, Subject

ASKED_FROM = 20
"""More targets than so many at once are asked about first."""

SHOWN = 20
"""Targets that are listed, at most: the others are counted."""

Names = Annotated[
    list[str] | None, typer.Argument(help="Targets or objects, by any name.", metavar="TARGET", show_default=False)
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for those who look at it later.")]
Until = Annotated[str | None, typer.Option("--until", help="When it ends by itself: 2026-12-01, its midnight UTC.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Targets that satisfy this too, as state=active or class=SN; see docs/rulings.md."),
]
File = Annotated[Path | None, typer.Option("--file", help="Names in a file, one a line.", exists=True, dir_okay=False)]
Survey = Annotated[
    str | None, typer.Option("--survey", help="Whose objects these are, if no run has seen them: ztf or lsst.")
]
Yes = Annotated[bool, typer.Option("--yes", help=f"Do not ask when it is about more than {ASKED_FROM}.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be touched.")]


def veto(  # noqa: PLR0913, PLR0917
    reason: Reason,
    targets: Names = None,
    until: Until = None,
    where: Where = None,
    file: File = None,
    survey: Survey = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Keep targets off, whatever brokers and rules say; an object that is no target yet becomes none that is sent.

    Writes the database; the next run switches the target off at 4MOST. tides release ends it.
    """
    _rule("veto", reason, _Choice(targets, where, file, survey, yes, dry_run), (config, settings), until=until)


def hold(  # noqa: PLR0913, PLR0917
    reason: Reason,
    targets: Names = None,
    until: Until = None,
    where: Where = None,
    file: File = None,
    survey: Survey = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Keep targets off for now: until a date, or until tides release.

    Writes the database; the next run switches the target off at 4MOST, and on again when the hold has ended.
    """
    _rule("hold", reason, _Choice(targets, where, file, survey, yes, dry_run), (config, settings), until=until)


def force(  # noqa: PLR0913, PLR0917
    reason: Reason,
    targets: Names = None,
    until: Until = None,
    where: Where = None,
    file: File = None,
    survey: Survey = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Send targets that no rule would, for 30 days or until a date; not against a veto, a spectrum or a hold.

    Writes the database; the next run tells 4MOST. An object that is no target becomes one with its next alert, whatever
    the selection functions say.
    """
    _rule("force", reason, _Choice(targets, where, file, survey, yes, dry_run), (config, settings), until=until)


def comment(  # noqa: PLR0913, PLR0917
    reason: Reason,
    targets: Names = None,
    where: Where = None,
    file: File = None,
    survey: Survey = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """Note something of targets, for those who look at them: it switches nothing. Writes the database."""
    _rule("comment", reason, _Choice(targets, where, file, survey, yes, dry_run), (config, settings))


def tag(  # noqa: PLR0913, PLR0917
    reason: Reason,
    targets: Names = None,
    name: Annotated[str | None, typer.Option("--tag", help="The tag; default the reason, if it is one word.")] = None,
    until: Until = None,
    where: Where = None,
    file: File = None,
    survey: Survey = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """Give targets a tag, by which --where tag=... finds them: it switches nothing. Writes the database."""
    from tides_bridge.errors import SettingsError

    chosen = name or reason.strip()
    with exit_on_error():
        if not chosen or len(chosen.split()) > 1 or "," in chosen:
            raise SettingsError("--tag", "", "must be one word: what the targets are called together")
    choice = _Choice(targets, where, file, survey, yes, dry_run)
    _rule("tag", reason, choice, (config, settings), until=until, tag=chosen)


def release(  # noqa: PLR0913, PLR0917
    reason: Reason,
    targets: Names = None,
    only: Annotated[str | None, typer.Option("--only", help="End only these: veto, force or hold.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Take this tag away, and nothing else.")] = None,
    where: Where = None,
    file: File = None,
    survey: Survey = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    End vetoes, forces and holds of targets: rules alone say again whether they are on.

    Writes the database; what was decided stays in the record. Also the answer to a row that somebody switched off at
    4MOST, and which is to be on.
    """
    from tides_bridge.errors import SettingsError

    with exit_on_error():
        if only not in (None, "veto", "force", "hold"):
            raise SettingsError("--only", "", f"{only} is none of veto, force, hold")
    choice = _Choice(targets, where, file, survey, yes, dry_run)
    _rule("release", reason, choice, (config, settings), tag=tag, only_kind=only)


def rulings(
    name: Annotated[str, typer.Argument(help="A target or an object, by any name.", metavar="TARGET")],
    config: Config = None,
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON on stdout.")] = False,
) -> None:
    """List what people have decided of a target or an object, the newest first. Reads the database; writes nothing."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.rulings import find_subjects, in_words, list_rulings

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            with database.transaction() as connection:
                subjects = find_subjects(connection, chosen, [name])
            rows = list_rulings(database, chosen, subjects)
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    for row in rows:
        echo_line(in_words(row))
    if not rows:
        echo_line(f"nothing was decided of {subjects[0]}")


class _Choice:
    """Of which targets and objects something is decided, and whether a person is asked before."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        names: list[str] | None,
        where: list[str] | None,
        file: Path | None,
        survey: str | None,
        is_sure: bool,
        is_dry: bool,
    ) -> None:
        self.names, self.where, self.file, self.survey = names or [], where or [], file, survey
        self.is_sure, self.is_dry = is_sure, is_dry

    def find(self, database: "Database", settings: "Settings") -> "list[Subject]":
        """Find what was named; with conditions, the targets that satisfy all of them."""
        from tides_bridge.errors import SettingsError
        from tides_bridge.targets.filters import find_filtered
        from tides_bridge.targets.rulings import Subject, find_subjects

        lines = lines_of(self.file) if self.file else []
        names = [*self.names, *(line.partition("#")[0].strip() for line in lines)]
        if not self.where and not any(names):
            raise SettingsError("TARGET", "", "name targets or objects, or choose them by --where or --file")
        with database.transaction() as connection:
            found = find_subjects(connection, settings, names, self.survey)
            if not self.where:
                return found
            rows = find_filtered(connection, settings, self.where)
        if any(names):  # both: those named that satisfy the conditions, too
            ids = {row["tides_id"] for row in rows}
            return [subject for subject in found if subject.tides_id in ids]
        return [Subject(row["name"], row["tides_id"], row["name"], None, None) for row in rows]


def _rule(  # noqa: PLR0913
    kind: str,
    reason: str,
    choice: _Choice,
    where_settings: tuple[str | None, Path | None],
    *,
    until: str | None = None,
    tag: str | None = None,
    only_kind: str | None = None,
) -> None:
    """Decide something of what was chosen, and say what came of it."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.rulings import Ruling, check_ruling, rule, time_of

    with exit_on_error():
        chosen = load_settings(*where_settings)
        ruling = Ruling(kind, reason, time_of(until, "--until") if until else None, tag, only_kind)  # type: ignore[arg-type]
        check_ruling(ruling, chosen)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            subjects = choice.find(database, chosen)
            if choice.is_dry:
                _show_subjects(ruling, subjects)
                return
            if len(subjects) > ASKED_FROM and not choice.is_sure:
                _show_subjects(ruling, subjects)
                typer.confirm(f"{kind} these {len(subjects)}?", abort=True, err=True)
            done = rule(database, chosen, ruling, subjects)
    for outcome in done:
        echo_line(_outcome(ruling, outcome))
    if not done:
        echo_line("nothing is so: nothing was changed")


def _show_subjects(ruling: "Ruling", subjects: "Sequence[Subject]") -> None:
    """List what a ruling would touch."""
    for subject in subjects[:SHOWN]:
        echo_line(str(subject) + ("" if subject.tides_id is not None else ": no target yet"))
    if len(subjects) > SHOWN:
        echo_line(f"and {len(subjects) - SHOWN} others")
    echo_line(f"{ruling.kind}: would touch {len(subjects)}")


def _outcome(ruling: "Ruling", outcome: "Ruled") -> str:
    """Say what became of one target: a ruling that another one outranks is told as such."""
    words = f"{outcome.subject}: {ruling.kind}" if outcome.is_new else f"{outcome.subject}: {ruling.kind} as before"
    if ruling.kind == "release" and not outcome.has_ended:
        words += ", though nothing of it was in force"
    if outcome.state is None:
        later = {"force": "it becomes a target with its next alert", "veto": "it will not be sent"}
        return f"{words}; no target yet" + (f", {later[ruling.kind]}" if ruling.kind in later else "")
    if ruling.kind in ("comment", "tag"):
        return words
    if ruling.kind == "force" and outcome.state != "active":
        return f"{words}, which has no effect: it stays off ({outcome.state})"
    return f"{words}; it is {'on' if outcome.state == 'active' else f'off ({outcome.state})'} now"
