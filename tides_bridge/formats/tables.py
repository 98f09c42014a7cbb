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
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from tides_bridge.compiled import Floats, Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import (
    NO_EPOCH,
    FilePiece,
    Hashes,
    Index,
    Noted,
    Options,
    Refused,
    check_depth,
    hashes_of_ids,
    in_one_line,
    plausible_epochs,
)
from tides_bridge.formats.contents import first_bytes, stretches_of_lines
from tides_bridge.formats.lsst import EXACT, band_codes
from tides_bridge.formats.nested import open_table
from tides_bridge.lightcurves import LightCurves
from tides_bridge.lightcurves.photometry import MJD_ZERO, ZTF_BANDS, mjd_utc_from_tai

NAMES: Final = {
    "object_id": ("objectid", "object_id", "diaobjectid", "oid"),
    "mjd": ("mjd",),
    "jd": ("jd",),
    "mjd_tai": ("midpointmjdtai", "midpointtai", "mjd_tai"),
    "band": ("band", "filter", "filtername", "passband"),
    "fid": ("fid",),
    "magnitude": ("mag", "magpsf", "magnitude"),
    "magnitude_error": ("magerr", "mag_err", "sigmapsf", "magnitude_error"),
    "flux_njy": ("psfflux",),
    "flux_njy_error": ("psffluxerr",),
    "flux": ("flux", "psflux"),
    "flux_error": ("fluxerr", "flux_err", "psfluxerr", "flux_error"),
    "limiting_magnitude": ("diffmaglim",),
    "is_positive": ("isdiffpos",),
    "night": ("nid", "night"),
    "source_id": ("candid", "diasourceid", "source_id"),
    "reliability": ("reliability", "drb"),
    "older_reliability": ("rb",),
    "ra": ("ra",),
    "decl": ("dec", "decl"),
}
"""What columns may be called, in small letters, best first."""

TEXT = ("object_id", "band", "fid", "is_positive")
WHOLE = ("night", "source_id")

NEEDED = "objectId, mjd or jd, band or fid, and mag with magerr or flux with fluxerr"

SEPARATORS = b",;\t|"

NULLS = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A", "--", "-999", "-999.0"]

ROW_BITS = 24
"""A place in a text is the byte a stretch of lines starts at, and the row in it: this many bits are the row's."""

ROWS_A_PASS = 1_500_000
"""Of a scattered table, about so many rows are held at a time, which takes 1 GB."""

RUNS = 1 << 21
"""Stretches of rows of one object that are noted before it is looked whether objects come again."""

WHOLE_NUMBER = re.compile(r"\s*-?\d{1,19}\s*", re.ASCII)

POSITIVE = pa.array(["t", "1", "true", "1.0"])


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


def roles_of(names: list[str]) -> dict[str, str]:
    """
    Tell which column plays which role; empty if it is no table of points.

    >>> roles_of(["objectId", "jd", "fid", "magpsf", "sigmapsf", "x"])["magnitude"]
    'magpsf'
    """
    small = {name.strip().lower(): name for name in reversed(names)}
    roles = {role: small[name] for role, known in NAMES.items() for name in reversed(known) if name in small}
    has_epoch = {"mjd", "jd", "mjd_tai"} & set(roles)
    has_brightness = {"magnitude", "flux", "flux_njy"} & set(roles)
    return roles if "object_id" in roles and has_epoch and has_brightness and {"band", "fid"} & set(roles) else {}


def header_of(start: bytes) -> tuple[list[str], str]:
    """Give the names in the first line of a text, and what separates them."""
    first = start.removeprefix(b"\xef\xbb\xbf").split(b"\n")[0].strip()
    separator = max(SEPARATORS, key=lambda byte: first.count(bytes([byte])))
    try:
        text = first.decode()
    except UnicodeDecodeError:
        return [], ","
    return [name.strip().strip('"') for name in text.split(chr(separator))], chr(separator)


