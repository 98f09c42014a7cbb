"""
What a run has in hand: a message that ends whoever reads it is found, and set aside.

Nothing is left of a run that died but what it had noted before: that so many messages were in its hands. After two
deaths in a row the next batch has half as many, and each further death halves it again; what then goes well doubles
it. One message that was alone in hand in two deaths is refused, with the reason, and kept as others are.
"""

import json
from dataclasses import dataclass, field

from sqlalchemy import Connection

from tides_bridge.brokers.models import Message, Pull
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
        Of runs in a row that died with messages in hand, since the batch had its usual size.
    alone
        How many died of one message, by its place: nothing else was in hand.
    """

    group_id: str
    usual: int
    most: int
    deaths: int = 0
    alone: dict[str, int] = field(default_factory=dict)

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
        hand = cls(settings.group_id, usual, min(row["most"], usual), row["deaths"], row["alone"])
        if row["messages"]:
            hand.deaths += 1
            if row["messages"] == 1:
                hand.alone[row["place"]] = hand.alone.get(row["place"], 0) + 1
            if hand.deaths >= DEATHS:
                hand.most = max(row["messages"] // 2, 1)
        return hand

    def take(self, database: Database, pull: Pull) -> None:
        """Note that messages are in hand from now on."""
        with database.transaction("hand") as connection:
            place = place_in_stream(pull.messages[0]) if pull.messages else ""
            self._store(connection, len(pull.messages), place)

    def is_deadly(self, pull: Pull) -> bool:
        """Tell whether a batch is a message that is set aside."""
        return len(pull.messages) == 1 and self.alone.get(place_in_stream(pull.messages[0]), 0) >= DEATHS

    def lay_down(self, connection: Connection) -> None:
        """Note, with all that came of the batch, that it went well."""
        self.most = min(2 * self.most, self.usual)
        if self.most == self.usual:
            self.deaths, self.alone = 0, {}
        self._store(connection, 0, "")

    def drop(self, database: Database) -> None:
        """Note that the batch comes again, for a reason that is not in its messages."""
        with database.transaction() as connection:
            self._store(connection, 0, "")

    def _store(self, connection: Connection, messages: int, place: str) -> None:
        given = {"group_id": self.group_id, "most": self.most, "deaths": self.deaths, "alone": json.dumps(self.alone)}
        run(connection, "decisions/store_in_hand.sql", given | {"messages": messages, "place": place})


def place_in_stream(message: Message) -> str:
    """Write where a message stands in the stream."""
    return f"{message.topic}[{message.partition}]@{message.offset}"
