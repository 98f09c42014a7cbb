"""
How an alert is packed into a message: the six framings, told by key and first bytes, and unpacked.

::

    key is a JSON schema    KEYED      Avro without schema (Fink)
    O b j 1                 CONTAINER  Avro with its schema (ZTF, Babamul, ALeRCE's stamps)
    0, then 4 bytes         CONFLUENT  Avro with the number of its schema (Rubin)
    x                       BSON       packed with zlib (ANTARES)
    {                       JSON       text (Lasair)
    anything else           BARE       Avro whose schema must be known from elsewhere (ELAsTiCC, ALeRCE's light curves)
"""

import zlib
from enum import StrEnum
from typing import NamedTuple

import cramjam

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.avro.codecs import BROKEN_BLOCK, OTHER_CODECS
from tides_bridge.formats.avro.schemas import is_schema

MAGIC = b"Obj\x01"
"""How an Avro container begins."""

SYNC = 16
"""[bytes] The marker after each block of a container."""

HEADER = 5
"""[bytes] Confluent's: a zero, and the number of the schema."""

LARGEST = 20_000_000
"""[bytes] Of an unpacked message: real alerts have up to 0.2 MB, and a few bytes could be unpacked to gigabytes."""


class Framing(StrEnum):
    """How an alert is packed."""

    JSON = "json"
    CONTAINER = "container"
    CONFLUENT = "confluent"
    KEYED = "keyed"
    BARE = "bare"
    BSON = "bson"


class Contained(NamedTuple):
    """The one record of a container, and the schema it was written with, as JSON."""

    schema: bytes
    body: bytes


def framing_of(value: bytes, key: bytes | None = None) -> Framing:
    r"""
    Tell how a message is packed. The last byte of a pair "x", and a check sum, tell zlib (RFC 1950).

    Parameters
    ----------
    value
        The message.
    key
        Its key; ELAsTiCC and Fink put the schema there.

    Returns
    -------
    Framing
        By the first bytes alone, so that it costs nothing. `Framing.BARE` is what is left: it may be no Avro at all.

    Examples
    --------
    >>> framing_of(b"\0\0\0\x03\x84\x02"), framing_of(b' {"a": NaN}'), framing_of(b"\x02\x04", b'{"type": "record"}')
    (<Framing.CONFLUENT: 'confluent'>, <Framing.JSON: 'json'>, <Framing.KEYED: 'keyed'>)
    """
    if value.startswith(MAGIC):
        return Framing.CONTAINER
    if is_schema(key):
        return Framing.KEYED
    if value[:1] == b"\0" and len(value) > HEADER:
        return Framing.CONFLUENT
    if value[:1] == b"x" and len(value) > 1 and int.from_bytes(value[:2], "big") % 31 == 0:
        return Framing.BSON
    if value.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        return Framing.JSON
    return Framing.BARE


def of_confluent(value: bytes) -> tuple[int, bytes]:
    r"""
    Take Confluent's header off; gives the number of the schema and the body.

    Raises
    ------
    MalformedAlert
        If there is none.

    >>> of_confluent(b"\0\0\0\x03\x84\x02")
    (900, b'\x02')
    """
    return confluent_number(value), value[HEADER:]


def confluent_number(value: bytes) -> int:
    """
    Read the number of the schema in Confluent's header, which is `HEADER` long.

    Raises
    ------
    MalformedAlert
        If there is none.
    """
    if value[:1] != b"\0" or len(value) <= HEADER:
        raise MalformedAlert("message", f"begins with {value[:4]!r}, not with a zero byte and the number of its schema")
    return int.from_bytes(value[1:HEADER], "big")


