"""The commands `tides spectra` and `tides match-spectrum`: what 4MOST has observed, and whose spectra these are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

if TYPE_CHECKING:
    from tides_bridge.targets.spectra.deliveries import TakenIn


def spectra(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Deliveries, or folders of them; default spectra.folder.", metavar="[PATH]..."),
    ] = None,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Read deliveries of 4MOST's spectra, and switch targets off that have enough of them, at 4MOST with the next run.

    Reads the files that are new, have changed, or could not be read before; writes the database. The same content again
    changes nothing. Exit code 1 if a file cannot be read: it is named, and tried again the next time.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.database.run_log import logged_run
    from tides_bridge.errors import SettingsError
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.spectra.deliveries import take_in_deliveries
    from tides_bridge.targets.spectra.settling import count_spectra, settle_spectra

    with exit_on_error():
        chosen = load_settings(config, settings)
        places = paths or ([chosen.spectra.folder] if chosen.spectra.folder else [])
        if not places:
            raise SettingsError("PATH", "", "name deliveries or folders of them, or set spectra.folder")
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=chosen.database.host == "embedded")
            with logged_run(database, "spectra"):
                taken = take_in_deliveries(database, chosen, places, _tell)
                settled = settle_spectra(database, chosen)
            with database.transaction() as connection:
                counts = count_spectra(connection)
    echo_line(
        f"{len(taken)} files were looked into: {sum(file.spectra for file in taken)} spectra are new, "
        f"{settled.matched} found their target, {settled.done} targets are done by them"
    )
    if counts["unmatched"]:
        echo_line(f"{counts['unmatched']} spectra are nobody's yet: tides questions --kind spectrum")
    raise typer.Exit(1 if any(file.problem for file in taken) else 0)


def match_spectrum(  # noqa: PLR0913, PLR0917
    spectra: Annotated[
        list[str], typer.Argument(help="Numbers of spectra; or files, for all in them without a target.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who look at it later.")],
    target: Annotated[str | None, typer.Option(help="Whose they are: a target, by any name.")] = None,
    not_ours: Annotated[bool, typer.Option("--not-ours", help="They are of none of our targets.")] = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Say whose spectra these are that nobody could match, or that were matched wrongly.

    Writes the database. It holds for the same objects in files that come again.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.errors import SettingsError
    from tides_bridge.settings import load_settings
    from tides_bridge.targets.spectra.settling import rule_spectra

    with exit_on_error():
        if not_ours == (target is not None):
            raise SettingsError("--target", "", "name the target, or give --not-ours")
        chosen = load_settings(config, settings)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            number = rule_spectra(database, chosen, spectra, target, reason)
    echo_line(f"{number} spectra are {f'of {target}' if target else 'of none of ours'}")


def _tell(file: "TakenIn") -> None:
    if file.problem:
        echo_line(f"{file.path}: {file.problem}", err=True)
    else:
        echo_line(f"{file.path}: " + (f"{file.spectra} spectra" if file.spectra else "nothing new"))
