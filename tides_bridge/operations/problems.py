"""
What is wrong with the bridge, worked out from what was found. No input or output here.

`tides_bridge.operations.health` gathers the facts, `tides watchdog` calls somebody, and `tides status` shows the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from tides_bridge.operations.spans import span
from tides_bridge.settings import Settings

BERLIN = ZoneInfo("Europe/Berlin")
"""The clock of 4MOST, which takes its list over at 15:00."""

Severity = Literal["warning", "critical"]

REMEDIES = {
    "database": "start PostgreSQL; the next run goes on where the last one ended",
    "schema": "tides upgrade",
    "prefect": "start the Prefect server again, and look into its log",
    "pool": "tides deploy; or resume the work pool on the Prefect page",
    "worker": "start the worker again, and look into its log",
    "deployment": "tides deploy; or resume it on the Prefect page",
    "late": "look whether the worker has a limit, or hangs in its log",
    "run": "look at the page of its last run",
    "failing": "look at the page of the last run",
    "silence": "ask the broker whether it sends; look at the filter there, and at the topic in the settings",
    "backlog": "look at the last exchange in tides status, then: tides check",
    "guard": "is a setting or a clock wrong? If not: tides release-guard",
    "otherwise": "tides reconcile --dry-run shows them; tides why NAME what was asked; then ask 4MOST",
    "namesake": "tides questions --kind namesake shows them, and what to do; our targets have other names by now",
    "subscription": "tides subscriptions test NAME; then pause or remove it, or mend what it is sent to",
    "exchange": "tides check, then: tides reconcile; 4MOST takes its list over at 15:00 in Berlin",
    "backup": "tides backup, and look why the nightly one failed",
    "disk": "make room; the largest are decisions.keepFor, backups and Prefect's history",
    "certificate": "renew the certificate, or ask its owner to",
    "token": "ask for a new one, and give it to the worker",
}
"""Each kind of problem, and what to do in a line; deployments/README.md tells more under the kind's name."""


@dataclass(frozen=True)
class Problem:
    """
    Something that a person should look at.

    Attributes
    ----------
    kind
        One of `REMEDIES`.
    which
        What it is about, where there are several of a kind: a broker, a folder, an address.
    what
        In a few words, such as "worker silent for 5 min".
    since
        When it began, as far as that is known.
    severity
        Critical: targets are being lost, or are about to be. Warning: they will be, if nobody looks.
    """

    kind: str
    which: str
    what: str
    since: datetime | None
    severity: Severity = "critical"

    @property
    def key(self) -> str:
        """What stays the same as long as the problem lasts."""
        return f"{self.kind} {self.which}".strip()

    @property
    def remedy(self) -> str:
        """What to do."""
        return REMEDIES[self.kind]


# What is known


@dataclass(frozen=True)
class Worker:
    """A worker of the pool, and when it was last heard of."""

    name: str
    status: str
    heard_at: datetime | None


@dataclass(frozen=True)
class FlowRun:
    """A run as the Prefect server knows it; its state by name, such as Late, Crashed or Skipped."""

    name: str
    deployment: str
    state: str
    expected_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Deployment:
    """An entry at the Prefect server: flow/name, its next run, and its last ones, the newest first."""

    name: str
    paused: bool
    has_schedule: bool
    next_run_at: datetime | None
    last_runs: tuple[FlowRun, ...] = ()