def of_container(value: bytes) -> Contained:
    """
    Take the record out of an Avro container that holds one (Avro 1.11, Object Container Files).

    Raises
    ------
    MalformedAlert
        If it is broken, holds another number of records, or is packed in a way that is not known here.
    """
    if not value.startswith(MAGIC):
        raise MalformedAlert("message", f"begins with {value[:4]!r}, not as an Avro container does")
    metadata, at = _metadata(value)
    sync, at = _bytes(value, at, SYNC)
    body, number = b"", 0
    while at < len(value):
        count, at = _integer(value, at)
        size, at = _integer(value, at)
        block, at = _bytes(value, at, size)
        marker, at = _bytes(value, at, SYNC)
        if marker != sync or count < 0:
            raise _broken("a block does not end where it should")
        body, number = block if count else body, number + count
    if number != 1:
        raise MalformedAlert("message", f"is an Avro container with {number} records, not with one alert")
    return Contained(metadata.get("avro.schema", b""), _unpacked(body, metadata.get("avro.codec", b"null")))


def _metadata(value: bytes) -> tuple[dict[str, bytes], int]:
    """Read the map that a container begins with."""
    found: dict[str, bytes] = {}
    at = len(MAGIC)
    while True:
        count, at = _integer(value, at)
        if count == 0:
            return found, at
        if count < 0:
            _, at = _integer(value, at)
        for _ in range(abs(count)):
            size, at = _integer(value, at)
            name, at = _bytes(value, at, size)
            size, at = _integer(value, at)
            found[name.decode(errors="replace")], at = _bytes(value, at, size)


def _integer(value: bytes, at: int) -> tuple[int, int]:
    """Read a long; gives it and the place after it."""
    found = shift = 0
    while at < len(value) and shift < 64:
        byte = value[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), at
        shift += 7
    raise _broken("it ends too early" if shift < 64 else "it has an integer of more than 64 bits")


def _bytes(value: bytes, at: int, size: int) -> tuple[bytes, int]:
    if not 0 <= size <= len(value) - at:
        raise _broken("it ends too early")
    return value[at : at + size], at + size


def _unpacked(body: bytes, codec: bytes) -> bytes:
    """Unpack a block: Avro's deflate has no header, and its snappy ends with a check sum."""
    try:
        if codec == b"null":
            return body
        if codec == b"deflate":
            return inflated(body, -zlib.MAX_WBITS)
        if codec == b"snappy":
            packed, check = body[:-4], body[-4:]
            if cramjam.snappy.decompress_raw_len(packed) > LARGEST:
                raise _too_large()
            found = bytes(cramjam.snappy.decompress_raw(packed))
            if zlib.crc32(found).to_bytes(4, "big") != check:
                raise _broken("its check sum is another one")
            return found
        if codec in OTHER_CODECS:
            found = OTHER_CODECS[codec](body, LARGEST)
            if len(found) > LARGEST:
                raise _too_large()
            return found
    except (zlib.error, *BROKEN_BLOCK) as problem:
        raise _broken(in_one_line(problem)) from None
    name = codec.decode(errors="replace")[:20]
    raise MalformedAlert("message", f"is an Avro container packed with {name!r}, which is none of Avro's")


def inflated(content: bytes, bits: int = zlib.MAX_WBITS) -> bytes:
    """
    Unpack what zlib packed, if it is not too much.

    Parameters
    ----------
    content
        As it came.
    bits
        As zlib takes them: negative for no header.

    Raises
    ------
    MalformedAlert
        If it would have more than `LARGEST` bytes.
    zlib.error
        If it is broken.
    """
    unpacking = zlib.decompressobj(bits)
    found = unpacking.decompress(content, LARGEST)
    if unpacking.unconsumed_tail or not unpacking.eof:
        if len(found) < LARGEST:
            raise zlib.error("it ends too early")
        raise _too_large()
    return found


def _broken(how: str) -> MalformedAlert:
    return MalformedAlert("message", f"is a broken Avro container: {how}")


def _too_large() -> MalformedAlert:
    return MalformedAlert("message", f"would have more than {LARGEST} bytes when unpacked")
