"""
Many small structs as columns, without a loop of Python over them.

In MessagePack structs of floats, large integers and texts of one character are records of one size, which numpy reads
as they are: text becomes columns nearly as fast as it is parsed.
"""

from typing import Any, Generic, TypeVar, cast

import msgspec
import numpy as np
import numpy.typing as npt

S = TypeVar("S", bound=msgspec.Struct)

MISSING_INTEGER = 2**63
"""Stands for a missing integer: no number of 64 bits with a sign, and it takes as many bytes as a large one."""

NULL = -99999
"""Stands for null, which is no float: no magnitude, angle or distance is so."""

_encoder = msgspec.msgpack.Encoder()

_KINDS: dict[Any, tuple[int, str]] = {float: (0xCB, ">f8"), int: (0xCF, ">u8"), str: (0xA1, "S1")}
"""Marker in MessagePack and layout of each type of field: 8 bytes, 8 bytes, one character."""


class Packing(Generic[S]):
    """
    The layout of one type of struct, of at most 15 fields.

    Parameters
    ----------
    struct
        Its fields are of the types float, int (2**32 or larger) and str (one character).
    """

    def __init__(self, struct: type[S]) -> None:
        names, formats, offsets = [], [], []
        self._places: list[int] = []
        self._markers: list[int] = []
        end = 1  # the map's own byte; then for each field a byte, its name, a marker, and the value
        for field in msgspec.structs.fields(struct):
            marker, kind = _KINDS[field.type]
            self._places.append(end + 1 + len(field.name))
            self._markers.append(marker)
            names.append(field.name)
            formats.append(kind)
            offsets.append(self._places[-1] + 1)
            end = offsets[-1] + np.dtype(kind).itemsize
        layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": end}
        self._layout: np.dtype[Any] = np.dtype(cast(Any, layout))

    def columns(self, structs: list[S]) -> dict[str, npt.NDArray[Any]]:
        """
        Make an array of each field.

        Raises
        ------
        ValueError
            If they differ in size: a small integer, or a text of another length.

        >>> class Point(msgspec.Struct):
        ...     mjd: float
        ...     sign: str = "?"
        >>> Packing(Point).columns([Point(61000.0, "t"), Point(61001.5)])["mjd"]
        array([61000. , 61001.5])
        """
        packed = np.frombuffer(_encoder.encode(structs), dtype=np.uint8)
        size = len(structs) * self._layout.itemsize
        if not 0 <= len(packed) - size <= 5:  # what a list begins with
            raise ValueError("they differ in size")
        rows = packed[len(packed) - size :].reshape(len(structs), self._layout.itemsize)
        if (rows[:, self._places] != self._markers).any():
            raise ValueError("a value is of another type")
        table = rows.view(self._layout)[:, 0]
        return {name: table[name].astype(self._layout[name].newbyteorder("=")) for name in self._layout.names or ()}


def without_nulls(text: bytes) -> bytes:
    """Let `NULL` stand for null in JSON, so that all numbers have one size."""
    return text.replace(b":null", b":%d" % NULL).replace(b": null", b":%d" % NULL)
