"""
Our targets in a TOM: made, kept right, and never twice, whatever is killed.

What is going to be written is noted before, and what the answers show after: so a difference that is neither is that of
people there. Names are unique in a TOM: a creation whose answer was lost is found by name.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from tides_bridge.database import Database, run
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.settings import Settings, target_page
from tides_bridge.tom.client import TomClient, TomRow
from tides_bridge.tom.comparing import Fields, compared, fields_of, is_same, tom_body, wanted_fields
from tides_bridge.tom.hearing import hear
from tides_bridge.tom.matching import Target, TomListing, is_at, match_targets

AT_ONCE = 50
"""Targets that are noted together before and after they are written."""


@dataclass(frozen=True)
class TomTask:
    """
    A target, what it is in the TOM, and what is to become of it there.

    Attributes
    ----------
    target, row
        Here and there; the latter None: not there.
    is_gone
        It was there, and somebody has deleted it: it is not made again.
    wanted, changes, refused, theirs
        What it is to be; of that what is to be written, what was refused before, and what people made otherwise.
    problem
        Why something was refused.
    """

    target: Target
    row: TomRow | None
    is_gone: bool
    wanted: Fields = field(default_factory=dict)
    changes: Fields = field(default_factory=dict)
    refused: Fields = field(default_factory=dict)
    theirs: Fields = field(default_factory=dict)
    problem: str | None = None

    @property
    def is_refused(self) -> bool:
        """Whether it was to be made, and is not there."""
        return self.row is None and bool(self.refused)


@dataclass
class TomSynced:
    """
    What was done: numbers of targets, and a line for each that people there changed or deleted, or that was refused.

    Attributes
    ----------
    created, updated, unchanged, heard
        Numbers of targets; of the last something was taken in.
    different, gone, refused
        Lines.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    heard: int = 0
    different: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Give numbers of targets."""
        return {name: value if isinstance(value, int) else len(value) for name, value in vars(self).items()}

    def summary(self) -> str:
        """
        Say it in a line.

        >>> TomSynced(created=2, gone=["a"]).summary()
        '2 created, 0 updated, 0 unchanged, 0 heard, 0 different, 1 gone, 0 refused'
        """
        return ", ".join(f"{number} {name}" for name, number in self.counts().items())

    def add(self, task: TomTask) -> None:
        """Count a target, as it is after it was written."""
        name = task.target["name"]
        changed = ", ".join(f"{what.removeprefix('extra ')}: {value}" for what, value in task.theirs.items())
        self.gone += [name] if task.is_gone else []
        self.different += [f"{name}: {changed}"] if changed else []
        self.refused += [f"{name}: {task.problem}"] if task.problem else []
        is_new = bool(task.changes) and task.target["tom_id"] is None and not task.target["is_adopted"]
        self.created += is_new and not task.is_refused
        self.updated += bool(task.changes) and not is_new
        self.unchanged += not task.changes and not task.is_gone


def sync_tom(
    database: Database,
    settings: Settings,
    ours: Collection[str] = (),
    is_dry_run: bool = False,
) -> TomSynced:
    """
    Bring a TOM up to date with our targets, and take in what people say of them there.

    Parameters
    ----------
    database, settings
        With the targets, and ``tom``.
    ours
        Names of targets that are to be as we have them, also where people there changed or deleted them.
    is_dry_run
        Nothing is written, neither here nor there.

    Raises
    ------
    SettingsError
        If no TOM is named, or a name of ``ours`` is that of no target.
    RejectedError
        If another one is at work: two would each write what the other has written.
    TomUnavailable
        If it does not answer as it should: what was done until then is kept, and the next time goes on.
    """
    if settings.tom.address is None:
        raise SettingsError("tom.address", "", "is not set: there is no TOM to ask")
    client = TomClient(settings.tom)
    with nullcontext(True) if is_dry_run else database.only_sync() as is_alone:
        if not is_alone:
            raise RejectedError(client.address, "is being brought up to date by another tides tom sync: let it end")
        return _synced(database, settings, client, ours, is_dry_run)


def _synced(
    database: Database, settings: Settings, client: TomClient, ours: Collection[str], is_dry_run: bool
) -> TomSynced:
    tasks = plan_tom(database, settings, client, ours)
    synced = TomSynced()
    if not is_dry_run:
        tasks = _write_all(database, client, tasks)
        synced.heard = hear(database, settings, client, [(task.target, task.row) for task in tasks if task.row])
    for task in tasks:
        synced.add(task)
    return synced


def plan_tom(database: Database, settings: Settings, client: TomClient, ours: Collection[str]) -> list[TomTask]:
    """
    Compare our targets with those of a TOM, and say what is to be written.

    Parameters
    ----------
    database, settings, ours
        As of `sync_tom`.
    client
        Is only asked.
    """
    about = {"tom": client.address, "now_mjd": settings.now_mjd()}
    with database.transaction() as connection:
        targets: list[Target] = list(run(connection, "tom/list_targets.sql", about))
    if strange := set(ours) - {target["name"] for target in targets}:
        raise SettingsError("--ours", "", f"{', '.join(sorted(strange))}: no target of ours is called so")
    targets = [_as_ours(target) if target["name"] in ours else target for target in targets]
    listing = TomListing.of(client.rows())
    rows = match_targets(client, listing, targets)
    return [_task(target, row, listing, links(target, settings)) for target, row in zip(targets, rows, strict=True)]


def links(target: Target, settings: Settings) -> dict[str, str]:
    """Give the address of a target's page, if the settings say where others reach it."""
    if settings.page.address is None:
        return {}
    return {"page": target_page(settings, target["name"])}


