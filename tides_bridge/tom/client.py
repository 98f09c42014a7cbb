"""
The client of a TOM Toolkit: its HTTP, and its errors turned into ours.

Facts on the API (TOM Toolkit 3.1): ``/api/targets/`` lists in pages without an order; without a token it answers 200
and an empty list; a position of exactly 0 is taken for missing; a known name or alias refuses the whole call; an extra
field that is there already needs its id, or the answer is 500; a creation that ends with 500 has left a target. Who is
on a list of targets can be asked, but nobody can be taken off one.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import requests
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tides_bridge import failpoints
from tides_bridge.errors import RejectedError, TomUnavailable
from tides_bridge.settings import shown_address
from tides_bridge.settings.tom import TomSettings
from tides_bridge.web import Redirected, ask, cleaned, problem_of

PAGE: int = 500
"""Targets that are asked for at once."""

MOST_PAGES = 10_000
"""So many pages of a list are read at most: one without an end is none."""

AWAY = (408, 425, 429, 502, 503, 504)
"""Answers of a service that may do better later."""

ALMOST_ZERO = 1e-9
"""[deg] Is sent for 0: 4 millionths of an arcsecond."""

Body = dict[str, Any]

Read = TypeVar("Read")


class TomName(BaseModel):
    """Another name of a target there."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str


class TomExtra(BaseModel):
    """An extra field of a target there."""

    model_config = ConfigDict(frozen=True)

    id: int
    key: str
    value: str


class TomRow(BaseModel):
    """A target there, of which the rest is not ours."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    ra: float | None
    dec: float | None
    aliases: tuple[TomName, ...] = ()
    targetextra_set: tuple[TomExtra, ...] = ()


class _Page(BaseModel):
    """A page of a list."""

    next: str | None
    results: tuple[TomRow, ...]


_PAGES = TypeAdapter(_Page | tuple[TomRow, ...])


class TomClient:
    """
    A session with the API.

    Parameters
    ----------
    options
        Address, token and time-out.

    Raises
    ------
    TomUnavailable
        From every method, if the service does not answer as it should.
    """

    def __init__(self, options: TomSettings) -> None:
        self.address = (options.address or "").rstrip("/")
        self.service = f"TOM {shown_address(options.address or '')}"
        self._base = f"{self.address}/api"
        self._new = {"type": "SIDEREAL", "epoch": 2000.0, "groups": [{"name": name} for name in options.groups]}
        self._timeout = options.timeout.total_seconds()
        self._session = requests.Session()
        if options.token:
            self._session.headers["Authorization"] = f"Token {options.token.get_secret_value()}"

    def rows(self, **filters: str | int) -> list[TomRow]:
        """List the targets that we may see, each once; pages without an order may leave some out."""
        return list({row.id: row for row in self._pages(filters)}.values())

    def _pages(self, filters: Mapping[str, str | int]) -> Iterator[TomRow]:
        url, parameters = f"{self._base}/targets/", {"limit": PAGE} | dict(filters)
        for _ in range(MOST_PAGES):
            page = self._read(self._call("GET", url, "targets", params=parameters), _PAGES)
            rows, following = (page.results, page.next) if isinstance(page, _Page) else (page, None)
            yield from rows
            if not following:
                return
            # Its query only: our token goes nowhere else.
            url, parameters = f"{self._base}/targets/?{following.partition('?')[2]}", {}
        raise TomUnavailable(self.service, "answers a list without an end")

    def row(self, key: int) -> TomRow | None:
        """Give one target; None if there is none of this key, or none that we may see."""
        answer = self._call("GET", f"{self._base}/targets/{key}/", str(key))
        return None if answer.status_code == 404 else self._read(answer, TypeAdapter(TomRow))

    def find(self, name: str) -> TomRow | None:
        """Give the target of a name."""
        return next((row for row in self.rows(name=name) if row.name == name), None)

    def create(self, body: Body) -> TomRow:
        """
        Make a target.

        Raises
        ------
        RejectedError
            If it is refused; of an error of the service (500) it may be there all the same.
        """
        with failpoints.around("tom"):
            return self._change("POST", f"{self._base}/targets/", body["name"], self._new | body)

    def update(self, row: TomRow, body: Body) -> TomRow:
        """
        Change a target, and give it as it is now.

        Raises
        ------
        RejectedError
            If the change is refused.
        """
        with failpoints.around("tom"):
            return self._change("PATCH", f"{self._base}/targets/{row.id}/", row.name, body)

    def remove_alias(self, alias: TomName) -> None:
        """Take a name from a target; one that is gone already is no error."""
        with failpoints.around("tom"):
            self._call("DELETE", f"{self._base}/targetname/{alias.id}/", alias.name)

    def _change(self, method: str, url: str, what: str, body: Body) -> TomRow:
        for key in ("ra", "dec"):
            if body.get(key) == 0:
                body = body | {key: ALMOST_ZERO}
        answer = self._call(method, url, what, json=body)
        if answer.status_code not in (200, 201):
            raise RejectedError(what, self._problem(answer))
        return self._read(answer, TypeAdapter(TomRow))

    def _call(self, method: str, url: str, what: str, **arguments: Any) -> requests.Response:
        """Make one call; what is no fault of one target is an error."""
        try:
            answer = ask(self._session, method, url, self._timeout, **arguments)
        except Redirected as error:
            raise TomUnavailable(self.service, problem_of(error), "is tom.address right?") from None
        except requests.RequestException as error:
            raise TomUnavailable(self.service, problem_of(error), "is tom.address right, and the TOM up?") from None
        status = answer.status_code
        if status in (401, 403):
            raise TomUnavailable(self.service, f"refuses our token: {self._problem(answer)}", "set TIDES_TOM__TOKEN")
        if status == 404 and what == "targets":
            raise TomUnavailable(self.service, "has no list of targets", "is tom.address right?")
        if status in AWAY or 300 <= status < 400 or (method == "GET" and status >= 400 and status != 404):
            raise TomUnavailable(self.service, f"answered {status}: {self._problem(answer)}")
        return answer

    def _problem(self, answer: requests.Response) -> str:
        """Give what an answer says is wrong: that of an error of the service is a page of HTML."""
        is_page = answer.status_code >= 500 or "html" in answer.headers.get("Content-Type", "")
        return f"answered {answer.status_code}" if is_page else cleaned(answer.text[:1000], 300)

    def _read(self, answer: requests.Response, kind: TypeAdapter[Read]) -> Read:
        try:
            return kind.validate_json(answer.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise TomUnavailable(
                self.service, f"answered no target that can be read: {place}: {first['msg']}"
            ) from None
