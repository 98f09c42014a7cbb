"""The commands `tides run` and `tides reconcile`: a flow in this process; `tides release-guard`, for what it held."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error, stdout_console
from tides_bridge.errors import SettingsError
from tides_bridge.processes import interrupt_on_sigterm

if TYPE_CHECKING:
    from tides_bridge.settings import Settings


def run(  # noqa: PLR0913, PLR0917
    config: Config = None,
    settings: SettingsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object on stdout.")] = False,
    changed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another value of a setting, for this run; may come again."),
    ] = None,
    objects: Annotated[list[str] | None, typer.Argument(help="Of --only: names of objects or targets.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Look again at some objects, and do nothing else.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and leave nothing.")] = False,
) -> None:
    """
    Run the bridge once: pull alerts, decide, store, and bring 4MOST up to date.

    Reads the settings, the stream, light curves, and the 4MOST list; writes tides_master and targets at 4MOST.
    The run shows in the web interface of PREFECT_API_URL, or of a `tides up` with the same settings; it needs neither.
    --only asks for the light curve as it is now, and decides; 4MOST is told by the next run.
    """
    from tides_bridge.decisions.record import load_functions
    from tides_bridge.settings import load_settings
    from tides_bridge.settings.by_hand import set_by_hand

    with exit_on_error():
        if only != bool(objects):
            raise SettingsError(
                "--only", "", "name objects or targets after it: tides run --only ZTF26aaaaaaa TiDES26aaa"
            )
        set_by_hand(changed or [])
        chosen = load_settings(config, settings)  # a wrong setting is told before Prefect takes its seconds to start
        load_functions(chosen)
        with _prefect(chosen, config, settings):
            done = _flow(config, str(settings) if settings else None, objects or [], dry_run)
    if as_json:
        typer.echo(json.dumps(done))
    elif dry_run:
        _show_foreseen(done)
    if dry_run and done["problem"]:
        echo_line(done["problem"], err=True)
        raise typer.Exit(1)


def _flow(config: str | None, file: str | None, only: list[str], dry_run: bool) -> dict[str, Any]:
    """Run the flow that does what is asked for."""
    if dry_run:
        from flows.dry_run import rehearse

        return rehearse(config, file, only)
    if only:
        from flows.only import look_again

        return look_again(config, file, only)
    from flows.comm_pipe import execute_comm_pipe

    return execute_comm_pipe(config, file)


def _show_foreseen(found: dict[str, Any]) -> None:
    """Show what a run would do."""
    table = Table("would be", "target", "detail", box=None, pad_edge=False)
    for row in found["rows"]:
        table.add_row(row["what"], row["target"], row["detail"])
    stdout_console().print(table if found["rows"] else "nothing would change", markup=False)
    numbers = Counter(row["what"] for row in found["rows"])
    echo_line(", ".join(f"{number} {what}" for what, number in numbers.items()) or "0 changes")
    for note in found["notes"]:
        echo_line(note)


def reconcile(
    config: Config = None,
    settings: SettingsFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell: change nothing on either side.")] = False,
) -> None:
    """
    Compare tides_master with the list at 4MOST row by row, and repair what differs.

    Reads and writes both sides. A row that vanished is created again, an edited one set right, a doubled one switched
    off; rows of names that are not ours are told and left alone.
    """
    from tides_bridge.settings import load_settings

    with exit_on_error(), _prefect(load_settings(config, settings), config, settings):
        from flows.reconcile import reconcile_with_4most

        differences = reconcile_with_4most(config, str(settings) if settings else None, dry_run)
    table = Table("target", "key", "what", "detail", "would be" if dry_run else "repair", box=None, pad_edge=False)
    for found in differences:
        table.add_row(found.name, str(found.key or ""), found.what, found.detail, found.repair)
    stdout_console().print(table if differences else "no differences: both databases agree", markup=False)


def release_guard(
    config: Config = None,
    settings: SettingsFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what is held back.")] = False,
) -> None:
    """
    Let the next run make the changes that it holds back, as they are more at once than is plausible.

    Reads and writes the database; changes no target. See first that no setting and no clock is wrong: when it is
    right again, nothing is held back any more.
    """
    from tides_bridge.database import open_database
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.guard import release_held

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        found = release_held(database, is_dry=dry_run)
    for held in found:
        echo_line(f"{held.kind}: {held}, held back since {held.since:%Y-%m-%d %H:%M}")
    if not found:
        typer.echo("nothing is held back")
    elif not dry_run:
        typer.echo("released: the next run makes these changes")


@contextmanager
def _prefect(settings: "Settings", config: str | None, file: Path | None) -> Iterator[None]:
    """Have what a flow in this process needs: plain speech, an end in order, and a Prefect server."""
    logging.getLogger("tides_bridge.settings").setLevel(logging.ERROR)  # its warnings were given: the flow loads again
    from flows.reaching_prefect import reaching_prefect
    from flows.running_stack import find_running

    interrupt_on_sigterm()
    with reaching_prefect(settings, lambda: find_running(config, file)):
        from tasks.behaviour import speak_plainly

        speak_plainly()
        yield
