"""The codecs of Avro containers that fastavro needs other packages for, unpacked by those that are here."""

import io
from bz2 import BZ2Decompressor
from collections.abc import Callable
from lzma import LZMADecompressor, LZMAError
from typing import IO, Any, Final, cast

import cramjam
import fastavro
import pyarrow as pa

LARGEST_BLOCK: Final = 1 << 30
"""[bytes] Of an unpacked block of a file."""

BROKEN_BLOCK: Final = (cramjam.DecompressionError, ValueError, OSError, EOFError, LZMAError)
"""What unpacking a block may raise."""


def of_zstandard(body: bytes, largest: int) -> bytes:
    """Unpack a block of the codec zstandard, up to one byte more than the largest."""
    return bytes(pa.CompressedInputStream(io.BytesIO(body), "zstd").read(largest + 1))


def of_lz4(body: bytes, largest: int) -> bytes:
    """Unpack a block of fastavro's codec lz4, which begins with its size; raises ValueError if that is too large."""
    size = int.from_bytes(body[:4], "little")
    if size > largest:
        raise ValueError(f"a block would have {size} bytes when unpacked")
    return bytes(cramjam.lz4.decompress_block(body))


OTHER_CODECS: Final[dict[bytes, Callable[[bytes, int], bytes]]] = {
    b"zstandard": of_zstandard,
    b"lz4": of_lz4,
    b"bzip2": lambda body, largest: BZ2Decompressor().decompress(body, largest + 1),
    b"xz": lambda body, largest: LZMADecompressor().decompress(body, largest + 1),
}
"""How blocks of the codecs beside deflate and snappy are unpacked (Avro 1.12, and fastavro's lz4)."""

FOREIGN: Final = (b"zstandard", b"lz4")
"""Codecs that fastavro does not read by itself."""


def without_codec(stream: IO[bytes], header: dict[str, Any], header_schema: Any) -> IO[bytes]:
    """
    Give a container without packing, of one whose header was just read; it is held in memory.

    Parameters
    ----------
    stream
        Of the container, behind the map in its header.
    header, header_schema
        What stands there, and the schema it was read by.

    Raises
    ------
    ValueError, OSError, EOFError
        If a block is broken.
    """
    unpack = OTHER_CODECS[header["meta"]["avro.codec"]]
    plain = io.BytesIO()
    fastavro.schemaless_writer(plain, header_schema, {**header, "meta": {**header["meta"], "avro.codec": b"null"}})
    marker = stream.read(16)
    plain.write(marker)
    while more := stream.read(1):
        count: Any = fastavro.schemaless_reader(cast(IO[bytes], _Joined(more, stream)), "long", None)
        body: Any = fastavro.schemaless_reader(stream, "bytes", None)
        found = unpack(body, LARGEST_BLOCK)
        fastavro.schemaless_writer(plain, "long", count)
        fastavro.schemaless_writer(plain, "bytes", found)
        plain.write(stream.read(16))
    plain.seek(0)
    return plain


class _Joined(io.RawIOBase):
    """A byte that was read, and the stream behind it."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        super().__init__()
        self._first, self._rest = first, rest

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        first, self._first = self._first[:size], self._first[size:] if size >= 0 else b""
        return first + self._rest.read(size - len(first) if size >= 0 else -1)
