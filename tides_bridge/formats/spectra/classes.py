"""
What people and pipelines make of spectra: types and redshifts, from a CSV or from rows of the survey's tables.

A CSV has a row a target: ``name``, ``class``, ``z``, ``error``, ``confidence``, ``source``. A name is needed, and a
class or a redshift; ``person``, ``date``, ``spectrum`` and ``version`` are understood, too. The tables are those of
tides_pipe and of the survey's TOM: ``human_classifications`` and ``pipeline_classification_*``.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats.contents import BROKEN, open_unpacked
from tides_bridge.formats.spectra.values import Cells, first_of, identifier_in, spelled, text_in
from tides_bridge.lightcurves.photometry import time_from_mjd

HUMAN: Final = "human"
"""The source of what people say."""

TABLES: Final[Mapping[str, str]] = {
    "human_classifications": HUMAN,
    "pipeline_classification_global": "global",
    "pipeline_classification_snid": "snid",
    "pipeline_classification_superfit": "superfit",
    "pipeline_classification_dash": "dash",
    "pipeline_classification_ed": "ed",
}
"""Tables of the survey, and whose word is in each."""

SPECTRA_TABLE: Final = "tides_spec"
"""The table that tells the epochs of the spectra that the others name."""

NAMES: Final = ("NAME", "OBJECT", "TARGET", "OBJECT_ID", "OBJECTID")
TYPES: Final = ("CLASS", "TYPE", "SN_TYPE", "CLASSIFICATION")
SUBTYPES: Final = ("SUBTYPE", "SN_SUBTYPE")
REDSHIFTS: Final = ("Z", "REDSHIFT", "SN_Z", "HOST_Z")
ERRORS: Final = ("ERROR", "ZERR", "Z_ERR", "Z_ERROR", "REDSHIFT_ERROR")
CONFIDENCES: Final = ("CONFIDENCE", "PROBABILITY")
PEOPLE: Final = ("PERSON", "WHO")
DATES: Final = ("DATE", "CREATED", "CLASSIFIED_AT", "OBS_MJD")
SPECTRA: Final = ("SPECTRUM", "TIDES_SPECID")
SOURCES: Final = ("SOURCE", "METHOD")
VERSIONS: Final = ("VERSION",)
"""Spellings of the columns; of several the first that says something counts."""

KNOWN: Final = frozenset(
    (*NAMES, *TYPES, *SUBTYPES, *REDSHIFTS, *ERRORS, *CONFIDENCES, *PEOPLE, *DATES, *SPECTRA, *SOURCES, *VERSIONS)
)

NOTHING: Final = frozenset({"", "-", "nan", "none", "null", "unknown", "unclassified", "unsure", "?"})
"""Words for no type, in lower case."""

LARGEST_REDSHIFT: Final = 10.0
"""As 4MOST takes it; the least is -0.01."""


@dataclass
class ClassList:
    """
    What was read.

    Attributes
    ----------
    rows
        One a classification: ``named`` or ``tides_id``, and the columns of the table ``classification``.
    refused
        Number of the line, and why it could not be read.
    unused
        Columns that are not understood.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def read_classes(path: Path) -> ClassList:
    """
    Read a CSV; a line that cannot be read is kept aside with its reason.

    Raises
    ------
    MalformedAlert
        If it is none, or lacks the name, or both class and redshift.
    """
    try:
        with open_unpacked(path) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            lines = csv.DictReader(text, strict=True)
            names = [spelled(name) for name in lines.fieldnames or ()]
            if not set(names) & {*NAMES} or not set(names) & {*TYPES, *REDSHIFTS}:
                raise MalformedAlert(str(path), "is no list of classes: its first line must have name, and class or z")
            found = ClassList(unused=[name for name in lines.fieldnames or () if spelled(name) not in KNOWN])
            for line in lines:
                _add(found, lines.line_num, {name: line[own] for name, own in zip(names, line, strict=False)}, line)
    except (*BROKEN, csv.Error) as problem:
        raise MalformedAlert(str(path), f"cannot be read: {problem or type(problem).__name__}") from None
    return found


