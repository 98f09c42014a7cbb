"""
The client of the 4MOST Transient API: its HTTP, and its errors turned into ours.

Facts on the API: base ``…/QFSwi/targetCat/transients/``; a list answer is a plain list or a page with ``next``; an
error is ``{"err": …}``, from an older server even with status 200; bulk answers are matched by name. What an answer
may hold says `tides_bridge.fourmost.answers`.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tides_bridge import failpoints
from tides_bridge.errors import FourmostRejected, FourmostUnavailable
from tides_bridge.fourmost.answers import (
    LONGEST_PAGE,
    PagedList,
    UnfitAnswer,
    error_in,
    fourmost_row,
    page_in,
    read_json,
    rows_created,
)
from tides_bridge.fourmost.identity import matched
from tides_bridge.settings import shown_address
from tides_bridge.settings.sections import FourmostSettings
from tides_bridge.web import Redirected, ask, cleaned, problem_of

logger = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0)
"""[s] Before another try, where the service does not say how long; so many more tries."""

LONGEST_PAUSE = 60.0
"""[s] A service that asks for more is away: the next exchange goes on."""

BUSY = (429, 503)
"""Answers that ask all of our calls to slow down."""

AGAIN = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a service that may do better in a moment."""

CHANGING = ("POST", "PATCH", "DELETE")
"""Calls that change something."""

Payload = dict[str, Any]


