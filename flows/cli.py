"""The command line: ``tides``. Slow libraries are imported by the command that needs them."""

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

import typer

from flows.commands import (
    access,
    adopt,
    backup,
    database,
    deploy,
    fourmost_rows,
    init,
    notify,
    page,
    refused,
    run,
    settings,
    status,
    tns,
    up,
    watch,
    watchdog,
    why,
)
from flows.commands.files import backtest, brightness, classes, convert, selecting
from flows.commands.targets import (
    association,
    classified,
    hosts,
    listing,
    questions,
    rulings,
    spectra,
    subscriptions,
    tom,
)
from tides_bridge.console import check_arguments, exit_on_error

app = typer.Typer(
    help="The TiDES bridge: carries supernovae from alert brokers to the 4MOST telescope.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(access.app, name="access")
app.add_typer(refused.app, name="refused")
app.add_typer(brightness.app, name="brightness")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(tom.app, name="tom")
for command in (
    init.init,
    run.run,
    run.reconcile,
    adopt.adopt,
    fourmost_rows.fourmost_rows,
    run.release_guard,
    settings.check,
    database.database,
    database.schema,
    backup.backup,
    backup.restore,
    backup.upgrade,
    selecting.select,
    backtest.backtest,
    brightness.predict,
    convert.convert,
    classes.classes,
    why.why,
    why.selections,
    association.merge,
    association.split,
    association.associations,
    listing.targets,
    rulings.veto,
    rulings.force,
    rulings.hold,
    rulings.comment,
    rulings.tag,
    rulings.release,
    rulings.rulings,
    questions.questions,
    subscriptions.subscribe,
    spectra.spectra,
    spectra.match_spectrum,
    classified.classified,
    hosts.hosts,
    tns.tns,
    status.status,
    page.page,
    watch.watch,
    watchdog.watchdog,
    notify.notify,
    deploy.deploy,
    up.server,
    up.up,
):
    app.command(command.__name__.replace("_", "-"))(command)
app.command("settings")(settings.show_settings)
app.command("psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(database.psql)


def _add_commands() -> None:
    """Add the commands that other packages bring: the stand-ins, which production code does not import."""
    for entry_point in sorted(entry_points(group="tides.commands"), key=lambda entry: entry.name):
        app.command(entry_point.name)(entry_point.load())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    _add_commands()
    try:
        with exit_on_error():
            check_arguments(sys.argv[1:] if arguments is None else arguments)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    app(args=arguments, prog_name="tides")


if __name__ == "__main__":
    main()
