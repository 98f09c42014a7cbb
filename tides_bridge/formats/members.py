"""
The files in an archive, tar or zip, packed or not: one after the other, and none of them trusted.

An archive may come from anywhere. So links and devices are not followed, nothing is written but into a folder of its
own, nothing is held in memory but a header, and what would fill the disk is not unpacked. What is not read is told.
"""

import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, cast

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import Refused, in_one_line
from tides_bridge.formats.contents import (
    BROKEN,
    LARGEST,
    ZIP,
    files_in,
    first_bytes,
    headers_checked,
    is_packed_in_zip,
    names_in_zip,
    open_unpacked,
    reason_of,
)

DEEPEST: Final = 2
"""Archives in archives that are read, as nights in a whole; deeper ones may have no end."""

LARGEST_SUM: Final = 1 << 36
"""[bytes] Of all that one command unpacks: a small archive may hold any amount of zeros."""

RESERVE: Final = 1 << 30
"""[bytes] So much is left free on the disk onto which archives are unpacked."""

LARGEST_HEADER: Final = 1 << 24
"""[bytes] Of a file in a tar archive: its long name, and what else is said of it."""

PIECE: Final = 1 << 20
"""[bytes] How much of a file is written at once."""


@dataclass(frozen=True)
class Member:
    """
    A file in an archive.

    Attributes
    ----------
    name
        Without what leads out of the archive.
    size
        [bytes]
    open
        Opens it; to be called before the next member is asked for.
    problem
        Why it is not read; empty if it is.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    problem: str = ""


def is_archive(path: Path) -> bool:
    """Tell whether a file is a tar archive, packed or not, or a zip archive of several files; by its content."""
    try:
        return _is_zip_archive(path) or _is_tar(first_bytes(path, tarfile.BLOCKSIZE))
    except (MalformedAlert, *BROKEN):
        return False  # whoever reads it tells what is wrong


def _is_zip_archive(path: Path) -> bool:
    """Tell whether a file is a zip archive of several files, or of one that is packed itself."""
    with path.open("rb") as stream:
        if stream.read(len(ZIP)) != ZIP:
            return False
    names = names_in_zip(path)
    return len(names) != 1 or is_packed_in_zip(path, names[0])


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def members_in(path: Path, depth: int = 0) -> Iterator[Member]:
    """
    Give the files in an archive, in its order, but for hidden ones and folders.

    Parameters
    ----------
    path
        An archive, as `is_archive` tells.
    depth
        In how many archives it lies itself.

    Raises
    ------
    MalformedAlert, OSError, ...
        Of `contents.BROKEN`, if it is broken: what was given before that is good. If it has no files, too.
    """
    if depth >= DEEPEST:
        raise MalformedAlert(str(path), f"is an archive in {depth} others: unpack them")
    has_files = False
    with headers_checked(path):
        for member in _in_zip(path) if _is_zip_archive(path) else _in_tar(path):
            # As in folders, what is hidden, and marks of other programs such as __MACOSX, are no input.
            if not any(part.startswith((".", "_")) and part != ".." for part in PurePosixPath(member.name).parts):
                has_files = True
                yield member
    if not has_files:
        raise MalformedAlert(str(path), "is an archive without files")


class _Careful:
    """A stream that gives no header of any size to who reads a tar archive."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header has {size} bytes")
        return self._stream.read(size)


def _in_tar(path: Path) -> Iterator[Member]:
    with open_unpacked(path) as stream, tarfile.open(fileobj=_Careful(stream), mode="r:") as archive:  # type: ignore[call-overload]
        while (found := archive.next()) is not None:
            archive.members.clear()  # it would keep all that it has seen
            if not found.isdir():
                yield _of_tar(archive, found)
        stream.seek(archive.offset)  # tarfile takes a broken header for the end
        if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise MalformedAlert(str(path), "is broken: it goes on, or ends, where its end should be marked")


def _of_tar(archive: tarfile.TarFile, found: tarfile.TarInfo) -> Member:
    def opened() -> IO[bytes]:
        return cast(IO[bytes], archive.extractfile(found))  # None only of what is no file

    return _checked(found.name, found.size, opened, is_file=found.isreg())


def _in_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for found in archive.infolist():
            kind = stat.S_IFMT(found.external_attr >> 16)
            if not found.is_dir():
                yield _checked(
                    found.filename, found.file_size, _opener(archive, found), is_file=kind in {0, stat.S_IFREG}
                )


