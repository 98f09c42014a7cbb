"""
A run of which nothing stays: what would be decided, switched, and sent to 4MOST. ``tides run --dry-run``.

All happens as in a run, within one transaction that is undone. Kafka is told nothing; of 4MOST is only read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow

from flows.comm_pipe import pull_and_decide
from flows.only import look_at
from flows.parameters import Config, SettingsFile, run_name, skip_this_run
from tasks.behaviour import speak_plainly, without_causes
from tasks.exchange import prepare_4most_update, read_back_from_4most
from tasks.progress import Progress
from tasks.store import deactivate_unobserved_transients, put_in_force
from tasks.summary import Summary
from tides_bridge.database import Database, ensure_schema, open_database, run
from tides_bridge.database.run_log import logged_run
from tides_bridge.decisions.again import decided_since
from tides_bridge.decisions.provenance import keep_provenance
from tides_bridge.decisions.record import contradictions, load_functions
from tides_bridge.errors import FourmostUnavailable
from tides_bridge.fourmost.client import FourmostClient
from tides_bridge.selection import SelectionFunction
from tides_bridge.settings import Settings, load_settings
from tides_bridge.targets.guard import list_held

Row = dict[str, Any]
"""What would happen: ``what``, ``target`` (its name, or the object that is none) and ``detail``."""

UNFORESEEN = (
    "not foreseen: what people, brokers and 4MOST say in the meantime; the name of a target that another row has at "
    "4MOST; what 4MOST answers"
)


@flow(name="TiDES dry run", flow_run_name=run_name)
def rehearse(config: Config = None, settings_file: SettingsFile = None, only: Sequence[str] = ()) -> Row:
    """
    Tell what a run would do now, or one that looks at some objects only.

    Returns
    -------
    dict
        ``counts`` of `tasks.summary.Summary`, ``rows`` of what would happen, and ``notes``; and ``problem``: who was
        away, None if nobody was.
    """
    speak_plainly()
    with without_causes():
        settings, summary = load_settings(config, Path(settings_file) if settings_file else None), Summary()
        functions, rows = load_functions(settings), list[Row]()
        with open_database(settings) as real, real.rehearsal() as database:
            if database is None:
                return skip_this_run({"counts": {}, "rows": [], "notes": [], "problem": "another run is at work"})
            ensure_schema(database, is_ours=settings.database.host == "embedded")
            before = _states(database)
            run_id = (
                look_at(database, settings, functions, summary, only)
                if only
                else _all_of_it(database, settings, functions, summary, rows)
            )
            rows[:0] = [*_decided(database, summary, run_id), *_switched(before, _states(database))]
        problem = str(summary.outage) if summary.outage else None
        return {"counts": summary.counts(), "rows": rows, "notes": [*summary.notes, UNFORESEEN], "problem": problem}


def _all_of_it(
    database: Database, settings: Settings, functions: list[SelectionFunction], summary: Summary, rows: list[Row]
) -> int:
    """Do what a whole run does, but send nothing to 4MOST; add what would be sent, and give the run's key."""
    with logged_run(database, "bridge") as run_id:
        changes = keep_provenance(database, run_id, settings, functions)
        for note in (*changes, *contradictions(settings, functions[0])):
            summary.note(note)
        put_in_force(database, settings, functions)
        pull_and_decide(database, settings, functions, summary, Progress(len(settings.each_broker())))
        summary.add_switched(deactivate_unobserved_transients(database, settings))
        rows += _to_be_sent(database, settings, summary)
    with database.transaction() as connection:
        for held in list_held(connection):
            summary.note(f"held back by targets.guard: {held}")
    return run_id


def _states(database: Database) -> dict[str, str]:
    """Give the state of all targets by name."""
    with database.transaction() as connection:
        rows = run(connection, "targets/list_states.sql", {"tides_ids": None})
    return {row["name"]: row["state"] for row in rows}


def _switched(before: dict[str, str], after: dict[str, str]) -> list[Row]:
    """Tell which targets are new, and of which others the state would change."""
    words = {
        name: "new target" if name not in before else "switched on" if state == "active" else "switched off"
        for name, state in after.items()
        if before.get(name) != state
    }
    return [{"what": what, "target": name, "detail": after[name]} for name, what in words.items()]


def _decided(database: Database, summary: Summary, run_id: int) -> list[Row]:
    """Tell which objects would pass, or pass no more; note how many are decided anew, and what that costs."""
    counted, decided, calls = decided_since(database, run_id)
    for row in counted:
        summary.note(f"{row['function']} ({row['role']}): {row['decided']} decided anew, of which {row['passed']} pass")
    if calls:
        summary.note(f"{calls} calls of light-curve APIs were made for this, which later runs do not count")
    return [
        {"what": _verdict(row), "target": row["name"] or row["object_id"], "detail": _detail(row)} for row in decided
    ]


def _verdict(row: Row) -> str:
    if not row["passed"]:
        return "passes no more"
    return "passes still" if row["passed_before"] else "passes"


def _detail(row: Row) -> str:
    lacking = f", fails {' and '.join(row['failed'])}" if row["failed"] else ""
    role = "" if row["role"] == "active" else f" ({row['role']})"
    return f"{row['survey']} {row['object_id']}: {row['function']}{role}{lacking}"


def _to_be_sent(database: Database, settings: Settings, summary: Summary) -> list[Row]:
    """Tell what 4MOST would be asked; of it is only read what it has ingested."""
    if not settings.fourmost.address:
        summary.note("nothing would be sent to 4MOST: fourmost.address is not set")
        return []
    try:
        read_back_from_4most(database, FourmostClient(settings.fourmost, database.prove_run))
    except FourmostUnavailable as error:
        summary.outage = summary.outage or error
    with database.transaction() as connection:
        if unanswered := len(run(connection, "fourmost/list_unanswered.sql")):
            summary.note(f"not foreseen: {unanswered} targets of which 4MOST did not answer yet are looked up first")
    stage = prepare_4most_update(database, settings).take()
    summary.add_forbidden(stage.refused)
    whole = [{"what": "created at 4MOST", "target": row["name"], "detail": _said(row["payload"])} for row in stage.new]
    for what, rows in (("updated at 4MOST", stage.changed), ("switched off at 4MOST", stage.deactivated)):
        whole += [{"what": what, "target": row["name"], "detail": _said(row["changes"])} for row in rows]
    refused = [{"what": "not sent", "target": row["name"], "detail": row["reason"]} for row in stage.refused]
    return [*whole, *refused]


SAID = ("ra", "dec", "mag", "mag_err", "mag_type", "is_active", "date_latest")
"""What of a row at 4MOST changes from target to target."""


def _said(columns: Row) -> str:
    return ", ".join(f"{name} {columns[name]}" for name in SAID if name in columns)
