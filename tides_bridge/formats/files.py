"""
Light curves in files: what `tides select` and `tides backtest` read. No network, no database.

::

    paths ── kind_of ──▶ index of each file ──▶ newest record of each object ──▶ units ──▶ LightCurves
             content     object, epoch, place    of all files together            each read by itself, in any process

**One object, one judgement.** Whatever the format, an object that comes in several records (packets, answers, messages;
all its rows in one table are one record) is judged on the newest alone: the one with the latest ``candidate`` or
``diaSource``, or, where there is none, point. Of equally new ones the last counts, in the order of the paths. Records
are not merged, since the newest packet has the history that its survey stands by.

Memory does not grow with the files: the index needs 24 bytes a record, and of a scattered table 1.5 million rows are
held at a time. Exceptions are a file that is one JSON array, and a message: they are held as a whole.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tides_bridge.compiled import Mask
from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import (
    FilePiece,
    Index,
    Noted,
    Options,
    Refused,
    check_depth,
    json_text,
    nested,
    newest_records,
    tables,
)
from tides_bridge.formats.avro import records as avro
from tides_bridge.formats.contents import BROKEN, files_in, first_bytes, reason_of, seekable
from tides_bridge.formats.meaning.left_out import Digest, collecting
from tides_bridge.formats.meaning.roles import NEEDED, layout_of_text, roles_of
from tides_bridge.formats.members import archives_opened
from tides_bridge.formats.published.kinds import OTHER_KINDS, other_kind_of, service_of
from tides_bridge.formats.records import UNDERSTOOD, Record, to_light_curves
from tides_bridge.formats.snana.object_rows import is_object_rows
from tides_bridge.formats.snana.pairs import heads_in_place
from tides_bridge.formats.whole_alerts import record_unpacking
from tides_bridge.lightcurves import LightCurves

logger = logging.getLogger(__name__)

FOREIGN = {
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"%PDF": "a PDF document",
    b"PK\5\6": "a zip archive without files",
}
"""What else a file may begin with."""

FORMATS = f"Understood are, packed or not: as JSON or Avro {UNDERSTOOD}; Parquet with diaSource; tables"

TABLES = ("table", "text")
"""Kinds of files with a point a row, whose columns are told by their names."""

RECORDS = ("lines", "document", "container", "message", "alerts")
"""Kinds of files whose records are whole: the newest has what the older ones have."""

ONCE = "another file has as new ones, and each object is read from one file (put them together)"
"""Why points are not used."""

LONGEST_LINE = 1 << 23
"""[bytes] A first line of JSON that is longer is taken for all there is."""

FAULTS = (*BROKEN, pa.ArrowException, MalformedAlert)
"""What makes a file unreadable."""


ASKS = (
    f"is {{}}: which of its points are detections, and of which object, must be guessed. Needed are {NEEDED}; "
    "tides convert --published makes such a table of it, in which points from 5 sigma on are detections"
)
"""Why an answer of a service is not read unasked."""

LeftOut = Callable[[Path, Digest], None]
"""Is told what of a file is not used."""


@dataclass(frozen=True, eq=False)
class Part:
    """
    What was read.

    Attributes
    ----------
    curves
        Whole light curves.
    refused
        Records that could not be used: file, and why.
    notes
        Files that may have been misread, and why.
    left_out
        By file, what of it is not used.
    """

    curves: LightCurves
    refused: tuple[tuple[Path, str], ...]
    notes: tuple[tuple[Path, str], ...]
    left_out: tuple[tuple[Path, Digest], ...] = ()


@dataclass(frozen=True, eq=False)
class Unit:
    """
    Some objects in files. It is small and can be sent to another process, which reads them there.

    Attributes
    ----------
    pieces
        Where they are.
    objects
        How many; of a table with scattered rows about how many.
    options
        What the files do not say.
    unused
        What other files have of objects, and is not used: file, and text.
    """

    pieces: tuple[FilePiece, ...]
    objects: int
    options: Options
    unused: tuple[tuple[Path, str], ...] = ()

    def read(self) -> Part:
        """Read the light curves; what cannot be read is told in the part, never raised."""
        part = _Reading(left_out=[(path, Digest(remarks={text: None})) for path, text in self.unused])
        for piece in self.pieces:
            try:
                with collecting() as digest:
                    found = _read(piece, self.options, _into(part.refused), _into(part.notes))
            except FAULTS as problem:
                part.refused.append((piece.path, reason_of(problem)))
                continue
            if isinstance(found, LightCurves):
                part.add(piece, [found], digest)
            else:
                part.records.append((piece, found))
        part.add_records(self.options.scale)
        return Part(LightCurves.joined(part.curves), tuple(part.refused), tuple(part.notes), tuple(part.left_out))


@dataclass
class _Reading:
    """What was read so far, as in `Part`, and records that are no light curves yet."""

    curves: list[LightCurves] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)
    left_out: list[tuple[Path, Digest]] = field(default_factory=list)
    records: list[tuple[FilePiece, list[Record]]] = field(default_factory=list)

    def add(self, piece: FilePiece, curves: list[LightCurves], digest: Digest) -> None:
        """Keep light curves; not those of a table most of which cannot be used: it must mean something else."""
        used = sum(int(np.isfinite(part.flux).sum()) for part in curves)
        if piece.kind in (*TABLES, "astropy table", "JSON points") and digest.faults > used:
            self.refused.append((piece.path, f"most of it cannot be used: {'; '.join(digest.lines())}"))
            return
        self.curves += curves
        if digest:
            self.left_out.append((piece.path, digest))

    def add_records(self, scale: float) -> None:
        """Make light curves of the records: of all together, or, if something is left out, of each file."""
        if not self.records:
            return
        together = [record for _, records in self.records for record in records]
        with collecting() as digest:
            curves = to_light_curves(together, scale)
        check_depth(curves[1], self.records[0][0].path, _into(self.notes), len(self.records) - 1)
        if not digest or len(self.records) == 1:
            self.add(self.records[0][0], list(curves), digest)
            return
        for piece, records in self.records:
            with collecting() as digest:
                curves = to_light_curves(records, scale)
            self.add(piece, list(curves), digest)


def read_light_curves(  # noqa: PLR0913
    paths: Sequence[Path],
    *,
    zero_point: float | None = None,
    schema: Path | None = None,
    survey: str | None = None,
    published: bool = False,
    objects_per_part: int = 20_000,
    refused: Refused,
    noted: Noted | None = None,
    left_out: LeftOut | None = None,
) -> Iterator[LightCurves]:
    """
    Read the light curves of all objects in some files, part by part.

    Parameters
    ----------
    paths
        Files, and folders with files in any depth. Which format a file has is told by its content.
    zero_point
        [mag] of ``psFlux`` and columns called flux; None: 31.4, nJy.
    schema
        Avro schema file, or folder of them, for messages that bring none.
    survey
        Whose nights count, ``ztf`` or ``lsst``, where files of points do not say it.
    published
        Whether answers of services are read, too: of forced photometry, IRSA and Fink's portal.
    objects_per_part
        About how many objects come at a time.
    refused
        Is told every file or record that cannot be used: the path, and why. The rest is read.
    noted
        Is told once of a file that may have been misread; None: it is logged.
    left_out
        Is told of every part of a file what is not used; None: nobody is.

    Yields
    ------
    LightCurves
        Of whole objects, each object once: see the module for which of its records counts.

    Raises
    ------
    SettingsError
        If the schema is missing or none.
    """
    tell, noted_paths = noted or _log, set()
    options = {
        "zero_point": zero_point,
        "schema": schema,
        "survey": survey,
        "published": published,
        "objects_per_part": objects_per_part,
    }
    with archives_opened(paths, refused) as opened:
        refused = opened.telling(refused)
        for unit in work_units(opened.files, refused=refused, **options):  # type: ignore[arg-type]
            part = unit.read()
            for path, problem in part.refused:
                refused(path, problem)
            for path, problem in part.notes:
                if path not in noted_paths:
                    tell(opened.name_of(path), problem)
                noted_paths.add(path)
            for path, digest in part.left_out:
                if left_out is not None:
                    left_out(opened.name_of(path), digest)
            if len(part.curves):
                yield part.curves


def work_units(  # noqa: PLR0913
    paths: Sequence[Path],
    *,
    zero_point: float | None = None,
    schema: Path | None = None,
    survey: str | None = None,
    published: bool = False,
    objects_per_part: int = 20_000,
    refused: Refused,
) -> list[Unit]:
    """
    Divide the light curves in some files into units of about as many objects each; parameters as `read_light_curves`.

    All files are gone through once, to find the newest record of each object.

    Parameters
    ----------
    paths
        Files and folders; a file that is named twice counts once.
    zero_point, schema, survey, published, objects_per_part, refused
        As those of `read_light_curves`.

    Returns
    -------
    list of Unit
        In the order of the files. A unit can be sent to another process, which reads the files there: they must lie
        on a disk that both see, and not change in between.
    """
    options = Options(zero_point, schema, survey, published)
    found = list(_indices(heads_in_place(files_in(paths, refused)), options, refused))
    kept = newest_records([index for _, _, index in found])
    units: list[Unit] = []
    pieces: list[FilePiece] = []
    waiting = 0
    for (path, kind, index), wanted in zip(found, kept, strict=True):
        for piece, number in _pieces(path, kind, index, wanted, objects_per_part):
            pieces.append(piece)
            waiting += number
            if waiting >= objects_per_part or piece.passes:
                units.append(Unit(tuple(pieces), waiting, options))
                pieces, waiting = [], 0
    units += [Unit(tuple(pieces), waiting, options)] if pieces else []
    # Some unit has to tell it: a file of which nothing is used has none.
    return [replace(unit, unused=() if number else _unused(found, kept)) for number, unit in enumerate(units)]


def _unused(found: list[tuple[Path, str, Index]], kept: list[Mask]) -> tuple[tuple[Path, str], ...]:
    """Tell which files of points have some of objects that are read from another; a newer packet has the older's."""
    lines = []
    for (path, kind, index), wanted in zip(found, kept, strict=True):
        lost = int(np.count_nonzero(~wanted & (np.concatenate(index.epoch) > -np.inf)))
        if lost and kind not in RECORDS:
            lines.append((path, f"points of {lost} objects that are not used: {ONCE}"))
    return tuple(lines)


