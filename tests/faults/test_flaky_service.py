"""
Services that fail in any way and order: as soon as they are well again, all is as if they had always been.

Hypothesis makes up plans of faults, and what happens meanwhile.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as how
from hypothesis import strategies as st
from pydantic import SecretStr

from simulators.fourmost.process import FourmostStandin
from simulators.services.lasair import LasairStandin
from tests.support.answers import detection
from tests.support.batches import batch_of
from tests.support.databases import rows_of
from tests.support.exchanges import Exchanged, add, change, clear, joined, open_intents, unanswered
from tests.support.staging import at
from tides_bridge.brokers.lasair import api as lasair_api
from tides_bridge.brokers.models import Alert
from tides_bridge.database import Database
from tides_bridge.decisions import batch as ingest
from tides_bridge.decisions import judging
from tides_bridge.errors import FourmostUnavailable
from tides_bridge.fourmost import client as client_module
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.reconcile import reconcile
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings

TIMEOUT = "0.2 s"
"""Of a client while there are faults."""

many = how(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The database is shared by all examples, and emptied for each."""

STATUSES = (400, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504)
Rule = dict[str, Any]


@st.composite
def rules(draw: st.DrawFn, *methods: str) -> Rule:
    """Draw a rule of a fault plan; of a service with several methods, for one or all of them."""
    fault = draw(st.sampled_from(["status", "timeout", "cut", "err", "html", "missing_row", "drip"]))
    rule: Rule = {"fault": fault, "times": draw(st.integers(1, 3)), "skip": draw(st.integers(0, 3))}
    if method := draw(st.sampled_from([None, *methods])):
        rule["method"] = method
    if fault == "status":
        rule["status"] = draw(st.sampled_from(STATUSES))
        if draw(st.booleans()):
            rule["retryAfter"] = 0
    if rule.get("status") != 429:
        rule["when"] = draw(st.sampled_from(["before", "after"]))
    if fault == "timeout":
        rule["seconds"] = 0.5
    if fault == "drip":
        rule["seconds"] = draw(st.sampled_from([0.0, 0.02, 0.5]))
    return rule


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients try again at once."""
    monkeypatch.setattr(client_module, "PAUSES", (0.001, 0.002, 0.003))
    monkeypatch.setattr(lasair_api, "RETRY", lasair_api.RETRY.new(backoff_factor=0.0))


# 4MOST

NAMES = count(1)
MOST_EXCHANGES = 4
"""With a well service: what is open is settled and sent, then perhaps sent again, and then there is nothing to do."""

events = st.one_of(
    st.just(("new",)),
    st.tuples(st.just("mag"), st.integers(0, 9), st.integers(150, 215)),
    st.tuples(st.just("switch"), st.integers(0, 9)),
    st.just(("ingest",)),
)
steps = st.lists(
    st.tuples(st.lists(events, max_size=4), st.sampled_from(["exchange", "exchange", "exchange", "reconcile"])),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    state = tmp_path_factory.mktemp("fourmost") / "state.sqlite3"
    with FourmostStandin("--ingest-at", "off", state=state) as standin:
        yield standin, state


def is_plain(rule: Rule) -> bool:
    """Tell whether nobody gives up under a rule before the work is done, and what is done is not refused."""
    return rule["fault"] in ("cut", "html", "missing_row") or rule.get("status", 0) >= 500


@dataclass
class World:
    """Both sides, and what 4MOST should know of each target: its magnitude, and whether it is active."""

    database: Database
    fourmost: FourmostStandin
    settings: Settings
    is_patient: bool
    targets: dict[str, tuple[float, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.flaky = joined(self.settings, self.fourmost, timeout="15 s" if self.is_patient else TIMEOUT, connections=2)
        self.well = joined(self.settings, self.fourmost, connections=2)
        for _ in range(4):
            self.happen("new")

    def happen(self, what: str, number: int = 0, tenths: int = 0) -> None:
        """Let something happen on one of the sides."""
        if what == "ingest":
            self.fourmost.ingest()
        elif what == "new":
            name = f"ZTF{next(NAMES):06}"
            add(self.database, name)
            self.targets[name] = (20.5, True)
        else:
            name = list(self.targets)[number % len(self.targets)]
            mag, is_active = self.targets[name]
            mag, is_active = (tenths / 10, is_active) if what == "mag" else (mag, not is_active)
            change(self.database, f"r_latest_mag = {mag}, active = {is_active}", name)
            self.targets[name] = (mag, is_active)

    def suffer(self, work: str) -> None:
        """Do some work while there are faults: a service that is away is all that may be said."""
        try:
            if work == "exchange":
                Exchanged(self.database, self.flaky)
            else:
                reconcile(self.database, FourmostClient(self.flaky.fourmost), self.flaky, is_dry=False)
        except FourmostUnavailable:
            pass

    def exchange_until_quiet(self) -> None:
        """Exchange until nothing is left to do; what is refused by a service that is well is an error."""
        for _ in range(MOST_EXCHANGES):
            done = Exchanged(self.database, self.well)
            assert done.outages == [] and done.counts()[3] == 0
            if not (done.created.done or done.stage.new or done.stage.changed or done.stage.deactivated):
                return
        raise AssertionError("the exchange comes to no end")

    def reconcile(self) -> set[str]:
        found = reconcile(self.database, FourmostClient(self.well.fourmost), self.well, is_dry=False)
        return {difference.what for difference in found}

    def change_refused(self) -> None:
        """Observe what was refused again: a refusal, even a false one, is believed until something changes."""
        for row in rows_of(self.database, "SELECT name FROM tides_master WHERE active AND refused_4most IS NOT NULL"):
            self.happen("mag", list(self.targets).index(row["name"]), 149)

    def check(self) -> None:
        """Check that both sides agree with what should be."""
        there: dict[str, list[dict[str, Any]]] = {name: [] for name in self.targets}
        for row in self.fourmost.rows():
            there[row["name"]].append(row)
        for ours in rows_of(self.database, "SELECT * FROM tides_master"):
            mag, is_active = self.targets[ours["name"]]
            active = [row["id"] for row in there[ours["name"]] if row["is_active"]]
            assert len(there[ours["name"]]) <= 1 or not self.is_patient
            assert active == ([ours["pk_4most"]] if is_active else [])
            if ours["pk_4most"] is None:
                assert there[ours["name"]] == [] and ours["told_4most"] is None
                continue
            (row,) = (row for row in there[ours["name"]] if row["id"] == ours["pk_4most"])
            assert {column: row[column] for column in ours["told_4most"]} == ours["told_4most"]
            for key in ("ostd_targ_id", "ostd_u_obj_id"):
                assert ours[key] == (row[key] if row["date_ingested"] else None)
            if is_active and row["mag"] != mag:
                assert row["date_ingested"] is not None and ours["wanted_4most"] == {"mag": mag}
        assert (open_intents(self.database), unanswered(self.database)) == ([], [])


@many
@example(
    plan=[{"fault": "err", "method": "PATCH", "times": 3}],
    story=[([], "exchange"), ([("ingest",), ("switch", 0)], "exchange"), ([("switch", 1)], "exchange")],
)
@example(
    plan=[{"fault": "err", "method": "POST", "when": "after"}, {"fault": "html", "method": "POST", "when": "after"}],
    story=[([], "exchange"), ([("ingest",), ("switch", 0)], "reconcile"), ([("mag", 1, 190)], "exchange")],
)
@example(
    plan=[
        {"fault": "status", "status": 503, "method": "POST", "when": "after"},
        {"fault": "cut", "method": "PATCH", "when": "after"},
    ],
    story=[([], "exchange"), ([("new",), ("mag", 0, 190)], "exchange"), ([("mag", 1, 190)], "exchange")],
)
@given(plan=st.lists(rules("GET", "POST", "PATCH"), min_size=1, max_size=6), story=steps)
def test_every_target_is_once_at_a_4most_that_failed_in_any_way(
    plan: list[Rule],
    story: list[tuple[list[tuple[Any, ...]], str]],
    settings: Settings,
    database: Database,
    running: tuple[FourmostStandin, Path],
) -> None:
    """
    A target that is wanted has one active row, with what is wanted and with the key we know; any other has none.

    More rows of its name, switched off, may lie beside it: of a creation that was worked on after its client had given
    up and looked it up in vain, or that was refused in words and done all the same. Reconciling switches them off.
    Where faults are of neither kind there are no such rows.
    """
    clear(*running)
    rows_of(database, "TRUNCATE tides_master, exchange_log CASCADE; SELECT 1")
    world = World(database, running[0], settings, is_patient=all(map(is_plain, plan)))
    world.fourmost.set_faults(plan)
    for happening, work in story:
        for event in happening:
            world.happen(*event)
        world.suffer(work)
    world.fourmost.set_faults([])
    world.exchange_until_quiet()
    world.change_refused()
    world.exchange_until_quiet()
    world.reconcile()
    world.exchange_until_quiet()
    assert world.reconcile() == set()
    world.check()


# Lasair

FUNCTION = SelectionFunction.parse(
    "tidesSNZTFSelect",
    {"rules": "strict", "filters": ["g", "r"], "significance": 5, "minBands": 2, "minNights": 2, "magLimit": 22.5},
)
OBJECTS = [f"ZTF26aaaaa{letter * 2}" for letter in "abcdefghij"]
MOST_ROUNDS = 30
"""Six rules of three faults spoil 18 calls at most, and every round makes at least one."""


def light_curve(object_id: str, number: int) -> dict[str, Any]:
    """Make a light curve of two detections, in two bands for every other object."""
    place = {"ra": 10.0 + number, "dec": -20.0}
    found = [detection(2 * number + night, jd=2461000.0 + night, nid=night + 1, fid=1 + night * (number % 2), **place)
             for night in (0, 1)]  # fmt: skip
    return {"objectId": object_id, "candidates": found, "forcedphot": []}


@pytest.fixture(scope="module")
def lasair() -> Iterator[LasairStandin]:
    with LasairStandin(calls_per_hour=10**6) as standin:
        standin.load(light_curve(name, number) for number, name in enumerate(OBJECTS))
        yield standin


def alerts() -> list[Alert]:
    return [Alert("ztf", name, 61000.5, 10.0 + number, -20.0, "SN", {}) for number, name in enumerate(OBJECTS)]


def decide_until_nothing_is_deferred(database: Database, settings: Settings) -> int:
    """Do as the runs of the bridge do, until no object waits; give the number of runs."""
    batch = batch_of(alerts(), positions={("lasair_tides", 0): len(OBJECTS)})
    for number in range(1, MOST_ROUNDS):
        chunks = judging.split_into_chunks(batch.alerts, settings.light_curves.objects_per_call)
        budget = ingest.take_calls(database, settings, len(chunks))
        assert budget.calls == len(chunks)
        judged = [call for chunk in chunks for call in judging.judge_objects(chunk, settings, [FUNCTION])]
        with database.transaction("batch") as connection:
            ingest.create_transient_stage(connection, judged)
            ingest.upsert_to_master(connection, settings)
            ingest.store_outcome(connection, batch, judged, budget, settings)
        batch = batch_of(ingest.get_deferred_objects(database, settings))
        if not batch.alerts:
            return number
    raise AssertionError("some object is deferred for ever")


def decided(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Give all that was decided, without the times of day."""
    columns = "object_id, passed, newest_mjd, function, version, curve_digest, failed, trigger_mjd"
    targets = "object_id, ra, decl, n_detections, active, sherlock_class, "
    targets += "ztf_g_latest_mag, ztf_r_latest_mag, ztf_r_latest_mjd"
    measured = "tides_master INNER JOIN target_magnitudes USING (tides_id)"
    return {
        "decision": rows_of(database, f"SELECT {columns} FROM last_decision ORDER BY object_id"),
        "targets": rows_of(database, f"SELECT {targets} FROM {measured} ORDER BY object_id"),
        "deferred": rows_of(database, "SELECT object_id, reason FROM deferred_object"),
    }


