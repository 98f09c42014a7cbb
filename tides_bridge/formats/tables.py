"""
Tables with a point a row: CSV (with comma, semicolon, tab or bar) and Parquet, told by their columns.

The points of an object may lie together or be scattered over the file. If they are scattered, and the table is long, it
is gone through several times, each time for those objects whose hash falls to this turn.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from tides_bridge.compiled import Floats, Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import (
    FilePiece,
    Hashes,
    Index,
    Noted,
    Options,
    Refused,
    check_depth,
    hashes_of_ids,
    in_one_line,
)
from tides_bridge.formats.contents import first_bytes, stretches_of_lines
from tides_bridge.formats.meaning.epochs import (
    NO_EPOCH,
    check_steps,
    mjd_of_texts,
    mjd_of_times,
    plausible_epochs,
)
from tides_bridge.formats.meaning.identifiers import EXACT
from tides_bridge.formats.meaning.left_out import Digest, check_share, collecting, pass_on, remark
from tides_bridge.formats.meaning.points import curves_of_table, objects_of
from tides_bridge.formats.meaning.rivals import filled
from tides_bridge.formats.meaning.roles import (
    AGAIN,
    BAND_ROLES,
    EPOCH_ROLES,
    NAMES,
    TEXT,
    WHOLE,
    Layout,
    layout_of_schema,
    layout_of_text,
    role_named,
)
from tides_bridge.formats.meaning.single_columns import bands_of_table, epochs_of
from tides_bridge.formats.meaning.sky import degrees_of_texts
from tides_bridge.formats.nested import batches_from, open_table
from tides_bridge.lightcurves import LightCurves

NULLS = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A", "--", "-999", "-999.0"]

ROW_BITS = 24
"""A place in a text is the byte a stretch of lines starts at, and the row in it: this many bits are the row's."""

ROWS_A_PASS = 1_500_000
"""Of a scattered table, about so many rows are held at a time, which takes 1 GB."""

RUNS = 1 << 21
"""Stretches of rows of one object that are noted before it is looked whether objects come again."""

WHOLE_NUMBER = re.compile(r"\s*-?\d{1,19}\s*", re.ASCII)


DECIMAL_COMMA = re.compile(rb"(?<=\d),(?=\d)")


@dataclass
class Runs:
    """Rows of one object that lie together, as they are found."""

    object_hash: list[Hashes] = field(default_factory=list)
    epoch: list[Floats] = field(default_factory=list)
    place: list[Integers] = field(default_factory=list)
    rows: int = 0
    is_scattered: bool = False
    limit: int = field(default_factory=lambda: RUNS)

    def add(self, object_hash: Hashes, epoch: Floats, base: int) -> None:
        """Note some more rows, the first of them at the place base."""
        self.rows += len(object_hash)
        begins = np.flatnonzero(np.diff(object_hash, prepend=~object_hash[:1]))
        found, newest = object_hash[begins], np.fmax.reduceat(epoch, begins)
        if self.object_hash and self.object_hash[-1][-1] == found[0]:
            self.epoch[-1][-1] = np.fmax(self.epoch[-1][-1], newest[0])
            found, newest, begins = found[1:], newest[1:], begins[1:]
        if len(found):
            self.object_hash.append(found)
            self.epoch.append(newest)
            self.place.append(base + begins)
        if sum(map(len, self.object_hash)) > self.limit:
            self.gather()
            self.limit = max(RUNS, 2 * sum(map(len, self.object_hash)))

    def gather(self) -> None:
        """Put the runs of an object together if it has several."""
        found, epoch = np.concatenate(self.object_hash), np.concatenate(self.epoch)
        unique, inverse = np.unique(found, return_inverse=True)
        if len(unique) == len(found) and not self.is_scattered:
            return
        newest = np.full(len(unique), -np.inf)
        np.fmax.at(newest, inverse, epoch)
        self.is_scattered = True
        self.object_hash, self.epoch, self.place = [unique], [newest], [np.zeros(len(unique), dtype=np.int64)]


def layout_of(path: Path, kind: str) -> Layout:
    """Read what a table says of itself."""
    if kind == "text":
        return layout_of_text(first_bytes(path))
    with open_table(path) as file:
        return layout_of_schema(file.schema_arrow)


