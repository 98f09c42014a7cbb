"""
Alerts of Rubin and ELAsTiCC as columns: from the bytes of many Avro messages to light curves, without a Python loop.

What is used of a packet is a tenth of it, and a schema says where it lies: `avro.program` and `avro.columns` take it.
A schema that they cannot read, `records` reads message by message; both give the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers
from tides_bridge.formats import needed
from tides_bridge.formats.avro.columns import PROBLEMS, TOO_LONG, Fields, read_fields
from tides_bridge.formats.avro.program import (
    FLOAT,
    LONG,
    NAME,
    OBJECTS,
    SOURCES,
    TEXT,
    Column,
    Compiler,
    Marked,
    Program,
    Rows,
    Shape,
    Wanted,
    collect_named_types,
)
from tides_bridge.formats.lsst import NUMBERS, error_without_object, lsst_curves_of_columns
from tides_bridge.formats.meaning.bands import band_code, tell_unknown
from tides_bridge.formats.meaning.epochs import NO_EPOCH, known_epochs
from tides_bridge.formats.meaning.sky import checked_positions
from tides_bridge.formats.records import XM
from tides_bridge.formats.ztf import is_known_variable
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import BANDS, mjd_utc_from_tai

OBJECT_NUMBERS = ("ra", "dec", "decl", "mwebv", "firstDiaSourceMjdTai")
"""The numbers that are used of a ``diaObject``."""

SOURCE_ID, OBJECT_ID, SS_OBJECT_ID = range(3)
"""Columns of the integers of a source."""

OWN_ID, HAS_OBJECT, HAS_MATCHES = range(3)
"""Columns of the integers of a message."""

SHAPE = Shape(
    floats=len(NUMBERS),
    integers=(-1, 0, 0),
    names=1,
    object_floats=len(OBJECT_NUMBERS),
    object_integers=3,
    object_texts=len(XM),
)


def _wanted() -> Wanted:
    """Tell which fields of an alert are used."""
    source = {name: Column(FLOAT, SOURCES, slot) for slot, name in enumerate(NUMBERS)}
    source |= {name: Column(NAME, SOURCES, 0) for name in ("band", "filterName")}
    source["diaSourceId"] = Column(LONG, SOURCES, SOURCE_ID)
    ids = {"diaObjectId": Column(LONG, SOURCES, OBJECT_ID), "ssObjectId": Column(LONG, SOURCES, SS_OBJECT_ID)}
    known = {name: Column(FLOAT, OBJECTS, slot) for slot, name in enumerate(OBJECT_NUMBERS)}
    return {
        "diaSource": Rows(0, source | ids),
        "prvDiaSources": Rows(1, source),
        "prvDiaForcedSources": Rows(2, source),
        "diaObject": Marked(HAS_OBJECT, known | {"diaObjectId": Column(LONG, OBJECTS, OWN_ID)}),
        "xm": Marked(HAS_MATCHES, {name: Column(TEXT, OBJECTS, slot) for slot, name in enumerate(XM)}),
    }


WANTED = _wanted()

NEWEST, PREVIOUS = "diaSource", "prvDiaSources"


def program_of(schema: Any) -> Program:
    """
    Make the program of a schema of alerts.

    Raises
    ------
    MalformedAlert
        If it is one that `records` has to read.
    """
    return Compiler(schema, WANTED).program


def is_of_sources(schema: Any) -> bool:
    """Tell whether a schema is one of Rubin or ELAsTiCC, by its fields."""
    return NEWEST in _fields_of(schema, {})


def is_elasticc_schema(schema: Any) -> bool:
    """Tell whether the sources of a schema are spelled as ELAsTiCC does."""
    named: dict[str, Any] = {}
    collect_named_types(schema, named)
    return needed.are_elasticc_names(_fields_of(_fields_of(schema, named).get(NEWEST), named))


def missing_in(schema: Any) -> str:
    """
    Name the first needed field that a schema lacks; "" if it has all.

    >>> source = {"type": "record", "name": "s", "fields": [{"name": "midpointMjdTai", "type": "double"}]}
    >>> missing_in({"type": "record", "name": "a", "fields": [{"name": "diaSource", "type": source}]})
    'diaSource.psfFlux'
    """
    named: dict[str, Any] = {}
    collect_named_types(schema, named)
    fields = _fields_of(schema, named)
    for name in (NEWEST, PREVIOUS, "prvDiaForcedSources"):
        if name not in fields and name != "prvDiaForcedSources":
            return name
        lacking = needed.lacking_field(_fields_of(fields[name], named)) if name in fields else ""
        if lacking:
            return f"{name}.{lacking}"
    names = [_fields_of(fields.get(name), named) for name in (NEWEST, "diaObject")]
    return "" if any("diaObjectId" in fields_there for fields_there in names) else f"{NEWEST}.diaObjectId"


def _fields_of(kind: Any, named: dict[str, Any]) -> dict[str, Any]:
    """Give the types of the fields of a record, of a list of them, or of one that may be null, by name."""
    if isinstance(kind, str):
        return _fields_of(named.get(kind), named)
    if isinstance(kind, list):
        return next((fields for branch in kind if (fields := _fields_of(branch, named))), {})
    if not isinstance(kind, dict):
        return {}
    if kind.get("type") == "array":
        return _fields_of(kind["items"], named)
    return {field["name"]: field["type"] for field in kind.get("fields", ())}


@dataclass(frozen=True, eq=False)
class Packets:
    """
    Some alerts of one schema.

    Attributes
    ----------
    fields
        What was read of them.
    newest
        (n,) int64: row of the ``diaSource`` of each; -1 where there is none.
    """

    fields: Fields
    newest: Integers

    def __len__(self) -> int:
        """Give the number of alerts."""
        return len(self.newest)

    @cached_property
    def _ids(self) -> Integers:
        """(n,) int64: the object, as its source has it; 0 for none."""
        ids = self._of_newest(self.fields.integers[OBJECT_ID], 0)
        return np.where(ids == 0, self.fields.object_integers[OWN_ID], ids)

    @cached_property
    def ss_object_ids(self) -> Integers:
        """(n,) int64: the object of the solar system that it matches; 0 for none."""
        return self._of_newest(self.fields.integers[SS_OBJECT_ID], 0)

    @cached_property
    def object_ids(self) -> list[str]:
        """(n,) the object that each is about; "" for none."""
        return ["" if number == 0 else str(number) for number in self._ids.tolist()]

    @cached_property
    def epochs(self) -> Floats:
        """(n,) [d, MJD, UTC]: of the newest source; `NO_EPOCH` where it has none."""
        rubin, old = (self._number(name) for name in needed.NEEDED[0])
        return np.nan_to_num(mjd_utc_from_tai(np.where(np.isnan(rubin), old, rubin)), nan=NO_EPOCH)

    @cached_property
    def first_epochs(self) -> Floats:
        """(n,) [d, MJD, UTC]: of the first source of the object, as ``diaObject`` says; NaN where it does not."""
        return known_epochs(mjd_utc_from_tai(self._own("firstDiaSourceMjdTai")))

    def problems(self) -> dict[int, str]:
        """Tell why some are no alerts of an object, by their number."""
        found = {}
        wrong = (self.fields.problem != 0) | (self._ids == 0)
        for number in np.flatnonzero(wrong).tolist():
            problem = int(self.fields.problem[number])
            if problem:
                found[number] = f"does not fit its schema: {PROBLEMS[problem]}"
            elif self.newest[number] < 0:
                found[number] = f"has no {NEWEST}"
            else:
                found[number] = error_without_object(str(self.ss_object_ids[number] or "")).problem
        return found

    def curves(self, chosen: Integers, scale: float = 1.0) -> LightCurves:
        """
        Build the light curves of some of the alerts.

        Parameters
        ----------
        chosen
            Their numbers, growing.
        scale
            What turns ``psFlux`` into nJy.
        """
        turn = np.full(len(self), -1, dtype=np.int64)
        turn[chosen] = np.arange(len(chosen))
        index = turn[self.fields.message]
        rows: Any = slice(None) if len(chosen) == len(self) else np.flatnonzero(index >= 0)
        columns: dict[str, Any] = {name: self.fields.floats[slot][rows] for slot, name in enumerate(NUMBERS)}
        columns["diaSourceId"] = self.fields.integers[SOURCE_ID][rows]
        columns["band"] = bands_of(self.fields.names[0][rows])
        return lsst_curves_of_columns(
            [self.object_ids[number] for number in chosen.tolist()],
            index[rows],
            self.fields.group[rows] < 2,
            columns,
            scale,
            self._objects(chosen),
        )

    def _of_newest(self, column: npt.NDArray[Any], missing: float) -> npt.NDArray[Any]:
        """Give the values of each alert's newest source."""
        if not len(column):
            return np.full(len(self), missing, dtype=column.dtype)
        return np.where(self.newest < 0, missing, column[np.maximum(self.newest, 0)]).astype(column.dtype)

    def _number(self, name: str) -> Floats:
        return self._of_newest(self.fields.floats[NUMBERS.index(name)], np.nan)

    def _own(self, name: str) -> Floats:
        column: Floats = self.fields.object_floats[OBJECT_NUMBERS.index(name)]
        return column

    def _objects(self, chosen: Integers) -> Objects:
        """Tell what the alerts say of their objects."""
        known = {}
        for name in ("ra", "dec", "decl"):
            own = self._own(name)
            known[name] = np.where(np.isnan(own), self._number(name), own)[chosen]
        is_rubin = np.isfinite(self._number("midpointMjdTai"))
        ra, decl = checked_positions(known["ra"], np.where(np.isnan(known["dec"]), known["decl"], known["dec"]))
        return Objects.of(
            len(chosen),
            ra=ra,
            decl=decl,
            ebv=self._own("mwebv")[chosen],
            solar_system=np.where(is_rubin, self.ss_object_ids != 0, np.nan)[chosen],
            known_variable=[self._is_variable(number) for number in chosen.tolist()],
            first_seen=self.first_epochs[chosen],
        )

    def _is_variable(self, number: int) -> float:
        """Read Fink's cross-matches with catalogues of variables."""
        if not self.fields.object_integers[HAS_MATCHES, number]:
            return float("nan")
        places = self.fields.object_texts[:, number].tolist()
        content = self.fields.content
        return is_known_variable(
            *(content[start:stop].decode(errors="replace") if start >= 0 else None for start, stop in places)
        )


