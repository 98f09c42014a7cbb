"""The command `tides page`: the bridge's own page, until it is stopped."""

import contextlib
import socket

import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import exit_on_error
from tides_bridge.processes import interrupt_on_sigterm


def page(config: Config = None, settings: SettingsFile = None) -> None:
    """
    Serve the bridge's own page: newest targets and their light curves, and /metrics for Prometheus.

    Reads the database, and asks Kafka and Prefect how they do; writes nothing. Ctrl-C or SIGTERM ends it.
    """
    from tides_bridge.settings import load_settings, page_address

    with exit_on_error():
        chosen = load_settings(config, settings)
        with _listen(chosen.page.host, chosen.page.port) as listener:
            from tides_bridge.operations.prefect_server import ask_prefect, ui_address
            from tides_bridge.operations.remembered import KeptDatabase
            from tides_bridge.portal.app import make_app
            from tides_bridge.portal.serving import serve

            database = KeptDatabase(chosen)
            app = make_app(chosen, database, ask_prefect, ui_address(chosen))
            interrupt_on_sigterm()  # the server repeats the signal when it has stopped
            with contextlib.closing(database), contextlib.suppress(KeyboardInterrupt):
                typer.echo(f"page: {page_address(chosen)}")
                serve(app, listener)


def _listen(host: str, port: int) -> socket.socket:
    """
    Take the port before anything slow is done.

    Raises
    ------
    SettingsError
        If it cannot be had.
    """
    from tides_bridge.errors import SettingsError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError("settings", "page.port", f"{host}:{port} cannot be had: {error.strerror}") from None
