"""
Ask the Prefect server how it does: plain HTTP, since to import Prefect takes seconds.

The server is somebody else here: whatever it answers, this ends within seconds, and a problem is a text.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tides_bridge.operations.problems import Deployment, FlowRun, PrefectFacts, Worker
from tides_bridge.settings import Settings
from tides_bridge.settings.prefect import prefect_variable
from tides_bridge.web import problem_of

POOL = "tides"
"""The work pool of our deployments."""

PATIENCE_SECONDS = 5.0
"""[s] Within which all questions are answered, or the server does not answer."""

BUSY_TRIES = 4
"""So often a busy server is asked again, within 4.2 s."""

BUSY_PAUSE = 0.3
"""[s] See `prefect_session`."""

LAST_RUNS = 3
"""Runs that are shown of a deployment."""

MOST_RUNS = 200
"""The server gives no more at once."""

Row = dict[str, Any]


def prefect_address(settings: Settings) -> str:
    """Give the address of the server's API: of the settings, else of Prefect's own variable, else the usual one."""
    return settings.watchdog.prefect or prefect_variable("API_URL") or "http://127.0.0.1:4200/api"


def ui_address(settings: Settings) -> str:
    """Give the address of the server's web page: of Prefect's own variable, else where its API is."""
    return prefect_variable("UI_URL") or prefect_address(settings).removesuffix("/api")


def prefect_session(tries: int, pause: float) -> requests.Session:
    """
    Give a session for the server's API, with the login of Prefect's own variable.

    Parameters
    ----------
    tries
        A server on SQLite answers 503 when it is busy: so often it is asked again.
    pause
        [s] Before the second of these, twice; then ever longer.
    """
    session = requests.Session()
    session.headers["Connection"] = "close"  # one that was kept may be closed there just when it is used again
    busy = Retry(tries, connect=0, read=False, status_forcelist=[503], backoff_factor=pause, allowed_methods=None)
    for scheme in ("http://", "https://"):  # the longest prefix counts, and requests has these
        session.mount(scheme, HTTPAdapter(max_retries=busy))
    if login := prefect_variable("API_AUTH_STRING"):
        user, _, word = login.partition(":")
        session.auth = (user, word)
    return session


def ask_prefect(settings: Settings) -> PrefectFacts:
    """
    Find out how server, pool, workers, deployments and runs do.

    Returns
    -------
    PrefectFacts
        Within `PATIENCE_SECONDS`; whatever is wrong is a text in its ``problem``. Nothing is raised.
    """
    address = prefect_address(settings).rstrip("/")
    try:
        with _Server(address) as server:
            return _facts(server, settings.watchdog.pool)
    except requests.RequestException as error:
        answer = f" with {error.response.status_code}" if error.response is not None else ""
        return PrefectFacts(address, f"{problem_of(error)}{answer}")
    except (KeyError, TypeError, ValueError) as error:
        return PrefectFacts(address, f"answers what no Prefect server answers ({type(error).__name__})")


class _Server:
    """The API at an address, for a few questions that together take no longer than our patience."""

    def __init__(self, address: str) -> None:
        self.address, self._end = address, time.monotonic() + PATIENCE_SECONDS
        self._session = prefect_session(BUSY_TRIES, BUSY_PAUSE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Ask one question; raises requests.RequestException without an answer."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise requests.Timeout("the server answers too slowly")
        answer = self._session.request(method, f"{self.address}/{path}", json=body or None, timeout=left)
        answer.raise_for_status()
        return answer.json()

    def runs(self, **wanted: Any) -> list[Row]:
        """List runs."""
        return list(self.ask("POST", "flow_runs/filter", **{"limit": MOST_RUNS, **wanted}))


def _facts(server: _Server, pool: str) -> PrefectFacts:
    server.ask("GET", "health")
    pools = server.ask("POST", "work_pools/filter", work_pools={"name": {"any_": [pool]}})
    if not pools:
        return PrefectFacts(server.address)
    workers = server.ask("POST", f"work_pools/{pool}/workers/filter")
    entries = server.ask("POST", "deployments/filter", work_pools={"name": {"any_": [pool]}}, sort="NAME_ASC")
    flows = server.ask("POST", "flows/filter", flows={"id": {"any_": [entry["flow_id"] for entry in entries]}})
    names = {flow["id"]: flow["name"] for flow in flows}
    # Named flow/deployment, as Prefect's own commands want it.
    entries = [{**entry, "name": f"{names.get(entry['flow_id'], '?')}/{entry['name']}"} for entry in entries]
    names = {entry["id"]: entry["name"] for entry in entries}
    ours = {"work_pools": {"name": {"any_": [pool]}}}
    soonest = {**ours, "sort": "EXPECTED_START_TIME_ASC"}
    scheduled = server.runs(**soonest, flow_runs={"state": {"name": {"any_": ["Scheduled"]}}})
    late = server.runs(**soonest, flow_runs={"state": {"name": {"any_": ["Late"]}}})
    running = server.runs(**soonest, flow_runs={"state": {"type": {"any_": ["RUNNING"]}}})
    return PrefectFacts(
        server.address,
        pool="PAUSED" if pools[0]["is_paused"] else str(pools[0]["status"]),
        workers=tuple(Worker(row["name"], row["status"], _time(row["last_heartbeat_time"])) for row in workers),
        deployments=tuple(_deployment(server, entry, scheduled) for entry in entries),
        late=_flow_runs(late, names),
        running=_flow_runs(running, names),
    )


def _deployment(server: _Server, entry: Row, scheduled: Iterable[Row]) -> Deployment:
    ended = {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}
    wanted = {"deployment_id": {"any_": [entry["id"]]}, "state": ended}
    last = server.runs(flow_runs=wanted, sort="EXPECTED_START_TIME_DESC", limit=LAST_RUNS)
    upcoming = [_time(run["expected_start_time"]) for run in scheduled if run["deployment_id"] == entry["id"]]
    return Deployment(
        entry["name"],
        paused=entry["paused"],
        has_schedule=any(schedule["active"] for schedule in entry["schedules"]),
        next_run_at=min((start for start in upcoming if start), default=None),
        last_runs=_flow_runs(last, {entry["id"]: entry["name"]}),
    )


def _flow_runs(rows: Iterable[Row], names: dict[str, str]) -> tuple[FlowRun, ...]:
    return tuple(
        FlowRun(
            row["name"],
            names.get(row["deployment_id"], ""),
            row["state_name"],
            _time(row["expected_start_time"]),
            _time(row["start_time"]),
            _time(row["end_time"]),
        )
        for row in rows
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
