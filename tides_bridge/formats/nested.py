"""
Parquet with an alert a row: sources nested as structs and lists of structs, as Fink and Spark write them.

Columns go from the file to light curves without a loop over rows. Tables of ZTF packets are read record by record.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tides_bridge.compiled import Floats, Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import FilePiece, Index, Noted, Refused, check_depth, in_one_line
from tides_bridge.formats.babamul import survey_packet
from tides_bridge.formats.contents import seekable, state_of
from tides_bridge.formats.json_text import chosen_records
from tides_bridge.formats.lsst import NUMBERS, error_without_object, lsst_curves_of_columns
from tides_bridge.formats.meaning.annotations import ROOTS, annotations_in
from tides_bridge.formats.meaning.bands import codes_of_coded
from tides_bridge.formats.meaning.epochs import NO_EPOCH, known_epochs
from tides_bridge.formats.meaning.identifiers import EXACT
from tides_bridge.formats.needed import lacking_field
from tides_bridge.formats.records import XM, Record, not_of_ztf
from tides_bridge.formats.ztf import NO_MATCH
from tides_bridge.lightcurves import LightCurves, Objects
from tides_bridge.lightcurves.photometry import MJD_ZERO, mjd_utc_from_tai

ROWS = 4096
"""Of a table that are read at once."""

PAGES = 1 << 20
"""[B] Of a column that are read at once."""

LISTS = ("prvDiaSources", "prvDiaForcedSources")

HEAD = ("diaObjectId", "ssObjectId", "midpointMjdTai", "midPointTai", "jd")
BODY = (*HEAD, *NUMBERS, "diaSourceId", "band", "filterName", "mwebv")
RECORD = ("objectId", "candid", "candidate", "prv_candidates", "prv_nondetections", "fp_hists", "vsx", "gcvs")

_kept = threading.local()


def is_alerts(names: list[str]) -> bool:
    """Tell whether a table has an alert a row, by its columns."""
    return "diaSource" in names or {"objectId", "candidate"} <= set(names)


def index_nested(path: Path, refused: Refused) -> Index:
    """Note the rows of a table of alerts; a place is a row's number, from 0."""
    noted = Index()
    with open_table(path) as file:
        is_ztf = "diaSource" not in file.schema_arrow.names
        for place in ("diaSource", "prvDiaSources"):
            kind = file.schema_arrow.field(place).type if place in file.schema_arrow.names else pa.null()
            kind = kind if pa.types.is_struct(kind) or pa.types.is_null(kind) else kind.value_type
            name = lacking_field([field.name for field in kind]) if pa.types.is_struct(kind) else ""
            if name:
                raise MalformedAlert(str(path), f"{place}.{name} is missing")
        columns = _leaves(file, ("diaSource", "diaObject", "candidate", "objectId"), HEAD)
        for batch in file.iter_batches(ROWS, columns=columns):
            names, epochs, reasons = _ztf_heads(batch) if is_ztf else _heads(batch)
            for row, reason in reasons:
                refused(path, f"row {noted.end + row + 1}: {reason}")
                epochs[row] = -np.inf
            noted.add(names, epochs, np.arange(noted.end, noted.end + len(batch)))
            noted.end += len(batch)
    return noted


def read_nested(piece: FilePiece, scale: float, refused: Refused, noted: Noted) -> LightCurves | list[Record]:
    """Read the chosen rows of a table of alerts."""
    batches = []
    for first, batch in _rows(piece):
        kept = np.ones(len(batch), dtype=bool) if piece.kept is None else piece.kept[first : first + len(batch)]
        batches.append((first, batch.filter(pa.array(kept))))
    if batches and "diaSource" not in batches[0][1].schema.names:
        return [record for first, batch in batches for record in _records(batch, piece, first, refused)]
    curves = LightCurves.joined([_curves(batch, scale) for _, batch in batches if len(batch)])
    check_depth(curves, piece.path, noted)
    return curves


def _leaves(file: pq.ParquetFile, tops: tuple[str, ...], names: tuple[str, ...]) -> list[str]:
    """Give the paths of the columns that are needed, of all there are in the file."""
    paths = [file.schema.column(number).path for number in range(len(file.schema))]
    split = [(path, path.split(".")) for path in paths]
    return [path for path, parts in split if parts[0] in tops and (len(parts) == 1 or parts[-1] in names)]


