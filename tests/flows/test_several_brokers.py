"""One run over several brokers, of two surveys that see the same sky, and one that is away."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from simulators.alerts.encoders import Packet, is_of_object
from simulators.alerts.packet_files import Found
from simulators.standins.broker_streams import simulated
from simulators.standins.bundle import Standins, write_settings
from tests.support.databases import rows_of
from tests.support.decisions import Decisions, decisions_in, judged_of, read_stream
from tests.support.folders import reachable_folder
from tests.support.forked import forked_tides
from tests.support.served import AGE
from tides_bridge.database import open_database
from tides_bridge.decisions.record import load_functions
from tides_bridge.formats.whole_alerts import object_of
from tides_bridge.settings import Settings, load_settings

AWAY = "127.0.0.1:1"
"""A port that nobody listens on."""

Rows = list[dict[str, Any]]


def pairs() -> list[tuple[Found, Found]]:
    """Give alerts of Rubin, and of ZTF moved to half an arcsecond from where those are."""
    lsst = [each for each in simulated({"lsst"}, 40, 40, 9) if is_of_object(each.packet)]
    return [
        (of_lsst, moved(of_ztf, of_lsst)) for of_ztf, of_lsst in zip(simulated({"ztf"}, 40, 40, 9), lsst, strict=False)
    ]


def moved(found: Found, to: Found) -> Found:
    """Move an alert of ZTF to another place."""
    place = {"ra": to.packet["diaObject"]["ra"], "dec": to.packet["diaObject"]["dec"] + 0.5 / 3600}
    history = [each | (place if "ra" in each else {}) for each in found.packet["prv_candidates"]]
    packet: Packet = found.packet | {"candidate": found.packet["candidate"] | place, "prv_candidates": history}
    return Found(packet, found.origin)


@dataclass(frozen=True)
class Run:
    """What a run did, what it should have decided of each stream, and what is in the database and at 4MOST now."""

    code: int
    errors: str
    decided: dict[str, Decisions]
    decisions: Rows
    objects: Rows
    targets: Rows
    runs: Rows
    at_4most: Rows

    def passing(self, broker: str) -> set[str]:
        """Name what passes of a stream."""
        return {name for (name, _), each in self.decided[broker].items() if each.passed}


@pytest.fixture(scope="module")
def run(prefect_api: str) -> Iterator[Run]:
    with (
        reachable_folder() as folder,
        Standins(folder / "f", streams=["lasair-lsst", "fink-lsst", "fink-ztf"]) as standins,
    ):
        standins.fill([found for both in pairs() for found in both], pytest.fail)
        # The clean function asks for what one broker says and the other does not: of the others both know all.
        written = standins.settings(AGE) | {"selectFunction": "tidesSNLSSTSelect"}
        away = {"away": {"kind": "fink_lsst", "topic": "any", "bootstrapServers": AWAY}}
        written["brokers"] = away | written["brokers"]
        write_settings(folder / "settings.yaml", written)
        settings = load_settings(None, folder / "settings.yaml")
        decided = {each.broker_name: decided_of(each) for each in settings.each_broker()[1:]}
        done = forked_tides("run", "--settings", folder / "settings.yaml", "--json", PREFECT_API_URL=prefect_api)
        with open_database(settings) as database:
            tables = [
                rows_of(database, f"SELECT * FROM {name}")
                for name in ("decision", "association", "tides_master", "run_log ORDER BY run_id")
            ]
        yield Run(done.returncode, done.stderr, decided, *tables, standins.fourmost.rows())


def decided_of(settings: Settings) -> Decisions:
    """Decide on a stream without a run."""
    return decisions_in(judged_of(settings, read_stream(settings), load_functions(settings)))


def test_the_run_fails_with_the_broker_that_is_away(run: Run) -> None:
    assert run.code == 1
    assert run.errors.splitlines()[-1].startswith(f"tides: Kafka broker {AWAY}: ")
    assert "Traceback" not in run.errors


def test_all_else_was_done_before(run: Run) -> None:
    kept = {row["name"]: row["pk_4most"] for row in run.targets if not row["refused_4most"]}
    assert {row["name"]: row["id"] for row in run.at_4most} == kept
    assert len(kept) > 3
    assert None not in kept.values()
    assert [(row["kind"], bool(row["problem"])) for row in run.runs] == [
        ("bridge", True),
        ("pull", True),
        *[("pull", False)] * 3,
        ("exchange", False),
    ]


def test_each_broker_is_decided_on_as_if_it_were_alone(run: Run) -> None:
    alike = {"lasair_lsst": "lsst", "fink_lsst": "lsst", "fink_ztf": "ztf"}
    said = {(row["survey"], row["object_id"], row["passed"], row["trigger_mjd"]) for row in run.decisions}
    expected = {
        (alike[broker], name, each.passed, each.trigger_mjd)
        for broker, decisions in run.decided.items()
        for (name, _), each in decisions.items()
    }
    assert said == expected
    assert run.decided["lasair_lsst"] == run.decided["fink_lsst"]


def test_an_object_of_two_brokers_is_one_and_a_place_of_two_surveys_one_target(run: Run) -> None:
    lsst, ztf = run.passing("fink_lsst"), run.passing("fink_ztf")
    targets = {(row["survey"], row["object_id"]): row["tides_id"] for row in run.objects}
    assert targets.keys() == {*(("lsst", name) for name in lsst), *(("ztf", name) for name in ztf)}
    assert len(targets) == len(run.objects)
    places = [(object_of(one.packet), object_of(other.packet)) for one, other in pairs()]
    both = [(one, other) for one, other in places if one in lsst and other in ztf]
    assert len(both) > 1
    assert all(targets["lsst", one] == targets["ztf", other] for one, other in both)
    assert len(run.targets) == len(set(targets.values())) == len(targets) - len(both)
    assert len({row["name"] for row in run.targets}) == len(run.targets)
