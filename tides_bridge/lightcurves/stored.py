"""Light curves as bytes in a column of a table: each a table of Arrow with one row, packed."""

import pyarrow as pa


def pack_table(table: pa.Table) -> str:
    """
    Write a table for a column of bytes: an IPC stream, packed by zstd, in hexadecimal digits.

    Parameters
    ----------
    table
        Of any columns; their types are in the stream.

    Returns
    -------
    str
        A backslash, an x and the digits: what PostgreSQL reads as bytea, also through COPY.
    """
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream, pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return rf"\x{content.hex()}"


def unpack_table(content: bytes) -> pa.Table:
    """
    Read what `pack_table` wrote, as the database gives it back.

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
