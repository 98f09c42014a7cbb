"""
The daily list of the Transient Name Server: what it calls our targets, and which of them have a spectrum already.

The list is a CSV, packed with zip as it is published: all objects, or those of a day. Its first line is the time or the
day it is of, the second the names of the columns (TNS, "CSV staging": objid, name_prefix, name, ra, declination,
redshift, typeid, type, ..., internal_names, creationdate, lastmodified). Positions are in decimal degrees.
"""

import csv
import io
import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pandas as pd

from tides_bridge.database import Database, copy_frame, listed_columns, run
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.contents import BROKEN, open_unpacked
from tides_bridge.formats.meaning.identifiers import exact_name, exact_names

NEEDED = ("objid", "name_prefix", "name", "ra", "declination", "redshift", "type", "internal_names", "lastmodified")
"""The columns that are used."""

PREAMBLE = 5
"""[lines] Within these the names of the columns must come."""

LARGEST_ID = 2**63

RUBIN = re.compile(r".*\D(\d{15,19})", re.ASCII)
"""A name that ends with an identifier of Rubin, which surveys and we know by its number alone."""

UNREADABLE = (*BROKEN, csv.Error, RuntimeError, NotImplementedError)
"""What a broken list raises; the last two are an encrypted archive, and one packed in a way that Python lacks."""


@dataclass(frozen=True)
class TnsList:
    """
    A list as it was read.

    Attributes
    ----------
    listed_for
        The time or day in its first line; empty if it has none.
    objects
        A row an object, with the columns of ``tns_stage``.
    refused
        Number of the line, and why it could not be read.
    """

    listed_for: str
    objects: pd.DataFrame
    refused: list[tuple[int, str]]


@dataclass(frozen=True)
class LoadedTns:
    """What became of a list: numbers of objects new to us, and changed; the others were there."""

    tns_list: TnsList
    inserted: int
    updated: int


def load_tns(database: Database, path: Path) -> LoadedTns:
    """
    Read a list and store it, and its redshifts of our targets as annotations.

    The same again changes nothing, and an older list changes nothing that a newer one said.

    Parameters
    ----------
    database
        Where it is stored.
    path
        CSV as the server publishes it, packed or not.

    Raises
    ------
    MalformedAlert
        If it is no such list.
    """
    found = read_tns(path)
    about = {"file": path.name, "listed_for": found.listed_for}
    with database.transaction("tns") as connection:
        run(connection, "targets/create_tns_stage.sql")
        copy_frame(connection, "targets/load_tns_stage.sql", found.objects)
        (counts,) = run(connection, "targets/upsert_tns_objects.sql")
        sizes = {"objects": len(found.objects), "refused": len(found.refused)}
        run(connection, "targets/store_tns_load.sql", about | sizes)
        run(connection, "targets/annotate_tns.sql")
    return LoadedTns(found, counts["inserted"], counts["updated"])


def match_of(database: Database, object_id: str, survey: str | None = None) -> dict[str, Any]:
    """
    Tell what the Transient Name Server says of a target, by its name or that of an object of it.

    Parameters
    ----------
    database
        With the newest list.
    object_id
        Of an object of a target, or of the target.
    survey
        Of that object; None where only one survey has it.

    Returns
    -------
    dict
        ``matches``, rows of ``tns_match``; and ``last_load``, the newest list that was loaded, None if there is none:
        then that there is no match says nothing.
    """
    with database.transaction() as connection:
        matches = run(connection, "targets/get_tns_match.sql", {"object_id": object_id, "survey": survey})
        loads = run(connection, "targets/get_last_load.sql")
    return {"matches": matches, "last_load": loads[0] if loads else None}