def kind_of(path: Path, schema: Path | None = None) -> str:
    """
    Tell what a file is, by its content: lines, document, container, message, alerts, table, text, or an `OTHER_KINDS`.

    Raises
    ------
    MalformedAlert
        If it is none of these; says what was found.
    """
    start = first_bytes(path)
    if not start.strip():
        raise MalformedAlert(str(path), "is empty")
    if start.startswith(b"PAR1"):
        return _kind_of_parquet(path)
    known_kind = "container" if start.startswith(avro.CONTAINER) else other_kind_of(path, start)
    if known_kind is not None:
        return known_kind
    text = start.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] in (b"{", b"["):
        if b"\n" not in text:  # the first of several lines may be long: a whole alert
            text = first_bytes(path, LONGEST_LINE).removeprefix(b"\xef\xbb\xbf")
        return "lines" if json_text.is_lines(text) else "document"
    if json_text.OLD_ANSWER.match(text):
        return "document"
    layout = layout_of_text(text)
    if layout.roles:
        return "text"
    # A message of Avro is no text, nor what begins as something else does.
    if schema is not None or (b"\0" in start[:512] and not any(start.startswith(magic) for magic in FOREIGN)):
        return "message"
    raise MalformedAlert(str(path), _what(text, list(layout.names)))


