"""A host is off at 4MOST before a transient in it is on: while 4MOST did not switch it off, the transient waits."""

from dataclasses import replace

from tides_bridge.database import Database, run
from tides_bridge.fourmost.payloads import FourmostStage


def wait_for_hosts(database: Database, stage: FourmostStage) -> FourmostStage:
    """
    Leave transients out that lie in a host which 4MOST was to switch off, and did not; the next exchange looks again.

    Parameters
    ----------
    database
        What 4MOST was told of hosts, and which transients point to them.
    stage
        What is to be sent, when all that goes off was told.
    """
    with database.transaction() as connection:
        waiting = {row["tides_id"] for row in run(connection, "fourmost/list_guests.sql")}
    new, changed = ([row for row in rows if row["tides_id"] not in waiting] for rows in (stage.new, stage.changed))
    return replace(stage, new=new, changed=changed)
