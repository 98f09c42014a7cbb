"""
The bytes of a file, unpacked: what it begins with, and any stretch of it.

It may be packed with gzip, bzip2, xz or zstd, be the one file in a zip archive, and be a text in UTF-16 or one whose
lines end in carriage returns.
"""

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final, cast

import pyarrow as pa

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Refused, in_one_line

BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, UnicodeDecodeError)
"""What reading a file may raise: it is away, or its packing or its letters are broken or cut off."""

MADE_UP: Final = (ValueError, ArithmeticError, LookupError, NotImplementedError, struct.error)
"""What tarfile and zipfile raise, too, of headers that no program has written."""

LARGEST = 1 << 32
"""[bytes] Of what is held in memory as a whole."""

STRETCH = 1 << 23
"""[B] How much of a text is looked at at once."""

Opener = Callable[[Path], IO[bytes]]

LOOK: Final = 1 << 16
"""[bytes] By so many it is told whether the lines of a text end in carriage returns."""

ZIP: Final = b"PK\x03\x04"
"""How a zip archive with something in it begins."""

NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x1f]")

UTF_16: Final = re.compile(rb"\xff\xfe[^\0]\0|\xfe\xff\0[^\0]")
"""A mark of the order of bytes, and a letter of ASCII: two bytes alone may begin an Avro message."""

UNMARKED: Final = {
    "utf-16-le": re.compile(rb"(?:[\t\n\r -~]\0){16}"),
    "utf-16-be": re.compile(rb"(?:\0[\t\n\r -~]){16}"),
}
"""Without the mark: so many letters of ASCII, two bytes each, that no Avro message begins with them."""

_kept = threading.local()


def files_in(paths: Iterable[Path], refused: Refused) -> Iterator[Path]:
    """
    Give files, and those in folders, sorted; without those whose name begins with a dot or, as Spark's, a dash.

    Parameters
    ----------
    paths
        Files, and folders of any depth.
    refused
        Is told of a folder without files, and of a path where nothing is.

    Yields
    ------
    Path
        Each file once, even if two paths lead to it.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.rglob("*") if entry.is_file())
            files = [
                file for file in inside if not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
            ]
            if not files:
                refused(path, "is a folder without files")
        else:
            files = [path]
        for file in files:
            if not file.exists():
                refused(file, "there is no such file or folder")
            elif file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def is_packed(path: Path) -> bool:
    """Tell whether a file is packed, or a text in other letters or line ends than UTF-8's, by its content."""
    return opener_of(state_of(path)) is not None


def _open(path: Path) -> IO[bytes]:
    opener = opener_of(state_of(path))
    return path.open("rb") if opener is None else opener(path)


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """
    Open a file, unpacked.

    Parameters
    ----------
    path
        Packed in any way of `PACKINGS`, or not: its first bytes tell, not its name.

    Yields
    ------
    file object
        Of bytes; of texts in UTF-8, with lines that end in a line feed. Going back in a packed file unpacks it from
        its beginning.
    """
    with _open(path) as stream:
        yield stream


def seekable(path: Path) -> Path | pa.BufferReader:
    """Give what a table of Parquet is read from: the file, or if it is packed its bytes, held in memory."""
    return pa.BufferReader(whole_content(path)) if is_packed(path) else path


def first_bytes(path: Path, size: int = 1 << 16) -> bytes:
    """
    Give the first bytes of a file, unpacked.

    Parameters
    ----------
    path
        Packed or not.
    size
        [bytes] At most; 64 kB show what a file is, with a header of any table.
    """
    with open_unpacked(path) as stream:
        return stream.read(size)


def whole_content(path: Path) -> bytes:
    """Give all bytes of a file, unpacked; raises MalformedAlert if they are more than `LARGEST`."""
    with open_unpacked(path) as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise MalformedAlert(str(path), f"has more than {LARGEST >> 30} GB when unpacked: divide it")
    return content