@dataclass(frozen=True)
class PrefectFacts:
    """
    What the Prefect server says.

    Attributes
    ----------
    address
        Of its API.
    problem
        Why it could not be asked; then all else is empty.
    pool
        Status of the work pool, such as READY or PAUSED; None if there is none.
    late, running
        Runs whose time has come and that no worker took up, and those at work.
    """

    address: str
    problem: str | None = None
    pool: str | None = None
    workers: tuple[Worker, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    late: tuple[FlowRun, ...] = ()
    running: tuple[FlowRun, ...] = ()


@dataclass(frozen=True)
class Disk:
    """A disk that is written to, by a folder on it, and how much of it is free [%]."""

    folder: str
    free: float


@dataclass(frozen=True)
class Certificate:
    """When the certificate of an address ends, or why it is not believed; neither if the address was not reached."""

    address: str
    ends: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Token:
    """A secret of the settings by its key, and when it ends."""

    key: str
    ends: datetime


@dataclass(frozen=True)
class Facts:
    """
    What was found in one look.

    Attributes
    ----------
    status
        Of `tides_bridge.operations.status.get_health` or `get_status`; None if the database could not be asked.
    database
        Why it could not be asked.
    pending
        Schema files that must be applied first.
    prefect, disks, certificates, tokens
        The rest. A database without any table is a new installation: status, database and pending are all empty.
    """

    prefect: PrefectFacts
    status: dict[str, Any] | None = None
    database: str | None = None
    pending: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    tokens: tuple[Token, ...] = ()


# What is wrong

OF_DATABASE = frozenset(
    {"run", "failing", "silence", "guard", "backlog", "otherwise", "namesake", "subscription", "exchange", "backup"}
)
"""Kinds that only the database can tell of."""

OF_PREFECT = frozenset({"pool", "worker", "deployment", "late"})
"""Kinds that only the Prefect server can tell of."""

SCHEDULED = {
    "TiDES bridge/hourly": "bridge",
    "TiDES exchange/every-ten-minutes": "4MOST",
    "TiDES reconcile/daily": "4MOST",
    "TiDES backup/nightly": "backup",
    "TiDES spectra/twice-an-hour": "spectra",
    "TiDES TOM/tom": "TOM",
}
"""Deployments that must have a schedule; some only where there is an address, or a folder."""

FAILED_IN_A_ROW = 2
"""One run that fails may be bad luck, and the next one makes up for it."""

LONGEST_CAUSE = 200
"""[characters] What is told of an error, at most."""


def find_problems(facts: Facts, settings: Settings, now: datetime) -> list[Problem]:
    """
    Say what is wrong, the worst first.

    Parameters
    ----------
    facts
        What was found.
    settings
        With the limits, in ``watchdog``.
    now
        The time [with zone].

    Returns
    -------
    list of Problem
        Critical ones first. What could not be seen is no problem but one of the service that is away: `is_unknown`.
    """
    found = [*_of_database(facts, settings, now), *_of_prefect(facts, settings, now)]
    found += [*_of_disks(facts, settings), *_ending(facts, settings, now)]
    return sorted(found, key=lambda problem: problem.severity)  # critical comes before warning


def is_unknown(key: str, facts: Facts) -> bool:
    """
    Tell whether this look could not see if a problem of this key lasts: then it is not over.

    Parameters
    ----------
    key, facts
        Of the problem, or its kind; and what was found.
    """
    kind, _, which = key.partition(" ")
    if kind in OF_DATABASE:
        return facts.status is None
    if kind == "schema":
        return facts.database is not None
    if kind in OF_PREFECT:
        return facts.prefect.problem is not None
    unreached = {
        certificate.address for certificate in facts.certificates if not certificate.ends and not certificate.problem
    }
    return kind == "certificate" and which in unreached


# The database


def _of_database(facts: Facts, settings: Settings, now: datetime) -> Iterator[Problem]:
    if facts.database:
        yield Problem("database", "", facts.database, None)
    if facts.pending:
        yield Problem("schema", "", f"{', '.join(facts.pending)} must be applied", None)
    if facts.status is None:
        return
    behind = list(_overdue_runs(facts.status, settings, now))
    yield from behind
    for run in facts.status["runs"]:
        if run["kind"] in ("bridge", "reconcile") and run["failed"] >= FAILED_IN_A_ROW:
            cause = (run["problem"] or "the newest has no end")[:LONGEST_CAUSE]
            what = f"the last {run['failed']} runs of the {run['kind']} failed: {cause}"
            yield Problem("failing", run["kind"], what, run["last_good"] or run["first_at"], "warning")
    if settings.now is None:  # else recorded nights are read, of some time or other
        # A broker that was not read is not called silent, too: nobody listened.
        yield from _silent(facts.status, settings, now, {problem.which for problem in behind})
    for held in facts.status["held"]:
        if held["released"] is None:
            yield Problem("guard", held["kind"], f"not done: {held['what']}", held["since"], "warning")
    for row in (row for row in facts.status["subscriptions"] if row["failing_since"]):
        what = f"subscription {row['name']} ({row['scheme']}) could not be told for {span(now - row['failing_since'])}"
        yield Problem("subscription", row["name"], what, row["failing_since"], "warning")
    if settings.fourmost.address:
        yield from _of_4most(facts.status, settings, now)
    good = [run["last_good"] for run in facts.status["runs"] if run["kind"] == "backup" and run["last_good"]]
    since = max(good, default=facts.status["installed_at"])
    if now - since > settings.watchdog.no_backup_for:
        yield Problem("backup", "", f"no good backup for {span(now - since)}", since, "warning")


def _of_4most(status: dict[str, Any], settings: Settings, now: datetime) -> Iterator[Problem]:
    since = status["backlog_since"]
    if since and now - since > settings.watchdog.backlog_older_than:
        what = f"4MOST was not told about {sum(status['backlog'].values())} targets for {span(now - since)}"
        yield Problem("backlog", "", what, since)
    if number := status["answered_otherwise"]:
        what = f"4MOST shows {number} targets otherwise than it was asked, again and again"
        yield Problem("otherwise", "", what, None, "warning")
    if met := status["namesakes"]:
        what = f"{len(met)} rows at 4MOST have names of ours and are not ours, as {met[0]['name']} ({met[0]['id']})"
        yield Problem("namesake", "", what, min(row["met_at"] for row in met), "warning")
    yield from _missed_exchange(status, settings, now)


def _overdue_runs(status: dict[str, Any], settings: Settings, now: datetime) -> Iterator[Problem]:
    """Find the brokers that were not read well for too long; a new one counts from the last run without it."""
    pulls = {run["broker"]: run for run in status["runs"] if run["kind"] == "pull"}
    newest = max([run["started_at"] for run in pulls.values()] + [status["installed_at"]])
    for name in (broker_settings.broker_name for broker_settings in settings.each_broker()):
        pull = pulls.get(name)
        since = (pull["last_good"] or pull["first_at"]) if pull else newest
        if now - since > settings.watchdog.no_good_run_for:
            yield Problem("run", name, f"no good run of {name} for {span(now - since)}", since)


def _silent(status: dict[str, Any], settings: Settings, now: datetime, behind: set[str]) -> Iterator[Problem]:
    """Find brokers that send nothing, though others do, or all of them for too long; not those that are not read."""
    limits, heard = settings.watchdog, _heard(status, settings)
    newest = max(heard.values(), default=now)
    if heard and now - newest > limits.nothing_at_all_for:
        yield Problem("silence", "", f"nothing was received for {span(now - newest)}", newest)
    for name, last in heard.items():
        others = [other for broker, other in heard.items() if broker != name]
        is_alone = any(now - other <= limits.nothing_received_for for other in others)
        if is_alone and now - last > limits.nothing_received_for and name not in behind:
            what = f"nothing was received from {name} for {span(now - last)}, though others send"
            yield Problem("silence", name, what, last, "warning")


def _heard(status: dict[str, Any], settings: Settings) -> dict[str, datetime]:
    """Tell when the newest alert of each broker was published; else when it was first read, if it ever was."""
    heard = {run["broker"]: run["first_at"] for run in status["runs"] if run["kind"] == "pull"}
    for row in status["positions"]:
        if row["broker"] in heard and row["last_message_at"]:
            heard[row["broker"]] = max(heard[row["broker"]], row["last_message_at"])
    streams = [own.broker_name for own in settings.each_broker() if own.broker.kind != "recorded"]
    return {name: heard[name] for name in streams if name in heard}


def _missed_exchange(status: dict[str, Any], settings: Settings, now: datetime) -> Iterator[Problem]:
    """Look whether the day of the last deadline, in Berlin, had a good exchange; it stays a problem until there is."""
    # Days of Berlin, not 24 hours: 4MOST takes its list over at 15:00 there, in summer and in winter.
    here = now.astimezone(BERLIN)
    deadline = datetime.combine(here.date(), settings.watchdog.exchange_by, BERLIN)
    if deadline > now:
        deadline = datetime.combine(here.date() - timedelta(days=1), settings.watchdog.exchange_by, BERLIN)
    midnight = datetime.combine(deadline.date(), time(), BERLIN)
    good = [run["last_good"] for run in status["runs"] if run["kind"] in ("exchange", "reconcile") and run["last_good"]]
    if status["installed_at"] < midnight and max(good, default=status["installed_at"]) < midnight:
        what = f"no good exchange with 4MOST on {deadline:%Y-%m-%d} by {deadline:%H:%M} in Berlin"
        yield Problem("exchange", "", what, deadline.astimezone(UTC))


# Prefect


def _of_prefect(facts: Facts, settings: Settings, now: datetime) -> Iterator[Problem]:
    """Find what keeps runs from starting; in a new installation server and worker may still be on their way."""
    prefect, limit = facts.prefect, settings.watchdog.worker_silent_for
    if prefect.problem:
        yield Problem("prefect", "", f"the Prefect server at {prefect.address} {prefect.problem}", None)
        return
    if is_new(facts, now, limit):
        return
    if prefect.pool in (None, "PAUSED"):
        state = "is paused" if prefect.pool else "does not exist"
        yield Problem("pool", "", f"the work pool {settings.watchdog.pool} {state}", None)
    silent = list(_silent_worker(prefect, now, limit)) if prefect.pool else []
    yield from silent
    yield from _unscheduled(prefect, settings)
    # A silent worker makes every run late: one problem is told, not two.
    late = [run.expected_at for run in prefect.late if run.expected_at]
    if late and not silent and now - min(late) > limit:
        what = f"{len(late)} runs are late, the first by {span(now - min(late))}"
        yield Problem("late", "", what, min(late), "warning")


def is_new(facts: Facts, now: datetime, limit: timedelta) -> bool:
    """Tell whether the tables are not there yet, or younger than this."""
    if facts.status is None:
        return not facts.database and not facts.pending
    return bool(now - facts.status["installed_at"] <= limit)


def _silent_worker(prefect: PrefectFacts, now: datetime, limit: timedelta) -> Iterator[Problem]:
    """Look for a sign of life of any worker: one is enough."""
    heard = [worker.heard_at for worker in prefect.workers if worker.heard_at]
    if not heard:
        yield Problem("worker", "", "no worker was ever heard of", None)
    elif now - max(heard) > limit:
        yield Problem("worker", "", f"worker silent for {span(now - max(heard))}", max(heard))


def _unscheduled(prefect: PrefectFacts, settings: Settings) -> Iterator[Problem]:
    """Find deployments that start no runs."""
    known = {deployment.name: deployment for deployment in prefect.deployments}
    wanted = {"4MOST": settings.fourmost.address, "spectra": settings.spectra.folder, "TOM": settings.tom.address}
    for name, purpose in SCHEDULED.items():
        found = known.get(name)
        state = "is missing" if not found else "is paused" if found.paused else "has no schedule"
        is_needed = wanted.get(purpose, True)
        if is_needed and not (found and not found.paused and found.has_schedule):
            severity: Severity = "critical" if purpose == "bridge" else "warning"
            yield Problem("deployment", name, f"the deployment {name} {state}", None, severity)


# What is used up, or ends


def _of_disks(facts: Facts, settings: Settings) -> Iterator[Problem]:
    limit = settings.watchdog.disk_free
    for disk in facts.disks:
        if disk.free < limit:
            severity: Severity = "critical" if disk.free < limit / 2 else "warning"
            yield Problem("disk", disk.folder, f"the disk of {disk.folder} has {disk.free:.1f} % free", None, severity)


def _ending(facts: Facts, settings: Settings, now: datetime) -> Iterator[Problem]:
    """Find certificates and tokens that ended, or soon will, or are not believed."""
    ends = [("token", token.key, token.ends) for token in facts.tokens]
    for certificate in facts.certificates:
        if certificate.problem:
            yield Problem(
                "certificate",
                certificate.address,
                f"the certificate of {certificate.address}: {certificate.problem}",
                None,
            )
        elif certificate.ends:
            ends.append(("certificate", certificate.address, certificate.ends))
    for kind, which, end in ends:
        if end <= now:
            yield Problem(kind, which, f"the {kind} of {which} ended on {end:%Y-%m-%d}", end)
        elif end - now <= settings.watchdog.expires_within:
            what = f"the {kind} of {which} ends on {end:%Y-%m-%d}, in {span(end - now)}"
            yield Problem(kind, which, what, None, "warning")
