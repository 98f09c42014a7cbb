"""
The crash matrix: the bridge is killed at every fail point, and so is each service it needs, on the real alerts.

After each kill the bridge is run until it completes; then both databases must be those of an undisturbed history:
nothing lost, nothing duplicated, nothing disagreeing, nothing unresolved. The table of points and outcomes is printed.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulators.services.stream import KafkaStandin
from tests.support.databases import LOSE_LOCK
from tests.support.folders import reachable_folder
from tests.support.world import Scenario, World, clean, kill_postgresql, make_world, prepare, scenario
from tides_bridge import failpoints
from tides_bridge.database.embedded import acquire_server

OF_RECONCILE = ("repair", "row", "rows", "update", "run")
ELSEWHERE = ("schema", "repair", "row", "association", "tns", "names", "forgotten", "restored", "swap")
ELSEWHERE += ("ruling", "held", "delete", "spectra", "classes", "hosts", "observed")
ELSEWHERE += (
    "subscription",
    "events",
    "message",
    "told",
    "notify",
    "access",
    "tom_asked",
    "tom_told",
    "tom_heard",
    "tom",
)
"""Reached by a first run, by reconcile, after a restoration, or by other commands only."""
OF_RUN = [name for name in (*failpoints.COMMITS, *failpoints.CALLS) if name not in ELSEWHERE]
BEFORE_A_BATCH = ("run", "functions", "consume", "hand", "budget", "light_curves")
AFTER_THE_BATCHES = ("commit_offsets", "retire", "rows", "ingested", "stage")
"""In the order in which a run reaches them: in one history run after run is killed, each at the next of them."""
ALONE = [name for name in OF_RUN if name not in BEFORE_A_BATCH + AFTER_THE_BATCHES]
TABLE: list[tuple[str, int, dict[str, int]]] = []


def one_of(first: str, *others: str) -> list[Any]:
    """Points of a kind: all of them with ``--whole``, else the first."""
    return [first, *(pytest.param(other, marks=pytest.mark.whole) for other in others)]


@pytest.fixture(scope="module")
def world(database_folder: Path, prefect_api: str, shared_data: Path) -> Iterator[World]:
    alerts = shared_data / "ztf" / "alerts.jsonl.gz"
    with reachable_folder() as folder, make_world(folder, database_folder, prefect_api, alerts) as world:
        prepare(world)
        yield world


@pytest.fixture(scope="module")
def undisturbed(world: World) -> dict[str, Any]:
    """What becomes of the alerts when nobody interferes."""
    with scenario(world, "undisturbed") as history:
        assert history.run() == 0, history.log
        outcome = history.outcome()
        assert history.flaws(outcome) == clean()
    assert {len(outcome[key]) > 0 for key in outcome} == {True}
    assert sum(row["next_offset"] for row in outcome["offsets"]) == world.ends
    assert len(outcome["decisions"]) + len(outcome["deferred"]) == 573
    is_active = [row["is_active"] for row in outcome["4MOST"]]
    assert 0 < sum(is_active) < len(is_active)
    return outcome


@pytest.fixture(scope="module", autouse=True)
def table(pytestconfig: pytest.Config) -> Iterator[None]:
    """Print the points and outcomes, past pytest's capture."""
    yield
    lines = [f"{'killed at':34} {'runs':>4}  lost  duplicated  disagreeing  unresolved"]
    for what, runs, flaws in TABLE:
        lines.append(f"{what:34} {runs:4}  {flaws['lost']:4}  {flaws['duplicated']:10}  {flaws['disagreeing']:11}"
                     f"  {flaws['unresolved']:10}")  # fmt: skip
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + "\n".join(lines))


def recovered(history: Scenario, undisturbed: dict[str, Any], what: str) -> None:
    """Run until all is done, and see that nobody can tell that something happened."""
    runs = history.run_until_good()
    flaws = history.flaws(undisturbed)
    TABLE.append((what, runs, flaws))
    assert flaws == clean(), difference(history.outcome(), undisturbed)


def difference(found: dict[str, Any], expected: dict[str, Any]) -> list[Any]:
    return [
        (key, mine, theirs)
        for key in expected
        for mine, theirs in zip(found[key], expected[key], strict=False)
        if mine != theirs
    ][:3]


def in_turn(names: tuple[str, ...]) -> Any:
    """Points in one history; with ``--whole`` each in a history of its own, too."""
    alone = [pytest.param((name,), marks=pytest.mark.whole, id=name) for name in names]
    return [pytest.param(names, id=f"{names[0]}_to_{names[-1]}"), *alone]


@pytest.mark.parametrize(
    "names",
    [*in_turn(BEFORE_A_BATCH), *in_turn(AFTER_THE_BATCHES), *(pytest.param((name,), id=name) for name in ALONE)],
)
def test_runs_killed_before_and_after_are_completed_by_the_next(
    names: tuple[str, ...], world: World, undisturbed: dict[str, Any]
) -> None:
    with scenario(world, "_".join(names)) as history:
        for name in names:
            for point in (f"{name}.before", f"{name}.after"):
                assert history.killed(point) == -signal.SIGKILL
        ends = " to ".join(dict.fromkeys((names[0], names[-1])))
        recovered(history, undisturbed, f"{ends}, before and after")


@pytest.mark.parametrize("point", [*one_of("create.after", "update.after"), *one_of("batch.after", "answers.after")])
def test_a_run_killed_after_a_point_is_completed_by_the_next(
    point: str, world: World, undisturbed: dict[str, Any]
) -> None:
    """Those of which a run before was killed at no other point."""
    with scenario(world, point) as history:
        assert history.killed(point) == -signal.SIGKILL
        recovered(history, undisturbed, point)


