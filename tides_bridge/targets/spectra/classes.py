"""
What people and pipelines make of spectra, and what a target therefore is.

Types and redshifts are kept with their sources, and lie on objects, as annotations do. The newest word of a person
counts before all others; what counts is an annotation of the object, ``spectrum.type`` and the like.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.database.elsewhere import read_tables
from tides_bridge.errors import RejectedError, SettingsError
from tides_bridge.formats.spectra.classes import (
    SPECTRA_TABLE,
    TABLES,
    ClassList,
    classes_in_tables,
    read_classes,
)
from tides_bridge.settings import Settings


@dataclass(frozen=True)
class TakenClasses:
    """
    What became of a list of classes.

    Attributes
    ----------
    came_from
        Its file, or the setting with the database.
    read
        Rows that could be read.
    new
        Of these, the rows of objects of which something new is known.
    strangers
        Names, or keys, that are of no target.
    class_list
        As it was read.
    """

    came_from: str
    read: int
    new: int
    strangers: list[str] = field(default_factory=list)
    class_list: ClassList = field(default_factory=ClassList)


def take_in_classes(database: Database, settings: Settings, paths: Sequence[Path]) -> list[TakenClasses]:
    """
    Keep what files say of targets, or where none is named, the database of the settings; again changes nothing.

    Parameters
    ----------
    database
        Where it is kept, each list in a transaction.
    settings
        With ``spectra.classesFrom``, and the clock.
    paths
        CSV files.

    Raises
    ------
    MalformedAlert
        If a file is no list of classes: those before it are kept.
    RejectedError
        If the database has none of the tables.
    SettingsError
        If there is neither a file nor a database.
    """
    if paths:
        return [_store(database, settings, path.name, read_classes(path)) for path in paths]
    if settings.spectra.classes_from is None:
        raise SettingsError("PATH", "", "name files with classes, or set spectra.classesFrom")
    address = settings.spectra.classes_from.get_secret_value()
    tables = read_tables(address, (*TABLES, SPECTRA_TABLE), "spectra.classesFrom")
    if not tables.keys() & TABLES.keys():
        raise RejectedError("spectra.classesFrom", f"has none of the tables {', '.join(TABLES)}")
    return [_store(database, settings, "spectra.classesFrom", classes_in_tables(tables))]


def _store(database: Database, settings: Settings, came_from: str, found: ClassList) -> TakenClasses:
    with database.transaction("classes") as connection:
        rows = store_classes(connection, settings, found.rows, came_from)
    new = [row for row in rows if row["is_new"]]
    strangers = [found.rows[row["number"]] for row in rows if row["object_id"] is None]
    names_of = [str(row["named"] or row["tides_id"]) for row in strangers]
    return TakenClasses(came_from, len(rows), len(new), list(dict.fromkeys(names_of)), found)


def store_classes(
    connection: Connection, settings: Settings, classes: Sequence[Mapping[str, Any]], came_from: str
) -> list[dict[str, Any]]:
    """
    Keep what was said of targets, and let what they therefore are be annotations: in a transaction of something else.

    Parameters
    ----------
    connection, settings
        Of the transaction, and the clock.
    classes, came_from
        As of ``targets/store_classes.sql``, but for their numbers; and the file or table.

    Returns
    -------
    list of dict
        As that script returns them.
    """
    about = {"classes": json.dumps([dict(row) | {"number": place} for place, row in enumerate(classes)])}
    rows = run(connection, "targets/store_classes.sql", about | {"came_from": came_from})
    objects = sorted({(row["survey"], row["object_id"]) for row in rows if row["is_new"]})
    names = {"surveys": [survey for survey, _ in objects], "object_ids": [name for _, name in objects]}
    run(connection, "targets/annotate_classes.sql", names | {"now_mjd": settings.now_mjd()})
    return rows


def classes_of(connection: Connection, tides_ids: Sequence[int]) -> list[dict[str, Any]]:
    """
    List what was said of some targets, what counts first: see ``targets/list_classes.sql``.

    Parameters
    ----------
    connection
        To the database.
    tides_ids
        The targets.
    """
    return run(connection, "targets/list_classes.sql", {"tides_ids": list(tides_ids)})


def class_in_words(row: Mapping[str, Any]) -> str:
    """
    Word a row of `classes_of`.

    >>> row = {"type": "SN Ia", "subtype": None, "redshift": 0.1234, "redshift_error": 0.001, "confidence": 0.9}
    >>> class_in_words(row | {"source": "human", "who": "eva", "spectrum": None, "classified_at": None})
    'SN Ia, z = 0.1234 +- 0.001, confidence 0.9, by human eva'
    """
    error = "" if row["redshift_error"] is None else f" +- {row['redshift_error']:g}"
    at = row["classified_at"]
    parts = (
        " ".join(filter(None, (row["type"], row["subtype"]))),
        "" if row["redshift"] is None else f"z = {row['redshift']:g}{error}",
        "" if row["confidence"] is None else f"confidence {row['confidence']:g}",
        " ".join(filter(None, ("by", row["source"], row["who"], "" if at is None else f"{at:%Y-%m-%d %H:%M}"))),
    )
    return ", ".join(filter(None, parts))