@how(many, max_examples=20)
@given(plan=st.lists(rules(), min_size=1, max_size=6), is_old=st.booleans())
def test_every_object_is_decided_on_as_if_lasair_had_never_failed(
    plan: list[Rule], is_old: bool, settings: Settings, database: Database, lasair: LasairStandin
) -> None:
    options = {"address": lasair.address, "timeout": TIMEOUT, "objectsPerCall": 4, "callsPerHour": 10**6}
    options |= {"tryAgainAfter": timedelta(0)}
    changes = {"light_curves": settings.light_curves.model_validate(options), "lasair_token": SecretStr(lasair.token)}
    ours = at(settings, 61010.0).model_copy(update=changes)
    lasair.old_shape = is_old
    outcomes = []
    for rules_now in ([], plan):
        tables = "tides_master, object_brightness, exchange_log, decision, last_decision, deferred_object, api_call"
        rows_of(database, f"TRUNCATE {tables} CASCADE; SELECT 1")
        lasair.faults.replace(rules_now)
        rounds = decide_until_nothing_is_deferred(database, ours)
        outcomes.append(decided(database))
        assert rules_now or rounds == 1
    undisturbed, disturbed = outcomes
    assert disturbed == undisturbed
    assert len(undisturbed["decision"]) == len(OBJECTS)
    assert len(undisturbed["targets"]) == len(OBJECTS) // 2
