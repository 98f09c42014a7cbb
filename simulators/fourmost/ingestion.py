"""What OpSys does every day: rows become targets, and from then on hardly change."""

import logging
import threading
from datetime import datetime, time
from time import sleep

from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from simulators.fourmost.clock import last_ingestion
from simulators.fourmost.models import Transient

TARG_ID_BASE = 1_000_000
"""``ostd_targ_id`` of a row is its id above this."""

OBJ_ID_BASE = 2**53
"""``ostd_u_obj_id`` of a row is its id above this: a client that keeps it as a float will mix rows up."""

LOOK_EVERY = 0.5
"""Seconds between two looks at the clock; a short step also follows a clock that was set."""

log = logging.getLogger(__name__)


def ingest(until: datetime | None = None) -> int:
    """
    Ingest every row, of any survey and active or not, that is not yet ingested.

    Parameters
    ----------
    until
        Leaves rows alone that were submitted later.

    Returns
    -------
    int
        Number of rows.
    """
    now = timezone.now()
    rows = Transient.objects.filter(date_ingested=None, date_submitted__lte=until or now)
    return int(rows.update(date_ingested=now, ostd_targ_id=F("id") + TARG_ID_BASE, ostd_u_obj_id=F("id") + OBJ_ID_BASE))


def ingest_daily(at: time) -> None:
    """
    Start the thread that ingests every day.

    It ingests what was submitted before the latest ingestion, so a time that passed while the service was down is made
    up for at the start.

    Parameters
    ----------
    at
        Time of day, Europe/Berlin.
    """

    def run() -> None:
        done = None
        while True:
            due = last_ingestion(timezone.now(), at)
            if due != done:
                try:
                    ingest(due)
                    done = due
                except DatabaseError:
                    log.exception("the daily ingestion failed and is tried again")
            sleep(LOOK_EVERY)

    threading.Thread(target=run, name="ingestion", daemon=True).start()
