"""
The program of an Avro schema: how chosen fields are taken from a message, and the others stepped over.

It is a list of steps, such as "skip 8 bytes" or "a float for column 3", through which `columns` goes (Avro 1.11,
Binary Encoding).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tides_bridge.compiled import Integers
from tides_bridge.errors import MalformedAlert

FIXED, OPTIONAL_FIXED, INTEGER, SIZED, OPTIONAL, DOUBLE, FLOAT, LONG, LONG_AS_FLOAT, NAME, TEXT = range(11)
UNION, JUMP, LIST, NEXT, ROW, MARK, END = range(11, 18)
"""The steps. Each has three arguments; what they are is told where `Compiler` makes it."""

SOURCES, OBJECTS = 0, 1
"""The tables: a row a source, and a row a message."""

DEEPEST = 16
"""Lists inside of lists."""

SIZES = {"null": 0, "boolean": 1, "float": 4, "double": 8}
"""[bytes] Of the types with a fixed size."""


@dataclass(frozen=True)
class Column:
    """Where the values of a field go: kind is FLOAT, LONG, NAME or TEXT."""

    kind: int
    table: int
    slot: int


@dataclass(frozen=True)
class Rows:
    """A record, or a list of them, each of which is a row of the sources; group says which list it was."""

    group: int
    fields: Mapping[str, Column]


Wanted = Mapping[str, "Column | Rows | Marked"]


@dataclass(frozen=True)
class Marked:
    """A record some fields of which are wanted; slot: the message's integer that is 1 if there is one."""

    slot: int
    fields: Mapping[str, Column]


@dataclass(frozen=True)
class Shape:
    """
    The columns.

    Attributes
    ----------
    floats, names
        How many of them the sources have.
    integers
        What stands in each of theirs where there is nothing.
    object_floats, object_integers, object_texts
        How many the messages have.
    """

    floats: int
    integers: tuple[int, ...]
    names: int
    object_floats: int
    object_integers: int
    object_texts: int


@dataclass(frozen=True, eq=False)
class Program:
    """The steps through a message of one schema, and a table of numbers that some of them look into."""

    steps: Integers
    table: Integers


