"""
Histories that Hypothesis draws: lies, kills, lost locks, a second bridge on the same survey, and hands at 4MOST.

Once the service is honest again, one reconciliation and two exchanges later nothing is doubled, missing, believed
wrongly or unsent, and no bridge ever touched a row of anybody else. `make soak` draws a thousand.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as how
from hypothesis import strategies as st

from simulators.fourmost.process import FourmostStandin
from simulators.services.lies import LIES
from tests.support.databases import make_settings
from tests.support.exchanges import change, clear, joined, kept_standin
from tests.support.histories import FailPoint, Installation, Row
from tests.support.staging import at
from tides_bridge.database import Database, apply_schema, open_database
from tides_bridge.fourmost import client as client_module
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.log import retry_targets
from tides_bridge.fourmost.reconcile import reconcile
from tides_bridge.settings import Settings

EXAMPLES = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "night" else 10
DONE = Counter[str]()
MOST_NAMESAKES = 3
"""Rows under names of ours that a bridge goes past by itself: `names.MOST_FOREIGN`."""
FAULTS = [{"fault": lie} for lie in LIES] + [
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 502, "when": "after"},
    {"fault": "status", "status": 404},
    {"fault": "cut"},
    {"fault": "cut", "when": "after"},
    {"fault": "err"},
    {"fault": "err", "when": "after"},
    {"fault": "html", "when": "after"},
    {"fault": "missing_row"},
]
POINTS = [
    f"{name}.{when}"
    for name in ("create", "update", "intents", "answers", "rows", "row", "stage", "repair")
    for when in ("before", "after")
]
CHANGES = ("r_latest_mag = 19.5", "r_latest_mag = 18.9", "ra = ra + 0.0008", "active = FALSE", "active = TRUE")
"""Of one target; it moves by 3 arcsec, farther than a row without a key is looked for."""

faults = st.lists(
    st.builds(
        lambda fault, method, skip, times: {**fault, "method": method, "skip": skip, "times": times},
        st.sampled_from(FAULTS),
        st.sampled_from(["GET", "POST", "PATCH"]),
        st.integers(0, 4),
        st.integers(1, 9),
    ),
    max_size=3,
)
bridges, numbers = st.integers(0, 1), st.integers(0, 4)
ends = st.tuples(
    st.sampled_from([False, False, True]),
    st.sampled_from(["killed", "overtaken", "well"]),
    st.sampled_from(POINTS),
    st.integers(1, 2),
)
runs = st.tuples(
    st.just("run"),
    bridges,
    st.integers(0, 2),
    st.lists(st.tuples(numbers, st.sampled_from(CHANGES)), max_size=2),
    faults,
    ends,
)
hands = st.one_of(
    st.tuples(st.just("edit"), bridges, numbers, st.sampled_from(["off", "mag", "delete"])),
    st.tuples(st.just("stranger"), bridges, numbers, st.sampled_from(["namesake", "other survey", "neighbour"])),
    st.just(("ingest",)),
)
steps = st.tuples(runs, st.one_of(st.just(()), hands))
"""A run of a bridge finds new targets and changes, and may be a reconciliation, be killed, or be overtaken."""


@dataclass
class World:
    """4MOST, and what several bridges and people do there."""

    fourmost: FourmostStandin
    bridges: list[Installation]
    fail_point: FailPoint
    strangers: dict[int, Row] = field(default_factory=dict)
    namesakes: int = 0

    def do(self, what: str, *arguments: Any) -> None:
        """Take a step; one of a bridge leaves all that is not its own as it is."""
        if what == "ingest":
            DONE["ingested"] += 1
            self.fourmost.ingest()
            self.look_again()
            return
        bridge = self.bridges[arguments[0]]
        if what != "run":
            DONE[f"{what} {arguments[-1]}"] += 1
        before = self.rows_of_others(bridge)
        getattr(self, what)(bridge, *arguments[1:])
        assert what == "stranger" or self.rows_of_others(bridge) == before

    def rows_of_others(self, bridge: Installation) -> dict[int, Row]:
        rows = {row["id"]: row for row in self.fourmost.rows()}
        return {key: row for key, row in rows.items() if key in self.strangers or not bridge.is_its_place(row)}

    def look_again(self) -> None:
        """Take strangers' rows as they are now."""
        rows = {row["id"]: row for row in self.fourmost.rows()}
        self.strangers = {key: rows[key] for key in self.strangers}

    def ask(self, method: str, key: str = "", **content: Any) -> Any:
        """Ask 4MOST as somebody else."""
        address = f"{self.fourmost.address}/targetCat/transients/{key}"
        account, header = (self.fourmost.user, self.fourmost.password), {"X-Standin-Handle": "1"}
        answer = requests.request(method, address, auth=account, headers=header, timeout=60, **content)
        return answer.json() if answer.content else None

    # Steps

    def run(
        self,
        bridge: Installation,
        new: int,
        changes: list[tuple[int, str]],
        plan: list[Row],
        end: tuple[bool, str, str, int],
    ) -> None:
        for _ in range(new):
            bridge.add_target()
        for number, assignment in changes:
            if name := bridge.name_of(int(bridge.ra) + number):
                change(bridge.database, assignment, name)
        self.fourmost.set_faults(plan)
        DONE.update(rule["fault"] for rule in plan)
        reconciles, how_it_ends, point, passes = end
        if how_it_ends == "well":
            bridge.run(reconciles=reconciles)
        else:
            do = bridge.run_killed if how_it_ends == "killed" else bridge.run_overtaken
            do(self.fail_point, point, passes, reconciles=reconciles)
        DONE["runs"] += 1
        DONE[f"runs {how_it_ends}"] += how_it_ends == "well" or self.fail_point.is_reached

    def edit(self, bridge: Installation, number: int, what: str) -> None:
        """Let somebody change or delete a row of a bridge."""
        rows = [row for row in self.fourmost.rows() if row["id"] not in self.strangers and bridge.is_its_place(row)]
        if not rows:
            return
        key = f"{rows[number % len(rows)]['id']}/"
        if what == "delete":
            self.ask("DELETE", key)
        else:
            self.ask("PATCH", key, json={"is_active": False} if what == "off" else {"mag": 12.5})

    def stranger(self, bridge: Installation, number: int, what: str) -> None:
        """Let somebody else put a row there: under a name of ours elsewhere on the sky, or at a place of ours."""
        if what != "neighbour" and self.namesakes == MOST_NAMESAKES:
            return
        place, prefix = int(bridge.ra) + number, bridge.settings.targets.name_prefix
        name = "other" if what == "neighbour" else f"{prefix}26aa{'abcdefghij'[number]}"
        row: Row = {"name": name, "uploadedfor_survey_id": 5 if what == "namesake" else 15, "subsurvey": "tides-sn"}
        row |= {"ra": float(place) if what == "neighbour" else 300.0 + number, "dec": -20.0, "mag": 18.0}
        made = self.ask("POST", json=row | {"is_active": True})
        self.strangers[made["id"]] = made
        self.namesakes += what != "neighbour"
        self.look_again()

    def end(self) -> Counter[str]:
        """Be honest, let people do what they are asked for, and count the flaws."""
        self.fourmost.set_faults([])
        for bridge, prefix in zip(self.bridges, ("First", "Second"), strict=True):
            retry_targets(bridge.database)  # a person has read why; nobody waits for an hour here
            self.let_decide(bridge, prefix, bridge.run(reconciles=True)[0])
            # What was asked without an answer under a name that others have is looked up once more before it is left.
            self.let_decide(bridge, prefix, bridge.run()[0])
        for _ in range(2):
            for bridge in self.bridges:
                outages, _ = bridge.run()
                assert outages == []
        flaws = sum((bridge.flaws(self.strangers) for bridge in self.bridges), Counter[str]())
        for bridge in self.bridges:
            differences = reconcile(
                bridge.database, FourmostClient(bridge.settings.fourmost), bridge.settings, is_dry=True
            )
            assert {difference.what for difference in differences} <= {"stranger"}
        return flaws

    def let_decide(self, bridge: Installation, prefix: str, outages: list[str]) -> None:
        """Give a bridge that is stopped a prefix of its own; it names rows that others made, and none of its own."""
        if outages:
            assert "targets.namePrefix" in outages[0]
            named = {int(key) for key in re.findall(r"\((\d+)\)", outages[0])}
            assert named <= {*self.rows_of_others(bridge)}
            DONE["given a prefix"] += 1
            bridge.give_prefix(prefix)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    with kept_standin(tmp_path_factory.mktemp("fourmost"), "--paginate") as standin:
        yield standin


