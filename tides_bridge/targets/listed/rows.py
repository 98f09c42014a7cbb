"""The rows of the list: made right where something changed, a page of them by key, those that changed last in order."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from tides_bridge.database import Database, run
from tides_bridge.errors import SettingsError
from tides_bridge.settings import Settings
from tides_bridge.targets.listed.filters import TargetFilter
from tides_bridge.targets.rulings import our_names

NUMBERS: Final = ("ra", "dec", "redshift", "first", "seen", "detections", "mag", "tonight")
WORDS: Final = ("name", "state", "class", "type", "function")
SORTS: Final = ("new", *NUMBERS, *WORDS)
"""By what a list is sorted, up, or with a minus before it down; new: when it became a target."""

AT_ONCE: Final = 2000
"""Changes that are settled in one transaction by a run, in about half a second."""

AT_A_LOOK: Final = 200
"""Changes that are settled by who looks at a list: in some 50 ms."""

FEW: Final = 5000
"""So many targets are found first and sorted then: an index in the order that is wanted might be read to its end."""


@dataclass(frozen=True)
class PageOfTargets:
    """
    A part of a list.

    Attributes
    ----------
    rows
        Of ``listed_target``.
    following
        The cursor of the next page; None: this is the last.
    number
        How many targets satisfy the filter; None: more than `FEW`, or not asked for.
    """

    rows: list[dict[str, Any]]
    following: str | None
    number: int | None = None


def settle_list(database: Database, settings: Settings) -> int:
    """
    Let the list be right of all that has changed.

    Parameters
    ----------
    database
        Of a run, or of whoever wants it whole.
    settings
        By whose clock rulings are in force.

    Returns
    -------
    int
        How many changes there were.
    """
    number, at = 0, settings.time()
    while True:
        with database.transaction() as connection:
            settled = _settle(connection, at, AT_ONCE)
        number += settled
        if settled < AT_ONCE:
            return number


def settle_some(connection: Connection, settings: Settings) -> None:
    """
    Let the list be right of the first that changed, before it is looked at: mostly these are all.

    Parameters
    ----------
    connection
        Of a transaction.
    settings
        By whose clock rulings are in force.
    """
    _settle(connection, settings.time(), AT_A_LOOK)


def settle_all(connection: Connection, settings: Settings) -> None:
    """
    Let the list be right of all that has changed, in a transaction of something else: before it is decided by.

    Parameters
    ----------
    connection
        Of the transaction.
    settings
        By whose clock rulings are in force.
    """
    while _settle(connection, settings.time(), AT_ONCE) == AT_ONCE:
        pass


def _settle(connection: Connection, at: datetime, most: int) -> int:
    return int(run(connection, "targets/settle_listed.sql", {"at": at, "most": most})[0]["settled"])


def list_page(
    connection: Connection, chosen: Mapping[str, Any], sort: str, number: int, cursor: str | None = None
) -> PageOfTargets:
    """
    List a page of targets; those without the value that it is sorted by come last.

    Parameters
    ----------
    connection
        Of a transaction.
    chosen
        As `TargetFilter.parameters` gives it.
    sort
        One of `SORTS`, down with a minus before it.
    number
        Of rows at most.
    cursor
        Of a page before; None for the first.

    Raises
    ------
    SettingsError
        If the cursor is none, or of another order.
    """
    by, is_up = sort.removeprefix("-"), not sort.startswith("-")
    has_values = by != "new"
    after = Cursor.read(cursor, sort) if cursor else Cursor(sort)
    matched = _matched(connection, chosen)
    about: dict[str, Any] = {"by": by, "is_up": is_up, "of_number": by in NUMBERS, "of_word": by in WORDS}
    about["chosen"] = json.dumps(chosen if matched is None else _only(chosen, matched))
    rows: list[dict[str, Any]] = []
    for is_known in (True, False) if has_values else (True,):
        if is_known or not after.is_known or len(rows) <= number:
            about |= {"is_known": is_known, "number": number + 1 - len(rows)} | after.parameters(is_known)
            rows += [] if after.is_beyond(is_known) else run(connection, "targets/list_page.sql", about)
    following = Cursor.of(sort, rows[number - 1]).written() if len(rows) > number else None
    return PageOfTargets(rows[:number], following, None if matched is None else len(matched))


def _matched(connection: Connection, chosen: Mapping[str, Any]) -> list[int] | None:
    """Find all targets that satisfy a filter, None if these are not few."""
    if not chosen:
        return None
    rows = run(connection, "targets/match_listed.sql", {"chosen": json.dumps(chosen), "most": FEW + 1})
    return [row["tides_id"] for row in rows] if len(rows) <= FEW else None


def _only(chosen: Mapping[str, Any], matched: Sequence[int]) -> dict[str, Any]:
    """Mean these, which satisfy the filter; of its states nothing else says that merged ones are meant, too."""
    return {"tides_ids": list(matched)} | {key: chosen[key] for key in ("states",) if key in chosen}


@dataclass(frozen=True)
class Cursor:
    """The row after which a page begins, in an order."""

    sort: str
    is_known: bool = True
    value: float | str | None = None
    tides_id: int | None = None

    @classmethod
    def of(cls, sort: str, row: Mapping[str, Any]) -> "Cursor":
        """Give that of a row of a page."""
        value = row["sorted_number"] if row["sorted_word"] is None else row["sorted_word"]
        return cls(sort, value is not None or sort.endswith("new"), value, row["tides_id"])

    @classmethod
    def read(cls, text: str, sort: str) -> "Cursor":
        """
        Read what `written` wrote.

        Raises
        ------
        SettingsError
            If it is none, or of another order.
        """
        values = _opened(text)
        if not isinstance(values, list) or len(values) != 4 or not _fit(*values):
            raise SettingsError("filter", "cursor", "is none that a page gave")
        if values[0] != sort:
            raise SettingsError(
                "filter", "cursor", f"is of a list that is sorted by {values[0]}: begin at the first page"
            )
        return cls(*values)

    def written(self) -> str:
        """Write it so that it fits in an address."""
        return _closed([self.sort, self.is_known, self.value, self.tides_id])

    def is_beyond(self, is_known: bool) -> bool:
        """Tell whether it lies behind all rows with, or all without a value."""
        return is_known and not self.is_known

    def parameters(self, is_known: bool) -> dict[str, Any]:
        """Give the parameters of the script for the rows with, or for those without a value."""
        value, tides_id = (self.value, self.tides_id) if is_known == self.is_known else (None, None)
        is_word = isinstance(value, str)
        return {
            "after_number": None if is_word else value,
            "after_word": value if is_word else None,
            "after_id": tides_id,
        }


def _fit(sort: Any, is_known: Any, value: Any, tides_id: Any) -> bool:
    """Tell whether these values can be those of a cursor."""
    by = sort.removeprefix("-") if isinstance(sort, str) else ""
    kind = {True: (float, int), False: (str,)}[by in NUMBERS] if by != "new" and is_known else (type(None),)
    is_number = isinstance(tides_id, int) and not isinstance(tides_id, bool) and 0 < tides_id < 2**63
    fits = isinstance(value, kind) and not isinstance(value, bool) and "\x00" not in str(value)
    is_finite = not isinstance(value, (float, int)) or abs(value) < 1e300
    return by in SORTS and isinstance(is_known, bool) and is_number and fits and is_finite


def _closed(values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _opened(text: str) -> Any:
    """Give the values of a cursor, None if it holds none."""
    try:
        content = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = json.loads(content.decode(), parse_constant=lambda _: None)
        json.dumps(values, ensure_ascii=False).encode()  # half a letter, which JSON can escape, no text can hold
    except (ValueError, RecursionError):
        return None
    return values


def list_changed(
    connection: Connection, chosen: Mapping[str, Any], number: int, cursor: str | None = None
) -> PageOfTargets:
    """
    List the targets that changed after a cursor, in the order in which they did: each once, as it is now.

    A target that changes again while pages are read comes again. One that does not satisfy the filter any more is left
    out: who keeps a copy asks without one.

    Parameters
    ----------
    connection
        Of a transaction.
    chosen
        As `TargetFilter.parameters` gives it.
    number
        Of rows at most.
    cursor
        Of the last time; None: from the beginning.

    Returns
    -------
    PageOfTargets
        ``following`` is the cursor for the next time, whether there is more now or not.

    Raises
    ------
    SettingsError
        If the cursor is none, or of a database that was restored since.
    """
    newest = newest_change(connection)
    after = _after(cursor, newest)
    about = {"chosen": json.dumps(chosen), "after": after, "number": number}
    rows = run(connection, "targets/list_changed.sql", about)
    last = rows[-1]["change"] if len(rows) == number else max(after, newest["change"])
    return PageOfTargets(rows, _closed([last, newest["history"]]))


def newest_change(connection: Connection) -> dict[str, Any]:
    """
    Tell which change of the list is the newest: nothing of it changes while this is the same.

    Parameters
    ----------
    connection
        Of a transaction.

    Returns
    -------
    dict
        ``change``, and in ``history`` since when these numbers go on.
    """
    return run(connection, "targets/newest_change.sql")[0]


def _after(cursor: str | None, newest: Mapping[str, Any]) -> int:
    if not cursor:
        return 0
    values = _opened(cursor)
    if not isinstance(values, list) or len(values) != 2 or type(values[0]) is not int or not 0 <= values[0] < 2**63:
        raise SettingsError("filter", "changed_after", "is no cursor: leave it empty for all targets")
    if values[1] != newest["history"] or values[0] > newest["change"]:
        raise SettingsError("filter", "changed_after", "is of before a backup was restored: begin with an empty one")
    return values[0]


def place_of_target(connection: Connection, name: str) -> tuple[float, float]:
    """
    Give right ascension and declination [deg] of a target.

    Parameters
    ----------
    connection
        Of a transaction.
    name
        Its own, that of one of its objects, or of either at the Transient Name Server.

    Raises
    ------
    SettingsError
        If there is none.
    """
    row = find_listed(connection, name)
    if row is None:
        raise SettingsError("filter", "around", f"{name} is no place and no target: write a place as 150.1 -2.3")
    return row["ra"], row["decl"]


def find_listed(connection: Connection, name: str) -> dict[str, Any] | None:
    """
    Find the row of the target that is called so, None if none is.

    Parameters
    ----------
    connection
        Of a transaction.
    name
        Its own, that of one of its objects, or of either at the Transient Name Server.
    """
    rows = run(connection, "targets/get_listed.sql", {"name": our_names(connection, [name])[name]})
    return rows[0] if rows else None


def bin_sky(connection: Connection, chosen: Mapping[str, Any], step: float) -> list[dict[str, Any]]:
    """
    Count targets in cells of the sky.

    Parameters
    ----------
    connection
        Of a transaction.
    chosen
        As `TargetFilter.parameters` gives it.
    step
        [deg] The height of a cell, and about its width.

    Returns
    -------
    list of dict
        band, place and targets of each cell with targets, as ``targets/bin_sky.sql`` has them.
    """
    return run(connection, "targets/bin_sky.sql", {"chosen": json.dumps(chosen), "step": step})


def bin_by(connection: Connection, chosen: Mapping[str, Any], by: str, width: float) -> list[dict[str, Any]]:
    """
    Count targets by a number.

    Parameters
    ----------
    connection, chosen
        As of `bin_sky`.
    by
        ``mag``, ``tonight`` or ``seen``.
    width
        Of a bin [mag, d].

    Returns
    -------
    list of dict
        ``bin``, which begins at this times the width, and ``targets``, in order; without those of unknown value.
    """
    about = {"chosen": json.dumps(chosen), "by": by, "width": width}
    return run(connection, "targets/bin_listed.sql", about)


def count_states(connection: Connection) -> list[dict[str, Any]]:
    """
    Count all targets by state.

    Parameters
    ----------
    connection
        Of a transaction.

    Returns
    -------
    list of dict
        A row a state, as ``targets/count_listed.sql`` has it, the most first.
    """
    return run(connection, "targets/count_listed.sql")


def parameters_of(connection: Connection, chosen: TargetFilter) -> dict[str, Any]:
    """
    Give what ``filter_listed`` takes of a filter.

    Parameters
    ----------
    connection
        Of a transaction, in which a name is looked up.
    chosen
        The filter.

    Raises
    ------
    SettingsError
        If a target is named that there is not.
    """
    return chosen.parameters(lambda name: place_of_target(connection, name))
