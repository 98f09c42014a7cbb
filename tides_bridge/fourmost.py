"""
The client of the 4MOST Transient API: its HTTP, and its errors turned into ours.

Facts on the API: base ``…/QFSwi/targetCat/transients/``; a list answer is a plain list or a page with ``next``; an
error is ``{"err": …}``, from an older server even with status 200; bulk answers are matched by name.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tides_bridge.errors import FourmostRejected, FourmostUnavailable
from tides_bridge.settings import FourmostSettings

CONNECTIONS = 8
"""Calls at the same time: their latency decides, not their work."""

RETRY = Retry(
    total=3,
    connect=1,
    read=1,
    backoff_factor=0.5,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=("GET", "PATCH", "OPTIONS"),
    raise_on_status=False,
    retry_after_max=30,
)
"""A POST is never repeated blindly: it is not idempotent, and names at 4MOST are not unique."""

Payload = dict[str, Any]


class FourmostClient:
    """
    A session with the API.

    Parameters
    ----------
    options
        Address, token and time-out.

    Raises
    ------
    FourmostUnavailable
        From every method, if the service does not answer as it should.
    """

    def __init__(self, options: FourmostSettings) -> None:
        self._service = f"4MOST {options.address}"
        self._base = f"{(options.address or '').rstrip('/')}/targetCat/transients/"
        self._timeout = options.timeout.total_seconds()
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(max_retries=RETRY, pool_maxsize=CONNECTIONS))
        self._session.mount("https://", HTTPAdapter(max_retries=RETRY, pool_maxsize=CONNECTIONS))
        if options.token:
            self._session.headers["Authorization"] = f"Token {options.token.get_secret_value()}"

    def rows(self, **filters: str | int) -> list[Payload]:
        """List the rows of our surveys that satisfy filters, such as ``name="TiDES26aaa"`` or ``id__gt=5``."""
        rows: list[Payload] = []
        url: str | None = self._base
        while url:
            answer = self._call("GET", url, "rows", params=filters)
            if isinstance(answer, list):
                return rows + answer
            if not isinstance(answer, dict) or "results" not in answer:
                raise FourmostUnavailable(self._service, f"answered no list: {str(answer)[:200]}")
            rows += answer["results"]
            following = answer.get("next")  # its query only: our token goes nowhere else
            url, filters = (f"{self._base}?{urlsplit(following).query}" if following else None), {}
        return rows

    def create(self, payloads: Sequence[Payload]) -> list[Payload]:
        """
        Create rows in one call.

        Returns
        -------
        list of dict
            The rows, in the order of their payloads.

        Raises
        ------
        FourmostRejected
            If the service refuses one of them; then none was created.
        """
        answer = self._call("POST", self._base, f"{len(payloads)} new targets", json=list(payloads))
        rows = answer if isinstance(answer, list) else [answer]
        by_name = {row["name"]: row for row in rows if isinstance(row, dict) and "id" in row and "name" in row}
        lost = [payload["name"] for payload in payloads if payload["name"] not in by_name]
        if lost:
            raise FourmostUnavailable(self._service, f"answered without the rows of {', '.join(lost[:5])}")
        return [by_name[payload["name"]] for payload in payloads]

    def update(self, key: int, name: str, changes: Payload) -> None:
        """
        Change some columns of a row.

        Raises
        ------
        FourmostRejected
            If the service refuses the change.
        """
        self._call("PATCH", f"{self._base}{key}/", name, json=changes)

    def try_out(self) -> str:
        """Ask for the schema, and say who answered."""
        self._call("OPTIONS", self._base, "schema")
        return self._base

    def _call(self, method: str, url: str, what: str, **arguments: Any) -> Any:
        """Make one call, and sort what can go wrong."""
        try:
            response = self._session.request(method, url, timeout=self._timeout, **arguments)
        except requests.RequestException as error:
            problem = "did not answer in time" if isinstance(error, requests.Timeout) else "cannot be reached"
            remedy = "is fourmost.address right, and the service up?"
            raise FourmostUnavailable(self._service, problem, remedy) from None
        answer = _json(response)
        said = answer.get("err") if isinstance(answer, dict) else None
        if response.status_code in (401, 403):
            raise FourmostUnavailable(self._service, f"refuses our token: {said}", "set TIDES_FOURMOST__TOKEN")
        if response.status_code in (408, 425, 429) or response.status_code >= 500:
            raise FourmostUnavailable(self._service, f"answered {response.status_code}: {said or response.reason}")
        if response.status_code in (404, 405) and url == self._base:
            raise FourmostUnavailable(self._service, "has no such list of transients", "is fourmost.address right?")
        if said or response.status_code >= 300:
            raise FourmostRejected(what, str(said or f"{response.status_code} {response.text[:200]}"))
        if answer is None and method != "PATCH":  # 204 has none
            raise FourmostUnavailable(self._service, f"answered {response.status_code} without JSON")
        return answer


def _json(response: requests.Response) -> Any:
    """Give the answer's content; None if it is not JSON."""
    try:
        return response.json()
    except ValueError:
        return None
