"""
JSON: one record, an array of them, or one a line.

A line may be an array, too, as an answer of Lasair's API is. Python writes NaN and Infinity, which JSON does not have:
they are read as null. A file that is one array, or one record, is held in memory as a whole.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from tides_bridge.errors import MalformedAlert
from tides_bridge.formats import FilePiece, Index, Refused, in_one_line
from tides_bridge.formats.babamul import survey_packet
from tides_bridge.formats.contents import read_stretch, stretches_of_lines, whole_content
from tides_bridge.formats.lasair import curves_of_answers
from tides_bridge.formats.needed import is_bare, lacking_field_in
from tides_bridge.formats.records import Head, LsstAlert, Record, identify, sources_of
from tides_bridge.lightcurves import LightCurves

LITERALS = re.compile(rb"(?<=[:\[,\s])[-+]?(?:NaN|Infinity)(?=[\s,\]}])")
"""Numbers that JSON does not have. Inside of a text one may be hit too; none of ours has any."""

OLD_ANSWER = re.compile(rb"\s*([\w.+-]{1,256})\s*\n\s*\[")
"""A light curve as older clients of Lasair wrote it: the object id in the first line, then the API's list of lists."""

BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

HEADS = msgspec.json.Decoder(Head | list[Head], strict=False)
RECORDS = msgspec.json.Decoder(Record | list[Record], strict=False)


def index_lines(path: Path, refused: Refused) -> Index:
    """Note the records of a file with one JSON value a line; a place is the byte at which the line starts."""
    index, number = Index(), 0
    for start, text in stretches_of_lines(path):
        places = [start + at for at, _ in _lines(text)]
        found: list[tuple[str, float, int]] = []
        for place, heads in zip(places, _decoded(text, HEADS), strict=True):
            for head in heads:
                number += 1
                found.append((*_identified(head, path, number, refused), place))
        if found:
            index.add(*zip(*found, strict=True))
        index.end = start + len(text)
    return index


def read_lines(piece: FilePiece, refused: Refused) -> LightCurves | list[Record]:
    """Read the chosen records of some lines."""
    text = read_stretch(piece.path, piece.start, piece.stop)
    curves = curves_of_answers(text, True, piece.kept)
    if curves is not None:
        return curves
    values = (value for values in _decoded(text, RECORDS) for value in values)
    return list(chosen_records(values, piece, refused))


def index_document(path: Path, refused: Refused) -> Index:
    """Note the records of a file that is one JSON value; all of them have the same place."""
    index = Index(end=1)
    heads = _values(json_document(path), HEADS)
    found = [(*_identified(head, path, number, refused), 0) for number, head in enumerate(heads, 1)]
    if not found:
        raise MalformedAlert(str(path), "is an empty list")
    index.add(*zip(*found, strict=True))
    return index


def read_document(piece: FilePiece, refused: Refused) -> LightCurves | list[Record]:
    """Read the chosen records of a file that is one JSON value."""
    text = json_document(piece.path)
    curves = curves_of_answers(text, False, piece.kept)
    return list(chosen_records(_values(text, RECORDS), piece, refused)) if curves is None else curves


def is_lines(start: bytes) -> bool:
    r"""
    Tell whether there is a JSON value in the first line, and more after it.

    >>> is_lines(b'{"a": 1}\n{"a": 2}\n'), is_lines(b'{\n "a": 1}\n'), is_lines(b'{"a": 1}\n')
    (True, False, False)
    """
    first, _, rest = start.lstrip().partition(b"\n")
    if not rest.strip():
        return False
    try:
        msgspec.json.decode(LITERALS.sub(b"null", first), type=msgspec.Raw)
    except BAD:
        # A first line that is cut off or broken: what matters is that the second starts a value, too.
        return first[:1] == b"{" and len(first) > 2 and rest.lstrip()[:2] == b'{"'
    return rest.lstrip()[:1] in (b"{", b"[")


def chosen_records(
    values: Iterator[Record | str] | Sequence[Record | str], piece: FilePiece, refused: Refused
) -> Iterator[Record]:
    """Give the records that a piece wants; those that cannot be read are refused."""
    for number, value in enumerate(values):
        if not piece.wants(number):
            continue
        if isinstance(value, str):
            refused(piece.path, f"record {piece.first + number}: {value}")
        else:
            yield value


def identify_head(head: Head | str) -> tuple[str, float] | str:
    """Tell object and epoch, or the problem."""
    if isinstance(head, str):
        return head
    try:
        return identify(head)
    except MalformedAlert as problem:
        return problem.problem


