"""Targets of the bridge, written in bulk; what people changed stays."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm
from tom_targets.base_models import get_target_model_app_label
from tom_targets.models import Target, TargetExtra, TargetList, TargetName

from tom_tides.models import TidesPlace, TidesTarget

OURS = "tides_"
"""Extra fields that begin so are ours."""

SAME = 1e-7
"""[deg] Positions that differ by less are one."""

ONE_PLACE = 5 / 3600
"""[deg] A target with a name of an object is the bridge's within this."""

FIELDS = ("name", "ra", "dec")
LISTS = {True: "TiDES active", False: "TiDES off"}

Row = dict[str, Any]


@dataclass
class Outcome:
    """What was done: numbers of targets, and lines on what people changed or deleted."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    different: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class Undone(Exception):
    """Nothing is to stay of what was tried."""


def write_page(rows: list[Row], address: str, cursor: str, outcome: Outcome, is_dry_run: bool = False) -> None:
    """
    Write a page of changes, and how far they were read, in one transaction.

    Parameters
    ----------
    rows, cursor
        As the bridge's API gives them.
    address
        Of its portal, for links.
    outcome
        Is counted in.
    is_dry_run
        Nothing stays.
    """
    try:
        with transaction.atomic():
            if rows:
                _Page(rows, address, outcome).write()
            TidesPlace.objects.update_or_create(what="targets", defaults={"cursor": cursor})
            if is_dry_run:
                raise Undone
    except Undone:
        pass


class _Page:
    """Some targets, and what is known of them here."""

    def __init__(self, rows: list[Row], address: str, outcome: Outcome) -> None:
        self.rows, self.address, self.outcome = rows, address, outcome
        self.known = TidesTarget.objects.in_bulk([row["tides_id"] for row in rows])
        keys = [known.target_id for known in self.known.values() if known.target_id is not None]
        names = {name for row in rows for name in (row["name"], *(alias["object_id"] for alias in row["aliases"]))}
        owners = dict(TargetName.objects.filter(name__in=names).values_list("name", "target_id"))
        owners |= dict(Target.objects.filter(name__in=names).values_list("name", "id"))
        self.owners = owners
        self.targets = Target.objects.in_bulk({*keys, *owners.values()})
        self.claimed = set(keys)
        self.extras = _grouped(TargetExtra.objects.filter(target_id__in=self.targets, key__startswith=OURS))
        self.aliases = _grouped(TargetName.objects.filter(target_id__in=self.targets))
        self.new: list[tuple[Row, Any]] = []
        self.changed: dict[int, Any] = {}
        self.memories: list[TidesTarget] = []
        self.to_create: list[Any] = []
        self.to_update: list[TargetExtra] = []
        self.to_delete: list[int] = []
        self.states: dict[bool, list[int]] = {True: [], False: []}

    def write(self) -> None:
        """Write all of it."""
        pairs = [(row, self._target_of(row)) for row in self.rows]
        made = [(row, target) for row, target in pairs if target is not None and target.pk is None]
        for _, target in made:  # what bulk_create leaves to save()
            target.modified = timezone.now()
        for _, target in made if hasattr(Target, "basetarget_ptr") else ():
            target.save()  # of a model with a table of its own
        if made and not hasattr(Target, "basetarget_ptr"):
            Target.objects.bulk_create([target for _, target in made])
        is_new = {id(target) for _, target in made}
        for row, target in pairs:
            if target is not None:
                self._compare(row, target, id(target) in is_new)
        self._store([target for _, target in made])

    def _target_of(self, row: Row) -> Any:
        """Give the target of a row, a new one that is not stored yet, or None: people deleted it."""
        known = self.known.get(row["tides_id"])
        if known is not None:
            if known.target_id is None:
                self.outcome.gone.append(row["name"])
            return self.targets.get(known.target_id)
        for name in (row["name"], *(alias["object_id"] for alias in row["aliases"])):
            target = self.targets.get(self.owners.get(name))
            if target is not None and target.pk not in self.claimed and _is_at(target, row):
                self.claimed.add(target.pk)
                return target
        if row["name"] in self.owners:
            self.outcome.different.append(f"{row['name']}: another target has this name, at another place")
            return None
        return Target(name=row["name"], type="SIDEREAL", ra=row["ra"], dec=row["dec"], epoch=2000.0)

    def _compare(self, row: Row, target: Any, is_new: bool) -> None:
        known = self.known.get(row["tides_id"]) or TidesTarget(tides_id=row["tides_id"], target_id=target.pk)
        before, counts = known.written, len(self.to_create) + len(self.to_update) + len(self.to_delete)
        written: dict[str, Any] = {}
        theirs = self._compare_fields(row, target, before, written)
        theirs += self._compare_extras(row, target.pk, before, written)
        self._compare_aliases(row, target, before, written)
        if theirs:
            self.outcome.different.append(f"{row['name']}: {', '.join(theirs)}")
        is_changed = counts != len(self.to_create) + len(self.to_update) + len(self.to_delete)
        is_changed |= target.pk in self.changed
        self.outcome.created += is_new
        self.outcome.updated += is_changed and not is_new
        self.outcome.unchanged += not is_changed and not is_new
        if written != before or known.pk not in self.known:
            known.written = written
            self.memories.append(known)
        self.states[row["is_active"]].append(target.pk)

    def _compare_fields(self, row: Row, target: Any, before: Row, written: Row) -> list[str]:
        theirs = []
        for name in FIELDS:
            now = getattr(target, name)
            if _is_same(now, row[name]):
                written[name] = row[name]
            elif name in before and _is_same(now, before[name]):
                setattr(target, name, row[name])
                self.changed[target.pk], written[name] = target, row[name]
            else:
                written |= {name: before[name]} if name in before else {}
                theirs.append(f"{name}: {now}")
        return theirs

    def _compare_extras(self, row: Row, key: int, before: Row, written: Row) -> list[str]:
        theirs, present = [], {extra.key: extra for extra in self.extras.get(key, ())}
        wanted = extras_of(row, self.address)
        wanted |= {name: "" for name in before if name.startswith(OURS) and name not in wanted}
        for name, value in wanted.items():
            extra = present.get(name)
            if extra is None and name not in before:
                self.to_create.append(_with_number(TargetExtra(target_id=key, key=name, value=value)))
            elif (extra is not None and extra.value not in (value, before.get(name))) or extra is None:
                theirs.append(f"{name}: {extra.value if extra else 'deleted'}")
                written |= {name: before[name]} if name in before else {}
                continue
            elif extra.value != value:
                extra.value = value
                self.to_update.append(_with_number(extra))
            written[name] = value
        return theirs

    def _compare_aliases(self, row: Row, target: Any, before: Row, written: Row) -> None:
        """Add names that are new and nobody's, and take those away that were moved to another target."""
        wanted = {alias["object_id"] for alias in row["aliases"]} - {target.name}
        present = {alias.name: alias.pk for alias in self.aliases.get(target.pk, ())}
        former = set(before.get("aliases", ()))
        for name in sorted(wanted - present.keys() - former):
            if name not in self.owners:
                self.owners[name] = target.pk
                self.to_create.append(TargetName(target_id=target.pk, name=name))
                present[name] = 0
        self.to_delete += [present.pop(name) for name in sorted(former - wanted) if name in present]
        written["aliases"] = sorted(wanted & (present.keys() | former))

    def _store(self, made: list[Any]) -> None:
        TargetName.objects.filter(pk__in=self.to_delete).delete()
        for kind in (TargetName, TargetExtra):
            kind.objects.bulk_create([thing for thing in self.to_create if isinstance(thing, kind)])
        TargetExtra.objects.bulk_update(self.to_update, ["value", "float_value", "bool_value", "time_value"], 500)
        for target in self.changed.values():
            target.modified = timezone.now()
        Target.objects.bulk_update(list(self.changed.values()), [*FIELDS, "modified"], 500)
        TidesTarget.objects.bulk_create(
            self.memories, update_conflicts=True, unique_fields=["tides_id"], update_fields=["target", "written"]
        )
        _list_states(self.states)
        _let_see(made)


