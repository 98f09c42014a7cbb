"""
Parquet with an object a row, as ELAsTiCC2 has it: scalars of the HEAD file, and the columns of the PHOT file as lists.

The same shape without names of SNANA is read, too: an id, and lists of epochs, bands and fluxes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tides_bridge.compiled import Floats, Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import FilePiece, Index, Options, Refused
from tides_bridge.formats.meaning.epochs import NO_EPOCH
from tides_bridge.formats.meaning.identifiers import EXACT
from tides_bridge.formats.nested import batches_from, open_table
from tides_bridge.formats.snana.points import (
    DETECTED,
    ZERO_POINT,
    Conventions,
    codes_of_bands,
    known_or_nan,
    snana_curves,
)
from tides_bridge.lightcurves import LightCurves, Objects

LISTS: Final = ("MJD", "BAND", "FLUXCAL", "FLUXCALERR")
"""Columns with a list a row that must be there; PHOTFLAG is used if it is."""

ROWS: Final = 8192
"""Of objects that are read at once."""


def is_object_rows(schema: pa.Schema) -> bool:
    """Tell whether a table has an object a row, by its columns."""
    names = set(schema.names)
    return {"SNID", *LISTS} <= names and all(_is_list(schema.field(name).type) for name in LISTS)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def index_object_rows(path: Path, refused: Refused) -> Index:
    """Note the objects; a place is a row's number, from 0."""
    index, nameless = Index(), 0
    with open_table(path) as file:
        for batch in _batches(file, ("SNID", "MJD"), 0):
            names = _names(batch, path)
            epochs = _newest(batch)
            has_no_name = np.array([not name for name in names], dtype=bool)
            nameless += int(np.count_nonzero(has_no_name))
            epochs[has_no_name] = -np.inf
            index.add(names, epochs, np.arange(index.end, index.end + len(batch)))
            index.end += len(batch)
    if nameless:
        refused(path, f"{nameless} rows have no SNID")
    return index


def read_object_rows(piece: FilePiece, options: Options, refused: Refused) -> LightCurves:
    """Read the chosen objects of a table."""
    parts, row = [], piece.start
    with open_table(piece.path) as file:
        conventions = _conventions(file)
        wanted = ("SNID", "RA", "DEC", "MWEBV", "PHOTFLAG", *LISTS)
        for batch in _batches(file, wanted, piece.start):
            part = batch.slice(0, min(len(batch), piece.stop - row))
            if piece.kept is not None:
                kept = piece.kept[row - piece.start : row - piece.start + len(part)]
                part = part.filter(pa.array(kept))
            row += len(batch)
            if len(part):
                parts.append(part)
            if row >= piece.stop:
                break
    if not parts:
        return LightCurves.joined([])
    table = pa.Table.from_batches(parts)
    return _curves(table, conventions, piece.path, options, refused)


def _batches(file: pq.ParquetFile, names: tuple[str, ...], start: int) -> Iterator[pa.RecordBatch]:
    """Give the rows from a number on, with some columns."""
    columns = [name for name in file.schema_arrow.names if name in names]
    for base, batch in batches_from(file, columns, start, ROWS):
        if base + len(batch) > start:
            yield batch.slice(max(start - base, 0))


def _names(batch: Any, path: Path) -> list[str]:
    column = batch["SNID"]
    if pa.types.is_floating(column.type):
        if (pc.max(pc.abs(column)).as_py() or 0) >= EXACT:
            raise MalformedAlert(str(path), "its SNID is a column of floats, which have lost digits of the ids")
        column = pc.cast(column, pa.int64())
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    names: list[str] = pc.fill_null(text, "").to_pylist()
    return names


def _newest(batch: pa.RecordBatch) -> Floats:
    """Give the newest epoch of each object [MJD]."""
    lengths, values = _flat(batch, "MJD")
    epochs = np.full(len(batch), NO_EPOCH)
    if len(values):
        starts = (np.cumsum(lengths) - lengths)[lengths > 0]
        mjd = Conventions("LSST").utc(np.asarray(values, dtype=float))
        epochs[lengths > 0] = np.nan_to_num(np.fmax.reduceat(mjd, starts), nan=NO_EPOCH)
    return epochs


def _conventions(file: pq.ParquetFile) -> Conventions:
    """Tell what the table leaves out: it is ELAsTiCC2's, of LSST."""
    return Conventions("LSST", ZERO_POINT, DETECTED if "PHOTFLAG" in file.schema_arrow.names else 0)


def _flat(table: Any, name: str) -> tuple[Integers, Any]:
    """Give the lengths of the lists of a column, and their values one after the other."""
    column = table[name]
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False), dtype=np.int64)
    return lengths, column.flatten()


def _curves(table: pa.Table, conventions: Conventions, path: Path, options: Options, refused: Refused) -> LightCurves:
    columns = {name: _flat(table, name) for name in (*LISTS, "PHOTFLAG") if name in table.column_names}
    lengths = columns["MJD"][0]
    is_uneven = np.any([other != lengths for other, _ in columns.values()], axis=0)
    if is_uneven.any():
        names = _names(table, path)
        count = int(np.count_nonzero(is_uneven))
        refused(
            path, f"{count} objects have lists of different lengths, the first is {names[int(np.argmax(is_uneven))]}"
        )
        return _curves(table.filter(pa.array(~is_uneven)), conventions, path, options, refused)
    points: dict[str, npt.NDArray[Any]] = {
        name: np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=float)
        for name, (_, values) in columns.items()
        if name not in {"BAND", "PHOTFLAG"}
    }
    if "PHOTFLAG" in columns:
        flags = pc.fill_null(columns["PHOTFLAG"][1], 0)
        points["PHOTFLAG"] = np.asarray(flags.to_numpy(zero_copy_only=False), dtype=np.int64)
    points["band"] = _bands(columns["BAND"][1])
    objects = Objects.of(len(table), **_known(table))
    return snana_curves(
        _names(table, path), np.repeat(np.arange(len(table)), lengths), points, conventions, objects, options
    )


def _bands(values: Any) -> npt.NDArray[np.int8]:
    coded = values.dictionary_encode() if not pa.types.is_dictionary(values.type) else values
    places = np.asarray(pc.fill_null(coded.indices, len(coded.dictionary)).to_numpy(zero_copy_only=False))
    names = [str(name or "") for name in coded.dictionary.to_pylist()] + [""]
    return codes_of_bands(names, np.asarray(places))


def _known(table: pa.Table) -> dict[str, Floats]:
    def values(name: str, lowest: float) -> Floats:
        column = table[name].to_numpy() if name in table.column_names else None
        return known_or_nan(column, len(table), lowest)

    ra = values("RA", -1e-9)
    return {"ra": ra, "decl": np.where(np.isnan(ra), np.nan, values("DEC", -90.01)), "ebv": values("MWEBV", -1e-9)}