class Pace:
    """Lets several calls back off together."""

    def __init__(self) -> None:
        self._lock, self._resume_at = threading.Lock(), 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody call for some time."""
        with self._lock:
            self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    def wait(self) -> None:
        """Wait until calls are welcome."""
        while (left := self._resume_at - time.monotonic()) > 0:
            time.sleep(left)


class FourmostClient:
    """
    A session with the API, for several threads.

    Parameters
    ----------
    options
        Address, token, time-out and number of connections.
    prove
        Called before each call that changes something, which is not made if this raises: `Database.prove_run`.

    Raises
    ------
    FourmostUnavailable
        From every method, if the service does not answer as it should.
    """

    def __init__(self, options: FourmostSettings, prove: Callable[[], None] = lambda: None) -> None:
        self._prove = prove
        self._service = f"4MOST {shown_address(options.address or '')}"
        self._base = f"{(options.address or '').rstrip('/')}/targetCat/transients/"
        self.survey = {"uploadedfor_survey_id": options.survey_id}
        self.program = self.survey | {"subsurvey": options.subsurvey}
        self._timeout, self.connections = options.timeout.total_seconds(), options.connections
        # To reach it, and to its first word: by then it has done what was asked.
        self.answered_within = 2 * self._timeout
        self._pace = Pace()
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=self.connections))
        if options.token:
            self._session.headers["Authorization"] = f"Token {options.token.get_secret_value()}"

    def rows(self, **filters: str | int) -> list[Payload]:
        """
        List the rows of our surveys that satisfy filters, such as ``name="TiDES26aaa"`` or ``id__gt=5``.

        Each row once, in whatever order and on however many pages it comes. Pages of a list without a total order may
        leave rows out: `all_rows` does not take such a list for the whole one.
        """
        return list(self._pages(filters).rows.values())

    def all_rows(self, **filters: str | int) -> list[Payload]:
        """List rows as `rows` does, for conclusions from what is not among them: raises if the list left some out."""
        pages = self._pages(filters)
        if missing := pages.lacks():
            raise FourmostUnavailable(self._service, f"listed {len(pages.rows)} rows, and left {missing} out")
        return list(pages.rows.values())

    def _pages(self, filters: dict[str, str | int]) -> PagedList:
        """Read a list to its end."""
        pages, url = PagedList(), self._base
        while True:
            with failpoints.around("rows"):
                content = self._call("GET", url, "rows", params=filters)
            try:
                rows, following, count = page_in(content)
                pages.add(rows, following, count)
            except UnfitAnswer as error:
                raise self._unfit("list", error) from None
            if not following:
                return pages
            url, filters = f"{self._base}?{_query_of(following)}", {}  # its query only: our token goes nowhere else

    def row(self, key: int) -> Payload | None:
        """Give one row; None if the service has none under this key."""
        with failpoints.around("row"):
            try:
                content = self._call("GET", f"{self._base}{key}/", str(key))
            except FourmostRejected as error:
                if error.status == 404:
                    return None
                raise
        return self._row(content, key)

    def create(self, payloads: Sequence[Payload]) -> dict[str, Payload]:
        """
        Create rows in one call.

        Returns
        -------
        dict
            The rows by name. A row that is missing here may have been created or not.

        Raises
        ------
        FourmostRejected
            If the service refuses one of them; the others may have been created all the same.
        """
        with failpoints.around("create"):
            content = self._call("POST", self._base, f"{len(payloads)} new targets", json=list(payloads))
        rows, problems = rows_created(content)
        for problem in problems:
            logger.warning("4MOST answered a creation with what is no row: %s", problem)
        return matched(payloads, rows)

    def update(self, key: int, name: str, changes: Payload) -> Payload | None:
        """
        Change some columns of a row.

        Returns
        -------
        dict or None
            The row as it is answered to be now; None if the answer shows none.

        Raises
        ------
        FourmostRejected
            If the service refuses the change.
        """
        with failpoints.around("update"):
            content = self._call("PATCH", f"{self._base}{key}/", name, json=changes)
        return None if content is None else self._row(content, key)

    def delete(self, key: int, name: str) -> None:
        """
        Delete a row; one that is gone already is no error.

        Raises
        ------
        FourmostRejected
            If the service refuses it.
        """
        with failpoints.around("delete"):
            try:
                self._call("DELETE", f"{self._base}{key}/", name)
            except FourmostRejected as error:
                if error.status != 404:
                    raise

    def try_out(self) -> str:
        """Ask for the schema, and say who answered."""
        self._call("OPTIONS", self._base, "schema")
        return shown_address(self._base)

    def _row(self, content: Any, key: int) -> Payload:
        """Read an answer that should be one row."""
        try:
            row = fourmost_row(content)
        except UnfitAnswer as error:
            raise self._unfit(f"row {key}", error) from None
        if row["id"] != key:
            raise FourmostUnavailable(self._service, f"answered another row than {key}: id: {row['id']}")
        return row

    def _unfit(self, what: str, error: UnfitAnswer) -> FourmostUnavailable:
        return FourmostUnavailable(self._service, f"answered no {what} that can be read: {error}")

    def _call(self, method: str, url: str, what: str, **arguments: Any) -> Any:
        """Make one call, and sort what can go wrong."""
        response = self._try(method, url, **arguments)
        status, reason = response.status_code, cleaned(str(response.reason or ""), 100)
        try:
            content, unfit = read_json(response), ""
        except UnfitAnswer as refusal:
            content, unfit = None, str(refusal)
        error_text = error_in(content)
        # No target is at fault: taken for a refusal it would mark each of them as refused.
        if status in (401, 403):
            raise FourmostUnavailable(
                self._service, f"refuses our token: {error_text or reason}", "set TIDES_FOURMOST__TOKEN"
            )
        if status in AGAIN or status >= 500 or 300 <= status < 400:
            raise FourmostUnavailable(self._service, f"answered {status}: {error_text or reason}")
        if status in (404, 405) and url.partition("?")[0] == self._base:
            raise FourmostUnavailable(self._service, "has no such list of transients", "is fourmost.address right?")
        if content is None and status != 204:
            raise FourmostUnavailable(
                self._service, f"answered {status} without JSON" + (f": it {unfit}" if unfit else "")
            )
        if error_text or status >= 300:
            problem = error_text or f"{status} {cleaned(response.text[:1000], 300)}"
            if method == "GET" and status != 404:  # a question is no target that could be at fault
                raise FourmostUnavailable(self._service, f"does not say: {problem}")
            raise FourmostRejected(what, problem, status)
        return content

    def _try(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """
        Ask, and ask again while the service is busy or away, a POST only if it was surely not done (429).

        A POST is not idempotent, and names at 4MOST are not unique: whoever made it must look it up first.
        """
        for pause in (*PAUSES, None):
            self._pace.wait()
            if method in CHANGING:
                self._prove()  # after all waiting: each try is one call
            try:
                response = ask(self._session, method, url, self._timeout, longest=LONGEST_PAGE, **arguments)
            except Redirected as error:
                raise self._moved(error) from None
            except requests.RequestException as error:
                if pause != PAUSES[0] or method == "POST":  # one more try only, as each may take a time-out
                    remedy = "is fourmost.address right, and the service up?"
                    raise FourmostUnavailable(self._service, problem_of(error), remedy) from None
                time.sleep(pause)
                continue
            if response.status_code not in AGAIN or pause is None:
                break
            wait = pause if (asked := retry_after(response)) is None else asked
            if wait > LONGEST_PAUSE:
                break
            if response.status_code in BUSY:
                self._pace.hold(wait)
            if method == "POST" and response.status_code != 429:
                break
            time.sleep(wait)
        return response

    def _moved(self, error: Redirected) -> FourmostUnavailable:
        """Say where the service wants to be asked, as the setting would have it."""
        base = error.address.partition("/targetCat/")[0]
        return FourmostUnavailable(self._service, problem_of(error), f"if that is right, set fourmost.address: {base}")


def _query_of(address: str) -> str:
    """Give the query of an address that a page names."""
    return address.partition("?")[2].partition("#")[0]


def retry_after(response: requests.Response) -> float | None:
    """Give the time [s] that a service asks us to wait, by number or by date; None if it does not say."""
    header = response.headers.get("Retry-After", "")
    with contextlib.suppress(ValueError):
        return max(0.0, float(header))  # in this order: "nan" is 0
    try:
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
