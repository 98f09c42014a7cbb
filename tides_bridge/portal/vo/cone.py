"""Simple Cone Search 1.03: the targets in a circle."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tides_bridge.portal.vo.adql import query_error
from tides_bridge.portal.vo.asking import Parameters, most_rows
from tides_bridge.portal.vo.queries import QueryAnswer
from tides_bridge.portal.vo.votable import NAMESPACES, votable, xml_attribute

FEW: Final = "name, ra, decl"
"""With VERB=1."""

SOME: Final = f"{FEW}, survey, object_id, first_detection_mjd, last_detection_mjd, n_detections, sherlock_class, active"

UCDS: Final = {"name": "ID_MAIN", "ra": "POS_EQ_RA_MAIN", "decl": "POS_EQ_DEC_MAIN"}
"""As this old standard wants them."""


@dataclass(frozen=True)
class AskedCone:
    """
    A cone that is asked for.

    Parameters
    ----------
    query
        In ADQL.
    most
        Rows.
    """

    query: str
    most: int


def asked(parameters: Parameters) -> AskedCone:
    """
    Read what is asked for.

    Raises
    ------
    RejectedError
        If a number is missing, or none that can be.

    Examples
    --------
    >>> asked({"RA": "10", "DEC": "-20", "SR": "0.5", "VERB": "1"}).query
    'SELECT name, ra, decl FROM vo.targets WHERE 1 = CONTAINS(POINT(ra, decl), CIRCLE(10.0, -20.0, 0.5))'
    """
    ra, decl = _number(parameters, "RA", 0, 360), _number(parameters, "DEC", -90, 90)
    radius = _number(parameters, "SR", 0, 180)
    columns = {"1": FEW, "3": "*"}.get(parameters.get("VERB", "2").strip(), SOME)
    inside = f"1 = CONTAINS(POINT(ra, decl), CIRCLE({ra}, {decl}, {radius}))"
    # A radius of 0 asks what columns there are.
    query = f"SELECT {columns} FROM vo.targets WHERE {inside}"  # noqa: S608  # numbers, and columns of ours
    return AskedCone(query, most_rows(parameters) if radius else 0)


def write(answer: QueryAnswer) -> Iterator[bytes]:
    """Write an answer as this standard wants it."""
    answer.columns = [replace(column, ucd=UCDS.get(column.name, column.ucd)) for column in answer.columns]
    return votable(answer, is_binary=False)


def error(problem: str) -> bytes:
    """Say what is wrong, as this standard wants it."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE {NAMESPACES}>\n'
        f'<INFO ID="Error" name="Error" value={xml_attribute(problem)}/>\n</VOTABLE>\n'
    ).encode()


def _number(parameters: Parameters, name: str, least: float, most: float) -> float:
    written = parameters.get(name, "")
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise query_error(f"{name} is a number from {least} to {most} [deg], and not {written[:40]!r}")
    return number + 0.0  # -0.0 would be written as no number
