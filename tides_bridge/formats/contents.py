"""The bytes of a file, unpacked: what it begins with, and any stretch of it."""

import gzip
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Refused

GZIP = b"\x1f\x8b"

BROKEN = (OSError, EOFError, zlib.error)
"""What reading a file may raise: it is away, or its gzip is broken or cut off."""

STRETCH = 1 << 23
"""[B] How much of a text is looked at at once."""

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


def is_gzip(path: Path) -> bool:
    """Tell whether a file is packed, by its content."""
    with path.open("rb") as stream:
        return stream.read(2) == GZIP


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """
    Open a file, unpacked.

    Parameters
    ----------
    path
        Packed by gzip or not: its first two bytes tell, not its name.

    Yields
    ------
    file object
        Of bytes. Going back in a packed file unpacks it from its beginning.
    """
    if is_gzip(path):
        with gzip.open(path, "rb") as unpacked:
            yield cast(IO[bytes], unpacked)
    else:
        with path.open("rb") as stream:
            yield stream


def first_bytes(path: Path, size: int = 1 << 16) -> bytes:
    """
    Give the first bytes of a file, unpacked.

    Parameters
    ----------
    path
        Packed by gzip or not.
    size
        [bytes] At most; 64 kB show what a file is, with a header of any table.
    """
    with open_unpacked(path) as stream:
        return stream.read(size)


def whole_content(path: Path) -> bytes:
    """Give all bytes of a file, unpacked."""
    with open_unpacked(path) as stream:
        return stream.read()


def stretches_of_lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """
    Go through a text in pieces of whole lines, each with the byte it starts at.

    The same pieces come from any of these bytes on. As `read_stretch` does, it goes on in a packed file where it was
    left.
    """
    if not is_gzip(path):
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
    if is_gzip(path):
        content = _go_on(path, start, stop)
    else:
        with path.open("rb") as stream:
            stream.seek(start)
            content = stream.read(stop - start)
    if len(content) < stop - start:
        raise MalformedAlert(str(path), "became shorter while it was read")
    return content


def state_of(path: Path) -> tuple[Path, int, int]:
    """Tell a file from what it was before it was written anew."""
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


def _go_on(path: Path, start: int, stop: int) -> bytes:
    state, stream = state_of(path), None
    if getattr(_kept, "state", None) == state:
        stream = _kept.stream
    else:
        close_kept()
        stream = gzip.open(path, "rb")  # noqa: SIM115  it stays open for the next stretch
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
