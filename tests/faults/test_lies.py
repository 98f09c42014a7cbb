"""
What 4MOST may answer that is not true: each lie, to each thing asked, and what became of it.

Once the service is honest again for two exchanges, no target is doubled or missing there, what we believe is what it
has, and nobody else's row was touched. The table of lies and outcomes is printed.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from simulators.fourmost.process import FourmostStandin
from simulators.services.lies import LIES
from tests.support.databases import rows_of
from tests.support.exchanges import Exchanged, add, change, clear, joined, kept_standin, keys
from tides_bridge.database import Database
from tides_bridge.errors import FourmostUnavailable
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.identity import shown_otherwise
from tides_bridge.fourmost.log import retry_targets
from tides_bridge.fourmost.reconcile import Difference, reconcile
from tides_bridge.settings import Settings

NAMES = [f"TiDES26aa{letter}" for letter in "abcde"]
STRANGERS = [("TiDES26aaa", 15, 200.0), ("other", 5, 10.0), ("TiDES26aac", 5, 150.0)]
"""Name, survey and right ascension: a namesake of another survey, a neighbour of ours, a namesake of our survey."""
OPERATIONS = {"create": "POST", "update": "PATCH", "look": "GET"}
TABLE: list[tuple[str, dict[str, int]]] = []


class Sides:
    """Our targets, and 4MOST with rows of others."""

    def __init__(self, database: Database, settings: Settings, fourmost: FourmostStandin) -> None:
        self.database, self.fourmost = database, fourmost
        self.settings = joined(settings, fourmost, pageSize=3)
        self.client = FourmostClient(self.settings.fourmost)
        rows_of(database, "INSERT INTO name_counter VALUES (2026, 26) RETURNING 1")

    def add_strangers(self) -> None:
        for name, survey, ra in STRANGERS:
            row = {"name": name, "uploadedfor_survey_id": survey, "ra": ra, "dec": -20.0, "subsurvey": "tides-sn"}
            url, account = (
                f"{self.fourmost.address}/targetCat/transients/",
                (self.fourmost.user, self.fourmost.password),
            )
            requests.post(
                url, json={**row, "mag": 18.0, "is_active": True}, auth=account, timeout=60
            ).raise_for_status()
        self.theirs = self.fourmost.rows()

    def add_targets(self) -> None:
        for number, name in enumerate(NAMES):
            add(self.database, name, object_id=name, ra=10.0 + number)

    def exchange(self) -> None:
        Exchanged(self.database, self.settings, self.client)

    def reconcile(self) -> list[Difference]:
        return reconcile(self.database, self.client, self.settings, is_dry=False)

    def lie(self, lie: str, method: str) -> None:
        self.fourmost.set_faults([{"fault": lie, "method": method, "times": 3}])

    def flaws(self) -> dict[str, int]:
        """Count what is doubled, missing or believed wrongly, and what of others was touched."""
        strangers = {row["id"]: row for row in self.theirs}
        there = {row["id"]: row for row in self.fourmost.rows()}
        ours = {key: row for key, row in there.items() if key not in strangers}
        targets = rows_of(self.database, "SELECT * FROM tides_master")
        active = Counter((row["ra"], row["dec"]) for row in ours.values() if row["is_active"])
        return {
            "doubled": sum(number - 1 for number in active.values()),
            "missing": sum(target["active"] != bool(active[target["ra"], target["decl"]]) for target in targets),
            "believed": sum(
                target["pk_4most"] not in ours or bool(shown_otherwise(target["told_4most"], ours[target["pk_4most"]]))
                for target in targets
            ),
            "touched": sum(there.get(key) != row for key, row in strangers.items()),
            "open": len(rows_of(self.database, "SELECT 1 FROM tides_master WHERE asked_4most IS NOT NULL")),
        }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FourmostStandin, Path]]:
    with kept_standin(tmp_path_factory.mktemp("fourmost"), "--paginate") as standin:
        yield standin


@pytest.fixture
def sides(running: tuple[FourmostStandin, Path], database: Database, settings: Settings) -> Sides:
    clear(*running)
    return Sides(database, settings, running[0])


@pytest.fixture(scope="module", autouse=True)
def table(pytestconfig: pytest.Config) -> Iterator[None]:
    """Print lies and outcomes, past pytest's capture."""
    yield
    if TABLE:
        lines = [f"{'lie, to':32} " + "  ".join(TABLE[0][1])]
        lines += [f"{what:32} " + "  ".join(f"{found[key]:{len(key)}}" for key in found) for what, found in TABLE]
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("\n" + "\n".join(lines))


def clean() -> dict[str, int]:
    return dict.fromkeys(("doubled", "missing", "believed", "touched", "open"), 0)


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_after_a_lie_and_two_honest_exchanges_both_sides_agree(sides: Sides, lie: str, operation: str) -> None:
    sides.add_strangers()
    sides.add_targets()
    if operation != "create":
        sides.exchange()
        change(sides.database, "r_latest_mag = 19.5", NAMES[0])
        change(sides.database, "r_latest_mag = 19.0", NAMES[1])
        change(sides.database, "active = FALSE", NAMES[4])
    sides.lie(lie, OPERATIONS[operation])
    with suppress(FourmostUnavailable):
        sides.exchange()
    if operation == "look":
        sides.lie(lie, OPERATIONS[operation])
        with suppress(FourmostUnavailable):
            sides.reconcile()
    sides.fourmost.set_faults([])
    if operation == "look":  # what the list said was believed: it is the next look that knows better
        sides.reconcile()
    retry_targets(sides.database)  # a person has read why; nobody waits for an hour here
    sides.exchange()
    sides.exchange()
    found = sides.flaws()
    TABLE.append((f"{lie}, {operation}", found))
    assert found == clean()
    assert {difference.what for difference in sides.reconcile()} == {"stranger"}
    assert sides.flaws() == clean()


