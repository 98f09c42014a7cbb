"""A bridge that things happen to within one process: kills, lost locks, another installation beside it."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import LOSE_LOCK, rows_of
from tests.support.exchanges import Exchanged, add
from tides_bridge import failpoints
from tides_bridge.database import Database
from tides_bridge.errors import FourmostUnavailable, RunOvertaken
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.exchange import prepare_4most_update, read_back_from_4most, settle_unanswered
from tides_bridge.fourmost.identity import shown_otherwise
from tides_bridge.fourmost.reconcile import Difference, reconcile
from tides_bridge.settings import Settings

Row = dict[str, Any]

TABLES = "tides_master, association, object_brightness, exchange_log, namesake, name_counter, ruling, held_change, "
TABLES += "classification, host, host_candidate, host_look, host_rule, subscription, target_event, listed_target, "
TABLES += "change_listed"
PATIENCE = 30
"""[s] A session that is ended has ended a moment later."""
WIDTH = 40
"""[deg] Of the sky of one bridge, whose targets are a degree apart."""


class Killed(BaseException):
    """The end of a process, as far as one process can have it."""


class FailPoint:
    """What happens, once, when a run gets to a point for so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_reached = False
        self._point, self._left, self._is_dead = "", 0, False
        self._happens: Callable[[], None] | None = None
        monkeypatch.setattr(failpoints, "reach", self._reach)

    @contextlib.contextmanager
    def at(self, point: str, passes: int, happens: Callable[[], None] | None) -> Iterator[None]:
        """Let something happen at a point, or, where that is None, let the run be killed there."""
        self.is_reached, self._point, self._left, self._happens = False, point, passes, happens
        try:
            yield
        finally:
            self._point, self._is_dead = "", False

    def _reach(self, point: str) -> None:
        if self._is_dead:
            raise Killed(point)
        if point != self._point:
            return
        self._left -= 1
        if self._left:
            return
        self.is_reached, self._point = True, ""
        if self._happens is None:
            self._is_dead = True
            raise Killed(point)
        self._happens()


class Installation:
    """
    A bridge with a database of its own, and 4MOST, which others use, too.

    Parameters
    ----------
    databases
        Two ways to its database, for a run and for the one that overtakes it; emptied here.
    settings
        With a name prefix, and the way to 4MOST.
    fourmost
        The stand-in.
    ra
        [deg] Where its sky begins.
    """

    def __init__(
        self, databases: tuple[Database, Database], settings: Settings, fourmost: FourmostStandin, ra: float
    ) -> None:
        (self.database, self.other), self.settings, self.fourmost = databases, settings, fourmost
        self.ra, self.targets = ra, 0
        rows_of(self.database, f"TRUNCATE {TABLES} CASCADE; INSERT INTO name_counter VALUES (2026, 0) RETURNING 1")

    def give_prefix(self, prefix: str) -> None:
        """Do what a bridge asks for that meets another one: give it names of its own."""
        targets = self.settings.targets.model_copy(update={"name_prefix": prefix})
        self.settings = self.settings.model_copy(update={"targets": targets})

    def add_target(self) -> None:
        """Select one more, with the next name."""
        prefix = self.settings.targets.name_prefix
        name = rows_of(
            self.database,
            f"UPDATE name_counter SET used = used + 1 RETURNING tides_name(2026, used, '{prefix}') AS name",
        )[0]["name"]
        add(self.database, name, object_id=f"{name}_{self.targets}", ra=self.ra + self.targets)
        self.targets += 1

    def name_of(self, place: int) -> str | None:
        """What the target at a place is called now."""
        rows = rows_of(self.database, f"SELECT name FROM tides_master WHERE round(ra) = {place}")
        return str(rows[0]["name"]) if rows else None

    def run(self, *, reconciles: bool = False, database: Database | None = None) -> tuple[list[str], list[Difference]]:
        """Exchange, or reconcile and exchange, as a run does that has the lock; what 4MOST failed in is returned."""
        database = database or self.database
        differences: list[Difference] = []
        with database.only_run(PATIENCE) as is_alone:
            assert is_alone
            client = FourmostClient(self.settings.fourmost, database.prove_run)
            client.answered_within = 0  # nothing is under way when a run goes on: they share one thread
            try:
                if reconciles:
                    settle_unanswered(database, client)
                    read_back_from_4most(database, client)
                    differences = reconcile(database, client, self.settings, is_dry=False)
                return Exchanged(database, self.settings, client).outages, differences
            except FourmostUnavailable as error:
                return [str(error)], differences

    def run_killed(self, fail_point: FailPoint, point: str, passes: int, *, reconciles: bool) -> None:
        """Be killed at a point, if the run gets there."""
        with fail_point.at(point, passes, None), contextlib.suppress(Killed):
            self.run(reconciles=reconciles)

    def run_overtaken(self, fail_point: FailPoint, point: str, passes: int, *, reconciles: bool) -> None:
        """Stand still at a point, lose the lock to another run that does all, and go on: to no effect."""
        left: list[list[Row]] = []

        def be_overtaken() -> None:
            rows_of(self.other, LOSE_LOCK)
            # Of its own thread: this one may be in the middle of a transaction.
            thread = threading.Thread(target=lambda: self.run(database=self.other))
            thread.start()
            thread.join()
            left.append(self.fourmost.rows())

        with fail_point.at(point, passes, be_overtaken), contextlib.suppress(RunOvertaken):
            self.run(reconciles=reconciles)
        if left:
            assert self.fourmost.rows() == left[0], f"a run that was overtaken at {point} went on"

    def is_its_place(self, row: Row) -> bool:
        """Tell whether a row lies in the sky of this bridge."""
        return self.ra - 0.5 < float(row["ra"]) < self.ra + WIDTH - 1

    def flaws(self, strangers: dict[int, Row]) -> Counter[str]:
        """Count what is doubled, missing, believed wrongly, open and unsent."""
        there = {row["id"]: row for row in self.fourmost.rows()}
        ours = {key: row for key, row in there.items() if key not in strangers and self.is_its_place(row)}
        targets = rows_of(self.database, "SELECT * FROM tides_master")
        active = Counter(round(row["ra"]) for row in ours.values() if row["is_active"])
        believed = [target for target in targets if target["pk_4most"] is not None]
        stage = prepare_4most_update(self.database, self.settings)
        found = Counter[str]()
        found["doubled"] = sum(number - 1 for number in active.values())
        found["missing"] = sum(target["active"] != bool(active[round(target["ra"])]) for target in targets)
        found["believed"] = sum(
            target["pk_4most"] not in ours or bool(shown_otherwise(target["told_4most"], ours[target["pk_4most"]]))
            for target in believed
        )
        found["touched"] = sum(there.get(key) != row for key, row in strangers.items())
        found["open"] = sum(target["asked_4most"] is not None for target in targets)
        found["unsent"] = sum(
            len(part) for part in (stage.new, stage.changed, stage.deactivated, stage.refused, stage.otherwise)
        )
        return found
