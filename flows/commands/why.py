"""The commands `tides why` and `tides selections`: what was decided, by which version, and why."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error, stdout_console

if TYPE_CHECKING:
    from tides_bridge.database import Database
    from tides_bridge.settings import Settings

AsOf = Annotated[
    str | None, typer.Option("--as-of", help="What was known then: a date or time as 2026-11-01T12:00, UTC.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as one JSON object on stdout.")]


def why(  # noqa: PLR0913, PLR0917
    object_id: Annotated[
        str,
        typer.Argument(help="The name that the survey gave it, that of a target, or one of the TNS.", metavar="OBJECT"),
    ],
    survey: Annotated[str | None, typer.Option(help="ztf or lsst; default any.")] = None,
    as_of: AsOf = None,
    config: Config = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
    light_curve: Annotated[
        Path | None,
        typer.Option("--light-curve", metavar="FILE", help="Write that of the newest decision, as tides convert does."),
    ] = None,
) -> None:
    """
    Tell why an object was sent to 4MOST, or was not: what was measured, what failed by how much, what was sent.

    Reads the database; writes only what --light-curve names. Exit code 1 if nothing is known of the object.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.decisions.known import all_known_of, is_known
    from tides_bridge.errors import RejectedError
    from tides_bridge.settings import load_settings

    with exit_on_error():
        chosen, then = load_settings(config, settings), read_time(as_of)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            found = all_known_of(database, chosen, object_id, survey, then)
            if is_known(found) and light_curve:
                _write_curve(database, object_id, found["decisions"], light_curve)
        if not is_known(found):
            problem = "nothing is known of it" + (" before that time" if then else "")
            raise RejectedError(object_id, f"{problem}: is the name right, and did the broker's filter let it pass?")
    if as_json:
        typer.echo(json.dumps(found, default=str))
    else:
        console = stdout_console(highlight=False, markup=False, soft_wrap=True)
        _show(console, found)
        _show_spectra(console, found["spectra"], chosen)
        _show_classes(console, found["classes"])
        _show_hosts(console, found["hosts"])
        if then:
            console.print(f"Decisions and what was sent are as of {_at(then)}; states and waiting are those of now.")


def _write_curve(database: "Database", object_id: str, decisions: list[dict[str, Any]], file: Path) -> None:
    """Write the light curve on which the newest decision was taken, of those that are kept."""
    from tides_bridge.archives.curve_files import table_of_curves
    from tides_bridge.decisions.decided_curves import find_decided_curve
    from tides_bridge.formats.output.table_files import check_output, write_table

    check_output(file, "--light-curve")
    row, curve = find_decided_curve(database, object_id, decisions)
    write_table(table_of_curves(curve), file)
    echo_line(
        f"{file}: the light curve of {row['survey']} {row['object_id']}, decided {_at(row['decided_at'])}", err=True
    )


