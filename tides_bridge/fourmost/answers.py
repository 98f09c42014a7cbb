"""
What 4MOST answers, as far as it can be believed: types, sizes and ends are checked before anything is done with it.

A Django service is well typed as long as it is well. What comes from one that is not, or from somebody in between, is
refused by the name of its address and field. Text is cleaned on its way in: it is stored, logged and shown.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NotRequired
from zoneinfo import ZoneInfo

import requests
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from tides_bridge.web import cleaned

LONGEST_PAGE = 20_000_000
"""[bytes] Of one answer: some 15,000 rows of 1.3 kB, where a page has a hundred."""

MOST_PAGES = 20_000
"""A list ends after so many pages: two million rows of a hundred a page, as many as five years make."""

MOST_REPEATED_PAGES = 3
"""Rows added to a list while it is read move others to the next page: so many pages in a row may bring no new one."""

DEEPEST = 20
"""Levels of nesting: a row has one, a page three, an error of Django REST framework a few more."""

LONGEST_COLUMN = 1024
"""[bytes, UTF-8] Of a text in a row: 256 letters by the 4FS format."""

BERLIN = ZoneInfo("Europe/Berlin")
"""What a date-time without an offset means at 4MOST."""

Row = dict[str, Any]


class UnfitAnswer(Exception):
    """
    An answer that cannot be what it should be. It does not leave this package: the client says whose it was.

    Parameters
    ----------
    field
        Where in the answer; '' for all of it.
    problem
        What is wrong with it.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field, self.problem = field, problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


def _without_strange_letters(value: object) -> object:
    return cleaned(value, LONGEST_COLUMN) if isinstance(value, str) else value


def _number(value: object) -> object:
    """Read a number that is written as text, as Django REST framework writes decimals."""
    if isinstance(value, str) and len(value) <= LONGEST_COLUMN:
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _moment(text: str) -> str:
    """Check a date-time, and say what it means where it names no offset."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    return moment.isoformat()


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let null be null: that of an ingestion that has not happened."""
    return lambda value: None if value is None else read(value)