def _as_ours(target: Target) -> Target:
    """Forget what people changed: any value there is one that may be written over."""
    key = None if target["gone_since"] else target["tom_id"]
    return {**target, "tom_id": key, "gone_since": None, "refused": {}, "is_ours": True}


def _task(target: Target, row: TomRow | None, listing: TomListing, pages: Mapping[str, str]) -> TomTask:
    is_adopted = row is not None and target["tom_id"] is None
    target = {**target, "is_adopted": is_adopted}
    if row is None and target["tom_id"] is not None:
        return TomTask(target, None, True, problem=target["problem"], refused=target["refused"])
    present = fields_of(row)
    wanted = wanted_fields(target, pages, listing.taken(target, row))
    if row is not None and row.name not in (target["name"], target["told"].get("name"), target["asked"].get("name")):
        wanted[f"alias {target['name']}"] = target["name"]  # they call it otherwise: it is found by our name, too
    written, asked = (present, {}) if target.get("is_ours") else (target["told"], target["asked"])
    difference = compared(wanted, present, written, asked)
    refused = {
        what: value
        for what, value in difference.changes.items()
        if what in target["refused"] and is_same(value, target["refused"][what])
    }
    changes = {what: value for what, value in difference.changes.items() if what not in refused}
    problem = target["problem"] if refused else None
    return TomTask(target, row, False, wanted, changes, refused, difference.theirs, problem)


def _write_all(database: Database, client: TomClient, tasks: Sequence[TomTask]) -> list[TomTask]:
    """Write what is to be written, some targets at a time; gives them as they are then."""
    written = {task.target["tides_id"]: task for task in tasks}
    writing = [task for task in tasks if task.changes]
    for start in range(0, len(writing), AT_ONCE):
        for task in _write_some(database, client, writing[start : start + AT_ONCE]):
            written[task.target["tides_id"]] = task
    quiet = [row for task in tasks if not task.changes and (row := _told(task)) != _remembered(task.target)]
    _store_told(database, client.address, quiet)
    return list(written.values())


def _write_some(database: Database, client: TomClient, tasks: Sequence[TomTask]) -> list[TomTask]:
    asked = [
        {"tides_id": task.target["tides_id"], "tom_id": task.row and task.row.id, "asked": task.changes}
        for task in tasks
    ]
    with database.transaction("tom_asked") as connection:
        run(connection, "tom/store_asked.sql", {"tom": client.address, "rows": json.dumps(asked)})
    done: list[TomTask] = []
    try:
        done.extend(_written(client, task) for task in tasks)
    finally:  # what was answered is known, whatever comes after
        _store_told(database, client.address, [_told(task) for task in done])
    return done


def _store_told(database: Database, tom: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        with database.transaction("tom_told") as connection:
            run(connection, "tom/store_told.sql", {"tom": tom, "rows": json.dumps(rows)})


def _written(client: TomClient, task: TomTask) -> TomTask:
    """Write one target, and see in the answer what it is now."""
    row, problem = task.row, None
    try:
        row = _send(client, row, task.changes)
    except RejectedError as error:
        row, problem = _send_rest(client, task, error.problem)
    present = fields_of(row)
    refused = {what: value for what, value in task.changes.items() if not is_same(value, present.get(what))}
    if refused and problem is None:
        problem = f"does not show: {', '.join(refused)}"
    return replace(task, row=row, refused={**task.refused, **refused}, problem=problem or task.problem)


def _send(client: TomClient, row: TomRow | None, changes: Fields) -> TomRow | None:
    body, gone = tom_body(changes, row)
    for alias in gone:
        client.remove_alias(alias)
    if row is None:
        return client.create(body)
    return client.update(row, body) if body else client.row(row.id)


def _send_rest(client: TomClient, task: TomTask, problem: str) -> tuple[TomRow | None, str | None]:
    """Look at what became of a call that was refused, and write the rest of it, without names that may be others'."""
    row = client.find(task.target["name"]) if task.row is None else client.row(task.row.id)
    if task.row is None and row is not None and not is_at(row, task.target):  # another thing of our name
        return None, problem
    present = fields_of(row)
    rest = {
        what: value
        for what, value in task.changes.items()
        if not what.startswith("alias ") and not is_same(value, present.get(what))
    }
    if not rest or (row is None and "aliases" not in problem):
        return row, problem
    try:
        return _send(client, row, rest), problem
    except RejectedError as error:
        return row, error.problem


def _told(task: TomTask) -> dict[str, Any]:
    """Word what is known of a target there, for ``tom/store_told.sql``."""
    present, before = fields_of(task.row), task.target["told"]
    written = {what: value for what, value in task.wanted.items() if is_same(value, present.get(what))}
    written |= {what: before[what] for what in task.theirs if what in before}
    return {
        "tides_id": task.target["tides_id"],
        "tom_id": task.row.id if task.row else task.target["tom_id"],
        "told": before if task.is_gone else written,
        "refused": dict(task.refused),
        "problem": task.problem,
        "theirs": dict(task.theirs),
        "is_gone": task.is_gone,
    }


def _remembered(target: Target) -> dict[str, Any]:
    """Give the same of what was stored; one that was being written is always stored anew."""
    kept = {key: target[key] for key in ("tides_id", "tom_id", "told", "refused", "problem", "theirs")}
    return {**kept, "is_gone": bool(target["asked"]) or target["gone_since"] is not None}