def index_table(path: Path, kind: str, refused: Refused) -> Index:
    """
    Note the objects of a table, each with its newest epoch.

    A place is a row's number; in a text the byte of a stretch of lines, and the row in it.
    """
    runs, end, nameless, useless = Runs(), 0, 0, 0
    left_out = Digest()
    layout = layout_of(path, kind)
    of_bands = [key for key in layout.rivals if key.partition(AGAIN)[0] in BAND_ROLES]
    roles = ("object_id", *EPOCH_ROLES, *BAND_ROLES, *of_bands)
    for base, table in _batches(path, kind, layout, roles, 0, (refused, _silent)):
        if len(table):
            names, codes = objects_of(table, layout)
            nameless += int(np.count_nonzero(np.array(names, dtype=object)[codes] == ""))
            with collecting() as batch:
                epochs = plausible_epochs(epochs_of(table, layout))
                useless += int(np.count_nonzero((bands_of_table(table)[0] < 0) | np.isnan(epochs)))
            left_out.add(batch)
            runs.add(hashes_of_ids(names)[codes], np.where(np.isnan(epochs), NO_EPOCH, epochs), base)
        end = base + len(table)
    if not runs.rows:
        raise MalformedAlert(str(path), "is a table without rows")
    check_share(path, useless, runs.rows, left_out)
    runs.gather()
    if nameless:
        refused(path, f"{nameless} rows have no object id")
    for object_hash, epoch in zip(runs.object_hash, runs.epoch, strict=True):
        epoch[object_hash == hashes_of_ids([""])[0]] = -np.inf
    passes = -(-runs.rows // ROWS_A_PASS) if runs.is_scattered else 0
    return Index(runs.object_hash, runs.epoch, runs.place, end, passes)


def read_table(piece: FilePiece, options: Options, refused: Refused, noted: Noted) -> LightCurves:
    """Read the chosen objects of a table."""
    parts, layout = [], layout_of(piece.path, piece.kind)
    _check_columns(layout)
    roles = (*NAMES, *layout.rivals)
    for base, table in _batches(piece.path, piece.kind, layout, roles, piece.start, (_silent, refused)):
        if base >= piece.stop:
            break
        start, stop = max(piece.start - base, 0), max(piece.stop - base, 0)
        part = table.slice(start, stop - start)
        parts.append(_of_turn(part, piece, layout) if piece.passes else part)
        if base + len(table) >= piece.stop:
            break
    table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    names, codes = objects_of(table, layout)
    if piece.kept is not None:
        run = np.cumsum(np.diff(codes, prepend=codes[:1]) != 0)
        table = table.filter(pa.array(piece.kept[run]))
        names, codes = objects_of(table, layout)
    curves = curves_of_table(names, codes, table, layout, options)
    if "magnitude" not in table.column_names:
        check_depth(curves, piece.path, noted)
    return curves


def curves_of_arrow(table: pa.Table, path: Path, options: Options, hearers: tuple[Refused, Noted]) -> LightCurves:
    """
    Make light curves of a table that is in memory as a whole.

    Parameters
    ----------
    table
        With the columns and metadata of its file.
    path
        The file.
    options
        What it does not say of itself.
    hearers
        The first is told of rows that cannot be used, the second if the file may have been misread.

    Raises
    ------
    MalformedAlert
        If something in it cannot be meant.
    """
    refused, noted = hearers
    layout = layout_of_schema(table.schema)
    _check_columns(layout)
    columns = {
        key: _plain(table[name].combine_chunks(), key, name, path, refused)
        for key, name in (layout.roles | layout.rivals).items()
    }
    table = filled(pa.table(columns), layout)
    names, codes = objects_of(table, layout)
    is_nameless = np.array([name == "" for name in names], dtype=bool)[codes]
    if is_nameless.any():
        refused(path, f"{np.count_nonzero(is_nameless)} rows have no object id")
        table = table.filter(pa.array(~is_nameless))
        names, codes = objects_of(table, layout)
    if not len(table):
        raise MalformedAlert(str(path), "is a table without rows")
    with collecting() as digest:
        curves = curves_of_table(names, codes, table, layout, options)
    used = int(np.count_nonzero((curves.band >= 0) & np.isfinite(curves.mjd)))
    check_share(path, len(table) - used, len(table), digest)
    pass_on(digest)
    if "magnitude" not in table.column_names:
        check_depth(curves, path, noted)
    return curves


def _check_columns(layout: Layout) -> None:
    """Tell the columns that nobody understands; raises MalformedAlert if two that are needed have one name."""
    for name in layout.roles.values():
        if layout.names.count(name) > 1:
            raise MalformedAlert("table", f"has two columns called {name}: keep one")
    if layout.zero_point_like and "magnitude" not in layout.roles:
        name = layout.zero_point_like
        raise MalformedAlert("table", f"{name} seems to be the zero point of its fluxes: call it zp, or drop it")
    if layout.unused():
        remark(f"columns that are not used: {', '.join(layout.unused())[:300]}")


def _of_turn(table: pa.Table, piece: FilePiece, layout: Layout) -> pa.Table:
    """Take the rows of the objects whose turn it is."""
    names, codes = objects_of(table, layout)
    found = hashes_of_ids(names)
    wanted = found % np.uint64(piece.passes) == piece.turn
    if piece.unwanted is not None:
        wanted &= ~np.isin(found, piece.unwanted)
    return table.filter(pa.array(wanted[codes] if len(codes) else np.empty(0, dtype=bool)))


def _batches(  # noqa: PLR0913, PLR0917
    path: Path, kind: str, layout: Layout, roles: tuple[str, ...], start: int, hearers: tuple[Refused, Refused]
) -> Iterator[tuple[int, pa.Table]]:
    """
    Give the rows from a place on, in tables with the columns of some roles, each with the place of its first row.

    The first of hearers is told of rows with too few or too many fields, the second of fields that are no numbers.
    """
    known = {role: name for role, name in (layout.roles | layout.rivals).items() if role in roles}
    if kind == "table":
        batches = _batches_of_parquet(path, known, start, hearers[1])
    else:
        batches = _batches_of_text(path, layout, known, start, hearers)
    return ((base, filled(table, layout)) for base, table in batches)


def _silent(_path: Path, _problem: str) -> None:
    """Tell nobody: what is wrong has been, or will be, told by the other reading."""


def _batches_of_parquet(
    path: Path, known: dict[str, str], start: int, refused: Refused
) -> Iterator[tuple[int, pa.Table]]:
    with open_table(path) as file:
        for base, batch in batches_from(file, list(dict.fromkeys(known.values())), start, 1 << 18):
            columns = {role: batch.column(name) for role, name in known.items()}
            yield base, pa.table({role: _plain(columns[role], role, known[role], path, refused) for role in known})


def _plain(column: Any, key: str, name: str, path: Path, refused: Refused) -> Any:
    """Bring a column to the type of its role; of a further column for it, what is none becomes null."""
    role, _, is_rival = key.partition(AGAIN)
    if pa.types.is_nested(column.type) and not is_rival:
        raise MalformedAlert("table", f"{name} has lists or structures in place of single values")
    if not is_rival:
        return _of_role(column, role, name, path, refused)
    try:
        return _of_role(column, role, name, path, _silent)
    except (MalformedAlert, pa.ArrowException):
        return pa.nulls(len(column), _type_of(role))


def _of_role(column: Any, role: str, name: str, path: Path, refused: Refused) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind) or pa.types.is_large_binary(kind):
        column = pa.array([None if value is None else _text(value) for value in column.to_pylist()], pa.string())
    if role == "object_id" and pa.types.is_floating(column.type):
        if (pc.max(pc.abs(column)).as_py() or 0) >= EXACT:
            raise MalformedAlert("table", f"{name} is a column of floats, which have lost digits of the object ids")
        column = pc.cast(column, pa.int64())
    if role in TEXT:
        return pc.cast(column, pa.string())
    if pa.types.is_duration(column.type) or pa.types.is_time(column.type):
        raise MalformedAlert("table", f"{name} has times without a date ({column.type}): give MJD or dates")
    if pa.types.is_temporal(column.type):
        return pa.array(mjd_of_times(pd.Series(column.to_pandas())), pa.float64(), from_pandas=True)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _numbers(pc.cast(column, pa.string()), role, path, refused)
    if role in WHOLE:
        return _whole_column(column)
    if role in EPOCH_ROLES and pa.types.is_floating(column.type):
        values = np.abs(column.to_numpy(zero_copy_only=False))
        check_steps(values.dtype, np.nanmax(values, initial=0.0), name)
    return pc.cast(column, pa.float64())


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _whole_column(column: Any) -> Any:
    """Read whole numbers of any type: null where there is none, where a float has lost digits, and beyond 64 bits."""
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False).astype(float)
        is_whole = (values == np.floor(values)) & (np.abs(values) < EXACT)
        return pa.array(np.where(is_whole, values, 0).astype(np.int64), mask=~is_whole)
    if column.type == pa.uint64():
        column = pc.if_else(pc.less(column, pa.scalar(2**63, pa.uint64())), column, pa.scalar(None, pa.uint64()))
    return pc.cast(column, pa.int64())