def stretches_of_lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """
    Go through a text in pieces of whole lines, each with the byte it starts at.

    The same pieces come from any of these bytes on. As `read_stretch` does, it goes on in a packed file where it was
    left.
    """
    if not is_packed(path):
        yield from _stretches(path, start)
        return
    state, last = state_of(path), getattr(_kept, "stretch", None)
    if getattr(_kept, "stretches_of", None) == state and last is not None and last[0] <= start:
        source = _kept.stretches
        if last[0] == start:
            yield last
    else:
        close_kept()
        source = _stretches(path, start)
    for stretch in source:
        _kept.stretches_of, _kept.stretches, _kept.stretch = state, source, stretch
        if stretch[0] >= start:
            yield stretch
    _kept.stretches_of = None


def _stretches(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    with open_unpacked(path) as stream:
        stream.seek(start)
        text = stream.read(STRETCH)
        while text:
            cut = text.rfind(b"\n") + 1
            if cut:
                yield start, text[:cut]
                start, text = start + cut, text[cut:]
            fresh = stream.read(STRETCH - len(text) % STRETCH)
            if not fresh:
                break
            text += fresh
        if text:
            yield start, text


def read_stretch(path: Path, start: int, stop: int) -> bytes:
    """
    Give the bytes from start up to stop.

    A packed file can only be unpacked from its beginning. So it stays open, one a thread, for whoever goes on where
    the last stretch ended.

    Raises
    ------
    MalformedAlert
        If the file has become shorter than it was.
    """
    if is_packed(path):
        content = _go_on(path, start, stop)
    else:
        with path.open("rb") as stream:
            stream.seek(start)
            content = stream.read(stop - start)
    if len(content) < stop - start:
        raise MalformedAlert(str(path), "became shorter while it was read")
    return content


def _go_on(path: Path, start: int, stop: int) -> bytes:
    state = state_of(path)
    stream: Any
    if getattr(_kept, "state", None) == state:
        stream = _kept.stream
    else:
        close_kept()
        stream = _open(path)  # it stays open for the next stretch
        _kept.state, _kept.stream = state, stream
    stream.seek(start)
    content: bytes = stream.read(stop - start)
    if not stream.peek(1):
        close_kept()
    return content


def close_kept() -> None:
    """Close the packed files that this thread kept open."""
    if getattr(_kept, "state", None) is not None:
        _kept.stream.close()
    if getattr(_kept, "stretches_of", None) is not None:
        _kept.stretches.close()
    _kept.state = _kept.stretches_of = None


Beginning = tuple[Callable[[int], bytes], Callable[[], None]]
"""What reads up to so many bytes, and what closes it."""


class Rewindable(io.RawIOBase):
    """
    A stream that goes forwards only, made one in which one can go back: it begins anew then.

    Parameters
    ----------
    begin
        Opens it at its beginning.
    """

    def __init__(self, begin: Callable[[], Beginning]) -> None:
        super().__init__()
        self._begin, self._at, self._left = begin, 0, b""
        self._read, self._close = begin()

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            self._close()
        super().close()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that one can go back."""
        return True

    def readinto(self, room: Any) -> int:
        """Read on."""
        content = self._left or self._read(len(room))
        content, self._left = content[: len(room)], content[len(room) :]
        room[: len(content)] = content
        self._at += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte, from the beginning or from here."""
        place = offset + (self._at if whence == io.SEEK_CUR else 0)
        if place < self._at:
            self._close()
            self._at, self._left = 0, b""
            self._read, self._close = self._begin()
        while self._at < place and self.read(min(place - self._at, LOOK)):
            pass
        return self._at

    def tell(self) -> int:
        """Give the byte that is read next."""
        return self._at


def _open_zstd(path: Path) -> IO[bytes]:
    def begin() -> Beginning:
        stream = pa.CompressedInputStream(str(path), "zstd")
        return stream.read, stream.close

    return io.BufferedReader(Rewindable(begin))


def _open_text(path: Path, opener: Opener | None, encoding: str) -> IO[bytes]:
    def begin() -> Beginning:
        packed = path.open("rb") if opener is None else opener(path)
        text = io.TextIOWrapper(packed, encoding, "surrogateescape" if encoding == "utf-8" else "strict")
        return lambda size: text.read(size).encode("utf-8", "surrogateescape"), text.close

    return io.BufferedReader(Rewindable(begin))


@contextmanager
def headers_checked(path: Path) -> Iterator[None]:
    """Raise MalformedAlert, with the name of an archive, where its headers make Python raise any of `MADE_UP`."""
    try:
        yield
    except MADE_UP as problem:
        raise MalformedAlert(str(path), f"is broken: {in_one_line(problem)}") from None


def names_in_zip(path: Path) -> list[str]:
    """List the files in a zip archive, without those that macOS adds."""
    with headers_checked(path), zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]


