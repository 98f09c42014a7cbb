"""Light curves as bytes in a column of a table: each a table of Arrow with one row, packed."""

from collections.abc import Iterable

import pyarrow as pa

END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""Ends a stream: the mark of a message, and a length of zero (Arrow columnar format, IPC streaming format)."""


def pack_rows(table: pa.Table, rows: Iterable[int]) -> list[str]:
    """
    Write some rows of a table, each by itself, for a column of bytes: an IPC stream, packed by zstd, as digits.

    Parameters
    ----------
    table
        As `LightCurves.to_arrow` gives it, of n objects; the types of its columns are in each stream.
    rows
        (k,) Their numbers.

    Returns
    -------
    list of str
        (k,) A backslash, an x and the digits each: what PostgreSQL reads as bytea, also through COPY.
    """
    # A stream is the schema, which all rows have in common, the batches, and an end.
    schema, codec = table.schema.serialize().to_pybytes(), pa.Codec("zstd")
    whole = pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)
    streams = (schema + whole.slice(row, 1).serialize().to_pybytes() + END_OF_STREAM for row in rows)
    return [rf"\x{codec.compress(stream, asbytes=True).hex()}" for stream in streams]


def unpack_table(content: bytes) -> pa.Table:
    """
    Read what `pack_rows` wrote of a row, as the database gives it back.

    Parameters
    ----------
    content
        Of a column of bytes.

    Returns
    -------
    Table
        With the same columns and types.
    """
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream, pa.ipc.open_stream(stream) as reader:
        return reader.read_all()


def unpack_tables(contents: Iterable[bytes]) -> pa.Table:
    """
    Read many of them into one table: a column that is missing in those of earlier versions is unknown there.

    Parameters
    ----------
    contents
        One at least, each as `unpack_table` takes it.
    """
    return pa.concat_tables([unpack_table(bytes(content)) for content in contents], promote_options="default")