def _identified(head: Head | str, path: Path, number: int, refused: Refused) -> tuple[str, float]:
    found = identify_head(head)
    if isinstance(found, str):
        refused(path, f"record {number}: {found}")
        return "", float("-inf")
    return found


def _lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the lines that are not blank, with their places."""
    at = 0
    for line in text.split(b"\n"):
        if line.strip():
            yield at, line
        at += len(line) + 1


def _decoded(text: bytes, decoder: "msgspec.json.Decoder[Any]") -> Iterator[Sequence[Any]]:
    """Decode every line, all at once where there is no fault."""
    text = _plain(text)
    lines = [line for _, line in _lines(text)]
    try:
        values = decoder.decode_lines(text)
    except BAD:
        values = []
    if len(values) == len(lines):  # a value that is spread over two lines is a fault, too
        for line, value in zip(lines, values, strict=True):
            yield _checked(value if isinstance(value, list) else (value,), line)
    else:
        yield from (_values(line, decoder) for line in lines)


def _values(text: bytes, decoder: "msgspec.json.Decoder[Any]") -> Sequence[Any]:
    """Decode one value, which may be a list; a record that cannot be decoded is given as its problem."""
    text = _plain(text)
    try:
        value = decoder.decode(text)
    except BAD as problem:
        try:
            parts = msgspec.json.decode(text, type=list[msgspec.Raw])
        except BAD:
            return (_told(problem),)
        values: list[Any] = []
        for part in parts:
            try:
                value = decoder.decode(part)
            except BAD as problem_of_part:
                values.append(_told(problem_of_part))
            else:
                values.append("is a list in a list, which names no object" if isinstance(value, list) else value)
        return values
    return _checked(value if isinstance(value, list) else (value,), text)


def _checked(records: Sequence[Any], text: bytes) -> Sequence[Any]:
    """Put the problem in the place of records that lack a needed field; Babamul's are read as those of the survey."""
    if any(isinstance(record, Record) and record.candidate and record.candidate.band is not None for record in records):
        content = msgspec.json.decode(_plain(text))
        return [babamul_record(part) for part in (content if isinstance(content, list) else [content])]
    if not any(isinstance(record, Record) and is_bare(sources_of(record)) for record in records):
        return records
    missing = [f"{name} is missing" if name else "" for name in _lacking(text)]
    return [problem or record for record, problem in zip_longest(records, missing)]


def babamul_record(content: Any) -> Record | str:
    """Make a record of a decoded alert of Babamul, or give the problem; one of another kind is read as it is."""
    try:
        record = msgspec.convert(survey_packet(content), Record, strict=False)
        identify(record)
    except msgspec.ValidationError as problem:
        return _told(problem)
    except MalformedAlert as problem:
        return problem.problem
    return record


def _lacking(text: bytes) -> list[str]:
    """Name the needed field that each record of a text lacks; none of what is too deep to be decoded as a whole."""
    try:
        content = msgspec.json.decode(_plain(text))
    except BAD:
        return []
    return [lacking_field_in(record) for record in (content if isinstance(content, list) else [content])]


def check_fields(record: LsstAlert, text: bytes) -> None:
    """
    See that the detections of a record have all needed fields, whatever their values.

    Parameters
    ----------
    record
        It.
    text
        The JSON that it was decoded from.

    Raises
    ------
    MalformedAlert
        If they lack one: it names it.
    """
    for name in filter(None, _lacking(text) if is_bare(sources_of(record)) else []):
        raise MalformedAlert("record", f"{name} is missing")


def _told(problem: Exception) -> str:
    kind = "cannot be read" if isinstance(problem, msgspec.ValidationError) else "is not JSON"
    return f"{kind}: {in_one_line(problem)}"


def _plain(text: bytes) -> bytes:
    return LITERALS.sub(b"null", text) if b"NaN" in text or b"Infinity" in text else text


def json_document(path: Path) -> bytes:
    """Read a file that is one value; an old answer of Lasair is given its object id."""
    text = whole_content(path).removeprefix(b"\xef\xbb\xbf")
    old = OLD_ANSWER.match(text)
    if old is None or old[1][:1] in b"{[":
        return text
    try:
        lists = msgspec.json.decode(_plain(text[old.end(1) :]), type=list[msgspec.Raw])
    except BAD as problem:
        raise MalformedAlert(str(path), _told(problem)) from None
    points = b"[]" if not lists else bytes(lists[0])
    return b'{"objectId": %s, "candidates": %s}' % (msgspec.json.encode(old[1].decode()), points)