class Compiler:
    """
    Makes the program of a schema.

    Parameters
    ----------
    schema
        As fastavro parses it: names in full, each type written out where it comes first.
    wanted
        Fields of the record.

    Raises
    ------
    MalformedAlert
        If the schema holds itself, a list of nothing, or a wanted field of another type.
    """

    def __init__(self, schema: Any, wanted: Wanted) -> None:
        self._named: dict[str, Any] = {}
        self._open: list[str] = []
        self._steps: list[list[int]] = []
        self._table: list[int] = []
        self._label, self._depth = 0, 0
        collect_named_types(schema, self._named)
        if not isinstance(schema, dict) or schema.get("type") not in ("record", "error"):
            raise MalformedAlert("schema", "is no record")
        self._record(schema, wanted)
        self._add(END)
        self.program = Program(np.array(self._steps, dtype=np.int64), np.array([*self._table, 0], dtype=np.int64))

    def _add(self, step: int, *arguments: int) -> int:
        """Add a step; gives its place."""
        self._steps.append([step, *arguments, *[0] * (3 - len(arguments))])
        return len(self._steps) - 1

    def _here(self) -> int:
        """Give the place of the next step, to which others will jump: so it is not merged with the one before."""
        self._label = len(self._steps)
        return self._label

    def _fixed(self, size: int) -> None:
        """Skip some bytes, with those skipped just before."""
        if len(self._steps) > self._label and self._steps[-1][0] == FIXED:
            self._steps[-1][1] += size
        elif size:
            self._add(FIXED, size)

    def _optional_fixed(self, null: int, size: int) -> None:
        """
        Skip what may be null and has a fixed size, with those just before.

        a = the branch that is null, as it is written; b, c = from where to where their sizes stand.
        """
        last = self._steps[-1] if len(self._steps) > self._label else None
        self._table.append(size)
        if last is not None and last[:2] == [OPTIONAL_FIXED, 2 * null] and last[3] == len(self._table) - 1:
            last[3] += 1
        else:
            self._add(OPTIONAL_FIXED, 2 * null, len(self._table) - 1, len(self._table))

    def _type(self, kind: Any, wanted: "Column | Rows | Marked | None", name: str) -> None:
        """Add the steps through a value."""
        kind = self._resolved(kind)
        if isinstance(kind, list):
            self._union(kind, wanted, name)
        elif isinstance(wanted, Column):
            self._column(kind, wanted, name)
        elif _is(kind, "record", "error"):
            self._named_record(kind, wanted)
        elif _is(kind, "array", "map"):
            self._list(kind, wanted, name)
        elif wanted is not None:
            raise MalformedAlert("schema", f"{name} is {_word(kind)}")
        else:
            word = _word(kind)
            if word in SIZES or word == "fixed":
                self._fixed(kind["size"] if word == "fixed" else SIZES[word])
            elif word in ("int", "long", "enum"):
                self._add(INTEGER)
            elif word in ("string", "bytes"):
                self._add(SIZED)
            else:
                raise MalformedAlert("schema", f"{name} is {word}")

    def _column(self, kind: Any, column: Column, name: str) -> None:
        """Take a value: a = column, b = table."""
        word = _word(kind)
        steps = {
            FLOAT: {"float": FLOAT, "double": DOUBLE, "int": LONG_AS_FLOAT, "long": LONG_AS_FLOAT},
            LONG: {"int": LONG, "long": LONG},
            NAME: {"string": NAME},
            TEXT: {"string": TEXT},
        }[column.kind]
        if word not in steps or (isinstance(kind, dict) and "logicalType" in kind):
            raise MalformedAlert("schema", f"{name} is {word}")
        self._add(steps[word], column.slot, column.table)

    def _union(self, kinds: list[Any], wanted: "Column | Rows | Marked | None", name: str) -> None:
        words = [_word(self._resolved(kind)) for kind in kinds]
        if len(kinds) == 2 and words.count("null") == 1:
            null, other = words.index("null"), self._resolved(kinds[1 - words.index("null")])
            size = _fixed_size(other) if wanted is None else None
            if size is not None:
                self._optional_fixed(null, size)
                return
            start = self._add(OPTIONAL, null)  # a = which branch is null, b = where to go on then
            self._type(other, wanted, name)
            self._steps[start][2] = self._here()
            return
        self._branched(kinds, words, wanted, name)

    def _branched(self, kinds: list[Any], words: list[str], wanted: "Column | Rows | Marked | None", name: str) -> None:
        """Go through any other union: a = how many branches, b = where their places stand."""
        start = len(self._table)
        self._table += [0] * len(kinds)
        self._add(UNION, len(kinds), start)
        jumps = []
        for number, kind in enumerate(kinds):
            self._table[start + number] = self._here()
            self._type(kind, None if words[number] == "null" else wanted, name)
            jumps.append(self._add(JUMP))
        for jump in jumps:
            self._steps[jump][1] = self._here()

    def _list(self, kind: Any, wanted: "Column | Rows | Marked | None", name: str) -> None:
        """Go through a list or map: LIST has a = where it ends, NEXT a = where its items start."""
        is_map = _is(kind, "map")
        if isinstance(wanted, Marked) or (is_map and wanted is not None):
            raise MalformedAlert("schema", f"{name} is {_word(kind)}")
        items = kind["values" if is_map else "items"]
        if not is_map and not self._has_bytes(items):  # a few bytes could say that there are 2**60 of them
            raise MalformedAlert("schema", f"{name} is a list of nothing")
        self._depth += 1
        if self._depth > DEEPEST:
            raise MalformedAlert("schema", f"{name} is too deep")
        start = self._add(LIST)
        begin = self._here()
        if is_map:
            self._add(SIZED)
        self._type(items, wanted, name)
        self._add(NEXT, begin)
        self._steps[start][1] = self._here()
        self._depth -= 1

    def _named_record(self, kind: Any, wanted: "Rows | Marked | None") -> None:
        if kind["name"] in self._open:
            raise MalformedAlert("schema", f"{kind['name']} holds itself")
        self._open.append(kind["name"])
        if isinstance(wanted, Rows):
            self._add(ROW, wanted.group)
        elif isinstance(wanted, Marked) and any(field["name"] in wanted.fields for field in kind["fields"]):
            self._add(MARK, wanted.slot)
        self._record(kind, wanted.fields if wanted else {})
        self._open.pop()

    def _record(self, kind: Any, wanted: Wanted | Mapping[str, Column]) -> None:
        for field in kind["fields"]:
            self._type(field["type"], wanted.get(field["name"]), field["name"])

    def _resolved(self, kind: Any) -> Any:
        return self._named.get(kind, kind) if isinstance(kind, str) else kind

    def _has_bytes(self, kind: Any) -> bool:
        """Tell whether a value takes at least one byte."""
        kind = self._resolved(kind)
        if _is(kind, "record", "error"):
            if kind["name"] in self._open:
                return True  # a loop, which is refused when it is met
            self._open.append(kind["name"])
            any_byte = any(self._has_bytes(field["type"]) for field in kind["fields"])
            self._open.pop()
            return any_byte
        return _fixed_size(kind) != 0


def collect_named_types(kind: Any, named: dict[str, Any]) -> None:
    """Note all types of a schema that have a name, by it."""
    if isinstance(kind, list):
        for branch in kind:
            collect_named_types(branch, named)
    elif isinstance(kind, dict):
        if "name" in kind and kind.get("type") in ("record", "error", "enum", "fixed"):
            named[kind["name"]] = kind
        for field in kind.get("fields", ()):
            collect_named_types(field["type"], named)
        for inside in ("items", "values", "type"):
            collect_named_types(kind.get(inside), named)


def _is(kind: Any, *words: str) -> bool:
    return isinstance(kind, dict) and kind.get("type") in words


def _word(kind: Any) -> str:
    """Give the word for a type."""
    if isinstance(kind, list):
        return "a union"
    word = kind.get("type") if isinstance(kind, dict) else kind
    return word if isinstance(word, str) else _word(word)


def _fixed_size(kind: Any) -> int | None:
    """Give the bytes that any value of a type has; None if not all have as many."""
    return kind["size"] if _is(kind, "fixed") else SIZES.get(_word(kind))
