"""What the watchdog takes for a problem."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.support.processes import ROOT
from tides_bridge.operations.problems import (
    BERLIN,
    OF_DATABASE,
    OF_PREFECT,
    REMEDIES,
    SCHEDULED,
    Certificate,
    Deployment,
    Disk,
    Facts,
    FlowRun,
    PrefectFacts,
    Token,
    Worker,
    find_problems,
    is_unknown,
)
from tides_bridge.settings import Settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MOST = {"address": "https://4most/QFSwi"}
TOM = {"address": "https://tom.example.org"}
OPTIONAL = {"fourmost": MOST, "spectra": {"folder": "deliveries"}, "tom": TOM}
SETTINGS = Settings(topic="t", groupID="g", selectFunction="f", **OPTIONAL)
TWO = {"lasair": {"topic": "a"}, "fink": {"kind": "fink_ztf", "topic": "b"}}
SEVERAL = Settings(groupID="g", selectFunction="f", brokers=TWO, fourmost=MOST)


def run(kind: str, ago: timedelta | None, broker: str | None = None, **more: Any) -> dict[str, Any]:
    """Of a kind of run: when the last good one ended, and what else differs."""
    times = {"first_at": NOW - 90 * DAY, "started_at": NOW - 10 * MINUTE, "ended_at": NOW - 5 * MINUTE}
    good = NOW - ago if ago is not None else None
    return {"kind": kind, "broker": broker, "last_good": good, "failed": 0, "problem": None, **times, **more}


def position(broker: str | None, ago: timedelta | None) -> dict[str, Any]:
    return {"broker": broker, "last_message_at": NOW - ago if ago is not None else None}


def status(**more: Any) -> dict[str, Any]:
    """A bridge of 90 days that does well."""
    runs = [run("pull", 5 * MINUTE, "lasair_ztf"), run("exchange", 5 * MINUTE), run("bridge", 5 * MINUTE)]
    well = {"installed_at": NOW - 90 * DAY, "runs": [*runs, run("backup", 8 * HOUR), run("reconcile", 23 * HOUR)]}
    return {
        **well,
        "positions": [position("lasair_ztf", HOUR)],
        "backlog": {"new": 0},
        "backlog_since": None,
        "answered_otherwise": 0,
        "namesakes": [],
        "subscriptions": [],
        "held": [],
        **more,
    }


def subscription(name: str, failing_since: datetime | None) -> dict[str, Any]:
    return {"name": name, "scheme": "mailtos", "failing_since": failing_since}


def deployment(name: str, **more: Any) -> Deployment:
    return Deployment(name, **{"paused": False, "has_schedule": True, "next_run_at": NOW + HOUR, **more})


def prefect(**more: Any) -> PrefectFacts:
    """A Prefect server that does well."""
    workers, deployments = (Worker("w", "ONLINE", NOW - MINUTE),), tuple(map(deployment, SCHEDULED))
    return PrefectFacts("http://x/api", **{"pool": "READY", "workers": workers, "deployments": deployments, **more})


def facts(**more: Any) -> Facts:
    return Facts(**{"prefect": prefect(), "status": status(), **more})


def keys(found: Facts, settings: Settings = SETTINGS, now: datetime = NOW) -> list[str]:
    return [problem.key for problem in find_problems(found, settings, now)]


def with_runs(*runs: dict[str, Any], **more: Any) -> Facts:
    """Facts in which these kinds of runs differ."""
    kinds = {(each["kind"], each["broker"]) for each in runs}
    others = [each for each in status()["runs"] if (each["kind"], each["broker"]) not in kinds]
    return facts(status=status(runs=[*others, *runs], **more))


def test_a_bridge_that_does_well_has_no_problem() -> None:
    assert find_problems(facts(), SETTINGS, NOW) == []


LATE = FlowRun("x", "TiDES bridge/hourly", "Late", NOW - 4 * MINUTE, None, None)
CASES: dict[str, tuple[Facts, list[str]]] = {
    "database away": (facts(status=None, database="database tides on db:5432: refused"), ["database"]),
    "a schema file pending": (facts(status=None, pending=("009_operations.sql",)), ["schema"]),
    "server away": (facts(prefect=PrefectFacts("http://x/api", "cannot be reached")), ["prefect"]),
    "both away": (Facts(PrefectFacts("http://x/api", "is slow"), database="refused"), ["database", "prefect"]),
    "no pool": (facts(prefect=prefect(pool=None)), ["pool"]),
    "pool paused": (facts(prefect=prefect(pool="PAUSED")), ["pool"]),
    "no worker": (facts(prefect=prefect(workers=())), ["worker"]),
    "worker silent": (facts(prefect=prefect(workers=(Worker("w", "OFFLINE", NOW - 4 * MINUTE),))), ["worker"]),
    "one of two workers silent": (
        facts(prefect=prefect(workers=(Worker("w", "OFFLINE", NOW - DAY), Worker("v", "ONLINE", NOW)))),
        [],
    ),
    "a deployment missing": (
        facts(prefect=prefect(deployments=tuple(map(deployment, list(SCHEDULED)[1:])))),
        ["deployment TiDES bridge/hourly"],
    ),
    "all paused": (
        facts(prefect=prefect(deployments=tuple(deployment(name, paused=True) for name in SCHEDULED))),
        [f"deployment {name}" for name in SCHEDULED],
    ),
    "no schedule": (
        facts(prefect=prefect(deployments=tuple(deployment(name, has_schedule=False) for name in SCHEDULED))),
        [f"deployment {name}" for name in SCHEDULED],
    ),
    "runs late": (facts(prefect=prefect(late=(LATE,))), ["late"]),
    "runs a little late": (facts(prefect=prefect(late=(replace(LATE, expected_at=NOW - MINUTE),))), []),
    "runs late for want of a worker": (
        facts(prefect=prefect(late=(LATE,), workers=(Worker("w", "OFFLINE", NOW - DAY),))),
        ["worker"],
    ),
    "no good run": (with_runs(run("pull", 4 * HOUR, "lasair_ztf")), ["run lasair_ztf"]),
    "never a good run": (with_runs(run("pull", None, "lasair_ztf")), ["run lasair_ztf"]),
    "failed once": (with_runs(run("bridge", HOUR, failed=1, problem="x")), []),
    "failed twice": (with_runs(run("bridge", HOUR, failed=2, problem="x")), ["failing bridge"]),
    "killed twice": (with_runs(run("reconcile", DAY, failed=2)), ["failing reconcile"]),
    "held back": (
        facts(
            status=status(
                held=[
                    {"kind": "deactivation", "what": "34 of 60", "since": NOW - HOUR, "released": None},
                    {"kind": "position", "what": "21 of 60", "since": NOW - HOUR, "released": 21},
                    {"kind": "magnitude", "what": "22 of 60", "since": NOW - HOUR, "released": None},
                ]
            )
        ),
        ["guard deactivation", "guard magnitude"],
    ),
    "answered otherwise": (facts(status=status(answered_otherwise=2)), ["otherwise"]),
    "namesakes": (
        facts(status=status(namesakes=[{"id": number, "name": "TiDES26aaa", "met_at": NOW} for number in (7, 8)])),
        ["namesake"],
    ),
    "waits an hour": (facts(status=status(backlog={"new": 3}, backlog_since=NOW - HOUR)), []),
    "waits for 3 hours": (facts(status=status(backlog={"new": 3}, backlog_since=NOW - 3 * HOUR)), ["backlog"]),
    "two subscriptions, of which one cannot be told": (
        facts(status=status(subscriptions=[subscription("eva", None), subscription("max", NOW - HOUR)])),
        ["subscription max"],
    ),
    "no exchange on a day": (with_runs(run("exchange", 2 * DAY), run("reconcile", None)), ["exchange"]),
    "no exchange, but a reconciliation": (with_runs(run("exchange", DAY), run("reconcile", HOUR)), []),
    "no backup": (with_runs(run("backup", 2 * DAY)), ["backup"]),
    "never a backup": (with_runs(run("backup", None)), ["backup"]),
    "nothing received for 3 days, from the only broker": (
        facts(status=status(positions=[position("lasair_ztf", 3 * DAY)])),
        [],
    ),
    "nothing received for a week": (facts(status=status(positions=[position("lasair_ztf", 7 * DAY)])), ["silence"]),
    "nothing ever received": (facts(status=status(positions=[])), ["silence"]),
    "disk full": (facts(disks=(Disk("/a", 9.9), Disk("/b", 10))), ["disk /a"]),
    "certificate ends": (facts(certificates=(Certificate("https://a", NOW + 13 * DAY),)), ["certificate https://a"]),
    "certificate not believed": (
        facts(certificates=(Certificate("https://a", None, "self-signed"),)),
        ["certificate https://a"],
    ),
    "a host that is not reached": (facts(certificates=(Certificate("https://a"),)), []),
    "certificate is good": (facts(certificates=(Certificate("https://a", NOW + 15 * DAY),)), []),
    "token ends": (facts(tokens=(Token("lasairToken", NOW + DAY), Token("x", NOW + 99 * DAY))), ["token lasairToken"]),
}


@pytest.mark.parametrize(("found", "expected"), CASES.values(), ids=CASES)
def test_each_problem_is_found_and_no_other(found: Facts, expected: list[str]) -> None:
    assert sorted(keys(found)) == sorted(expected)


def test_every_kind_of_problem_is_tried_here() -> None:
    assert {key.partition(" ")[0] for _, expected in CASES.values() for key in expected} == set(REMEDIES)
    assert set(REMEDIES) > OF_DATABASE | OF_PREFECT


def test_the_worst_comes_first() -> None:
    found = find_problems(facts(disks=(Disk("/a", 9), Disk("/b", 4)), database="x", status=None), SETTINGS, NOW)
    assert [(each.key, each.severity) for each in found] == [
        ("database", "critical"),
        ("disk /b", "critical"),
        ("disk /a", "warning"),
    ]


@pytest.mark.parametrize(("days", "severity"), [(-1, "critical"), (1, "warning")])
def test_what_has_ended_is_critical(days: int, severity: str) -> None:
    (found,) = find_problems(facts(tokens=(Token("x", NOW + days * DAY),)), SETTINGS, NOW)
    assert found.severity == severity


@pytest.mark.parametrize(("without", "purpose"), [("fourmost", "4MOST"), ("spectra", "spectra"), ("tom", "TOM")])
def test_what_is_not_set_needs_no_schedule(without: str, purpose: str) -> None:
    usual = {name: section for name, section in OPTIONAL.items() if name != without}
    found = facts(prefect=prefect(deployments=()))
    missing = keys(found, Settings(topic="t", groupID="g", selectFunction="f", **usual))
    assert {key for key in missing if key.startswith("deployment")} == {
        f"deployment {name}" for name in SCHEDULED if SCHEDULED[name] != purpose
    }


def test_the_deployments_that_must_be_scheduled_are_those_that_are_shipped_with_a_schedule() -> None:
    entries = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
    assert {each["name"] for each in entries if each.get("schedules")} == {name.split("/")[1] for name in SCHEDULED}


# Without 4MOST, with several brokers, with recorded nights


def test_without_4most_nothing_of_it_is_a_problem() -> None:
    alone = Settings(topic="t", groupID="g", selectFunction="f")
    old = [run("pull", MINUTE, "lasair_ztf"), run("backup", HOUR)]
    found = facts(
        status=status(runs=old, backlog={"new": 3}, backlog_since=NOW - 9 * DAY), prefect=prefect(deployments=())
    )
    assert keys(found, alone) == ["deployment TiDES bridge/hourly", "deployment TiDES backup/nightly"]


def two(lasair: timedelta, fink: timedelta, runs: list[dict[str, Any]] | None = None) -> Facts:
    """Newest alerts of two brokers."""
    good = [run("pull", MINUTE, "lasair"), run("pull", MINUTE, "fink")]
    rest = [run("exchange", MINUTE), run("backup", MINUTE)]
    heard = [position("lasair", lasair), position("fink", fink), position("fink", 99 * DAY), position(None, 99 * DAY)]
    return facts(status=status(positions=heard, runs=[*(good if runs is None else runs), *rest]))


def test_a_broker_that_sends_nothing_though_another_does_is_a_problem() -> None:
    assert keys(two(HOUR, 2 * DAY), SEVERAL) == ["silence fink"]
    assert keys(two(2 * DAY, 2 * DAY), SEVERAL) == []
    assert keys(two(6 * DAY, 7 * DAY), SEVERAL) == ["silence"]


def test_a_broker_that_is_not_read_well_is_not_called_silent() -> None:
    runs = [run("pull", MINUTE, "lasair"), run("pull", 2 * DAY, "fink")]
    assert keys(two(HOUR, 2 * DAY, runs), SEVERAL) == ["run fink"]


def test_a_broker_that_is_new_in_the_settings_has_time_until_the_next_runs() -> None:
    assert keys(two(HOUR, HOUR, [run("pull", MINUTE, "lasair")]), SEVERAL) == []
    old = run("pull", 4 * HOUR, "lasair", started_at=NOW - 5 * HOUR)
    assert keys(two(HOUR, HOUR, [old]), SEVERAL) == ["run lasair", "run fink"]


def test_recorded_nights_are_not_silent() -> None:
    silent = status(positions=[position("lasair_ztf", 99 * DAY)])
    assert keys(facts(status=silent), SETTINGS.model_copy(update={"now": NOW})) == []


# A new installation


@pytest.mark.parametrize("age", [timedelta(0), 2 * MINUTE])
def test_a_new_installation_is_no_problem(age: timedelta) -> None:
    new = status(installed_at=NOW - age, runs=[], positions=[], backlog={"new": 5}, backlog_since=NOW - age)
    empty = PrefectFacts("http://x/api")
    assert keys(facts(status=new, prefect=empty)) == []
    assert keys(facts(status=None, prefect=empty)) == []


def test_a_new_installation_becomes_a_problem_with_time() -> None:
    def of(age: timedelta) -> set[str]:
        return set(keys(facts(status=status(installed_at=NOW - age, runs=[], positions=[]))))

    assert of(2 * HOUR) == set()
    assert of(4 * HOUR) == {"run lasair_ztf"}
    assert of(2 * DAY) == {"run lasair_ztf", "exchange", "backup"}


# Until 14:30 in Berlin


def exchanged(good: datetime, now: datetime) -> list[str]:
    """Problems at a time, of a bridge whose last good exchange was at another."""
    installed = datetime(2025, 1, 1, tzinfo=UTC)
    runs = [{**each, "last_good": now} for each in status()["runs"] if each["kind"] in ("pull", "backup")]
    runs.append({**run("exchange", None), "last_good": good})
    found = Facts(prefect(workers=(Worker("w", "ONLINE", now),)), status=status(installed_at=installed, runs=runs))
    return [key for key in keys(found, SETTINGS, now) if key != "silence"]


def berlin(*when: int) -> datetime:
    return datetime(*when, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize("day", [(2026, 3, 29), (2026, 10, 25), (2026, 7, 1)], ids=["to summer", "to winter", "summer"])
def test_a_day_without_a_good_exchange_by_half_past_two_in_berlin(day: tuple[int, int, int]) -> None:
    yesterday, early = berlin(*day) - MINUTE, berlin(*day) + MINUTE
    assert exchanged(yesterday, berlin(*day, 14, 29)) == []
    assert exchanged(yesterday, berlin(*day, 14, 30)) == ["exchange"]
    assert exchanged(early, berlin(*day, 14, 30)) == []


def test_it_stays_a_problem_over_midnight_until_there_is_one() -> None:
    assert exchanged(berlin(2026, 10, 23, 12), berlin(2026, 10, 25, 3)) == ["exchange"]
    assert exchanged(berlin(2026, 10, 24, 20), berlin(2026, 10, 25, 3)) == []


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)), st.floats(0, 30))
def test_an_exchange_of_the_last_hours_before_the_deadline_is_always_enough(at: datetime, hours: float) -> None:
    """The deadline is at 14:30, and a night has an hour less in spring: what is younger than 13 hours is of the day."""
    now = at.replace(tzinfo=UTC)
    found = exchanged(now - timedelta(hours=hours), now)
    assert found == [] or hours > 13
    if hours < 13:
        assert found == []


# What cannot be seen is not over


def test_what_this_look_could_not_see_stays() -> None:
    away = Facts(PrefectFacts("http://x/api", "is away"), database="refused", certificates=(Certificate("https://a"),))
    unseen = {"run lasair", "backlog", "schema", "worker", "deployment TiDES bridge/hourly", "certificate https://a"}
    seen = {"database", "prefect", "disk /a", "token x", "certificate https://b"}
    assert {key for key in unseen | seen if is_unknown(key, away)} == unseen
    assert not any(is_unknown(key, facts(certificates=(Certificate("https://a", NOW),))) for key in unseen | seen)