def extras_of(row: Row, address: str) -> dict[str, str]:
    """Give the extra fields of a target; without those of which nothing is known."""
    values = {
        "id": row["tides_id"], "state": row["state"], "class": row["sherlock_class"], "type": row["type"],
        "redshift": row["redshift"], "mag_tonight": row["tonight_mag"], "pk_4most": row["pk_4most"],
        "page": f"{address}/targets/{row['name']}",
    }  # fmt: skip
    return {f"{OURS}{key}": str(value) for key, value in values.items() if value is not None}


def _with_number(extra: TargetExtra) -> TargetExtra:
    """Set what TargetExtra.save() sets of its value."""
    try:
        number = float(extra.value)
    except ValueError:
        number = math.nan
    extra.float_value = number if math.isfinite(number) else None
    extra.bool_value, extra.time_value = bool(extra.value), None
    return extra


def _list_states(states: dict[bool, list[int]]) -> None:
    """Have each target on the list of its state."""
    for is_active, name in LISTS.items():
        listed = TargetList.objects.filter(name=name).first() or TargetList.objects.create(name=name)
        listed.targets.add(*states[is_active])
        listed.targets.remove(*states[not is_active])


def _let_see(targets: list[Any]) -> None:
    """Let the groups of the settings see and change new targets; without one all see them."""
    names = settings.TIDES.get("groups", ())
    chosen = Target.objects.filter(pk__in=[target.pk for target in targets])
    if not names:
        chosen.update(permissions=Target.Permissions.PUBLIC)
    label = get_target_model_app_label()
    for name in names if targets else ():
        group, _ = Group.objects.get_or_create(name=name)
        for right in ("view_target", "change_target"):
            assign_perm(f"{label}.{right}", group, chosen)


def _grouped(things: Iterable[Any]) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = {}
    for thing in things:
        groups.setdefault(thing.target_id, []).append(thing)
    return groups


def _is_same(one: Any, other: Any) -> bool:
    is_number = isinstance(one, float | int) and isinstance(other, float | int)
    return bool(abs(one - other) < SAME if is_number else one == other)


def _is_at(target: Any, row: Row) -> bool:
    if target.ra is None or target.dec is None:
        return False
    east = ((target.ra - row["ra"] + 180) % 360 - 180) * math.cos(math.radians(row["dec"]))
    return math.hypot(east, target.dec - row["dec"]) < ONE_PLACE