@pytest.mark.parametrize(
    "point", [*one_of("batch.before", "batch.after"), *one_of("create.after", "answers.before", "update.after")]
)
def test_a_run_killed_later_on_its_way_is_completed_by_the_next(
    point: str, world: World, undisturbed: dict[str, Any]
) -> None:
    with scenario(world, f"{point}_2") as history:
        assert history.killed(point, passes=2) == -signal.SIGKILL
        recovered(history, undisturbed, f"{point}, second time")


def test_the_first_runs_of_all_are_completed_by_the_next(world: World, undisturbed: dict[str, Any]) -> None:
    with scenario(world, "first", fresh=True) as history:
        for point in ("schema.before", "schema.after", "batch.after"):
            assert history.killed(point) == -signal.SIGKILL
        runs = history.run_until_good()
        decisions = history.outcome()["decisions"]
        TABLE.append(("schema, batch of the first run", runs, history.flaws(history.outcome())))
    assert decisions == undisturbed["decisions"]


@pytest.mark.parametrize(
    "point", [*one_of("repair.after", "repair.before"), *one_of("update.before", "row.before", "row.after")]
)
def test_a_reconciliation_killed_at_any_point_is_completed_by_the_next(
    point: str, world: World, undisturbed: dict[str, Any]
) -> None:
    with scenario(world, f"reconcile_{point}") as history:
        history.run_until_good()
        damage(history)
        assert history.killed(point, "reconcile") == -signal.SIGKILL
        assert history.run_until_good("reconcile") <= 2
        recovered(history, undisturbed, f"{point} of reconcile")


def damage(history: Scenario) -> None:
    """Somebody deletes a row at 4MOST, and edits another."""
    free = [row for row in history.fourmost.rows() if not row["date_ingested"] and row["is_active"]]
    base, account = (
        f"{history.fourmost.address}/targetCat/transients",
        (history.fourmost.user, history.fourmost.password),
    )
    requests.delete(f"{base}/{free[0]['id']}/", auth=account, timeout=60).raise_for_status()
    requests.patch(f"{base}/{free[1]['id']}/", json={"mag": 12.5}, auth=account, timeout=60).raise_for_status()


# Services


def test_a_dask_worker_killed_at_work_costs_nothing(world: World, undisturbed: dict[str, Any]) -> None:
    with scenario(world, "dask") as history:
        history.is_forked = False  # one test here has the command started as users start it
        history.change(dask={"processes": True, "workers": 2, "threadsPerWorker": 1})
        history.killed("light_curves.before")
        recovered(history, undisturbed, "Dask worker")


# Runs beside each other


@pytest.mark.parametrize("point", ["batch.before", *one_of("create.before", "create.after", "update.before")])
def test_a_run_that_lost_its_lock_changes_nothing_beside_the_next(
    point: str, world: World, undisturbed: dict[str, Any]
) -> None:
    """It stands still, loses its connection, another run does all of the work, and then it goes on."""
    with scenario(world, f"overtaken_{point}") as history:
        with history.halted(point) as overtaken:
            assert len(history.ask(LOSE_LOCK)) == 1
            recovered(history, undisturbed, f"{point}, overtaken")
            assert "another run has begun there" not in history.log
        assert overtaken.poll() == 1
        assert history.log.splitlines()[-1].startswith("tides: embedded database in ")
        assert history.log.splitlines()[-1].endswith(" there: this one ends, and leaves to it what is not done yet")
        assert "Traceback" not in history.log
        assert history.flaws(undisturbed) == clean()


@pytest.mark.parametrize("point", one_of("create.after", "create.before", "update.before"))
def test_4most_killed_at_work_gets_every_target_once(point: str, world: World, undisturbed: dict[str, Any]) -> None:
    with scenario(world, f"fourmost_{point}") as history:
        with history.halted(point):
            os.kill(history.fourmost.pid, signal.SIGKILL)
        history.fourmost.stop()
        history.fourmost.__enter__()
        recovered(history, undisturbed, f"4MOST at {point}")


@pytest.mark.parametrize("point", ["consume.before", "batch.before"])
def test_a_broker_killed_at_work_costs_nothing(point: str, world: World, undisturbed: dict[str, Any]) -> None:
    with scenario(world, f"kafka_{point}") as history, KafkaStandin() as other:
        for batch in world.batches:
            other.publish("lasair_19faults", batch)
        history.change(broker={"bootstrapServers": other.address})
        with history.halted(point):
            other.stop()
        history.change(broker={"bootstrapServers": world.kafka.address})
        recovered(history, undisturbed, f"Kafka at {point}")


@pytest.mark.parametrize("point", one_of("create.after", "batch.before", "intents.after"))
def test_postgresql_killed_at_work_forgets_nothing_it_confirmed(
    point: str, world: World, undisturbed: dict[str, Any]
) -> None:
    with reachable_folder() as folder, scenario(world, f"postgresql_{point}", fresh=True) as history:
        history.change(database={"folder": str(folder / "postgresql")})
        with history.halted(point):
            kill_postgresql(folder / "postgresql")
        runs = history.run_until_good()
        flaws = history.flaws(history.outcome())
        decisions = history.outcome()["decisions"]
        acquire_server(folder / "postgresql").release()
        TABLE.append((f"PostgreSQL at {point}", runs, flaws))
    assert flaws == clean()
    assert decisions == undisturbed["decisions"]