def _opener(archive: zipfile.ZipFile, found: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        try:
            return archive.open(found)
        except (RuntimeError, NotImplementedError) as problem:
            raise MalformedAlert(found.filename, f"cannot be unpacked: {in_one_line(problem)}") from None

    return opened


def _checked(name: str, size: int, opened: Callable[[], IO[bytes]], *, is_file: bool) -> Member:
    """Make a member, with what forbids to read it."""
    problem = ""
    if not is_file:
        problem = "is a link or a device: it is not followed"
    elif ".." in PurePosixPath(name).parts:
        problem = "leads out of its archive: it is not read"
    elif size > LARGEST:
        problem = f"has more than {LARGEST >> 30} GB: unpack it"
    elif size == 0:
        problem = "is empty"
    return Member(name.lstrip("/"), size, opened, problem)


def write_member(member: Member, place: Path) -> None:
    """
    Write a file of an archive onto the disk.

    Parameters
    ----------
    member
        Without a problem.
    place
        Which file it becomes; an older one is replaced.

    Raises
    ------
    MalformedAlert
        If it has no room there.
    """
    if member.size > shutil.disk_usage(place.parent).free - RESERVE:
        where = f"there is no room for its {member.size:,} bytes in {tempfile.gettempdir()}"
        raise MalformedAlert(member.name, f"is not unpacked: {where}, or unpack it yourself, or set TMPDIR")
    with member.open() as content, place.open("wb") as file:
        shutil.copyfileobj(content, file, PIECE)


class OpenedArchives:
    """
    Files, and in place of archives among them the files in these.

    Parameters
    ----------
    folder
        Into which they are unpacked.
    refused
        Is told of what is not read.

    Attributes
    ----------
    files
        All of them, in their order.
    """

    def __init__(self, folder: Path, refused: Refused) -> None:
        self._folder, self._refused = folder, refused
        self._names: dict[Path, Path] = {}
        self._unpacked = 0
        self.files: list[Path] = []

    def add(self, path: Path) -> None:
        """Add a file, or what is in it."""
        if is_archive(path):
            self._unpack(path, path, 0)
        else:
            self.files.append(path)

    def name_of(self, path: Path) -> Path:
        """Give what a file is called where somebody reads it: one of an archive by the archive's name and its own."""
        inside = path.relative_to(self._folder) if path.is_relative_to(self._folder) else None
        return path if inside is None else self._names[self._folder / inside.parts[0]] / Path(*inside.parts[1:])

    def telling(self, tell: Callable[[Path, Any], None]) -> Callable[[Path, Any], None]:
        """Give what tells somebody the same of a file by its name."""
        return lambda path, what: tell(self.name_of(path), what)

    def _unpack(self, path: Path, name: Path, depth: int) -> None:
        inside = self._folder / str(len(self._names))
        self._names[inside] = name
        inside.mkdir()
        found: dict[Path, None] = {}
        try:
            for member in members_in(path, depth):
                self._write(member, inside, name, found)
        except (MalformedAlert, *BROKEN) as problem:
            self._refused(name, reason_of(problem))
        for place in found:
            if is_archive(place):
                self._unpack(place, self.name_of(place), depth + 1)
                place.unlink()
            else:
                self.files.append(place)

    def _write(self, member: Member, inside: Path, name: Path, found: dict[Path, None]) -> None:
        place = inside / member.name
        try:
            if member.problem:
                raise MalformedAlert(member.name, member.problem)
            place.parent.mkdir(parents=True, exist_ok=True)
            if place in found:
                self._refused(name / member.name, "is in its archive twice: the last one counts")
            found.pop(place, None)  # until it is whole
            self._unpacked += member.size
            if self._unpacked > LARGEST_SUM:
                raise MalformedAlert(
                    member.name, f"is not unpacked: all files together have over {LARGEST_SUM >> 30} GB"
                )
            write_member(member, place)
            found[place] = None
        except (MalformedAlert, ValueError, *BROKEN) as problem:
            self._refused(name / member.name, reason_of(problem))


@contextmanager
def archives_opened(paths: Iterable[Path], refused: Refused) -> Iterator[OpenedArchives]:
    """
    Unpack the archives among some files, into a folder that is there until the block ends.

    Parameters
    ----------
    paths
        Files, and folders of any depth.
    refused
        As of `contents.files_in`; is told of what is in archives, too, and not read.

    Yields
    ------
    OpenedArchives
        With the files.
    """
    with tempfile.TemporaryDirectory(prefix="tides-") as folder:
        opened = OpenedArchives(Path(folder), refused)
        for path in files_in(paths, refused):
            opened.add(path)
        yield opened
