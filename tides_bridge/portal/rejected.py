"""What was not selected lately: what each object lacked and by how much, and where a function loses objects."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from tides_bridge.database import Database, run
from tides_bridge.decisions.history import list_selections, stored_function
from tides_bridge.selection import SelectionFunction
from tides_bridge.selection.near_misses import lacking
from tides_bridge.selection.parsing import Leaf

LOOKED_AT: Final = 3000
"""Decisions that one page looks at, at most: some 0.1 s."""

PAGE: Final = 50
"""Objects that one page shows."""

MAGNITUDE_BIN: Final = 0.5
"""[mag]"""

FEWEST_BINS: Final = 12
"""Of dates."""

OUTCOMES: Final = ("selected", "lack one criterion", "lack several")


class Wanted(NamedTuple):
    """
    Which objects are listed.

    Those that lack no more criteria than `most`, among these `criterion` if it is one; and after which row.
    """

    function: str
    criterion: str = ""
    most: int = 1
    before: tuple[datetime, int] | None = None


class Missed(NamedTuple):
    """A demand that an object does not meet: the criteria of which one would do, and in words by how much."""

    criteria: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Judgement:
    """
    What a function decided last of an object.

    Attributes
    ----------
    row
        Of ``portal/list_lately_decided.sql``.
    missed
        What it lacks; empty of one that passed.
    magnitude
        [mag] Of its brightest detection that counts, where the function asks for that.
    """

    row: Mapping[str, Any]
    missed: tuple[Missed, ...]
    magnitude: float | None


@dataclass(frozen=True)
class Rejected:
    """
    A page of objects that were not selected.

    Attributes
    ----------
    shown
        Those that are wanted, the newest first.
    looked_at
        Of so many decisions.
    following
        Key of the page after this one; None: there is none.
    criteria
        What the function demands now, to be chosen from.
    """

    shown: Sequence[Judgement]
    looked_at: int
    following: tuple[datetime, int] | None
    criteria: Sequence[str]


def functions_in_force(database: Database) -> list[str]:
    """List the functions that ever judged, those in force first, of these the active one."""
    rows = list_selections(database)
    rows.sort(key=lambda row: (row["until"] is not None, row["role"] != "active", row["function"]))
    return list(dict.fromkeys(row["function"] for row in rows))


def find_rejected(database: Database, wanted: Wanted) -> Rejected:
    """
    List objects that a function did not select: a page of those that lack few criteria.

    Parameters
    ----------
    database
        With the record.
    wanted
        Which.
    """
    rows, functions = _look(database, wanted.function, wanted.before)
    shown: list[Judgement] = []
    last = None
    for row in rows:
        last = row
        if row["is_last"] and not row["passed"] and not row["is_target"]:
            judgement = judged(row, functions.get(row["version"]))
            if _is_wanted(judgement, wanted):
                shown.append(judgement)
        if len(shown) == PAGE:
            break
    is_more = last is not None and (last is not rows[-1] or len(rows) == LOOKED_AT)
    following = (last["decided_at"], last["decision_id"]) if last and is_more else None
    newest = functions.get(rows[0]["version"]) if rows else None
    names = list(dict.fromkeys(leaf.criterion.key for leaf in newest.leaves)) if newest else []
    return Rejected(shown, len(rows), following, names)


def _is_wanted(judgement: Judgement, wanted: Wanted) -> bool:
    names = {name for missed in judgement.missed for name in missed.criteria}
    return len(judgement.missed) <= wanted.most and (not wanted.criterion or wanted.criterion in names)


def _look(
    database: Database, function: str, before: tuple[datetime, int] | None
) -> tuple[list[dict[str, Any]], dict[str, SelectionFunction | None]]:
    """Get the decisions after a key, and the versions by which they were taken."""
    at, number = before or (None, None)
    asked = {"function": function, "before_at": at, "before_id": number, "number": LOOKED_AT}
    with database.transaction() as connection:
        rows = run(connection, "portal/list_lately_decided.sql", asked)
    versions = {
        row["version"]: row["normalised_text"] for row in list_selections(database) if row["function"] == function
    }
    return rows, {version: stored_function(function, text) for version, text in versions.items()}


def judged(row: Mapping[str, Any], function: SelectionFunction | None) -> Judgement:
    """
    Word what an object lacks.

    Parameters
    ----------
    row
        Of ``portal/list_lately_decided.sql``.
    function
        The version that judged it; None: one that this bridge does not know, of which only the paths are told.
    """
    if function is None:
        return Judgement(row, tuple(Missed((path,), path) for path in row["failed"]), None)
    parts = [] if row["passed"] else lacking(function.criteria, row["failed"])
    brightest = next((leaf.path for leaf in function.leaves if leaf.criterion.key == "magLimit"), None)
    value = row["measured"].get(brightest)
    return Judgement(row, tuple(_missed(part, row) for part in parts), value if isinstance(value, float) else None)


def _missed(part: tuple[Leaf, ...], row: Mapping[str, Any]) -> Missed:
    words = [_by_how_much(leaf, row["measured"].get(leaf.path)) for leaf in part]
    return Missed(tuple(leaf.criterion.key for leaf in part), ", or ".join(words))


def _by_how_much(leaf: Leaf, measured: Any) -> str:
    name = leaf.criterion.key
    if "not." in leaf.path:
        return f"{name} is forbidden"
    short = leaf.misses_by(measured)
    if short is None:
        return f"{name} {'could not be measured' if measured is None else f'is {measured}'}"
    return f"{name} misses by {short:.3g} {leaf.criterion.unit}".rstrip()


# Where objects are lost


def judged_lately(database: Database, function: str) -> list[Judgement]:
    """
    Give what a function decided last of the objects that it judged lately.

    Parameters
    ----------
    database
        With the record.
    function
        Its name.
    """
    rows, functions = _look(database, function, None)
    return [judged(row, functions.get(row["version"])) for row in rows if row["is_last"]]


def histogram(values: Iterable[tuple[float | None, int]], width: float) -> dict[str, list[Any]]:
    """
    Count outcomes in bins.

    Parameters
    ----------
    values
        Of each object, and how many demands it misses; one without a value is left out.
    width
        Of a bin.

    Returns
    -------
    dict
        ``left``, the beginning of each bin from the first to the last, and a list of numbers for each of `OUTCOMES`.

    Examples
    --------
    >>> histogram([(18.2, 0), (18.4, 1), (19.1, 3), (None, 0)], 0.5)
    {'left': [18.0, 18.5, 19.0], 'selected': [1, 0, 0], 'lack one criterion': [1, 0, 0], 'lack several': [0, 0, 1]}
    """
    counts = Counter((int(value // width), min(missed, 2)) for value, missed in values if value is not None)
    places = range(min(place for place, _ in counts), max(place for place, _ in counts) + 1) if counts else range(0)
    columns = {name: [counts[place, missed] for place in places] for missed, name in enumerate(OUTCOMES)}
    return {"left": [place * width for place in places]} | columns


def histograms_of(judgements: Sequence[Judgement]) -> Iterator[tuple[str, float, dict[str, list[Any]]]]:
    """
    Give histograms of outcomes by magnitude and by date: label, width of a bin, and what `histogram` returns.

    Parameters
    ----------
    judgements
        Of `judged_lately`.
    """
    by_magnitude = [(judgement.magnitude, len(judgement.missed)) for judgement in judgements]
    if any(value is not None for value, _ in by_magnitude):
        yield "brightest detection [mag]", MAGNITUDE_BIN, histogram(by_magnitude, MAGNITUDE_BIN)
    dates = [(float(judgement.row["newest_mjd"]), len(judgement.missed)) for judgement in judgements]
    if dates:
        length = max(value for value, _ in dates) - min(value for value, _ in dates)
        width = float(max(round(length / FEWEST_BINS), 1))
        yield "newest detection [MJD, UTC]", width, histogram(dates, width)