def _kind_of_parquet(path: Path) -> str:
    schema = pq.read_schema(seekable(path))
    names = schema.names
    if is_object_rows(schema):
        return "object rows"
    if nested.is_alerts(names):
        return "alerts"
    if roles_of(names):
        return "table"
    problem = f"is Parquet with the columns {', '.join(names)[:200]}, not with diaSource, nor with {NEEDED}"
    raise MalformedAlert(str(path), problem)


def _what(start: bytes, names: list[str]) -> str:
    """Say what was found in place of light curves."""
    for magic, what in FOREIGN.items():
        if start.startswith(magic):
            return f"is {what}. {FORMATS} with {NEEDED}"
    if roles_of(start.split(b"\n")[0].decode(errors="replace").split()):
        return "is a table whose columns are parted by blanks: write it with commas or tabs"
    if len(names) > 1:
        return f"is a table with the columns {', '.join(names)[:200]}; needed are {NEEDED}"
    return f"begins with {start[:40]!r}. {FORMATS} with {NEEDED}"


def _indices(paths: Iterable[Path], options: Options, refused: Refused) -> Iterator[tuple[Path, str, Index]]:
    for path in paths:
        try:
            kind = kind_of(path, options.schema)
            index = _index(path, kind, options, refused)
        except FAULTS as problem:
            refused(path, reason_of(problem))
            continue
        if index.place:
            yield path, kind, index


