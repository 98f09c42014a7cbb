"""Try each service that a run needs, and say what is wrong and what to do."""

from collections.abc import Callable, Iterator

import requests
from prefect.settings import PREFECT_API_URL

from tides_bridge.brokers import broker_of
from tides_bridge.brokers.stream import AlertStream
from tides_bridge.database import check_schema, open_database
from tides_bridge.errors import BridgeError
from tides_bridge.fourmost import FourmostClient
from tides_bridge.record import load_functions
from tides_bridge.settings import Settings, shown_address


def check_all(settings: Settings) -> Iterator[tuple[str, bool, str]]:
    """
    Try all services.

    Yields
    ------
    (service, failed, text)
        The text says what answered, or what is wrong and what to do.
    """
    tries: dict[str, Callable[[Settings], str]] = {
        "selection": _selection,
        "database": _database,
        "broker": _broker,
        "light-curve API": lambda settings: broker_of(settings).try_out(),
        "4MOST": _fourmost,
        "Prefect": _prefect,
        "Dask": _dask,
    }
    for service, attempt in tries.items():
        try:
            failed, text = False, attempt(settings)
        except BridgeError as error:
            failed, text = True, str(error)
        except Exception as error:
            failed, text = True, f"{type(error).__name__}: {error}"
        yield service, failed, shown_address(text)


def _selection(settings: Settings) -> str:
    active, *shadows = load_functions(settings)
    names = "".join(f", shadow {function.name} {function.version}" for function in shadows)
    return f"{active.name} {active.version}{names} in {settings.select_function_path}"


def _database(settings: Settings) -> str:
    with open_database(settings) as database:
        pending = check_schema(database)
    is_embedded = settings.database.host == "embedded"
    note = "the first run makes its tables" if is_embedded else "run: tides schema"
    return database.name + (f"; {', '.join(pending)} not applied yet: {note}" if pending else "")


def _broker(settings: Settings) -> str:
    with AlertStream(settings, broker_of(settings).decode) as stream:
        partitions = stream.partitions()
    there = f"{len(partitions)} partitions" if partitions else "no such topic yet, which at Lasair means no alerts yet"
    return f"{settings.broker.bootstrap_servers} topic {settings.topic}: {there}"


def _fourmost(settings: Settings) -> str:
    if not settings.fourmost.address:
        return "fourmost.address is not set: nothing is sent"
    return FourmostClient(settings.fourmost).try_out()


def _prefect(_: Settings) -> str:
    address = PREFECT_API_URL.value()
    if not address:
        return "no server: a run from the shell needs none; for the web interface set PREFECT_API_URL"
    try:
        requests.get(f"{address}/health", timeout=5).raise_for_status()
    except requests.RequestException as error:
        raise RuntimeError(
            f"{address} does not answer ({type(error).__name__}): start it with: prefect server start"
        ) from None
    return str(address)


def _dask(settings: Settings) -> str:
    if not settings.dask.address:
        return f"{settings.dask.workers} workers of {settings.dask.threads_per_worker} threads, started by each run"
    from distributed import Client

    try:
        with Client(settings.dask.address, timeout="5s", set_as_default=False) as client:  # type: ignore[no-untyped-call]
            workers = len(client.scheduler_info()["workers"])
    except OSError:
        raise RuntimeError(
            f"{settings.dask.address} does not answer: start the scheduler, or unset dask.address"
        ) from None
    if not workers:
        raise RuntimeError(f"{settings.dask.address} has no workers: start some with: dask worker")
    return f"{settings.dask.address}: {workers} workers"