def read_tns(path: Path) -> TnsList:
    """
    Read a list; a row that cannot be read is kept aside with its reason.

    Raises
    ------
    MalformedAlert
        If it cannot be read, or lacks a column.
    """
    try:
        with _opened(path) as text:
            return _read(path, text)
    except UNREADABLE as problem:
        raise MalformedAlert(str(path), f"cannot be read: {problem or type(problem).__name__}") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """Open the list as text: a file of a zip archive, or packed in another way, or as it is."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            if len(names) != 1:
                raise MalformedAlert(str(path), f"holds {len(names)} files *.csv, not one: {', '.join(names[:5])}")
            with archive.open(names[0]) as packed:
                yield io.TextIOWrapper(packed, encoding="utf-8-sig", newline="")
    else:
        with open_unpacked(path) as stream:
            yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _read(path: Path, text: IO[str]) -> TnsList:
    rows = csv.reader(text)
    listed_for, names = _header(path, rows)
    places = {name: names.index(name) for name in NEEDED}
    objects: list[tuple[Any, ...]] = []
    refused: list[tuple[int, str]] = []
    numbers: list[str] = []
    for row in rows:
        if not row:
            continue
        try:
            if len(row) != len(names):
                raise ValueError(f"has {len(row)} fields, not {len(names)}")
            values = {name: row[place].strip() for name, place in places.items()}
            objects.append((*_object(values), rows.line_num))
            numbers += [values["internal_names"]] if values["internal_names"].isdecimal() else []
        except ValueError as problem:
            refused.append((rows.line_num, str(problem)))
    try:
        exact_names(numbers, "internal_names")
    except MalformedAlert as error:
        raise MalformedAlert(str(path), error.problem) from None
    frame = pd.DataFrame(objects, columns=listed_columns("targets/load_tns_stage.sql"), dtype=object)
    return TnsList(listed_for, frame, refused)


def _header(path: Path, rows: Iterator[list[str]]) -> tuple[str, list[str]]:
    """Find the names of the columns, and what the line before them says."""
    before = ""
    for _, row in zip(range(PREAMBLE), rows, strict=False):
        names = [name.strip().lower() for name in row]
        if "objid" in names:
            missing = [name for name in NEEDED if name not in names]
            if missing:
                raise MalformedAlert(str(path), f"lacks the columns {', '.join(missing)}")
            return before, names
        before = ", ".join(filter(None, map(str.strip, row))) or before
    raise MalformedAlert(str(path), "is no list of the Transient Name Server: no line at its top has the column objid")


def _object(values: dict[str, str]) -> tuple[Any, ...]:
    """
    Make a row of ``tns_stage``, but for its number.

    Raises
    ------
    ValueError
        Naming what is wrong.
    """
    objid, name = values["objid"], values["name"]
    if not (objid.isascii() and objid.isdecimal() and int(objid) < LARGEST_ID):
        raise ValueError(f"objid is {objid[:40]!r}, not a number")
    if not name or "\0" in "".join(values.values()):
        raise ValueError("has no name" if not name else "has a NUL in it")
    ra, decl = _number(values, "ra"), _number(values, "declination")
    if ra is None or decl is None or not 0 <= ra <= 360 or not -90 <= decl <= 90:
        raise ValueError(f"ra {values['ra'][:40]!r}, declination {values['declination'][:40]!r} is no place on the sky")
    redshift = _number(values, "redshift")
    return (
        int(objid),
        f"{values['name_prefix']} {name}".strip(),
        ra % 360,
        decl,
        values["type"] or None,
        redshift,
        _array(_names(values["internal_names"])),
        _time(values["lastmodified"]),
    )


def _number(values: dict[str, str], key: str) -> float | None:
    """Read a number, None if there is none."""
    text = values[key]
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{key} is {text[:40]!r}, not a number")
    return number


def _time(text: str) -> str | None:
    """Read a time of the list, which has no zone; None if there is none."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None).isoformat()
    except ValueError:
        raise ValueError(f"lastmodified is {text[:40]!r}, not a time") from None


def _names(text: str) -> list[str]:
    """
    Split the names that surveys gave; raises ValueError if one is a number that has lost digits.

    >>> _names("ZTF24aatsiox, ATLAS24kkn"), _names("LSST-AP-DO-313637935709683761")
    (['ZTF24aatsiox', 'ATLAS24kkn'], ['LSST-AP-DO-313637935709683761', '313637935709683761'])
    """
    names = [name for name in map(str.strip, text.split(",")) if name]
    if lost := [name for name in (text, *names) if exact_name(name) is None]:
        raise ValueError(f"internal_names has {lost[0][:40]!r}, a number that has lost digits")
    numbers = [found[1] for found in map(RUBIN.fullmatch, names) if found]
    return list(dict.fromkeys([*names, *numbers]))


def _array(names: list[str]) -> str:
    """
    Write an array as PostgreSQL reads it.

    >>> _array(["a", "b c"])
    '{"a","b c"}'
    """
    quoted = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    return "{" + ",".join(f'"{name}"' for name in quoted) + "}"