def selections(
    as_of: AsOf = None,
    with_text: Annotated[bool, typer.Option("--text", help="Print what each version demands, as JSON.")] = False,
    config: Config = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """
    List the selection functions, their versions, and when each was in force.

    Reads the database; writes nothing. A version is a hash of all that the function demands.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.decisions.history import list_selections
    from tides_bridge.settings import load_settings

    with exit_on_error():
        chosen, then = load_settings(config, settings), read_time(as_of)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            rows = list_selections(database, then)
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    table = Table("function", "version", "role", "since", "until", box=None, pad_edge=False)
    for row in rows:
        until = _at(row["until"]) if row["until"] else "now"
        table.add_row(row["function"], row["version"], row["role"], _at(row["since"]), until)
    stdout_console(highlight=False, markup=False, soft_wrap=True).print(
        table if rows else "none was in force", markup=False
    )
    for name, version, text in {(row["function"], row["version"], row["normalised_text"]) for row in rows if with_text}:
        echo_line(f"{name} {version}: {text}")


def read_time(text: str | None) -> datetime | None:
    """
    Read a time that a person typed.

    Raises
    ------
    SettingsError
        If it is none.

    >>> read_time("2026-11-01")
    datetime.datetime(2026, 11, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    from tides_bridge.errors import SettingsError

    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError("--as-of", "", f"{text} is no time: write it as 2026-11-01 or 2026-11-01T12:00") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _show(console: Console, found: Mapping[str, Any]) -> None:
    from tides_bridge.decisions.history import brightness_in_words
    from tides_bridge.targets.rulings import in_words

    for row in found["decisions"]:
        _show_decision(console, row)
    for row in [] if found["decisions"] else found["last"]:
        result = "passed" if row["passed"] else "did not pass"
        console.print(
            f"{_at(row['decided_at'])}  {row['function']} {row['version'] or ''} {result}; no more is kept of it"
        )
    for row in found["deferred"]:
        state = "given up" if row["given_up_at"] else f"waits, next attempt {_at(row['next_attempt_at'])}"
        console.print(f"no light curve ({row['survey']}): {row['reason']}; {row['attempts']} attempts, {state}")
    for row in found["targets"]:
        state = "active" if row["active"] else f"switched off: {row['inactive_reason'] or 'by 4MOST'}"
        state += f" into {row['merged_into']}" if row["merged_into"] else ""
        names = [f"{name['survey']} {name['object_id']}" for name in found["names"] if name["name"] == row["name"]]
        objects = f"; it is {', '.join(names)}" if names else ""
        console.print(f"target {row['name']} ({row['survey']}): {state}, {_at_4most(row)}{objects}")
    for row in found["brightness"]:
        console.print(brightness_in_words(row))
    for row in found["rulings"]:
        console.print(f"ruling: {in_words(row)}")
    for row in found["annotations"]:
        value, version = row["word"] or f"{row['number']:g}", f" {row['version']}" if row["version"] else ""
        before = f", {row['changes']} other values before" if row["changes"] else ""
        console.print(
            f"{row['broker']}: {row['name']}{version} = {value} ({row['survey']}, MJD {row['mjd']:.2f}{before})"
        )
    for row in found["tns"]["matches"]:
        redshift = "" if row["redshift"] is None else f", z = {row['redshift']:g}"
        by = "by name" if row["separation_arcsec"] is None else f"{row['separation_arcsec']:.2f} arcsec away"
        console.print(f"TNS: {row['tns_name']}, {row['object_type'] or 'no type'}{redshift}, matched {by}")
    loaded = found["tns"]["last_load"]
    if found["targets"] and loaded and not found["tns"]["matches"]:
        console.print(f"TNS: nothing in the list loaded {_at(loaded['loaded_at'])}")
    for row in found["sent"]:
        key = f" {row['pk_4most']}" if row["pk_4most"] else ""
        answer = f": {row['answer']}" if row["answer"] else ""
        origin = row["magnitude_origin"] or ""
        what = "" if origin.startswith(("redshift", "reddening")) else "magnitude of "
        origin = f", {what}{origin}" if origin else ""
        console.print(
            f"{_at(row['logged_at'])}  4MOST {row['operation']}{key} ({row['survey']}) {row['status']}{answer}{origin}"
        )


def _show_spectra(console: Console, rows: Sequence[Mapping[str, Any]], settings: "Settings") -> None:
    from tides_bridge.targets.spectra.settling import spectra_in_words, spectrum_in_words

    for row in rows:
        console.print(f"spectrum: {spectrum_in_words(row)}")
    for row in {row["tides_id"]: row for row in rows}.values():
        console.print(f"its spectra: {spectra_in_words(row, settings)}")


def _show_classes(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    from tides_bridge.targets.spectra.classes import class_in_words

    for row in rows:
        console.print(f"class: {class_in_words(row)}")


def _show_hosts(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    from tides_bridge.targets.hosts.settling import host_in_words

    for row in rows:
        console.print(f"host: {host_in_words(row)}")


def _at_4most(row: Mapping[str, Any]) -> str:
    """Say in which state a target is at 4MOST."""
    if row["refused_4most"]:
        return f"refused: {row['refused_4most']}"
    if row["pk_4most"] is None:
        return "not at 4MOST"
    return f"at 4MOST as {row['pk_4most']}" + (
        f", ingested {_at(row['date_ingested'])}" if row["date_ingested"] else ""
    )


def _show_decision(console: Console, row: Mapping[str, Any]) -> None:
    from tides_bridge.decisions.history import measurement

    result = Text("passed", "green") if row["passed"] else Text("did not pass", "red")
    title = f"{_at(row['decided_at'])}  {row['function']} {row['version']} ({row['role']})  "
    trigger, mjd = "", row["trigger_mjd"]
    if mjd is not None:
        from tides_bridge.lightcurves.photometry import time_from_mjd

        trigger = f", triggered at MJD {mjd:.5f}, {_at(time_from_mjd(mjd))}"
    console.print(Text(title) + result + Text(f"  {row['survey']}, {row['n_detections']} detections{trigger}"))
    if row["judged_with"]:
        console.print(f"    judged together with {', '.join(row['judged_with'])}")
    if row["left_out"]:
        console.print(f"    {row['left_out']} points later than then were left out")
    if row["is_stale"]:
        console.print("    for an older alert than one before: it is not the latest decision")
    for criterion in row["criteria"]:
        is_forbidden = "not." in criterion["criterion"]  # within not it is well that it fails
        mark = "  " if criterion["fulfilled"] or is_forbidden else "✗ "
        demand = f"{criterion['demanded']} {'forbidden' if is_forbidden else 'demanded'}"
        misses = ""
        if criterion["short"] is not None and not is_forbidden:
            misses = f": misses by {criterion['short']:g} {criterion['unit']}".rstrip()
        console.print(f"    {mark}{criterion['criterion']:22} {measurement(criterion)}, {demand}{misses}")


def _at(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