def _rows(piece: FilePiece) -> Iterator[tuple[int, pa.RecordBatch]]:
    """
    Give the rows of a piece in batches, each with the number of its first row in the piece.

    Rows can only be reached from the start of their row group, which may be the whole file. So the batches of a file
    stay at hand, one file a thread, for whoever goes on where the last piece ended.
    """
    state, row = state_of(piece.path), piece.start
    last, at, batches, rest = getattr(_kept, "last", (None, 0, iter(()), None))
    if last != state or at > row:
        at, batches, rest = 0, _batches(piece.path), None
    _kept.last = None, 0, iter(()), None
    while row < piece.stop:
        batch = next(batches, None) if rest is None else rest
        if batch is None:
            raise MalformedAlert(str(piece.path), "became shorter while it was read")
        end = min(at + len(batch), piece.stop)
        if end > row:
            yield row - piece.start, batch.slice(row - at, end - row)
            row = end
        rest = batch.slice(end - at) if end < at + len(batch) else None
        at = end
    _kept.last = state, at, batches, rest


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with open_table(path) as file:
        columns = _leaves(file, ("diaSource", "diaObject", *LISTS), BODY) or [
            path for path in file.schema_arrow.names if path in RECORD
        ]
        columns += [name for name in file.schema_arrow.names if name in ROOTS and name not in columns]
        # A reader keeps what it has read until its last row: one for each row group.
        for group in range(file.num_row_groups):
            yield from file.iter_batches(ROWS, row_groups=[group], columns=columns)


def open_table(path: Path) -> pq.ParquetFile:
    """Open a table so that of a column only some pages are in memory, however long its row groups are."""
    return pq.ParquetFile(seekable(path), buffer_size=PAGES, pre_buffer=False)


def batches_from(
    file: pq.ParquetFile, columns: Sequence[str], start: int, rows: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """
    Go through a table from the row group on in which a row lies.

    Parameters
    ----------
    file
        Of `open_table`.
    columns
        Names of those wanted.
    start
        Number of the row.
    rows
        Most rows of a batch.

    Yields
    ------
    (int, RecordBatch)
        The number of its first row, and a batch.
    """
    base = 0
    for group in range(file.num_row_groups):
        length = file.metadata.row_group(group).num_rows
        if base + length <= start:
            base += length
            continue
        for batch in file.iter_batches(rows, row_groups=[group], columns=list(columns)):
            yield base, batch
            base += len(batch)


def _field(column: Any, name: str) -> Any:
    """Give a field of a struct, None where it has none; nulls of the struct are nulls of the field."""
    if column is None or not pa.types.is_struct(column.type) or column.type.get_field_index(name) < 0:
        return None
    field = pc.struct_field(column, name)
    return None if pa.types.is_null(field.type) else field


def _column(batch: pa.RecordBatch, name: str) -> Any:
    return batch.column(name) if name in batch.schema.names else None


def _numbers(column: Any, length: int) -> Floats:
    if column is None:
        return np.full(length, np.nan)
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=float)


def _identifiers(column: Any, length: int, key: str) -> tuple[pa.Array, str]:
    """Read ids as text, null where there is none; and what is wrong with a column of floats."""
    if column is None:
        return pa.nulls(length, pa.string()), ""
    if pa.types.is_floating(column.type):
        largest = pc.max(pc.abs(column)).as_py() or 0.0
        if largest >= EXACT:
            return pa.nulls(length, pa.string()), f"{key} is a column of floats, which have lost digits of the id"
        column = pc.cast(column, pa.int64())
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    nothing = pc.fill_null(pc.is_in(text, pa.array(["0", ""])), True)
    return pc.if_else(nothing, pa.scalar(None, pa.string()), text), ""


def _names(batch: pa.RecordBatch) -> tuple[pa.Array, str]:
    """Give the object id of every row, null where it has none: the source's, since the object's own may be a float."""
    source = _field(_column(batch, "diaSource"), "diaObjectId")
    own = _field(_column(batch, "diaObject"), "diaObjectId")
    names, problem = _identifiers(source, len(batch), "diaSource.diaObjectId")
    if names.null_count:
        others, problem_of_own = _identifiers(own, len(batch), "diaObject.diaObjectId")
        names, problem = pc.coalesce(names, others), problem or problem_of_own
    return names, problem


def _heads(batch: pa.RecordBatch) -> tuple[list[str], Floats, list[tuple[int, str]]]:
    names, problem = _names(batch)
    source = _column(batch, "diaSource")
    epochs = [_numbers(_field(source, name), len(batch)) for name in ("midpointMjdTai", "midPointTai")]
    moving, _ = _identifiers(_field(source, "ssObjectId"), len(batch), "ssObjectId")
    reasons = []
    for row in np.flatnonzero(names.is_null().to_numpy(zero_copy_only=False)).tolist():
        number = moving[row].as_py()
        reasons.append((row, error_without_object(number).problem if number or not problem else problem))
    epoch = mjd_utc_from_tai(np.where(np.isnan(epochs[0]), epochs[1], epochs[0]))
    return names.fill_null("").to_pylist(), np.nan_to_num(epoch, nan=NO_EPOCH), reasons


def _ztf_heads(batch: pa.RecordBatch) -> tuple[list[str], Floats, list[tuple[int, str]]]:
    names = batch.column("objectId").cast(pa.string())
    epoch = _numbers(_field(batch.column("candidate"), "jd"), len(batch)) - MJD_ZERO
    missing = np.flatnonzero(names.is_null().to_numpy(zero_copy_only=False)).tolist()
    listed = names.fill_null("").to_pylist()
    reasons = [(row, "has no objectId") for row in missing]
    reasons += [(row, problem) for row, name in enumerate(listed) if (problem := not_of_ztf(name))]
    return listed, np.nan_to_num(epoch, nan=NO_EPOCH), reasons