def is_packed_in_zip(path: Path, name: str) -> bool:
    """Tell whether a file in a zip archive is packed itself."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            start = stream.read(max(map(len, PACKINGS)))
    except (RuntimeError, NotImplementedError):
        return False  # whoever reads it tells why it cannot be unpacked
    return any(start.startswith(magic) for magic in PACKINGS)


def _open_zip(path: Path) -> IO[bytes]:
    """Open the one file in a zip archive; raises MalformedAlert if there are several, or it cannot be unpacked."""
    names = names_in_zip(path)
    if len(names) != 1:
        raise MalformedAlert(str(path), f"is a zip archive of {len(names)} files, not one: unpack it")
    try:
        return zipfile.ZipFile(path).open(names[0])
    except (RuntimeError, NotImplementedError) as problem:
        raise MalformedAlert(str(path), f"is a zip archive whose {names[0]} cannot be unpacked: {problem}") from None


PACKINGS: Final[dict[bytes, Opener]] = {
    b"\x1f\x8b": lambda path: cast(IO[bytes], gzip.open(path)),  # noqa: SIM115  who calls closes it
    b"BZh": lambda path: cast(IO[bytes], bz2.open(path)),  # noqa: SIM115
    b"\xfd7zXZ\0": lambda path: cast(IO[bytes], lzma.open(path)),  # noqa: SIM115
    b"\x28\xb5\x2f\xfd": _open_zstd,
    ZIP: _open_zip,
}
"""By the first bytes of a file."""


def reason_of(problem: Exception) -> str:
    """Say in words that follow the name of a file why it cannot be used."""
    if isinstance(problem, MalformedAlert):
        return problem.problem
    if isinstance(problem, OSError) and problem.strerror:
        return f"cannot be read: {problem.strerror}"
    return f"is broken: {in_one_line(problem)}"


def state_of(path: Path) -> tuple[Path, int, int]:
    """Tell a file from what it was before it was written anew."""
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


@lru_cache(1024)
def opener_of(state: tuple[Path, int, int]) -> Opener | None:
    """
    Tell how a file is opened so that it is plain bytes; None if it is so as it lies there.

    Parameters
    ----------
    state
        Of the file, by `state_of`.
    """
    path = state[0]
    with path.open("rb") as stream:
        start = stream.read(LOOK)
    opener = next((opener for magic, opener in PACKINGS.items() if start.startswith(magic)), None)
    if opener is not None:
        with opener(path) as stream:
            start = stream.read(LOOK)
        if any(start.startswith(magic) for magic in PACKINGS):
            raise MalformedAlert(str(path), "is packed twice: unpack it once")
    encoding = encoding_of(start)
    return opener if encoding is None else lambda path: _open_text(path, opener, encoding)


def encoding_of(start: bytes) -> str | None:
    r"""
    Tell the encoding of a text that is to be written anew: in UTF-16, or with carriage returns for line ends.

    >>> encoding_of("a".encode("utf-16")), encoding_of(b"a,b\r1,2\r"), encoding_of(b"a,b\r\n1,2\r\n")
    ('utf-16', 'utf-8', None)
    >>> encoding_of("objectId,mjd,band,mag".encode("utf-16-be"))
    'utf-16-be'
    """
    if UTF_16.match(start):
        return "utf-16"
    for encoding, pattern in UNMARKED.items():
        if pattern.match(start):
            return encoding
    is_old = b"\r" in start and b"\n" not in start and not NO_TEXT.search(start)
    return "utf-8" if is_old else None
