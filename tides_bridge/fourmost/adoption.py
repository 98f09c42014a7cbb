"""
Rows of our survey that this database does not know: forgotten by a restoration, or made by another installation.

A row is given to the target at its place, which takes its name. What lies at no target here is left alone.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.fourmost.identity import is_of_same_program, is_same_place
from tides_bridge.fourmost.log import store_ingested
from tides_bridge.fourmost.names import used_numbers
from tides_bridge.settings import Settings
from tides_bridge.targets.association import MATCH_RADIUS_ARCSEC

logger = logging.getLogger(__name__)

FORGOTTEN_FOR = timedelta(days=14)
"""So long after a restoration a target that is selected anew may have a row already."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Adoption:
    """
    What came of ``tides adopt``.

    Attributes
    ----------
    adopted
        Rows that got their target: ``name``, ``pk``, and what the target was called ``formerly``.
    left
        Rows of our survey and subsurvey that lie at no target here; their names are not given any more.
    """

    adopted: list[Row]
    left: list[Row]


def adopt_forgotten(database: Database, client: FourmostClient) -> None:
    """
    Give rows back to their targets that were created after the backup from which this database was restored.

    Such a target was selected anew, with another name: its row is found by its place, and it takes the row's name.
    """
    with database.transaction() as connection:
        since = {"since": datetime.now(UTC) - FORGOTTEN_FOR}
        restorations = run(connection, "fourmost/last_restoration.sql", since)
    if not restorations:
        return
    newer = {"date_submitted__gte": f"{restorations[0]['taken_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}Z"}
    rows = [row for row in client.rows(**client.survey, **newer) if is_of_same_program(row, client.program)]
    with database.transaction("forgotten") as connection:
        parameters = {"rows": _places(rows), "radius": MATCH_RADIUS_ARCSEC}
        adopted = run(connection, "fourmost/adopt_forgotten.sql", parameters)
    for target in adopted:
        logger.info("forgotten row adopted name=%s formerly=%s", target["name"], target["formerly"])
    store_ingested(database, rows)


def adopt_rows(database: Database, client: FourmostClient, settings: Settings, *, is_dry: bool) -> Adoption:
    """
    Take rows of our survey and subsurvey that this database never made for those of its targets at the same place.

    Each such target takes the row's name and key, and the names that are left are given to nobody any more.

    Parameters
    ----------
    database, client, settings
        The two sides, and how names begin.
    is_dry
        Only find.
    """
    listed = [row for row in client.all_rows(**client.survey) if is_of_same_program(row, client.program)]
    with database.transaction() as connection:
        known = {row["pk_4most"] for row in run(connection, "fourmost/list_told.sql")}
        prefix = settings.targets.name_prefix
        used = json.dumps(used_numbers([row["name"] for row in listed], prefix))
        run(connection, "fourmost/count_names.sql", {"used": used})
        # First: a row gets to the target at its place only while no other target has its name.
        _leave_names(connection, [row for row in listed if row["id"] not in known], prefix)
        parameters = {"rows": _places(listed), "radius": MATCH_RADIUS_ARCSEC}
        adopted = run(connection, "fourmost/adopt_forgotten.sql", parameters)
        # A person has decided: who was met before is no sign of another installation any more.
        run(connection, "fourmost/forget_namesakes.sql")
        if is_dry:
            connection.rollback()
    if not is_dry:
        store_ingested(database, listed)
    ours = known | {row["pk"] for row in adopted}
    return Adoption(adopted, [row for row in listed if row["id"] not in ours])


def _leave_names(connection: Connection, rows: Sequence[Row], prefix: str) -> None:
    """Give targets that 4MOST never had other names where rows elsewhere on the sky have theirs."""
    namesakes: dict[str, list[Row]] = {}
    for row in rows:
        namesakes.setdefault(row["name"].casefold(), []).append(row)
    for target in run(connection, "fourmost/list_unsent.sql", {"names": list(namesakes)}):
        found = namesakes[target["name"].casefold()]
        if not any(is_same_place(row, target) for row in found):
            why = f"{target['name']} is the name of row {found[0]['id']} at 4MOST, which lies elsewhere"
            parameters = {"tides_id": target["tides_id"], "prefix": prefix, "why": why}
            run(connection, "fourmost/rename_target.sql", parameters)


def _places(rows: Sequence[Row]) -> str:
    """Write keys, names and places of rows as JSON."""
    shown = ("name", "ra", "dec", "is_active")
    return json.dumps([{"pk": row["id"]} | {key: row.get(key) for key in shown} for row in rows])
