"""An exchange between a database and the 4MOST stand-in, as a run does it, and looks at both sides."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from simulators.fourmost.process import FourmostStandin
from tests.support.databases import rows_of
from tides_bridge.database import Database
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.exchange import (
    Sent,
    create_new_transients_in_4most,
    prepare_4most_update,
    read_back_from_4most,
    settle_unanswered,
    update_existing_transients,
)
from tides_bridge.fourmost.hosts_first import wait_for_hosts
from tides_bridge.settings import Settings

MAGNITUDE = re.compile(r"(?P<band>[ugrizy])_latest_mag")
EVERYTHING = {"tides_ids": None}
"""Of ``fourmost/list_targets.sql``: every target, whether anything changed or not."""
TERMS = [{"from": "ZTF_r", "source": "for tests"}]
"""What is sent as LSST's r."""


@contextlib.contextmanager
def kept_standin(folder: Path, *options: str) -> Iterator[tuple[FourmostStandin, Path]]:
    """A stand-in that ingests nothing by itself, and the file of its state: for many tests, which `clear` it."""
    state = folder / "state.sqlite3"
    with FourmostStandin(*options, "--ingest-at", "off", state=state) as standin:
        yield standin, state


def clear(fourmost: FourmostStandin, state: Path) -> None:
    """Let a stand-in be as new, for the next test: faster than to start another."""
    fourmost.set_faults([])
    with contextlib.closing(sqlite3.connect(state, timeout=60)) as connection, connection:
        connection.execute("DELETE FROM fourmost_transient")


def joined(settings: Settings, fourmost: FourmostStandin, **changes: Any) -> Settings:
    """Settings that send to a stand-in, in pages of 3 targets, one after another."""
    values = {"address": fourmost.address, "token": fourmost.token, "surveyID": 5, "pageSize": 3, "connections": 1}
    values["colourTerms"] = TERMS
    return settings.model_copy(update={"fourmost": settings.fourmost.model_validate(values | changes)})


def add(database: Database, *names: str, **changes: Any) -> None:
    """Put active targets into tides_master, each with one object of the same name, whose magnitudes are given."""
    row = {"r_latest_mag": 20.5, "ra": 10.0, "decl": -20.0, "active": True} | changes
    row |= {"survey": "ztf", "first_detection_mjd": 61000, "last_detection_mjd": 61001.25, "n_detections": 5}
    magnitudes = {column: row.pop(column) for column in list(row) if MAGNITUDE.match(column)}
    with database.transaction() as connection:
        for name in names:
            target = row | {"object_id": name, "name": name, "selection_function": "any"}
            tides_id = _insert(connection, "tides_master", target, "tides_id")
            of_object = {column: row[column] for column in row if column != "active"} | {"object_id": name}
            match = {"match_ra": row["ra"], "match_decl": row["decl"], "separation_arcsec": 0, "how": "first"}
            of_object |= {"passes": True}
            _insert(connection, "association", of_object | match | {"tides_id": tides_id}, "tides_id")
            for column, mag in magnitudes.items():
                key = {"survey": row["survey"], "object_id": name, "band": column[0]}
                bright = {"latest_mag": mag, "latest_mjd": None if mag is None else 61001.25, "n_detections": 1}
                _insert(connection, "object_brightness", key | bright, "band")


def _insert(connection: Connection, table: str, row: dict[str, Any], returned: str) -> Any:
    places = ", ".join(["%s"] * len(row))
    insert = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) RETURNING {returned}"
    return connection.exec_driver_sql(insert, tuple(row.values())).scalar_one()


def change(database: Database, assignment: str, name: str) -> None:
    """Change columns of a target, or, where they are magnitudes, of its object."""
    parts = assignment.split(", ")
    target = [part for part in parts if not MAGNITUDE.match(part)]
    if target:
        rows_of(database, f"UPDATE tides_master SET {', '.join(target)} WHERE name = '{name}' RETURNING name")
    for part in parts:
        if found := MAGNITUDE.match(part):
            value = part.partition("=")[2]
            rows_of(
                database,
                "INSERT INTO object_brightness (survey, object_id, band, latest_mag, latest_mjd, n_detections) "
                f"SELECT survey, object_id, '{found['band']}', {value}, last_detection_mjd, 1 FROM association "
                f"WHERE tides_id = (SELECT tides_id FROM tides_master WHERE name = '{name}') "
                "ON CONFLICT (survey, object_id, band) DO UPDATE SET latest_mag = excluded.latest_mag, "
                "latest_mjd = coalesce(object_brightness.latest_mjd, excluded.latest_mjd) RETURNING band",
            )


class Exchanged:
    """One whole exchange."""

    def __init__(self, database: Database, settings: Settings, client: FourmostClient | None = None) -> None:
        client = client or FourmostClient(settings.fourmost)
        read_back_from_4most(database, client)
        self.created = settle_unanswered(database, client)
        self.stage = prepare_4most_update(database, settings)
        self.deactivated = update_existing_transients(database, client, self.stage.deactivated)
        self.stage = wait_for_hosts(database, self.stage)
        self.created.add(create_new_transients_in_4most(database, client, self.stage.new, settings))
        self.changed = update_existing_transients(database, client, self.stage.changed)

    @property
    def parts(self) -> tuple[Sent, Sent, Sent]:
        return self.created, self.changed, self.deactivated

    @property
    def outages(self) -> list[str]:
        return [str(part.outage) for part in self.parts if part.outage]

    def counts(self) -> tuple[int, int, int, int]:
        """Targets created (or found), changed, switched off, and refused."""
        return (*(len(part.done) for part in self.parts), sum(len(part.failed) for part in self.parts))


def keys(database: Database) -> dict[str, int]:
    return {row["name"]: row["pk_4most"] for row in rows_of(database, "SELECT name, pk_4most FROM tides_master")}


def open_intents(database: Database) -> list[str]:
    """Names of the targets that 4MOST was asked about without an answer."""
    rows = rows_of(database, "SELECT name FROM tides_master WHERE asked_4most IS NOT NULL ORDER BY name")
    return [row["name"] for row in rows]


def log_of(database: Database, name: str) -> list[tuple[str, str, int]]:
    """Operation, status and attempt of all that was logged of a target."""
    rows = rows_of(
        database,
        "SELECT operation, status, attempt FROM exchange_log JOIN tides_master USING (tides_id) "
        f"WHERE name = '{name}' ORDER BY exchange_id",
    )
    return [(row["operation"], row["status"], row["attempt"]) for row in rows]


def answer_of(database: Database, name: str) -> str:
    """The last answer that was logged of a target."""
    rows = rows_of(
        database,
        "SELECT answer FROM exchange_log JOIN tides_master USING (tides_id) "
        f"WHERE name = '{name}' AND exchange_log.status <> 'asked' ORDER BY exchange_id DESC LIMIT 1",
    )
    return str(rows[0]["answer"])


def unanswered(database: Database) -> list[dict[str, Any]]:
    """Intents of the log that have no final answer."""
    return rows_of(
        database,
        "SELECT * FROM exchange_log AS intent WHERE status = 'asked' AND NOT EXISTS ("
        "SELECT FROM exchange_log AS answer WHERE answer.intent_id = intent.exchange_id "
        "AND answer.tides_id = intent.tides_id AND answer.status NOT IN ('asked', 'unanswered'))",
    )