Key = Annotated[int, Field(gt=0, lt=2**63, strict=True)]
Number = Annotated[float, BeforeValidator(_number), Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63, strict=True)]
Text = Annotated[str, BeforeValidator(_without_strange_letters), Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Moment = Annotated[str | None, BeforeValidator(_without_strange_letters), AfterValidator(_or_none(_moment))]


class FourmostRow(TypedDict):
    """
    A row at 4MOST: the columns that we send or read, each with its type; any other is left out.

    What is null is not shown; only a key, a name and the active flag are never null.
    """

    __pydantic_config__ = ConfigDict(extra="ignore", hide_input_in_errors=True)  # type: ignore[misc]

    id: Key
    name: Text
    uploadedfor_survey_id: NotRequired[Whole | None]
    ra: NotRequired[Number | None]
    dec: NotRequired[Number | None]
    pmra: NotRequired[Number | None]
    pmdec: NotRequired[Number | None]
    epoch: NotRequired[Number | None]
    resolution: NotRequired[Whole | None]
    subsurvey: NotRequired[Text | None]
    cadence: NotRequired[Whole | None]
    template: NotRequired[Text | None]
    ruleset: NotRequired[Text | None]
    redshift_estimate: NotRequired[Number | None]
    redshift_error: NotRequired[Number | None]
    reddening: NotRequired[Number | None]
    extent_flag: NotRequired[Whole | None]
    mag: NotRequired[Number | None]
    mag_err: NotRequired[Number | None]
    mag_type: NotRequired[Text | None]
    classification: NotRequired[Text | None]
    date_earliest: NotRequired[Number | None]
    date_latest: NotRequired[Number | None]
    t_exp_d: NotRequired[Number | None]
    t_exp_g: NotRequired[Number | None]
    t_exp_b: NotRequired[Number | None]
    t_exp_s: NotRequired[Number | None]
    is_active: NotRequired[Flag]
    date_submitted: NotRequired[Moment]
    date_ingested: NotRequired[Moment]
    ostd_targ_id: NotRequired[Whole | None]
    ostd_u_obj_id: NotRequired[Whole | None]


_ROW = TypeAdapter(FourmostRow)


def read_json(response: requests.Response) -> Any:
    """
    Give the content of an answer; None if it has none.

    Raises
    ------
    UnfitAnswer
        If it is not JSON, or nested too deep.
    """
    if not response.content:
        return None
    try:
        content = json.loads(response.content)
    except RecursionError:
        raise UnfitAnswer("", f"is nested more than {DEEPEST} deep") from None
    except ValueError:
        raise UnfitAnswer("", "is not JSON") from None
    return content


def error_in(content: Any) -> str | None:
    """Give the error that an answer speaks of, in one line that can be stored and shown; None if it speaks of none."""
    error = content.get("err") if isinstance(content, dict) else None
    if not error:
        return None
    return cleaned(error if isinstance(error, str) else _worded(error))


def fourmost_row(content: Any, field: str = "") -> Row:
    """
    Give a row, checked.

    Parameters
    ----------
    content
        What should be one.
    field
        Where it is in the answer, for messages.

    Raises
    ------
    UnfitAnswer
        Naming the column.

    >>> fourmost_row({"id": 7, "name": "TiDES26aaa", "mag": "20.500", "extra": [1]})
    {'id': 7, 'name': 'TiDES26aaa', 'mag': 20.5}
    """
    try:
        return dict(_ROW.validate_python(content))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join([*([field] if field else []), *(str(part) for part in first["loc"] if part in _COLUMNS)])
        raise UnfitAnswer(place, cleaned(first["msg"], 300)) from None


_COLUMNS = frozenset(FourmostRow.__annotations__)


def rows_created(content: Any) -> tuple[list[Row], list[str]]:
    """
    Give the rows that the answer to a creation shows, and why others in it are none.

    Two of one key are none, either: one of them cannot be true.
    """
    rows, problems = [], []
    for number, item in enumerate(content if isinstance(content, list) else [content]):
        try:
            rows.append(fourmost_row(item, str(number)))
        except UnfitAnswer as error:
            problems.append(str(error))
    keys = [row["id"] for row in rows]
    doubled = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
    problems += [f"id: {key} is that of several rows" for key in sorted(doubled)]
    return [row for row in rows if row["id"] not in doubled], problems


def page_in(content: Any) -> tuple[list[Row], str | None, int | None]:
    """
    Give the rows of a list or of a page of one, the address of the next page, and how many there are in all.

    Raises
    ------
    UnfitAnswer
        If it is neither, or a row is not one.
    """
    if isinstance(content, list):
        return [fourmost_row(row, str(number)) for number, row in enumerate(content)], None, None
    if not isinstance(content, dict) or not isinstance(content.get("results"), list):
        raise UnfitAnswer("", f"is no list: {cleaned(_worded(content), 200)}")
    following, count = content.get("next"), content.get("count")
    if not isinstance(following, str | None):
        raise UnfitAnswer("next", "is no address")
    rows = [fourmost_row(row, f"results.{number}") for number, row in enumerate(content["results"])]
    return rows, following or None, count if isinstance(count, int) and not isinstance(count, bool) else None


class PagedList:
    """Puts the pages of one list together: a row that comes on two of them is one, and the list has an end."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.count: int | None = None
        self._addresses: set[str] = set()
        self._repeated = 0

    def add(self, rows: Sequence[Row], following: str | None, count: int | None) -> None:
        """
        Take a page.

        Raises
        ------
        UnfitAnswer
            If what follows it was there before, or the list would go on for ever.
        """
        known = len(self.rows)
        self.rows |= {row["id"]: row for row in rows}
        self.count = count if self.count is None else self.count
        self._repeated = self._repeated + 1 if len(self.rows) == known else 0
        if following is None:
            return
        if following in self._addresses:
            raise UnfitAnswer("next", "leads to a page that came before")
        self._addresses.add(following)
        if self._repeated > MOST_REPEATED_PAGES or len(self._addresses) > MOST_PAGES:
            raise UnfitAnswer("next", f"the list has no end: {len(self._addresses)} pages, {len(self.rows)} rows")

    def lacks(self) -> int:
        """Tell how many rows there should be more than came: a list without a total order leaves some out."""
        return max((self.count or 0) - len(self.rows), 0)


def _worded(content: Any, deepest: int = DEEPEST) -> str:
    """Word anything, with what lies too deep left out."""
    if isinstance(content, dict) and deepest:
        return "; ".join(f"{key}: {_worded(value, deepest - 1)}" for key, value in list(content.items())[:100])
    if isinstance(content, list) and deepest:
        return "; ".join(_worded(value, deepest - 1) for value in content[:100])
    return str(content)[:1000] if not isinstance(content, dict | list) else "..."