def _index(path: Path, kind: str, options: Options, refused: Refused) -> Index:
    service = service_of(kind, tables.layout_of(path, kind).names if kind in TABLES else ())
    if service and not options.published:
        raise MalformedAlert(str(path), ASKS.format(service))
    indexing: dict[str, Callable[[], Index]] = {
        "lines": lambda: json_text.index_lines(path, refused),
        "document": lambda: json_text.index_document(path, refused),
        "container": lambda: avro.index_container(path, partial(record_unpacking, options.schema), refused),
        "message": lambda: avro.index_message(path, options.schema, refused),
        "alerts": lambda: nested.index_nested(path, refused),
        "table": lambda: tables.index_table(path, kind, refused),
        "text": lambda: tables.index_table(path, kind, refused),
    }
    return indexing[kind]() if kind in indexing else OTHER_KINDS[kind].index(path, options, refused)


def _read(piece: FilePiece, options: Options, refused: Refused, noted: Noted) -> LightCurves | list[Record]:
    reading: dict[str, Callable[[], LightCurves | list[Record]]] = {
        "lines": lambda: json_text.read_lines(piece, refused),
        "document": lambda: json_text.read_document(piece, refused),
        "container": lambda: avro.read_container(piece, partial(record_unpacking, options.schema), refused),
        "message": lambda: avro.read_message_file(piece, options.schema, refused),
        "alerts": lambda: nested.read_nested(piece, options.scale, refused, noted),
        "table": lambda: tables.read_table(piece, options, refused, noted),
        "text": lambda: tables.read_table(piece, options, refused, noted),
    }
    if piece.kind in OTHER_KINDS:
        return OTHER_KINDS[piece.kind].read(piece, options, refused, noted)
    return reading[piece.kind]()


def _pieces(path: Path, kind: str, index: Index, kept: Mask, size: int) -> Iterator[tuple[FilePiece, int]]:
    """Cut a file into pieces of about size objects; gives each with the number of objects in it."""
    place = np.concatenate(index.place)
    if index.passes:
        unwanted = np.sort(np.concatenate(index.object_hash)[~kept])
        whole = FilePiece(path, kind, 0, index.end, passes=index.passes, unwanted=unwanted if len(unwanted) else None)
        number = -(-int(kept.sum()) // index.passes)
        yield from ((replace(whole, turn=turn), number) for turn in range(index.passes) if number)
        return
    reached = np.concatenate([[0], np.cumsum(kept)])
    start = 0
    while start < len(place):
        stop = min(int(np.searchsorted(reached, reached[start] + size)), len(place))
        stop = int(np.searchsorted(place, place[stop - 1], side="right"))
        chosen = kept[start:stop]
        if chosen.any():
            end = int(place[stop]) if stop < len(place) else index.end
            mask = None if chosen.all() else chosen.copy()
            yield FilePiece(path, kind, int(place[start]), end, start + 1, mask), int(chosen.sum())
        start = stop


def _into(problems: list[tuple[Path, str]]) -> Callable[[Path, str], None]:
    return lambda path, problem: problems.append((path, problem))


def _log(path: Path, problem: str) -> None:
    logger.warning("doubtful file=%s problem=%s", path, problem)