def _batches_of_text(
    path: Path, layout: Layout, known: dict[str, str], start: int, hearers: tuple[Refused, Refused]
) -> Iterator[tuple[int, pa.Table]]:
    for byte, text in stretches_of_lines(path, start >> ROW_BITS):
        lines = text if byte else text[layout.start :]
        if lines.strip():
            lines = DECIMAL_COMMA.sub(b".", lines) if layout.has_commas else lines
            table = _parsed(_as_utf8(lines), path, layout, known, hearers[0])
            columns = {key: _plain(table[name], key, name, path, hearers[1]) for key, name in known.items()}
            yield byte << ROW_BITS, pa.table(columns)


def _as_utf8(lines: bytes) -> bytes:
    """Replace what is no UTF-8, which would fail where the row is told of."""
    try:
        lines.decode()
    except UnicodeDecodeError:
        return lines.decode(errors="replace").encode()
    return lines


def _parsed(lines: bytes, path: Path, layout: Layout, known: dict[str, str], uneven: Refused) -> pa.Table:
    """Read some lines of a text, as text where a number is none; a line with too few or too many fields is left out."""
    lost: list[str] = []

    def skip(row: Any) -> str:
        lost.append(f"{row.actual_columns} fields instead of {row.expected_columns}: {row.text[:60]!r}")
        return "skip"

    reading = pa_csv.ReadOptions(column_names=list(layout.names), block_size=len(lines))
    parsing = pa_csv.ParseOptions(delimiter=layout.separator, invalid_row_handler=skip)
    types = {name: pa.string() if AGAIN in role else _type_of(role) for role, name in known.items()}
    try:
        try:
            table = pa_csv.read_csv(io.BytesIO(lines), reading, parsing, _conversion(types))
        except pa.ArrowInvalid:
            lost.clear()
            table = pa_csv.read_csv(io.BytesIO(lines), reading, parsing, _conversion(dict.fromkeys(types, pa.string())))
            table = _without_headers(table, layout)
    except pa.ArrowInvalid as problem:
        raise MalformedAlert(str(path), f"is no table: {in_one_line(problem)}") from None
    if lost:
        uneven(path, f"{len(lost)} rows are left out, the first with {lost[0]}")
    return table