def read_packets(program: Program, bodies: Sequence[bytes | memoryview]) -> Packets:
    """
    Read alerts of the schema of a program, without their framing.

    Parameters
    ----------
    program
        Of the schema that all of them were written with.
    bodies
        (n,) Avro records, without header.

    Returns
    -------
    Packets
        Columns over all of them. A body that does not fit is a problem of that packet, and the others stay good.
    """
    fields = read_fields(program, SHAPE, bodies)
    newest = np.full(len(bodies), -1, dtype=np.int64)
    rows = np.flatnonzero(fields.group == 0)
    newest[fields.message[rows]] = rows
    return Packets(fields, newest)


def bands_of(names: npt.NDArray[np.uint64]) -> npt.NDArray[np.int8]:
    """
    Turn names of bands, as `Fields` has them, into positions in `photometry.BANDS`; -1 for any other.

    >>> bands_of(np.array([ord("r"), ord("Y"), 0, ord("w")], dtype=np.uint64))
    array([ 2,  5, -1, -1], dtype=int8)
    """
    place = np.minimum(np.searchsorted(_BAND_NAMES, names), len(_BAND_NAMES) - 1)
    is_short = _BAND_NAMES[place] == names
    if is_short.all():
        return _CODES[place]
    codes = np.where(is_short, _CODES[place], -1).astype(np.int8)
    # Spellings beyond those of the surveys' own packets: there are few, so that each is looked up once.
    others, which, numbers = np.unique(names[~is_short], return_inverse=True, return_counts=True)
    texts = [_text_of(number) for number in others.tolist()]
    codes[~is_short] = np.array([band_code(text) for text in texts], dtype=np.int8)[which]
    unknown = [(text, number) for text, number in zip(texts, numbers.tolist(), strict=True) if band_code(text) < 0]
    tell_unknown(dict(unknown))
    return codes


def _text_of(name: int) -> str:
    """Give the name that a number holds: see `Fields`."""
    return "a long name" if name == TOO_LONG else name.to_bytes(8, "little").rstrip(b"\0").decode(errors="replace")


_PACKED = sorted((int.from_bytes(name.encode(), "little"), band_code(name)) for name in (*BANDS, "Y", "R"))
_BAND_NAMES = np.array([number for number, _ in _PACKED], dtype=np.uint64)
_CODES = np.array([code for _, code in _PACKED], dtype=np.int8)
