"""The command `tides notify`: tell the Prefect server that there are new alerts."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import requests
import typer

from flows.commands.options import Config, SettingsFile
from tides_bridge.console import exit_on_error
from tides_bridge.errors import SettingsError, TransientError
from tides_bridge.web import problem_of

EVENT = "tides.alerts"
"""For which the deployment TiDES bridge/on-event waits: see deployments/prefect.yaml."""

PATIENCE_SECONDS = 10.0
"""[s] In which the server takes an event."""


def notify(
    config: Config = None,
    settings: SettingsFile = None,
    broker: Annotated[str | None, typer.Option("--broker", help="Which broker has them, for the record.")] = None,
) -> None:
    """
    Say that there are new alerts: the deployment TiDES bridge/on-event runs half a minute later.

    Writes an event at the Prefect server. More events within that time make no more runs.
    """
    from tides_bridge.operations.prefect_server import prefect_address
    from tides_bridge.settings import load_settings

    with exit_on_error():
        chosen = load_settings(config, settings)
        names = [broker_settings.broker_name for broker_settings in chosen.each_broker()]
        if broker and broker not in names:
            raise SettingsError("--broker", broker, f"no such broker; there are: {', '.join(names)}")
        name = broker or names[0]
        send_event(prefect_address(chosen), name)
    typer.echo(f"{prefect_address(chosen)}: new alerts of {name} are announced")


def send_event(address: str, broker: str) -> None:
    """
    Send the event to the API of a Prefect server.

    Raises
    ------
    TransientError
        If the server does not take it.
    """
    event = {
        "id": str(uuid4()),
        "event": EVENT,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"tides.broker.{broker}", "prefect.resource.name": broker},
    }
    from tides_bridge.operations.prefect_server import BUSY_PAUSE, BUSY_TRIES, prefect_session

    try:
        with prefect_session(BUSY_TRIES, BUSY_PAUSE) as session:
            answer = session.post(f"{address.rstrip('/')}/events", json=[event], timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise TransientError(f"Prefect server {address}", problem_of(error), "tides check tries it") from None
