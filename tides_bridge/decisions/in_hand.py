"""
What a run has in hand: a message that ends whoever reads it is found, and set aside.

Nothing is left of a run that died but what it had noted before: that so many messages were in its hands. After two
deaths the next batches have half as many, and each further death halves them again, until all is passed that was in
hand. One message that was alone in hand in two deaths is refused, with the reason, and kept as others are.

Only while messages are read they are in hand: what ends a run later, as an outage or a person does, is not theirs.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from tides_bridge.brokers.models import Message
from tides_bridge.database import Database, run
from tides_bridge.settings import Settings

DEATHS = 2
"""So often a run may die of something else: a machine that was switched off, or a person."""

DEADLY = f"ended the process that read it {DEATHS} times, when it was read alone"
"""The reason for which it is refused."""


@dataclass
class InHand:
    """
    The messages in hand, of one broker.

    Attributes
    ----------
    group_id
        Of the broker's settings: one reads its stream.
    usual
        Messages of a batch, if nothing is wrong.
    most
        Messages of the next batch.
    deaths
        Of runs that died with messages in hand, none of which was passed since.
    alone
        How many died of one message, by its place: nothing else was in hand.
    ends
        The last message that was in hand in a death, by partition.
    """

    group_id: str
    usual: int
    most: int
    deaths: int = 0
    alone: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, database: Database, settings: Settings) -> "InHand":
        """
        See what the last run had in hand, and whether it died with it.

        Parameters
        ----------
        database, settings
            Of the run and of its broker.
        """
        usual = settings.broker.batch_size
        with database.transaction() as connection:
            rows = run(connection, "decisions/get_in_hand.sql", {"group_id": settings.group_id})
        if not rows:
            return cls(settings.group_id, usual, usual)
        row = rows[0]
        hand = cls(settings.group_id, usual, min(row["most"], usual), row["deaths"], row["alone"], row["ends"])
        if row["messages"]:
            hand.deaths += 1
            if row["messages"] == 1:
                hand.alone[row["place"]] = hand.alone.get(row["place"], 0) + 1
            if hand.deaths >= DEATHS:
                hand.most = max(row["messages"] // 2, 1)
        return hand

    @property
    def is_careful(self) -> bool:
        """Whether something before us is deadly: then nothing is read but what is next."""
        return self.deaths >= DEATHS

    def take(self, database: Database, messages: Sequence[Message]) -> None:
        """Note that messages are in hand from now on."""
        for message in messages:  # should we die: until all of these are passed the deaths count
            partition = _partition(message)
            self.ends[partition] = max(self.ends.get(partition, -1), message.offset)
        self._store(database, len(messages), place_in_stream(messages[0]) if messages else "")

    def is_deadly(self, messages: Sequence[Message]) -> bool:
        """Tell whether this is one message that is set aside."""
        return len(messages) == 1 and self.alone.get(place_in_stream(messages[0]), 0) >= DEATHS

    def set_aside(self, database: Database) -> None:
        """Note that what was deadly is refused: all that comes after it is read as usual."""
        self.most, self.deaths, self.alone, self.ends = self.usual, 0, {}, {}
        self._store(database, 0, "")

    def lay_down(self, database: Database, messages: Sequence[Message]) -> None:
        """Note that messages were read, and nobody died."""
        for message in messages:
            partition = _partition(message)
            if message.offset >= self.ends.get(partition, -1):
                self.ends.pop(partition, None)
        if not self.ends:
            self.most, self.deaths, self.alone = min(2 * self.most, self.usual), 0, {}
        self._store(database, 0, "")

    def drop(self, database: Database) -> None:
        """Note that the messages come again, for a reason that is not in them."""
        self._store(database, 0, "")

    def _store(self, database: Database, messages: int, place: str) -> None:
        given = {"group_id": self.group_id, "most": self.most, "deaths": self.deaths, "alone": json.dumps(self.alone)}
        given |= {"ends": json.dumps(self.ends), "messages": messages, "place": place}
        with database.transaction("hand") as connection:
            run(connection, "decisions/store_in_hand.sql", given)


def place_in_stream(message: Message) -> str:
    """Write where a message stands in the stream."""
    return f"{_partition(message)}@{message.offset}"


def _partition(message: Message) -> str:
    return f"{message.topic}[{message.partition}]"
