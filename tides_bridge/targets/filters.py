"""Named filters of targets, as people write them: ``state=active``, ``class=SN,NT``, ``seen>=2026-11-01``."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from tides_bridge.database import run
from tides_bridge.errors import SettingsError
from tides_bridge.lightcurves.photometry import mjd_from_time
from tides_bridge.settings import Settings
from tides_bridge.targets.rulings import time_of

FILTERS: Mapping[str, str] = {
    "state": "active, unseen, faint, unselected, steady, spectrum, veto, hold or merged; several with commas between",
    "class": "Sherlock class, as SN,NT",
    "function": "the selection function that chose it",
    "name": "of the target or one of its objects; * stands for any letters",
    "survey": "that has seen it: ztf, lsst",
    "tag": "given by tides tag",
    "refused": "words in the reason why 4MOST refused it; * for any",
    "sky": "RA,DEC,RADIUS: a place [deg] and a radius [arcsec]",
    "seen": "when it was last detected: seen>=2026-11-01 or seen<2026-11-01",
    "new": "when it became a target: new>=2026-11-01 or new<2026-11-01",
}
"""What each filter means."""

LISTS = {
    "state": "states",
    "class": "classes",
    "function": "functions",
    "name": "names",
    "survey": "surveys",
    "tag": "tags",
}
"""Filters that take several values, by the parameter of ``targets/filter_targets.sql``."""

CONDITION = re.compile(r"\s*(\w+)\s*(>=|<|=)\s*(.+?)\s*")


def pattern_of(text: str) -> str:
    r"""
    Make a pattern of SQL's LIKE of a name in which * or % stands for any letters.

    >>> pattern_of("TiDES26*"), pattern_of("a_b")
    ('TiDES26%', 'a\\_b')
    """
    return text.replace("\\", "\\\\").replace("_", "\\_").replace("*", "%")


def beginning_of(patterns: Sequence[str]) -> str:
    r"""
    Make one pattern of what all patterns of `pattern_of` begin with, by which an index can be read.

    >>> beginning_of(["TiDES26ab%", "TiDES26ac"]), beginning_of(["a\\_b", "a\\_c%"]), beginning_of(["%b", "b"])
    ('TiDES26a%', 'a\\_%', '%')
    """
    common = os.path.commonprefix([pattern.partition("%")[0] for pattern in patterns])  # noqa: RUF071 -- of letters, not of paths
    escapes = len(common) - len(common.rstrip("\\"))
    return (common[:-1] if escapes % 2 else common) + "%"


def filter_parameters(conditions: Iterable[str]) -> dict[str, Any]:
    """
    Read conditions that must all be satisfied, for ``targets/filter_targets.sql``.

    Parameters
    ----------
    conditions
        As ``state=active``; see `FILTERS`.

    Raises
    ------
    SettingsError
        If one cannot be read, or if there is none: all targets are meant by nobody.

    >>> chosen = filter_parameters(["class=SN,NT", "seen>=2026-11-01"])
    >>> {name: value for name, value in chosen.items() if value is not None}
    {'classes': ['SN', 'NT'], 'seen_from': 61345.0}
    """
    parameters = dict.fromkeys(
        [*LISTS.values(), "names_begin", "refused", "ra", "decl", "radius_arcsec", *TIMES.values()]
    )
    written = list(conditions)
    if not written:
        raise SettingsError("--where", "", "is empty: that would be all targets")
    for condition in written:
        found = CONDITION.fullmatch(condition)
        name, sign, value = found.groups() if found else ("", "", "")
        if name in LISTS and sign == "=":
            values = [part.strip() for part in value.split(",") if part.strip()]
            given: dict[str, Any] = {LISTS[name]: values}
            if name == "name":
                patterns = [pattern_of(part) for part in values]
                given = {"names": patterns, "names_begin": beginning_of(patterns)}
        elif name == "refused" and sign == "=":
            given = {"refused": f"%{pattern_of(value)}%"}
        elif name == "sky" and sign == "=":
            given = _place(value)
        elif (name, sign) in TIMES:
            convert: Callable[[datetime], Any] = mjd_from_time if name == "seen" else datetime.isoformat
            given = {TIMES[name, sign]: convert(time_of(value, f"--where {condition}"))}
        else:
            raise SettingsError("--where", "", f"{condition} is no condition: known are {', '.join(FILTERS)}")
        if twice := [key for key in given if parameters[key] is not None]:
            raise SettingsError("--where", "", f"{condition}: {twice[0]} is given twice")
        parameters |= given
    return parameters


TIMES = {
    ("seen", ">="): "seen_from",
    ("seen", "<"): "seen_before",
    ("new", ">="): "new_from",
    ("new", "<"): "new_before",
}
"""Conditions on times, by the parameter of the script."""


def _place(value: str) -> dict[str, Any]:
    try:
        ra, decl, radius = (float(part) for part in value.split(","))
    except ValueError:
        raise SettingsError("--where", "", f"sky={value}: write it as sky=RA,DEC,RADIUS [deg, deg, arcsec]") from None
    if not (0 <= ra < 360 and -90 <= decl <= 90 and 0 < radius <= 180 * 3600):
        raise SettingsError("--where", "", f"sky={value} is no place on the sky with a radius [deg, deg, arcsec]")
    return {"ra": ra, "decl": decl, "radius_arcsec": radius}


def find_filtered(
    connection: Connection, settings: Settings, conditions: Iterable[str], tides_ids: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """
    Find the targets that satisfy all conditions.

    Parameters
    ----------
    connection
        To the database.
    settings
        By whose clock a tag is in force.
    conditions
        As of `filter_parameters`.
    tides_ids
        Only of these targets, merged ones, too; None: of all that are not merged.
    """
    about = {"at": settings.time().isoformat(), "tides_ids": None if tides_ids is None else list(tides_ids)}
    return run(connection, "targets/filter_targets.sql", filter_parameters(conditions) | about)
