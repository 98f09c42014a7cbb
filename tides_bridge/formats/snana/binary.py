"""Tables of FITS as rows of numpy, packed or not: the header is read by astropy, the rows are not copied."""

import io
import mmap
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tides_bridge.compiled import Integers
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import in_one_line
from tides_bridge.formats.contents import is_packed, state_of, whole_content

TROUBLE = (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What astropy raises for bytes that are no FITS."""


SMALL = 1 << 24
"""[B] An unpacked HEAD file is about as long, and is kept beside its PHOT file."""

MOST_KEPT = 4
"""Unpacked files that a thread keeps, of which one may be long."""

_kept = threading.local()


@dataclass(frozen=True, eq=False)
class FitsRows:
    """
    A table of a FITS file.

    Attributes
    ----------
    path
        The file.
    header
        Its first header and that of the table, as one; the table's counts.
    data
        (n,) rows, in the byte order of FITS.
    scales
        Of the columns that have them: factor, and what is added.
    """

    path: Path
    header: dict[str, Any]
    data: npt.NDArray[np.void]
    scales: dict[str, tuple[float, float]]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self.data.dtype.names or ()

    def column(self, name: str, rows: Integers | slice = slice(None)) -> npt.NDArray[Any]:
        """Give some rows of a column, in the byte order of this machine."""
        values = self.data[name][rows]
        if name in self.scales:
            factor, zero = self.scales[name]
            return np.asarray(values.astype(float) * factor + zero)
        return values.astype(values.dtype.newbyteorder("="))

    def text(self, name: str, rows: Integers | slice = slice(None)) -> list[str]:
        """Give some rows of a column as text, whatever it is of; an id that is a float raises `MalformedAlert`."""
        values = self.column(name, rows)
        if values.dtype.kind == "S":
            return [value.decode("latin-1").strip() for value in values.tolist()]
        if values.dtype.kind == "f":
            raise MalformedAlert(str(self.path), f"its {name} is a column of floats, which lose digits of ids")
        return [str(value) for value in values.tolist()]


@contextmanager
def open_rows(path: Path) -> Iterator[FitsRows]:
    """
    Open the first table of a FITS file.

    Parameters
    ----------
    path
        Packed, which is unpacked in memory, or not: of that only what is used is read from the disk.

    Yields
    ------
    FitsRows
        Not to be used after the end.

    Raises
    ------
    MalformedAlert
        If it is no FITS file, has no table, or is cut off.
    """
    if is_packed(path):
        yield _rows_in(path, _unpacked(path))
        return
    with path.open("rb") as stream:
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    yield _rows_in(path, content)


def _unpacked(path: Path) -> bytes:
    """Unpack a file, or take it as it was unpacked last: pieces of one follow each other."""
    state = state_of(path)
    kept: dict[tuple[Path, int, int], bytes] = getattr(_kept, "contents", {})
    if state not in kept:
        _kept.contents = {}  # given back before the next is unpacked
        kept = {known: content for known, content in kept.items() if len(content) <= SMALL}
        kept[state] = whole_content(path)
    _kept.contents = kept if len(kept) <= MOST_KEPT else {state: kept[state]}
    return kept[state]


def _rows_in(path: Path, content: Any) -> FitsRows:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a file is cut off is told below
            # Opened here: astropy leaves a file open that it cannot read.
            with path.open("rb") if isinstance(content, mmap.mmap) else io.BytesIO(content) as stream:
                header, columns, offset, length = _table_in(stream)
        dtype = columns.dtype
        missing = offset + length * dtype.itemsize - len(content)
        if missing > 0:
            raise MalformedAlert(str(path), f"is cut off: {missing} bytes of its table are missing")
        data = np.frombuffer(content, dtype.newbyteorder(">"), length, offset)
        scales = {
            column.name: (float(column.bscale or 1), float(column.bzero or 0))
            for column in columns
            if column.bscale not in (None, "", 1) or column.bzero not in (None, "", 0)
        }
    except TROUBLE as problem:
        raise MalformedAlert(str(path), f"is broken FITS: {in_one_line(problem)}") from None
    return FitsRows(path, header, data, scales)


def _table_in(source: IO[bytes]) -> tuple[dict[str, Any], Any, int, int]:
    """Find the first table: header, columns, where its rows begin [bytes], and how many there are."""
    from astropy.io import fits  # half a second, for each process that reads any file

    try:
        with fits.open(source, memmap=False) as units:
            first = dict(units[0].header)
            unit = next((unit for unit in units if isinstance(unit, fits.BinTableHDU)), None)
            if unit is None:
                raise ValueError("it has no table")
            header = {**first, **dict(unit.header)}
            return header, unit.columns, int(unit.fileinfo()["datLoc"]), int(unit.header["NAXIS2"])
    except fits.VerifyError as problem:
        raise ValueError(str(problem)) from problem
