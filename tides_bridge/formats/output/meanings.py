"""
What columns mean: unit, UCD and description, kept as metadata of an Arrow schema, and from there in every file.

UCDs are those of the IVOA's UCD1+ controlled vocabulary; units are as FITS writes them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Meaning:
    """
    What a column means.

    Attributes
    ----------
    description
        One sentence, without a dot.
    unit
        "" where it has none.
    ucd
        "" where the vocabulary has none.
    """

    description: str
    unit: str = ""
    ucd: str = ""


def described_field(name: str, kind: pa.DataType, meaning: Meaning) -> pa.Field:
    """
    Make a column of a schema that says what it means.

    >>> meaning_of(described_field("ra", pa.float64(), Meaning("right ascension", "deg", "pos.eq.ra"))).unit
    'deg'
    """
    about = {"description": meaning.description, "unit": meaning.unit, "ucd": meaning.ucd}
    return pa.field(name, kind, metadata={key: text for key, text in about.items() if text})


def meaning_of(field: pa.Field) -> Meaning:
    """Read what a column means."""
    about = {key.decode(): text.decode() for key, text in (field.metadata or {}).items()}
    return Meaning(about.get("description", ""), about.get("unit", ""), about.get("ucd", ""))


def schema_of(columns: Iterable[tuple[str, pa.DataType, Meaning]], about: dict[str, str] | None = None) -> pa.Schema:
    """
    Make the schema of a list.

    Parameters
    ----------
    columns
        Name, type and meaning of each.
    about
        What is said of the list as a whole.
    """
    return pa.schema([described_field(*column) for column in columns], about or None)