def index_table(path: Path, kind: str, refused: Refused) -> Index:
    """
    Note the objects of a table, each with its newest epoch.

    A place is a row's number; in a text the byte of a stretch of lines, and the row in it.
    """
    runs, end, nameless = Runs(), 0, 0
    for base, table in _batches(path, kind, ("object_id", "mjd", "jd", "mjd_tai"), 0, (refused, _silent)):
        if len(table):
            names, codes = _objects(table)
            nameless += int(np.count_nonzero(np.array(names, dtype=object)[codes] == ""))
            epochs = plausible_epochs(_epochs(table))
            runs.add(hashes_of_ids(names)[codes], np.where(np.isnan(epochs), NO_EPOCH, epochs), base)
        end = base + len(table)
    if not runs.rows:
        raise MalformedAlert(str(path), "is a table without rows")
    runs.gather()
    if nameless:
        refused(path, f"{nameless} rows have no object id")
    for object_hash, epoch in zip(runs.object_hash, runs.epoch, strict=True):
        epoch[object_hash == hashes_of_ids([""])[0]] = -np.inf
    passes = -(-runs.rows // ROWS_A_PASS) if runs.is_scattered else 0
    return Index(runs.object_hash, runs.epoch, runs.place, end, passes)


def read_table(piece: FilePiece, options: Options, refused: Refused, noted: Noted) -> LightCurves:
    """Read the chosen objects of a table."""
    parts = []
    for base, table in _batches(piece.path, piece.kind, tuple(NAMES), piece.start, (_silent, refused)):
        if base >= piece.stop:
            break
        start, stop = max(piece.start - base, 0), max(piece.stop - base, 0)
        part = table.slice(start, stop - start)
        parts.append(_of_turn(part, piece) if piece.passes else part)
        if base + len(table) >= piece.stop:
            break
    table = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
    names, codes = _objects(table)
    if piece.kept is not None:
        run = np.cumsum(np.diff(codes, prepend=codes[:1]) != 0)
        table = table.filter(pa.array(piece.kept[run]))
        names, codes = _objects(table)
    curves = _curves(names, codes, table, options)
    if "magnitude" not in table.column_names:
        check_depth(curves, piece.path, noted)
    return curves


def _of_turn(table: pa.Table, piece: FilePiece) -> pa.Table:
    """Take the rows of the objects whose turn it is."""
    names, codes = _objects(table)
    found = hashes_of_ids(names)
    wanted = found % np.uint64(piece.passes) == piece.turn
    if piece.unwanted is not None:
        wanted &= ~np.isin(found, piece.unwanted)
    return table.filter(pa.array(wanted[codes] if len(codes) else np.empty(0, dtype=bool)))


def _batches(
    path: Path, kind: str, roles: tuple[str, ...], start: int, hearers: tuple[Refused, Refused]
) -> Iterator[tuple[int, pa.Table]]:
    """
    Give the rows from a place on, in tables with the columns of some roles, each with the place of its first row.

    The first of hearers is told of rows with too few or too many fields, the second of fields that are no numbers.
    """
    if kind == "table":
        return _batches_of_parquet(path, roles, start)
    return _batches_of_text(path, roles, start, hearers)


def _silent(_path: Path, _problem: str) -> None:
    """Tell nobody: what is wrong has been, or will be, told by the other reading."""


def _batches_of_parquet(path: Path, roles: tuple[str, ...], start: int) -> Iterator[tuple[int, pa.Table]]:
    with open_table(path) as file:
        known = {role: name for role, name in roles_of(file.schema_arrow.names).items() if role in roles}
        base = 0
        for group in range(file.num_row_groups):
            length = file.metadata.row_group(group).num_rows
            if base + length <= start:
                base += length
                continue
            for batch in file.iter_batches(1 << 18, row_groups=[group], columns=list(known.values())):
                columns = {role: batch.column(name) for role, name in known.items()}
                yield base, pa.table({role: _plain(column, role) for role, column in columns.items()})
                base += len(batch)


def _plain(column: Any, role: str) -> Any:
    """Bring a column to the type of its role."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if role == "object_id" and pa.types.is_floating(column.type):
        if (pc.max(pc.abs(column)).as_py() or 0) >= EXACT:
            raise MalformedAlert("table", "its object ids are a column of floats, which have lost digits of the ids")
        column = pc.cast(column, pa.int64())
    if role in TEXT:
        return pc.cast(column, pa.string())
    return pc.cast(column, pa.int64() if role in WHOLE else pa.float64())


def _batches_of_text(
    path: Path, roles: tuple[str, ...], start: int, hearers: tuple[Refused, Refused]
) -> Iterator[tuple[int, pa.Table]]:
    names, separator = header_of(first_bytes(path))
    known = {role: name for role, name in roles_of(names).items() if role in roles}
    for byte, text in stretches_of_lines(path, start >> ROW_BITS):
        lines = text if byte else text.partition(b"\n")[2]
        if lines.strip():
            lines = _as_utf8(lines)
            table = _parsed(lines, path, names, separator, known, hearers[0])
            numbers = {role: _numbers(table[name], role, path, hearers[1]) for role, name in known.items()}
            yield byte << ROW_BITS, pa.table(numbers)


def _as_utf8(lines: bytes) -> bytes:
    """Replace what is no UTF-8, which would fail where the row is told of."""
    try:
        lines.decode()
    except UnicodeDecodeError:
        return lines.decode(errors="replace").encode()
    return lines


def _parsed(  # noqa: PLR0913, PLR0917
    lines: bytes, path: Path, names: list[str], separator: str, known: dict[str, str], uneven: Refused
) -> pa.Table:
    """Read some lines of a text, as text where a number is none; a line with too few or too many fields is left out."""
    lost: list[str] = []

    def skip(row: Any) -> str:
        lost.append(f"{row.actual_columns} fields instead of {row.expected_columns}: {row.text[:60]!r}")
        return "skip"

    reading = pa_csv.ReadOptions(column_names=names, block_size=len(lines))
    parsing = pa_csv.ParseOptions(delimiter=separator, invalid_row_handler=skip)
    types = {name: _type_of(role) for role, name in known.items()}
    try:
        try:
            table = pa_csv.read_csv(io.BytesIO(lines), reading, parsing, _conversion(types))
        except pa.ArrowInvalid:
            lost.clear()
            table = pa_csv.read_csv(io.BytesIO(lines), reading, parsing, _conversion(dict.fromkeys(types, pa.string())))
    except pa.ArrowInvalid as problem:
        raise MalformedAlert(str(path), f"is no table: {in_one_line(problem)}") from None
    if lost:
        uneven(path, f"{len(lost)} rows are left out, the first with {lost[0]}")
    return table


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
    """Read as numbers what had to be read as text; where there is none it becomes null, and is told."""
    wanted = _type_of(role)
    if column.type == wanted:
        return column
    text = pd.Series(column.to_pylist(), dtype=object)
    numbers = pd.to_numeric(text, errors="coerce")
    bad = text[numbers.isna() & text.notna()]
    if len(bad):
        refused(path, f"{len(bad)} rows have no number as {role}, the first {in_one_line(bad.iloc[0])!r}")
    if role in WHOLE:
        return pa.array([_whole(value) for value in text], pa.int64())
    return pa.array(numbers.to_numpy(dtype=float), pa.float64(), from_pandas=True)


def _whole(text: str | None) -> int | None:
    number = int(text) if text is not None and WHOLE_NUMBER.fullmatch(text) else None
    return number if number is not None and abs(number) < 2**63 else None


def _objects(table: pa.Table) -> tuple[list[str], Integers]:
    """Give the object ids, in the order they come, and which of them each row is of; "" for none."""
    column = _one_array(table["object_id"])
    coded = pc.fill_null(pc.utf8_trim_whitespace(column), "").dictionary_encode()
    return coded.dictionary.to_pylist(), np.asarray(coded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _values(table: pa.Table, role: str) -> Floats | None:
    if role not in table.column_names:
        return None
    return np.asarray(table[role].to_numpy(), dtype=float)


def _epochs(table: pa.Table) -> Floats:
    """Give the epochs [MJD, UTC]."""
    mjd, jd, tai = (_values(table, role) for role in ("mjd", "jd", "mjd_tai"))
    if mjd is not None:
        return mjd
    return jd - MJD_ZERO if jd is not None else mjd_utc_from_tai(np.asarray(tai))


def _whole_numbers(table: pa.Table, role: str) -> Integers | None:
    if role not in table.column_names:
        return None
    return np.asarray(pc.fill_null(table[role], -1).to_numpy(), dtype=np.int64)


def _curves(names: list[str], codes: Integers, table: pa.Table, options: Options) -> LightCurves:
    mjd, band = plausible_epochs(_epochs(table)), _bands(table)
    night = _whole_numbers(table, "night")
    others: dict[str, Any] = {role: _values(table, role) for role in ("reliability", "ra", "decl")}
    older, newer = _values(table, "older_reliability"), others["reliability"]
    if older is not None:
        others["reliability"] = older if newer is None else np.where(np.isnan(newer), older, newer)
    others["source_id"] = _whole_numbers(table, "source_id")
    if night is not None and (night >= 0).all():
        others["night"] = night
    if "magnitude" not in table.column_names:
        is_njy = "flux_njy" in table.column_names
        scale = 1.0 if is_njy else options.scale
        flux = np.asarray(_values(table, "flux_njy" if is_njy else "flux")) * scale
        error = _values(table, "flux_njy_error" if is_njy else "flux_error")
        error = np.full(len(flux), np.nan) if error is None else error * scale
        return LightCurves.from_fluxes(names, codes, mjd, band, flux, error, is_detection=np.isfinite(flux), **others)
    magnitude = np.asarray(_values(table, "magnitude"))
    error = _values(table, "magnitude_error")
    return LightCurves.from_magnitudes(
        names,
        codes,
        mjd,
        band,
        magnitude,
        np.full(len(magnitude), np.nan) if error is None else error,
        is_detection=np.isfinite(magnitude) & (magnitude > -900),
        is_positive=_signs(table),
        limiting_magnitude=_values(table, "limiting_magnitude"),
        **others,
    )


def _signs(table: pa.Table) -> npt.NDArray[np.bool_]:
    if "is_positive" not in table.column_names:
        return np.ones(len(table), dtype=bool)
    known = pc.is_in(pc.utf8_lower(table["is_positive"]), POSITIVE)
    return np.asarray(pc.fill_null(known, False).to_numpy(), dtype=bool)


def _bands(table: pa.Table) -> npt.NDArray[np.int8]:
    """Read names of bands, or ZTF's numbers for them; one that is neither is -1."""
    column = _one_array(table["band" if "band" in table.column_names else "fid"])
    coded = pc.utf8_trim_whitespace(column).dictionary_encode()
    names = [FIDS.get(name, name) for name in coded.dictionary.to_pylist()]
    codes = band_codes(np.array([*names, None], dtype=object))
    return codes[np.asarray(pc.fill_null(coded.indices, len(names)).to_numpy(zero_copy_only=False), dtype=np.int64)]


FIDS: Final = {f"{fid}{zero}": band for fid, band in ZTF_BANDS.items() for zero in ("", ".0")}
"""ZTF's filter ids as text."""
