"""
Writing a table part by part, so that memory does not grow with its length: CSV, Parquet and JSON.

FITS, VOTable and ECSV are gathered first and written at the end. Text in a CSV is harmless in a spreadsheet: see
`tides_bridge.formats.cells`.
"""

import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tides_bridge.errors import SettingsError
from tides_bridge.formats.cells import safe_column

ROWS_OF_A_GROUP: Final = 131_072
"""At least as many rows has each row group of a Parquet file but its last: smaller ones are slow to read."""


def encode_rows(table: pa.Table, ending: str) -> bytes:
    """
    Write a table as a part of a file of that kind, as `TableFile.append` takes it.

    This is most of the work of writing, and can be done in another process.

    Parameters
    ----------
    table
        Some rows.
    ending
        Of the file, one of `ENCODERS`.
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
    ".fits": _to_arrow,
    ".vot": _to_arrow,
    ".ecsv": _to_arrow,
}
"""By the ending of the file."""

GATHERED: Final = (".fits", ".vot", ".ecsv")
"""Endings of files that are written as a whole."""


def check_output(path: Path, option: str = "--output") -> None:
    """
    Make sure that a table can be written there, before any work is done.

    Parameters
    ----------
    path
        As a person typed it.
    option
        Behind what, for the error.

    Raises
    ------
    SettingsError
        If the ending is none of ours, or there can be no such file.
    """
    what = f"{option} {path}"
    if path.suffix not in ENCODERS:
        raise SettingsError(what, "", f"must end in {', '.join(ENCODERS)}: the ending says how it is written")
    if path.is_dir():
        raise SettingsError(what, "", "is a folder")
    if not path.parent.is_dir():
        raise SettingsError(what, "", f"there is no folder {path.parent}: make it first")
    if not os.access(path.parent, os.W_OK):
        raise SettingsError(what, "", f"nothing may be written into {path.parent}")


def write_table(table: pa.Table, path: Path) -> None:
    """
    Write a whole table.

    Parameters
    ----------
    table
        With what its columns mean in its schema.
    path
        Of which the ending says the form; what is there already is replaced.
    """
    with TableFile(path, table.schema) as file:
        file.append(encode_rows(table, path.suffix) if len(table) else b"")


class TableFile:
    """
    A file of a table that has its name only when it is whole: until then it is beside it, under a hidden name.

    Parameters
    ----------
    path
        Where; what is there already is replaced.
    schema
        Of the table.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path.resolve()  # a link stays one: what it points to is replaced
        self._schema, self._ending = schema, path.suffix
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
        elif self._ending == ".json":
            self._stream.write(b"[")
        return self

    def append(self, rows: bytes) -> None:
        """Append rows as `encode_rows` gives them."""
        if not rows:
            return
        if self._ending == ".parquet" or self._ending in GATHERED:
            self._waiting.append(pa.ipc.open_stream(rows).read_all())
            if self._ending == ".parquet" and sum(map(len, self._waiting)) >= ROWS_OF_A_GROUP:
                self._write_group()
        else:
            start = b"" if self._ending == ".csv" else (b"\n" if self._is_empty else b",\n")
            self._stream.write(start + rows)
        self._is_empty = False

    def _write_group(self) -> None:
        table = pa.concat_tables(self._waiting)
        self._parquet.write_table(table, row_group_size=max(len(table), 1))
        self._waiting = []

    def _write_whole(self) -> None:
        from tides_bridge.formats.output.described import described_bytes  # it brings the slow parts of astropy

        parts = [self._schema.empty_table(), *self._waiting]
        table = pa.concat_tables([part.cast(self._schema) for part in parts]).replace_schema_metadata(
            self._schema.metadata
        )
        self._stream.write(described_bytes(table, self._ending))

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
                elif self._ending in GATHERED:
                    self._write_whole()
                self._stream.flush()
                os.fsync(self._stream.fileno())
                self._hidden.replace(self._path)
        finally:
            if self._ending == ".parquet":
                with suppress(OSError, pa.ArrowException):  # it is thrown away, or was closed
                    self._parquet.close()
            self._stream.close()
            self._hidden.unlink(missing_ok=True)
