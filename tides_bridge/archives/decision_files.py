"""
Decisions as files: CSV, Parquet or JSON, written part by part, so that memory does not grow with the number of objects.

A file has one row an object, in the order in which the light curves were read: ``objectId, passed, trigger_mjd,
n_detections``, and for each criterion two columns: by its path what was measured, and by its path with ``_passed``
behind it whether that fulfils the criterion. What there is not, a trigger or a measured value, is empty or null. Text
in a CSV is harmless in a spreadsheet: see `tides_bridge.formats.cells`.
"""

import io
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tides_bridge.errors import SettingsError
from tides_bridge.formats.cells import safe_column
from tides_bridge.selection import SelectionFunction, Verdicts

FIRST_COLUMNS: Final = (
    ("objectId", pa.string()),
    ("passed", pa.bool_()),
    ("trigger_mjd", pa.float64()),
    ("n_detections", pa.int64()),
)
"""What is said of every object, whatever the function."""

PASSED: Final = "_passed"
"""Ends the name of the column that says whether a criterion is fulfilled."""

ROWS_OF_A_GROUP: Final = 131_072
"""At least as many rows has each row group of a Parquet file but its last: smaller ones are slow to read."""


def decision_schema(function: SelectionFunction) -> pa.Schema:
    """Give the columns; which function it was, and what it demanded, is in the metadata of a Parquet file."""
    columns = list(FIRST_COLUMNS)
    for leaf in function.leaves:
        is_text = leaf.criterion.kind == "one of"
        columns += [(leaf.path, pa.string() if is_text else pa.float64()), (leaf.path + PASSED, pa.bool_())]
    about = {"function": function.name, "version": function.version, "keys": function.normalised_text}
    return pa.schema(columns, {f"tides.{name}": text for name, text in about.items()})


def decision_table(object_ids: Sequence[str], verdicts: Verdicts) -> pa.Table:
    """
    Make a table of what a function says of n objects.

    Parameters
    ----------
    object_ids
        (n,) text.
    verdicts
        What the function says of them.
    """
    columns = [pa.array(object_ids, pa.string()), pa.array(verdicts.passed)]
    columns += [_numbers(verdicts.trigger_mjd), pa.array(verdicts.n_detections)]
    for leaf in verdicts.function.leaves:
        measured = verdicts.measured[leaf.path]
        is_text = leaf.criterion.kind == "one of"
        columns.append(pa.array(measured.tolist(), pa.string()) if is_text else _numbers(measured))
        columns.append(pa.array(verdicts.fulfilled[leaf.path]))
    return pa.table(columns, schema=decision_schema(verdicts.function))


def _numbers(values: npt.NDArray[Any]) -> pa.Array:
    numbers = np.asarray(values, dtype=float)
    return pa.array(numbers, mask=~np.isfinite(numbers))


def encode_decisions(table: pa.Table, ending: str) -> bytes:
    """
    Write a table as a part of a file of that kind, as `DecisionFile.append` takes it.

    This is most of the work of writing, and can be done in another process.
    """
    return ENCODERS[ending](table)


def _to_csv(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    safe = pa.table([safe_column(column) for column in table.columns], table.column_names)
    pa.csv.write_csv(safe, stream, pa.csv.WriteOptions(include_header=False))
    return stream.getvalue()


def _to_json(table: pa.Table) -> bytes:
    columns = [column.to_pylist() for column in table.columns]
    names = table.column_names
    return b",\n".join(orjson.dumps(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True))


def _to_arrow(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


ENCODERS: Final[dict[str, Callable[[pa.Table], bytes]]] = {
    ".csv": _to_csv,
    ".parquet": _to_arrow,
    ".json": _to_json,
}
"""By the ending of the file."""


def check_output(path: Path) -> None:
    """
    Make sure that decisions can be written there, before any work is done.

    Raises
    ------
    SettingsError
        If the ending is none of ours, or there can be no such file.
    """
    what = f"--output {path}"
    if path.suffix not in ENCODERS:
        raise SettingsError(what, "", f"must end in {', '.join(ENCODERS)}: the ending says how it is written")
    if path.is_dir():
        raise SettingsError(what, "", "is a folder")
    if not path.parent.is_dir():
        raise SettingsError(what, "", f"there is no folder {path.parent}: make it first")
    if not os.access(path.parent, os.W_OK):
        raise SettingsError(what, "", f"nothing may be written into {path.parent}")


class DecisionFile:
    """
    A file of decisions that has its name only when it is whole: until then it is beside it, under a hidden name.

    Parameters
    ----------
    path
        Where; what is there already is replaced.
    function
        Whose decisions.
    """

    def __init__(self, path: Path, function: SelectionFunction) -> None:
        self._path = path.resolve()  # a link stays one: what it points to is replaced
        self._schema, self._ending = decision_schema(function), path.suffix
        self._hidden = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        self._is_empty = True
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> Self:
        self._stream = self._hidden.open("wb")
        if self._ending == ".parquet":
            self._parquet = pq.ParquetWriter(self._stream, self._schema, compression="zstd")
        elif self._ending == ".csv":
            names = ",".join(f'"{name}"' for name in self._schema.names)
            self._stream.write(f"{names}\n".encode())
        else:
            self._stream.write(b"[")
        return self

    def append(self, rows: bytes) -> None:
        """Append rows as `encode_decisions` gives them."""
        if not rows:
            return
        if self._ending == ".parquet":
            self._waiting.append(pa.ipc.open_stream(rows).read_all())
            if sum(map(len, self._waiting)) >= ROWS_OF_A_GROUP:
                self._write_group()
        else:
            start = b"" if self._ending == ".csv" else (b"\n" if self._is_empty else b",\n")
            self._stream.write(start + rows)
        self._is_empty = False

    def _write_group(self) -> None:
        table = pa.concat_tables(self._waiting)
        self._parquet.write_table(table, row_group_size=max(len(table), 1))
        self._waiting = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if self._ending == ".parquet":
                    if self._waiting:
                        self._write_group()
                    self._parquet.close()
                elif self._ending == ".json":
                    self._stream.write(b"\n]\n")
                self._stream.flush()
                os.fsync(self._stream.fileno())
                self._hidden.replace(self._path)
        finally:
            if self._ending == ".parquet":
                with suppress(OSError, pa.ArrowException):  # it is thrown away, or was closed
                    self._parquet.close()
            self._stream.close()
            self._hidden.unlink(missing_ok=True)
