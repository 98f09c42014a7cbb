"""
Chosen fields of many Avro messages as columns, without a Python object in between.

A loop that numba compiled takes the `Program` of their schema through each message. Every message is bounded by its own
length and has to end there, so a broken one is told from the others and does not disturb them. The loop holds no lock
of Python. It reads no text that is not chosen, so it minds no broken UTF-8 there; else it takes what fastavro takes.

arrow-avro, the native reader that is maintained, needs three times the time, as it decodes all fields of a source, and
waits for ever where a message is longer than its schema says (polars-avro 0.13).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Floats, Integers, compiled
from tides_bridge.formats.avro.program import (
    DEEPEST,
    DOUBLE,
    FIXED,
    FLOAT,
    INTEGER,
    JUMP,
    LIST,
    LONG,
    LONG_AS_FLOAT,
    MARK,
    NAME,
    NEXT,
    OPTIONAL,
    OPTIONAL_FIXED,
    ROW,
    SIZED,
    SOURCES,
    TEXT,
    UNION,
    Program,
    Shape,
)

Names = npt.NDArray[np.uint64]

GOOD, SHORT, LONG_NUMBER, BRANCH, LENGTH, LEFT_OVER, FULL = range(7)
PROBLEMS = {
    SHORT: "it ends too early",
    LONG_NUMBER: "it has an integer of more than 64 bits",
    BRANCH: "it has a union with another branch",
    LENGTH: "it has a text or list of negative length",
    LEFT_OVER: "something is left over",
}
"""Why a message does not fit its schema."""

TOO_LONG = 2**64 - 1
"""Stands for a name of more than 8 bytes."""

BYTES_A_SOURCE = 300
"""[bytes] Of a source of Rubin; if they are shorter, room is made for more."""


@dataclass(frozen=True, eq=False)
class Fields:
    """
    The chosen fields of n messages with m sources in all.

    Attributes
    ----------
    problem
        (n,) int64: GOOD, or why the message does not fit its schema; such a message has no sources.
    message, group
        (m,) int64: which message a source is of, in their order, and which group.
    floats, integers
        (columns, m): NaN, or as the shape has it, where a field is null or missing.
    names
        (columns, m) uint64: the bytes of a name, the first the lowest; 0 where there is none, `TOO_LONG` if it has
        more than 8 bytes.
    object_floats, object_integers
        (columns, n): NaN and 0 where there is nothing.
    object_texts
        (columns, n, 2) int64: from where to where in content; -1 where there is none.
    content
        All messages, one after the other.
    """

    problem: Integers
    message: Integers
    group: Integers
    floats: Floats
    integers: Integers
    names: Names
    object_floats: Floats
    object_integers: Integers
    object_texts: Integers
    content: bytes


def read_fields(program: Program, shape: Shape, bodies: Sequence[bytes | memoryview]) -> Fields:
    """
    Read the chosen fields of messages of one schema.

    Parameters
    ----------
    program
        Of that schema.
    shape
        Of the columns that the program fills.
    bodies
        The messages, without any framing.
    """
    content = b"".join(bodies)
    ends = np.cumsum([0, *map(len, bodies)], dtype=np.int64)
    numbers = np.frombuffer(content or b"\0", dtype=np.uint8)
    n = len(bodies)
    problem = np.zeros(n, dtype=np.int64)
    about = (
        np.full((shape.object_floats, n), np.nan),
        np.zeros((shape.object_integers, n), dtype=np.int64),
        np.full((shape.object_texts, n, 2), -1, dtype=np.int64),
    )
    fill = np.array(shape.integers, dtype=np.int64)
    sources = _room(shape, len(content) // BYTES_A_SOURCE + n)
    first, rows = 0, 0
    while True:
        first, rows = _walk(program.steps, program.table, numbers, ends, first, rows, fill, problem, sources, about)
        if first == n:
            break
        # Twice the room, with the sources that there are.
        larger = _room(shape, 2 * len(sources[0]))
        for old, new in zip(sources, larger, strict=True):
            new[..., :rows] = old[..., :rows]
        sources = larger
    message, group, floats, integers, names = sources
    return Fields(
        problem,
        message[:rows],
        group[:rows],
        floats[:, :rows],
        integers[:, :rows],
        names[:, :rows],
        *about,
        content,
    )


_Sources = tuple[Integers, Integers, Floats, Integers, Names]


def _room(shape: Shape, size: int) -> _Sources:
    """Make room for a number of sources; pages of memory that are not written to cost nothing."""
    size = max(size, 16)
    return (
        np.empty(size, dtype=np.int64),
        np.empty(size, dtype=np.int64),
        np.empty((shape.floats, size)),
        np.empty((len(shape.integers), size), dtype=np.int64),
        np.empty((shape.names, size), dtype=np.uint64),
    )


@compiled
def _integer(content: Any, at: int, end: int) -> tuple[int, int]:
    """Read an int or long: zigzag, seven bits a byte; gives value and the place after it, or minus a problem."""
    value, shift = np.uint64(0), np.uint64(0)
    while at < end:
        byte = np.uint64(content[at])
        at += 1
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < np.uint64(0x80):
            found: Any = np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1))
            return found, at
        shift += np.uint64(7)
        if shift > np.uint64(63):
            return 0, -LONG_NUMBER
    return 0, -SHORT


@compiled
def _word_of(content: Any, at: int, size: int) -> Any:
    """Read an integer of some bytes, the lowest first."""
    word = np.uint64(0)
    for i in range(size):
        word |= np.uint64(content[at + i]) << np.uint64(8 * i)
    return word


@compiled
def _skip_optional(content: Any, at: int, end: int, null: int, sizes: Any) -> int:
    """Skip fields that may be null; gives the place after them, or minus a problem."""
    for size in sizes:
        if at >= end:
            return -SHORT
        branch = content[at]
        if branch == null:
            at += 1
        elif branch == 2 - null:
            at += 1 + size
        else:
            return -BRANCH
    return at


@compiled
def _sized(content: Any, at: int, end: int) -> tuple[int, int]:
    """Read the length of a text; gives it, and where the text begins, or minus a problem."""
    size, at = _integer(content, at, end)
    if at >= 0 and size < 0:
        return 0, -LENGTH
    if at >= 0 and size > end - at:
        return 0, -SHORT
    return size, at


@compiled
def _items(content: Any, at: int, end: int) -> tuple[int, int]:
    """Read how many items the next block of a list has, 0 at its end; gives that and the place after it."""
    number, at = _integer(content, at, end)
    if at >= 0 and number < 0:  # then its length in bytes follows
        _, at = _integer(content, at, end)
        number = -number
    return (number, at) if number >= 0 else (0, -LENGTH)


@compiled
def _message(  # noqa: PLR0912, PLR0913, PLR0915, PLR0917  one loop: with the numbers in a function of their own it is half as fast
    steps: Integers,
    table: Integers,
    content: Any,
    at: int,
    end: int,
    message: int,
    rows: int,
    fill: Integers,
    scratch: Any,
    sources: Any,
    about: Any,
) -> tuple[int, int]:
    """Go through a message; gives the place after it, or minus a problem, and the number of sources so far."""
    message_of, group_of, floats, integers, names = sources
    object_floats, object_integers, object_texts = about
    left, double_bits, double, float_bits, single = scratch
    place, depth, row = 0, 0, 0
    while at >= 0:
        step, a, b = steps[place, 0], steps[place, 1], steps[place, 2]
        place += 1
        if step == OPTIONAL_FIXED:
            at = _skip_optional(content, at, end, a, table[b : steps[place - 1, 3]])
        elif step == FIXED:
            at += a
        elif step == OPTIONAL:
            branch, at = _integer(content, at, end)
            if branch == a:
                place = b
            elif at >= 0 and branch != 1 - a:
                at = -BRANCH
        elif step in (FLOAT, DOUBLE, LONG_AS_FLOAT):
            number = 0.0
            if step == LONG_AS_FLOAT:
                value, at = _integer(content, at, end)
                number = np.float64(value)
            elif at + (8 if step == DOUBLE else 4) > end:
                at = -SHORT
            elif step == DOUBLE:
                double_bits[0] = _word_of(content, at, 8)
                number, at = double[0], at + 8
            else:
                float_bits[0] = np.uint32(_word_of(content, at, 4))
                number, at = np.float64(single[0]), at + 4
            if b == SOURCES:
                floats[a, row] = number
            else:
                object_floats[a, message] = number
        elif step == INTEGER:
            _, at = _integer(content, at, end)
        elif step == LONG:
            value, at = _integer(content, at, end)
            if b == SOURCES:
                integers[a, row] = value
            else:
                object_integers[a, message] = value
        elif step in (SIZED, NAME, TEXT):
            size, at = _sized(content, at, end)
            if step == NAME and at >= 0:
                names[a, row] = _word_of(content, at, size) if size <= 8 else np.uint64(TOO_LONG)
            elif step == TEXT:
                object_texts[a, message, 0], object_texts[a, message, 1] = at, at + size
            at += size
        elif step in (LIST, NEXT):
            begin, stop = (place, a) if step == LIST else (a, place)
            if step == LIST:
                depth += 1
            left[depth] = 0 if step == LIST else left[depth] - 1
            if left[depth] == 0:
                left[depth], at = _items(content, at, end)
            place = begin if left[depth] else stop
            depth -= left[depth] == 0
        elif step == ROW:
            if rows == len(message_of):
                return -FULL, rows
            row, rows = rows, rows + 1
            message_of[row], group_of[row] = message, a
            floats[:, row], integers[:, row], names[:, row] = np.nan, fill, 0
        elif step == MARK:
            object_integers[a, message] = 1
        elif step == UNION:
            branch, at = _integer(content, at, end)
            if at >= 0 and not 0 <= branch < a:
                at = -BRANCH
            elif at >= 0:
                place = table[b + branch]
        elif step == JUMP:
            place = a
        else:
            return (at if at == end else -LEFT_OVER), rows
        if at > end:
            at = -SHORT
    return at, rows


@compiled
def _walk(  # noqa: PLR0913, PLR0917
    steps: Integers,
    table: Integers,
    content: Any,
    ends: Integers,
    first: int,
    rows: int,
    fill: Integers,
    problem: Integers,
    sources: Any,
    about: Any,
) -> tuple[int, int]:
    """Go through the messages from one on; gives the message to go on with, all if done, and the sources so far."""
    double_bits, float_bits = np.zeros(1, np.uint64), np.zeros(1, np.uint32)
    left = np.zeros(DEEPEST + 1, np.int64)
    scratch = (left, double_bits, double_bits.view(np.float64), float_bits, float_bits.view(np.float32))
    for message in range(first, len(ends) - 1):
        at, more = _message(
            steps, table, content, ends[message], ends[message + 1], message, rows, fill, scratch, sources, about
        )
        if at == -FULL:
            return message, rows
        if at >= 0:
            rows = more
        else:
            problem[message] = -at
            about[0][:, message], about[1][:, message], about[2][:, message] = np.nan, 0, -1
    return len(ends) - 1, rows
