"""Try each service that a run needs, and say what is wrong and what to do."""

from collections.abc import Callable, Iterator

import requests
from prefect.settings import PREFECT_API_URL

from tides_bridge.brokers import broker_of, stream_of
from tides_bridge.database import check_schema, open_database
from tides_bridge.decisions.record import contradictions, load_functions
from tides_bridge.errors import BridgeError
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.settings import Settings, shown_address


def check_all(settings: Settings) -> Iterator[tuple[str, bool, str]]:
    """
    Try all services.

    Yields
    ------
    (service, failed, text)
        The text says what answered, or what is wrong and what to do.
    """
    tries: list[tuple[str, Callable[[Settings], str], Settings]] = [
        ("selection", _selection, settings),
        ("database", _database, settings),
        *(attempt for of_broker in settings.each_broker() for attempt in _of_broker(of_broker)),
        ("4MOST", _fourmost, settings),
        ("Prefect", _prefect, settings),
        ("Dask", _dask, settings),
    ]
    for service, attempt, chosen in tries:
        try:
            failed, text = False, attempt(chosen)
        except BridgeError as error:
            failed, text = True, str(error)
        except Exception as error:
            failed, text = True, f"{type(error).__name__}: {error}"
        yield service, failed, shown_address(text)


def _of_broker(settings: Settings) -> list[tuple[str, Callable[[Settings], str], Settings]]:
    name = settings.broker_name if settings.brokers else ""
    return [
        (f"broker {name}".strip(), _broker, settings),
        (f"API of {name}" if name else "light-curve API", lambda chosen: broker_of(chosen).try_out(), settings),
    ]


def _selection(settings: Settings) -> str:
    active, *shadows = load_functions(settings)
    names = "".join(f", shadow {function.name} {function.version}" for function in shadows)
    found = f"{active.name} {active.version}{names} in {settings.select_function_path}"
    return "; but ".join([found, *contradictions(settings, active)])


def _database(settings: Settings) -> str:
    with open_database(settings) as database:
        pending = check_schema(database)
    is_embedded = settings.database.host == "embedded"
    note = "the first run makes its tables" if is_embedded else "run: tides schema"
    return database.name + (f"; {', '.join(pending)} not applied yet: {note}" if pending else "")


def _broker(settings: Settings) -> str:
    with stream_of(settings) as stream:
        partitions = stream.partitions()
    found = f"{len(partitions)} partitions" if partitions else "no such topic yet, which at Lasair means no alerts yet"
    return f"{settings.broker.bootstrap_servers} topic {settings.topic}: {found}"


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
