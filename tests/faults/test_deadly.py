"""A message that ends whoever reads it is found, refused with its reason, and keeps nothing else from being read."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from simulators.alerts.packets import alerts
from simulators.sky import Sky
from simulators.standins.bundle import StandinAlert, Standins, write_settings
from tests.support.databases import rows_of
from tests.support.folders import reachable_folder
from tests.support.forked import DEADLY, forked_tides
from tides_bridge.brokers.models import Message
from tides_bridge.database import Database, open_database
from tides_bridge.decisions.in_hand import InHand
from tides_bridge.settings import Settings, load_settings

TOPIC, WORD = "lasair_deadly", "deadly"


@pytest.fixture
def standins() -> Iterator[Standins]:
    with reachable_folder() as folder, Standins(folder / "standins") as standins:
        sky = Sky(seed=3, objects=200)
        night = next(night for night in range(61270, 61290) if sky.is_clear(night))
        standins.load(map(StandinAlert.from_packet, alerts(sky, night)))
        yield standins


def test_the_bridge_finds_a_deadly_message_and_reads_all_others(
    standins: Standins, tmp_path: Path, prefect_api: str
) -> None:
    file = tmp_path / "settings.yaml"
    settings = standins.settings({"deactivateAfter": "7305 days"})
    settings |= {"tidesDBdatabase": "deadly", "broker": settings["broker"] | {"batchSize": 8, "silence": "0.5 s"}}
    settings["fourmost"].pop("address", None)
    write_settings(file, settings)
    topic = yaml.safe_load(file.read_text())["standins"]["topic"]
    standins.kafka.publish(topic, [b'{"objectId": "ZTFdeadly"}'])

    def run() -> int:
        return forked_tides(
            "run", "--settings", file, PREFECT_API_URL=prefect_api, **{DEADLY: WORD, "PREFECT_LOGGING_LEVEL": "ERROR"}
        ).returncode

    codes = [run()]
    while codes[-1] != 0 and len(codes) < 20:
        codes.append(run())
    assert set(codes[:-1]) == {-signal.SIGKILL}
    assert 4 <= len(codes) <= 12
    with open_database(load_settings(None, file)) as database:
        refused = rows_of(database, "SELECT body, reason FROM refused_message WHERE body LIKE '%%deadly%%'")
        assert [bytes(row["body"]) for row in refused] == [b'{"objectId": "ZTFdeadly"}']
        assert refused[0]["reason"] == "ended the process that read it 2 times, when it was read alone"
        (judged,) = rows_of(database, "SELECT count(DISTINCT object_id) AS number FROM last_decision")
        (read,) = rows_of(database, "SELECT sum(next_offset) AS number FROM stream_position")
        (hand,) = rows_of(database, "SELECT messages, most FROM in_hand")
    assert read["number"] > judged["number"] > 20
    assert hand["messages"] == 0 and hand["most"] > 1, "it has begun to take more again"


class Reader:
    """Runs that read a stream of several partitions, without Kafka: some messages end the run that has them in hand."""

    def __init__(self, database: Database, settings: Settings, stream: list[list[bool]]) -> None:
        self.database, self.settings, self.stream = database, settings, stream
        self.next, self.refused, self.runs = [0] * len(stream), list[tuple[int, int]](), 0

    def run(self, order: list[int]) -> bool:
        """Read to the end; False if the run died. Partitions answer in another order each time."""
        self.runs += 1
        hand = InHand.of(self.database, self.settings)
        while messages := self._pull(order, hand.most):
            if hand.is_deadly(messages):
                self.refused.append((messages[0].partition, messages[0].offset))
                hand.set_aside(self.database)
            else:
                hand.take(self.database, messages)
                if any(self.stream[message.partition][message.offset] for message in messages):
                    return False
                hand.lay_down(self.database, messages)
            for message in messages:
                self.next[message.partition] = message.offset + 1
        return True

    def _pull(self, order: list[int], most: int) -> list[Message]:
        found = [
            Message("alerts", part, offset, b"")
            for part in order
            for offset in range(self.next[part], len(self.stream[part]))
        ]
        return found[:most]


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.lists(st.sampled_from([False] * 9 + [True]), max_size=12), min_size=1, max_size=3),
    dice=st.randoms(use_true_random=False),
)
def test_whatever_is_deadly_is_refused_and_nothing_else(
    database: Database, settings: Settings, parts: list[list[bool]], dice: Any
) -> None:
    rows_of(database, "DELETE FROM in_hand RETURNING 1")
    small = settings.broker.model_copy(update={"batch_size": 8})
    reader = Reader(database, settings.model_copy(update={"broker": small}), parts)
    while not reader.run(dice.sample(range(len(parts)), len(parts))):
        assert reader.runs < 300
    deadly = [(part, offset) for part, each in enumerate(parts) for offset, is_so in enumerate(each) if is_so]
    assert sorted(reader.refused) == deadly
    assert reader.next == [len(each) for each in parts]
    assert reader.runs == 1 or deadly


def test_who_stops_with_messages_in_hand_for_another_reason_takes_it_back(
    database: Database, settings: Settings
) -> None:
    messages = [Message("alerts", 0, offset, b"") for offset in range(8)]
    usual = settings.broker.batch_size
    for _ in range(5):
        hand = InHand.of(database, settings)
        assert (hand.most, hand.deaths) == (usual, 0)
        hand.take(database, messages)
        hand.drop(database)
    for deaths, most in ((0, usual), (1, usual), (2, 4), (3, 4)):
        hand = InHand.of(database, settings)
        assert (hand.most, hand.deaths) == (most, deaths)
        hand.take(database, messages)
    other = settings.model_copy(update={"group_id": "another broker"})
    assert (InHand.of(database, other).most, InHand.of(database, other).deaths) == (usual, 0)


def test_what_other_partitions_bring_in_between_makes_no_death_forgotten(
    database: Database, settings: Settings
) -> None:
    """The deadly one stands behind a backlog of others, which is read first in every run."""
    small = settings.model_copy(update={"broker": settings.broker.model_copy(update={"batch_size": 4})})
    reader, runs = Reader(database, small, [[False] * 400, [True, False]]), 0
    while not reader.run([0, 1]):
        reader.stream[0] += [False] * 12  # more comes, as it does at night
        runs += 1
        assert runs < 30
    assert reader.refused == [(1, 0)]
    assert reader.next == [len(reader.stream[0]), 2]


def test_what_was_read_and_then_ended_by_something_else_is_not_blamed(database: Database, settings: Settings) -> None:
    message = [Message("alerts", 0, 7, b"")]
    for _ in range(5):  # an outage after the reading, in each run, or a power cut
        hand = InHand.of(database, settings)
        assert not hand.is_deadly(message) and not hand.is_careful
        hand.take(database, message)
        hand.lay_down(database, message)
