"""A host and a transient in it are never both on at 4MOST: while it did not switch the one off, the other waits."""

from dataclasses import replace

from tides_bridge.database import Database, run
from tides_bridge.fourmost.payloads import FourmostStage


def wait_for_hosts(database: Database, stage: FourmostStage) -> FourmostStage:
    """
    Leave out transients whose host 4MOST was to switch off and did not, and such hosts; the next exchange looks again.

    Parameters
    ----------
    database
        What 4MOST was told, and which transients point to which hosts.
    stage
        What is to be sent, when all that goes off was told.
    """
    with database.transaction() as connection:
        waiting = {row["tides_id"] for row in run(connection, "fourmost/list_guests.sql")}
    new, changed = ([row for row in rows if row["tides_id"] not in waiting] for rows in (stage.new, stage.changed))
    return replace(stage, new=new, changed=changed)