def _without_headers(table: pa.Table, layout: Layout) -> pa.Table:
    """Leave out headers among the rows, as of files that were put together; raises MalformedAlert if one is another."""
    epoch = layout.roles[layout.epoch_role]
    texts = pc.fill_null(pc.utf8_trim_whitespace(table[epoch]), "")
    others = [text for text in pc.unique(texts).to_pylist() if role_named(text.strip('"'))]
    is_header = pc.is_in(texts, pa.array(others, pa.string()))
    for name in table.column_names if others else []:
        found = set(pc.unique(pc.utf8_trim_whitespace(table[name].filter(is_header))).to_pylist())
        if found != {name}:
            raise MalformedAlert(
                "table",
                f"has another header among its rows, where {name} was {', '.join(map(str, found))} is: divide it",
            )
    if others:
        remark("headers among the rows are left out: several tables were put together")
    return table.filter(pc.invert(is_header))


def _conversion(types: dict[str, pa.DataType]) -> pa_csv.ConvertOptions:
    return pa_csv.ConvertOptions(
        column_types=types,
        include_columns=list(types),
        null_values=NULLS,
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )


def _type_of(role: str) -> pa.DataType:
    return pa.string() if role in TEXT else pa.int64() if role in WHOLE else pa.float64()


def _numbers(column: pa.ChunkedArray, role: str, path: Path, refused: Refused) -> Any:
    """Read as numbers what had to be read as text, dates and angles, too; where there is none it is null, and told."""
    wanted = _type_of(role)
    try:
        return pc.cast(pc.utf8_trim_whitespace(column), wanted)
    except pa.ArrowInvalid:
        pass  # it is looked at row by row
    text = pd.Series(column.to_pylist(), dtype=object)
    if role in ("ra", "decl"):
        numbers = pd.Series(degrees_of_texts(text, is_hours=role == "ra"))
    else:
        numbers = pd.to_numeric(text, errors="coerce").astype(float)
    bad = text[numbers.isna() & text.notna()]
    if len(bad) and role in EPOCH_ROLES:
        numbers[bad.index] = mjd_of_texts(bad)
        bad = text[numbers.isna() & text.notna()]
    if len(bad):
        refused(path, f"{len(bad)} rows have no number as {role}, the first {in_one_line(bad.iloc[0])!r}")
    if role in WHOLE:
        return pa.array([_whole(value) for value in text], pa.int64())
    return pa.array(numbers.to_numpy(dtype=float), pa.float64(), from_pandas=True)


def _whole(text: str | None) -> int | None:
    """Read a whole number, with zeros behind a point, too, as long as it has all its digits and fits into 64 bits."""
    if text is None:
        return None
    whole = text.partition(".")[0] if text.strip("0").endswith(".") else text
    number = int(whole) if WHOLE_NUMBER.fullmatch(whole) else None
    is_exact = number is not None and abs(number) < (2**63 if whole is text else EXACT)
    return number if is_exact else None
