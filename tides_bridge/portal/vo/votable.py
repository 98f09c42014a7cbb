"""
Answers written while they are read: VOTable in BINARY2 and TABLEDATA, CSV and TSV.

astropy's writer needs all rows at once, and ten times as long.
"""

import csv
import io
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr  # nosec B406

import numpy as np

from tides_bridge.portal.vo.queries import AnswerColumn, QueryAnswer, Row

Encoder = Callable[[Sequence[Any]], list[bytes]]

_LENGTH: Final = struct.Struct(">i")
_NUMBERS: Final = {"short": (">i2", 0), "int": (">i4", 0), "long": (">i8", 0), "float": (">f4", np.nan),
                   "double": (">f8", np.nan)}  # fmt: skip
"""Of each type its bytes, and what stands for nothing; that it is nothing is told beside it."""

NAMESPACES: Final = (
    'version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)

_FORBIDDEN: Final = {number: " " for number in range(32) if chr(number) not in "\t\n\r"} | {0xFFFE: " ", 0xFFFF: " "}
"""What no XML can hold."""


def xml_text(value: object) -> str:
    r"""
    Write a text where XML has one.

    >>> xml_text("a < b & c\x01")
    'a &lt; b &amp; c '
    """
    return escape(str(value).translate(_FORBIDDEN))


def xml_attribute(value: object) -> str:
    """Write a text as the value of an attribute, in its quotes."""
    return quoteattr(str(value).translate(_FORBIDDEN))


def votable(answer: QueryAnswer, infos: Sequence[tuple[str, str]] = (), *, is_binary: bool = True) -> Iterator[bytes]:
    """
    Write an answer as a VOTable.

    Parameters
    ----------
    answer
        Read as it is written.
    infos
        Names and values that stand in its head.
    is_binary
        Whether rows are packed (BINARY2) or are XML (TABLEDATA).
    """
    yield _head(answer.columns, infos).encode()
    yield from _base64(answer) if is_binary else _tabledata(answer)
    yield f"</DATA>\n</TABLE>\n{_end(answer)}</RESOURCE>\n</VOTABLE>\n".encode()


def error_votable(problem: str) -> bytes:
    """Say in a VOTable that a query was not carried out, as DALI has it."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE {NAMESPACES}>\n<RESOURCE type="results">\n'
        f'<INFO name="QUERY_STATUS" value="ERROR">{xml_text(problem)}</INFO>\n</RESOURCE>\n</VOTABLE>\n'
    ).encode()


def separated(answer: QueryAnswer, dialect: str = "excel") -> Iterator[bytes]:
    """
    Write an answer as lines: names first, nothing where nothing is known.

    Parameters
    ----------
    answer
        Read as it is written; that it ended too early is told by a last line that begins with ``#``.
    dialect
        ``excel`` with commas, ``excel-tab`` with tabs.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, dialect)
    writer.writerow([column.name for column in answer.columns])
    yield _taken(text)
    for rows in answer.chunks:
        writer.writerows([_plain(value, column) for value, column in zip(row, answer.columns, strict=True)]
                         for row in rows)  # fmt: skip
        yield _taken(text)
    if answer.problem:
        yield f"# {answer.problem}\r\n".encode()


def _taken(text: io.StringIO) -> bytes:
    written = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return written


def _head(columns: Sequence[AnswerColumn], infos: Sequence[tuple[str, str]]) -> str:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<VOTABLE {NAMESPACES}>", '<RESOURCE type="results">']
    lines.append('<INFO name="QUERY_STATUS" value="OK"/>')
    lines += [f"<INFO name={xml_attribute(name)} value={xml_attribute(value)}/>" for name, value in infos]
    # Its place on the sky, without which some programs warn.
    lines += ['<COOSYS ID="ICRS" system="ICRS"/>', "<TABLE>", *map(_field, columns), "<DATA>"]
    return "\n".join(lines) + "\n"


def _field(column: AnswerColumn) -> str:
    is_place = column.ucd.startswith(("pos.eq", "POS_EQ"))
    known = {
        "name": column.name, "datatype": column.datatype, "arraysize": column.arraysize, "xtype": column.xtype,
        "unit": column.unit, "ucd": column.ucd, "ref": "ICRS" if is_place else "",
    }  # fmt: skip
    written = " ".join(f"{key}={xml_attribute(value)}" for key, value in known.items() if value)
    if not column.description:
        return f"<FIELD {written}/>"
    return f"<FIELD {written}><DESCRIPTION>{xml_text(column.description)}</DESCRIPTION></FIELD>"