@pytest.mark.parametrize("operation", ["create", "update"])
def test_who_answers_otherwise_for_ever_is_asked_three_times_and_then_told(sides: Sides, operation: str) -> None:
    sides.add_targets()
    if operation == "update":
        sides.exchange()
        for name in NAMES:
            change(sides.database, "r_latest_mag = 19.5", name)
    sides.fourmost.set_faults([{"fault": "otherwise", "method": method, "times": 500} for method in ("POST", "PATCH")])
    asked = []
    for _ in range(6):
        before = len(rows_of(sides.database, "SELECT 1 FROM exchange_log WHERE status = 'asked'"))
        exchanged = Exchanged(sides.database, sides.settings, sides.client)
        asked.append(len(rows_of(sides.database, "SELECT 1 FROM exchange_log WHERE status = 'asked'")) - before)
    assert (asked[0], asked[-1]) == (5, 0)
    assert len(exchanged.stage.otherwise) == 5
    times = rows_of(sides.database, "SELECT DISTINCT (otherwise_4most ->> 'times')::integer AS times FROM tides_master")
    assert times == [{"times": 3}]
    sides.fourmost.set_faults([])
    for name in NAMES:
        change(sides.database, "r_latest_mag = 18.5", name)
    sides.exchange()
    assert rows_of(sides.database, "SELECT 1 FROM tides_master WHERE otherwise_4most IS NOT NULL") == []
    assert {row["mag"] for row in sides.fourmost.rows()} == {18.5}


def test_what_was_answered_otherwise_too_often_is_asked_again_when_a_person_says_so(sides: Sides) -> None:
    sides.add_targets()
    sides.exchange()
    change(sides.database, "r_latest_mag = 19.5", NAMES[0])
    sides.fourmost.set_faults([{"fault": "unchanged", "method": "PATCH", "times": 500}])
    for _ in range(4):
        sides.exchange()
    sides.fourmost.set_faults([])
    sides.exchange()
    assert {row["mag"] for row in sides.fourmost.rows()} == {20.5}
    assert retry_targets(sides.database) == 1
    sides.exchange()
    assert sorted(row["mag"] for row in sides.fourmost.rows()) == [19.5, 20.5, 20.5, 20.5, 20.5]
    assert retry_targets(sides.database) == 0


def test_what_is_set_right_by_reconcile_waits_for_nobody_any_more(sides: Sides) -> None:
    """The answers were lies, and the row is as it was asked to be: no question is left."""
    sides.add_targets()
    sides.fourmost.set_faults([{"fault": "otherwise", "method": method, "times": 500} for method in ("POST", "PATCH")])
    for _ in range(4):
        sides.exchange()
    sides.fourmost.set_faults([])
    assert {difference.what for difference in sides.reconcile()} == {"edited"}
    assert rows_of(sides.database, "SELECT 1 FROM tides_master WHERE otherwise_4most IS NOT NULL") == []
    rows = sides.fourmost.rows()
    sides.exchange()
    assert sides.fourmost.rows() == rows


@pytest.mark.parametrize("moved", ["ra = ra", "ra = ra + 0.0008"])
def test_a_row_that_was_asked_for_is_no_strangers_however_it_is_shown(sides: Sides, moved: str) -> None:
    """The answer to its creation was lost, and when it is looked up it seems to be of another survey."""
    sides.add_strangers()
    sides.add_targets()
    sides.fourmost.set_faults([{"fault": "cut", "when": "after", "method": "POST", "times": 9}])
    sides.exchange()
    sides.fourmost.set_faults([{"fault": "other_survey", "method": "GET", "times": 30}])
    sides.exchange()
    sides.fourmost.set_faults([])
    for name in keys(sides.database):
        change(sides.database, moved, name)
    sides.exchange()
    sides.exchange()
    active = [row for row in sides.fourmost.rows() if row["is_active"] and row not in sides.theirs]
    assert len(active) == 5 and sorted(row["id"] for row in active) == sorted(keys(sides.database).values())
    assert {row["ra"] for row in active} == {
        row["ra"] for row in rows_of(sides.database, "SELECT ra FROM tides_master")
    }
    assert [row for row in sides.fourmost.rows() if row in sides.theirs] == sides.theirs


def test_rows_of_an_unknown_installation_stop_the_exchange_until_a_person_decides(sides: Sides) -> None:
    sides.theirs = []
    sides.add_targets()
    sides.exchange()
    rows = sides.fourmost.rows()
    rows_of(sides.database, "TRUNCATE tides_master, object_brightness, exchange_log CASCADE; SELECT 1")
    sides.add_targets()  # as a database that was lost and filled anew
    stopped = Exchanged(sides.database, sides.settings, sides.client)
    assert len(stopped.outages) == 1 and "that this database never made" in stopped.outages[0]
    assert "tides adopt" in stopped.outages[0]
    assert sides.fourmost.rows() == rows
