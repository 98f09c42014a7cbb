"""
The client of the 4MOST Transient API: its HTTP, and its errors turned into ours.

Facts on the API: base ``…/QFSwi/targetCat/transients/``; a list answer is a plain list or a page with ``next``; an
error is ``{"err": …}``, from an older server even with status 200; bulk answers are matched by name.
"""

import contextlib
import threading
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tides_bridge import failpoints
from tides_bridge.errors import FourmostRejected, FourmostUnavailable
from tides_bridge.settings import shown_address
from tides_bridge.settings.sections import FourmostSettings
from tides_bridge.web import ask, problem_of

PAUSES = (0.5, 1.0, 2.0)
"""[s] Before another try, where the service does not say how long; so many more tries."""

LONGEST_PAUSE = 60.0
"""[s] A service that asks for more is away: the next exchange goes on."""

BUSY = (429, 503)
"""Answers that ask all of our calls to slow down."""

AGAIN = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a service that may do better in a moment."""

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

    Raises
    ------
    FourmostUnavailable
        From every method, if the service does not answer as it should.
    """

    def __init__(self, options: FourmostSettings) -> None:
        self._service = f"4MOST {shown_address(options.address or '')}"
        self._base = f"{(options.address or '').rstrip('/')}/targetCat/transients/"
        self.survey, self.subsurvey = {"uploadedfor_survey_id": options.survey_id}, options.subsurvey
        self._timeout, self.connections = options.timeout.total_seconds(), options.connections
        self._pace = Pace()
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=self.connections))
        if options.token:
            self._session.headers["Authorization"] = f"Token {options.token.get_secret_value()}"

    def rows(self, **filters: str | int) -> list[Payload]:
        """List the rows of our surveys that satisfy filters, such as ``name="TiDES26aaa"`` or ``id__gt=5``."""
        rows: list[Payload] = []
        url: str | None = self._base
        while url:
            with failpoints.around("rows"):
                answer = self._call("GET", url, "rows", params=filters)
            if isinstance(answer, list):
                return rows + answer
            if not isinstance(answer, dict) or "results" not in answer:
                raise FourmostUnavailable(self._service, f"answered no list: {str(answer)[:200]}")
            rows += answer["results"]
            following = answer.get("next")  # its query only: our token goes nowhere else
            url, filters = (f"{self._base}?{urlsplit(following).query}" if following else None), {}
        return rows

    def row(self, key: int) -> Payload | None:
        """Give one row; None if the service has none under this key."""
        with failpoints.around("row"):
            try:
                answer = self._call("GET", f"{self._base}{key}/", str(key))
            except FourmostRejected as error:
                if error.status == 404:
                    return None
                raise
        if not isinstance(answer, dict) or answer.get("id") != key:
            raise FourmostUnavailable(self._service, f"answered another row than {key}: {str(answer)[:200]}")
        return answer

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
            If the service refuses one of them; then none was created.
        """
        with failpoints.around("create"):
            answer = self._call("POST", self._base, f"{len(payloads)} new targets", json=list(payloads))
        rows = answer if isinstance(answer, list) else [answer]
        return {row["name"]: row for row in rows if isinstance(row, dict) and "id" in row and "name" in row}

    def update(self, key: int, name: str, changes: Payload) -> None:
        """
        Change some columns of a row.

        Raises
        ------
        FourmostRejected
            If the service refuses the change.
        """
        with failpoints.around("update"):
            self._call("PATCH", f"{self._base}{key}/", name, json=changes)

    def try_out(self) -> str:
        """Ask for the schema, and say who answered."""
        self._call("OPTIONS", self._base, "schema")
        return shown_address(self._base)

    def _call(self, method: str, url: str, what: str, **arguments: Any) -> Any:
        """Make one call, and sort what can go wrong."""
        response = self._try(method, url, **arguments)
        answer = _json(response)
        error_text = answer.get("err") if isinstance(answer, dict) else None
        # No target is at fault: taken for a refusal it would mark each of them as refused.
        if response.status_code in (401, 403):
            raise FourmostUnavailable(self._service, f"refuses our token: {error_text}", "set TIDES_FOURMOST__TOKEN")
        if response.status_code in AGAIN or response.status_code >= 500:
            raise FourmostUnavailable(
                self._service, f"answered {response.status_code}: {error_text or response.reason}"
            )
        if response.status_code in (404, 405) and url.partition("?")[0] == self._base:
            raise FourmostUnavailable(self._service, "has no such list of transients", "is fourmost.address right?")
        if answer is None and response.status_code != 204:
            raise FourmostUnavailable(self._service, f"answered {response.status_code} without JSON")
        if error_text or response.status_code >= 300:
            problem = str(error_text or f"{response.status_code} {response.text[:200]}")
            if method == "GET" and response.status_code != 404:  # a question is no target that could be at fault
                raise FourmostUnavailable(self._service, f"does not say: {problem}")
            raise FourmostRejected(what, problem, response.status_code)
        return answer

    def _try(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """
        Ask, and ask again while the service is busy or away, a POST only if it was surely not done (429).

        A POST is not idempotent, and names at 4MOST are not unique: whoever made it must look it up first.
        """
        for pause in (*PAUSES, None):
            self._pace.wait()
            try:
                response = ask(self._session, method, url, self._timeout, **arguments)
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


def retry_after(response: requests.Response) -> float | None:
    """Give the time [s] that a service asks us to wait, by number or by date; None if it does not say."""
    header = response.headers.get("Retry-After", "")
    with contextlib.suppress(ValueError):
        return max(0.0, float(header))  # in this order: "nan" is 0
    try:
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _json(response: requests.Response) -> Any:
    """Give the answer's content; None if it is not JSON."""
    try:
        return response.json()
    except ValueError:
        return None