def _end(answer: QueryAnswer) -> str:
    """Say after the rows what was known only then."""
    if answer.problem:
        return f'<INFO name="QUERY_STATUS" value="ERROR">{xml_text(answer.problem)}</INFO>\n'
    if answer.is_overflowing:
        return '<INFO name="QUERY_STATUS" value="OVERFLOW">there are more rows: MAXREC</INFO>\n'
    return ""


def _tabledata(answer: QueryAnswer) -> Iterator[bytes]:
    yield b"<TABLEDATA>\n"
    for rows in answer.chunks:
        yield "".join(f"<TR>{''.join(_cells(row, answer.columns))}</TR>\n" for row in rows).encode()
    yield b"</TABLEDATA>\n"


def _cells(row: Row, columns: Sequence[AnswerColumn]) -> Iterator[str]:
    for value, column in zip(row, columns, strict=True):
        yield f"<TD>{xml_text(_plain(value, column))}</TD>"


def _plain(value: Any, column: AnswerColumn) -> str:
    """
    Write a value as text.

    >>> _plain(None, AnswerColumn("a")), _plain(True, AnswerColumn("a", "boolean"))
    ('', 'true')
    """
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    return _time(value) if column.xtype == "timestamp" else str(value)


def _time(written: str) -> str:
    """
    Write a time of PostgreSQL as DALI has it.

    >>> _time("2026-11-30 16:44:33.123456+00"), _time("2026-11-30"), _time("infinity")
    ('2026-11-30T16:44:33.123456Z', '2026-11-30', 'infinity')
    """
    return written.replace(" ", "T").removesuffix("+00") + ("Z" if written.endswith("+00") else "")


def _base64(answer: QueryAnswer) -> Iterator[bytes]:
    """Write packed rows: three bytes are four letters, so what is left of a chunk waits for the next."""
    yield b'<BINARY2>\n<STREAM encoding="base64">\n'
    encoders = [_encoder(column) for column in answer.columns]
    left = b""
    for rows in answer.chunks:
        packed = left + _packed(rows, encoders)
        whole = len(packed) - len(packed) % 3
        left = packed[whole:]
        yield b64encode(packed[:whole]) + b"\n"
    yield b64encode(left) + b"\n</STREAM>\n</BINARY2>\n"


def _packed(rows: list[Row], encoders: Sequence[Encoder]) -> bytes:
    """Pack rows: before each a bit a column, which is set where nothing is known."""
    if not rows:
        return b""
    columns = list(zip(*rows, strict=True))
    missing = np.array([[value is None for value in column] for column in columns], dtype=bool).T
    bits = np.packbits(missing, axis=1)
    width = bits.shape[1]
    flat = bits.tobytes()
    flags = [flat[at : at + width] for at in range(0, len(flat), width)]
    parts = [encode(column) for encode, column in zip(encoders, columns, strict=True)]
    return b"".join(chain.from_iterable(zip(flags, *parts, strict=True)))


def _encoder(column: AnswerColumn) -> Encoder:
    if column.datatype in _NUMBERS:
        return _number_encoder(*_NUMBERS[column.datatype])
    if column.datatype == "boolean":
        words = {True: b"T", False: b"F", None: b"?"}
        return lambda values: [words[value] for value in values]
    return _text_encoder(column)


def _number_encoder(kind: str, nothing: float) -> Encoder:
    width = np.dtype(kind).itemsize

    def encode(values: Sequence[Any]) -> list[bytes]:
        flat = np.array([nothing if value is None else value for value in values], dtype=kind).tobytes()
        return [flat[at : at + width] for at in range(0, len(flat), width)]

    return encode


def _text_encoder(column: AnswerColumn) -> Encoder:
    """Pack texts after their length, each one once: in two bytes a letter where any letter may come."""
    is_wide, is_time, pack = column.datatype == "unicodeChar", column.xtype == "timestamp", _LENGTH.pack
    coding, width = ("utf-16-be", 2) if is_wide else ("ascii", 1)

    def packed(value: Any) -> bytes:
        letters = (_time(value) if is_time else str(value)).encode(coding, "replace")
        return pack(len(letters) // width) + letters

    def encode(values: Sequence[Any]) -> list[bytes]:
        known = {value: packed(value) for value in set(values) if value is not None} | {None: pack(0)}
        return [known[value] for value in values]

    return encode
