"""
What of a target is to be written to the TOM: by what it is to be, what it is there, and what we last wrote.

A difference that we did not make is that of people there: it stays, and is told. No input or output.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tides_bridge.tom.client import Body, TomName, TomRow
from tides_bridge.web import cleaned

Value = str | float | None
Fields = Mapping[str, Value]
"""What a target is: ``name``, ``ra`` and ``dec`` [deg], ``extra KEY`` and ``alias NAME``, which is that name."""

OURS = "tides_"
"""Extra fields that begin so are ours."""

SAME = 1e-7
"""[deg] Positions that differ by less are one: 0.4 milliarcseconds."""


class ToWrite(NamedTuple):
    """What is to be written, and what people have made otherwise: None is what is not there."""

    changes: dict[str, Value]
    theirs: dict[str, Value]


def fields_of(row: TomRow | None) -> dict[str, Value]:
    """Give what a target is there; nothing of one that is not there."""
    if row is None:
        return {}
    fields: dict[str, Value] = {"name": row.name, "ra": row.ra, "dec": row.dec}
    fields |= {f"alias {alias.name}": alias.name for alias in row.aliases}
    return fields | {f"extra {extra.key}": extra.value for extra in row.targetextra_set if extra.key.startswith(OURS)}


def words_of(row: TomRow) -> dict[str, str]:
    """Give the extra fields of a target that people have made there, fit to be kept."""
    theirs = [extra for extra in row.targetextra_set if not extra.key.startswith(OURS)]
    return {cleaned(extra.key, 200): cleaned(extra.value) for extra in theirs}


def wanted_fields(target: Mapping[str, Any], links: Mapping[str, str], taken: frozenset[str]) -> dict[str, Value]:
    """
    Give what a target is to be there.

    Parameters
    ----------
    target
        A row of ``tom/list_targets.sql``.
    links
        Further extra fields.
    taken
        Names that are of other targets there: a name is of one only.
    """
    extras = {key: str(value) for key, value in target["extras"].items()} | dict(links)
    fields: dict[str, Value] = {"name": target["name"], "ra": target["ra"], "dec": target["decl"]}
    fields |= {f"alias {name}": name for name in target["aliases"] if name not in {target["name"], *taken}}
    fields |= {f"extra {OURS}{key}": value for key, value in extras.items()}
    for field in target["told"]:  # what no longer is: an extra field stays, and is empty
        if field.startswith("extra "):
            fields.setdefault(field, "")
    return fields


def is_same(one: Value, other: Value) -> bool:
    """
    Tell whether two values are one.

    >>> is_same("a", "a"), is_same(10.0, 10.00000001), is_same(10.0, 10.000001), is_same(None, ""), is_same(0, None)
    (True, True, False, False, False)
    """
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) < SAME
    return one == other


def compared(wanted: Fields, present: Fields, written: Fields, asked: Fields) -> ToWrite:
    """
    Tell what is to be written.

    Parameters
    ----------
    wanted, present
        What a target is to be, and is.
    written, asked
        What we last wrote, and what we asked for without hearing what became of it: both are ours.

    >>> compared({"ra": 2.0, "name": "b"}, {"ra": 1.0, "name": "c"}, {"ra": 1.0, "name": "a"}, {})
    ToWrite(changes={'ra': 2.0}, theirs={'name': 'c'})
    """
    difference = ToWrite({}, {})
    fields = [*wanted, *(field for field in {**written, **asked} if field not in wanted)]
    for field in fields:
        aim, now = wanted.get(field), present.get(field)
        if is_same(aim, now):
            continue
        is_ours = is_same(now, written.get(field)) or is_same(now, asked.get(field))
        if is_ours:
            difference.changes[field] = aim
        elif aim is not None:
            difference.theirs[field] = now
    return difference


def tom_body(changes: Fields, row: TomRow | None) -> tuple[Body, list[TomName]]:
    """
    Word changes as the API has them: the body of a call, and the names to take away, which is a call each.

    Parameters
    ----------
    changes
        Of `compared`; None takes a name away.
    row
        The target as it is there, whose extra fields have keys.
    """
    keys = {extra.key: extra.id for extra in row.targetextra_set} if row else {}
    body: Body = {}
    for field, value in changes.items():
        kind, _, name = field.partition(" ")
        if kind == "extra":
            known = {"id": keys[name]} if name in keys else {}
            body.setdefault("targetextra_set", []).append({**known, "key": name, "value": value})
        elif kind == "alias" and value is not None:
            body.setdefault("aliases", []).append({"name": value})
        elif kind != "alias":
            body[field] = value
    gone = [alias for alias in row.aliases if changes.get(f"alias {alias.name}", "") is None] if row else []
    return body, gone