@pytest.fixture(scope="module", autouse=True)
def table(pytestconfig: pytest.Config) -> Iterator[None]:
    """Print what was done and what was found, past pytest's capture."""
    yield
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + ", ".join(f"{what} {number}" for what, number in DONE.items()))


@pytest.fixture(scope="module")
def installed(database_folder: Path) -> Iterator[list[tuple[Settings, tuple[Database, Database]]]]:
    """Two databases, each open twice."""
    with ExitStack() as stack:
        made = []
        for name in ("histories_first", "histories_second"):
            settings = at(make_settings(database_folder, name), 61002.0)
            ways = stack.enter_context(open_database(settings)), stack.enter_context(open_database(settings))
            apply_schema(ways[0])
            made.append((settings, ways))
        yield made


@pytest.fixture
def fail_point(monkeypatch: pytest.MonkeyPatch) -> FailPoint:
    monkeypatch.setattr(client_module, "PAUSES", (0.0, 0.0, 0.0))
    return FailPoint(monkeypatch)


@how(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
@given(history=st.lists(steps, min_size=4, max_size=8), prefix=st.sampled_from(["TiDES", "Second"]))
def test_after_any_history_and_two_honest_exchanges_all_bridges_agree_with_4most(
    history: list[tuple[Any, ...]],
    prefix: str,
    running: tuple[FourmostStandin, Path],
    installed: list[tuple[Settings, tuple[Database, Database]]],
    fail_point: FailPoint,
) -> None:
    clear(*running)
    sides = []
    for (settings, databases), own, ra in zip(installed, ("TiDES", prefix), (10.0, 100.0), strict=True):
        side = Installation(databases, joined(settings, running[0]), running[0], ra)
        side.give_prefix(own)
        side.add_target()
        side.add_target()
        sides.append(side)
    world = World(running[0], sides, fail_point)
    DONE["histories"] += 1
    for of_bridge, of_people in history:
        world.do(*of_bridge)
        if of_people:
            world.do(*of_people)
    flaws = world.end()
    DONE.update(flaws)
    assert flaws == Counter()