def _records(batch: pa.RecordBatch, piece: FilePiece, first: int, refused: Refused) -> Iterator[Record]:
    values: list[Record | str] = []
    for row in batch.to_pylist():
        try:
            values.append(msgspec.convert(survey_packet(row), Record, strict=False))
        except MalformedAlert as problem:
            values.append(problem.problem)
        except msgspec.ValidationError as problem:
            values.append(f"cannot be read: {in_one_line(problem)}")
    yield from chosen_records(values, FilePiece(piece.path, piece.kind, 0, len(values), piece.first + first), refused)


def _curves(batch: pa.RecordBatch, scale: float) -> LightCurves:
    """Build the light curves of a batch of alerts."""
    ids, _ = _names(batch)
    groups = [(np.arange(len(batch)), _column(batch, "diaSource"))]
    groups += [_flat(_column(batch, name)) for name in LISTS]
    detections = [len(groups[0][0]) + len(groups[1][0]), len(groups[2][0])]
    columns = {
        name: _together([_numbers(_field(column, name), len(rows)) for rows, column in groups]) for name in NUMBERS
    }
    columns["diaSourceId"] = _together([_source_ids(column, len(rows)) for rows, column in groups])
    columns["band"] = _together([_bands(column, len(rows)) for rows, column in groups])
    return lsst_curves_of_columns(
        ids.to_pylist(),
        _together([rows for rows, _ in groups]),
        np.repeat([True, False], detections),
        columns,
        scale,
        _objects(batch),
    )


def _flat(column: Any) -> tuple[Integers, Any]:
    """Give the sources of a column of lists one after the other, with the row each is of."""
    if column is None or pa.types.is_null(column.type):
        return np.empty(0, dtype=np.int64), None
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(column)), lengths), column.flatten()


def _together(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(parts)


def _source_ids(column: Any, length: int) -> Integers:
    field = _field(column, "diaSourceId")
    if field is None or not pa.types.is_integer(field.type):
        return np.full(length, -1, dtype=np.int64)
    return np.asarray(pc.fill_null(field, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _bands(column: Any, length: int) -> npt.NDArray[np.int8]:
    field = next((found for name in ("band", "filterName") if (found := _field(column, name)) is not None), None)
    if field is None:
        return np.full(length, -1, dtype=np.int8)
    coded = field.dictionary_encode()
    places = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes_of_coded(coded.dictionary.to_pylist(), places)


def _objects(batch: pa.RecordBatch) -> Objects:
    """Tell what the alerts say of their objects."""
    own, source, number = _column(batch, "diaObject"), _column(batch, "diaSource"), len(batch)
    places = {name: (_numbers(_field(own, name), number), _numbers(_field(source, name), number)) for name in POSITION}
    known = {name: np.where(np.isnan(one), other, one) for name, (one, other) in places.items()}
    moving, _ = _identifiers(_field(source, "ssObjectId"), number, "ssObjectId")
    is_rubin = np.isfinite(_numbers(_field(source, "midpointMjdTai"), number))
    return Objects.of(
        number,
        ra=known["ra"],
        decl=np.where(np.isnan(known["dec"]), known["decl"], known["dec"]),
        ebv=_numbers(_field(own, "mwebv"), number),
        solar_system=np.where(is_rubin, pc.is_valid(moving).to_numpy(zero_copy_only=False), np.nan),
        known_variable=_variables(_column(batch, "xm"), number),
        first_seen=known_epochs(mjd_utc_from_tai(_numbers(_field(own, "firstDiaSourceMjdTai"), number))),
        annotations=_annotations(batch),
    )


def _annotations(batch: pa.RecordBatch) -> list[dict[str, Any] | None]:
    """Read what Fink says beyond the light curve; None where it says nothing."""
    notes = batch.select([name for name in batch.schema.names if name in ROOTS])
    return (
        [annotations_in(row, "fink") or None for row in notes.to_pylist()] if notes.num_columns else [None] * len(batch)
    )


POSITION = ("ra", "dec", "decl")


def _variables(matches: Any, number: int) -> Floats:
    """Read Fink's cross-matches with catalogues of variables; NaN where there are none."""
    types = [field for name in XM if (field := _field(matches, name)) is not None]
    if not types:
        return np.full(number, np.nan)
    nothing = pa.array([word for word in NO_MATCH if word is not None])
    hits = [pc.invert(pc.fill_null(pc.is_in(column.cast(pa.string()), nothing), True)) for column in types]
    hits = [pc.and_(hit, pc.is_valid(column)) for hit, column in zip(hits, types, strict=True)]
    return np.asarray(np.any([hit.to_numpy(zero_copy_only=False) for hit in hits], axis=0), dtype=float)