def _add(found: ClassList, number: int, cells: Cells, line: Mapping[Any, Any]) -> None:
    try:
        if None in line or None in line.values():
            raise ValueError("has not as many fields as the first line")
        source = text_in(cells, *SOURCES) or "file"
        row = classification_in(cells, source)
        if row["named"] is None:
            raise ValueError("has no name")
    except ValueError as problem:
        found.refused.append((number, str(problem)))
    else:
        found.rows.append(row)


def classes_in_tables(tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> ClassList:
    """
    Read rows of the survey's tables.

    Parameters
    ----------
    tables
        By the names of `TABLES`, and of `SPECTRA_TABLE`; those that are not there are left out.

    Returns
    -------
    ClassList
        In the same order, whatever that of the rows. The numbers of what is refused count the rows of all tables.
    """
    found, number = ClassList(), 0
    epochs = {row.get("tides_specid"): row.get("obs_mjd") for row in tables.get(SPECTRA_TABLE, ())}
    for table, source in TABLES.items():
        for row in sorted(tables.get(table, ()), key=repr):
            number += 1
            cells = {spelled(name): value for name, value in row.items()}
            cells.setdefault("OBS_MJD", epochs.get(row.get("tides_specid")))
            try:
                found.rows.append(classification_in(cells, source))
            except ValueError as problem:
                found.refused.append((number, f"{table}: {problem}"))
    return found


def classification_in(cells: Cells, source: str) -> dict[str, Any]:
    """
    Read what was made of a spectrum.

    Parameters
    ----------
    cells
        Of a row, by spelled names.
    source
        Whose word it is.

    Raises
    ------
    ValueError
        Naming what is wrong.

    >>> row = classification_in({"NAME": "TiDES26aaa", "CLASS": "SN Ia", "Z": "0.1", "PERSON": "eva"}, "file")
    >>> row["named"], row["source"], row["who"], row["redshift"]
    ('TiDES26aaa', 'human', 'eva', 0.1)
    """
    type_, who = text_in(cells, *TYPES), text_in(cells, *PEOPLE)
    is_human = source.casefold().startswith(HUMAN) or who is not None
    redshift = _number(cells, REDSHIFTS, -0.01, LARGEST_REDSHIFT)
    type_ = None if type_ is None or type_.casefold() in NOTHING else type_
    if type_ is None and redshift is None:
        raise ValueError("has neither a class nor a redshift")
    return {
        "named": text_in(cells, *NAMES),
        "tides_id": identifier_in(cells, "TIDES_ID"),
        "source": HUMAN if is_human else source.casefold(),
        "who": who or (source[len(HUMAN) :].strip(" :") or None if is_human and source.casefold() != "file" else None),
        "type": type_,
        "subtype": text_in(cells, *SUBTYPES),
        "redshift": redshift,
        "redshift_error": _number(cells, ERRORS, 0.0, LARGEST_REDSHIFT),
        "confidence": _number(cells, CONFIDENCES, 0.0, 1.0),
        "spectrum": text_in(cells, *SPECTRA),
        "version": text_in(cells, *VERSIONS),
        "classified_at": _time(cells),
    }


def _number(cells: Cells, names: Iterable[str], low: float, high: float) -> float | None:
    """Read a number; None where there is none, or where -1 and less stand for it."""
    names = [name for name in names if str(cells.get(name) or "").strip().casefold() not in NOTHING]
    value = first_of(cells, names)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if number <= -1:
        return None
    if not low <= number <= high:
        raise ValueError(f"{names[0].lower()} is {str(value)[:40]!r}, not a number from {low:g} to {high:g}")
    return number


def _time(cells: Cells) -> str | None:
    """Read a time: ISO, without a zone UTC, or MJD."""
    value = first_of(cells, DATES)
    if isinstance(value, str) and value.strip().casefold() in NOTHING:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    try:
        if value is None or isinstance(value, datetime):
            time = value
        elif isinstance(value, str) and not value.strip().replace(".", "", 1).isdecimal():
            time = datetime.fromisoformat(value.strip())
        else:
            time = time_from_mjd(float(value))
    except (ValueError, OverflowError):
        raise ValueError(f"date is {str(value)[:40]!r}, not a time") from None
    return None if time is None else (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
