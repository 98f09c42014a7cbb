"""
Named filters of targets, as people write them in a shell: ``state=active``, ``class=SN,NT``, ``seen>=2026-11-01``.

The conditions are those of `TargetFilter`, which pages and programs have, too: one model, one kept row a target.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from tides_bridge.console import bytes_shown
from tides_bridge.database import run
from tides_bridge.errors import SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.listed import TargetFilter, parameters_of, settle_all
from tides_bridge.targets.listed.filters import FIELDS, STATES

CONDITION: Final = re.compile(r"\s*(\w+)\s*(>=|<=|<|=)\s*(.+?)\s*", re.ASCII | re.DOTALL)

ENDS: Final = {">=": "_from", "<=": "_to", "<": "_before", "=": ""}
"""By the sign of a condition: how the name of the field of `TargetFilter` ends."""


def filter_of(conditions: Iterable[str]) -> TargetFilter:
    """
    Read conditions that must all be satisfied.

    Parameters
    ----------
    conditions
        As ``state=active``: of a field of `TargetFilter`, ``mag>=19`` of ``mag_from``, ``mag<=20`` of ``mag_to`` and
        ``seen<2026-11-01`` of ``seen_before``; or ``sky=RA,DEC,RADIUS`` [deg, deg, arcsec].

    Raises
    ------
    SettingsError
        If one cannot be read, or if there is none: all targets are meant by nobody.

    >>> filter_of(["class=SN,NT", "seen>=2026-11-01"]).query()
    'class=SN%2CNT&seen_from=61345'
    """
    given: dict[str, str] = {}
    for condition in conditions:
        found = CONDITION.fullmatch(condition)
        name, sign, value = found.groups() if found else ("", "=", "")
        pairs = _place(value) if (name, sign) == ("sky", "=") else {name + ENDS[sign]: value}
        if pairs.keys() - FIELDS:
            raise SettingsError(
                "--where", "", f"{bytes_shown(condition)} is no condition: known are {', '.join(known())}"
            )
        if twice := sorted(pairs.keys() & given.keys()):
            raise SettingsError("--where", "", f"{bytes_shown(condition)}: {twice[0]} is given twice")
        given |= pairs
    if not given:
        raise SettingsError("--where", "", "is empty: that would be all targets")
    try:
        chosen = TargetFilter.of_query(given.items())
    except SettingsError as error:
        raise SettingsError("--where", "", f"{error.key}: {error.problem}") from None
    if nothing := sorted(given.keys() - chosen.model_dump(by_alias=True, exclude_none=True).keys()):
        raise SettingsError("--where", "", f"{nothing[0]} has no value: that would be all targets")
    return chosen


def known() -> list[str]:
    """Give the conditions that there are, as they are written: ``name=``, ``mag>=``, ``mag<=``."""
    signs = {ending: sign for sign, ending in ENDS.items() if ending}
    endings = {name: next((ending for ending in signs if name.endswith(ending)), "") for name in FIELDS}
    return ["sky=", *(name.removesuffix(ending) + signs.get(ending, "=") for name, ending in endings.items())]


def _place(value: str) -> dict[str, str]:
    try:
        ra, decl, radius = (float(part) for part in value.split(","))
    except ValueError:
        problem = f"sky={bytes_shown(value)}: write it as sky=RA,DEC,RADIUS [deg, deg, arcsec]"
        raise SettingsError("--where", "", problem) from None
    if not (0 <= ra < 360 and -90 <= decl <= 90 and 0 < radius <= 180 * 3600):
        raise SettingsError("--where", "", f"sky={value} is no place on the sky with a radius [deg, deg, arcsec]")
    return {"around": f"{ra} {decl}", "radius": f"{radius}"}


def find_filtered(
    connection: Connection, settings: Settings, conditions: Iterable[str], tides_ids: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """
    Find the targets that satisfy all conditions.

    Parameters
    ----------
    connection
        Of a transaction, in which what has changed is made right in the list that is asked.
    settings
        By whose clock rulings are in force.
    conditions
        As of `filter_of`.
    tides_ids
        Only of these targets, merged ones, too; None: of all that are not merged.

    Raises
    ------
    SettingsError
        If a condition cannot be read.
    """
    chosen = parameters_of(connection, filter_of(conditions))
    if tides_ids is not None:
        chosen = {"states": STATES} | chosen | {"tides_ids": list(tides_ids)}
    settle_all(connection, settings)
    return run(connection, "targets/filter_targets.sql", {"chosen": json.dumps(chosen)})
