"""The commands `tides subscribe` and `tides subscriptions`: what people are told of targets, where and when."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import echo_line, exit_on_error

if TYPE_CHECKING:
    from pydantic import SecretStr

app = typer.Typer(
    no_args_is_help=True, help="What people are told of targets: list, test, mute, pause, resume, remove, send."
)

Name = Annotated[str, typer.Argument(help="Of the subscription, as tides subscriptions list shows it.")]


def subscribe(  # noqa: PLR0913, PLR0917
    name: Annotated[str, typer.Argument(help="What to call the subscription: one word.")],
    kinds: Annotated[
        list[str] | None,
        typer.Option("--on", help="new, on, off, class, tag, spectrum, refused, sent or changed; several with commas."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Only of targets that satisfy this, as class=SN or sky=150,2,3600; and all."),
    ] = None,
    digest: Annotated[bool, typer.Option("--digest", help="Once a day, after the night, not at once.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="The report of each night: its digest, also if nothing has happened.")
    ] = False,
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """
    Be told when something happens to targets: by mail, chat or whatever Apprise knows.

    Asks for the address, which is not shown; or reads it from stdin. Writes the database. docs/subscriptions.md tells
    more.
    """
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.operations import subscriptions
    from tides_bridge.settings import load_settings

    words = [word.strip() for text in kinds or () for word in text.split(",")]
    with exit_on_error():
        chosen = load_settings(config, settings)
        wish = subscriptions.Wish(name, words, where or (), is_digest=digest, is_report=report)
        with open_database(chosen) as database:
            ensure_schema(database, is_ours=False)
            subscriptions.add_subscription(database, chosen, wish, _address())
    echo_line(f"{name} is told from now on: tides subscriptions test {name} tries it")


def _address() -> "SecretStr":
    """Read an address where neither the list of processes nor the history of the shell has it."""
    from pydantic import SecretStr

    if sys.stdin.isatty():
        return SecretStr(typer.prompt("address of Apprise", hide_input=True, err=True).strip())
    return SecretStr(sys.stdin.readline().strip())


@app.command("list")
def list_all(config: Config = None, settings: SettingsFile = None) -> None:
    """List the subscriptions, and how they go; an address is shown by its scheme only. Reads the database."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.operations.subscriptions import list_subscriptions
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        ensure_schema(database, is_ours=False)
        with database.transaction() as connection:
            rows = list_subscriptions(connection)
    for row in rows:
        echo_line(_described(row))
    if not rows:
        echo_line("no subscriptions: tides subscribe makes one")


def _described(row: dict[str, Any]) -> str:
    """Word a subscription in a line."""
    when = "report of the night" if row["is_report"] else "digest" if row["is_digest"] else "at once"
    words = [f"{row['name']}: {row['scheme']}, of {row['who']}, {when}: {', '.join(row['kinds'])}"]
    words += [f"where {' and '.join(row['conditions'])}"] if row["conditions"] else []
    words += ["paused"] if row["is_paused"] else []
    words += [f"muted until {row['muted_until']:%Y-%m-%d %H:%M}"] if row["muted_until"] else []
    words += [f"{row['waiting']} to be told"] if row["waiting"] else []
    words += [f"could not be told since {row['failing_since']:%Y-%m-%d %H:%M}"] if row["failing_since"] else []
    words += [f"{row['unknown']} messages may not have arrived"] if row["unknown"] else []
    words += [f"last sent {row['sent_at']:%Y-%m-%d %H:%M}"] if row["sent_at"] else ["nothing sent yet"]
    return "; ".join(words)


@app.command()
def test(name: Name, config: Config = None, settings: SettingsFile = None) -> None:
    """Send a message that says that messages arrive. Exit code 1 if it could not be sent."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.operations.notices import deliver_test
    from tides_bridge.operations.subscriptions import address_named
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        ensure_schema(database, is_ours=False)
        deliver_test(name, address_named(database, name))
    echo_line(f"{name}: a message was sent")


@app.command()
def mute(
    name: Name,
    until: Annotated[str, typer.Option("--until", help="When it is told again: 2026-12-01, its midnight UTC.")],
    config: Config = None,
    settings: SettingsFile = None,
) -> None:
    """Tell nothing until a date: what happens to targets meanwhile is not told later, either. Writes the database."""
    from tides_bridge.targets.rulings import time_of

    with exit_on_error():
        moment = time_of(until, "--until")
    _change(name, {"muted_until": moment, "is_paused": False}, config, settings)
    echo_line(f"{name}: muted until {moment:%Y-%m-%d %H:%M}")


@app.command()
def pause(name: Name, config: Config = None, settings: SettingsFile = None) -> None:
    """Tell nothing for now: what happens meanwhile is told after tides subscriptions resume. Writes the database."""
    _change(name, {"muted_until": None, "is_paused": True}, config, settings)
    echo_line(f"{name}: paused")


@app.command()
def resume(name: Name, config: Config = None, settings: SettingsFile = None) -> None:
    """Let a subscription that was muted or paused go on. Writes the database."""
    _change(name, {"muted_until": None, "is_paused": False}, config, settings)
    echo_line(f"{name}: goes on")


@app.command()
def remove(name: Name, config: Config = None, settings: SettingsFile = None) -> None:
    """Forget a subscription, its address, and what it was still to be told. Writes the database."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.operations.subscriptions import remove_subscription
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        ensure_schema(database, is_ours=False)
        remove_subscription(database, name)
    echo_line(f"{name}: forgotten")


@app.command()
def send(config: Config = None, settings: SettingsFile = None) -> None:
    """Send what is to be told by now, as every run and exchange does at its end. Exit code 1 if a run is at work."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.errors import RejectedError
    from tides_bridge.operations.telling import tell_people
    from tides_bridge.settings import load_settings

    with exit_on_error():
        chosen = load_settings(config, settings)
        with open_database(chosen) as database, database.only_run() as is_alone:
            if not is_alone:
                raise RejectedError(database.name, "a run is at work there, which sends itself at its end")
            ensure_schema(database, is_ours=False)
            counts = tell_people(database, chosen)
    words = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    echo_line(f"messages: {words or 'none to be sent'}")


def _change(name: str, changes: dict[str, Any], config: str | None, settings: Any) -> None:
    """Mute, pause or resume a subscription."""
    from tides_bridge.database import ensure_schema, open_database
    from tides_bridge.operations.subscriptions import change_subscription
    from tides_bridge.settings import load_settings

    with exit_on_error(), open_database(load_settings(config, settings)) as database:
        ensure_schema(database, is_ours=False)
        change_subscription(database, name, **changes)
